"""Following the bodies of functions: once for each kind of arguments, and never without end.

Functions that call each other in a circle rest on each other's summaries. Whoever was called first of a circle
goes around it again until nothing new is found; the others are followed once in each round. What is called from
too deep, or after too much work on one cell, is not followed: it counts as doing anything with what it reaches.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from jupyter_ext.pipelines.flow.definitions import Callee, Definition, Function, Summary
from jupyter_ext.pipelines.flow.machine import Args, Frame, Machine
from jupyter_ext.pipelines.flow.records import Place, Read, Record
from jupyter_ext.pipelines.flow.scopes import Scope, binds
from jupyter_ext.pipelines.flow.sizes import condense, size
from jupyter_ext.pipelines.flow.values import (
    IMMUTABLE,
    Obj,
    Symbol,
    Val,
    join,
    of,
    part,
    reach,
    signature,
    union,
)

VARIANTS = 8
"""Kinds of arguments that a function is followed with, before they are told apart less."""
ROUNDS = 8
DEPTH = 24
WORK = 40_000
"""Findings that are carried from bodies to calls for the sake of one cell; it takes a fraction of a second."""
_BODY = 20
_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars", "setattr", "delattr", "get_ipython"})

Identity = tuple[Function, object]
"""A function, and the kind of its arguments."""


@dataclass(eq=False)
class _Pending:
    """A summary that rests on those of functions still being followed."""

    summary: Summary
    rests: set[Identity]


class Following(Machine):
    """Defines functions and finds out what their bodies do."""

    def __init__(self) -> None:
        super().__init__()
        self._unfollowed: dict[Identity, Summary] = {}
        self.begin_cell()

    def begin_cell(self) -> None:
        """Follow as much for each cell; nothing is left of one that could not be followed to its end."""
        self._work = 0
        self._active: dict[Identity, Summary] = {}
        self._rests: set[Identity] = set()
        self._pending: dict[Identity, _Pending] = {}
        self._assumed: dict[Identity, Summary] = {}

    def spend(self, work: int) -> None:
        """Count work that grows with what functions do and hand on."""
        self._work += work

    # Defining

    def define(self, node: Definition) -> Val:
        """The value of a ``def`` or ``lambda``; its defaults are evaluated here and now."""
        function = Function(
            node, self.frame, self.frame.cell, self.scope if self.scope.kind == "comp" else None
        )
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
            function.defaults[argument.arg] = self.evaluate(default)
        for argument, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if given is not None:
                function.defaults[argument.arg] = self.evaluate(given)
        obj = Obj("builtins.function", owner=self.frame.number, closed=True)
        obj.function = Callee(function)
        obj.callables = True
        value = of(obj)
        for default_value in function.defaults.values():
            self.link(value, default_value)
        return value

    def define_lambda(self, node: ast.Lambda) -> Val:
        """The value of a ``lambda``."""
        return self.define(node)

    # Following

    def _parent_scope(self, function: Function) -> Scope | None:
        if function.closure is not None:
            return function.closure
        if not function.frame.number:
            return None
        scope: Scope | None = self.scope if function.frame is self.frame else function.frame.current
        while scope is not None and scope.kind == "class":
            scope = scope.parent
        return scope

    def _bound_parameters(self, callee: Callee, args: Args) -> dict[str, Val]:
        """What each parameter receives."""
        function, arguments = callee.function, callee.function.node.args
        positional = [*([callee.bound] if callee.bound is not None else ()), *args.positional]
        keywords = args.keywords
        if callee.given is not None:
            extra = callee.given.positional
            positional = (
                [*extra, *positional] if callee.bound is None else [positional[0], *extra, *positional[1:]]
            )
            keywords = {**callee.given.keywords, **keywords}
        names = function.parameters
        found = dict(zip(names, positional, strict=False))
        spread = part(args.star) if args.star is not None else None
        for name in (*names, *(argument.arg for argument in arguments.kwonlyargs)):
            if name in keywords:
                found[name] = keywords[name]
            elif name not in found:
                default = function.defaults.get(name, IMMUTABLE)
                found[name] = join(spread, default) if spread is not None else default
        if arguments.vararg:
            rest = [*positional[len(names) :], *([spread] if spread is not None else ())]
            found[arguments.vararg.arg] = self.fresh("builtins.tuple", rest, closed=True)
        if arguments.kwarg:
            rest = [value for name, value in keywords.items() if name not in found]
            rest += [spread] if spread is not None else []
            found[arguments.kwarg.arg] = self.fresh("builtins.dict", rest, closed=True)
        return found

    def _unknown_parameters(self, callee: Callee) -> dict[str, Val]:
        """Parameters of which nothing is known."""
        arguments = callee.function.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        found = {argument.arg: self.fresh() for argument in every}
        if callee.bound is not None and callee.function.parameters:
            found[callee.function.parameters[0]] = callee.bound
        return found

    def summarise(self, callee: Callee, actual: dict[str, Val]) -> Summary:
        """What the function does with arguments of this kind."""
        function = callee.function
        key: object = tuple(signature(value) for value in actual.values())
        if key not in function.variants and len(function.variants) >= VARIANTS:
            actual = {name: Val(value.objs, value.maybe, value.api) for name, value in actual.items()}
            key = ("plain", *(signature(value) for value in actual.values()))
            if key not in function.variants and len(function.variants) >= 2 * VARIANTS:
                return self.summarise_unknown(callee)
        return self._summary((function, key), actual)

    def summarise_unknown(self, callee: Callee) -> Summary:
        """What the function does with arguments of which nothing is known."""
        return self._summary((callee.function, "unknown"), self._unknown_parameters(callee))

    def _summary(self, identity: Identity, actual: dict[str, Val]) -> Summary:
        function, key = identity
        found = function.summaries.get(key)
        if found is not None and self._holds(found):
            return found
        if identity in self._active:
            self._rests.add(identity)
            return self._active[identity]
        pending = self._pending.get(identity)
        if pending is not None:
            self._rests |= pending.rests
            return pending.summary
        if len(self._active) > DEPTH or self._work > WORK:
            return self._from_afar(identity, actual)
        function.variants.add(key)
        return self._follow_until_stable(identity, actual)

    def _holds(self, summary: Summary) -> bool:
        if summary.epoch == self.epoch:
            return True
        for name, before in summary.record.deps.items():
            value = self.global_value(name)
            if (signature(value) if value is not None else None) != before:
                return False
        summary.epoch = self.epoch
        return True

    def _follow_until_stable(self, identity: Identity, actual: dict[str, Val]) -> Summary:
        """Follow the body; who began a circle of calls goes around it until a round finds nothing more."""
        function = identity[0]
        outer = self._rests
        summary = self._assumed.get(identity) or Summary(Record(), IMMUTABLE, None, self.epoch)
        found = -1
        for round_ in range(ROUNDS + 1):
            self._active[identity], self._rests = summary, set()
            summary = self._follow(function, actual)
            del self._active[identity]
            self._assumed[identity] = summary
            rests = self._rests - {identity}
            if rests or identity not in self._rests:
                break
            circle = [other for other, item in self._pending.items() if identity in item.rests]
            grown = size(summary) + sum(size(self._pending[other].summary) for other in circle)
            if grown == found:
                break
            if round_ == ROUNDS or self._work > WORK:
                # It may go on growing: what is known so far is perhaps not all.
                place = Place(function.cell, function.node.lineno, 1)
                summary.record.effect("unknown", "w", f"{function.name}()", place)
                break
            found = grown
            for other in circle:
                del self._pending[other]
        self._rests = outer | rests
        self._settle(identity, summary, rests)
        return summary

    def _settle(self, identity: Identity, summary: Summary, rests: set[Identity]) -> None:
        """Keep a summary: for good if it rests on nothing, and then those that rested on it alone too."""
        self._pending[identity] = _Pending(summary, rests)
        for other, item in tuple(self._pending.items()):
            if identity in item.rests:
                item.rests = (item.rests - {identity}) | rests
            if not item.rests:
                function, key = other
                function.summaries[key] = item.summary
                del self._pending[other]
                self._assumed.pop(other, None)
        if not self._active:
            self._pending.clear()
            self._assumed.clear()

    def _follow(self, function: Function, actual: dict[str, Val], *, afar: bool = False) -> Summary:
        """Follow the body once, in a frame of its own."""
        node = function.node
        bound = binds(node)
        self.frames += 1
        self._work += _BODY
        scope = Scope(self._parent_scope(function), "function", bound.local)
        frame = Frame(
            self.frames, function.cell, scope, bound, globals_=bound.global_, nonlocals=bound.nonlocal_
        )
        caller, before, record, cond, outer = self.frame, self.scope, self.record, self.cond, self.outer
        caller.current = before
        if not caller.number:
            self.outer = before
        self.frame, self.scope, self.record, self.cond = frame, scope, Record(), 0
        for name, value in actual.items():
            scope.vars[name] = self._parameter(name, value)
        try:
            if afar:
                self._anything(function)
            elif isinstance(node, ast.Lambda):
                self.record.returns.append(self.evaluate(node.body))
            else:
                self.run_body(node)
            result = union(self.record.returns)
            if bound.generator:
                result = self.fresh("builtins.generator", (result,), closed=True)
            for key, value in scope.vars.items():
                if key.startswith("$"):
                    self.record.globals_[key[1:]] = (value, key not in scope.weak)
            return condense(Summary(self.record, result, frame, self.epoch))
        finally:
            frame.current = scope
            self.frame, self.scope, self.record, self.cond, self.outer = caller, before, record, cond, outer

    # Not following

    def _from_afar(self, identity: Identity, actual: dict[str, Val]) -> Summary:
        """The summary of a function that is not followed."""
        summary = self._unfollowed.get(identity)
        if summary is None or not self._holds(summary):
            summary = self._follow(identity[0], actual, afar=True)
            self._unfollowed[identity] = summary
        return summary

    def _anything(self, function: Function) -> None:
        """Do, perhaps, anything with all that the function and those it may call can reach."""
        place = Place(function.cell, function.node.lineno, 1)
        self.record.effect("unknown", "w", f"{function.name}()", place)
        given = [value for value in self.scope.vars.values() if value.objs or value.maybe]
        bodies = {function: None, **dict.fromkeys(_functions(union(given)))}
        waiting, seen, bound = list(bodies), set[str](), set[str]()
        while waiting:
            body = waiting.pop()
            bound |= body.rebinds
            for name in sorted(body.names - seen):
                seen.add(name)
                value = self._anything_named(name, place)
                if value is None:
                    continue
                given.append(value)
                for called in _functions(value):
                    if called not in bodies:
                        bodies[called] = None
                        waiting.append(called)
        for obj in reach(union(given)):
            if not (obj.frozen or obj.function or obj.klass):
                self.mark(of(obj), certain=False, opened=True)
        result = self.fresh(None, [value.weak() for value in given])
        for name in bound:
            self.bind_global(name, result, sure=False)
        self.record.returns.append(join(result, union(given).weak()))

    def _anything_named(self, name: str, place: Place) -> Val | None:
        """What a name in a function that is not followed may mean; its own names mean nothing here."""
        value, _ = self.scope.find(name)
        if self.global_value(name) is None:
            if name in _DYNAMIC and value is None:
                self.go_wild()
            return value
        self.need(name, Read(place, hard=False))
        outside = self.symbol_of(name)
        return outside if value is None else join(value, outside)

    def _parameter(self, name: str, value: Val) -> Val:
        """A symbol of the argument, of the same kind as far as that is known."""
        if not value.objs and not value.maybe:
            return value
        objs = value.objs | value.maybe
        callables = frozenset(obj for obj in objs if obj.function or obj.klass)
        others = [obj for obj in objs if not (obj.function or obj.klass)]
        if not others:
            return Val(callables, api=value.api)
        symbol = Obj(None, owner=self.frame.number)
        symbol.symbol = Symbol("param", name)
        first = others[0]
        symbol.type = first.type if all(obj.type == first.type for obj in others) else None
        symbol.instance = first.instance if all(obj.instance is first.instance for obj in others) else None
        symbol.frozen = all(obj.frozen for obj in others)
        symbol.random = next((obj.random for obj in others if obj.random), "")
        symbol.callables = any(obj.callables for obj in others)
        if symbol.callables:
            symbol.contents = {
                item: True for obj in others for item in reach(of(obj)) if item.function or item.klass
            }
        return Val(callables | {symbol}, api=value.api, const=value.const)

    # Where the subclasses know more

    def evaluate(self, node: ast.expr) -> Val:
        """The value of an expression."""
        raise NotImplementedError

    def run_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Follow the statements of a function."""
        raise NotImplementedError


def _functions(value: Val) -> list[Function]:
    """The functions that somebody who has the value may call."""
    found = []
    for obj in reach(value):
        if obj.function is not None:
            found.append(obj.function.function)
        for klass in (obj.klass, obj.instance):
            methods = klass.functions() if klass is not None else ()
            found += [method.function.function for method in methods if method.function]
    return found
