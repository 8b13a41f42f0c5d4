"""Scopes of the abstract run, and which names a function body binds."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache

from jupyter_ext.pipelines.flow.values import DELETED, Val, join


class Scope:
    """Names bound in one stretch of code. A branch gets one of its own, merged into its parent afterwards.

    ``weak`` are the names that are perhaps not bound, so that an outer value may show through.
    ``locals`` is set on a function's outermost scope: the names that never mean anything further out.
    ``passed`` is set on a loop's body: the names that were looked up in it and found further out.
    """

    __slots__ = ("kind", "locals", "parent", "passed", "vars", "weak")

    def __init__(self, parent: Scope | None, kind: str, locals_: frozenset[str] | None = None) -> None:
        self.parent = parent
        self.kind = kind
        self.locals = locals_
        self.passed: set[str] | None = None
        self.vars: dict[str, Val] = {}
        self.weak: set[str] = set()

    def find(self, name: str) -> tuple[Val | None, bool]:
        """The name's value in this scope or around it, and whether it is surely bound."""
        scope: Scope | None = self
        while scope is not None:
            value = scope.vars.get(name)
            if value is not None:
                return value, name not in scope.weak
            scope = scope.parent
        return None, False


def merge(parent: Scope, branches: list[Scope], *, complete: bool) -> None:
    """Bind in ``parent`` what the branches bound.

    ``complete``: one of the branches is surely taken; else what was before may still hold.
    """
    names = {name: None for branch in branches for name in branch.vars}
    for name in names:
        bound = [branch for branch in branches if name in branch.vars]
        values = [branch.vars[name] for branch in bound]
        sure = complete and len(bound) == len(branches) and not any(name in branch.weak for branch in bound)
        deleted = sum(value is DELETED for value in values)
        if deleted and deleted == len(values):
            result = DELETED
        else:
            kept = [value for value in values if value is not DELETED]
            result = kept[0]
            for value in kept[1:]:
                result = join(result, value)
            sure = sure and not deleted
        if not sure:
            before, certain = parent.find(name)
            if before is not None and before is not DELETED:
                result = before if result is DELETED else join(before, result)
                sure = certain and not deleted
            elif result is DELETED:
                # Perhaps deleted, and bound outside of what is seen here: then it is as it was.
                continue
        parent.vars[name] = result
        if sure:
            parent.weak.discard(name)
        else:
            parent.weak.add(name)


@dataclass(frozen=True)
class Binds:
    """The names that a body binds itself, and those it declares as somebody else's."""

    local: frozenset[str]
    global_: frozenset[str]
    nonlocal_: frozenset[str]
    generator: bool


@dataclass
class _Found:
    names: set[str] = field(default_factory=set)
    global_: set[str] = field(default_factory=set)
    nonlocal_: set[str] = field(default_factory=set)
    generator: bool = False


@lru_cache(maxsize=8192)
def binds(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Binds:
    """What a function's body binds; nested functions and classes bind their own."""
    found = _Found()
    arguments = node.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    parameters = {argument.arg for argument in every if argument}
    stack: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
    while stack:
        current = stack.pop()
        _note(current, found)
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef):
            stack += [
                *current.decorator_list,
                *current.args.defaults,
                *filter(None, current.args.kw_defaults),
            ]
        elif isinstance(current, ast.Lambda):
            stack += [*current.args.defaults, *filter(None, current.args.kw_defaults)]
        elif isinstance(current, ast.ClassDef):
            stack += [*current.decorator_list, *current.bases]
        elif isinstance(current, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            stack += [item for item in ast.walk(current) if isinstance(item, ast.NamedExpr)]
        elif not isinstance(current, ast.Name | ast.Constant):
            stack.extend(ast.iter_child_nodes(current))
    local = (found.names | parameters) - found.global_ - found.nonlocal_
    return Binds(frozenset(local), frozenset(found.global_), frozenset(found.nonlocal_), found.generator)


def _note(node: ast.AST, found: _Found) -> None:
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            found.names.add(node.id)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        found.names.add(node.name)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        found.names.update((alias.asname or alias.name.partition(".")[0]) for alias in node.names)
    elif isinstance(node, ast.ExceptHandler):
        if node.name:
            found.names.add(node.name)
    elif isinstance(node, ast.Global):
        found.global_.update(node.names)
    elif isinstance(node, ast.Nonlocal):
        found.nonlocal_.update(node.names)
    elif isinstance(node, ast.Yield | ast.YieldFrom):
        found.generator = True
    elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        found.names.add(node.name)
    elif isinstance(node, ast.MatchMapping) and node.rest:
        found.names.add(node.rest)
