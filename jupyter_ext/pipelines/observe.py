"""What a step's process does beside computing, as the interpreter's audit hooks show it.

The cache needs it twice: a file that was read is an input that must not have changed, and a file that was
written, a command or a connection is an effect that reusing the result would leave out.
Reads of native code that bypasses the interpreter (Arrow's own file system, HDF5) are not seen; the static
analysis of the step adds the paths that it can see in the code.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_ext.pipelines.cache import file_stamp, package_version

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_COMMANDS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
_CHANGES = {
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.move",
}


class Observer:
    """Collects between ``start`` and ``finish``; an audit hook cannot be removed, only told to rest."""

    def __init__(self, ignored: tuple[str, ...] = ()) -> None:
        self._ignored = (*_roots(), *(os.path.realpath(root) + os.sep for root in ignored))
        self._temporary = os.path.realpath(tempfile.gettempdir()) + os.sep
        self._active = False
        self._thread = threading.local()
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.effects: set[str] = set()

    def start(self) -> None:
        """Begin to collect."""
        sys.addaudithook(self._hook)
        self._active = True

    def finish(self) -> dict[str, Any]:
        """Stop; ``{"files": {path: stamp}, "packages": {name: version}, "why": reason against reuse}``."""
        self._active = False
        learn_modules()
        self.read.update(path for path in _workspace.values() if not path.startswith(self._ignored))
        files = {name: stamp for name in sorted(self.read - self.written) if (stamp := file_stamp(name))}
        lasting = sorted(name for name in self.written if Path(name).exists())
        effects = sorted(self.effects)
        if lasting:
            effects.append(f"writes the file {lasting[0]}")
        return {"files": files, "packages": dict(_packages), "why": effects[0] if effects else ""}

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active or getattr(self._thread, "busy", False):
            return
        self._thread.busy = True
        try:
            self._note(event, args)
        except Exception:  # noqa: S110 - an audit hook that raises would break the user's call
            pass
        finally:
            self._thread.busy = False

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(args[0], args[2])
        elif event in _COMMANDS:
            self.effects.add("runs a command")
        elif event == "socket.connect":
            self.effects.add("uses the network")
        elif event in _CHANGES:
            for name in args[:2]:
                if isinstance(name, str | bytes) and (path := self._relevant(name)):
                    self.written.add(path)
                    if event != "os.mkdir" and not path.startswith(self._temporary):
                        self.effects.add(f"changes the file {path}")

    def _opened(self, name: object, flags: object) -> None:
        if not isinstance(name, str | bytes | os.PathLike):
            return
        path = self._relevant(os.fspath(name))
        if path:
            changes = isinstance(flags, int) and flags & _WRITE_FLAGS
            (self.written if changes else self.read).add(path)

    def _relevant(self, name: str | bytes) -> str | None:
        path = os.path.realpath(os.fsdecode(name))
        inside = path + os.sep
        if inside.startswith(self._ignored) or "/__pycache__/" in path:
            return None
        return None if Path(path).is_dir() else path


@lru_cache
def _roots() -> tuple[str, ...]:
    """Folders whose files are neither inputs nor effects: the installation, caches and the system's own."""
    paths = sysconfig.get_paths()
    package = str(Path(__file__).parents[1])
    roots = [package, paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], sys.prefix]
    caches = [str(Path.home() / name) for name in (".cache", ".config", ".ipython", ".local")]
    roots += [site.getusersitepackages(), "/proc", "/dev", "/sys", "/etc", "/usr", *caches]
    return tuple(dict.fromkeys(name + os.sep for root in roots for name in (root, os.path.realpath(root))))


_known: set[str] = set()
_workspace: dict[str, str] = {}
"""Modules of the user's own folders: they are inputs, whether read as source or as byte code."""
_packages: dict[str, str] = {}
"""Versions of the distributions whose modules are loaded."""
_ALIASES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "cv2": "opencv-python"}
"""Modules that are not named like their distribution."""


def workspace_modules() -> dict[str, str]:
    """Name to file of the loaded modules that are the user's own."""
    return _workspace


def learn_modules() -> None:
    """Look at the modules loaded since the last look; a fork server does it once before it forks."""
    for name in sys.modules.keys() - _known:
        _known.add(name)
        origin = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(origin, str):
            continue
        if not origin.startswith(_roots()) and not (path := os.path.realpath(origin)).startswith(_roots()):
            _workspace[name] = path
        elif "." not in name and not name.startswith("_") and f"{os.sep}site-packages{os.sep}" in origin:
            distribution = _ALIASES.get(name, name)
            version = None if distribution in _MACHINERY else package_version(distribution)
            if version:
                _packages[distribution] = version


_MACHINERY = {
    "IPython", "traitlets", "pygments", "decorator", "jedi", "parso", "prompt_toolkit", "wcwidth", "stack_data",
    "executing", "asttokens", "pure_eval", "pexpect", "ptyprocess", "matplotlib_inline", "blake3", "ipython",
    "cloudpickle", "ipykernel", "comm", "nbformat", "jupyter_core", "psutil", "typing_extensions",
}  # fmt: skip
"""What runs a step, not what the step computes with."""
