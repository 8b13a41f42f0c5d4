"""Compiled pipelines, run by real processes in a cluster of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.pipelines.handle import Run, run

FOLDER = Path(__file__).parents[2] / "data" / "compiled"
SECONDS = 120

Start = Callable[..., Run]


@pytest.fixture
def cluster(kubeflow_home: Path) -> LocalCluster:
    del kubeflow_home
    current = discover.current()
    assert isinstance(current, LocalCluster)
    return current


@pytest.fixture
def ran(cluster: LocalCluster) -> Start:
    """Run one of the pipelines of ``tests/data/compiled`` to its end."""

    def make(name: str, **parameters: Any) -> Run:
        return run(FOLDER / f"{name}.yaml", parameters=parameters).wait(SECONDS)

    return make


def states(done: Run) -> dict[str, str]:
    """The state of each step and iteration."""
    return {status["name"]: status["state"] for status in done.steps}


def outputs(done: Run, step: str) -> dict[str, Any]:
    """What a step left, by name; the path of an artifact."""
    return {name: ref["inline"][name] for ref in done.step(step)["outputs"] for name in ref["names"]}


def succeeded(done: Run) -> Run:
    """The run, which must have succeeded."""
    assert done.state == "SUCCEEDED", (done.resource.reason, done.logs())
    return done
