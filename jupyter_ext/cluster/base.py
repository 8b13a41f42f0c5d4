"""What a cluster is to everything above it: the place where resources live and are reconciled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from jupyter_ext.cluster.resource import Resource


@dataclass(frozen=True)
class Capability:
    """Whether a cluster can do one thing, and why not or how."""

    available: bool
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True)
class ResourceList:
    """Resources, newest first. ``resource_version`` is where a watch goes on from this list."""

    items: list[Resource]
    resource_version: int
    more: bool = False
    next: int | None = None
    """What to pass as ``before`` for the following page."""

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class WatchEvent:
    """A change of one resource.

    Changes that follow each other quickly may arrive as one, in the last state; what was created and deleted
    meanwhile arrives as DELETED only.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: Resource


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource and is worth telling."""

    time: str
    type: str
    reason: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """JSON form."""
        return {"time": self.time, "type": self.type, "reason": self.reason, "message": self.message}


class Cluster(Protocol):
    """Where resources live. Names are unique for each kind; errors are those of ``jupyter_ext.errors``."""

    @property
    def name(self) -> str:
        """For people: which cluster this is."""

    @property
    def kind(self) -> str:
        """``local`` or ``kubernetes``."""

    @property
    def namespace(self) -> str:
        """Where resources without a namespace go."""

    def apply(self, resource: Resource) -> Resource:
        """Create the resource, or give an existing one this spec, labels and annotations."""

    def get(self, kind: str, name: str) -> Resource:
        """Raises NotFound."""

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
    ) -> ResourceList:
        """Newest first."""

    def watch(
        self,
        since: int = 0,
        kinds: Iterable[str] | None = None,
        timeout: float | None = None,
        *,
        stop: threading.Event | None = None,
        summary: bool = False,
    ) -> Iterator[WatchEvent]:
        """Changes after ``since``. Raises Gone when that is too long ago."""

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> Resource:
        """Apply a JSON merge patch (RFC 7386) to metadata's labels and annotations, spec and status."""

    def delete(self, kind: str, name: str) -> Resource:
        """Stop what belongs to the resource, remove it and return its last state."""

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
        """What the resource, or one part of it such as a step, has printed."""

    def events(self, kind: str, name: str) -> Sequence[Event]:
        """Oldest first."""

    def capabilities(self) -> Mapping[str, Capability]:
        """What this cluster can do."""
