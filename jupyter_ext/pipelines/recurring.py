"""Schedules: a notebook that runs by the clock.

A schedule is a resource (``RecurringRun``, as upstream calls it) with a process of its own that sleeps until
the next time is due. There is no daemon: whoever looks at the cluster first after a restart of the machine
starts the process again, and times missed meanwhile are left out unless the schedule says to catch up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import Resource, make_name, valid_name
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, Where
from jupyter_ext.pipelines import graph, parameters
from jupyter_ext.pipelines import notebook as notebooks
from jupyter_ext.pipelines.handle import Run
from jupyter_ext.pipelines.submit import require_fit, submit

if TYPE_CHECKING:
    import threading

    from cronsim import CronSim

    from jupyter_ext.cluster.local import LocalCluster

KIND = "RecurringRun"
CONTROLLER = "jupyter_ext.pipelines.recurring:reconcile"
LOOK_SECONDS = 1.0
"""How often a sleeping schedule looks whether it was paused, changed or deleted."""


def schedule(
    path: str | Path,
    cron: str,
    *,
    name: str | None = None,
    parameters: Mapping[str, object] | None = None,
    timezone: str | None = None,
    enabled: bool = True,
    max_concurrency: int = 1,
    catchup: bool = False,
    **more: object,
) -> Resource:
    """Run a notebook by the clock: ``cron`` has five fields, or six with seconds first as in KFP.

    The notebook is read anew each time. Raises Invalid for a bad expression, time zone, notebook or parameter,
    Conflict if there is a schedule of that name.
    """
    cluster = _cluster()
    values = {**(parameters or {}), **more}
    full = Path(path).expanduser().resolve()
    _ = times(cron, timezone, datetime.now(UTC))
    _require_runnable(cluster, full, values)
    if max_concurrency < 1:
        raise Invalid("At least one run must be allowed at a time", where=Where(field="maxConcurrency"))
    if name is not None and not valid_name(name):
        raise Invalid(
            f"{name!r} is no name", where=Where(field="name"), hint="Use small letters, digits and dashes."
        )
    spec = {
        "displayName": full.stem,
        "path": str(full),
        "cron": cron,
        "timezone": timezone,
        "parameters": dict(values),
        "enabled": enabled,
        "maxConcurrency": max_concurrency,
        "catchup": catchup,
    }
    title = name or make_name(re.sub(r"[^a-z0-9]+", "-", full.stem.lower()).strip("-")[:40] or "schedule")
    made = Resource.new(KIND, title, spec, namespace=cluster.namespace)
    return _start(cluster, replace(made, status={"phase": "PENDING", "reason": "Starting."}), full.parent)


def _start(cluster: LocalCluster, resource: Resource, folder: Path) -> Resource:
    from jupyter_ext.cluster.local.workload import submit as submit_workload

    return submit_workload(cluster, resource, CONTROLLER, restart="OnFailure", cwd=folder)


def schedules() -> list[Resource]:
    """Every schedule, the newest first."""
    return list(_cluster().list(KIND).items)


def schedule_set(name: str, *, enabled: bool) -> Resource:
    """Pause a schedule or let it go on; times missed while paused are left out."""
    cluster = _cluster()

    def change(found: Resource) -> Resource:
        spec = {**found.spec, "enabled": enabled}
        status = {**found.status, "lastTime": _text(datetime.now(UTC)), "nextTime": None}
        return found.with_(spec=spec, status=status)

    return cluster.store.update(KIND, name, change)


def schedule_run(name: str) -> Run:
    """Run it now, beside its times."""
    cluster = _cluster()
    return _fire(cluster, cluster.get(KIND, name), None)


def schedule_delete(name: str) -> None:
    """Remove the schedule; runs that it made stay."""
    from jupyter_ext.cluster.local import workload

    cluster = _cluster()
    found = cluster.get(KIND, name)
    cluster.delete(KIND, name)
    workload.stop(cluster, found.uid, grace=2)


def tick(cluster: LocalCluster) -> None:
    """Start processes of schedules (and runs) that should be there and are not; cheap."""
    from jupyter_ext.cluster.local.workload import sweep

    sweep(cluster)


def times(cron: str, timezone: str | None, after: datetime) -> CronSim:
    """The due times after ``after``; raises Invalid naming what is wrong with expression or zone."""
    from zoneinfo import ZoneInfo

    from cronsim import CronSim, CronSimError

    fields = cron.split()
    if len(fields) not in (5, 6):
        raise Invalid(
            f"A schedule has five fields (minute hour day month weekday), {cron!r} has {len(fields)}",
            where=Where(field="cron"),
            hint="For example 0 6 * * 1-5 is six o'clock on working days.",
        )
    if len(fields) == 6:
        if fields[0] not in ("0", "00"):
            raise Invalid(
                f"Seconds other than 0 are not kept, {cron!r} has {fields[0]!r}", where=Where(field="cron")
            )
        fields = fields[1:]
    try:
        zone = ZoneInfo(timezone) if timezone else datetime.now().astimezone().tzinfo
        return CronSim(" ".join("*" if field == "?" else field for field in fields), after.astimezone(zone))
    except CronSimError as error:
        raise Invalid(f"{cron!r} is no schedule: {error}", where=Where(field="cron")) from error
    except (KeyError, ValueError, OSError) as error:
        raise Invalid(
            f"There is no time zone {timezone!r}",
            where=Where(field="timezone"),
            hint="For example Europe/Berlin.",
        ) from error


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """The schedule's process: wait, run, wait again, until it is deleted."""
    while not stop.is_set():
        found = cluster.store.find(KIND, resource.name)
        if found is None or found.uid != resource.uid:
            return
        try:
            _look(cluster, found)
        except KubeflowError as error:
            _say(cluster, found, phase="FAILED" if found.spec["enabled"] else "PAUSED", reason=str(error))
        stop.wait(LOOK_SECONDS)


def _look(cluster: LocalCluster, found: Resource) -> None:
    now = datetime.now(UTC)
    if not found.spec["enabled"]:
        _say(cluster, found, phase="PAUSED", reason="Paused.", nextTime=None)
        return
    last = datetime.fromisoformat(found.status.get("lastTime") or found.created or _text(now))
    due = next(times(found.spec["cron"], found.spec["timezone"], last))
    if due > now:
        running = len(_active(cluster, found))
        reason = f"{running} running." if running else "Waiting for the next time."
        _say(cluster, found, phase="RUNNING", reason=reason, nextTime=_text(due), lastTime=_text(last))
        return
    if not found.spec["catchup"]:
        # Of several missed times only the latest is run.
        for later in times(found.spec["cron"], found.spec["timezone"], due):
            if later > now:
                break
            due = later
    active = _active(cluster, found)
    if len(active) >= found.spec["maxConcurrency"]:
        text = f"A time is due, but {active[0].name} is still running."
        _say(cluster, found, phase="RUNNING", reason=text)
        return
    try:
        made = _fire(cluster, found, due)
        _say(
            cluster, found, phase="RUNNING", reason="", lastTime=_text(due), lastRun=made.name, lastError=None
        )
    except KubeflowError as error:
        _say(cluster, found, phase="RUNNING", reason=f"The last time failed: {error}", lastTime=_text(due),
             lastError=str(error))  # fmt: skip


def _fire(cluster: LocalCluster, found: Resource, due: datetime | None) -> Run:
    # The name is made of the due time: two processes that both think it is due make one run.
    name = f"{found.name[:45]}-{due.astimezone(UTC):%Y%m%d%H%M}" if due is not None else None
    try:
        made = submit(
            cluster, found.spec["path"], None, found.spec["parameters"], {"cache": True},
            trigger=f"schedule:{found.name}", name=name,
        )  # fmt: skip
    except Conflict:
        return Run(str(name), cluster)
    return Run(made.name, cluster)


def _active(cluster: LocalCluster, found: Resource) -> list[Resource]:
    trigger = f"schedule:{found.name}"
    waiting = [
        r for phase in ("PENDING", "RUNNING", "CANCELING") for r in cluster.list("Run", phase=phase).items
    ]
    return [resource for resource in waiting if resource.spec.get("trigger") == trigger]


def _say(cluster: LocalCluster, found: Resource, **fields: Any) -> None:
    def write(current: Resource) -> Resource | None:
        status = {**current.status, **fields}
        return current.with_(status=status) if status != current.status else None

    if cluster.store.find(KIND, found.name) is not None:
        cluster.store.update(KIND, found.name, write)


def _require_runnable(cluster: LocalCluster, path: Path, values: Mapping[str, object]) -> None:
    pipeline = graph.analyse(notebooks.read(path))
    pipeline.require_valid()
    parameters.bind(pipeline, dict(values))
    require_fit(cluster, pipeline)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cluster() -> LocalCluster:
    return discover.current()
