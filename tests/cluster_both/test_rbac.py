"""A profile's viewer, with the rights that Kubeflow gives one: everything is read, nothing is written, each refusal says why."""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext import resources
from jupyter_ext.cluster import discover
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound
from tests.cluster_both.contract import job
from tests.cluster_both.jupyter import JupyterServer
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
VIEW = "rbac.authorization.kubeflow.org/aggregate-to-kubeflow-view"
GROUPS = {
    "trainer.kubeflow.org": ["trainjobs", "clustertrainingruntimes", "trainingruntimes"],
    "serving.kserve.io": ["inferenceservices", "inferencegraphs", "clusterservingruntimes"],
    "sparkoperator.k8s.io": ["sparkapplications", "scheduledsparkapplications", "sparkconnects"],
    "": ["pods", "pods/log", "events", "resourcequotas", "services", "configmaps"],
}


def viewer_of(cluster, namespace: str):
    """The kubeconfig of the profile's `default-viewer`, bound to what components let viewers see, as upstream does."""
    rules = [
        {"apiGroups": [group], "resources": plurals, "verbs": ["get", "list", "watch"]}
        for group, plurals in GROUPS.items()
    ]
    cluster.apply(f"{RBAC}/clusterroles/test-components-view", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "test-components-view", "labels": {VIEW: "true"}}, "rules": rules,
    })  # fmt: skip
    cluster.apply(f"{RBAC}/clusterroles/test-kubeflow-view", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "test-kubeflow-view"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {VIEW: "true"}}]},
    })  # fmt: skip
    cluster.call(
        "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default-viewer"}}
    )
    cluster.call("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", {
        "metadata": {"name": "default-viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "test-kubeflow-view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default-viewer", "namespace": namespace}],
    })  # fmt: skip
    return cluster.kubeconfig_of(
        f"system:serviceaccount:{namespace}:default-viewer", ["system:serviceaccounts"]
    )


@pytest.fixture
def viewer(kube, cluster, connected, monkeypatch, tmp_path):
    """Everything below is asked as the viewer, in a home of its own."""
    file = viewer_of(cluster, kube.namespace)
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "home"))
    found = kf.cluster.use("test", kube.namespace)

    def may_list() -> bool:
        try:
            return found.list("TrainJob") is not None
        except Forbidden:
            return False  # the controller has not put the role together yet

    until(may_list)
    yield file
    discover.use()


def refused(word: str, do) -> None:
    with pytest.raises(KubeflowError) as error:
        do()
    assert error.value.status == 403, error.value
    assert f"may not {word}" in str(error.value), str(error.value)


def test_a_viewer_reads_all_and_writes_nothing(viewer, kube, tmp_path, monkeypatch):
    kube.create(job("mnist"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text("def fit():\n    return 1\n")
    assert [one.name for one in resources.list_()] == ["mnist"]
    assert resources.find("mnist").kind == "TrainJob"
    assert "State:    PENDING" in resources.describe("trainjob/mnist")
    assert list(resources.events("trainjob/mnist")) == []
    assert "".join(resources.logs("trainjob/mnist")) == ""
    found = kf.training.get("mnist")
    assert (found.phase, found.ranks) == ("PENDING", [])
    can = discover.remote().capabilities()
    assert {name: can[name].state for name in ("training", "serving", "spark")} == dict.fromkeys(
        ("training", "serving", "spark"), "degraded"
    )
    assert "You may see, but not create" in can["training"].reason
    refused("patch", found.suspend)
    refused("patch", lambda: found.stop(wait=True))
    refused("delete", found.delete)
    refused("delete", lambda: resources.delete("trainjob/mnist"))
    refused("patch", lambda: resources.apply(_yaml(kube)))
    with pytest.raises(KubeflowError, match=r"may not|may see, but not create"):
        kf.training.train("fit.py", function="fit", framework="plain")
    with pytest.raises(NotFound):
        resources.find("trainjob/other")
    assert [one.name for one in kube.list("TrainJob")] == ["mnist"]
    _by_rest(viewer, kube, tmp_path)


def _yaml(kube) -> str:
    return f"apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {{name: x, namespace: {kube.namespace}}}\nspec: {{runtimeRef: {{name: torch-distributed}}}}\n"


def _by_rest(kubeconfig, kube, folder) -> None:
    """The same for who has the sidebar only, and nothing of another profile."""
    words = {"JUPYTER_KUBEFLOW_CLUSTER": "test", "JUPYTER_KUBEFLOW_NAMESPACE": kube.namespace}
    with JupyterServer(folder / "server", kubeconfig, **words) as server:
        assert server.names() == {"mnist"}
        assert server.names("inferenceservices") == server.names("sparkapplications") == set()
        status, job_ = server.ask("trainjobs/mnist")
        assert (status, job_["status"]["ranks"]) == (200, [])
        about = server.ask("cluster")[1]
        assert about["profiles"] == [kube.namespace]
        assert about["used"]["namespace"] == kube.namespace
        for path, method in (
            ("trainjobs/mnist:suspend", "POST"),
            ("trainjobs/mnist:stop", "POST"),
            ("trainjobs/mnist", "DELETE"),
        ):
            status, said = server.ask(path, method)
            assert status == 403, (path, said)
            assert "You may not" in said["message"]
            assert "default-viewer" in said["message"]
        status, said = server.ask("cluster", "POST", {"context": "test", "namespace": "default"})
        assert status == 409
        assert "JUPYTER_KUBEFLOW_CLUSTER" in said["message"]
    other = {**words, "JUPYTER_KUBEFLOW_NAMESPACE": "default"}
    with JupyterServer(folder / "other", kubeconfig, **other) as server:
        status, said = server.ask("trainjobs")
        assert status == 403
        assert "You may not list trainjobs.trainer.kubeflow.org in" in said["message"]
        assert "traceback" not in server.log.read_text().lower()
