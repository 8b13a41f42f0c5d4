"""Objects and plans, without a cluster."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.profiles.declared import check
from spawner.profiles.drift import drift, stray
from spawner.profiles.objects import CONTRIBUTOR, PART, PLAIN_ROLES, desired
from spawner.profiles.planning import planned
from spawner.profiles.policy import Platform
from spawner.profiles.survey import Survey


def wishes(*profiles):
    return check({"profiles": list(profiles)}).profiles


def applied(changes, there):
    """What there is after a plan, as an obedient API server would have it."""
    namespaces, profiles, objects = dict(there.namespaces), dict(there.profiles), dict(there.objects)
    for change in changes:
        key = (change.kind, change.profile, change.name)
        if change.action == "delete":
            objects.pop(key)
        elif change.is_work:
            thing = copy.deepcopy(change.wanted)
            thing["metadata"]["uid"] = f"uid of {change.name}"
            if change.kind == "Namespace":
                namespaces[change.name] = thing
            elif change.kind == "Profile":
                profiles[change.name] = thing
            else:
                objects[key] = thing
    return replace(there, namespaces=namespaces, profiles=profiles, objects=objects)


def actions(changes):
    return [(change.action, change.kind, change.name) for change in changes if change.action != "keep"]


people = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="*"), min_size=1
)
profile = st.fixed_dictionaries(
    {"owner": people.filter(lambda name: not name.startswith("system:"))},
    optional={
        "quota": st.dictionaries(
            st.sampled_from(["cpu", "memory", "pods", "requests.nvidia.com/gpu"]),
            st.integers(0, 9),
            max_size=3,
        ),
        "contributors": st.lists(
            st.fixed_dictionaries({"user": st.sampled_from(["bob", "a.b@x", "a-b@x"])}), max_size=2
        ),
        "network": st.fixed_dictionaries({"isolated": st.booleans(), "metadata": st.booleans()}),
        "podSecurity": st.sampled_from(["baseline", "restricted"]),
    },
)


@given(profile, profile, st.booleans())
def test_a_plan_leads_from_any_declaration_to_any_other_and_then_rests(before, after, istio):
    there = Survey(has_istio=istio, is_whole=True)
    after = {**after, "owner": before["owner"]}
    for declared in (before, after):
        changes = planned(wishes(declared), there)
        assert not [change for change in changes if change.action == "blocked"]
        there = applied(changes, there)
        assert not actions(planned(wishes(declared), there)), "nothing is left to do"
        wanted = desired(wishes(declared)[0], Platform(has_istio=istio))
        assert {key[2] for key in there.objects} == {thing["metadata"]["name"] for thing in wanted[1:]}


def test_what_a_profile_is_made_of():
    (wish,) = wishes({"owner": "ann", "quota": {"cpu": 4}, "contributors": [{"user": "bob", "role": "view"}]})
    found = desired(wish, Platform(has_istio=True, hub_principals=("cluster.local/ns/hub/sa/hub",)))
    assert [f"{thing['kind']}/{thing['metadata']['name']}" for thing in found[:7]] == [
        "Namespace/user-ann",
        "ServiceAccount/default-editor",
        "ServiceAccount/default-viewer",
        "RoleBinding/default-editor",
        "RoleBinding/default-viewer",
        "RoleBinding/namespaceAdmin",
        "ResourceQuota/kf-resource-quota",
    ]
    rest = {thing["metadata"]["name"]: thing for thing in found[7:]}
    assert set(rest) >= {
        "ns-owner-access-istio",
        "profile-limits",
        "profile-ingress",
        "profile-egress",
        "jupyterhub-access",
    }
    assert found[0]["metadata"]["annotations"]["owner"] == "ann"
    bindings = [thing for thing in found if (thing["metadata"].get("labels") or {}).get(PART) == CONTRIBUTOR]
    assert [thing["kind"] for thing in bindings] == ["RoleBinding"], "who may only look has no way to a page"
    assert bindings[0]["roleRef"]["name"] == "kubeflow-view"


def test_the_header_never_stands_for_a_group():
    (wish,) = wishes({"name": "team", "owner": {"kind": "Group", "name": "vision"}})
    (policy,) = [
        thing
        for thing in desired(wish, Platform(has_istio=True))
        if thing["metadata"]["name"] == "ns-owner-access-istio"
    ]
    assert "vision" not in str(policy)


@pytest.mark.parametrize(
    ("labels", "notes", "reason"),
    [
        ({}, {}, "not made here"),
        ({}, {"owner": "ann"}, "not made here"),
        ({"app.kubernetes.io/managed-by": "jupyter-kubeflow"}, {"owner": "ann"}, "not made here"),
        (
            {"app.kubernetes.io/managed-by": "jupyter-kubeflow"},
            {"owner": "bob", "jupyter-kubeflow.org/owner-kind": "User"},
            "belongs to user bob",
        ),
        (
            {"app.kubernetes.io/managed-by": "jupyter-kubeflow"},
            {"owner": "ann", "jupyter-kubeflow.org/owner-kind": "Group"},
            "belongs to group ann",
        ),
    ],
)
def test_a_namespace_that_is_not_ours_is_left_alone(labels, notes, reason):
    namespace = {"metadata": {"name": "user-ann", "uid": "u", "labels": labels, "annotations": notes}}
    (change,) = planned(wishes({"owner": "ann"}), Survey(namespaces={"user-ann": namespace}))
    assert change.action == "blocked"
    assert reason in change.why


def upstream(owner="ann", labels=None):
    return {
        "kind": "Profile",
        "metadata": {"name": "user-ann", "uid": "p", "labels": labels or {}},
        "spec": {"owner": {"kind": "User", "name": owner}},
    }


def test_beside_the_profile_controller_only_a_profile_is_made():
    there = Survey(has_profiles=True)
    changes = planned(wishes({"owner": "ann", "quota": {"cpu": 2}}), there)
    assert actions(changes) == [("create", "Profile", "user-ann")]
    assert changes[0].wanted["spec"]["resourceQuotaSpec"] == {"hard": {"cpu": "2"}}


def test_a_profile_made_by_kubeflow_is_left_alone():
    there = Survey(has_profiles=True, profiles={"user-ann": upstream()})
    (change,) = planned(wishes({"owner": "ann", "contributors": [{"user": "bob"}]}), there)
    assert change.action == "keep"
    there = Survey(has_profiles=True, profiles={"user-ann": upstream(owner="bob")})
    (change,) = planned(wishes({"owner": "ann"}), there)
    assert change.action == "blocked"


def test_what_was_made_here_is_handed_over_when_the_controller_comes():
    declared = wishes({"owner": "ann", "contributors": [{"user": "bob"}]})
    there = applied(planned(declared, Survey()), Survey())
    there = replace(there, has_profiles=True)
    changes = planned(declared, there)
    assert actions(changes) == [("create", "Profile", "user-ann")]
    assert "handed over" in changes[0].why
    there = applied(changes, there)
    assert not actions(planned(declared, there))
    fewer = planned(wishes({"owner": "ann"}), there)
    assert [action for action, kind, _ in actions(fewer) if kind == "RoleBinding"] == ["delete"], "bob only"


def test_what_is_no_longer_declared_stays_and_is_said():
    there = replace(applied(planned(wishes({"owner": "ann"}), Survey()), Survey()), is_whole=True)
    (change,) = planned((), there)
    assert change.action == "keep"
    assert "jupyter kf profiles delete user-ann" in change.why


DRIFTED = [
    ("RoleBinding", lambda thing: thing["subjects"].append({"kind": "User", "name": "mallory"}), "update"),
    ("RoleBinding", lambda thing: thing["roleRef"].update(name="cluster-admin"), "replace"),
    ("NetworkPolicy", lambda thing: thing["spec"].update(ingress=[{}]), "update"),
    ("NetworkPolicy", lambda thing: thing["spec"]["podSelector"].update(matchLabels={"a": "b"}), "update"),
    ("LimitRange", lambda thing: thing["spec"]["limits"][0]["default"].update(memory="1Ti"), "update"),
    ("ResourceQuota", lambda thing: thing["spec"]["hard"].update(cpu="900"), "update"),
    ("ResourceQuota", lambda thing: thing["spec"]["hard"].update(pods="3"), "update"),
]


@pytest.mark.parametrize(("kind", "change", "action"), DRIFTED)
def test_what_differs_is_mended(kind, change, action):
    declared = wishes({"owner": "ann", "quota": {"cpu": 2}})
    there = applied(planned(declared, Survey()), Survey())
    thing = next(thing for (name, _, _), thing in there.objects.items() if name == kind)
    change(thing)
    assert [found for found, _, _ in actions(planned(declared, there))] == [action]


def test_what_others_add_to_labels_stays():
    declared = wishes({"owner": "ann"})
    there = applied(planned(declared, Survey()), Survey())
    there.namespaces["user-ann"]["metadata"]["labels"]["team"] = "x"
    assert not actions(planned(declared, there))


@given(st.sampled_from(["1", "1000m", "1.0", "1e0", "1000000u"]))
def test_amounts_are_compared_and_not_their_spelling(text):
    one = {"kind": "ResourceQuota", "metadata": {}, "spec": {"hard": {"cpu": "1"}}}
    other = {"kind": "ResourceQuota", "metadata": {}, "spec": {"hard": {"cpu": text}}}
    assert drift(one, other) == []
    assert drift(one, {**other, "spec": {"hard": {"cpu": "1001m"}}}) == ["spec.hard.cpu"]
    assert stray(one, other) is None


def test_without_kubeflow_the_roles_are_those_of_kubernetes():
    (wish,) = wishes({"owner": "ann"})
    roles = {
        thing["roleRef"]["name"]
        for thing in desired(wish, roles=PLAIN_ROLES)
        if thing["kind"] == "RoleBinding"
    }
    assert roles == {"admin", "edit", "view"}
