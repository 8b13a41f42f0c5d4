"""Functions and classes of the notebook in use: replayed at each call, their members looked up.

The summary of a body is in terms of symbols for its parameters and for the global names it reads. It
holds as long as what those names stand for is of the same kind; a redefinition makes it new. So what a
function reads and changes is charged to whoever calls it, with what the names mean then.
"""

from __future__ import annotations

import ast

from jupyter_ext.pipelines.flow.definitions import Callee, Class, Summary, cells_of
from jupyter_ext.pipelines.flow.following import Following
from jupyter_ext.pipelines.flow.machine import Args, Frame
from jupyter_ext.pipelines.flow.values import (
    DELETED,
    IMMUTABLE,
    NOTHING,
    Obj,
    Val,
    join,
    of,
    part,
    reach,
    union,
)


class Functions(Following):
    """Replays at each call what a function was seen to do; knows the members of classes."""

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
        self.spend(len(record.reads) + len(record.effects) + len(record.mutated) + len(record.links))
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
        summary = self.summarise_unknown(callee)
        self.spend(len(summary.record.reads))
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

    def call(self, node: ast.Call) -> Val:
        """The value of a call."""
        raise NotImplementedError


class _Replacement:
    """Puts, in the place of a summary's symbols and own objects, what they are at one call."""

    def __init__(
        self,
        machine: Following,
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
        self._machine.spend(1 + len(obj.contents))
        if obj.function is not None:
            made.function = self._callee(obj.function, value)
        for item in tuple(obj.contents):
            self._machine.link(value, self.value(item))
        if obj.items is not None:
            made.items = tuple(self.all(item) for item in obj.items)
        made.attributes = None
        if obj.attributes is not None:
            made.attributes = {name: self.all(item) for name, item in obj.attributes.items()}
        return value

    def _callee(self, callee: Callee, value: Val) -> Callee:
        """A function that closes over what it closed over where it was defined, as that is called here."""
        closed = {item: self.all(cell) for item, cell in callee.closed_over.items()}
        cells = cells_of(callee.function, self._frame)
        for item in reach(cells):
            if item.owner == self._number and item not in closed:
                closed[item] = self.value(item)
        for item, sure in cells.each():
            cell = closed.get(item) or of(item)
            self._machine.link(value, cell if sure else cell.weak())
        self._machine.spend(len(closed))
        bound = self.all(callee.bound) if callee.bound else None
        return Callee(callee.function, bound, callee.given, closed)


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
