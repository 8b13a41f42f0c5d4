"""The run's own account of its steps, kept in memory and written to the store as one transaction a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import now
from jupyter_ext.pipelines.exchange import ValueRef
from jupyter_ext.pipelines.status import (
    DONE,
    critical_path,
    error_sentence,
    new_step,
    progress,
    run_reason,
    seconds_between,
)
from jupyter_ext.pipelines.versions import visible

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.model import Pipeline


class Record:
    """Statuses of the steps of one run. Changes collect until ``save`` writes them together."""

    def __init__(
        self, cluster: LocalCluster, resource: Resource, pipeline: Pipeline, scope: Iterable[str]
    ) -> None:
        self._cluster = cluster
        self._kind, self._name = resource.kind, resource.name
        self._pipeline = pipeline
        self._dirty = True
        before = {status["name"]: status for status in resource.status.get("steps", ())}
        inside = set(scope)
        self.scope = [step.name for step in pipeline.steps if step.name in inside]
        self.position = {step.name: place for place, step in enumerate(pipeline.steps)}
        self._steps = {
            name: _taken_up(before.get(name), pipeline.step(name).title, name) for name in self.scope
        }
        self._static = {name: {p for p in pipeline.parents(name) if p in self._steps} for name in self.scope}
        self._children: dict[str, list[dict[str, Any]]] = {}
        self._refs: dict[str, tuple[object, tuple[ValueRef, ...]]] = {}
        self.extra_parents: dict[str, set[str]] = {name: set() for name in self.scope}
        for name in self.scope:
            self.extra_parents[name].update(self._steps[name].get("edgesAdded", ()))

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._steps[name]

    def update(self, name: str, **fields: Any) -> None:
        """Change some fields of a step's status."""
        status = self._steps[name]
        if any(status.get(key) != value for key, value in fields.items()):
            status.update(fields)
            self._dirty = True

    def children(self, name: str, statuses: list[dict[str, Any]]) -> None:
        """Put the iterations of a loop beside their step."""
        self._children[name] = statuses
        self._dirty = True

    def child(self, name: str, index: int) -> dict[str, Any]:
        """The status of one iteration, to be changed in place (then ``touch``)."""
        return self._children[name][index]

    def touch(self) -> None:
        """Note that something reachable from a status was changed in place."""
        self._dirty = True

    def state(self, name: str) -> str:
        """The step's state."""
        return str(self._steps[name]["state"])

    def queue(self, name: str, reason: str = "") -> None:
        """(Re)set a step to waiting; what an earlier attempt left is dropped."""
        title, attempt = self._steps[name]["title"], self._steps[name]["attempt"]
        added = sorted(self.extra_parents[name])
        self._steps[name] = new_step(name, title, attempt=attempt, reason=reason, edgesAdded=added)
        self._children.pop(name, None)
        self._dirty = True

    def start(self, name: str, **fields: Any) -> None:
        """The step begins its next attempt."""
        attempt = self._steps[name]["attempt"] + 1
        fields.setdefault("queuedAt", self._steps[name].get("queuedAt") or now())
        self.update(
            name, state="RUNNING", reason="", startedAt=now(), finishedAt=None, attempt=attempt, **fields
        )

    def finish(self, name: str, state: str, reason: str = "", **fields: Any) -> None:
        """The step is done; times are filled in, and the sentence of an error."""
        ended = fields.pop("finishedAt", None) or now()
        begun = fields.get("startedAt") or self._steps[name].get("startedAt")
        if state == "FAILED" and fields.get("error") and not reason:
            reason = error_sentence(name, fields["error"])
        self.update(
            name,
            state=state,
            reason=reason,
            finishedAt=ended,
            seconds=seconds_between(begun, ended),
            **fields,
        )

    def finished(self, names: Iterable[str]) -> list[tuple[dict[str, Any], tuple[ValueRef, ...]]]:
        """Status and values of those of the steps that succeeded, in notebook order."""
        ordered = sorted(set(names) & set(self._steps), key=self.position.__getitem__)
        return [
            (self._steps[name], self._values(name))
            for name in ordered
            if self._steps[name]["state"] == "SUCCEEDED"
        ]

    def _values(self, name: str) -> tuple[ValueRef, ...]:
        outputs = self._steps[name]["outputs"]
        known = self._refs.get(name)
        if known is None or known[0] is not outputs:
            known = (outputs, tuple(ValueRef.from_dict(ref) for ref in outputs))
            self._refs[name] = known
        return known[1]

    def all(self) -> list[dict[str, Any]]:
        """Every status, the iterations of a loop after their step."""
        return [item for name in self.scope for item in (self._steps[name], *self._children.get(name, ()))]

    def parents(self, name: str) -> set[str]:
        """Direct predecessors within the run, those found while running included."""
        return self._static[name] | self.extra_parents[name]

    def metrics(self) -> dict[str, float]:
        """Metrics that the steps reported, later ones win, and the values that metrics cells name."""
        refs = visible(self.finished(self.scope)).refs if self._pipeline.metrics else {}
        named = {name: metric(refs[name], name) for name in self._pipeline.metrics if name in refs}
        reported = (status.get("metrics", {}) for status in self._steps.values())
        return {
            key: value for found in (named, *reported) for key, value in found.items() if value is not None
        }

    def save(self, phase: str = "RUNNING", **fields: Any) -> None:
        """Write the run's status if anything changed."""
        if not self._dirty and not fields and phase == "RUNNING":
            return
        self._dirty = False
        steps = self.all()
        status = {
            "phase": phase,
            "reason": fields.pop("reason", None) or run_reason(phase, steps),
            "steps": steps,
            "metrics": self.metrics(),
            "progress": progress(steps),
            "criticalPath": critical_path(steps, {name: self.parents(name) for name in self.scope}),
            **fields,
        }

        def write(resource: Resource) -> Resource:
            # A stop asked for meanwhile must not be painted over.
            if resource.status.get("phase") == "CANCELING" and status["phase"] == "RUNNING":
                kept = {"phase": "CANCELING", "reason": resource.status.get("reason", "")}
                return resource.with_(status={**resource.status, **status, **kept})
            return resource.with_(status={**resource.status, **status})

        self._cluster.store.update(self._kind, self._name, write)


def metric(ref: ValueRef, name: str) -> float | None:
    """The number that a value is, None if it is none."""
    value = ref.inline.get(name, ref.summary.get(name))
    if isinstance(value, bool):
        return None
    try:
        return value if isinstance(value, int) else float(str(value))
    except ValueError:
        return None


def _taken_up(before: Mapping[str, Any] | None, title: str, name: str) -> dict[str, Any]:
    """After a restart: what had finished stays, everything else waits again."""
    if before is not None and before["state"] == "SUCCEEDED":
        return dict(before)
    attempt = before["attempt"] if before is not None else 0
    added = list(before.get("edgesAdded", ())) if before is not None else []
    return new_step(name, title, attempt=attempt, edgesAdded=added)


def all_done(statuses: Iterable[Mapping[str, Any]]) -> bool:
    """Whether nothing is left to wait for."""
    return all(status["state"] in DONE for status in statuses)
