"""A job in the hand: follow it, stop it, suspend it, go on with it, and take what it returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.handle import Ending
from jupyter_ext.errors import Conflict, Forbidden, KubeflowError, NotFound, Where

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local.metrics import Page
    from jupyter_ext.cluster.resource import Resource

KINDS: Final = ("TrainJob", "TFJob", "PyTorchJob", "XGBoostJob")


class JobFailed(KubeflowError):
    """A job did not come to its end. ``rank`` and ``error`` say where; ``__cause__`` is the user's own exception."""

    def __init__(self, what: str, *, error: dict[str, Any], hint: str | None = None) -> None:
        place = f"rank {error['rank']}" if error.get("rank") is not None else None
        label = error.get("label") or error.get("file")
        where = Where(
            cell=error.get("cell"),
            cell_id=error.get("cellId"),
            line=error.get("line"),
            object=", ".join(str(part) for part in (place, label) if part) or None,
        )
        super().__init__(what, where=where, hint=hint)
        self.error = error
        self.rank: int | None = error.get("rank")
        self.traceback = "\n".join(error.get("traceback") or ())

    def __str__(self) -> str:
        text = f"{self.what.rstrip('.')}. {self.hint}" if self.hint else self.what
        return f"{text}\n\n{self.traceback}" if self.traceback else text


class Job(Ending):
    """One training job, by name. Every property reads the store: the handle is never out of date.

    Its phase is PENDING, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELING or CANCELED.
    """

    _kind = "TrainJob"

    def _ipython_display_(self) -> None:
        from jupyter_ext.training.widgets import show

        show(self)

    # What it is

    @property
    def progress(self) -> float | None:
        """How far it has come, from 0 to 1; None when nobody said."""
        found = self.resource.status.get("progress")
        return None if found is None else float(found)

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric that was reported."""
        found = self._cluster.metrics.last(self.resource.uid)
        return {name: value for name, value in found.items() if not name.startswith("system/")}

    def curves(self, since: int = 0, *, names: Iterable[str] | None = None, limit: int = 2000) -> Page:
        """The points of all metrics, and of what was measured (``system/…``), after the cursor ``since``."""
        return self._cluster.metrics.read(self.resource.uid, since=since, names=names, limit=limit)

    @property
    def ranks(self) -> list[dict[str, Any]]:
        """The state of each process: rank, part, node, state, reason, attempt, times."""
        return list(self.resource.status.get("ranks", ()))

    # Follow and steer

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and give what rank 0 returned.

        Raises JobFailed, caused by the user's own exception where that could be brought back.
        """
        resource = self.wait(timeout).resource
        if resource.phase != "SUCCEEDED":
            raise self._failure(resource)
        return self._returned(
            resource, hint="Return numbers, arrays or a path, and keep the rest in a checkpoint."
        )

    def _failure(self, resource: Resource) -> JobFailed:
        error = dict(resource.status.get("error") or {})
        hint = None if resource.phase == "FAILED" else "Resume it with job.resume()."
        failure = JobFailed(f"Job {self.name} is {resource.phase}: {resource.reason}", error=error, hint=hint)
        path = self._cluster.work_folder(resource.uid) / f"error-{error.get('rank')}.pkl"
        if path.exists() and error:
            import pickle

            try:
                failure.__cause__ = pickle.loads(path.read_bytes())
            except Exception:
                failure.__cause__ = None
        return failure

    def stop(self, *, wait: bool = False) -> None:
        """Ask it to stop; returns at once unless told to wait. It can be resumed from its last checkpoint."""
        from jupyter_ext.cluster.local import workload

        resource = self.resource
        if resource.phase == "PAUSED":
            self._set({"phase": "CANCELED", "reason": "It was stopped."}, only="PAUSED")
        elif not resource.finished:
            workload.stop(self._cluster, resource.uid, wait=wait)

    def suspend(self) -> None:
        """Ask its processes to end and keep what they saved; ``resume`` goes on. Raises Conflict when it is done."""
        if self.resource.finished:
            raise Conflict(f"Job {self.name} is {self.phase}, so there is nothing to suspend")
        self._suspended(True)

    def resume(self) -> Job:
        """Go on from the last checkpoint, whether it was suspended, was stopped or has failed.

        Raises Conflict if it runs, or has succeeded.
        """
        from jupyter_ext.cluster.local import record, workload
        from jupyter_ext.training import submission

        resource = self.resource
        if not resource.resting:
            if not submission.suspend_of(resource):
                raise Conflict(f"Job {self.name} is {resource.phase}, so there is nothing to resume")
            self.wait(30)  # for the processes that are ending, because it was suspended
            resource = self.resource
        if resource.phase == "SUCCEEDED":
            raise Conflict(f"Job {self.name} has succeeded", hint="Train again to repeat it.")
        self._suspended(False)
        if record.read(self._cluster, resource.uid) is not None:
            workload.restart(self._cluster, resource.uid)
        else:
            submission.begin(self._cluster, self.resource)
        return self

    def _suspended(self, suspended: bool) -> None:
        def change(resource: Resource) -> Resource:
            if resource.kind == "TrainJob":
                return resource.with_(spec={**resource.spec, "suspend": suspended})
            policy = {**(resource.spec.get("runPolicy") or {}), "suspend": suspended}
            return resource.with_(spec={**resource.spec, "runPolicy": policy})

        self._cluster.store.update(self.kind, self.name, change)

    def _set(self, status: dict[str, Any], only: str) -> None:
        def change(resource: Resource) -> Resource | None:
            return resource.with_(status={**resource.status, **status}) if resource.phase == only else None

        self._cluster.store.update(self.kind, self.name, change)

    def delete(self) -> None:
        """Stop it if need be, and remove it with its logs, curves and its own checkpoints."""
        self._cluster.delete(self.kind, self.name)

    # What it printed and what it is made of

    def logs(
        self,
        rank: int | None = None,
        tail: int | None = None,
        *,
        follow: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[str]:
        """What one rank has printed, or all of them with ``[rank 1]`` before each line.

        With ``follow`` it goes on until the job ends, or ``stop`` is set.
        """
        from jupyter_ext.training.printing import printed

        return printed(self._cluster, self, rank, tail, follow=follow, stop=stop)

    def export(self, path: str | Path | None = None) -> str:
        """The job as YAML that runs on a cluster with Kubeflow Trainer, and here by ``jupyter kf apply``.

        Raises Unfit for what cannot be taken along: local data, or more code than a resource holds.
        """
        from jupyter_ext.training.exporting import export

        text = export(self._cluster, self.resource)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def code(self) -> str:
        """Python that starts the same job."""
        from jupyter_ext.training.exporting import asked
        from jupyter_ext.training.snippets import python

        return python(asked(self._cluster, self.resource))


def get(name: str, kind: str | None = None) -> Job:
    """The job of that name, of the cluster that is used or else of this machine; raises NotFound.

    ``kind`` is that of the resource. Without it any kind of a cluster, and a TrainJob of this machine.
    """
    # The older kinds of a cluster that has none are this machine's, whatever that cluster can do.
    is_here = kind not in {None, "TrainJob"} and discover.holder(str(kind)).kind == "local"
    if not is_here and (there := _there(name, kind)) is not None:
        return there
    found = Job(name, kind=kind or "TrainJob")
    _ = found.resource
    return found


def _there(name: str, kind: str | None) -> Job | None:
    """The job of that name on the Kubernetes cluster that is used."""
    from jupyter_ext.cluster.kube.handle import there
    from jupyter_ext.training import kube

    kinds = (kind,) if kind else KINDS
    return there("training", lambda cluster: kube.found(cluster, name, kinds))


def jobs(limit: int = 50, phase: str | None = None, *, kinds: Iterable[str] = KINDS) -> list[Job]:
    """The newest jobs first, of all training kinds: of this machine, and of the Kubernetes cluster that is used."""
    from jupyter_ext.training import kube

    cluster, kinds = discover.current(), tuple(kinds)
    listed = [each for kind in kinds for each in cluster.list(kind, limit=limit, phase=phase, summary=True)]
    found = [(each.created, Job(each.name, cluster, each.kind)) for each in listed]
    if (place := kube.place()) is not None:
        for kind in kinds:
            found += _listed(place, kind, limit, phase)
    found.sort(key=lambda each: each[0], reverse=True)
    return [job for _, job in found[:limit]]


def _listed(place: KubeCluster, kind: str, limit: int, phase: str | None) -> list[tuple[str, Job]]:
    """Those of one kind there. Who may not see the older ones sees TrainJobs."""
    from jupyter_ext.training import kube

    try:
        return kube.jobs(place, kind, limit, phase)
    except Forbidden:
        if kind == "TrainJob":
            raise
        return []


def delete(name: str) -> None:
    """Stop the job if need be and remove it; raises NotFound."""
    for kind in KINDS:
        try:
            get(name, kind).delete()
        except NotFound:
            continue
        return
    raise NotFound(f"There is no training job {name!r}", hint="List them with training.jobs().")
