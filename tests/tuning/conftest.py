"""Experiments of these tests end with them."""

from __future__ import annotations

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import processes, workload
from tests.waiting import until  # noqa: F401 - for the tests of this folder


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Nothing of a step or a trial that these tests may run in."""
    for name in ("JUPYTER_KUBEFLOW_WORKLOAD", "JUPYTER_KUBEFLOW_UNIT", "JUPYTER_KUBEFLOW_REPORTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cluster(kubeflow_home):
    made = discover.current()
    yield made
    with made.store.reading() as connection:
        rows = connection.execute("SELECT uid, process FROM workloads").fetchall()
    for uid, _ in rows:
        workload.stop(made, uid, grace=0.5)
    assert not [one for uid, process in rows for one in processes.members(uid, process)]


@pytest.fixture
def tune(cluster):
    from jupyter_ext import tuning

    return tuning.tune
