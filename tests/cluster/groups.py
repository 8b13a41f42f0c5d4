"""The control groups of a cluster's pods: one below the root, in each hierarchy; and who is in them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

import psutil

from tests.cluster.place import Place, Refused

_ROOT: Final = Path("/sys/fs/cgroup")
_NEEDED: Final = ("cpu", "cpuacct", "cpuset", "memory")


def forbidden() -> str:
    """Why there can be no control groups here, in one line; empty when there can."""
    lacking = [] if _is_unified() else [name for name in _NEEDED if not (_ROOT / name / "tasks").exists()]
    if lacking:
        return f"a real node needs the control groups {', '.join(lacking)} in {_ROOT}"
    if any(not os.access(root, os.W_OK) for root in _roots()):
        return f"a real node needs to write to {_ROOT}"
    return ""


def name(place: Place) -> str:
    """As the kubelet is told it."""
    return f"/{place.key}"


def make(place: Place) -> None:
    """Make the group in each hierarchy, unless it is there."""
    if _is_unified():
        for controller in (_ROOT / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # systemd's, or enabled before
                (_ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
    for folder in _folders(place):
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # Version 1 makes them empty, and such a group takes nobody.
            if not _is_unified() and (folder / setting).exists():
                (folder / setting).write_text((folder.parent / setting).read_text())


def end_shims(place: Place) -> None:
    """Each pod has a process beside it that containerd leaves running when it ends."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = process.cmdline()
            if "containerd-shim" in "".join(words[:1]) and f"{place.folder}/containerd.sock" in words:
                process.kill()
                found.append(process)
    psutil.wait_procs(found, timeout=10)


def remove(place: Place) -> None:
    """Kill who is in the group, and remove it with all below. Raises Refused when something stays."""
    deadline = time.monotonic() + 20
    while any(folder.exists() for folder in _folders(place)):
        for folder in _folders(place):
            for inner, _, _ in os.walk(folder, topdown=False):
                _kill(Path(inner) / "cgroup.procs")
                with contextlib.suppress(OSError):  # somebody is in it still
                    Path(inner).rmdir()
        if time.monotonic() > deadline:
            raise Refused(f"the control group {name(place)} cannot be removed")
        time.sleep(0.02)


def _kill(members: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in members.read_text().split():
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(int(pid)).kill()


def _folders(place: Place) -> list[Path]:
    return [root / place.key for root in _roots()]


def _roots() -> list[Path]:
    if _is_unified():
        return [_ROOT]
    return sorted(
        root for root in _ROOT.iterdir() if (root / "cgroup.procs").exists() and not root.is_symlink()
    )


def _is_unified() -> bool:
    return (_ROOT / "cgroup.controllers").exists()
