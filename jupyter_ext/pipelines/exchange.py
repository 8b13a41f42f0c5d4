"""What the run controller and the process that executes a step say to each other.

Everything here is plain data with ``to_dict``/``from_dict`` (camelCase keys, JSON-able), so that it can be
stored in a run's status, sent to another process and read by the front end. Nothing heavy is imported.

How values travel
-----------------
A :class:`ValueRef` is one stored object graph with the top-level names bound to it. Two refs of one run may
share an object: the ref that came later then *links* to the earlier one instead of repeating it, so that
``is`` holds wherever both are loaded, also after parallel branches join. The controller keeps one mapping
``name -> ValueRef`` (the namespace at a point of the run) and uses three functions on it:

- :func:`advance` applies a step's result to the namespace,
- :func:`inputs_for` picks what a step must be given,
- :func:`blobs_of` names every blob that must be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

ALL = ("*",)
"""Stands for every name in ``may_change`` and ``wanted``."""

State = Literal["SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"]


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match.group(1).upper(), name)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {_camel(f.name): _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _build(kind: Any, value: Any) -> Any:
    """The inverse of :func:`_plain` for the annotations used in this module."""
    origin = get_origin(kind)
    if origin in (UnionType, Union):
        options = [option for option in get_args(kind) if option is not type(None)]
        return None if value is None else _build(options[0], value)
    if origin is tuple:
        item = get_args(kind)[0]
        return tuple(_build(item, entry) for entry in value)
    if origin is dict:
        item = get_args(kind)[1]
        return {key: _build(item, entry) for key, entry in value.items()}
    if isinstance(kind, type) and issubclass(kind, Message):
        return kind.from_dict(value)
    return value


class Message:
    """A frozen dataclass that travels as JSON. Unknown keys are ignored, missing ones take their default."""

    _hints: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        result = _plain(self)
        assert isinstance(result, dict)
        return result

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From the JSON form."""
        hints = cls.__dict__.get("_hints")
        if hints is None:
            hints = get_type_hints(cls)
            cls._hints = hints
        known = {f.name: _camel(f.name) for f in fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: _build(hints[name], data[key]) for name, key in known.items() if key in data})


@dataclass(frozen=True)
class ValueRef(Message):
    """Names that share one stored object graph, and where it is stored.

    ``origin`` tells equal but distinct objects apart: it names the step and the first name of the group.
    ``names`` are the names to bind; the blob may hold others that were bound anew since.
    ``digest`` is equal for equal content, what is linked to included; it starts with "b3:" where it names a
    blob and with "in:" where the content is small and stands in ``literal``. ``links`` are the keys of the
    refs whose objects this one contains, ``support`` those refs (and theirs), complete enough to load.
    ``needs`` are the global names that functions in a value refer to. ``bytes`` counts the stored content.
    ``bind`` renames: stored name -> name to bind it to. ``inline`` has small values as JSON.
    """

    names: tuple[str, ...]
    digest: str
    serializer: str
    origin: str = ""
    types: dict[str, str] = field(default_factory=dict)
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bytes: int = 0
    summary: dict[str, str] = field(default_factory=dict)
    preview_digest: str | None = None
    inline: dict[str, Any] = field(default_factory=dict)
    bind: dict[str, str] = field(default_factory=dict)
    literal: str | None = None
    links: tuple[str, ...] = ()
    support: tuple[dict[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Identity of the object graph: who made it, and its content."""
        return f"{self.origin}@{self.digest}"

    def bare(self) -> ValueRef:
        """Only what is needed to load it, for use in ``support``."""
        return ValueRef(
            (),
            self.digest,
            self.serializer,
            self.origin,
            needs=self.needs,
            literal=self.literal,
            links=self.links,
        )

    def supporting(self) -> dict[str, ValueRef]:
        """The refs that this one links to, directly or not, by key."""
        refs = (ValueRef.from_dict(item) for item in self.support)
        return {ref.key: ref for ref in refs}


@dataclass(frozen=True)
class CellSource(Message):
    """One cell to execute. ``index`` counts from 1 over all cells of the notebook."""

    index: int
    id: str
    source: str


@dataclass(frozen=True)
class Loop(Message):
    """``for var in expr`` around the step: one iteration where ``index`` is given, else all in sequence.

    With ``items`` nothing is executed: ``expr`` is evaluated and ``StepResult.items`` describes the items.
    """

    var: str
    expr: str
    index: int | None = None
    items: bool = False


@dataclass(frozen=True)
class StepRequest(Message):
    """Execute (part of) one step.

    ``inputs`` come from :func:`inputs_for`. ``may_change``: names whose content is compared afterwards.
    ``wanted``: names that later steps may want; other new or changed ones are stored if that is possible and
    they are together not larger than ``spare_bytes``, so that they can be looked at. ``hidden``: kind ->
    digest of the hidden state to set first. ``env``: variables to set (None removes) before the first cell.
    ``collect``: names that become lists over the iterations where the loop runs in sequence.
    ``keep`` leaves the process alive after a failure, with its namespace.
    """

    run: str
    step: str
    cells: tuple[CellSource, ...] = ()
    attempt: int = 1
    inputs: tuple[ValueRef, ...] = ()
    hidden: dict[str, str] = field(default_factory=dict)
    log_path: str | None = None
    result_path: str | None = None
    may_change: tuple[str, ...] = ALL
    wanted: tuple[str, ...] = ALL
    when: str | None = None
    foreach: Loop | None = None
    collect: tuple[str, ...] = ()
    spare_bytes: int = 64 << 20
    execution_count: int = 1
    env: dict[str, str | None] = field(default_factory=dict)
    keep: bool = False


@dataclass(frozen=True)
class StepError(Message):
    """Why a step failed, at the innermost line that lies in a cell of the notebook.

    ``traceback`` has no terminal colours and no frames of this package; ``locals`` are one-line summaries
    of that frame's variables, with secret-looking names masked.
    """

    type: str
    message: str
    cell: int | None = None
    cell_id: str | None = None
    line: int | None = None
    traceback: tuple[str, ...] = ()
    locals: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Artifact(Message):
    """Something a cell showed on purpose: ``type`` is image, html, table, text, confusion_matrix, roc."""

    name: str
    type: str
    mime: str
    digest: str
    cell: int | None = None


@dataclass(frozen=True)
class Live(Message):
    """A value that cannot be stored and stays in the step's process (``StepResult.live``)."""

    type: str
    reason: str
    cell: int | None = None


@dataclass(frozen=True)
class StepResult(Message):
    """What became of a :class:`StepRequest`. Times are seconds since the epoch, ``max_rss`` bytes.

    ``hidden`` holds only the kinds that the step changed. ``outputs_digest`` is a JSON list of
    ``{index, id, execution_count, outputs, seconds, error, iteration}``. ``execution_count`` is the next free
    number. ``signal`` is set where the process was killed. ``items``: one short label per item of a loop.
    ``observed`` is what :class:`~jupyter_ext.pipelines.observe.Observer` saw.
    """

    state: State
    values: tuple[ValueRef, ...] = ()
    deleted: tuple[str, ...] = ()
    hidden: dict[str, str] = field(default_factory=dict)
    outputs_digest: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    error: StepError | None = None
    started: float = 0.0
    finished: float = 0.0
    cpu_seconds: float = 0.0
    max_rss: int = 0
    live: dict[str, Live] = field(default_factory=dict)
    items: tuple[str, ...] | None = None
    observed: dict[str, Any] = field(default_factory=dict)
    execution_count: int = 1
    pid: int = 0
    signal: int | None = None
    reason: str | None = None


Namespace = Mapping[str, ValueRef]


def advance(current: Namespace, result: StepResult) -> dict[str, ValueRef]:
    """The namespace after a step. ``current`` is the one before it (of all its predecessors, merged)."""
    after = dict(current)
    for name in result.deleted:
        after.pop(name, None)
    for ref in result.values:
        after.update(dict.fromkeys(ref.names, ref))
    return after


def inputs_for(
    current: Namespace, names: Iterable[str] = ALL, may_change: Iterable[str] = ALL
) -> tuple[ValueRef, ...]:
    """The refs a step must be given to read ``names``, each narrowed to the names still bound to it.

    Adds the globals that functions among them need, and whatever shares objects with a value that the step
    may change (else the others would keep the old state of a shared object).
    """
    wanted = set(current) if tuple(names) == ALL else {name for name in names if name in current}
    changing = wanted if tuple(may_change) == ALL else set(may_change) & set(current)
    wanted |= changing
    todo = list(wanted)
    while todo:
        name = todo.pop()
        for need in current[name].needs.get(name, ()):
            if need in current and need not in wanted:
                wanted.add(need)
                todo.append(need)
    wanted |= _sharing(current, changing)
    return narrow({name: current[name] for name in sorted(wanted)})


def narrow(bound: Namespace) -> tuple[ValueRef, ...]:
    """One ref per object graph, with exactly the names of ``bound`` that are bound to it."""
    names: dict[str, list[str]] = {}
    for name, ref in bound.items():
        names.setdefault(ref.key, []).append(name)
    return tuple(replace(bound[group[0]], names=tuple(group)) for group in names.values())


def _sharing(current: Namespace, changing: set[str]) -> set[str]:
    """Every bound name whose graph shares objects, through links, with one of ``changing``."""
    reach = {name: {ref.key, *ref.supporting()} for name, ref in current.items()}
    touched: set[str] = set()
    for name in changing:
        touched |= reach[name]
    return {name for name, keys in reach.items() if keys & touched}


def blobs_of(refs: Iterable[ValueRef]) -> set[str]:
    """The digests of every blob that loading ``refs`` or showing their previews takes."""
    found: set[str] = set()
    for ref in refs:
        for each in (ref, *ref.supporting().values()):
            if each.literal is None:
                found.add(each.digest)
        if ref.preview_digest:
            found.add(ref.preview_digest)
    return found
