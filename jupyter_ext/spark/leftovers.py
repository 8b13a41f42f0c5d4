"""What a driver that died left half-written, found by what it noted before it wrote.

Spark writes a folder by way of ``_temporary`` inside of it and moves the parts at the end; a driver that is killed in
between leaves both. Hadoop's committer, through which every save of a frame or an RDD goes, names its folder in a line
of its log before it makes anything there; ``launch`` has that line written to a file.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from jupyter_ext.spark.launch import CONNECTION, WRITING

# org.apache.hadoop.mapreduce.lib.output.PathOutputCommitter
_WRITES: Final = re.compile(
    r" with output path file:/*(/[^\n]*?) and (?:job|task) context (?:JobContextImpl|TaskAttemptContextImpl)\{"
)
_STAGING: Final = ".spark-staging-"
"""Where partitions are written that replace others at the end."""
_LARGEST: Final = 16 << 20
"""Bytes of the notes, from their end, that are looked through."""


def tidy(folder: Path) -> list[str]:
    """Remove what an application that runs no more wrote only for itself, secrets too; gives as ``clean`` does."""
    found = clean(folder / WRITING)
    for name in ("scratch", "home"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("spark.conf", CONNECTION, WRITING):
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "events").glob("*.inprogress"):
        with suppress(OSError):
            path.rename(path.with_suffix(""))
    return found


def clean(notes: Path) -> list[str]:
    """Remove what was not finished of the output that the notes name; gives the folders that were being written."""
    return [str(folder) for folder in places(notes) if _undone(folder)]


def places(notes: Path) -> list[Path]:
    """The folders of this machine that were written to."""
    try:
        with notes.open("rb") as file:
            file.seek(max(notes.stat().st_size - _LARGEST, 0))
            text = file.read().decode(errors="surrogateescape")
    except OSError:
        return []
    return [Path(place) for place in dict.fromkeys(_WRITES.findall(text))]


def _undone(folder: Path) -> bool:
    """Take an unfinished write back; gives whether there was one. A finished one has no ``_temporary`` any more."""
    if folder.name.startswith(_STAGING):
        if not folder.is_dir():
            return False
        shutil.rmtree(folder, ignore_errors=True)
        _forsake(folder.parent)
        return True
    temporary = folder / "_temporary"
    try:
        begun = temporary.stat().st_mtime_ns
    except OSError:
        return False
    _take_back(folder, begun)
    shutil.rmtree(temporary, ignore_errors=True)
    _forsake(folder)
    return True


def _take_back(folder: Path, begun: int) -> None:
    """Remove parts that are in their place already: those that are younger than the write, wherever they are below."""
    for place, folders, files in os.walk(folder, topdown=True):
        folders[:] = [name for name in folders if name != "_temporary"]
        for name in files:
            path = Path(place, name)
            with suppress(OSError):
                if name.startswith(("part-", ".part-")) and path.stat().st_mtime_ns >= begun:
                    path.unlink()
    for place, _, _ in os.walk(folder, topdown=False):
        if Path(place) != folder and "_temporary" not in Path(place).relative_to(folder).parts:
            with suppress(OSError):  # there is something in it
                Path(place).rmdir()


def _forsake(folder: Path) -> None:
    """Remove a folder in which nothing is left but notes of Spark's own."""
    with suppress(OSError):
        if all(path.name.startswith((".", "_")) for path in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
