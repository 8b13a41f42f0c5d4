"""One connection of a server: what httptools parses out of its bytes, and the answers in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Final, cast

import httptools

from jupyter_ext.serving.http.message import Headers, Malformed, Request, Response, failure, fields, head
from jupyter_ext.serving.http.promise import Promised

if TYPE_CHECKING:
    from jupyter_ext.serving.http.server import Server

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_QUEUE: Final = 16
"""Pipelined requests that wait behind the one in work before nothing more is read."""

_LINGER: Final = 2.0
"""Seconds that a refused client may go on sending."""


class _Refused(Exception):
    """The request cannot be taken: ``answer`` says why and the connection is closed."""

    def __init__(self, status: int, text: str, answer: Response | None = None) -> None:
        super().__init__(text)
        self.answer = answer or failure(status, text)


class Connection(asyncio.Protocol):
    """Parses, hands one request at a time to the server's handler, and writes what that gives."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.limits = server.limits
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.parser: Any = None
        self.queue: deque[Request | Response] = deque()
        self.current: Request | None = None
        self.work: asyncio.Future[Any] | None = None
        self.since = self.loop.time()
        """When the connection last became idle, or the request that is coming in began."""
        self.coming = False
        self.closing = False
        self.paused = False
        self.refused = False
        self.lingering = False
        self.writable: asyncio.Future[None] | None = None
        self._begin()

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, or say that there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        if self.server.open >= self.limits.connections:
            self.refused = True
            self._write(failure(503, "There are too many connections. Try again."), keep=False)
            self.transport.close()
            return
        self.server.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Whoever asked is gone, so is what they asked for."""
        self.server.gone(self)
        self.closing = True
        self.queue.clear()
        if self.work is not None:
            self.work.cancel()
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)

    def eof_received(self) -> bool:
        """Over a Unix socket a client that died looks like one that half closed: both are gone."""
        self.closing = True
        return False

    def data_received(self, data: bytes) -> None:
        """Parse; a request that is complete starts or waits for its turn."""
        if self.refused:
            return
        if self.in_head:
            self.head_size += len(data)
        try:
            self.parser.feed_data(data)
            if self.in_head and self.coming and self.head_size > self.limits.head:
                raise _Refused(431, f"The head of a request has {self.limits.head:,} bytes at most.")
        except httptools.HttpParserUpgrade:
            self.closing = True
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self._refuse(cause.answer)
            else:
                self._refuse(failure(400, f"This is not HTTP/1.1 that can be understood: {error}."))
        except _Refused as refused:
            self._refuse(refused.answer)
        self._next()

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self.writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """It caught up."""
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)
        self.writable = None
        self._next()

    # What the parser tells

    def _begin(self) -> None:
        self.target = b""
        self.headers: Headers = []
        self.parts: list[bytes] = []
        self.size = 0
        self.head_size = 0
        self.in_head = True

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._begin()
        self.coming = True
        self.since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole field."""
        self.headers.append((name.lower(), value))
        if len(self.headers) > self.limits.fields:
            raise _Refused(431, f"There are more than {self.limits.fields} header fields.")

    def on_headers_complete(self) -> None:
        """Refuse what is ambiguous or too large before its body comes."""
        self.in_head = False
        if sum(len(key) + len(value) for key, value in self.headers) + len(self.target) > self.limits.head:
            raise _Refused(431, f"The head of a request has {self.limits.head:,} bytes at most.")
        length = self._sane()
        if length is not None and length > self.limits.body:
            raise _Refused(413, self._too_large(f"{length:,} bytes"))
        if self.server.admit is not None:
            refusal = self.server.admit(self.parser.get_method().decode(), self.target, self.headers)
            if refusal is not None:
                raise _Refused(refusal.status, "not admitted", refusal)
        expects = any(key == b"expect" and value.lower() == b"100-continue" for key, value in self.headers)
        if expects and not self.busy:
            self.transport.write(_CONTINUE)

    def _sane(self) -> int | None:
        """The announced length; raises _Refused on what two servers could understand in two ways."""
        lengths = [value for key, value in self.headers if key == b"content-length"]
        coded = [value for key, value in self.headers if key == b"transfer-encoding"]
        hosts = sum(1 for key, _ in self.headers if key == b"host")
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise _Refused(400, "A request has one Host field.")
        if len(lengths) > 1 or (lengths and coded):
            raise _Refused(400, "A request has one Content-Length or is chunked.")
        if coded and (len(coded) > 1 or coded[0].lower() != b"chunked"):
            raise _Refused(501, "The only transfer coding understood is chunked.")
        if not self.target.startswith((b"/", b"http://", b"https://", b"*")):
            raise _Refused(400, "The target of a request is a path.")
        if any(key == b"content-encoding" and value.lower() != b"identity" for key, value in self.headers):
            raise _Refused(415, "Bodies are taken without Content-Encoding.")
        return int(lengths[0]) if lengths and lengths[0].isdigit() else None

    def on_body(self, body: bytes) -> None:
        """A piece; counted before it is kept."""
        self.size += len(body)
        if self.size > self.limits.body:
            raise _Refused(413, self._too_large(f"{self.size:,} bytes or more"))
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """A whole request: it waits for its turn."""
        target = self.target
        if target.startswith((b"http://", b"https://")):
            target = b"/" + target.split(b"//", 1)[1].partition(b"/")[2]
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        request = Request(self.parser.get_method().decode("latin-1"), target, self.headers, body)
        request.keep_alive = self.parser.should_keep_alive()
        request.old = self.parser.get_http_version() == "1.0"
        request.started = self.since
        self.coming = False
        self.in_head = True
        self.head_size = 0
        self.queue.append(request)

    # Turns

    @property
    def busy(self) -> bool:
        """Whether something is in work or waits."""
        return self.current is not None or bool(self.queue)

    def _next(self) -> None:
        """Start what waits, unless something is in work."""
        while self.queue and self.current is None and self.writable is None:
            if self.transport.is_closing():
                return
            first = self.queue.popleft()
            if isinstance(first, Response):
                self._write(first, keep=False)
                self._linger()
                return
            self.current = first
            self._start(first)
        if len(self.queue) >= _QUEUE:
            if not self.paused:
                self.paused = True
                self.transport.pause_reading()
        elif self.paused and len(self.queue) < _QUEUE // 2:
            self.paused = False
            self.transport.resume_reading()

    def _start(self, request: Request) -> None:
        try:
            answer = self.server.handle(request)
        except Exception as error:
            answer = _fault(error)
        if isinstance(answer, Response):
            self._answer(answer)
            return
        if isinstance(answer, asyncio.Future):
            if answer.done():
                self._done(answer)
                return
            self.work = answer
            if isinstance(answer, Promised):
                answer.at_once = self._done
                return
        else:
            self.work = asyncio.ensure_future(answer)
        self.work.add_done_callback(self._done)

    def _done(self, work: asyncio.Future[Response]) -> None:
        self.work = None
        if self.transport.is_closing():
            if not work.cancelled():
                work.exception()
            return
        if work.cancelled():
            self._answer(failure(503, "The request was given up."))
        elif (error := work.exception()) is not None:
            self._answer(_fault(error))
        else:
            self._answer(work.result())
        self._next()

    def _answer(self, response: Response) -> None:
        request = self.current
        if request is None:
            return
        last = self.closing and not self.queue and not self.coming
        keep = request.keep_alive and not response.close and not self.server.draining and not last
        if not isinstance(response.body, bytes):
            self.work = asyncio.ensure_future(self._stream(response, response.body, keep))
            return
        try:
            self._write(response, keep)
        except Malformed as error:
            self._write(failure(500, f"The answer cannot be sent: {error}."), keep=False)
            keep = False
        self._finished(keep)

    def _linger(self) -> None:
        """Closing at once could reset the connection before the client has read why: let it send a little more."""
        self.lingering = True
        self.since = self.loop.time()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _finished(self, keep: bool) -> None:
        self.current = None
        self.since = self.loop.time()
        if not keep:
            self.queue.clear()
            self.refused = True
            self.transport.close()

    def _write(self, response: Response, keep: bool) -> None:
        body = cast("bytes", response.body)
        lines = [head(response.status, response.content_type)]
        if response.headers:
            lines.append(fields(response.headers))
        if response.status >= 200 and response.status != 204:
            lines.append(b"content-length: %d\r\n" % len(body))
        lines.append(self._ending(keep))
        if self.current is None or self.current.method != "HEAD":
            lines.append(body)
        self.transport.write(b"".join(lines))

    def _ending(self, keep: bool) -> bytes:
        if not keep:
            return b"connection: close\r\n\r\n"
        old = self.current is not None and self.current.old
        return b"connection: keep-alive\r\n\r\n" if old else b"\r\n"

    async def _stream(self, response: Response, pieces: AsyncIterable[bytes], keep: bool) -> None:
        """Chunks; a fault on the way breaks the connection, which is how HTTP/1.1 says that."""
        try:
            request = self.current
            chunked = request is not None and not request.old
            keep = keep and chunked
            coding = b"transfer-encoding: chunked\r\n" if chunked else b""
            start = head(response.status, response.content_type) + fields(response.headers)
            self.transport.write(start + coding + self._ending(keep))
            if request is None or request.method != "HEAD":
                async for piece in pieces:
                    if piece:
                        self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    if self.writable is not None:
                        await self.writable
                if chunked:
                    self.transport.write(b"0\r\n\r\n")
        except Exception:
            self.transport.abort()
            return
        self.work = None
        self._finished(keep)
        self._next()

    # Refusals and ends

    def _too_large(self, what: str) -> str:
        return f"The request has {what}; {self.limits.body:,} are the most that is taken here."

    def _refuse(self, answer: Response) -> None:
        """After the answers to what came before; nothing more is read."""
        self.refused = True
        self.coming = False
        self.queue.append(answer)

    def sweep(self, now: float) -> None:
        """Close when idle or slow for too long."""
        waited = now - self.since
        if self.lingering and waited > _LINGER:
            self.transport.abort()
        elif self.busy or self.lingering:
            return
        elif self.coming and not self.refused:
            if waited > self.limits.arrival:
                text = f"The request took more than {self.limits.arrival:g} s to arrive."
                self._refuse(failure(408, text))
                self._next()
        elif waited > self.limits.idle:
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                self.transport.close()

    def finish(self) -> None:
        """Close as soon as nothing is in work."""
        self.closing = True
        if not self.busy and not self.coming:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()


def _fault(error: BaseException) -> Response:
    """What a handler did not expect; handlers turn what they expect into answers themselves."""
    return failure(500, f"{type(error).__name__}: {error}"[:2000])
