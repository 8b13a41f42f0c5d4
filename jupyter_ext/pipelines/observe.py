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
        paths = sysconfig.get_paths()
        roots = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], sys.prefix]
        caches = [str(Path.home() / name) for name in (".cache", ".config", ".ipython", ".local")]
        roots += [site.getusersitepackages(), "/proc", "/dev", "/sys", "/etc", "/usr", *caches, *ignored]
        self._ignored = tuple(os.path.realpath(root) + os.sep for root in roots)
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
        self._workspace_modules()
        files = {name: stamp for name in sorted(self.read - self.written) if (stamp := file_stamp(name))}
        lasting = sorted(name for name in self.written if Path(name).exists())
        effects = sorted(self.effects)
        if lasting:
            effects.append(f"writes the file {lasting[0]}")
        return {"files": files, "packages": _packages(), "why": effects[0] if effects else ""}

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

    def _workspace_modules(self) -> None:
        """Modules of the user's own folders are inputs, whether read as source or as byte code."""
        for module in list(sys.modules.values()):
            origin = getattr(module, "__file__", None)
            if isinstance(origin, str) and (path := self._relevant(origin)):
                self.read.add(path)


def _packages() -> dict[str, str]:
    """Distributions of the loaded third-party modules whose name is also the distribution's, or known."""
    aliases = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "cv2": "opencv-python"}
    purelib = Path(sysconfig.get_paths()["purelib"])
    found = {}
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if "." in name or name.startswith("_") or not origin or purelib not in Path(origin).parents:
            continue
        distribution = aliases.get(name, name)
        if distribution in _MACHINERY:
            continue
        version = package_version(distribution)
        if version:
            found[distribution] = version
    return found


_MACHINERY = {
    "IPython", "traitlets", "pygments", "decorator", "jedi", "parso", "prompt_toolkit", "wcwidth", "stack_data",
    "executing", "asttokens", "pure_eval", "pexpect", "ptyprocess", "matplotlib_inline", "blake3", "ipython",
    "cloudpickle", "ipykernel", "comm", "nbformat", "jupyter_core", "psutil", "typing_extensions",
}  # fmt: skip
"""What runs a step, not what the step computes with."""
