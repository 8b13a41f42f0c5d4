"""Files that steps write, on their way to the containers of later steps.

The steps of a notebook share a working directory, containers do not. So what a step wrote below its working
directory, or at a path that stands in its code, travels with its state.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LIMIT = 20_000
"""A working directory with more files than this is not searched: it is somebody's home, not a project."""
SKIPPED = frozenset(
    {
        ".git",
        ".venv",
        "__pycache__",
        "node_modules",
        ".ipynb_checkpoints",
        ".cache",
        ".local",
        ".config",
        ".ipython",
    }
)

Stamp = tuple[int, int]


def bring(bundle: Path, folder: Path) -> None:
    """Put what lay beside the notebook into the working directory, where it is not there already."""
    import zipfile

    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            place = folder / name.removeprefix("brought/")
            if name.startswith("brought/") and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(name))


def look(folder: Path, named: Iterable[str]) -> dict[str, Stamp] | None:
    """Size and time of every file below ``folder`` and at the named paths; None if there are too many."""
    found: dict[str, Stamp] = {}
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            _note(Path(top, name), folder, found)
        if len(found) > LIMIT:
            return None
    for path in named:
        place = folder / Path(path).expanduser()
        for item in place.rglob("*") if place.is_dir() else (place,):
            _note(item, folder, found)
    return found


def _note(path: Path, folder: Path, found: dict[str, Stamp]) -> None:
    try:
        status = path.stat()
    except OSError:
        return
    if path.is_file():
        key = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
        found[key] = (status.st_size, status.st_mtime_ns)


def collect(
    folder: Path, before: Mapping[str, Stamp], after: Mapping[str, Stamp], state: Path, order: list[int]
) -> list[dict[str, Any]]:
    """Copy what a step wrote into its state; the entries of the manifest. A removed file is stored as null."""
    items: list[dict[str, Any]] = []
    for path in sorted(after.keys() | before.keys()):
        if before.get(path) == after.get(path):
            continue
        stored = None
        if path in after:
            stored = f"file-{len(items)}"
            shutil.copy2(folder / path, state / stored)
        items.append({"path": path, "stored": stored, "order": order})
    return items


def carry(earlier: Mapping[str, tuple[dict[str, Any], Path]], own: list[dict[str, Any]], state: Path) -> None:
    """Add the files of earlier steps to the state, as far as this step did not write them itself."""
    mine = {item["path"] for item in own}
    for path, (item, source) in sorted(earlier.items()):
        if path in mine:
            continue
        stored = item["stored"] and f"file-{len(own)}"
        if stored:
            shutil.copy2(source / item["stored"], state / stored)
        own.append({**item, "stored": stored})


def restore(folder: Path, earlier: Mapping[str, tuple[dict[str, Any], Path]]) -> None:
    """Put the files of earlier steps in place, unless they are there already (a shared folder)."""
    for path, (item, source) in earlier.items():
        place = folder / path
        if not item["stored"]:
            place.unlink(missing_ok=True)
            continue
        stored = source / item["stored"]
        if place.exists() and _same(place, stored):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(stored, place)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
