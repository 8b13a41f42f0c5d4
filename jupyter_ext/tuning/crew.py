"""The processes of an experiment's trials, as its controller sees them: forks of one warm server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError, Where
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.wire import Wire, pair

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.tuning.folder import Folder

ATTEMPTS: Final = 3
"""How often a trial is begun that was lost with the server, and not by its own fault."""
_LAST_WORDS: Final = 2.0
SILENCE: Final = 20.0
"""Seconds after which a fork that has not said a word is replaced by a fresh interpreter, and so are all after it."""


class _Process:
    """A process for one trial: a fork, or an interpreter of its own where ``popen`` is set."""

    def __init__(self, wire: Wire, pid: int, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.wire, self.pid, self.popen = wire, pid, popen
        self.entry: Entry | None = None
        self.request: dict[str, Any] = {}
        self.spoken = False
        self.since = time.monotonic()

    def give(self, entry: Entry, request: dict[str, Any]) -> None:
        """Let it be the process of a trial. If it is gone, that will be heard as the end of a trial is."""
        self.entry, self.request, self.since = entry, request, time.monotonic()
        self.wire.send({"trial": request})


class Crew:
    """Starts function trials and tells how they ended. Readable by ``select`` when there may be news."""

    def __init__(self, folder: Folder, settings: Mapping[str, Any], spares: int) -> None:
        self._folder, self._settings, self._spares = folder, dict(settings), spares
        self._wire: Wire | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._alone: str | None = None
        self._idle: list[_Process] = []
        self._busy: dict[int, _Process] = {}
        self._queue: list[tuple[Entry, dict[str, Any]]] = []
        self._lost: list[Entry] = []

    def warm(self) -> None:
        """Start the server, which loads the function while the controller does other things."""
        if self._wire is None:
            self._server, self._wire = self._launch()

    def files(self) -> list[int]:
        """Descriptors for ``select``."""
        wires = [self._wire] if self._wire is not None else []
        return [wire.fileno() for wire in [*wires, *(process.wire for process in self._busy.values())]]

    def start(self, entry: Entry, lease: Lease | None) -> None:
        """Begin a trial."""
        env = {**self._folder.environment(entry), **(lease.env() if lease else {})}
        self._queue.append((entry, self._request(entry, env)))
        self.warm()
        self._next()

    def _request(self, entry: Entry, env: Mapping[str, str]) -> dict[str, Any]:
        return {
            "number": entry.number,
            "attempt": entry.attempt,
            "values": entry.suggestion.values,
            "env": dict(env),
            "log": self._folder.log(entry),
            "result": self._folder.result(entry),
        }

    def _next(self) -> None:
        """Give what waits to what is ready."""
        while self._queue and (self._idle or self._alone is not None):
            entry, request = self._queue.pop(0)
            process = self._single() if self._alone is not None else self._idle.pop(0)
            self._busy[entry.number] = process
            process.give(entry, request)
            if self._alone is None and self._wire is not None:
                self._wire.send({"spare": 1})

    def poll(self) -> list[Ended]:
        """Trials that have ended since the last look. Raises KubeflowError if the function cannot be loaded."""
        found: list[Ended] = []
        for process in list(self._busy.values()):
            found += self._listen(process)
        while self._wire is not None and (message := self._wire.receive()) is not None:
            found += self._heard(self._wire, message)
        if self._wire is not None and self._wire.closed:
            found += self._server_lost()
        self._replace_silent()
        self._next()
        return found

    def lost(self) -> list[Entry]:
        """Trials whose process was lost with the server: to be begun again."""
        lost, self._lost = self._lost, []
        return lost

    def kill(self, number: int) -> None:
        """End a trial's processes at once; ``poll`` tells."""
        self._queue = [(entry, request) for entry, request in self._queue if entry.number != number]
        process = self._busy.get(number)
        if process is not None:
            self._kill(process)

    def _kill(self, process: _Process) -> None:
        if process.popen is not None:
            _kill(process.popen)
        elif self._wire is not None:
            self._wire.send({"kill": process.pid})

    def forget(self, number: int) -> None:
        """What becomes of this trial is of no interest any more."""
        process = self._busy.pop(number, None)
        if process is not None:
            process.wire.close()

    def close(self) -> None:
        """End the server and every trial."""
        for process in [*self._busy.values(), *self._idle]:
            if process.popen is not None:
                _kill(process.popen)
            process.wire.close()
        self._busy.clear()
        self._idle.clear()
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        self._end_server()

    def _end_server(self) -> None:
        if self._server is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout=_LAST_WORDS)
            _kill(self._server)
            self._server = None

    def _launch(self, *, single: bool = False) -> tuple[subprocess.Popen[bytes], Wire]:
        ours, theirs = pair()
        with theirs:
            command = [sys.executable, "-m", "jupyter_ext.tuning.worker", str(theirs.fileno())]
            process = subprocess.Popen(
                [*command, "single"] if single else command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=self._settings["env"],
                process_group=0 if single else None,
            )
        wire = Wire(ours)
        wire.send({key: value for key, value in self._settings.items() if key != "env"})
        return process, wire

    def _single(self) -> _Process:
        process, wire = self._launch(single=True)
        found = _Process(wire, process.pid, process)
        found.spoken = True  # it loads everything first, however long that takes
        return found

    def _heard(self, wire: Wire, message: dict[str, Any]) -> list[Ended]:
        """News from the server."""
        if "broken" in message:
            raise _broken(message["broken"]["error"])
        if "ready" in message:
            self._alone = message["alone"]
            if self._alone is None:
                wire.send({"spare": self._spares})
        elif "idle" in message:
            self._idle.append(_Process(Wire(socket.socket(fileno=wire.passed.pop(0))), message["idle"]))
        elif "ended" in message:
            return self._reaped(message)
        return []

    def _reaped(self, message: dict[str, Any]) -> list[Ended]:
        pid = message["ended"]
        for process in self._busy.values():
            if process.pid == pid and process.popen is None:
                return self._listen(process) or [self._died(process, message["status"], message)]
        for process in [one for one in self._idle if one.pid == pid]:
            process.wire.close()
            self._idle.remove(process)
            if self._wire is not None:
                self._wire.send({"spare": 1})
        return []

    def _listen(self, process: _Process) -> list[Ended]:
        """News from the process of a trial."""
        entry = process.entry
        while entry is not None and (message := process.wire.receive()) is not None:
            process.spoken = True
            if "broken" in message:
                raise _broken(message["broken"]["error"])
            if "done" in message:
                self._release(process)
                return [ended(entry, message["done"])]
        if process.wire.closed and process.popen is not None:
            code = process.popen.wait()
            return [self._died(process, -code if code < 0 else code << 8, {})]
        return []

    def _died(self, process: _Process, status: int, facts: Mapping[str, Any]) -> Ended:
        entry = process.entry
        assert entry is not None
        self._release(process)
        kept = self._folder.kept(entry)
        return ended(entry, kept) if kept else died(entry, status, facts)

    def _release(self, process: _Process) -> None:
        assert process.entry is not None
        self._busy.pop(process.entry.number, None)
        process.wire.close()
        if process.popen is not None:
            process.popen.wait()
            _kill_group(process.popen.pid)

    def _replace_silent(self) -> None:
        """A fork that hangs before its first word hangs in a lock that a library held: forking is unsafe here."""
        moment = time.monotonic()
        late = [one for one in self._busy.values() if not one.spoken and moment - one.since > SILENCE]
        for process in late:
            entry = process.entry
            assert entry is not None
            self._alone = "a fork was silent"
            self._kill(process)
            self._release(process)
            # Another attempt, so that nothing of the silent one is taken for this one's.
            entry.attempt += 1
            env = {**process.request["env"], **self._folder.environment(entry)}
            self._queue.insert(0, (entry, self._request(entry, env)))

    def _server_lost(self) -> list[Ended]:
        """The server is gone, and with it every fork: what had finished counts, the rest is begun again."""
        assert self._wire is not None
        self._wire.close()
        self._wire = None
        self._end_server()
        for process in self._idle:
            process.wire.close()
        self._idle.clear()
        waiting, self._queue = self._queue, []
        self._lost += [entry for entry, _ in waiting]
        found: list[Ended] = []
        for number, process in list(self._busy.items()):
            entry = process.entry
            if process.popen is not None or entry is None:
                continue
            heard = self._listen(process)
            if heard:
                found += heard
                continue
            self._release(process)
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
    if process.poll() is None:
        _kill_group(process.pid)
        process.kill()
        process.wait()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
