"""Content-addressed files: values between steps, outputs, notebooks. Written once, never changed."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, NamedTuple, Self

from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where

PREFIX: Final = "b3:"
_HEX: Final = frozenset("0123456789abcdef")
_DIGEST_LENGTH: Final = 64
_WORTH_THREADS: Final = 16 << 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class GcReport(NamedTuple):
    """What a collection removed, or with ``dry_run`` would remove. ``bytes`` counts the removed files.

    ``environments`` are those of components, removed and kept.
    """

    removed: int
    bytes: int
    kept: int
    environments: int = 0
    environments_kept: int = 0

    def to_dict(self) -> dict[str, int]:
        """JSON form."""
        return self._asdict()


class _Threads:
    """Whether hashing may use several threads.

    Their pool does not survive a fork: a child that inherits a started one would wait for it forever.
    """

    def __init__(self) -> None:
        self.started = False
        self.lost = False
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self.lost = self.lost or self.started

    def count(self, size: int) -> int:
        """For so many bytes: 1, or as many as there are processors."""
        from blake3 import blake3

        if self.lost or size < _WORTH_THREADS:
            return 1
        self.started = True
        return int(blake3.AUTO)


_threads = _Threads()


def _digest_of(path: Path) -> str:
    from blake3 import blake3

    size = path.stat().st_size
    hasher = blake3(max_threads=_threads.count(size))
    if size:
        hasher.update_mmap(path)
    return PREFIX + hasher.hexdigest()


def is_disk_full(error: BaseException) -> bool:
    """Whether the operating system refused to write for lack of room; Arrow says so only in words."""
    return isinstance(error, OSError) and (error.errno in _FULL or "No space left" in str(error))


class BlobWriter:
    """Write a blob through ``file`` or ``path``; afterwards ``digest`` and ``size`` are set.

    When the block raises, nothing is left behind.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.digest = ""
        self.size = 0
        self._blobs = blobs

    def __enter__(self) -> Self:
        self.path = self._blobs.temporary()
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._blobs.failed(error) from error
        self.file: IO[bytes] = os.fdopen(descriptor, "w+b")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        except OSError as failure:
            raise self._blobs.failed(failure) from failure
        finally:
            self._abandon()
        if error is not None and is_disk_full(error):
            raise self._blobs.failed(error) from error

    def _finish(self) -> None:
        if not self.file.closed:
            self.file.flush()
        # Opened anew, because the block may have closed the file or written through the path.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.size = self.path.stat().st_size
        self.digest = _digest_of(self.path)
        self._blobs.adopt(self.path, self.digest)

    def _abandon(self) -> None:
        with suppress(OSError):  # what it could not flush is given up anyway
            self.file.close()
        self.path.unlink(missing_ok=True)


class Blobs:
    """Blobs under one folder, named by the BLAKE3 digest of their content: ``b3:<64 hex digits>``.

    Files appear complete or not at all. The collector and the writers agree through a lock file, so a blob that
    is put again while it is being collected stays.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._temporary = self.root / "tmp"

    def put_bytes(self, content: bytes | bytearray | memoryview) -> str:
        """Store the bytes and return their digest."""
        from blake3 import blake3

        digest = PREFIX + str(blake3(content).hexdigest())
        # A file of another size is what a power cut left of it.
        if not self.touch(digest) or self.size(digest) != memoryview(content).nbytes:
            with self.writer() as writer:
                writer.file.write(content)
        return digest

    def put_file(self, path: str | Path) -> str:
        """Store a copy of the file and return its digest."""
        import shutil

        with Path(path).open("rb") as source, self.writer() as writer:
            shutil.copyfileobj(source, writer.file, 1 << 20)
        return writer.digest

    def writer(self) -> BlobWriter:
        """A context manager to write a blob piece by piece."""
        return BlobWriter(self)

    def path(self, digest: str) -> Path:
        """Where the blob is; it may be read and mapped, never written. Raises NotFound."""
        path = self._place(digest)
        if not path.exists():
            raise NotFound(
                f"The blob {digest[:15]}… is not here",
                where=Where(object=digest),
                hint="It may have been collected; run the step again without the cache.",
            )
        return path

    def read(self, digest: str) -> bytes:
        """The whole content. Raises NotFound."""
        try:
            return self._place(digest).read_bytes()
        except FileNotFoundError:
            return self.path(digest).read_bytes()

    def has(self, digest: str) -> bool:
        """Whether the blob is here."""
        return self._place(digest).exists()

    def size(self, digest: str) -> int:
        """Size in bytes. Raises NotFound."""
        return self.path(digest).stat().st_size

    def touch(self, digest: str) -> bool:
        """Protect the blob from the collector for the grace period; False if it is not here."""
        with self._sharing(fcntl.LOCK_SH):
            try:
                os.utime(self._place(digest))
            except FileNotFoundError:
                return False
        return True

    def digests(self) -> Iterator[str]:
        """Every blob there is, in no particular order."""
        for path in self._files():
            yield PREFIX + path.name

    def gc(self, referenced: Collection[str], grace_seconds: float = 3600, dry_run: bool = False) -> GcReport:
        """Remove what is not referenced and was neither put nor touched during the grace period.

        The grace must be longer than the time between putting a blob and storing the reference to it.
        """
        removed = size = kept = 0
        for path in self._files():
            limit = time.time() - grace_seconds
            if PREFIX + path.name in referenced:
                kept += 1
                continue
            with self._sharing(fcntl.LOCK_EX):
                try:
                    facts = path.stat()
                except FileNotFoundError:
                    continue  # another collector was faster
                if facts.st_mtime > limit:
                    kept += 1
                    continue
                if not dry_run:
                    path.unlink()
            removed += 1
            size += facts.st_size
        if not dry_run:
            self._clear_temporary(grace_seconds)
        return GcReport(removed, size, kept)

    def _clear_temporary(self, grace_seconds: float) -> None:
        """Remove what killed writers left behind."""
        limit = time.time() - max(grace_seconds, 60)
        for path in self._temporary.glob("*"):
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
            except FileNotFoundError:
                continue

    def temporary(self) -> Path:
        """A name for a file that does not exist yet, on the same file system as the blobs."""
        try:
            make_private(self._temporary)
        except OSError as error:
            raise self.failed(error) from error
        return self._temporary / f"{os.getpid()}-{os.urandom(8).hex()}"

    def adopt(self, path: Path, digest: str) -> None:
        """Give a complete, synced temporary file its final name."""
        place = self._place(digest)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        with self._sharing(fcntl.LOCK_SH):
            path.chmod(0o600)
            os.utime(path)
            path.replace(place)

    def failed(self, error: BaseException) -> KubeflowError:
        """The sentence for a write that the operating system refused."""
        if is_disk_full(error):
            return KubeflowError(
                "The disk is full; the value was not stored",
                where=Where(object=str(self.root)),
                hint="Free some space, for example with `jupyter kubeflow gc`, and resume.",
            )
        return KubeflowError(
            f"The value could not be stored ({error})",
            where=Where(object=str(self.root)),
            hint="Check that the folder is there and yours.",
        )

    def _place(self, digest: str) -> Path:
        name = digest.removeprefix(PREFIX)
        if len(digest) - len(name) != len(PREFIX) or len(name) != _DIGEST_LENGTH or not _HEX.issuperset(name):
            raise Invalid(f"{digest!r} is not a digest", hint="A digest is b3: and 64 hexadecimal digits.")
        return self.root / name[:2] / name

    def _files(self) -> Iterator[Path]:
        for shard in self._shards():
            yield from (path for path in shard.iterdir() if len(path.name) == _DIGEST_LENGTH)

    def _shards(self) -> list[Path]:
        try:
            return sorted(path for path in self.root.iterdir() if len(path.name) == 2)
        except FileNotFoundError:
            return []

    @contextmanager
    def _sharing(self, mode: int) -> Iterator[None]:
        path = self.root / "gc.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            try:
                make_private(self.root)
                descriptor = os.open(path, flags, 0o600)
            except OSError as error:
                raise self.failed(error) from error
        except OSError as error:
            raise self.failed(error) from error
        try:
            fcntl.flock(descriptor, mode)
            yield
        finally:
            os.close(descriptor)
