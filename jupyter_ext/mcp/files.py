"""Which file a path of a tool means: one below the folder that this server was started for, and no other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.server.paths import clean

LARGEST: Final = 256 << 20
"""Bytes of a file that are read to tell whether it is still the same; of a larger one size and time must do."""
FILES: Final = 10_000


def locate(root: Path, path: str, *, program: bool = True) -> Path:
    """Find a file below ``root``; raises Invalid where it leaves it, also by a link, and NotFound."""
    where = Where(field="path")
    found = root / clean(path, program=program)
    if not found.resolve().is_relative_to(root.resolve()):
        hint = "Give it relative to the folder that this server was started for (--root)."
        raise Invalid(f"{path!r} leads out of the folder of this server", where=where, hint=hint)
    if not found.exists():
        word = "notebook" if program else "file or folder"
        raise NotFound(f"there is no {word} {path!r} below {root.name or root}", where=where)
    return found


def state(path: Path) -> list[str]:
    """Name the content of a file or a folder, so that a plan can tell whether it is still what was planned with."""
    if path.is_file() and path.stat().st_size <= LARGEST:
        with path.open("rb") as file:
            return [hashlib.file_digest(file, "sha256").hexdigest()]
    found = [path] if path.is_file() else sorted(path.rglob("*"))[:FILES]
    stats = [(each.relative_to(path.parent), each.lstat()) for each in found]
    return [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
