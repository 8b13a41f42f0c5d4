"""A resource in the hand: what every kind can say of itself, and what those can that come to an end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from jupyter_ext.cluster import discover
from jupyter_ext.errors import Conflict, NotFound

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

POLL_SECONDS: Final = 1.0
"""A look now and then even without a change: what was killed changes only when somebody looks."""
ENDING_SECONDS: Final = 10.0
"""How long a finished resource's process may take to go away before it counts as running."""


class Handle:
    """One resource, by name. Every property reads the store: the handle is never out of date."""

    _kind: ClassVar[str]

    def __init__(self, name: str, cluster: LocalCluster | None = None, kind: str | None = None) -> None:
        self._cluster = cluster or discover.current()
        self.name, self.kind = name, kind or self._kind

    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}({self.name!r}, {self._said()})"
        except NotFound:
            return f"{type(self).__name__}({self.name!r}, deleted)"

    def _said(self) -> str:
        """What its repr says of it. Raises NotFound."""
        return self.phase

    @property
    def resource(self) -> Resource:
        """The resource as it is now; raises NotFound if it was deleted."""
        return self._cluster.get(self.kind, self.name)

    @property
    def phase(self) -> str:
        """Its state in one word, such as PENDING, RUNNING, FAILED."""
        return self.resource.phase

    @property
    def reason(self) -> str:
        """Why it is in this phase, in one sentence; empty when there is nothing to say."""
        return self.resource.reason


class Ending(Handle):
    """One that comes to an end by itself."""

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.resource.finished

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it is done or paused, at most ``timeout`` seconds (then raises TimeoutError); return itself."""
        deadline = None if timeout is None else time.monotonic() + timeout
        since = self._cluster.store.resource_version()
        while not (resource := self.resource).resting:
            left = POLL_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                word = type(self).__name__.lower()
                raise TimeoutError(f"{word} {self.name} is still {resource.phase} after {timeout} s")
            pause = min(POLL_SECONDS, left)
            for event in self._cluster.store.watch(since, kinds=[self.kind], timeout=pause, summary=True):
                since = event.resource.resource_version
                if event.resource.name == self.name and (event.type == "DELETED" or event.resource.resting):
                    break
        return self

    def stop(self) -> None:
        """Ask it to stop; returns at once. What had ended in it is kept."""
        from jupyter_ext.cluster.local import workload

        def ask(resource: Resource) -> Resource | None:
            if resource.finished or resource.phase == "CANCELING":
                return None
            return resource.with_(status={**resource.status, "phase": "CANCELING", "reason": "Stopping."})

        resource = self._cluster.store.update(self.kind, self.name, ask)
        if not resource.finished:
            workload.stop(self._cluster, resource.uid, wait=False)

    def _returned(self, resource: Resource, hint: str) -> Any:
        """What its function gave back, for a resource that succeeded; None for nothing.

        Raises Conflict with ``hint`` where the value could not be kept.
        """
        found = resource.status.get("result") or {}
        if "lost" in found:
            what = f"The value of {self.name}, a {found['type']}, could not be brought back ({found['lost']})"
            raise Conflict(what, hint=hint)
        if "digest" not in found:
            return None
        import pickle

        return pickle.loads(self._cluster.blobs.read(found["digest"]))

    def _await_process(self, uid: str) -> None:
        """Wait until its process is gone: its last words are written before that."""
        from jupyter_ext.cluster.local import workload

        deadline = time.monotonic() + ENDING_SECONDS
        while workload.alive(self._cluster, uid) and time.monotonic() < deadline:
            time.sleep(0.01)
