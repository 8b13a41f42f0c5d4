"""A log, of whatever kind: the last lines by request, or followed on a websocket."""


# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
import threading
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_ext.errors import KubeflowError, Unavailable

from . import access, fields
from .fields import Field
from .handler import KubeflowHandler, Operation, encode, operation
from .kind import Kind

LINES = Field("lines", "integer", "Only so many of the last lines.", default=1000, limit=100_000)
PART = Field("part", "string", "Only this part: a step of a run, rank-0 of a job.", limit=400)
STEP = Field("step", "string", "The same, as runs call it.", limit=400)
FOLLOW = (PART, STEP, LINES)
FRAME = 1 << 16
"""Characters in one frame at most."""
FOLLOWERS = 64
"""Logs followed at the same time at most; each has a thread."""


def tail_handler(kind: Kind) -> type[KubeflowHandler]:
    """Make the handler of ``{plural}/{name}/logs:tail``."""

    class TailHandler(KubeflowHandler):
        @web.authenticated
        @authorized("read", kind.resource)
        @operation(Operation("The last lines of the log, or of one part's.", "read", query=FOLLOW))
        async def get(self, name: str) -> None:
            query = self.query(FOLLOW)
            self.reply({"text": await self.blocking(self.read, name, query)})

        @staticmethod
        def read(name: str, query: dict[str, Any]) -> str:
            """Read in a thread."""
            part = query["part"] or query["step"]
            return "".join(access.printed(kind.kind, name, part, tail=query["lines"]))

    TailHandler.__name__ = TailHandler.__qualname__ = f"{kind.kind}LogTailHandler"
    return TailHandler


def socket_handler(kind: Kind) -> type[LogSocket]:
    """Make the handler of ``{plural}/{name}/logs``."""
    name = f"{kind.kind}LogSocket"
    return type(name, (LogSocket,), {"kind": kind.kind, "auth_resource": kind.resource})


class LogSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Frames ``{"text"}``, at the end ``{"end": true}``, or ``{"error"}``; then it closes."""

    operation = Operation("Follow a log on a websocket.", "read", query=FOLLOW, status=101)
    kind = "Run"
    auth_resource = "kubeflow.runs"
    _followers = threading.BoundedSemaphore(FOLLOWERS)

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Check that the user may read, then become a websocket."""
        allowed = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "read", self.auth_resource)
        )
        if not allowed:
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, name: str) -> None:
        """Start to follow."""
        super().open(name)
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(name,), name="kubeflow-log", daemon=True).start()

    def on_close(self) -> None:
        """Let the thread end."""
        self._stop.set()
        super().on_close()

    def get_compression_options(self) -> dict[str, Any]:
        """Logs shrink to a tenth."""
        return {}

    def _run(self, name: str) -> None:
        """Follow, in a thread of its own."""
        try:
            if not self._followers.acquire(blocking=False):
                raise Unavailable("too many logs are followed already", hint="Close some of the log views.")
            try:
                self._follow(name)
            finally:
                self._followers.release()
        except KubeflowError as error:
            self._last({"error": {"message": str(error), **error.to_dict()}})
        except (WebSocketClosedError, RuntimeError):
            return
        except Exception:
            self.log.exception("following the log of %s failed", name)
            self._last(
                {"error": {"message": "The log cannot be followed. The server's log has the details."}}
            )

    def _follow(self, name: str) -> None:
        given = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        query = fields.read_query(FOLLOW, given)
        part = query["part"] or query["step"]
        lines = query["lines"]
        for chunk in access.printed(self.kind, name, part, tail=lines, follow=True, stop=self._stop):
            for start in range(0, len(chunk), FRAME):
                if self._stop.is_set():
                    return
                self._send({"text": chunk[start : start + FRAME]})
        self._last({"end": True})

    def _send(self, frame: dict[str, object]) -> None:
        """Send and wait until the browser's side has taken it: a slow reader slows the follower, not the server."""
        asyncio.run_coroutine_threadsafe(self._write(encode(frame)), self._loop).result()

    async def _write(self, text: str) -> None:
        await self.write_message(text)

    def _last(self, frame: dict[str, object]) -> None:
        if not self._stop.is_set():
            try:
                self._send(frame)
                self._loop.call_soon_threadsafe(self.close, 1000)
            except (WebSocketClosedError, RuntimeError):
                return
