"""The fork server of an experiment (``python -m jupyter_ext.tuning.worker FD``); ``crew`` is its other end.

It loads the user's function, and with it all that this imports, once. Then it keeps some forks ready, each with a socket
of its own to the controller: a trial begins with one message to a process that is there. The server has one thread and
never calls the function itself, so nothing in it can break by forking; where that is not so (an import started threads
or a device), each trial gets an interpreter of its own: ``… worker FD single``.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from jupyter_ext.cluster.local.processes import die_with_parent, readable
from jupyter_ext.tuning.call import call, failure, keep
from jupyter_ext.tuning.wire import Wire, pair

_WHY: Final = "an import started threads ({})"


class Server:
    """Loads once, then keeps forks ready until the controller hangs up."""

    def __init__(self, wire: Wire, settings: dict[str, Any]) -> None:
        self._wire = wire
        self._children: set[int] = set()
        self.function = load(settings)

    def serve(self) -> None:
        """Answer until nobody asks any more."""
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # the controller decides when to end
        reason = unsafe()
        if not self._wire.send({"ready": True, "alone": reason}):
            return
        gc.collect()
        gc.freeze()
        while not self._wire.closed:
            readable([self._wire.fileno(), read])
            with contextlib.suppress(BlockingIOError):
                os.read(read, 4096)
            self._reap()
            while (message := self._wire.receive()) is not None:
                for _ in range(message.get("spare", 0)):
                    self._fork()
                if message.get("kill") in self._children:
                    _kill_group(message["kill"])
        for pid in self._children:
            _kill_group(pid)

    def _fork(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        ours, theirs = pair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._wire.close()
            wait_and_run(Wire(theirs), self.function)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # both sides do it: neither may be too late
        theirs.close()
        self._children.add(pid)
        with ours:
            self._wire.send({"idle": pid}, ours.fileno())

    def _reap(self) -> None:
        while self._children:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            # While it is not reaped its number is nobody else's, and what it left running is still its group.
            _kill_group(found.si_pid)
            pid, status, usage = os.wait4(found.si_pid, 0)
            self._children.discard(pid)
            facts = {"rss": usage.ru_maxrss * 1024, "cpu": round(usage.ru_utime + usage.ru_stime, 4)}
            self._wire.send({"ended": pid, "status": status, **facts})


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def load(settings: dict[str, Any]) -> Callable[..., Any]:
    """The user's function, from the snapshot. Raises what its imports raise."""
    from jupyter_ext.cluster.local.blobs import Blobs
    from jupyter_ext.tuning import code

    blobs, folder = Blobs(Path(settings["blobs"])), Path(settings["folder"])
    return code.load(blobs, settings["code"], folder, settings["preload"])


def unsafe() -> str | None:
    """Why a fork now could hang, or None."""
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        return _WHY.format(names)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda") and torch.cuda.is_initialized():
        return "an import used the GPU"
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return "an import started JAX"
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is not None and getattr(context, "_context", None) is not None:
        handle = getattr(context._context, "_context_handle", None)  # noqa: SLF001 - there is no public question
        if handle is not None:
            return "an import started TensorFlow"
    return None


def wait_and_run(wire: Wire, function: Callable[..., Any]) -> NoReturn:
    """Be ready for one trial, then be its process."""
    try:
        _prepare()
        message = wire.receive(wait=True)
        if message is not None:
            run(wire, function, message["trial"])
    finally:
        os._exit(0)


def run(wire: Wire, function: Callable[..., Any], trial: dict[str, Any]) -> NoReturn:
    """Be the process of one trial."""
    code = 1
    head = {"number": trial["number"], "attempt": trial["attempt"]}
    try:
        wire.send({"started": True, **head})
        _dress(trial)
        result = call(function, trial["values"])
        keep(trial["result"], result)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        wire.send({"done": result, **head})
        code = 0
    except BaseException as error:  # ours, not the user's: say so instead of dying silently
        wire.send({"done": failure(error), **head})
    finally:
        os._exit(code)


def _prepare() -> None:
    """What a fork, or an interpreter of its own, does before it knows its trial."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    die_with_parent()
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        # As a fresh interpreter would; ``random`` does it by itself. Else all trials draw the same.
        numpy.seed()


def _dress(trial: dict[str, Any]) -> None:
    """Output and environment of the trial."""
    output = os.open(trial["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.update(trial["env"])


def main(arguments: list[str]) -> None:
    """Read the settings from the socket, load, serve."""
    die_with_parent()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    wire = Wire(socket.socket(fileno=int(arguments[0])))
    settings = wire.receive(wait=True)
    if settings is None:
        return
    try:
        server = Server(wire, settings)
    except BaseException as error:
        wire.send({"broken": failure(error)})
        return
    if arguments[1:] == ["single"]:
        wait_and_run(wire, server.function)
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
