"""KServe's V1 protocol: rows in, predictions out, as JSON."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import orjson

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving.http.message import Request, Response

if TYPE_CHECKING:
    from jupyter_ext.serving.server.expected import Arrays
    from jupyter_ext.serving.server.served import Served


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON of a body. Raises Invalid."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not JSON: {error}"[:300]) from None
    if not isinstance(value, dict):
        raise Invalid("the body is not a JSON object", hint='For example: {"instances": [[1, 2, 3]]}.')
    return value


def arrays_of(model: Served, body: dict[str, Any]) -> tuple[Arrays, int]:
    """What a body asks, and for how many rows. Raises Invalid."""
    from jupyter_ext.serving.server import expected as reading

    expected = model.expected
    if "instances" in body:
        rows = body["instances"]
        arrays = expected.of_rows(rows) if expected is not None else reading.unknown_rows(rows)
        return arrays, len(rows)
    if "inputs" not in body:
        raise Invalid(
            f"the body has neither instances nor inputs, but {', '.join(map(str, body)) or 'nothing'}"[:200],
            where=Where(field="instances"),
            hint='For example: {"instances": [[1, 2, 3]]}.',
        )
    inputs = body["inputs"]
    if isinstance(inputs, dict):
        arrays = expected.of_columns(inputs) if expected is not None else reading.unknown_columns(inputs)
    else:
        arrays = (
            expected.of_rows(inputs, "inputs")
            if expected is not None
            else reading.unknown_rows(inputs, "inputs")
        )
    first = next(iter(arrays.values()))
    return arrays, len(first) if first.shape else 1


def predict(model: Served, request: Request) -> Response | Any:
    """An answer, or a coroutine of one."""
    body = parsed(request.body)
    if model.chain is not None:
        result = model.ask(body, headers_of(request))
        return _awaited(result, _of_payload) if inspect.isawaitable(result) else _of_payload(result)
    arrays, rows = arrays_of(model, body)
    found = model.infer(arrays, rows)
    return _of_arrays(found) if type(found) is dict else _awaited(found, _of_arrays)


async def _awaited(work: Any, encode: Any) -> Response:
    return encode(await work)  # type: ignore[no-any-return]


def headers_of(request: Request) -> dict[str, str]:
    """For a custom class."""
    return {key.decode("latin-1"): value.decode("latin-1") for key, value in request.headers}


def _of_arrays(found: Arrays) -> Response:
    if len(found) == 1:
        (only,) = found.values()
        return answer({"predictions": values_of(only)})
    lists = {name: values_of(array) for name, array in found.items()}
    lists = {name: value if isinstance(value, list) else value.tolist() for name, value in lists.items()}
    if len({len(value) for value in lists.values() if isinstance(value, list)}) == 1 and all(
        isinstance(value, list) for value in lists.values()
    ):
        return answer(
            {"predictions": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}
        )
    return answer({"predictions": lists})


def values_of(array: Any) -> Any:
    """What orjson can write: the array itself where it is of numbers."""
    if array.dtype.kind in "biuf" and array.dtype.itemsize != 2 and array.ndim:
        return (
            array
            if array.flags.c_contiguous and array.dtype.isnative
            else array.astype(array.dtype.newbyteorder("="), order="C")
        )
    return array.tolist()


def _of_payload(result: Any) -> Response:
    """What a custom class gave; a mapping goes out as it is."""
    if hasattr(result, "outputs") and not isinstance(result, dict):
        from jupyter_ext.serving.server.objects import result_arrays

        return _of_arrays(result_arrays(result, []))
    if isinstance(result, dict):
        return answer(result)
    if hasattr(result, "__aiter__"):
        return Response(200, _pieces(result), b"text/event-stream")
    return answer({"predictions": result})


async def _pieces(result: Any) -> Any:
    async for piece in result:
        yield (
            piece if isinstance(piece, bytes) else piece.encode() if isinstance(piece, str) else dumped(piece)
        )


def dumped(value: Any) -> bytes:
    """As JSON; arrays, frames and numpy's numbers too. NaN is null."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if hasattr(value, "columns") and hasattr(value, "to_dict"):
        return value.to_dict("records")
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(status, dumped(value))
