"""Trials that are training jobs: each a TrainJob (or a legacy job) of its own, which owns itself and leases for itself."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import TERMINAL, Resource
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.training.reporting import STOP
from jupyter_ext.training.spec import INSIDE, OWNER
from jupyter_ext.tuning.export import TUNED
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.status import EXPERIMENT_LABEL, assignments
from jupyter_ext.tuning.subject import Subject
from jupyter_ext.tuning.template import FIELD

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.cluster.local.metrics import Point
    from jupyter_ext.tuning.folder import Folder
    from jupyter_ext.tuning.space import Space, Value
    from jupyter_ext.tuning.spec import Plan

LOOK_SECONDS: Final = 0.1
_LARGEST_RESULT: Final = 1 << 16


class Children:
    """What trials that are resources of their own have in common: they are found by their owner, and followed."""

    leased = False
    keeps_points = False
    grace: float = 10.0
    verb = "reported"
    waiting = ""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> None:
        self._cluster, self._experiment, self._plan, self._folder = cluster, resource, plan, folder
        self._running: dict[int, tuple[Entry, str, str]] = {}
        self._failed: list[Ended] = []
        self._looked = 0.0

    def warm(self) -> None:
        """Nothing to load."""

    def files(self) -> list[int]:
        """Nothing to select on: the store is looked at."""
        return []

    def adopt(self, entry: Entry) -> Ended | bool:
        """A trial's child goes on without its experiment's controller."""
        for kind, name, _ in self._cluster.store.owned(entry.uid):
            self._running[entry.number] = (entry, kind, name)
            return True
        return False

    def follow(self, entry: Entry) -> None:
        """Nothing to open."""

    def start(self, entry: Entry, lease: Lease | None) -> None:
        """Create the child."""
        del lease
        try:
            kind, name = self._create(entry)
        except KubeflowError as error:
            self._failed.append(Ended(entry.number, "FAILED", str(error)))
            return
        self._running[entry.number] = (entry, kind, name)

    def _create(self, entry: Entry) -> tuple[str, str]:
        raise NotImplementedError

    def _ended(self, entry: Entry, child: Resource) -> Ended:
        raise NotImplementedError

    def poll(self) -> list[Ended]:
        """Children that have ended since the last look."""
        found, self._failed = self._failed, []
        moment = time.monotonic()
        if moment - self._looked < LOOK_SECONDS:
            return found
        self._looked = moment
        from jupyter_ext.cluster.local import workload

        workload.sweep(self._cluster)  # somebody has to look after a child whose process died
        for number, (entry, kind, name) in list(self._running.items()):
            child = self._cluster.store.find(kind, name)
            if child is None:
                del self._running[number]
                found.append(Ended(number, "CANCELED", f"Its {kind} was deleted."))
            elif child.phase in TERMINAL:
                del self._running[number]
                found.append(self._ended(entry, child))
        return found

    def lost(self) -> list[Entry]:
        """A child is never lost with the controller."""
        return []

    def read(self, entry: Entry, *, last: bool = False) -> list[Point]:
        """Nothing is reported on the way."""
        del entry, last
        return []

    def ask_to_stop(self, entry: Entry) -> None:
        """Leave the file that ``report`` looks for."""
        Path(self._folder.stop(entry)).touch()

    def kill(self, number: int) -> None:
        """Stop the child."""
        from jupyter_ext.cluster.local import workload

        if number in self._running:
            _, kind, name = self._running[number]
            child = self._cluster.store.find(kind, name)
            if child is not None:
                workload.stop(self._cluster, child.uid, wait=False)

    def forget(self, number: int) -> None:
        """What becomes of it is of no interest."""
        self._running.pop(number, None)

    def finished(self, entry: Entry, end: Ended) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """The children belong to the trials: they end with the experiment, and outlive its controller."""

    def labels(self) -> dict[str, str]:
        """What tells a child's experiment."""
        return {EXPERIMENT_LABEL: self._experiment.name}

    def noted(self, entry: Entry) -> dict[str, str]:
        """Annotations that tell a child's owner, and the lease that it may share."""
        found = {OWNER: f"Trial/{entry.name}"}
        inside = self._experiment.annotations.get(INSIDE)
        return {**found, INSIDE: inside} if inside else found


class Jobs(Children):
    """Trials that are jobs."""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> None:
        super().__init__(cluster, resource, plan, folder)
        self._cursors: dict[int, int] = {}
        self._uids: dict[int, str] = {}

    def _create(self, entry: Entry) -> tuple[str, str]:
        from jupyter_ext import training

        values = entry.suggestion.values
        resource = job_of(self._plan, entry.name, values, self._cluster.namespace)
        resource = resource.with_(
            labels={**resource.labels, **self.labels()},
            annotations={**resource.annotations, **self.noted(entry)},
            owner=entry.uid,
            spec=_with_stop(resource, self._folder.stop(entry)),
        )
        job = training.submit(resource)
        return resource.kind, job.name

    def read(self, entry: Entry, *, last: bool = False) -> list[Point]:
        """What its first rank has reported since the last look."""
        del last
        uid = self._uid(entry)
        if uid is None:
            return []
        page = self._cluster.metrics.read(uid, since=self._cursors.get(entry.number, 0))
        self._cursors[entry.number] = page.cursor
        return [p for p in page.points if p.rank <= 0 and not p.name.startswith("system/")]

    def _uid(self, entry: Entry) -> str | None:
        if entry.number not in self._uids:
            found = next(iter(self._cluster.store.owned(entry.uid)), None)
            if found is None:
                return None
            self._uids[entry.number] = found[2]
        return self._uids[entry.number]

    def _ended(self, entry: Entry, child: Resource) -> Ended:
        metrics = _returned(self._cluster, child, self._plan.objective.name)
        if child.phase == "SUCCEEDED":
            pruned = bool(entry.stopped) or any(
                r.get("reason") == "Pruned." for r in child.status.get("ranks", ())
            )
            if pruned:
                return Ended(entry.number, "PRUNED", entry.stopped or "It stopped itself early.", metrics)
            return Ended(entry.number, "SUCCEEDED", "", metrics)
        if entry.stopped:
            return Ended(entry.number, "PRUNED", entry.stopped, metrics)
        if child.phase == "CANCELED":
            return Ended(entry.number, "CANCELED", child.reason)
        error = child.status.get("error")
        return Ended(entry.number, "FAILED", child.reason, {}, {"error": error} if error else {})


def job_of(plan: Plan, name: str, values: Mapping[str, Value], namespace: str) -> Resource:
    """The job of one trial: the template with its parameters filled in, typed for code of ours."""
    from jupyter_ext.training.spec import ARGS, CODE

    texts = {item["name"]: item["value"] for item in assignments(plan.space, values)}
    filled = plan.template.filled(texts, name, namespace)
    metadata = {**(filled.get("metadata") or {}), "name": name}
    resource = Resource.from_dict({**filled, "metadata": metadata})
    if plan.template.code or CODE in resource.annotations:
        fixed = json.loads(resource.annotations.get(ARGS) or "{}")
        typed = {
            own: values[reference]
            for own, reference in plan.template.parameters.items()
            if reference in values
        }
        notes = {ARGS: json.dumps({**fixed, **typed})}
        notes |= {CODE: plan.template.code} if plan.template.code else {}
        resource = resource.with_(annotations={**resource.annotations, **notes})
    elif any(item.get("name") == TUNED for item in (resource.spec.get("trainer") or {}).get("env") or ()):
        # An exported one: its code travels in the command, and here is called as our own.
        resource = resource.with_(annotations={**resource.annotations, ARGS: json.dumps(dict(values))})
    return resource


def check_template(plan: Plan, namespace: str) -> None:
    """Raise what submitting a trial's job would raise, with the first values of the space."""
    from jupyter_ext import training

    values = {name: parameter.at(0.5) for name, parameter in plan.space.items()}
    try:
        training.check(job_of(plan, f"{plan.name}-0", values, namespace))
    except KubeflowError as error:
        field = error.where.field if error.where else None
        where = Where(field=f"{FIELD}.trialSpec{f'.{field}' if field else ''}")
        raise type(error)(error.what, where=where, hint=error.hint) from None


def _with_stop(resource: Resource, path: str) -> dict[str, Any]:
    """The spec of a TrainJob whose ranks look for the file that ends them early."""
    if resource.kind != "TrainJob":
        return resource.spec
    trainer = dict(resource.spec.get("trainer") or {})
    trainer["env"] = [*(trainer.get("env") or ()), {"name": STOP, "value": path}]
    return {**resource.spec, "trainer": trainer}


def _returned(cluster: LocalCluster, job: Resource, objective: str) -> dict[str, float]:
    """The metrics in what rank 0 returned, if it is small enough to be numbers."""
    import pickle

    from jupyter_ext.tuning.call import measured

    digest = (job.status.get("result") or {}).get("digest")
    if not digest:
        return {}
    try:
        path = cluster.blobs.path(digest)
        if path.stat().st_size > _LARGEST_RESULT:
            return {}
        found = measured(pickle.loads(path.read_bytes()))
    except Exception:  # a value of another kind is a result, but no metric
        return {}
    number = found.get("number")
    return {**found["metrics"], **({} if number is None else {objective: number})}


_OPTIONS: Final = (
    "runtime",
    "nodes",
    "procs",
    "packages",
    "env",
    "data",
    "checkpoint",
    "deadline",
    "restarts",
    "args",
)


def subject_of(
    cluster: LocalCluster, what: Any, space: Space, function: str | None, namespace: Mapping[str, Any] | None,
    cell: Any, framework: str, resources: Mapping[str, Any], job: Mapping[str, Any],
) -> Subject:  # fmt: skip
    """A template of TrainJobs that run our code. Raises Invalid for an option that ``train`` does not have."""
    from jupyter_ext.training import manifest
    from jupyter_ext.training.manifest import Options
    from jupyter_ext.training.spec import CODE
    from jupyter_ext.tuning import code as codes
    from jupyter_ext.tuning.subject import code_of, noted

    unknown = [name for name in job if name not in _OPTIONS]
    if unknown:
        hint = f"There are: {', '.join(_OPTIONS)}."
        raise Invalid(f"There is no option {unknown[0]!r}", where=Where(field=unknown[0]), hint=hint)
    given = {name: value for name, value in job.items() if value is not None}
    fixed = dict(given.pop("args", {}))
    taken, folders = code_of(what, space, function, namespace, cell, fixed)
    digest = codes.take(cluster.blobs, taken, folders)
    given["packages"] = tuple(given.get("packages", ()))
    given["env"] = {str(key): str(value) for key, value in given.get("env", {}).items()}
    given["data"] = {str(key): str(_absolute(value)) for key, value in given.get("data", {}).items()}
    args = {**fixed, **{name: f"${{trialParameters.{name}}}" for name in space}}
    options = Options(
        framework=framework, code=digest, entry=taken.name, resources=dict(resources), args=args, **given
    )
    made = manifest.trainjob("trial", options, labels={}, annotations={}).manifest()
    del made["metadata"]["name"]
    template = {
        "primaryContainerName": "node",
        "trialParameters": [{"name": name, "reference": name} for name in space],
        "trialSpec": made,
        "successCondition": 'status.conditions.#(type=="Complete")#|#(status=="True")#',
        "failureCondition": 'status.conditions.#(type=="Failed")#|#(status=="True")#',
        "primaryPodLabels": {
            "jobset.sigs.k8s.io/replicatedjob-name": "node",
            "batch.kubernetes.io/job-completion-index": "0",
        },
    }
    return Subject(taken.name, template, {CODE: digest, **noted(taken, what)})


def _absolute(place: str | Path) -> str:
    text = str(place)
    return text if "://" in text else str(Path(text).expanduser().absolute())
