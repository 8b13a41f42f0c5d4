"""The fork server of a run, forked from the run's own process before that has loaded anything else.

Both processes need an interpreter and the modules imported below: they are loaded once, and while one goes on with
IPython, the other opens the store and reads the notebook. A fork is safe here: there is no thread, no connection
and no lock yet.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from jupyter_ext.pipelines.channel import Channel, pair
from jupyter_ext.pipelines.zygote import SEED_MARK, seeded

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION = "jupyter_ext.pipelines.early:fork"
"""What the process of a run is asked to call first."""


class Forked:
    """A child of this process, with those parts of ``Popen`` that its owner uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, minus the signal, or None while it runs."""
        if self.returncode is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("fork server", timeout or 0)
            time.sleep(0.001)
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


_forked: list[tuple[Forked, Channel]] = []


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the process that forks has to be started with, on top of ``environ``."""
    return {name: value for name, value in seeded(environ).items() if environ.get(name) != value}


def fork() -> None:
    """Fork the server, which begins to load; ``taken`` gives it to the controller."""
    ours, theirs = pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        gc.disable()  # an import makes nothing but what stays; the server turns it on again
        from jupyter_ext.pipelines import fork_server

        sys.argv = [fork_server.__file__, str(theirs.fileno())]
        fork_server.main([str(theirs.detach())])
        sys.exit()
    theirs.close()
    _forked.append((Forked(pid), Channel(ours)))
    if os.environ.pop(SEED_MARK, None):
        os.environ.pop("PYTHONHASHSEED", None)


def taken() -> tuple[Forked, Channel] | None:
    """The server that was forked, for its one owner; None if none was."""
    return _forked.pop() if _forked else None
