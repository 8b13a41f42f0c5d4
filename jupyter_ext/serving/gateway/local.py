"""The gateway's process: it listens, follows the resources, and ends when nobody needs it."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Gone, KubeflowError, NotFound
from jupyter_ext.serving import traffic as records
from jupyter_ext.serving.gateway import place
from jupyter_ext.serving.gateway.recorder import Recorder
from jupyter_ext.serving.gateway.router import Router
from jupyter_ext.serving.gateway.table import Route, Table, route_of, troubles_of
from jupyter_ext.serving.http.loop import run
from jupyter_ext.serving.http.server import Limits, Server

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.gateway.calls import Calls

KINDS: Final = ("InferenceService", "InferenceGraph")
LINGER_SECONDS: Final = 30.0
"""How long it stays when there is no endpoint left."""
PORT_SECONDS: Final = 5.0
"""How long it waits for its port before it takes another."""
DRAIN_SECONDS: Final = 4.0
_LIMITS: Final = Limits(body=64 << 20, connections=2000)


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """The entry point of the workload's process."""
    run(_serve(cluster, resource, stop))


async def _serve(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    recorder = Recorder(cluster, records.of(cluster))
    router = Router(recorder.traffic, place.token(cluster), place.salt(cluster), recorder)
    recorder.begin()
    server = Server(router.handle, _LIMITS, router.admit)
    follower = Follower(cluster, router, stop)
    try:
        await asyncio.to_thread(follower.catch_up)
        port = await _listen(server, _port(resource, "http"))
        follower.listening(port)
        follower.thread.start()
        # What was made until now stays; of what requests make, little is ever a cycle.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        await follower.ended.wait()
    finally:
        await asyncio.gather(server.drain(DRAIN_SECONDS), follower.close(DRAIN_SECONDS))
        recorder.end()
        router.threads.shutdown(wait=False)


def _port(resource: Resource, name: str) -> int:
    for each in resource.spec.get("listeners") or []:
        if each.get("name") == name:
            return int(each.get("port") or 0)
    return 0


async def _listen(server: Server, port: int) -> int:
    """On the port it always had; on another if somebody else has taken that."""
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            return await server.listen_tcp("127.0.0.1", port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if time.monotonic() > deadline:
                port = 0
        await asyncio.sleep(0.1)


class Follower:
    """Reads the endpoints from the store in a thread and gives the router a new table whenever they change."""

    def __init__(self, cluster: LocalCluster, router: Router, stop: threading.Event) -> None:
        self.cluster = cluster
        self.router = router
        self.stop = stop
        self.ended = asyncio.Event()
        self.thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._routes: dict[str, Route] = {}
        self._graphs: dict[str, Any] = {}
        self._said: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._applied: dict[str, int] = {}
        facts = cluster.store.path.stat()
        self._store = (facts.st_dev, facts.st_ino)
        self._version = 0
        self._alone = time.monotonic()
        self._calls: Calls | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    def catch_up(self) -> None:
        """All there is."""
        self._routes, self._graphs, self._said = {}, {}, {}
        self._version = self.cluster.resource_version()
        for kind in KINDS:
            for resource in self.cluster.store.list(kind):
                self._read(resource)
        known = {name for name, _ in self.cluster.store.scan(place.APPLIED)}
        for name in known - self._routes.keys():
            self.cluster.store.drop(place.APPLIED, name)
        self._swap()

    async def close(self, seconds: float) -> None:
        """Finish the calls by gRPC."""
        if self._calls is not None:
            await self._calls.close(seconds)

    def listening(self, port: int) -> None:
        """Write down where."""
        self._port = port
        self._write_down(None)
        self._listen_to_calls()

    def _listen_to_calls(self) -> None:
        """Open the port for gRPC when the first endpoint asks for it."""
        if self._calls is not None or not self._port or not any(each.grpc for each in self._routes.values()):
            return
        try:
            from jupyter_ext.serving.gateway.calls import Calls
        except ImportError:
            print("gRPC needs the package grpcio.", flush=True)  # noqa: T201
            return
        self._calls = self.router.calls = Calls(self.router)
        wanted = _port(self.cluster.store.get(place.KIND, place.NAME), "grpc")

        async def listen() -> None:
            assert self._calls is not None
            port = await self._calls.listen(wanted)
            await asyncio.to_thread(self._write_down, port)

        self._loop.call_soon_threadsafe(lambda: self._begin(listen()))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write_down(self, grpc: int | None) -> None:
        port = self._port

        def change(current: Resource) -> Resource:
            listeners = place.listeners(port, grpc or _port(current, "grpc") or None)
            status = {
                "phase": "RUNNING",
                "reason": "",
                "url": f"http://127.0.0.1:{port}",
                "grpc": bool(grpc),
                "pid": os.getpid(),
                "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
            }
            return current.with_(spec={**current.spec, "listeners": listeners}, status=status)

        self.cluster.store.update(place.KIND, place.NAME, change)

    def _follow(self) -> None:
        try:
            while not self.stop.is_set() and self._is_there() and self._needed():
                try:
                    self._watch()
                except Gone:
                    self.stop.wait(0.1)
                    self.catch_up()
                except KubeflowError as error:  # a store that is busy or full for a moment
                    print(f"The endpoints cannot be read: {error}", flush=True)  # noqa: T201
                    self.stop.wait(1.0)
        finally:
            self._loop.call_soon_threadsafe(self.ended.set)

    def _is_there(self) -> bool:
        """Whether the store is still the file that it was: somebody may have removed the profile's folder."""
        try:
            facts = self.cluster.store.path.stat()
        except OSError:
            return False
        return (facts.st_dev, facts.st_ino) == self._store

    def _watch(self) -> None:
        """Follow the changes for a while."""
        kinds = (*KINDS, place.KIND)
        for event in self.cluster.watch(self._version, kinds, timeout=5.0, stop=self.stop):
            resource = event.resource
            self._version = max(self._version, resource.resource_version)
            if resource.kind == place.KIND:
                if event.type == "DELETED" and resource.name == place.NAME:
                    self.stop.set()
                continue
            if event.type == "DELETED":
                self._forget(resource)
            elif not self._read(resource):
                continue
            self._swap()
            self._listen_to_calls()

    def _read(self, resource: Resource) -> bool:
        """Take up what a resource says; False if that is what was known, for much else of it changes often."""
        status = resource.status
        what = status.get("routing") if resource.kind == "InferenceService" else resource.spec
        said = (
            *(resource.uid, what, resource.phase, resource.reason),
            *(resource.generation, troubles_of(resource)),
        )
        if self._said.get((resource.kind, resource.name)) == said:
            return False
        self._said[resource.kind, resource.name] = said
        if resource.kind == "InferenceService":
            try:
                self._routes[resource.name] = route_of(resource)
            except (KeyError, TypeError, ValueError) as error:
                print(f"status.routing of {resource.name} cannot be read: {error!r}", flush=True)  # noqa: T201
            return True
        from jupyter_ext.serving.graph import graph_of

        with suppress(KubeflowError):  # what cannot be read was refused when it was given
            self._graphs[resource.name] = graph_of(resource)
        return True

    def _forget(self, resource: Resource) -> None:
        self._said.pop((resource.kind, resource.name), None)
        if resource.kind == "InferenceService":
            self._routes.pop(resource.name, None)
            self._applied.pop(resource.name, None)
            self.cluster.store.drop(place.APPLIED, resource.name)
        else:
            self._graphs.pop(resource.name, None)

    def _swap(self) -> None:
        """Give the router the table, and say so when it routes by it."""
        table = Table(dict(self._routes), dict(self._graphs))
        if not self.router.swap_from_thread(table, self.stop):
            return
        for route in table.routes.values():
            if self._applied.get(route.name) != route.generation:
                self._applied[route.name] = route.generation
                self.cluster.store.put(
                    place.APPLIED, route.name, {"generation": route.generation, "uid": route.uid}
                )

    def _needed(self) -> bool:
        """Whether there is an endpoint, or was one a moment ago; writes down the end if not."""
        if self._routes or self._graphs:
            self._alone = time.monotonic()
            return True
        if time.monotonic() - self._alone < LINGER_SECONDS:
            return True
        with self.cluster.store.transaction(), suppress(NotFound):
            if any(self.cluster.store.list(kind, limit=1).items for kind in KINDS):
                self._alone = time.monotonic()
                return True

            def pause(current: Resource) -> Resource:
                reason = "No endpoint needs it; the next one starts it again."
                return current.with_(status={**current.status, "phase": "PAUSED", "reason": reason})

            self.cluster.store.update(place.KIND, place.NAME, pause)
        return False
