"""The controller of a run whose steps are Jobs: the process in the notebook's container that brings it to its end.

It decides as the one for this machine does (``pipelines/local.py``); only where a step runs, and where its values lie,
is another. Killed at any moment it is started again: what has ended is in the store, what runs is a Job with the
name that its request has, and neither is begun a second time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import Conflict, KubeflowError, NotFound
from jupyter_ext.pipelines import cache
from jupyter_ext.pipelines.exchange import blobs_of
from jupyter_ext.pipelines.kube import place as places
from jupyter_ext.pipelines.kube.following import Following
from jupyter_ext.pipelines.kube.tasks import KubeLoopTask, KubeTask, step_of
from jupyter_ext.pipelines.local import Controller, _fail
from jupyter_ext.pipelines.status import DONE

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.cache import Parts
    from jupyter_ext.pipelines.exchange import StepRequest
    from jupyter_ext.pipelines.model import Step
    from jupyter_ext.pipelines.task import Task
    from jupyter_ext.pipelines.versions import Inputs

_LOOK: Final = 1.0
"""Seconds between two looks even if nothing was heard: a pod that waits may have another reason now."""
RECORD: Final = "run.json"


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Bring the run to its end; the entry point of the workload process."""
    try:
        controller = KubeController(cluster, resource, stop)
    except KubeflowError as error:
        _fail(cluster, resource, error)
        return
    try:
        controller.run()
    except KubeflowError as error:
        controller.give_up()
        _fail(cluster, resource, error)
    finally:
        controller.close()
        controller.keep_record()


class KubeController(Controller):
    """Schedules the steps of one run as Jobs."""

    def __init__(self, cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
        super().__init__(cluster, resource, stop)
        self.place: Mapping[str, Any] = resource.spec["place"]
        self.remote, self.store = places.opened(self.place)
        self.following = Following(self.remote, resource.uid)
        before = resource.status.get("steps", ())
        self.is_again = bool(before)
        """Whether an earlier process of this run may have made Jobs."""
        self.interrupted = {
            status["name"]
            for status in before
            if status["attempt"] and status["state"] in {"RUNNING", "PENDING"}
        }
        """Steps whose last attempt nobody saw end."""
        self.given: dict[str, str] = dict(resource.spec.get("files") or {})
        """What lay beside the notebook, by path."""
        self.files_of: dict[str, dict[tuple[int, str], dict[str, str | None]]] = {}
        """What each step's pods wrote, by step, iteration and path."""
        self.cell_sources = [
            {"index": cell.index, "id": cell.id, "source": cell.source}
            for step in self.pipeline.steps
            for cell in step.cells
        ]
        self.paths = sorted(
            {
                effect.detail
                for step in self.plain.steps
                for effect in step.effects
                if effect.kind == "file" and effect.detail.startswith("/") and effect.mode == "w"
            }
        )
        self._sent: set[str] = set()
        self.following.start()

    def close(self) -> None:
        """Leave; the Jobs that there still are go on, and whoever continues the run takes them up."""
        for task in list(self.tasks.values()):
            task.leave()  # type: ignore[attr-defined] # they are ours
        self.following.close()
        self.selector.close()
        self.remote.close()

    def give_up(self) -> None:
        """Remove what runs: the run has failed as a whole."""
        for task in list(self.tasks.values()):
            task.abandon()
        self.tasks.clear()

    def keep_record(self) -> None:
        """Put the run's record into the store, beside what its steps left."""
        try:
            resource = self.cluster.store.get(self.resource.kind, self.resource.name)
            text = json.dumps(resource.to_dict(), ensure_ascii=False).encode(errors="replace")
            self.store.write(f"runs/{self.resource.uid}/{RECORD}", text)
        except (KubeflowError, OSError):
            return  # the record in the notebook's own store is the one that counts

    # What the base class asks

    def _wait(self) -> None:
        self.following.changed.wait(_LOOK)
        self.following.changed.clear()

    def _parts(self, step: Step, inputs: Inputs) -> Parts:
        parts = super()._parts(step, inputs)
        return replace(parts, image=step.image or str(self.place["image"]))

    def _cached(self, name: str, parts: Parts) -> cache.Hit | cache.Miss:
        files = self.files_before(name)
        return cache.look_up(
            self.cluster.store, self, self._scope_key, name, parts, lenient=self.lenient,
            changed=lambda observed: _changed(observed, files),
        )  # fmt: skip

    def has(self, digest: str) -> bool:
        """Whether a value is here or in the store."""
        return self.cluster.blobs.has(digest) or self.store.has(digest)

    def _task(self, step: Step, inputs: Inputs, parts: Parts) -> Task:
        together = step.foreach is not None and step.foreach.parallel
        return (KubeLoopTask if together else KubeTask)(self, step, inputs, parts)

    # Values and files

    def send(self, request: StepRequest) -> None:
        """See to it that what a step is given is in the store."""
        needed = blobs_of(request.inputs) | set(request.hidden.values())
        needed |= set(self.files_before(step_of(request)).values())
        here = {digest for digest in needed - self._sent if self.cluster.blobs.has(digest)}
        self.store.push(self.cluster.blobs, sorted(here))
        self._sent |= here

    def fetch(self, digests: Iterable[str]) -> None:
        """Bring what a step left to this machine."""
        wanted = [digest for digest in digests if not self.cluster.blobs.has(digest)]
        if wanted:
            self.store.pull(self.cluster.blobs, wanted)

    def files_before(self, name: str) -> dict[str, str]:
        """The files that a step finds in its folder: those beside the notebook, and what earlier steps wrote."""
        found: dict[str, str | None] = dict(self.given)
        known = set(self._known_before(name))
        for other in self.record.scope:
            if other in known and self.record.state(other) == "SUCCEEDED":
                found |= self.record[other].get("files") or {}
        return {path: digest for path, digest in found.items() if digest is not None}

    def is_read_later(self, step: str, name: str) -> bool:
        """Whether a step that is not done reads the name, said in its code."""
        return any(
            name in later.reads and self.record.state(later.name) not in DONE
            for later in self.pipeline.steps
            if later.name in self.record.scope and later.name != step
        )

    def wrote(self, request: StepRequest, files: Mapping[str, str | None]) -> None:
        """Remember what a pod wrote; of two iterations the later one's counts."""
        loop = request.foreach
        number = loop.index if loop is not None and loop.index is not None else -1
        self.files_of[step_of(request)][number, request.step] = dict(files)

    def hold(self, name: str, handle: Any, live: Iterable[str]) -> None:
        """Nothing: a pod ends with its step."""

    # What executions tell

    def _status(self, unit: str) -> dict[str, Any] | None:
        """The status of a step or an iteration; None for what collects a loop, or is no longer one of its iterations."""
        name, _, rest = unit.partition("[")
        if not rest:
            return self.record[name]
        number = rest.rstrip("]")
        known = self.record.all() if number.isdecimal() else []
        return next((status for status in known if status["name"] == unit), None)

    def _tell(self, unit: str, **fields: Any) -> None:
        status = self._status(unit)
        if status is not None and any(status.get(key) != value for key, value in fields.items()):
            status.update(fields)
            self.record.touch()

    def say(self, unit: str, words: str) -> None:
        """A sentence for a step that goes on."""
        self._tell(unit, reason=words)

    def waits(self, unit: str, words: str) -> None:
        """Its pod has not begun."""
        self._tell(unit, state="PENDING", reason=words)

    def begins(self, unit: str) -> None:
        """Its pod's process runs."""
        self._tell(unit, state="RUNNING", reason="", startedAt=now())

    def pod_is(self, unit: str, pod: str, job: str) -> None:
        """Where it runs, for who looks with kubectl."""
        self._tell(unit, pod=pod, job=job)

    # Jobs

    def make_job(self, body: Mapping[str, Any]) -> None:
        """Make it, once: its name is a digest of what it is asked, so one that is there is this one."""
        query = {"fieldManager": self.remote.manager, "fieldValidation": "Strict"}
        try:
            made = self.remote.transport.ask("POST", self._jobs_path(), body, query=query, repeat=True)
        except Conflict:
            made = self.remote.transport.ask("GET", self._jobs_path(body["metadata"]["name"]))
        self.following.noted(made)

    def look_for_job(self, name: str) -> bool:
        """Whether the API server has it."""
        try:
            self.following.noted(self.remote.transport.ask("GET", self._jobs_path(name)))
        except NotFound:
            return False
        return True

    def remove_job(self, name: str) -> None:
        """Remove a Job with its pod; the one that is gone is gone."""
        try:
            self.remote.transport.ask(
                "DELETE", self._jobs_path(name), {"propagationPolicy": "Background"}, repeat=True
            )
        except NotFound:
            return

    def _jobs_path(self, name: str = "") -> str:
        path = f"/apis/batch/v1/namespaces/{self.remote.namespace}/jobs"
        return f"{path}/{name}" if name else path


def _changed(observed: Mapping[str, Any], files: Mapping[str, str]) -> list[str]:
    """Which of the files that a step read are others now."""
    return [
        f"file {name}" for name, digest in (observed.get("given") or {}).items() if files.get(name) != digest
    ]
