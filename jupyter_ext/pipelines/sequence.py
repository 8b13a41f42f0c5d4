"""Edges that effects make: who must wait for whom because of a file, a shell command or hidden state.

What lives in the process (random generators, environment, working directory, settings) travels along the
edges like a value: a step needs the state of the last one that changed it, and is not disturbed by a later
change. What lives outside (files, the network, a shell) must keep its order between any two steps of which one
writes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from jupyter_ext.pipelines.model import ANY, Effect

_LASTING = frozenset({"env", "cwd", "settings"})


class _Uses:
    """Earlier uses of one thing. A write that comes after all of them makes them unnecessary."""

    __slots__ = ("readers", "writers")

    def __init__(self) -> None:
        self.readers: list[tuple[int, Effect]] = []
        self.writers: list[tuple[int, Effect]] = []

    def before(self, mode: str) -> Iterable[tuple[int, Effect]]:
        """What a use of this mode must wait for."""
        return self.writers if mode == "r" else [*self.writers, *self.readers]

    def add(self, number: int, effect: Effect, *, covers: bool = True) -> None:
        """Note a use; ``covers``: it touches everything that the earlier ones touch."""
        if effect.mode == "r":
            self.readers.append((number, effect))
            return
        if covers:
            self.readers.clear()
            self.writers.clear()
        self.writers.append((number, effect))


class Sequencer:
    """Takes the steps in notebook order and says after which earlier ones each must run, and why.

    Looks up the last writers and readers of each thing instead of comparing all pairs.
    """

    def __init__(self) -> None:
        self._lasting: tuple[int, Effect] | None = None
        self._generators: dict[str, int] = {}
        self._unknown: int | None = None
        self._since_unknown: list[int] = []
        self._shell = _Uses()
        self._files: dict[str, _Uses] = {}
        self._below: dict[str, _Uses] = {}
        self._anywhere = _Uses()
        self._all_files = _Uses()
        self._others: dict[str, _Uses] = {}

    def before(self, number: int, effects: Sequence[Effect]) -> dict[int, str]:
        """The steps that step ``number`` must wait for, with the reason; then its effects are noted."""
        found: dict[int, str] = {}
        if self._lasting is not None:
            other, effect = self._lasting
            found[other] = _LASTING_WORDS[effect.kind].format(detail=_named(effect))
        for effect in effects:
            for other, reason in self._conflicts(effect):
                found.setdefault(other, reason)
        self._unknowns(number, effects, found)
        for effect in effects:
            self._note(number, effect)
        return found

    def _conflicts(self, effect: Effect) -> Iterable[tuple[int, str]]:
        if effect.kind == "rng" and effect.mode == "r":
            last = self._generators.get(effect.detail)
            if last is not None:
                yield last, f"draws random numbers ({effect.detail}) after it"
        elif effect.kind == "shell":
            for other, earlier in (*self._shell.before(effect.mode), *self._all_files.before(effect.mode)):
                what = "changed" if earlier.mode == "w" else "read"
                yield other, f"runs a shell command, which may touch what it {what}"
        elif effect.kind == "file":
            for other, _ in self._shell.before(effect.mode):
                yield other, f"{_verb(effect)} {_named(effect)} after a shell command in it"
            for other, earlier in self._overlapping(effect):
                same = effect.detail == earlier.detail
                what = (
                    f", which it {_verb(earlier)}"
                    if same
                    else f" after it {_verb(earlier)} {_named(earlier)}"
                )
                yield other, f"{_verb(effect)} {_named(effect)}{what}"
        elif effect.kind in {"network", "stdin"}:
            mode = "w" if effect.kind == "stdin" else effect.mode
            for other, earlier in self._others.setdefault(effect.kind, _Uses()).before(mode):
                if effect.kind == "stdin" or effect.conflicts(earlier):
                    yield other, f"uses the {_THINGS[effect.kind]} after it"

    def _overlapping(self, effect: Effect) -> Iterable[tuple[int, Effect]]:
        """Earlier uses of the same file, of a folder it lies in, or of what lies in it."""
        if effect.detail == ANY:
            yield from self._all_files.before(effect.mode)
            return
        yield from self._anywhere.before(effect.mode)
        places = [self._files.get(effect.detail), self._below.get(effect.detail)]
        places += [self._files.get(folder) for folder in _folders(effect.detail)]
        for uses in places:
            if uses is not None:
                yield from uses.before(effect.mode)

    def _unknowns(self, number: int, effects: Sequence[Effect], found: dict[int, str]) -> None:
        """Code that nobody knows may do anything, so it keeps its order with every effect."""
        if not effects:
            return
        unknown = next((effect for effect in effects if effect.kind == "unknown"), None)
        if self._unknown is not None:
            found.setdefault(self._unknown, "has effects, and it calls code whose effects are not known")
        if unknown is not None:
            for other in self._since_unknown:
                found.setdefault(other, f"calls {_named(unknown)}, whose effects are not known")
            self._unknown = number
            self._since_unknown = []
        else:
            self._since_unknown.append(number)

    def _note(self, number: int, effect: Effect) -> None:
        if effect.kind in _LASTING:
            if effect.mode == "w":
                self._lasting = (number, effect)
        elif effect.kind == "rng":
            if effect.mode == "w":
                self._generators[effect.detail] = number
        elif effect.kind == "shell":
            self._shell.add(number, effect)
        elif effect.kind == "file":
            self._note_file(number, effect)
        elif effect.kind in {"network", "stdin"}:
            uses = self._others.setdefault(effect.kind, _Uses())
            uses.add(number, effect, covers=effect.detail == ANY)

    def _note_file(self, number: int, effect: Effect) -> None:
        anywhere = effect.detail == ANY
        if anywhere:
            self._anywhere.add(number, effect)
        else:
            self._files.setdefault(effect.detail, _Uses()).add(number, effect)
            for folder in _folders(effect.detail):
                self._below.setdefault(folder, _Uses()).add(number, effect, covers=False)
        self._all_files.add(number, effect, covers=anywhere)


def _folders(path: str) -> list[str]:
    found = []
    parent = posixpath.dirname(path)
    while parent and parent != path:
        found.append(parent)
        path, parent = parent, posixpath.dirname(parent)
    return [*found, "."] if not path.startswith(("/", "..")) else found


def _verb(effect: Effect) -> str:
    return "writes" if effect.mode == "w" else "reads"


def _named(effect: Effect) -> str:
    if effect.detail != ANY:
        return effect.detail
    return "files" if effect.kind == "file" else f"a {effect.kind}"


_LASTING_WORDS = {
    "env": "sees the environment as it leaves it ({detail})",
    "cwd": "runs in the working directory as it leaves it",
    "settings": "sees the settings as it leaves them ({detail})",
}
_THINGS = {"network": "network", "stdin": "keyboard"}
