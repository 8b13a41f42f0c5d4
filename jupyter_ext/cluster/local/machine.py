"""What this machine, or the container around this process, gives: processors, memory, GPUs, and its kills."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_UNLIMITED: Final = 1 << 60
"""Version 1 writes "no limit" as a number near 2**63."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one MIG part of a GPU, as the driver names it. ``memory`` in bytes."""

    uuid: str
    index: int
    name: str
    memory: int


@dataclass(frozen=True)
class Machine:
    """What there is to lease: CPU in thousandths, memory in bytes, GPUs."""

    cpu_milli: int
    memory_bytes: int
    gpus: tuple[Gpu, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def this_machine() -> Machine:
    """Limits of cgroups (both versions) and of the processor affinity are respected."""
    return Machine(cpu_milli(), memory_bytes(), gpus())


def cpu_milli(cgroups: Path = _CGROUPS, membership: str | None = None) -> int:
    """Processors this process may use, in thousandths."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        usable = os.cpu_count() or 1
    quotas = [usable * 1000]
    for folder in _folders("cpu", cgroups, membership):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(max(int(quota) * 1000 // int(period), 1))
    return min(quotas)


def memory_bytes(cgroups: Path = _CGROUPS, membership: str | None = None) -> int:
    """Memory this process and its children may use together.

    ``MEM_LIMIT`` is how a JupyterHub says it, where it cannot make a control group for a server.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    said = os.environ.get("MEM_LIMIT", "")
    if said.isascii() and said.isdecimal() and int(said):
        limits.append(int(said))
    for folder in _folders("memory", cgroups, membership):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text.isdecimal() and int(text) < _UNLIMITED:
                limits.append(int(text))
    return min(limits)


def oom_kills(cgroups: Path = _CGROUPS, membership: str | None = None) -> int:
    """How often the kernel killed a process for lack of memory, here or, where unknown, on the whole machine."""
    for folder in _folders("memory", cgroups, membership):
        for name in ("memory.events", "memory.oom_control"):
            count = _field(_read(folder / name), "oom_kill")
            if count is not None:
                return count
    return _field(_read(Path("/proc/vmstat")), "oom_kill") or 0


def boot() -> str:
    """Changes when the machine, or the container whose first process is 1, is started again."""
    started = _read(Path("/proc/1/stat")).rpartition(")")[2].split()
    return f"{_read(Path('/proc/sys/kernel/random/boot_id'))}/{started[19] if len(started) > 19 else ''}"


def _folders(controller: str, cgroups: Path, membership: str | None) -> list[Path]:
    """This process's cgroup and those around it, the nearest first."""
    text = _read(Path("/proc/self/cgroup")) if membership is None else membership
    folders = []
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            root = cgroups
        elif controller in controllers.split(","):
            root = cgroups / controller
        else:
            continue
        folder = root / path.lstrip("/")
        folders += [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _field(text: str, name: str) -> int | None:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdecimal():
            return int(value)
    return None


_FRESH_SECONDS: Final = 5.0


@lru_cache(maxsize=1)
def _limits(_period: int) -> tuple[int, int]:
    return cpu_milli(), memory_bytes()


def limits_now() -> tuple[int, int]:
    """CPU in thousandths and memory in bytes, read again every few seconds: limits can be changed while we run."""
    return _limits(int(time.monotonic() / _FRESH_SECONDS))


@cache
def may_have_gpus() -> bool:
    """Whether the NVIDIA driver's tool is installed; costs nothing, where asking it may take a second."""
    import shutil

    return shutil.which("nvidia-smi") is not None


@cache
def gpus() -> tuple[Gpu, ...]:
    """What ``nvidia-smi`` lists and ``CUDA_VISIBLE_DEVICES`` lets this process see; asked once per process."""
    import shutil

    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    import subprocess

    def ask(*arguments: str) -> str:
        try:
            command = [program, *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return ""

    table = ask("--query-gpu=uuid,index,name,memory.total", "--format=csv,noheader,nounits")
    found = parse_gpus(table, ask("-L") if table else "")
    return visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(table: str, listing: str) -> tuple[Gpu, ...]:
    """Read nvidia-smi's table and its ``-L``; a GPU that is split by MIG is replaced by its parts."""
    whole: dict[str, Gpu] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 4 and cells[1].isdecimal():
            memory = int(cells[3]) << 20 if cells[3].isdecimal() else 0
            whole[cells[0]] = Gpu(cells[0], int(cells[1]), cells[2], memory)
    parts: dict[str, list[Gpu]] = {uuid: [] for uuid in whole}
    current = ""
    for line in listing.splitlines():
        uuid = line.partition("UUID: ")[2].rstrip(") \r\n")
        if uuid in whole:
            current = uuid
        elif uuid.startswith("MIG-") and current:
            profile = line.split()[1]
            size = profile.partition(".")[2].removesuffix("gb")
            memory = int(size) << 30 if size.isdecimal() else 0
            name = f"{whole[current].name} MIG {profile}"
            parts[current].append(Gpu(uuid, whole[current].index, name, memory))
    return tuple(gpu for uuid, one in whole.items() for gpu in parts[uuid] or [one])


def visible(found: tuple[Gpu, ...], setting: str | None) -> tuple[Gpu, ...]:
    """Those that CUDA_VISIBLE_DEVICES names, by index or by the beginning of the UUID, in its order."""
    if setting is None:
        return found
    chosen: list[Gpu] = []
    for word in (word.strip() for word in setting.split(",")):
        matches = [
            gpu
            for gpu in found
            if (str(gpu.index) == word if word.isdecimal() else gpu.uuid.startswith(word))
        ]
        if not word or not matches:
            break  # as CUDA does: what follows an invalid entry is not seen
        chosen += [gpu for gpu in matches if gpu not in chosen]
    return tuple(chosen)
