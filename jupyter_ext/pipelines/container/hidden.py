"""State that no variable holds: random generators, environment, working directory, settings of libraries.

The kinds of state and how each is read and set are those of a local run (``pipelines/hidden_*.py``, which travel
beside this file). What differs is where a container is: its folder and Python's path are its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import values

STARTED_WITH = dict(os.environ)
STARTED_PATH = list(sys.path)
STARTED_IN = Path.cwd()
OWN_VARIABLES = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME"})
"""The launcher's and the shell's: they tell where a container is, not what a cell set."""
PLACES = ("cwd", "sys.path")


@dataclass(frozen=True)
class Kind:
    """One kind of state; the same as ``pipelines.hidden.Kind``."""

    module: str
    capture: Callable[[Any], Any]
    apply: Callable[[Any, Any], None]
    refresh: Callable[[], None] | None = None


class Hidden:
    """The hidden state of this process. ``shell`` is IPython's, or None where there is none."""

    def __init__(self, shell: Any, namespace: dict[str, Any]) -> None:
        self._shell, self._namespace = shell, namespace
        from jupyter_ext.pipelines import hidden_interpreter, hidden_libraries

        hidden_interpreter.set_base_environ(STARTED_WITH, OWN_VARIABLES)
        self._kinds: dict[str, Any] = {**hidden_interpreter.KINDS, **hidden_libraries.KINDS}
        if shell is not None:
            from jupyter_ext.pipelines import hidden_shell

            hidden_shell.set_base_magics(shell)
            self._kinds |= hidden_shell.KINDS
        for kind in PLACES:
            self._kinds.pop(kind, None)
        self._before: dict[str, Any] = {}

    def begin(self, given: Mapping[str, bytes]) -> None:
        """Take over the state of earlier steps, then remember where this step starts."""
        for name, content in given.items():
            state = values.unpack(content, self._namespace)
            if name in PLACES:
                _go(name, state)
            elif name in self._kinds and state is not None:
                self._set(name, state)
        self._before = self._captured()

    def changes(self) -> dict[str, bytes]:
        """The kinds that changed since ``begin``, pickled; what belongs to this process only is left out."""
        found: dict[str, bytes] = {}
        for name, state in self._captured().items():
            if name in self._before and _same(state, self._before[name]):
                continue
            try:
                found[name] = values.pack(state, self._namespace)
            except Exception:  # noqa: S112 - a magic that holds an open file
                continue
        return found

    def _captured(self) -> dict[str, Any]:
        found: dict[str, Any] = {"cwd": os.path.relpath(Path.cwd(), STARTED_IN)}
        found["sys.path"] = [entry for entry in sys.path if entry not in STARTED_PATH]
        for name, kind in self._kinds.items():
            if kind.module in sys.modules:
                try:
                    state = kind.capture(self._shell)
                except Exception:  # noqa: S112 - a library whose inside looks different than known is not followed
                    continue
                if state is not None or name in self._before:
                    found[name] = state
        return found

    def _set(self, name: str, state: Any) -> None:
        try:
            self._kinds[name].apply(state, self._shell)
        except ImportError:
            return  # no step in an image without the library can use it
        except Exception as error:
            sys.stderr.write(f"The {name} state of an earlier step could not be set: {error}\n")


def _go(place: str, state: Any) -> None:
    if place == "sys.path":
        sys.path[:0] = [entry for entry in state if entry not in sys.path]
    else:
        folder = STARTED_IN / state
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)


def _same(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:
        return False
