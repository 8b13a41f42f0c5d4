"""Files and folders of this machine that a job on a cluster is given: by the profile's store, once for all that have the same."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.training import depot as pods
from jupyter_ext.training import spec as names

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.blobs import Blobs
    from jupyter_ext.training.kube_depot import Depot

_DAWN: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every file of an archive: the same content is the same archive."""


def brought(blobs: Blobs, noted: Mapping[str, str], depot: Depot | None) -> dict[str, Any]:
    """What a job is told of its data that is on this machine, by name; nothing is sent. Raises Unfit without a store."""
    from jupyter_ext.store.artifacts import key_of

    found = {}
    for name, text in json.loads(noted.get(names.DATA, "{}")).items():
        if "://" in text:
            continue
        where = Where(field=f"data.{name}")
        if depot is None or not depot.url:
            hint = "Put it where the cluster can read it, and name that: s3://…, pvc://…"
            more = f" {depot.why}" if depot and depot.why else ""
            raise Unfit(f"{text} is on this machine only", where=where, hint=hint + more)
        path = Path(text)
        digest, sha256 = _blob(blobs, path, _stamp(path, where))
        found[name] = {
            "url": depot.url, "key": key_of(digest), "sha256": sha256, "digest": digest,
            "name": path.name, "isFolder": path.is_dir(),
        }  # fmt: skip
    return found


def _stamp(path: Path, where: Where) -> tuple[Any, ...]:
    """What changes when the content does. Raises Invalid for what cannot be read."""
    try:
        files = list(_files(path)) if path.is_dir() else [path]
        return tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    except OSError as error:
        raise Invalid(f"{error.filename or path} cannot be read: {error.strerror}", where=where) from error


@functools.lru_cache(64)
def _blob(blobs: Blobs, path: Path, _: tuple[Any, ...]) -> tuple[str, str]:
    """The digest under which it is kept here, and its SHA-256, which any Python in a pod can check.

    An experiment asks for each of its trials.
    """
    if path.is_dir():
        with tempfile.TemporaryDirectory(prefix="jupyter-kubeflow-") as folder:
            archive = Path(folder, "data.zip")
            _pack(path, archive)
            digest = blobs.put_file(archive)
    else:
        digest = blobs.put_file(path)
    return digest, pods.digest_of(blobs.path(digest))


def _pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for file in _files(folder):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DAWN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (file.stat().st_mode & 0o777) << 16
            with file.open("rb") as source, target.open(entry, "w", force_zip64=True) as copy:
                while block := source.read(1 << 20):
                    copy.write(block)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, in an order of its own; what a link to a folder shows is left out, as it may be a circle."""
    for base, inner, files in os.walk(folder):
        inner.sort()
        yield from (path for file in sorted(files) if (path := Path(base, file)).is_file())
