"""What runs, waits, failed and was done lately, of every kind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.kinds import ROWS

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

ACTIVE: Final = ("PENDING", "RUNNING", "CANCELING")
SCHEDULES: Final = frozenset({"RecurringRun", "ScheduledSparkApplication"})
MOST: Final = 20
"""Rows of each list."""
_LOOKED_AT: Final = 60
"""Of each kind: some belong to others, which speak for them."""
_COUNTED: Final = 10_000
_DAY: Final = timedelta(days=1)


def of(cluster: Any) -> dict[str, Any]:
    """``active``, ``failed`` (of the last day) and ``recent`` as rows, newest first; ``counts`` by kind and phase."""
    cluster = cluster if cluster.kind == "local" else _Once(cluster)
    kinds = [row.kind for row in ROWS if not (row.hidden or row.serves or row.kind in SCHEDULES)]
    counts = _counts(cluster, kinds)
    there = [kind for kind in kinds if counts.get(kind)]
    since = (datetime.now(UTC) - _DAY).isoformat()
    active = _rows(
        cluster, [kind for kind in there if any(counts[kind].get(phase) for phase in ACTIVE)], ACTIVE
    )
    failed = _rows(cluster, [kind for kind in there if counts[kind].get("FAILED")], ("FAILED",))
    late = [item for item in failed if (item.status.get("completionTime") or item.created) >= since[:19]]
    return {
        "active": [row(item) for item in active[:MOST]],
        "failed": [row(item) for item in late[:MOST]],
        "recent": [row(item) for item in _rows(cluster, there, None)[:MOST]],
        "counts": counts,
        "schedules": _schedules(cluster),
    }


def row(resource: Resource) -> dict[str, Any]:
    """One line of a list."""
    status = resource.status
    found = {
        "kind": resource.kind,
        "name": resource.name,
        "title": resource.title,
        "phase": resource.phase,
        "reason": resource.reason or None,
        "created": resource.created,
    }
    more = ("progress", "startTime", "completionTime", "seconds")
    return found | {name: status[name] for name in more if status.get(name) is not None}


def listed(cluster: Any, kind: str, **how: Any) -> Iterable[Resource]:
    """The summaries of a kind; of a cluster that has no such kind, or does not let one see it, none: components say why."""
    try:
        found: Iterable[Resource] = home_of(cluster, kind).list(kind, summary=True, **how)
    except KubeflowError:
        if cluster.kind == "local":
            raise
        return ()
    return found


def home_of(cluster: Any, kind: str) -> Any:
    """Which cluster keeps the resources of a kind: beside a Kubernetes cluster this machine has the others."""
    from jupyter_ext.cluster import discover

    if cluster.kind == "local" or (kind in discover.CAPABILITY and cluster.has(kind)):
        return cluster
    return discover.current()


class _Once:
    """A Kubernetes cluster of which each kind is listed once, however often it is looked at for one page."""

    kind: Final = "kubernetes"

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._lists: dict[str, list[Resource]] = {}

    def has(self, kind: str) -> bool:
        """Whether it has the kind."""
        return bool(self._cluster.has(kind))

    def list(
        self, kind: str, *, phase: str | Iterable[str] | None = None, limit: int | None = None, **how: Any
    ) -> list[Resource]:
        """The newest first."""
        if kind not in self._lists:
            self._lists[kind] = list(self._cluster.list(kind, **how))
        phases = {phase} if isinstance(phase, str) else None if phase is None else {*phase}
        return [item for item in self._lists[kind] if phases is None or item.phase in phases][:limit]


def _rows(cluster: Any, kinds: Iterable[str], phases: tuple[str, ...] | None) -> list[Resource]:
    found = [
        item
        for kind in kinds
        for item in listed(cluster, kind, phase=phases, limit=_LOOKED_AT)
        if not item.owner
    ]
    return sorted(found, key=lambda item: item.created, reverse=True)


def _counts(cluster: Any, kinds: list[str]) -> dict[str, dict[str, int]]:
    """How many there are of each kind in each phase, without those that belong to others."""
    if cluster.kind == "local":
        return _counted_here(cluster, kinds)
    here = [kind for kind in kinds if _is_here(cluster, kind)]
    found = _counted_here(home_of(cluster, here[0]), here) if here else {}
    for kind in kinds:
        if kind in here:
            continue
        for item in listed(cluster, kind, limit=_COUNTED):
            if not item.owner:
                phases = found.setdefault(kind, {})
                phases[item.phase] = phases.get(item.phase, 0) + 1
    return found


def _is_here(cluster: Any, kind: str) -> bool:
    try:
        return getattr(home_of(cluster, kind), "kind", "") == "local"
    except KubeflowError:
        return False


def _counted_here(cluster: Any, kinds: list[str]) -> dict[str, dict[str, int]]:
    with cluster.store.reading() as connection:
        counted = connection.execute(
            "SELECT kind, phase, COUNT(*) FROM resources WHERE namespace = ? AND owner IS NULL GROUP BY kind, phase",
            (cluster.namespace,),
        ).fetchall()
    found: dict[str, dict[str, int]] = {}
    for kind, phase, number in counted:
        if kind in kinds:
            found.setdefault(kind, {})[phase] = number
    return found


def _schedules(cluster: Any) -> list[dict[str, Any]]:
    """Each schedule with its next time."""
    return [
        row(item) | {"next": item.status.get("nextTime") or item.status.get("nextRun")}
        for kind in sorted(SCHEDULES)
        if any(each.kind == kind for each in ROWS)
        for item in listed(cluster, kind, limit=MOST)
    ]
