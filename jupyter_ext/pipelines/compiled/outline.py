"""What somebody sees of a compiled pipeline beside its steps: the DAGs around them, conditions in words, typed parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jupyter_ext.pipelines.compiled.plan import Leaf, Plan
from jupyter_ext.pipelines.compiled.spec import MISSING, Container, Dag, Source, Specification, Task

_VALUE: Final = re.compile(r"inputs\.parameter_values\[(?:''|'|\")(.+?)(?:''|'|\")\]")
_LONGEST: Final = 160
"""Characters of a value that stands in a sentence."""


def outline(spec: Specification, plan: Plan) -> dict[str, Any]:
    """``groups``: the tasks that are DAGs, outer ones first; ``tasks``: the group of each step, and where its inputs come from."""
    groups = list(_groups(spec, spec.root.dag, ()))
    tasks = {
        leaf.name: {
            "group": _id(leaf.path[:-1]),
            "kind": _kind(leaf),
            "always": leaf.task.always,
            "condition": words(leaf.task.condition),
            "item": leaf.task.iterator.item if leaf.task.iterator else "",
            "inputs": {name: origin(source) for name, source in _sources(leaf.task).items()},
        }
        for leaf in plan.leaves.values()
    }
    return {"groups": groups, "tasks": tasks, "parameters": parameters(spec)}


def _id(path: tuple[str, ...]) -> str:
    """Ends with a slash, as no step does; empty for the pipeline itself."""
    return "/".join(path) + "/" if path else ""


def _groups(spec: Specification, dag: Dag | None, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name, task in (dag.tasks if dag else {}).items():
        inner = spec.components[task.component].dag
        if inner is None:
            continue
        here = (*path, name)
        yield {
            "id": _id(here),
            "parent": _id(path),
            "title": task.title or name,
            "kind": _group_kind(task, inner, dag),
            "condition": words(task.condition),
            "item": task.iterator.item if task.iterator else "",
            "limit": task.iterator.limit if task.iterator else 0,
            "always": task.always,
        }
        yield from _groups(spec, inner, here)


def _group_kind(task: Task, inner: Dag, around: Dag | None) -> str:
    if task.iterator:
        return "loop"
    if task.condition:
        return "condition"
    if inner.tasks and all(each.condition for each in inner.tasks.values()):
        return "branches"
    others = around.tasks.values() if around else ()
    return "exit" if any(each.always and task.name in each.before for each in others) else "dag"


def _kind(leaf: Leaf) -> str:
    from jupyter_ext.pipelines.compiled import bootstrap

    if not isinstance(leaf.executor, Container):
        return "importer"
    return "python" if bootstrap.read(leaf.executor) else "container"


def _sources(task: Task) -> Mapping[str, Source]:
    return {**task.parameters, **task.artifacts}


def origin(source: Source) -> str:
    """Where an input comes from, in words; empty for what is written in the pipeline."""
    if source.kind == "task":
        return f"{source.task}.{source.key}"
    if source.kind == "status":
        return source.task
    return _channel(source.key) if source.kind == "input" else ""


def _channel(name: str) -> str:
    """``pipelinechannel--train-Output`` is what the SDK calls the output of ``train`` inside of a DAG."""
    return name.removeprefix("pipelinechannel--")


def words(condition: str) -> str:
    """A condition as somebody would write it; empty for none."""
    return _VALUE.sub(lambda found: _channel(found[1]), " ".join(condition.split()))


def why_false(condition: str, values: Mapping[str, Any]) -> str:
    """One sentence for a task that was skipped: its condition, and the values that made it false."""
    names = dict.fromkeys(found[1] for found in _VALUE.finditer(condition))
    known = [f"{_channel(name)} is {_short(values[name])}" for name in names if name in values]
    where = f" ({', '.join(known)})" if known else ""
    return f"Skipped because its condition was false: {words(condition)}{where}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def item_text(value: Any) -> str:
    """What an iteration goes over, short: a value, or the address of an artifact."""
    import json

    if isinstance(value, Mapping) and "uri" in value:
        value = value["uri"]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def parameters(spec: Specification) -> list[dict[str, Any]]:
    """The parameters of the pipeline and its input artifacts, as a form asks for them."""
    ports = spec.root.inputs
    artifacts: list[dict[str, Any]] = [
        {"name": name, "type": "ARTIFACT", "required": not port.optional, "default": None, "literals": []}
        for name, port in ports.artifacts.items()
    ]
    return artifacts + [
        {
            "name": name,
            "type": one.type,
            "required": one.default is MISSING and not one.optional,
            "default": None if one.default is MISSING else one.default,
            "literals": list(one.literals),
        }
        for name, one in ports.parameters.items()
    ]
