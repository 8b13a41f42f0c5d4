"""An experiment in the hand: follow it, look at its trials, stop it, go on with more."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.handle import Ending, Handle
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.tuning import kube
from jupyter_ext.tuning import trials as questions
from jupyter_ext.tuning.folder import log_part

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.metrics import Page
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.training.handle import Job
    from jupyter_ext.tuning.space import Value


class Trial(Handle):
    """One trial, by name. Every property reads the store."""

    _kind = "Trial"

    def _said(self) -> str:
        row = self.row
        value = "" if row["value"] is None else f", value {row['value']:.6g}"
        return f"{row['state']}{value}, {row['parameters']}"

    @property
    def resource(self) -> Resource:
        """The resource as it is now, without a look at its process; raises NotFound if it was deleted."""
        return self._cluster.store.get("Trial", self.name)

    @property
    def row(self) -> dict[str, Any]:
        """Its line of the table: number, state, reason, value, parameters, metrics, seconds, startTime, pruned."""
        return questions.row(self.name, self.resource.status)

    @property
    def state(self) -> str:
        """RUNNING, SUCCEEDED, PRUNED, FAILED or CANCELED."""
        return str(self.row["state"])

    @property
    def number(self) -> int:
        """Its place in the experiment, from 0."""
        return int(self.resource.status["number"])

    @property
    def value(self) -> float | None:
        """Its value of the objective."""
        value = self.resource.status.get("value")
        return None if value is None else float(value)

    @property
    def parameters(self) -> dict[str, Value]:
        """What was tried, with the types that the function was given."""
        return dict(self.resource.status.get("parameters") or {})

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of everything it reported."""
        return {name: value for name, value in self.row["metrics"].items() if value is not None}

    def curves(self, since: int = 0, names: Iterable[str] | None = None, limit: int = 2000) -> Page:
        """What it reported over time."""
        return self._cluster.metrics.read(self._uid, since=since, names=names, limit=limit)

    @property
    def checkpoint(self) -> Path | None:
        """The folder that it left its checkpoint in, if it did."""
        resource = self.resource
        path = self._cluster.home / "work" / str(resource.owner) / "checkpoints" / self.name
        return path if path.is_dir() else None

    def logs(
        self, tail: int | None = None, *, follow: bool = False, stop: threading.Event | None = None
    ) -> Iterator[str]:
        """What it printed; with ``follow`` until it ends or ``stop`` is set."""
        resource = self.resource
        if (job := self._remote_job(resource)) is not None:
            yield from job.logs(tail=tail, follow=follow, stop=stop)
            return
        child = self._child(resource)
        if child is not None:
            yield from self._child_logs(*child, tail, follow=follow, stop=stop)
            return

        def over() -> bool:
            return (stop is not None and stop.is_set()) or self.resource.finished

        attempt = int(resource.status.get("attempt") or 1)
        log = self._cluster.log(
            resource.owner or resource.uid, log_part(int(resource.status["number"])), attempt
        )
        if follow:
            yield from log.follow(over, tail=tail)
        else:
            yield log.read() if tail is None else log.tail(tail)

    def _child_logs(
        self, kind: str, name: str, tail: int | None, *, follow: bool, stop: threading.Event | None
    ) -> Iterator[str]:
        if kind == "Run":
            from jupyter_ext import pipelines

            found = pipelines.get(name).logs(tail=tail, follow=follow, stop=stop)
            yield from [found] if isinstance(found, str) else found
            return
        from jupyter_ext import training

        yield from training.get(name, kind=kind).logs(tail=tail, follow=follow, stop=stop)

    @property
    def reason(self) -> str:
        """Why it is in this state; of one that runs on a cluster, what its pods wait for."""
        resource = self.resource
        if not resource.finished and (job := self._remote_job(resource)) is not None:
            return job.reason
        return resource.reason

    def _remote_job(self, resource: Resource) -> Job | None:
        """The job on a Kubernetes cluster that the trial is, if it is one."""
        owner = self._cluster.store.by_uid(resource.owner) if resource.owner else None
        there = kube.opened(owner.annotations) if owner is not None else None
        if there is None:
            return None
        from jupyter_ext.training import kube as remote
        from jupyter_ext.training.handle import KINDS

        return remote.found(there, self.name, KINDS)

    @property
    def _uid(self) -> str:
        resource = self.resource
        child = self._child(resource)
        found = self._cluster.store.find(*child) if child is not None else None
        return found.uid if found is not None else resource.uid

    def _child(self, resource: Resource) -> tuple[str, str] | None:
        """The job or run that the trial is, if it is one."""
        found = next(iter(self._cluster.store.owned(resource.uid)), None)
        return None if found is None else (found[0], found[1])


class Experiment(Ending):
    """One experiment, by name. Every property reads the store: the handle is never out of date.

    Its phase is PENDING, RUNNING, SUCCEEDED, FAILED, CANCELING or CANCELED.
    """

    _kind = "Experiment"

    def _said(self) -> str:
        resource = self.resource
        return f"{resource.phase}: {resource.reason}"

    def _ipython_display_(self) -> None:
        from jupyter_ext.tuning.widgets import show

        show(self)

    # What it is

    @property
    def best(self) -> Trial | None:
        """The best trial so far."""
        found = self.resource.status.get("best")
        return Trial(found["trial"], self._cluster) if found else None

    @property
    def counts(self) -> dict[str, int]:
        """Trials by state, and ``total``."""
        status = self.resource.status
        names = {
            "running": "trialsRunning", "succeeded": "trialsSucceeded", "pruned": "trialsEarlyStopped",
            "canceled": "trialsKilled", "total": "trials",
        }  # fmt: skip
        found = {name: int(status.get(field) or 0) for name, field in names.items()}
        failed = int(status.get("trialsFailed") or 0) + int(status.get("trialMetricsUnavailable") or 0)
        return {**found, "failed": failed}

    # Its trials

    def trials(
        self,
        limit: int = 200,
        sort: str = "number",
        *,
        after: int | None = None,
        states: Iterable[str] | None = None,
    ) -> list[dict[str, Any]]:
        """A page of the table of trials, as dictionaries; ``sort`` is a column, ``-value`` the greatest first."""
        return list(self.page(limit=limit, after=after, sort=sort, states=states)["items"])

    def page(
        self, *, limit: int = 200, after: int | None = None, since: int | None = None, sort: str = "number",
        states: Iterable[str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """As ``trials``, with ``total`` and ``resourceVersion``; ``since`` such a version: only what changed."""
        found = self._cluster.store.get("Experiment", self.name)
        return questions.page(
            self._cluster, found, limit=limit, after=after, since=since, sort=sort, states=states
        )

    def trial(self, number: int) -> Trial:
        """The trial of this number; raises NotFound."""
        found = Trial(f"{self.name}-{number}", self._cluster)
        _ = found.resource
        return found

    def importance(self) -> dict[str, float]:
        """How much of the objective's variation each parameter explains; the parts add up to 1."""
        from jupyter_ext.tuning.importance import importance

        return importance(self._cluster, self.resource)

    def curves(
        self, trials: Iterable[str | int] | None = None, metric: str | None = None, limit: int = 200
    ) -> dict[str, Any]:
        """Learning curves: ``{"series": [{"trial", "number", "state", "points": [[step, time, value], …]}]}``.

        Of the objective, unless ``metric`` names another. Without ``trials``, those of the latest 200 that reported.
        """
        from jupyter_ext.tuning.curves import series

        return {"series": series(self._cluster, self.resource, trials, metric, limit)}

    # Follow and steer

    def resume(self, trials: int | None = None) -> Experiment:
        """Go on: with ``trials`` more, or up to the number that there were to be. Trials that had ended are kept.

        Raises Conflict while it runs, when there is nothing left to do, and for one that has succeeded with
        ``resumePolicy`` Never.
        """
        from jupyter_ext.cluster.local import workload

        resource = self.resource
        if not resource.finished:
            raise Conflict(f"Experiment {self.name} is {resource.phase}, so there is nothing to resume")
        check_resume(resource, trials)
        self._await_process(resource.uid)

        def more(found: Resource) -> Resource:
            failed = int(found.status.get("trialsFailed") or 0)
            failed += int(found.status.get("trialMetricsUnavailable") or 0)
            status = {**found.status, "forgiven": failed}
            status.pop("error", None)
            spec = dict(found.spec)
            if trials is not None:
                spec["maxTrialCount"] = int(found.status.get("trials") or 0) + trials
            return found.with_(spec=spec, status=status)

        with self._cluster.store.transaction():
            self._cluster.store.update("Experiment", self.name, more)
        workload.restart(self._cluster, resource.uid)
        return self

    def delete(self) -> None:
        """Stop it if need be, and remove it with all its trials and logs."""
        from jupyter_ext.tuning.removal import remove

        remove(self._cluster, self.name)

    def logs(
        self, tail: int | None = None, *, follow: bool = False, stop: threading.Event | None = None
    ) -> Iterator[str]:
        """What its own process has to say; a trial's output is in ``trial(number).logs()``."""

        def over() -> bool:
            return (stop is not None and stop.is_set()) or self.finished

        yield from self._cluster.logs("Experiment", self.name, tail=tail, follow=follow, stop=over)

    # For others

    def export(self, path: str | None = None) -> str:
        """The YAML that runs it on a cluster, code included; written to ``path`` where one is given."""
        from jupyter_ext.tuning.export import export

        return export(self._cluster, self.resource, path)

    def code(self) -> dict[str, str]:
        """The same experiment in Python, as a magic, on the command line, and as YAML."""
        from jupyter_ext.tuning.export import code

        return code(self.resource)


def check_resume(resource: Resource, trials: int | None) -> None:
    """Raise Conflict or Invalid for an experiment that cannot go on, or with so many."""
    if trials is not None and trials < 1:
        raise Invalid(
            f"{trials!r} is not a number of trials", where=Where(field="trials"), hint="At least 1."
        )
    require_resumable(resource)
    most = resource.spec.get("maxTrialCount")
    done = int(resource.status.get("trials") or 0)
    if trials is None and resource.phase == "SUCCEEDED" and most is not None and done >= most:
        raise Conflict(
            f"Experiment {resource.name} has had all its {most} trials",
            hint="Say how many more: resume(trials=10).",
        )


def require_resumable(resource: Resource) -> None:
    """Raise Conflict for an experiment that has succeeded and is not to go on after that."""
    if resource.phase == "SUCCEEDED" and (resource.spec.get("resumePolicy") or "Never") == "Never":
        raise Conflict(
            f"Experiment {resource.name} has succeeded and its resumePolicy is Never",
            hint='Start it with resume="LongRunning" to go on after the last trial.',
        )


def get(name: str) -> Experiment:
    """The experiment of that name, of this machine or of the Katib that is used; raises NotFound."""
    if (remote := kube.katib()) is not None and discover.current().store.find("Experiment", name) is None:
        from jupyter_ext.tuning import kube_experiment

        return kube_experiment.get(remote, name)
    found = Experiment(name)
    _ = found.resource
    return found


def experiments(limit: int = 50, phase: str | None = None, text: str | None = None) -> list[Experiment]:
    """The newest first, by phase or part of the name where given: of this machine, and of the Katib that is used."""
    cluster = discover.current()
    listed = cluster.list("Experiment", limit=limit, phase=phase, text=text, summary=True)
    found = [(resource.created, Experiment(resource.name, cluster)) for resource in listed]
    if (remote := kube.katib()) is not None:
        from jupyter_ext.tuning import kube_experiment

        found += kube_experiment.experiments(remote, limit, phase, text)
        found.sort(key=lambda each: each[0], reverse=True)
    return [experiment for _, experiment in found[:limit]]


def trial(name: str) -> Trial:
    """The trial of that name; raises NotFound."""
    found = Trial(name)
    if found._cluster.store.find("Trial", name) is not None:  # noqa: SLF001 - our own handle
        return found
    if (remote := kube.katib()) is not None:
        from jupyter_ext.tuning.kube_experiment import KubeTrial

        return KubeTrial.found(remote, name)
    raise NotFound(f"There is no trial {name!r}", hint="A trial is called EXPERIMENT-NUMBER.")


def delete(name: str) -> None:
    """Stop the experiment if need be and remove it; raises NotFound."""
    get(name).delete()
