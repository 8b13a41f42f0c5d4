"""Where a component's code runs: in this interpreter if it has what is asked for, else in a cached environment."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.pipelines.compiled import bootstrap
from jupyter_ext.pipelines.compiled.bootstrap import PythonFunction

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

RUNTIME: Final = Path(__file__).with_name("runtime")
STAND_IN: Final = RUNTIME / "sdk"
WITHOUT_UV: Final = "JUPYTER_KUBEFLOW_WITHOUT_UV"
"""Set to have environments made by venv and pip."""
_PYPI: Final = frozenset(
    {"https://pypi.org/simple", "https://pypi.org/simple/", "https://pypi.python.org/simple"}
)


@dataclass(frozen=True)
class Environment:
    """``folder`` is None for this interpreter itself; ``commands`` make it."""

    python: str
    folder: Path | None = None
    commands: tuple[tuple[str, ...], ...] = ()
    sdk: str | None = None

    @property
    def stamp(self) -> Path | None:
        """The file that is there when the environment is complete."""
        return self.folder / "made-from.json" if self.folder else None

    @property
    def ready(self) -> bool:
        """Whether it is there."""
        return self.stamp is None or self.stamp.exists()

    def used(self) -> None:
        """Note that somebody uses it now: then the collector leaves it for a while."""
        if self.stamp is not None:
            with suppress(OSError):
                os.utime(self.stamp)

    def request(self) -> dict[str, Any]:
        """What ``make_environment`` is told."""
        return {"folder": str(self.folder), "stamp": str(self.stamp), "commands": self.commands}


def of_function(cluster: LocalCluster, function: PythonFunction) -> Environment:
    """The environment of a lightweight component."""
    real = importlib.util.find_spec("kfp") is not None
    wants = bootstrap.needs_sdk(function.source, offered())
    here = not function.options and all(_is_met(each) for each in function.requirements)
    if here and (real or not wants):
        return Environment(sys.executable, sdk=None if real else str(STAND_IN))
    sdk = function.kfp or "kfp"
    return _made(cluster, function.requirements, function.options, sdk if wants else "")


def of_command(cluster: LocalCluster, words: tuple[str, ...]) -> Environment:
    """The environment of a container's command: one of its own where the command installs packages."""
    if not any("pip install" in word for word in words):
        return Environment(sys.executable)
    return _made(cluster, (), (), "", own=repr(words))


def _made(
    cluster: LocalCluster, requirements: tuple[str, ...], options: tuple[str, ...], sdk: str, own: str = ""
) -> Environment:
    shown = _without_pypi(options)
    facts = [sys.executable, sys.version, sorted(requirements), shown, sdk, own]
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()
    folder = cluster.base / "environments" / digest
    python = str(folder / "bin" / "python")
    found = uv()
    if found:
        make = [
            found,
            "venv",
            "--quiet",
            "--python",
            sys.executable,
            *(["--seed"] if own else []),
            str(folder),
        ]
        install = [found, "pip", "install", "--quiet", "--python", python]
    else:
        make = [sys.executable, "-m", "venv", str(folder)]
        install = [python, "-m", "pip", "install", "--quiet", "--no-warn-script-location"]
    commands = [make]
    if requirements:
        commands.append([*install, *shown, "--", *requirements])
    if sdk:
        commands.append([*install, *shown, "--no-deps", "--", sdk])
    return Environment(python, folder, tuple(map(tuple, commands)), None if sdk else str(STAND_IN))


def _without_pypi(options: tuple[str, ...]) -> list[str]:
    """The options less those that name PyPI itself: which mirror stands for it is this machine's setting."""
    pairs = zip(options[::2], options[1::2], strict=True)
    return [word for pair in pairs if pair[1] not in _PYPI for word in pair]


def uv() -> str | None:
    """The uv program, beside this interpreter or on the path; None where there is none, or it is not wanted."""
    if os.environ.get(WITHOUT_UV):
        return None
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


@functools.cache
def _is_met(requirement: str) -> bool:
    from importlib import metadata

    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return False
    if wanted.url or wanted.extras:
        return False
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


@functools.cache
def offered() -> frozenset[str]:
    """The names that the stand-in for ``kfp.dsl`` has, read from its source: it is never imported here."""
    import ast

    tree = ast.parse((STAND_IN / "kfp" / "dsl" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


@functools.cache
def importable(module: str) -> bool:
    """Whether this interpreter finds a top-level module."""
    try:
        return module in sys.stdlib_module_names or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
