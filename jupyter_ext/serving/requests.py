"""Bodies of requests and answers as columns: V1, V2 (the Open Inference Protocol) and V2 with binary tensors."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from jupyter_ext.errors import Invalid, Where

Side = Literal["inputs", "outputs"]
LARGEST: Final = 16 << 20
"""Bytes of a body that is looked at."""
REDACTED: Final = "***"
_FORMATS: Final = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
    "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
_KEYS: Final = {"inputs": ("instances", "inputs"), "outputs": ("predictions", "outputs")}
_DEEPEST: Final = 100


def parse(body: bytes) -> tuple[Any, bytes]:
    """The JSON that a body begins with, and the binary tensors after it. Raises Invalid."""
    if len(body) > LARGEST:
        raise Invalid(f"The body has {len(body)} bytes", hint=f"At most {LARGEST} are looked at.")
    try:
        try:
            return json.loads(body), b""
        except (json.JSONDecodeError, UnicodeDecodeError):
            # Latin-1 gives each byte a letter, so that places in the text are places in the body.
            _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
            document = json.loads(body[:end])
    except (ValueError, RecursionError):
        raise Invalid("The body is no JSON", where=Where(field="body")) from None
    if not isinstance(document, dict) or not any(binary_size(each) for each in tensors(document)):
        raise Invalid("Something follows the JSON of the body", where=Where(field="body"))
    return document, body[end:]


def tensors(document: Any) -> Iterator[dict[str, Any]]:
    """The tensors of a V2 document, those in and those out."""
    if isinstance(document, dict):
        for key in ("inputs", "outputs"):
            found = document.get(key)
            if isinstance(found, list):
                yield from (each for each in found if isinstance(each, dict) and "name" in each)


def binary_size(tensor: Mapping[str, Any]) -> int:
    """How many bytes of a tensor follow the JSON."""
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if isinstance(size, int) and size > 0 else 0


def decode(body: bytes, names: Sequence[str] | None = None, side: Side = "inputs") -> dict[str, list[Any]]:
    """The columns of a body, all of the same length but where a row lacks a key.

    ``names`` are what columns without names are called, if there are as many; else x0, x1, … of inputs, y0, … of outputs.
    Raises Invalid for what is no body of a prediction.
    """
    document, rest = parse(body)
    try:
        return _columns(document, rest, list(names or ()), side)
    except (RecursionError, struct.error, OverflowError):
        raise Invalid("The body's tensors cannot be read", where=Where(field="body")) from None


def _columns(document: Any, rest: bytes, names: list[str], side: Side) -> dict[str, list[Any]]:
    if isinstance(document, list):
        return _rows(document, names, side)
    if isinstance(document, dict):
        for key in _KEYS[side]:
            found = document.get(key)
            if key == side and isinstance(found, list) and any(True for _ in tensors({key: found})):
                return _of_tensors(found, rest, names, side)
            if isinstance(found, dict):
                return {str(name): part if isinstance(part, list) else [part] for name, part in found.items()}
            if isinstance(found, list):
                return _rows(found, names, side)
    raise Invalid(
        f"The body has no {' and no '.join(_KEYS[side])}",
        where=Where(field="body"),
        hint='V1: {"instances": [[…]]}, V2: {"inputs": [{"name", "shape", "datatype", "data"}]}.',
    )


def _rows(rows: Sequence[Any], names: list[str], side: Side) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        if isinstance(row, dict):
            for name, value in row.items():
                found.setdefault(str(name), []).append(value)
            continue
        cells = list(flat(row))
        for name, cell in zip(_names(len(cells), names, side), cells, strict=True):
            found.setdefault(name, []).append(cell)
    return found


def _names(width: int, names: list[str], side: Side) -> list[str]:
    letter = "x" if side == "inputs" else "y"
    return names if len(names) == width else [f"{letter}{at}" for at in range(width)]


def flat(value: Any, depth: int = 0) -> Iterator[Any]:
    """The values of lists in lists."""
    if isinstance(value, list) and depth < _DEEPEST:
        for part in value:
            yield from flat(part, depth + 1)
    else:
        yield value


def _of_tensors(found: list[Any], rest: bytes, names: list[str], side: Side) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    every = [each for each in found if isinstance(each, dict) and "name" in each]
    for tensor, raw in with_binary(every, rest):
        values = _values(tensor, raw)
        width = _width(tensor, len(values))
        name = str(tensor["name"])
        if width == 1 and (len(every) > 1 or name in names or not generic(name)):
            columns[name] = values
        else:
            given = names if len(every) == 1 else [f"{name}.{at}" for at in range(width)]
            for at, each in enumerate(_names(width, given, side)):
                columns[each] = values[at::width]
    return columns


def with_binary(
    every: Iterable[dict[str, Any]], rest: bytes
) -> Iterator[tuple[dict[str, Any], bytes | None]]:
    """Each tensor with its bytes; None where its data are in the JSON. Raises Invalid if there are too few bytes."""
    at = 0
    for tensor in every:
        size = binary_size(tensor)
        if at + size > len(rest):
            raise Invalid(
                f"The bytes of {str(tensor['name'])[:40]!r} are not all there", where=Where(field="body")
            )
        yield tensor, rest[at : at + size] if size else None
        at += size


def generic(name: str) -> bool:
    """Whether a tensor's name says nothing but which side it is on."""
    return name in {"input", "output", "predict"} or name.startswith(
        ("input-", "output-", "input_", "output_")
    )


def _width(tensor: Mapping[str, Any], count: int) -> int:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(isinstance(each, int) and each >= 0 for each in shape):
        return 1
    width = math.prod(shape[1:])
    return width if width and count % width == 0 else 1


def _values(tensor: Mapping[str, Any], raw: bytes | None) -> list[Any]:
    if raw is None:
        return list(flat(tensor.get("data", [])))
    datatype = str(tensor.get("datatype"))
    if datatype == "BYTES":
        return list(_strings(raw))
    letter = _FORMATS.get(datatype)
    if letter is None:
        raise Invalid(f"There is no datatype {datatype[:20]!r}", where=Where(field=str(tensor["name"])[:40]))
    return [value for (value,) in struct.iter_unpack(f"<{letter}", raw)]


def _strings(raw: bytes) -> Iterator[str]:
    at = 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        yield raw[at + 4 : at + 4 + size].decode("utf-8", "replace")
        at += 4 + size


def filled(document: Any, rest: bytes) -> Any:
    """The document with the binary tensors' values in their places. Raises Invalid."""
    try:
        for tensor, raw in with_binary(list(tensors(document)), rest):
            if raw is not None:
                tensor["data"] = _values(tensor, raw)
    except struct.error:
        raise Invalid("The body's tensors cannot be read", where=Where(field="body")) from None
    return document
