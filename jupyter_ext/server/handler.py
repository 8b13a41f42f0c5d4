"""What every REST handler of the extension shares: errors in one form, JSON out, blocking work in threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import wraps
from http.client import responses
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.errors import Invalid, KubeflowError

from . import fields
from .fields import Field

if TYPE_CHECKING:
    from .app import KubeflowServer

P = ParamSpec("P")
T = TypeVar("T")
Method = Callable[..., Coroutine[Any, Any, None]]

SMALL = 1 << 20
LARGE = 64 << 20
"""Bytes: limits of a request body without and with a notebook in it."""

pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="kubeflow-rest")
"""Requests block here, never on the server's loop. A log that is followed has a thread of its own."""


@dataclass(frozen=True)
class Operation:
    """One verb of one route, as the OpenAPI file tells it."""

    summary: str
    action: str
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    limit: int = SMALL
    status: int = 200
    reply: str = "application/json"


def operation(spec: Operation) -> Callable[[Method], Method]:
    """Describe a verb and turn its KubeflowErrors into answers.

    Innermost of three decorators: ``web.authenticated``, ``authorized(action, resource)``, this one.
    The server recognises an authenticated verb by its outermost decorator.
    """

    def wrap(method: Method) -> Method:
        @wraps(method)
        async def inner(self: KubeflowHandler, *args: str, **kwargs: str) -> None:
            try:
                await method(self, *args, **kwargs)
            except KubeflowError as error:
                self.refuse(error)

        inner.operation = spec  # type: ignore[attr-defined]
        return inner

    return wrap


def encode(value: object) -> str:
    """JSON as resources are stored: NaN and infinities are the strings of protobuf's JSON mapping."""
    from jupyter_ext.cluster.local.codec import encode as as_stored

    return as_stored(value)


class KubeflowHandler(APIHandler):
    """Base of all REST handlers. Panels poll and stream: none of it counts as activity of the user."""

    _track_activity = False
    auth_resource = "kubeflow"

    @property
    def app(self) -> KubeflowServer:
        """The extension: what all handlers share."""
        app: KubeflowServer = self.settings["jupyter_kubeflow"]
        return app

    async def prepare(self) -> None:  # type: ignore[override]
        """Start what needs a running server; the first request may come before the start hook."""
        await super().prepare()
        self.app.ensure_started()

    async def blocking(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in a thread and wait without blocking the server."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, lambda: function(*args, **kwargs))

    def query(self, spec: tuple[Field, ...]) -> dict[str, Any]:
        """The query arguments; raises Invalid."""
        given = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        return fields.read_query(spec, given)

    def body(self, spec: tuple[Field, ...], limit: int = SMALL) -> dict[str, Any]:
        """The JSON body; raises Invalid."""
        if len(self.request.body) > limit:
            raise TooLarge(
                f"the request has {len(self.request.body)} bytes", hint=f"The limit is {limit} bytes."
            )
        text = self.request.body.strip()
        try:
            value = json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            raise Invalid("the body is not JSON", hint=f"{type(error).__name__}: {error}"[:200]) from None
        return fields.read(spec, value)

    def reply(self, value: object, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(encode(value))

    def refuse(self, error: KubeflowError) -> None:
        """Answer with the one form that errors have."""
        if error.status >= 500:
            self.log.warning("%s %s: %s", self.request.method, self.request.path, error)
        self.reply({"message": str(error), **error.to_dict()}, error.status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Give what the server itself refuses (no token, no such verb) and our own faults the same form."""
        exception = (kwargs.get("exc_info") or (None, None, None))[1]
        what = responses.get(status_code, "Unknown error")
        hint = None
        if isinstance(exception, web.HTTPError) and exception.log_message and status_code < 500:
            what = exception.log_message
        elif status_code >= 500:
            what = "the server extension met something it did not expect"
            hint = "The server's log has the details."
        message = what if hint is None else f"{what}. {hint}"
        self.finish(
            encode({"message": message, "what": what, "where": {}, "hint": hint, "status": status_code})
        )


class TooLarge(KubeflowError):
    """The request is larger than this server takes."""

    status = 413
