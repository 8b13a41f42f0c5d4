"""The processes of a cluster: started in their own session, known again later by pid and start time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.cluster.place import Place

_STAY = ("HOME", "TMPDIR", "LANG")


def path() -> str:
    """Where programs are looked for: also where those for administrators are."""
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def start(place: Place, name: str, argv: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    """Start ``argv`` with its output in a file of its own; the pid is written down under ``name``.

    Not through `subprocess`: its object would want to be waited for, and these outlive who started them.
    """
    for folder in (place.logs, place.runs):
        folder.mkdir(mode=0o700, exist_ok=True)
    environment = {key: os.environ[key] for key in _STAY if key in os.environ}
    environment |= {"PATH": path(), **(extra or {})}
    log = str(place.logs / f"{name}.log")
    opened = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        argv[0],
        list(argv),
        environment,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, opened, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    with contextlib.suppress(psutil.NoSuchProcess):
        record = {"pid": pid, "started": psutil.Process(pid).create_time()}
        fresh = place.runs / f".{name}"
        fresh.write_text(json.dumps(record))
        fresh.rename(place.runs / name)
    return pid


def find(place: Place, name: str) -> psutil.Process | None:
    """The process that was started as ``name``, if it still runs."""
    try:
        record = json.loads((place.runs / name).read_text())
        process = psutil.Process(record["pid"])
        alive = process.create_time() == record["started"] and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def names(place: Place) -> list[str]:
    """All that were ever started."""
    return sorted(file.name for file in place.runs.glob("[!.]*")) if place.runs.exists() else []


def end(place: Place, which: Iterable[str], number: signal.Signals = signal.SIGKILL) -> None:
    """End them and wait until they are gone; nothing here needs a farewell, its folder goes with it."""
    found = {name: find(place, name) for name in which}
    for process in found.values():
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
    alive = [process for process in found.values() if process is not None]
    _, left = psutil.wait_procs(alive, timeout=20)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=10)


def last_lines(file: Path, count: int = 5) -> str:
    """The end of a log, for a message about what did not start."""
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
