"""A run's tree: a scope for each DAG that runs, a node for each of its tasks, and one for each iteration of a loop."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.compiled import condition, values
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.spec import (
    MISSING,
    Component,
    Iterator,
    Output,
    Source,
    Specification,
    Task,
)
from jupyter_ext.pipelines.status import DONE

MOST_ITEMS: Final = 10_000


@dataclass(eq=False)
class Node:
    """A task in a scope; ``item`` is set for one iteration of it."""

    scope: Scope
    task: Task
    component: Component
    path: tuple[str, ...]
    index: tuple[int, ...]
    item: tuple[Any, ...] | None = None
    state: str = "PENDING"
    reason: str = ""
    blocked: bool = False
    fresh: bool = False
    """Whether anything of it was done by this process, and not taken up from before a restart."""
    inputs: Results = field(default_factory=Results)
    results: Results = field(default_factory=Results)
    iterations: list[Node] | None = None
    inner: Scope | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in DONE

    def end(self, state: str, reason: str = "", *, blocked: bool = False) -> None:
        """It has ended."""
        self.state, self.reason, self.blocked = state, reason, blocked

    def below(self) -> list[Node]:
        """The nodes directly in it."""
        if self.iterations is not None:
            return self.iterations
        return list(self.inner.nodes.values()) if self.inner else []


@dataclass(eq=False)
class Scope:
    """A DAG with its inputs."""

    spec: Specification
    component: Component
    path: tuple[str, ...]
    index: tuple[int, ...]
    inputs: Results
    nodes: dict[str, Node] = field(default_factory=dict)
    fresh: bool = False
    """Whether what it rests on was made by this process: then nothing in it is taken up."""

    def __post_init__(self) -> None:
        assert self.component.dag is not None
        for name, task in self.component.dag.tasks.items():
            component = self.spec.component(task)
            self.nodes[name] = Node(self, task, component, (*self.path, name), self.index)

    @property
    def done(self) -> bool:
        """Whether all of it has ended."""
        return all(node.done for node in self.nodes.values())


def resolve(node: Node) -> Results:
    """The inputs of a task, as Kubeflow's driver finds them. Raises Invalid for what is missing or of another type."""
    found = Results()
    task, ports = node.task, node.component.inputs
    for name, source in task.parameters.items():
        value = _parameter(node, name, source)
        if value is not MISSING:
            found.parameters[name] = value
    for name, source in task.artifacts.items():
        listed = _artifacts(node, name, source)
        if listed is not None:
            found.artifacts[name] = listed
    if node.component.dag is not None:
        for name, parameter in ports.parameters.items():
            if name not in found.parameters and parameter.optional:
                found.parameters[name] = None if parameter.default is MISSING else parameter.default
    for name, parameter in ports.parameters.items():
        value = found.parameters.get(name, parameter.default)
        if value is not MISSING and value is not None:
            found.parameters[name] = _typed(name, value, node)
    return found


def _typed(name: str, value: Any, node: Node) -> Any:
    parameter = node.component.inputs.parameters[name]
    if isinstance(value, str) and "{{$" in value:
        return value
    found = values.typed(name, value, parameter)
    if parameter.literals and found not in parameter.literals:
        raise Invalid(f"{found!r} is not a value that {name} may have", where=Where(field=name))
    return found


def _parameter(node: Node, name: str, source: Source) -> Any:
    if source.kind == "status":
        return final_status(node.scope.nodes[source.task])
    value: Any = source.value
    if source.kind == "input":
        value = node.scope.inputs.parameters.get(source.key, MISSING)
    elif source.kind == "task":
        value = node.scope.nodes[source.task].results.parameters.get(source.key, MISSING)
    if value is MISSING or value is None:
        parameter = node.component.inputs.parameters.get(name)
        if parameter is not None and (parameter.optional or parameter.default is not MISSING):
            return MISSING
        raise Invalid(f"The input {name} has no value: {_origin(source)}", where=Where(field=name))
    return condition.select(source.selector, value) if source.selector else value


def _origin(source: Source) -> str:
    if source.kind == "task":
        return f"{source.task} did not make {source.key}"
    return f"{source.key} was not given" if source.kind == "input" else "it is null"


def _artifacts(node: Node, name: str, source: Source) -> list[dict[str, Any]] | None:
    if source.kind == "input":
        found = node.scope.inputs.artifacts.get(source.key)
    else:
        found = node.scope.nodes[source.task].results.artifacts.get(source.key)
    if found is None and not node.component.inputs.artifacts[name].optional:
        raise Invalid(f"The input artifact {name} is not there: {_origin(source)}", where=Where(field=name))
    return found


def final_status(node: Node) -> dict[str, Any]:
    """How a task has ended, as an exit task gets it."""
    # The words of the backend, which are those of its metadata store, and not those of the SDK's documentation.
    state = {"SUCCEEDED": "COMPLETE", "SKIPPED": "CANCELED", "CANCELED": "CANCELED"}.get(node.state, "FAILED")
    found: dict[str, Any] = {"state": state, "pipelineTaskName": node.task.name, "error": {}}
    found["pipelineJobResourceName"] = "{{$.pipeline_job_resource_name}}"
    if state == "FAILED":
        found["error"] = {"code": 13, "message": node.reason}
    return found


def items_of(iterator: Iterator, inputs: Results) -> list[Any]:
    """What a loop goes over. Raises Invalid for what is no list."""
    if iterator.kind == "artifact":
        return list(inputs.artifacts.get(iterator.input) or [])
    if iterator.items is not None:
        return list(iterator.items)
    value = inputs.parameters.get(iterator.input)
    if isinstance(value, str):
        import json

        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, list):
        raise Invalid(
            f"The loop goes over {iterator.input}, which is no list", where=Where(field=iterator.input)
        )
    if len(value) > MOST_ITEMS:
        what = f"The loop goes over {len(value)} items, and {MOST_ITEMS} is the most"
        raise Invalid(what, where=Where(field=iterator.input))
    return value


def iterate(node: Node) -> None:
    """Make the iterations of a loop whose inputs are known."""
    iterator = node.task.iterator
    assert iterator is not None
    node.iterations = [
        Node(node.scope, node.task, node.component, node.path, (*node.index, number), (item,))
        for number, item in enumerate(items_of(iterator, node.inputs))
    ]
    for one in node.iterations:
        assert one.item is not None
        one.fresh = node.fresh
        one.inputs = Results(dict(node.inputs.parameters), dict(node.inputs.artifacts))
        if iterator.kind == "artifact":
            if iterator.input != iterator.item:
                one.inputs.artifacts.pop(iterator.input, None)
            one.inputs.artifacts[iterator.item] = [one.item[0]]
        else:
            if node.component.dag is None:  # a DAG may use the list itself, too
                one.inputs.parameters.pop(iterator.input, None)
            one.inputs.parameters[iterator.item] = _item(node, iterator.item, one.item[0])


def _item(node: Node, name: str, value: Any) -> Any:
    parameter = node.component.inputs.parameters.get(name)
    return value if parameter is None or value is None else values.typed(name, value, parameter)


def outputs_of(node: Node) -> Results:
    """The outputs of a task that is a DAG or a loop, of what succeeded in it."""
    if node.iterations is not None:
        return _collected(node)
    found = Results()
    dag = node.component.dag
    assert dag is not None
    assert node.inner is not None
    for name, output in dag.parameters.items():
        for made in _choices(node.inner, output):
            if made[1] in made[0].results.parameters:
                found.parameters[name] = made[0].results.parameters[made[1]]
                break
    for name, output in dag.artifacts.items():
        for made in _choices(node.inner, output):
            if made[1] in made[0].results.artifacts:
                found.artifacts[name] = made[0].results.artifacts[made[1]]
                break
    return found


def _choices(scope: Scope, output: Output) -> list[tuple[Node, str]]:
    return [
        (scope.nodes[task], key) for task, key in output.choices if scope.nodes[task].state == "SUCCEEDED"
    ]


def _collected(node: Node) -> Results:
    """The outputs of all iterations, in their order; an iteration that skipped the maker of one adds none."""
    found = Results()
    assert node.iterations is not None
    for name in node.component.outputs.parameters:
        found.parameters[name] = [
            one.results.parameters[name] for one in node.iterations if name in one.results.parameters
        ]
    for name in node.component.outputs.artifacts:
        found.artifacts[name] = [
            each for one in node.iterations for each in one.results.artifacts.get(name, ())
        ]
    return found
