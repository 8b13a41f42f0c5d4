"""The Open Inference Protocol (V2) over HTTP, with binary tensors."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving.http.message import Request, Response
from jupyter_ext.serving.server import tensors
from jupyter_ext.serving.server.v1 import dumped, headers_of, parsed

if TYPE_CHECKING:
    from jupyter_ext.serving.server.expected import Arrays
    from jupyter_ext.serving.server.served import Served

HEAD: Final = b"inference-header-content-length"
_OCTETS: Final = b"application/octet-stream"


@dataclass(slots=True)
class Asked:
    """A request, however it came. ``outputs`` None: all; ``binary`` None: as each output says."""

    arrays: Arrays
    datatypes: dict[str, str]
    id: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    outputs: list[str] | None = None
    binary: set[str] = field(default_factory=set)
    all_binary: bool = False
    each: dict[str, dict[str, Any]] = field(default_factory=dict)


def decoded(request: Request) -> Asked:
    """Read a body. Raises Invalid."""
    body = request.body
    told = request.header(HEAD)
    raw = memoryview(b"")
    if told is not None:
        if not told.isdigit() or int(told) > len(body):
            raise Invalid(
                f"Inference-Header-Content-Length is {told.decode('latin-1')[:20]}, and the body has {len(body)} bytes"
            )
        raw = memoryview(body)[int(told) :]
        body = body[: int(told)]
    value = parsed(body)
    inputs = value.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise Invalid("inputs is a list of tensors and not empty", where=Where(field="inputs"))
    asked = Asked({}, {}, str(value.get("id") or ""), _object(value.get("parameters"), "parameters"))
    at = 0
    for position, entry in enumerate(inputs):
        at += _read(asked, entry, raw[at:], f"inputs[{position}]")
    if at != len(raw):
        raise Invalid(f"{len(raw) - at} bytes follow the last tensor")
    _read_outputs(asked, value.get("outputs"))
    asked.all_binary = asked.parameters.get("binary_data_output") is True
    return asked


def _object(value: Any, name: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise Invalid(f"{name} is not an object")
    return value or {}


def _read(asked: Asked, entry: Any, raw: memoryview, place: str) -> int:
    """One tensor; gives how many of the bytes it took."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise Invalid(f"{place} is not a tensor with a name")
    name = entry["name"]
    if name in asked.arrays:
        raise Invalid(f"there are two inputs with the name {name}"[:200])
    datatype = entry.get("datatype")
    dtype = tensors.dtype_of(datatype, name)
    shape = tensors.shape_of(entry.get("shape"), name)
    parameters = entry.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    asked.datatypes[name] = str(datatype)
    if parameters:
        asked.each[name] = _object(parameters, f"the parameters of {name}")
    if size is None:
        asked.arrays[name] = tensors.from_flat(entry.get("data"), shape, dtype, name)
        return 0
    if type(size) is not int or not 0 <= size <= len(raw):
        raise Invalid(f"{name} is said to have {str(size)[:20]} bytes, and {len(raw)} are left of the body")
    asked.arrays[name] = tensors.from_bytes(raw[:size], shape, str(datatype), name)
    return size


def _read_outputs(asked: Asked, outputs: Any) -> None:
    if outputs is None or outputs == []:
        return
    if not isinstance(outputs, list):
        raise Invalid("outputs is not a list", where=Where(field="outputs"))
    asked.outputs = []
    for entry in outputs:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise Invalid("each of outputs is an object with a name", where=Where(field="outputs"))
        asked.outputs.append(entry["name"])
        if _object(entry.get("parameters"), "parameters").get("binary_data") is True:
            asked.binary.add(entry["name"])


def arrays_of(model: Served, asked: Asked) -> tuple[Arrays, int]:
    """As the model expects them, and how many rows. Raises Invalid."""
    arrays = model.expected.of_tensors(asked.arrays) if model.expected is not None else asked.arrays
    rows = tensors.rows_of(list(arrays.values()))
    if rows == 0:
        raise Invalid("the inputs have no rows; there is nothing to predict", where=Where(field="inputs"))
    return arrays, rows or 1


def infer(model: Served, request: Request) -> Response | Any:
    """An answer, or a coroutine of one."""
    asked = decoded(request)
    if not asked.id:
        given = request.header(b"x-request-id")
        asked.id = given.decode("latin-1") if given else os.urandom(8).hex()
    found = evaluated(model, asked, lambda: headers_of(request))
    return _awaited(model, asked, found) if inspect.isawaitable(found) else encoded(model, asked, found)


async def _awaited(model: Served, asked: Asked, work: Any) -> Response:
    return encoded(model, asked, await work)


def evaluated(model: Served, asked: Asked, headers: Any) -> Any:
    """The outputs, or something to await that gives them."""
    if model.chain is None:
        return model.infer(*arrays_of(model, asked))
    from jupyter_ext.serving.server.objects import InferInput, InferRequest

    inputs = [
        InferInput(name, array, asked.datatypes[name], asked.each.get(name))
        for name, array in asked.arrays.items()
    ]
    result = model.ask(InferRequest(model.name, inputs, asked.id, asked.parameters), headers())
    return _unpacked(model, result) if inspect.isawaitable(result) else _arrays(model, result)


async def _unpacked(model: Served, work: Any) -> Arrays:
    return _arrays(model, await work)


def _arrays(model: Served, result: Any) -> Arrays:
    from jupyter_ext.serving.server.objects import result_arrays

    return result_arrays(result, model.output_names)


def chosen(asked: Asked, found: Arrays) -> Arrays:
    """The outputs that were asked for. Raises Invalid for one that there is not."""
    if asked.outputs is None:
        return found
    for name in asked.outputs:
        if name not in found:
            raise Invalid(
                f"there is no output {name[:100]}",
                where=Where(field="outputs"),
                hint=f"There is {', '.join(found)}.",
            )
    return {name: found[name] for name in asked.outputs}


def encoded(model: Served, asked: Asked, found: Arrays) -> Response:
    """The answer: JSON, then the bytes of those tensors that are to be binary."""
    outputs: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for name, array in chosen(asked, found).items():
        datatype = tensors.datatype_of(array)
        entry: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": datatype}
        if name in asked.binary or (asked.all_binary and asked.outputs is None):
            piece = tensors.to_bytes(array, datatype)
            entry["parameters"] = {"binary_data_size": len(piece)}
            pieces.append(piece)
        else:
            entry["data"] = tensors.to_values(array, datatype)
        outputs.append(entry)
    head = dumped(
        {"model_name": model.name, "model_version": model.version, "id": asked.id, "outputs": outputs}
    )
    if not pieces:
        return Response(200, head)
    headers = [(b"inference-header-content-length", b"%d" % len(head))]
    return Response(200, b"".join([head, *pieces]), _OCTETS, headers)
