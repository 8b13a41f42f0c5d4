"""What the abstract run knows of a value: which objects it may be, and what is known of those.

An ``Obj`` stands for everything that one place in the code creates. A change of an object is a change of every
name that holds it, and of every name that holds a container with it. Numbers, texts and the like have no
``Obj``: nobody can change them. In the body of a function, parameters and global names are *symbols*, which
each call replaces by what they stand for there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from jupyter_ext.pipelines.flow.definitions import Callee, Class


class Nothing:
    """The constant that is not known."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = Nothing()
EMPTY: Final[frozenset[Obj]] = frozenset()


class Symbol(NamedTuple):
    """What an object stands for in a function's body: a parameter, a global name, or what is in them.

    ``path`` are attributes of it; ``inner`` is everything inside, whatever way one gets there.
    """

    kind: Literal["param", "global"]
    name: str
    path: tuple[str, ...] = ()
    inner: bool = False


class Obj:
    """An abstract object.

    ``type`` is the API it comes from (``pandas``, ``sklearn.svm.SVC``, ``builtins.list``), None if unknown.
    ``closed``: a container of which everything inside is known, so that its parts are its ``contents`` alone.
    ``frozen``: it cannot be changed. ``random``: it draws from a global generator of that name when it works.
    ``owner``: the number of the function frame that made it, 0 for the module.
    ``items`` of a tuple, each for itself, None if they are not known.
    ``attributes`` of an instance of a notebook class, None once code that cannot be seen may have set some.
    """

    __slots__ = (
        *("_inner", "attributes", "callables", "closed", "contents", "function", "frozen", "instance"),
        *("items", "klass", "names", "owner", "parents", "random", "symbol", "type"),
    )

    def __init__(self, type_: str | None = None, *, owner: int = 0, closed: bool = False) -> None:
        self.type = type_
        self.owner = owner
        self.closed = closed
        self.frozen = False
        self.callables = False
        self.random = ""
        self.symbol: Symbol | None = None
        self.function: Callee | None = None
        self.klass: Class | None = None
        self.instance: Class | None = None
        self.contents: dict[Obj, bool] = {}
        self.parents: set[Obj] = set()
        self.names: set[str] = set()
        self.items: tuple[Val, ...] | None = None
        self.attributes: dict[str, Val] | None = {}
        self._inner: Obj | None = None

    @property
    def inner(self) -> Obj:
        """The symbol of everything inside this symbol."""
        if self._inner is None:
            self._inner = Obj(None, owner=self.owner)
            self._inner.symbol = self.symbol and self.symbol._replace(inner=True)
            self._inner._inner = self._inner  # noqa: SLF001 - of its own class
        return self._inner

    def at(self, name: str) -> Obj:
        """The symbol of an attribute of this symbol."""
        symbol = self.symbol
        assert symbol is not None
        if symbol.inner or len(symbol.path) > 2:
            return self.inner
        made = Obj(None, owner=self.owner)
        made.symbol = symbol._replace(path=(*symbol.path, name))
        made.parents.add(self)
        self.contents[made] = True
        return made

    def __repr__(self) -> str:
        return f"<{self.symbol or self.type or 'obj'} {'/'.join(sorted(self.names))}>"


class Val:
    """A value: the objects it is, those it perhaps is, the API it names, the constant it is."""

    __slots__ = ("api", "const", "maybe", "objs")

    def __init__(
        self,
        objs: frozenset[Obj] = EMPTY,
        maybe: frozenset[Obj] = EMPTY,
        api: str | None = None,
        const: object = NOTHING,
    ) -> None:
        self.objs = objs
        self.maybe = maybe
        self.api = api
        self.const = const

    @property
    def text(self) -> str | None:
        """The text it is, if that is known."""
        return self.const if isinstance(self.const, str) else None

    def each(self) -> Iterator[tuple[Obj, bool]]:
        """Every object with whether it surely is it."""
        for obj in self.objs:
            yield obj, True
        for obj in self.maybe:
            yield obj, False

    def weak(self) -> Val:
        """The same, but only perhaps."""
        return Val(EMPTY, self.objs | self.maybe) if self.objs or self.maybe else IMMUTABLE

    def __repr__(self) -> str:
        return f"Val({set(self.objs)}, {set(self.maybe)}, {self.api}, {self.const!r})"


IMMUTABLE: Final = Val()
DELETED: Final = Val()


def join(first: Val, second: Val) -> Val:
    """Either of two."""
    if first is second:
        return first
    return Val(
        first.objs | second.objs,
        first.maybe | second.maybe,
        first.api or second.api,
        first.const if first.const == second.const and type(first.const) is type(second.const) else NOTHING,
    )


def union(values: Iterable[Val]) -> Val:
    """Any of several."""
    result: Val | None = None
    for value in values:
        result = value if result is None else join(result, value)
    return result or IMMUTABLE


def of(obj: Obj) -> Val:
    """The value that is one object."""
    return Val(frozenset((obj,)))


def part(value: Val) -> Val:
    """Something inside the value: an element, an attribute. For an object not fully known, it is itself too."""
    objs: set[Obj] = set()
    maybe: set[Obj] = set()
    for obj in value.objs:
        if not obj.closed:
            objs.add(obj)
            if obj.symbol:
                objs.add(obj.inner)
        for item, certain in obj.contents.items():
            (objs if certain else maybe).add(item)
    for obj in value.maybe:
        if not obj.closed:
            maybe.add(obj)
            if obj.symbol:
                maybe.add(obj.inner)
        maybe.update(obj.contents)
    return Val(frozenset(objs), frozenset(maybe - objs)) if objs or maybe else IMMUTABLE


def item(value: Val, index: int, length: int | None = None) -> Val:
    """One item of a tuple, of that length if it is to be unpacked; any part where the items are not known."""
    found = []
    for obj, sure in value.each():
        items = obj.items
        if items is None or not -len(items) <= index < len(items) or length not in {None, len(items)}:
            return part(value)
        found.append(items[index] if sure else items[index].weak())
    return union(found)


def reach(value: Val) -> dict[Obj, bool]:
    """Everything that can be reached from the value, itself included, with whether it surely can."""
    found: dict[Obj, bool] = {}
    stack = list(value.each())
    while stack:
        obj, sure = stack.pop()
        if obj in found and (found[obj] or not sure):
            continue
        found[obj] = sure
        if obj.symbol:
            stack.append((obj.inner, sure))
        stack.extend((item, sure and certain) for item, certain in obj.contents.items())
    return found


def contains_callables(value: Val) -> bool:
    """Whether a function or class of the notebook can be reached from the value."""
    for obj in value.objs:
        if obj.callables:
            return True
    if value.maybe:
        for obj in value.maybe:
            if obj.callables:
                return True
    return False


def package(type_: str | None) -> str:
    """The top-level package of a type or API."""
    return type_.partition(".")[0] if type_ else ""


def signature(value: Val) -> object:
    """What the analysis of a function depends on, of a value it is given or finds."""
    if not value.objs and not value.maybe:
        const = value.const
        return (value.api, const if isinstance(const, str | int | None) else True)
    objs = value.objs | value.maybe
    return (
        value.api,
        frozenset(
            obj.function or obj.klass or obj.instance or (obj.type, obj.closed, obj.random) for obj in objs
        ),
        value.text,
    )
