"""Rows of requests that came at the same time, predicted together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from jupyter_ext.serving.server.expected import Arrays

Predict = Callable[[Arrays, int], Awaitable[Arrays]]


class _Group:
    """Requests whose arrays differ in their rows only."""

    __slots__ = ("futures", "parts", "rows", "timer")

    def __init__(self) -> None:
        self.parts: list[tuple[Arrays, int]] = []
        self.futures: list[asyncio.Future[Arrays]] = []
        self.rows = 0
        self.timer: asyncio.Handle | None = None


class Batcher:
    """Joins while the model is busy: whoever finds it idle waits for nobody but those who came in the same moment.

    Under load a batch goes when it has ``size`` rows, when its first request has waited ``wait`` seconds, or when
    the model becomes free.
    """

    def __init__(self, size: int, wait: float, predict: Predict, sizes: Callable[[int], None]) -> None:
        self.size = max(1, size)
        self.wait = wait
        self.predict = predict
        self.sizes = sizes
        self._groups: dict[Any, _Group] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._by_row: bool | None = None
        """Whether the model gives a row for a row; requests are joined once one alone has shown it."""

    def add(self, arrays: Arrays, rows: int) -> asyncio.Future[Arrays]:
        """The outputs for these rows."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Arrays] = loop.create_future()
        key = tuple((name, array.dtype.str, array.shape[1:]) for name, array in arrays.items())
        group = self._groups.get(key)
        if group is not None and group.rows + rows > self.size:
            self._go(key)
            group = None
        if group is None:
            group = self._groups[key] = _Group()
            group.timer = (
                loop.call_later(self.wait, self._go, key) if self._running else loop.call_soon(self._go, key)
            )
        group.parts.append((arrays, rows))
        group.futures.append(future)
        group.rows += rows
        if group.rows >= self.size:
            self._go(key)
        return future

    def _go(self, key: Any) -> None:
        group = self._groups.pop(key, None)
        if group is None:
            return
        if group.timer is not None:
            group.timer.cancel()
        waiting = [at for at, future in enumerate(group.futures) if not future.done()]
        parts, futures = [group.parts[at] for at in waiting], [group.futures[at] for at in waiting]
        if not parts:
            return
        task = asyncio.get_running_loop().create_task(self._run(parts, futures))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            for key in list(self._groups):
                self._go(key)

    async def _run(self, parts: list[tuple[Arrays, int]], futures: list[asyncio.Future[Arrays]]) -> None:
        self.sizes(sum(count for _, count in parts))
        tried = False
        for at, (arrays, count) in enumerate(parts):
            # Together, once it is known that that can be; after a fault each for itself.
            if at < len(parts) - 1 and self._by_row and not tried:
                tried = True
                if await self._together(parts[at:], futures[at:]):
                    return
            try:
                alone = await self.predict(arrays, count)
            except Exception as error:
                if not futures[at].done():
                    futures[at].set_exception(error)
            else:
                self._saw(alone, count)
                if not futures[at].done():
                    futures[at].set_result(alone)

    async def _together(self, parts: list[tuple[Arrays, int]], futures: list[asyncio.Future[Arrays]]) -> bool:
        """Whether all have their answers from one prediction."""
        rows = sum(count for _, count in parts)
        joined = {name: np.concatenate([part[name] for part, _ in parts]) for name in parts[0][0]}
        try:
            found = await self.predict(joined, rows)
        except Exception:
            return False
        if not self._saw(found, rows):
            return False
        _share(found, parts, futures)
        return True

    def _saw(self, found: Arrays, rows: int) -> bool:
        """Whether these outputs are by row; a model that once gave others is never asked for several again."""
        by_row = all(array.shape[:1] == (rows,) for array in found.values())
        self._by_row = by_row and self._by_row is not False
        return self._by_row


def _share(found: Arrays, parts: list[tuple[Arrays, int]], futures: list[asyncio.Future[Arrays]]) -> None:
    start = 0
    for (_, count), future in zip(parts, futures, strict=True):
        if not future.done():
            future.set_result({name: array[start : start + count] for name, array in found.items()})
        start += count
