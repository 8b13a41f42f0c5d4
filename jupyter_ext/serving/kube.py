"""Endpoints on a Kubernetes cluster: the same call makes InferenceServices there, and the same handle follows them.

KServe runs them; `kube_record` has what was asked for, `kube_objects` what KServe is given, `kube_view` how it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import handle as shared
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.serving import (
    kube_asking,
    kube_gateway,
    kube_mode,
    kube_objects,
    kube_runtime,
    revisions,
    verbs,
)
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.handle import Endpoint
from jupyter_ext.serving.kube_door import Door, Told
from jupyter_ext.serving.kube_foreign import Foreign
from jupyter_ext.serving.kube_record import Records
from jupyter_ext.serving.kube_refused import ThroughGateway
from jupyter_ext.serving.kube_view import View
from jupyter_ext.serving.places import ENDPOINT, KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import WatchEvent
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.predicting import Send, Target
    from jupyter_ext.serving.submission import Asked

_STOP_SECONDS: Final = 120.0
_WAY_SECONDS: Final = 10.0
_ways: Final[dict[tuple[str, str, str], dict[str | None, tuple[float, Target]]]] = {}
"""Where requests go, of each endpoint that was asked: one handle's change is every handle's of this process."""
_doors: Final[dict[tuple[str, str, str], Door]] = {}
"""The gateways that were found, likewise."""


def place() -> KubeCluster | None:
    """The Kubernetes cluster that endpoints are on; None for this machine. Raises Unavailable for one that cannot."""
    return shared.place("serving")


def start(remote: KubeCluster, here: LocalCluster, asked: Asked) -> KubeEndpoint:
    """Make the endpoint there, or change the one of this name. Raises as ``serve``, and what the API server refuses."""
    records = Records(remote, here)
    if records.find(asked.name) is None:
        first = asked.first()
        kube_objects.require(first, remote)
        kube_runtime.found(remote)
        try:
            remote.get(KIND, asked.name)
        except NotFound:
            pass
        else:
            raise Conflict(
                f"There is an InferenceService {asked.name} that was not made by this library",
                where=Where(field="endpoint"),
                hint="Choose another name, or delete it first.",
            )
        try:
            records.create(first)
        except Conflict:
            pass  # somebody made it a moment ago
        else:
            return KubeEndpoint(asked.name, remote)
    verbs.change(records, asked.name, asked.what, asked.changed)
    return KubeEndpoint(asked.name, remote)


def examined(remote: KubeCluster, here: LocalCluster, asked: Asked) -> Resource:
    """What ``start`` would ask for; nothing is made."""
    found = Records(remote, here).find(asked.name)
    made = asked.first() if found is None else asked.changed(found)
    kube_objects.require(made, remote)
    return made


def get(remote: KubeCluster, name: str) -> KubeEndpoint:
    """The endpoint of that name. Raises NotFound."""
    return KubeEndpoint.found(remote, name)


def endpoints(remote: KubeCluster, limit: int) -> list[tuple[str, Endpoint]]:
    """The newest endpoints, each with the time of its creation; variants are in theirs."""
    listed = remote.list(KIND, summary=True).items
    mine = [each for each in listed if each.labels.get(ENDPOINT, each.name) == each.name][:limit]
    return [(each.created, KubeEndpoint(each.name, remote)) for each in mine]


def submit(remote: KubeCluster, resource: Resource) -> KubeEndpoint:
    """An InferenceService in KServe's own words, given to KServe as it is."""
    return KubeEndpoint(remote.create(resource).name, remote)


class KubeEndpoint(Foreign, ThroughGateway, shared.KubeHandle, Endpoint):
    """One endpoint of a Kubernetes cluster. Every property asks its gateway, or where there is none the API server."""

    _kind = KIND
    _look_seconds = 2.0  # between looks at pods, of which KServe says nothing while they start

    def __init__(self, name: str, cluster: KubeCluster, kind: str | None = None) -> None:
        shared.KubeHandle.__init__(self, name, cluster, kind)
        self._records = Records(cluster, discover.current())
        self._place = (cluster.access.server, cluster.namespace, name)
        self._ways = _ways.setdefault(self._place, {})
        self._cluster = cast("LocalCluster", self._records)  # all that the verbs need of one

    def __reduce__(self) -> tuple[type[KubeEndpoint], tuple[str, KubeCluster]]:
        """It is handed from step to step: what it knows is asked for again there."""
        return KubeEndpoint, (self.name, self._remote)

    @property
    def resource(self) -> Resource:
        """The endpoint as it is now, in the words of this machine's; raises NotFound if it was deleted."""
        if (known := self._known()) is not None:
            return known
        view = self._view()
        return self._known() or view.resource()

    def _known(self) -> Resource | None:
        """What the gateway says: it follows all that the endpoint is, and one answer has it. None without its word."""
        door = _doors.get(self._place)
        try:
            return None if door is None else door.resource(self._records.written(self.name))
        except KubeflowError:
            _doors.pop(self._place, None)  # its pod may be starting again
            return None

    def _view(self) -> View:
        """A look at all there is; the gateway is remembered."""
        found = View(self._records, self.name)
        _doors.pop(self._place, None)
        if found.opens:
            with suppress(Unavailable):  # KServe has not said its address yet
                if (door := self._door_of(found)) is not None:
                    _doors[self._place] = door
        return found

    def _told(self) -> Told | None:
        door = _doors.get(self._place)
        if door is None and (door := self._door_of(self._view())) is None:
            return None
        return Told(door)

    def _door_of(self, found: View) -> Door | None:
        """The way to the gateway, if there is one. Raises Unavailable while that has no address."""
        if found.gateway is None or found.kept is None:
            return None
        return Door.of(self._remote, found.gateway, self.name, found.kept.token)

    def _said(self) -> str:
        resource = self.resource
        split = ", ".join(
            f"{row['name']} {row['percent']} %" for row in resource.status.get("variants") or ()
        )
        return f"{resource.phase}: {split}" if split else resource.phase

    def _why(self, resource: Resource) -> str:
        return resource.reason or self._remote.why(resource)

    # Ask it

    @property
    def url(self) -> str:
        """Where this process reaches it: its address inside the cluster, else its path through the API server."""
        return self._target(None).url

    @property
    def address(self) -> str:
        """Its address inside the cluster: that of its gateway, or of the split, where there is one."""
        return kube_asking.address(self._front(), self._remote.namespace)

    @property
    def grpc_url(self) -> str | None:
        """None: it is asked by HTTP."""
        return None

    @property
    def token(self) -> str:
        """Empty: who may reach a Service inside the cluster is the network's matter."""
        return ""

    def _front(self) -> Resource:
        """What stands before the variants."""
        return self._view().front

    @property
    def send(self) -> Send | None:
        """How requests go where that is not by the address itself."""
        return self._target(None).send

    def _target(self, variant: str | None) -> Target:
        """Where requests go; looked for again after some seconds, for another may change it."""
        until, known = self._ways.get(variant, (0.0, None))
        if known is None or time.monotonic() > until:
            known = self._way(variant)
            self._ways[variant] = (time.monotonic() + _WAY_SECONDS, known)
        return known

    def _way(self, variant: str | None) -> Target:
        found = self._view()
        at = found.front
        timeout = names.TIMEOUT
        if found.record is not None and at is found.gateway:
            timeout = max(each.timeout for each in names.read(found.record).variants)
            chosen = verbs.variant_of(found.record, variant) if variant else None
            return kube_asking.target(self._remote, at, timeout, model=self.name, variant=chosen)
        if found.record is not None:
            service = names.read(found.record)
            timeout = max(each.timeout for each in service.variants)
            if variant:
                chosen = verbs.variant_of(found.record, variant)
                wanted = kube_objects.service_name(self.name, service, chosen)
                if wanted not in found.services:
                    raise Unavailable(f"{chosen} is not there yet", hint="Wait for it: endpoint.wait().")
                at = found.services[wanted]
        return kube_asking.target(self._remote, at, timeout)

    def _asked(self, data: Any, at: Target, *, raw: bool, headers: Mapping[str, str] | None) -> Any:
        """A split is asked by V1, which is all that KServe's router passes on."""
        if at.model == kube_objects.graph_name(self.name):
            return kube_asking.through_graph(data, at, raw=raw, headers=headers)
        return super()._asked(data, at, raw=raw, headers=headers)

    # Change it

    def _in_force(self, after: Resource, *, wait: bool) -> KubeEndpoint:
        """Wait until requests go by the change."""
        del after
        self._ways.clear()
        return self.wait(_STOP_SECONDS * 5) if wait else self

    def rules(self, *texts: str) -> list[dict[str, Any]]:
        """As on this machine; with texts it comes back when the gateway watches by them."""
        found = super().rules(*texts)
        if texts and self.resource.status.get("gateway", {}).get("state") == "loading":
            self._in_force(self.resource, wait=True)
        return found

    def stop(self, *, wait: bool = False) -> KubeEndpoint:
        """End its pods; it keeps its name and its revisions, and ``start`` serves again."""
        if self._records.find(self.name) is None:
            self._stopped("true")
        else:
            verbs.stop(self._records, self.name)
            self._settle()
        if wait:
            self._reached(_STOP_SECONDS, lambda resource: resource.resting)
        return self

    def start(self, *, wait: bool = False) -> KubeEndpoint:
        """Serve again after a stop."""
        if self._records.find(self.name) is None:
            self._stopped(None)
        else:
            verbs.start(self._records, self.name)
            self._settle()
        return self.wait() if wait else self

    resume = start

    def _stopped(self, value: str | None) -> None:
        self._remote.patch(KIND, self.name, {"metadata": {"annotations": {names.STOP: value}}})

    def delete(self) -> None:
        """Remove it, and with it its variants, their pods and logs, and its revisions."""
        found = self._view()
        _doors.pop(self._place, None)
        if found.gateway is not None:
            self._removed(KIND, found.gateway.name)
        if found.graph is not None:
            self._removed(found.graph.kind, found.graph.name)
        for each in found.services:
            self._removed(KIND, each)
        if found.record is not None:
            self._records.forget(self.name)

    def _removed(self, kind: str, name: str) -> None:
        with suppress(NotFound):  # it went a moment ago
            self._remote.delete(kind, name)

    # Follow it

    def wait(self, timeout: float | None = None) -> KubeEndpoint:
        """Wait until what is asked for serves; raises Unavailable when that fails, TimeoutError after ``timeout`` s."""
        self._go_on()
        resource = self._reached(timeout, self._is_settled)
        self._ways.clear()
        failed = [row for row in resource.status.get("variants") or () if row["state"] == "failed"]
        door = resource.status.get("gateway") or {}
        if door.get("state") == "failed":
            what = f"The gateway of {self.name} does not start: {door['reason']}"
            raise Unavailable(what, where=Where(object=kube_gateway.name_of(self.name)))
        if failed:
            where = Where(object=f"{self.name}, {failed[0]['name']}")
            raise Unavailable(str(failed[0]["reason"] or self._why(resource)), where=where)
        if resource.phase == "FAILED":
            raise Unavailable(
                f"{self.name} failed: {self._why(resource)}", hint="See its logs: endpoint.logs()"
            )
        if resource.resting:
            hint = "Start it: endpoint.start()"
            raise Conflict(f"{self.name} is {resource.phase}: {self._why(resource)}", hint=hint)
        return self

    def _go_on(self) -> None:
        """Tell KServe what it was not told, where who asked for it ended amid that."""
        found = self._view()
        if found.record is not None and not found.is_told:
            with suppress(Conflict):  # what somebody else changed there is theirs
                kube_objects.realize(self._records, found.record)

    def _is_settled(self, resource: Resource) -> bool:
        """Whether the outcome is known. What only has to be told to KServe once pods are ready is told here."""
        rows = resource.status.get("variants")
        if resource.resting or "revisions" not in resource.status or rows is None:
            return resource.resting or resource.phase == "RUNNING"
        door = resource.status.get("gateway")
        if any(row["state"] == "failed" for row in rows) or (door and door["state"] == "failed"):
            return True
        if any(row["state"] != "ready" for row in rows):
            return False
        if door:  # it puts the shares in force itself, and tidies up
            in_force: bool = resource.status.get("servingRevision") == revisions.number_of(resource)
            if not in_force and (gateway := self._view().gateway) is not None:
                kube_gateway.require_able(self._remote, gateway)
            return in_force
        self._settle()
        return "servingRevision" in resource.status and not self._left(resource)

    def _left(self, resource: Resource) -> list[str]:
        """The InferenceServices that are no longer asked for."""
        service = names.read(resource)
        wanted = {kube_objects.service_name(self.name, service, each.name) for each in service.variants}
        return [each for each in View(self._records, self.name).services if each not in wanted]

    def _settle(self) -> None:
        """Put the shares in force, then remove the variants that nobody asks for any more."""
        found = View(self._records, self.name)
        if found.record is None or found.gateway is not None:
            return
        service = names.read(found.record)
        if found.wants_graph(service):
            graph = kube_objects.split(found.record, service, kube_mode.asked(self._remote, self.name))
            if found.graph is None or _said(graph) != _said(found.graph):
                kube_objects.owned(self._records, self._remote.apply(graph), found.stable.uid)
            if not found.is_split(service) and not service.stopped:
                return
        wanted = {kube_objects.service_name(self.name, service, each.name) for each in service.variants}
        for each in found.services:
            if each not in wanted:
                self._removed(KIND, each)

    def _is_news(self, event: WatchEvent, resource: Resource, is_there: Callable[[Resource], bool]) -> bool:
        """Whether KServe says something of it: of one variant, which does not tell how the endpoint is."""
        del resource, is_there
        return event.resource.labels.get(ENDPOINT, event.resource.name) == self.name

    def _late(self, resource: Resource, timeout: float) -> str:
        return f"{self.name} is still {resource.phase} after {timeout:g} s."

    def logs(
        self,
        variant: str | None = None,
        tail: int | None = None,
        *,
        follow: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[str]:
        """What the pods of a variant have printed, by default of the stable one."""
        name = self.name
        if variant and (record := self._records.find(self.name)) is not None:
            service = names.read(record)
            name = kube_objects.service_name(self.name, service, verbs.variant_of(record, variant))
        return self._remote.logs(KIND, name, tail=tail, follow=follow, stop=stop)

    def why(self) -> str:
        """Everything that explains its state: its variants, KServe's conditions, what its pods say and what happened."""
        from jupyter_ext.serving.kube_why import why

        return why(View(self._records, self.name), self._remote)


def _said(graph: Resource) -> tuple[Any, str | None]:
    """What a graph is asked to be."""
    return graph.spec["nodes"], graph.annotations.get(names.STOP)
