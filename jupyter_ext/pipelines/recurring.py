"""Schedules: a notebook, or a compiled pipeline, that runs by the clock. The resource is a ``RecurringRun``, as upstream calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import schedule as clockwork
from jupyter_ext.cluster.resource import Resource, make_name, valid_name
from jupyter_ext.errors import Conflict, Invalid, Where
from jupyter_ext.pipelines import graph, parameters
from jupyter_ext.pipelines import notebook as notebooks
from jupyter_ext.pipelines.compiled import submit as compiled
from jupyter_ext.pipelines.compiled.reading import is_compiled
from jupyter_ext.pipelines.handle import Run
from jupyter_ext.pipelines.submit import require_fit, submit

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.kfp.schedules import Schedules

KIND = "RecurringRun"
CONTROLLER = "jupyter_ext.pipelines.recurring:reconcile"


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
    """Run a notebook or a compiled pipeline by the clock: ``cron`` has five fields, or six with seconds first as in KFP.

    The file is read anew each time. Raises Invalid for a bad expression, time zone, notebook or parameter,
    Conflict if there is a schedule of that name.
    """
    if (there := _elsewhere()) is not None:
        return there.schedule(
            path, cron, name=name, given={**(parameters or {}), **more}, timezone=timezone, enabled=enabled,
            max_concurrency=max_concurrency, catchup=catchup,
        )  # fmt: skip
    cluster = _cluster()
    values = {**(parameters or {}), **more}
    full = Path(path).expanduser().resolve()
    _ = clockwork.first(cron, timezone, datetime.now(UTC))
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
    here = list(_cluster().list(KIND).items)
    there = _elsewhere()
    return (
        here
        if there is None
        else sorted([*here, *there.schedules()], key=lambda one: one.created, reverse=True)
    )


def schedule_set(name: str, *, enabled: bool) -> Resource:
    """Pause a schedule or let it go on; times missed while paused are left out."""
    if (there := _elsewhere()) is not None and there.has_schedule(name):
        return there.schedule_set(name, enabled=enabled)
    cluster = _cluster()

    def change(found: Resource) -> Resource:
        spec = {**found.spec, "enabled": enabled}
        return found.with_(spec=spec, status=clockwork.anew(found))

    found = cluster.store.update(KIND, name, change)
    clockwork.wake(cluster, found)
    return found


def schedule_run(name: str) -> Run:
    """Run it now, beside its times."""
    if (there := _elsewhere()) is not None and there.has_schedule(name):
        return there.schedule_run(name)
    cluster = _cluster()
    return _fire(cluster, cluster.get(KIND, name), None)


def schedule_delete(name: str) -> None:
    """Remove the schedule; runs that it made stay."""
    from jupyter_ext.cluster.local import workload

    if (there := _elsewhere()) is not None and there.has_schedule(name):
        there.schedule_delete(name)
        return
    cluster = _cluster()
    found = cluster.get(KIND, name)
    cluster.delete(KIND, name)
    workload.stop(cluster, found.uid, grace=2)


def tick(cluster: LocalCluster) -> None:
    """Start processes of schedules (and runs) that should be there and are not; cheap."""
    from jupyter_ext.cluster.local.workload import sweep

    sweep(cluster)


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """The entry point of a schedule's process."""
    clockwork.reconcile(Notebook(), cluster, resource, stop)


class Notebook(clockwork.Schedule):
    """A schedule that runs a notebook."""

    kind = KIND

    def terms(self, found: Resource) -> clockwork.Terms:
        """What it asks for."""
        spec = found.spec
        return clockwork.Terms(
            spec["cron"], spec["timezone"], spec["enabled"], spec["maxConcurrency"], catchup=spec["catchup"]
        )

    def active(self, cluster: LocalCluster, found: Resource) -> list[Resource]:
        """Its runs that go on."""
        trigger = f"schedule:{found.name}"
        waiting = [
            r for phase in ("PENDING", "RUNNING", "CANCELING") for r in cluster.list("Run", phase=phase).items
        ]
        return [resource for resource in waiting if resource.spec.get("trigger") == trigger]

    def fire(self, cluster: LocalCluster, found: Resource, due: datetime | None) -> str:
        """Start a run."""
        return _fire(cluster, found, due).name

    def words(self, fields: dict[str, Any]) -> dict[str, Any]:
        """``lastRun`` is the name of a run."""
        name = fields.pop("started", None)
        return {**fields, "lastRun": name} if name else fields


def _fire(cluster: LocalCluster, found: Resource, due: datetime | None) -> Run:
    name = f"{found.name[:45]}-{clockwork.stamp(due)}" if due is not None else None
    start = compiled.submit if is_compiled(found.spec["path"]) else submit
    try:
        made = start(
            cluster, found.spec["path"], None, found.spec["parameters"], {"cache": True},
            trigger=f"schedule:{found.name}", name=name,
        )  # fmt: skip
    except Conflict:
        return Run(str(name), cluster)
    return Run(made.name, cluster)


def _require_runnable(cluster: LocalCluster, path: Path, values: Mapping[str, object]) -> None:
    if is_compiled(path):
        compiled.prepare(cluster, path, None, values, {})
        return
    pipeline = graph.analyse(notebooks.read(path))
    pipeline.require_valid()
    parameters.bind(pipeline, dict(values))
    require_fit(cluster, pipeline)


def _cluster() -> LocalCluster:
    return discover.current()


def _elsewhere() -> Schedules | None:
    """The Kubeflow Pipelines server that keeps schedules; None for this machine."""
    from jupyter_ext.pipelines.kfp.place import server

    found = server()
    if found is None:
        return None
    from jupyter_ext.pipelines.kfp.schedules import Schedules

    return Schedules(found)
