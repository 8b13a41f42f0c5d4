"""Images of pods, put together without a container engine: a layer is a tar, an image a tar with layers and JSON."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster import network, node
from tests.cluster.place import Place, Refused


class Image(NamedTuple):
    """One image of uncompressed tars; ``settings`` are its Entrypoint, Env and so on."""

    name: str
    layers: Sequence[Path]
    settings: Mapping[str, Any]


def write(target: Path, *made: Image) -> None:
    """Images in one file, as `docker save` writes it; a layer that several have is in it once."""
    digests = {layer: _digest(layer) for image in made for layer in image.layers}
    manifests, settled = [], {}
    for image in made:
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": dict(image.settings),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digests[layer]}" for layer in image.layers]},
        }
        described = json.dumps(config).encode()
        name = f"{hashlib.sha256(described).hexdigest()}.json"
        settled[name] = described
        members = [f"{digests[layer]}.tar" for layer in image.layers]
        manifests.append({"Config": name, "RepoTags": [image.name], "Layers": members})
    with tarfile.open(target, "w") as archive:
        for layer, digest in digests.items():
            archive.add(layer, f"{digest}.tar")
        for name, described in settled.items():
            _add(archive, name, described)
        _add(archive, "manifest.json", json.dumps(manifests).encode())


def program_layer(target: Path, program: Path, path: str, *, is_all: bool = True) -> Path:
    """A layer with one static program at ``path``; where it ``is_all`` of an image, with what Go looks for in /etc and /tmp."""
    with tarfile.open(target, "w") as archive:
        archive.add(program, path.lstrip("/"), filter=_plain)
        if is_all:
            _add(archive, "etc/passwd", b"root:x:0:0::/:/\nnonroot:x:65532:65532::/:/\n")
            folder = tarfile.TarInfo("tmp")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(folder)
    return target


def write_program(target: Path, name: str, program: Path, path: str, **settings: Any) -> None:
    """An image that is one static program at ``path``."""
    layer = program_layer(target.with_suffix(".layer"), program, path)
    write(target, Image(name, [layer], {"Entrypoint": [path]} | settings))
    layer.unlink()


def import_file(place: Place, file: Path) -> None:
    """Give images to containerd, under the names they have inside; nothing to do when it has just these."""
    command = network.inside(place, [*node.ctr(place), "images", "import", "--digests", str(file)])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{file.name} could not be imported: {done.stderr.strip()[-1000:]}")


def names(place: Place) -> set[str]:
    """Those that containerd has."""
    command = network.inside(place, [*node.ctr(place), "images", "list", "--quiet"])
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode, member.mtime = 0o755, 0
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
