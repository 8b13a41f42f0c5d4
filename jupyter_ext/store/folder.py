"""A folder as a store: of this machine, or of a claim that several pods mount."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import NotFound, Unavailable, Where
from jupyter_ext.store.objects import Document

_HIDDEN: Final = ".tmp"
"""Where files are written, on the same file system; killed writers leave what is in it."""


class Folder:
    """Files below ``root``, which is made where its parent is there: a claim that is not mounted is no store."""

    small: Final = -1

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, key: str, content: bytes) -> None:
        """Replace what is there: complete, or as it was."""
        with self._new(key) as part:
            _written(part, content)
            part.replace(self._place(key))

    def create(self, key: str, content: bytes) -> bool:
        """Write what is not there yet; False where it is."""
        with self._new(key) as part:
            _written(part, content)
            try:
                os.link(part, self._place(key))
            except FileExistsError:
                return False
            return True

    def put(self, key: str, path: Path) -> None:
        """A copy of the file: complete or not there."""
        with self._new(key) as part:
            with path.open("rb") as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            part.chmod(0o600)
            part.replace(self._place(key))

    def fetch(self, key: str, path: Path) -> None:
        """A copy of what is stored."""
        with self._place(key).open("rb") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def read(self, key: str, start: int, end: int | None) -> bytes:
        """The bytes from ``start`` to before ``end``."""
        with self._place(key).open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else max(end - start, 0))

    def info(self, key: str) -> Document | None:
        """What is known of it; None where it is not."""
        self._there()
        try:
            facts = self._place(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Document(key, facts.st_size, _time(facts.st_mtime))

    def find(self, prefix: str) -> Iterator[Document]:
        """All below a folder of names."""
        self._there()
        top = self._place(prefix) if prefix else self.root
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(
                name for name in folders if not (folder == str(self.root) and name == _HIDDEN)
            )
            for name in sorted(files):
                key = Path(folder, name).relative_to(self.root).as_posix()
                if found := self.info(key):
                    yield found

    def remove(self, keys: Iterable[str]) -> None:
        """Remove them, and the folders that are empty then."""
        for key in keys:
            place = self._place(key)
            place.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                for folder in place.parents:
                    if folder == self.root:
                        break
                    folder.rmdir()

    def _place(self, key: str) -> Path:
        return self.root / key

    def _there(self) -> None:
        if not self.root.is_dir() and not self.root.parent.is_dir():
            hint = "Mount the claim, or make the folder."
            raise Unavailable(
                "The folder of the store is not there", where=Where(object=str(self.root)), hint=hint
            )

    @contextmanager
    def _new(self, key: str) -> Iterator[Path]:
        """A file to write to, beside those that are there."""
        self._there()
        part = make_private(self.root / _HIDDEN) / f"{os.getpid()}-{os.urandom(8).hex()}"
        try:
            make_private(self._place(key).parent)
            yield part
        except FileExistsError:
            what = "A part of this name is a file already"
            raise NotFound(what, where=Where(object=str(self._place(key)))) from None
        finally:
            part.unlink(missing_ok=True)


def _written(part: Path, content: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
