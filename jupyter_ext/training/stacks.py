"""Where a process of user code is right now: it answers a signal by writing its stack, whatever it waits for.

The answer comes from C (``faulthandler``), so it comes also from a process that waits inside a library. The signal
is a real-time one that nobody else uses.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

_OFFSET: Final = 11


class Frame(NamedTuple):
    """One call, as faulthandler writes it."""

    file: str
    line: int
    function: str


def answer(path: Path) -> None:
    """From now on this process answers ``ask``; nothing where there are no real-time signals."""
    number = _signal()
    if number is None:
        return
    import faulthandler

    # Kept open by faulthandler for as long as the process lives.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    faulthandler.register(number, descriptor, all_threads=False, chain=False)


def ask(pid: int, path: Path, patience: float = 1.0) -> list[Frame]:
    """The stack of a process that called ``answer(path)``, innermost first; empty when it does not answer."""
    number = _signal()
    if number is None or not path.exists() or not _listens(pid, number):
        return []
    before = path.stat().st_size
    try:
        os.kill(pid, number)
    except OSError:
        return []
    deadline = time.monotonic() + patience
    size = before
    while time.monotonic() < deadline:
        time.sleep(0.02)
        now = path.stat().st_size
        if now > before and now == size:
            break
        size = now
    return parse(path.read_bytes()[before:].decode(errors="replace"))


_FRAME: Final = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


def parse(text: str) -> list[Frame]:
    """The frames in what faulthandler wrote."""
    return [Frame(match[1], int(match[2]), match[3]) for match in _FRAME.finditer(text)]


def _signal() -> int | None:
    return signal.SIGRTMIN + _OFFSET if sys.platform.startswith("linux") else None


def _listens(pid: int, number: int) -> bool:
    """Whether the process catches the signal: one that does not would die of it."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    match = re.search(r"^SigCgt:\s*([0-9a-f]+)$", text, re.MULTILINE)
    return match is not None and bool(int(match[1], 16) >> (number - 1) & 1)
