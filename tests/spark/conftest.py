"""One profile and one session of Spark for all tests of this folder: each start of a JVM takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import workload
from tests.waiting import processes_of

KINDS = ("SparkApplication", "SparkConnect")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The embedded cluster's home of a module's tests."""
    return tmp_path_factory.mktemp("kubeflow-spark")


@pytest.fixture
def kubeflow_home(home, monkeypatch) -> Path:
    """In the place of a home for each test."""
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(home))
    return home


@pytest.fixture
def cluster(kubeflow_home, monkeypatch):
    """The embedded cluster of this module's tests."""
    for name in ("JUPYTER_KUBEFLOW_WORKLOAD", "JUPYTER_KUBEFLOW_UNIT", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    return discover.current()


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(home):
    """Afterwards nothing of Spark runs."""
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_KUBEFLOW_HOME", str(home))
        made = discover.current()
        uids = [each.uid for kind in KINDS for each in made.list(kind)]
        for uid in uids:
            workload.stop(made, uid, grace=5)
        assert not [process for uid in uids for process in processes_of(uid)]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of the user's, which is the working directory."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
