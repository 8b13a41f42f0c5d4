"""What is the same for every kind on a Kubernetes cluster: where its work goes, and its handle there.

A capability's handle derives from `KubeHandle`, or `Suspending` where upstream knows ``spec.suspend``, and then from
its local handle: what is said here holds, what is not is as on this machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from jupyter_ext.cluster.kube.refusals import Away
from jupyter_ext.cluster.local.processes import VARIABLE as INSIDE
from jupyter_ext.cluster.phases import STOPPED
from jupyter_ext.cluster.resource import Resource, now
from jupyter_ext.errors import Conflict, Gone, NotFound, Unfit, Where

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.answers import WatchEvent
    from jupyter_ext.cluster.kube.cluster import KubeCluster

__all__ = ["INSIDE", "KubeHandle", "Suspending", "listed", "place", "refused", "there"]

LOOK_SECONDS: Final = 30.0
"""A look now and then even without a change."""
AWAY_SECONDS: Final = 300.0
"""For so long who waits looks for an API server that does not answer."""
_PAUSE: Final = 1.0
_SAY_SECONDS: Final = 15.0
"""After so long who waits is told why."""
_WAITING: Final = frozenset({"PENDING", "RUNNING", "FAILED"})
"""Phases for which pods and events may know more than the status says."""

T = TypeVar("T")


def place(capability: str) -> KubeCluster | None:
    """The Kubernetes cluster that the work of a capability goes to; None for this machine.

    What the embedded cluster runs (``INSIDE``) stays in it. Raises Unavailable for a cluster that was chosen and cannot.
    """
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.local import LocalCluster

    if os.environ.get(INSIDE):
        return None
    found = discover.target(capability)
    return None if isinstance(found, LocalCluster) else found


def there(capability: str, get: Callable[[KubeCluster], T]) -> T | None:
    """What ``get`` finds on the cluster that the work goes to; None where that is this machine, or has no such thing."""
    if (cluster := place(capability)) is None:
        return None
    try:
        return get(cluster)
    except NotFound:
        return None


def listed(
    cluster: KubeCluster, kind: str, limit: int, phase: str | None, make: Callable[[Resource], T]
) -> list[tuple[str, T]]:
    """A handle for each of the newest resources of a kind, with the time of its creation."""
    found = cluster.list(kind, limit=limit, phase=phase, summary=True)
    return [(resource.created, make(resource)) for resource in found]


def refused(field: str, what: str, hint: str) -> Unfit:
    """The error for what only this machine can do: ``restarts is for jobs on this machine: …``, and how to do it here."""
    return Unfit(what, where=Where(field=field), hint=f"{hint} Or run it here: kf.cluster.use('local').")


class KubeHandle:
    """One resource of a Kubernetes cluster, by name. Every property asks the API server."""

    _kind: ClassVar[str]
    _look_seconds: ClassVar[float] = LOOK_SECONDS
    name: str
    kind: str

    def __init__(self, name: str, cluster: KubeCluster, kind: str | None = None) -> None:
        self._remote = cluster
        self.name, self.kind = name, kind or self._kind

    @classmethod
    def found(cls, cluster: KubeCluster, name: str, kind: str | None = None) -> Self:
        """The one of that name. Raises NotFound."""
        made = cls(name, cluster, kind)
        _ = made.resource
        return made

    @property
    def resource(self) -> Resource:
        """The resource as it is now; raises NotFound if it was deleted."""
        return self._remote.get(self.kind, self.name)

    @property
    def reason(self) -> str:
        """Why it is in this phase: what its pods, or what could not make them, say."""
        return self._why(self.resource)

    def _why(self, resource: Resource) -> str:
        if resource.phase not in _WAITING:
            return resource.reason
        return self._remote.why(resource) or resource.reason

    def told(self, resource: Resource) -> dict[str, Any]:
        """What a view shows beside the status: why it waits or failed. Asks for its pods and, without any, its events."""
        return {"reason": self._why(resource)}

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it is done or paused, at most ``timeout`` seconds (then raises TimeoutError); return itself.

        What keeps it from going on is printed, once it does for a while, and when it is something else. An API server that
        is away is waited for, too.
        """
        self._reached(timeout, lambda resource: resource.resting)
        return self

    def _reached(self, timeout: float | None, is_there: Callable[[Resource], bool]) -> Resource:
        """The resource once it is as wanted; raises TimeoutError, and NotFound when it was deleted."""
        begun = heard = time.monotonic()
        deadline = None if timeout is None else begun + timeout
        said = ""
        while True:
            try:
                resource = self.resource
                heard = time.monotonic()
                if is_there(resource):
                    return resource
                if heard - begun >= _SAY_SECONDS:
                    said = self._say(self._remote.why(resource), said)
                most = self._look_seconds if said else min(self._look_seconds, _SAY_SECONDS)
                left = most if deadline is None else min(deadline - time.monotonic(), most)
                if timeout is not None and left <= 0:
                    raise TimeoutError(f"{self._late(resource, timeout)} {self._why(resource)}".rstrip())
                self._changed(resource, left, is_there)
            except Away as error:
                moment = time.monotonic()
                if deadline is not None and moment >= deadline:
                    what = f"{self.kind} {self.name} was not heard of for {moment - heard:.0f} s. {error}"
                    raise TimeoutError(what) from error
                if moment - heard > AWAY_SECONDS:
                    raise
                said = self._say(str(error), said)
                time.sleep(_PAUSE)

    def _say(self, words: str, said: str) -> str:
        """Print what keeps it, unless that was printed last: a step of a pipeline has it in its log. Gives it."""
        if words and words != said:
            print(f"{self.kind} {self.name} waits: {words}", flush=True)  # noqa: T201
        return words or said

    def _changed(self, resource: Resource, seconds: float, is_there: Callable[[Resource], bool]) -> None:
        """Wait until it is as wanted or gone, at most so long."""
        try:
            for event in self._remote.watch(resource.resource_version, [self.kind], seconds, summary=True):
                if self._is_news(event, resource, is_there):
                    return
        except Gone:
            return  # look again

    def _is_news(self, event: WatchEvent, resource: Resource, is_there: Callable[[Resource], bool]) -> bool:
        """Whether who waits looks again: what a watch says is enough to know that it is as wanted, or gone."""
        same = event.resource.uid == resource.uid
        return same and (event.type == "DELETED" or is_there(event.resource))

    def _late(self, resource: Resource, timeout: float) -> str:
        """What is said when it is not as wanted in time; why follows."""
        return f"{resource.kind} {self.name} is still {resource.phase} after {timeout} s."

    def delete(self) -> None:
        """Remove it, and with it its pods and their logs."""
        self._remote.delete(self.kind, self.name)

    def _printed(
        self, part: str | None, tail: int | None, *, follow: bool, stop: threading.Event | None
    ) -> Iterator[str]:
        """What one part's pod has printed (``rank-1``, ``driver``), or all with ``[node-1]`` before each line."""
        return self._remote.logs(self.kind, self.name, part, tail=tail, follow=follow, stop=stop)

    def export(self, path: str | Path | None = None) -> str:
        """The resource as YAML, as it was asked for."""
        import yaml

        text: str = yaml.safe_dump(self.resource.manifest(), sort_keys=False, allow_unicode=True, width=120)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def code(self) -> str:
        """Raises Conflict: the cluster has what was made, not what called it."""
        what = f"What started {self.name} is not known to the cluster"
        raise Conflict(what, hint="export() is the resource itself.")

    def _ipython_display_(self) -> None:
        print(repr(self))  # noqa: T201 - what a notebook shows


class Suspending(KubeHandle):
    """One whose pods end and come again by a field of its spec. A stopped one is suspended, and noted as stopped."""

    def stop(self, *, wait: bool = False) -> None:
        """End its pods; returns at once unless told to wait. What had ended in it is kept, and it can be resumed."""
        if self.resource.finished:
            return
        self._suspended(True, {STOPPED: now()})
        if wait:
            self.wait()

    def suspend(self) -> None:
        """End its pods, until ``resume``. Raises Conflict when it is done."""
        if (resource := self.resource).finished:
            what = f"{self.kind} {self.name} is {resource.phase}, so there is nothing to suspend"
            raise Conflict(what)
        self._suspended(True)

    def resume(self) -> Self:
        """Make its pods again. Raises Conflict if it runs, has succeeded, or has failed."""
        resource = self.resource
        if resource.phase in {"SUCCEEDED", "FAILED"}:
            what = f"{self.kind} {self.name} has {resource.phase.lower()}"
            raise Conflict(what, hint="Start it anew to repeat it.")
        if not self._is_suspended(resource):
            what = f"{self.kind} {self.name} is {resource.phase}, so there is nothing to resume"
            raise Conflict(what)
        self._suspended(False, {STOPPED: None})
        return self

    def _is_suspended(self, resource: Resource) -> bool:
        return bool(resource.spec.get("suspend"))

    def _spec(self, suspended: bool) -> dict[str, Any]:
        """The change of the spec."""
        return {"suspend": suspended}

    def _suspended(self, suspended: bool, noted: dict[str, str | None] | None = None) -> None:
        change: dict[str, Any] = {"spec": self._spec(suspended)}
        if noted:
            change["metadata"] = {"annotations": noted}
        self._remote.patch(self.kind, self.name, change)
