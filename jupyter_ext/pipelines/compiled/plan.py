"""A compiled pipeline as steps and edges: every task that does something is a step, with the DAGs around it as its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines import settings
from jupyter_ext.pipelines.compiled.platform import RESOURCES, applies
from jupyter_ext.pipelines.compiled.spec import (
    Component,
    Container,
    Importer,
    Resources,
    Retry,
    Specification,
    Task,
)
from jupyter_ext.pipelines.model import Edge, Foreach, Pipeline, Step

_MOST_STEPS: Final = 5_000
_MOST_EDGES: Final = 50_000
_DEEPEST: Final = 40


@dataclass
class Leaf:
    """A task with an executor. ``path`` are the names of the tasks around it and its own."""

    path: tuple[str, ...]
    task: Task
    component: Component
    executor: Container | Importer
    conditions: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    around: tuple[Task, ...] = ()
    name: str = ""

    @property
    def retry(self) -> Retry:
        """Its own policy, else that of the innermost DAG around it with one."""
        policies = (task.retry for task in (self.task, *reversed(self.around)))
        return next((policy for policy in policies if policy is not None), Retry())

    def known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Its parameters as far as they are known before anything runs, where the pipeline's own are ``given``."""
        return _known((*self.around, self.task), given)

    def known_around(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The same of the DAG that it stands in."""
        return _known(self.around, given)


def _known(tasks: tuple[Task, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(given)
    for task in tasks:
        inner = {}
        for name, source in task.parameters.items():
            if source.kind == "constant" and not source.selector:
                inner[name] = source.value
            elif source.kind == "input" and not source.selector and source.key in found:
                inner[name] = found[source.key]
        found = inner
    return found


@dataclass
class Plan:
    """The leaves by path, each with the name of its step, and the edges between them."""

    leaves: dict[tuple[str, ...], Leaf] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def names_below(self, path: tuple[str, ...]) -> Iterator[str]:
        """The steps that are this task, or in it."""
        for other, leaf in self.leaves.items():
            if other[: len(path)] == path:
                yield leaf.name


def make(spec: Specification) -> Plan:
    """Raises Invalid for references to what is not there, circles, and what is too large to be meant."""
    plan = Plan()
    ends = _Ends(spec, plan)
    ends.visit(spec.root, (), (), ())
    short: dict[str, int] = {}
    for path in plan.leaves:
        short[path[-1]] = short.get(path[-1], 0) + 1
    for path, leaf in plan.leaves.items():
        leaf.name = path[-1] if short[path[-1]] == 1 else "/".join(path)
    for before, after, kind in ends.pairs:
        source, target = plan.leaves[before], plan.leaves[after]
        reason = (
            f"{target.name} takes what {source.name} makes."
            if kind == "data"
            else f"{target.name} comes after {source.name}."
        )
        plan.edges.append(
            Edge(source.name, target.name, (), "data" if kind == "data" else "declared", reason)
        )
    return plan


Paths = list[tuple[str, ...]]


class _Ends:
    """Walks the DAGs; knows for each task which of its leaves begin and which end it."""

    def __init__(self, spec: Specification, plan: Plan) -> None:
        self.spec, self.plan = spec, plan
        self.pairs: list[tuple[tuple[str, ...], tuple[str, ...], str]] = []
        self._around: list[str] = []
        self._tasks: list[Task] = []

    def visit(
        self, component: Component, path: tuple[str, ...], conditions: tuple[str, ...], loops: tuple[str, ...]
    ) -> tuple[Paths, Paths]:
        """First and last leaves of a DAG."""
        assert component.dag is not None
        if component.name in self._around or len(self._around) > _DEEPEST:
            raise Invalid(
                f"The component {component.name} contains itself", where=Where(object=component.name)
            )
        self._around.append(component.name)
        tasks = component.dag.tasks
        order = self._ordered(component)
        ends: dict[str, tuple[Paths, Paths]] = {}
        for name in order:
            ends[name] = self._task(tasks[name], path, conditions, loops)
        followed = {before for name in order for before in tasks[name].before}
        for name in order:
            for before in tasks[name].before:
                self._join(ends[before][1], ends[name][0], tasks[name], before)
        self._around.pop()
        first = [leaf for name in order if not tasks[name].before for leaf in ends[name][0]]
        return first, [leaf for name in order if name not in followed for leaf in ends[name][1]]

    def _task(
        self, task: Task, around: tuple[str, ...], conditions: tuple[str, ...], loops: tuple[str, ...]
    ) -> tuple[Paths, Paths]:
        path = (*around, task.name)
        component = self.spec.components.get(task.component)
        if component is None:
            raise Invalid(
                f"Task {task.name} is of the component {task.component!r}, which is not there",
                where=_at(path),
            )
        conditions = (*conditions, task.condition) if task.condition else conditions
        loops = (*loops, task.iterator.item) if task.iterator else loops
        if component.dag is not None:
            self._tasks.append(task)
            found = self.visit(component, path, conditions, loops)
            self._tasks.pop()
            return found
        executor = self.spec.executors.get(component.executor)
        if executor is None:
            raise Invalid(f"The executor {component.executor!r} is not there", where=_at(path))
        if len(self.plan.leaves) >= _MOST_STEPS:
            raise Invalid(f"The pipeline has more than {_MOST_STEPS} steps", where=_at(path))
        if isinstance(executor, Container) and not applies(component, RESOURCES):
            executor = replace(executor, resources=Resources())
        self.plan.leaves[path] = Leaf(path, task, component, executor, conditions, loops, tuple(self._tasks))
        return [path], [path]

    def _join(self, before: Paths, after: Paths, task: Task, name: str) -> None:
        data = any(source.task == name for source in (*task.parameters.values(), *task.artifacts.values()))
        for one in before:
            for other in after:
                if len(self.pairs) >= _MOST_EDGES:
                    return
                self.pairs.append((one, other, "data" if data else "order"))

    def _ordered(self, component: Component) -> list[str]:
        """The tasks, each after those that it needs. Raises Invalid for a circle, and for one that is not there."""
        assert component.dag is not None
        tasks = component.dag.tasks
        done: dict[str, bool] = {}
        order: list[str] = []
        for root in tasks:
            stack = [(root, iter(tasks[root].before))] if root not in done else []
            done.setdefault(root, False)
            while stack:
                name, rest = stack[-1]
                step = next(rest, None)
                if step is None:
                    stack.pop()
                    done[name] = True
                    order.append(name)
                elif step not in tasks:
                    raise Invalid(
                        f"Task {name} needs {step!r}, which is not in its DAG",
                        where=Where(object=component.name),
                    )
                elif done.get(step) is False:
                    raise Invalid(
                        f"The tasks {name} and {step} wait for each other", where=Where(object=component.name)
                    )
                elif step not in done:
                    done[step] = False
                    stack.append((step, iter(tasks[step].before)))
        return order


def _at(path: tuple[str, ...]) -> Where:
    return Where(object=f"step {'/'.join(path)}")


def limit(plan: Plan, asked: Mapping[str, Mapping[str, str]]) -> None:
    """Change what steps ask for, for one run: ``{"train": {"nvidia.com/gpu": "0"}}``. Raises Invalid for an unknown step."""
    leaves = {leaf.name: leaf for leaf in plan.leaves.values()}
    for name, amounts in asked.items():
        leaf = leaves.get(name)
        if leaf is None or not isinstance(leaf.executor, Container):
            raise Invalid(
                f"There is no step {name!r} to limit", hint=f"Steps: {', '.join(list(leaves)[:20])}."
            )
        found = leaf.executor.resources
        for resource, amount in (settings.resource(*pair) for pair in amounts.items()):
            if resource in ("cpu", "memory"):
                found = replace(found, **{resource: amount})
            else:
                found = replace(found, accelerator=resource, accelerators=amount)
        leaf.executor = replace(leaf.executor, resources=found)


def pipeline(spec: Specification, plan: Plan, path: str) -> Pipeline:
    """The plan as the model that everything else shows."""
    from jupyter_ext.pipelines.compiled.outline import outline

    steps = tuple(_step(leaf) for leaf in plan.leaves.values())
    return Pipeline(
        spec.name,
        spec.title or spec.name,
        path,
        order="declared",
        steps=steps,
        edges=tuple(dict.fromkeys(plan.edges)),
        metadata={"format": "kfp", "sdk": spec.sdk, **outline(spec, plan)},
    )


def _step(leaf: Leaf) -> Step:
    executor = leaf.executor
    asked = executor.resources if isinstance(executor, Container) else None
    amounts = {"cpu": asked.cpu, "memory": asked.memory} if asked else {}
    return Step(
        leaf.name,
        leaf.task.title or leaf.name,
        after=tuple(leaf.task.before),
        declared=True,
        resources={name: amount for name, amount in amounts.items() if amount and "{{$" not in amount},
        image=executor.image if isinstance(executor, Container) else None,
        retry=leaf.retry.count,
        cache=leaf.task.cache,
        when=" and ".join(leaf.conditions) or None,
        foreach=Foreach(leaf.loops[-1], leaf.loops[-1]) if leaf.loops else None,
    )
