"""Batches by the clock: ``ScheduledSparkApplication`` of the Spark operator, read, applied and run on this machine.

A schedule has a process of its own (``cluster.local.schedule``), which makes a ``SparkApplication`` of its template
whenever a time is due. Deleting the schedule lets its applications be.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.handle import Handle
from jupyter_ext.cluster.local import schedule as clockwork
from jupyter_ext.cluster.resource import Resource, make_name, new_uid, valid_name
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, Where
from jupyter_ext.spark import spec as names
from jupyter_ext.spark.describing import What, described, keyword
from jupyter_ext.spark.handle import Application, exported, newest, place
from jupyter_ext.spark.validation import validate
from jupyter_ext.training.containers import mapping, renamed, whole

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster

KIND: Final = "ScheduledSparkApplication"
CONTROLLER: Final = "jupyter_ext.spark.scheduling:reconcile"
LABEL: Final = "sparkoperator.k8s.io/scheduled-app-name"
"""On each application that a schedule made: the schedule's name, as the operator has it."""
Policy = Literal["Allow", "Forbid", "Replace"]
POLICIES: Final = ("Allow", "Forbid", "Replace")
_KEPT: Final = 1
"""Finished applications of each kind that are kept where the schedule does not say, as the operator does."""
_CARRIED: Final = (names.CODE, names.ENTRY, names.ARGS, names.ORIGIN)
_WORDS: Final = {"cron": "spec.schedule", "timezone": "spec.timeZone"}
_KEYWORDS: Final = {
    "spec.schedule": "cron",
    "spec.timeZone": "timezone",
    "spec.concurrencyPolicy": "concurrency",
    "spec.successfulRunHistoryLimit": "keep",
    "spec.failedRunHistoryLimit": "keep_failed",
    "spec.template": "spec",
}


class Schedule(Handle):
    """A schedule, by name. Its phase is RUNNING, PAUSED, or FAILED when it asks for what there is not."""

    _kind = KIND

    @property
    def runs(self) -> list[Application]:
        """The applications that it made and that are still there, the newest first."""
        found = self._cluster.list("SparkApplication", labels={LABEL: self.name}, summary=True)
        return [Application(each.name, self._cluster) for each in found]

    @property
    def next_run(self) -> datetime | None:
        """When the next one is due; None while it is suspended."""
        found = self.resource.status.get("nextRun")
        return datetime.fromisoformat(found) if found else None

    def suspend(self) -> None:
        """Start no more applications; those that run go on."""
        self._set(suspend=True)

    stop = suspend

    def resume(self) -> None:
        """Start applications again; times missed meanwhile are left out."""
        self._set(suspend=False)

    def _set(self, **fields: Any) -> None:
        _changed(self._cluster, self.name, lambda found: found.with_(spec={**found.spec, **fields}))

    def run(self) -> Application:
        """Start one now, beside its times."""
        return _fired(self._cluster, self.resource, None)

    def delete(self) -> None:
        """Remove it; its applications stay."""
        self._cluster.delete(self.kind, self.name)

    def export(self) -> str:
        """The resource as YAML. Raises Conflict where its code is a snapshot, which no cluster has."""
        return exported(self.resource)


def schedule(
    what: What,
    cron: str,
    *,
    name: str | None = None,
    timezone: str | None = None,
    concurrency: Policy = "Allow",
    suspend: bool = False,
    keep: int = _KEPT,
    keep_failed: int = _KEPT,
    **options: Any,
) -> Schedule:
    """Submit a function, a file or the source of a cell by the clock: ``cron`` has five fields, or is ``@every 1h``.

    A function or a cell runs as it is now, a file too. ``concurrency`` says what happens when one still runs: Allow
    starts another, Forbid waits for its end, Replace stops it. ``keep`` and ``keep_failed``: so many applications that
    have ended are kept. ``options`` are those of ``submit``. Raises as ``submit`` does.
    """
    application = described(what, **options)
    spec = {
        "schedule": cron,
        **({"timeZone": timezone} if timezone else {}),
        "concurrencyPolicy": concurrency,
        "suspend": suspend,
        "successfulRunHistoryLimit": keep,
        "failedRunHistoryLimit": keep_failed,
        "template": application.spec,
    }
    made = valid_name(name) if name else make_name(application.name.rpartition("-")[0] or "schedule")
    noted = {"labels": application.labels, "annotations": application.annotations}
    try:
        return submit_schedule(Resource.new(KIND, made, spec, **noted))
    except KubeflowError as error:
        raise spoken(error) from error


def examine_schedule(what: What, cron: str, **options: Any) -> None:
    """Refuse what ``schedule`` would refuse; nothing is created or kept."""
    own = ("name", "timezone", "concurrency", "suspend", "keep", "keep_failed")
    said = {word: options.pop(word) for word in own if word in options}
    cluster = discover.current()
    if said.get("name") and place() is None and cluster.store.find(KIND, said["name"]) is not None:
        raise _taken(said["name"])
    application = described(what, **options, store=False)
    spec = {
        "schedule": cron,
        **({"timeZone": said["timezone"]} if said.get("timezone") else {}),
        "concurrencyPolicy": said.get("concurrency", "Allow"),
        "template": application.spec,
    }
    try:
        check_schedule(Resource.new(KIND, said.get("name") or "x", spec, annotations=application.annotations))
    except KubeflowError as error:
        raise spoken(error) from error


def spoken(error: KubeflowError) -> KubeflowError:
    """The error with the keyword of ``schedule`` in the place of the resource's field."""
    return keyword(renamed(error, _KEYWORDS))


def schedule_of(name: str) -> Schedule:
    """The schedule of that name, of the cluster that is used or else of this machine; raises NotFound."""
    from jupyter_ext.cluster.kube.handle import there
    from jupyter_ext.spark import kube_schedule

    if (found := there("spark", lambda cluster: kube_schedule.get(cluster, name))) is not None:
        return found
    here = Schedule(name)
    _ = here.resource
    return here


def schedules(limit: int = 50) -> list[Schedule]:
    """The newest schedules first: of this machine, and of the Kubernetes cluster that is used."""
    from jupyter_ext.spark import kube_schedule

    cluster = discover.current()
    found = [
        (each.created, Schedule(each.name, cluster)) for each in cluster.list(KIND, limit=limit, summary=True)
    ]
    if (there := place()) is not None:
        found += kube_schedule.schedules(there, limit)
    return newest(found, limit)


# The resource


def submit_schedule(resource: Resource) -> Schedule:
    """Check a ScheduledSparkApplication, create it and start its process. Raises as ``check_schedule``, and Conflict."""
    from jupyter_ext.cluster.local import workload
    from jupyter_ext.spark.local import paths

    if (there := place()) is not None:
        from jupyter_ext.spark import kube_schedule

        return kube_schedule.submit(there, resource)
    cluster = discover.current()
    check_schedule(resource)
    if cluster.store.find(KIND, resource.name) is not None:
        raise _taken(resource.name)
    status = {"phase": "PENDING", "reason": "Starting."}
    made = resource.with_(uid=resource.uid or new_uid(), namespace=cluster.namespace, status=status)
    workload.submit(cluster, made, CONTROLLER, "OnFailure", env=paths())
    return Schedule(made.name, cluster)


def _taken(name: str) -> Conflict:
    return Conflict(f"{KIND} {name} exists already", where=Where(field="name"), hint="Choose another name.")


def check_schedule(resource: Resource) -> None:
    """Refuse what would be refused, without starting anything. Raises Invalid, NotFound, Unfit and Unavailable."""
    from jupyter_ext.spark.submission import check

    if (there := place()) is not None:
        from jupyter_ext.spark import kube_schedule

        kube_schedule.check(there, resource)
        return
    checked_terms(resource)
    try:
        check(application_of(resource, resource.name))
    except KubeflowError as error:
        raise renamed(error, {"spec": "spec.template"}) from error


def checked_terms(resource: Resource) -> None:
    """Raise Invalid for times, limits and policies that there are not."""
    validate(resource)
    terms = terms_of(resource)
    try:
        clockwork.first(terms.expression, terms.timezone, datetime.now(UTC))
    except KubeflowError as error:
        raise renamed(error, _WORDS) from error
    for field in ("successfulRunHistoryLimit", "failedRunHistoryLimit"):
        _limit(resource, field)


def update_schedule(resource: Resource, *, dry: bool = False) -> Resource:
    """Give a schedule that exists this spec; what runs goes on as it was. Raises as ``check_schedule`` does."""
    if (there := place()) is not None:
        from jupyter_ext.spark import kube_schedule

        return kube_schedule.update(there, resource, dry=dry)
    check_schedule(resource)
    cluster = discover.current()
    if dry:
        return cluster.get(KIND, resource.name)
    asked = {"spec": resource.spec, "labels": resource.labels, "annotations": resource.annotations}
    return _changed(cluster, resource.name, lambda found: found.with_(**asked))


def _changed(cluster: LocalCluster, name: str, change: Any) -> Resource:
    """Write a change, and see to it that a process looks at it."""

    def write(found: Resource) -> Resource:
        return change(found).with_(status=clockwork.anew(found))  # type: ignore[no-any-return]

    found = cluster.store.update(KIND, name, write)
    clockwork.wake(cluster, found)
    return found


def terms_of(resource: Resource) -> clockwork.Terms:
    """When it is to run. Raises Invalid for a policy that there is not."""
    spec = resource.spec
    policy = str(spec.get("concurrencyPolicy") or "Allow")
    if policy not in POLICIES:
        hint = f"Choose {', '.join(POLICIES)}."
        raise Invalid(f"{policy!r} is no policy", where=Where(field="spec.concurrencyPolicy"), hint=hint)
    zone = str(spec.get("timeZone") or "")
    expression, zone = _zoned(str(spec.get("schedule") or "").strip(), zone)
    return clockwork.Terms(
        expression,
        None if zone in {"", "Local"} else zone,
        not spec.get("suspend"),
        1 if policy == "Forbid" else None,
        replaces=policy == "Replace",
    )


def _zoned(expression: str, zone: str) -> tuple[str, str]:
    """``CRON_TZ=Europe/Berlin 0 6 * * *`` has its zone in front, as the operator's reader takes it."""
    head, _, rest = expression.partition(" ")
    mark, equals, named = head.partition("=")
    return (rest.strip(), named) if equals and mark in {"CRON_TZ", "TZ"} else (expression, zone)


def _limit(resource: Resource, field: str) -> int:
    given = resource.spec.get(field)
    return _KEPT if given is None else whole(given, f"spec.{field}")


def application_of(found: Resource, name: str) -> Resource:
    """What a schedule makes when a time is due."""
    carried = {key: found.annotations[key] for key in _CARRIED if key in found.annotations}
    template = dict(mapping(found.spec.get("template"), "spec.template"))
    labels = {**found.labels, LABEL: found.name}
    return Resource.new("SparkApplication", name, template, labels=labels, annotations=carried)


# Its process


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """The entry point of a schedule's process."""
    clockwork.reconcile(Batches(), cluster, resource, stop)


class Batches(clockwork.Schedule):
    """A schedule that makes applications."""

    kind = KIND

    def terms(self, found: Resource) -> clockwork.Terms:
        """What it asks for."""
        return terms_of(found)

    def active(self, cluster: LocalCluster, found: Resource) -> list[Resource]:
        """Its applications that go on."""
        phases = ("PENDING", "RUNNING", "CANCELING")
        return list(
            cluster.list("SparkApplication", labels={LABEL: found.name}, phase=phases, summary=True).items
        )

    def fire(self, cluster: LocalCluster, found: Resource, due: datetime | None) -> str:
        """Start one."""
        return _fired(cluster, found, due).name

    def aftercare(self, cluster: LocalCluster, found: Resource) -> dict[str, Any]:
        """Remove the oldest of those that have ended, down to what the schedule keeps."""
        told: dict[str, Any] = {}
        for field, limit, phases in (
            ("pastSuccessfulRunNames", "successfulRunHistoryLimit", ("SUCCEEDED",)),
            ("pastFailedRunNames", "failedRunHistoryLimit", ("FAILED", "CANCELED")),
        ):
            ended = cluster.list("SparkApplication", labels={LABEL: found.name}, phase=phases, summary=True)
            kept = _limit(found, limit)
            for each in ended.items[kept:]:
                cluster.delete(each.kind, each.name)
            told[field] = [each.name for each in ended.items[:kept]]
        return told

    def words(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The operator's own names beside ours."""
        name = fields.pop("started", None)
        if name:
            fields |= {"lastRun": fields["lastTime"], "lastRunName": name}
        if "nextTime" in fields:
            fields["nextRun"] = fields["nextTime"]
        failed = fields.get("phase") == "FAILED"
        return {**fields, "scheduleState": "FailedValidation" if failed else "Scheduled"}


def _fired(cluster: LocalCluster, found: Resource, due: datetime | None) -> Application:
    from jupyter_ext.spark.submission import submit_resource

    made = f"{found.name[:45]}-{clockwork.stamp(due)}" if due is not None else make_name(found.name[:45])
    try:
        return submit_resource(application_of(found, made), alone=True)
    except Conflict:
        return Application(made, cluster)
