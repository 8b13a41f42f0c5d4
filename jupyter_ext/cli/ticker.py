"""One line that stays at the bottom of a terminal while text scrolls above it; elsewhere a line per change."""

from __future__ import annotations

import os
import shutil
import time
from typing import TextIO

EVERY = 0.1
"""Seconds between two drawings on a terminal."""


class Ticker:
    """Shows text and a line of status on a stream. ``quiet``: no text, status only on a terminal."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._quiet = quiet
        self._line = ""
        self._told = ""
        self._drawn = 0.0
        self._open = False

    def text(self, text: str) -> None:
        """Write text above the line."""
        if self._quiet or not text:
            return
        self._clear()
        self._stream.write(text)
        # The line may only stand where no text is waiting for the rest of its own.
        self._open = not text.endswith("\n")
        self._draw()
        self._stream.flush()

    def status(self, line: str, key: str = "") -> None:
        """Bring the line up to date; where nothing can be redrawn it is written once for each ``key``."""
        if not self._live:
            if not self._quiet and key != self._told:
                self._told = key
                self._stream.write(line + "\n")
                self._stream.flush()
            return
        now = time.monotonic()
        if line == self._line or now - self._drawn < EVERY:
            return
        self._line, self._drawn = line, now
        self._clear()
        self._draw()
        self._stream.flush()

    def done(self) -> None:
        """Take the line away."""
        self._clear()
        self._line = ""
        self._stream.flush()

    def _clear(self) -> None:
        if self._live and self._line and not self._open:
            self._stream.write("\r\x1b[2K")

    def _draw(self) -> None:
        if self._live and self._line and not self._open:
            self._stream.write(self._line[: shutil.get_terminal_size().columns - 1])
