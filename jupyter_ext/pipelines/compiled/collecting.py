"""Environments that no run refers to any more: found, and removed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_NAME: Final = re.compile(r"[0-9a-f]{24}")
_MENTIONED: Final = re.compile(r'"environment": ?"([0-9a-f]{24})"')
_GONE: Final = ".gone-"


class Collected(NamedTuple):
    """How many were removed (or would be), how many bytes that frees, and how many are kept."""

    removed: int
    bytes: int
    kept: int


def collect(cluster: LocalCluster, *, dry_run: bool = False, grace_seconds: float = 3600) -> Collected:
    """Remove what no run of any profile was in, nor anybody used or made during the grace period."""
    root = cluster.base / "environments"
    if not root.is_dir():
        return Collected(0, 0, 0)
    used = _mentioned(cluster)
    limit = time.time() - grace_seconds
    removed = size = kept = 0
    for folder in sorted(root.iterdir()):
        if folder.name.startswith(_GONE) and not dry_run:  # somebody was ended while at it
            shutil.rmtree(folder, ignore_errors=True)
        if not _NAME.fullmatch(folder.name) or not folder.is_dir():
            continue
        with _alone(folder) as alone:
            if folder.name in used or not alone or _touched(folder) > limit:
                kept += 1
                continue
            removed += 1
            size += _bytes(folder)
            if not dry_run:
                _remove(folder)
    return Collected(removed, size, kept)


def _mentioned(cluster: LocalCluster) -> set[str]:
    """The environments that the runs of all profiles were in: these share them."""
    from jupyter_ext.cluster.local.store import Store

    found: set[str] = set()
    for path in sorted(cluster.base.glob("*/store.sqlite")):
        own = path.parent == cluster.home
        store = cluster.store if own else Store(path, path.parent.name)
        with store.reading() as connection:
            for (text,) in connection.execute("SELECT status FROM resources WHERE kind = 'Run'"):
                found.update(_MENTIONED.findall(text))
        if not own:
            store.close()
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody is making it, for as long as this lasts."""
    descriptor = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _touched(folder: Path) -> float:
    for path in (folder / "made-from.json", folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _bytes(folder: Path) -> int:
    """What removing it frees: a file that is also elsewhere, such as in uv's cache, is no gain."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                facts = Path(where, name).lstat()
                total += facts.st_size if facts.st_nlink == 1 else 0
    return total


def _remove(folder: Path) -> None:
    """First its name, then its content: at no moment is half of it an environment."""
    gone = folder.with_name(f"{_GONE}{folder.name}-{os.urandom(4).hex()}")
    with suppress(FileNotFoundError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
