"""The run's account of its units: a step, or one iteration of a step that stands in loops."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import now
from jupyter_ext.pipelines import elyra
from jupyter_ext.pipelines.compiled.results import Results, as_fields
from jupyter_ext.pipelines.record import Record
from jupyter_ext.pipelines.status import DONE, error_sentence, new_step, seconds_between

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.model import Pipeline

Unit = tuple[str, tuple[int, ...]]
"""A step's name, and the iteration of each loop around it; empty outside of loops."""


def label(unit: Unit) -> str:
    """The name of a unit, in logs, leases and statuses: ``train``, ``train[2]``, ``train[0,1]``."""
    step, index = unit
    return f"{step}[{','.join(map(str, index))}]" if index else step


class Progress:
    """Statuses of units. Iterations stand beside their step, whose own state sums them up."""

    def __init__(self, cluster: LocalCluster, resource: Resource, pipeline: Pipeline) -> None:
        self._cluster = cluster
        names = [step.name for step in pipeline.steps]
        self.record = Record(cluster, resource, pipeline, names)
        self._children: dict[str, dict[tuple[int, ...], dict[str, Any]]] = {}
        self._before = {status["name"]: status for status in resource.status.get("steps", ())}

    def status(self, unit: Unit) -> dict[str, Any]:
        """The status of a unit, to be changed by this class only."""
        step, index = unit
        if not index:
            return self.record[step]
        if index not in self._children.get(step, {}):
            self.expect(step, [index])
        return self._children[step][index]

    def expect(self, step: str, indexes: Iterable[tuple[int, ...]], items: Iterable[str] = ()) -> None:
        """These iterations of a step are to come, each over the item that is told in ``items``."""
        known = self._children.setdefault(step, {})
        for index, item in zip_longest(indexes, items, fillvalue=""):
            assert not isinstance(index, str)
            name = label((step, index))
            attempt = self._before.get(name, {}).get("attempt", 0)
            known.setdefault(index, new_step(name, name, parent=step, attempt=attempt, item=item))
        self.record.children(step, [known[key] for key in sorted(known)])

    def recorded(self, unit: Unit) -> Results | None:
        """What the unit left before this process took the run up, if it had succeeded."""
        before = self._before.get(label(unit))
        if before is None or before["state"] != "SUCCEEDED" or not before.get("resultDigest"):
            return None
        try:
            found = json.loads(self._cluster.blobs.read(before["resultDigest"]))
        except Exception:  # the collector took it: then it is made again
            return None
        if unit[1]:
            self.status(unit).update(before)
            self._sum_up(unit[0])
        return Results.from_dict(found)

    def update(self, unit: Unit, **fields: Any) -> None:
        """Change some fields."""
        status = self.status(unit)
        if any(status.get(key) != value for key, value in fields.items()):
            status.update(fields)
            self.record.touch()

    def start(self, unit: Unit, **fields: Any) -> int:
        """The unit begins its next attempt, whose number this gives."""
        status = self.status(unit)
        attempt = int(status["attempt"]) + 1
        status.pop("error", None)
        self.update(
            unit, state="RUNNING", reason="", startedAt=now(), finishedAt=None, attempt=attempt,
            queuedAt=status.get("queuedAt") or now(), **fields,
        )  # fmt: skip
        self._sum_up(unit[0])
        return attempt

    def finish(
        self, unit: Unit, state: str, reason: str = "", results: Results | None = None, **fields: Any
    ) -> None:
        """The unit is done."""
        status = self.status(unit)
        fields |= elyra.outputs(results, fields.get("error"), self._cluster.blobs)
        if results is not None:
            fields |= as_fields(results, label(unit), self._cluster.blobs)
        if state == "FAILED" and fields.get("error") and not reason:
            reason = error_sentence(label(unit), fields["error"])
        ended = now()
        begun = status.get("startedAt")
        self.update(
            unit, state=state, reason=reason, finishedAt=ended, seconds=seconds_between(begun, ended), **fields
        )  # fmt: skip
        self._sum_up(unit[0])

    def _sum_up(self, step: str) -> None:
        """The state of a step is that of its iterations together."""
        children = list(self._children.get(step, {}).values())
        if not children:
            return
        states = {child["state"] for child in children}
        fields: dict[str, Any] = {"state": "RUNNING", "reason": "", "finishedAt": None}
        started = [child["startedAt"] for child in children if child.get("startedAt")]
        fields["startedAt"] = min(started) if started else None
        if states <= DONE:
            bad = next((c for c in children if c["state"] == "FAILED"), None)
            order = ("FAILED", "CANCELED", "SUCCEEDED", "SKIPPED")
            fields["state"] = next(state for state in order if state in states)
            ended = [child["finishedAt"] for child in children if child.get("finishedAt")]
            fields["finishedAt"] = max(ended) if ended else now()
            fields["seconds"] = seconds_between(fields["startedAt"], fields["finishedAt"])
            fields["cached"] = all(child.get("cached") for child in children)
            fields["metrics"] = {key: value for child in children for key, value in child["metrics"].items()}
            if bad:
                fields |= {"reason": bad["reason"], "error": bad.get("error")}
            elif fields["state"] == "SKIPPED":
                fields["reason"] = children[0]["reason"]
        elif states == {"PENDING"}:
            fields["state"] = "PENDING"
        self.record.update(step, **fields)

    def settle(self, reason: str) -> None:
        """What was never reached is skipped."""
        for name, index in self._unfinished():
            self.finish((name, index), "SKIPPED", reason)
        for name in self.record.scope:
            if self.record.state(name) not in DONE:
                self.record.finish(name, "SKIPPED", reason)

    def _unfinished(self) -> list[Unit]:
        return [
            (name, index)
            for name, children in self._children.items()
            for index, status in children.items()
            if status["state"] not in DONE
        ]

    def cancel(self) -> None:
        """What has not ended is canceled."""
        for name, index in self._unfinished():
            begun = self._children[name][index]["state"] == "RUNNING"
            self.finish((name, index), "CANCELED", "Stopped." if begun else "Stopped before it began.")
        for name in self.record.scope:
            state = self.record.state(name)
            if state not in DONE:
                self.record.finish(
                    name, "CANCELED", "Stopped." if state == "RUNNING" else "Stopped before it began."
                )
