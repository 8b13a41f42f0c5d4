"""A step, or one iteration of it, as a Job: made once for one request, followed to its end, its result fetched."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from jupyter_ext.cluster.kube import logs
from jupyter_ext.errors import KubeflowError, NotFound, Unavailable
from jupyter_ext.pipelines.exchange import StepError, StepRequest, StepResult
from jupyter_ext.pipelines.kube import manifest
from jupyter_ext.pipelines.kube.pod import LEFT, LOG, PROTOCOL, REQUEST, RESULT
from jupyter_ext.pipelines.loop import LoopTask
from jupyter_ext.pipelines.task import Outcome, Task

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.pipelines.kube.controller import KubeController
    from jupyter_ext.pipelines.model import Step

SMALL: Final = 4 << 20
"""Bytes up to which what a step left is fetched at once: outputs, previews, pictures. Values are fetched when asked for."""
_AWAY: Final = 300.0
"""Seconds for which a store or an API server that does not answer is waited for."""
AT_ONCE: Final = 64
"""Pods of one step; the other iterations wait for them."""
_NO_JOB: Final = "Its Job was deleted by somebody else"


class Room:
    """What stands for a lease: the cluster's scheduler decides who has room."""

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def env(self) -> dict[str, str]:
        """Nothing: the pod sees what it has."""
        return {}


class JobExecution:
    """One request as a Job. What is there already, from before this process was started again, is taken up."""

    def __init__(self, controller: KubeController, step: Step, request: StepRequest) -> None:
        self._controller, self._step = controller, step
        self.request = request
        self.handle = self
        self.told = told_of(controller, request)
        self._stop = threading.Event()
        self._log: threading.Thread | None = None
        self._away_since: float | None = None
        self._made = self._begun = self._finished = self._said = False

    def poll(self) -> StepResult | None:
        """The result once there is one. A store or an API server that is away is waited for."""
        try:
            result = self._advance()
        except (Unavailable, OSError) as error:
            self._away_since = self._away_since or time.monotonic()
            if time.monotonic() - self._away_since < _AWAY:
                self._controller.say(self.request.step, str(error))
                return None
            result = _failure(type(error).__name__, str(error))
        except KubeflowError as error:
            result = _failure(type(error).__name__, str(error))
        else:
            self._away_since = None
        if result is not None:
            self._finished = True
            self.end()
        return result

    def _advance(self) -> StepResult | None:
        if not self._made:
            self._create()
            self._made = True
        ending = self._controller.following.ending(self.told.name) if not self._finished else "Complete"
        if (ending or self._says_it_left()) and (document := self._left()) is not None:
            return self._result(document)
        if ending is None or (ending == "Deleted" and not self._is_gone()):
            self._look()
            return None
        return _failure("Ended", self._ended(ending))

    def _create(self) -> None:
        """Make the Job, after all that its pod will ask for."""
        controller, told = self._controller, self.told
        if controller.following.job(told.name) is not None:
            return
        if controller.is_again and controller.store.exists(f"{told.folder}/{RESULT}"):
            self._finished = True  # it ended while nobody looked, and its Job was removed since
            return
        controller.send(self.request)
        document = {
            "protocol": PROTOCOL,
            "request": self.request.to_dict(),
            "cells": controller.cell_sources,
            "preload": list(controller.plain.preload),
            "files": controller.files_before(self._step.name),
            "paths": controller.paths,
            "timeout": self._step.timeout,
        }
        text = json.dumps(document).encode()  # a surrogate is written as its escape
        controller.store.write(f"{told.folder}/{REQUEST}", text)
        body = manifest.job(controller.place, self._step, told, controller.store.pod_environment())
        controller.make_job(body)

    def _says_it_left(self) -> bool:
        """Whether its pod says that its result is in the store: its Job ends some seconds after."""
        said, self._said = self._said, False
        return said or any(pod.is_over for pod in self._controller.following.pods(self.told.name))

    def _left(self) -> dict[str, Any] | None:
        """What its pod left in the store; None for nothing yet."""
        try:
            document = json.loads(self._controller.store.get(f"{self.told.folder}/{RESULT}"))
        except NotFound:
            return None
        return cast("dict[str, Any]", document)

    def _ended(self, ending: str) -> str:
        """Why a Job that has ended left nothing."""
        said = self._controller.following.why(self.told.name)
        return (said or (_NO_JOB if ending == "Deleted" else "its pod left no result")).rstrip(".")

    def _look(self) -> None:
        """What the pod does, or why it does not."""
        name, following = self.told.name, self._controller.following
        pods = following.pods(name)
        self._controller.pod_is(self.request.step, pods[-1].name if pods else "", name)
        if pods and pods[-1].has_begun:
            if not self._begun:
                self._begun = True
                self._follow_log()
                self._controller.begins(self.request.step)
            return
        self._begun = False
        self._controller.waits(self.request.step, following.why(name) or "Its pod is being made.")

    def _is_gone(self) -> bool:
        """Whether the Job is not there, and not only not heard of yet."""
        return not self._controller.look_for_job(self.told.name)

    def _result(self, document: Mapping[str, Any]) -> StepResult:
        controller = self._controller
        result = StepResult.from_dict(document["result"])
        sizes = document.get("blobs") or {}
        controller.fetch(digest for digest, size in sizes.items() if size <= SMALL)
        controller.wrote(self.request, document.get("files") or {})
        self._whole_log()
        return result

    # The log

    def _path(self) -> Path:
        return self._controller.log_path(self.request.step, self.request.attempt)

    def _follow_log(self) -> None:
        if self._log is None:
            self._log = threading.Thread(target=self._copy, name=f"log of {self.told.name}", daemon=True)
            self._log.start()

    def _copy(self) -> None:
        """Write what the pod prints into the run's log, as it comes."""
        name, following = self.told.name, self._controller.following
        cluster = self._controller.remote
        try:
            with _private(self._path()) as file:
                for line in logs.follow(
                    cluster.transport,
                    cluster.namespace,
                    lambda: following.pods(name)[-1:],
                    None,
                    None,
                    lambda: following.ending(name) is not None,
                    self._stop.is_set,
                ):
                    if line.rstrip("\n") == LEFT:
                        self._said = True
                        following.changed.set()
                        continue
                    file.write(line.encode(errors="replace"))
                    file.flush()
        except (KubeflowError, OSError):
            pass  # who may not see a pod's log has it at the end, from the store

    def _whole_log(self) -> None:
        """Replace what came of the log by all of it: a connection may have ended before the pod did."""
        self._stop.set()
        if self._log is not None:
            self._log.join(10)
        try:
            text = self._controller.store.get(f"{self.told.folder}/{LOG}")
        except KubeflowError:
            return
        place = self._path()
        fresh = place.with_name(f".{place.name}")
        with _private(fresh) as file:
            file.write(text)
        fresh.replace(place)

    # End

    def end(self) -> None:
        """Stop listening; what runs there goes on."""
        self._stop.set()

    def kill(self) -> None:
        """Remove the Job, and its pod with it."""
        self.end()
        if not self._finished:
            self._controller.remove_job(self.told.name)


def told_of(controller: KubeController, request: StepRequest) -> manifest.Told:
    """Which Job a request is. Where its log lies does not count."""
    files = controller.files_before(step_of(request))
    text = json.dumps({"request": replace(request, log_path=None).to_dict(), "files": files}, sort_keys=True)
    identity = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    run = controller.resource
    return manifest.Told(run.name, run.uid, request.step, request.attempt, identity)


def step_of(request: StepRequest) -> str:
    """The step that a request, perhaps of one iteration, is of."""
    return request.step.partition("[")[0]


class OnCluster(Task):
    """What differs of a task whose processes are pods."""

    controller: KubeController

    def _needs(self, step: Step) -> Any:
        """Nothing of this machine."""
        del step

    @property
    def waiting(self) -> bool:
        """Time brings the next look."""
        return True

    def begin(self, fields: dict[str, Any]) -> bool:
        """Ask for the Job, or take up the one that an earlier process of this run has made."""
        self._fields = fields
        try:
            self._take_up()
        except Unavailable as error:
            self.controller.record.update(self.step.name, reason=str(error))
            return False
        self._launch(self._acquire(None))  # type: ignore[arg-type] # it has what is asked of a lease
        return True

    def _take_up(self) -> None:
        """Where the Job or the result of the attempt that was interrupted is there, that attempt goes on."""
        controller, record, name = self.controller, self.controller.record, self.step.name
        if name not in controller.interrupted:
            return
        controller.interrupted.discard(name)
        told = told_of(controller, self._first_request())
        if controller.following.job(told.name) or controller.store.exists(f"{told.folder}/{RESULT}"):
            record.update(name, attempt=record[name]["attempt"] - 1)

    def _acquire(self, index: int | None) -> Lease | None:
        if len(self._running) >= AT_ONCE:
            return None
        unit = self.step.name if index is None else f"{self.step.name}[{index}]"
        return Room(unit)  # type: ignore[return-value] # as above

    def _launch(self, lease: Lease) -> None:
        self.controller.files_of[self.step.name] = {}
        super()._launch(lease)

    def _execute(self, index: int | None, request: StepRequest, lease: Lease) -> None:
        del lease
        made = JobExecution(self.controller, self.step, request)
        self._running[index] = made  # type: ignore[assignment] # it has what is asked of an execution
        self.controller.following.changed.set()  # its Job is made by the next look, which need not wait

    def leave(self) -> None:
        """Let its Jobs go on without this process."""
        for execution in self._running.values():
            execution.end()

    def _outcome(self, result: StepResult) -> Outcome:
        outcome = super()._outcome(self._without_live(result))
        if result.started and result.finished:
            moments = {"startedAt": result.started, "finishedAt": result.finished}
            outcome.fields |= {key: moment(seconds) for key, seconds in moments.items()}
        units = self.controller.files_of[self.step.name]
        files = {path: digest for unit in sorted(units) for path, digest in units[unit].items()}
        if files:
            outcome.fields["files"] = files
        return outcome

    def _without_live(self, result: StepResult) -> StepResult:
        """A value that cannot be stored ends with its pod: an error where a later step reads it, else nothing."""
        for name, live in result.live.items():
            if self.controller.is_read_later(self.step.name, name):
                what = (
                    f"`{name}` ({live.type}) cannot be stored ({live.reason}), and its pod ends with the step. "
                    "Make it in the step that uses it, or turn it into a list, an array or a file"
                )
                error = StepError("Unpassable", what, cell=live.cell)
                return replace(result, state="FAILED", error=error, live={})
        return replace(result, live={})


class KubeTask(OnCluster):
    """A step in one pod."""


class KubeLoopTask(OnCluster, LoopTask):
    """A step whose iterations run side by side, each in a pod of its own."""


def moment(seconds: float) -> str:
    """A time in the form of the record."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _failure(kind: str, words: str) -> StepResult:
    return StepResult("FAILED", error=StepError(kind, words))


def _private(path: Path) -> IO[bytes]:
    """A new file that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
