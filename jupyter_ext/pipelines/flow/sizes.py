"""How much a summary says, and keeping that within bounds."""

from __future__ import annotations

from jupyter_ext.pipelines.flow.definitions import Callee, Summary, cells_of
from jupyter_ext.pipelines.flow.machine import Frame
from jupyter_ext.pipelines.flow.values import Obj, Val, reach

OBJECTS = 64
"""Objects that a body makes and that are told apart by those who call it."""


def size(summary: Summary) -> int:
    """A number that grows as long as following the body again finds more."""
    record = summary.record
    links = {
        (_kind(holder), _kind(obj), attribute)
        for holder, item, attribute in record.links
        for obj in (*item.objs, *item.maybe)
    }
    return (
        len(record.reads)
        + len(record.effects)
        + len(record.globals_)
        + len({_kind(obj) for obj in record.mutated})
        + len({_kind(obj) for value, _ in record.globals_.values() for obj in reach(value)})
        + len({_kind(obj) for obj in reach(summary.result)})
        + len(links)
        + record.wild_reads
        + record.wild_writes
    )


def _kind(obj: Obj) -> object:
    """What is the same for the objects that one place in a body makes each time it is followed."""
    if not obj.owner:
        return obj
    function = obj.function.function.node if obj.function else None
    return obj.symbol, obj.type, obj.closed, function, obj.klass, obj.instance


def condense(summary: Summary) -> Summary:
    """Take what the body makes as one object, where it is too much to be told apart.

    Each call copies what the function makes. A function that calls another twice would hand on twice as much,
    its caller four times as much, and so on.
    """
    record = summary.record
    assert summary.frame is not None
    record.links[:] = dict.fromkeys(record.links)
    bound = [value for value, _ in record.globals_.values()]
    values = [summary.result, *bound, *(item for _, item, _ in record.links)]
    holders = {holder for holder, _, _ in record.links}
    every = Val(
        frozenset(holders).union(*(value.objs for value in values)),
        frozenset().union(*(value.maybe for value in values)),
    )
    own = _made_in(summary.frame, every)
    if len(own) <= OBJECTS and len(record.links) <= OBJECTS:
        return summary
    merged = _Merged(summary.frame, own)
    summary.result = merged.value(summary.result)
    record.globals_ = {name: (merged.value(value), sure) for name, (value, sure) in record.globals_.items()}
    joined: dict[Obj, Val] = {}
    for holder, item, _ in record.links:
        holder, item = merged.one if holder in own else holder, merged.value(item)  # noqa: PLW2901 - both merged
        before = joined.get(holder)
        joined[holder] = item if before is None else Val(before.objs | item.objs, before.maybe | item.maybe)
    record.links = [(holder, item, None) for holder, item in joined.items()]
    record.opened |= joined.keys()
    return summary


def _made_in(frame: Frame, value: Val) -> set[Obj]:
    """What was made in the frame and can be reached from the value, through what its functions close over too."""
    own: set[Obj] = set()
    waiting = [value]
    while waiting:
        for obj in reach(waiting.pop()):
            if obj.owner == frame.number and not obj.symbol and obj not in own:
                own.add(obj)
                if obj.function is not None:
                    waiting.append(cells_of(obj.function.function, frame))
    return own


class _Merged:
    """One object in the place of many. Of functions and instances of classes one of each stays, around it."""

    def __init__(self, frame: Frame, own: set[Obj]) -> None:
        self._own = own
        self.one = Obj(None, owner=frame.number)
        self.one.attributes = None
        kept: dict[object, Obj] = {}
        for obj in own:
            if (obj.function or obj.klass or obj.instance) and _kind(obj) not in kept:
                kept[_kind(obj)] = self._around(obj, frame)
        self._kept = frozenset(kept.values())
        for item in (*self._kept, *{item for obj in own for item in obj.contents if item not in own}):
            self.one.contents[item] = False
            item.parents.add(self.one)
        self.one.callables = any(item.callables for item in self.one.contents)

    def _around(self, obj: Obj, frame: Frame) -> Obj:
        """A function or instance that closes over, or holds, the one object instead of what it did."""
        made = Obj(obj.type, owner=obj.owner)
        made.klass, made.instance, made.random = obj.klass, obj.instance, obj.random
        made.callables, made.attributes = obj.callables, None
        one = Val(frozenset((self.one,)))
        if obj.function is not None:
            callee = obj.function
            inside = {item for item in reach(cells_of(callee.function, frame)) if item in self._own}
            closed = {item: one if cell.objs & self._own or cell.maybe & self._own else cell
                      for item, cell in callee.closed_over.items()}  # fmt: skip
            made.function = Callee(
                callee.function,
                one if callee.bound else None,
                callee.given,
                {**dict.fromkeys(inside, one), **closed},
            )
        made.contents[self.one] = True
        self.one.parents.add(made)
        return made

    def value(self, value: Val) -> Val:
        """The value with the one object for the many."""
        if not (value.objs & self._own or value.maybe & self._own):
            return value
        objs = (value.objs - self._own) | {self.one}
        return Val(objs, (value.maybe - self._own) | self._kept, value.api)
