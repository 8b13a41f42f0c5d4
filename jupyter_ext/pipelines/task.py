"""One step on its way: lease, process, timeout, retry."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.local.devices import UNIT, Request, Waiting
from jupyter_ext.cluster.resource import parse_cpu, parse_memory
from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.pipelines.exchange import CellSource, Loop, StepError, StepRequest, StepResult
from jupyter_ext.pipelines.model import ANY
from jupyter_ext.pipelines.status import error_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.pipelines.cache import Parts
    from jupyter_ext.pipelines.local import Controller
    from jupyter_ext.pipelines.model import Step
    from jupyter_ext.pipelines.versions import Inputs
    from jupyter_ext.pipelines.zygote import Handle

DEFAULT_CPU = 1000
"""Thousandths of a core that a step without a request is counted with."""
RETRY_SECONDS = (1.0, 60.0)
"""First and longest wait before a retry; it doubles in between."""


@dataclass
class Outcome:
    """How a step ended: state, sentence, and the fields of its status."""

    state: str
    reason: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def lease_request(step: Step) -> Request:
    """What the step asks of the machine; raises Unfit for what only a cluster can give."""
    for name in step.resources:
        if name not in ("cpu", "memory") and not name.endswith("/gpu"):
            raise Unfit(f"This machine cannot lend {name}", where=Where(field=name, object=f"step {step.name}"),
                        hint="Remove it, or run on a cluster that has it.")  # fmt: skip
    cpu = parse_cpu(step.cpu) if step.cpu else DEFAULT_CPU
    memory = parse_memory(step.memory) if step.memory else 0
    return Request(cpu_milli=cpu, memory=memory, gpus=int(step.gpu or 0))


class Execution:
    """A request in a process of its own, under a lease."""

    def __init__(
        self,
        controller: Controller,
        request: StepRequest,
        lease: Lease,
        timeout: float | None,
        inside: Handle | None,
    ) -> None:
        self._controller, self._lease, self._timeout = controller, lease, timeout
        self.request = request
        self._deadline = time.monotonic() + timeout if timeout else None
        self.handle = controller.zygote.run(request, inside=inside)
        controller.selector.register(self.handle, selectors.EVENT_READ)
        self._open = True

    def poll(self) -> StepResult | None:
        """The result once there is one; a step past its time is killed and has failed."""
        result = self.handle.poll()
        if result is None and self._deadline is not None and time.monotonic() > self._deadline:
            self.handle.kill()
            words = f"step took longer than its timeout of {self._timeout:g} s"
            result = StepResult(state="FAILED", error=StepError("Timeout", words))
        if result is not None:
            self.end()
        return result

    def end(self) -> None:
        """Stop listening and give the lease back."""
        if self._open:
            self._open = False
            self._controller.selector.unregister(self.handle)
            self._controller.cluster.leases.release(self._lease)

    def kill(self) -> None:
        """End the process at once."""
        self.end()
        self.handle.kill()


class Task:
    """A step from its first attempt to its end, in one process at a time."""

    def __init__(self, controller: Controller, step: Step, inputs: Inputs, parts: Parts) -> None:
        self.controller, self.step, self.inputs, self.parts = controller, step, inputs, parts
        self._lease_request = self._needs(step)
        self._running: dict[int | None, Execution] = {}
        self._attempt = 0
        self._not_before: float | None = None
        self._fields: dict[str, Any] = {}

    def _needs(self, step: Step) -> Request:
        return lease_request(step)

    @property
    def waiting(self) -> bool:
        """Whether time, not only a process, may bring the next change."""
        return self._not_before is not None or bool(self.step.timeout)

    def begin(self, fields: dict[str, Any]) -> bool:
        """Start the first process; False, with the reason in the status, while the machine has no room."""
        self._fields = fields
        self.controller.require_holders(self.step, self.inputs)
        lease = self._acquire(None)
        if lease is None:
            return False
        self._launch(lease)
        return True

    def advance(self) -> Outcome | None:
        """Look at the processes; the outcome once the step is done."""
        if self._not_before is not None:
            self._retry_when_due()
            return None
        for index, execution in list(self._running.items()):
            result = execution.poll()
            if result is None:
                continue
            del self._running[index]
            outcome = self._ended(index, execution, result)
            if outcome is not None:
                return self._maybe_retry(outcome)
        return None

    def abandon(self) -> None:
        """Leave without an outcome: the step is stopped or will be run again."""
        for execution in self._running.values():
            execution.kill()
        self._running.clear()

    def _acquire(self, index: int | None) -> Lease | None:
        unit = self.step.name if index is None else f"{self.step.name}[{index}]"
        resource = self.controller.resource
        found = self.controller.cluster.leases.acquire(resource.uid, resource.name, unit, self._lease_request)
        if isinstance(found, Waiting):
            if index is None:
                self.controller.record.update(self.step.name, reason=found.reason)
            return None
        return found

    def _launch(self, lease: Lease) -> None:
        self._attempt += 1
        self._not_before = None
        record = self.controller.record
        record.start(self.step.name, **self._fields)
        self._execute(None, self._first_request(), lease)

    def _first_request(self) -> StepRequest:
        return self._request(self.step.name, foreach=self._loop(None))

    def _loop(self, index: int | None, *, items: bool = False) -> Loop | None:
        loop = self.step.foreach
        return None if loop is None else Loop(loop.var, loop.expr, index, items)

    def _execute(self, index: int | None, request: StepRequest, lease: Lease) -> None:
        request = replace(request, env={**lease.env(), UNIT: lease.unit, **request.env})
        inside = next((self.controller.holders[name] for name in self.inputs.holders), None)
        self._running[index] = Execution(self.controller, request, lease, self.step.timeout, inside)

    def _request(self, unit: str, **more: Any) -> StepRequest:
        """What a process is told; ``unit`` names the step or one iteration of it."""
        controller, step = self.controller, self.step
        attempt = controller.record[step.name]["attempt"]
        changes = {*step.writes, *step.may_write, *step.deletes, *self.inputs.functions}
        told: dict[str, Any] = {
            "cells": tuple(CellSource(cell.index, cell.id, cell.source) for cell in step.cells),
            "inputs": self.inputs.refs,
            "hidden": dict(self.inputs.hidden),
            "may_change": (ANY,) if ANY in changes else tuple(sorted(changes)),
            "wanted": controller.wanted_after(step.name),
            "when": step.when,
            "collect": step.collect,
            "execution_count": controller.execution_count(step) + 1,
            "env": dict(step.env),
            "log_path": str(controller.log_path(unit, attempt)),
            **more,
        }
        return StepRequest(run=controller.resource.name, step=unit, attempt=attempt, **told)

    def _ended(self, index: int | None, execution: Execution, result: StepResult) -> Outcome | None:
        del index
        if result.live:
            self.controller.hold(self.step.name, execution.handle, result.live)
        return self._outcome(result)

    def _outcome(self, result: StepResult) -> Outcome:
        reason = result.reason or (
            "Skipped because its condition was false." if result.state == "SKIPPED" else ""
        )
        used = {"cpuSeconds": result.cpu_seconds, "maxRss": result.max_rss}
        resources = {"asked": dict(self.step.resources), "used": used}
        return Outcome(result.state, reason, {**result_fields(result), "resources": resources})

    def _maybe_retry(self, outcome: Outcome) -> Outcome | None:
        if outcome.state != "FAILED" or self._attempt > self.step.retry:
            return outcome
        first, longest = RETRY_SECONDS
        self._not_before = time.monotonic() + min(longest, first * 2 ** (self._attempt - 1))
        left = self.step.retry - self._attempt + 1
        sentence = error_sentence(self.step.name, outcome.fields.get("error") or {})
        self.controller.record.update(
            self.step.name, state="PENDING", reason=f"{sentence}. Trying again ({left} left)."
        )
        return None

    def _retry_when_due(self) -> None:
        if self._not_before is not None and time.monotonic() >= self._not_before:
            lease = self._acquire(None)
            if lease is not None:
                self._launch(lease)


def unpassable_together(name: str, step: str, holder: str, live: Mapping[str, Any]) -> Invalid:
    """The error for a value that only lives in a process which this step cannot run in."""
    kind = live.get("type", "value")
    return Invalid(
        f"`{name}` ({kind}) cannot be stored, and step {step} cannot run in the process of step {holder} that holds it",
        where=Where(cell=live.get("cell"), object=f"step {step}"),
        hint=f"Put its cells into step {holder}, or turn `{name}` into a list, an array or a file.",
    )


def result_fields(result: StepResult) -> dict[str, Any]:
    """A process's result as fields of a step's status."""
    fields: dict[str, Any] = {
        "outputs": [ref.to_dict() for ref in result.values],
        "deleted": list(result.deleted),
        "hidden": dict(result.hidden),
        "live": {name: live.to_dict() for name, live in result.live.items()},
        "outputsDigest": result.outputs_digest,
        "metrics": dict(result.metrics),
        "artifacts": [artifact.to_dict() for artifact in result.artifacts],
        "observed": dict(result.observed),
    }
    return {**fields, "error": result.error.to_dict()} if result.error else fields
