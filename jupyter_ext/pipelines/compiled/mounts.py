"""Volumes at absolute paths, for one process: what is asked for, and whether this machine lets a user do it."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from jupyter_ext.errors import Invalid, Unfit, Where

PROGRAM: Final = Path(__file__).parent / "runtime" / "enter_mounts.py"
_NEEDED: Final = ("/usr", "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys")
_SECONDS: Final = 60
HINT: Final = "Let users make namespaces (on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0), or run it on a cluster."


@dataclass(frozen=True)
class Mount:
    """Something at a path: a ``folder``, an empty ``memory`` of some bytes, or the ``values`` of a Secret or ConfigMap."""

    path: str
    kind: str
    source: str | None = None
    size: int = 0


@dataclass(frozen=True)
class View:
    """What a process sees, and as whom it sees itself: user and group are None for those that run this."""

    mounts: tuple[Mount, ...] = ()
    user: int | None = None
    group: int | None = None

    def __bool__(self) -> bool:
        return bool(self.mounts) or self.user is not None or self.group is not None

    def command(self, words: Sequence[str], program: str, folder: Path) -> tuple[str, list[str]]:
        """The program and the words that start a command in it; ``folder`` is the attempt's own."""
        request = folder / "mounts.json"
        told: dict[str, Any] = {
            "mounts": [asdict(each) for each in self.mounts], "user": self.user, "group": self.group,
            "root": str(folder / "root"), "error": str(folder / "error.json"),
        }  # fmt: skip
        request.write_text(json.dumps(told), encoding="utf-8")
        return sys.executable, ["-I", "-S", str(PROGRAM), str(request), program, *words[1:]]


def checked_path(path: str, keep: Iterable[Path] = ()) -> str:
    """A path where something may be mounted: not over what every process needs, nor over what is in ``keep``."""
    plain = PurePosixPath(path)
    if not path.startswith("/") or ".." in plain.parts or "\0" in path or ":" in path:
        raise Invalid(
            f"{path[:80]!r} is not a path where a volume can be mounted",
            where=Where(field="mountPath"),
            hint="Give an absolute path.",
        )
    text = "/" + str(plain).strip("/")
    here = Path(text).resolve()
    for needed in (*map(Path, _NEEDED), Path(sys.prefix), Path(sys.base_prefix), PROGRAM, *keep):
        if needed.resolve().is_relative_to(here):
            raise Unfit(
                f"A volume at {text} would hide {needed}, which the step needs on this machine",
                where=Where(field="mountPath"),
                hint="Give it another path, or run it on a cluster.",
            )
    return text


@functools.cache
def impossible() -> str:
    """Why this machine lets nobody like you mount something for one process; empty where it does. Tried, not guessed."""
    if not sys.platform.startswith("linux"):
        return "only Linux can do that"
    with tempfile.TemporaryDirectory() as folder:
        view = View((Mount("/kubeflow-volume/of-nobody", "memory"),), 4242, 4242)
        true = shutil.which("true") or "/bin/true"
        program, words = view.command([true], true, Path(folder))
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=_SECONDS, cwd=folder, check=False
        )
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
