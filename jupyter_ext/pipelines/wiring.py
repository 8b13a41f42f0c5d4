"""From what cells do to what steps need of each other: reads, writes, and the edges that data makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupyter_ext.pipelines.flow.records import CellFlow, EffectKey, Place, Read
from jupyter_ext.pipelines.grammar import Draft
from jupyter_ext.pipelines.model import ANY, Effect, Order


@dataclass(frozen=True)
class Touch:
    """A step that bound a name or changed its object. ``sure``: nothing from before it is left."""

    step: str
    cell: int
    sure: bool
    may: bool = False


@dataclass
class Missing:
    """A name that was read and is not defined there."""

    name: str
    step: str
    cell: int
    read: Read


@dataclass
class StepFlow:
    """A step's part in the data flow, put together from its cells."""

    reads: set[str] = field(default_factory=set)
    binds: dict[str, bool] = field(default_factory=dict)
    changed: dict[str, bool] = field(default_factory=dict)
    deletes: set[str] = field(default_factory=set)
    effects: dict[EffectKey, Place] = field(default_factory=dict)
    seeded: set[str] = field(default_factory=set)
    wild_reads: bool = False
    wild_writes: bool = False
    through: dict[str, list[str]] = field(default_factory=dict)
    live_after: set[str] = field(default_factory=set)
    sure: set[str] = field(default_factory=set)
    needs: frozenset[str] = frozenset()
    """What the code itself reads, without what is merely passed on."""

    @property
    def writes(self) -> tuple[str, ...]:
        """Names bound or changed in place, also those bound in a branch alone."""
        return tuple(sorted(set(self.binds) | {name for name, sure in self.changed.items() if sure}))

    @property
    def mutates(self) -> tuple[str, ...]:
        """Names whose object is changed in place."""
        return tuple(sorted(name for name, sure in self.changed.items() if sure))

    @property
    def may_write(self) -> tuple[str, ...]:
        """Names whose object may be changed by code that cannot be seen."""
        found = {name for name, sure in self.changed.items() if not sure} - set(self.binds)
        return (ANY, *sorted(found)) if self.wild_writes else tuple(sorted(found))

    @property
    def all_effects(self) -> tuple[Effect, ...]:
        """The effects, as the model has them."""
        return tuple(Effect(*key) for key in self.effects)  # type: ignore[arg-type]


class Wiring:
    """Goes through the cells in the order in which they run and connects their steps."""

    def __init__(self, order: Order, owners: Mapping[int, Draft]) -> None:
        self.steps: dict[str, StepFlow] = {}
        self.data: dict[tuple[str, str], dict[str, bool]] = {}
        self.missing: list[Missing] = []
        self.unpassable: list[tuple[Missing, str, str]] = []
        self.deleted: dict[str, int] = {}
        self.split: list[tuple[str, str, str, int, int]] = []
        self._order = order
        self._owners = owners
        self._chains: dict[str, list[Touch]] = {}
        self._wild: list[str] = []
        self._unpassable: dict[str, tuple[str, str]] = {}
        self._readers: dict[str, list[tuple[str, int, str]]] = {}
        self._parted = _parted(owners)
        self._loops = {draft.name for draft in owners.values() if draft.settings.foreach}

    def connect(self, flows: Sequence[CellFlow]) -> None:
        """Go through all cells."""
        for flow in flows:
            draft = self._owners[flow.cell]
            step = self.steps.setdefault(draft.name, StepFlow())
            self._reads(flow, draft.name, step)
            self._writes(flow, draft, step)
            self._effects(flow, step)
        self._read_through()

    def _reads(self, flow: CellFlow, name: str, step: StepFlow) -> None:
        for variable, read in flow.reads.items():
            source = self._source(variable, name)
            if source is None:
                continue
            step.reads.add(variable)
            self._edge(source.step, name, variable, may=source.may)
            if source.step in self._parted:
                self._readers.setdefault(variable, []).append((name, flow.cell, source.step))
            held = self._unpassable.get(variable)
            if held is not None:
                self.unpassable.append((Missing(variable, name, flow.cell, read), *held))
        for variable, read in flow.missing.items():
            self._not_known(variable, read, name, flow.cell, step)
        if flow.wild_reads:
            step.wild_reads = True
            for other in self.steps:
                if other != name:
                    self._edge(other, name, ANY, may=True)

    def _not_known(self, variable: str, read: Read, name: str, cell: int, step: StepFlow) -> None:
        if self._wild:
            # Something above may define any name: then this one comes from there.
            for other in self._wild:
                if other != name:
                    step.reads.add(variable)
                    self._edge(other, name, variable, may=True)
        else:
            self.missing.append(Missing(variable, name, cell, read))

    def _source(self, variable: str, name: str) -> Touch | None:
        """The latest other step that gives the name its value; None if this step itself surely does."""
        for touch in reversed(self._chains.get(variable, ())):
            if touch.step != name:
                return touch
            if touch.sure:
                return None
        return None

    def _edge(self, source: str, target: str, variable: str, *, may: bool) -> None:
        names = self.data.setdefault((source, target), {})
        names[variable] = names.get(variable, True) and may

    def _writes(self, flow: CellFlow, draft: Draft, step: StepFlow) -> None:
        conditional = bool(draft.settings.when or draft.settings.foreach)
        for variable, sure in flow.binds.items():
            sure_here = sure and not conditional
            if sure:
                step.sure.add(variable)
            self._check_split(variable, draft.name, flow.cell)
            if not sure_here:
                self._note_through(variable, draft.name, step)
            step.binds[variable] = sure_here or step.binds.get(variable, False)
            self._touch(variable, Touch(draft.name, flow.cell, sure_here))
            self.deleted.pop(variable, None)
            self._unpassable.pop(variable, None)
        for variable, certain in flow.changed.items():
            step.changed[variable] = certain or step.changed.get(variable, False)
            if variable in flow.binds:
                continue
            self._check_split(variable, draft.name, flow.cell)
            self._note_through(variable, draft.name, step)
            if certain or self._order == "notebook":
                self._touch(variable, Touch(draft.name, flow.cell, sure=False, may=not certain))
        for variable in flow.deletes:
            step.deletes.add(variable)
            step.binds.pop(variable, None)
            self.deleted[variable] = flow.cell
            self._chains.pop(variable, None)
        for variable, kind in flow.unpassable.items():
            self._unpassable[variable] = (kind, draft.name)
        if flow.wild_writes:
            step.wild_writes = True
            if draft.name not in self._wild:
                self._wild.append(draft.name)
            self._touch_all(draft.name, flow.cell)

    def _touch(self, variable: str, touch: Touch) -> None:
        if touch.sure:
            self._chains[variable] = [touch]
        else:
            chain = self._chains.setdefault(variable, [])
            if chain and chain[-1].step == touch.step and not chain[-1].sure:
                chain[-1] = touch
            elif not chain or chain[-1].step != touch.step:
                chain.append(touch)

    def _touch_all(self, name: str, cell: int) -> None:
        """Code that cannot be seen may have changed every name there is."""
        if self._order == "notebook":
            for variable in self._chains:
                self._touch(variable, Touch(name, cell, sure=False, may=True))

    def _note_through(self, variable: str, name: str, step: StepFlow) -> None:
        """The step passes on the value of before where it does not make a new one."""
        source = self._source(variable, name)
        if source is not None and variable not in step.reads:
            step.through.setdefault(variable, []).append(source.step)

    def _check_split(self, variable: str, name: str, cell: int) -> None:
        """A step whose cells lie apart must not change what a step between them has read."""
        if name not in self._parted:
            return
        for reader, at, source in self._readers.get(variable, ()):
            if (
                source == name
                and reader != name
                and any(touch.cell < at for touch in self._chains.get(variable, ()))
            ):
                self.split.append((name, reader, variable, cell, at))
        if variable in self._readers:
            self._readers[variable] = [item for item in self._readers[variable] if item[2] == name]

    def _effects(self, flow: CellFlow, step: StepFlow) -> None:
        for key, place in flow.effects.items():
            kind, mode, detail = key
            if not (kind == "rng" and mode == "r" and detail in step.seeded):
                step.effects.setdefault(key, place)
        step.seeded |= flow.seeded

    def _read_through(self) -> None:
        """Add what steps pass on to their reads, where a later step reads the name."""
        live: set[str] = set()
        everything = False
        for step in self.steps.values():
            step.needs = frozenset(step.reads)
        for name, step in reversed(self.steps.items()):
            if name in self._loops:
                step.live_after = {ANY} if everything else set(live)
            for variable, sources in step.through.items():
                if everything or variable in live:
                    step.reads.add(variable)
                    for source in sources:
                        self._edge(source, name, variable, may=False)
            live.difference_update(variable for variable, sure in step.binds.items() if sure)
            live |= step.reads
            everything = everything or step.wild_reads

    @property
    def wild(self) -> list[str]:
        """Steps that may define any name."""
        return self._wild


def _parted(owners: Mapping[int, Draft]) -> set[str]:
    """Steps with another step's cell between their own."""
    seen: set[str] = set()
    parted: set[str] = set()
    last = ""
    for index in sorted(owners):
        name = owners[index].name
        if name != last and name in seen and owners[index].kind != "setup":
            parted.add(name)
        seen.add(name)
        last = name
    return parted
