"""Statements: assignments, branches, loops, definitions, imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_ext.pipelines.flow.calls import Calls
from jupyter_ext.pipelines.flow.definitions import Callee, Class
from jupyter_ext.pipelines.flow.machine import Args
from jupyter_ext.pipelines.flow.scopes import Scope, merge
from jupyter_ext.pipelines.flow.values import (
    DELETED,
    IMMUTABLE,
    Obj,
    Val,
    contains_callables,
    item,
    join,
    of,
    package,
    part,
    union,
)
from jupyter_ext.pipelines.knowledge.modules import DECORATORS

_NAME_ERRORS = frozenset({"NameError", "Exception", "BaseException", "UnboundLocalError"})
_Loop = ast.For | ast.AsyncFor


class Statements(Calls):
    """Follows statements; each method says whether what stands after them is never reached."""

    def __init__(self) -> None:
        super().__init__()
        self._loops = 0
        self._runners: dict[type[ast.AST], Callable[[Any], bool | None]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.AnnAssign: self._annotated,
            ast.If: self._branch,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Delete: self._delete,
            ast.Return: self._return,
            ast.Raise: self._raise,
            ast.Assert: self._assert,
            ast.Match: self._match,
            ast.Break: self._leave_loop,
            ast.Continue: self._leave_loop,
        }
        if hasattr(ast, "TryStar"):
            self._runners[ast.TryStar] = self._try

    def run(self, statements: Sequence[ast.stmt]) -> bool:
        """Follow statements in order; true if the end is never reached."""
        runners = self._runners
        for statement in statements:
            runner = runners.get(type(statement))
            if runner is not None and runner(statement):
                return True
        return False

    def run_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Follow the statements of a function."""
        self.run(node.body)

    def _expression(self, node: ast.Expr) -> None:
        self.evaluate(node.value)

    # Assignments

    def _assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        if len(node.targets) == 1 and isinstance(target, ast.Tuple | ast.List):
            values = self._pairwise(target, node.value)
            if values is not None:
                for entry, value in zip(target.elts, values, strict=True):
                    self.bind_target(entry, value, entry)
                return
        value = self.evaluate(node.value)
        for entry in node.targets:
            self.bind_target(entry, value, node)

    def _pairwise(self, target: ast.Tuple | ast.List, value: ast.expr) -> list[Val] | None:
        """``a, b = x, y``: each value for itself, all evaluated before any is bound."""
        if not isinstance(value, ast.Tuple | ast.List) or len(value.elts) != len(target.elts):
            return None
        if any(isinstance(entry, ast.Starred) for entry in (*target.elts, *value.elts)):
            return None
        return [self.evaluate(entry) for entry in value.elts]

    def bind_target(self, target: ast.expr, value: Val, node: ast.AST) -> None:
        """Bind a target of an assignment, a loop or a ``with``."""
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, node)
        elif isinstance(target, ast.Attribute):
            self._set_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self._set_item(target, value)
        elif isinstance(target, ast.Starred):
            self.bind_target(target.value, value, node)

    def _unpack(self, target: ast.Tuple | ast.List, value: Val, node: ast.AST) -> None:
        count = len(target.elts)
        starred = next(
            (number for number, one in enumerate(target.elts) if isinstance(one, ast.Starred)), count
        )
        for number, one in enumerate(target.elts):
            if isinstance(one, ast.Starred):
                self.bind_target(one.value, self.fresh("builtins.list", (part(value),), closed=True), node)
            elif starred == count:
                self.bind_target(one, item(value, number, count), node)
            else:
                self.bind_target(one, part(value), node)

    def _set_attribute(self, target: ast.Attribute, value: Val) -> None:
        base = self.evaluate_base(target.value)
        if base.api is not None:
            self.set_api(f"{base.api}.{target.attr}", target)
        for obj, _ in base.each():
            klass = obj.instance or obj.klass
            if klass is not None:
                kept = klass.attributes.get(target.attr)
                klass.attributes[target.attr] = join(kept, value) if kept is not None else value
                if obj.klass is not None:
                    klass.members[target.attr] = value
        self.mark(base)
        self.link(base, value, target.attr)

    def _set_item(self, target: ast.Subscript, value: Val) -> None:
        base = self.evaluate_base(target.value)
        index = self.evaluate(target.slice)
        if base.api is not None:
            self.set_api_item(base.api, target.slice, target)
        self.mark(base)
        self.link(base, part(value) if isinstance(target.slice, ast.Slice) else value)
        self.link(base, index)

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            before = self.evaluate_base(target)
            value = self.evaluate(node.value)
            self.mark(before)
            if isinstance(node.op, ast.Add | ast.BitOr):
                self.link(before, part(value))
            if before.objs or before.maybe:
                self.bind(target.id, Val(before.objs, before.maybe))
            else:
                self.bind(target.id, self._operate(before, node.op, value))
            return
        before = self.evaluate(target)
        value = self.evaluate(node.value)
        self.mark(before)
        if isinstance(node.op, ast.Add | ast.BitOr):
            self.link(before, part(value))
        base = self.evaluate_base(target.value)
        self.mark(base)
        if isinstance(target, ast.Attribute):
            self.link(base, IMMUTABLE, target.attr)
            if base.api is not None:
                self.set_api(f"{base.api}.{target.attr}", target)
        elif base.api is not None:
            self.set_api_item(base.api, target.slice, target)
        elif isinstance(target.slice, ast.Slice):
            self.link(base, part(value))

    def _annotated(self, node: ast.AnnAssign) -> None:
        if not self.frame.number:
            self.evaluate(node.annotation)
        if node.value is not None:
            self.bind_target(node.target, self.evaluate(node.value), node)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._delete_target(target)

    def _delete_target(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.evaluate_base(
                ast.Name(target.id, ast.Load(), lineno=target.lineno, col_offset=target.col_offset)
            )
            self.bind(target.id, DELETED)
        elif isinstance(target, ast.Tuple | ast.List):
            for entry in target.elts:
                self._delete_target(entry)
        elif isinstance(target, ast.Attribute):
            base = self.evaluate_base(target.value)
            if base.api is not None:
                self.set_api(f"{base.api}.{target.attr}", target)
            self.mark(base)
        elif isinstance(target, ast.Subscript):
            base = self.evaluate_base(target.value)
            self.evaluate(target.slice)
            if base.api is not None:
                self.set_api_item(base.api, target.slice, target)
            self.mark(base)

    # Branches

    def _in_branch(self, statements: Sequence[ast.stmt]) -> tuple[Scope, bool]:
        scope = Scope(self.scope, self.scope.kind)
        parent, self.scope = self.scope, scope
        ended = self.run(statements)
        self.scope = parent
        return scope, ended

    def _branch(self, node: ast.If) -> bool:
        test = self.evaluate(node.test)
        taken = test.const if isinstance(test.const, bool) and not isinstance(node.test, ast.Name) else None
        if taken is True:
            return self.run(node.body)
        if taken is False:
            return self.run(node.orelse)
        self.cond += 1
        first, first_ended = self._in_branch(node.body)
        second, second_ended = self._in_branch(node.orelse)
        self.cond -= 1
        open_ = [scope for scope, ended in ((first, first_ended), (second, second_ended)) if not ended]
        merge(self.scope, open_, complete=True)
        return not open_

    def _match(self, node: ast.Match) -> bool:
        subject = self.evaluate(node.subject)
        scopes: list[Scope] = []
        complete = ended_all = False
        self.cond += 1
        for case in node.cases:
            scope = Scope(self.scope, self.scope.kind)
            parent, self.scope = self.scope, scope
            self._pattern(case.pattern, subject)
            if case.guard is not None:
                self.evaluate(case.guard)
            ended = self.run(case.body)
            self.scope = parent
            if not ended:
                scopes.append(scope)
            catches_all = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
            complete = complete or (catches_all and case.guard is None)
        self.cond -= 1
        ended_all = complete and not scopes
        merge(self.scope, scopes, complete=complete)
        return ended_all

    def _pattern(self, pattern: ast.pattern, subject: Val) -> None:
        for entry in ast.walk(pattern):
            if isinstance(entry, ast.MatchValue):
                self.evaluate(entry.value)
            elif isinstance(entry, ast.MatchClass):
                self.evaluate(entry.cls)
            elif isinstance(entry, ast.MatchAs | ast.MatchStar) and entry.name:
                self.bind(entry.name, subject if entry is pattern else join(subject, part(subject)))
            elif isinstance(entry, ast.MatchMapping):
                for key in entry.keys:
                    self.evaluate(key)
                if entry.rest:
                    self.bind(entry.rest, part(subject))

    # Loops

    def _for(self, node: _Loop) -> bool:
        source = self.evaluate(node.iter)
        element = self.element(source, node.iter)
        sure = _surely_runs(node.iter)

        def once() -> bool:
            self.bind_target(node.target, element, node.target)
            return self.run(node.body)

        self._loop(once, sure=sure)
        self._else(node.orelse)
        return False

    def _while(self, node: ast.While) -> bool:
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self.evaluate(node.test)
        self.cond += not forever
        self._loop(lambda: self.run(node.body), sure=forever)
        self.cond -= not forever
        self._else(node.orelse)
        return forever and not any(isinstance(entry, ast.Break) for entry in ast.walk(node))

    def _loop(self, once: Callable[[], bool], *, sure: bool) -> None:
        """Follow a loop's body; again where what it bound may reach its start."""
        scope = Scope(self.scope, self.scope.kind)
        scope.passed = set()
        parent, self.scope = self.scope, scope
        self._loops += 1
        once()
        if self._loops <= 2 and self._carried(scope):
            once()
        self._loops -= 1
        self.scope = parent
        merge(parent, [scope], complete=sure)

    def _carried(self, scope: Scope) -> bool:
        """Whether the body may find, in its next round, what it bound in this one; and bind that for it."""
        parent, carried = scope.parent, False
        for name in scope.passed or ():
            value = scope.vars.get(name)
            if value is None or value is DELETED:
                continue
            before = parent.find(name)[0] if parent is not None else None
            if before is None and scope.kind == "module":
                before = self.globals.get(name)
            if before is None or before is DELETED:
                continue
            if not value.objs <= before.objs or value.const != before.const:
                scope.vars[name] = join(before, value)
                carried = True
        return carried

    def _else(self, statements: Sequence[ast.stmt]) -> None:
        if statements:
            self.cond += 1
            scope, ended = self._in_branch(statements)
            self.cond -= 1
            merge(self.scope, [] if ended else [scope], complete=False)

    def _leave_loop(self, _node: ast.Break | ast.Continue) -> bool:
        # What was bound until here holds after the loop, so the branch is not dropped.
        return False

    # Contexts and exceptions

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for entry in node.items:
            value = self.evaluate(entry.context_expr)
            given = [self._entered(value)]
            for obj, _ in value.each():
                results = self.implicit(
                    obj, ("__enter__", "__exit__", "__aenter__", "__aexit__"), entry.context_expr
                )
                given += [result for name, result in results.items() if name.endswith("enter__")]
            if entry.optional_vars is not None:
                self.bind_target(entry.optional_vars, union(given), entry.optional_vars)
        return self.run(node.body)

    def _entered(self, value: Val) -> Val:
        known = [obj for obj, _ in value.each() if package(obj.type) not in {"", "builtins"} or obj.type]
        return value if known else join(value, part(value))

    def _try(self, node: ast.Try) -> bool:
        guarded = any(_catches_names(handler) for handler in node.handlers)
        self.cond += guarded
        before = self.scope
        body, ended = self._in_branch(node.body)
        self.cond -= guarded
        scopes: list[Scope] = []
        # A handler starts with what the body bound before it failed, which may be anything.
        self.cond += 1
        for handler in node.handlers:
            scope = Scope(before, before.kind)
            merge(scope, [body], complete=False)
            self.scope = scope
            if handler.type is not None:
                self.evaluate(handler.type)
            if handler.name:
                self.bind(handler.name, self.fresh())
            if not self.run(handler.body):
                if handler.name:
                    _unbind(scope, handler.name)
                scopes.append(scope)
        self.cond -= 1
        self.scope = before
        if not ended:
            self.scope = body
            ended = self.run(node.orelse)
            self.scope = before
        if not ended:
            scopes.append(body)
        merge(before, scopes, complete=True)
        return self.run(node.finalbody) or not scopes

    def _return(self, node: ast.Return) -> bool:
        if node.value is not None:
            self.record.returns.append(self.evaluate(node.value))
        if not self.frame.number:
            self.warn(
                node,
                "syntax-error",
                "'return' outside of a function",
                "Remove it, or put the code into a function.",
                "error",
            )
        return True

    def _raise(self, node: ast.Raise) -> bool:
        for entry in (node.exc, node.cause):
            if entry is not None:
                self.evaluate(entry)
        return True

    def _assert(self, node: ast.Assert) -> None:
        self.evaluate(node.test)
        if node.msg is not None:
            self.cond += 1
            self.evaluate(node.msg)
            self.cond -= 1

    # Definitions

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [self.evaluate_base(entry) for entry in node.decorator_list]
        for annotation in _annotations(node):
            self.evaluate(annotation)
        value = self.define(node)
        for decorator, entry in zip(reversed(decorators), reversed(node.decorator_list), strict=True):
            value = self._decorate(decorator, value, entry)
        self.bind(node.name, value)

    def _decorate(self, decorator: Val, value: Val, node: ast.expr) -> Val:
        api = decorator.api
        if api in _KINDS or (
            isinstance(node, ast.Attribute) and node.attr in {"setter", "getter", "deleter"}
        ):
            for obj in value.objs:
                if obj.function is not None:
                    obj.function.function.kind = _KINDS.get(api or "", "property")
            return value
        if api in DECORATORS or (api and api.startswith(("numba.", "torch.", "functools."))):
            return value
        if isinstance(node, ast.Call) and not any(obj.function for obj in decorator.objs):
            name = self.evaluate_base(node.func).api
            if name in DECORATORS or (name and name.startswith(("numba.", "functools.", "torch."))):
                return value
        result = self.call_value(decorator, Args([value]), node)
        keeps = any(obj.function or obj.klass for obj in result.objs)
        return result if keeps else join(result, value)

    def _class(self, node: ast.ClassDef) -> None:
        decorators = [self.evaluate(entry) for entry in node.decorator_list]
        klass = Class(node.name, bases=[self.evaluate(base) for base in node.bases])
        for keyword in node.keywords:
            self.evaluate(keyword.value)
        outer = self.scope
        self.scope = Scope(outer, "class")
        self.run(node.body)
        klass.members = {name: value for name, value in self.scope.vars.items() if value is not DELETED}
        self.scope = outer
        obj = Obj("builtins.type", owner=self.frame.number, closed=True)
        obj.klass = klass
        obj.callables = True
        value = of(obj)
        for member in (*klass.members.values(), *klass.bases):
            self.link(value, member)
        for decorator, entry in zip(decorators, node.decorator_list, strict=True):
            if not (
                decorator.api and (decorator.api in DECORATORS or decorator.api.startswith("dataclasses."))
            ):
                self.call_value(decorator, Args([value]), entry)
        self.bind(node.name, value)

    # Imports

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self.bind(alias.asname or top, Val(api=alias.name if alias.asname else top))
            self.imported(alias.name, node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = ("." * node.level) + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.import_star(module, node)
            else:
                self.bind(alias.asname or alias.name, Val(api=f"{module}.{alias.name}"))
                self.imported(f"{module}.{alias.name}", node)
        self.imported(module, node)


_KINDS = {
    "builtins.property": "property",
    "functools.cached_property": "property",
    "builtins.staticmethod": "staticmethod",
    "builtins.classmethod": "classmethod",
}


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    arguments = node.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    found = [argument.annotation for argument in every if argument and argument.annotation]
    return [*found, node.returns] if node.returns else found


def _surely_runs(node: ast.expr) -> bool:
    """Whether iterating over this gives at least one element."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return bool(node.elts) and not all(isinstance(entry, ast.Starred) for entry in node.elts)
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        arguments = node.args
        if node.func.id == "range" and len(arguments) == 1 and isinstance(arguments[0], ast.Constant):
            return isinstance(arguments[0].value, int) and arguments[0].value > 0
        if node.func.id in {"enumerate", "list", "reversed", "sorted"} and arguments:
            return _surely_runs(arguments[0])
    return False


def _catches_names(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _NAME_ERRORS for kind in kinds)


def _unbind(scope: Scope, name: str) -> None:
    """``except … as name`` deletes the name at its end."""
    scope.vars[name] = DELETED
    scope.weak.discard(name)


__all__ = ["Callee", "Statements", "contains_callables"]
