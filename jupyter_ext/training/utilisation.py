"""What a job uses of the machine over time: processors, memory, each of its GPUs.

One pass over ``/proc`` tells all of a job's processes, and one ``nvidia-smi`` that runs as long as the job does
tells its GPUs: a sample costs a few milliseconds. Where there is no ``/proc``, there is nothing to see.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import IO, Final, NamedTuple, Self

from jupyter_ext.cluster.local.metrics import Point

WHOLE: Final = -1
"""The rank of a point that is about the whole job."""
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_GPU_SECONDS: Final = 2


class _Process(NamedTuple):
    pid: int
    parent: int
    started: int
    ticks: int


class Sampler:
    """Samples one job. ``roots`` gives the processes that were started for it; what these start is found."""

    def __init__(self, roots: Callable[[], Iterable[int]], gpus: Sequence[str] = ()) -> None:
        self._roots = roots
        self._known: dict[tuple[int, int], int] = {}
        self._last: float | None = None
        self._gpus = Gpus(gpus) if gpus else None

    def sample(self, now: float) -> list[Point]:
        """What is used now; processors since the last sample, so the first has none. ``now`` since the epoch."""
        members = self._members(_table())
        points = []
        ticks = sum(one.ticks - self._known.get((one.pid, one.started), 0) for one in members)
        if self._last is not None and now > self._last:
            points.append(_point("system/cpu", ticks / _TICKS / (now - self._last), now))
        if members:
            points.append(_point("system/memory", _memory(members), now))
        self._known = {(one.pid, one.started): one.ticks for one in members}
        self._last = now
        if self._gpus:
            for index, (share, memory) in enumerate(self._gpus.now()):
                if share is not None:
                    points.append(_point(f"system/gpu/{index}", share, now))
                if memory is not None:
                    points.append(_point(f"system/gpu-memory/{index}", memory, now))
        return points

    def close(self) -> None:
        """End what it started."""
        if self._gpus:
            self._gpus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _members(self, table: dict[int, _Process]) -> list[_Process]:
        """The roots, those that were members before, and all their descendants."""
        children: dict[int, list[_Process]] = {}
        for one in table.values():
            children.setdefault(one.parent, []).append(one)
        begin = [table[pid] for pid in self._roots() if pid in table]
        begin += [one for one in table.values() if (one.pid, one.started) in self._known]
        found: dict[int, _Process] = {}
        while begin:
            one = begin.pop()
            if one.pid not in found:
                found[one.pid] = one
                begin += children.get(one.pid, ())
        return list(found.values())


def _point(name: str, value: float, now: float) -> Point:
    return Point(name, value, None, WHOLE, now)


def _table() -> dict[int, _Process]:
    found = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - hundreds of names, every other second
    except OSError:
        return {}
    for name in names:
        if name.isdecimal():
            with suppress(OSError, IndexError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
                ticks = int(fields[11]) + int(fields[12])
                found[int(name)] = _Process(int(name), int(fields[1]), int(fields[19]), ticks)
    return found


def _memory(members: Iterable[_Process]) -> float:
    """Bytes that only this job holds: the private memory of each process, and what they share among them once.

    Code that is mapped from files is left out: the resident sizes of four torch processes would count it four times.
    """
    private, shared = 0, 0
    for one in members:
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{one.pid}/status", "rb") as file:  # noqa: PTH123
            for line in file.read().splitlines():
                if line.startswith(b"RssAnon:"):
                    private += int(line.split()[1])
                elif line.startswith(b"RssShmem:"):
                    shared = max(shared, int(line.split()[1]))
    return float((private + shared) * 1024)


class Gpus:
    """Use of the job's GPUs, by one ``nvidia-smi`` that reports every other second until closed."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self._places = {uuid: index for index, uuid in enumerate(uuids)}
        self._now: list[tuple[float | None, float | None]] = [(None, None)] * len(uuids)
        self._process: subprocess.Popen[str] | None = None
        import shutil

        program = shutil.which("nvidia-smi")
        if program is None:
            return
        query = "--query-gpu=uuid,utilization.gpu,memory.used"
        command = [program, query, "--format=csv,noheader,nounits", f"--loop={_GPU_SECONDS}"]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:
            return
        assert self._process.stdout is not None
        reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        reader.start()

    def now(self) -> list[tuple[float | None, float | None]]:
        """For each GPU its use from 0 to 1 and its memory in bytes; None for what is not known."""
        return list(self._now)

    def close(self) -> None:
        """End nvidia-smi."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.take(line)

    def take(self, line: str) -> None:
        """One line of nvidia-smi's table: ``GPU-…, 37, 1024`` (percent, MiB); a part of a GPU has no percentage."""
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 3 and cells[0] in self._places:
            share = int(cells[1]) / 100 if cells[1].isdecimal() else None
            memory = float(int(cells[2]) << 20) if cells[2].isdecimal() else None
            self._now[self._places[cells[0]]] = (share, memory)
