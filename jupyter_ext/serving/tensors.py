"""Values of a notebook as requests to a model server, and its answers as values again.

The Open Inference Protocol (V2) with its binary tensor data extension: a JSON head, then the bytes of the tensors one
after the other; ``Inference-Header-Content-Length`` says how long the head is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

HEAD: Final = "Inference-Header-Content-Length"
DTYPES: Final = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
_NAMES: Final = {"b1": "BOOL"} | {text[1:]: name for name, text in DTYPES.items() if name != "BOOL"}


@dataclass(frozen=True)
class Request:
    """A body, its headers, and how its answer becomes a value."""

    body: bytes
    is_v2: bool
    result: Callable[[Any], Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def request(data: Any) -> Request:
    """Put what somebody wants predicted into a request; raises Invalid for what cannot be sent."""
    if isinstance(data, Mapping):
        if "instances" in data:
            return Request(encode(data), is_v2=False, result=_predictions)
        if "inputs" in data and isinstance(data["inputs"], list):
            return Request(encode(data), is_v2=True, result=lambda body: body)
        return _columns(data)
    if is_frame(data):
        return _binary({str(name): _column(data[name], str(name)) for name in data.columns}, _framed(data))
    if hasattr(data, "detach"):
        import numpy as np

        array = np.asarray(data.detach().cpu().numpy())
        return _binary({"input-0": array}, lambda body: _torch(_arrays(body)))
    if hasattr(data, "__array__"):
        import numpy as np

        return _binary({"input-0": np.asarray(data)}, lambda body: _only(_arrays(body)))
    if isinstance(data, list | tuple):
        return Request(encode({"instances": list(data)}), is_v2=False, result=_predictions)
    raise Invalid(
        f"a {type(data).__name__} cannot be predicted",
        where=Where(field="data"),
        hint="Give a frame, an array, a tensor, a list of rows or a dict of columns.",
    )


def is_frame(data: Any) -> bool:
    """Whether it is a frame of pandas, polars or their like."""
    return hasattr(data, "columns") and hasattr(data, "__getitem__") and hasattr(data, "dtypes")


def instances(data: Any) -> bytes:
    """Give a V1 body of any of the kinds that ``request`` takes."""
    return encode(instances_of(data))


def instances_of(data: Any) -> dict[str, Any]:
    """Give it as ``{"instances": […]}``; a frame is a list of rows by name."""
    if isinstance(data, Mapping):
        if "instances" in data:
            return dict(data)
        scalar = all(_is_scalar(value) for value in data.values())
        if scalar:
            return {"instances": [dict(data)]}
        lists = {str(name): _plain(value) for name, value in data.items()}
        return {
            "instances": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        }
    if is_frame(data):
        lists = {str(name): _plain(data[name]) for name in data.columns}
        return {
            "instances": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        }
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    found = _plain(data)
    if not isinstance(found, list):
        raise Invalid(f"a {type(data).__name__} has no rows", where=Where(field="data"))
    return {"instances": found}


def inputs_of(data: Any) -> list[dict[str, Any]]:
    """Give it as the ``inputs`` of a V2 body in plain JSON."""
    import numpy as np

    if is_frame(data):
        arrays = {str(name): _column(data[name], str(name)) for name in data.columns}
    elif isinstance(data, Mapping):
        arrays = {str(name): _column(value, str(name)) for name, value in data.items()}
    else:
        arrays = {"input-0": np.asarray(data)}
    found = []
    for name, array in arrays.items():
        datatype, _ = _bytes(array, name)
        found.append(
            {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}
        )
    return found


def _plain(data: Any) -> Any:
    for name in ("tolist", "to_list"):
        if hasattr(data, name):
            return getattr(data, name)()
    return list(data) if isinstance(data, list | tuple) else data


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | bytes | int | float | bool) or getattr(value, "shape", None) == ()


def _columns(data: Mapping[Any, Any]) -> Request:
    """A dict of columns, or of single values, which is one row."""
    import numpy as np

    if not data:
        raise Invalid("there is nothing to predict", where=Where(field="data"))
    one = all(_is_scalar(value) for value in data.values())
    arrays = {
        str(name): _column([value] if one else value, str(name)) if not hasattr(value, "detach")
        else np.asarray(value.detach().cpu().numpy())
        for name, value in data.items()
    }  # fmt: skip

    def result(body: Any) -> Any:
        found = _arrays(body)
        if not one:
            return _only(found)
        first = {name: array[0] if getattr(array, "shape", ()) else array for name, array in found.items()}
        return _only(first)

    return _binary(arrays, result)


def _column(values: Any, name: str) -> Any:
    """One column as an array of a type that the protocol has."""
    import numpy as np

    if hasattr(values, "cat"):  # pandas: a category is what it stands for
        values = values.astype(values.cat.categories.dtype)
    if isinstance(values, list | tuple) and all(isinstance(item, str) for item in values):
        return np.array(values, dtype=object)  # as texts of numpy they would lose zeros at the end
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype.kind == "O":
        items = array.ravel().tolist()
        if all(
            item is None or (isinstance(item, int | float) and not isinstance(item, bool)) for item in items
        ):
            return array.astype(float)  # nothing is no number
        bad = [item for item in items if not isinstance(item, str | bytes)]
        if bad:
            what = f"{name} holds {type(bad[0]).__name__} values, which no tensor has beside texts"
            raise Invalid(what, where=Where(field=name), hint="Make it a column of numbers or of texts.")
    return array


def _binary(arrays: Mapping[str, Any], result: Callable[[Any], Any]) -> Request:
    """Write tensors as a V2 request with binary data, and ask for an answer of the same form."""
    heads, chunks = [], []
    for name, array in arrays.items():
        datatype, content = _bytes(array, name)
        heads.append(
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": datatype,
                "parameters": {"binary_data_size": len(content)},
            }
        )
        chunks.append(content)
    head = encode({"inputs": heads, "parameters": {"binary_data_output": True}})
    headers = {HEAD: str(len(head)), "Content-Type": "application/octet-stream"}
    return Request(b"".join([head, *chunks]), is_v2=True, result=result, headers=headers)


def _bytes(array: Any, name: str) -> tuple[str, bytes]:
    import numpy as np

    kind = array.dtype.kind
    if kind == "M":
        array, kind = np.datetime_as_string(array), "U"
    if kind in "OUST":
        items = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
        return "BYTES", b"".join(struct.pack("<I", len(item)) + item for item in items)
    datatype = _NAMES.get(f"{kind}{array.dtype.itemsize}")
    if datatype is None:
        what = f"{name} is of type {array.dtype}, which no tensor has"
        raise Invalid(what, where=Where(field=name), hint="Convert it, for example with astype('float32').")
    little = array.dtype.newbyteorder("<")
    return datatype, np.ascontiguousarray(array, dtype=little).tobytes()


def encode(value: Any) -> bytes:
    """JSON of plain values and of what numpy has."""
    import orjson

    try:
        return orjson.dumps(
            value, default=_default, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        )
    except TypeError as error:
        raise Invalid(f"this cannot be sent as JSON: {error}", where=Where(field="data")) from None


def _default(value: Any) -> Any:
    for name in ("tolist", "item", "isoformat"):
        if hasattr(value, name):
            return getattr(value, name)()
    raise TypeError(f"a {type(value).__name__}")


def parse(content: bytes, head: str | None = None) -> Any:
    """Read an answer: JSON, or a JSON head with the tensors behind it, which become the ``data`` of the outputs.

    What is neither is given as text. Raises Invalid for an answer whose parts do not fit each other.
    """
    import orjson

    length = int(head) if head and head.isascii() and head.isdecimal() and len(head) < 16 else None
    try:
        parsed = orjson.loads(content if length is None else content[:length])
    except orjson.JSONDecodeError:
        return content[:10_000].decode("utf-8", "replace")
    if length is None or not isinstance(parsed, dict):
        return parsed
    place = length
    for output in parsed.get("outputs") or ():
        size = (output.get("parameters") or {}).pop("binary_data_size", None)
        if size is None:
            continue
        if not isinstance(size, int) or not 0 <= size <= len(content) - place:
            raise Invalid("the answer is shorter than it says", where=Where(object=str(output.get("name"))))
        output["data"] = array_of(content[place : place + size], output["datatype"], output["shape"])
        place += size
    return parsed


def array_of(content: bytes, datatype: str, shape: list[int]) -> Any:
    """Make an array of the bytes of a tensor; raises Invalid."""
    import numpy as np

    if datatype == "BYTES":
        items, place = [], 0
        while place + 4 <= len(content):
            (size,) = struct.unpack_from("<I", content, place)
            items.append(content[place + 4 : place + 4 + size].decode("utf-8", "replace"))
            place += 4 + size
        made: Any = np.array(items, dtype=object)
    elif datatype in DTYPES:
        made = np.frombuffer(content, dtype=DTYPES[datatype]).copy()
    else:
        raise Invalid(f"the answer has a tensor of type {datatype!r}, which is not known")
    try:
        return made.reshape(shape)
    except ValueError:
        raise Invalid(f"the answer has {made.size} values for the shape {shape}") from None


def _arrays(body: Any) -> dict[str, Any]:
    """Give the outputs of a V2 answer as arrays by name."""
    import numpy as np

    outputs = body.get("outputs") if isinstance(body, dict) else None
    if not isinstance(outputs, list) or not outputs:
        raise Invalid(
            "the answer has no outputs", hint="This server may not speak the Open Inference Protocol."
        )
    found = {}
    for output in outputs:
        data = output.get("data")
        if not hasattr(data, "reshape"):
            data = np.array(data, dtype=DTYPES.get(output.get("datatype", ""), object))
            data = data.reshape(output.get("shape") or data.shape)
        found[str(output.get("name"))] = data
    return found


def _only(found: dict[str, Any]) -> Any:
    return next(iter(found.values())) if len(found) == 1 else found


def _torch(found: dict[str, Any]) -> Any:
    import torch

    kept = {
        name: array if array.dtype.kind == "O" else torch.from_numpy(array) for name, array in found.items()
    }
    return _only(kept)


def _framed(data: Any) -> Callable[[Any], Any]:
    """Give what makes a column (one output of one dimension) or a frame of an answer, with the rows' own index."""

    def result(body: Any) -> Any:
        found = _arrays(body)
        if not type(data).__module__.startswith("pandas"):
            return _only(found)
        import pandas as pd

        parts: dict[str, Any] = {}
        for name, array in found.items():
            if array.ndim == 2:
                single = array.shape[1] == 1
                parts |= {
                    name if single else f"{name}-{place}": array[:, place] for place in range(array.shape[1])
                }
            else:
                parts[name] = array
        if any(array.ndim != 1 or len(array) != len(data) for array in parts.values()):
            return _only(found)
        if len(parts) == 1:
            name, array = next(iter(parts.items()))
            return pd.Series(array, index=data.index, name=name)
        return pd.DataFrame(parts, index=data.index)

    return result


def _predictions(body: Any) -> Any:
    return body.get("predictions", body) if isinstance(body, dict) else body
