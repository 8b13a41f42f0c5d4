"""What one cell, or one function body, was seen to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from jupyter_ext.pipelines.flow.values import Obj, Val

EffectKey = tuple[str, str, str]
"""Kind, mode and detail of an effect, as in the model's Effect."""


class Place(NamedTuple):
    """Where something stands: the cell's index, line and column from 1."""

    cell: int
    line: int
    column: int


class Read(NamedTuple):
    """A name that is needed from outside. ``hard``: without it the code surely fails.

    ``soft``: it is only used by a function that is passed on.
    """

    place: Place
    hard: bool
    soft: bool = False


@dataclass(frozen=True)
class Note:
    """A finding while following the code; it becomes a problem of the cell."""

    severity: Literal["error", "warning", "info"]
    code: str
    message: str
    place: Place
    remedy: str


@dataclass
class Record:
    """Everything noteworthy of one cell or one function body."""

    reads: dict[str, Read] = field(default_factory=dict)
    missing: dict[str, Read] = field(default_factory=dict)
    effects: dict[EffectKey, Place] = field(default_factory=dict)
    seeded: set[str] = field(default_factory=set)
    notes: dict[tuple[str, Place], Note] = field(default_factory=dict)
    wild_reads: bool = False
    wild_writes: bool = False
    # Of a cell: names whose object it changed, surely or perhaps, and static imports at its top level.
    changed: dict[str, bool] = field(default_factory=dict)
    imports: list[tuple[str, int]] = field(default_factory=list)
    # Of a function: objects it changed that are not its own, what it put into them, what it returns.
    mutated: dict[Obj, bool] = field(default_factory=dict)
    opened: set[Obj] = field(default_factory=set)
    links: list[tuple[Obj, Val, str | None]] = field(default_factory=list)
    returns: list[Val] = field(default_factory=list)
    globals_: dict[str, tuple[Val, bool]] = field(default_factory=dict)
    deps: dict[str, object] = field(default_factory=dict)

    def read(self, name: str, read: Read) -> None:
        """Note a read; a hard one outweighs a soft one of the same name."""
        _add(self.reads, name, read)

    def miss(self, name: str, read: Read) -> None:
        """Note a read of a name that is not defined."""
        _add(self.missing, name, read)

    def effect(self, kind: str, mode: str, detail: str, place: Place) -> None:
        """Note an effect at its first place."""
        if kind == "rng" and mode == "r" and detail in self.seeded:
            return
        self.effects.setdefault((kind, mode, detail), place)

    def note(self, note: Note) -> None:
        """Note a finding once for its place."""
        self.notes.setdefault((note.code, note.place), note)


def _add(reads: dict[str, Read], name: str, read: Read) -> None:
    old = reads.get(name)
    if old is None or (read.hard and not old.hard) or (old.soft and not read.soft):
        reads[name] = read


@dataclass(frozen=True)
class CellFlow:
    """A cell's part in the data flow.

    ``binds`` maps names to whether they are surely bound, ``changed`` to whether they are surely changed in
    place. ``deletes`` are names that are gone afterwards.
    """

    cell: int
    reads: dict[str, Read]
    missing: dict[str, Read]
    binds: dict[str, bool]
    changed: dict[str, bool]
    deletes: frozenset[str]
    effects: dict[EffectKey, Place]
    seeded: frozenset[str]
    imports: tuple[tuple[str, int], ...]
    notes: tuple[Note, ...]
    wild_reads: bool = False
    wild_writes: bool = False
    unpassable: dict[str, str] = field(default_factory=dict)
