"""What a profile takes on this machine's disk, and what is left there."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Final

HOLDS: Final = 60.0
"""Seconds for which a count is told again: it looks at every file."""
MOST: Final = 200_000
"""Files that are looked at; of more it says so."""
_PARTS: Final = {"blobs": "values", "logs": "logs", "work": "work"}
"""Folders of a profile, by what people call what is in them; the rest is records."""

_guard = threading.Lock()
_counted: dict[Path, tuple[float, dict[str, Any]]] = {}


def of(cluster: Any) -> dict[str, Any] | None:
    """Bytes by part, in all, and free on the disk; None for a cluster, whose storage is elsewhere."""
    home: Path | None = getattr(cluster, "home", None)
    if home is None:
        return None
    with _guard:
        moment, found = _counted.get(home, (-HOLDS, {}))
        if time.monotonic() - moment >= HOLDS:
            found = count(home)
            _counted[home] = (time.monotonic(), found)
    return found | {"free": shutil.disk_usage(home).free}


def count(home: Path) -> dict[str, Any]:
    """Look at every file of a profile; ``whole`` is false where there are too many to look at all."""
    parts = dict.fromkeys((*_PARTS.values(), "records"), 0)
    left = MOST
    with os.scandir(home) as entries:
        for entry in entries:
            part = _PARTS.get(entry.name, "records")
            size, seen = _tree(entry, left)
            parts[part] += size
            left -= seen
    return {"parts": parts, "total": sum(parts.values()), "whole": left > 0}


def _tree(start: os.DirEntry[str], most: int) -> tuple[int, int]:
    """Bytes on the disk, and number, of the files below; links are not followed."""
    size, seen, todo = 0, 0, [start]
    while todo and seen < most:
        entry = todo.pop()
        try:
            if entry.is_dir(follow_symlinks=False):
                with os.scandir(entry) as entries:
                    todo += entries
            else:
                size += entry.stat(follow_symlinks=False).st_size
                seen += 1
        except OSError:  # gone meanwhile
            continue
    return size, seen
