"""What is known of each server on this machine, in files that outlive the Hub.

``servers/<uid>/state.json`` is written by the server's keeper alone and read by everybody. Proof of life is the record
lock that the keeper holds, never a process number: a number may have been given to another process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local import LocalCluster, locks, processes
from jupyter_ext.cluster.local.home import make_private
from spawner.hub.keeping import limits

MARK: Final = "JUPYTER_KUBEFLOW_SERVER"
"""In the environment of a server and so of all that it starts: the server's uid."""
NAMESPACE: Final = "hub"
_KEPT_RECORDS: Final = 20
_BEGIN_SECONDS: Final = 120
_SAFE: Final = re.compile(r"[a-z0-9]([a-z0-9]|-(?!-)){0,38}[a-z0-9]|[a-z0-9]")


@dataclass(frozen=True)
class State:
    """How a server is, in its keeper's words. ``phase``: new, waiting, starting, running, ended. Times are Unix seconds."""

    uid: str
    user: str
    server: str
    phase: str
    words: str = ""
    port: int = 0
    cpu_milli: int = 0
    memory: int = 0
    gpus: int = 0
    devices: tuple[str, ...] = ()
    since: float = 0.0
    exit: int | None = None
    process: str = ""
    idle_minutes: int | None = None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> State:
        """Read what ``to_dict`` gave; unknown keys are left out. Raises TypeError for what is no state."""
        known = {key: value[key] for key in cls.__dataclass_fields__ if key in value}
        return cls(**{**known, "devices": tuple(known.get("devices", ()))})

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


class Records:
    """The folder of one Hub: servers, their leases, and the folders of its users. All are 0700, files 0600."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.servers = make_private(self.folder / "servers")
        self._cluster: LocalCluster | None = None

    @property
    def cluster(self) -> LocalCluster:
        """Only its leases and locks are used: what servers hold of this machine."""
        if self._cluster is None:
            self._cluster = LocalCluster(self.folder / "leases", NAMESPACE)
        return self._cluster

    def of(self, uid: str) -> Path:
        """The folder of one server."""
        self.cluster.lock_path(uid)  # raises for what is no uid
        return self.servers / uid

    def log(self, uid: str) -> Path:
        """What the server printed."""
        return self.of(uid) / "server.log"

    def user(self, name: str) -> Path:
        """The folder of a Hub user, made 0700 if it is not there."""
        return make_private(self.folder / "users" / folder_name(name))

    def read(self, uid: str) -> State | None:
        """The last word of a server's keeper."""
        try:
            value = json.loads((self.of(uid) / "state.json").read_bytes())
            return State.from_dict(value)
        except (OSError, ValueError, TypeError):
            return None

    def write(self, state: State) -> None:
        """Replace a server's state at once: a reader sees the old or the new one."""
        path = make_private(self.of(state.uid)) / "state.json"
        made = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(state.to_dict(), file)
        made.replace(path)

    def lives(self, uid: str) -> bool:
        """Whether the keeper lives: it holds its lock."""
        return locks.holder(self.cluster.lock_path(uid)) is not None

    def keeper(self, uid: str) -> int | None:
        """The keeper's process, as the kernel knows it from the lock."""
        return locks.holder(self.cluster.lock_path(uid)) or None

    def living(self) -> Iterator[State]:
        """The servers whose keepers live, in no order."""
        for path in self.servers.iterdir():
            if self.lives(path.name) and (state := self.read(path.name)):
                yield state

    def reap(self) -> int:
        """Kill what servers left running whose keeper was killed, and forget old records; says how many were lost."""
        lost = 0
        ended: list[tuple[float, Path]] = []
        for path in self.servers.iterdir():
            if self.lives(path.name) or self._begins(path):
                continue
            state = self.read(path.name)
            if state is not None and state.phase != "ended":
                lost += 1
                kill(path.name)
                limits.Cage.of(path.name).remove()
                words = "Its keeper was killed, and the server with it."
                self.write(State.from_dict({**state.to_dict(), "phase": "ended", "words": words, "exit": 1}))
            with suppress(OSError):
                ended.append((path.stat().st_mtime, path))
        for _, path in sorted(ended)[:-_KEPT_RECORDS]:
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                self.cluster.lock_path(path.name).unlink()
        return lost

    def _begins(self, path: Path) -> bool:
        """Whether its keeper may be about to take its lock."""
        state = self.read(path.name)
        try:
            return (
                state is None or state.phase == "new"
            ) and time.time() - path.stat().st_mtime < _BEGIN_SECONDS
        except OSError:
            return True


def folder_name(user: str) -> str:
    """A name for a user's folder and profile: a DNS label, another one for each user.

    Names that are one already stay as they are; all others get a digest, so that no two meet and none leads elsewhere.
    """
    if _SAFE.fullmatch(user):
        return user
    readable = re.sub(r"[^a-z0-9]+", "-", user.lower())[:24].strip("-") or "user"
    return f"{readable}--{sha256(user.encode()).hexdigest()[:12]}"


def marked(uid: str) -> list[processes.Process]:
    """Every process of a server: those with its uid in the environment they were started with."""
    sign = f"\0{MARK}={uid}\0".encode()
    found = []
    for one in processes.table():
        if one.pid == os.getpid() or one.state in {"Z", "X"}:
            continue
        try:
            environment = Path(f"/proc/{one.pid}/environ").read_bytes()
        except OSError:
            continue
        if sign in b"\0" + environment + b"\0":
            found.append(one)
    return found


def kill(uid: str, patience: float = 5.0) -> None:
    """Kill every process of a server, also those that are born meanwhile."""
    deadline = time.monotonic() + patience
    while (alive := marked(uid)) and time.monotonic() < deadline:
        processes.send(alive, signal.SIGKILL)
        time.sleep(0.01)


def last_lines(path: Path, lines: int = 12, size: int = 8192) -> str:
    """The end of a log, as plain text."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - size, 0))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    clean = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    return "\n".join(clean.rstrip().splitlines()[-lines:])
