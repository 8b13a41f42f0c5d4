"""Pandas frames and series as Arrow IPC files.

The columns are written as they lie in memory and used where they are mapped: no conversion, no copy. What Arrow
cannot say (the blocks, the labels, extension types, ``attrs``) stands in the schema's metadata, so the frame
that is read is the frame that was written. Any Arrow reader can open the file. Frames with contents that Arrow
would change (mixed objects, complex numbers, periods, subclasses) do not fit and are pickled instead.
"""
# ruff: noqa: SLF001 - pandas has no public names for blocks and for the arrays inside its extension types

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass
from typing import IO, Any

from jupyter_ext.pipelines.aliasing import ATOMS
from jupyter_ext.pipelines.mapped import Mapping, layout

_SPEC = b"kubeflow.frame"
_SMALL = 2048
"""Bytes up to which an array of an index or of an extension type stands in the metadata."""
_LABELS_LIMIT = 1 << 22
"""Bytes of labels that may stand in the metadata; larger ones make the frame go another way."""


@dataclass(frozen=True)
class Piece:
    """How one block, or the index, lies in the file: ``count`` columns from ``first`` on.

    "numpy", "text", "dates" and "arrow" blocks are their columns. A "pickled" one is any extension array or index: a
    pickle whose out-of-band buffers are columns; ``extra`` has the pickle, and ``spans`` per buffer the number
    of columns (-1: the next of ``inline``).
    """

    kind: str
    first: int
    count: int
    dtype: Any = None
    placement: Any = None
    extra: Any = None
    spans: tuple[int, ...] = ()
    inline: tuple[bytes, ...] = ()


class Unfitting(Exception):
    """Arrow would not give the same frame back."""


def fits(obj: Any) -> bool:
    """Whether the object is a frame or series that may be stored here; its contents decide in :func:`plan`."""
    pandas = sys.modules.get("pandas")
    return (
        pandas is not None
        and "pyarrow" in sys.modules
        and type(obj) in (pandas.DataFrame, pandas.Series)
        and all(type(value) in ATOMS for value in obj.attrs.values())
    )


@dataclass(frozen=True)
class Plan:
    """Arrow columns and what to write beside them."""

    columns: list[Any]
    names: list[str]
    spec: bytes
    rows: int

    def write(self, file: IO[bytes]) -> None:
        """One record batch; its buffers go to the file as they lie in memory."""
        import pyarrow as pa

        fields = [pa.field(name, array.type) for name, array in zip(self.names, self.columns, strict=True)]
        schema = pa.schema(fields, metadata={_SPEC: self.spec})
        with pa.PythonFile(file, mode="w") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(self.columns, schema=schema))


def plan(obj: Any) -> Plan:
    """Lay the frame out; raises Unfitting."""
    columns: list[Any] = []
    names: list[str] = []
    frame = obj if obj.ndim == 2 else obj.to_frame(name=0)
    pieces = []
    for block in obj._mgr.blocks:
        placement = block.mgr_locs.as_array
        piece = _encode(block.values, len(obj), columns, placement)
        pieces.append(piece)
        labels = [str(frame.columns[place]) for place in placement] if obj.ndim == 2 else [str(obj.name)]
        names += labels if piece.count == len(labels) else [labels[0]] * piece.count
    _refuse_objects(obj.index)
    index = _pickled(obj.index, len(obj), columns)
    names += ["__index__"] * (len(columns) - len(names))
    labels_of = obj.columns if obj.ndim == 2 else obj.name
    flags = obj.flags.allows_duplicate_labels
    spec = pickle.dumps((obj.ndim, pieces, index, labels_of, dict(obj.attrs), flags), protocol=5)
    if len(spec) > _LABELS_LIMIT:
        raise Unfitting
    return Plan(columns, names, spec, len(obj))


def read(mapping: Mapping) -> Any:
    """The frame or series; numbers, dates and codes are writable over the mapping's memory."""
    import pandas as pd
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.py_buffer(mapping.memory))
    batch = reader.get_batch(0)
    ndim, pieces, index_piece, labels, attrs, flags = pickle.loads(reader.schema.metadata[_SPEC])
    index = _unpickled(index_piece, batch, mapping)
    arrays = [_decode(piece, batch, mapping, len(index), flat=ndim == 1) for piece in pieces]
    if ndim == 2:
        obj = _frame(list(zip(arrays, [piece.placement for piece in pieces], strict=True)), index, labels)
    else:
        obj = pd.Series(arrays[0], index, dtype=arrays[0].dtype, name=labels, copy=False)
    obj.attrs.update(attrs)
    return obj if flags else obj.set_flags(allows_duplicate_labels=False)


def fingerprint(obj: Any) -> Any:
    """Equal as long as the frame still consists of what was read; None if that cannot be told cheaply."""
    parts: list[Any] = [id(obj.index), obj.flags.allows_duplicate_labels, tuple(obj.attrs.items())]
    parts.append(id(obj.columns) if obj.ndim == 2 else obj.name)
    for block in obj._mgr.blocks:
        described = _described(block.values)
        if described is None:
            return None
        parts.append((described, block.mgr_locs.as_array.tobytes()))
    return tuple(parts)


def _described(values: Any) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(values, numpy.ndarray):
        return None if values.dtype.hasobject else layout(values)
    if hasattr(values, "_pa_array"):
        return tuple(
            buffer and buffer.address for chunk in values._pa_array.chunks for buffer in chunk.buffers()
        )
    inner = [getattr(values, name, None) for name in ("_ndarray", "_data", "_mask")]
    arrays = [layout(array) for array in inner if isinstance(array, numpy.ndarray)]
    kind = id(values.dtype) if hasattr(values, "categories") else str(values.dtype)
    return (*arrays, kind) if arrays else None


# Blocks to columns


def _encode(values: Any, rows: int, columns: list[Any], placement: Any) -> Piece:
    first = len(columns)
    if isinstance(values, sys.modules["numpy"].ndarray):
        each = values if values.ndim == 2 else values[None]
        kind = "text" if values.dtype.kind == "O" else "numpy"
        columns.extend(map(_text if kind == "text" else _numbers, each))
        return Piece(kind, first, len(each), values.dtype, placement)
    if hasattr(values, "_pa_array"):
        columns.append(_whole(values._pa_array))
        return Piece("arrow", first, 1, values.dtype, placement, type(values))
    dates = getattr(values, "_ndarray", None)
    if dates is not None and dates.dtype.kind in "mM" and getattr(values, "_freq", None) is None:
        each = dates if dates.ndim == 2 else dates[None]
        columns.extend(_dates(row, values.dtype) for row in each)
        return Piece("dates", first, len(each), values.dtype, placement, type(values))
    return _pickled(values, rows, columns, placement)


def _dates(row: Any, dtype: Any) -> Any:
    """Instants or durations as Arrow has them; not-a-time is the smallest number to both."""
    import numpy as np
    import pyarrow as pa

    unit = np.datetime_data(row.dtype)[0]
    zone = getattr(dtype, "tz", None)
    name = getattr(zone, "key", None) or getattr(zone, "zone", None) or (zone and "UTC")
    kind = pa.duration(unit) if row.dtype.kind == "m" else pa.timestamp(unit, name)
    flat = np.ascontiguousarray(row).view("i8")
    return pa.Array.from_buffers(kind, len(flat), [None, pa.py_buffer(flat)])


def _pickled(obj: Any, rows: int, columns: list[Any], placement: Any = None) -> Piece:
    """Its large arrays become columns if they have a whole number of bytes per row."""
    first = len(columns)
    spans: list[int] = []
    inline: list[bytes] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        width = raw.nbytes // rows if rows and raw.nbytes % rows == 0 else 0
        if raw.nbytes > _SMALL and (width in (1, 2, 4) or (width and width % 8 == 0)):
            columns.extend(_spread(raw, rows, min(width, 8)))
            spans.append(-(-width // 8))
        else:
            inline.append(bytes(raw))
            spans.append(-1)
        return False

    data = pickle.dumps(obj, protocol=5, buffer_callback=keep)
    return Piece("pickled", first, len(columns) - first, None, placement, data, tuple(spans), tuple(inline))


def _spread(raw: memoryview, rows: int, width: int) -> list[Any]:
    """Columns over a buffer of one or more rows of elements; those of 8 bytes lie side by side in the file."""
    import pyarrow as pa

    kind = {1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32(), 8: pa.int64()}[width]
    size = rows * width
    parts = [raw[start : start + size] for start in range(0, raw.nbytes, size)]
    return [pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(part)]) for part in parts]


def _numbers(row: Any) -> Any:
    """The elements as an Arrow array over the same memory; booleans as bytes, as numpy keeps them."""
    import numpy as np
    import pyarrow as pa

    if row.dtype.kind not in "biuf" or not row.dtype.isnative or row.dtype.itemsize > 8 or row.dtype.metadata:
        raise Unfitting
    flat = np.ascontiguousarray(row.view("u1") if row.dtype.kind == "b" else row)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)])


def _text(row: Any) -> Any:
    import pyarrow as pa

    if set(map(type, row)) - {str}:
        raise Unfitting
    try:
        return pa.array(row, type=pa.large_string())
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise Unfitting from error


def _whole(chunked: Any) -> Any:
    import pyarrow as pa

    kind = chunked.type
    simple = (pa.types.is_primitive, pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    if not any(test(kind) for test in simple):
        raise Unfitting
    joined = chunked.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) and joined.num_chunks else joined


def _refuse_objects(index: Any) -> None:
    """An index of objects that may be changed belongs into a pickled graph."""
    numpy = sys.modules["numpy"]
    for level in getattr(index, "levels", [index]):
        plain = isinstance(level.dtype, numpy.dtype) and level.dtype.hasobject
        if plain and not ATOMS.issuperset(map(type, level.tolist())):
            raise Unfitting


# Columns to blocks


def _frame(blocks: list[tuple[Any, Any]], index: Any, columns: Any) -> Any:
    import pandas as pd

    try:
        from pandas.api.internals import create_dataframe_from_blocks
    except ImportError:  # before pandas 3, as pyarrow does it
        from pandas.core.internals import BlockManager
        from pandas.core.internals.api import make_block

        made = [make_block(values, placement=placement) for values, placement in blocks]
        return pd.DataFrame(BlockManager(made, [columns, index]))
    return create_dataframe_from_blocks(blocks, index=index, columns=columns)


def _decode(piece: Piece, batch: Any, mapping: Mapping, rows: int, *, flat: bool) -> Any:
    """The array of a block. ``flat`` gives one dimension where a block of a frame has two."""
    if piece.kind == "pickled":
        return _unpickled(piece, batch, mapping)
    arrays = [batch.column(piece.first + place) for place in range(piece.count)]
    if piece.kind == "arrow":
        return _arrow(piece, arrays[0])
    if piece.kind == "text":
        return _objects(arrays, rows, flat=flat)
    if piece.kind == "dates":
        return _instants(piece, arrays, mapping, rows, flat=flat)
    return _memory(arrays, piece.dtype, mapping, rows, flat=flat)


def _unpickled(piece: Piece, batch: Any, mapping: Mapping) -> Any:
    inline = iter(piece.inline)
    place = piece.first
    buffers: list[Any] = []
    whole = memoryview(mapping.memory)
    for span in piece.spans:
        if span < 0:
            buffers.append(bytearray(next(inline)))
            continue
        column = batch.column(place)
        start = column.buffers()[1].address - mapping.address
        size = batch.num_rows * column.type.bit_width // 8
        buffers.append(whole[start : start + span * size])
        place += span
    return pickle.loads(piece.extra, buffers=buffers)


def _memory(arrays: list[Any], dtype: Any, mapping: Mapping, rows: int, *, flat: bool) -> Any:
    """The columns of a block as one array over the mapping; they lie at equal distances."""
    import numpy as np

    shape = (rows,) if flat else (len(arrays), rows)
    if not rows or not arrays:
        return np.empty(shape, dtype)
    places = [array.buffers()[1].address - mapping.address for array in arrays]
    step = places[1] - places[0] if len(places) > 1 else rows * dtype.itemsize
    strides = (dtype.itemsize,) if flat else (step, dtype.itemsize)
    return np.ndarray(shape, dtype, buffer=mapping.memory, offset=places[0], strides=strides)


def _instants(piece: Piece, arrays: list[Any], mapping: Mapping, rows: int, *, flat: bool) -> Any:
    import numpy as np

    kind = piece.dtype if isinstance(piece.dtype, np.dtype) else np.dtype(f"M8[{piece.dtype.unit}]")
    return piece.extra._simple_new(_memory(arrays, kind, mapping, rows, flat=flat), dtype=piece.dtype)


def _objects(arrays: list[Any], rows: int, *, flat: bool) -> Any:
    import numpy as np

    values = np.empty((len(arrays), rows), object)
    for place, array in enumerate(arrays):
        values[place] = array.to_numpy(zero_copy_only=False)
    return values[0] if flat else values


def _arrow(piece: Piece, array: Any) -> Any:
    """The extension array over the column, without the checks and conversions of its constructor."""
    import pyarrow as pa

    made = piece.extra.__new__(piece.extra)
    made.__dict__.update(_pa_array=pa.chunked_array([array]), _dtype=piece.dtype, _cache={})
    return made
