"""The files of models: content-addressed, complete or not there at all, and readable under their own names.

``blobs/`` has each file once, named by its digest. ``files/<digest>/`` shows those of one model under the names
they had, as links to the blobs; it can be made again at any time. The digest of a model is that of its manifest:
names, sizes and digests of its files.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from jupyter_ext.cluster.local.blobs import PREFIX, Blobs, GcReport
from jupyter_ext.cluster.local.home import make_private
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Where

_LEFT_OUT: Final = frozenset({".git", "__pycache__", ".ipynb_checkpoints", ".DS_Store"})
_SECRET_FILES: Final = frozenset({".env", ".netrc", ".pypirc", "id_rsa", "id_ed25519", "credentials"})
_SECRET_ENDINGS: Final = (".pem", ".key", ".p12", ".pfx")
_MANIFEST_LIMIT: Final = 16 << 20


@dataclass(frozen=True)
class Stored:
    """Where the files of a model are. ``size`` in bytes."""

    uri: str
    digest: str
    count: int
    size: int


def names_in(source: Path) -> Iterator[tuple[str, Path]]:
    """The files of a model and their names in it, sorted; keys, version control and caches are left out."""
    if source.is_file():
        yield source.name, source
        return
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in sorted(files):
            path = Path(folder, name)
            if (
                name not in _LEFT_OUT | _SECRET_FILES
                and not name.endswith(_SECRET_ENDINGS)
                and path.is_file()
            ):
                yield path.relative_to(source).as_posix(), path


class Files:
    """The files of one registry, below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = Blobs(root / "blobs")

    def put(self, source: Path) -> Stored:
        """Store a file or a folder. Raises Invalid where there is nothing."""
        entries: dict[str, dict[str, Any]] = {}
        for name, path in names_in(source):
            digest = self.blobs.put_file(path)
            entries[name] = {"digest": digest, "size": self.blobs.size(digest)}
        if not entries:
            raise Invalid("there is no file to register", where=Where(object=str(source)))
        digest = self.blobs.put_bytes(_manifest(entries))
        size = sum(int(entry["size"]) for entry in entries.values())
        return Stored(self.show(digest).as_uri(), digest, len(entries), size)

    def show(self, digest: str) -> Path:
        """The model under its own names: the file if it is one, else the folder. Raises NotFound."""
        entries = self.manifest(digest)
        folder = self.root / "files" / digest.removeprefix(PREFIX)
        if not folder.is_dir():
            self._link(entries, folder)
        return folder / next(iter(entries)) if len(entries) == 1 else folder

    def manifest(self, digest: str) -> dict[str, dict[str, Any]]:
        """Names, digests and sizes of a model's files. Raises NotFound."""
        path = self.blobs.path(digest)
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise NotFound(f"{digest[:15]}… is no model")
        try:
            entries = json.loads(path.read_bytes())["files"]
            good = all(_is_inside(name) and entry["digest"] for name, entry in entries.items())
        except (ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            raise NotFound(f"{digest[:15]}… is no model", where=Where(object=digest))
        return dict(entries)

    def gc(self, used: set[str], *, grace_seconds: float = 3600, dry_run: bool = False) -> GcReport:
        """Remove files of models that no record mentions (``used``: their digests)."""
        keep = set(used)
        for digest in used:
            if self.blobs.has(digest):
                keep.update(entry["digest"] for entry in self.manifest(digest).values())
        report = self.blobs.gc(keep, grace_seconds, dry_run)
        shown = self.root / "files"
        for folder in [] if dry_run or not shown.is_dir() else list(shown.iterdir()):
            if not self._is_shown(folder) and not self._is_being_made(folder, grace_seconds):
                shutil.rmtree(folder, ignore_errors=True)
        return report

    def _is_shown(self, folder: Path) -> bool:
        try:
            return self.blobs.has(PREFIX + folder.name)
        except Invalid:
            return False

    @staticmethod
    def _is_being_made(folder: Path, grace_seconds: float) -> bool:
        """Whether another process may be at it."""
        try:
            return folder.name.startswith("tmp-") and time.time() - folder.stat().st_mtime < grace_seconds
        except OSError:
            return True  # it was, a moment ago

    def _link(self, entries: dict[str, dict[str, Any]], folder: Path) -> None:
        building = make_private(folder.parent) / f"tmp-{os.getpid()}-{os.urandom(6).hex()}"
        try:
            for name, entry in entries.items():
                place = building / name
                make_private(place.parent)
                blob = self.blobs.path(entry["digest"])
                try:
                    os.link(blob, place)
                except OSError:
                    shutil.copyfile(blob, place)
            try:
                building.rename(folder)
            except OSError:
                if not folder.is_dir():  # else somebody else was faster
                    raise
        except OSError as error:
            raise self.blobs.failed(error) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _manifest(entries: dict[str, dict[str, Any]]) -> bytes:
    return json.dumps({"files": entries}, separators=(",", ":"), sort_keys=True).encode()


def _is_inside(name: object) -> bool:
    if not isinstance(name, str) or not name or "\0" in name:
        return False
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def digest_of(source: Path) -> str:
    """What the digest of these files is, as they are now."""
    from blake3 import blake3

    entries = {}
    for name, path in names_in(source):
        size = path.stat().st_size
        hasher = blake3()
        if size:
            hasher.update_mmap(path)
        entries[name] = {"digest": PREFIX + hasher.hexdigest(), "size": size}
    return PREFIX + str(blake3(_manifest(entries)).hexdigest())


def local_path(uri: str) -> Path | None:
    """The path of a ``file:`` URI or of a plain path; None for anything else."""
    if "://" not in uri:
        return Path(uri).expanduser() if uri else None
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return None
    return Path(unquote(parts.path))


def upload(source: Path, url: str) -> str:
    """Copy a model to a store (s3://, gs://, abfs://), another URL that fsspec knows, or an OCI registry; gives its address.

    Raises NotFound (no such bucket), Forbidden, Unavailable.
    """
    found = list(names_in(source))
    if url.startswith("oci://"):
        from jupyter_ext.registry import oci

        return oci.push(found, url)
    url = url.rstrip("/")
    if _is_object_store(url):
        from jupyter_ext import store
        from jupyter_ext.store.moving import sent

        sent(store.at(url), dict(found))
    else:
        _copied(found, url)
    return f"{url}/{found[0][0]}" if len(found) == 1 else url


def _copied(found: list[tuple[str, Path]], url: str) -> None:
    from jupyter_ext import store

    system, base = store.filesystem(url)
    try:
        for name, path in found:
            target = f"{base.rstrip('/')}/{name}"
            system.makedirs(target.rpartition("/")[0], exist_ok=True)
            system.put_file(str(path), target)
    except Exception as error:
        raise Unavailable(
            f"the model could not be written ({type(error).__name__}: {error})"[:300], where=Where(object=url)
        ) from error


def _is_object_store(url: str) -> bool:
    """Whether it has no folders: there making one would make a bucket of a mistyped name."""
    from jupyter_ext.store.address import STORES, scheme_of

    return scheme_of(url) in STORES


def download(url: str, folder: Path) -> Path:
    """Bring a model from a URL; the path is complete or not there. Raises NotFound, Forbidden, Unavailable."""
    if folder.is_dir():
        return _only(folder)
    building = make_private(folder.parent) / f"tmp-{os.getpid()}-{os.urandom(6).hex()}"
    try:
        make_private(building)
        if url.startswith("oci://"):
            from jupyter_ext.registry import oci

            oci.pull(url, building)
        elif _is_object_store(url):
            from jupyter_ext import store

            place, _, name = url.rstrip("/").rpartition("/")
            store.at(place).download(name, building / name)
        else:
            _fetched(url, building)
        building.rename(folder)
    except KubeflowError:
        raise
    except Exception as error:
        raise Unavailable(
            f"the model could not be fetched ({type(error).__name__}: {error})"[:300], where=Where(object=url)
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return _only(folder)


def _fetched(url: str, building: Path) -> None:
    from jupyter_ext import store

    system, base = store.filesystem(url)
    if system.isfile(base):
        system.get_file(base, str(building / base.rstrip("/").rpartition("/")[2]))
        return
    if not all(_is_inside(name.removeprefix(base).lstrip("/")) for name in system.find(base)):
        raise Invalid("a name there leads out of the folder of the model", where=Where(object=url))
    system.get(base, str(building / "model"), recursive=True)


def _only(folder: Path) -> Path:
    found = list(folder.iterdir())
    return found[0] if len(found) == 1 else folder
