"""Each test has a home of its own, and none leaves a process of its jobs behind."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import workload
from jupyter_ext.training.handle import KINDS
from tests.waiting import processes_of, until  # noqa: F401 - for the tests of this folder


def running(uid: str, program: str) -> list[psutil.Process]:
    """Those of a workload's processes that run this program."""
    found = []
    for process in processes_of(uid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word.endswith(program) for word in process.cmdline()):
                found.append(process)
    return found


@pytest.fixture
def cluster(kubeflow_home, monkeypatch):
    """The embedded cluster of this test; afterwards nothing of its jobs runs."""
    for name in ("JUPYTER_KUBEFLOW_WORKLOAD", "JUPYTER_KUBEFLOW_UNIT", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    made = discover.current()
    yield made
    uids = [each.uid for kind in KINDS for each in made.list(kind)]
    for uid in uids:
        workload.stop(made, uid, grace=2)
    left = [process for uid in uids for process in processes_of(uid)]
    for process in left:
        process.kill()
    assert not left


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of the user's, which is the working directory."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
