"""The state of the abstract run: names, objects, the code being followed, and what was noted of it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jupyter_ext.pipelines.flow.records import Note, Place, Read, Record
from jupyter_ext.pipelines.flow.scopes import Binds, Scope
from jupyter_ext.pipelines.flow.values import (
    DELETED,
    IMMUTABLE,
    NOTHING,
    Obj,
    Symbol,
    Val,
    contains_callables,
    join,
    of,
    signature,
)

PROVIDED = frozenset(
    [
        "get_ipython",
        "display",
        "In",
        "Out",
        "_",
        "__",
        "___",
        "_i",
        "_ii",
        "_iii",
        "_ih",
        "_oh",
        "_dh",
        "exit",
        "quit",
        "open",
        "__name__",
        "__doc__",
        "__builtins__",
        "__builtin__",
        "__spec__",
        "__loader__",
        "__package__",
        "__IPYTHON__",
        "__annotations__",
    ],
)
"""Names that an IPython kernel defines before any cell runs."""
BUILTINS = frozenset(dir(builtins)) | PROVIDED
LAST_OUTPUT = frozenset({"_", "__", "___", "Out", "_oh"})
_NO_NAMES: frozenset[str] = frozenset()


@dataclass(eq=False)
class Frame:
    """The code being followed: number 0 is the module, every analysis of a function has its own."""

    number: int
    cell: int
    root: Scope
    binds: Binds | None = None
    current: Scope | None = None
    symbols: dict[str, Obj] = field(default_factory=dict)
    globals_: frozenset[str] = _NO_NAMES
    nonlocals: frozenset[str] = _NO_NAMES


@dataclass
class Args:
    """The values a call passes; ``star`` is what ``*`` and ``**`` spread, of unknown length."""

    positional: list[Val] = field(default_factory=list)
    keywords: dict[str, Val] = field(default_factory=dict)
    star: Val | None = None

    def all(self) -> list[Val]:
        """Every value passed."""
        values = [*self.positional, *self.keywords.values()]
        return [*values, self.star] if self.star else values

    def get(self, position: int, *names: str) -> Val | None:
        """The argument at the position or of one of the names; None if it is not passed."""
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        if 0 <= position < len(self.positional):
            return self.positional[position]
        return None

    def const(self, position: int, *names: str) -> object:
        """The argument's constant, NOTHING if it is not known, None if it is not passed."""
        value = self.get(position, *names)
        if value is None:
            return NOTHING if self.star else None
        return value.const


class Machine:
    """Names and objects. What statements, expressions and calls do is in the classes built on this one."""

    def __init__(self) -> None:
        self.globals: dict[str, Val] = {}
        self.wild = False
        self.epoch = 0
        self.cond = 0
        self.frames = 0
        self.record = Record()
        self.scope = Scope(None, "module")
        self.frame = Frame(0, 0, self.scope)
        self.outer = self.scope
        self.maybe_bound: set[str] = set()

    # Objects

    def fresh(self, type_: str | None = None, contents: Iterable[Val] = (), *, closed: bool = False) -> Val:
        """A new object with the given contents."""
        obj = Obj(type_, owner=self.frame.number, closed=closed)
        value = of(obj)
        for item in contents:
            if item.objs or item.maybe:
                self.link(value, item)
        return value

    def tuple_of(self, values: Sequence[Val]) -> Val:
        """A new tuple of these items."""
        if not any(value.objs or value.maybe or value.api for value in values):
            return IMMUTABLE
        result = self.fresh("builtins.tuple", values, closed=True)
        for obj in result.objs:
            obj.items = tuple(values)
        return result

    def link(self, container: Val, item: Val, attribute: str | None = None) -> None:
        """Note that the container now holds the item, as one of its attributes if that is given."""
        if attribute is not None:
            self._set_attributes(container, item, attribute)
        if not item.objs and not item.maybe:
            return
        callables = contains_callables(item)
        number = self.frame.number
        for holder, sure in container.each():
            for held, certain in item.each():
                holder.contents[held] = holder.contents.get(held, False) or (sure and certain)
                held.parents.add(holder)
            if callables and not holder.callables:
                self._spread_callables(holder)
            if number and (holder.symbol or holder.owner != number):
                self.record.links.append((holder, item, attribute))

    @staticmethod
    def _set_attributes(container: Val, item: Val, name: str) -> None:
        for holder, _ in container.each():
            if holder.attributes is not None:
                before = holder.attributes.get(name)
                holder.attributes[name] = item if before is None else join(before, item)

    @staticmethod
    def _spread_callables(obj: Obj) -> None:
        stack = [obj]
        while stack:
            current = stack.pop()
            if not current.callables:
                current.callables = True
                stack.extend(current.parents)

    def mark(self, value: Val, *, certain: bool = True, opened: bool = False) -> None:
        """Note that the value's objects are changed in place, and with them all that holds them.

        ``opened``: what was put into them cannot be seen.
        """
        for obj, sure in value.each():
            if not obj.frozen:
                if opened:
                    obj.closed = False
                    obj.attributes = None
                    if self.frame.number:
                        self.record.opened.add(obj)
                self._mark(obj, sure and certain)

    def _mark(self, obj: Obj, certain: bool) -> None:
        seen: dict[Obj, bool] = {}
        stack = [(obj, certain)]
        while stack:
            current, sure = stack.pop()
            if current in seen and (seen[current] or not sure):
                continue
            seen[current] = sure
            for parent in current.parents:
                held = parent.contents.get(current)
                if held is not None:
                    stack.append((parent, sure and held))
        number = self.frame.number
        if number:
            mutated = self.record.mutated
            for current, sure in seen.items():
                if current.symbol or current.owner != number:
                    mutated[current] = mutated.get(current, False) or sure
            return
        for current, sure in seen.items():
            for name in tuple(current.names):
                self._changed(current, name, sure)

    def _changed(self, obj: Obj, name: str, certain: bool) -> None:
        value = self.global_value(name)
        if value is not None and (obj in value.objs or obj in value.maybe):
            changed = self.record.changed
            changed[name] = changed.get(name, False) or (certain and obj in value.objs)
        else:
            obj.names.discard(name)

    # Names

    def place(self, node: ast.AST) -> Place:
        """Where the node stands."""
        return Place(self.frame.cell, getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)

    def global_value(self, name: str) -> Val | None:
        """The value of a global name now, without noting that anybody asked; None if there is none."""
        scope: Scope | None = self.outer if self.frame.number else self.scope
        while scope is not None:
            if scope.kind == "module":
                value = scope.vars.get(name)
                if value is not None:
                    if value is DELETED:
                        return None
                    return self._or_before(name, value) if name in scope.weak else value
            scope = scope.parent
        value = self.globals.get(name)
        return None if value is DELETED else value

    def _or_before(self, name: str, value: Val) -> Val:
        """A value that the cell has perhaps bound: it may still be what it was before the cell."""
        before = self.globals.get(name)
        return value if before is None or before is DELETED else join(before, value)

    def lookup(self, name: str, node: ast.AST) -> Val:
        """The value of a name that the code reads here."""
        inside = self.frame.number
        if inside and name in self.frame.globals_:
            return self._global_in_function(name, node)
        scope: Scope | None = self.scope
        while scope is not None:
            if scope.kind == "module" and inside:
                break
            value = scope.vars.get(name)
            if value is not None:
                if scope.kind != "module":
                    return value
                if value is DELETED:
                    return self._missing(name, node)
                if name in scope.weak:
                    self._read_outside(name, self.place(node), hard=False)
                    return self._or_before(name, value)
                return value
            if scope.locals is not None and name in scope.locals:
                return IMMUTABLE
            if scope.passed is not None:
                scope.passed.add(name)
            scope = scope.parent
        if inside:
            return self._global_in_function(name, node)
        value = self.globals.get(name)
        if value is None or value is DELETED:
            if value is None and name in BUILTINS and not (name in LAST_OUTPUT and self.wild):
                return self._builtin(name, node)
            return self._missing(name, node)
        self.record.read(name, Read(self.place(node), not self.cond))
        return value

    def _missing(self, name: str, node: ast.AST) -> Val:
        self.record.miss(name, Read(self.place(node), not self.cond))
        return self.fresh()

    def _builtin(self, name: str, node: ast.AST) -> Val:
        if name in LAST_OUTPUT:
            self.warn(
                node,
                "last-output",
                f"{name} stands for the output of an earlier cell, which another step does not have",
                "Give the value a name.",
            )
            return self.fresh()
        return Val(api=f"builtins.{name}", const=_BUILTIN_CONSTANTS.get(name, NOTHING))

    def _global_in_function(self, name: str, node: ast.AST) -> Val:
        """A global name in a function's body: a symbol of what it is when the function is called."""
        own, sure = self._own_global(name)
        if own is not None and sure:
            return own
        if name == "__class__":
            return self.fresh()
        value = self.global_value(name)
        self.record.deps[name] = signature(value) if value is not None else None
        if value is None and name in BUILTINS:
            return Val(api=f"builtins.{name}", const=_BUILTIN_CONSTANTS.get(name, NOTHING))
        self.record.read(name, Read(self.place(node), not self.cond and own is None))
        result = self._symbol(name, value)
        return join(own, result) if own is not None else result

    def _own_global(self, name: str) -> tuple[Val | None, bool]:
        value, sure = self.scope.find(f"${name}")
        return (None, False) if value is DELETED else (value, sure)

    def _symbol(self, name: str, value: Val | None) -> Val:
        if value is None:
            return of(self._placeholder(name))
        if not value.objs and not value.maybe:
            return value
        objs = value.objs | value.maybe
        named = frozenset(obj for obj in objs if obj.function or obj.klass)
        others = [obj for obj in objs if not (obj.function or obj.klass)]
        if not others:
            return Val(named, api=value.api, const=value.const)
        symbol = self._placeholder(name)
        first = others[0]
        symbol.type = first.type if all(obj.type == first.type for obj in others) else None
        symbol.instance = first.instance if all(obj.instance is first.instance for obj in others) else None
        symbol.frozen = all(obj.frozen for obj in others)
        symbol.random = next((obj.random for obj in others if obj.random), "")
        symbol.callables = any(obj.callables for obj in others)
        return Val(named | {symbol}, api=value.api, const=value.const)

    def symbol_of(self, name: str) -> Val:
        """What stands for a global name in the function being followed."""
        own, sure = self._own_global(name)
        if own is not None and sure:
            return own
        result = self._symbol(name, self.global_value(name))
        return join(own, result) if own is not None else result

    def _placeholder(self, name: str) -> Obj:
        symbol = self.frame.symbols.get(name)
        if symbol is None:
            symbol = Obj(None, owner=self.frame.number)
            symbol.symbol = Symbol("global", name)
            self.frame.symbols[name] = symbol
        return symbol

    def need(self, name: str, read: Read) -> None:
        """Note that something called here reads a global name."""
        if self.frame.number:
            own, sure = self._own_global(name)
            if own is None or not sure:
                value = self.global_value(name)
                self.record.deps.setdefault(name, signature(value) if value is not None else None)
                self.record.read(name, read)
            return
        scope: Scope | None = self.scope
        while scope is not None:
            if scope.kind == "module" and name in scope.vars:
                if scope.vars[name] is DELETED:
                    self.record.miss(name, read)
                    return
                if name not in scope.weak:
                    return
                read = read._replace(hard=False)
                break
            scope = scope.parent
        self._read_outside(name, read.place, hard=read.hard, soft=read.soft)

    def _read_outside(self, name: str, place: Place, *, hard: bool, soft: bool = False) -> None:
        value = self.globals.get(name)
        if value is None and name in BUILTINS:
            return
        if value is not None and value is not DELETED:
            self.record.read(name, Read(place, hard, soft))
        elif not soft:
            self.record.miss(name, Read(place, hard))

    def bind(self, name: str, value: Val) -> None:
        """Bind a name as an assignment does in the scope being followed."""
        frame = self.frame
        scope = self.scope
        if frame.number:
            if name in frame.globals_:
                scope.vars[f"${name}"] = value
                scope.weak.discard(f"${name}")
                return
            if name in frame.nonlocals:
                self._bind_nonlocal(name, value)
                return
        if scope.kind == "module":
            self.epoch += 1
            for obj in value.objs:
                obj.names.add(name)
            for obj in value.maybe:
                obj.names.add(name)
        scope.vars[name] = value
        scope.weak.discard(name)

    def _bind_nonlocal(self, name: str, value: Val) -> None:
        scope = self.frame.root.parent
        while scope is not None:
            if name in scope.vars or (scope.locals and name in scope.locals):
                before = scope.vars.get(name)
                scope.vars[name] = join(before, value) if before else value
                return
            scope = scope.parent

    def bind_weakly(self, name: str, value: Val) -> None:
        """Bind a name perhaps: what it was before may still hold."""
        key = f"${name}" if self.frame.number and name in self.frame.globals_ else name
        before, sure = self.scope.find(key)
        if before is not None and before is not DELETED:
            value = join(before, value)
        self.bind(name, value)
        if not sure or before is DELETED:
            self.scope.weak.add(key)

    def bind_global(self, name: str, value: Val, *, sure: bool) -> None:
        """Bind a global name from within a call."""
        key = f"${name}" if self.frame.number else name
        if not sure:
            before, certain = self.scope.find(key)
            if before is not None and before is not DELETED:
                value, sure = join(before, value), certain
        if not self.frame.number:
            self.bind_in_module(name, value)
            if not sure:
                self.module_scope().weak.add(name)
            return
        self.scope.vars[key] = value
        (self.scope.weak.discard if sure else self.scope.weak.add)(key)

    def module_scope(self) -> Scope:
        """The innermost scope of the module's own code."""
        scope = self.scope
        while scope.kind != "module" and scope.parent is not None:
            scope = scope.parent
        return scope

    def bind_in_module(self, name: str, value: Val) -> None:
        """Bind a name of the module, from within a comprehension or class body too."""
        inner, self.scope = self.scope, self.module_scope()
        self.bind(name, value)
        self.scope = inner

    # Findings

    def effect(self, node: ast.AST, kind: str, mode: str, detail: str = "*") -> None:
        """Note an effect."""
        self.record.effect(kind, mode, detail, self.place(node))

    def seed(self, node: ast.AST, detail: str) -> None:
        """Note that a global generator starts anew here: what it was before does not matter from here on."""
        self.record.effect("rng", "w", detail, self.place(node))
        if not self.cond:
            self.record.seeded.add(detail)

    def warn(
        self,
        node: ast.AST,
        code: str,
        message: str,
        remedy: str,
        severity: Literal["error", "warning", "info"] = "warning",
    ) -> None:
        """Note a finding."""
        self.record.note(Note(severity, code, message, self.place(node), remedy))

    def go_wild(self, *, reads: bool = True, writes: bool = True) -> None:
        """Note that what follows may read or define any name."""
        self.record.wild_reads |= reads
        self.record.wild_writes |= writes
        if writes and not self.frame.number:
            self.wild = True


_BUILTIN_CONSTANTS: dict[str, object] = {"__name__": "__main__"}
