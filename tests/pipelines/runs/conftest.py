"""A folder to write notebooks in, and the cluster that runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster
from tests.pipelines.runs.notebooks import Write, notebook


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a notebook of the given cells into the test's folder."""

    def make(*cells: Any, name: str = "nb") -> Path:
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps(notebook(*cells)))
        return path

    return make


@pytest.fixture
def cluster(kubeflow_home: Path) -> LocalCluster:
    """The embedded cluster of this test."""
    del kubeflow_home
    current = discover.current()
    assert isinstance(current, LocalCluster)
    return current
