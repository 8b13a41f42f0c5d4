"""The steps of a run, from what a Kubeflow Pipelines server says of the nodes of its workflow.

`PipelineTaskDetail (v2beta1)` has a row for each node, drivers and DAGs among them, with a name, times and a state; servers
so far never fill in its error, pods, inputs and outputs. The graph is that of the pipeline's specification. A step of a notebook
may be several tasks: of a condition or a loop.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.compiled import parsing, plan, reading
from jupyter_ext.pipelines.compiled.plan import Leaf
from jupyter_ext.pipelines.compiled.spec import Container
from jupyter_ext.pipelines.model import Pipeline
from jupyter_ext.pipelines.status import DONE, new_step, seconds_between

Json = dict[str, Any]

OURS: Final = "jupyter-kubeflow"
"""What ``sdkVersion`` begins with where the pipeline is an exported notebook."""
DRIVER: Final = "-driver"
LONGEST: Final = 400
"""Characters of a reason."""
_STATES: Final = {
    "PENDING": "PENDING",
    "RUNNING": "RUNNING",
    "PAUSED": "PENDING",
    "SUCCEEDED": "SUCCEEDED",
    "SKIPPED": "SKIPPED",
    "FAILED": "FAILED",
    "CANCELING": "RUNNING",
    "CANCELED": "CANCELED",
}
_NEVER: Final = "1970-01-01T00:00:00"
"""What the server says of an end that has not come."""


@dataclass(frozen=True)
class Part:
    """A task of the pipeline: which step it is (a part of), and which part; ``""`` where a step is one task."""

    leaf: Leaf
    step: str
    role: str
    told: Mapping[str, Any]


@dataclass(frozen=True)
class Outline:
    """A pipeline as it was submitted: its document, its graph for people, and its tasks."""

    document: reading.Document
    pipeline: Pipeline
    parts: tuple[Part, ...]
    is_notebook: bool

    @property
    def steps(self) -> list[str]:
        """The names of the steps."""
        return list(dict.fromkeys(part.step for part in self.parts))


def document(spec: Mapping[str, Any]) -> reading.Document:
    """The pipeline of a run or a version: alone, or with its settings for platforms beside it."""
    inner = spec.get("pipeline_spec")
    if not isinstance(inner, Mapping):
        return reading.Document(spec, {})
    platforms = (spec.get("platform_spec") or {}).get("platforms") or {}
    return reading.Document(inner, platforms)


def outline(spec: Mapping[str, Any]) -> Outline:
    """Raises Invalid for a specification that cannot be read."""
    return _outline(json.dumps(spec))


@lru_cache(maxsize=16)
def _outline(text: str) -> Outline:
    found = document(json.loads(text))
    read = parsing.read(found.pipeline)
    made = plan.make(read)
    is_notebook = read.sdk.startswith(OURS)
    parts = tuple(_part(leaf, is_notebook=is_notebook) for leaf in made.leaves.values())
    shown = plan.pipeline(read, made, "")
    return Outline(found, _by_step(shown, parts) if is_notebook else shown, parts, is_notebook)


def _part(leaf: Leaf, *, is_notebook: bool) -> Part:
    """What the command of a notebook's step says of it: see ``ir_step.container``."""
    if is_notebook and isinstance(leaf.executor, Container):
        for word in leaf.executor.command[3:4]:
            try:
                told = json.loads(word)
                return Part(leaf, str(told["name"]), str(told["role"]), told)
            except (ValueError, KeyError, TypeError):
                break
    return Part(leaf, leaf.name, "", {})


def _by_step(shown: Pipeline, parts: Iterable[Part]) -> Pipeline:
    """The graph of the notebook's steps: tasks of one step are one."""
    step_of = {part.leaf.name: part.step for part in parts}
    steps = {}
    for step in shown.steps:
        name = step_of[step.name]
        if name not in steps or step_of.get(step.name) == step.name:
            steps[name] = replace(step, name=name, title=step.title if step.title != step.name else name)
    edges = {}
    for edge in shown.edges:
        source, target = step_of[edge.source], step_of[edge.target]
        if source != target:
            reason = f"{target} comes after {source}."
            edges[source, target] = replace(edge, source=source, target=target, reason=reason)
    return replace(shown, steps=tuple(steps.values()), edges=tuple(edges.values()))


def statuses(run: Mapping[str, Any], found: Outline) -> list[Json]:
    """The status of each step in the order of the graph; iterations of a loop follow their step."""
    rows = _Rows(run)
    listed: list[Json] = []
    for step in found.steps:
        parts = [part for part in found.parts if part.step == step]
        title = next((one.title for one in found.pipeline.steps if one.name == step), step)
        listed += _step(step, title, parts, rows)
    return listed


class _Rows:
    """The nodes of a workflow, by the name of their task."""

    def __init__(self, run: Mapping[str, Any]) -> None:
        details = (run.get("run_details") or {}).get("task_details") or ()
        self.state = str(run.get("state") or "PENDING")
        self.by_name: dict[str, list[Mapping[str, Any]]] = {}
        for row in details:
            self.by_name.setdefault(str(row.get("display_name") or ""), []).append(row)
        for same in self.by_name.values():
            same.sort(key=lambda row: (str(row.get("start_time") or "~"), str(row.get("task_id") or "")))

    def of(self, leaf: Leaf) -> list[Json]:
        """One status for each time that the task ran, or is to run."""
        name = leaf.path[-1]
        found = [_status(row) for row in self.by_name.get(name, ())]
        return found or [self._absent(name)]

    def _absent(self, name: str) -> Json:
        """A task without a node: its driver is at it, or failed, or it is not there yet, or never will be."""
        drivers = [_status(row) for row in self.by_name.get(name + DRIVER, ())]
        failed = next((row for row in drivers if row["state"] == "FAILED"), None)
        if failed is not None:
            why = "Its driver failed: what the step needs could not be had."
            return {**failed, "nodes": [], "reason": why}
        match self.state:
            case "SUCCEEDED" | "SKIPPED":
                return {"state": "SKIPPED", "reason": "Its condition was not met."}
            case "FAILED":
                return {"state": "SKIPPED", "reason": "The run failed before it."}
            case "CANCELED" | "CANCELING":
                return {"state": "CANCELED", "reason": "The run was ended before it began."}
        why = "Its driver looks what it needs." if any(row["state"] == "RUNNING" for row in drivers) else ""
        return {"state": "PENDING", "reason": why}


def _status(row: Mapping[str, Any]) -> Json:
    started, ended = moment(row.get("start_time")), moment(row.get("end_time"))
    state = _STATES.get(str(row.get("state") or ""), "PENDING")
    error = said(row) if state in {"FAILED", "CANCELED"} else ""
    nodes = [str(child["pod_name"]) for child in row.get("child_tasks") or () if child.get("pod_name")]
    return {
        "state": state,
        "reason": error,
        **({"error": {"type": "Error", "message": error}} if error else {}),
        "attempt": int(bool(started)),
        "startedAt": started,
        "finishedAt": ended if state in DONE else None,
        "seconds": seconds_between(started, ended) if state in DONE else None,
        "nodes": nodes,
    }


def said(thing: Mapping[str, Any]) -> str:
    """What the server says of why a run or a task failed, in one line: as its error, else in its last state that has one."""
    told = [*(thing.get("state_history") or ()), thing]
    words = (" ".join(str((one.get("error") or {}).get("message") or "").split()) for one in reversed(told))
    found = next(filter(None, words), "")
    return found if len(found) <= LONGEST else found[: LONGEST - 1] + "…"


def moment(text: object) -> str | None:
    """A time of the server's; None for one that has not come."""
    return str(text) if text and not str(text).startswith(_NEVER) else None


def _step(name: str, title: str, parts: list[Part], rows: _Rows) -> list[Json]:
    """The step, and its iterations where it has any."""
    each = {part.role: rows.of(part.leaf) for part in parts}
    last = parts[-1]
    repeated = next((part for part in parts if part.leaf.loops), None)
    children: list[Json] = []
    if repeated is not None:
        ran = [row for row in each[repeated.role] if row.get("startedAt")]
        children = [new_step(f"{name}[{n}]", f"{name}[{n}]", parent=name, **row) for n, row in enumerate(ran)]
    all_of_it = [row for part in parts for row in each[part.role]]
    if len(all_of_it) == 1:
        return [new_step(name, title, **all_of_it[0])]
    own = each[last.role][0] if last is not repeated else {}
    summed: Json = {"state": _summed(all_of_it, own)}
    failed = next((row for row in all_of_it if row["state"] == "FAILED"), None)
    summed["reason"] = (failed or own).get("reason", "")
    if failed and failed.get("error"):
        summed["error"] = failed["error"]
    begun = [row["startedAt"] for row in all_of_it if row.get("startedAt")]
    ended = [row["finishedAt"] for row in all_of_it if row.get("finishedAt")]
    summed["nodes"] = [node for row in ([failed] if failed else all_of_it) for node in row.get("nodes", ())]
    if begun:
        summed |= {"startedAt": min(begun), "attempt": 1}
        if summed["state"] in DONE and ended:
            summed |= {"finishedAt": max(ended), "seconds": seconds_between(min(begun), max(ended))}
    return [new_step(name, title, **summed), *children]


def _summed(rows: list[Json], own: Mapping[str, Any]) -> str:
    """The state of what is several tasks."""
    states = [row["state"] for row in rows]
    for state in ("FAILED", "CANCELED"):
        if state in states:
            return state
    if own.get("state") in DONE:
        return str(own["state"])  # that of the last: a condition's task, or what puts a loop together
    if all(state in DONE for state in states):
        return "SUCCEEDED" if "SUCCEEDED" in states else "SKIPPED"
    begun = "RUNNING" in states or any(state in DONE for state in states)
    return "RUNNING" if begun else "PENDING"


def readable(spec: Mapping[str, Any] | None) -> Outline | None:
    """The same as ``outline``; None for what was compiled by something that we cannot read."""
    try:
        return outline(spec) if spec else None
    except KubeflowError:
        return None
