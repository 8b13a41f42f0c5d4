"""A snapshot's files on disk. Apart from ``snapshot``, because a job's own process needs no more than this."""

from __future__ import annotations

import io
from pathlib import Path


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a snapshot; a folder that is there already, from an earlier attempt, is complete."""
    import shutil
    import zipfile

    if folder.exists():
        return
    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(temporary)
    temporary.replace(folder)
