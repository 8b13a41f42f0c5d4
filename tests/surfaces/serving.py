"""What the tests of serving's surfaces share: real models in the registry, and a cluster that ends with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster, workload
from tests.waiting import processes_of, until


@pytest.fixture
def serving_cluster(kubeflow_home, monkeypatch) -> Iterator[LocalCluster]:
    """The embedded cluster; afterwards no server, controller or gateway of it runs."""
    for name in ("JUPYTER_KUBEFLOW_WORKLOAD", "JUPYTER_KUBEFLOW_UNIT", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    made = discover.current()
    yield made
    uids = [
        each.uid for kind in ("InferenceService", "InferenceGraph", "Gateway") for each in made.list(kind)
    ]
    for uid in uids:
        workload.stop(made, uid, grace=2)
    for uid in uids:
        until(lambda uid=uid: not processes_of(uid))


@pytest.fixture
def iris(serving_cluster):
    """Two versions of a classifier with their example; gives the data."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from jupyter_ext import registry

    data, target = load_iris(return_X_y=True, as_frame=True)
    for strength in (1.0, 0.01):
        model = LogisticRegression(C=strength, max_iter=500).fit(data, target)
        registry.register(
            model,
            "iris",
            example=data.head(3),
            data={"train": data},
            alias="champion" if strength == 1.0 else None,
        )
    return data
