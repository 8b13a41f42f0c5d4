"""The processes of an experiment's trials, as its controller sees them: forks of one warm server."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError, Where
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.wire import Wire, pair

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.tuning.folder import Folder

ATTEMPTS: Final = 3
"""How often a trial is begun that was lost with the server, and not by its own fault."""
_LAST_WORDS: Final = 2.0


class Crew:
    """Starts function trials and tells how they ended. Readable by ``select`` when there may be news."""

    def __init__(self, folder: Folder, settings: Mapping[str, Any], cwd: Path | None = None) -> None:
        self._folder, self._settings, self._cwd = folder, dict(settings), cwd
        self._wire: Wire | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._alone: str | None = None
        self._running: dict[int, Entry] = {}
        self._singles: dict[int, tuple[Wire, subprocess.Popen[bytes]]] = {}
        self._usage: dict[int, dict[str, Any]] = {}
        self._queue: list[dict[str, Any]] = []
        self._lost: list[Entry] = []

    def warm(self) -> None:
        """Start the server, which loads the function while the controller does other things."""
        if self._wire is None:
            self._server, self._wire = self._launch()

    def files(self) -> list[int]:
        """Descriptors for ``select``."""
        wires = [self._wire] if self._wire is not None else []
        return [wire.fileno() for wire in [*wires, *(wire for wire, _ in self._singles.values())]]

    def start(self, entry: Entry, lease: Lease | None) -> None:
        """Begin a trial."""
        self._running[entry.number] = entry
        env = {**self._folder.environment(entry), **(lease.env() if lease else {})}
        request = {
            "number": entry.number,
            "attempt": entry.attempt,
            "values": entry.suggestion.values,
            "env": env,
            "log": self._folder.log(entry),
            "result": self._folder.result(entry),
            "begun": entry.begun,
        }
        if self._alone is not None:
            self._start_alone(request)
        elif self._ready and self._wire is not None and self._wire.send({"trial": request}):
            pass
        else:
            self._queue.append(request)
            self.warm()

    def poll(self) -> list[Ended]:
        """Trials that have ended since the last look. Raises KubeflowError if the function cannot be loaded."""
        found: list[Ended] = []
        while self._wire is not None and (message := self._wire.receive()) is not None:
            found += self._heard(message)
        if self._wire is not None and self._wire.closed:
            found += self._server_lost()
        for number, (wire, process) in list(self._singles.items()):
            found += self._heard_single(number, wire, process)
        return found

    def lost(self) -> list[Entry]:
        """Trials whose process was lost with the server: to be begun again."""
        lost, self._lost = self._lost, []
        return lost

    def kill(self, number: int) -> None:
        """End a trial's processes at once; ``poll`` tells."""
        if number in self._singles:
            _kill(self._singles[number][1])
        elif self._wire is not None:
            self._queue = [request for request in self._queue if request["number"] != number]
            self._wire.send({"kill": number})

    def forget(self, number: int) -> None:
        """What becomes of this trial is of no interest any more."""
        self._running.pop(number, None)

    def close(self) -> None:
        """End the server and every trial."""
        for wire, process in self._singles.values():
            _kill(process)
            wire.close()
        self._singles.clear()
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._server is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout=_LAST_WORDS)
            if self._server.returncode is None:
                _kill(self._server)
            self._server = None
        self._ready = False

    def _launch(self, *, single: bool = False) -> tuple[subprocess.Popen[bytes], Wire]:
        ours, theirs = pair()
        with theirs:
            command = [sys.executable, "-m", "jupyter_ext.tuning.worker", str(theirs.fileno())]
            process = subprocess.Popen(
                [*command, "single"] if single else command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=self._cwd,
                env=self._settings["env"],
                process_group=0 if single else None,
            )
        wire = Wire(ours)
        wire.send({key: value for key, value in self._settings.items() if key != "env"})
        return process, wire

    def _start_alone(self, request: dict[str, Any]) -> None:
        process, wire = self._launch(single=True)
        wire.send({"trial": request})
        self._singles[request["number"]] = (wire, process)

    def _heard(self, message: dict[str, Any]) -> list[Ended]:
        if "ready" in message:
            self._ready, self._alone = True, message["alone"]
            waiting, self._queue = self._queue, []
            for request in waiting:
                if self._alone is not None:
                    self._start_alone(request)
                elif self._wire is not None:
                    self._wire.send({"trial": request})
            return []
        if "broken" in message:
            raise _broken(message["broken"]["error"])
        number = message.get("done", message.get("ended", -1))
        entry = self._running.get(number)
        if entry is None or entry.attempt != message["attempt"]:
            return []
        del self._running[number]
        if "done" in message:
            return [ended(entry, message["result"])]
        kept = self._folder.kept(entry)
        return [ended(entry, kept) if kept else died(entry, message["status"], message)]

    def _heard_single(self, number: int, wire: Wire, process: subprocess.Popen[bytes]) -> list[Ended]:
        found: list[Ended] = []
        while (message := wire.receive()) is not None:
            if "broken" in message:
                raise _broken(message["broken"]["error"])
            found += self._heard(message)
        if wire.closed or found:
            process.wait()
            wire.close()
            _kill(process)
            self._singles.pop(number, None)
            entry = self._running.pop(number, None)
            if entry is not None:
                code = process.returncode
                kept = self._folder.kept(entry)
                status = -code if code < 0 else code << 8
                found.append(ended(entry, kept) if kept else died(entry, status, {}))
        return found

    def _server_lost(self) -> list[Ended]:
        """The server is gone, and with it every fork: what had finished counts, the rest is begun again."""
        assert self._wire is not None
        self._wire.close()
        self._wire, self._ready = None, False
        if self._server is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout=_LAST_WORDS)
            _kill(self._server)
        found: list[Ended] = []
        self._queue = []
        for number, entry in list(self._running.items()):
            if number in self._singles:
                continue
            del self._running[number]
            kept = self._folder.kept(entry)
            if kept:
                found.append(ended(entry, kept))
            elif entry.attempt < ATTEMPTS:
                self._lost.append(entry)
            else:
                reason = f"Its fork server was lost {ATTEMPTS} times, most likely because memory ran out."
                found.append(Ended(number, "FAILED", reason))
        return found


def ended(entry: Entry, result: Mapping[str, Any]) -> Ended:
    """The end of a trial, from what its process wrote down."""
    extra: dict[str, Any] = {}
    if result.get("error"):
        error = result["error"]
        extra["error"] = error
        return Ended(entry.number, "FAILED", sentence(error), {}, extra)
    metrics = dict(result.get("metrics") or {})
    if result.get("number") is not None:
        metrics[entry.observed.objective.name] = float(result["number"])
    state = result.get("state")
    if state == "PRUNED":
        return Ended(entry.number, "PRUNED", entry.stopped or "It stopped itself early.", metrics)
    if state == "CANCELED":
        return Ended(entry.number, "CANCELED", "Stopped.", metrics)
    return Ended(entry.number, "SUCCEEDED", "", metrics)


def sentence(error: Mapping[str, Any]) -> str:
    """An exception in one sentence."""
    first = str(error.get("message") or "").strip().splitlines()
    place = f" (line {error['line']})" if error.get("line") else ""
    return (
        f"{error.get('type', 'Error')}: {first[0]}{place}"
        if first
        else f"{error.get('type', 'Error')}{place}"
    )


def died(entry: Entry, status: int, facts: Mapping[str, Any]) -> Ended:
    """The end of a trial whose process left no word. ``status`` as ``waitpid`` gives it."""
    extra = {key: facts[key] for key in ("rss", "cpu") if key in facts}
    if entry.stopped:
        return Ended(entry.number, "PRUNED", entry.stopped, {}, extra)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        why = ", most likely because memory ran out" if number == signal.SIGKILL else ""
        name = signal.Signals(number).name
        return Ended(
            entry.number, "FAILED", f"Its process was killed (signal {number}, {name}){why}.", {}, extra
        )
    code = os.waitstatus_to_exitcode(status)
    return Ended(entry.number, "FAILED", f"Its process ended by itself with exit code {code}.", {}, extra)


def _broken(error: Mapping[str, Any]) -> KubeflowError:
    lines = [line for line in error.get("traceback", ()) if line.strip()]
    raised = KubeflowError(
        f"The function cannot be loaded: {sentence(error)}",
        where=Where(object=str(error["file"])) if error.get("file") else None,
        hint="It is loaded in a process of its own: what it imports must be found there.",
    )
    raised.add_note("\n".join(lines))
    return raised


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if os.getpgid(
                process.pid
            ) == process.pid else process.kill()
        process.wait()


def wait(files: list[int], seconds: float) -> bool:
    """Wait until a descriptor has news, at most so long."""
    if not files:
        time.sleep(seconds)
        return False
    return bool(select.select(files, [], [], seconds)[0])
