"""One request of a user, from its arrival to its answer.

It is an object with callbacks, not a coroutine: a task and its switches would cost more than all the rest. What can be
repeated is: a prediction whose server died before the first byte of its answer is sent to another one, or waits until
there is one.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from jupyter_ext.serving.gateway.missing import no_variant
from jupyter_ext.serving.gateway.passing import ANSWERED, ASKED, passed
from jupyter_ext.serving.gateway.records import make_id
from jupyter_ext.serving.gateway.split import unit_of
from jupyter_ext.serving.gateway.targets import renamed
from jupyter_ext.serving.http.client import Late, Lost, Unreachable
from jupyter_ext.serving.http.message import Reply, Request, Response, failure
from jupyter_ext.serving.http.promise import Promised

if TYPE_CHECKING:
    from jupyter_ext.serving.gateway.lane import Backend, Lane
    from jupyter_ext.serving.gateway.router import Router
    from jupyter_ext.serving.gateway.table import Route, Target

LOST_LIMIT: Final = 3
"""Servers that may die over one request: more would let a single bad one end them all."""
_AGAIN: Final = (0.02, 0.25)
"""First and longest wait before a server that did not answer is tried again."""
_WANT_SECONDS: Final = 1.0
_SENDERS: Final = 10_000
_KEY: Final = 100


class Exchange:
    """``quiet`` ones are neither counted nor logged nor mirrored."""

    __slots__ = (
        *("answer", "backend", "connection", "deadline", "explicit", "forced", "id", "lane", "lost", "path"),
        *(
            "quiet",
            "request",
            "route",
            "router",
            "sent",
            "started",
            "timer",
            "tries",
            "unit",
            "variant",
            "via",
        ),
    )

    def __init__(self, router: Router, route: Route, request: Request, path: bytes, id: str) -> None:  # noqa: A002
        self.router = router
        self.route = route
        self.request = request
        self.path = path
        self.id = id
        self.explicit = bool(id)
        """Whether the sender chose the id."""
        self.variant = ""
        self.unit: str | None = None
        self.forced = False
        """Whether the sender chose the variant."""
        self.quiet = False
        self.via: str | None = None
        """The address of the transformer or explainer that gets the request in place of the variant."""
        self.connection: bytes | None = None
        """The request's field of that name."""
        self.lane: Lane | None = None
        self.backend: Backend | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.sent = False
        """Whether a server has it, or will, whose answer is not here."""
        self.tries = 0
        self.lost = 0
        self.started = router.loop.time()
        self.deadline = self.started + route.timeout
        self.answer = Promised(router.loop)

    def begin(self, found: Mapping[bytes, bytes]) -> asyncio.Future[Response]:
        """Choose the variant, send, and give the answer that will come."""
        self._decide(found)
        self.go()
        return self.answer

    def _decide(self, found: Mapping[bytes, bytes]) -> None:
        route = self.route
        self.connection = found.get(b"connection")
        if route.sticky is not None and self.unit is None:
            query = self.request.query if b"?" in self.request.target else ""
            key = route.sticky.key(found, query, self.request.body)
            if key is not None:
                self._recognize(key)
                return
        if self.forced:
            self._named()
        else:
            self._choose()

    def _recognize(self, key: bytes) -> None:
        """A sender that was seen under this table gets what it got."""
        known = self.route.senders
        found = known.get(key)
        if found is None:
            self.unit = unit_of(key, self.router.salt)
            self._choose(forced=self.forced)
            if not self.forced and self.variant and len(known) < _SENDERS and len(key) <= _KEY:
                known[key] = (self.unit, self.variant)
            return
        self.unit = found[0]
        if not self.forced:
            self.variant = found[1]
        self._named()

    def _choose(self, forced: bool = False) -> None:
        """Who gets it by the split as it is now; an empty name when nobody gets anything yet."""
        if not forced:
            split, unit = self.route.split, self.unit
            try:
                self.variant = split.at(random.random()) if unit is None else split.of(int(unit, 16))  # noqa: S311
            except LookupError:
                self.variant = ""
        self._named()

    def _named(self) -> None:
        if not self.explicit:
            self.id = make_id(self.id[:16] or self.router.next_id(), self.variant, self.unit)

    # On its way

    def go(self) -> None:
        """Send it to a server of its variant, or let it wait for one."""
        if self.answer.done():
            return
        self.timer = None
        route = self.router.table.routes.get(self.route.name)
        if route is None:
            self.fail(503, f"{self.route.name} was deleted.")
            return
        self.route = route
        target = route.targets.get(self.variant)
        if target is None and not self.forced:
            self._choose()
            target = route.targets.get(self.variant)
        elif target is None and self.forced and not route.has(self.variant):
            self.fail(404, no_variant(route, self.variant))
            return
        lane = self.router.lane(route.uid, self.variant)
        if self.via is not None:
            self._send(lane, self.router.backends.at(self.via))
        elif target is None or not target.ready:
            self._hold(lane, target)
        elif (backend := self.router.backends.choose(target)) is None:
            self._wait(lane)
        else:
            self._send(lane, backend, target.model)

    def _send(self, lane: Lane, backend: Backend, model: str = "") -> None:
        request = self.request
        path = renamed(self.path, self.route.name, model) if model else self.path
        headers = passed(request.headers, ASKED, self.connection)
        headers.append((b"x-request-id", self.id.encode()))
        if self.via is not None:
            headers.append((b"x-variant", self.variant.encode()))
        left = self.deadline - self.router.loop.time()
        if left <= 0:
            self._too_late()
            return
        self.lane, self.backend, self.sent = lane, backend, True
        lane.in_flight += 1
        backend.in_flight += 1
        lane.most = max(lane.most, lane.in_flight)
        try:
            backend.pool.send_to(self, request.method.encode(), path, headers, request.body, left)
        except ValueError as error:
            self._arrived()
            self.fail(400, f"The request cannot be passed on: {error}.")
            return

    def _arrived(self) -> None:
        """It is no longer on its way; who waits for its place goes on."""
        lane, backend = self.lane, self.backend
        if lane is None or backend is None:
            return
        self.backend = None
        lane.in_flight -= 1
        backend.in_flight -= 1
        if lane.waiting and (first := lane.release()) is not None:
            first.resume()

    def done(self) -> bool:
        """As the sink of the server's answer: that one is always waited for, for others wait for its place."""
        return not self.sent

    def set_result(self, reply: Reply, /) -> None:
        """The server's answer."""
        self.sent = False
        self._arrived()
        self._pass_on(reply)

    def set_exception(self, error: Exception, /) -> None:
        """Why there is none; thought about in the loop's next round, for the pool is in the midst of its own."""
        self.sent = False
        self.router.loop.call_soon(self._failed, error)

    def _failed(self, error: Exception) -> None:
        backend = self.backend
        self._arrived()
        if isinstance(error, Unreachable) or (isinstance(error, Lost) and not error.started):
            if backend is not None:
                backend.shun()
            self._once_more(error)
        elif isinstance(error, Late):
            self._too_late()
        else:
            self.fail(502, f"The server of {self._who} broke off its answer. {error}".rstrip())

    def _once_more(self, error: Exception) -> None:
        self.lost += isinstance(error, Lost)
        if self.lost >= LOST_LIMIT:
            self.fail(
                502, f"The server of {self._who} ended {self.lost} times while it answered this request."
            )
            return
        others = len(target.replicas) if (target := self._target) is not None else 0
        self.tries += 1
        if self.tries < others and self.via is None:
            self.go()
            return
        delay = min(_AGAIN[1], _AGAIN[0] * 2 ** min(self.tries, 8))
        left = self.deadline - self.router.loop.time()
        if left <= delay:
            self._not_ready()
            return
        self.timer = self.router.loop.call_later(delay, self.go)

    @property
    def _target(self) -> Target | None:
        return self.route.targets.get(self.variant)

    @property
    def _who(self) -> str:
        return f"{self.route.name} ({self.variant})" if self.variant else self.route.name

    # Waiting

    def _hold(self, lane: Lane, target: Target | None) -> None:
        """Nobody can answer now: say that the variant is wanted, and wait."""
        route = self.route
        if route.resting or (self.forced and self.variant in route.troubles):
            self._not_ready()
            return
        if self.variant and (target is not None or route.asleep):
            now = time.monotonic()
            if now - lane.wanted > _WANT_SECONDS:
                lane.wanted = now
                self.router.want(route.uid, self.variant)
        self._wait(lane)

    def _wait(self, lane: Lane) -> None:
        left = self.deadline - self.router.loop.time()
        if left <= 0:
            self._not_ready()
        elif lane.full:
            text = f"{len(lane.waiting)} requests wait for {self._who} already. Try again later."
            self.fail(503, text, ((b"retry-after", b"1"),))
        else:
            if self.lane is None:
                self.answer.add_done_callback(self._abandoned)
            self.lane = lane
            lane.hold(self)
            self.timer = self.router.loop.call_later(left, self._give_up)

    def _abandoned(self, answer: asyncio.Future[Response]) -> None:
        """Whoever asked may have gone away: nobody is to be started for that."""
        if answer.cancelled() and self.lane is not None and self.backend is None:
            self.lane.drop(self)
            if self.timer is not None:
                self.timer.cancel()

    @property
    def size(self) -> int:
        """What its body takes."""
        return len(self.request.body)

    def resume(self) -> None:
        """It is its turn, or things have changed."""
        if self.timer is not None:
            self.timer.cancel()
        self.go()

    def _give_up(self) -> None:
        self.timer = None
        if self.lane is not None:
            self.lane.drop(self)
        self._not_ready()

    # Ends

    def _not_ready(self) -> None:
        route = self.route
        target = self._target
        waited = self.router.loop.time() - self.started
        if target is not None and target.ready and not route.resting:
            what = f"{self._who} has had no free server for {waited:.0f} s."
        elif route.resting:
            what = f"{route.name} is stopped."
        else:
            what = f"{self._who} is not ready."
        why = route.troubles.get(self.variant) or route.reason
        self.fail(503, f"{what} {why}".rstrip(), ((b"retry-after", b"1"),))

    def _too_late(self) -> None:
        self.fail(504, f"{self._who} did not answer within {self.route.timeout:g} s.")

    def fail(self, status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Answer that it did not work."""
        response = failure(status, text)
        response.headers = [*headers, *self._marks()]
        self._finish(status, response, text)

    def _pass_on(self, reply: Reply) -> None:
        connection = reply.header(b"connection")
        headers = passed(reply.headers, ANSWERED, connection)
        headers += self._marks()
        self._finish(reply.status, Response(reply.status, reply.body, None, headers), None)

    def _marks(self) -> list[tuple[bytes, bytes]]:
        marks = [(b"x-request-id", self.id.encode())]
        if self.variant:
            marks.append((b"x-variant", self.variant.encode()))
        return marks

    def _finish(self, status: int, response: Response, error: str | None) -> None:
        gone = self.answer.done()
        if not gone:
            self.answer.keep(response)
        if not self.quiet:
            self.router.finished(self, 499 if gone else status, response, error)
