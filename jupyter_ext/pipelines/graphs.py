"""Object graphs as one stream: pickle protocol 5 with the large buffers beside it, in one mappable file.

The file is ``magic, length of the pickle, number of buffers, (offset, length, read-only) of each``, then the
pickle, then the buffers, each at a multiple of 64 bytes. Loading maps it privately: arrays are used where they
lie, can be written to, and the file stays as it is.

A graph may contain objects of other graphs and the notebook's globals. These *seeds* are put into the pickler's
memo before it starts, so that they are written as references; a preamble of the pickle fetches them by name.
"""

from __future__ import annotations

import io
import mmap
import pickle
import struct
import sys
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from cloudpickle import cloudpickle

from jupyter_ext.pipelines.aliasing import ATOMS, memory_of
from jupyter_ext.pipelines.functions import DefinitionReducer
from jupyter_ext.pipelines.tensors import reduce_tensor

MAGIC = b"KFGRAPH1"
NAMESPACE = "globals"
"""The seed that stands for the receiving notebook's globals."""
_SMALL_BUFFER = 2048
"""Bytes up to which a buffer stands in the pickle itself."""
_ALIGNMENT = 64
_HEAD = struct.Struct("<8sQQ")
_ENTRY = struct.Struct("<QQQ")


@dataclass(frozen=True)
class Encoded:
    """A graph ready to be written; ``needs`` are the globals its functions refer to."""

    pickle: bytes
    buffers: Sequence[memoryview]
    read_only: Sequence[bool]
    needs: frozenset[str]
    size: int

    def write(self, file: IO[bytes]) -> None:
        """Write the file described above."""
        place = _aligned(_HEAD.size + _ENTRY.size * len(self.buffers) + len(self.pickle))
        file.write(_HEAD.pack(MAGIC, len(self.pickle), len(self.buffers)))
        for buffer, read_only in zip(self.buffers, self.read_only, strict=True):
            file.write(_ENTRY.pack(place, buffer.nbytes, read_only))
            place = _aligned(place + buffer.nbytes)
        file.write(self.pickle)
        position = _HEAD.size + _ENTRY.size * len(self.buffers) + len(self.pickle)
        for buffer in self.buffers:
            file.write(bytes(_aligned(position) - position))
            file.write(buffer)
            position = _aligned(position) + buffer.nbytes


class TooLarge(Exception):
    """The graph is larger than was allowed."""


class _Limited(io.BytesIO):
    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any, /) -> int:
        if self._limit is not None and self.tell() > self._limit:
            raise TooLarge
        return super().write(data)


class GraphPickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
    """Pickles definitions by value, views of shared memory as views, and seeds as references."""

    def __init__(
        self,
        file: IO[bytes],
        namespace: dict[str, Any],
        seeds: Sequence[tuple[str, Any]] = (),
        shared: Mapping[Hashable, Any] | None = None,
        keep_buffer: Callable[[pickle.PickleBuffer], bool] | None = None,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep_buffer)
        self._definitions = DefinitionReducer(namespace)
        self._shared = shared or {}
        self._storages: dict[Any, Any] = {}
        self.seeds = [(NAMESPACE, namespace), *seeds]
        self.memo = {id(obj): (index, obj) for index, (_, obj) in enumerate(self.seeds)}

    @property
    def needs(self) -> frozenset[str]:
        """Globals that the functions pickled so far refer to."""
        return frozenset(self._definitions.needs)

    def reducer_override(self, obj: Any) -> Any:
        """Pickle's hook for everything but the builtin containers."""
        kind = type(obj)
        root = kind.__module__.partition(".")[0]
        if root == "numpy" and kind.__name__ == "ndarray":
            return self._array(obj)
        if root == "torch" and isinstance(obj, sys.modules["torch"].Tensor):
            return reduce_tensor(obj, self._shared, self._storages)
        if obj is sys.stdout or obj is sys.stderr:
            return getattr, (sys, "stdout" if obj is sys.stdout else "stderr")
        if root in ("IPython", "jupyter_ext") and kind.__name__ == "StepShell":
            return _current_shell, ()
        return self._definitions.reduce(obj)

    def preamble(self) -> bytes:
        """Opcodes that put the seeds where the pickler assumes them."""
        parts = [pickle.PROTO, b"\x05"]
        for name, _ in self.seeds:
            text = name.encode()
            parts += [pickle.BINUNICODE, struct.pack("<I", len(text)), text, pickle.BINPERSID, pickle.MEMOIZE]
            parts.append(pickle.POP)
        return b"".join(parts)

    def _array(self, array: Any) -> Any:
        memory = memory_of(array)
        if memory is None or memory[0] not in self._shared:
            # Small ones are rebuilt with memory of their own, as they had; large ones stay mapped.
            small = array.nbytes <= _SMALL_BUFFER and array.flags.writeable
            return array.__reduce__() if small else NotImplemented
        base = self._shared[memory[0]]
        layout = (array.dtype, array.shape, array.strides, array.flags.writeable)
        start = array.__array_interface__["data"][0]
        return rebuild_array, (base, start - _address(base), *layout)


def _address(base: Any) -> int:
    numpy = sys.modules["numpy"]
    array = base if isinstance(base, numpy.ndarray) else numpy.frombuffer(base, dtype="u1")
    return int(array.__array_interface__["data"][0])


def rebuild_array(
    base: Any, offset: int, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool
) -> Any:
    """A view ``offset`` bytes behind the start of ``base``."""
    import numpy as np

    view = np.ndarray(shape, dtype, buffer=base, offset=offset, strides=strides)
    if not writeable:
        view.flags.writeable = False
    return view


def _current_shell() -> Any:
    from IPython import get_ipython

    return get_ipython()


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT


def encode(
    roots: Mapping[str, Any],
    namespace: dict[str, Any],
    seeds: Sequence[tuple[str, Any]] = (),
    shared: Mapping[Hashable, Any] | None = None,
    limit: int | None = None,
) -> Encoded:
    """Pickle the named objects as one graph.

    Raises whatever the objects' own reducers raise, and TooLarge beyond ``limit`` bytes.
    """
    buffers: list[memoryview] = []
    read_only: list[bool] = []
    total = 0

    def keep(buffer: pickle.PickleBuffer) -> bool:
        nonlocal total
        raw = buffer.raw()
        if raw.nbytes <= _SMALL_BUFFER:
            return True
        total += raw.nbytes
        if limit is not None and total > limit:
            raise TooLarge
        buffers.append(raw)
        read_only.append(raw.readonly)
        return False

    file = _Limited(limit)
    pickler = GraphPickler(file, namespace, seeds, shared, keep)
    with warnings.catch_warnings():
        # Iterators of itertools still pickle where Python warns that some day they will not.
        warnings.simplefilter("ignore")
        pickler.dump(dict(sorted(roots.items())))
    data = pickler.preamble() + file.getvalue()
    return Encoded(data, buffers, read_only, pickler.needs, len(data) + total)


class _GraphUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, resolve: Callable[[str], Any], buffers: Sequence[memoryview]) -> None:
        super().__init__(file, buffers=buffers)
        self._resolve = resolve

    def persistent_load(self, pid: Any) -> Any:
        return self._resolve(str(pid))


def decode(source: mmap.mmap | bytes, resolve: Callable[[str], Any]) -> dict[str, Any]:
    """The named objects. ``resolve`` returns the object of a seed; arrays use the memory of ``source``.

    Raises whatever the objects' constructors raise, ModuleNotFoundError for example.
    """
    whole = memoryview(source)
    magic, length, count = _HEAD.unpack_from(whole)
    if magic != MAGIC:
        raise pickle.UnpicklingError("not a stored graph")
    buffers = []
    for index in range(count):
        start, size, read_only = _ENTRY.unpack_from(whole, _HEAD.size + index * _ENTRY.size)
        part = whole[start : start + size]
        buffers.append(part.toreadonly() if read_only else part)
    begin = _HEAD.size + count * _ENTRY.size
    if isinstance(source, mmap.mmap):
        source.seek(begin)
        stream: Any = source
    else:
        stream = io.BytesIO(whole[begin : begin + length])
    result: dict[str, Any] = _GraphUnpickler(stream, resolve, buffers).load()
    return result


def numbered(
    roots: Mapping[str, Any],
    namespace: dict[str, Any],
    seeds: Sequence[tuple[str, Any]] = (),
    shared: Mapping[Hashable, Any] | None = None,
) -> list[Any]:
    """The mutable objects of a graph in the order in which pickling meets them.

    The order is the same in every process that loaded the same graph, so an object inside it has a number.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pickler = GraphPickler(io.BytesIO(), namespace, seeds, shared, lambda _: False)
        pickler.dump(dict(sorted(roots.items())))
    memo = sorted(pickler.memo.copy().values(), key=lambda item: item[0])
    known = len(pickler.seeds)
    return [
        obj for index, obj in memo if index >= known and type(obj) not in ATOMS and type(obj) is not tuple
    ]
