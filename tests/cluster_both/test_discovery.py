"""Which cluster it is, what it can do and for whom: in few requests and bounded time."""

from __future__ import annotations

import time

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube.capabilities import survey
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Invalid, Unavailable
from tests.spawner.crash.weather import Trouble
from tests.waiting import until


@pytest.fixture(autouse=True)
def _undone():
    yield
    discover.use()


@pytest.mark.parametrize(
    ("words", "field"), [({"context": "nowhere"}, "context"), ({"context": "in-cluster"}, "context")]
)
def test_what_there_is_not_cannot_be_chosen(words, field, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unavailable) as error:
        kf.cluster.use(**words)
    assert error.value.where.field == field
    assert discover.remote() is None


def test_the_embedded_one_stays_unless_another_is_chosen(monkeypatch, tmp_path):
    (tmp_path / "config").write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]"
    )
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert discover.remote() is None
    assert discover.target("training") is discover.current()
    chosen = kf.cluster.use("a", "team-a")
    assert (chosen.kind, chosen.namespace) == ("kubernetes", "team-a")
    assert discover.remote() is chosen
    assert discover.current().kind == "local"
    assert isinstance(kf.cluster.use("local"), LocalCluster)
    assert discover.remote() is None
    kf.cluster.use()
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CLUSTER", "a")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_NAMESPACE", "team-b")
    assert discover.remote().namespace == "team-b"
    with pytest.raises(Unavailable, match="does not answer"):
        discover.target("training")
    with pytest.raises(Invalid):
        kf.cluster.use("local", namespace="x")
    with pytest.raises(Invalid):
        kf.cluster.use("a", namespace="../x")
    report = discover.doctor()
    assert "does not answer" in next(check for check in report.checks if check.name == "cluster").detail


@pytest.mark.cluster
def test_an_administrator_can_do_what_there_is(kube):
    found = survey(kube)
    assert found.requests <= 10
    assert found.user == "kubernetes-admin" or found.user
    assert found.version.startswith("v1.")
    can = found.capabilities
    assert {name: one.state for name, one in can.items() if name in {"spark", "serving"}} == {
        "spark": "available",
        "serving": "available",
    }
    assert can["training"].available  # degraded without its runtimes: those come with the controller
    assert (can["pipelines"].state, can["registry"].state) == ("available", "degraded")
    assert all(one.reason for one in can.values())
    assert found.quotas == []
    before = kube.transport.requests
    assert survey(kube) is found
    assert kube.transport.requests == before


@pytest.mark.cluster
def test_who_may_little_is_told_which_right_is_missing(kube, connected, cluster):
    nobody = connected(kube.namespace, user="nobody")
    assert nobody.capabilities()["training"].state == "missing"
    assert "You may not get trainjobs.trainer.kubeflow.org" in nobody.capabilities()["training"].reason
    assert survey(nobody).quotas is None
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{kube.namespace}"
    rules = [
        {"apiGroups": ["trainer.kubeflow.org"], "resources": ["trainjobs"], "verbs": ["get", "list", "watch"]}
    ]
    cluster.call("POST", f"{root}/roles", {"metadata": {"name": "look"}, "rules": rules})
    cluster.call("POST", f"{root}/rolebindings", {
        "metadata": {"name": "look"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    })  # fmt: skip
    viewer = connected(kube.namespace, user="viewer")

    def judged():
        viewer.surveyed = None
        return viewer.capabilities()["training"]

    until(lambda: judged().state == "degraded")
    assert "not create, patch, delete" in judged().reason


@pytest.mark.cluster
def test_quotas_and_accelerators_are_seen(kube, cluster):
    cluster.node("gpus", capacity={"nvidia.com/gpu": "4"})
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"requests.nvidia.com/gpu": "2"}}}
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas"
    cluster.call("POST", path, quota)
    until(lambda: cluster.call("GET", f"{path}/team").get("status", {}).get("hard"))
    found = survey(kube)
    assert found.accelerators["nvidia.com/gpu"] >= 4
    assert found.quotas == ["team: requests.nvidia.com/gpu 0 of 2"]


@pytest.mark.cluster
def test_a_cluster_that_is_slow_is_not_waited_for_long(kube, weather, connected):
    """What came in time is told; where nothing comes, that is."""
    distant = connected(kube.namespace, kubeconfig=weather.kubeconfig)
    weather.rule = lambda asked: Trouble(silent=True) if asked.path != "/apis" else Trouble()
    found = survey(distant, patience=3)
    assert {"rules", "user", "version"} <= set(found.unanswered)
    distant.surveyed = None
    distant.kinds.forget()
    weather.rule = lambda _asked: Trouble(silent=True)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        survey(distant, patience=3)
    assert time.monotonic() - began < 60


@pytest.mark.cluster
def test_the_doctor_tells_of_the_cluster_that_is_used(kube, cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    kf.cluster.use("test", kube.namespace)
    check = next(check for check in discover.doctor().checks if check.name == "cluster")
    assert check.ok
    assert f"namespace {kube.namespace}" in check.detail
    assert "spark: available" in check.detail
