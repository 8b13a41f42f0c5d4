"""Limits of CPU and memory for one server.

Where control groups may be made (root, or a folder that was delegated to us) the kernel keeps them. Elsewhere processors are given
by affinity and memory is watched: that holds for who plays by the rules, and the documentation says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from jupyter_ext.cluster.local.processes import Process

ROOT: Final = Path("/sys/fs/cgroup")
_NAME: Final = "jupyter-kubeflow"
_PERIOD: Final = 100_000
_V2: Final = "cgroup.controllers"


class Cage:
    """The control group of a server: one folder (version 2), or one for each controller (version 1)."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders

    @classmethod
    def of(cls, uid: str, root: Path = ROOT) -> Cage:
        """The group of a server, there or not.

        Version 1 nests below where we are; version 2 forbids that beside processes, except at the very top.
        """
        unified = (root / _V2).exists()
        parents = [root / _NAME] if unified else [_own(name, root) / _NAME for name in ("cpu", "memory")]
        return cls(tuple(parent / uid for parent in parents))

    @classmethod
    def make(cls, uid: str, cpu_milli: int, memory: int, root: Path = ROOT) -> Cage | None:
        """None where the machine does not let us; 0 is no limit."""
        unified = (root / _V2).exists()
        cage = cls.of(uid, root)
        try:
            if unified:
                _pass_on(root, root / _NAME)
            for folder in cage.folders:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "cgroup.procs").stat()  # else this is a folder like any other
            if cpu_milli:
                _limit_cpu(cage.folders[0], cpu_milli, unified)
            if memory:
                _limit_memory(cage.folders[-1], memory, unified)
        except OSError:
            cage.remove()
            return None
        return cage

    def enter(self) -> list[Path]:
        """Move the calling process in; children are born there. Gives the way back for ``leave``."""
        unified = len(self.folders) == 1
        before = []
        for folder, name in zip(self.folders, ("cpu", "memory"), strict=False):
            root = folder.parent.parent if unified else ROOT
            before.append(_own("" if unified else name, root) / "cgroup.procs")
            (folder / "cgroup.procs").write_text(str(os.getpid()))
        return before

    def kills(self) -> int:
        """How often the kernel killed a process in it for want of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError, ValueError):
                    for line in (folder / name).read_text().splitlines():
                        if line.startswith("oom_kill "):
                            return int(line.split()[1])
        return 0

    def remove(self, patience: float = 2.0) -> None:
        """Take the folders away once nothing is in them: the last process may be on its way out."""
        deadline = time.monotonic() + patience
        for folder in self.folders:
            while folder.exists():
                with suppress(OSError):
                    folder.rmdir()
                    break
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
            with suppress(OSError):  # the one around it, when this was the last
                folder.parent.rmdir()


def leave(way: Iterable[Path]) -> None:
    """Move the keeper out again, so that it is neither counted nor killed with its server."""
    for path in way:
        with suppress(OSError):
            path.write_text(str(os.getpid()))


def _own(controller: str, root: Path) -> Path:
    """The group that this process is in; the controller "" is version 2."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return (root / controller / path.lstrip("/")) if controller else root / path.lstrip("/")
    return root / controller


def _limit_cpu(folder: Path, cpu_milli: int, unified: bool) -> None:
    quota = max(cpu_milli * _PERIOD // 1000, 1000)
    if unified:
        (folder / "cpu.max").write_text(f"{quota} {_PERIOD}")
    else:
        (folder / "cpu.cfs_period_us").write_text(str(_PERIOD))
        (folder / "cpu.cfs_quota_us").write_text(str(quota))


def _limit_memory(folder: Path, memory: int, unified: bool) -> None:
    (folder / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(memory))
    with suppress(OSError):  # else the limit would only make it swap
        (folder / "memory.swap.max").write_text("0")


def _pass_on(root: Path, parent: Path) -> None:
    """Let the controllers reach the groups below (version 2)."""
    parent.mkdir(exist_ok=True)
    for folder in (root, parent):
        given = (folder / "cgroup.subtree_control").read_text().split()
        if missing := [f"+{name}" for name in ("cpu", "memory") if name not in given]:
            (folder / "cgroup.subtree_control").write_text(" ".join(missing))


def memory_of(group: Iterable[Process]) -> dict[Process, int]:
    """Bytes of each process, what several share counted to each in parts."""
    found = {}
    for one in group:
        with suppress(OSError, ValueError, IndexError):
            text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            found[one] = int(line.split()[1]) << 10
    return found


def processors(cpu_milli: int, taken: Iterable[Iterable[int]]) -> set[int]:
    """The processors for a server: as many as it asked for, the ones that the fewest others have."""
    usable = sorted(os.sched_getaffinity(0))
    wanted = min(max(-(-cpu_milli // 1000), 1), len(usable)) if cpu_milli else len(usable)
    burden = dict.fromkeys(usable, 0)
    for cores in taken:
        for core in cores:
            if core in burden:
                burden[core] += 1
    return set(sorted(usable, key=lambda core: (burden[core], core))[:wanted])
