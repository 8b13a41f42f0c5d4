"""Which top-level names share mutable objects.

In the plain notebook ``data = [train, test]`` and ``train`` are two ways to one frame. To keep that true across
processes, names that share objects are stored together, and names that only contain what an unchanged input
holds refer to that input. Both follow from one walk over the object graph.

The walk stops where sharing cannot be seen or does not matter: at atoms, at modules, at whatever is imported
by its name, at the notebook's globals. Containers that hold only atoms are not descended, so a list of ten
million numbers costs one pass in C.
"""
# ruff: noqa: SLF001 - the blocks of a frame and the storage of a tensor have no public names

from __future__ import annotations

import builtins
import datetime as dt
import decimal
import fractions
import functools
import gc
import logging
import pathlib
import re
import sys
import types
import uuid
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_ext.pipelines.functions import CACHE_WRAPPER, importable, remembered

ATOMS: frozenset[type] = frozenset(
    {
        *(
            type(None),
            type(Ellipsis),
            type(NotImplemented),
            bool,
            int,
            float,
            complex,
            str,
            bytes,
            range,
            slice,
        ),
        *(dt.date, dt.time, dt.datetime, dt.timedelta, dt.timezone),
        *(decimal.Decimal, fractions.Fraction, uuid.UUID, re.Pattern),
        *(pathlib.PosixPath, pathlib.PurePosixPath, pathlib.WindowsPath, pathlib.PureWindowsPath),
        *(types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType),
        *(
            types.ClassMethodDescriptorType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
            types.CodeType,
        ),
        *(types.ModuleType, logging.Logger, logging.RootLogger, types.TracebackType),
    }
)
"""Types whose values are immutable or travel by name: their identity does not count."""

_SEQUENCES = (list, tuple, set, frozenset, deque)
_LEAF_MODULES = frozenset({"pandas._libs", "numpy", "zoneinfo", "datetime"})
_MUTABLE_BUFFERS = ("bytearray", "array")


@dataclass
class Group:
    """Names that are stored together; ``anchors`` are the ids of the unchanged input objects they contain."""

    names: list[str] = field(default_factory=list)
    anchors: dict[int, Any] = field(default_factory=dict)


def is_atom(obj: Any) -> bool:
    """Whether the identity of ``obj`` does not matter because nothing can be changed through it."""
    kind = type(obj)
    if kind in ATOMS:
        return kind is not types.BuiltinFunctionType or not _bound(obj)
    if kind is tuple or kind is frozenset:
        return ATOMS.issuperset(map(type, obj))
    if kind.__module__ in _LEAF_MODULES or kind.__module__.startswith("pandas._libs"):
        return _is_scalar(kind)  # type: ignore[arg-type] # a class is hashable
    return isinstance(obj, type | types.FunctionType) and importable(obj)


@functools.cache
def _is_scalar(kind: type) -> bool:
    """Numpy scalars and dtypes, pandas timestamps, periods, intervals and NA."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.generic | numpy.dtype):
        return not issubclass(kind, numpy.void)
    return kind.__name__ in {"Timestamp", "Timedelta", "NaTType", "NAType", "Period", "Interval", "ZoneInfo"}


def _made_by_python(obj: Any) -> bool:
    """Whether a class was made at run time; those of the interpreter itself are shared by everything."""
    return not isinstance(obj, type) or bool(obj.__flags__ & 1 << 9)


def _bound(function: Any) -> bool:
    return not isinstance(getattr(function, "__self__", None), types.ModuleType | type | None)


class Walk:
    """Explores several roots and notes what they share.

    ``anchors`` maps ids of objects where the walk stops to whatever the caller wants to find again; ``lent``
    does so for memory that anchors own (see :func:`memory_of`), by key, to the object that owns it.
    """

    def __init__(self, anchors: Mapping[int, Any], lent: Mapping[Hashable, Any] | None = None) -> None:
        self._anchors = anchors
        self._lent = lent or {}
        self._owner: dict[int, int] = {}
        self._groups: list[Group] = []
        self._parents: list[int] = []
        self._users: dict[Hashable, list[tuple[int, Any]]] = {}
        self._by_name: dict[int, bool] = {}
        self.alive: list[Any] = []
        """Every object that was explored, kept so that no id is used twice."""
        self.shared: dict[Hashable, Any] = {}
        """Memory that several arrays look at, and its owner; complete after :meth:`groups`."""

    def add(self, name: str, root: Any) -> None:
        """Explore what ``name`` reaches."""
        mine = len(self._groups)
        self._groups.append(Group([name]))
        self._parents.append(mine)
        self._explore(mine, root)

    def groups(self) -> list[Group]:
        """Names that share objects, in the order in which they were added."""
        for key, users in list(self._users.items()):
            self._share(key, users)
        return [group for index, group in enumerate(self._groups) if self._find(index) == index]

    def memory(self) -> dict[Hashable, Any]:
        """The memory that explored arrays and tensors look at, by key, with one that owns or holds it."""
        return {key: users[0][1] for key, users in self._users.items()}

    def _explore(self, mine: int, root: Any) -> None:
        stack = [root]
        while stack:
            obj = stack.pop()
            if type(obj) in ATOMS and is_atom(obj):
                continue
            key = id(obj)
            if key in self._anchors:
                self._groups[self._find(mine)].anchors[key] = obj
                continue
            owner = self._owner.get(key)
            if owner is not None:
                self._union(owner, mine)
            elif not self._stops(obj):
                self._owner[key] = mine
                self.alive.append(obj)
                stack.extend(self._children(obj, mine))

    def _share(self, key: Hashable, users: list[tuple[int, Any]]) -> None:
        """Join what looks at the same memory, and with it the object that owns it."""
        first, owner = users[0]
        anchor = self._lent.get(key, owner if key in self._anchors else None)
        if anchor is not None:
            self.shared[key] = anchor
            self._groups[self._find(first)].anchors[id(anchor)] = anchor
        elif len(users) > 1 or key in self._owner:
            self.shared[key] = owner
            self._explore(first, owner)
        else:
            return
        for group, _ in users[1:]:
            self._union(first, group)

    def _find(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index

    def _union(self, left: int, right: int) -> None:
        first, second = sorted((self._find(left), self._find(right)))
        if first != second:
            self._parents[second] = first
            self._groups[first].names += self._groups[second].names
            self._groups[first].anchors |= self._groups[second].anchors

    def _stops(self, obj: Any) -> bool:
        if obj is builtins.__dict__ or obj is sys.modules:
            return True
        if isinstance(obj, type | types.FunctionType):
            key = id(obj)
            if key not in self._by_name:
                self._by_name[key] = importable(obj) or not _made_by_python(obj)
                self.alive.append(obj)
            return self._by_name[key]
        return is_atom(obj)

    def _children(self, obj: Any, mine: int) -> Iterable[Any]:
        kind = type(obj)
        if kind in _SEQUENCES:
            return () if ATOMS.issuperset(map(type, obj)) else list(obj)
        if kind is dict:
            keys = [] if ATOMS.issuperset(map(type, obj)) else list(obj)
            return keys if ATOMS.issuperset(map(type, obj.values())) else [*keys, *obj.values()]
        if kind is types.FunctionType:
            return _inside_function(obj)
        if kind is CACHE_WRAPPER:
            return [getattr(obj, "__wrapped__", None), remembered(obj)]
        if isinstance(obj, type):
            return [*vars(obj).values(), *obj.__bases__, kind]
        memory = memory_of(obj)
        if memory is not None:
            self._users.setdefault(memory[0], []).append((mine, memory[1]))
        found = _inside_data(obj)
        return [*gc.get_referents(obj), kind] if found is None else found


def memory_of(obj: Any) -> tuple[Hashable, Any] | None:
    """Key and owner of memory that an array or tensor shares; None for arrays with memory of their own."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(obj, numpy.ndarray):
        base = base_of(obj)
        return None if base is obj else (id(base), base)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(obj, torch.Tensor) and obj.layout == torch.strided:
        return ("torch", obj.untyped_storage()._cdata), obj
    return None


def base_of(array: Any) -> Any:
    """The object that owns an array's memory: the last array of the chain, or the mutable buffer under it."""
    ndarray = sys.modules["numpy"].ndarray
    while isinstance(array.base, ndarray):
        array = array.base
    return array.base if type(array.base).__name__ in _MUTABLE_BUFFERS else array


def _inside_data(obj: Any) -> list[Any] | None:
    """What an array, frame, series or tensor contains, apart from numbers; None for other objects."""
    numpy, pandas, torch = (sys.modules.get(name) for name in ("numpy", "pandas", "torch"))
    if numpy is not None and isinstance(obj, numpy.ndarray):
        return [*_elements(obj), *_own(obj, numpy.ndarray)]
    if torch is not None and isinstance(obj, torch.Tensor):
        return [*([] if obj.grad is None else [obj.grad]), *_own(obj, torch.Tensor)]
    if pandas is not None and type(obj).__module__.startswith("pandas."):
        return _inside_pandas(obj, pandas)
    return None


def _inside_pandas(obj: Any, pandas: Any) -> list[Any] | None:
    """Since pandas 3 memory shared between frames is copied on write: only objects inside columns count."""
    if isinstance(obj, pandas.Index | pandas.api.extensions.ExtensionArray):
        plain = isinstance(getattr(obj, "dtype", None), sys.modules["numpy"].dtype)
        return _elements(obj.to_numpy()) if plain else []
    if not isinstance(obj, pandas.DataFrame | pandas.Series):
        return None
    copied_on_write = int(pandas.__version__.split(".")[0]) >= 3
    found: list[Any] = [] if ATOMS.issuperset(map(type, obj.attrs.values())) else [obj.attrs]
    for block in obj._mgr.blocks:
        if isinstance(block.values, sys.modules["numpy"].ndarray):
            found += _elements(block.values) if copied_on_write else [block.values]
    return found


def _elements(array: Any) -> list[Any]:
    """The objects of an object array, unless all are atoms."""
    if not array.dtype.hasobject:
        return []
    values = array.ravel(order="K").tolist()
    return [] if ATOMS.issuperset(map(type, values)) else values


def _own(obj: Any, plain: type) -> list[Any]:
    """Class and attributes of an instance of a subclass."""
    kind = type(obj)
    return [kind, *getattr(obj, "__dict__", {}).values()] if kind is not plain else []


def _inside_function(function: Any) -> list[Any]:
    parts = (function.__closure__, function.__defaults__, function.__kwdefaults__, function.__dict__)
    return [part for part in (*parts, dict(function.__annotations__)) if part]
