"""Each test has a home of its own, and none leaves a process of its jobs behind."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil
import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import workload
from jupyter_ext.training.handle import KINDS

PATIENCE = 90.0


def until(condition, patience: float = PATIENCE):
    """Poll; the patience only bounds a hanging test."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


def processes_of(uid: str) -> list[psutil.Process]:
    """Every process that was started for a workload, by the mark in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get("JUPYTER_KUBEFLOW_WORKLOAD") == uid
            if marked and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


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
