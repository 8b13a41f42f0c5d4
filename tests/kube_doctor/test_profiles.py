"""Profiles with one thing wrong each: what really is refused there, the doctor's words, and that its fix mends it."""

from __future__ import annotations

import pytest

from tests.cluster.answers import Answer
from tests.kube_doctor.conftest import about

pytestmark = pytest.mark.cluster
PROFILES = "/apis/kubeflow.org/v1/profiles"


def pod(name: str = "a") -> dict:
    resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "none", "resources": resources}]},
    }


@pytest.fixture
def titled(cluster, definition):
    """A Profile of a namespace."""
    definition(True)

    def make(name: str, owner: str = "ada@example.com", **metadata) -> None:
        cluster.gone_after(f"{PROFILES}/{name}")
        spec = {"owner": {"kind": "User", "name": owner}}
        cluster.call("POST", PROFILES, {**kind(), "metadata": {"name": name, **metadata}, "spec": spec})

    return make


def kind() -> dict:
    return {"apiVersion": "kubeflow.org/v1", "kind": "Profile"}


def test_one_that_is_well(cluster, doctor, profile, titled):
    cluster.node("open", count=2)
    name = profile()
    titled(name)
    report = doctor(name)
    assert [each for each in about(report, name) if each.severity in {"problem", "warning"}] == []
    said = {each.check: each for each in report.of("ok")}
    assert said["profiles"].what == "1 profile, with all that belongs to them"
    assert said["API server"].what == "It answers: Kubernetes v1.34.4"
    assert said["identity"].what.startswith("You are test-admin")
    assert {"clock", "rights", "quotas", "contributors"} <= set(said)
    assert said["rights"].what.startswith(f"You may do in {name} all")
    assert "nothing was changed" in str(report)


def test_a_quota_of_zero(cluster, doctor, mended, profile, tmp_path):
    name = profile("none")
    path = f"/api/v1/namespaces/{name}"
    quota = {"metadata": {"name": "all"}, "spec": {"hard": {"pods": "0", "requests.nvidia.com/gpu": "0"}}}
    cluster.call("POST", f"{path}/resourcequotas", quota)
    cluster.until(lambda: cluster.call("GET", f"{path}/resourcequotas/all")["status"].get("hard"))
    with pytest.raises(Answer, match="exceeded quota"):
        cluster.call("POST", f"{path}/pods", pod())
    (found,) = about(doctor(name), f"{name}/all", "problem")  # no GPUs is a choice, no pods is none
    assert (found.check, found.what) == ("quotas", "A quota allows 0 pods")
    assert found.why == "Every server and job there is refused."
    mended(found.fix, tmp_path)
    cluster.until(lambda: cluster.call("GET", f"{path}/resourcequotas/all")["status"]["hard"]["pods"] == "10")
    cluster.call("POST", f"{path}/pods", pod())
    assert not about(doctor(name), f"{name}/all")


def test_a_quota_of_limits_without_defaults_and_a_key_that_limits_nothing(
    cluster, doctor, mended, profile, tmp_path
):
    name = profile("unsaid")
    hard = {"limits.memory": "4Gi", "nvidia.com/gpu": "1"}
    cluster.call(
        "POST",
        f"/api/v1/namespaces/{name}/resourcequotas",
        {"metadata": {"name": "all"}, "spec": {"hard": hard}},
    )
    found = {each.what: each for each in about(doctor(name), f"{name}/all", "warning")}
    unsaid = found["A quota counts limits of memory, and no LimitRange gives a default"]
    key = found["A quota's nvidia.com/gpu limits nothing"]
    assert "must specify limits" in unsaid.why
    mended(unsaid.fix, tmp_path)
    mended(key.fix, tmp_path)
    quota = cluster.call("GET", f"/api/v1/namespaces/{name}/resourcequotas/all")
    assert quota["spec"]["hard"] == {"limits.memory": "4Gi", "requests.nvidia.com/gpu": "1"}
    assert not about(doctor(name), f"{name}/all")


def test_a_profile_without_the_owners_mark_and_accounts(cluster, doctor, mended, titled, tmp_path):
    name = cluster.namespace("bare")
    cluster.call("DELETE", f"/api/v1/namespaces/{name}/serviceaccounts/default")
    titled(name, "it's ada@example.com")
    report = doctor(name)
    found = {each.what: each for each in about(report, name) if each.severity in {"problem", "warning"}}
    owner = found["A Profile's namespace has no owner annotation"]
    assert owner.severity == "problem"
    editor = found["The service account default-editor is missing"]
    label = found["A profile's namespace is not labelled as one"]
    for each in (owner, editor, label):
        mended(each.fix.partition("  #")[0], tmp_path)
    namespace = cluster.call("GET", f"/api/v1/namespaces/{name}")
    assert namespace["metadata"]["annotations"]["owner"] == "it's ada@example.com"
    # Kubernetes' own controller made `default` again meanwhile.
    cluster.until(lambda: cluster.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    assert not [each for each in about(doctor(name), name) if each.check == "profiles" and each.where]


def test_a_namespace_that_does_not_end(cluster, doctor, titled):
    name = cluster.namespace("ending")
    path = f"/api/v1/namespaces/{name}"
    held = {"metadata": {"name": "held", "finalizers": ["example.org/held"]}}
    cluster.call("POST", f"{path}/configmaps", held)
    titled(name)
    cluster.call("DELETE", path)
    cluster.until(
        lambda: any(
            row["type"] == "NamespaceFinalizersRemaining" and row["status"] == "True"
            for row in cluster.call("GET", path)["status"].get("conditions", ())
        )
    )
    try:
        (found,) = [each for each in about(doctor(name), name) if "deleted" in each.what]
        assert found.what == "A namespace is being deleted"
        assert "example.org/held" in found.why
        assert found.fix.startswith(f"kubectl describe namespace {name}")
    finally:
        cluster.call("PATCH", f"{path}/configmaps/held", {"metadata": {"finalizers": None}})


def test_a_level_that_jobs_do_not_meet(cluster, doctor, mended, profile, tmp_path):
    name = profile("strict", **{"pod-security.kubernetes.io/enforce": "restricted"})
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    ours = pod()  # all that the level wants but runAsNonRoot
    ours["spec"]["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    ours["spec"]["containers"][0]["securityContext"] = own
    with pytest.raises(Answer, match="runAsNonRoot"):
        cluster.call("POST", f"/api/v1/namespaces/{name}/pods", ours)
    (found,) = about(doctor(name), "The pod security level is restricted")
    assert (found.severity, found.where) == ("warning", name)
    mended(found.fix, tmp_path)
    cluster.call("POST", f"/api/v1/namespaces/{name}/pods", ours)


def test_people_whom_kfam_takes_for_one(cluster, doctor, profile):
    name = profile("shared")
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    for number, (user, shown) in enumerate([("a.b@x", "a.b@x"), ("a-b@x", "a-b@x"), ("eve@x", "bob@x")]):
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        metadata = {"name": f"b{number}", "annotations": {"user": shown, "role": "edit"}}
        cluster.call("POST", path, {"metadata": metadata, "roleRef": role, "subjects": [subject]})
    report = doctor(name)
    (same,) = about(report, "takes different people for one")
    assert (same.severity, same.where) == ("warning", "a-b@x, a.b@x")
    assert "user-a-b-x-clusterrole-edit" in same.why
    (other,) = about(report, "shows somebody else")
    assert (other.severity, other.where) == ("problem", f"{name}/b2")
    assert other.why == "The dashboard shows bob@x; eve@x is let in."
