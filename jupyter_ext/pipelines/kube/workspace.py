"""What lies beside a notebook and its steps need, on its way to their pods: files by content, in the run's spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Unfit, Where
from jupyter_ext.pipelines.container.files import SKIPPED
from jupyter_ext.pipelines.ir_beside import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.model import Pipeline

LARGEST: Final = 1 << 30
"""Bytes of all files that go along; more belongs into a bucket that steps read from."""
MOST: Final = 2000


def spec(
    cluster: LocalCluster, pipeline: Pipeline, folder: Path | None, place: Mapping[str, Any]
) -> dict[str, Any]:
    """The parts of the run's spec that say where its steps run, and with which files. Raises Unfit for too much."""
    files: dict[str, str] = {}
    room = LARGEST
    for name, step in wanted(pipeline).items() if folder else ():
        assert folder is not None
        for path in _of(folder, folder / name):
            room -= path.stat().st_size
            if room < 0 or len(files) >= MOST:
                what = f"What lies beside the notebook is too much to go along: {name} makes it more than "
                limit = f"{LARGEST >> 30} GiB" if room < 0 else f"{MOST} files"
                hint = "Put it into a bucket, and read it from there."
                raise Unfit(what + limit, where=Where(object=f"step {step}", field=name), hint=hint)
            files[path.relative_to(folder).as_posix()] = cluster.blobs.put_file(path)
    return {"place": dict(place), **({"files": files} if files else {})}


def _of(folder: Path, place: Path) -> Iterator[Path]:
    """The files that a path means: itself, or all below it; nothing outside of the notebook's folder."""
    if not place.resolve().is_relative_to(folder.resolve()) or place.resolve() == folder.resolve():
        return
    if place.is_file():
        yield place
    elif place.is_dir():
        for path in sorted(place.rglob("*")):
            if path.is_file() and not SKIPPED.intersection(path.relative_to(folder).parts):
                yield path
