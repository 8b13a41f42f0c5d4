"""What went through is counted in the event loop and written by a thread, at most once a second.

Nothing here holds up a request: what cannot be kept is dropped and counted, and a full disk is said once.
"""

from __future__ import annotations

import asyncio
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving.gateway.histogram import Histogram, merged
from jupyter_ext.serving.gateway.records import Batch, Counts, Logged

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.gateway.messages import Kind
    from jupyter_ext.serving.gateway.table import LogPlan, Route
    from jupyter_ext.serving.traffic import Traffic

LOG_LIMIT: Final = 2000
"""Requests that are logged in a second."""
LOG_BYTES: Final = 32 << 20
"""What their bodies may take together."""
BODY_LIMIT: Final = 256 << 10
"""A longer body is not logged."""
PAIRS_LIMIT: Final = 1000
BACKLOG: Final = 120
"""Seconds of counts that wait while the disk does not take them; then they are added up into fewer."""
TIDY_SECONDS: Final = 60.0
POINTS: Final = 600
"""Points of a curve after which the distance between them doubles."""
_MOST_SECONDS: Final = 60


@dataclass
class _Pending:
    """What was recorded since the last second."""

    second: int
    batch: Batch = field(default_factory=Batch)
    plans: list[tuple[LogPlan, bool]] = field(default_factory=list)
    """One for each logged request, and whether its bodies are messages of gRPC."""
    pairs: list[tuple[str, str, bytes, bytes, bool]] = field(default_factory=list)
    """UID, variant, the user's answer and the mirrored one, and whether they are messages of gRPC."""
    bytes: int = 0
    whole: bool = True
    """Whether the second was over when this was handed over."""


class Recorder:
    """``count``, ``log`` and the like are called in the loop that called ``begin``; the rest is the thread's."""

    def __init__(self, cluster: LocalCluster, traffic: Traffic) -> None:
        self.cluster = cluster
        self.traffic = traffic
        self.dropped = 0
        """Requests that should have been logged and were not."""
        self.trouble = ""
        """Why nothing can be written now."""
        self.latencies: dict[tuple[str, str], Histogram] = {}
        """Since the gateway began, up to the last whole second."""
        self._now: dict[tuple[str, str], Counts] = {}
        self._pending = _Pending(int(time.time()))
        self._queue: queue.SimpleQueue[_Pending | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._curves: dict[tuple[str, str], _Curve] = {}
        self._tidied = time.monotonic()

    # In the loop

    def begin(self) -> None:
        """Start the thread and the clock."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._again()

    def end(self) -> None:
        """Write what is left."""
        if self._timer is not None:
            self._timer.cancel()
        self._hand_over()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(10)

    async def flush(self) -> None:
        """Write now; returns when all that was recorded until now has been."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not written.done():
                written.set_result(None)

        def tell() -> None:
            loop.call_soon_threadsafe(wake)

        self._pending.whole = False
        self._hand_over()
        self._queue.put(tell)
        await written

    def count(
        self, uid: str, variant: str, status: int, seconds: float, in_flight: int, got: int, sent: int
    ) -> None:
        """One request that has its answer."""
        counts = self._counts(uid, variant)
        counts.requests += 1
        if status >= 500:
            counts.errors += 1
        elif status >= 400:
            counts.rejected += 1
        counts.in_flight = max(counts.in_flight, in_flight)
        counts.bytes_in += got
        counts.bytes_out += sent
        counts.latency.add(seconds)

    def active(self, uid: str) -> None:
        """A user asked the endpoint something."""
        self._pending.batch.active[uid] = 0.0

    def served(self, uid: str, request_id: str, variant: str, unit: str | None) -> None:
        """Remember who answered a request whose sender chose the id."""
        served = self._pending.batch.served
        if len(served) < 50_000:
            served.append((uid, request_id, variant, unit, time.time()))

    def log(self, route: Route, given: Logged, *, messages: bool = False) -> None:
        """Keep a request, unless there are too many this second. ``messages``: its bodies are those of gRPC."""
        pending, plan = self._pending, route.log
        logged = pending.batch.logged
        bodies = [
            body if plan.bodies and body is not None and len(body) <= BODY_LIMIT else None
            for body in (given.request, given.response)
        ]
        size = sum(len(body or b"") for body in bodies)
        if len(logged) >= LOG_LIMIT or pending.bytes + size > LOG_BYTES:
            self.dropped += 1
            return
        logged.append((route.uid, given._replace(request=bodies[0], response=bodies[1])))
        pending.plans.append((plan, messages))
        pending.batch.keep[route.uid] = plan.keep
        pending.bytes += size

    def compare(self, uid: str, variant: str, expected: bytes, got: bytes, *, messages: bool = False) -> None:
        """Count whether a mirrored answer is the user's; what is not the same bytes is compared by the thread."""
        if expected == got:
            self._counts(uid, variant).same += 1
        elif len(self._pending.pairs) < PAIRS_LIMIT and self._pending.bytes < LOG_BYTES:
            self._pending.pairs.append((uid, variant, expected, got, messages))
            self._pending.bytes += len(expected) + len(got)

    def latency(self, uid: str, variant: str) -> Histogram:
        """The times of all requests since the gateway began."""
        found = merged([self.latencies.get((uid, variant), Histogram())])
        now = self._now.get((uid, variant))
        return found.merge(now.latency) if now else found

    def forget(self, uid: str) -> None:
        """The endpoint was deleted."""
        for key in [key for key in self.latencies if key[0] == uid]:
            del self.latencies[key]

    def _counts(self, uid: str, variant: str) -> Counts:
        key = (uid, variant)
        found = self._now.get(key)
        if found is None:
            found = self._now[key] = Counts()
        return found

    def _again(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(1.0 - time.time() % 1.0 + 0.001, self._tick)

    def _tick(self) -> None:
        self._hand_over()
        self._again()

    def _hand_over(self) -> None:
        """What belongs to the second that is over goes to the thread."""
        pending, now = self._pending, time.time()
        for (uid, variant), counts in self._now.items():
            pending.batch.counts[uid, pending.second, variant] = counts
            self.latencies.setdefault((uid, variant), Histogram()).merge(counts.latency)
        for uid in pending.batch.active:
            pending.batch.active[uid] = now
        self._now = {}
        self._pending = _Pending(int(now))
        self._queue.put(pending)

    # In the thread

    def want(self, uid: str, variant: str) -> None:
        """Ask for a variant; called in any thread but the loop's."""
        try:
            self.traffic.want(uid, variant)
        except KubeflowError as error:
            self._tell(str(error))

    def _work(self) -> None:
        kept = Batch()
        while (pending := self._queue.get()) is not None:
            if not isinstance(pending, _Pending):
                pending()
                continue
            try:
                kept = self._write(pending, kept)
            except Exception as error:  # recording must not end
                self._tell(f"{type(error).__name__}: {error}")

    def _write(self, pending: _Pending, kept: Batch) -> Batch:
        """Write a second, with those that could not be written before; gives what is left to write."""
        batch = pending.batch
        for place, (uid, logged) in enumerate(batch.logged):
            plan, messages = pending.plans[place]
            batch.logged[place] = (uid, _redacted(_read(logged) if messages else logged, plan))
        for uid, variant, expected, got, messages in pending.pairs:
            counts = batch.counts.setdefault((uid, pending.second, variant), Counts())
            same = (
                alike(*(_body(each, "response") or b"" for each in (expected, got)))
                if messages
                else alike(expected, got)
            )
            counts.same += same
            counts.different += not same
        _take(kept, batch)
        if kept.counts or kept.logged or kept.active or kept.served:
            try:
                self.traffic.write(kept)
            except Exception as error:  # a full disk, above all
                self._tell(str(error))
                self.dropped += len(kept.logged)
                return _squeezed(kept)
            self.trouble = ""
        self._draw(pending)
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self._tidied = time.monotonic()
            self.traffic.tidy()
        return Batch()

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            print(f"The traffic cannot be recorded: {trouble}", file=sys.stderr, flush=True)  # noqa: T201

    def _draw(self, pending: _Pending) -> None:
        """Points of the curves."""
        for (uid, _, variant), counts in pending.batch.counts.items():
            self._curves.setdefault((uid, variant), _Curve(variant)).add(counts)
        if not pending.whole:
            return
        for (uid, variant), curve in list(self._curves.items()):
            points = list(curve.due(pending.second))
            if points:
                self.cluster.metrics.append(uid, points)
            if curve.quiet > 3600:
                del self._curves[uid, variant]


class _Curve:
    """The points of one variant: one a second at first, fewer in the long run, so that days stay small."""

    def __init__(self, variant: str) -> None:
        self.variant = variant
        self.counts = Counts()
        self.seconds = 0
        self.every = 1
        self.written = 0
        self.quiet = 0
        self.flat = True

    def add(self, counts: Counts) -> None:
        """What one second had."""
        self.counts.merge(counts)

    def due(self, second: int) -> Iterator[Point]:
        """The points of what has been counted, when it is time."""
        self.seconds += 1
        if self.seconds < self.every:
            return
        counts, seconds = self.counts, self.seconds
        self.counts, self.seconds = Counts(), 0
        values = {"rate": counts.requests / seconds, "errors": counts.errors / seconds}
        values["in_flight"] = float(counts.in_flight)
        if counts.requests:
            self.quiet, self.flat = 0, False
            values |= {f"p{percent}": counts.latency.quantile(percent / 100) for percent in (50, 95, 99)}
        else:
            self.quiet += seconds
            if self.flat:
                return
            self.flat = True  # one point at zero, then silence
        self.written += 1
        if self.written % POINTS == 0:
            self.every = min(self.every * 2, _MOST_SECONDS)
        for name, value in values.items():
            yield Point(f"{self.variant}/{name}", value, None, 0, float(second))


def alike(expected: bytes, got: bytes) -> bool:
    """Whether two answers say the same: ids and versions may differ, and numbers by a millionth."""
    from jupyter_ext.serving import requests

    try:
        one, other = (requests.filled(*requests.parse(each)) for each in (expected, got))
    except KubeflowError:
        return expected == got
    return _close(_said(one), _said(other))


def _said(answer: object) -> object:
    if isinstance(answer, dict):
        for name in ("predictions", "outputs"):
            if name in answer:
                return answer[name]
    return answer


def _close(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    if numbers and not isinstance(one, bool) and not isinstance(other, bool):
        near = math.isclose(float(one), float(other), rel_tol=1e-6, abs_tol=1e-9)  # type: ignore[arg-type]
        return near or (math.isnan(float(one)) and math.isnan(float(other)))  # type: ignore[arg-type]
    return one == other


def _read(logged: Logged) -> Logged:
    """A call by gRPC, with bodies as they would be over HTTP."""
    asked = _body(logged.request, "request") if logged.request is not None else None
    given = _body(logged.response, "response") if logged.response else None
    return logged._replace(request=asked, response=given)


def _body(message: bytes, kind: Kind) -> bytes | None:
    try:
        from jupyter_ext.serving.gateway.messages import body_of

        return body_of(message, kind)
    except Exception:  # what cannot be read is not kept
        return None


def _redacted(logged: Logged, plan: LogPlan) -> Logged:
    """Without what the endpoint does not want kept; without bodies if that cannot be told."""
    if not plan.redact:
        return logged
    bodies: list[bytes | None] = [logged.request, logged.response]
    try:
        from jupyter_ext.serving import redaction

        kept = [
            None if body is None else redaction.redact(body, plan.redact, plan.columns) for body in bodies
        ]
    except Exception:  # what cannot be redacted is not kept
        kept = [None, None]
    return logged._replace(request=kept[0], response=kept[1])


def _take(kept: Batch, batch: Batch) -> None:
    for key, counts in batch.counts.items():
        if key in kept.counts:
            kept.counts[key].merge(counts)
        else:
            kept.counts[key] = counts
    kept.active.update(batch.active)
    kept.logged += batch.logged
    kept.served += batch.served[: max(0, 50_000 - len(kept.served))]
    kept.keep.update(batch.keep)


def _squeezed(batch: Batch) -> Batch:
    """Without the log, and in minutes when there are too many seconds: it has to wait in memory."""
    kept = Batch(active=batch.active, served=batch.served[-50_000:])
    many = len({second for _, second, _ in batch.counts}) > BACKLOG
    for (uid, second, variant), counts in batch.counts.items():
        key = (uid, second - second % 60 if many else second, variant)
        if key in kept.counts:
            kept.counts[key].merge(counts)
        else:
            kept.counts[key] = counts
    return kept
