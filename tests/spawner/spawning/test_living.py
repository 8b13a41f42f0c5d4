"""A server that runs: its user is taken out of the profile, its node is lost, it ends by itself; real API server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from spawner.api import Api
from spawner.living import standing
from spawner.profiles.directory import Directory
from spawner.profiles.membership import MANAGED_BY, MANAGER, OWNER_KIND, enter
from spawner.refused import Refused
from spawner.starts.surroundings import Surroundings
from tests.spawner.profiles.controller import have_profiles
from tests.spawner.spawning.harness import IMAGES, SIZES, ours, profile
from tests.spawner.spawning.test_hub import hub  # noqa: F401 — a fixture
from tests.spawner.spawning.test_starting import here, paper, run, until  # noqa: F401 — fixtures

pytestmark = pytest.mark.cluster

RBAC = "rbac.authorization.k8s.io"


def contribute(cluster, namespace: str, user: str, role: str = "edit", kind: str = "User") -> str:
    """A binding as Kubeflow's access management writes it; gives its path."""
    path = f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings"
    body = {
        "metadata": {"name": f"user-{user}-{role}", "annotations": {"user": user, "role": role}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": kind, "name": user}],
    }
    cluster.call("POST", path, body)
    return f"{path}/{body['metadata']['name']}"


async def said(server, wanted: bool):
    """Poll, as the Hub does, until there is a notice or none."""
    async with asyncio.timeout(60):
        while (server.notice is not None) is not wanted:
            assert await server.poll() is None
            await asyncio.sleep(0.05)


def test_a_contributor_who_is_removed_is_told_and_then_stopped(cluster, here):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ann")
    path = f"/api/v1/namespaces/{name}/pods/jupyter-bob"

    async def story(api):
        binding = contribute(cluster, name, "bob")
        server = ours("bob", {"namespace": name})
        await until(lambda: _entered(server, name))
        await server._start()
        assert await server.poll() is None
        assert server.notice is None
        cluster.call("DELETE", binding)
        await said(server, wanted=True)
        told = server.notice.to_dict()
        assert told["words"].startswith(
            f"You are no longer one of those who may start servers in the profile {name}."
        )
        assert told["action"] == "warn"
        assert cluster.exists(path)
        binding = contribute(cluster, name, "bob")  # it was a mistake, or a change of the role
        await said(server, wanted=False)
        cluster.call("DELETE", binding)
        server.removed_minutes = 0
        assert await until(lambda: _ended(server)) == [0]
        await until(lambda: _gone(cluster, path))
        assert server.ended_words.startswith("Your server was stopped. You are no longer")
        server.clear_state()
        again = ours("bob")
        again.load_state(server.get_state())
        assert again.ended_words == server.ended_words
        offer = await again.offer()
        assert offer.note.startswith("Your server was stopped.")

    here(story)


async def _entered(server, name):
    found = await server._profiles()
    return any(each.name == name and each.may_start for each in found.profiles)


async def _ended(server):
    """How it ended, as a list; None while it runs."""
    found = await server.poll()
    return None if found is None else [found]


async def _gone(cluster, path):
    return not cluster.exists(path)


def test_who_may_only_look_from_now_on_is_told_so(cluster, here):  # noqa: F811
    name = profile(cluster, "ann")
    uid = cluster.call("GET", f"/api/v1/namespaces/{name}")["metadata"]["uid"]

    async def story(api):
        binding = contribute(cluster, name, "bob")

        async def look(before=None):
            return await standing.look(api, name, "bob", (), uid, grace=timedelta(minutes=5), before=before)

        await until(lambda: _none(look))
        contribute(cluster, name, "bob", "view")
        cluster.call("DELETE", binding)

        async def anew():
            # The API server goes by a binding for a moment after it is gone, and an answer is remembered for minutes.
            Directory.of(api)._rights.clear()
            return await look()

        found = await until(anew)
        assert found.words == f"You may only look into the profile {name} now."
        assert (await look(found)) is found
        assert not found.is_due(datetime.now(UTC))

    async def _none(look):
        return await look() is None

    here(story)


def test_the_installation_of_kubeflow_puts_nobody_out(cluster, here):  # noqa: F811
    """A namespace of our provisioner that has no Profile yet is not entered, and who is in stays."""
    have_profiles(cluster)
    name = cluster.namespace("ann", labels={MANAGED_BY: MANAGER}, owner="ann", **{OWNER_KIND: "User"})
    uid = cluster.call("GET", f"/api/v1/namespaces/{name}")["metadata"]["uid"]

    async def story(api):
        with pytest.raises(Refused):
            await enter(api, name, "ann")
        stays = await standing.look(api, name, "ann", (), uid, grace=timedelta(0))
        return stays, await standing.look(api, name, "bob", (), uid, grace=timedelta(0))

    ann, bob = here(story)
    assert ann is None
    assert bob is not None


def test_an_api_server_that_does_not_say_puts_nobody_out(cluster, here):  # noqa: F811
    """One that may not be asked: the user has no rights at all there."""
    name = profile(cluster, "ann")

    async def story(_api):
        silent = Api(cluster.api("nobody"))
        before = standing.Notice("words", datetime.now(UTC), datetime.now(UTC))
        try:
            return (
                await standing.look(silent, name, "bob", (), "", grace=timedelta(0), before=before) is before
            )
        finally:
            await Directory.of(silent).stop()
            await silent.close()

    assert here(story)


def test_the_owner_is_not_asked_about_again_and_again(cluster, here):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ada")

    async def story(api):
        server = ours("ada", {"namespace": name})
        await server._start()
        await server.poll()
        asked = []
        ask = api.ask

        async def counted(method, path, *rest, **more):
            asked.append(path)
            return await ask(method, path, *rest, **more)

        api.ask = counted
        for _ in range(10):
            assert await server.poll() is None
        return asked

    assert here(story) == []


def test_a_lost_node_is_said_and_the_next_start_is_on_another(cluster, here, paper):  # noqa: F811
    name = profile(cluster, "ada")
    path = f"/api/v1/namespaces/{name}/pods/jupyter-ada"

    async def story(api):
        server = ours("ada", {"namespace": name})
        starting = asyncio.ensure_future(server._start())
        pod = await until(lambda: _bound(cluster, path))
        ready = {
            "phase": "Running", "podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "notebook", "ready": True, "state": {"running": {}}, "image": "x", "imageID": "x", "restartCount": 0}],
        }  # fmt: skip
        cluster.call("PATCH", f"{path}/status", {"status": ready}, patch="merge")
        await starting
        assert await server.poll() is None
        # The node is silent: its pod is to be deleted, and no kubelet ever says that it is.
        lost = {
            "conditions": [
                {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": ""}
            ]
        }
        cluster.call("PATCH", "/api/v1/nodes/paper/status", {"status": lost}, patch="merge")
        cluster.call("DELETE", path)
        assert cluster.exists(path)
        assert await until(lambda: _ended(server)) == [1]
        assert server.ended_words.startswith("Your server ended because the machine it ran on was lost.")
        server.clear_state()
        cluster.node("cpu")
        cluster.call("PATCH", "/api/v1/nodes/paper", {"spec": {"unschedulable": True}}, patch="merge")
        await Surroundings.of(api).look()
        again = ours("ada", {"namespace": name}, check_fit=False)
        again.load_state(server.get_state())
        await again._start()
        now = cluster.call("GET", path)
        assert now["metadata"]["uid"] != pod["metadata"]["uid"]
        assert now["spec"]["nodeName"] != "paper"
        assert again.ended_words == ""

    here(story)


def _taint(cluster, node):
    """What runs there must leave at once, as when the control plane gives a node up."""
    taints = [{"key": "test.example.org/lost", "effect": "NoExecute"}]
    cluster.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"taints": taints}}, patch="merge")


@pytest.mark.slow
def test_a_server_that_lost_its_node_is_started_again_with_its_choices_but_not_for_ever(cluster, hub):  # noqa: F811
    cluster.node("losing", count=3)
    name = profile(cluster, "ada")
    path = f"/api/v1/namespaces/{name}/pods/jupyter-ada"
    sizes = [*SIZES, {"key": "odd", "title": "Odd", "cpu": "10m", "memory": "17Mi"}]
    found = hub(images=IMAGES, sizes=sizes, home=False, poll_interval=1, poll_jitter=0)
    with found.answering():
        found.start()
        found.call("POST", "/users/ada")
        found.call("POST", "/users/ada/server", {"namespace": name, "size": "odd"})
        found.until(lambda: found.server("ada").get("ready"))
        first = cluster.call("GET", path)
        _taint(cluster, first["spec"]["nodeName"])

        def other():
            if not cluster.exists(path):
                return None
            pod = cluster.call("GET", path)
            is_new = pod["metadata"]["uid"] != first["metadata"]["uid"]
            return pod if is_new and found.server("ada").get("ready") else None

        second = found.until(other, 240)
        assert second["spec"]["nodeName"] != first["spec"]["nodeName"]
        assert second["spec"]["containers"][0]["resources"] == first["spec"]["containers"][0]["resources"]
        _taint(cluster, second["spec"]["nodeName"])
        found.until(lambda: "lost its machine twice" in found.whole_log(), 240)
        found.until(lambda: not cluster.exists(path))
        assert not found.server("ada").get("ready")


async def _bound(cluster, path):
    if not cluster.exists(path):
        return None
    found = cluster.call("GET", path)
    return found if found["spec"].get("nodeName") else None


@pytest.mark.slow
def test_the_panel_in_the_notebook_is_told_also_by_a_hub_that_was_restarted(cluster, hub):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ann")
    binding = contribute(cluster, name, "bob")
    found = hub(images=IMAGES, sizes=SIZES, home=False, poll_interval=1)
    with found.answering():
        found.start()
        found.call("POST", "/users/bob")
        assert found.call("POST", "/users/bob/server", {"namespace": name}).status_code in {201, 202}
        found.until(lambda: found.server("bob").get("ready"), 120)
        found.kill()
        found.start()

        def notice():
            """What the server asks of the Hub for its panel; nobody has seen the form yet."""
            answer = found.call("GET", "/../kubeflow/form/state/bob/")
            assert answer.status_code == 200, answer.text
            return answer.json().get("notice")

        found.until(lambda: found.server("bob").get("ready"), 120)
        assert notice() is None
        cluster.call("DELETE", binding)
        told = found.until(notice, 120)
        assert told["words"].startswith("You are no longer one of those who may start servers")
        assert told["keepable"] is False
        assert found.server("bob").get("ready")
        found.call("DELETE", "/users/bob/server")
        found.until(
            lambda: not found.server("bob").get("pending") and not found.server("bob").get("ready"), 120
        )
