"""The quota of Kueue's queues on the form and at the start, read from a real API server.

Kueue itself cannot be had here: its objects are written as its controller writes them, against upstream's definitions
where these are at hand.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from spawner.api import ApiError
from spawner.form.view import view
from spawner.refused import Refused
from spawner.starts.queues import Queues
from tests.cluster.answers import Answer
from tests.spawner.form.queues import cluster_queue, flavor, local_queue
from tests.spawner.profiles.controller import DEFINITIONS
from tests.spawner.spawning.harness import ours, profile
from tests.spawner.spawning.test_starting import here, run  # noqa: F401 — a fixture

pytestmark = pytest.mark.cluster

BASE = "/apis/kueue.x-k8s.io/v1beta2"
KINDS = {
    "clusterqueues": ("ClusterQueue", "Cluster"),
    "localqueues": ("LocalQueue", "Namespaced"),
    "resourceflavors": ("ResourceFlavor", "Cluster"),
    "cohorts": ("Cohort", "Cluster"),
}
SIZES = [
    {"key": "small", "title": "Small", "cpu": "1", "memory": "1Gi", "default": True},
    {"key": "large", "title": "Large", "cpu": "6", "memory": "1Gi"},
    {"key": "huge", "title": "Huge", "cpu": "20", "memory": "1Gi"},
]


@pytest.fixture
def kueue(cluster):
    have_kinds(cluster, KINDS)


def have_kinds(cluster, kinds: dict[str, tuple[str, str]]) -> None:
    """These of Kueue's kinds: upstream's own, or the same with any fields."""
    for plural, (kind, scope) in kinds.items():
        name = f"{plural}.kueue.x-k8s.io"
        if not cluster.exists(f"{DEFINITIONS}/{name}"):
            cluster.call("POST", DEFINITIONS, definition(name, plural, kind, scope))

    def served() -> bool:
        """Just after a kind came, the API server answers 404 and 429."""
        with contextlib.suppress(Answer):
            return all("items" in cluster.call("GET", f"{BASE}/{plural}") for plural in kinds)
        return False

    cluster.until(served)


def definition(name: str, plural: str, kind: str, scope: str) -> dict[str, Any]:
    parts = {
        part: {"type": "object", "x-kubernetes-preserve-unknown-fields": True} for part in ("spec", "status")
    }
    version = {
        "name": "v1beta2", "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": parts}},
    }  # fmt: skip
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    spec = {"group": "kueue.x-k8s.io", "scope": scope, "names": names, "versions": [version]}
    approved = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/kueue"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "annotations": approved}, "spec": spec,
    }  # fmt: skip


def put(cluster, path: str, body: dict[str, Any]) -> None:
    """The object, and then its status as the controller writes it."""
    cluster.call("POST", path, body)
    where = f"{path}/{body['metadata']['name']}"
    cluster.gone_after(where)
    if body.get("status"):
        cluster.call("PATCH", f"{where}/status", {"status": body["status"]}, patch="merge")


def test_the_form_says_what_a_queue_has_left(cluster, here, kueue):  # noqa: F811
    cluster.node("cpu")
    name = profile(cluster, "ada")
    rows = {"default": {"cpu": ("8", "4"), "memory": ("64Gi", "1Gi")}}
    put(cluster, f"{BASE}/resourceflavors", flavor("default"))
    put(cluster, f"{BASE}/clusterqueues", cluster_queue("team", rows))
    put(cluster, f"{BASE}/namespaces/{name}/localqueues", local_queue("interactive", "team", waiting=2))

    async def story(_api):
        server = ours("ada", sizes=SIZES)
        offer = await server.offer(name)
        return [view(offer, {"size": size, "queue": "interactive"}) for size in ("small", "large", "huge")]

    small, large, huge = here(story)
    assert [each["title"] for each in small["queue"]][1:] == ["interactive, 2 waiting"]
    assert {each["name"]: (each["left"], each["hard"]) for each in small["quota"]} == {
        "CPU of queue interactive": ("4", "8"),
        "Memory of queue interactive": ("63 GiB", "64 GiB"),
    }
    assert not small["summary"]["disabled"]
    assert large["summary"]["verdict"] == (
        "This has to wait in the queue interactive. Now 4 CPU of 8 CPU of the flavor default are left;"
        " it waits in the queue until others end."
    )
    assert [each["title"] for each in large["queue"]][1:] == ["interactive, 2 waiting: no room now"]
    assert huge["summary"]["disabled"]
    assert [each["disabled"] for each in small["size"]] == [False, False, True]


def test_what_a_queue_can_never_give_is_refused_at_the_start(cluster, here, kueue):  # noqa: F811
    name = profile(cluster, "ada")
    put(
        cluster,
        f"{BASE}/clusterqueues",
        cluster_queue("few", {"default": {"cpu": ("2", "0"), "memory": ("4Gi", "0")}}),
    )
    put(cluster, f"{BASE}/namespaces/{name}/localqueues", local_queue("interactive", "few"))

    async def story(_api):
        server = ours("ada", {"size": "large", "queue": "interactive"}, sizes=SIZES)
        profile_now = await server._profile()
        with pytest.raises(Refused) as refused:
            await server._choose(profile_now)
        return refused.value

    refused = here(story)
    assert refused.status == 409
    assert "2 CPU of the flavor default at most, 6 CPU asked for" in refused.message


class FakeApi:
    """An API server without Kueue, or one that does not answer."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def get(self, path: str, _query: object = None) -> dict[str, Any]:
        raise ApiError(self.status, "", path)

    async def post(self, path: str, _body: object, _query: object = None) -> dict[str, Any]:
        raise AssertionError(path)


async def nothing(path: str, namespace: str) -> list[dict[str, Any]]:
    raise AssertionError((path, namespace))


def test_without_kueue_there_are_no_queues():
    queues = Queues(FakeApi(404), nothing)
    assert asyncio.run(queues.of("ada")) == []
    assert asyncio.run(queues.quotas()) == {}


def test_an_api_server_that_does_not_say_is_no_cluster_without_queues():
    with pytest.raises(Refused) as refused:
        asyncio.run(Queues(FakeApi(0), nothing).of("ada"))
    assert refused.value.status == 503
