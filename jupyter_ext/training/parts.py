"""The processes of one attempt at a job: started, awaited, ended together."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from jupyter_ext.cluster.local import processes
from jupyter_ext.training.launch import Launch

GRACE_SECONDS: Final = 5.0
"""From the request to end to the kill."""


class Parts:
    """Started launches by part. ``output`` opens the log of a part."""

    def __init__(
        self, uid: str, environment: Mapping[str, str], cwd: str, output: Callable[[Launch], int]
    ) -> None:
        self._uid, self._environment, self._cwd, self._output = uid, dict(environment), cwd, output
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._watched: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        self.exits: dict[str, int] = {}
        self.started: dict[str, int] = {}

    def start(self, launch: Launch) -> None:
        """Start one. Raises OSError when its program cannot be executed."""
        descriptor = self._output(launch)
        try:
            process = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=launch.cwd or self._cwd,
                env={**self._environment, **launch.env},
                preexec_fn=None if launch.role == "worker" and _is_rank(launch) else _die_with_parent(),  # noqa: PLW1509
            )
        finally:
            os.close(descriptor)
        self._running[launch.part] = process
        self.started[launch.part] = self.started.get(launch.part, 0) + 1
        self.exits.pop(launch.part, None)
        with suppress(OSError, AttributeError):
            self._watched[launch.part] = os.pidfd_open(process.pid)
            self._selector.register(self._watched[launch.part], selectors.EVENT_READ)

    def wait(self, seconds: float) -> None:
        """Sleep until a process ends, at most so long."""
        if self._watched:
            self._selector.select(seconds)
        else:
            time.sleep(min(seconds, 0.02) if self._running else seconds)

    def collect(self) -> list[str]:
        """The parts that have ended since the last call; how is in ``exits``."""
        ended = []
        for part, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[part]
            self._unwatch(part)
            self.exits[part] = code
            ended.append(part)
        return ended

    def pid(self, part: str) -> int | None:
        """The process number of a part that runs."""
        process = self._running.get(part)
        return process.pid if process else None

    def pids(self) -> list[int]:
        """The process numbers of what runs."""
        return [process.pid for process in self._running.values()]

    def end(self, grace: float = GRACE_SECONDS, parts: Sequence[str] | None = None) -> None:
        """Ask what runs to end, and after ``grace`` seconds kill it, with everything that it started."""
        chosen = [self._running[part] for part in (parts or list(self._running)) if part in self._running]
        for process in chosen:
            process.send_signal(signal.SIGTERM)
            # A stopped process cannot hear anything else.
            process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + grace
        while any(process.poll() is None for process in chosen) and time.monotonic() < deadline:
            self.wait(min(0.05, grace))
            self.collect()
        for process in chosen:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.collect()
        if not self._running:
            processes.kill_all(self._uid, None)

    def close(self) -> None:
        """Kill what is left and stop watching."""
        self.end(0)
        for part in list(self._watched):
            self._unwatch(part)
        self._selector.close()

    def _unwatch(self, part: str) -> None:
        descriptor = self._watched.pop(part, None)
        if descriptor is not None:
            self._selector.unregister(descriptor)
            os.close(descriptor)


def _is_rank(launch: Launch) -> bool:
    return any(word.endswith("/training/rank.py") for word in launch.argv)


def _die_with_parent() -> Callable[[], None]:
    """To be called in the child: it is killed when this process is. Everything it needs is loaded before the fork."""
    import ctypes

    library = ctypes.CDLL(None)
    if not hasattr(library, "prctl"):
        return lambda: None
    number = int(signal.SIGKILL)
    return lambda: library.prctl(1, number, 0, 0, 0)
