"""Why a value cannot leave its process, in words, and where in it the reason lies."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jupyter_ext.errors import Invalid, Where

_DEPTH = 6
_WIDTH = 2000
_KINDS = {
    "generator": "a generator",
    "coroutine": "a coroutine",
    "async_generator": "an asynchronous generator",
    "TextIOWrapper": "an open file",
    "BufferedReader": "an open file",
    "BufferedWriter": "an open file",
    "FileIO": "an open file",
    "lock": "a lock",
    "RLock": "a lock",
    "_thread.lock": "a lock",
    "socket": "a network connection",
    "Thread": "a thread",
    "Connection": "a database connection",
    "Cursor": "a database cursor",
    "memoryview": "a view of memory",
    "frame": "a stack frame",
    "weakref": "a weak reference",
    "ReferenceType": "a weak reference",
    "mmap": "a mapped file",
}


def reason_for(obj: Any, why: Callable[[Any], str | None]) -> str | None:
    """What in ``obj`` cannot be pickled, and where; None if ``why`` has no objection to the whole.

    ``why`` says for one object why it cannot be pickled.
    """
    objection = why(obj)
    if objection is None:
        return None
    path = ""
    culprit = obj
    for _ in range(_DEPTH):
        found = _first_bad(culprit, why)
        if found is None:
            break
        step, culprit, objection = found
        path += step
    kind = _KINDS.get(type(culprit).__name__)
    what = kind or objection.rstrip(".")
    if not path:
        return f"it is {what}" if kind else what
    return f"its part {path} is {what}" if kind else f"its part {path}: {what}"


def _first_bad(obj: Any, why: Callable[[Any], str | None]) -> tuple[str, Any, str] | None:
    for count, (step, part) in enumerate(_parts(obj)):
        if count > _WIDTH:
            return None
        objection = why(part)
        if objection is not None:
            return step, part, objection
    return None


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(obj, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in obj.items())
    elif isinstance(obj, list | tuple | set | frozenset):
        yield from ((f"[{place}]", value) for place, value in enumerate(obj))
    elif isinstance(obj, types.FunctionType):
        names = obj.__code__.co_freevars
        for name, cell in zip(names, obj.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):
                yield f" variable {name}", cell.cell_contents
    elif not isinstance(obj, type):
        yield from ((f".{key}", value) for key, value in getattr(obj, "__dict__", {}).items())


def unpassable(name: str, kind: str, cell: int | None, reason: str = "") -> Invalid:
    """The error for a value that a step needs and that cannot be brought to it."""
    because = f" ({reason})" if reason else ""
    return Invalid(
        f"`{name}`, a {kind}, cannot be passed to another step{because}",
        where=Where(cell=cell, object=f"value {name}"),
        hint="Make it in the step that uses it, or pass what it is made from, for example a list.",
    )
