"""The predict of a transformer: what it prepared goes on to the predictor that it stands before."""

from __future__ import annotations

from typing import Any, Final

import orjson

from jupyter_ext.errors import KubeflowError, Unavailable
from jupyter_ext.serving.http.client import Late, Pool
from jupyter_ext.serving.server.v1 import dumped

_PASSED: Final = ("x-request-id", "traceparent", "tracestate")
"""By the first of these the gateway keeps the variant that was chosen for the user."""


class Forward:
    """Asks ``predictor``, "host:port" or "host:port/path", for the model of this name."""

    def __init__(self, predictor: str, name: str, timeout: float) -> None:
        host, _, path = predictor.removeprefix("http://").partition("/")
        self.address = host
        self.path = f"/{path.rstrip('/')}" if path else ""
        self.name = name
        self.timeout = timeout
        self._pool: Pool | None = None

    async def __call__(self, payload: Any, headers: dict[str, str]) -> Any:
        """The predictor's answer, its fault with its status."""
        if self._pool is None:
            self._pool = Pool(self.address)
        body, verb = _body(payload)
        target = f"{self.path}{verb.format(name=self.name)}".encode()
        passed = [(name.encode(), headers[name].encode("latin-1")) for name in _PASSED if name in headers]
        fields = [*passed, (b"content-type", b"application/json")]
        try:
            reply = await self._pool.send(b"POST", target, fields, body, self.timeout)
        except Late as error:
            raise _status(Unavailable(f"the predictor is late ({error})"), 504) from None
        except OSError as error:
            raise Unavailable(f"the predictor cannot be asked ({error})") from None
        try:
            answer = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            raise _status(Unavailable("the predictor's answer is not JSON"), 502) from None
        if reply.status >= 400:
            text = str(answer.get("error", answer) if isinstance(answer, dict) else answer)
            raise _status(Unavailable(text), reply.status)
        return answer


def _status(error: KubeflowError, status: int) -> KubeflowError:
    error.status = status
    return error


def _body(payload: Any) -> tuple[bytes, str]:
    """A V2 request where it has tensors, else V1."""
    if hasattr(payload, "inputs") and not isinstance(payload, dict):
        found: dict[str, Any] = {
            "inputs": [
                {"name": each.name, "shape": each.shape, "datatype": each.datatype, "data": each.data}
                for each in payload.inputs
            ]
        }
        if getattr(payload, "id", None):
            found["id"] = payload.id
        return dumped(found), "/v2/models/{name}/infer"
    inputs = payload.get("inputs") if isinstance(payload, dict) else None
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) and "datatype" in inputs[0]:
        return dumped(payload), "/v2/models/{name}/infer"
    whole = payload if isinstance(payload, dict) else {"instances": payload}
    return dumped(whole), "/v1/models/{name}:predict"
