"""The peers, each in an environment of its own under ``.bench/``, so that their pins do not meet ours.

    python benchmarks/environments.py kfp kale papermill kfp-data

``requirements/NAME.txt`` lists every package with its version, so nothing is resolved. An environment is made once
and again when its list changes; two processes that want the same one wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / ".bench"
NAMES = (
    "kfp",
    "kfp-data",
    "kale",
    "papermill",
    "kubeflow-sdk",
    "mlflow",
    "model-registry",
    "model-registry-v1alpha3",
    "schemathesis",
    "aiohttp",
)
"""kfp with the standard library only, kfp with the libraries of the tour, Kale with its kfp; one each for the others."""


class NoEnvironment(Exception):
    """The environment could not be made; the text says why."""


def python(name: str) -> Path:
    """The interpreter of a peer's environment, made if it is not there. Raises NoEnvironment."""
    wanted = Path(__file__).parent / "requirements" / f"{name}.txt"
    place = FOLDER / name
    stamp = place / "made-from"
    digest = hashlib.sha256(
        wanted.read_bytes() + Path(__file__).read_bytes() + sys.version.encode()
    ).hexdigest()
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            shutil.rmtree(place, ignore_errors=True)
            _make(place, wanted)
            stamp.write_text(digest)
    return place / "bin" / "python"


def _make(place: Path, wanted: Path) -> None:
    print(f"Making {place.relative_to(REPOSITORY)} …", file=sys.stderr)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    interpreter = str(place / "bin" / "python")
    venv.create(place, with_pip=True)  # kfp.local calls pip
    # With byte code, as pip leaves it: else every process of a peer compiles what it imports.
    fast = [str(uv), "pip", "install", "--compile-bytecode", "--python", interpreter]
    tool = fast if uv else [interpreter, "-m", "pip", "install"]
    command = [*tool, "--quiet", "--no-deps", "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(place, ignore_errors=True)
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NoEnvironment(
            f"The environment {place.name} ({wanted.name}) cannot be made: {' '.join(last) or 'the installer failed'}. "
            "It needs a package index; .bench/ may be copied from a machine that has one."
        )


if __name__ == "__main__":
    for each in sys.argv[1:] or NAMES:
        print(python(each))
