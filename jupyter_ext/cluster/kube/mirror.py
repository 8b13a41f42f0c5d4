"""A copy of one kind's resources that follows the cluster: one list and one watch, for any number of readers.

What is kept is small: each resource as the text of a list's line, and what it is chosen and ordered by.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from jupyter_ext.cluster.answers import ResourceList
from jupyter_ext.cluster.kube.objects import page, slip
from jupyter_ext.cluster.local.codec import decode, encode
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Gone, KubeflowError, Unavailable

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import WatchEvent
    from jupyter_ext.cluster.kube.cluster import KubeCluster

READY_SECONDS: Final = 15.0
"""For the first list; who asks is told after that that the cluster does not answer yet."""
ABSENT_SECONDS: Final = 30.0
"""Between two looks whether a kind that was not there has come."""
LEASE_SECONDS: Final = 1800.0
"""A watch that nobody has asked about for so long is given up."""
_PAUSES: Final = (0.5, 30.0)
_LOOK: Final = 60.0

Shape = Callable[[Resource], Resource | None]
"""Gives a resource with what its kind's own views ask for beside what upstream writes; None for one that is not shown."""
Change = Callable[[str, Resource], None]
"""Told of ADDED, MODIFIED and DELETED, with the resource without its heavy parts."""
State = Literal["loading", "ready", "absent", "away", "over"]


@dataclass(frozen=True, slots=True)
class _Line:
    """One resource: its key among the others, and its text."""

    slip: Resource
    text: str

    @classmethod
    def of(cls, resource: Resource) -> _Line:
        return cls(slip(resource), encode(resource.to_dict()))

    def read(self) -> Resource:
        return Resource.from_dict(decode(self.text))


class Mirror:
    """One kind in one namespace. Any thread may ask; ``changed`` is called in the mirror's own.

    ``goes`` says whether the kind is read there at all; it may ask the cluster, and raise.
    """

    def __init__(
        self, cluster: KubeCluster, kind: str, *, changed: Change | None = None, goes: Callable[[], bool] | None = None,
        shape: Shape | None = None,
    ) -> None:  # fmt: skip
        self.cluster, self.kind = cluster, kind
        self.version = 0
        """Of the cluster, at the last change that is known here."""
        self.lists = 0
        """How often everything was fetched."""
        self._changed = changed or (lambda _type, _resource: None)
        self._shape = shape or (lambda resource: resource)
        self._goes = goes or (lambda: cluster.has(kind))
        self._lines: dict[str, _Line] = {}
        self._state: State = "loading"
        self._error: KubeflowError | None = None
        self._guard = threading.Condition()
        self._stopped = threading.Event()
        self._asked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"kubeflow-mirror-{kind}", daemon=True)

    def start(self) -> Mirror:
        """Begin to follow."""
        self._thread.start()
        return self

    def stop(self, timeout: float = 0.0) -> None:
        """End it; waits so long for the thread."""
        self._stopped.set()
        if timeout:
            self._thread.join(timeout)

    @property
    def mark(self) -> str:
        """Names what a list shows now: of another cluster, or after a change, it is another."""
        return f"{self.cluster.name}@{self.version}"

    @property
    def is_over(self) -> bool:
        """Whether it follows no more."""
        return self._stopped.is_set()

    # Reading

    def shows(self, seconds: float = READY_SECONDS) -> bool:
        """Whether the kind's resources are there, and not on this machine.

        Waits for the first answer. Raises Unavailable where none came, or why the cluster refuses.
        """
        self._asked = time.monotonic()
        with self._guard:
            self._guard.wait_for(lambda: self._state != "loading", seconds)
            if self._state == "absent":
                return False
            if self._state == "ready":
                return True
            raise self._error or Unavailable(f"{self.cluster.access.name} has not answered yet")

    @property
    def is_there(self) -> bool:
        """As ``shows``, of what is known now; a cluster that is away still has what it had."""
        return self._state in {"ready", "away"}

    def list(
        self,
        *,
        phase: str | Iterable[str] | None = None,
        text: str | None = None,
        limit: int | None = None,
        before: str | int | None = None,
        owner: str | None = None,
    ) -> ResourceList:
        """As the cluster's own list, from memory. Only what is shown is read."""
        with self._guard:
            slips = [line.slip for line in self._lines.values()]
            version = self.version
            found = page(slips, version, phase=phase, text=text, owner=owner, limit=limit, before=before)
            lines = [self._lines[one.name] for one in found.items]
        return ResourceList([line.read() for line in lines], version, found.more, found.next)

    # Following

    def _run(self) -> None:
        pause = _PAUSES[0]
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                if not self._goes():
                    self._become("absent")
                    self._empty()
                    self._stopped.wait(ABSENT_SECONDS)
                    continue
                at = self._load()
                self._become("ready")
                self._follow(at)
            except Gone:
                continue  # from a new list
            except Exception as error:
                known = error if isinstance(error, KubeflowError) else Unavailable(f"{self.kind}: {error}")
                self._become("away", known)
                pause = _PAUSES[0] if time.monotonic() - began > _PAUSES[1] else min(pause * 2, _PAUSES[1])
                self._stopped.wait(pause)
        self._become("over", Unavailable(f"{self.cluster.access.name} is no longer followed"))

    def _become(self, state: State, error: KubeflowError | None = None) -> None:
        with self._guard:
            self._state, self._error = state, error
            self._guard.notify_all()

    def _load(self) -> int:
        """Fetch everything, and tell what is not as it was known."""
        listed = self.cluster.list(self.kind, summary=True)
        self.lists += 1
        shaped = [self._shape(resource) for resource in listed]
        fresh = {resource.name: resource for resource in shaped if resource is not None}
        with self._guard:
            before = self._lines
            self._lines = {name: _Line.of(resource) for name, resource in fresh.items()}
            self.version = max(self.version, listed.resource_version)
            first = self._state == "loading"
        if first:
            return listed.resource_version
        for name, resource in fresh.items():
            old = before.get(name)
            if old is None or old.slip.uid != resource.uid:
                self._changed("ADDED", resource)
            elif old.slip.resource_version != resource.resource_version:
                self._changed("MODIFIED", resource)
        for name, line in before.items():
            if name not in fresh:
                self._gone(line)
        return listed.resource_version

    def _gone(self, line: _Line) -> None:
        """Tell the end of what went unseen: at the version of now, so that it is newer than all that was told."""
        self._changed("DELETED", line.read().with_(resource_version=self.version))

    def _empty(self) -> None:
        with self._guard:
            before, self._lines = self._lines, {}
        for line in before.values():
            self._gone(line)

    def _follow(self, at: int) -> None:
        """Take changes in until it is stopped, or nobody asks any more."""
        since: int | str = at
        while not self._stopped.is_set():
            if time.monotonic() - self._asked > LEASE_SECONDS:
                self._stopped.set()
                return
            for event in self.cluster.watch(since, [self.kind], _LOOK, stop=self._stopped, summary=True):
                since = event.position
                self._take(event)

    def _take(self, event: WatchEvent) -> None:
        resource = self._shape(event.resource)
        if resource is None:
            return
        with self._guard:
            if event.type == "DELETED":
                self._lines.pop(resource.name, None)
            else:
                self._lines[resource.name] = _Line.of(resource)
            self.version = max(self.version, resource.resource_version)
        self._changed(event.type, resource)


class Mirrors:
    """The mirrors of the cluster that is used, each begun when somebody first asks for its kind."""

    def __init__(
        self, changed: Change | None = None, chosen: Callable[[KubeCluster | None], None] | None = None,
        shape: Shape | None = None,
    ) -> None:  # fmt: skip
        self._changed, self._chosen, self._shape = changed, chosen, shape
        self._cluster: KubeCluster | None = None
        self._known = False
        self._mirrors: dict[str, Mirror] = {}
        self._guard = threading.Lock()

    def cluster(self) -> KubeCluster | None:
        """The cluster that is used now. When it is another than before, the old one is followed no more.

        Raises Unavailable, Invalid where what was chosen is not there.
        """
        from jupyter_ext.cluster import discover

        found = discover.remote()
        with self._guard:
            if found is self._cluster and self._known:
                return found
            other, self._known = self._known, True
            self._cluster, old, self._mirrors = found, self._mirrors, {}
        for mirror in old.values():
            mirror.stop()
        if other and self._chosen is not None:
            self._chosen(found)
        return found

    def of(self, kind: str) -> Mirror | None:
        """The mirror of a kind, where the cluster that is used keeps it; None for this machine."""
        from jupyter_ext.cluster import discover

        cluster = self.cluster()
        if cluster is None or kind not in discover.CAPABILITY:
            return None
        with self._guard:
            found = self._mirrors.get(kind)
            if found is None or found.is_over:
                goes = self._goes(cluster, kind)
                found = Mirror(
                    cluster, kind, changed=self._told(cluster), goes=goes, shape=self._shape
                ).start()
                self._mirrors[kind] = found
        return found if found.shows() else None

    def has(self, kind: str) -> bool:
        """Whether the kind is shown from the cluster now; nothing is asked, nothing begun."""
        found = self._mirrors.get(kind)
        return found is not None and found.is_there

    def stop(self) -> None:
        """Follow nothing any more."""
        with self._guard:
            old, self._mirrors, self._cluster, self._known = self._mirrors, {}, None, False
        for mirror in old.values():
            mirror.stop()

    def _goes(self, cluster: KubeCluster, kind: str) -> Callable[[], bool]:
        from jupyter_ext.cluster import discover

        return lambda: discover.holder(kind) is cluster

    def _told(self, cluster: KubeCluster) -> Change:
        """Changes of a cluster that is no longer used are nobody's."""

        def tell(change: str, resource: Resource) -> None:
            if self._changed is not None and self._cluster is cluster:
                self._changed(change, resource)

        return tell
