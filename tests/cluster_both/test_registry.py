"""A Model Registry behind a Service: found by its label, and asked through the API server.

Upstream's server cannot be had here; behind the Service is ours, which upstream's own clients are tested against.
"""

from __future__ import annotations

from functools import partial

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import services
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from jupyter_ext.registry import on_cluster, place
from tests.cluster.place import NODE_ADDRESS
from tests.cluster_both.registry_service import have_registry
from tests.registry.upstream import upstream
from tests.waiting import until

pytestmark = pytest.mark.cluster
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(autouse=True)
def _undone(monkeypatch):
    monkeypatch.delenv("JUPYTER_KUBEFLOW_REGISTRY", raising=False)
    yield
    discover.use()


@pytest.fixture
def put(cluster):
    """Puts the Service of a Model Registry into a namespace, before a server at this port."""
    return partial(have_registry, cluster)


@pytest.fixture
def server(cluster, tmp_path):
    """A registry that everybody in the cluster's network can reach, and that is shown no token."""
    with upstream(tmp_path / "server", NODE_ADDRESS) as made:
        yield made


def allow(cluster, namespace: str, user: str, *rules: tuple[str, ...]) -> None:
    """Let a user do something with core objects of a namespace: pairs of resource and verbs."""
    root = f"/apis/{RBAC}/v1/namespaces/{namespace}"
    name = f"{user}-may"
    given = [{"apiGroups": [""], "resources": [what], "verbs": list(verbs)} for what, *verbs in rules]
    cluster.call("POST", f"{root}/roles", {"metadata": {"name": name}, "rules": given})
    cluster.call("POST", f"{root}/rolebindings", {
        "metadata": {"name": name}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    })  # fmt: skip


def test_the_registry_of_the_cluster_is_used_unasked(kube, cluster, put, server, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY_STORAGE", (tmp_path / "shared").as_uri())
    kf.cluster.use(kube.access.name, kube.namespace)
    used = discover.remote()
    assert place.default().service is None, "records stay here while the cluster has no registry"
    assert "No Model Registry was found" in used.capabilities()["registry"].reason
    put(kube.namespace, server.port)
    services.forget(used)
    used.surveyed = None
    registry = place.default()
    assert registry.transport.address.startswith(f"service://{kube.namespace}/model-registry-service")
    assert used.capabilities()["registry"].state == "available"
    assert [one.title for one in kf.registry.services()] == [registry.service.title]
    version = until(lambda: registered(tmp_path))
    assert kf.registry.get("iris@champion").name == version.name == "iris:1"
    assert kf.registry.get("iris:1").path().read_bytes() == (tmp_path / "iris.onnx").read_bytes()
    labels, noted = on_cluster.labels(version, endpoint="live", namespace=kube.namespace)
    assert labels["modelregistry.kubeflow.org/name"] == "model-registry-service"
    assert labels["modelregistry.kubeflow.org/namespace"] == kube.namespace
    assert noted == {}
    about = {"name": "live", "labels": labels}
    model = {"modelFormat": {"name": "onnx"}, "storageUri": "s3://bucket/iris"}
    kube.apply(Resource.from_dict({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": about,
        "spec": {"predictor": {"model": model}},
    }))  # fmt: skip
    found = kube.get("InferenceService", "live")
    assert on_cluster.served_by(registry, found.labels).name == "iris:1"
    assert [row["name"] for row in version.endpoints()] == ["live"]
    with pytest.raises(NotFound, match="Did you mean iris"):
        kf.registry.get("irs")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY", "local")
    assert kf.registry.models() == []


def registered(folder):
    """The first request may find the API server without the Service's endpoints yet."""
    file = folder / "iris.onnx"
    file.write_bytes(b"not much of a model")
    try:
        return kf.registry.register(file, "iris", format="onnx", metrics={"accuracy": 0.9}, alias="champion")
    except Unavailable:
        return None


def test_which_one_where_there_are_several_and_who_may(kube, cluster, put, server, connected, monkeypatch):
    other = cluster.namespace("others")
    put(other, server.port)
    assert services.chosen(kube, services.REGISTRY) is None, (
        "nobody is led to another team's registry unasked"
    )
    assert other in {one.namespace for one in on_cluster.found(kube)}
    member = connected(kube.namespace, user="member")
    assert kube.namespace in services.labelled(member, services.REGISTRY).unseen
    assert "you may not look into" in services.registry(member).reason
    allow(cluster, kube.namespace, "member", ("services", "get", "list"))
    put(kube.namespace, server.port)

    def seen():
        services.forget(member)
        return services.chosen(member, services.REGISTRY)

    found = until(seen)
    with pytest.raises(Forbidden, match="services/proxy"):
        on_cluster.transport(member, found).ask("GET", "registered_models")
    allow_proxy = ("services/proxy", "get", "create", "patch")
    allow(cluster, other, "member", ("services", "get"), allow_proxy)

    def asked():
        try:
            there = on_cluster.by_name(member, f"service://{other}/model-registry-service")
            return on_cluster.transport(member, there).ask("GET", "registered_models")
        except (Forbidden, Unavailable):
            return None

    assert until(asked)["items"] == []
    put(kube.namespace, server.port, "second")
    services.forget(kube)
    with pytest.raises(Conflict, match="2 of component=model-registry: model-registry-service, second"):
        services.chosen(kube, services.REGISTRY)
    with pytest.raises(NotFound):
        on_cluster.by_name(kube, f"service://{kube.namespace}/none")
    for wrong in ("service://", "service://a", "service://../b", "service://a/b/c"):
        with pytest.raises(Invalid):
            on_cluster.by_name(kube, wrong)
