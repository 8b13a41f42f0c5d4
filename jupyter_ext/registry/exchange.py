"""One HTTP exchange: bytes in, status and bytes out. The same for both servers; blocks, so it runs in a thread."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http.client import responses
from typing import TYPE_CHECKING, NoReturn

from jupyter_ext.errors import Invalid, KubeflowError
from jupyter_ext.registry.routes import BODY_LIMIT, answer

if TYPE_CHECKING:
    from jupyter_ext.registry.service import Service

log = logging.getLogger("jupyter_kubeflow.registry")

JSON = "application/json; charset=UTF-8"


def respond(
    service: Service,
    method: str,
    place: tuple[str, str],
    arguments: Mapping[str, Sequence[bytes]],
    content: tuple[str, bytes],
) -> tuple[int, bytes]:
    """Answer a request. ``place`` is version and path below it, ``content`` the body's type and bytes."""
    try:
        query = {name: _decoded(values[0], name) for name, values in arguments.items() if values}
        body = None if method == "GET" else _body(*content)
        status, found = answer(service, method, *place, query, body)
    except KubeflowError as error:
        if error.status >= 500:
            log.warning("%s %s/%s: %s", method, *place, error)
        return error.status, refusal(error)
    except Exception:
        log.exception("%s %s/%s failed", method, *place)
        return 500, failure(500, "the registry met something it did not expect; its log has the details")
    return status, encode(found)


def encode(value: object) -> bytes:
    """JSON as it is sent."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def refusal(error: KubeflowError) -> bytes:
    """Upstream's form of an error: ``code`` is the text of the status."""
    from jupyter_ext.registry.bodies import Missing

    message = f"{error.what.rstrip('.')}. {error.hint}" if error.hint else error.what
    return failure(400 if isinstance(error, Missing) else error.status, message)


def failure(status: int, message: str) -> bytes:
    """The body of an answer that is none."""
    return encode({"code": responses.get(status, "Error"), "message": message})


def _decoded(value: bytes, name: str) -> str:
    try:
        found = value.decode()
    except UnicodeDecodeError:
        raise Invalid(f"{name[:40]} is not UTF-8") from None
    if "\0" in found:
        raise Invalid(f"{name[:40]} has a null byte")
    return found


def _body(kind: str, content: bytes) -> object:
    """Only JSON is taken: a page of another site cannot send it without asking first."""
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Invalid("the body is not application/json", hint="Set the header Content-Type.")
    if len(content) > BODY_LIMIT:
        raise Invalid(f"the body has {len(content)} bytes", hint=f"The limit is {BODY_LIMIT}.")
    try:
        return json.loads(content, parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is not JSON ({error})"[:300]) from None


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
