"""Copies of requests for a variant that nobody's answer depends on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jupyter_ext.serving.gateway.targets import renamed
from jupyter_ext.serving.http.client import Late
from jupyter_ext.serving.http.message import Reply

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.calls import Call
    from jupyter_ext.serving.gateway.exchange import Exchange
    from jupyter_ext.serving.gateway.router import Router
    from jupyter_ext.serving.gateway.table import Route

AT_ONCE: Final = 32
"""Copies that may be on their way; further ones are left out."""
BYTES: Final = 64 << 20
"""What they and the answers that they are compared with may take together."""
_KEPT: Final = frozenset([b"content-type", b"inference-header-content-length", b"accept"])


@dataclass
class _Copy:
    """What a transformer's own request is told by."""

    route: Route
    variant: str
    unit: str | None
    id: str
    begun: float


class Mirror:
    """Begins a copy when the user has the answer already, so that it delays nobody's."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.on_way = 0
        self.bytes = 0
        self.left_out = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def perhaps(self, exchange: Exchange, route: Route, answer: bytes, status: int) -> None:
        """Send a copy if it is this request's turn and there is room."""
        assert route.mirror is not None
        name, share = route.mirror
        request = exchange.request
        if name == exchange.variant or request.method != "POST" or random.random() >= share:  # noqa: S311
            return
        target = route.targets.get(name)
        if target is None or not target.ready:
            self.left_out += 1
            return
        size = len(request.body) + len(answer)
        backends = self.router.backends
        backend = backends.at(route.transformer) if route.transformer else backends.choose(target)
        if backend is None or self.on_way >= AT_ONCE or self.bytes + size > BYTES:
            self.left_out += 1
            return
        headers = [field for field in request.headers if field[0] in _KEPT]
        copy = self._begin(route, name, exchange.unit, size)
        headers += [(b"x-request-id", copy.id.encode()), (b"x-mirrored", b"true")]
        backend.in_flight += 1

        def done(reply: asyncio.Future[Reply]) -> None:
            backend.in_flight -= 1
            found, got = 502, b""
            if not reply.cancelled() and (error := reply.exception()) is not None:
                found = 504 if isinstance(error, Late) else 502
            elif not reply.cancelled():
                found, got = reply.result().status, reply.result().body
            self._end(copy, size, found, len(request.body), got)
            if found < 400 and status < 400:
                self.router.recorder.compare(route.uid, name, answer, got)

        path = renamed(exchange.path, route.name, target.model) if target.model else exchange.path
        backend.pool.send(
            request.method.encode(), path, headers, request.body, route.timeout
        ).add_done_callback(done)

    def perhaps_call(self, call: Call, route: Route, answer: bytes) -> None:
        """As ``perhaps``, of a call by gRPC that was answered well."""
        assert route.mirror is not None
        name, share = route.mirror
        if name == call.variant or random.random() >= share:  # noqa: S311
            return
        target = route.targets.get(name)
        replica = call.calls.choose(target) if target is not None and target.ready else None
        address = route.transformer_grpc if route.transformer else replica.grpc if replica else None
        size = len(call.message) + len(answer)
        if replica is None or address is None or self.on_way >= AT_ONCE or self.bytes + size > BYTES:
            self.left_out += 1
            return
        copy = self._begin(route, name, call.unit, size)

        async def copied() -> None:
            found, got = 502, b""
            metadata = (("x-request-id", copy.id), ("x-mirrored", "true"))
            try:
                found, got = await call.calls.tried(address, call.message, metadata, route.timeout)
            finally:
                self._end(copy, size, found, len(call.message), got)
            if found < 400:
                self.router.recorder.compare(route.uid, name, answer, got, messages=True)

        task = self.router.loop.create_task(copied())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, route: Route, name: str, unit: str | None, size: int) -> _Copy:
        copy = _Copy(route, name, unit, self.router.next_id(), self.router.loop.time())
        if route.transformer:
            self.router.inner[copy.id] = copy
        self.on_way += 1
        self.bytes += size
        return copy

    def _end(self, copy: _Copy, size: int, found: int, sent: int, got: bytes) -> None:
        """Count it."""
        self.on_way -= 1
        self.bytes -= size
        router, uid = self.router, copy.route.uid
        router.inner.pop(copy.id, None)
        lane = router.lane(uid, copy.variant)
        lane.statuses[found] = lane.statuses.get(found, 0) + 1
        seconds = router.loop.time() - copy.begun
        router.recorder.count(uid, copy.variant, found, seconds, 1, sent, len(got))
