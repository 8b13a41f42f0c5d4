"""What of a job lies in its profile's store, seen from its pod: code too large for a resource, results too large for a status.

S3 with keys is asked by the standard library, and a folder is a claim that is mounted. Anything else is asked by fsspec in a process of its own
(``python -m jupyter_ext.training.depot``): the user's code is left alone by its threads. Travels with the job.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

VARIABLE: Final = "JUPYTER_KUBEFLOW_DEPOT_"
"""Before the names of what opens the store: the user's own AWS_ACCESS_KEY_ID stays what it is."""
STORED: Final = "jupyter-kubeflow/stored "
"""Before what is told of a result in the store, as JSON: sha256, bytes, python."""
LOST: Final = "jupyter-kubeflow/lost "
"""Before what is told of a result that cannot come back, as JSON: what, hint."""
LARGEST: Final = 4 << 30
"""Bytes of a result."""
ENDING: Final = ".pkl"
LACKS: Final = "The image has no "
_SHOWN: Final = 500
_BLOCK: Final = 1 << 16
_MISSING: Final = 4
"""What the process that asks the store ends with where there is nothing of the name."""


class Failed(Exception):
    """The store, or what lies there, is not as it should be: one sentence."""


class Missing(Failed):
    """There is nothing of this name in the store."""


class Depot:
    """The store at a URL; with ``values`` it is opened."""

    def __init__(self, url: str, values: Mapping[str, str]) -> None:
        self.url, self._values = url, dict(values)

    def code(self, stored: Mapping[str, Any]) -> bytes:
        """The snapshot that the job names: fetched once on each node, and checked wherever it is used. Raises Failed."""
        import fcntl

        digest = str(stored["sha256"])
        place = Path(tempfile.gettempdir(), f"jupyter-kubeflow-{digest}.zip")
        with Path(f"{place}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                part = place.with_suffix(f".{os.getpid()}")
                try:
                    self._ask("fetch", str(stored["key"]), part)
                    part.replace(place)
                finally:
                    part.unlink(missing_ok=True)
        content = place.read_bytes()
        # Before anything of it is unpacked: what was named by the resource counts, not what somebody put into the bucket.
        if hashlib.sha256(content).hexdigest() != digest:
            place.unlink(missing_ok=True)
            raise Failed(
                f"{self.url}/{stored['key']} is not the code that was stored there: somebody changed it"
            )
        return content

    def given(self, told: Mapping[str, Any]) -> Path:
        """A file or folder that the job is given: fetched and checked once on each node. Raises Failed."""
        import fcntl
        import zipfile

        digest, name = str(told["sha256"]), Path(str(told["name"])).name
        place = Path(tempfile.gettempdir(), f"jupyter-kubeflow-data-{digest}")
        with Path(f"{place}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                part = Path(tempfile.mkdtemp(prefix="jupyter-kubeflow-data-"))
                try:
                    file = part / (f"{name}.zip" if told["isFolder"] else name)
                    self._ask("fetch", str(told["key"]), file)
                    if digest_of(file) != digest:
                        raise Failed(
                            f"{self.url}/{told['key']} is not what was stored there: somebody changed it"
                        )
                    if told["isFolder"]:
                        with zipfile.ZipFile(file) as archive:
                            archive.extractall(part / name)
                        file.unlink()
                        (part / name).mkdir(exist_ok=True)
                    part.replace(place)
                finally:
                    shutil.rmtree(part, ignore_errors=True)
        return place / name

    def keep(self, folder: str, path: Path) -> dict[str, Any]:
        """Store a result under its digest; what is told of it. Raises Failed."""
        digest = digest_of(path)
        self._ask("put", f"{folder}/{digest}{ENDING}", path)
        return {"sha256": digest, "bytes": path.stat().st_size, "python": list(sys.version_info[:2])}

    def fetch(self, key: str, path: Path) -> None:
        """Copy what has this name to a file. Raises Missing, Failed."""
        self._ask("fetch", key, path)

    def put(self, key: str, path: Path) -> None:
        """Store a file under a name, or replace what has it. Raises Failed."""
        self._ask("put", key, path)

    def _ask(self, verb: str, key: str, path: Path) -> None:
        from jupyter_ext.store.address import address

        place = address(self.url)
        if place.scheme == "file":
            _copied(verb, Path(place.prefix), key, path)
            return
        wrong = self._directly(verb, key, path)
        if wrong is None:
            return
        base = str(Path(__file__).parent.parent.parent)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHONSTARTUP")}
        paths = os.pathsep.join([base, *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-m", __name__, verb, self.url, key, str(path)],
            env={**kept, **self._values, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            said = lines[-1] if lines else f"the store was not asked (exit code {done.returncode})"
            if done.returncode == _MISSING:
                raise Missing(said[:_SHOWN])
            raise Failed(
                (f"{self.url} does not do it ({wrong})" if wrong and LACKS in said else said)[:_SHOWN]
            )

    def _directly(self, verb: str, key: str, path: Path) -> str | None:
        """Ask a store of S3's protocol in one request. None when that is done, else what went wrong, if it was tried."""
        from jupyter_ext.store import address, credentials, signed

        place = address.address(self.url)
        values = credentials.known(place.scheme, self._values).values
        if credentials.kind_of(place.scheme) != "s3" or not (url := signed.url_of(place, key, values)):
            return ""
        try:
            if verb == "fetch":
                signed.fetch(url, values, path)
            else:
                signed.put(url, values, path, digest_of(path))
        except HTTPError as error:
            if verb == "fetch" and error.code == HTTPStatus.NOT_FOUND and b"NoSuchKey" in error.read(_BLOCK):
                raise Missing(f"This is not in the store ({self.url}/{key})") from error
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # the real library tries again, and knows what the answer means
            return f"{type(error).__name__}: {error}"
        return None


def _copied(verb: str, folder: Path, key: str, path: Path) -> None:
    """Fetch from a folder, or put into it: complete or not there. Raises Failed."""
    if not folder.is_dir():
        raise Failed(f"The folder {folder} of the store is not there: its claim is not mounted")
    there = folder / key
    try:
        if verb == "fetch":
            shutil.copyfile(there, path)
            return
        there.parent.mkdir(parents=True, exist_ok=True)
        part = there.with_name(f".{there.name}.{os.getpid()}")
        try:
            shutil.copyfile(path, part)
            part.replace(there)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and verb == "fetch":
            raise Missing(f"This is not in the store ({there})") from error
        raise Failed(f"{error.strerror} ({there})") from error


def taken() -> dict[str, str]:
    """What opens the store, out of this process's environment: the user's code, and what it prints, has it no more."""
    found = [name for name in os.environ if name.startswith(VARIABLE)]
    return {name.removeprefix(VARIABLE): os.environ.pop(name) for name in found}


def left(value: Any, told: Mapping[str, Any], values: Mapping[str, str], folder: Path) -> str:
    """The words that a pod leaves of a result that they cannot hold; it is pickled into the store. Raises Failed."""
    path = folder / f"result{ENDING}"
    kind = type(value).__qualname__
    if not told.get("url"):
        what = f"it is a {kind}, and a pod's status holds JSON of 4 kB"
        return _lost(what, str(told.get("hint") or ""))
    try:
        import cloudpickle

        with path.open("wb") as file:
            cloudpickle.dump(value, file)
    except Exception as error:
        return _lost(f"a {kind}: {type(error).__name__}: {error}", "")
    if path.stat().st_size > LARGEST:
        return _lost(
            f"a {kind} of {path.stat().st_size / 1e9:.1f} GB; at most {LARGEST / 1e9:.1f} GB come back", ""
        )
    try:
        facts = Depot(str(told["url"]), values).keep(str(told["folder"]), path)
    finally:
        with suppress(OSError):
            path.unlink()
    return STORED + json.dumps(facts)


def _lost(what: str, hint: str) -> str:
    return LOST + json.dumps({"what": what[:_SHOWN], "hint": hint[:_SHOWN]})


def digest_of(path: Path) -> str:
    """SHA-256 of a file, which any Python has."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(verb: str, url: str, key: str, path: str) -> int:
    """One request, in a process of its own; what went wrong is its last line."""
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.store import address, credentials, objects
    from jupyter_ext.store.refusals import refusal

    try:
        place = address.address(url)
        _require(place.scheme)
        try:
            found = objects.opened(place, credentials.known(place.scheme, os.environ).values)
            found.fetch(key, Path(path)) if verb == "fetch" else found.put(key, Path(path))
        except KubeflowError:
            raise
        except Exception as error:
            raise refusal(error, f"{url}/{key}") from error
    except KubeflowError as error:
        sys.stderr.write(f"\n{' '.join(str(error).split())}\n")
        return _MISSING if verb == "fetch" and error.status == HTTPStatus.NOT_FOUND else 1
    return 0


def _require(scheme: str) -> None:
    """Raise Unavailable where the image has not what reaches the store."""
    from importlib import import_module

    from jupyter_ext.errors import Unavailable
    from jupyter_ext.store.address import PACKAGES

    package = PACKAGES.get(scheme, "fsspec")
    try:
        import_module(package)
    except ImportError:
        hint = f"Install it there, or give packages=[{package!r}]."
        raise Unavailable(f"{LACKS}{package}, which reaches {scheme}://", hint=hint) from None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
