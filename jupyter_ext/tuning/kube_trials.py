"""Trials that are TrainJobs of a Kubernetes cluster, or v1 jobs of one without them, steered from here.

One watch tells of all of them. What a trial reports is followed in the log of its first pod; what it returned comes with
the pod's status. The jobs have labels with their experiment and trial, by which they are found again after a crash.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube.handle import AWAY_SECONDS
from jupyter_ext.cluster.kube.refusals import Away
from jupyter_ext.cluster.phases import STOPPED
from jupyter_ext.cluster.resource import Resource, now
from jupyter_ext.errors import Conflict, Gone, KubeflowError, NotFound
from jupyter_ext.training import kube_depot, kube_v1
from jupyter_ext.training.outside import ENDED, OBJECTIVE
from jupyter_ext.training.spec import DEPOT, PREFIX
from jupyter_ext.tuning.folder import KATIB_TRIAL, TRIAL
from jupyter_ext.tuning.jobs import Children, job_of
from jupyter_ext.tuning.kube import check, is_older, opened
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.status import EXPERIMENT_LABEL

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.cluster.local.metrics import Point
    from jupyter_ext.training.kube_depot import Depot
    from jupyter_ext.tuning.folder import Folder
    from jupyter_ext.tuning.space import Value
    from jupyter_ext.tuning.spec import Plan

KIND: Final = "TrainJob"
KINDS: Final = (KIND, "PyTorchJob", "TFJob", "XGBoostJob")
"""What trials may be: the others where there is only the training operator."""
OWNER_LABEL: Final = PREFIX + "experiment"
"""The experiment's UID: another of the same name may have been before."""
TRIAL_LABEL: Final = PREFIX + "trial"
_LOG_SECONDS: Final = 60.0
"""How long a log may be read on after its trial has ended."""
_PAUSES: Final = (1.0, 30.0)
_WHY_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 15.0


def described(
    plan: Plan, here: LocalCluster, name: str, values: Mapping[str, Value], depot: Depot | None
) -> Resource:
    """The TrainJob of one trial, its code inside or named; nothing is asked of anybody. Raises Unfit, Invalid."""
    from jupyter_ext.training import kube

    found = kube.described(here, job_of(plan, name, values, ""), depot)
    trainer = dict(found.spec.get("trainer") or {})
    told = {TRIAL: name, KATIB_TRIAL: name}
    if plan.template.code:
        told[OBJECTIVE] = plan.objective.name
    kept = [each for each in trainer.get("env") or () if each.get("name") not in told]
    trainer["env"] = [*kept, *({"name": key, "value": text} for key, text in told.items())]
    return found.with_(namespace="", spec={**found.spec, "trainer": trainer})


class KubeTrials(Children):
    """Trials that are TrainJobs of a Kubernetes cluster."""

    grace: float = 0.0
    """Nothing there looks for a file of ours: a trial that is not wanted any more is suspended at once."""
    verb = "printed"
    keeps_points = True

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> None:
        super().__init__(cluster, resource, plan, folder)
        remote = opened(resource.annotations)
        assert remote is not None
        self._remote = remote
        self._labels = {OWNER_LABEL: resource.uid}
        self._depot = kube_depot.read(resource.annotations.get(DEPOT))
        self._kind = KIND
        if is_older(resource.annotations):
            self._kind = kube_v1.kind_of(check(plan, cluster, self._depot))
        self._jobs = _Jobs(self._remote, self._kind, self._labels)
        self._readers: dict[int, _Reader] = {}
        self._over: dict[int, float] = {}
        self._runtimes: dict[str, dict[str, Any]] = {}
        self._asked_why = 0.0
        self._given_up: set[int] = set()
        self._delayed: dict[int, tuple[Entry, float]] = {}
        """Trials whose jobs could not be made because nobody answered, and since when."""
        self._begun = 0

    def warm(self) -> None:
        """Begin to watch."""
        self._jobs.start()

    def close(self) -> None:
        """Stop looking. The jobs go on: who takes the experiment up finds them."""
        self._jobs.end()
        for reader in self._readers.values():
            reader.end()

    # Beginning

    def adopt(self, entry: Entry) -> Ended | bool:
        """A trial's job goes on without its experiment's controller."""
        there = self._there(entry)
        if there is None:
            return False
        self._begun = max(self._begun, entry.number + 1)
        self._cluster.metrics.forget(entry.uid)  # its log is read again from the start
        self._running[entry.number] = (entry, self._kind, entry.name)
        self._jobs.note(there)
        return True

    def _there(self, entry: Entry) -> Resource | None:
        """The trial's own job."""
        try:
            found = self._remote.get(self._kind, entry.name)
        except NotFound:
            return None
        return found if found.labels.get(TRIAL_LABEL) == entry.uid else None

    def start(self, entry: Entry, lease: Lease | None) -> None:
        """Create the job. Where the API server is away the trial waits for it: it would fail, and with it all that follow."""
        since = self._delayed.pop(entry.number, (entry, time.monotonic()))[1]
        try:
            kind, name = self._create(entry)
        except Away as error:
            if time.monotonic() - since < AWAY_SECONDS:
                self._delayed[entry.number] = (entry, since)
                self.waiting = str(error)
                return
            self._failed.append(Ended(entry.number, "FAILED", str(error)))
        except KubeflowError as error:
            self._failed.append(Ended(entry.number, "FAILED", str(error)))
        else:
            self._running[entry.number] = (entry, kind, name)
        del lease

    def _create(self, entry: Entry) -> tuple[str, str]:
        self._begun = max(self._begun, entry.number + 1)
        values = entry.suggestion.values
        asked = described(self._plan, self._cluster, entry.name, values, self._depot)
        if self._kind == KIND:
            asked.spec["runtimeRef"] = self._runtime(asked.spec.get("runtimeRef") or {})
        else:
            asked = kube_v1.made(self._remote, asked)
        labels = {**asked.labels, EXPERIMENT_LABEL: self._experiment.name, **self._labels}
        try:
            made = self._remote.create(asked.with_(labels={**labels, TRIAL_LABEL: entry.uid}))
        except Conflict:
            found = self._there(entry)  # made before a crash
            if found is None:
                raise
            made = found
        self._jobs.note(made)
        return self._kind, entry.name

    def _runtime(self, reference: Mapping[str, Any]) -> dict[str, Any]:
        """The runtime of the trials, found once for all."""
        from jupyter_ext.training import kube_runtime

        name = str(reference.get("name"))
        if name not in self._runtimes:
            self._runtimes[name] = kube_runtime.reference(self._remote, reference)
        return self._runtimes[name]

    # Following

    def poll(self) -> list[Ended]:
        """Trials whose jobs have ended since the last look, and whose logs are read."""
        for entry, _ in [*self._delayed.values()][:1]:
            self.start(entry, None)  # the others, when this one could be made
        found, self._failed = self._failed, []
        for number, (entry, _, name) in list(self._running.items()):
            if number in self._given_up:  # its pod ends without anybody waiting for that
                del self._running[number]
                found.append(Ended(number, "PRUNED", entry.stopped))
                continue
            job = self._jobs.get(name)
            if job is None:
                if self._jobs.is_gone(name):
                    self.forget(number)
                    found.append(Ended(number, "CANCELED", f"Its {self._kind} was deleted."))
                continue
            if job.phase != "PENDING":
                self._read_log(entry)
            if job.finished and self._is_read(number):
                del self._running[number]
                found.append(self._ended(entry, job))
            elif (metrics := self._said(number)) is not None:
                del self._running[number]
                found.append(Ended(number, "SUCCEEDED", "", metrics))
        self._say_why()
        return found

    def _said(self, number: int) -> dict[str, float] | None:
        """The metrics of a trial whose log says that it has ended, where another waits for its place.

        Its job tells that seconds later. Of the last trials that is awaited: then all jobs are over with the experiment.
        """
        most, reader = self._plan.max_trials, self._readers.get(number)
        is_last = most is not None and self._begun >= most
        return None if reader is None or is_last else reader.ended

    def _read_log(self, entry: Entry) -> None:
        if entry.number not in self._readers:
            reader = _Reader(self._remote, self._kind, entry.name, lambda: self._jobs.is_over(entry.name))
            self._readers[entry.number] = reader
            reader.start()

    def _is_read(self, number: int) -> bool:
        since = self._over.setdefault(number, time.monotonic())
        reader = self._readers.get(number)
        return reader is None or not reader.is_alive() or time.monotonic() - since > _LOG_SECONDS

    def read(self, entry: Entry, *, last: bool = False) -> list[Point]:
        """What it has reported since the last look."""
        reader = self._readers.get(entry.number)
        if reader is None:
            return []
        points = reader.take()
        if last:
            self.forget(entry.number)
        return points

    def _say_why(self) -> None:
        """Why no trial has started, from the first one's pods: said in the experiment's own reason."""
        if self._delayed:
            return
        jobs = [job for _, _, name in self._running.values() if (job := self._jobs.get(name)) is not None]
        if not jobs or any(job.phase != "PENDING" for job in jobs):
            self.waiting = ""
        elif time.monotonic() - self._asked_why > _WHY_SECONDS:
            if self._asked_why:
                with contextlib.suppress(KubeflowError):
                    self.waiting = self._remote.why(jobs[0])
            self._asked_why = time.monotonic()

    # Ending

    def _ended(self, entry: Entry, child: Resource) -> Ended:
        try:
            pods = self._remote.pods(self._kind, entry.name)
            why = "" if child.phase == "SUCCEEDED" else self._remote.why(child)
        except KubeflowError as error:
            pods, why = [], str(error)
        if child.phase == "SUCCEEDED":
            return Ended(entry.number, "SUCCEEDED", "", _metrics(pods, entry.name, self._plan))
        if entry.stopped:
            return Ended(entry.number, "PRUNED", entry.stopped)
        if child.phase == "FAILED":
            return Ended(entry.number, "FAILED", why or child.reason)
        return Ended(entry.number, "CANCELED", child.reason or f"Its {self._kind} was suspended.")

    def ask_to_stop(self, entry: Entry) -> None:
        """End its pods; what it has said until now counts."""
        if self._suspended(entry.number):
            self._given_up.add(entry.number)

    def kill(self, number: int) -> None:
        """End its pods. The job stays, suspended, and tells what it was."""
        self._suspended(number)

    def _suspended(self, number: int) -> bool:
        """Whether the cluster was told to."""
        if number not in self._running:
            return False
        spec: dict[str, Any] = {"suspend": True}
        spec = spec if self._kind == KIND else {"runPolicy": spec}
        change = {"spec": spec, "metadata": {"annotations": {STOPPED: now()}}}
        try:
            self._remote.patch(self._kind, self._running[number][2], change)
        except NotFound:
            return False
        except KubeflowError as error:
            print(f"{self._running[number][2]} could not be stopped: {error}", flush=True)  # noqa: T201 - into the workload's log
            return False
        return True

    def forget(self, number: int) -> None:
        """What becomes of it is of no interest."""
        super().forget(number)
        self._delayed.pop(number, None)
        if reader := self._readers.pop(number, None):
            reader.end()


def _metrics(pods: list[Pod], name: str, plan: Plan) -> dict[str, float]:
    """The metrics in what rank 0 returned."""
    from jupyter_ext.training.kube import returned
    from jupyter_ext.tuning.call import measured

    try:
        found = measured(returned(pods, name))
    except (TypeError, KubeflowError):
        return {}  # a value of another kind is a result, but no metric
    number = found.get("number")
    return {**found["metrics"], **({} if number is None else {plan.objective.name: number})}


class _Jobs(threading.Thread):
    """The experiment's jobs as the cluster tells of them: one list, and one watch that is taken up again."""

    def __init__(self, cluster: KubeCluster, kind: str, labels: Mapping[str, str]) -> None:
        super().__init__(name="kubeflow-trials", daemon=True)
        self._cluster, self._kind, self._labels = cluster, kind, dict(labels)
        self._found: dict[str, Resource] = {}
        self._gone: set[str] = set()
        self._guard = threading.Lock()
        self._over = threading.Event()

    def end(self) -> None:
        """Stop watching."""
        self._over.set()

    def get(self, name: str) -> Resource | None:
        """A job as it was told last."""
        return self._found.get(name)

    def is_gone(self, name: str) -> bool:
        """Whether a job that was there is no more."""
        return name in self._gone

    def is_over(self, name: str) -> bool:
        """Whether nothing more will happen to it."""
        found = self._found.get(name)
        return self._over.is_set() or name in self._gone or (found is not None and found.finished)

    def note(self, job: Resource) -> None:
        """Take in what somebody was told."""
        with self._guard:
            known = self._found.get(job.name)
            if known is None or job.resource_version > known.resource_version:
                self._found[job.name] = job
                self._gone.discard(job.name)

    def run(self) -> None:
        """Watch until it is ended."""
        pause = _PAUSES[0]
        while not self._over.is_set():
            try:
                self._follow()
                pause = _PAUSES[0]
            except Gone:
                continue
            except KubeflowError as error:
                print(f"The trials are not seen for now: {error}", flush=True)  # noqa: T201 - into the workload's log
                self._over.wait(pause)
                pause = min(pause * 2, _PAUSES[1])

    def _follow(self) -> None:
        known = set(self._found)
        listed = self._cluster.list(self._kind, labels=self._labels, summary=True)
        for job in listed:
            self.note(job)
        for name in known - {job.name for job in listed}:
            self._drop(name)
        wanted = self._labels.items()
        watched = self._cluster.watch(listed.resource_version, [self._kind], stop=self._over, summary=True)
        for event in watched:
            if not event.resource.labels.items() >= wanted:
                continue
            if event.type == "DELETED":
                self._drop(event.resource.name)
            else:
                self.note(event.resource)

    def _drop(self, name: str) -> None:
        with self._guard:
            self._found.pop(name, None)
            self._gone.add(name)


class _Reader(threading.Thread):
    """Follows the log of a trial's first pod to its end, and finds numbers in it."""

    def __init__(self, cluster: KubeCluster, kind: str, name: str, is_over: Callable[[], bool]) -> None:
        from jupyter_ext.training.lines import Parser

        super().__init__(name=f"kubeflow-trial-{name}", daemon=True)
        self._cluster, self._kind, self._name, self._is_over = cluster, kind, name, is_over
        self._parser = Parser(0)
        self._points: list[Point] = []
        self.ended: dict[str, float] | None = None
        """What the trial's last line says, once that is read."""
        self._pods: list[Pod] = []
        self._looked = 0.0
        self._end = threading.Event()

    def end(self) -> None:
        """Stop reading."""
        self._end.set()

    def take(self) -> list[Point]:
        """The points since the last call."""
        count = len(self._points)
        found, self._points[:count] = self._points[:count], []
        return found

    def run(self) -> None:
        """Read until the trial has ended."""
        from jupyter_ext.cluster.kube import logs

        lines = logs.follow(
            self._cluster.transport, self._cluster.namespace, self._first, None, None, self._is_over,
            self._end.is_set,
        )  # fmt: skip
        try:
            for line in lines:
                if line.startswith(ENDED):
                    self.ended = _numbers(line.removeprefix(ENDED))
                else:
                    self._points += self._parser.feed(line, time.time())
        except NotFound:
            pass  # its pods have gone
        except KubeflowError as error:
            print(f"The log of {self._name} cannot be read: {error}", flush=True)  # noqa: T201 - into the workload's log
        self._points += self._parser.close(time.time())

    def _first(self) -> list[Pod]:
        """The first pod; it is looked for until it has begun, and now and then: there is another one after an eviction."""
        moment = time.monotonic()
        if moment - self._looked > _LOOK_SECONDS or not any(pod.has_begun for pod in self._pods):
            self._looked = moment
            self._pods = [pod for pod in self._cluster.pods(self._kind, self._name) if not pod.rank][:1]
        return self._pods


def _numbers(text: str) -> dict[str, float] | None:
    """The metrics in a trial's last line; None where somebody else wrote it."""
    from jupyter_ext.tuning.call import measured

    try:
        found: dict[str, float] = measured(dict(json.loads(text)))["metrics"]
    except (ValueError, TypeError):
        return None
    return found


def remove(cluster: KubeCluster, uid: str, *, is_older: bool = False) -> None:
    """Delete all jobs of an experiment there. Raises Unavailable where the cluster does not answer."""
    for kind in filter(cluster.has, KINDS[1:] if is_older else KINDS[:1]):
        served = cluster.kinds.served(kind)
        for job in cluster.list(kind, labels={OWNER_LABEL: uid}, summary=True):
            with contextlib.suppress(NotFound):
                body = {"propagationPolicy": "Background"}
                cluster.transport.ask("DELETE", served.path(cluster.namespace, job.name), body, repeat=True)
