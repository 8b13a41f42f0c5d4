"""V2 over gRPC, on grpc.aio in the same loop; loaded only when it is asked for."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import grpc

from jupyter_ext import __version__
from jupyter_ext.errors import Invalid, KubeflowError
from jupyter_ext.serving.server import protocol, tensors, v2
from jupyter_ext.serving.server.config import Place
from jupyter_ext.serving.server.metrics import Metrics
from jupyter_ext.serving.server.repository import Repository, metadata
from jupyter_ext.serving.server.rest import refusal
from jupyter_ext.serving.server.served import Served

Headers = Callable[[], dict[str, str]]
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CONTENTS: Final = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
_MESSAGES: Final = {
    name: (protocol.message(f"{name}Request"), protocol.message(f"{name}Response"))
    for name in protocol.METHODS
}


class Rpc:
    """The service over the same models."""

    def __init__(self, repository: Repository, metrics: Metrics, limit: int) -> None:
        self.repository = repository
        self.metrics = metrics
        sizes = [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", -1)]
        self.server = grpc.aio.server(options=[*sizes, ("grpc.so_reuseport", 0)])
        calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server,
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                _guarded(call, told=name == "ModelInfer"),
                request_deserializer=_MESSAGES[name][0].FromString,
                response_serializer=_MESSAGES[name][1].SerializeToString,
            )
            for name, call in calls.items()
        }
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(protocol.SERVICE, handlers),)
        )

    async def listen(self, place: Place) -> int:
        """Gives the port; 0 for a Unix socket, which nobody else may open."""
        if place.socket is None:
            port = int(self.server.add_insecure_port(f"{place.host}:{place.port}"))
        else:
            path = Path(place.socket)
            await asyncio.to_thread(path.unlink, missing_ok=True)
            before = os.umask(0o177)
            try:
                self.server.add_insecure_port(f"unix:{path}")
            finally:
                os.umask(before)
            port = 0
        await self.server.start()
        return port

    async def drain(self, seconds: float) -> None:
        """Finish what is in work."""
        await self.server.stop(seconds)

    # Health and metadata

    async def _live(self, _: Any) -> Any:
        return _MESSAGES["ServerLive"][1](live=True)

    async def _ready(self, _: Any) -> Any:
        return _MESSAGES["ServerReady"][1](ready=self.repository.ready)

    async def _model_ready(self, request: Any) -> Any:
        model = self.repository.get(request.name, request.version or None)
        return _MESSAGES["ModelReady"][1](ready=model.ready)

    async def _server(self, _: Any) -> Any:
        return _MESSAGES["ServerMetadata"][1](
            name="jupyter-kubeflow",
            version=__version__,
            extensions=["model_repository", "health", "metadata"],
        )

    async def _model(self, request: Any) -> Any:
        return _MESSAGES["ModelMetadata"][1](
            **metadata(self.repository.get(request.name, request.version or None))
        )

    # The repository

    async def _index(self, request: Any) -> Any:
        return _MESSAGES["RepositoryIndex"][1](models=self.repository.index(request.ready))

    async def _load(self, request: Any) -> Any:
        name = request.second or request.first
        await self.repository.change(name, load=True)
        return _MESSAGES["RepositoryModelLoad"][1](model_name=name, isLoaded=True)

    async def _unload(self, request: Any) -> Any:
        name = request.second or request.first
        await self.repository.change(name, load=False)
        return _MESSAGES["RepositoryModelUnload"][1](model_name=name, isUnloaded=True)

    # Predictions

    async def _infer(self, request: Any, headers: Headers) -> Any:
        model = self.repository.get(request.model_name, request.model_version or None)
        start = monotonic()
        status = 500
        try:
            model.check_ready()
            asked = decoded(request)
            found = v2.evaluated(model, asked, headers)
            if inspect.isawaitable(found):
                found = await found
            status = 200
            return encoded(model, asked, found, raw=bool(request.raw_input_contents))
        except KubeflowError as error:
            status = error.status
            raise
        finally:
            self.metrics.answered(model.key, "grpc", status, monotonic() - start)


def _guarded(call: Callable[..., Awaitable[Any]], told: bool = False) -> Any:
    """``told``: the call gets the metadata too, as a model gets the headers of a request over HTTP."""

    async def handle(request: Any, context: Any) -> Any:
        def headers() -> dict[str, str]:
            given = context.invocation_metadata() or ()
            return {key: value for key, value in given if isinstance(value, str)}

        try:
            return await (call(request, headers) if told else call(request))
        except Exception as error:
            import orjson

            answer = refusal(error)
            text = orjson.loads(answer.body)["error"] if isinstance(answer.body, bytes) else str(error)
            await context.abort(_CODES.get(answer.status, grpc.StatusCode.INTERNAL), text[:4000])

    return handle


def decoded(request: Any) -> v2.Asked:
    """Read a request. Raises Invalid."""
    asked = v2.Asked({}, {}, request.id or os.urandom(8).hex(), _plain(request.parameters))
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise Invalid(f"there are {len(request.inputs)} inputs and {len(raw)} raw_input_contents")
    if not request.inputs:
        raise Invalid("inputs is empty; there is nothing to predict")
    for position, tensor in enumerate(request.inputs):
        name, datatype = tensor.name, tensor.datatype
        if name in asked.arrays:
            raise Invalid(f"there are two inputs with the name {name}"[:200])
        dtype = tensors.dtype_of(datatype, name)
        shape = tensors.shape_of(list(tensor.shape), name)
        asked.datatypes[name] = datatype
        asked.each[name] = _plain(tensor.parameters)
        if raw:
            asked.arrays[name] = tensors.from_bytes(raw[position], shape, datatype, name)
        else:
            asked.arrays[name] = _from_contents(tensor.contents, shape, dtype, datatype, name)
    if request.outputs:
        asked.outputs = [output.name for output in request.outputs]
    return asked


def _from_contents(contents: Any, shape: tuple[int, ...], dtype: Any, datatype: str, name: str) -> Any:
    word = _CONTENTS.get(datatype)
    if word is None:
        raise Invalid(f"{datatype} goes by raw_input_contents only (input {name})")
    values = list(getattr(contents, word))
    if datatype == "BYTES":
        values = [tensors.text_of(value) for value in values]
    return tensors.from_flat(values, shape, dtype, name)


def _plain(parameters: Any) -> dict[str, Any]:
    found = {}
    for key, value in parameters.items():
        which = value.WhichOneof("parameter_choice")
        if which is not None:
            found[key] = getattr(value, which)
    return found


def encoded(model: Served, asked: v2.Asked, found: dict[str, Any], raw: bool) -> Any:
    """The answer: raw when the request was, or when a type has no other form."""
    answer = _MESSAGES["ModelInfer"][1](model_name=model.name, model_version=model.version, id=asked.id)
    outputs = v2.chosen(asked, found)
    types = {name: tensors.datatype_of(array) for name, array in outputs.items()}
    raw = raw or "FP16" in types.values()
    for name, array in outputs.items():
        tensor = answer.outputs.add(name=name, datatype=types[name], shape=array.shape)
        if raw:
            answer.raw_output_contents.append(tensors.to_bytes(array, types[name]))
            continue
        values = array.ravel().tolist()
        if types[name] == "BYTES":
            values = [tensors.as_bytes(value) for value in values]
        getattr(tensor.contents, _CONTENTS[types[name]]).extend(values)
    return answer
