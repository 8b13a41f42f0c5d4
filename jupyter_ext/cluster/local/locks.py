"""Liveness by record locks.

POSIX record locks (``F_SETLK``), not ``flock``: they belong to the process, so a forked child does not keep
them after its parent was killed. Their price: closing any descriptor of the file in the holding process drops
the lock. So one table for the whole process says what it holds, and such a file is never opened again.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading
from pathlib import Path
from typing import Final

_HEAD: Final = "qqihh" if sys.platform == "darwin" else "hhqqi"
_QUERY: Final = (0, 0, 0, fcntl.F_WRLCK, 0) if sys.platform == "darwin" else (fcntl.F_WRLCK, 0, 0, 0, 0)
_TYPE: Final = 3 if sys.platform == "darwin" else 0
_PID: Final = 2 if sys.platform == "darwin" else 4


class _Held:
    """What this process holds: path -> [descriptor, how often]. Emptied in a forked child."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.files: dict[str, list[int]] = {}
        os.register_at_fork(
            before=self._before, after_in_parent=self._after_in_parent, after_in_child=self._after_in_child
        )

    def _before(self) -> None:
        self.guard.acquire()

    def _after_in_parent(self) -> None:
        self.guard.release()

    def _after_in_child(self) -> None:
        self.guard = threading.Lock()
        self.files = {}


_held = _Held()


def take(path: Path) -> bool:
    """Hold the lock until ``free`` or the end of this process; False if another process holds it."""
    key = str(path)
    with _held.guard:
        if key in _held.files:
            _held.files[key][1] += 1
            return True
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        _held.files[key] = [descriptor, 1]
        return True


def free(path: Path) -> None:
    """Give the lock back once for each ``take``."""
    key = str(path)
    with _held.guard:
        entry = _held.files.get(key)
        if entry is None:
            return
        entry[1] -= 1
        if entry[1] == 0:
            del _held.files[key]
            os.close(entry[0])


def holder(path: Path) -> int | None:
    """The process that holds the lock, 0 if it is in another process namespace, None if the lock is free."""
    key = str(path)
    with _held.guard:
        if key in _held.files:
            return os.getpid()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            # The padding covers every platform's struct flock; the kernel reads only its own part.
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_HEAD + "16x", *_QUERY))
        finally:
            os.close(descriptor)
    facts = struct.unpack_from(_HEAD, answer)
    return None if facts[_TYPE] == fcntl.F_UNLCK else max(int(facts[_PID]), 0)
