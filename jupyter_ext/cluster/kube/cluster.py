"""KubeCluster: the resources of one namespace of a Kubernetes cluster."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from jupyter_ext.cluster.answers import Capability, Event, ResourceList, WatchEvent
from jupyter_ext.cluster.kube import watching
from jupyter_ext.cluster.kube.kinds import Kinds, Served
from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.kube.objects import is_name, page, read, selector
from jupyter_ext.cluster.kube.transport import APPLY, MERGE, Transport
from jupyter_ext.cluster.resource import KINDS, Resource, make_plain, now, valid_name
from jupyter_ext.cluster.resource import is_name as is_label
from jupyter_ext.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.access import Access
    from jupyter_ext.cluster.kube.capabilities import Survey
    from jupyter_ext.cluster.kube.pods import Pod

USER: Final = "jupyter-kubeflow.org/user"
"""The annotation with who made a resource, as the Hub or the machine knows one: a word for people, and no right."""
MANAGER: Final = "jupyter-kubeflow"
"""Who owns the fields that we set; the API server refuses others what is ours, and us what is theirs."""
_OF_JOB: Final = re.compile(r"(?:[a-z]+|[a-z]+-initializer)-[0-9]+(?:-[0-9]+(?:-[0-9a-z]+)?)?")
"""What follows a TrainJob's name in those of its JobSet's jobs and pods."""
_PARTS: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})

Events = list[Event]
"""`list` is a method in the class below."""
Pods = list["Pod"]


class KubeCluster:
    """One namespace, as one user. Every call blocks until the API server has answered; any thread may call."""

    kind: Final = "kubernetes"

    def __init__(self, access: Access, *, manager: str = MANAGER, patience: float = 30.0) -> None:
        if not is_label(access.namespace):
            hint = f"Try {make_plain(access.namespace)!r}." if make_plain(access.namespace) else None
            what = f"{access.namespace[:63]!r} cannot be the name of a namespace"
            raise Invalid(what, where=Where(field="namespace"), hint=hint)
        self.access = access
        self.namespace = access.namespace
        self.manager = manager
        self.transport = Transport(access, patience)
        self.kinds = Kinds(self.transport)
        self.surveyed: tuple[float, Survey] | None = None
        """What it can do, and when that was found."""

    @classmethod
    def of(
        cls, context: str | None = None, namespace: str = "", kubeconfig: str | os.PathLike[str] | None = None
    ) -> Self:
        """The cluster of a kubeconfig's context. Raises Unavailable, Invalid."""
        from jupyter_ext.cluster.kube.access import of_kubeconfig

        return cls(of_kubeconfig(context, namespace, kubeconfig))

    @property
    def name(self) -> str:
        """For people: which cluster this is."""
        return f"{self.access.name}, namespace {self.namespace}"

    def __reduce__(self) -> tuple[Callable[..., KubeCluster], tuple[str, str]]:
        """Handles travel from step to step; what opens the cluster does not."""
        from jupyter_ext.cluster.discover import arrived

        return arrived, (self.access.name, self.namespace)

    def close(self) -> None:
        """Close the connections; the next call makes new ones."""
        self.transport.close()

    # Writing

    def apply(self, resource: Resource, *, force: bool = False, dry: bool = False) -> Resource:
        """Create the resource, or give an existing one this spec, labels and annotations: server-side apply.

        ``force`` takes fields over that others own; ``dry``: all is checked, nothing is stored. Raises Conflict naming
        the owner, Invalid naming the field.
        """
        served, body = self._checked(resource)
        path = served.path(self.namespace, resource.name)
        try:
            thing = self._apply(path, body, force=force, dry=dry)
        except Conflict as error:
            # What we made by other means (create, patch) is ours as well, though the API server tells them apart.
            if force or self._owners(error) != {self.manager}:
                raise
            thing = self._apply(path, body, force=True, dry=dry)
        return read(resource.kind, thing)

    def _apply(self, path: str, body: Mapping[str, Any], *, force: bool, dry: bool) -> Any:
        query = {"fieldManager": self.manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry:
            query["dryRun"] = "All"
        return self._asked("PATCH", path, body, query=query, content_type=APPLY, repeat=True)

    def _owners(self, error: Conflict) -> set[str]:
        """Who owns what could not be applied."""
        field, _, rest = error.what.partition(" belongs to ")
        return set(rest.split(", ")) if rest and field else set()

    def create(self, resource: Resource, *, dry: bool = False) -> Resource:
        """Create it. Raises Conflict if the name is taken; a lost answer never makes two, nor a wrong refusal."""
        from jupyter_ext.cluster.resource import new_uid

        mark = {"jupyter-kubeflow.org/request": new_uid()}
        noted = {USER: _user(), **resource.annotations, **mark}
        served, body = self._checked(resource.with_(annotations=noted))
        query = {"fieldManager": self.manager, "fieldValidation": "Strict"}
        if dry:
            query["dryRun"] = "All"
        path = served.path(self.namespace)
        try:
            return read(resource.kind, self._asked("POST", path, body, query=query, repeat=True))
        except Conflict:
            there = self._found(served, resource)
            if there is not None and there.annotations.items() >= mark.items():
                return there
            raise Conflict(
                f"{resource.kind} {resource.name} exists already", hint="Choose another name."
            ) from None

    def _found(self, served: Served, resource: Resource) -> Resource | None:
        try:
            return read(resource.kind, self.transport.ask("GET", served.path(self.namespace, resource.name)))
        except NotFound:
            return None

    def _checked(self, resource: Resource) -> tuple[Served, dict[str, Any]]:
        """Where it goes, and the manifest. Raises Invalid."""
        valid_name(resource.name, "metadata.name")
        if resource.namespace not in {"", self.namespace}:
            what = f"{resource.namespace!r} is another namespace than this cluster's {self.namespace!r}"
            raise Invalid(what, where=Where(field="metadata.namespace"))
        served = self.kinds.served(resource.kind)
        body = resource.manifest()
        version = f"{served.group}/{served.version}"
        if resource.api_version != version:
            what = f"{resource.kind} of {resource.api_version} is not known here"
            raise Invalid(what, where=Where(field="apiVersion"), hint=f"Use {version}.")
        return served, body

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> Resource:
        """Apply a JSON merge patch (RFC 7386). With ``metadata.resourceVersion`` only if nobody changed it since.

        What a controller writes (the status) is a request of its own, for which one needs a right of its own.
        """
        if unknown := patch.keys() - _PARTS:
            raise Invalid("A patch changes metadata, spec or status", where=Where(field=min(unknown)))
        served = self.kinds.served(kind)
        path = self._path(served, name)
        body = {key: value for key, value in patch.items() if key != "status"}
        query = {"fieldManager": self.manager, "fieldValidation": "Strict"}
        whole = "status" not in served.subresources
        thing = None
        if body.keys() - {"apiVersion", "kind"} or whole or "status" not in patch:
            thing = self._asked("PATCH", path, patch if whole else body, query=query, content_type=MERGE)
        if "status" in patch and not whole:
            thing = self._asked(
                "PATCH", f"{path}/status", {"status": patch["status"]}, query=query, content_type=MERGE
            )
        return read(kind, thing or {})

    def delete(self, kind: str, name: str, *, propagation: str = "Background") -> Resource:
        """Remove the resource and return its last state.

        What it owns follows (``Background``), is removed before it (``Foreground``), or stays (``Orphan``).
        """
        last = self.get(kind, name)
        path = self._path(self.kinds.served(kind), name)
        body = {"propagationPolicy": propagation, "preconditions": {"uid": last.uid}}
        try:
            answer = self._asked("DELETE", path, body, repeat=True)
        except NotFound:
            answer = {}  # the answer to the first of two was lost
        kept = isinstance(answer, dict) and answer.get("kind") == kind
        return read(kind, answer) if kept else last.with_(deleted=last.deleted or now())

    # Reading

    def get(self, kind: str, name: str) -> Resource:
        """The resource. Raises NotFound."""
        served = self.kinds.served(kind)
        try:
            return read(kind, self._asked("GET", self._path(served, name)))
        except NotFound:
            raise NotFound(
                f"There is no {kind} {name!r}", hint=f"It may have been deleted; list the {kind}s."
            ) from None

    def list(
        self,
        kind: str,
        *,
        labels: Mapping[str, str] | None = None,
        phase: str | Iterable[str] | None = None,
        text: str | None = None,
        limit: int | None = None,
        before: str | int | None = None,
        summary: bool = False,
        owner: str | None = None,
    ) -> ResourceList:
        """Resources of a kind, newest first. All are fetched, page by page: an API server orders by name only."""
        path = self.kinds.served(kind).path(self.namespace)
        try:
            things, version = pages(self.transport, path, labels=selector(labels))
        except NotFound:
            raise self._lost(kind) from None
        found = [read(kind, thing, light=summary) for thing in things]
        return page(found, version, phase=phase, text=text, owner=owner, limit=limit, before=before)

    def resource_version(self) -> int:
        """The number of the last change: custom resources of all kinds share one counter, that of etcd."""
        for kind in KINDS:
            try:
                path = self.kinds.served(kind).path(self.namespace)
                answer = self.transport.ask("GET", path, query={"limit": "1"})
            except (Forbidden, NotFound, Unavailable):
                continue
            return int(answer["metadata"]["resourceVersion"])
        what = f"{self.name} has none of our kinds, or lets you read none"
        raise Unavailable(what, hint="jupyter kf doctor --cluster says what is missing.")

    def watch(
        self,
        since: int | str = 0,
        kinds: Iterable[str] | None = None,
        timeout: float | None = None,
        *,
        stop: threading.Event | None = None,
        summary: bool = False,
    ) -> Iterator[WatchEvent]:
        """Changes after ``since`` and those to come, each kind's in its order; to go on, use an event's ``position``.

        From 0 everything that exists comes first, as ADDED, and a server that is away for a while is waited for. Ends
        after ``timeout`` seconds (0: what there is now) or when ``stop`` is set. Raises Gone.
        """
        stop = stop or threading.Event()
        served = self._served(kinds)
        if not served:
            return
        began = time.monotonic()
        if str(since) == "0":
            at: watching.Positions = {}
            found = []
            for kind, one in served.items():
                things, at[kind] = pages(self.transport, one.path(self.namespace))
                found += [read(kind, thing, light=summary) for thing in things]
            place = watching.position(at)
            for resource in sorted(found, key=lambda resource: resource.resource_version):
                yield WatchEvent("ADDED", resource, place)
                if stop.is_set():
                    return
            if timeout == 0:
                return
        else:
            at = watching.positions(since, [*served])
        left = None if timeout is None else max(timeout - (time.monotonic() - began), 0.0)
        try:
            yield from watching.follow(
                self.transport, served, self.namespace, at, timeout=left, stop=stop, light=summary
            )
        except NotFound:
            raise self._lost(next(iter(served))) from None

    def _served(self, kinds: Iterable[str] | None) -> dict[str, Served]:
        """The kinds to watch: those that are named, else all that are there and may be read."""
        if kinds is not None:
            return {kind: self.kinds.served(kind) for kind in dict.fromkeys(kinds)}
        found = {}
        for kind in KINDS:
            try:
                served = self.kinds.served(kind)
                self.transport.ask("GET", served.path(self.namespace), query={"limit": "1"})
            except (Forbidden, NotFound, Unavailable):
                continue
            found[kind] = served
        return found

    # What became of it

    def pods(self, kind: str, name: str) -> Pods:
        """Its pods, in the order of their numbers."""
        from jupyter_ext.cluster.kube.pods import pods_of

        return pods_of(self.transport, self.namespace, kind, name)

    def logs(
        self,
        kind: str,
        name: str,
        part: str | None = None,
        *,
        tail: int | None = None,
        follow: bool = False,
        stop: threading.Event | Callable[[], bool] | None = None,
    ) -> Iterator[str]:
        """What its pods, or one (``node-1``, ``rank-1``, ``driver``), have printed; ``follow`` goes on to their end."""
        from jupyter_ext.cluster.kube import logs

        self.get(kind, name)
        if not follow:
            pods = logs.chosen(self.pods(kind, name), part)
            yield from logs.text(self.transport, self.namespace, pods, tail)
            return

        def over() -> bool:
            try:
                return self.get(kind, name).resting
            except NotFound:
                return True

        asked = stop.is_set if isinstance(stop, threading.Event) else stop or (lambda: False)
        yield from logs.follow(
            self.transport, self.namespace, lambda: self.pods(kind, name), part, tail, over, asked
        )

    def events(self, kind: str, name: str) -> Events:
        """What happened to the resource, oldest first, as far as the cluster remembers (usually an hour)."""
        uid = self.get(kind, name).uid
        return [told(thing) for thing in self._happened(f"involvedObject.uid={uid}")]

    def _happened(self, fields: str) -> Things:
        things, _ = pages(self.transport, f"/api/v1/namespaces/{self.namespace}/events", fields=fields)
        return sorted(things, key=_moment)

    def why(self, resource: Resource) -> str:
        """Why it waits or failed, from its pods and from what their controllers could not do; empty for nothing."""
        from jupyter_ext.cluster.kube import queue, why

        pods = self.pods(resource.kind, resource.name)
        events: Things = []
        if not pods:
            if queued := queue.why(self, resource):
                return queued
            events = [
                thing
                for thing in self._happened("type=Warning")
                if is_of(
                    resource.kind, resource.name, str((thing.get("involvedObject") or {}).get("name") or "")
                )
            ]
        return why.reason(pods, events)

    def capabilities(self) -> Mapping[str, Capability]:
        """What this cluster can do for this user, and why not."""
        from jupyter_ext.cluster.kube.capabilities import capabilities

        return capabilities(self)

    def capability(self, name: str) -> Capability | None:
        """One of them; what was missing may have come meanwhile, and is looked for again after some seconds."""
        from jupyter_ext.cluster.kube.capabilities import MISSING_SECONDS

        found = self.capabilities().get(name)
        lacks = found is None or not found.available
        if lacks and self.surveyed and time.monotonic() - self.surveyed[0] > MISSING_SECONDS:
            self.surveyed = None
            found = self.capabilities().get(name)
        return found

    def has(self, kind: str) -> bool:
        """Whether it has the kind, in the version that we speak. Raises Unavailable for no answer."""
        group, _, version = KINDS[kind].api_version.rpartition("/")
        return any(found.version == version for found in self.kinds.versions(group, KINDS[kind].plural))

    # Asking

    def _path(self, served: Served, name: str) -> str:
        """Where one object is. Raises NotFound for what cannot be a name: there is no such object."""
        if not is_name(name):
            raise NotFound(f"There is no {served.kind} {name[:80]!r}", hint="No resource can have this name.")
        return served.path(self.namespace, name)

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None, **how: Any) -> Any:
        """As the transport; where not even the kind is there any more, the error says that. The next look is anew."""
        try:
            return self.transport.ask(method, path, body, **how)
        except NotFound as error:
            if "could not find the requested resource" in (error.hint or "") or "page not found" in (
                error.hint or ""
            ):
                self.kinds.forget()
                plural = path.split("/")[6] if path.count("/") >= 6 else path
                kind = next((kind for kind, known in KINDS.items() if known.plural == plural), plural)
                raise self._lost(kind) from None
            raise

    def _lost(self, kind: str) -> Unavailable:
        """The error for a kind whose definition was there and is not any more."""
        self.kinds.forget()
        what = f"{self.access.name} has no {kind} any more: its definition was deleted"
        return Unavailable(what, hint="Ask its administrator; see: jupyter kf doctor --cluster")


Things = list[dict[str, Any]]


def _user() -> str:
    """Who this is, for people."""
    import getpass

    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def told(thing: Mapping[str, Any]) -> Event:
    """An `Event (core/v1)` in our words."""
    count = int(thing.get("count") or 1)
    times = f" ({count} times)" if count > 1 else ""
    return Event(
        _moment(thing),
        str(thing.get("type") or "Normal"),
        str(thing.get("reason") or ""),
        f"{str(thing.get('message') or '').strip()}{times}",
    )


def _moment(thing: Mapping[str, Any]) -> str:
    series = thing.get("series") or {}
    about = thing.get("metadata") or {}
    found = (series.get("lastObservedTime"), thing.get("lastTimestamp"), thing.get("eventTime"), about.get("creationTimestamp"))  # fmt: skip
    return str(next((each for each in found if each), ""))


def is_of(kind: str, owner: str, name: str) -> bool:
    """Whether something is named after the resource, as its jobs and pods are: ``mnist-node-0-0-x7k2p`` is of ``mnist``.

    Another job may begin with the same name: ``mnist-large-node-0`` is not.
    """
    rest = name.removeprefix(f"{owner}-")
    return name == owner or (rest != name and (kind != "TrainJob" or _OF_JOB.fullmatch(rest) is not None))
