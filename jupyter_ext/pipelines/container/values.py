"""Values on their way between containers: which names make one object graph, written and read.

A group of names is one pickle (protocol 5), so that names that share an object share it afterwards too. Its
big buffers lie in a file beside it, which is mapped into memory when read.
"""

from __future__ import annotations

import hashlib
import importlib
import mmap
import pickle
import re
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

LIBRARIES_OF_VALUES = frozenset({"pandas", "pyarrow", "polars", "torch"})
"""Objects of these count as one part: what they share with each other does not change in place."""
ANY = "*"
"""Stands for every name."""
FIXED = (str, bytes, int, float, complex, type(None), tuple, frozenset, range, slice, type, re.Pattern,
         types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.CodeType)  # fmt: skip
"""Types that cannot change in place, so that sharing them does not show."""

_main: dict[str, Any] = {}


def enter(namespace: dict[str, Any]) -> None:
    """Make ``namespace`` the variables of the notebook, in which its functions look up their globals."""
    globals()["_main"] = namespace


def current() -> dict[str, Any]:
    """The variables of the notebook."""
    return _main


class Current:
    """Stands in a pickle for the namespace: what is loaded belongs to the step that loads it."""

    def __reduce__(self) -> tuple[Callable[[], dict[str, Any]], tuple[()]]:
        return current, ()


def _cloudpickle() -> types.ModuleType:
    """The copy beside this file, so that all steps of a run have the same one; here the installed one."""
    try:
        return importlib.import_module(f"{__package__}.cloudpickle")
    except ModuleNotFoundError:
        return importlib.import_module("cloudpickle.cloudpickle")


_Parent: Any = _cloudpickle().Pickler


class Pickler(_Parent):  # type: ignore[misc]
    """Functions from cells stay bound to the namespace; ``needs`` collects the globals that they use."""

    def __init__(self, file: Any, aside: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(file, protocol=5, buffer_callback=aside)
        self.needs: set[str] = set()

    def _dynamic_function_reduce(self, func: types.FunctionType) -> tuple[Any, ...]:
        make, args, state, *rest = super()._dynamic_function_reduce(func)
        if func.__globals__ is _main:
            self.needs |= set(state[1]["__globals__"])
            state[1]["__globals__"] = {}
            args = (args[0], Current(), *args[2:])
        return (make, args, state, *rest)


class Probe(Pickler):
    """Goes through a value for the objects that it consists of."""

    def reducer_override(self, obj: Any) -> Any:
        """See ``pickle``; frames and the like are not entered."""
        if type(obj).__module__.partition(".")[0] in LIBRARIES_OF_VALUES:
            return str, ("",)
        return super().reducer_override(obj)


class Digest:
    """A file that only remembers a digest of what was written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def write(self, data: bytes) -> int:
        """See ``io``."""
        self._hash.update(data)
        return len(data)

    def aside(self, buffer: pickle.PickleBuffer) -> None:
        """Take a buffer that pickle offers to store elsewhere."""
        self._hash.update(buffer.raw())

    @property
    def value(self) -> str:
        """Digest of everything so far."""
        return self._hash.hexdigest()


def digest(value: Any) -> str | None:
    """Equal for the same object with equal content; None for what cannot be pickled."""
    sink = Digest()
    try:
        Pickler(sink, sink.aside).dump(value)
    except Exception:
        return None
    return sink.value


def parts(value: Any) -> dict[int, Any]:
    """The objects that ``value`` consists of and that can change in place, by id."""
    probe = Probe(Digest(), lambda _buffer: None)
    try:
        probe.dump(value)
    except Exception:
        return {id(value): value}
    return {key: item for key, (_, item) in probe.memo.copy().items() if not _fixed(item)}


def _fixed(item: Any) -> bool:
    return isinstance(item, FIXED) or type(item).__module__ in {
        "datetime",
        "decimal",
        "fractions",
        "numpy.dtypes",
    }


def grouped(names: Iterable[str], namespace: Mapping[str, Any], others: Iterable[str]) -> list[list[str]]:
    """Names that share objects that can change, together; with those of ``others`` that share one with them."""
    owner: dict[int, int] = {}
    groups: dict[int, list[str]] = {}
    kept: list[dict[int, Any]] = []  # ids are only unique while their objects live
    rest = set(others)
    for number, name in enumerate([*names, *others]):
        found = parts(namespace[name])
        kept.append(found)
        touched = {owner[key] for key in found if key in owner}
        if name in rest and not touched:
            continue
        members = [name]
        for group in touched:
            members += groups.pop(group)
        groups[number] = members
        owner.update(dict.fromkeys(found, number))
        owner = (
            {key: number if group in touched else group for key, group in owner.items()} if touched else owner
        )
    return [sorted(members) for members in groups.values()]


def write(folder: Path, number: int, names: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Write a group of names as one object graph; gives its entry in the manifest."""
    sizes: list[int] = []
    with (
        (folder / f"{number}.pickle").open("wb") as file,
        (folder / f"{number}.buffers").open("wb") as beside,
    ):

        def aside(buffer: pickle.PickleBuffer) -> None:
            raw = buffer.raw()
            beside.write(raw)
            beside.write(bytes(-len(raw) % 64))
            sizes.append(len(raw))

        pickler = Pickler(file, aside)
        pickler.dump({name: namespace[name] for name in names})
    return {"names": list(names), "number": number, "buffers": sizes, "needs": sorted(pickler.needs)}


def read(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of ``write``. Buffers are mapped, and copied page by page only where the step changes them."""
    whole = memoryview(b"")
    if any(entry["buffers"]):
        with (folder / f"{entry['number']}.buffers").open("rb") as beside:
            whole = memoryview(mmap.mmap(beside.fileno(), 0, access=mmap.ACCESS_COPY))
    buffers, at = [], 0
    for size in entry["buffers"]:
        buffers.append(whole[at : at + size])
        at += size + -size % 64
    with (folder / f"{entry['number']}.pickle").open("rb") as file:
        values: dict[str, Any] = pickle.load(file, buffers=buffers)
    return values
