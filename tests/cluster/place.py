"""Where one test cluster keeps its things: everything below one folder, and that folder is gone when it is."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent
NODE_ADDRESS: Final = "10.213.0.1"
"""Of the API server and the node; each cluster has a network of its own, so each can have the same."""
SERVICES: Final = "10.214.0.0/16"
PODS: Final = "10.215.0.0/16"
MADE_UP_PODS: Final = "10.216.0.0/16"
"""The addresses of pods that only KWOK says are running."""


class Refused(Exception):
    """What this machine, or somebody's file, does not allow; one line."""


@dataclass(frozen=True)
class Place:
    """The files of one cluster."""

    folder: Path

    @property
    def certificates(self) -> Path:
        """Keys and certificates."""
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "admin.kubeconfig"

    @property
    def logs(self) -> Path:
        """One file for each process."""
        return self.folder / "log"

    @property
    def runs(self) -> Path:
        """One file for each process that was started."""
        return self.folder / "run"

    @property
    def etcd(self) -> Path:
        """What the cluster remembers."""
        return self.folder / "etcd"

    @property
    def tier(self) -> Path:
        """Says which tier it is."""
        return self.folder / "tier"

    @property
    def key(self) -> str:
        """Tells this cluster from others where folders do not: two temporary folders may hold one of the same name."""
        return f"{self.folder.name}-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One `up` or `down` of this folder at a time."""
        while True:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self.folder.exists() and os.path.samestat(os.fstat(descriptor), self.folder.stat()):
                    yield
                    return
            finally:
                os.close(descriptor)


def default_place(session: str = "") -> Place:
    """The one cluster of this checkout and this user, or of one session of tests."""
    name = hashlib.sha256(f"{REPOSITORY} {session}".encode()).hexdigest()[:8]
    return Place(Path(tempfile.gettempdir()) / f"test-cluster-{os.getuid()}-{name}")


def cache() -> Path:
    """What outlives a cluster: the programs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jupyter-kubeflow" / "test-cluster"
