"""The libraries of the tour that are too large for an image: a folder of this machine, in every container of its node.

PyTorch has gigabytes of CUDA's libraries with it. They are hard links into the cache of uv here, and nothing is copied
into a layer, a tar or a snapshot; the runtime's own settings mount the folder, and the image has a line that names it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from tests.cluster.place import REPOSITORY, Place, Refused

MOUNTED: Final = (
    "/opt/notebook/beside/site-packages"  # of the interpreter, and called so: it is nobody's own code
)
_EXTRA: Final = "tour"
LEFT_OUT: Final = frozenset({"triton"})
"""A gigabyte, for kernels of GPUs."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_IN_CONTAINERS: Final = {
    "destination": MOUNTED,
    "type": "bind",
    "options": ["rbind", "ro", "nosuid", "nodev"],
}


def wanted() -> list[str]:
    """What the extra asks for, in the versions of these tests where they have it: values travel between the two."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return sorted(
        {_pinned(each) for each in _flat(_EXTRA, project["optional-dependencies"], project["name"])}
    )


def _flat(extra: str, extras: dict[str, list[str]], project: str) -> Iterable[str]:
    for each in extras[extra]:
        inner = re.fullmatch(rf"{re.escape(project)}\[([\w,]+)\]", each)
        if inner is None:
            yield each
            continue
        for name in inner[1].split(","):
            yield from _flat(name, extras, project)


def _pinned(requirement: str) -> str:
    found = _NAME.match(requirement)
    assert found, requirement
    try:
        return f"{found[0]}=={version(found[0]).partition('+')[0]}"
    except PackageNotFoundError:
        return requirement


def fill(folder: Path, uv: str, python: str, there: Iterable[str]) -> None:
    """Put into ``folder`` all that is ``wanted`` and not among the distributions ``there``, for this version of Python."""
    environment = {**os.environ, "UV_LINK_MODE": "hardlink"}
    arguments = ["--quiet", "--python-version", python]
    given = "\n".join(wanted())
    resolve = [uv, "pip", "compile", *arguments, "--no-header", "--no-annotate", "-"]
    lines = [line for line in _run(resolve, environment, given).splitlines() if "==" in line]
    has = {_plain(each) for each in there} | LEFT_OUT
    lacking = [line for line in lines if _plain(line.partition("==")[0]) not in has]
    _run([uv, "pip", "install", *arguments, "--no-deps", "--target", str(folder), *lacking], environment)


def compile_line(target: str) -> str:
    """The line that compiles all in ``target`` for the image's Python: pods may not write there.

    What is no Python of today among it (templates) is passed over.
    """
    return f"/opt/notebook/bin/python -m compileall -qq -j 0 {shlex.quote(target)} || true"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(command: Sequence[str], environment: dict[str, str], given: str = "") -> str:
    done = subprocess.run(command, env=environment, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"the libraries of the tour: {done.stderr.strip()[-2000:]}")
    return done.stdout


# On the node


def place_of(place: Place) -> Path:
    """What containers have mounted: a link, so that another folder needs no other settings."""
    return place.folder / "beside"


def specification(place: Place, ctr: str) -> str:
    """The runtime's usual settings for a container, and one mount more; an empty folder until `use`."""
    if not place_of(place).exists():
        use(place, None)
    done = subprocess.run([ctr, "oci", "spec"], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    found["mounts"].append({**_IN_CONTAINERS, "source": str(place_of(place))})
    return json.dumps(found)


def use(place: Place, folder: Path | None) -> None:
    """Have containers that start from now on see this folder."""
    if folder is None:
        folder = place.folder / "nothing"
        folder.mkdir(exist_ok=True)
    fresh = place.folder / ".beside"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder)
    fresh.rename(place_of(place))
