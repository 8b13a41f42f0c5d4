"""An object store, reached through fsspec. What is put there appears complete or not at all: so the protocols have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Forbidden, Unavailable, Where
from jupyter_ext.store import credentials
from jupyter_ext.store.address import PACKAGES, Address

_CHUNK: Final = 16 << 20
"""Bytes of one part of a large file; several are under way at once, in memory."""
_TIMES: Final = ("LastModified", "updated", "last_modified", "mtime", "created")
"""What s3fs, gcsfs and adlfs call the time of the last change."""


class Document(NamedTuple):
    """What is stored under a name. ``changed``: when it was written last."""

    name: str
    bytes: int
    changed: datetime


class Objects:
    """What is below ``base``, bucket and prefix, of a file system of fsspec. ``kind``: s3, gs or abfs."""

    small: Final = 256 << 10

    def __init__(self, system: Any, base: str, kind: str) -> None:
        self.system = system
        self.base = base.rstrip("/")
        self.kind = kind

    def write(self, key: str, content: bytes) -> None:
        """Replace what is there: complete, or as it was."""
        self.system.pipe_file(self._place(key), content)

    def create(self, key: str, content: bytes) -> bool:
        """Write what is not there yet; False where it is. Two at once: one is first where the store can tell."""
        try:
            self.system.pipe_file(self._place(key), content, mode="create")
        except FileExistsError:
            return False
        return True

    def put(self, key: str, path: Path) -> None:
        """A copy of the file: complete or not there."""
        more = {"max_concurrency": 4} if self.kind == "s3" else {}
        self.system.put_file(str(path), self._place(key), chunksize=_CHUNK, **more)

    def fetch(self, key: str, path: Path) -> None:
        """A copy of what is stored."""
        self.system.get_file(self._place(key), str(path))

    def read(self, key: str, start: int, end: int | None) -> bytes:
        """The bytes from ``start`` to before ``end``."""
        if start == 0 and end is None:
            return bytes(self.system.cat_file(self._place(key)))
        if end is not None and end <= start:
            return b""
        # Asked for first: a range that begins at the end, as that of an empty object, is an error of the protocol.
        size = int(self.system.info(self._place(key))["size"] or 0)
        last = size if end is None else min(end, size)
        return bytes(self.system.cat_file(self._place(key), start=start, end=last)) if start < last else b""

    def info(self, key: str) -> Document | None:
        """What is known of it; None where it is not."""
        try:
            found = self.system.info(self._place(key))
        except FileNotFoundError:
            return None
        return self._told(found) if found.get("type") == "file" else None

    def find(self, prefix: str) -> Iterator[Document]:
        """All below a folder of names."""
        top = self._place(prefix) if prefix else self.base
        found = self.system.find(top, detail=True)
        for place in found:
            # A prefix that is itself an object is found as well; an object that ends in / stands for a folder.
            if place.startswith(f"{top}/") and not place.endswith("/"):
                yield self._told(found[place])

    def remove(self, keys: Iterable[str]) -> None:
        """Remove them. Raises Forbidden where the store kept one and did not say why, as S3 does in bulk."""
        places = [self._place(key) for key in keys]
        if len(places) == 1:
            self.system.rm_file(places[0])
            return
        if places:
            self.system.rm(places)
            if self.system.exists(places[-1]):
                raise Forbidden("The store did not remove this", where=Where(object=places[-1]))

    def _place(self, key: str) -> str:
        return f"{self.base}/{key}"

    def _told(self, found: dict[str, Any]) -> Document:
        changed = next((found[name] for name in _TIMES if found.get(name)), None)
        key = str(found["name"]).removeprefix(f"{self.base}/")
        return Document(key, int(found.get("size") or 0), _time(changed))


def _time(changed: Any) -> datetime:
    if isinstance(changed, str):
        changed = datetime.fromisoformat(changed)
    if not isinstance(changed, datetime):
        return datetime.fromtimestamp(0, UTC)
    return changed if changed.tzinfo else changed.replace(tzinfo=UTC)


def opened(place: Address, values: Mapping[str, str]) -> Objects:
    """What is at an address, with what is known of its credentials. Raises Unavailable, Invalid."""
    kind = credentials.kind_of(place.scheme)
    system = require(place)(**credentials.options(place.scheme, values))
    if kind == "s3":
        system.retries = 3
    base = place.bucket + (f"/{place.prefix}" if place.prefix else "")
    if kind == "abfs":  # its package takes the account out of the address
        base = place.bucket.partition("@")[0] + (f"/{place.prefix}" if place.prefix else "")
    return Objects(system, base, kind)


def require(place: Address) -> Any:
    """The class of fsspec for an address. Raises Unavailable where the package for it is not installed."""
    kind = credentials.kind_of(place.scheme)
    try:
        return import_module("fsspec").get_filesystem_class(kind)
    except (ImportError, ValueError) as error:
        raise missing(place.scheme, place.url, error) from None


def missing(scheme: str, url: str, error: Exception) -> Unavailable:
    """The error for a scheme that this Python cannot reach."""
    package = PACKAGES.get(scheme, "the package of fsspec for it")
    what = f"{scheme}:// cannot be used here ({str(error)[:120]})"
    return Unavailable(what, where=Where(object=url[:300]), hint=f"Install fsspec and {package}.")
