"""A step with ``--for`` whose iterations run side by side, each in a process of its own.

First one process finds the items, then each iteration starts from the same inputs, then one process puts the
collected names into lists. What this leaves must be what the iterations leave one after the other; where an
iteration turns out to have changed what the others read, the loop is run again in one process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import now
from jupyter_ext.pipelines.exchange import CellSource
from jupyter_ext.pipelines.status import new_step, seconds_between
from jupyter_ext.pipelines.task import Execution, Outcome, Task, result_fields

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.pipelines.exchange import StepRequest, StepResult

GATHER = -1
"""Stands for the process that makes the lists, among the indices of the iterations."""


class LoopTask(Task):
    """The iterations of one step."""

    _items: list[str] | None = None
    _together = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._results: dict[int, StepResult] = {}

    @property
    def waiting(self) -> bool:
        """Iterations may be waiting for a lease."""
        return super().waiting or self._items is not None

    def advance(self) -> Outcome | None:
        """Also starts iterations for which there is room now."""
        outcome = super().advance()
        if outcome is None and self._items is not None and self._not_before is None:
            self._next_iterations()
            if not self._running and len(self._results) == len(self._items):
                self._gather()
        return outcome

    def _launch(self, lease: Lease) -> None:
        self._items, self._results = None, {}
        super()._launch(lease)

    def _first_request(self) -> StepRequest:
        if self._together:
            return self._request(self.step.name, foreach=self._loop(None, items=True))
        return super()._first_request()

    def _ended(self, index: int | None, execution: Execution, result: StepResult) -> Outcome | None:
        if not self._together:
            return super()._ended(index, execution, result)
        if index is None:
            return self._found_items(execution, result)
        if index == GATHER:
            return self._merged(result)
        self._results[index] = result
        self._note(index, result)
        if result.state != "SUCCEEDED" or result.live:
            self.abandon()
            if not result.live:
                return self._outcome(result)
            self._one_by_one(execution)
            return None
        if len(self._results) < len(self._items or ()):
            return None
        if any(self._carries_state(self._results[i]) for i in range(len(self._results) - 1)):
            self._one_by_one(execution)
            return None
        return None if self.step.collect else self._merged(None)

    def _found_items(self, execution: Execution, result: StepResult) -> Outcome | None:
        if result.state != "SUCCEEDED" or not result.items:
            return super()._ended(None, execution, result)
        self._items = list(result.items)
        name = self.step.name
        children = [new_step(f"{name}[{i}]", label, parent=name) for i, label in enumerate(self._items)]
        self.controller.record.children(name, children)
        return None

    def _next_iterations(self) -> None:
        for index in range(len(self._items or ())):
            if index in self._results or index in self._running:
                continue
            lease = self._acquire(index)
            if lease is None:
                return
            self._note(index, None)
            unit = f"{self.step.name}[{index}]"
            request = self._request(
                unit, foreach=self._loop(index), when=None, wanted=self._wanted(), collect=()
            )
            self._execute(index, request, lease)

    def _note(self, index: int, result: StepResult | None) -> None:
        record = self.controller.record
        status = record.child(self.step.name, index)
        if result is None:
            attempt = record[self.step.name]["attempt"]
            status.update(state="RUNNING", startedAt=now(), attempt=attempt)
        else:
            status.update(state=result.state, finishedAt=now(), **result_fields(result))
            status["seconds"] = seconds_between(status["startedAt"], status["finishedAt"])
        record.touch()

    def _carries_state(self, result: StepResult) -> bool:
        changed = {name for ref in result.values for name in ref.names} | set(result.deleted)
        before = self.inputs.names
        hidden = {kind for kind in result.hidden if kind in self.inputs.hidden and kind != "warnings"}
        return bool(changed & before) or bool(hidden)

    def _one_by_one(self, execution: Execution) -> None:
        """Only one after the other is true: run the whole loop in one process."""
        execution.kill()
        self._together, self._items = False, None
        self._not_before = 0.0
        self._attempt -= 1
        self.controller.record.children(self.step.name, [])
        self.controller.record.update(
            self.step.name,
            state="PENDING",
            reason="Run one by one: an iteration changes what the next one reads.",
        )

    def _gather(self) -> None:
        lease = self._acquire(GATHER)
        if lease is None:
            return
        count = len(self._results)
        refs, lines = [], []
        for name in self.step.collect:
            parts = [f"_kubeflow_{name}_{index}" for index in range(count)]
            lines += [f"{name} = [{', '.join(parts)}]", f"del {', '.join(parts)}"]
            for index in range(count):
                ref = next((r for r in self._results[index].values if name in r.names), None)
                if ref is not None:
                    refs.append(replace(ref, names=(name,), bind={name: f"_kubeflow_{name}_{index}"}))
        request = self._request(
            f"{self.step.name}[collect]",
            cells=(CellSource(0, "collect", "\n".join(lines)),),
            inputs=tuple(refs),
            wanted=self.step.collect,
            when=None,
            collect=(),
        )
        self._execute(GATHER, request, lease)

    def _wanted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.controller.wanted_after(self.step.name), *self.step.collect)))

    def _merged(self, gathered: StepResult | None) -> Outcome:
        """The last iteration's values, the collected lists, and what every iteration reported."""
        if gathered is not None and gathered.state != "SUCCEEDED":
            return self._outcome(gathered)
        results = [self._results[index] for index in range(len(self._results))]
        outcome = self._outcome(results[-1])
        self._items = None
        lists = [ref.to_dict() for ref in gathered.values] if gathered is not None else []
        collected = {name for ref in lists for name in ref["names"]}
        kept = [_without(ref, collected) for ref in outcome.fields["outputs"]]
        outcome.fields["outputs"] = [ref for ref in kept if ref["names"]] + lists
        outcome.fields["metrics"] = {
            key: value for result in results for key, value in result.metrics.items()
        }
        outcome.fields["artifacts"] = [item for result in results for item in result.artifacts]
        # The iterations keep their cells' outputs themselves.
        outcome.fields["outputsDigest"] = None
        return outcome


def _without(ref: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {**ref, "names": [name for name in ref["names"] if name not in names]}
