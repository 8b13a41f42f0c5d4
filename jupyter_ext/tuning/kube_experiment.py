"""Experiments that Katib runs on a Kubernetes cluster: the same call makes one, and the same handle follows it.

All that a handle asks for comes in two requests, however many trials there are: the experiment, and one list of trials.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_ext.cluster.kube import handle
from jupyter_ext.cluster.phases import STOPPED
from jupyter_ext.cluster.resource import Resource, now
from jupyter_ext.errors import Conflict, Forbidden, NotFound, Unavailable, Where
from jupyter_ext.training.spec import CODE, PREFIX
from jupyter_ext.tuning import kube_rows as rows
from jupyter_ext.tuning.handle import Experiment, Trial
from jupyter_ext.tuning.status import EXPERIMENT_LABEL

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.tuning.space import Value

INJECTION: Final = "katib.kubeflow.org/metrics-collector-injection"
"""The namespace's label without which Katib reads no metrics of its pods."""
PARALLEL: Final = PREFIX + "parallel"
"""How many trials there were to be at once, in one that was stopped."""
_SETTLE_SECONDS: Final = 10.0
"""How long Katib may take to end trials that are more than there are to be at once."""
_UNREAD: Final = frozenset({"None", "Push"})
"""Collectors that need no second container in the trial's pod."""


# Making one


def document(remote: KubeCluster | None, here: LocalCluster, resource: Resource) -> Resource:
    """The Experiment as Katib takes it, with the code in its template. Raises Unfit, Conflict, Invalid."""
    from jupyter_ext.tuning import export, spec

    manifest = resource.manifest()
    if CODE in resource.annotations:
        manifest = export.document(here, resource)
        template = manifest["spec"]["trialTemplate"]
        template.setdefault(
            "retain", True
        )  # logs and curves stay with the pods, until the experiment is deleted
        (_dress_job if template["trialSpec"]["kind"] == "Job" else _dress_trainjob)(
            remote, template["trialSpec"]
        )
    elif (manifest["spec"].get("trialTemplate") or {}).get("trialSpec", {}).get("kind") == "Run":
        raise handle.refused(
            "spec.trialTemplate", "A run of a notebook is no trial for Katib", "Tune a function."
        )
    found = Resource.from_dict(manifest).with_(labels=dict(resource.labels))
    spec.check_model(found)
    return found


def _dress_job(_: KubeCluster | None, manifest: dict[str, Any]) -> None:
    """A Job of our code: in an image with this Python, tried once."""
    from jupyter_ext.cluster.kube.work import IMAGE

    spec = manifest["spec"]
    spec.setdefault("backoffLimit", 0)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    container = spec["template"]["spec"]["containers"][0]
    container["image"] = os.environ.get(IMAGE) or f"python:{version}"


def _dress_trainjob(remote: KubeCluster | None, manifest: dict[str, Any]) -> None:
    """A TrainJob of our code: in the image that was chosen, its pods started once."""
    from jupyter_ext.cluster.kube.work import IMAGE
    from jupyter_ext.training import kube_runtime

    trainer = manifest["spec"].setdefault("trainer", {})
    if (image := os.environ.get(IMAGE)) and trainer.get("image") is None:
        trainer["image"] = image
    if remote is not None and manifest["kind"] == "TrainJob":
        if not remote.has("TrainJob"):
            what = f"A trial of several processes is a TrainJob, and {remote.access.name} has no Kubeflow Trainer"
            raise handle.refused("framework", what, "Tune a function without a framework, which is a Job.")
        manifest["spec"]["runtimeRef"] = kube_runtime.reference(
            remote, manifest["spec"].get("runtimeRef") or {}
        )


def start(remote: KubeCluster, here: LocalCluster, resource: Resource) -> KubeExperiment:
    """Create it there. Raises Unfit, Invalid, and what the API server and Katib's webhook refuse."""
    asked = document(remote, here, resource)
    _require_injection(remote, asked)
    return KubeExperiment(remote.create(asked).name, remote)


def check(remote: KubeCluster, here: LocalCluster, resource: Resource) -> None:
    """Refuse what ``start`` would, nothing is stored; the webhook of Katib is asked too."""
    asked = document(None, here, resource)
    _require_injection(remote, asked)
    remote.create(asked, dry=True)


def _require_injection(remote: KubeCluster, experiment: Resource) -> None:
    """Raise Unavailable where Katib would wait for metrics for ever, as far as one may see that."""
    collector = (experiment.spec.get("metricsCollectorSpec") or {}).get("collector") or {}
    if collector.get("kind") in _UNREAD:
        return
    try:
        found = remote.transport.ask("GET", f"/api/v1/namespaces/{remote.namespace}")
    except Forbidden:
        return
    if ((found.get("metadata") or {}).get("labels") or {}).get(INJECTION) != "enabled":
        raise Unavailable(
            f"Katib reads no metrics in the namespace {remote.namespace}: it lacks the label {INJECTION}",
            where=Where(object=f"Namespace {remote.namespace}"),
            hint=f"Ask its administrator for: kubectl label namespace {remote.namespace} {INJECTION}=enabled",
        )


# Finding them again


def get(remote: KubeCluster, name: str) -> KubeExperiment:
    """The experiment of that name. Raises NotFound."""
    return KubeExperiment.found(remote, name)


def experiments(
    remote: KubeCluster, limit: int, phase: str | None, text: str | None
) -> list[tuple[str, Experiment]]:
    """The newest, each with the time of its creation."""
    found = remote.list("Experiment", limit=limit, phase=phase, text=text, summary=True)
    return [(each.created, KubeExperiment(each.name, remote)) for each in found]


class KubeTrial(handle.KubeHandle, Trial):
    """One trial of Katib's. Every property asks the API server."""

    _kind: ClassVar[str] = "Trial"

    def __init__(self, name: str, remote: KubeCluster, place: int | None = None) -> None:
        super().__init__(name, remote)
        self._place = place

    @property
    def row(self) -> dict[str, Any]:
        """Its line of the table."""
        resource = self.resource
        experiment = self._remote.get("Experiment", resource.labels.get(EXPERIMENT_LABEL, ""))
        return rows.row(self.number, resource, rows.Reading(experiment))

    @property
    def number(self) -> int:
        """Its place in the experiment, in the order in which Katib made them, from 0."""
        if self._place is None:
            labels = {EXPERIMENT_LABEL: self.resource.labels.get(EXPERIMENT_LABEL, "")}
            ordered = rows.in_order(self._remote.list("Trial", labels=labels, summary=True))
            self._place = next((at for at, each in enumerate(ordered) if each.name == self.name), 0)
        return self._place

    @property
    def value(self) -> float | None:
        """Its value of the objective."""
        found = self.row["value"]
        return None if found is None else float(found)

    @property
    def parameters(self) -> dict[str, Value]:
        """What was tried, with the types that the function was given."""
        return dict(self.row["parameters"])

    @property
    def reason(self) -> str:
        """Why it is in this state; of one that waits, what its pods wait for."""
        from jupyter_ext.cluster.kube import why

        resource = self.resource
        if rows.state_of(resource) in ("SUCCEEDED", "PRUNED"):
            return resource.reason
        return why.reason(self._pods(resource), ()) or resource.reason

    def curves(self, since: int = 0, names: Iterable[str] | None = None, limit: int = 2000) -> Any:
        """What it printed over time, as points of numbers: of its pod, as long as that is there."""
        from jupyter_ext.cluster.local.metrics import Page
        from jupyter_ext.tuning import kube_curves

        wanted = None if names is None else set(names)
        points = [
            point
            for point in kube_curves.points(self._remote, self.resource, self._pods())
            if wanted is None or point.name in wanted
        ]
        return Page(min(len(points), since + limit), points[since:][:limit])

    @property
    def checkpoint(self) -> Path | None:
        """None: what it saved is where its pod could write."""
        return None

    def _pods(self, resource: Resource | None = None) -> list[Pod]:
        resource = resource or self.resource
        return pods_of(self._remote, resource)

    def logs(
        self, tail: int | None = None, *, follow: bool = False, stop: threading.Event | None = None
    ) -> Iterator[str]:
        """What its pods have printed; with ``follow`` until it ends or ``stop`` is set."""
        from jupyter_ext.cluster.kube import logs

        transport, namespace = self._remote.transport, self._remote.namespace
        if not follow:
            yield from logs.text(transport, namespace, self._pods(), tail)
            return

        def over() -> bool:
            try:
                return self.resource.finished
            except NotFound:
                return True

        asked = stop.is_set if stop is not None else lambda: False
        yield from logs.follow(transport, namespace, self._pods, None, tail, over, asked)


def pods_of(remote: KubeCluster, trial: Resource) -> list[Pod]:
    """The pods of what the trial runs, which has the trial's name."""
    kind = str((trial.spec.get("runSpec") or {}).get("kind") or "Job")
    return remote.pods(kind, trial.name) or remote.pods("Trial", trial.name)


class KubeExperiment(handle.KubeHandle, Experiment):
    """One experiment of Katib's. Every property asks the API server."""

    _kind: ClassVar[str] = "Experiment"

    @property
    def resource(self) -> Resource:
        """The resource as it is now, with ``best``, ``progress`` and ``seconds``; raises NotFound if it was deleted."""
        return rows.told(self._remote.get(self.kind, self.name))

    @property
    def best(self) -> Trial | None:
        """The best trial so far."""
        found = self.resource.status.get("best")
        return KubeTrial(str(found["trial"]), self._remote) if found else None

    def _listed(self) -> Any:
        return self._remote.list("Trial", labels={EXPERIMENT_LABEL: self.name})

    def page(
        self, *, limit: int = 200, after: int | None = None, since: int | None = None, sort: str = "number",
        states: Iterable[str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """As ``trials``, with ``total`` and ``resourceVersion``; ``since`` such a version: only what changed."""
        reading = rows.Reading(self._remote.get(self.kind, self.name))
        listed = self._listed()
        return rows.page(
            listed.items, listed.resource_version, reading, limit=limit, after=after, since=since, sort=sort,
            states=states,
        )  # fmt: skip

    def trial(self, number: int) -> Trial:
        """The trial of this number, in the order in which Katib made them; raises NotFound."""
        ordered = rows.in_order(self._listed())
        if not 0 <= number < len(ordered):
            hint = f"It has {len(ordered)}."
            raise NotFound(f"Experiment {self.name} has no trial {number}", hint=hint)
        return KubeTrial(ordered[number].name, self._remote, number)

    def importance(self) -> dict[str, float]:
        """How much of the objective's variation each parameter explains; the parts add up to 1."""
        from jupyter_ext.tuning.importance import MOST, shares

        reading = rows.Reading(self._remote.get(self.kind, self.name))
        found = [rows.row(0, each, reading) for each in self._listed()]
        known = [
            (each["parameters"], each["value"])
            for each in found
            if each["state"] == "SUCCEEDED" and each["value"] is not None
        ]
        return shares(reading.space, known[:: max(-(-len(known) // MOST), 1)])

    def curves(
        self, trials: Iterable[str | int] | None = None, metric: str | None = None, limit: int = 200
    ) -> dict[str, Any]:
        """Learning curves, of what the trials printed: as long as their pods are there."""
        from jupyter_ext.tuning import kube_curves

        experiment = self._remote.get(self.kind, self.name)
        wanted = metric or str((experiment.spec.get("objective") or {}).get("objectiveMetricName"))
        return {
            "series": kube_curves.series(self._remote, rows.in_order(self._listed()), trials, wanted, limit)
        }

    # Steer

    def stop(self) -> None:
        """Let it end early: one trial at a time from now on, and none after the next.

        Katib cannot stop an experiment. It ends the trials that are too many, and the experiment with the last that
        may be; ``delete`` ends all at once.
        """
        resource = self.resource
        if resource.finished or resource.phase == "CANCELING":
            return
        most, begun = resource.spec.get("maxTrialCount"), int(resource.status.get("trials") or 0)
        parallel = str(resource.spec.get("parallelTrialCount") or "")
        noted = {STOPPED: now(), PARALLEL: parallel}
        if most is not None and begun >= most:  # nothing new begins, and Katib takes no change any more
            self._remote.patch(self.kind, self.name, {"metadata": {"annotations": noted}})
            return
        self._remote.patch(
            self.kind, self.name, {"metadata": {"annotations": noted}, "spec": {"parallelTrialCount": 1}}
        )
        begun = self._settled(rows.ended(resource.status) + 1)
        if most is None or most > begun + 1:
            self._remote.patch(self.kind, self.name, {"spec": {"maxTrialCount": begun + 1}})

    def _settled(self, wanted: int) -> int:
        """How many trials there are, once Katib has ended those that are too many, or has had its time."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            begun = int(self._remote.get(self.kind, self.name).status.get("trials") or 0)
            if begun <= wanted or time.monotonic() > deadline:
                return begun
            time.sleep(0.2)

    def resume(self, trials: int | None = None) -> Experiment:
        """Go on with ``trials`` more. Raises Conflict for what Katib does not take up again.

        That is what failed, reached its goal, or has ``resumePolicy`` Never.
        """
        from jupyter_ext.tuning.handle import check_resume

        resource = self._remote.get(self.kind, self.name)
        stopped = STOPPED in resource.annotations
        if not resource.finished:
            raise Conflict(f"Experiment {self.name} is {resource.phase}, so there is nothing to resume")
        if resource.phase != "SUCCEEDED" or not rows.had_all(resource.status):
            said = resource.reason or rows.last_words(resource.status) or resource.phase
            what = f"Experiment {self.name} cannot be resumed: {said}"
            raise Conflict(what, hint="Katib goes on only after the last trial. Start another one.")
        check_resume(resource, trials)
        begun = int(resource.status.get("trials") or 0)
        spec: dict[str, Any] = {"maxTrialCount": begun + (trials or 1)}
        noted = resource.annotations.get(PARALLEL, "")
        if stopped and noted.isdecimal():
            spec["parallelTrialCount"] = min(int(noted), spec["maxTrialCount"])
        change = {"spec": spec, "metadata": {"annotations": {STOPPED: None, PARALLEL: None}}}
        self._remote.patch(self.kind, self.name, change)
        return self

    def code(self) -> dict[str, str]:  # type: ignore[override]
        """The resource itself: the cluster does not know what called it."""
        return {"yaml": self.export()}

    def logs(
        self, tail: int | None = None, *, follow: bool = False, stop: threading.Event | None = None
    ) -> Iterator[str]:
        """What happened to it, as Katib tells; a trial's output is in ``trial(number).logs()``."""
        del follow, stop
        events = self._remote.events(self.kind, self.name)
        for event in events if tail is None else events[-tail:]:
            yield f"{event.time} {event.reason}: {event.message}\n"
