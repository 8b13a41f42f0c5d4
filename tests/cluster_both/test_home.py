"""Home on a cluster: who uses what of a profile, who has a part in it, and what an administrator sees."""

from __future__ import annotations

import pytest

from jupyter_ext import home
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import KubeCluster
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from jupyter_ext.home import gateway, profiles
from tests.spawner.crash.weather import FAIR, Trouble
from tests.spawner.profiles.controller import DEFINITIONS
from tests.spawner.profiles.test_istio import NAME, definition_of_istio  # noqa: F401 - a fixture
from tests.waiting import until

pytestmark = pytest.mark.cluster
RBAC = "rbac.authorization.k8s.io"
JOB = {
    "apiVersion": "trainer.kubeflow.org/v1alpha1",
    "kind": "TrainJob",
    "spec": {"runtimeRef": {"name": "torch"}},
}


def pod(name: str, cpu: str, memory: str, *, gpus: int = 0, **about: dict[str, str]) -> dict:
    amounts = {"cpu": cpu, "memory": memory} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    container = {"name": "main", "image": "none", "resources": {"requests": amounts, "limits": amounts}}
    return {
        "metadata": {"name": name, **about},
        "spec": {"containers": [container], "schedulerName": "nobody"},
    }


def bind(cluster, namespace: str, user: str, role: str) -> None:
    """A RoleBinding to one of Kubernetes' own ClusterRoles, as the Profile controller makes it."""
    cluster.call("POST", f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings", {
        "metadata": {"name": f"{user}-{role}"}, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    })  # fmt: skip


@pytest.fixture
def team(cluster, definitions):
    """A profile of Ada's."""
    made = cluster.namespace("team", owner="ada")
    bind(cluster, made, "ada", "admin")
    return made


def test_who_uses_what_of_the_quota(cluster, team, connected, monkeypatch):
    quota = {"requests.cpu": "8", "requests.memory": "16Gi", "requests.nvidia.com/gpu": "4"}
    cluster.call("POST", f"/api/v1/namespaces/{team}/resourcequotas", {
        "metadata": {"name": "kf-resource-quota"}, "spec": {"hard": quota},
    })  # fmt: skip
    until(
        lambda: cluster.call("GET", f"/api/v1/namespaces/{team}/resourcequotas/kf-resource-quota").get(
            "status"
        )
    )
    monkeypatch.setenv("JUPYTERHUB_USER", "bob")
    kube = connected(team)
    kube.create(Resource.from_dict({**JOB, "metadata": {"name": "mnist"}}))
    root = f"/api/v1/namespaces/{team}/pods"
    tags = {"jobset.sigs.k8s.io/jobset-name": "mnist", "batch.kubernetes.io/job-name": "mnist-node-0"}
    for number in range(2):
        cluster.call("POST", root, pod(f"mnist-{number}", "1500m", "2Gi", gpus=1, labels=tags))
    cluster.call(
        "POST", root, pod("jupyter-ada", "1", "1Gi", annotations={"hub.jupyter.org/username": "ada"})
    )
    cluster.call("POST", root, pod("alone", "500m", "512Mi"))
    page = home.summary(kube)
    rows = {row["resource"]: (row["used"], row["hard"]) for row in page["quota"][0]["rows"]}
    assert rows["requests.cpu"] == (4.5, 8.0)
    assert rows["requests.memory"] == (5.5 * 2**30, 16.0 * 2**30)
    people = {row["name"]: (row["cpu"], row["gpus"], row["pods"]) for row in page["use"]["people"]}
    assert people == {"bob": (3.0, 2.0, 2), "ada": (1.0, 0.0, 1), "": (0.5, 0.0, 1)}
    assert [row["kind"] for row in page["use"]["kinds"]] == ["TrainJob", "Server", "Pod"]
    assert page["use"]["total"] == {"cpu": 4.5, "memory": 5.5 * 2**30, "gpus": 2.0, "pods": 4}
    said = repr(page)
    assert "requests.memory 5.5Gi of 16Gi" in said
    assert "bob uses 3 CPUs, 4Gi, 2 GPUs in 2 pods" in said
    assert "People: ada (admin)" in said


def test_people_are_added_and_taken_out(cluster, team, connected):
    ada, bob = connected(team, user="ada"), connected(team, user="bob")
    tried = home.add_contributor("bob", "edit", dry_run=True, cluster=ada)
    assert tried["dryRun"]
    assert tried["object"]["metadata"]["annotations"] == {"user": "bob", "role": "edit"}
    assert [row["name"] for row in home.contributors(ada)] == ["ada"], "nothing was stored"
    with pytest.raises(Forbidden):
        home.contributors(bob)
    assert home.summary(bob).get("contributors") is None
    home.add_contributor("bob", "edit", cluster=ada)
    home.add_contributor("vision", "view", kind="Group", cluster=ada)
    assert [(row["name"], row["role"], row["isOwner"]) for row in home.contributors(ada)] == [
        ("ada", "admin", True), ("bob", "edit", False), ("vision", "view", False),
    ]  # fmt: skip
    until(lambda: bob.capabilities() and home.summary(bob)["use"] is not None)
    with pytest.raises(Forbidden, match="rolebindings"):
        home.add_contributor("eve", "edit", cluster=bob)
    with pytest.raises(Conflict, match="already: edit"):
        home.add_contributor("bob", "view", cluster=ada)
    with pytest.raises(Conflict, match="ada owns"):
        home.remove_contributor("ada", cluster=ada)
    assert home.remove_contributor("bob", dry_run=True, cluster=ada)["role"] == "edit"
    assert len(home.contributors(ada)) == 3
    home.remove_contributor("bob", cluster=ada)
    with pytest.raises(NotFound):
        home.remove_contributor("bob", cluster=ada)
    for name, role, kind in (("", "edit", "User"), ("system:admin", "edit", "User"), ("*", "view", "User"),
                             ("eve", "admin", "User"), ("eve", "edit", "ServiceAccount")):  # fmt: skip
        with pytest.raises(Invalid):
            home.add_contributor(name, role, kind=kind, cluster=ada)
    with pytest.raises(Unavailable, match="no contributors"):
        home.contributors()


@pytest.fixture
def mesh(cluster, team, definition_of_istio):  # noqa: F811
    """The cluster has Istio's policies, as far as its API server goes, and the profile is in the mesh; the policies by name."""
    cluster.call("POST", DEFINITIONS, definition_of_istio)
    path = f"/apis/security.istio.io/v1/namespaces/{team}/authorizationpolicies"
    until(lambda: cluster.exists(path))
    cluster.call(
        "PATCH", f"/api/v1/namespaces/{team}", {"metadata": {"labels": {"istio-injection": "enabled"}}}
    )
    yield lambda: {thing["metadata"]["name"]: thing for thing in cluster.call("GET", path)["items"]}
    cluster.call("DELETE", f"{DEFINITIONS}/{NAME}")
    until(lambda: not cluster.exists(f"{DEFINITIONS}/{NAME}"))


def test_where_istio_is_a_contributor_gets_through_the_gateway_too(cluster, team, mesh, connected):
    kube = connected(team)
    tried = home.add_contributor("Bob.B@x.org", dry_run=True, cluster=kube)
    assert tried["policy"]["metadata"]["name"] == "user-bob-b-x-org-clusterrole-edit"
    assert mesh() == {}
    made = home.add_contributor("Bob.B@x.org", cluster=kube)
    home.add_contributor("bob-b@x.org", cluster=kube)  # Kubeflow's name for this one is the same
    home.add_contributor("eve@x.org", "view", cluster=kube)
    home.add_contributor("vision", kind="Group", cluster=kube)  # of which no header says anything
    there = mesh()
    assert len(there) == 3
    assert set(there) == {row["binding"] for row in home.contributors(kube) if row["kind"] == "User"} - {
        "ada-admin"
    }
    bob = there[made["binding"]]
    assert bob["metadata"]["annotations"] == {"user": "Bob.B@x.org", "role": "edit"}
    (rule,) = bob["spec"]["rules"]
    assert rule["when"] == [{"key": "request.headers[kubeflow-userid]", "values": ["Bob.B@x.org"]}]
    assert [each.rpartition("/sa/")[2] for each in rule["from"][0]["source"]["principals"]] == [
        "istio-ingressgateway-service-account", "ml-pipeline-ui",
    ]  # fmt: skip
    (looks,) = there["user-eve-x-org-clusterrole-view"]["spec"]["rules"]
    assert looks["to"] == [{"operation": {"notPorts": ["8888"]}}], "a page of a server is a kernel"
    removed = home.remove_contributor("Bob.B@x.org", dry_run=True, cluster=kube)
    assert removed["policies"] == [made["binding"]]
    assert mesh() == there
    home.remove_contributor("Bob.B@x.org", cluster=kube)
    assert set(there) - set(mesh()) == {made["binding"]}
    # The Profile controller was told of another gateway, and this is in its own policy.
    rule = {"from": [{"source": {"principals": ["g/ns/edge/sa/gate"]}}],
            "when": [{"key": "request.headers[x-user]", "values": ["oidc:ada"]}]}  # fmt: skip
    path = f"/apis/security.istio.io/v1/namespaces/{team}/authorizationpolicies"
    cluster.call("POST", path, {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                                "metadata": {"name": "ns-owner-access-istio"}, "spec": {"rules": [rule]}})  # fmt: skip
    (rule,) = home.add_contributor("Bob.B@x.org", cluster=kube)["policy"]["spec"]["rules"]
    assert rule["from"][0]["source"]["principals"] == ["g/ns/edge/sa/gate"]
    assert rule["when"] == [{"key": "request.headers[x-user]", "values": ["oidc:Bob.B@x.org"]}]


def sees_policies(kube) -> bool:
    try:
        return gateway.of(kube) is not None
    except Forbidden:
        return False


def test_of_binding_and_policy_there_are_both_or_none(cluster, team, mesh, connected, weather):
    ada, kube = connected(team, user="ada"), connected(team)
    for ask in (home.add_contributor, lambda name, **how: home.add_contributor(name, dry_run=True, **how)):
        with pytest.raises(Forbidden, match=r"may not list authorizationpolicies.*gateway") as error:
            ask("bob", cluster=ada)
        assert "Kubeflow's own page" in error.value.hint
    looked = {"apiGroups": ["security.istio.io"], "resources": ["authorizationpolicies"], "verbs": ["list"]}
    root = f"/apis/{RBAC}/v1/namespaces/{team}"
    cluster.call("POST", f"{root}/roles", {"metadata": {"name": "look"}, "rules": [looked]})
    cluster.call("POST", f"{root}/rolebindings", {
        "metadata": {"name": "look"}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "look"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ada"}],
    })  # fmt: skip
    until(lambda: sees_policies(ada))
    with pytest.raises(Forbidden, match=r"may not patch authorizationpolicies.*gateway"):
        home.add_contributor("bob", cluster=ada)
    written = []

    def rule(asked):
        if asked.method == "PATCH" and "authorizationpolicies" in asked.path:
            written.append(asked.path)
            return Trouble(silent=True) if len(written) > 1 else FAIR  # the first stores nothing
        return FAIR

    weather.rule = rule
    with pytest.raises(Unavailable, match="does not answer"):
        home.add_contributor("bob", cluster=connected(team, kubeconfig=weather.kubeconfig, patience=2))
    weather.rule = lambda _asked: FAIR
    assert {row["name"] for row in home.contributors(kube)} == {"ada"}
    assert mesh() == {}
    home.add_contributor("bob", cluster=kube)
    with pytest.raises(Forbidden, match="may not delete authorizationpolicies"):
        home.remove_contributor("bob", cluster=ada)
    assert {row["name"] for row in home.contributors(kube)} == {"ada", "bob"}
    assert set(mesh()) == {"user-bob-clusterrole-edit"}
    cluster.call(
        "DELETE",
        f"/apis/security.istio.io/v1/namespaces/{team}/authorizationpolicies/user-bob-clusterrole-edit",
    )
    home.add_contributor("bob", cluster=kube)  # what lacks its policy is made whole
    assert set(mesh()) == {"user-bob-clusterrole-edit"}
    cluster.call("PATCH", f"/api/v1/namespaces/{team}", {"metadata": {"labels": {"istio-injection": None}}})
    home.add_contributor("eve", cluster=ada)  # outside of the mesh nothing needs one


def test_an_administrator_sees_every_profile(cluster, team, connected):
    other = cluster.namespace("other", owner="eve")
    cluster.call("POST", f"/api/v1/namespaces/{other}/pods", pod("busy", "2", "1Gi", gpus=3))
    seen = profiles.of(connected(team))
    assert seen["isAdmin"]
    assert seen["rows"][0]["name"] == team
    rows = {row["name"]: row for row in seen["rows"]}
    assert (rows[other]["owner"], rows[other]["gpus"], rows[other]["isUsed"]) == ("eve", 3.0, False)
    assert "kube-system" not in rows
    assert profiles.of(connected(team, user="ada")) is None, "who may list no namespaces is told of none"
    page = home.summary(connected(team, user="ada"))
    assert "profiles" not in page
    assert other not in repr(page)


def test_work_of_the_cluster_and_of_this_machine_is_on_one_page(team, connected):
    kube = connected(team)
    for name in ("mnist", "later"):
        kube.create(Resource.from_dict({**JOB, "metadata": {"name": name}}))
    here = discover.current()
    here.store.create(Resource.new("Run", "flights", {}).with_(status={"phase": "SUCCEEDED"}))
    kube.capabilities()
    before = kube.transport.requests
    work = home.summary(kube)["work"]
    assert {(row["kind"], row["name"]) for row in work["recent"]} == {
        ("TrainJob", "mnist"), ("TrainJob", "later"), ("Run", "flights"),
    }  # fmt: skip
    assert sum(work["counts"]["TrainJob"].values()) == 2
    assert work["counts"]["Run"] == {"SUCCEEDED": 1}
    assert kube.transport.requests - before <= 25, "each kind is listed once, not once for each card"


def test_a_cluster_that_does_not_answer_is_said_once(tmp_path, monkeypatch):
    (tmp_path / "config").write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]"
    )
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    page = home.summary(KubeCluster.of("a"))
    assert set(page) == {"profile", "components"}
    assert "does not answer" in page["components"]["error"]["message"]
