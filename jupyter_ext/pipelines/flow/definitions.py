"""Functions and classes of the notebook as data: where they stand, what is known of them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from jupyter_ext.pipelines.flow.machine import Args, Frame
from jupyter_ext.pipelines.flow.records import Record
from jupyter_ext.pipelines.flow.scopes import Scope
from jupyter_ext.pipelines.flow.values import IMMUTABLE, Obj, Val, union

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(eq=False)
class Summary:
    """What a body does, in terms of its symbols. ``epoch`` is when its dependencies were last compared."""

    record: Record
    result: Val
    frame: Frame | None
    epoch: int


@dataclass(eq=False)
class Function:
    """A definition as met once: its node, where it stands, and what its parameters default to."""

    node: Definition
    frame: Frame
    cell: int
    closure: Scope | None
    defaults: dict[str, Val] = field(default_factory=dict)
    summaries: dict[object, Summary] = field(default_factory=dict)
    variants: set[object] = field(default_factory=set)
    kind: str = ""

    @property
    def name(self) -> str:
        """Its name, for people."""
        return "lambda" if isinstance(self.node, ast.Lambda) else self.node.name

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it, so that what it closes over is among them."""
        return frozenset(node.id for node in ast.walk(self.node) if isinstance(node, ast.Name))

    @cached_property
    def rebinds(self) -> frozenset[str]:
        """Global names that it binds."""
        found = (node.names for node in ast.walk(self.node) if isinstance(node, ast.Global))
        return frozenset(name for names in found for name in names)

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that take a position, in order."""
        return [argument.arg for argument in (*self.node.args.posonlyargs, *self.node.args.args)]


@dataclass(eq=False)
class Callee:
    """A function as a value: bound to an object, with some arguments given, with what it closes over."""

    function: Function
    bound: Val | None = None
    given: Args | None = None
    closed_over: dict[Obj, Val] = field(default_factory=dict)


@dataclass(eq=False)
class Class:
    """A class of the notebook: its members, its bases, and what its methods were seen to keep in ``self``."""

    name: str
    members: dict[str, Val] = field(default_factory=dict)
    bases: list[Val] = field(default_factory=list)
    attributes: dict[str, Val] = field(default_factory=dict)

    def find(self, name: str) -> Val | None:
        """A member of the class or of a base that is a class of the notebook."""
        if name in self.members:
            return self.members[name]
        for base in self.bases:
            for obj in base.objs:
                found = obj.klass.find(name) if obj.klass and obj.klass is not self else None
                if found is not None:
                    return found
        return None

    def origin(self) -> str | None:
        """The API of the first base that is not a class of the notebook, empty if it is unknown."""
        for base in self.bases:
            if base.api is not None and base.api not in {"builtins.object", "abc.ABC", "typing.Protocol"}:
                return base.api
            for obj in base.objs:
                if obj.klass and obj.klass is not self:
                    found = obj.klass.origin()
                    if found is not None:
                        return found
                elif not obj.klass:
                    return ""
        return None

    def functions(self) -> Iterable[Obj]:
        """Every method, inherited ones too."""
        for value in self.members.values():
            yield from (obj for obj in value.objs if obj.function)
        for base in self.bases:
            for obj in base.objs:
                if obj.klass and obj.klass is not self:
                    yield from obj.klass.functions()


def cells_of(function: Function, frame: Frame | None) -> Val:
    """The values of the frame's names that the function, where it is defined inside, may close over."""
    scope: Scope | None = function.frame.root
    while frame is not None and scope is not None:
        if scope is frame.root:
            return union(scope.vars[name] for name in sorted(function.names) if name in scope.vars)
        scope = scope.parent
    return IMMUTABLE
