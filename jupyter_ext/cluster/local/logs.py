"""Logs as plain files that any process may append to and any other may follow."""

from __future__ import annotations

import codecs
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import KubeflowError, Where

POLL_SECONDS: Final = 0.05
CHUNK: Final = 1 << 16
TAIL_LIMIT: Final = 1 << 20
"""The most bytes that a tail returns, so that one endless line cannot fill the browser."""


def log_path(root: Path, uid: str, step: str, attempt: int = 1) -> Path:
    """``logs/<uid>/<step>.<attempt>.log``, with what a file name cannot hold replaced."""
    name = step.replace("/", "_").replace("\0", "_").lstrip(".") or "_"
    encoded = name.encode()[:200].decode(errors="ignore")
    return root / uid / f"{encoded}.{attempt}.log"


class LogFile:
    """One append-only log in UTF-8."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def open(self) -> int:
        """A descriptor that appends, for use as a process's output; the caller closes it."""
        try:
            make_private(self.path.parent)
            return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KubeflowError(
                f"The log cannot be written ({error.strerror})",
                where=Where(object=str(self.path)),
                hint="Check that the folder is yours and the disk has room.",
            ) from error

    def write(self, text: str) -> None:
        """Append the text in one piece. A full disk loses the text, not the caller."""
        descriptor = self.open()
        try:
            os.write(descriptor, text.encode(errors="surrogateescape"))
        except OSError:
            pass
        finally:
            os.close(descriptor)

    def read(self) -> str:
        """Everything written so far; empty when there is no log yet."""
        try:
            return self.path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, lines: int) -> str:
        """The last lines, at most 1 MiB of them; empty when there is no log yet."""
        start, end = self._tail_range(lines)
        if end == 0:
            return ""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start).decode(errors="replace")

    def _tail_range(self, lines: int) -> tuple[int, int]:
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                if lines <= 0:
                    return end, end
                position, found = end, 0
                while position > max(end - TAIL_LIMIT, 0):
                    size = min(CHUNK, position)
                    position -= size
                    file.seek(position)
                    block = file.read(size)
                    if position + size == end:
                        # The newline that ends the last line begins none.
                        block = block.removesuffix(b"\n")
                    breaks = block.count(b"\n")
                    if found + breaks >= lines:
                        return position + _nth_from_end(block, lines - found) + 1, end
                    found += breaks
                return max(end - TAIL_LIMIT, 0), end
        except FileNotFoundError:
            return 0, 0

    def follow(
        self,
        stop: threading.Event | Callable[[], bool] | None = None,
        *,
        tail: int | None = None,
        poll: float = POLL_SECONDS,
    ) -> Iterator[str]:
        """What is there (or its last lines) and then what comes, in chunks of at most 64 KiB.

        Ends when ``stop`` is set, or returns true, and everything written before has been read. Starts anew when
        the file is truncated. Without ``stop`` it ends only with its consumer.
        """
        stopped = stop.is_set if isinstance(stop, threading.Event) else stop or (lambda: False)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        position = self._tail_range(tail)[0] if tail is not None else 0
        while True:
            last = stopped()  # before reading, so that nothing written before the stop is missed
            block = self._read(position)
            if block is None:
                position = 0
                continue
            position += len(block)
            text = decoder.decode(block)
            if text:
                yield text
            elif last and not block:
                rest = decoder.decode(b"", final=True)
                if rest:
                    yield rest
                return
            elif not block:
                time.sleep(poll)

    def _read(self, position: int) -> bytes | None:
        """The next block; None when the file has become shorter than what was read."""
        try:
            with self.path.open("rb", buffering=0) as file:
                if file.seek(0, os.SEEK_END) < position:
                    return None
                file.seek(position)
                return file.read(CHUNK) or b""
        except FileNotFoundError:
            return b"" if position == 0 else None


def _nth_from_end(block: bytes, count: int) -> int:
    position = len(block)
    for _ in range(count):
        position = block.rindex(b"\n", 0, position)
    return position
