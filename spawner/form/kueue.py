"""What Kueue's ClusterQueues have left, and whether a server can ever be admitted through one of them. Pure.

The arithmetic is that of Kueue's documentation (*Cluster Queue*, *Cohort*): quota belongs to a flavor and a resource;
what a queue does not use its cohort may borrow, unless a lending limit keeps it back, up to its own borrowing limit;
cohorts form trees. Reads v1beta1 and v1beta2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from spawner.form.options import Options
from spawner.quantities import stored, words

Json = Mapping[str, Any]
Cell = tuple[str, str]
"""Flavor and resource."""

_NONE: Final = Decimal(0)
_DEEPEST: Final = 32


@dataclass
class _Node:
    """A ClusterQueue or a Cohort: what it owns, what it may borrow and lend, and what is used below it."""

    nominal: dict[Cell, Decimal] = field(default_factory=dict)
    borrowing: dict[Cell, Decimal] = field(default_factory=dict)
    lending: dict[Cell, Decimal] = field(default_factory=dict)
    used: dict[Cell, Decimal] = field(default_factory=dict)
    total: dict[Cell, Decimal] = field(default_factory=dict)
    parent: str = ""

    def kept(self, cell: Cell) -> Decimal:
        """What it never lends."""
        total = self.total.get(cell, _NONE)
        return max(_NONE, total - self.lending[cell]) if cell in self.lending else _NONE


@dataclass(frozen=True)
class Flavor:
    """One flavor of a queue: the nodes it stands for, and by resource what is left, what there could be, what it owns."""

    name: str
    labels: Mapping[str, str]
    taints: Sequence[Json]
    tolerations: Sequence[Json]
    left: Mapping[str, Decimal]
    most: Mapping[str, Decimal]
    nominal: Mapping[str, Decimal]

    def takes(self, options: Options, keys: frozenset[str]) -> bool:
        """Whether the choices allow its nodes; of labels only those count by which the group's flavors differ."""
        if any(options.node_selector.get(key, self.labels.get(key)) != self.labels.get(key) for key in keys):
            return False
        tolerated = [*(dict(each) for each in options.tolerations), *self.tolerations]
        return all(
            taint.get("effect") == "PreferNoSchedule" or any(_tolerates(one, taint) for one in tolerated)
            for taint in self.taints
        )


@dataclass(frozen=True)
class Group:
    """Resources that come from one flavor together."""

    resources: tuple[str, ...]
    flavors: tuple[Flavor, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The labels by which its flavors differ."""
        return frozenset(key for each in self.flavors for key in each.labels)


@dataclass(frozen=True)
class Quota:
    """What one ClusterQueue gives out. ``reason`` says why it admits nobody."""

    name: str
    groups: tuple[Group, ...] = ()
    reason: str = ""

    def judge(self, options: Options) -> tuple[str, str]:
        """``fits``, ``busy`` or ``never``, and the sentence where it does not fit now."""
        if self.reason:
            return "busy", self.reason
        wanted = {name: stored(text) for name, text in options.requests().items()} | {"pods": Decimal(1)}
        busy = ""
        for group in self.groups:
            needed = {name: wanted[name] for name in group.resources if wanted.get(name)}
            level, reason = self._of(group, needed, options)
            if level == "never":
                return level, reason
            busy = busy or reason
        covered = {name for group in self.groups for name in group.resources} | {"pods"}
        bare = sorted(wanted.keys() - covered)
        if bare:
            # Kueue can be told to leave a resource out, which nobody but its administrator sees.
            busy = busy or f"Its queue has no quota of {bare[0]}: it may wait for ever."
        return ("busy", busy) if busy else ("fits", "")

    def _of(self, group: Group, needed: Mapping[str, Decimal], options: Options) -> tuple[str, str]:
        if not needed:
            return "fits", ""
        open_ones = [each for each in group.flavors if each.takes(options, group.keys)]
        if not open_ones:
            return "never", f"The queue's quota {self.name} is for other nodes than those of this choice."
        if any(all(each.left.get(name, _NONE) >= needed[name] for name in needed) for each in open_ones):
            return "fits", ""
        able = [
            each for each in open_ones if all(each.most.get(name, _NONE) >= needed[name] for name in needed)
        ]
        if not able:
            best = max(open_ones, key=lambda each: _share(each.most, needed))
            return (
                "never",
                f"The queue's quota {self.name} never has that much: {_short(best, best.most, needed)}.",
            )
        best = max(able, key=lambda each: _share(each.left, needed))
        return "busy", f"Now {_short(best, best.left, needed)}; it waits in the queue until others end."

    def bars(self, queue: str) -> list[dict[str, str]]:
        """What is left behind a LocalQueue, for people; quota that the cohort could lend counts as left."""
        return [
            {
                "name": f"{_NAMES.get(name, name)} of queue {queue}{f' ({flavor.name})' if len(group.flavors) > 1 else ''}",
                "left": words(name, left := max(_NONE, flavor.left.get(name, _NONE))).removesuffix(" CPU"),
                "hard": words(name, most).removesuffix(" CPU"),
                "share": str(int(min(Decimal(100), 100 * (most - left) / most))),
            }
            for group in self.groups
            for flavor in group.flavors
            for name in group.resources
            if (most := flavor.most.get(name, _NONE)) > 0
        ]


_NAMES: Final = {"cpu": "CPU", "memory": "Memory", "pods": "Pods", "nvidia.com/gpu": "GPUs"}


def quotas_of(
    queues: Iterable[Json], cohorts: Iterable[Json] = (), flavors: Iterable[Json] = ()
) -> dict[str, Quota]:
    """Every ClusterQueue's quota by its name, from the API's own JSON."""
    queues = list(queues)
    nodes = {_name(each): _node(each, "parentName", "parent") for each in cohorts}
    below: dict[str, _Node] = {}
    for each in queues:
        node = below[_name(each)] = _node(each, "cohortName", "cohort")
        node.total, node.used = dict(node.nominal), _usage(each)
        if node.parent:
            nodes.setdefault(node.parent, _Node())
    for name in sorted({node.parent for node in nodes.values() if node.parent} - nodes.keys()):
        nodes[name] = _Node()
    _gather(nodes, below)
    known = {_name(each): each for each in flavors}
    return {name: _quota(each, below[name], nodes, known) for each in queues for name in [_name(each)]}


def _gather(cohorts: Mapping[str, _Node], queues: Mapping[str, _Node]) -> None:
    """Add up what each cohort has and uses, the deepest first; a circle is cut where it is too deep."""
    for cohort in cohorts.values():
        cohort.total = dict(cohort.nominal)

    def depth(node: _Node) -> int:
        steps = 0
        while node.parent and node.parent in cohorts and steps < _DEEPEST:
            node, steps = cohorts[node.parent], steps + 1
        return steps

    for node in sorted((*queues.values(), *cohorts.values()), key=depth, reverse=True):
        parent = cohorts.get(node.parent)
        if parent is None or depth(node) >= _DEEPEST:
            continue
        for cell in node.total.keys() | node.used.keys():
            kept = node.kept(cell)
            parent.total[cell] = parent.total.get(cell, _NONE) + node.total.get(cell, _NONE) - kept
            more = max(_NONE, node.used.get(cell, _NONE) - kept)
            parent.used[cell] = parent.used.get(cell, _NONE) + more


def _left(node: _Node, cell: Cell, cohorts: Mapping[str, _Node], depth: int = 0) -> Decimal:
    total, used, kept = node.total.get(cell, _NONE), node.used.get(cell, _NONE), node.kept(cell)
    parent = cohorts.get(node.parent)
    if parent is None or depth >= _DEEPEST:
        return total - used
    above = _left(parent, cell, cohorts, depth + 1)
    if cell in node.borrowing:
        above = min(above, total - kept - max(_NONE, used - kept) + node.borrowing[cell])
    return max(_NONE, kept - used) + above


def _most(node: _Node, cell: Cell, cohorts: Mapping[str, _Node], depth: int = 0) -> Decimal:
    total = node.total.get(cell, _NONE)
    parent = cohorts.get(node.parent)
    if parent is None or depth >= _DEEPEST:
        return total
    found = node.kept(cell) + _most(parent, cell, cohorts, depth + 1)
    return min(found, total + node.borrowing[cell]) if cell in node.borrowing else found


def _node(thing: Json, *parents: str) -> _Node:
    """Quota as it is written; ``parents`` are the names that versions give the field of the cohort above."""
    spec = thing.get("spec") or {}
    found = _Node(parent=next((str(spec[key]) for key in parents if spec.get(key)), ""))
    for group in spec.get("resourceGroups") or ():
        for flavor in group.get("flavors") or ():
            for each in flavor.get("resources") or ():
                cell = (str(flavor.get("name", "")), str(each.get("name", "")))
                found.nominal[cell] = _amount(each.get("nominalQuota"))
                for key, limits in (("borrowingLimit", found.borrowing), ("lendingLimit", found.lending)):
                    if each.get(key) is not None:
                        limits[cell] = _amount(each[key])
    return found


def _usage(queue: Json) -> dict[Cell, Decimal]:
    """What is reserved: it is held from then on, whether or not its pods run yet."""
    return {
        (str(flavor.get("name", "")), str(each.get("name", ""))): _amount(each.get("total"))
        for flavor in (queue.get("status") or {}).get("flavorsReservation") or ()
        for each in flavor.get("resources") or ()
    }


def _quota(queue: Json, node: _Node, cohorts: Mapping[str, _Node], flavors: Mapping[str, Json]) -> Quota:
    spec = queue.get("spec") or {}
    groups = []
    for group in spec.get("resourceGroups") or ():
        names = tuple(str(each) for each in group.get("coveredResources") or ())
        groups.append(
            Group(
                names,
                tuple(
                    _flavor(str(each.get("name", "")), names, node, cohorts, flavors)
                    for each in group.get("flavors") or ()
                ),
            )
        )
    return Quota(_name(queue), tuple(groups), _closed(queue))


def _flavor(
    name: str,
    resources: Sequence[str],
    node: _Node,
    cohorts: Mapping[str, _Node],
    flavors: Mapping[str, Json],
) -> Flavor:
    spec = (flavors.get(name) or {}).get("spec") or {}
    cells = {each: (name, each) for each in resources}
    return Flavor(
        name,
        {str(key): str(value) for key, value in (spec.get("nodeLabels") or {}).items()},
        spec.get("nodeTaints") or (),
        spec.get("tolerations") or (),
        {each: _left(node, cell, cohorts) for each, cell in cells.items()},
        {each: _most(node, cell, cohorts) for each, cell in cells.items()},
        {each: node.nominal.get(cell, _NONE) for each, cell in cells.items()},
    )


def _closed(queue: Json) -> str:
    spec, status = queue.get("spec") or {}, queue.get("status") or {}
    if str(spec.get("stopPolicy") or "None") != "None":
        return "Its queue's quota is stopped by an administrator: nothing is admitted until it is opened."
    for each in status.get("conditions") or ():
        if each.get("type") == "Active" and each.get("status") == "False":
            return f"Its queue's quota is not active now: {str(each.get('message') or '')[:200]}"
    return ""


def _tolerates(toleration: Json, taint: Json) -> bool:
    """``v1.Toleration``: an empty key with Exists answers every taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("operator") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint.get("key")
    return (toleration.get("key"), toleration.get("value", "")) == (taint.get("key"), taint.get("value", ""))


def _share(has: Mapping[str, Decimal], needed: Mapping[str, Decimal]) -> Decimal:
    return min(has.get(name, _NONE) / amount for name, amount in needed.items())


def _short(flavor: Flavor, has: Mapping[str, Decimal], needed: Mapping[str, Decimal]) -> str:
    """``2 of 8 GPUs are left`` for the resource that lacks most."""
    name = min(needed, key=lambda each: has.get(each, _NONE) / needed[each])
    what = "" if name in {"cpu", "memory"} else f" {_NAMES.get(name, name)}"
    rest = words(name, max(_NONE, has.get(name, _NONE)))
    if has is flavor.most:
        return f"{rest}{what} of the flavor {flavor.name} at most, {words(name, needed[name])} asked for"
    return f"{rest} of {words(name, flavor.most.get(name, _NONE))}{what} of the flavor {flavor.name} are left"


def _amount(value: object) -> Decimal:
    try:
        return stored(str(value)) if value is not None else _NONE
    except ValueError:
        return _NONE


def _name(thing: Json) -> str:
    return str((thing.get("metadata") or {}).get("name", ""))
