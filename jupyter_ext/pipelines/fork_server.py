"""The fork server of a run (``python -m jupyter_ext.pipelines.fork_server``); see ``zygote`` for its other end.

Single-threaded by design: it imports, and nothing else, because what a library starts when it is used (thread
pools, device contexts) does not survive a fork. Everything a step does happens in the fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import linecache
import os
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from jupyter_ext.cluster.local.processes import die_with_parent, readable
from jupyter_ext.pipelines.channel import Channel
from jupyter_ext.pipelines.exchange import CellSource, StepError, StepRequest, StepResult
from jupyter_ext.pipelines.execute import Execution
from jupyter_ext.pipelines.hidden import kinds
from jupyter_ext.pipelines.hidden_interpreter import set_base_environ
from jupyter_ext.pipelines.hidden_shell import set_base_magics
from jupyter_ext.pipelines.observe import learn_modules
from jupyter_ext.pipelines.shell import CELL_FILE, StepShell, prepared
from jupyter_ext.pipelines.zygote import SEED_MARK


class Server:
    """Imports once, then forks on request until the controller hangs up."""

    def __init__(self, control: Channel, shell: StepShell, settings: dict[str, Any]) -> None:
        self._control = control
        self._shell = shell
        self._home = Path(settings["home"])
        self._cells = [CellSource.from_dict(cell) for cell in settings["cells"]]
        self._children: set[int] = set()
        self._place_cells()
        with self._shell.builtin_trap:  # pandas asks get_ipython(), on import, what it is shown in
            for name in settings["preload"]:
                _import(name)
        learn_modules()
        _ = self._shell.logger
        set_base_environ(os.environ)
        set_base_magics(self._shell)

    def serve(self) -> None:
        """Answer until nobody asks any more."""
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # the controller decides when to end
        gc.freeze()
        gc.enable()
        while not self._control.closed:
            readable([self._control.fileno(), read])
            with contextlib.suppress(BlockingIOError):
                os.read(read, 4096)
            self._reap()
            while (message := self._control.receive()) is not None:
                self._fork(message["fork"])

    def alone(self, sock: socket.socket) -> NoReturn:
        """Be the process of one step, without a fork."""
        self._step(sock)

    def _fork(self, number: int) -> None:
        descriptor = self._control.descriptor()
        if descriptor is None:
            return
        reason = _unsafe()
        if reason is not None:
            os.close(descriptor)
            self._control.send({"number": number, "unsafe": reason})
            return
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # `_unsafe` knows which threads matter
            pid = os.fork()
        if pid == 0:
            die_with_parent()
            self._control.close()
            self._step(socket.socket(fileno=descriptor))
        os.close(descriptor)
        self._children.add(pid)
        self._control.send({"number": number, "pid": pid})

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            facts = {"rss": usage.ru_maxrss * 1024, "cpu": usage.ru_utime + usage.ru_stime}
            self._control.send({"ended": pid, "status": status, **facts})

    def _step(self, sock: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            _Process(Channel(sock), Execution(self._home, self._shell, self._cells)).serve()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _place_cells(self) -> None:
        for cell in self._cells:
            source, _ = prepared(cell.source)
            name = CELL_FILE.format(cell.id)
            linecache.cache[name] = (len(source), None, [f"{line}\n" for line in source.splitlines()], name)
        self._shell.place({cell.id: cell.index for cell in self._cells})


def _warm_shell() -> StepShell:
    """A shell that has done what the first cell of every step would wait for."""
    shell = StepShell.instance()
    shell.transform_cell("1")  # type: ignore[no-untyped-call]
    assert shell.display_formatter is not None
    shell.display_formatter.format(1)
    kinds()
    for name in ("blake3", "asyncio", "bdb"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return shell


class _Process:
    """The process of a step, talking to the controller."""

    def __init__(self, channel: Channel, execution: Execution) -> None:
        self._channel = channel
        self._execution = execution
        execution.started = lambda: self._say({"started": True})
        execution.at_cell = lambda index: self._say({"cell": index})
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def serve(self) -> None:
        """Execute requests for as long as there are values that live only here."""
        self._say({"pid": os.getpid()})
        while (message := self._channel.receive(wait=True)) is not None:
            request = StepRequest.from_dict(message["request"])
            result = self._executed(request)
            if request.result_path:
                _write(Path(request.result_path), result)
            self._say({"result": result.to_dict()})
            if not (result.live or request.keep):
                return

    def _executed(self, request: StepRequest) -> StepResult:
        self._execution.interrupted = False
        try:
            return self._execution.run(request)
        except KeyboardInterrupt:
            return StepResult("CANCELED", reason="Stopped.")
        except Exception as error:  # ours, not the user's: say so instead of dying silently
            text = "".join(traceback.format_exception(error)).splitlines()
            return StepResult(
                "FAILED", error=StepError(type(error).__name__, str(error), traceback=tuple(text))
            )

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._execution.interrupted = True
        raise KeyboardInterrupt

    def _say(self, message: dict[str, Any]) -> None:
        self._channel.send(message)


def _write(path: Path, result: StepResult) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(result.to_dict()))
    temporary.replace(path)


def _unsafe() -> str | None:
    """Why a fork now could hang, or None."""
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        return f"an import started threads ({names})"
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda") and torch.cuda.is_initialized():
        return "an import used the GPU"
    return None


def _import(name: str) -> None:
    """Load a module ahead; what goes wrong will go wrong again where the notebook imports it, and be seen there."""
    with warnings.catch_warnings(), contextlib.suppress(BaseException):
        warnings.simplefilter("ignore")
        importlib.import_module(name)


def main(arguments: list[str]) -> None:
    """Read the settings from the control socket, then serve."""
    if os.environ.pop(SEED_MARK, None):
        os.environ.pop("PYTHONHASHSEED", None)
    single = arguments[-1] == "single"
    control = Channel(socket.socket(fileno=int(arguments[0])))
    shell = _warm_shell()  # while the controller reads the notebook
    settings = control.receive(wait=True)
    if settings is None:
        return
    # Only now: a file random.py beside the notebook is for the notebook's own imports.
    sys.path[0 : 0 if sys.flags.safe_path else 1] = [""]
    server = Server(control, shell, settings)
    if single:
        server.alone(socket.socket(fileno=int(arguments[1])))
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
