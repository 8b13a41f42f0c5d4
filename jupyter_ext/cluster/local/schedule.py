"""Schedules, whatever they start: the times of an expression, and the life of a schedule's process.

A schedule is a resource with a process of its own that sleeps until the next time is due. There is no daemon: whoever
looks at the cluster first after a restart of the machine starts the process again, and times missed meanwhile are left
out unless the schedule says to catch up.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_ext.errors import Conflict, Invalid, KubeflowError, Where

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

LOOK_SECONDS: Final = 1.0
"""How often a sleeping schedule looks whether it was paused, changed or deleted."""
EVERY: Final = "@every"
# As robfig/cron names them, which KFP and the Spark operator read their schedules with.
_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_LONGEST: Final = 366 * 86400.0


@dataclass(frozen=True)
class Terms:
    """What a schedule asks for, whatever its resource calls it.

    ``at_once``: how many of its runs may go on at the same time, None for any number; ``replaces``: a run that is due
    ends those that still go on.
    """

    expression: str
    timezone: str | None = None
    enabled: bool = True
    at_once: int | None = 1
    replaces: bool = False
    catchup: bool = False


class Schedule(ABC):
    """One kind of schedule: what it asks for, and how it starts what it starts."""

    kind: ClassVar[str]

    @abstractmethod
    def terms(self, found: Resource) -> Terms:
        """What a resource asks for."""

    @abstractmethod
    def active(self, cluster: LocalCluster, found: Resource) -> list[Resource]:
        """What it started and has not ended."""

    @abstractmethod
    def fire(self, cluster: LocalCluster, found: Resource, due: datetime | None) -> str:
        """Start one for a due time, or now; gives its name. Twice for the same time is once."""

    def end(self, cluster: LocalCluster, running: Resource) -> None:
        """Stop one that is to be replaced."""
        from jupyter_ext.cluster.local import workload

        workload.stop(cluster, running.uid)

    def aftercare(self, cluster: LocalCluster, found: Resource) -> dict[str, Any]:
        """What is to be done at each look; gives fields of the status."""
        del cluster, found
        return {}

    def words(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of the status under the kind's own names too."""
        return fields


def reconcile(kind: Schedule, cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """The schedule's process: wait, run, wait again, until it is deleted."""
    while not stop.is_set():
        found = cluster.store.find(kind.kind, resource.name)
        if found is None or found.uid != resource.uid:
            return
        try:
            look(kind, cluster, found, datetime.now(UTC))
        except KubeflowError as error:
            say(
                kind, cluster, found, phase="FAILED" if _enabled(kind, found) else "PAUSED", reason=str(error)
            )
        stop.wait(LOOK_SECONDS)


def _enabled(kind: Schedule, found: Resource) -> bool:
    try:
        return kind.terms(found).enabled
    except KubeflowError:
        return True


def look(kind: Schedule, cluster: LocalCluster, found: Resource, now: datetime) -> None:
    """Do what is due for a schedule. Raises Invalid for one that asks for what there is not."""
    terms = kind.terms(found)
    care = kind.aftercare(cluster, found)
    if not terms.enabled:
        say(kind, cluster, found, phase="PAUSED", reason="Paused.", nextTime=None, **care)
        return
    last = datetime.fromisoformat(found.status.get("lastTime") or found.created or text(now))
    due = first(terms.expression, terms.timezone, last)
    if due > now:
        running = len(kind.active(cluster, found))
        reason = f"{running} running." if running else "Waiting for the next time."
        say(
            kind, cluster, found, phase="RUNNING", reason=reason, nextTime=text(due), lastTime=text(last), **care
        )  # fmt: skip
        return
    if not terms.catchup:
        due = _latest(terms, due, now)
    active = kind.active(cluster, found)
    if terms.replaces:
        for each in active:
            kind.end(cluster, each)
    elif terms.at_once is not None and len(active) >= terms.at_once:
        reason = f"A time is due, but {active[0].name} is still running."
        say(kind, cluster, found, phase="RUNNING", reason=reason, **care)
        return
    try:
        name = kind.fire(cluster, found, due)
    except KubeflowError as error:
        reason = f"The last time failed: {error}"
        say(
            kind, cluster, found, phase="RUNNING", reason=reason, lastTime=text(due), lastError=str(error), **care
        )  # fmt: skip
    else:
        say(
            kind, cluster, found, phase="RUNNING", reason="", lastTime=text(due), started=name, lastError=None, **care
        )  # fmt: skip


def _latest(terms: Terms, due: datetime, now: datetime) -> datetime:
    """Of several missed times only the latest is run."""
    if terms.expression.startswith(EVERY):
        step = every(terms.expression)
        return due + (now - due) // step * step
    for later in times(terms.expression, terms.timezone, due):
        if later > now:
            break
        due = later
    return due


def say(kind: Schedule, cluster: LocalCluster, found: Resource, **fields: Any) -> None:
    """Write fields of the status where they change something."""
    told = kind.words(fields)

    def write(current: Resource) -> Resource | None:
        status = {**current.status, **told}
        return current.with_(status=status) if status != current.status else None

    if cluster.store.find(kind.kind, found.name) is not None:
        cluster.store.update(kind.kind, found.name, write)


def anew(found: Resource) -> dict[str, Any]:
    """The status of a schedule that was paused, resumed or changed: times before now are left out."""
    now = text(datetime.now(UTC))
    return {**found.status, "phase": "PENDING", "reason": "", "lastTime": now, "nextTime": None}


def first(expression: str, timezone: str | None, after: datetime) -> datetime:
    """The first due time after ``after``; raises Invalid as ``times`` does, and for what never comes."""
    found = next(times(expression, timezone, after), None)
    if found is None:
        raise Invalid(f"{expression!r} never comes", where=Where(field="cron"), hint="Correct day and month.")
    return found


def wake(cluster: LocalCluster, found: Resource) -> None:
    """See to it that a schedule has its process: one that was lost while it was paused is not started again by itself."""
    from jupyter_ext.cluster.local import workload

    workload.sweep(cluster)
    if not workload.alive(cluster, found.uid):
        with suppress(Conflict):  # it is about to be there
            workload.restart(cluster, found.uid)


def times(expression: str, timezone: str | None, after: datetime) -> Iterator[datetime]:
    """The due times after ``after``; raises Invalid naming what is wrong with expression or zone.

    The expression has five fields, six with seconds first as in KFP, or is one of ``@daily`` and its like, or
    ``@every 1h30m``.
    """
    from zoneinfo import ZoneInfo

    from cronsim import CronSim, CronSimError

    try:
        zone = ZoneInfo(timezone) if timezone else datetime.now().astimezone().tzinfo
    except (KeyError, ValueError, OSError) as error:
        hint = "For example Europe/Berlin."
        raise Invalid(
            f"There is no time zone {timezone!r}", where=Where(field="timezone"), hint=hint
        ) from error
    if expression.startswith(EVERY):
        return _steps(every(expression), after.astimezone(zone))
    try:
        return CronSim(_five(expression), after.astimezone(zone))
    except CronSimError as error:
        raise Invalid(f"{expression!r} is no schedule: {error}", where=Where(field="cron")) from error


def _five(expression: str) -> str:
    """The five fields that an expression means."""
    where = Where(field="cron")
    if expression.startswith("@"):
        if expression.strip() not in _NAMED:
            hint = f"Known: {', '.join(_NAMED)}, {EVERY} 1h30m."
            raise Invalid(f"{expression!r} is no schedule", where=where, hint=hint)
        return _NAMED[expression.strip()]
    fields = expression.split()
    if len(fields) not in (5, 6):
        what = f"A schedule has five fields (minute hour day month weekday), {expression!r} has {len(fields)}"
        raise Invalid(what, where=where, hint="For example 0 6 * * 1-5 is six o'clock on working days.")
    if len(fields) == 6:
        if fields[0] not in ("0", "00"):
            what = f"Seconds other than 0 are not kept, {expression!r} has {fields[0]!r}"
            raise Invalid(what, where=where)
        fields = fields[1:]
    return " ".join("*" if field == "?" else field for field in fields)


def every(expression: str) -> timedelta:
    """The distance that ``@every 1h30m`` means, in whole seconds; raises Invalid."""
    word = expression.removeprefix(EVERY).strip()
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(ms|[hms])", word)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != word or not 1 <= seconds <= _LONGEST:
        what = f"{word!r} is no time between two runs"
        hint = f"For example {EVERY} 30m or {EVERY} 1h30m; at least 1s."
        raise Invalid(what, where=Where(field="cron"), hint=hint)
    return timedelta(seconds=int(seconds))


def _steps(step: timedelta, after: datetime) -> Iterator[datetime]:
    while True:
        after += step
        yield after


def text(moment: datetime) -> str:
    """A time as a status has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp(due: datetime) -> str:
    """A due time as the end of a name: two processes that both think it is due make one of that name."""
    moment = due.astimezone(UTC)
    return f"{moment:%Y%m%d%H%M%S}" if moment.second else f"{moment:%Y%m%d%H%M}"
