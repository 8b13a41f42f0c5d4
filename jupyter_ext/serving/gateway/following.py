"""How the gateway in a pod knows what to go by: three watches say that something has changed, and it looks at it anew."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from jupyter_ext.cluster.kube.streaming import Reader
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unavailable
from jupyter_ext.serving import kube_gateway, kube_routing, revisions
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.gateway.table import Table, route_of
from jupyter_ext.serving.kube_objects import GRAPH, graph_name, service_name
from jupyter_ext.serving.kube_record import name_of
from jupyter_ext.serving.kube_view import View
from jupyter_ext.serving.places import ENDPOINT, KIND
from jupyter_ext.serving.watching import Guard

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.transport import Transport
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.gateway.router import Router
    from jupyter_ext.serving.kube_record import Records
    from jupyter_ext.serving.spec import Service
    from jupyter_ext.serving.traffic import Traffic

EVERY: Final = 1.0
"""Seconds between looks at the rules."""
LATEST: Final = 30.0
"""After which it looks even when nothing said that it should."""
_GRAPH_STAYS: Final = 15.0
"""Seconds in which who still sends to the graph hears of the gateway."""
_LASTS: Final = 290
_PAUSES: Final = (0.2, 5.0)


class Bell(Reader):
    """A watch of which only matters that something came."""

    def __init__(self, transport: Transport, path: str, query: dict[str, str], rung: threading.Event) -> None:
        super().__init__("kubeflow-bell", transport, path)
        self._query = {**query, "watch": "1", "timeoutSeconds": str(_LASTS)}
        self._rung = rung

    def run(self) -> None:
        """Without a version a watch begins with what there is: whatever came in between rings too."""
        pause = _PAUSES[0]
        while not self._over.is_set():
            try:
                for _ in self._asked(self._query, _LASTS + 60.0):
                    self._rung.set()
                    pause = _PAUSES[0]
            except KubeflowError:
                pause = min(pause * 2, _PAUSES[1])
            self._over.wait(pause)


class Follower:
    """Keeps the router's table true to the cluster, watches the rules, and tidies up what nobody is sent to any more."""

    def __init__(self, records: Records, name: str, router: Router, traffic: Traffic) -> None:
        self.records, self.name, self.router = records, name, router
        self.resource: Resource | None = None
        """The endpoint as it is, with what is in force; None when it was deleted."""
        self.version = 0
        """Of the record by which the router goes."""
        self.since = ""
        """From when on all is counted, where a pod before this one counted and that is lost."""
        self._traffic = traffic
        self._rung = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._bells: list[Bell] = []
        self._loop = router.loop
        self._force: tuple[Service, int] | None = None
        self._table: dict[str, Any] = {}
        self._generation = 0
        self._guard: Guard | None = None
        self._trouble = ""
        self._graph_until: float | None = None
        """When the graph that stood here before goes."""
        self._has_graph = True
        self._waiting: list[asyncio.Future[None]] = []
        """Who waits for a version; of the loop."""

    def start(self) -> None:
        """Follow from now on."""
        remote, mine = self.records.remote, {"labelSelector": f"{ENDPOINT}={self.name}"}
        core = f"/api/v1/namespaces/{remote.namespace}"
        for path, query in (
            (f"{core}/configmaps", {"fieldSelector": f"metadata.name={name_of(self.name)}"}),
            (f"{core}/pods", mine),
            (remote.kinds.served(KIND).path(remote.namespace), mine),
        ):
            self._bells.append(Bell(remote.transport, path, query, self._rung))
        for bell in self._bells:
            bell.start()
        self._thread.start()

    async def knows(self, version: int) -> None:
        """Returns when the router goes by this version of the record."""
        while self.version < version:
            self._waiting.append(self._loop.create_future())
            await self._waiting[-1]

    def end(self) -> None:
        """Follow no more."""
        self._over.set()
        self._rung.set()
        for bell in self._bells:
            bell.end()

    def _follow(self) -> None:
        looked = time.monotonic()
        while not self._over.is_set():
            rung = self._rung.wait(EVERY)
            try:
                if rung or time.monotonic() - looked > LATEST:
                    self._rung.clear()
                    looked = time.monotonic()
                    self.look()
                self._guarded()
                self._tell("")
            except Exception as error:  # an API server that is away for a moment; following must not end
                known = isinstance(error, KubeflowError)
                self._tell(str(error) if known else f"{type(error).__name__}: {error}")
                self._rung.set()
                self._over.wait(EVERY)

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                print(f"The endpoint cannot be followed: {trouble}", flush=True)  # noqa: T201

    def look(self) -> None:
        """See how all is, and route by it."""
        try:
            view = View(self.records, self.name)
        except NotFound:
            view = None
        if view is None or view.kept is None:
            self.resource = None
            self.router.swap_from_thread(
                Table({}), self._over
            )  # what is on its way is finished; this pod is ended soon, too
            return
        record = view.kept.resource
        target, number = names.read(record), revisions.number_of(record)
        places = kube_routing.Places(view.ready(), view.services.values())
        force, table = decided(self.name, self._force, (target, number), places)
        self._force = force
        if table != self._table:
            self._table, self._generation = table, self._generation + 1
        found = view.resource()
        routing = {"generation": self._generation, **table}
        readings = [] if self._guard is None or not target.rules else self._guard.readings
        gateway = {**found.status.get("gateway", {}), **({"since": self.since} if self.since else {})}
        status = {**found.status, "routing": routing, "servingRevision": force[1], "rules": readings}
        status["gateway"] = gateway
        found = found.with_(status=status)
        self.router.swap_from_thread(Table({self.name: route_of(found)}), self._over)
        self.resource, self.version = found, view.kept.version
        self._loop.call_soon_threadsafe(self._woken)
        if force[1] == number and not target.stopped:
            self._tidy(view, target)

    def _woken(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _tidy(self, view: View, target: Service) -> None:
        """Remove the variants that nobody asks for and nobody is sent to, and the graph that stood here before."""
        wanted = {service_name(self.name, target, each.name) for each in target.variants}
        left = set(view.services) - wanted - kube_routing.used(self._table)
        for each in sorted(left - {kube_gateway.name_of(self.name)}):
            with suppress(NotFound):
                self.records.remote.delete(KIND, each)
        if self._graph_until is None:
            self._graph_until = time.monotonic() + _GRAPH_STAYS
        if self._has_graph and time.monotonic() > self._graph_until:
            self._has_graph = False
            with suppress(NotFound, Unavailable, Forbidden):
                self.records.remote.delete(GRAPH, graph_name(self.name))

    def _guarded(self) -> None:
        """Look at the rules; what breaks one is rolled back as a user would."""
        found = self.resource
        if found is None or self._force is None:
            return
        if self._guard is None or self._guard.uid != found.uid:
            self._guard = Guard(cast("LocalCluster", self.records), found.uid, self.name, self._traffic)
        service = names.read(found)
        if why := self._guard.check(found, service, self._force[1] == revisions.number_of(found)):
            print(f"Rolled back: {why}", flush=True)  # noqa: T201
            self.look()
        elif found.status.get("rules") != self._guard.readings and service.rules:
            self.resource = found.with_(status={**found.status, "rules": self._guard.readings})


def decided(
    name: str,
    force: tuple[Service, int] | None,
    asked: tuple[Service, int],
    places: kube_routing.Places,
) -> tuple[tuple[Service, int], dict[str, Any]]:
    """What is in force, with the number of its revision, and the table of it.

    What is asked for comes into force when all that gets a share can be asked; until then what was goes on, unless
    nobody of that is left.
    """
    target, number = asked
    if (
        force is None
        or number == force[1]
        or kube_routing.is_there(name, target, places)
        or not kube_routing.is_any(name, force[0], places)
    ):
        force = asked
    return force, kube_routing.table(name, force[0], target, places)
