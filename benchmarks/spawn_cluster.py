"""What the cluster of `benchmarks.spawn` has before anything starts: profiles, their rights, and events of other pods."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import aiohttp

    from tests.cluster.cluster import Cluster

SHARED: Final = "class"
"""The profile of a group, of which every user is one: the namespace that is full of events."""
_AT_ONCE: Final = 16
_BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"


def prepare(cluster: Cluster, users: list[str], events: int) -> None:
    """A profile for each user, one of all users with so many events of other pods, and the role of servers."""
    from spawner.starts.identity import cluster_role

    cluster.apply("/apis/rbac.authorization.k8s.io/v1/clusterroles/jupyter-kubeflow-server", cluster_role())
    cluster.node("cpu", count=2 + 2 * len(users) // 100)
    asyncio.run(_prepare(cluster, users, events))


async def _prepare(cluster: Cluster, users: list[str], events: int) -> None:
    async with _session(cluster) as session:

        async def post(path: str, body: Any) -> None:
            async with session.post(path, json=body) as answer:
                assert answer.status in {201, 409}, await answer.text()

        profiles = [*((user, "User") for user in users), (SHARED, "Group")]
        await _all((_profile(post, name, kind) for name, kind in profiles), _AT_ONCE)
        await _all((_account(session, name) for name, _ in profiles), _AT_ONCE)
        await _all((_event(post) for _ in range(events)), _AT_ONCE)


async def _profile(post: Callable[[str, Any], Coroutine[Any, Any, None]], name: str, kind: str) -> None:
    notes = {"owner": name} | ({} if kind == "User" else {"jupyter-kubeflow.org/owner-kind": kind})
    await post("/api/v1/namespaces", {"metadata": {"name": name, "annotations": notes}})
    profile = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Profile",
        "metadata": {"name": name},
        "spec": {"owner": {"kind": kind, "name": name}},
    }
    await post("/apis/kubeflow.org/v1/profiles", profile)
    rights = {
        "metadata": {"name": "namespaceAdmin"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}],
    }
    await post(_BINDINGS.format(name), rights)


async def _account(session: aiohttp.ClientSession, namespace: str) -> None:
    """Wait for the controller: plain KubeSpawner's pods need the default account."""
    while True:
        async with session.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.2)


async def _event(post: Callable[[str, Any], Coroutine[Any, Any, None]]) -> None:
    body = {
        "metadata": {"generateName": "e-", "namespace": SHARED},
        "involvedObject": {"kind": "Pod", "namespace": SHARED, "name": "other", "uid": "none"},
        "reason": "Told",
        "message": "x" * 200,
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "firstTimestamp": "2026-01-01T00:00:00Z",
    }
    await post(f"/api/v1/namespaces/{SHARED}/events", body)


@asynccontextmanager
async def _session(cluster: Cluster) -> AsyncIterator[aiohttp.ClientSession]:
    import aiohttp

    made = cluster.configuration()
    context = ssl.create_default_context(cafile=made.ssl_ca_cert)
    context.load_cert_chain(made.cert_file, made.key_file)
    connector = aiohttp.TCPConnector(ssl=context, limit=_AT_ONCE)
    async with aiohttp.ClientSession(cluster.server, connector=connector) as session:
        yield session


async def _all(work: Iterable[Coroutine[Any, Any, None]], at_once: int) -> None:
    """All of it, so many at a time."""
    rest = iter(work)

    async def some() -> None:
        for each in rest:
            await each

    await asyncio.gather(*(some() for _ in range(at_once)))


@contextmanager
def watched(cluster: Cluster, running: dict[str, tuple[float, str]]) -> Iterator[None]:
    """Note when each user's pod was ready first, as a watch of ours sees it, and its uid."""
    ended = threading.Event()

    async def watch() -> None:
        from spawner.api import Api, ApiError
        from spawner.starts.stages import is_ready

        api = Api(cluster.api())
        while not ended.is_set():
            try:
                async for kind, pod in api.watch(
                    "/api/v1/pods", {"labelSelector": "component=singleuser-server"}, 2
                ):
                    user = (pod["metadata"].get("annotations") or {}).get("hub.jupyter.org/username")
                    if kind != "DELETED" and user and is_ready(pod):
                        running.setdefault(user, (time.time(), pod["metadata"]["uid"]))
            except ApiError:
                await asyncio.sleep(0.1)
        await api.close()

    thread = threading.Thread(target=lambda: asyncio.run(watch()), daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join(10)
