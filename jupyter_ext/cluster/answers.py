"""What a cluster answers with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jupyter_ext.cluster.resource import Resource


class Capability(NamedTuple):
    """Whether a cluster can do one thing, and why not or how."""

    available: bool
    reason: str = ""
    degraded: bool = False
    """Available in part: ``reason`` says what does not go."""

    @property
    def state(self) -> str:
        """``available``, ``degraded`` or ``missing``."""
        return "missing" if not self.available else "degraded" if self.degraded else "available"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return self._asdict()


@dataclass(frozen=True)
class ResourceList:
    """Resources, newest first. ``resource_version`` is where a watch goes on from this list."""

    items: list[Resource]
    resource_version: int
    more: bool = False
    next: int | str | None = None
    """What to pass as ``before`` for the following page."""

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class WatchEvent(NamedTuple):
    """A change of one resource.

    Changes that follow each other quickly may arrive as one, in the last state; what was created and deleted
    meanwhile arrives as DELETED only.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: Resource
    at: int | str | None = None

    @property
    def position(self) -> int | str:
        """What to pass as ``since`` to go on after this change.

        It is the resource's version where one counter orders all kinds. A Kubernetes cluster tells of each kind by
        itself, so there the position in several is a text that only the cluster reads.
        """
        return self.resource.resource_version if self.at is None else self.at


class Event(NamedTuple):
    """Something that happened to a resource and is worth telling."""

    time: str
    type: str
    reason: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """JSON form."""
        return self._asdict()
