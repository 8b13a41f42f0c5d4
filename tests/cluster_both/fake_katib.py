"""FakeKatib: what Katib's controllers do with Experiments, as far as upstream says it; Katib itself cannot be had here.

Every Experiment and Trial that is seen or written is validated against the published models (kubeflow-katib-api). Trials
are run by the cluster: their templates are filled in as upstream does, and their metrics are read from their pods' logs
by upstream's default filter. Its admission webhook is no part of it: what that would refuse is kept in ``refused``.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from jupyter_ext.cluster.kube import KubeCluster
from jupyter_ext.cluster.resource import Resource, new_uid
from jupyter_ext.errors import Conflict, NotFound

LABEL = "katib.kubeflow.org/experiment"
FILTER = re.compile(r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)")
EDITABLE = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")
GROUP = "/apis/kubeflow.org/v1beta1/namespaces"
Measure = Callable[[dict[str, str]], float]


def definitions() -> list[dict[str, Any]]:
    """Upstream's definitions of Experiment and Trial: their schema is "anything", their webhook checks."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    made = []
    for kind in ("Experiment", "Trial"):
        plural = f"{kind.lower()}s"
        version = {"name": "v1beta1", "served": True, "storage": True, "subresources": {"status": {}}}
        made.append({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.kubeflow.org"},
            "spec": {
                "group": "kubeflow.org", "scope": "Namespaced", "versions": [{**version, "schema": schema}],
                "names": {"kind": kind, "singular": kind.lower(), "plural": plural},
            },
        })  # fmt: skip
    return made


def moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, reason: str, status: str = "True") -> dict[str, str]:
    said = {"type": kind, "status": status, "reason": reason, "message": f"{kind} because {reason}"}
    return {**said, "lastUpdateTime": moment(), "lastTransitionTime": moment()}


class FakeKatib(threading.Thread):
    """Looks after the Experiments of one namespace. With ``measure`` no pods run: it is a trial's value."""

    def __init__(self, cluster: KubeCluster, measure: Measure | None = None) -> None:
        super().__init__(name="fake-katib", daemon=True)
        self.cluster, self.measure = cluster, measure
        self.hold = threading.Event()
        """While it is set, no trial that is measured ends."""
        self.refused: list[str] = []
        self.failure: BaseException | None = None
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="fake-katib")
        self._seen: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(60)
        self._threads.shutdown(wait=True)
        self.cluster.close()
        if self.failure is not None:
            raise self.failure

    def run(self) -> None:
        try:
            while not self._over.wait(0.1):
                for experiment in self.cluster.list("Experiment"):
                    with contextlib.suppress(NotFound, Conflict):
                        self._reconcile(experiment)
        except BaseException as error:
            self.failure = error

    # As the experiment's controller

    def _reconcile(self, experiment: Resource) -> None:
        validate("experiment", experiment)
        self._webhook(experiment)
        listed = self.cluster.list("Trial", labels={LABEL: experiment.name}).items
        trials = list(self._threads.map(partial(self._look, experiment), listed))
        spec, running = experiment.spec, [trial for trial in trials if not trial.finished]
        parallel, most = spec.get("parallelTrialCount", 3), spec.get("maxTrialCount")
        restarted = experiment.finished and most is not None and most > len(trials)
        if not experiment.finished or restarted:
            for trial in running[parallel:]:
                self.cluster.delete("Trial", trial.name)
                trials.remove(trial)
            room = max(min(parallel - len(running), (most or 10**6) - len(trials)), 0)
            trials += self._threads.map(self._begin, [experiment] * room)
        self._write(experiment, trials)

    def _webhook(self, experiment: Resource) -> None:
        """`validator.go`: what may be changed, and to what."""
        spec, before = experiment.spec, self._seen.get(experiment.uid)
        now = {"spec": spec, "trials": int(experiment.status.get("trials") or 0), "over": experiment.finished}
        self._seen[experiment.uid] = now
        if before is None or before["spec"] == spec:
            return
        for field in {*spec, *before["spec"]} - set(EDITABLE):
            if spec.get(field) != before["spec"].get(field):
                self.refused.append(f"spec.{field} is not editable")
        most = spec.get("maxTrialCount")
        if most is not None and most <= before["trials"]:
            self.refused.append(f"maxTrialCount {most} must be greater than {before['trials']}")
        if most is not None and spec.get("parallelTrialCount", 3) > most:
            self.refused.append("parallelTrialCount must not be greater than maxTrialCount")
        if before["over"] and spec.get("resumePolicy", "Never") == "Never":
            self.refused.append("it is completed, and not restartable")

    def _begin(self, experiment: Resource) -> Resource:
        name = f"{experiment.name}-{new_uid()[:8]}"
        values = {each["name"]: drawn(each) for each in experiment.spec["parameters"]}
        template = experiment.spec["trialTemplate"]
        run = filled(template["trialSpec"], {
            each["name"]: values.get(each["reference"], name) for each in template["trialParameters"]
        })  # fmt: skip
        run["metadata"] = {**run.get("metadata", {}), "name": name, "namespace": experiment.namespace}
        spec = {
            "objective": experiment.spec["objective"],
            "parameterAssignments": [{"name": key, "value": text} for key, text in values.items()],
            "primaryContainerName": template["primaryContainerName"], "retainRun": template.get("retain", False),
            "runSpec": run, "metricsCollector": {"collector": {"kind": "StdOut"}},
        }  # fmt: skip
        made = Resource.new("Trial", name, spec, labels={LABEL: experiment.name})
        validate("trial", made)
        body = made.manifest()
        body["metadata"]["ownerReferences"] = [{
            "apiVersion": experiment.api_version, "kind": "Experiment", "name": experiment.name,
            "uid": experiment.uid, "controller": True,
        }]  # fmt: skip
        self.cluster.transport.ask("POST", f"{GROUP}/{experiment.namespace}/trials", body)
        if self.measure is None:
            self.cluster.transport.ask("POST", self._place(run, experiment.namespace), run)
        return made

    def _write(self, experiment: Resource, trials: list[Resource]) -> None:
        by: dict[str, list[str]] = {}
        for trial in trials:
            by.setdefault(trial.phase, []).append(trial.name)
        ended = {name: by.get(name, []) for name in ("SUCCEEDED", "FAILED")}
        active = [*by.get("RUNNING", []), *by.get("PENDING", [])]
        best = optimal(experiment, trials)
        most, failures = experiment.spec.get("maxTrialCount"), experiment.spec.get("maxFailedTrialCount")
        end = None
        if best and reached(experiment, best):
            end = ("Succeeded", "ExperimentGoalReached")
        elif failures is not None and len(ended["FAILED"]) > failures:
            end = ("Failed", "ExperimentFailed")
        elif most is not None and len(ended["SUCCEEDED"]) + len(ended["FAILED"]) >= most:
            end = ("Succeeded", "ExperimentMaxTrialsReached")
        last = condition(*end) if end else condition("Running", "ExperimentRunning")
        status = {
            "startTime": experiment.status.get("startTime") or moment(),
            "completionTime": (experiment.status.get("completionTime") or moment()) if end else None,
            "trials": len(trials), "trialsRunning": len(active), "trialsPending": 0, "runningTrialList": active,
            "trialsSucceeded": len(ended["SUCCEEDED"]), "succeededTrialList": ended["SUCCEEDED"],
            "trialsFailed": len(ended["FAILED"]), "failedTrialList": ended["FAILED"],
            "conditions": [condition("Created", "ExperimentCreated"), last],
            **({"currentOptimalTrial": best} if best else {}),
        }  # fmt: skip
        plain = {key: value for key, value in status.items() if key not in ("conditions", "completionTime")}
        if any(experiment.status.get(key) != value for key, value in plain.items()) or (
            end and not experiment.finished
        ):
            validate(
                "experiment", experiment.with_(status={k: v for k, v in status.items() if v is not None})
            )
            self.cluster.patch("Experiment", experiment.name, {"status": status})
            # A change is judged by what the API server has then, which is this.
            self._seen[experiment.uid] |= {"trials": len(trials), "over": bool(end)}

    # As the trial's controller, and the collector of its metrics

    def _look(self, experiment: Resource, trial: Resource) -> Resource:
        if trial.finished:
            return trial
        if self.measure is not None:
            if self.hold.is_set():
                return trial
            values = {each["name"]: each["value"] for each in trial.spec["parameterAssignments"]}
            name = trial.spec["objective"]["objectiveMetricName"]
            return self._end(trial, "Succeeded", {name: [self.measure(values)]})
        run = trial.spec["runSpec"]
        try:
            there = self.cluster.transport.ask("GET", self._place(run, trial.namespace, trial.name))
        except NotFound:
            return trial
        held = {
            row["type"]
            for row in (there.get("status") or {}).get("conditions") or ()
            if row["status"] == "True"
        }
        if "Complete" in held or "Failed" in held:
            seen = self._collected(experiment, trial)
            name = trial.spec["objective"]["objectiveMetricName"]
            how = "Failed" if "Failed" in held else "Succeeded" if name in seen else "MetricsUnavailable"
            return self._end(trial, how, seen)
        return trial

    def _collected(self, experiment: Resource, trial: Resource) -> dict[str, list[float]]:
        wanted = experiment.spec["objective"]
        names = {wanted["objectiveMetricName"], *wanted.get("additionalMetricNames", ())}
        found: dict[str, list[float]] = {}
        for pod in self.cluster.pods(trial.spec["runSpec"]["kind"], trial.name):
            path = f"/api/v1/namespaces/{trial.namespace}/pods/{pod.name}/log"
            for line in str(self.cluster.transport.ask("GET", path, accept="text/plain, */*")).splitlines():
                for match in FILTER.finditer(line):
                    if match[1] in names and match[2]:
                        found.setdefault(match[1], []).append(float(match[2]))
        return found

    def _end(self, trial: Resource, how: str, seen: Mapping[str, list[float]]) -> Resource:
        metrics = [
            {"name": name, "latest": str(row[-1]), "min": str(min(row)), "max": str(max(row))}
            for name, row in seen.items()
        ]
        status = {
            "startTime": trial.created, "completionTime": moment(), "observation": {"metrics": metrics},
            "conditions": [condition("Created", "TrialCreated"), condition(how, f"Trial{how}")],
        }  # fmt: skip
        validate("trial", trial.with_(status=status))
        return self.cluster.patch("Trial", trial.name, {"status": status})

    def _place(self, run: Mapping[str, Any], namespace: str, name: str = "") -> str:
        group = str(run["apiVersion"])
        path = f"/apis/{group}/namespaces/{namespace}/{str(run['kind']).lower()}s"
        return f"{path}/{name}" if name else path


def validate(kind: str, resource: Resource) -> None:
    """Raises what upstream's models say of it."""
    from kubeflow_katib_api.models.v1beta1_experiment import V1beta1Experiment
    from kubeflow_katib_api.models.v1beta1_trial import V1beta1Trial

    model = {"experiment": V1beta1Experiment, "trial": V1beta1Trial}[kind]
    status = {key: value for key, value in resource.status.items() if key not in ("phase", "reason")}
    model.from_dict({**resource.manifest(), "metadata": {"name": resource.name}, "status": status})


def filled(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{trialParameters\.(.+?)\}", lambda found: texts[found[1]], value)
    if isinstance(value, Mapping):
        return {key: filled(item, texts) for key, item in value.items()}
    return [filled(item, texts) for item in value] if isinstance(value, list) else value


def drawn(parameter: Mapping[str, Any]) -> str:
    space = parameter["feasibleSpace"]
    if parameter["parameterType"] == "double":
        return str(random.uniform(float(space["min"]), float(space["max"])))
    if parameter["parameterType"] == "int":
        return str(random.randint(int(space["min"]), int(space["max"])))
    return str(random.choice(space["list"]))


def optimal(experiment: Resource, trials: list[Resource]) -> dict[str, Any] | None:
    goal = experiment.spec["objective"]
    low = goal["type"] == "minimize"
    found = [
        (float(each["min" if low else "max"]) * (1 if low else -1), trial)
        for trial in trials
        for each in (trial.status.get("observation") or {}).get("metrics") or ()
        if each["name"] == goal["objectiveMetricName"]
    ]
    if not found:
        return None
    _, best = min(found, key=lambda each: each[0])
    return {
        "bestTrialName": best.name, "parameterAssignments": best.spec["parameterAssignments"],
        "observation": best.status["observation"],
    }  # fmt: skip


def reached(experiment: Resource, best: Mapping[str, Any]) -> bool:
    goal = experiment.spec["objective"]
    if goal.get("goal") is None:
        return False
    low = goal["type"] == "minimize"
    row = next(each for each in best["observation"]["metrics"] if each["name"] == goal["objectiveMetricName"])
    return float(row["min"]) <= goal["goal"] if low else float(row["max"]) >= goal["goal"]
