"""Tensors of the Open Inference Protocol: as JSON, as bytes, and as numpy arrays.

Source: the "Open Inference Protocol" and its binary tensor data extension.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from jupyter_ext.errors import Invalid

DTYPES: Final[dict[str, Any]] = {
    name: np.dtype(code)
    for name, code in {
        "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1",
        "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
    }.items()
}  # fmt: skip
_NAMES: Final = {dtype.str[1:]: name for name, dtype in DTYPES.items()}
WORDS: Final = {"b": "true or false", "i": "whole numbers", "u": "whole numbers from 0", "f": "numbers"}
"""What a kind of dtype is called to a person."""
OBJECT: Final[Any] = np.dtype(object)


def datatype_of(array: Any) -> str:
    """The protocol's name of an array's type; BYTES for all that is no number."""
    return _NAMES.get(array.dtype.str[1:], "BYTES")


def dtype_of(datatype: Any, name: str) -> Any:
    """The numpy dtype, object for BYTES. Raises Invalid."""
    if datatype == "BYTES":
        return OBJECT
    try:
        return DTYPES[datatype]
    except (KeyError, TypeError):
        known = ", ".join([*DTYPES, "BYTES"])
        raise Invalid(
            f"{datatype!r:.40} is no datatype of {name} that is known", hint=f"One of {known}."
        ) from None


def shape_of(shape: Any, name: str) -> tuple[int, ...]:
    """As a tuple of what is not negative. Raises Invalid."""
    if not isinstance(shape, list | tuple) or len(shape) > 32:
        raise Invalid(f"the shape of {name} is not a list of at most 32 whole numbers")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise Invalid(f"the shape of {name} is {str(shape)[:80]}; its parts are whole numbers from 0")
    return tuple(shape)


def from_values(values: Any, dtype: Any, name: str) -> Any:
    """An array of this type from JSON, of the shape its nesting gives. Raises Invalid and says which value."""
    if dtype is not None and dtype.hasobject:
        return _texts(values, name)
    try:
        found = np.asarray(values)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Invalid(ragged(values, name)) from None
    if found.dtype.kind == "U":
        # numpy makes texts of the numbers beside a text; the values know better.
        found = _objects(values, found.shape)
    if dtype is not None and dtype.kind in "iu" and _is_rounded(found):
        found = _exact(values, found.shape, dtype, name)
    return cast(found, dtype, name, values) if dtype is not None else _guessed(found, values, name)


def _is_rounded(found: Any) -> bool:
    """Numpy makes floats of whole numbers from 0 to 2^64, and floats lose their last digits above 2^53."""
    return found.dtype.kind == "f" and bool(found.size) and bool(np.abs(found).max() >= 2**53)


def _exact(values: Any, shape: tuple[int, ...], dtype: Any, name: str) -> Any:
    """Whole numbers of any size, digit by digit. Raises Invalid."""
    limits = np.iinfo(dtype)
    numbers = _objects(values, shape)
    for index in np.ndindex(shape):
        value = numbers[index]
        if isinstance(value, float) and not value.is_integer():
            raise Invalid(f"{name}{_place(index)} is {_shown(value)}, and whole numbers are expected")
        if not limits.min <= value <= limits.max:
            raise Invalid(f"{name}{_place(index)} is outside of {limits.min} to {limits.max} ({dtype.name})")
        numbers[index] = int(value)
    return numbers.astype(dtype)


def _guessed(found: Any, values: Any, name: str) -> Any:
    """What nothing is known of: numbers with nulls among them are numbers, text is text."""
    if found.dtype.kind == "O" and found.size and all(_is_gap_or_number(value) for value in found.ravel()):
        return _with_gaps(found, DTYPES["FP64"], name, values)
    return found


def _objects(values: Any, shape: tuple[int, ...]) -> Any:
    flat: list[Any] = []
    _flatten(values, len(shape), flat)
    found = np.empty(len(flat), object)
    found[:] = flat
    return found.reshape(shape)


def _is_gap_or_number(value: Any) -> bool:
    return value is None or is_number(value)


def cast(found: Any, dtype: Any, name: str, values: Any = None) -> Any:
    """To another type, where no meaning is lost: 1.0 is a whole number, 1.5 and "1" are none. Raises Invalid."""
    if found.dtype == dtype:
        return found
    have, want = found.dtype.kind, dtype.kind
    if dtype.hasobject:
        if have in "OSU":
            return found.astype(object)
        raise _misfit(found, name, "text")
    if not found.size:
        return found.astype(dtype)
    if have == "O" and want == "f":
        return _with_gaps(found, dtype, name, values)
    if have in "OSU" or (want == "b" and have != "b" and not np.isin(found, (0, 1)).all()):
        raise _misfit(found, name, WORDS.get(want, dtype.name))
    if want in "iu":
        return _whole(found, dtype, name)
    if have not in "biuf":
        raise _misfit(found, name, WORDS[want])
    return _narrowed(found, dtype, name)


def _narrowed(found: Any, dtype: Any, name: str) -> Any:
    """As floats of this width. Raises Invalid for a number beyond what they hold."""
    with np.errstate(over="ignore"):
        narrow = found.astype(dtype)
    bad = np.isinf(narrow) & np.isfinite(found)
    if bad.any():
        raise Invalid(f"{name}{_at(bad)} is more than {dtype.name} holds")
    return narrow


def _whole(found: Any, dtype: Any, name: str) -> Any:
    if found.dtype.kind == "f":
        bad = found != np.floor(found)
        if bad.any():
            raise Invalid(
                f"{name}{_at(bad)} is {found[tuple(np.argwhere(bad)[0])]}, and whole numbers are expected"
            )
    elif found.dtype.kind not in "biu":
        raise _misfit(found, name, WORDS[dtype.kind])
    limits = np.iinfo(dtype)
    if found.dtype.kind != "b" and (found.min() < limits.min or found.max() > limits.max):
        bad = (found < limits.min) | (found > limits.max)
        raise Invalid(f"{name}{_at(bad)} is outside of {limits.min} to {limits.max} ({dtype.name})")
    return found.astype(dtype)


def _with_gaps(found: Any, dtype: Any, name: str, values: Any) -> Any:
    """Numbers among which are nulls: those become NaN."""
    for index in np.ndindex(found.shape):
        value = found[index]
        if value is None:
            continue
        if isinstance(value, bool | int | float):
            continue
        if isinstance(value, list | dict):
            raise Invalid(ragged(values if values is not None else found.tolist(), name))
        raise Invalid(f"{name}{_place(index)} is {_shown(value)}, and numbers are expected")
    try:
        return _narrowed(found.astype("f8"), dtype, name)
    except (OverflowError, ValueError, TypeError):
        raise Invalid(f"{name} has a number that does not fit into {dtype.name}") from None


def _misfit(found: Any, name: str, expected: str) -> Invalid:
    """Say which value is not what was expected."""
    verb = "is" if expected in {"text", "true or false"} else "are"
    for index in np.ndindex(found.shape):
        value = found[index]
        if (
            not (isinstance(value, str) if expected == "text" else is_number(value))
            or expected == "true or false"
        ):
            return Invalid(f"{name}{_place(index)} is {_shown(value)}, and {expected} {verb} expected")
    return Invalid(f"{name} is not made of {expected}")


def _place(index: Iterable[Any]) -> str:
    return "".join(f"[{part}]" for part in index)


def is_number(value: Any) -> bool:
    """Of Python or numpy; also true and false."""
    return isinstance(value, int | float | np.number | np.bool_)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, np.generic):
        value = value.item()
    return str(value)[:60]


def _at(bad: Any) -> str:
    return _place(np.argwhere(bad)[0]) if bad.ndim else ""


def _texts(values: Any, name: str) -> Any:
    """Text in any nesting."""
    flat: list[Any] = []
    shape = _nesting(values)
    _flatten(values, len(shape), flat)
    if math.prod(shape) != len(flat):
        raise Invalid(ragged(values, name))
    for position, value in enumerate(flat):
        if not isinstance(value, str | bytes) and value is not None:
            at = _place(np.unravel_index(position, shape)) if shape else ""
            raise Invalid(f"{name}{at} is {_shown(value)}, and text is expected")
    found = np.empty(len(flat), object)
    found[:] = flat
    return found.reshape(shape)


def _nesting(values: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(values, list) and len(shape) < 32:
        shape.append(len(values))
        if not values:
            break
        values = values[0]
    return tuple(shape)


def _flatten(values: Any, depth: int, into: list[Any]) -> None:
    if depth == 0 or not isinstance(values, list):
        into.append(values)
        return
    for value in values:
        _flatten(value, depth - 1, into)


def ragged(values: Any, name: str) -> str:
    """Which part of nested lists differs from the first."""
    return _odd(values, _nesting(values), name) or f"{name} is not made of values of one kind and shape"


def _odd(values: Any, shape: tuple[int, ...], name: str) -> str | None:
    if not shape:
        return f"{name} is a list, and one value is expected there" if isinstance(values, list) else None
    if not isinstance(values, list):
        return f"{name} is {_shown(values)}, and a list of {shape[0]} values is expected there"
    if len(values) != shape[0]:
        return f"{name} has {len(values)} values, and those before it have {shape[0]}"
    return next(
        (found for at, value in enumerate(values) if (found := _odd(value, shape[1:], f"{name}[{at}]"))), None
    )


def from_flat(values: Any, shape: tuple[int, ...], dtype: Any, name: str) -> Any:
    """A tensor's ``data``, flat or nested, in the shape it is said to have. Raises Invalid."""
    if not isinstance(values, list):
        raise Invalid(f"the data of {name} is not a list")
    found = from_values(values, dtype, name)
    if found.size != math.prod(shape):
        raise Invalid(
            f"{name} has {found.size} values and its shape {list(shape)} is of {math.prod(shape)} values"
        )
    return found.reshape(shape)


def from_bytes(data: Any, shape: tuple[int, ...], datatype: str, name: str) -> Any:
    """A tensor's raw bytes, little endian, rows first. Raises Invalid."""
    dtype = dtype_of(datatype, name)
    count = math.prod(shape)
    if dtype.hasobject:
        texts = split_texts(data, name)
        if len(texts) != count:
            raise Invalid(f"{name} has {len(texts)} values and its shape {list(shape)} is of {count} values")
        found = np.empty(count, object)
        found[:] = texts
        return found.reshape(shape)
    if len(data) != count * dtype.itemsize:
        raise Invalid(
            f"{name} has {len(data)} bytes; {count * dtype.itemsize} are expected for {datatype} of shape {list(shape)}"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def split_texts(data: Any, name: str) -> list[str | bytes]:
    """Texts with their lengths in four bytes before each. Raises Invalid."""
    found: list[str | bytes] = []
    at, end = 0, len(data)
    while at < end:
        if at + 4 > end:
            raise Invalid(f"{name} ends within the length of a text")
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if at + size > end:
            raise Invalid(f"{name} ends within a text of {size} bytes")
        found.append(text_of(bytes(data[at : at + size])))
        at += size
    return found


def text_of(value: bytes) -> str | bytes:
    """Text where it is UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def to_bytes(array: Any, datatype: str) -> bytes:
    """The raw bytes of a tensor."""
    if datatype != "BYTES":
        return np.ascontiguousarray(array, DTYPES[datatype]).tobytes()
    return b"".join(joined_texts(array.ravel().tolist()))


def joined_texts(values: Iterable[Any]) -> Iterable[bytes]:
    """Each with its length before it."""
    for value in values:
        text = as_bytes(value)
        yield struct.pack("<I", len(text))
        yield text


def as_bytes(value: Any) -> bytes:
    """A value of a BYTES tensor."""
    return value if isinstance(value, bytes) else str(value).encode()


def to_values(array: Any, datatype: str) -> Any:
    """What JSON has as a tensor's ``data``: flat; orjson writes the numbers of an array by itself."""
    if datatype == "BYTES":
        return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str)
                else str(value) for value in array.ravel().tolist()]  # fmt: skip
    if datatype == "FP16":
        return array.ravel().tolist()
    return np.ascontiguousarray(array).reshape(-1)


def rows_of(arrays: Sequence[Any]) -> int | None:
    """The common first length, or None."""
    counts = {array.shape[0] if array.shape else None for array in arrays}
    return counts.pop() if len(counts) == 1 else None
