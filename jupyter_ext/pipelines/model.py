"""What a notebook means as a pipeline: cells, steps, edges, parameters and problems.

Everything here is a frozen value with a camelCase JSON form (``to_dict`` and ``from_dict`` are inverse to
each other), so the same object is stored in a run, sent over REST and compared in tests.
Cells count from 1 over all cells of the notebook, lines and columns from 1 within the cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, Self

from jupyter_ext.errors import Invalid, Where

EffectKind = Literal["file", "shell", "network", "rng", "env", "cwd", "settings", "stdin", "unknown"]
EffectMode = Literal["r", "w"]
EdgeKind = Literal["data", "declared", "order"]
Severity = Literal["error", "warning", "info"]
Grammar = Literal["tags", "magic", "headings", "cells"]
Order = Literal["declared", "notebook"]
StepKind = Literal["setup", "step"]
ParameterType = Literal["int", "float", "str", "bool", "list", "dict"]

ANY = "*"
"""Stands for "every name" in reads and writes, and for "some place not visible in the code" in an effect."""


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in rest)


def _encode(value: object) -> object:
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class Value:
    """Base of everything in this module: a frozen record with a camelCase JSON form."""

    def to_dict(self) -> dict[str, Any]:
        """All fields, nested values included."""
        return {_camel(item.name): _encode(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of ``to_dict``; unknown keys are ignored and missing ones take their defaults."""
        known = {_camel(item.name): item.name for item in fields(cls)}
        return cls(
            **{known[key]: cls._decode(known[key], value) for key, value in data.items() if key in known}
        )

    @classmethod
    def _decode(cls, name: str, value: Any) -> Any:
        del name
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Cell(Value):
    """One cell of the notebook. ``source`` is what is executed: a ``%%step`` line is blanked, not removed."""

    index: int
    id: str
    source: str
    tags: tuple[str, ...] = ()
    cell_type: str = "code"


@dataclass(frozen=True)
class Effect(Value):
    """Something a step does beside its values; ``detail`` is a path, host or call, ``*`` if not visible."""

    kind: EffectKind
    mode: EffectMode
    detail: str = ANY

    def conflicts(self, other: Effect) -> bool:
        """Whether the two must keep their order: same kind, overlapping detail, one of them a writer."""
        if "unknown" in (self.kind, other.kind):
            return True
        # A shell command may touch any file, and files may be named relative to the working directory.
        kinds = {self.kind, other.kind}
        if kinds in ({"shell", "file"}, {"shell", "env"}):
            return True
        if "cwd" in kinds and kinds <= {"cwd", "file", "shell"} and len(kinds) > 1:
            return any(item.kind == "cwd" and item.mode == "w" for item in (self, other))
        if self.kind != other.kind or (self.mode == "r" and other.mode == "r"):
            return False
        return _overlap(self, other)


def _overlap(left: Effect, right: Effect) -> bool:
    one, other = left.detail, right.detail
    if ANY in {one, other} or one == other or left.kind == "shell":
        return True
    # A folder and what lies in it; a module and what lies in it.
    separator = "/" if left.kind == "file" else "."
    return one.startswith(other.rstrip(separator) + separator) or other.startswith(
        one.rstrip(separator) + separator,
    )


@dataclass(frozen=True)
class Foreach(Value):
    """``for VAR in EXPR`` over a step; ``parallel`` is false if an iteration needs what the last one left."""

    var: str
    expr: str
    parallel: bool = True


@dataclass(frozen=True)
class Step(Value):
    """A node of the pipeline: some cells, what they need and what they change.

    ``reads`` are names that must come from earlier steps, also through functions and classes defined there.
    ``writes`` are certain to be bound or changed (``mutates`` is the part of them changed in place),
    ``may_write`` perhaps. ``*`` in any of them stands for every name.
    ``after`` is None if nothing was declared. ``secrets`` maps a variable of the environment to ``NAME/KEY``.
    """

    name: str
    title: str = ""
    kind: StepKind = "step"
    cells: tuple[Cell, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    mutates: tuple[str, ...] = ()
    may_write: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    after: tuple[str, ...] | None = None
    declared: bool = False
    resources: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    retry: int = 0
    timeout: float | None = None
    cache: bool | None = None
    when: str | None = None
    foreach: Foreach | None = None
    collect: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def cpu(self) -> str | None:
        """Kubernetes quantity, for example ``500m``."""
        return self.resources.get("cpu")

    @property
    def memory(self) -> str | None:
        """Kubernetes quantity, for example ``4Gi``."""
        return self.resources.get("memory")

    @property
    def gpu(self) -> str | None:
        """Number of GPUs of any vendor."""
        counts = [amount for name, amount in self.resources.items() if name.endswith("/gpu")]
        return str(sum(int(count) for count in counts)) if counts else None

    @property
    def source(self) -> str:
        """The code of all cells, one after the other."""
        return "\n".join(cell.source for cell in self.cells)

    @classmethod
    def _decode(cls, name: str, value: Any) -> Any:
        if name == "cells":
            return tuple(Cell.from_dict(item) for item in value)
        if name == "effects":
            return tuple(Effect.from_dict(item) for item in value)
        if name == "foreach":
            return Foreach.from_dict(value) if value else None
        return super()._decode(name, value)


@dataclass(frozen=True)
class Edge(Value):
    """``target`` runs after ``source``; ``reason`` is the sentence a person sees."""

    source: str
    target: str
    names: tuple[str, ...] = ()
    kind: EdgeKind = "data"
    reason: str = ""


@dataclass(frozen=True)
class Problem(Value):
    """A finding at a place, with its remedy in words and, where one click can do it, as ``fix``.

    Fixes: ``{"action": "rename", "from", "to"}``, ``{"action": "add-tag", "tag"}``,
    ``{"action": "remove-tag", "tag"}``, ``{"action": "replace-tag", "tag", "with"}``.
    """

    severity: Severity
    code: str
    message: str
    cell: int | None = None
    cell_id: str | None = None
    line: int | None = None
    column: int | None = None
    step: str | None = None
    remedy: str = ""
    fix: Mapping[str, str] | None = None

    def to_error(self) -> Invalid:
        """Give the same finding as an exception."""
        step = f"step {self.step}" if self.step else None
        where = Where(cell=self.cell, cell_id=self.cell_id, line=self.line, object=step)
        return Invalid(self.message, where=where, hint=self.remedy or None)

    def __str__(self) -> str:
        return str(self.to_error())


@dataclass(frozen=True)
class Parameter(Value):
    """A literal that a run may replace. ``cell`` and ``line`` are where it stands."""

    name: str
    type: ParameterType
    default: Any
    cell: int
    line: int

    @classmethod
    def _decode(cls, name: str, value: Any) -> Any:
        return value if name == "default" else super()._decode(name, value)


@dataclass(frozen=True)
class Pipeline(Value):
    """A notebook read as steps and edges. ``problems`` with severity error mean that it must not run."""

    name: str
    title: str = ""
    path: str = ""
    grammar: Grammar = "cells"
    order: Order = "notebook"
    steps: tuple[Step, ...] = ()
    edges: tuple[Edge, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    metrics: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep it from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def require_valid(self) -> None:
        """Raise the first error as Invalid."""
        for problem in self.errors:
            raise problem.to_error()

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    @cached_property
    def _parents(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {step.name: [] for step in self.steps}
        for edge in self.edges:
            found[edge.target].append(edge.source)
        return {name: tuple(dict.fromkeys(parents)) for name, parents in found.items()}

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {step.name: [] for step in self.steps}
        for edge in self.edges:
            found[edge.source].append(edge.target)
        return {name: tuple(dict.fromkeys(children)) for name, children in found.items()}

    def step(self, name: str) -> Step:
        """Give the step of that name; raises Invalid with the nearest names if there is none."""
        if name in self._steps:
            return self._steps[name]
        from difflib import get_close_matches

        near = get_close_matches(name, self._steps, 3) or list(self._steps)[:8]
        what = f"there is no step {name!r}"
        raise Invalid(what, hint=f"Steps: {', '.join(near)}.")

    def parents(self, name: str) -> tuple[str, ...]:
        """Direct predecessors, in the order of the edges."""
        return self._parents[self.step(name).name]

    def children(self, name: str) -> tuple[str, ...]:
        """Direct successors, in the order of the edges."""
        return self._children[self.step(name).name]

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Every step that must have finished before this one, in notebook order."""
        return self._closure(self.step(name).name, self._parents)

    def descendants(self, name: str) -> tuple[str, ...]:
        """Every step that needs this one, in notebook order."""
        return self._closure(self.step(name).name, self._children)

    def _closure(self, name: str, following: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        seen: set[str] = set()
        stack = list(following[name])
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack.extend(following[current])
        return tuple(step.name for step in self.steps if step.name in seen)

    def to_dict(self, *, sources: bool = True) -> dict[str, Any]:
        """JSON form; ``sources=False`` leaves the cells' code out (it is kept with the run's notebook)."""
        data = super().to_dict()
        if not sources:
            for step in data["steps"]:
                for cell in step["cells"]:
                    cell["source"] = ""
        return data

    @classmethod
    def _decode(cls, name: str, value: Any) -> Any:
        kinds: dict[str, type[Value]] = {"steps": Step, "edges": Edge, "parameters": Parameter}
        kinds["problems"] = Problem
        if name in kinds:
            return tuple(kinds[name].from_dict(item) for item in value)
        return super()._decode(name, value)


__all__ = [
    "ANY",
    "Cell",
    "Edge",
    "Effect",
    "Foreach",
    "Parameter",
    "Pipeline",
    "Problem",
    "Step",
    "Value",
]
