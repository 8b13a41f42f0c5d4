"""From a version to its files and to the model itself; what may run code is asked about first."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.registry import files, formats

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version


class Untrusted(KubeflowError):
    """Reading the model may run code of somebody else."""

    status = 403


class Damaged(KubeflowError):
    """The files are not those that were registered."""

    status = 409


def fetch(version: Version) -> Path:
    """The files here. Raises NotFound, Unavailable, and Damaged where they changed since they were registered."""
    path, _ = _fetched(version)
    return path


def _fetched(version: Version) -> tuple[Path, str]:
    """The path, and the digest of what is there now."""
    uri = version.uri
    path = files.local_path(uri)
    if path is None:
        path = files.download(uri, _cache(version))
    if not path.exists():
        path = _again(version, path)
    found = files.digest_of(path)
    if version.digest is not None and found != version.digest:
        raise Damaged(
            f"the files of {version.name} are not those that were registered",
            where=Where(object=str(path)),
            hint="Register them as a new version, or bring back the old ones.",
        )
    return path, found


def _cache(version: Version) -> Path:
    from blake3 import blake3

    return (
        version.registry.files.root
        / "fetched"
        / str(blake3(f"{version.uri} {version.digest}".encode()).hexdigest())[:32]
    )


def _again(version: Version, path: Path) -> Path:
    """Make the names of our own files anew from the blobs."""
    store = version.registry.files
    if version.digest is not None and path.is_relative_to(store.root):
        return store.show(version.digest)
    raise NotFound(
        f"the files of {version.name} are not there",
        where=Where(object=str(path)),
        hint="They were moved or removed.",
    )


def danger(version: Version, artifact: Mapping[str, Any]) -> str | None:
    """Why reading the files may run code. Files elsewhere are judged by the worst that their format can hold."""
    form = formats.FORMATS.get(str(artifact.get("modelFormatName") or ""))
    if form is None:
        return None
    uri = str(artifact.get("uri") or "")
    path = files.local_path(uri)
    if path is None:
        path = Path(uri.partition("?")[0])
    elif not path.exists():
        with suppress(KubeflowError):
            path = _again(version, path)
    try:
        return form.danger(formats.the_file(path))
    except OSError as error:
        return f"its files cannot be looked at ({error.strerror})"


def is_trusted(version: Version) -> bool:
    """Whether ``load`` would not ask. Raises what ``fetch`` does where the files have to be looked at."""
    if formats.known(version.format).danger is formats.safe:
        return True
    path, digest = _fetched(version)
    return not formats.known(version.format).danger(formats.the_file(path)) or version.registry.is_produced(
        digest
    )


def load(version: Version, *, trust: bool) -> Any:
    """The model. Raises Untrusted, Unavailable (a library is missing, or it fails), Unfit (unknown format)."""
    form = formats.known(version.format)
    path, digest = _fetched(version)
    path = formats.the_file(path)
    danger = form.danger(path)
    if danger and not trust and not version.registry.is_produced(digest):
        raise Untrusted(
            f"{version.name} was not registered by you from here, and {danger}",
            where=Where(object=version.name),
            hint=f"If you trust {version.author or 'whoever registered it'}, load it with trust=True.",
        )
    try:
        return form.load(path)
    except KubeflowError:
        raise
    except Exception as error:
        raise Unavailable(
            f"{version.name} does not load ({type(error).__name__}: {error})"[:400],
            where=Where(object=str(path)),
        ) from error
