"""Calls by gRPC as they are kept: the messages of ModelInfer as bodies of V2 over HTTP, with the same columns.

Used by the recorder's thread only: the calls themselves pass through unread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final, Literal

Kind = Literal["request", "response"]
_NAMES: Final[dict[Kind, tuple[str, str]]] = {
    "request": ("inputs", "raw_input_contents"),
    "response": ("outputs", "raw_output_contents"),
}


def body_of(message: bytes, kind: Kind) -> bytes | None:
    """A ModelInferRequest or ModelInferResponse as a body of V2; None for what cannot be read.

    Tensors that came as bytes follow the JSON, as binary tensors do over HTTP.
    """
    from google.protobuf.message import DecodeError

    from jupyter_ext.serving.server import protocol

    side, raw_side = _NAMES[kind]
    try:
        found = protocol.message(f"ModelInfer{kind.capitalize()}").FromString(message)
    except DecodeError:
        return None
    tensors, raw = list(getattr(found, side)), list(getattr(found, raw_side))
    if raw and len(raw) != len(tensors):
        return None
    document: dict[str, Any] = dict(_said(found, kind))
    document[side] = [_tensor(each, raw[at] if raw else None) for at, each in enumerate(tensors)]
    if kind == "request" and found.outputs:
        document["outputs"] = [{"name": each.name} for each in found.outputs]
    return json.dumps(document, ensure_ascii=False).encode() + b"".join(raw)


def _said(found: Any, kind: Kind) -> Iterator[tuple[str, Any]]:
    """The fields beside the tensors."""
    if kind == "response":
        yield from (("model_name", found.model_name), ("model_version", found.model_version))
    if found.id:
        yield "id", found.id
    if found.parameters:
        yield "parameters", _plain(found.parameters)


def _tensor(tensor: Any, raw: bytes | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "datatype": tensor.datatype,
    }
    parameters = _plain(tensor.parameters)
    parameters.pop("binary_data_size", None)
    if raw:
        parameters["binary_data_size"] = len(raw)
    else:
        entry["data"] = [] if raw is not None else list(_values(tensor.contents))
    return {**entry, "parameters": parameters} if parameters else entry


def _values(contents: Any) -> Iterator[Any]:
    """Whichever of the typed lists is filled. JSON has no NaN and no infinity: null, as of other requests."""
    for _, values in contents.ListFields():
        for value in values:
            if isinstance(value, bytes):
                yield value.decode("utf-8", "replace")
            else:
                yield None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(parameters: Any) -> dict[str, Any]:
    found = {}
    for key, value in parameters.items():
        which = value.WhichOneof("parameter_choice")
        given = getattr(value, which) if which else None
        if given is not None and not (isinstance(given, float) and not math.isfinite(given)):
            found[str(key)] = given
    return found
