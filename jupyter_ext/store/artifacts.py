"""What is kept in a store: values and files under their digest, documents under a name.

``blobs/ab/<64 hex digits>`` below the store's address is the content of that BLAKE3 digest, as in the profile's own blobs:
a digest means the same on both sides. It is checked whenever it is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from jupyter_ext.cluster.local.blobs import PREFIX, GcReport, is_disk_full
from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import Forbidden, Invalid, KubeflowError, NotFound, Where
from jupyter_ext.store.address import Address, checked_name
from jupyter_ext.store.objects import Document
from jupyter_ext.store.refusals import refusal

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.blobs import Blobs

LARGEST: Final = 64 << 20
"""Bytes of a document, and of one answer to ``get``."""
_BLOBS: Final = "blobs"
_DIGEST: Final = re.compile(re.escape(PREFIX) + "[0-9a-f]{64}")
_FRESH: Final = timedelta(hours=12)
"""A blob that is older is written again, so that a collector which has just chosen it leaves it."""
_GRACE: Final = timedelta(days=1).total_seconds()


class Moved(NamedTuple):
    """How much was copied; ``skipped`` were there already."""

    files: int
    bytes: int
    skipped: int


class Backend(Protocol):
    """Where bytes are, by key. A missing key is a FileNotFoundError; other errors are those of its library."""

    @property
    def small(self) -> int:
        """Bytes up to which content is written without asking whether it is there: asking would take as long."""

    def write(self, key: str, content: bytes) -> None: ...  # noqa: D102 - said in folder.py and objects.py
    def create(self, key: str, content: bytes) -> bool: ...  # noqa: D102
    def put(self, key: str, path: Path) -> None: ...  # noqa: D102
    def fetch(self, key: str, path: Path) -> None: ...  # noqa: D102
    def read(self, key: str, start: int, end: int | None) -> bytes: ...  # noqa: D102
    def info(self, key: str) -> Document | None: ...  # noqa: D102
    def find(self, prefix: str) -> Iterator[Document]: ...  # noqa: D102
    def remove(self, keys: Iterable[str]) -> None: ...  # noqa: D102


class Store:
    """One place by its URL. Any thread may call; nothing is asked before the first call.

    Raises NotFound, Forbidden (which credentials, and why not), KubeflowError with status 507 for a full store,
    Unavailable where it does not answer.
    """

    def __init__(
        self,
        address: Address,
        opened: Callable[[], Backend],
        secret: str | None = None,
        environment: Callable[[], dict[str, Any]] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.secret = secret
        self.settings = dict(settings or {})
        """Endpoint and region, where they were said; nothing secret."""
        self._open = opened
        self._environment = environment
        self._backend: tuple[int, Backend] | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return self.address.url

    def __repr__(self) -> str:
        return f"<Store {self.url}>"

    def pod_environment(self) -> dict[str, Any]:
        """``env`` of a container that is to reach this store: references to the Secret's keys, never their values.

        Raises Unfit where the credentials are this machine's alone.
        """
        return {"env": []} if self._environment is None else self._environment()

    # Content by digest

    def put_bytes(self, content: bytes | bytearray | memoryview) -> str:
        """Store the bytes and return their digest."""
        from blake3 import blake3

        content = bytes(content)
        digest = PREFIX + str(blake3(content).hexdigest())
        key = key_of(digest)
        with self._asking(key) as backend:
            if len(content) <= backend.small or not _is_fresh(backend.info(key), len(content)):
                backend.write(key, content)
        return digest

    def put_file(self, path: str | Path) -> str:
        """Store a copy of the file and return its digest. Raises NotFound where there is no such file."""
        path = Path(path)
        try:
            digest = digest_of(path)
        except OSError as error:
            raise NotFound(
                f"The file cannot be read ({error.strerror})", where=Where(object=str(path))
            ) from None
        self.keep(digest, path)
        return digest

    def keep(self, digest: str, path: Path) -> bool:
        """Store a file whose digest is known; False where it was there already."""
        key = key_of(digest)
        with self._asking(key) as backend:
            size = path.stat().st_size
            if size > backend.small and _is_fresh(backend.info(key), size):
                return False
            backend.put(key, path)
        return True

    def read(self, digest: str) -> bytes:
        """The whole content. Raises NotFound, and KubeflowError for what is not what was stored."""
        from blake3 import blake3

        key = key_of(digest)
        with self._asking(key) as backend:
            content = backend.read(key, 0, None)
        if PREFIX + str(blake3(content).hexdigest()) != digest:
            raise self._damaged(key)
        return content

    def fetch(self, digest: str, path: str | Path) -> None:
        """Bring the content to a file: complete and checked, or not there."""
        path, key = Path(path), key_of(digest)
        with self._asking(key) as backend, _beside(path) as part:
            _fetched(backend, key, part)
            if digest_of(part) != digest:
                raise self._damaged(key)
            part.replace(path)

    def has(self, digest: str) -> bool:
        """Whether it is here."""
        return self._info(key_of(digest)) is not None

    def size(self, digest: str) -> int:
        """Size in bytes. Raises NotFound."""
        return self._known(key_of(digest)).bytes

    def digests(self) -> Iterator[str]:
        """Every one there is, in no particular order."""
        for found in self._found(_BLOBS):
            if found.name.count("/") == 2 and _DIGEST.fullmatch(digest := PREFIX + found.name[-64:]):
                yield digest

    def delete(self, digest: str) -> None:
        """Remove it; nothing happens where it is not."""
        self._remove([key_of(digest)])

    def gc(
        self, referenced: Iterable[str], *, grace_seconds: float = _GRACE, dry_run: bool = False
    ) -> GcReport:
        """Remove what no digest of ``referenced`` names and was not written during the grace period."""
        keep = {key_of(digest) for digest in referenced}
        limit = datetime.now(UTC) - timedelta(seconds=grace_seconds)
        found = [info for info in self._found(_BLOBS) if _DIGEST.fullmatch(PREFIX + info.name[-64:])]
        gone = [info for info in found if info.name not in keep and info.changed <= limit]
        if gone and not dry_run:
            self._remove([info.name for info in gone])
        return GcReport(len(gone), sum(info.bytes for info in gone), len(found) - len(gone))

    # Documents by name

    def write(self, name: str, content: bytes) -> None:
        """Store a document, or replace it: who reads meanwhile has the old one or the new one."""
        key = _name(name, content)
        with self._asking(key) as backend:
            backend.write(key, bytes(content))

    def create(self, name: str, content: bytes) -> bool:
        """Store a document that is not there yet; False where it is."""
        key = _name(name, content)
        with self._asking(key) as backend:
            return backend.create(key, bytes(content))

    def get(self, name: str, *, start: int = 0, limit: int = LARGEST) -> bytes:
        """At most ``limit`` bytes of a document, from ``start`` on; empty behind its end. Raises NotFound."""
        key = _name(name)
        if start < 0 or not 0 < limit <= LARGEST:
            raise Invalid(f"At most {LARGEST} bytes are read at once, from 0 on", where=Where(field="limit"))
        with self._asking(key) as backend:
            return backend.read(key, start, start + limit)

    def exists(self, name: str) -> bool:
        """Whether there is a document of this name."""
        return self._info(_name(name)) is not None

    def about(self, name: str) -> Document:
        """Size and time of a document. Raises NotFound."""
        return self._known(_name(name))

    def names(self, prefix: str = "") -> list[Document]:
        """All documents below a folder of names, by name."""
        if prefix:
            return self._found(_name(prefix.rstrip("/")))
        return [found for found in self._found("") if not found.name.startswith(f"{_BLOBS}/")]

    def remove(self, name: str) -> None:
        """Remove a document; nothing happens where there is none."""
        self._remove([_name(name)])

    def remove_all(self, prefix: str) -> int:
        """Remove all documents below a folder of names; gives how many."""
        keys = [found.name for found in self._found(_name(prefix.rstrip("/")))]
        self._remove(keys)
        return len(keys)

    # Files

    def upload(self, source: str | Path, name: str) -> str:
        """Copy a file, or the files of a folder, under a name; gives the address."""
        from jupyter_ext.store.moving import uploaded

        uploaded(self, Path(source), _name(name))
        return f"{self.url}/{name}"

    def download(self, name: str, folder: str | Path) -> Path:
        """Bring what is under a name into a folder that is made: complete or not there. Raises NotFound, Conflict."""
        from jupyter_ext.store.moving import downloaded

        return downloaded(self, _name(name), Path(folder))

    def push(self, blobs: Blobs, digests: Iterable[str]) -> Moved:
        """Copy blobs of this machine into the store, several at once; what is there stays."""
        from jupyter_ext.store.moving import pushed

        return pushed(self, blobs, digests)

    def pull(self, blobs: Blobs, digests: Iterable[str]) -> Moved:
        """Copy what is in the store into the blobs of this machine, several at once; what is there stays."""
        from jupyter_ext.store.moving import pulled

        return pulled(self, blobs, digests)

    # One key

    def send(self, key: str, path: Path) -> None:
        """Copy a file under a name."""
        with self._asking(key) as backend:
            backend.put(key, path)

    def bring(self, key: str, path: Path) -> None:
        """Copy what is under a name to a file."""
        with self._asking(key) as backend, _beside(path) as part:
            _fetched(backend, key, part)
            part.replace(path)

    def _info(self, key: str) -> Document | None:
        with self._asking(key) as backend:
            return backend.info(key)

    def _known(self, key: str) -> Document:
        if (found := self._info(key)) is None:
            raise refusal(FileNotFoundError(key), f"{self.url}/{key}")
        return found

    def _found(self, prefix: str) -> list[Document]:
        with self._asking(prefix) as backend:
            try:
                return sorted(backend.find(prefix), key=lambda found: found.name)
            except FileNotFoundError as error:
                failed = refusal(error, self.url)
                if "bucket" in failed.what:  # else there is nothing yet
                    raise failed from error
                return []

    def _remove(self, keys: list[str]) -> None:
        with self._asking(keys[0] if keys else "") as backend:
            backend.remove(keys)

    @contextmanager
    def _asking(self, key: str) -> Iterator[Backend]:
        """The backend; what it raises becomes one sentence. Credentials that were refused are looked for anew."""
        try:
            if self._backend is None or self._backend[0] != os.getpid():  # connections do not survive a fork
                self._backend = (os.getpid(), self._open())
            yield self._backend[1]
        except KubeflowError:
            raise
        except Exception as error:
            failed = refusal(error, f"{self.url}/{key}".rstrip("/"), self.secret)
            if isinstance(failed, Forbidden):
                self._backend = None
            raise failed from error

    def _damaged(self, key: str) -> KubeflowError:
        return KubeflowError(
            "This is not what was stored under its digest",
            where=Where(object=f"{self.url}/{key}"),
            hint="Somebody changed it. Remove it, and run the step again without the cache.",
        )


def digest_of(path: Path) -> str:
    """The digest of a file's content."""
    from blake3 import blake3

    hasher = blake3()
    if path.stat().st_size:
        hasher.update_mmap(path)
    return PREFIX + str(hasher.hexdigest())


def key_of(digest: str) -> str:
    """Where the content of a digest lies below the store's address. Raises Invalid for what is none."""
    if not _DIGEST.fullmatch(str(digest)):
        raise Invalid(
            f"{str(digest)[:80]!r} is not a digest", hint="A digest is b3: and 64 hexadecimal digits."
        )
    name = digest[len(PREFIX) :]
    return f"{_BLOBS}/{name[:2]}/{name}"


def _name(name: str, content: bytes = b"") -> str:
    checked_name(name)
    where = Where(field="name")
    if name.split("/", 1)[0] in {_BLOBS, ".tmp"}:
        raise Invalid(f"{name[:80]!r} is kept for content by digest", where=where, hint="Take another name.")
    if len(content) > LARGEST:
        raise Invalid(
            f"A document has at most {LARGEST} bytes", where=where, hint="Use put_bytes or put_file."
        )
    return name


def _is_fresh(found: Document | None, size: int) -> bool:
    return found is not None and found.bytes == size and datetime.now(UTC) - found.changed < _FRESH


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A private file next to the one that is to be."""
    part = make_private(path.parent) / f".{os.getpid()}-{os.urandom(6).hex()}"
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield part
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _fetched(backend: Backend, key: str, part: Path) -> None:
    try:
        backend.fetch(key, part)
    except OSError as error:
        if is_disk_full(error):
            hint = "Free some space, for example with `jupyter kubeflow gc`."
            raise KubeflowError(
                "The disk of this machine is full", where=Where(object=str(part.parent)), hint=hint
            ) from error
        raise
