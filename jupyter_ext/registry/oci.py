"""Models as images in an OCI registry: ``oci://host/models/iris:1f2e3d``, as KServe mounts them.

An image has one layer, a tar with the files below ``models/``, the same bytes for the same files. It is pushed and
pulled by the HTTP API of the OCI distribution specification 1.1. Who this is, is read from the container tools' own file
(``$DOCKER_CONFIG/config.json``, ``~/.docker/config.json`` or ``auth.json``) when the registry asks, and kept nowhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.registry.ociwire import Wire

FOLDER: Final = "models"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_ACCEPT: Final = (
    f"{MANIFEST}, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json,"
    " application/vnd.docker.distribution.manifest.list.v2+json"
)
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_BLOCK: Final = 1 << 20
_MANIFEST_LIMIT: Final = 4 << 20
_FILES: Final = 100_000


class Reference(NamedTuple):
    """An image: ``tag`` is a tag, or a digest."""

    host: str
    repository: str
    tag: str

    def __str__(self) -> str:
        sign = "@" if _DIGEST.fullmatch(self.tag) else ":"
        return f"oci://{self.host}/{self.repository}{sign}{self.tag}"


def reference(uri: str) -> Reference:
    """What an address means; ``latest`` where it says no tag. Raises Invalid."""
    text = uri.removeprefix("oci://")
    host, _, path = text.partition("/")
    path, at, digest = path.partition("@")
    repository, colon, tag = path.partition(":")
    chosen = digest if at else tag if colon else "latest"
    good = _DIGEST.fullmatch(chosen) if at else _TAG.fullmatch(chosen)
    if not host or not _REPOSITORY.fullmatch(repository) or not good:
        raise Invalid(
            f"{uri!r} is not the address of an image",
            where=Where(field="uri"),
            hint="Such as oci://registry.example/models/iris:1; names are of lower-case letters, digits, - _ and .",
        )
    return Reference(host, repository, chosen)


def named(base: str, name: str, tag: str) -> str:
    """The address for a model below ``base``; what no repository may be called is replaced."""
    plain = re.sub(r"[^a-z0-9._/-]+", "-", name.lower())
    parts = [re.sub(r"^[^a-z0-9]+|[^a-z0-9]+$", "", part) for part in plain.split("/")]
    usable = "/".join(re.sub(r"[._-]{2,}", "-", part) for part in parts if part) or "model"
    return str(reference(f"{base.rstrip('/')}/{usable}:{tag}"))


# Pushing


def push(files: Iterable[tuple[str, Path]], uri: str) -> str:
    """Put files into an image; gives its address. Raises Unavailable, Invalid."""
    where = reference(uri)
    found = sorted(files)
    wire = Wire(where.host)
    layer, size = _measured(found)
    config = _json({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created_by": "jupyter-kubeflow", "comment": "files of a model"}],
    })  # fmt: skip
    _upload(wire, where, layer, size, _tar(found))
    _upload(wire, where, _sha(config), len(config), iter([config]))
    manifest = _json({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": _sha(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": layer, "size": size}],
    })  # fmt: skip
    path = f"/v2/{where.repository}/manifests/{where.tag}"
    wire.ask("PUT", path, body=manifest, headers={"Content-Type": MANIFEST}, wanted=(201,)).close()
    return str(where)


def _upload(wire: Wire, where: Reference, digest: str, size: int, content: Iterator[bytes]) -> None:
    """A blob, unless it is there. One request: what breaks off leaves nothing."""
    base = f"/v2/{where.repository}/blobs"
    answer = wire.ask("HEAD", f"{base}/{digest}", wanted=(200, 404))
    answer.close()
    if answer.status == 200:
        return
    begun = wire.ask("POST", f"{base}/uploads/", body=b"", wanted=(202,))
    begun.close()
    place = begun.headers.get("Location") or ""
    if not place:
        raise Unavailable("the registry does not say where to upload to", where=Where(object=where.host))
    sign = "&" if "?" in place else "?"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    wire.ask("PUT", f"{place}{sign}digest={digest}", body=content, headers=headers, wanted=(201,)).close()


def _measured(files: Iterable[tuple[str, Path]]) -> tuple[str, int]:
    found, size = hashlib.sha256(), 0
    for block in _tar(files):
        found.update(block)
        size += len(block)
    return f"sha256:{found.hexdigest()}", size


def _tar(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """The tar, block by block: no file of its own, however large the model is."""
    for name, path in files:
        about = tarfile.TarInfo(f"{FOLDER}/{name}")
        about.size, about.mode, about.mtime = path.stat().st_size, 0o644, 0
        yield about.tobuf(tarfile.PAX_FORMAT)
        left = about.size
        with path.open("rb") as file:
            while left and (block := file.read(min(left, _BLOCK))):
                left -= len(block)
                yield block
        if left:
            raise Unavailable(f"{path.name} became shorter while it was read", where=Where(object=str(path)))
        if about.size % tarfile.BLOCKSIZE:
            yield bytes(tarfile.BLOCKSIZE - about.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# Pulling


def pull(uri: str, folder: Path) -> None:
    """Bring the files of an image into a folder that is there and empty. Raises Unavailable, NotFound, Invalid."""
    where = reference(uri)
    wire = Wire(where.host)
    manifest = _manifest(wire, where, where.tag)
    listed = manifest.get("manifests")
    if isinstance(listed, list) and listed:
        best = next((one for one in listed if (one.get("platform") or {}).get("os") == "linux"), listed[0])
        manifest = _manifest(wire, where, str(best["digest"]))
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not layers:
        raise NotFound(f"{where} has no files", where=Where(object=str(where)))
    for number, layer in enumerate(layers):
        file = folder / f".layer-{number}"
        try:
            _fetch(wire, where, layer, file)
            with file.open("rb") as stream:
                _unpack(stream, folder)
        finally:
            file.unlink(missing_ok=True)


def _manifest(wire: Wire, where: Reference, tag: str) -> dict[str, Any]:
    with wire.ask(
        "GET", f"/v2/{where.repository}/manifests/{tag}", headers={"Accept": _ACCEPT}, wanted=(200, 404)
    ) as answer:
        if answer.status == 404:
            raise NotFound(f"there is no image {where}", where=Where(object=str(where)))
        content = answer.read(_MANIFEST_LIMIT)
    if _DIGEST.fullmatch(tag) and _sha(content) != tag:
        raise Unavailable(f"the manifest of {where} is not the one that was asked for")
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"the manifest of {where} is no JSON")
    return found


def _fetch(wire: Wire, where: Reference, layer: Mapping[str, Any], file: Path) -> None:
    digest = str(layer.get("digest"))
    if not _DIGEST.fullmatch(digest):
        raise Invalid(f"{where} has a layer with the digest {digest[:80]!r}")
    most, found = int(layer.get("size") or 0), hashlib.sha256()
    with (
        wire.ask("GET", f"/v2/{where.repository}/blobs/{digest}", wanted=(200,)) as answer,
        file.open("wb") as out,
    ):
        while block := answer.read(_BLOCK):
            most -= len(block)
            if most < 0:
                raise Unavailable(f"a layer of {where} is longer than its manifest says")
            found.update(block)
            out.write(block)
    if f"sha256:{found.hexdigest()}" != digest:
        raise Unavailable(f"a layer of {where} is not what its manifest says", where=Where(object=digest))


def _unpack(stream: IO[bytes], folder: Path) -> None:
    """The files below ``models/``; nothing is written outside of the folder, links and devices are left out."""
    try:
        with tarfile.open(fileobj=stream) as archive:
            for number, member in enumerate(archive):
                name = member.name.removeprefix("./")
                if not member.isfile() or not name.startswith(f"{FOLDER}/"):
                    continue
                if number > _FILES:
                    raise Invalid(f"the image has more than {_FILES} files")
                member.name = name.removeprefix(f"{FOLDER}/")
                archive.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Unavailable(f"the image cannot be unpacked ({error})"[:300]) from error
    except KubeflowError:
        raise
