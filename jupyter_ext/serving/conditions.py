"""Conditions of an InferenceGraph: paths in GJSON's syntax, of which the value must exist.

The common part of the syntax: keys, places in a list, ``*`` and ``?`` in keys, ``#``, queries such as
``instances.#(kind=="new").id`` and ``#(age>30)#``, ``@this`` and ``[@this]``. Anything else is refused by its name.
https://github.com/tidwall/gjson/blob/master/SYNTAX.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Where

_LONGEST: Final = 1000
_DEEPEST: Final = 20
_MISSING: Final = object()
_OPERATORS: Final = ("!%", "==", "!=", "<=", ">=", "=", "<", ">", "%")
_WRAPPED: Final = "[@this]"


class Query(NamedTuple):
    """``#(path op value)``: the first element that fits, or with ``every`` all of them."""

    path: tuple[Part, ...]
    operator: str
    value: Any
    every: bool


class Key(NamedTuple):
    """A key of an object or a place in a list; with ``*`` or ``?`` any key that fits."""

    name: str
    wild: bool


class Count(NamedTuple):
    """``#``: every element of a list; at the end, how many there are."""


class Wrap(NamedTuple):
    """``[@this]``: the value as the only element of a list."""


Part = Key | Query | Count | Wrap


@lru_cache(maxsize=256)
def parse(text: str) -> tuple[Part, ...]:
    """Read a condition. Raises Invalid naming what is not understood."""
    if not text or len(text) > _LONGEST:
        raise _unread(text, "it is empty" if not text else "it is too long")
    return tuple(_parts(text, text, 0))


def holds(text: str, value: Any) -> bool:
    """Whether what the condition names exists in the value."""
    return _get(value, parse(text)) is not _MISSING


def _unread(text: str, why: str) -> Invalid:
    return Invalid(
        f"The condition {text[:200]!r} is not understood: {why}",
        where=Where(field="condition"),
        hint='Write a path such as user.id, rows.0 or instances.#(kind=="new").',
    )


def _parts(path: str, whole: str, depth: int) -> Iterator[Part]:
    if depth > _DEEPEST:
        raise _unread(whole, "queries lie too deep in each other")
    if path.startswith(_WRAPPED):
        yield Wrap()
        path = path[len(_WRAPPED) :].removeprefix(".")
    for piece in _split(path, whole) if path else []:
        if piece == "@this":
            continue
        if piece.startswith("#("):
            yield _query(piece, whole, depth)
        elif piece == "#":
            yield Count()
        else:
            yield _key(piece, whole)


def _key(piece: str, whole: str) -> Key:
    if not piece:
        raise _unread(whole, "a part of the path is empty")
    if piece[0] == "@":
        raise _unread(whole, f"the modifier {piece.partition(':')[0]} is not supported")
    if piece[0] in "{[!":
        raise _unread(whole, f"{piece[0]} for several paths or literals is not supported")
    wild = bool(re.search(r"(?<!\\)[*?]", piece))
    return Key(re.sub(r"\\(.)", r"[\1]" if wild else r"\1", piece), wild)


def _split(path: str, whole: str) -> list[str]:
    """At dots that are outside of queries, strings and escapes."""
    pieces, current, depth, quoted = [], "", 0, False
    letters = iter(path)
    for letter in letters:
        if letter == "\\":
            current += letter + next(letters, "")
            continue
        if letter == '"' and depth:
            quoted = not quoted
        elif not quoted and letter in "()":
            depth += 1 if letter == "(" else -1
        elif not depth and letter == "|":
            raise _unread(whole, "| is not supported")
        elif not depth and letter == ".":
            pieces.append(current)
            current = ""
            continue
        current += letter
    if depth or quoted:
        raise _unread(whole, "a query is not closed")
    return [*pieces, current]


def _query(piece: str, whole: str, depth: int) -> Query:
    every = piece.endswith("#")
    inner = (piece[:-1] if every else piece)[2:]
    if not inner.endswith(")"):
        raise _unread(whole, f"{piece!r} is no query")
    inner = inner[:-1].strip()
    place, operator = _operator(inner, whole)
    if not operator:
        return Query(tuple(_parts(inner, whole, depth + 1)) if inner else (), "", None, every)
    path, text = inner[:place].strip(), inner[place + len(operator) :].strip()
    return Query(
        tuple(_parts(path, whole, depth + 1)) if path else (),
        "==" if operator == "=" else operator,
        _literal(text, whole),
        every,
    )


def _operator(inner: str, whole: str) -> tuple[int, str]:
    """Where the comparison is, outside of inner queries."""
    depth, place = 0, 0
    while place < len(inner):
        letter = inner[place]
        if letter == "\\":
            place += 2
            continue
        depth += (letter == "(") - (letter == ")")
        if not depth:
            for operator in _OPERATORS:
                if inner.startswith(operator, place):
                    after = inner[place + len(operator) :].lstrip()
                    if after.startswith("~"):
                        raise _unread(whole, "~ is not supported")
                    return place, operator
        place += 1
    return 0, ""


def _literal(text: str, whole: str) -> Any:
    import json

    if text in {"true", "false", "null"}:
        return {"true": True, "false": False, "null": None}[text]
    try:
        value = json.loads(text)
    except ValueError:
        value = _MISSING
    if isinstance(value, str | int | float):
        return value
    raise _unread(whole, f"{text[:60]!r} is neither a number nor a text in quotes")


def _get(value: Any, parts: tuple[Part, ...]) -> Any:
    for place, part in enumerate(parts):
        rest = parts[place + 1 :]
        match part:
            case Wrap():
                value = [value]
            case Count():
                if not isinstance(value, list):
                    return _MISSING
                return _each(value, rest) if rest else len(value)
            case Query():
                if not isinstance(value, list):
                    return _MISSING
                fitting = (each for each in value if _fits(each, part))
                if part.every:
                    return _each(list(fitting), rest)
                value = next(fitting, _MISSING)
            case Key():
                value = _step(value, part)
        if value is _MISSING:
            return _MISSING
    return value


def _each(values: list[Any], parts: tuple[Part, ...]) -> list[Any]:
    if not parts:
        return values
    return [found for each in values if (found := _get(each, parts)) is not _MISSING]


def _step(value: Any, key: Key) -> Any:
    if isinstance(value, dict):
        if key.wild:
            return next((found for name, found in value.items() if fnmatchcase(name, key.name)), _MISSING)
        return value.get(key.name, _MISSING)
    if isinstance(value, list) and key.name.isdecimal() and int(key.name) < len(value):
        return value[int(key.name)]
    return _MISSING


_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _fits(each: Any, query: Query) -> bool:
    found = _get(each, query.path)
    if found is _MISSING:
        return False
    if not query.operator:
        return True
    wanted = query.value
    if query.operator in {"%", "!%"}:
        if not isinstance(found, str) or not isinstance(wanted, str):
            return False
        return fnmatchcase(found, wanted) == (query.operator == "%")
    if type(found) is not type(wanted) and not (_is_number(found) and _is_number(wanted)):
        return False
    try:
        return _COMPARE[query.operator](found, wanted)
    except TypeError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
