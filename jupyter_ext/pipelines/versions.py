"""Which version of every name a step sees, and whether what it saw was true.

A run must give what the notebook gives from top to bottom. Each finished step left new versions of some names;
what a later step sees is the fold of those over the steps before it, in notebook order. Steps that the analysis
found independent run side by side; if one of them turns out to have changed something that a later one had
already read, the later one is *stale* and runs again. Nothing here touches a process or a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_ext.pipelines.exchange import ALL, ValueRef, inputs_for
from jupyter_ext.pipelines.model import ANY, Step

RANDOM = frozenset({"random", "numpy", "torch", "torch.cuda"})
"""Kinds of hidden state that cannot be read without being changed."""


@dataclass
class Visible:
    """What a step would see: per name the value's reference and the step that made this version."""

    refs: dict[str, ValueRef] = field(default_factory=dict)
    made_by: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    hidden_by: dict[str, str] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What is handed to a step: references limited to the names to bind, and live names with their holder."""

    refs: tuple[ValueRef, ...]
    live: Mapping[str, str]
    made_by: Mapping[str, str]
    hidden: Mapping[str, str]
    hidden_by: Mapping[str, str]
    functions: frozenset[str] = frozenset()

    @property
    def contents(self) -> dict[str, str]:
        """Name to what identifies the value's content."""
        return {name: ref.digest for ref in self.refs for name in ref.names}

    @property
    def names(self) -> set[str]:
        """Every name that the step is given."""
        return {name for ref in self.refs for name in ref.names} | set(self.live)

    @property
    def holders(self) -> tuple[str, ...]:
        """Steps whose processes hold a value that cannot be stored."""
        return tuple(dict.fromkeys(self.live.values()))


def visible(finished: Iterable[tuple[Mapping[str, Any], Iterable[ValueRef]]]) -> Visible:
    """Fold the finished steps, given in notebook order: each one's status and the values it left."""
    seen = Visible()
    for status, values in finished:
        step = status["name"]
        for name in (*status.get("deleted", ()), *status.get("live", ())):
            seen.refs.pop(name, None)
            seen.live.pop(name, None)
            seen.made_by[name] = step
        seen.live.update(dict.fromkeys(status.get("live", ()), step))
        for ref in values:
            for name in ref.names:
                seen.refs[name] = ref
                seen.made_by[name] = step
                seen.live.pop(name, None)
        for kind, digest in status.get("hidden", {}).items():
            seen.hidden[kind] = digest
            seen.hidden_by[kind] = step
    return seen


def select(step: Step, seen: Visible) -> Inputs:
    """The part of what is visible that the step needs, with what its functions refer to."""
    every = ANY in step.reads
    # Calling a function may change what it closes over, and through it what other functions see.
    functions = {
        name
        for name in ({*seen.refs} if every else {*step.reads} & {*seen.refs})
        if seen.refs[name].types.get(name, "").rpartition(".")[2] == "function"
    }
    changes = {*step.writes, *step.may_write, *functions}
    refs = inputs_for(
        seen.refs,
        ALL if every else [name for name in step.reads if name in seen.refs],
        ALL if every and ANY in changes else [name for name in changes & {*step.reads} if name in seen.refs],
    )
    live = {name: holder for name, holder in sorted(seen.live.items()) if every or name in step.reads}
    given = {name for ref in refs for name in ref.names} | set(live)
    used = {name: seen.made_by[name] for name in given}
    return Inputs(refs, live, used, dict(seen.hidden), dict(seen.hidden_by), frozenset(functions))


def changed_names(status: Mapping[str, Any]) -> set[str]:
    """Names whose value is another one after the step."""
    names = {name for ref in status.get("outputs", ()) for name in ref["names"]}
    return names | set(status.get("deleted", ())) | set(status.get("live", ()))


def stale_because(
    changed: Mapping[str, Any],
    later: Mapping[str, Any],
    position: Mapping[str, int],
    reads: Iterable[str],
    *,
    hidden_counts: bool,
) -> str | None:
    """What ``later`` had read in a version that ``changed``, an earlier step, has now replaced; None if nothing.

    ``later["used"]`` maps the names that it was given to the steps that made them. ``hidden_counts`` is false
    where the user declared the order: there only values travel.
    """
    place = position[changed["name"]]
    used: Mapping[str, str] = later.get("used", {})
    for name in sorted(changed_names(changed)):
        if name in used and position.get(used[name], -1) < place:
            return f"`{name}`"
        if name in reads and name not in used:
            return f"`{name}`"
    if not hidden_counts:
        return None
    was_by: Mapping[str, str] = later.get("usedHidden", {})
    for kind in changed.get("hidden", {}):
        if _matters(kind, later) and position.get(was_by.get(kind, ""), -1) < place:
            return f"the {kind} state"
    return None


def rests_on(later: Mapping[str, Any], earlier: str, *, hidden_counts: bool) -> bool:
    """Whether a step that began was given something that ``earlier`` left, which is now no longer true."""
    if earlier in later.get("used", {}).values():
        return True
    was_by: Mapping[str, str] = later.get("usedHidden", {}) if hidden_counts else {}
    return any(step == earlier and _matters(kind, later) for kind, step in was_by.items())


def _matters(kind: str, later: Mapping[str, Any]) -> bool:
    """Whether another state of this kind at its start could make a difference to the step."""
    if kind == "warnings":
        return False  # importing a library adds filters; that changes nothing a step computes
    consumed = kind in later.get("hidden", {}) or later.get("state") == "RUNNING"
    return consumed or not (kind in RANDOM or kind == "modules")
