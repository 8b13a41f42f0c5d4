"""Processes by identity, so that a number that was given to another process is never signalled.

An identity is ``pid:start``, the start in whatever unit the system counts it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol, TypeVar

VARIABLE: Final = "JUPYTER_KUBEFLOW_WORKLOAD"
"""Set to the workload's UID for its process, and so for all that these start."""

_PROC: Final = sys.platform.startswith("linux")
_GONE: Final = "ZX"


class HasFileno(Protocol):
    """A socket, a pipe, or whatever wraps one."""

    def fileno(self) -> int: ...  # noqa: D102 - as every file's


_File = TypeVar("_File", bound=int | HasFileno)


class Process(NamedTuple):
    """One line of the process table. ``session`` is the process group where sessions cannot be told."""

    pid: int
    state: str
    session: int
    start: int

    @property
    def identity(self) -> str:
        """What tells this process from a later one with the same number."""
        return f"{self.pid}:{self.start}"


def _read(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - thousands of times: no Path
            fields = file.read().rpartition(b")")[2].split()
        return Process(pid, fields[0].decode(), int(fields[3]), int(fields[19]))
    except (OSError, IndexError):
        return None


def _listed() -> list[Process]:
    """The process table where there is no /proc, by the POSIX tool."""
    import subprocess

    command = ["ps", "-A", "-o", "pid=,pgid=,stat=,lstart="]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in text.splitlines():
        pid, group, state, *start = line.split()
        began = int(time.mktime(time.strptime(" ".join(start), "%a %b %d %H:%M:%S %Y")))
        found.append(Process(int(pid), state[0], int(group), began))
    return found


def table() -> list[Process]:
    """Every process that this one can see."""
    if not _PROC:
        return _listed()
    found = (_read(int(name)) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 - as above
    return [process for process in found if process]


def identity(pid: int) -> str:
    """The identity of a running process, or an empty string."""
    process = _read(pid) if _PROC else next((one for one in _listed() if one.pid == pid), None)
    return process.identity if process else ""


def is_running(wanted: str | None) -> bool:
    """Whether the process of this identity still runs; one that waits to be reaped does not."""
    pid = (wanted or "").partition(":")[0]
    if not pid.isdecimal():
        return False
    process = _read(int(pid)) if _PROC else next((one for one in _listed() if one.pid == int(pid)), None)
    return process is not None and process.identity == wanted and process.state not in _GONE


def members(uid: str, leader: str | None) -> list[Process]:
    """Every process of a workload but the caller: those with its UID in their environment or in its session.

    The session is trusted only while no later process can have been given its number.
    """
    number, _, start = (leader or "").partition(":")
    session, began = int(number or 0), int(start or 0)
    everyone = table()
    reused = any(one.pid == session and one.start != began for one in everyone)
    found = []
    for one in everyone:
        if one.pid == os.getpid() or one.state in _GONE:
            continue
        mark = _mark(one.pid)
        ours = session and one.session == session and one.start >= began and not reused
        if mark == uid or (mark is None and ours):
            found.append(one)
    return found


def _mark(pid: int) -> str | None:
    """The workload in whose environment the process was started, None if there is none or it is not ours."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - as above
            environment = file.read()
    except OSError:
        return None
    begin = f"\0{VARIABLE}=".encode()
    _, found, rest = (b"\0" + environment).partition(begin)
    return rest.partition(b"\0")[0].decode(errors="replace") if found else None


def send(targets: Iterable[Process], number: signal.Signals) -> None:
    """Signal each of them that is still the same process."""
    for one in targets:
        if is_running(one.identity):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(one.pid, number)


def kill_all(uid: str, leader: str | None, patience: float = 2.0) -> int:
    """Kill every process of a workload but the caller, also those born meanwhile; returns how many there were."""
    deadline = time.monotonic() + patience
    killed: set[str] = set()
    while True:
        alive = members(uid, leader)
        if not alive or time.monotonic() > deadline:
            return len(killed)
        send(alive, signal.SIGKILL)
        killed.update(one.identity for one in alive)
        time.sleep(0.002)


def outlive(wanted: str | None, patience: float) -> None:
    """Wait for the end of a process, and kill it after ``patience`` seconds. This one does not wait for itself."""
    if wanted == identity(os.getpid()):
        return
    deadline = time.monotonic() + patience
    while is_running(wanted):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(int((wanted or "").partition(":")[0]), signal.SIGKILL)
            deadline += patience
        time.sleep(0.002)


def readable(files: Iterable[_File], seconds: float | None = None) -> list[_File]:
    """Those of the files that can be read or have ended, once there are any, or after so long.

    Not select(2): that refuses a file whose number is above 1023, as a notebook with many open files has them.
    """
    waiting, known = select.poll(), {}
    for file in files:
        number = file if isinstance(file, int) else file.fileno()
        known[number] = file
        waiting.register(number, select.POLLIN)
    ready = waiting.poll(None if seconds is None else max(seconds, 0) * 1000)
    return [known[number] for number, _ in ready]


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to signal this process when its parent dies; nothing where the kernel cannot.

    The kernel means the parent's *thread* that started this process: call it only where that thread lives as
    long as the parent does.
    """
    if not _PROC:
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(1, int(number), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), number)
