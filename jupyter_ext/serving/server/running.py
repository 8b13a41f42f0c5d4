"""Where a prediction runs: in the event loop when it is known to be quick, else in a thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final

from jupyter_ext.errors import Unavailable

QUICK: Final = 0.002
"""Seconds that the loop may be kept from answering others."""
LONG: Final = 0.05
"""Seconds after which one run is enough to know that it is not quick."""
_STRIKE: Final = 16
_ENOUGH: Final = 8
"""So many quick runs in a row show that a model is quick."""
_MOST: Final = 4096


class Busy(Unavailable):
    """More requests wait than are let wait."""


class Late(Unavailable):
    """The model has not answered in time."""

    status = 504


class Pace:
    """What was measured of a model: how many rows it did quickly, how often in a row.

    A busy machine makes a quick run look slow now and then: it takes three of those close together, or one that keeps
    the loop for long, to lose the name. Who loses it has to be quick for longer before it is believed again.
    """

    __slots__ = ("largest", "needed", "streak", "strikes")

    def __init__(self) -> None:
        self.streak = 0
        self.strikes = 0
        self.largest = 0
        self.needed = _ENOUGH

    def is_quick(self, rows: int) -> bool:
        """Whether so many rows will not keep the loop."""
        return self.streak >= self.needed and rows <= self.largest

    def never(self) -> None:
        """Always in a thread from now on."""
        self.needed = sys.maxsize

    def note(self, rows: int, seconds: float) -> None:
        """A run has ended."""
        if seconds <= QUICK:
            self.streak += 1
            self.strikes -= self.strikes > 0
            self.largest = max(self.largest, 2 * rows)
            return
        if rows > self.largest:
            return
        self.strikes += _STRIKE
        if self.streak < self.needed:
            self.streak = 0
        elif seconds > LONG or self.strikes > 2 * _STRIKE:
            self.needed = max(self.needed, min(self.needed * 2, _MOST))
            self.streak = self.strikes = 0
            self.largest = min(self.largest, rows // 2)


class Runner:
    """``threads`` predictions at once, ``queue`` more may wait; ``timeout`` in seconds."""

    def __init__(self, threads: int, queue: int, timeout: float) -> None:
        self.threads = threads
        self.queue = queue
        self.timeout = timeout
        self.pace = Pace()
        self.working = 0
        self._pool: ThreadPoolExecutor | None = None

    def now(self, function: Callable[[], Any], rows: int) -> Any:
        """In the loop; awaitable where the function cannot run there, because it runs a loop of its own."""
        try:
            return self._timed(function, rows)
        except RuntimeError as error:
            if "event loop" not in str(error):
                raise
            self.pace.never()
            return self.later(function, rows)

    async def later(self, function: Callable[[], Any], rows: int) -> Any:
        """In a thread. Raises Busy, Late, and what the function raises."""
        if self.working >= self.threads + self.queue:
            raise Busy(f"{self.working} requests are in work or wait already", hint="Try again later.")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, "predict")
        self.working += 1
        work = self._pool.submit(self._timed, function, rows)
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: _tell(loop, self._done))
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            if work.done() and not work.cancelled():
                return work.result()
            work.cancel()
            raise Late(f"the model has not answered within {self.timeout:g} s") from None

    def _done(self) -> None:
        self.working -= 1

    def _timed(self, function: Callable[[], Any], rows: int) -> Any:
        start = perf_counter()
        try:
            return function()
        finally:
            self.pace.note(rows, perf_counter() - start)

    def close(self) -> None:
        """Nothing more will run."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
