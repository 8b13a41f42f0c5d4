"""The one image of binder/, without a container engine: each layer is what one mount of overlayfs has on top.

What is installed is read from the recipe, with two differences. The base is made by mmdebstrap rather than fetched,
and the libraries that only the tour uses are beside the image (`beside.py`): they are twenty times as large as the rest.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from spawner.hub import proxy
from tests.cluster import beside, build, images, node
from tests.cluster.network import forbidden
from tests.cluster.place import REPOSITORY, Refused, cache

NAME: Final = (
    "docker.io/library/jupyter-kubeflow:test"  # not "latest", which Kubernetes would fetch each time
)
_SUITES: Final = {"13": "trixie"}
_VARIANT: Final = "required"
_MIRROR: Final = "http://deb.debian.org/debian"
_DAY: Final = 24 * 3600
_KEPT: Final = 3
_PYTHON: Final = "/opt/notebook/bin/python"
_VERSION: Final = "3.13"  # of the suite's Python
_SITE: Final = f"/opt/notebook/lib/python{_VERSION}/site-packages"
_TORCHRUN: Final = f"""\
#!{_PYTHON}
import sys
from torch.distributed.run import main
sys.exit(main())
"""
_EXTRAS: Final = {"tour": "local"}
_ENVIRONMENT: Final = {
    "NB_USER": "jovyan",
    "USER": "jovyan",
    "NB_UID": "1000",
    "HOME": "/home/jovyan",
    "PATH": "/opt/notebook/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONUNBUFFERED": "1",
}


@functools.cache
def built() -> Path:
    """The image's file, built when what goes into it has changed; looked at once in a process."""
    if reason := forbidden():
        raise Refused(reason)
    if shutil.which("mmdebstrap") is None:
        node.from_debian(["mmdebstrap"])
    place = cache() / "image"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _built(place)


def _built(place: Path) -> Path:
    recipe = (REPOSITORY / "binder/Dockerfile").read_text()
    proxy.command()  # without a proxy at hand it is installed here, where there is a way to the registries
    wheel = _wheel(place)
    requirements = _requirements(recipe)
    keys = {"base": _of_base(recipe), "libraries": _of_libraries(recipe)}
    ours = (*_ours(wheel), _contents(wheel), *(_contents(file) for file in _examples()))
    keys["ours"] = _key(NAME, *keys.values(), *ours)
    target = place / f"notebook-{keys['ours']}.tar"
    folders = {name: place / f"{name}-{key}" for name, key in keys.items()}
    for used in (target, *folders.values(), *(folder.with_suffix(".layer") for folder in folders.values())):
        if used.exists():
            used.touch()
    if target.exists():
        return target
    build.forget(place, _DAY)
    _step(folders["base"], lambda fresh: _base(fresh, recipe))
    lower = [folders["base"]]
    _step(folders["libraries"], lambda fresh: _install(fresh, lower, place, _libraries(requirements)))
    lower.insert(0, folders["libraries"])
    _step(folders["ours"], lambda fresh: _install(fresh, lower, place, _ours(wheel)))
    layers = [_layer(folder) for folder in folders.values()]
    settings: dict[str, Any] = {
        "Env": [f"{key}={value}" for key, value in _ENVIRONMENT.items()],
        "User": _ENVIRONMENT["NB_UID"],
        "WorkingDir": _ENVIRONMENT["HOME"],
        "Entrypoint": _words(recipe, "ENTRYPOINT"),
        "Cmd": _words(recipe, "CMD"),
    }
    fresh = target.with_suffix(".part")
    images.write(fresh, images.Image(NAME, layers, settings))
    fresh.rename(target)
    # One for each state of our wheel, and each is large: those of other checkouts are made again from their layers.
    for old in sorted(place.glob("notebook-*.tar"), key=lambda file: file.stat().st_mtime)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return target


@functools.cache
def libraries() -> Path:
    """The folder of what lies beside the image, made when what is in it has changed."""
    built()
    place = cache() / "image"
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recipe = (REPOSITORY / "binder/Dockerfile").read_text()
        below = [place / f"libraries-{_of_libraries(recipe)}", place / f"base-{_of_base(recipe)}"]
        key = _key(below[0].name, beside.LEFT_OUT, *beside.wanted())
        folder = place / f"beside-{key}"
        _step(folder, lambda fresh: _beside(fresh, below, place))
        folder.touch()
    return folder


def _beside(fresh: Path, below: Sequence[Path], place: Path) -> None:
    there = [each.name.partition("-")[0] for each in (below[0] / _SITE[1:]).glob("*.dist-info")]
    beside.fill(fresh, uv(), _VERSION, there)
    scratch = place / ".compiled"
    _install(scratch, below, place, [beside.compile_line(f"/tmp/given/{fresh.name}")])
    shutil.rmtree(scratch)


def _wheel(place: Path) -> Path:
    folder = place / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    _run([uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(REPOSITORY)])
    (wheel,) = folder.glob("*.whl")
    return wheel


def _of_base(recipe: str) -> str:
    return _key(_VARIANT, _debian(recipe))


def _of_libraries(recipe: str) -> str:
    return _key(_VARIANT, _debian(recipe), proxy.VERSION, *_requirements(recipe))


def _base(fresh: Path, recipe: str) -> None:
    suite, *packages = _debian(recipe)
    debian(fresh, suite, packages)


def debian(fresh: Path, suite: str, packages: Sequence[str]) -> None:
    """A Debian with these packages, in a folder that is not there yet."""
    excluded = [
        "/usr/share/doc/*",
        "/usr/share/man/*",
        "/usr/share/locale/*",
        "/var/cache/apt/*",
        "/var/lib/apt/lists/*",
    ]
    _run(
        [
            *(
                "mmdebstrap",
                "--quiet",
                "--mode=root",
                f"--variant={_VARIANT}",
                f"--include={','.join(packages)}",
            ),
            *(f"--dpkgopt=path-exclude={one}" for one in excluded),
            '--essential-hook=mkdir -p "$1/usr/share/man/man1"',  # Java's alternatives are linked there
            *(suite, str(fresh), _MIRROR),
        ]
    )
    shutil.rmtree(fresh / "dev")
    (fresh / "dev").mkdir()


def _libraries(requirements: Sequence[str]) -> list[str]:
    uid, home = _ENVIRONMENT["NB_UID"], _ENVIRONMENT["HOME"]
    shipped = f"/opt/notebook/share/kubeflow-proxy/{proxy.VERSION}"
    return [
        f"useradd --create-home --home-dir {home} --shell /bin/bash --uid {uid} {_ENVIRONMENT['USER']}",
        "python3 -m venv /opt/notebook",
        shlex.join(["/tmp/uv", *_INSTALL, *requirements]),
        f"mkdir -p {shipped} && cp -r /tmp/proxy/. {shipped} && chmod -R go+rX {shipped}",
    ]


def _ours(wheel: Path) -> list[str]:
    home = _ENVIRONMENT["HOME"]
    return [
        shlex.join(["/tmp/uv", *_INSTALL, "--no-deps", f"/tmp/given/wheel/{wheel.name}"]),
        f"echo {beside.MOUNTED} > {_SITE}/beside.pth",  # a folder that is not there is passed over
        f"printf %s {shlex.quote(_TORCHRUN)} > {Path(_PYTHON).parent}/torchrun",
        f"chmod 755 {Path(_PYTHON).parent}/torchrun",
        f"cp -r /tmp/examples {home}/examples",
        f"chown -R {_ENVIRONMENT['NB_UID']} {home}/examples",
    ]


_INSTALL: Final = ("pip", "install", "--quiet", "--compile-bytecode", "--python", _PYTHON)


def _install(fresh: Path, lower: Sequence[Path], place: Path, commands: Sequence[str]) -> None:
    """Run ``commands`` in what lies below, and keep in ``fresh`` what they add."""
    fresh.mkdir()
    uv_cache = subprocess.run(
        [uv(), "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    work, merged = place / "work", place / "merged"
    for folder in (work, merged):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={fresh},workdir={work}"
    binds = {
        uv_cache: "cache",
        str(place): "given",
        str(proxy.cached()): "proxy",
        str(REPOSITORY / "examples"): "examples",
        "/etc/ssl": "ssl",
    }
    script = [
        f"mount -t overlay overlay -o {options} {merged}",
        f"mount -t tmpfs tmpfs {merged}/tmp && mount -t proc proc {merged}/proc && mount --bind /dev {merged}/dev",
        f"mkdir {' '.join(f'{merged}/tmp/{name}' for name in binds.values())}",
        *(f"mount --bind {source} {merged}/tmp/{name}" for source, name in binds.items()),
        f"cp {uv()} {merged}/tmp/uv",
        f"touch {merged}/tmp/resolv.conf && cp /etc/resolv.conf {merged}/tmp/resolv.conf",
        f"mkdir -p {merged}/run && mount -t tmpfs tmpfs {merged}/run",
        f"if [ -e {merged}/etc/resolv.conf ]; then mount --bind /etc/resolv.conf {merged}/etc/resolv.conf; fi",
        f"exec chroot {merged} sh -euc {shlex.quote(' && '.join(commands))}",
    ]
    given = {key: value for key, value in os.environ.items() if key.startswith("UV_")}
    given |= {"UV_CACHE_DIR": "/tmp/cache", "UV_LINK_MODE": "copy", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    given |= {"SSL_CERT_FILE": "/tmp/ssl/certs/ca-certificates.crt", "HOME": "/tmp", "LANG": "C.UTF-8"}
    _run(["unshare", "--mount", "--propagation", "private", "sh", "-euc", "\n".join(script)], given)
    for folder in (work, merged):
        shutil.rmtree(folder)


def _layer(folder: Path) -> Path:
    layer = folder.with_suffix(".layer")
    if not layer.exists():
        fresh = folder.with_suffix(".part")
        with tarfile.open(fresh, "w") as archive:
            for member in sorted(folder.iterdir()):
                archive.add(member, member.name)
        fresh.rename(layer)
    return layer


def _step(folder: Path, make: Any) -> None:
    if folder.exists():
        return
    started = time.monotonic()
    fresh = folder.with_name(f".{folder.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    make(fresh)
    fresh.rename(folder)
    print(f"image: {folder.name} in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _debian(recipe: str) -> list[str]:
    """The suite and the packages."""
    version = re.search(r"^FROM debian:(\d+)-slim", recipe, re.MULTILINE)
    packages = re.search(r"apt-get install -y --no-install-recommends ([^\n\\&]+)", recipe)
    assert version, "the recipe names no Debian"
    assert packages, "the recipe installs no packages"
    return [_SUITES[version[1]], *packages[1].split()]


def _requirements(recipe: str) -> list[str]:
    """All that is installed beside our own wheel."""
    line = re.search(r'"jupyter-kubeflow\[([\w,]+)\] @ [^"]+" ([^\n]+?)(?: \\)?\n', recipe)
    assert line, "the recipe does not install us"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = [_EXTRAS.get(name, name) for name in line[1].split(",")]
    more = [each for name in extras for each in project["optional-dependencies"][name]]
    return sorted({*project["dependencies"], *more, *shlex.split(line[2])})


def _words(recipe: str, instruction: str) -> list[str]:
    found = re.search(rf"^{instruction} \[(.*)\]$", recipe, re.MULTILINE)
    assert found, f"the recipe has no {instruction}"
    return [word.strip().strip('"') for word in found[1].split(",")]


def _examples() -> list[Path]:
    return sorted(file for file in (REPOSITORY / "examples").rglob("*") if file.is_file())


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _contents(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def uv() -> str:
    """The program uv, which fetches what images hold."""
    found = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if found is None:
        raise Refused("the notebook's image is built with uv")
    return str(Path(found).resolve())


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
