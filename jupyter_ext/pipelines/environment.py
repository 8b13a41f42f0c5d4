"""The surroundings of a run, kept with it so that it can be reproduced: interpreter, commit, packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIT_SECONDS = 5


@dataclass(frozen=True)
class Environment:
    """Reads lazily: ``quick`` costs nothing, ``full`` asks git and the installed distributions."""

    folder: Path
    file: str
    kernel: str

    def quick(self) -> dict[str, Any]:
        """Interpreter and platform; the module ``platform`` would start a process and read the whole interpreter."""
        system = os.uname()
        return {"python": sys.version.split()[0], "executable": sys.executable, "kernel": self.kernel,
                "platform": f"{system.sysname}-{system.release}-{system.machine}"}  # fmt: skip

    def full(self) -> dict[str, Any]:
        """Also the commit, whether the notebook differs from it, and every installed version."""
        return {**self.quick(), "git": self._git(), "packages": packages()}

    def _git(self) -> dict[str, Any]:
        known = "GIT_DIR" in os.environ or any(
            (up / ".git").exists() for up in (self.folder, *self.folder.parents)
        )
        heads = self._ask("rev-parse", "HEAD", "--abbrev-ref", "HEAD") if known else None
        if heads is None:
            return {}
        commit, branch = heads.splitlines()
        changed = self._ask("status", "--porcelain", "--", self.file)
        return {"commit": commit, "branch": branch, "dirty": bool(changed)}

    def _ask(self, *words: str) -> str | None:
        command = ["git", "-C", str(self.folder), "--no-optional-locks", *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None


def environment_of(path: str, source: Mapping[str, Any]) -> Environment:
    """The environment of a run of the notebook at ``path`` (its folder is the working directory)."""
    kernel = source.get("metadata", {}).get("kernelspec", {}).get("name", "python3")
    return Environment(Path.cwd(), Path(path).name or ".", str(kernel))


def packages() -> dict[str, str]:
    """Name to version of every installed distribution, sorted: a lock of the environment.

    Read from the names of their folders (PEP 376 and the wheel format): parsing hundreds of metadata files would
    take longer than a short run.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = [entry.name for entry in Path(folder or ".").iterdir()]
        except OSError:
            continue
        for entry in entries:
            stem, ending, _ = entry.partition(".dist-info")
            name, dash, version = stem.rpartition("-")
            if ending and dash:
                found.setdefault(name.replace("_", "-"), version)
    return {name: found[name] for name in sorted(found, key=str.lower)}
