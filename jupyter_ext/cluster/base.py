"""What a cluster is to everything above it: the place where resources live and are reconciled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from jupyter_ext.cluster.answers import Capability, Event, ResourceList, WatchEvent
from jupyter_ext.cluster.resource import Resource

__all__ = ["Capability", "Cluster", "Event", "ResourceList", "WatchEvent"]


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

    def resource_version(self) -> int:
        """The number of the last change; it grows with each.

        A number on Kubernetes too: an API server orders its custom resources by etcd's one counter, and says so
        (`Resource versions`, https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
        """

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
        owner: str | None = None,
    ) -> ResourceList:
        """Newest first; with ``owner`` those that belong to the resource of this UID."""

    def watch(
        self,
        since: int | str = 0,
        kinds: Iterable[str] | None = None,
        timeout: float | None = None,
        *,
        stop: threading.Event | None = None,
        summary: bool = False,
    ) -> Iterator[WatchEvent]:
        """Changes after ``since``: a list's ``resource_version``, or the ``position`` of the last change that was seen.

        From 0 everything that exists comes first, as ADDED. Raises Gone when that is too long ago.
        """

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> Resource:
        """Apply a JSON merge patch (RFC 7386) to metadata's labels and annotations, spec and status.

        With a ``metadata.resourceVersion``, raises Conflict if the resource was changed since.
        """

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
