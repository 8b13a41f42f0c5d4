"""Checkpoints that are whole or not there: written aside, synced, renamed; the last few are kept.

A job's folder for them (``checkpoint_dir``) outlives every process of it. Frameworks may write their own formats
there; these two functions are for code that has none. Standard library only, and torch where it is in use.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.training.reporting import checkpoint_dir, world

KEEP: Final = 3
AFTER_SAVING: Final[list[Callable[[Path, int], None]]] = []
"""Called with each checkpoint that was saved, and its step: in a pod it is put into the profile's store."""
_NAME: Final = re.compile(r"step-(\d{1,18})\.ckpt")
_ZIP: Final = b"PK\x03\x04"


class Checkpoint(NamedTuple):
    """What was saved, and at which step."""

    state: Any
    step: int


def save_checkpoint(
    state: Any, step: int, *, keep: int = KEEP, path: str | Path | None = None
) -> Path | None:
    """Save the state of a training after ``step`` and forget all but the ``keep`` newest.

    Every rank may call it: rank 0 writes. With torch loaded it is ``torch.save``, else a pickle. Returns the file, or
    None on other ranks and outside of a job (unless ``path`` names a folder). When it returns, the checkpoint
    survives a crash of the machine.
    """
    if step < 0 or keep < 1:
        raise Invalid(f"step={step}, keep={keep}: a step counts from 0, and one is kept at least")
    folder = _folder(path)
    if folder is None or world().rank != 0:
        return None
    final = folder / f"step-{step}.ckpt"
    temporary = folder / f".step-{step}.{os.getpid()}.partial"
    try:
        with temporary.open("wb") as file:
            _dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(final)
        _sync(folder)
    except OSError as error:
        raise KubeflowError(
            f"The checkpoint cannot be written ({error.strerror})",
            where=Where(object=str(folder)),
            hint="Check that the disk has room. The last one is still there.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    _forget(folder, keep, final)
    if path is None:
        for keep_it in AFTER_SAVING:
            keep_it(final, step)
    return final


def load_checkpoint(path: str | Path | None = None) -> Checkpoint | None:
    """The newest checkpoint that can be read, or None: then the training begins at its beginning.

    ``state, step = load_checkpoint() or (None, 0)``. Tensors come to the CPU.
    """
    folder = _folder(path)
    if folder is None:
        return None
    for step, file in _all(folder):
        try:
            return Checkpoint(_load(file), step)
        except (OSError, EOFError, pickle.UnpicklingError, RuntimeError) as error:
            print(f"{file.name} cannot be read ({error}): the one before is taken.", file=sys.stderr)  # noqa: T201
    return None


def latest(folder: str | Path) -> tuple[int, Path] | None:
    """Step and file of the newest checkpoint in a folder, without reading it."""
    return next(_all(Path(folder)), None)


def _folder(path: str | Path | None) -> Path | None:
    if path is None:
        return checkpoint_dir()
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _all(folder: Path) -> Iterator[tuple[int, Path]]:
    """Newest first."""
    found = []
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            match = _NAME.fullmatch(file.name)
            if match:
                found.append((int(match[1]), file))
    yield from sorted(found, reverse=True)


def _dump(state: Any, file: IO[bytes]) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "save"):
        torch.save(state, file)
    else:
        import cloudpickle

        cloudpickle.dump(state, file)


def _load(file: Path) -> Any:
    with file.open("rb") as opened:
        zipped = opened.read(4) == _ZIP
    if zipped:
        import torch

        return torch.load(file, map_location="cpu", weights_only=False)
    with file.open("rb") as opened:
        return pickle.load(opened)


def _forget(folder: Path, keep: int, written: Path) -> None:
    """Remove all but the newest, and what processes that died left half written.

    Steps beyond the one just written are of a training that was begun anew from an earlier one: they go first.
    """
    step = int(written.stem.removeprefix("step-"))
    found = list(_all(folder))
    ahead = [file for number, file in found if number > step]
    behind = [file for number, file in found if number <= step]
    for file in [*ahead, *behind[keep:]]:
        file.unlink(missing_ok=True)
    for partial in folder.glob(".step-*.partial"):
        if partial.name.split(".")[-2] != str(os.getpid()):
            partial.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make the new name itself survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
