"""A thread that reads what an API server sends line by line, and can be ended at any moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.transport import Streamed, Transport

_LOOK: Final = 0.1
"""Seconds between two looks whether it is told to end, while nobody takes what was read."""

T = TypeVar("T")


class Reader(threading.Thread):
    """Reads one path. ``run`` is the kind's own: when it asks, what it takes, and after which errors it asks again."""

    def __init__(self, name: str, transport: Transport, path: str) -> None:
        super().__init__(name=name, daemon=True)
        self._transport, self._path = transport, path
        self._over = threading.Event()
        self._stream: Streamed | None = None

    def end(self) -> None:
        """End it now, whatever it is just doing; any thread may, more than once."""
        self._over.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def _asked(self, query: Mapping[str, str], silence: float | None) -> Iterator[bytes]:
        """The lines of a new request. ``silence``: seconds without a word after which it has ended."""
        self._stream = self._transport.stream(self._path, query, silence=silence)
        if self._over.is_set():
            self._stream.close()  # ``end`` came while there was nothing to close
        return self._stream.lines()

    def _give(self, to: queue.Queue[T], what: T) -> None:
        """Put it there as soon as there is room; not at all once it is told to end."""
        while not self._over.is_set():
            try:
                to.put(what, timeout=_LOOK)
            except queue.Full:
                continue
            return
