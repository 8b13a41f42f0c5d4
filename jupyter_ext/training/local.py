"""The embedded controller of a training job: one detached process that brings one job to its end.

It owns no state that the store and the job's folder do not have: killed at any line, it is started again, and
its processes, which die with it, go on from their last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import Lease, Waiting
from jupyter_ext.cluster.local.workload import stop_requested
from jupyter_ext.errors import KubeflowError
from jupyter_ext.registry.made import ANNOTATION, at_end, sentence
from jupyter_ext.training import launch, manifest
from jupyter_ext.training.attempt import Attempt, Outcome
from jupyter_ext.training.ledger import Ledger
from jupyter_ext.training.nesting import host_of
from jupyter_ext.training.progress import Progress
from jupyter_ext.training.reporting import CHECKPOINT
from jupyter_ext.training.submission import JOB_UNIT, PATHS, request_of, suspend_of
from jupyter_ext.training.unpacking import unpack

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

TICK: Final = 0.1
"""Seconds between looks at what no file descriptor announces."""
LOOK_SECONDS: Final = 0.25
"""How often the resource itself is read: somebody may have suspended it."""
_BACKOFF: Final = (0.2, 10.0)
"""First and longest wait before another attempt; it doubles in between."""


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Bring the job to its end; the entry point of the workload's process."""
    ledger = Ledger(cluster, resource)
    try:
        Controller(cluster, resource, stop, ledger).run()
    except KubeflowError as error:
        ledger.conclude(
            "FAILED",
            str(error),
            error=error.to_dict() | {"type": type(error).__name__, "message": error.what},
        )


class _Interrupted(Exception):
    """The job is not to go on now: stopped, suspended, past its deadline, or the machine is going down."""

    def __init__(self, phase: str | None, reason: str, why: str = "") -> None:
        super().__init__(reason)
        self.phase, self.reason, self.why = phase, reason, why


class Controller:
    """One job, from its lease to its end."""

    def __init__(
        self, cluster: LocalCluster, resource: Resource, stop: threading.Event, ledger: Ledger
    ) -> None:
        self.cluster, self.resource, self.stopping, self.ledger = cluster, resource, stop, ledger
        self.job = manifest.job_of(resource, cluster.work_folder(resource.uid), Path.cwd())
        self.paths = json.loads(os.environ.pop(PATHS, "[]"))
        self.looked = 0.0
        self.deadline: float | None = None
        self.lease: Lease | None = None

    def run(self) -> None:
        """Attempt after attempt, until one succeeds or no more are allowed."""
        progress = None
        try:
            self._look()
            self.lease = self._acquire()
            python = self._python()
            self._prepare()
            progress = Progress(self.job.folder, self.job.namespace, self.job.name, self.ledger.heard)
            outcome = self._attempts(python, progress)
            self._finish(outcome)
        except _Interrupted as error:
            if error.phase is not None:
                self.ledger.conclude(error.phase, error.reason, why=error.why)
        finally:
            if progress is not None:
                progress.close()
            if self.lease is not None:
                self.cluster.leases.release(self.lease)

    # Before the first process

    def _acquire(self) -> Lease:
        """The lease, waited for with the reason in the status."""
        request = request_of(self.job)
        while True:
            found = self.cluster.leases.acquire(
                self.job.uid, self.job.name, JOB_UNIT, request, host_of(self.resource)
            )
            if not isinstance(found, Waiting):
                return found
            self.ledger.save("PENDING", reason=found.reason)
            try:
                self._pause(TICK)
            except _Interrupted:
                self.cluster.leases.withdraw(self.job.uid, JOB_UNIT)
                raise

    def _python(self) -> str:
        """The interpreter of the job's processes: the notebook's, or one with more packages."""
        if not self.job.packages:
            return sys.executable
        from jupyter_ext.training import packages

        def waiting(reason: str) -> None:
            self.ledger.save("PENDING", reason=reason)
            self._pause(TICK)

        return packages.interpreter(self.cluster, self.job.packages, waiting)

    def _prepare(self) -> None:
        """Unpack the code, and write down what the ranks have to know."""
        folder = self.job.folder
        if self.job.code:
            code = folder / "code"
            mark = folder / "code.digest"
            if mark.exists() and mark.read_text() != self.job.code:
                shutil.rmtree(code, ignore_errors=True)
            unpack(self.cluster.blobs.read(self.job.code), code)
            mark.write_text(self.job.code)
        facts = {
            "args": dict(self.job.args),
            "data": dict(self.job.data),
            "path": self.paths,
            "logs": str(self.cluster.log_folder(self.job.uid)),
        }
        (folder / "job.json").write_text(json.dumps(facts))
        for name in ("ranks", "reports"):
            (folder / name).mkdir(exist_ok=True)

    # While it runs

    def _attempts(self, python: str, progress: Progress) -> Outcome:
        assert self.lease is not None
        first = True
        failed = 0
        self.ledger.begin()
        if self.job.deadline is not None:
            self.deadline = time.monotonic() + self.job.deadline
        while True:
            with launch.Ports() as ports:
                launches = launch.plan(self.job, python, ports, self.lease.gpus)
                attempt = Attempt(self, launches, {**self._environment(), **progress.environment()})
                try:
                    attempt.start()
                    if first:
                        progress.start()
                        first = False
                    outcome = attempt.run(self.checked)
                finally:
                    attempt.close()
            if stop_requested(self.cluster, self.job.uid):
                # However it ended: perhaps only because what it waited for was stopped with it.
                raise _Interrupted("CANCELED", "It was stopped.")
            agent = any(each.role == "agent" for each in launches)
            allowed = 0 if agent else self.job.restarts
            if outcome.ok or failed >= allowed:
                return outcome
            failed += 1
            self.ledger.restarted(f"{outcome.reason} Starting again ({failed} of {allowed}).")
            self._pause(min(_BACKOFF[1], _BACKOFF[0] * 2 ** (failed - 1)))

    def _environment(self) -> dict[str, str]:
        """The notebook's environment with the job's on top, and what tells a process where things are."""
        assert self.lease is not None
        found = {**os.environ, **self.job.env, **self.lease.env()}
        if found.get("MPLBACKEND", "").startswith("module://"):
            found["MPLBACKEND"] = "Agg"  # a notebook's own backend shows nothing here
        found[CHECKPOINT] = str(self.job.checkpoint)
        for name, place in self.job.data.items():
            found[f"JUPYTER_KUBEFLOW_DATA_{name.upper()}"] = place
        if self.job.command:
            found.setdefault("PYTHONUNBUFFERED", "1")
        return found

    def checked(self) -> None:
        """Raises _Interrupted when the job is not to go on."""
        if self.stopping.is_set():
            if stop_requested(self.cluster, self.job.uid):
                raise _Interrupted("CANCELED", "It was stopped.")
            raise _Interrupted(None, "This process was asked to end.")
        if self.deadline is not None and time.monotonic() > self.deadline:
            reason = f"It took longer than its deadline of {self.job.deadline} s."
            raise _Interrupted("FAILED", reason, "DeadlineExceeded")
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self._look()

    def _look(self) -> None:
        self.looked = time.monotonic()
        resource = self.cluster.store.by_uid(self.job.uid)
        if resource is None:
            raise _Interrupted(None, "The job was deleted.")
        if suspend_of(resource):
            raise _Interrupted("PAUSED", "It is suspended. Resume it to go on from its last checkpoint.")

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self.checked()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.stopping.wait(min(left, TICK))

    # The end

    def _finish(self, outcome: Outcome) -> None:
        if not outcome.ok:
            self.ledger.conclude("FAILED", outcome.reason, error=outcome.error)
            return
        reason, value = self._value()
        more = self._registered(value)
        if more:
            self.ledger.conclude("SUCCEEDED", f"{reason} {sentence(more)}", value, registered=more)
            return
        self.ledger.conclude("SUCCEEDED", reason, value)

    def _registered(self, value: dict[str, Any]) -> dict[str, Any] | None:
        """Register the model where that was asked for; what the status says of it."""
        if ANNOTATION not in self.resource.annotations:
            return None
        self.ledger.save("RUNNING", reason="Registering the model.")
        source = {"digest": value.get("digest"), "paths": self.paths}
        return at_end("TrainJob", self.job.name, self.resource.annotations, source)

    def _value(self) -> tuple[str, dict[str, Any]]:
        """The sentence of the success, and where the value of rank 0 is."""
        said = self.ledger.value
        if not said:
            return "Done.", {}
        if "lost" in said:
            reason = f"Done, but the value that it returned, a {said['type']}, cannot be brought back ({said['lost']})."
            return reason, said
        path = self.job.folder / "value.pkl"
        try:
            digest = self.cluster.blobs.put_file(path)
        except OSError as error:
            return f"Done, but the value that it returned is lost ({error}).", {**said, "lost": str(error)}
        with suppress(OSError):
            path.unlink()
        return "Done.", {**said, "digest": digest}
