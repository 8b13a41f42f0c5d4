"""The processes of a run's steps, as the run's controller sees them.

One fork server per run has IPython and the notebook's imports loaded; a step is a fork of it and begins within
milliseconds. Where a fork would not be safe, the step gets an interpreter of its own. The server and the steps
end when the controller does, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jupyter_ext.cluster.local.processes import readable
from jupyter_ext.errors import Unavailable
from jupyter_ext.pipelines.channel import Channel, pair
from jupyter_ext.pipelines.exchange import CellSource, StepError, StepRequest, StepResult

if TYPE_CHECKING:
    from jupyter_ext.pipelines.early import Forked

SILENCE = 20.0
"""Seconds after which a fork that has not said a word is replaced by a fresh interpreter."""
_LAST_WORDS = 2.0
"""Seconds to wait for the news how a process ended."""
SEED_MARK = "JUPYTER_KUBEFLOW_HASH_SEED"
"""Tells the server that the hash seed is ours: its variable is not to be seen by the notebook."""


class Zygote:
    """The fork server of one run.

    ``home`` is the profile's folder, ``preload`` the modules to import before forking. ``cells`` are the code
    cells of the notebook, so that errors and ``inspect`` find the source of what earlier steps defined.
    """

    def __init__(
        self,
        home: str | Path,
        namespace: str = "",
        preload: Sequence[str] = (),
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        cells: Sequence[CellSource] = (),
    ) -> None:
        self._settings = {
            "home": str(home),
            "namespace": namespace,
            "preload": list(preload),
            "cells": [cell.to_dict() for cell in cells],
        }
        self._cwd = None if cwd is None else str(cwd)
        self._env = dict(os.environ if env is None else env)
        self._server: subprocess.Popen[bytes] | Forked | None = None
        self._control: Channel | None = None
        self._started = False
        self._ended: dict[int, dict[str, Any]] = {}
        self._forked: dict[int, dict[str, Any]] = {}
        self._alone: list[subprocess.Popen[bytes]] = []
        self._next = 0

    def adopt(self, server: Forked, control: Channel) -> None:
        """Use a server that is loading already, in this process's folder and environment."""
        self._server, self._control = server, control

    def warm(self) -> None:
        """Start the process, which loads IPython and then waits for ``start``."""
        if self._control is None:
            self._server, self._control = self._launch(single=False)

    def start(self, preload: Sequence[str] | None = None, cells: Sequence[CellSource] | None = None) -> None:
        """Start the server; returns at once, requests may follow at once.

        ``preload`` and ``cells`` may be given here, where they were not known before.
        """
        if preload is not None:
            self._settings["preload"] = list(preload)
        if cells is not None:
            self._settings["cells"] = [cell.to_dict() for cell in cells]
        self.warm()
        assert self._control is not None
        self._started = True
        self._control.send(self._settings)

    def run(self, request: StepRequest, inside: Handle | None = None) -> Handle:
        """Execute a step in a new process, or in the process of an earlier one that keeps live values.

        Raises Unavailable if that process is gone.
        """
        if inside is not None:
            return inside.again(request)
        self._next += 1
        handle = Handle(self, request, self._next)
        if not self._fork(handle):
            handle.restart_alone("the fork server has ended")
        return handle

    def close(self) -> None:
        """End the server and with it every step's process."""
        if self._control is not None:
            self._control.close()
        if self._server is not None and not self._started:
            self._server.kill()  # it has nothing of the user's yet, and would listen only after its imports
        for server in [*self._alone, *([self._server] if self._server else [])]:
            _end(server)
        self._alone.clear()
        self._server = self._control = None
        self._started = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # For handles

    def _fork(self, handle: Handle) -> bool:
        if self._control is None or self._control.closed:
            return False
        ours, theirs = pair()
        with theirs:
            sent = self._control.send({"fork": handle.number}, theirs.fileno())
        handle.connect(ours)
        return sent

    def begun(self, handle: Handle, *, wait: float = 0.0) -> dict[str, Any] | None:
        """What became of the request to fork: the new process's id, or why it was refused."""
        return self._heard(lambda: self._forked.get(handle.number), wait)

    def ended(self, handle: Handle, *, wait: float = 0.0) -> dict[str, Any] | None:
        """How a fork ended, once it has."""
        return self._heard(lambda: self._ended.get(handle.pid or 0), wait)

    def _heard(self, find: Callable[[], dict[str, Any] | None], wait: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + wait
        while True:
            self._listen()
            found = find()
            left = deadline - time.monotonic()
            if found is not None or left <= 0 or self._control is None or self._control.closed:
                return found
            readable([self._control], left)

    def _listen(self) -> None:
        while self._control is not None and (message := self._control.receive()) is not None:
            if "number" in message:
                self._forked[message["number"]] = message
            elif "ended" in message:
                self._ended[message["ended"]] = message

    def alone(self, sock: socket.socket) -> subprocess.Popen[bytes]:
        """A fresh interpreter that serves the socket."""
        server, control = self._launch(single=True, extra=sock)
        control.send({**self._settings, "preload": []})
        control.close()
        self._alone = [*(each for each in self._alone if each.poll() is None), server]
        return server

    def _launch(
        self, *, single: bool, extra: socket.socket | None = None
    ) -> tuple[subprocess.Popen[bytes], Channel]:
        ours, theirs = pair()
        descriptors = [theirs.fileno(), *([extra.fileno()] if extra else [])]
        arguments = [sys.executable, "-m", "jupyter_ext.pipelines.fork_server", *map(str, descriptors)]
        with theirs:
            server = subprocess.Popen(
                arguments if not single else [*arguments, "single"],
                cwd=self._cwd,
                env=seeded(self._env),
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
            )
        return server, Channel(ours)


class Handle:
    """One request on its way. Readable by ``select`` when ``poll`` may have news."""

    def __init__(self, zygote: Zygote, request: StepRequest, number: int) -> None:
        self.request = request
        self.number = number
        self.cell: int | None = None
        """Index of the cell that is being executed."""
        self.pid: int | None = None
        self._zygote = zygote
        self._channel: Channel | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._result: StepResult | None = None
        self._since = time.monotonic()
        self._spoken = False
        self._killed = False

    def fileno(self) -> int:
        """Readable when there is a result, or its process has ended."""
        assert self._channel is not None
        return self._channel.fileno()

    def poll(self) -> StepResult | None:
        """The result, if there is one; a process that died has failed, and the result says how."""
        if self._result is None and self._channel is not None:
            self._receive()
        if self._result is None:
            self._watch()
        return self._result

    def wait(self, timeout: float | None = None) -> StepResult | None:
        """Wait for the result; None after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (result := self.poll()) is None:
            left = 1.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            readable([self], min(left, 1.0))
        return result

    def interrupt(self) -> None:
        """Ask the user's code to stop, as the notebook's stop button does."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the process and what it started, at once."""
        self._killed = True
        pid = self._process()
        for each in [*_descendants(pid), pid] if pid else []:
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGKILL)
        if self._server is not None:
            self._server.wait()

    @property
    def holds(self) -> bool:
        """Whether the process is still there with values that could not be stored."""
        return bool(self._result and (self._result.live or self.request.keep) and self._alive())

    def again(self, request: StepRequest) -> Handle:
        """Another request for the same process. Raises Unavailable if it is gone."""
        if self._channel is None or not self._channel.send({"request": request.to_dict()}):
            names = (
                ", ".join(f"`{name}`" for name in (self._result.live if self._result else ())) or "its values"
            )
            raise Unavailable(
                f"The process of step {self.request.step} that held {names} has ended",
                hint="Run that step again.",
            )
        handle = Handle(self._zygote, request, self.number)
        handle._channel, handle._server, handle.pid = self._channel, self._server, self.pid
        handle._spoken = True
        return handle

    # Inside

    def connect(self, sock: socket.socket) -> None:
        """Talk over this socket, and send the request."""
        self._channel = Channel(sock)
        self._channel.send({"request": self.request.to_dict()})

    def restart_alone(self, why: str) -> None:
        """Give the request to an interpreter of its own."""
        del why
        ours, theirs = pair()
        with theirs:
            self._server = self._zygote.alone(theirs)
        if self._channel is not None:
            self._channel.replace(ours)
            self._channel.send({"request": self.request.to_dict()})
        else:
            self.connect(ours)
        self.pid = self._server.pid
        self._spoken = True

    def _receive(self) -> None:
        assert self._channel is not None
        while (message := self._channel.receive()) is not None:
            self._spoken = True
            self.pid = message.get("pid", self.pid)
            self.cell = message.get("cell", self.cell)
            if "result" in message:
                self._result = StepResult.from_dict(message["result"])
                return
        if self._channel.closed and not self._refused():
            self._result = self._died()

    def _refused(self) -> bool:
        """Whether there never was a process; then the request goes to an interpreter of its own."""
        if self._spoken or self._killed:
            return False
        begun = self._zygote.begun(self, wait=_LAST_WORDS)
        if begun is not None and "pid" in begun:
            return False
        self.restart_alone(begun["unsafe"] if begun else "the fork server has ended")
        return True

    def _watch(self) -> None:
        """Replace a fork that is refused or silent."""
        if self._spoken or self._killed:
            return
        begun = self._zygote.begun(self)
        if begun is not None and "unsafe" in begun:
            self.restart_alone(begun["unsafe"])
        elif begun is not None and time.monotonic() - begun.setdefault("seen", time.monotonic()) > SILENCE:
            with contextlib.suppress(OSError):
                os.kill(begun["pid"], signal.SIGKILL)
            self.restart_alone("the fork was silent")

    def _process(self) -> int | None:
        if self.pid is None and self._server is None:
            begun = self._zygote.begun(self)
            self.pid = begun.get("pid") if begun else None
        return self.pid

    def _signal(self, number: signal.Signals) -> None:
        pid = self._process()
        if pid is not None and self._result is None:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def _alive(self) -> bool:
        if self._channel is not None:
            self._channel.receive()
        return self._channel is not None and not self._channel.closed

    def _died(self) -> StepResult:
        status, facts = self._status()
        number = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None
        if self._killed:
            return StepResult("CANCELED", reason="Stopped.", signal=number, **facts)
        what = _ending(status, number)
        error = StepError("Killed" if number else "Ended", what, cell=self.cell)
        now = time.time()
        return StepResult(
            "FAILED", error=error, reason=what, signal=number, finished=now, pid=self.pid or 0, **facts
        )

    def _status(self) -> tuple[int | None, dict[str, Any]]:
        if self._server is not None:
            code = self._server.wait()
            return (-code if code < 0 else code << 8), {}
        self._process()
        ended = self._zygote.ended(self, wait=_LAST_WORDS)
        if ended is None:
            return None, {}
        return ended["status"], {"max_rss": ended["rss"], "cpu_seconds": ended["cpu"]}


def seeded(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that a fork server is started with."""
    env = dict(environ)
    if "PYTHONHASHSEED" not in env:
        # One seed for all processes of a run: a set that was stored iterates as it did where it was made.
        env |= {"PYTHONHASHSEED": "0", SEED_MARK: "1"}
    # Threads of OpenMP that wait by spinning take the cores from the steps beside them: two branches that
    # each train a model for seconds then need minutes. Libraries read this when they are loaded.
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return env


def _ending(status: int | None, number: int | None) -> str:
    if number == signal.SIGKILL:
        return "The step's process was killed (signal 9), most likely because memory ran out"
    if number is not None:
        name = signal.strsignal(number) or "unknown"
        return f"The step's process crashed (signal {number}: {name.lower()})"
    if status is None:
        return "The step's process ended together with the run's fork server"
    return f"The step's process ended by itself with exit code {os.waitstatus_to_exitcode(status)}"


def _descendants(pid: int) -> list[int]:
    """Processes that a process started, and theirs."""
    found: list[int] = []
    todo = [pid]
    while todo:
        current = todo.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{current}/task").iterdir():
                children = [int(child) for child in (task / "children").read_text().split()]
                found += children
                todo += children
    return found


def _end(server: subprocess.Popen[bytes] | Forked) -> None:
    try:
        server.wait(timeout=2)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
