"""Many files between this machine and a store: small ones side by side, large ones one after another.

A large file is sent in parts that are themselves under way together; so the memory that this takes is bounded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.store.address import checked_name
from jupyter_ext.store.artifacts import Moved

if TYPE_CHECKING:
    from jupyter_ext.store.artifacts import Store

_TOGETHER: Final = 8
_LARGE: Final = 8 << 20
"""Bytes from which a file goes alone."""
T = TypeVar("T")


def pushed(store: Store, blobs: Blobs, digests: Iterable[str]) -> Moved:
    """Blobs of this machine into the store. Raises NotFound for one that is not here."""
    wanted = [(digest, blobs.path(digest)) for digest in dict.fromkeys(digests)]
    sizes = {path: path.stat().st_size for _, path in wanted}

    def send(item: tuple[str, Path]) -> int | None:
        return sizes[item[1]] if store.keep(*item) else None

    return _moved(_each(send, wanted, lambda item: sizes[item[1]]))


def pulled(store: Store, blobs: Blobs, digests: Iterable[str]) -> Moved:
    """What is in the store into the blobs of this machine. Raises NotFound for one that is not there."""
    wanted = list(dict.fromkeys(digests))
    lacking = [digest for digest in wanted if not blobs.touch(digest)]

    def bring(digest: str) -> int:
        part = blobs.temporary()
        try:
            store.fetch(digest, part)
            size = part.stat().st_size
            _synced(part)
            blobs.adopt(part, digest)
        except OSError as error:
            raise blobs.failed(error) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    done = _moved(_each(bring, lacking, lambda _: 0))
    return done._replace(skipped=len(wanted) - len(lacking))


def uploaded(store: Store, source: Path, name: str) -> None:
    """A file, or all regular files of a folder, under a name. Raises NotFound where there is nothing."""
    found = dict(_files(source, name))
    if not found:
        raise NotFound("There is no file to store", where=Where(object=str(source)))
    sent(store, found)


def sent(store: Store, found: Mapping[str, Path]) -> None:
    """Files under names. Raises Invalid for a name that cannot be one, before anything is sent."""
    for key in found:
        checked_name(key)
    _each(lambda key: store.send(key, found[key]), list(found), lambda key: found[key].stat().st_size)


def _files(source: Path, name: str) -> Iterable[tuple[str, Path]]:
    if source.is_file():
        yield name, source
        return
    for folder, folders, files in os.walk(source):
        folders.sort()
        for each in sorted(files):
            path = Path(folder, each)
            if path.is_file() and not path.is_symlink():
                yield f"{name}/{path.relative_to(source).as_posix()}", path


def downloaded(store: Store, name: str, folder: Path) -> Path:
    """What is under a name: one document as the file, what lies below it as a folder."""
    if folder.exists():
        raise Conflict("This is there already", where=Where(object=str(folder)), hint="Name another folder.")
    found = store.names(name)
    if not found:
        store.bring(name, folder)
        return folder
    building = make_private(folder.parent) / f".{os.getpid()}-{os.urandom(6).hex()}"
    try:
        make_private(building)

        def bring(key: str) -> None:
            place = building / key.removeprefix(f"{name}/")
            if not place.resolve().is_relative_to(building.resolve()):
                raise Invalid("A name in the store leads out of its folder", where=Where(object=key))
            store.bring(key, place)

        sizes = {document.name: document.bytes for document in found}
        _each(bring, list(sizes), sizes.__getitem__)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _each(work: Callable[[T], int | None], items: list[T], size: Callable[[T], int]) -> list[int | None]:
    """Do it for each; the first error ends it, when those under way are done."""
    if len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    small = [item for item in items if size(item) < _LARGE]
    large = [item for item in items if size(item) >= _LARGE]
    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="store") as pool:
        under_way = [pool.submit(work, item) for item in small]
        try:
            done = [work(item) for item in large]
            return done + [each.result() for each in under_way]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _moved(sizes: list[int | None]) -> Moved:
    sent = [size for size in sizes if size is not None]
    return Moved(len(sent), sum(sent), len(sizes) - len(sent))


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
