"""Training jobs on a Kubernetes cluster: the same call makes a TrainJob there, and the same handle follows it.

Kubeflow Trainer runs it, or the training operator as one of its v1 kinds (`kube_v1`); the code travels inside the resource, as
in an export, or where that is too small through the profile's store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import handle
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, KubeflowError, NotFound
from jupyter_ext.training import spec as names
from jupyter_ext.training.handle import Job, JobFailed
from jupyter_ext.training.runtime import runtime_of

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.pods import Pod
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.metrics import Metrics, Page
    from jupyter_ext.training.kube_depot import Depot

_STATES: Final = {"Pending": "PENDING", "Running": "RUNNING", "Succeeded": "SUCCEEDED", "Failed": "FAILED"}


def place() -> KubeCluster | None:
    """The Kubernetes cluster that jobs go to; None for this machine. Raises Unavailable for one that was chosen and cannot."""
    return handle.place("training")


def start(cluster: KubeCluster, here: LocalCluster, resource: Resource) -> Job:
    """Create the job there. Raises Unfit for what only this machine can do, and what the API server refuses."""
    from jupyter_ext.training import kube_depot, kube_runtime, kube_v1

    if resource.kind != "TrainJob":
        return KubeJob(cluster.create(resource).name, cluster, resource.kind)
    depot = kube_depot.of(cluster) if names.CODE in resource.annotations else None
    asked = described(here, resource, depot)
    older = kube_v1.made(cluster, asked) if kube_v1.is_used(cluster) else None
    if depot is not None:
        depot.keep(here.blobs, asked)
    if older is None:
        asked.spec["runtimeRef"] = kube_runtime.reference(
            cluster, asked.spec.get("runtimeRef") or {}, int(resource.annotations.get(names.RESTARTS, "0"))
        )
    created = cluster.create(older or asked)
    return KubeJob(created.name, cluster, created.kind)


def described(here: LocalCluster, resource: Resource, depot: Depot | None = None) -> Resource:
    """The job as a cluster takes it, its code inside or named; nothing is asked of anybody. Raises Unfit, Invalid."""
    from jupyter_ext.training import exporting
    from jupyter_ext.training.validation import validate

    _require(resource)
    if depot is not None and not depot.url and resource.annotations.get(names.CHECKPOINT):
        raise handle.refused("checkpoint", "Checkpoints are kept in the profile's store", depot.why)
    document = exporting.document(here, resource, depot)
    asked_for = resource.spec.get("runtimeRef") or {}
    if asked_for.get("name") not in {runtime_of(each) for each in exporting.WITHOUT_RUNTIME}:
        document["spec"]["runtimeRef"] = dict(asked_for)
    suspend = {"suspend": True} if resource.spec.get("suspend") else {}
    document["spec"] = {**document["spec"], **suspend}
    noted = document["metadata"].setdefault("annotations", {})
    if code := resource.annotations.get(names.CODE):
        noted[names.CODE] = code  # the digest: which code it is, wherever it is
    if (image := os.environ.get(IMAGE)) and document["spec"].get("trainer", {}).get("image") is None:
        document["spec"]["trainer"] = {**document["spec"].get("trainer", {}), "image": image}
    found = Resource.from_dict(document)
    validate(found)
    return found


def _require(resource: Resource) -> None:
    """Refuse by name what Kubeflow Trainer has no word for: nothing is left out silently."""
    noted = resource.annotations
    least, _, most = noted.get(names.NODES, "").partition(":")
    for field, asked, hint in (
        ("nodes", least != most and bool(most), "Name one number of nodes."),
        (
            "checkpoint",
            noted.get(names.CHECKPOINT, "True") != "True",
            "Leave the folder out: checkpoints are kept in the profile's store.",
        ),
        ("register", any(key.endswith("/register") for key in noted), "Register what job.result() gives."),
    ):
        if asked:
            what = f"{field} is for jobs on this machine: a cluster's jobs cannot do it yet"
            raise handle.refused(field, what, hint)


def get(cluster: KubeCluster, name: str, kind: str = "TrainJob") -> Job:
    """The job of that name. Raises NotFound."""
    return KubeJob.found(cluster, name, kind)


def found(cluster: KubeCluster, name: str, kinds: Iterable[str]) -> Job:
    """The job of that name, of the first kind that has one. Raises NotFound."""
    for kind in kinds:
        if cluster.has(kind):
            with suppress(NotFound):
                return get(cluster, name, kind)
    raise NotFound(f"There is no training job {name!r}", hint="List them with training.jobs().")


def jobs(cluster: KubeCluster, kind: str, limit: int, phase: str | None) -> list[tuple[str, Job]]:
    """The newest jobs of a kind, each with the time of its creation; none of a kind that the cluster does not have."""
    if not cluster.has(kind):
        return []
    return handle.listed(cluster, kind, limit, phase, lambda resource: KubeJob(resource.name, cluster, kind))


class KubeJob(handle.Suspending, Job):
    """One training job of a Kubernetes cluster, of any of the kinds. Every property asks the API server."""

    _kind: ClassVar[str] = "TrainJob"

    # What it is

    @property
    def progress(self) -> float | None:
        """How far it has come, from 0 to 1: as its runtime tells it, or as it has printed; None when nobody said."""
        resource = self.resource
        self._catch_up(resource)
        return self._progress(resource)

    def _progress(self, resource: Resource) -> float | None:
        from jupyter_ext.training.kube_metrics import SHARE

        said = (resource.status.get("trainerStatus") or {}).get("progressPercentage")
        return _here().last(resource.uid).get(SHARE) if said is None else int(said) / 100

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric that it has printed or reported."""
        return self._metrics(self.resource, None)

    def _metrics(self, resource: Resource, pods: list[Pod] | None) -> dict[str, float]:
        rows = (resource.status.get("trainerStatus") or {}).get("metrics") or ()
        self._catch_up(resource, pods)
        found = _here().last(resource.uid)
        printed = {name: value for name, value in found.items() if not name.startswith("system/")}
        return printed or {str(row["name"]): float(row["value"]) for row in rows}

    def _catch_up(self, resource: Resource, pods: list[Pod] | None = None) -> None:
        """Read what its pods have printed since the last look; where one may not, or it does not answer, what there is counts."""
        from jupyter_ext.training import kube_metrics

        with suppress(KubeflowError):
            found = self._remote.pods(self.kind, self.name) if pods is None else pods
            kube_metrics.catch_up(self._remote, _here(), resource.uid, found)

    def _is_suspended(self, resource: Resource) -> bool:
        from jupyter_ext.training.submission import suspend_of

        return suspend_of(resource)

    def _spec(self, suspended: bool) -> dict[str, Any]:
        asked = super()._spec(suspended)
        return asked if self.kind == "TrainJob" else {"runPolicy": asked}

    def curves(self, since: int = 0, *, names: Iterable[str] | None = None, limit: int = 2000) -> Page:
        """The points of all metrics that its pods have printed, after the cursor ``since``."""
        resource = self.resource
        self._catch_up(resource)
        return _here().read(resource.uid, since=since, names=names, limit=limit)

    @property
    def ranks(self) -> list[dict[str, Any]]:
        """The state of each node's pod: rank, part, node, state, reason, and the pod and node it is on."""
        return [_rank(number, pod) for number, pod in enumerate(self._remote.pods(self.kind, self.name))]

    def told(self, resource: Resource) -> dict[str, Any]:
        """As every kind's, and the state of each node's pod, and the newest values of what they have printed."""
        pods = self._remote.pods(self.kind, self.name)
        ranks = [_rank(number, pod) for number, pod in enumerate(pods)]
        metrics, share = self._metrics(resource, pods), self._progress(resource)
        return {
            **super().told(resource),
            "ranks": ranks,
            **_times(ranks, is_over=resource.finished),
            **({"metrics": metrics} if metrics else {}),
            **({} if share is None else {"progress": share}),
        }

    # Follow and steer

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and give what rank 0 returned: 4 kB of JSON come with its pod, anything else by the profile's store.

        Raises JobFailed, and Conflict for a value that did not come back.
        """
        from jupyter_ext.training import depot, kube_depot

        resource = self.wait(timeout).resource
        if resource.phase != "SUCCEEDED":
            raise self._failure(resource)
        found = self._remote.pods(self.kind, self.name)
        words = last_words(found, self.name)
        if words.startswith(depot.STORED):
            return kube_depot.result(self._remote, resource, words)
        if words.startswith(depot.LOST):
            raise kube_depot.lost(words, self.name)
        return returned(found, self.name)

    def delete(self) -> None:
        """Remove it, and with it its pods, their logs, and what it left in the profile's store, as far as that answers."""
        from jupyter_ext.training import kube_depot

        resource = self.resource
        super().delete()
        if names.RESULT in resource.annotations:
            with suppress(KubeflowError):
                kube_depot.remove(self._remote, resource)
        _here().forget(resource.uid)

    def _failure(self, resource: Resource) -> JobFailed:
        hint = "See job.logs()." if resource.phase == "FAILED" else "Resume it with job.resume()."
        return JobFailed(f"Job {self.name} is {resource.phase}: {self._why(resource)}", error={}, hint=hint)

    def logs(
        self,
        rank: int | None = None,
        tail: int | None = None,
        *,
        follow: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[str]:
        """What the pod of one node has printed, or all of them with ``[node-1]`` before each line.

        With ``follow`` it goes on until the job ends, or ``stop`` is set.
        """
        part = None if rank is None else f"rank-{rank}"
        return self._printed(part, tail, follow=follow, stop=stop)


def _here() -> Metrics:
    """The curves of this profile, where what the pods print is kept."""
    return discover.current().metrics


def _rank(number: int, pod: Pod) -> dict[str, Any]:
    from jupyter_ext.cluster.kube import why

    status = pod.thing.get("status") or {}
    return {
        "rank": pod.rank if pod.rank is not None else number,
        "part": pod.part,
        "node": pod.rank if pod.rank is not None else number,
        "state": _STATES.get(str(status.get("phase")), "PENDING"),
        "reason": why.reason([pod], ()).removeprefix(f"{pod.part}: "),
        "pod": pod.name,
        "host": str((pod.thing.get("spec") or {}).get("nodeName") or ""),
        **_process(pod),
    }


def _process(pod: Pod) -> dict[str, str | None]:
    """When its container began, and ended."""
    rows = (pod.thing.get("status") or {}).get("containerStatuses") or ()
    state = next((row.get("state") or {} for row in rows if row.get("name") == pod.container), {})
    found = state.get("running") or state.get("terminated") or {}
    return {"startedAt": found.get("startedAt"), "finishedAt": found.get("finishedAt")}


def _times(ranks: list[dict[str, Any]], *, is_over: bool) -> dict[str, str]:
    """From the first pod's beginning to the last one's end, which a TrainJob's status does not have."""
    began = [each["startedAt"] for each in ranks if each["startedAt"]]
    ended = [each["finishedAt"] for each in ranks if each["finishedAt"]]
    return {
        **({"startTime": min(began)} if began else {}),
        **({"completionTime": max(ended)} if ended and is_over else {}),
    }


def returned(pods: list[Pod], name: str) -> Any:
    """What rank 0 left with its pod as JSON; None for nothing. Raises Conflict where its pod is gone."""
    from jupyter_ext.training.outside import RETURNED

    words = last_words(pods, name)
    if words.startswith(RETURNED):
        with suppress(ValueError):
            return json.loads(words.removeprefix(RETURNED))
    return None


def last_words(pods: list[Pod], name: str) -> str:
    """What rank 0 left with its pod for programs; empty for nothing. Raises Conflict where its pod is gone."""
    first = next((pod for pod in pods if not pod.rank), None)
    if first is None:
        hint = "Its pods were removed; what it printed went with them."
        raise Conflict(f"What {name} returned is no longer known", hint=hint)
    for row in (first.thing.get("status") or {}).get("containerStatuses") or ():
        words = str(((row.get("state") or {}).get("terminated") or {}).get("message") or "")
        if words.startswith("jupyter-kubeflow/"):
            return words
    return ""
