"""Hidden state: what one step leaves for the next beside its variables.

In the plain notebook a seed, a changed directory or a plotting style set in one cell holds in all later ones. A
step's process takes over the kinds of state that earlier steps changed, and reports the kinds that it changed
itself. A kind whose library is not loaded costs nothing. Not followed: attributes that a cell sets on the
modules of libraries, handlers of signals, IPython's formatters for single types.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.pipelines import graphs


@dataclass(frozen=True)
class Kind:
    """One kind of state. It exists once ``module`` is loaded; ``capture`` returns plain data, None for untouched.

    ``apply`` sets what was captured, importing the library if necessary. ``refresh`` runs in a fork that takes
    over no state of this kind: forks must not share a random generator by accident.
    """

    module: str
    capture: Callable[[Any], Any]
    apply: Callable[[Any, Any], None]
    refresh: Callable[[], None] | None = None


def kinds() -> dict[str, Kind]:
    """Every kind by name, in the order in which they are applied."""
    from jupyter_ext.pipelines import hidden_interpreter, hidden_libraries, hidden_modules, hidden_shell

    return {
        **hidden_interpreter.KINDS,
        **hidden_libraries.KINDS,
        **hidden_shell.KINDS,
        **hidden_modules.KINDS,
    }


class HiddenState:
    """The hidden state of this process, seen from one step."""

    def __init__(self, blobs: Blobs, shell: Any) -> None:
        self._blobs = blobs
        self._shell = shell
        self._kinds = kinds()
        self._digests: dict[str, str] = {}
        self._before: dict[str, Any] = {}

    def apply(self, given: Mapping[str, str]) -> None:
        """Take over the state of earlier steps."""
        for name, kind in self._kinds.items():
            digest = given.get(name)
            if digest is not None and self._digests.get(name) != digest:
                self._set(kind, digest)
                self._digests[name] = digest
            elif kind.refresh is not None and name not in self._digests and kind.module in sys.modules:
                kind.refresh()

    def begin(self) -> None:
        """Remember where the step starts."""
        self._before = self._captured()

    def changes(self) -> dict[str, str]:
        """The kinds that changed since ``begin``, each with the digest of a blob that has the new state."""
        found = {}
        for name, state in self._captured().items():
            if name in self._before and _same(state, self._before[name]):
                continue
            content = self._encoded(state)
            if content is None:
                continue
            digest = self._blobs.put_bytes(content)
            if self._digests.get(name) != digest:
                found[name] = self._digests[name] = digest
        return found

    def _encoded(self, state: Any) -> bytes | None:
        """None for what lives in this process only, for example a magic that holds an open file."""
        try:
            encoded = graphs.encode({"": state}, self._shell.user_ns)
        except Exception:
            return None
        file = io.BytesIO()
        encoded.write(file)
        return file.getvalue()

    def _captured(self) -> dict[str, Any]:
        loaded = {name: kind for name, kind in self._kinds.items() if kind.module in sys.modules}
        states = {name: _state(kind, self._shell) for name, kind in loaded.items()}
        return {name: state for name, state in states.items() if state is not None or name in self._digests}

    def _set(self, kind: Kind, digest: str) -> None:
        namespace = self._shell.user_ns
        state = graphs.decode(self._blobs.read(digest), lambda _: namespace)[""]
        try:
            kind.apply(state, self._shell)
        except Exception as error:
            warnings.warn(
                f"State of an earlier step could not be set ({error})", RuntimeWarning, stacklevel=2
            )


def _state(kind: Kind, shell: Any) -> Any:
    """None for a library whose inside looks different than known: that kind is not followed."""
    try:
        return kind.capture(shell)
    except Exception:
        return None


def _same(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:
        return False


def apply(given: Mapping[str, str], blobs: Blobs, shell: Any) -> None:
    """Set the hidden state of a step in a live kernel."""
    HiddenState(blobs, shell).apply(given)
