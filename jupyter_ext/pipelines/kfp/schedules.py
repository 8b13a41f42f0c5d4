"""Schedules that a Kubeflow Pipelines server keeps: its recurring runs, in the form of those of this machine.

The server keeps the pipeline as it is when the schedule is made; its clock is in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local import schedule as clockwork
from jupyter_ext.cluster.resource import Resource, make_name, valid_name
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unfit, Where
from jupyter_ext.pipelines.kfp import starting
from jupyter_ext.pipelines.kfp.handle import KfpRun

if TYPE_CHECKING:
    from jupyter_ext.pipelines.kfp.server import Json, Server

MOST: Final = 10
"""Runs at a time: more the server refuses."""
_UTC: Final = frozenset({None, "", "UTC", "Etc/UTC", "GMT", "Z"})


class Schedules:
    """The doors of ``jupyter_ext.pipelines.recurring`` where a server keeps them."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def schedule(
        self, path: str | Path, cron: str, *, name: str | None = None, given: Mapping[str, object] | None = None,
        timezone: str | None = None, enabled: bool = True, max_concurrency: int = 1, catchup: bool = False,
    ) -> Resource:  # fmt: skip
        """Make one. Raises Invalid for a bad expression or pipeline, Unfit for what the server has no word for, Conflict."""
        _ = clockwork.first(cron, None, datetime.now(UTC))
        if timezone not in _UTC:
            raise Unfit(
                f"Kubeflow Pipelines' clock is in UTC, and not in {timezone}",
                where=Where(field="timezone"),
                hint="Give the hours in UTC and no time zone, or schedule it here: kf.cluster.use('local').",
            )
        if not 1 <= max_concurrency <= MOST:
            raise Invalid(
                f"From 1 to {MOST} runs may be allowed at a time", where=Where(field="maxConcurrency")
            )
        found = starting.source(path, None, given or {}, {})
        title = valid_name(name) if name else make_name(starting.slug(found.name))
        if name and self.has_schedule(title):
            raise Conflict(
                f"There is a schedule {title!r} already", hint="Choose another name, or delete it first."
            )
        told = {
            "display_name": title,
            "description": f"{found.title}, from {Path(path).name}.",
            **starting.body(self.server, found),
            "max_concurrency": str(max_concurrency),
            "no_catchup": not catchup,
            "trigger": {"cron_schedule": {"cron": six_fields(cron)}},
            "mode": "ENABLE" if enabled else "DISABLE",
            **({"namespace": self.server.namespace} if self.server.namespace else {}),
        }
        return resource(self.server, self.server.start_recurring(told))

    def has_schedule(self, name: str) -> bool:
        """Whether the server keeps it."""
        try:
            self.server.find_recurring(name)
        except NotFound:
            return False
        return True

    def schedules(self) -> list[Resource]:
        """Every one, the newest first."""
        return [resource(self.server, each) for each in self.server.all_recurring()]

    def schedule_set(self, name: str, *, enabled: bool) -> Resource:
        """Pause it, or let it go on. Raises NotFound."""
        identity = self._identity(name)
        self.server.enable_recurring(identity, enabled=enabled)
        return resource(self.server, self.server.recurring(identity))

    def schedule_run(self, name: str) -> KfpRun:
        """Run it now, beside its times. Raises NotFound."""
        found = self.server.find_recurring(name)
        kept = (
            "experiment_id",
            "runtime_config",
            "service_account",
            "pipeline_spec",
            "pipeline_version_reference",
        )
        again = {key: found[key] for key in kept if found.get(key)}
        run = self.server.start(
            {"display_name": make_name(starting.slug(str(found["display_name"]))), **again,
             "description": f"Of the schedule {found['display_name']}."}
        )  # fmt: skip
        return KfpRun.of(self.server, run)

    def schedule_delete(self, name: str) -> None:
        """Remove it; runs that it made stay. Raises NotFound."""
        self.server.delete_recurring(self._identity(name))

    def _identity(self, name: str) -> str:
        return str(self.server.find_recurring(name)["recurring_run_id"])


def six_fields(cron: str) -> str:
    """The server's expressions have seconds first."""
    fields = cron.split()
    return " ".join(fields if len(fields) == 6 else ["0", *fields])


def resource(server: Server, found: Json) -> Resource:
    """In the form of the schedules of this machine."""
    trigger = found.get("trigger") or {}
    cron = str((trigger.get("cron_schedule") or {}).get("cron") or "")
    every = (trigger.get("periodic_schedule") or {}).get("interval_second")
    enabled = found.get("status") != "DISABLED"
    spec: Json = {
        "displayName": found.get("display_name"),
        "description": str(found.get("description") or ""),
        "path": "",
        "cron": cron,
        "every": every,
        "timezone": None,
        "parameters": dict((found.get("runtime_config") or {}).get("parameters") or {}),
        "enabled": enabled,
        "maxConcurrency": int(found.get("max_concurrency") or 1),
        "catchup": not found.get("no_catchup"),
        "place": {"kind": "kfp", "server": server.address, "experiment": found.get("experiment_id")},
    }
    error = str((found.get("error") or {}).get("message") or "")
    status: Json = {"phase": "RUNNING" if enabled else "PAUSED", "reason": error}
    if error:
        status["phase"] = "FAILED"
    elif enabled and cron:
        status["nextTime"] = clockwork.first(cron, None, datetime.now(UTC)).isoformat()
    name = str(found.get("display_name") or found["recurring_run_id"])
    made = Resource.new("RecurringRun", name, spec, uid=str(found["recurring_run_id"]), status=status)
    return made.with_(created=str(found.get("created_at") or ""), namespace=str(found.get("namespace") or ""))
