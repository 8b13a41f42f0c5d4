"""Names of users and servers that are somebody else's, a path, a template or a pattern."""

from __future__ import annotations

import asyncio
import string
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spawner.names import is_label
from tests.spawner.attacks.world import World
from tests.spawner.spawning.harness import detached, ours

USERS = [
    "kube-system", "default", "kubeflow", "hub", "system:admin", "system:serviceaccount:kube-system:default", "system:masters",
    "*", "a*", "ada@x.org", "a.d.a", "a-da", "ada-", "-ada", "ada--x", "ada.svc", "{username}", "{0.__class__}", "%2e%2e",
    "<b>ada</b>", "\u0430da", "ada\u202e", "x" * 255, "user-" + "x" * 60,
]  # fmt: skip
SERVERS = [
    "x", "X", "x.y", "x-y", "x--y", "-x", "x-",  "%2e%2e", "a b", "\u00fc", "{username}", "<b>", "x" * 200, "x?y=1", "x#y",
    "x;y", "x\\y", "kube-system",
]  # fmt: skip


@pytest.mark.cluster
@pytest.mark.slow
def test_users_by_name_are_nobody(unmoved: World) -> None:
    """Whatever the Hub lets a user be called: no profile is theirs because of it, Ada's least of all."""
    for name in USERS:
        answer = unmoved.hub.call("POST", "/users", {"usernames": [name]})
        if answer.status_code == 400:
            continue  # the Hub knows no such names
        called = answer.json()[0]["name"] if answer.status_code == 201 else name
        for asked in ({"namespace": unmoved.of_ada}, {"namespace": "kube-system"}, {}):
            answer = unmoved.start(called, {**asked, "home": "none"})
            assert answer.status_code in {400, 403, 404}, (name, answer.status_code, answer.text[:300])


@pytest.mark.cluster
@pytest.mark.slow
def test_servers_by_name_stay_where_they_belong(world: World, node: object) -> None:
    """Each is refused, or one pod of its own in Ada's namespace."""
    asked = {"namespace": world.of_ada, "home": "none"}
    started = []
    for name in SERVERS:
        answer = world.start("ada", asked, name)
        assert answer.status_code in {201, 202, 400, 404}, (name, answer.status_code, answer.text[:300])
        if answer.status_code < 300:
            started.append(name)
    path = f"/api/v1/namespaces/{world.of_ada}/pods"
    world.hub.until(
        lambda: (
            not any(
                each.get("pending") for each in world.hub.call("GET", "/users/ada").json()["servers"].values()
            )
        ),
        120,
    )
    found = [pod["metadata"]["name"] for pod in world.cluster.call("GET", path)["items"]]
    assert "x" in started
    assert len(found) == len(set(found)) == len(started)
    assert all(is_label(name) and name.startswith("jupyter-ada--") for name in found)
    assert not [
        name for name in world.made()["/api/v1/namespaces/kube-system/serviceaccounts"] if "jupyter" in name
    ]
    for name in started:
        model = world.hub.server("ada", name)
        assert model["ready"], (name, model)
        answer = world.hub.call("DELETE", f"/users/ada/servers/{quote(name, safe='')}", {"remove": True})
        assert answer.status_code in {202, 204}
    world.hub.until(lambda: not world.cluster.call("GET", path)["items"], 120)
    world.is_unharmed()


LETTERS = st.text(string.ascii_lowercase + string.digits + ".-_@A\u00fc{}", min_size=1, max_size=40)


def names_of(servers: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Pod, home and account of each user's server."""

    async def made() -> list[tuple[str, str, str]]:
        with pytest.MonkeyPatch.context() as patch:
            async with detached(patch):
                found = [ours(user, {}, server) for user, server in servers]
                return [(each.pod_name, each.pvc_name, each.account.name) for each in found]

    return asyncio.run(made())


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(LETTERS, st.one_of(st.just(""), LETTERS)), min_size=2, max_size=4, unique=True))
def test_no_two_servers_of_a_profile_share_a_name(pairs: list[tuple[str, str]]) -> None:
    """Pod, account and home of any two users and servers differ: in a shared profile they are side by side."""
    for names in zip(*names_of(pairs), strict=True):
        assert len(set(names)) == len(pairs), (pairs, names)
        assert all(is_label(name) for name in names), names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ada--x", ""), ("ada", "x")),
        (("ada", "b--c"), ("ada--b", "c")),
        (("a.b@x", ""), ("a-b@x", "")),
        (("ada@x.org", ""), ("ada@y.org", "")),
        (("ada", "X"), ("ada", "x")),
        (("x" * 200 + "a", ""), ("x" * 200 + "b", "")),
        (("ada-", ""), ("ada", "")),
    ],
)
def test_names_that_were_one_in_other_software(one: tuple[str, str], other: tuple[str, str]) -> None:
    """A user called as somebody's named server (GHSA-v7m9-9497-p9gr), the same before the @, cut at the length."""
    for first, second in zip(*names_of([one, other]), strict=True):
        assert first != second
