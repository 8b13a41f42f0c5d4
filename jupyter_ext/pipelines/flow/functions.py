"""Functions and classes of the notebook: followed once for each kind of arguments, replayed at each call.

A body is followed with symbols for its parameters and for the global names it reads. The resulting summary
holds as long as what those names stand for is of the same kind; a redefinition makes it new. So what a
function reads and changes is charged to whoever calls it, with what the names mean then.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from jupyter_ext.pipelines.flow.machine import Args, Frame, Machine
from jupyter_ext.pipelines.flow.records import Record
from jupyter_ext.pipelines.flow.scopes import Scope, binds
from jupyter_ext.pipelines.flow.values import (
    DELETED,
    IMMUTABLE,
    NOTHING,
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

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_VARIANTS = 8
_ROUNDS = 4
_DEPTH = 24


@dataclass(eq=False)
class Summary:
    """What a body does, in terms of its symbols. ``epoch`` is when its dependencies were last compared."""

    record: Record
    result: Val
    frame: Frame | None
    epoch: int
    complete: bool = True


@dataclass(eq=False)
class Function:
    """A definition as met once: its node, where it stands, and what its parameters default to."""

    node: Definition
    frame: Frame
    cell: int
    closure: Scope | None
    defaults: dict[str, Val] = field(default_factory=dict)
    summaries: dict[object, Summary] = field(default_factory=dict)
    kind: str = ""

    @property
    def name(self) -> str:
        """Its name, for people."""
        return "lambda" if isinstance(self.node, ast.Lambda) else self.node.name

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


class Functions(Machine):
    """Defines functions, follows their bodies and replays what they do."""

    def __init__(self) -> None:
        super().__init__()
        self._active: dict[tuple[int, object], Summary] = {}
        self._recursive: set[tuple[int, object]] = set()

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
        if key not in function.summaries and len(function.summaries) >= _VARIANTS:
            actual = {name: Val(value.objs, value.maybe, value.api) for name, value in actual.items()}
            key = ("plain", *(signature(value) for value in actual.values()))
            if key not in function.summaries and len(function.summaries) >= 2 * _VARIANTS:
                actual = self._unknown_parameters(callee)
                key = "unknown"
        summary = function.summaries.get(key)
        if summary is not None and self._holds(summary):
            return summary
        identity = (id(function), key)
        if identity in self._active or len(self._active) > _DEPTH:
            self._recursive.add(identity)
            return self._active.get(identity) or Summary(Record(), self.fresh(), None, -1, complete=False)
        summary = self._follow_until_stable(function, actual, identity)
        if summary.complete or not self._active:
            function.summaries[key] = summary
        return summary

    def _holds(self, summary: Summary) -> bool:
        if summary.epoch == self.epoch:
            return True
        for name, before in summary.record.deps.items():
            value = self.global_value(name)
            if (signature(value) if value is not None else None) != before:
                return False
        summary.epoch = self.epoch
        return True

    def _follow_until_stable(
        self,
        function: Function,
        actual: dict[str, Val],
        identity: tuple[int, object],
    ) -> Summary:
        """Follow the body; again as long as it calls itself and a round found more than the last."""
        self._active[identity] = Summary(Record(), IMMUTABLE, None, self.epoch, complete=False)
        size = -1
        summary = self._active[identity]
        for _ in range(_ROUNDS):
            pending = set(self._recursive)
            self._recursive = set()
            summary = self._follow(function, actual)
            again = identity in self._recursive
            others = self._recursive - {identity}
            self._recursive = pending | others
            summary.complete = not (others & set(self._active))
            grown = _size(summary)
            self._active[identity] = summary
            if not again or grown == size:
                break
            size = grown
        del self._active[identity]
        return summary

    def _follow(self, function: Function, actual: dict[str, Val]) -> Summary:
        """Follow the body once, in a frame of its own."""
        node = function.node
        bound = binds(node)
        self.frames += 1
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
            if isinstance(node, ast.Lambda):
                self.record.returns.append(self.evaluate(node.body))
            else:
                self.run_body(node)
            result = union(self.record.returns)
            if bound.generator:
                result = self.fresh("builtins.generator", (result,), closed=True)
            for key, value in scope.vars.items():
                if key.startswith("$"):
                    self.record.globals_[key[1:]] = (value, key not in scope.weak)
            return Summary(self.record, result, frame, self.epoch)
        finally:
            frame.current = scope
            self.frame, self.scope, self.record, self.cond, self.outer = caller, before, record, cond, outer

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

    # Replaying

    def apply(self, callee: Callee, args: Args, node: ast.AST, *, certain: bool = True) -> Val:
        """Do what a call of the function does, with these arguments; the value is what it returns."""
        actual = self._bound_parameters(callee, args)
        summary = self.summarise(callee, actual)
        return self._replay(callee, summary, actual, node, certain=certain)

    def _replay(
        self,
        callee: Callee,
        summary: Summary,
        actual: dict[str, Val],
        node: ast.AST,
        *,
        certain: bool,
    ) -> Val:
        record = summary.record
        soft = bool(self.cond) or not certain
        for name, read in record.reads.items():
            self.need(name, read._replace(hard=read.hard and not soft))
        if self.frame.number:
            for name, dependency in record.deps.items():
                self.record.deps.setdefault(name, dependency)
        for (kind, mode, detail), place in record.effects.items():
            self.record.effect(kind, mode, detail, place)
        if not soft:
            self.record.seeded |= record.seeded
        for note in record.notes.values():
            self.record.note(note)
        if record.wild_reads or record.wild_writes:
            self.go_wild(reads=record.wild_reads, writes=record.wild_writes)
        return self._replace_symbols(callee, summary, actual, node, certain=certain)

    def _replace_symbols(
        self,
        callee: Callee,
        summary: Summary,
        actual: dict[str, Val],
        node: ast.AST,
        *,
        certain: bool,
    ) -> Val:
        del node
        record = summary.record
        replacing = _Replacement(self, summary.frame, actual, callee.closed_over)
        for obj, sure in tuple(record.mutated.items()):
            value = replacing.value(obj)
            self.mark(value, certain=sure and certain, opened=obj in record.opened)
        for holder, item, attribute in tuple(record.links):
            self.link(replacing.value(holder), replacing.all(item), attribute)
        for name, (value, sure) in record.globals_.items():
            if value is DELETED:
                continue
            self.bind_global(name, replacing.all(value), sure=sure and certain)
            if not certain and not self.frame.number:
                self.maybe_bound.add(name)
        return replacing.all(summary.result)

    def touch(self, value: Val, node: ast.AST) -> None:
        """A value that holds functions is read: whoever gets it may call them, so their names are needed."""
        for obj in reach(value):
            if obj.function is not None:
                self._touch_function(obj.function, node)
            for klass in (obj.klass, obj.instance):
                if klass is not None:
                    for method in klass.functions():
                        assert method.function is not None
                        self._touch_function(method.function, node)

    def _touch_function(self, callee: Callee, node: ast.AST) -> None:
        del node
        summary = callee.function.summaries.get("unknown")
        if summary is None or not self._holds(summary):
            identity = (id(callee.function), "unknown")
            if identity in self._active:
                return
            summary = self._follow_until_stable(callee.function, self._unknown_parameters(callee), identity)
            callee.function.summaries["unknown"] = summary
        for name, read in summary.record.reads.items():
            self.need(name, read._replace(hard=False, soft=True))

    def member(self, obj: Obj, name: str, node: ast.AST) -> Val | None:
        """A member of an instance or class of the notebook; None if it is not known to have one."""
        klass = obj.instance or obj.klass
        if klass is None:
            return None
        found = klass.find(name)
        if found is None:
            known = obj.instance and (name in klass.attributes or name in (obj.attributes or {}))
            return self._attribute_of(obj, klass, name) if known else None
        values = []
        for item in found.objs:
            function = item.function
            if function is None or (obj.klass and function.function.kind != "classmethod"):
                values.append(of(item))
            elif function.function.kind == "property":
                values.append(self.apply(Callee(function.function, of(obj)), Args(), node))
            elif function.function.kind == "staticmethod":
                values.append(of(item))
            else:
                bound = Obj("builtins.method", owner=self.frame.number, closed=True)
                bound.function = Callee(function.function, of(obj), None, function.closed_over)
                bound.callables = True
                values.append(of(bound))
        result = union(values) if values else found
        if obj.attributes and name in obj.attributes:
            result = join(result, obj.attributes[name])
        return result

    def _attribute_of(self, obj: Obj, klass: Class, name: str) -> Val:
        """What an instance keeps; in a method's body, of the kind that any method was seen to put there."""
        value = kept(of(obj), name)
        seen = klass.attributes.get(name)
        if seen is None or not obj.symbol:
            return value
        callables = frozenset(item for item, _ in seen.each() if item.function or item.klass)
        others = [item for item, _ in seen.each() if not (item.function or item.klass)]
        for item in value.objs:
            if item.symbol and item.type is None and others and not item.symbol.inner:
                first = others[0]
                item.type = first.type if all(other.type == first.type for other in others) else None
                item.instance = (
                    first.instance if all(other.instance is first.instance for other in others) else None
                )
                item.random = next((other.random for other in others if other.random), "")
                item.callables = any(other.callables for other in others)
        if not others and (callables or seen.api):
            return Val(callables, api=seen.api)
        return Val(value.objs | callables, value.maybe, seen.api)

    # Where the subclasses know more

    def implicit(self, obj: Obj, names: tuple[str, ...], node: ast.AST) -> dict[str, Val]:
        """Call the special methods of an instance that a statement calls; gives what each returns."""
        results: dict[str, Val] = {}
        if obj.instance is None:
            return results
        for name in names:
            found = obj.instance.find(name)
            for item in found.objs if found is not None else ():
                if item.function is not None:
                    callee = Callee(item.function.function, of(obj), None, item.function.closed_over)
                    results[name] = self.apply(callee, Args(star=self.fresh()), node)
        return results

    def evaluate(self, node: ast.expr) -> Val:
        """The value of an expression."""
        raise NotImplementedError

    def call(self, node: ast.Call) -> Val:
        """The value of a call."""
        raise NotImplementedError

    def run_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Follow the statements of a function."""
        raise NotImplementedError


class _Replacement:
    """Puts, in the place of a summary's symbols and own objects, what they are at one call."""

    def __init__(
        self,
        machine: Machine,
        frame: Frame | None,
        actual: dict[str, Val],
        closed_over: dict[Obj, Val],
    ) -> None:
        self._machine = machine
        self._frame = frame
        self._number = frame.number if frame else -1
        self._actual = actual
        self._closed_over = closed_over
        self._known: dict[Obj, Val] = {}

    def all(self, value: Val) -> Val:
        """The value with every object replaced."""
        if not value.objs and not value.maybe:
            return value
        sure = union(self.value(obj) for obj in value.objs)
        perhaps = union(self.value(obj) for obj in value.maybe).weak()
        const = value.const if len(value.objs) <= 1 else NOTHING
        return Val(sure.objs, (sure.maybe | perhaps.maybe) - sure.objs, value.api or sure.api, const)

    def value(self, obj: Obj) -> Val:
        """What the object is at the call."""
        known = self._known.get(obj)
        if known is not None:
            return known
        known = self._closed_over.get(obj)
        if known is None:
            known = self._find(obj)
        self._known[obj] = known
        return known

    def _find(self, obj: Obj) -> Val:
        if obj.owner != self._number:
            return of(obj)
        if obj.symbol:
            symbol = obj.symbol
            given = symbol.kind == "param"
            value = self._actual.get(symbol.name, IMMUTABLE) if given else self._global(symbol.name)
            for name in symbol.path:
                value = kept(value, name)
            return _inside(value) if symbol.inner else value
        return self._copy(obj)

    def _global(self, name: str) -> Val:
        machine = self._machine
        if machine.frame.number:
            return machine.symbol_of(name)
        return machine.global_value(name) or IMMUTABLE

    def _copy(self, obj: Obj) -> Val:
        """An object that the function made: another one for each call."""
        made = Obj(obj.type, owner=self._machine.frame.number, closed=obj.closed)
        made.frozen, made.random, made.instance, made.klass = obj.frozen, obj.random, obj.instance, obj.klass
        made.callables = obj.callables
        value = of(made)
        self._known[obj] = value
        if obj.function is not None:
            closed = {**obj.function.closed_over, **{item: self.value(item) for item in self._own()}}
            bound = obj.function.bound
            made.function = Callee(
                obj.function.function,
                self.all(bound) if bound else None,
                obj.function.given,
                closed,
            )
            for cell in closed.values():
                self._machine.link(value, cell)
        for item in tuple(obj.contents):
            self._machine.link(value, self.value(item))
        if obj.items is not None:
            made.items = tuple(self.all(item) for item in obj.items)
        made.attributes = None
        if obj.attributes is not None:
            made.attributes = {name: self.all(item) for name, item in obj.attributes.items()}
        return value

    def _own(self) -> list[Obj]:
        """Everything of the function's frame that a function defined inside may close over."""
        if self._frame is None:
            return []
        found = {obj for value in self._frame.root.vars.values() for obj in reach(value)}
        found |= set(self._frame.symbols.values())
        return [obj for obj in found if obj.owner == self._number]


def kept(value: Val, name: str) -> Val:
    """What the objects keep under the name of an attribute, as far as that was seen; else any part of them."""
    found = []
    for obj, sure in value.each():
        held = (obj.attributes or {}).get(name)
        if obj.symbol:
            symbolic = of(obj.at(name))
            held = symbolic if held is None else join(held, symbolic)
        if held is None:
            held = part(of(obj))
        found.append(held if sure else held.weak())
    return union(found)


def _inside(value: Val) -> Val:
    found = reach(part(value))
    return Val(
        frozenset(obj for obj, sure in found.items() if sure),
        frozenset(obj for obj, sure in found.items() if not sure),
    )


def _size(summary: Summary) -> int:
    record = summary.record
    return (
        len(record.reads)
        + len(record.effects)
        + len(record.mutated)
        + len(record.globals_)
        + len(summary.result.objs)
    )
