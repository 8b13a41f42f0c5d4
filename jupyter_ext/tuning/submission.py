"""From a function, a file, a job or a notebook to an experiment: all that can be found wrong is found here."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local.devices import Request
from jupyter_ext.cluster.local.processes import is_running
from jupyter_ext.cluster.resource import KINDS, Resource, make_name, valid_name
from jupyter_ext.errors import Conflict, Invalid, Where
from jupyter_ext.training.spec import CODE, CREATOR, DEPOT, INSIDE
from jupyter_ext.training.submission import belonging
from jupyter_ext.tuning import catalogue, katib, kube, objective, spec, stopping
from jupyter_ext.tuning.commands import ONE_CPU
from jupyter_ext.tuning.space import Parameter, Space, space_from
from jupyter_ext.tuning.spec import CHOICES, LONGEST_NAME, SEED, Plan

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.training.kube_depot import Depot
    from jupyter_ext.tuning.handle import Experiment
    from jupyter_ext.tuning.kube import There

CONTROLLER: Final = "jupyter_ext.tuning.local:reconcile"
LOST: Final = "jupyter_ext.tuning.status:lost"
EDITABLE: Final = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")


def tune(
    what: Callable[..., Any] | str | Path | Resource | Mapping[str, Any],
    space: Mapping[str, Parameter | str] | None = None,
    objective: str = "loss:min",
    *,
    algorithm: str = "random",
    settings: Mapping[str, Any] | None = None,
    trials: int | None = 20,
    parallel: int | None = None,
    early_stopping: str | Mapping[str, Any] | None = None,
    max_failed: int | None = None,
    name: str | None = None,
    framework: str | None = None,
    resources: Mapping[str, Any] | None = None,
    additional: Iterable[str] = (),
    resume: str = "LongRunning",
    wait: bool = False,
    function: str | None = None,
    namespace: Mapping[str, Any] | None = None,
    cell: Any = None,
    labels: Mapping[str, str] | None = None,
    register: str | Mapping[str, Any] | None = None,
    **job: Any,
) -> Experiment:
    """Search the space for the parameters with which ``what`` does best.

    ``what`` is a function of the parameters, the text of a cell that uses them as names, a ``.py`` file (with
    ``function`` one of its functions, else a script that takes them as ``--name=value``), a notebook whose parameters
    they are, or a TrainJob as a template. A function returns a number (the objective), a dictionary of metrics, or
    nothing if it reports. With ``framework`` each trial is a training job; ``nodes``, ``procs`` and the other options
    of ``training.train`` may be given too. ``register``: the name of a model (or a mapping with ``model``, ``alias``, …)
    as which what the best trial returned as ``model``, or saved, is registered. Raises Invalid, Unfit or Unavailable before anything runs.
    """
    cluster, there = discover.current(), kube.place()
    kube.require(what, algorithm=algorithm, register=register, job=job, there=there)
    resource = build(
        cluster, what, space, objective, algorithm=algorithm, settings=settings, trials=trials,
        parallel=parallel, early_stopping=early_stopping, max_failed=max_failed, name=name,
        framework=kube.framework(what, framework, there),
        resources=resources, additional=additional, resume=resume, function=function, namespace=namespace,
        cell=cell, labels=labels, job=job, there=there,
    )  # fmt: skip
    if register is not None:
        from jupyter_ext.registry.made import for_annotation

        resource = resource.with_(annotations={**resource.annotations, **for_annotation(register)})
    started = _started(cluster, resource, there)
    return started.wait() if wait else started


def _started(cluster: LocalCluster, resource: Resource, there: There | None) -> Experiment:
    """Begin it where it goes."""
    from jupyter_ext.tuning.handle import Experiment

    if there is not None and there.how == kube.KATIB:
        from jupyter_ext.tuning import kube_experiment

        return kube_experiment.start(there.cluster, cluster, resource)
    if there is None:
        return Experiment(_start(cluster, resource).name, cluster)
    from jupyter_ext.training import kube_depot

    depot = kube_depot.of(there.cluster)
    return Experiment(_start(cluster, _placed(resource, there), depot).name, cluster)


def build(
    cluster: LocalCluster,
    what: Any,
    space: Mapping[str, Parameter | str] | None,
    goal: str,
    *,
    algorithm: str,
    settings: Mapping[str, Any] | None,
    trials: int | None,
    parallel: int | None,
    early_stopping: str | Mapping[str, Any] | None,
    max_failed: int | None,
    name: str | None,
    framework: str | None,
    resources: Mapping[str, Any] | None,
    additional: Iterable[str],
    resume: str,
    function: str | None,
    namespace: Mapping[str, Any] | None,
    cell: Any,
    labels: Mapping[str, str] | None,
    job: Mapping[str, Any],
    there: There | None = None,
) -> Resource:
    """The Experiment, checked, with its code stored. Raises as ``tune`` does."""
    from jupyter_ext.tuning import subject

    found = catalogue.find(algorithm)
    aim = objective.parse(goal, additional)
    early = stopping.read(early_stopping)
    tuned = _space(what, space)
    if name is not None:
        valid_name(name)
    about = subject.read(
        cluster, what, tuned, function=function, namespace=namespace, cell=cell, framework=framework,
        resources=resources or {}, job=job, travels=there is not None,
    )  # fmt: skip
    described: dict[str, Any] = {
        "parameters": katib.to_katib(tuned),
        "objective": aim.to_katib(),
        "algorithm": {"algorithmName": found.name, **_settings(settings)},
        "trialTemplate": about.template,
        "resumePolicy": resume,
    }
    described |= {"earlyStopping": early.to_katib()} if early else {}
    for field, value in (("maxTrialCount", trials), ("maxFailedTrialCount", max_failed)):
        described |= {} if value is None else {field: value}
    annotations = {SEED: str(random.SystemRandom().randrange(1 << 31)), **about.annotations}
    typed = katib.typed_choices(tuned)
    annotations |= {CHOICES: json.dumps(typed)} if typed else {}
    title = name or make_name(about.name[: LONGEST_NAME - 6])
    resource = Resource.new(
        "Experiment", title, described, labels=dict(labels or {}), annotations=annotations,
        namespace=cluster.namespace,
        status={"phase": "PENDING", "reason": "Starting."},
    )  # fmt: skip
    if there is not None and parallel is None:
        parallel = min(spec.UPSTREAM_PARALLEL, trials or spec.UPSTREAM_PARALLEL)
    return _with_parallel(cluster, resource, parallel)


def examine(
    space: Mapping[str, Parameter | str] | None = None,
    objective: str = "loss:min",
    *,
    algorithm: str = "random",
    settings: Mapping[str, Any] | None = None,
    trials: int | None = 20,
    parallel: int | None = None,
    early_stopping: str | Mapping[str, Any] | None = None,
    max_failed: int | None = None,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    additional: Iterable[str] = (),
    resume: str = "LongRunning",
    register: str | Mapping[str, Any] | None = None,
    **_: Any,
) -> Plan:
    """Everything that ``tune`` refuses of its options, whatever is tuned. Raises as it does."""
    resource = build(
        discover.current(), None, space, objective, algorithm=algorithm, settings=settings, trials=trials,
        parallel=parallel, early_stopping=early_stopping, max_failed=max_failed, name=name, framework=None,
        resources=resources, additional=additional, resume=resume, function=None, namespace=None,
        cell=None, labels=None, job={},
    )  # fmt: skip
    if register is not None:
        from jupyter_ext.registry.made import wanted

        wanted(register)
    return _checked(resource)


def _space(what: Any, given: Mapping[str, Parameter | str] | None) -> Space:
    if given is None and callable(what):
        from jupyter_ext.tuning.signature import space_of

        found = space_of(what)
        if found:
            return found
    return space_from(given if given is not None else {})


def _settings(given: Mapping[str, Any] | None) -> dict[str, Any]:
    # Katib calls the seed of every algorithm random_state.
    named = {"random_state" if key == "seed" else str(key): value for key, value in (given or {}).items()}
    listed = [{"name": key, "value": str(value)} for key, value in named.items()]
    return {"algorithmSettings": listed} if listed else {}


def _with_parallel(cluster: LocalCluster, resource: Resource, parallel: int | None) -> Resource:
    """The resource with the number of trials at once: as many as the machine has room for, if it is not said."""
    from jupyter_ext.tuning.workers import fitting

    if parallel is None:
        plan = spec.read(resource.with_(spec={**resource.spec, "parallelTrialCount": 1}))
        parallel = fitting(cluster, plan.template.request or _child_request(cluster, plan))
        parallel = min(parallel, plan.max_trials or parallel)
    return resource.with_(spec={**resource.spec, "parallelTrialCount": parallel})


def _child_request(cluster: LocalCluster, plan: Plan) -> Request:
    """What one trial that leases for itself asks for: a job's processes, or a step of a run."""
    if plan.template.kind != "job":
        return Request(ONE_CPU)
    from jupyter_ext.training import manifest
    from jupyter_ext.training.submission import request_of
    from jupyter_ext.tuning.jobs import job_of

    values = {name: parameter.at(0.5) for name, parameter in plan.space.items()}
    job = job_of(plan, f"{plan.name}-0", values, cluster.namespace).with_(uid="draft")
    return request_of(manifest.job_of(job, cluster.home, Path.cwd()))


def check(resource: Resource) -> Plan | None:
    """Everything that ``submit`` refuses, without starting anything; what was read, but of what Katib reads."""
    there = kube.place()
    if there is None or there.how == kube.TRAINJOBS:
        if there is None:
            return _checked(resource)
        from jupyter_ext.training import kube_depot

        return _checked(_placed(resource, there), kube_depot.of(there.cluster))
    from jupyter_ext.tuning import kube_experiment

    kube_experiment.check(there.cluster, discover.current(), resource)
    return None


def _placed(resource: Resource, there: There) -> Resource:
    """The experiment, with the cluster that its trials go to."""
    return resource.with_(annotations={**resource.annotations, **kube.noted(there.cluster)})


def _checked(resource: Resource, depot: Depot | None = None) -> Plan:
    """What it is, where its trials run on this machine, or where it says that they do."""
    if resource.kind != "Experiment" or resource.api_version != KINDS["Experiment"].api_version:
        raise Invalid(
            f"{resource.api_version} {resource.kind} is not an Experiment of {KINDS['Experiment'].api_version}",
            where=Where(field="kind"),
        )
    if not _ours(resource):
        spec.check_model(resource)
    plan = spec.read(resource)
    cluster = discover.current()
    if plan.template.request is not None:
        cluster.leases.check(plan.template.request, Where(field="spec.trialTemplate.trialSpec"))
    if plan.template.kind == "run":
        from jupyter_ext.tuning.runs import check_template as check_run

        check_run(cluster, plan.template.manifest)
    if kube.PLACE in resource.annotations:
        older = kube.is_older(resource.annotations)
        kube.check(plan, cluster, depot, kube.opened(resource.annotations) if older else None)
    elif plan.template.kind == "job":
        from jupyter_ext.tuning.jobs import check_template

        check_template(plan, cluster.namespace)
    return plan


def _ours(resource: Resource) -> bool:
    return SEED in resource.annotations


def submit(resource: Resource) -> Experiment:
    """Check an Experiment, create it and start it. Raises Conflict if there is one of its name."""
    cluster, there = discover.current(), kube.place()
    if not _ours(resource):
        spec.check_model(resource)
    annotations = {SEED: str(random.SystemRandom().randrange(1 << 31)), **resource.annotations}
    for decided in (kube.PLACE, DEPOT):  # where it goes is decided here, not by whoever wrote it
        annotations.pop(decided, None)
    status = {"phase": "PENDING", "reason": "Starting."}
    fresh = replace(resource, annotations=annotations, namespace=cluster.namespace, status=status)
    return _started(cluster, fresh, there)


def _start(cluster: LocalCluster, resource: Resource, depot: Depot | None = None) -> Resource:
    from jupyter_ext.cluster.local import workload

    plan = _checked(resource, depot)
    resource = belonging(cluster, resource)
    earlier = _begun_before(cluster, resource)
    if earlier is not None:
        return earlier
    if depot is not None:
        resource = kube.deposited(resource, plan, cluster, depot)
    return workload.submit(cluster, resource, CONTROLLER, restart="OnFailure", cwd=Path.cwd(), lost=LOST)


def _begun_before(cluster: LocalCluster, resource: Resource) -> Resource | None:
    """The same experiment, that the same step began before it was killed and is now repeated."""
    place = resource.annotations.get(INSIDE)
    if place is None:
        return None
    for other in cluster.list("Experiment", owner=resource.owner):
        noted = other.annotations
        killed = noted.get(INSIDE) == place and not is_running(noted.get(CREATOR))
        same = other.spec == resource.spec and noted.get(CODE) == resource.annotations.get(CODE)
        if killed and same and other.phase not in ("FAILED", "CANCELED"):
            return other
        if killed and not other.finished:
            _stop(cluster, other)
    return None


def _stop(cluster: LocalCluster, resource: Resource) -> None:
    from jupyter_ext.cluster.local import workload

    workload.stop(cluster, resource.uid, wait=False)


def update(resource: Resource) -> Resource:
    """Change an Experiment that there is: how many trials there may be, and how many at once.

    A running one takes it up; one that had reached its last trial goes on. Raises Conflict for any other difference.
    """
    cluster = discover.current()
    current = cluster.get("Experiment", resource.name)
    for field in {*current.spec, *resource.spec}:
        if current.spec.get(field) != resource.spec.get(field) and field not in EDITABLE:
            raise Conflict(
                f"{field} of an Experiment cannot be changed",
                where=Where(field=f"spec.{field}", object=f"Experiment {resource.name}"),
                hint=f"Only {', '.join(EDITABLE)} can. Give the new one another name.",
            )
    wanted = {field: resource.spec[field] for field in EDITABLE if field in resource.spec}
    changed = current.with_(spec={**current.spec, **wanted}, labels={**current.labels, **resource.labels})
    if changed.spec == current.spec and changed.labels == current.labels:
        return current
    spec.read(changed)
    more = (wanted.get("maxTrialCount") or 0) > (current.spec.get("maxTrialCount") or 0)
    if more and current.phase == "SUCCEEDED":
        from jupyter_ext.tuning.handle import require_resumable

        require_resumable(current)
    stored = cluster.store.update(
        "Experiment", resource.name,
        lambda found: found.with_(spec={**found.spec, **wanted}, labels=changed.labels),
    )  # fmt: skip
    if more and stored.finished:
        from jupyter_ext.tuning.handle import Experiment

        Experiment(resource.name, cluster).resume()
    return cluster.get("Experiment", resource.name)
