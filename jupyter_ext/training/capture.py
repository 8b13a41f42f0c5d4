"""Which names a cell takes from the notebook: those that it reads before it has bound them itself."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Needs(NamedTuple):
    """Names that a cell takes from the notebook.

    ``may``: only the body of a function reads them, and the cell binds them too. Whether it is called before that is
    not known, so they come along if they can.
    """

    must: list[str]
    may: list[str]


def needed(tree: ast.Module, known: Collection[str]) -> Needs:
    """The names of ``known`` that the cell needs.

    What may or may not have been bound before (in a branch) counts as not bound.
    """
    walk = _Walk()
    walk.block(tree.body)
    must = (walk.early | (walk.late - walk.anywhere)) & set(known)
    return Needs(sorted(must), sorted((walk.late & set(known)) - must))


class _Walk:
    """Goes through the statements in order and notes what is read while it is not bound."""

    def __init__(self) -> None:
        self.early: set[str] = set()
        self.late: set[str] = set()
        self.bound: set[str] = set()
        self.anywhere: set[str] = set()

    def block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._definition(node)
            case ast.If() | ast.While():
                self._reads(node.test)
                self._maybe(node.body, node.orelse)
            case ast.For() | ast.AsyncFor():
                self._reads(node.iter)
                self._maybe(node.body, node.orelse, targets=node.target)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._reads(item.context_expr)
                    self._binds(item.optional_vars)
                self.block(node.body)
            case ast.Try() | ast.TryStar():
                handlers = [handler.body for handler in node.handlers]
                for handler in node.handlers:
                    self._reads(handler.type)
                    self.anywhere |= {handler.name} if handler.name else set()
                names = {handler.name for handler in node.handlers if handler.name}
                self._maybe(node.body, *handlers, node.orelse, names=names)
                self.block(node.finalbody)
            case ast.Match():
                self._reads(node.subject)
                self._maybe(*(case.body for case in node.cases), names=_pattern_names(node.cases))
            case ast.AugAssign():
                self._reads(node.value)
                self._reads(
                    ast.Name(node.target.id, ast.Load()) if isinstance(node.target, ast.Name) else node.target
                )
                self._binds(node.target)
            case _:
                self._reads(node)
                self._binds(node)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self._reads(decorator)
        if isinstance(node, ast.ClassDef):
            for base in (*node.bases, *(keyword.value for keyword in node.keywords)):
                self._reads(base)
            inner = set(self.bound)
            self.block(node.body)
            self.bound = inner
        else:
            self._function(node)
        self._bind(node.name)

    def _maybe(
        self, *blocks: list[ast.stmt], targets: ast.expr | None = None, names: Collection[str] = ()
    ) -> None:
        """Blocks of which each may or may not be executed."""
        before = set(self.bound)
        for block in blocks:
            self.bound = before | set(names)
            self._binds(targets)
            self.block(block)
        self.bound = before

    def _bind(self, name: str) -> None:
        self.bound.add(name)
        self.anywhere.add(name)

    def _binds(self, node: ast.AST | None) -> None:
        """Names that the node binds; those of a comprehension are its own, unless ``:=`` binds them."""
        if node is None:
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        elif isinstance(node, ast.alias):
            self._bind((node.asname or node.name).partition(".")[0])
        elif isinstance(node, _COMPREHENSIONS):
            for each in ast.walk(node):
                self._binds(each.target if isinstance(each, ast.NamedExpr) else None)
        elif not isinstance(node, ast.Lambda):
            for child in ast.iter_child_nodes(node):
                self._binds(child)

    def _reads(self, node: ast.AST | None, hidden: frozenset[str] = frozenset()) -> None:
        """Names that are read as soon as the node is evaluated."""
        if node is None:
            return
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Store) and node.id not in self.bound | hidden:
                self.early.add(node.id)
        elif isinstance(node, ast.Lambda):
            self._function(node)
        elif isinstance(node, _COMPREHENSIONS):
            own = {
                name.id
                for each in node.generators
                for name in ast.walk(each.target)
                if isinstance(name, ast.Name)
            }
            self._reads(node.generators[0].iter, hidden)
            for child in ast.iter_child_nodes(node):
                self._reads(child, hidden | own)
        else:
            for child in ast.iter_child_nodes(node):
                self._reads(child, hidden)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        arguments = node.args
        for default in (*arguments.defaults, *(each for each in arguments.kw_defaults if each)):
            self._reads(default)
        everything = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in (*everything, arguments.vararg, arguments.kwarg):
            if argument is not None:
                self._reads(argument.annotation)
        if not isinstance(node, ast.Lambda):
            self._reads(node.returns)
        self.late |= _free(node)


def _free(node: ast.AST) -> set[str]:
    """Names that a function's body reads from outside of it."""
    local: set[str] = set()
    read: set[str] = set()
    outer: set[str] = set()
    arguments = getattr(node, "args", None)
    if isinstance(arguments, ast.arguments):
        local |= {each.arg for each in ast.walk(arguments) if isinstance(each, ast.arg)}
    body = getattr(node, "body", None)
    todo: list[ast.AST] = body[:] if isinstance(body, list) else [body] if isinstance(body, ast.AST) else []
    while todo:
        each = todo.pop()
        if isinstance(each, ast.Name):
            (local if isinstance(each.ctx, ast.Store) else read).add(each.id)
        elif isinstance(each, ast.Global):
            outer |= set(each.names)
        elif isinstance(each, ast.alias):
            local.add((each.asname or each.name).partition(".")[0])
        elif isinstance(each, ast.ExceptHandler) and each.name:
            local.add(each.name)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            local.add(each.name)
        if isinstance(each, _SCOPES):
            read |= _free(each)
            todo += [*each.args.defaults, *(one for one in each.args.kw_defaults if one)]
            todo += getattr(each, "decorator_list", [])
        else:
            todo += list(ast.iter_child_nodes(each))
    return (read - local) | (read & outer)


def _pattern_names(cases: Iterable[ast.match_case]) -> set[str]:
    patterns = (ast.MatchAs, ast.MatchStar)
    found = {each.name for case in cases for each in ast.walk(case.pattern) if isinstance(each, patterns)}
    rest = {
        each.rest for case in cases for each in ast.walk(case.pattern) if isinstance(each, ast.MatchMapping)
    }
    return {name for name in found | rest if name}
