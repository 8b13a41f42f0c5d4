"""The client side: a pool of kept-alive connections to one server, over a Unix socket or TCP."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Protocol, cast

import httptools

from jupyter_ext.serving.http.message import OURS, Headers, Reply, fields


class Unreachable(ConnectionError):
    """Nothing was sent: there is no such server, or it takes no connections."""


class Lost(ConnectionError):
    """The connection broke after sending; ``started`` says whether a part of the answer had come."""

    def __init__(self, text: str, *, started: bool) -> None:
        super().__init__(text)
        self.started = started


class Late(TimeoutError):
    """No whole answer in time."""


class Sink(Protocol):
    """Takes an answer, as a future does, but at once: within the call by which its last byte arrived."""

    def done(self) -> bool:
        """Whether nothing is waited for any more."""

    def set_result(self, result: Reply, /) -> None:
        """The answer."""

    def set_exception(self, exception: Exception, /) -> None:
        """Why there is none."""


class _Exchange:
    """One request on its way."""

    __slots__ = ("data", "deadline", "fresh", "future", "head_only", "timeout")

    def __init__(self, data: bytes, future: Sink, head_only: bool, timeout: float, deadline: float) -> None:
        self.data = data
        self.future = future
        self.head_only = head_only
        self.fresh = False
        self.timeout = timeout
        self.deadline = deadline


_MAX_CONNECTING: Final = 32
"""Connections that may be in the making at once: a burst waits for those, not for one each."""


class Pool:
    """Connections to ``address`` ("unix:/path" or "host:port"), at most ``connections``; ``idle`` seconds each is kept.

    ``limit`` is the largest answer in bytes. Made and used in one running loop.
    """

    def __init__(
        self, address: str, connections: int = 256, idle: float = 30.0, limit: int = 256 << 20
    ) -> None:
        self.address = address
        self.connections = connections
        self.idle = idle
        self.limit = limit
        self.loop = asyncio.get_running_loop()
        self._free: list[_Wire] = []
        self._all: set[_Wire] = set()
        self._queue: deque[_Exchange] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._host = b"localhost" if address.startswith("unix:") else address.encode("ascii", "replace")
        self._alarm: asyncio.TimerHandle | None = None
        """One for all requests: a timer for each would cost more than its parsing."""
        self._due = math.inf

    @property
    def open(self) -> int:
        """Connections."""
        return len(self._all)

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""
        return len(self._all) - len(self._free)

    def send(
        self,
        method: bytes,
        target: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        timeout: float,
    ) -> asyncio.Future[Reply]:
        """The answer, or Unreachable, Lost or Late. Names of fields are in lower case. Raises Malformed."""
        future: asyncio.Future[Reply] = self.loop.create_future()
        self.send_to(future, method, target, headers, body, timeout)
        return future

    def send_to(
        self,
        sink: Sink,
        method: bytes,
        target: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        timeout: float,
    ) -> None:
        """As ``send``, with the answer to a sink. Raises Malformed."""
        deadline = self.loop.time() + timeout
        message = self._message(method, target, headers, body)
        exchange = _Exchange(message, sink, method == b"HEAD", timeout, deadline)
        if deadline < self._due:
            self._set_alarm(deadline)
        self._give(exchange)

    def close(self) -> None:
        """Close what is idle; what waits fails, what is in flight ends first."""
        self._closed = True
        for wire in list(self._free):
            wire.transport.close()
        for task in list(self._connecting):
            task.cancel()
        while self._queue:
            self._fail(self._queue.popleft(), Unreachable(f"{self.address} is no longer used"))

    def _message(
        self, method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> bytes:
        kept = [field for field in headers if field[0] not in OURS]
        if not any(key == b"host" for key, _ in kept):
            kept.append((b"host", self._host))
        if body or method not in {b"GET", b"HEAD"}:
            kept.append((b"content-length", b"%d" % len(body)))
        if b" " in target or b"\r" in target or b"\n" in target:
            raise ValueError(f"{target[:80]!r} is no target of a request")
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, fields(kept), body)

    def _give(self, exchange: _Exchange) -> None:
        """To an idle connection, else to the next that becomes free."""
        now = self.loop.time()
        while self._free:
            wire = self._free.pop()
            if wire.transport.is_closing():
                continue
            if now - wire.since > self.idle:
                wire.transport.close()
                continue
            wire.begin(exchange)
            return
        self._wait(exchange)

    def _wait(self, exchange: _Exchange) -> None:
        if self._closed:
            self._fail(exchange, Unreachable(f"{self.address} is no longer used"))
            return
        self._queue.append(exchange)
        self._more()

    def _more(self) -> None:
        """Make one more connection if something waits for one."""
        making = len(self._connecting)
        if making < min(len(self._queue), _MAX_CONNECTING) and len(self._all) + making < self.connections:
            self._connecting.add(self.loop.create_task(self._connect()))

    async def _connect(self) -> None:
        wire = _Wire(self)
        try:
            await self._reach(wire)
        except OSError as error:
            # All who wait would meet the same: each may go elsewhere at once.
            text = f"{self.address} does not answer ({error.strerror or error})"
            while self._queue:
                self._fail(self._queue.popleft(), Unreachable(text))
        else:
            self._all.add(wire)
            self.freed(wire)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._connecting.discard(cast("asyncio.Task[None]", task))

    async def _reach(self, wire: _Wire) -> None:
        if self.address.startswith("unix:"):
            await self.loop.create_unix_connection(lambda: wire, self.address[5:])
        else:
            host, _, port = self.address.rpartition(":")
            await self.loop.create_connection(lambda: wire, host.strip("[]"), int(port))

    def freed(self, wire: _Wire) -> None:
        """A connection has nothing to do: give it what waits."""
        if wire.transport.is_closing():
            self.gone(wire)
            return
        while self._queue:
            exchange = self._queue.popleft()
            if not exchange.future.done():
                exchange.fresh = wire.used == 0
                wire.begin(exchange)
                return
        if self._closed:
            wire.transport.close()
            return
        wire.since = self.loop.time()
        self._free.append(wire)

    def gone(self, wire: _Wire) -> None:
        """A connection is closed."""
        self._all.discard(wire)
        if wire in self._free:
            self._free.remove(wire)
        self._more()

    def again(self, exchange: _Exchange) -> None:
        """The server had closed an idle connection before the request reached it: once more, on a new one."""
        if exchange.future.done():
            return
        exchange.fresh = True
        for wire in self._free:
            wire.transport.close()
        self._free.clear()
        self._wait(exchange)

    def _set_alarm(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._due = due
        self._alarm = self.loop.call_at(due, self._look)

    def _look(self) -> None:
        """Give up what is late, and look again when the next one would be."""
        self._alarm, self._due = None, math.inf
        now = self.loop.time() + 0.001
        for wire in [each for each in self._all if each.exchange and each.exchange.deadline <= now]:
            exchange = wire.exchange
            if exchange is not None:
                wire.exchange = None
                self._late(exchange)
                wire.transport.abort()
        for exchange in [each for each in self._queue if each.deadline <= now]:
            self._late(exchange)
        here = [
            each.exchange.deadline for each in self._all if each.exchange and each.exchange.deadline > now
        ]
        due = min([*here, *(each.deadline for each in self._queue if each.deadline > now)], default=math.inf)
        if due < self._due:
            self._set_alarm(due)

    def _late(self, exchange: _Exchange) -> None:
        self._fail(exchange, Late(f"{self.address} has not answered within {exchange.timeout:g} s"))

    @staticmethod
    def _fail(exchange: _Exchange, error: Exception) -> None:
        if not exchange.future.done():
            exchange.future.set_exception(error)


class _Wire(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.parser: Any = httptools.HttpResponseParser(self)
        self.exchange: _Exchange | None = None
        self.since = 0.0
        self.used = 0
        self.status = 0
        self.headers: Headers = []
        self.parts: list[bytes] = []
        self.size = 0
        self.started = False
        self.informing = False
        self.whole = False
        """Whether an answer has just come to its end, and the connection may be used again."""

    def begin(self, exchange: _Exchange) -> None:
        """Send."""
        self.exchange = exchange
        self.used += 1
        self.started = False
        self.status = 0
        self.headers = []
        self.transport.write(exchange.data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of an answer; what nobody asked for closes the connection."""
        if self.exchange is None:
            self.transport.abort()
            return
        self.started = True
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.whole = False
            self._lose(f"{self.pool.address} answered what is not HTTP/1.1 ({error})")
            self.transport.abort()
            return
        if self.whole:
            # Not before: the parser may not be fed from within its own callback.
            self.whole = False
            self._free()

    def on_message_begin(self) -> None:
        """A new answer; one that nobody asked for may not pass for the next request's."""
        if self.exchange is None:
            raise ValueError("an answer without a request")
        self.headers = []
        self.parts = []
        self.size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole field."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Know whether this is the answer or one before it (100 Continue)."""
        self.status = self.parser.get_status_code()
        self.informing = 100 <= self.status < 200
        if self.exchange is not None and self.exchange.head_only and not self.informing:
            # An answer to HEAD has the length of a body that does not come.
            self._complete(keep=False)

    def on_body(self, body: bytes) -> None:
        """A piece."""
        self.size += len(body)
        if self.size > self.pool.limit:
            raise ValueError(f"the answer has more than {self.pool.limit:,} bytes")
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """Done, unless it was only a sign that more comes."""
        if not self.informing:
            self._complete(keep=self.parser.should_keep_alive())

    def _complete(self, keep: bool) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if keep and not self.transport.is_closing():
            self.whole = True
        else:
            self.transport.close()
        if not exchange.future.done():
            body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
            exchange.future.set_result(Reply(self.status, self.headers, body))
        self.parts = []

    def _free(self) -> None:
        if not self.transport.is_closing() and self.exchange is None:
            self.pool.freed(self)

    def eof_received(self) -> bool:
        """An answer without a length ends here."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """An idle one goes quietly."""
        self.pool.gone(self)
        if self.exchange is None:
            return
        if self._ended_by_close():
            return
        if not self.started and self.used > 1 and not self.exchange.fresh:
            exchange, self.exchange = self.exchange, None
            self.pool.again(exchange)
            return
        self._lose(
            f"{self.pool.address} closed the connection before its answer was whole ({error or 'EOF'})"
        )

    def _ended_by_close(self) -> bool:
        """A body without length and coding ends with the connection."""
        names = {key for key, _ in self.headers}
        if not self.status or {b"content-length", b"transfer-encoding"} & names or not self.started:
            return False
        self._complete(keep=False)
        return True

    def _lose(self, text: str) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            Pool._fail(exchange, Lost(text, started=self.started))  # noqa: SLF001 - the other half of the pool
