"""Who gets into which namespace, asked of a real API server; Profiles made as upstream makes them."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from spawner.profiles.directory import Directory
from spawner.profiles.membership import ManyProfiles, NoProfile, OneProfile, answer, enter, profiles_of
from spawner.refused import Refused
from tests.spawner.profiles.controller import PROFILES, RBAC, asked

pytestmark = pytest.mark.cluster


def refused(cluster, name, user, groups=(), uid=""):
    with pytest.raises(Refused) as error:
        asked(cluster, lambda api: enter(api, name, user, groups, uid))
    assert "\n" not in str(error.value)
    return error.value


def seen(cluster, user, groups=()):
    found = asked(cluster, lambda api: profiles_of(api, user, groups))
    return [(profile.name, profile.role, profile.may_start) for profile in found]


def test_an_owner_has_one_and_enters_it(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "ann@x.org", cpu="4")
    found = asked(cluster, lambda api: answer(api, "ann@x.org"))
    assert isinstance(found, OneProfile)
    assert (found.profile.namespace, found.profile.role, found.profile.owner) == (name, "owner", "ann@x.org")
    entered = asked(cluster, lambda api: enter(api, name, "ann@x.org", uid=found.profile.uid))
    assert entered.uid == cluster.call("GET", f"/api/v1/namespaces/{name}")["metadata"]["uid"]


def test_a_stranger_cannot_tell_a_profile_from_none(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "ann@x.org")
    found = asked(cluster, lambda api: answer(api, "bob@x.org"))
    assert isinstance(found, NoProfile)
    assert not found.profiles
    there, nothing = refused(cluster, name, "bob@x.org"), refused(cluster, "no-such", "bob@x.org")
    assert there.status == nothing.status == 403
    assert there.message.replace(name, "") == nothing.message.replace("no-such", "")
    for close in ("ANN@x.org", "ann@X.org", "ann", "x.org"):
        assert refused(cluster, name, close).status == 403


def test_a_contributor_until_it_is_taken_away(cluster, kubeflow, fresh):
    name, own = fresh("team"), fresh("own")
    kubeflow.make(name, "ann@x.org")
    kubeflow.make(own, "bob@x.org")
    binding = kubeflow.share(name, "bob@x.org")
    asked(cluster, lambda api: entered_soon(api, name, "bob@x.org"))
    assert isinstance(asked(cluster, lambda api: answer(api, "bob@x.org")), ManyProfiles)
    assert seen(cluster, "bob@x.org") == [(own, "owner", True), (name, "edit", True)]
    cluster.call("DELETE", binding)
    assert refused(cluster, name, "bob@x.org").status == 403
    assert seen(cluster, "bob@x.org") == [(own, "owner", True)]


async def until(api, user, names):
    """Return when these are the user's, and ready."""
    while True:
        with contextlib.suppress(Refused):
            found = await profiles_of(api, user)
            if {profile.name for profile in found if profile.may_start} == set(names):
                return
        await asyncio.sleep(0.02)


async def entered_soon(api, name, user, groups=()):
    """The authorizer reads bindings from a watch of its own, a moment after they are stored."""
    for _ in range(100):
        try:
            return await enter(api, name, user, groups)
        except Refused as refusal:
            assert refusal.status == 403  # noqa: PT017
            await asyncio.sleep(0.05)
    raise AssertionError(name)


def test_who_may_only_look_starts_nothing(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "ann@x.org")
    kubeflow.share(name, "eve@x.org", "view")
    cluster.until(lambda: seen(cluster, "eve@x.org") == [(name, "view", False)])
    found = refused(cluster, name, "eve@x.org")
    assert found.status == 403
    assert "look into it" in found.message
    answered = asked(cluster, lambda api: answer(api, "eve@x.org"))
    assert isinstance(answered, NoProfile)
    assert name in answered.message


def test_groups(cluster, kubeflow, fresh):
    name, other = fresh("team"), fresh("other")
    kubeflow.make(name, "vision", "Group")
    kubeflow.make(other, "ann@x.org")
    kubeflow.share(other, "vision", kind="Group")
    asked(cluster, lambda api: entered_soon(api, other, "bob@x.org", ["vision"]))
    assert seen(cluster, "bob@x.org", ["vision"]) == [(name, "owner", True), (other, "edit", True)]
    assert seen(cluster, "vision") == [], "a user who is called as the group is not the group"
    assert refused(cluster, name, "vision").status == 403
    assert refused(cluster, name, "bob@x.org").status == 403, "out of the group, out of the profile"


def test_the_hint_of_an_annotation_is_not_believed(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "ann@x.org")
    path = f"/apis/{RBAC}/v1/namespaces/{name}/rolebindings/namespaceAdmin"
    cluster.call("PATCH", path, {"metadata": {"annotations": {"user": "mallory@x.org"}}})
    assert seen(cluster, "mallory@x.org") == []
    assert refused(cluster, name, "mallory@x.org").status == 403


def test_a_binding_without_rights_and_rights_without_a_binding(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "ann@x.org")
    roles = f"/apis/{RBAC}/v1"
    role = {
        "metadata": {"name": "little"},
        "rules": [{"apiGroups": [""], "resources": ["events"], "verbs": ["get"]}],
    }
    cluster.call("POST", f"{roles}/namespaces/{name}/roles", role)
    subjects = [{"kind": "User", "name": "eve@x.org", "apiGroup": RBAC}]
    reference = {"apiGroup": RBAC, "kind": "Role", "name": "little"}
    body = {"metadata": {"name": "little"}, "roleRef": reference, "subjects": subjects}
    cluster.call("POST", f"{roles}/namespaces/{name}/rolebindings", body)
    root = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    whole = {
        "metadata": {"name": fresh("root")},
        "roleRef": root,
        "subjects": [{**subjects[0], "name": "root@x.org"}],
    }
    cluster.call("POST", f"{roles}/clusterrolebindings", whole)
    cluster.gone_after(f"{roles}/clusterrolebindings/{whole['metadata']['name']}")
    assert seen(cluster, "eve@x.org") == []
    assert refused(cluster, name, "eve@x.org").status == 403
    assert refused(cluster, name, "root@x.org").status == 403, "an administrator is no contributor by that"


def test_a_namespace_that_was_there_before_its_profile(cluster, kubeflow, fresh):
    taken = cluster.namespace("taken")
    kubeflow.make(taken, "mallory@x.org")
    (found,) = asked(cluster, lambda api: profiles_of(api, "mallory@x.org"))
    assert not found.may_start
    assert "not marked as its owner's" in found.reason
    assert refused(cluster, taken, "mallory@x.org").status in {403, 409}


def test_a_namespace_of_somebody_else_under_the_profiles_name(cluster, kubeflow):
    taken = cluster.namespace("taken", owner="ann@x.org")
    kubeflow.make(taken, "mallory@x.org")
    kubeflow.share(taken, "mallory@x.org")
    asked(cluster, lambda api: profiles_of(api, "mallory@x.org"))
    cluster.until(lambda: "not marked" in refused(cluster, taken, "mallory@x.org").message)


def test_a_profile_whose_namespace_is_not_made_yet(cluster, kubeflow, fresh):
    name = fresh("slow")
    spec = {"owner": {"kind": "User", "name": "ann@x.org"}}
    cluster.call(
        "POST",
        PROFILES,
        {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": name}, "spec": spec},
    )
    cluster.gone_after(f"{PROFILES}/{name}")
    found = asked(cluster, lambda api: answer(api, "ann@x.org"))
    assert isinstance(found, NoProfile)
    assert "has not made it" in found.message
    kubeflow.reconcile(name)
    assert asked(cluster, lambda api: entered_soon(api, name, "ann@x.org")).role == "owner"


def test_a_namespace_that_is_going_and_one_made_anew(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "ann@x.org")
    path = f"/api/v1/namespaces/{name}"
    uid = cluster.call("GET", path)["metadata"]["uid"]
    hold = {"metadata": {"name": "hold", "finalizers": ["jupyter-kubeflow.org/test"]}}
    cluster.call("POST", f"{path}/configmaps", hold)
    cluster.call("DELETE", path)
    found = refused(cluster, name, "ann@x.org", uid=uid)
    assert (found.status, "being deleted" in found.message) == (409, True)
    cluster.call("PATCH", f"{path}/configmaps/hold", {"metadata": {"finalizers": None}})
    cluster.until(lambda: not cluster.exists(path))
    assert refused(cluster, name, "ann@x.org").status in {403, 409}
    kubeflow.reconcile(name)
    asked(cluster, lambda api: entered_soon(api, name, "ann@x.org"))
    anew = refused(cluster, name, "ann@x.org", uid=uid)
    assert (anew.status, "made anew" in anew.message) == (409, True)


@pytest.mark.parametrize("user", ["kube-system", "default", "kube-public"])
def test_a_user_who_is_called_as_a_namespace(cluster, kubeflow, user):
    assert seen(cluster, user) == []
    assert refused(cluster, user, user).status == 403


def test_a_user_who_is_called_as_somebodys_namespace(cluster, kubeflow):
    name = cluster.namespace("ann")
    assert seen(cluster, name) == []
    assert refused(cluster, name, name).status == 403


def test_a_profile_called_kube_system_is_no_way_in(cluster, kubeflow):
    """kfam lets anybody make a Profile of any name; even with the right annotation this one is not entered."""
    kubeflow.make("kube-system", "mallory@x.org")
    path = "/api/v1/namespaces/kube-system"
    cluster.call("PATCH", path, {"metadata": {"annotations": {"owner": "mallory@x.org"}}})
    try:
        (found,) = asked(cluster, lambda api: profiles_of(api, "mallory@x.org"))
        assert not found.may_start
        assert refused(cluster, "kube-system", "mallory@x.org").status == 403
    finally:
        cluster.call("PATCH", path, {"metadata": {"annotations": {"owner": None}}})


@pytest.mark.parametrize(
    "name",
    ["../../kube-system", "kube-system/../team", "team?watch=1", "team#x", "team%2e%2e", "Team", "", None, 7, ["team"],
     {"team": 1}, "a" * 64, "team\n", "team\x00", "tëam", "-team", "team/pods"],
)  # fmt: skip
def test_what_is_no_name_never_reaches_the_api(cluster, kubeflow, name):
    assert refused(cluster, name, "ann@x.org").status == 400


@pytest.mark.parametrize("user", ["system:masters", "system:serviceaccount:kube-system:default", "*", ""])
def test_users_who_would_be_somebody_else(cluster, kubeflow, user):
    assert refused(cluster, "team", user).status == 400


def test_groups_of_kubernetes_itself_do_not_count(cluster, kubeflow, fresh):
    name = fresh("team")
    kubeflow.make(name, "system:masters", "Group")
    kubeflow.share(name, "system:authenticated", kind="Group")
    groups = ["system:masters", "system:authenticated"]
    assert seen(cluster, "mallory@x.org", groups) == []
    assert refused(cluster, name, "mallory@x.org", groups).status == 403


def test_a_hub_without_rights_says_so(cluster, kubeflow):
    with pytest.raises(Refused, match="not permitted") as error:
        asked(cluster, lambda api: profiles_of(api, "ann@x.org"), user="hub-without-rights")
    assert error.value.status == 503


def test_the_pages_follow_changes_without_listing_again(cluster, kubeflow, fresh):
    name = fresh("team")

    async def work(api):
        directory = Directory.of(api)
        assert await profiles_of(api, "ann@x.org") == []
        await asyncio.to_thread(kubeflow.make, name, "ann@x.org")
        await until(api, "ann@x.org", [name])
        return directory.titles.lists, directory.places.lists, directory.bindings.lists

    assert asked(cluster, work) == (1, 1, 1)


@pytest.mark.slow
def test_the_api_server_restarts(cluster, kubeflow, fresh):
    first, second = fresh("team"), fresh("team")
    kubeflow.make(first, "ann@x.org")

    async def work(api):
        assert [profile.name for profile in await profiles_of(api, "ann@x.org")] == [first]
        cluster.kill("kube-apiserver")
        assert [profile.name for profile in await profiles_of(api, "ann@x.org")] == [first], (
            "what is known is shown"
        )
        with pytest.raises(Refused) as error:
            await enter(api, first, "ann@x.org")
        assert error.value.status == 503
        await asyncio.to_thread(cluster.restore)
        await asyncio.to_thread(kubeflow.make, second, "ann@x.org")
        await until(api, "ann@x.org", [first, second])

    asked(cluster, work)
