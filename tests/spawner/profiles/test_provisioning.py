"""Profiles made by our provisioner on a real API server, where there is no Profile controller."""

from __future__ import annotations

import asyncio

import pytest

from spawner.names import namespace_name
from spawner.profiles.cleanup import delete, doomed
from spawner.profiles.declared import Wanted, check
from spawner.profiles.membership import NoProfile, OneProfile, enter, profiles_of
from spawner.profiles.objects import KINDS, desired
from spawner.profiles.provision import apply, first_login, plan, welcome
from spawner.refused import Refused
from tests.cluster.answers import Answer
from tests.spawner.profiles.controller import PROFILES, RBAC, FakeProfileController, asked

pytestmark = pytest.mark.cluster


def wishes(*profiles):
    return check({"profiles": list(profiles)}).profiles


def planned(cluster, declared):
    return asked(cluster, lambda api: plan(api, declared))


def actions(changes):
    return [(change.action, change.kind, change.name) for change in changes if change.action != "keep"]


def applied(cluster, declared):
    """Plan and apply; the outcomes that were not done."""
    for wish in declared:
        cluster.gone_after(f"/api/v1/namespaces/{wish.namespace}")

    async def work(api):
        return await apply(api, await plan(api, declared))

    return [(outcome.change.kind, outcome.reason) for outcome in asked(cluster, work) if not outcome.is_done]


def entered(cluster, name, user):
    async def work(api):
        for _ in range(100):
            try:
                return await enter(api, name, user)
            except Refused as refusal:
                assert refusal.status == 403, refusal  # noqa: PT017
                await asyncio.sleep(0.05)
        raise AssertionError(name)

    return asked(cluster, work)


def of(kind, namespace, name):
    return f"{KINDS[kind].within(namespace)}/{name}"


def test_the_first_login_makes_a_profile_once(plain, fresh):
    user = f"{fresh('Ann')}@x.org"
    name = namespace_name(user)
    plain.gone_after(f"/api/v1/namespaces/{name}")

    async def two(api):
        return await asyncio.gather(first_login(api, user), first_login(api, user))

    one, other = asked(plain, two)
    assert (one.namespace, one.role, one.may_start) == (name, "owner", True)
    assert other == one, "two Hubs at once make one"
    assert asked(plain, lambda api: first_login(api, user)).uid == one.uid
    assert [found.name for found in asked(plain, lambda api: profiles_of(api, user))] == [name]
    assert actions(planned(plain, wishes({"owner": user}))) == [], "what is stored is what was meant"


def test_the_page_of_a_newcomer(plain, fresh):
    user = fresh("new")
    plain.gone_after(f"/api/v1/namespaces/{namespace_name(user)}")
    found = asked(plain, lambda api: welcome(api, user, defaults=Wanted(quota={"cpu": "2"})))
    assert isinstance(found, OneProfile)
    assert found.profile.name == namespace_name(user)
    assert plain.call("GET", of("ResourceQuota", found.profile.name, "kf-resource-quota"))["spec"][
        "hard"
    ] == {"cpu": "2"}
    again = asked(plain, lambda api: welcome(api, user))
    assert again.profiles[0].uid == found.profile.uid


def test_beside_kubeflow_a_newcomer_has_none(kubeflow, cluster, fresh):
    user = fresh("new")
    assert isinstance(asked(cluster, lambda api: welcome(api, user)), NoProfile)
    assert not cluster.exists(f"/api/v1/namespaces/{namespace_name(user)}")


EVERYTHING = {
    "quota": {
        "cpu": "4.5",
        "memory": "8192Mi",
        "requests.nvidia.com/gpu": 2,
        "persistentvolumeclaims": 4,
        "pods": "10",
    },
    "contributors": [{"user": "bob@x.org"}, {"group": "guests", "role": "view"}],
    "network": {"from": ["knative-serving"]},
    "limits": {
        "requests": {"cpu": "0.1"},
        "limits": {"memory": "1024Mi"},
        "most": {"cpu": "4", "memory": "4Gi"},
    },
    "podSecurity": "baseline",
    "labels": {"team": "vision"},
}


def test_a_declared_profile_is_made_whole_and_then_rests(plain, fresh):
    name = fresh("team")
    declared = wishes({"name": name, "owner": "ann@x.org", **EVERYTHING})
    assert applied(plain, declared) == []
    assert actions(planned(plain, declared)) == []
    assert entered(plain, name, "ann@x.org").role == "owner"
    assert entered(plain, name, "bob@x.org").role == "edit"
    with pytest.raises(Refused, match="You have no profile"):
        asked(plain, lambda api: enter(api, name, "eve@x.org"))
    seen = asked(plain, lambda api: profiles_of(api, "joe@x.org", ["guests"]))
    assert [(found.role, found.may_start) for found in seen if found.name == name] == [("view", False)]


def pod(**fields):
    container = {"name": "main", "image": "registry.invalid/none"}
    return {"metadata": {"name": "one"}, "spec": {"containers": [container], **fields}}


def test_quota_limits_and_pod_security_hold(plain, fresh):
    name = fresh("team")
    assert (
        applied(plain, wishes({"name": name, "owner": "ann@x.org", "quota": {"memory": "3Gi", "pods": 1}}))
        == []
    )
    path = f"/api/v1/namespaces/{name}/pods"
    entered(plain, name, "ann@x.org")
    ann = plain.caller("ann@x.org")
    plain.until(lambda: plain.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    with pytest.raises(Answer, match=r"hostPath|host namespaces"):
        ann("POST", path, pod(hostNetwork=True, volumes=[{"name": "v", "hostPath": {"path": "/"}}]))
    made = ann("POST", path, pod())
    assert made["spec"]["containers"][0]["resources"]["limits"]["memory"] == "2Gi", (
        "the quota takes a pod without limits"
    )
    with pytest.raises(Answer, match="exceeded quota"):
        ann("POST", path, {**pod(), "metadata": {"name": "two"}})


DRIFTS = [
    ("ResourceQuota", "kf-resource-quota", {"spec": {"hard": {"cpu": "900", "services": "3"}}}),
    ("NetworkPolicy", "profile-ingress", {"spec": {"ingress": [{}]}}),
    ("NetworkPolicy", "profile-egress", {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}),
    ("LimitRange", "profile-limits", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "99"}}]}}),
    ("RoleBinding", "namespaceAdmin", {"subjects": [{"kind": "User", "name": "mallory", "apiGroup": RBAC}]}),
    ("RoleBinding", "default-viewer", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
]


def test_what_was_changed_by_hand_is_mended(plain, fresh):
    name = fresh("team")
    declared = wishes({"name": name, "owner": "ann@x.org", "quota": {"cpu": 2}})
    assert applied(plain, declared) == []
    for kind, thing, change in DRIFTS:
        plain.call("PATCH", of(kind, name, thing), change)
    plain.call("DELETE", of("ServiceAccount", name, "default-editor"))
    labels = {"pod-security.kubernetes.io/enforce": "privileged", "mine": "stays"}
    plain.call("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": labels}})
    roles = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    editor = plain.call("GET", of("RoleBinding", name, "default-editor"))
    plain.call("DELETE", of("RoleBinding", name, "default-editor"))
    kept = {
        "metadata": {"name": "default-editor", "labels": editor["metadata"]["labels"]},
        "subjects": editor["subjects"],
    }
    plain.call("POST", KINDS["RoleBinding"].within(name), {**kept, "roleRef": roles})

    found = planned(plain, declared)
    assert ("replace", "RoleBinding", "default-editor") in actions(found)
    assert len(actions(found)) == len(DRIFTS) + 3
    assert applied(plain, declared) == []
    assert actions(planned(plain, declared)) == []
    assert plain.call("GET", of("ResourceQuota", name, "kf-resource-quota"))["spec"]["hard"] == {"cpu": "2"}
    assert plain.call("GET", f"/api/v1/namespaces/{name}")["metadata"]["labels"]["mine"] == "stays"


def test_a_contributor_who_is_no_longer_declared_is_out(plain, fresh):
    name = fresh("team")
    one = {"name": name, "owner": "ann@x.org"}
    both = [{"user": "a.b@x"}, {"user": "a-b@x"}]
    assert applied(plain, wishes({**one, "contributors": both})) == []
    assert entered(plain, name, "a.b@x").role == entered(plain, name, "a-b@x").role == "edit"
    assert applied(plain, wishes({**one, "contributors": both[1:]})) == []
    with pytest.raises(Refused, match="You have no profile"):
        asked(plain, lambda api: enter(api, name, "a.b@x"))
    assert entered(plain, name, "a-b@x").role == "edit", "removing one leaves the other"


@pytest.mark.parametrize("notes", [{}, {"owner": "ann@x.org"}])
def test_a_namespace_of_others_is_never_adopted(plain, notes):
    name = plain.namespace("taken", **notes)
    before = plain.call("GET", f"/api/v1/namespaces/{name}")
    declared = wishes({"name": name, "owner": "ann@x.org"})
    (change,) = planned(plain, declared)
    assert change.action == "blocked"
    assert applied(plain, declared) == []
    assert (
        plain.call("GET", f"/api/v1/namespaces/{name}")["metadata"]["labels"] == before["metadata"]["labels"]
    )
    with pytest.raises(Refused, match="You have no profile"):
        asked(plain, lambda api: enter(api, name, "ann@x.org"))


def test_a_namespace_that_appears_between_plan_and_apply(plain, fresh):
    name = fresh("team")
    changes = planned(plain, wishes({"name": name, "owner": "ann@x.org"}))
    plain.call(
        "POST", "/api/v1/namespaces", {"metadata": {"name": name, "annotations": {"owner": "ann@x.org"}}}
    )
    plain.gone_after(f"/api/v1/namespaces/{name}")
    outcomes = asked(plain, lambda api: apply(api, changes))
    assert not any(outcome.is_done for outcome in outcomes)
    assert "appeared meanwhile" in outcomes[0].reason
    assert not plain.exists(of("RoleBinding", name, "namespaceAdmin"))


def test_a_namespace_made_anew_between_plan_and_apply(plain, fresh):
    name = fresh("team")
    declared = wishes({"name": name, "owner": "ann@x.org"})
    assert applied(plain, declared) == []
    path = f"/api/v1/namespaces/{name}"
    plain.call("PATCH", path, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}})
    changes = planned(plain, declared)
    plain.call("DELETE", path)
    plain.until(lambda: not plain.exists(path))
    wanted = desired(declared[0])[0]
    plain.call("POST", "/api/v1/namespaces", wanted)
    outcomes = asked(plain, lambda api: apply(api, changes))
    assert [outcome.is_done for outcome in outcomes] == [False]
    assert "plan again" in outcomes[0].reason


def test_hostile_and_odd_people_each_get_their_own(plain, fresh):
    mark = fresh("")
    people = [
        f"a.b{mark}@x",
        f"a-b{mark}@x",
        f"A{mark}",
        f"a{mark}",
        "é" + mark,
        "e\u0301" + mark,
        "x" * 240 + mark,
    ]
    declared = wishes(*({"owner": person} for person in people))
    assert len({wish.namespace for wish in declared}) == len(people)
    assert applied(plain, declared) == []
    for number, wish in enumerate(declared):
        assert entered(plain, wish.namespace, people[number]).owner == people[number]
        other = people[number - 1]
        with pytest.raises(Refused, match="You have no profile"):
            asked(plain, lambda api, name=wish.namespace, user=other: enter(api, name, user))


def test_kubeflow_arrives_between_plan_and_apply(plain, definition, fresh):
    name = fresh("team")
    declared = wishes({"name": name, "owner": "ann@x.org"})
    changes = planned(plain, declared)
    definition(True)
    outcomes = asked(plain, lambda api: apply(api, changes))
    assert not any(outcome.is_done for outcome in outcomes)
    assert not plain.exists(f"/api/v1/namespaces/{name}"), "never beside the Profile controller"
    with pytest.raises(Refused, match="made by Kubeflow") as refused:
        asked(plain, lambda api: first_login(api, "ann@x.org"))
    assert refused.value.status == 409


def test_first_we_and_then_kubeflow(plain, definition, fresh):
    name = fresh("team")
    declared = wishes(
        {"name": name, "owner": "ann@x.org", "quota": {"cpu": 2}, "contributors": [{"user": "bob@x.org"}]}
    )
    assert applied(plain, declared) == []
    uid = entered(plain, name, "ann@x.org").uid
    definition(True)
    with pytest.raises(Refused, match="You have no profile"):
        asked(plain, lambda api: enter(api, name, "ann@x.org"))
    assert actions(planned(plain, declared)) == [("create", "Profile", name)]
    assert applied(plain, declared) == []
    plain.gone_after(f"{PROFILES}/{name}")
    controller = FakeProfileController(plain)
    controller.reconcile(name)
    assert entered(plain, name, "ann@x.org").uid == uid, "the same namespace, with what is in it"
    assert entered(plain, name, "bob@x.org").role == "edit"
    assert actions(planned(plain, declared)) == []


def test_first_kubeflow_and_then_we(kubeflow, cluster, fresh):
    theirs, ours, foreign = fresh("team"), fresh("team"), cluster.namespace("taken")
    kubeflow.make(theirs, "ann@x.org", cpu="4")
    bob = [{"user": "bob@x.org"}]
    declared = wishes(
        {"name": theirs, "owner": "ann@x.org", "contributors": bob},
        {"name": ours, "owner": "ann@x.org", "quota": {"cpu": 2}, "contributors": bob},
        {"name": foreign, "owner": "ann@x.org"},
    )
    before = cluster.call("GET", f"{PROFILES}/{theirs}")["metadata"]["resourceVersion"]
    found = planned(cluster, declared)
    assert actions(found) == [("create", "Profile", ours), ("blocked", "Profile", foreign)]
    assert applied(cluster, declared) == []
    cluster.gone_after(f"{PROFILES}/{ours}")
    assert not cluster.exists(f"/api/v1/namespaces/{ours}"), "that is the controller's to make"
    assert cluster.call("GET", f"{PROFILES}/{theirs}")["metadata"]["resourceVersion"] == before
    kubeflow.reconcile(ours)
    assert applied(cluster, declared) == []
    assert [change for change in actions(planned(cluster, declared)) if change[0] != "blocked"] == []
    assert entered(cluster, ours, "bob@x.org").role == "edit"
    with pytest.raises(Refused, match="You have no profile"):
        asked(cluster, lambda api: enter(api, theirs, "bob@x.org"))


def test_deleting_shows_first_and_takes_the_name_typed(plain, fresh):
    name = fresh("team")
    assert applied(plain, wishes({"name": name, "owner": "ann@x.org"})) == []
    path = f"/api/v1/namespaces/{name}"
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    plain.call("POST", f"{path}/persistentvolumeclaims", {"metadata": {"name": "claim-ann"}, "spec": claim})
    plain.until(lambda: plain.exists(f"{path}/serviceaccounts/default"))
    server = {**pod(), "metadata": {"name": "jupyter-ann", "labels": {"component": "singleuser-server"}}}
    plain.call("POST", f"{path}/pods", server)
    seen = asked(plain, lambda api: doomed(api, name))
    assert seen.servers == ("jupyter-ann",)
    assert [(volume.name, volume.size) for volume in seen.volumes] == [("claim-ann", "10Gi")]
    assert seen.lines()[0] == "volume claim-ann (10Gi), with its data"
    for wrong in ("", name.upper(), f"{name} ", "yes"):
        with pytest.raises(Refused, match="Nothing was deleted"):
            asked(plain, lambda api, word=wrong: delete(api, seen, word))
    assert plain.exists(path)
    asked(plain, lambda api: delete(api, seen, name))
    plain.until(lambda: not plain.exists(path) or "deletionTimestamp" in plain.call("GET", path)["metadata"])
    plain.until(lambda: not plain.exists(path))
    plain.call("POST", "/api/v1/namespaces", desired(wishes({"name": name, "owner": "ann@x.org"})[0])[0])
    with pytest.raises(Refused, match="made anew"):
        asked(plain, lambda api: delete(api, seen, name))
    assert plain.exists(path)


def test_what_is_not_ours_is_not_deleted(kubeflow, cluster, fresh):
    theirs, foreign = fresh("team"), cluster.namespace("taken", owner="ann@x.org")
    kubeflow.make(theirs, "ann@x.org")
    for name, status in (
        (theirs, 409),
        (foreign, 409),
        ("kube-system", 400),
        ("no-such", 404),
        ("../x", 400),
    ):
        with pytest.raises(Refused) as refused:
            asked(cluster, lambda api, name=name: doomed(api, name))
        assert refused.value.status == status, name
