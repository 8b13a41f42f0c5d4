"""Elyra's pipelines, in a folder and a cluster of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster
from tests.pipelines.elyra.building import flow

Write = Callable[..., Path]


@pytest.fixture
def cluster(kubeflow_home: Path) -> LocalCluster:
    del kubeflow_home
    current = discover.current()
    assert isinstance(current, LocalCluster)
    return current


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a pipeline of these nodes, and files by name, into the test's folder, which is the workspace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUPYTER_SERVER_ROOT", raising=False)

    def make(
        *nodes: dict[str, Any], files: dict[str, str] | None = None, name: str = "demo", **more: Any
    ) -> Path:
        for place, text in (files or {}).items():
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        path = tmp_path / f"{name}.pipeline"
        path.write_text(json.dumps(flow(*nodes, **more)), encoding="utf-8")
        return path

    return make
