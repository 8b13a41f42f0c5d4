"""What has room for a server right now: on each node, what is allocatable less what its pods ask for.

Never totals of a cluster: a server runs on one node. Sums are kept as nodes and pods change, in whole billionths
(`quantities.nano`), so that a form costs a pass over the nodes in question and no pod is looked at again.
Objects are the API's own JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from spawner.form.accelerators import Accelerator, discover
from spawner.quantities import NANO, nano, words

Json = Mapping[str, Any]
Pairs = tuple[tuple[str, str], ...]

ENOUGH: Final = 100
"""Servers: whether a hundred or a thousand more fit makes no difference to the person who starts one."""
_KINDS: Final = (
    "node.kubernetes.io/instance-type", "cloud.google.com/gke-nodepool", "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool", "kubernetes.azure.com/agentpool",
)  # fmt: skip
_HARD: Final = frozenset({"NoSchedule", "NoExecute"})
_CORDONED: Final = "node.kubernetes.io/unschedulable"
# The node controller's own words for what `spec.unschedulable` and the Ready condition say.
_OWN: Final = frozenset({_CORDONED, "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})


def requests_of(pod: Json) -> dict[str, int]:
    """What the scheduler reserves for a pod: containers and sidecars together, or the greatest step before them.

    As ``k8s.io/component-helpers/resource`` counts: pod-level resources win, overhead comes on top.
    """
    spec = pod.get("spec") or {}
    total: Counter[str] = Counter()
    for container in spec.get("containers") or ():
        total.update(_asked(container))
    sidecars: Counter[str] = Counter()
    highest: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        asked = _asked(container)
        if container.get("restartPolicy") == "Always":
            sidecars.update(asked)
            now: Mapping[str, int] = sidecars
        else:
            now = Counter(asked) + sidecars
        for name, amount in now.items():
            highest[name] = max(highest.get(name, 0), amount)
    total.update(sidecars)
    found = {name: max(total[name], highest.get(name, 0)) for name in {*total, *highest}}
    found.update(_asked(spec))
    for name, text in (spec.get("overhead") or {}).items():
        found[name] = found.get(name, 0) + _nano(text)
    found["pods"] = NANO
    return found


def _asked(part: Json) -> dict[str, int]:
    resources = part.get("resources") or {}
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: _nano(text) for name, text in merged.items()}


def _nano(text: object) -> int:
    try:
        return nano(str(text))
    except ValueError:
        return 0


@dataclass(frozen=True)
class Demand:
    """What one server asks of a node; amounts in billionths."""

    requests: tuple[tuple[str, int], ...]
    selector: Pairs = ()
    tolerations: tuple[Pairs, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        requests: Mapping[str, str],
        selector: Mapping[str, str],
        tolerations: Iterable[Pairs],
        without: Iterable[str] = (),
    ) -> Demand:
        """From what a pod says."""
        amounts = {name: nano(text) for name, text in requests.items()} | {"pods": NANO}
        rare_first = sorted(amounts.items(), key=lambda item: ("/" not in item[0], item[0]))
        return cls(tuple(rare_first), tuple(sorted(selector.items())), tuple(tolerations), tuple(without))


@dataclass(frozen=True)
class Room:
    """Where a demand fits. ``level``: fits, busy (would, were others gone), never; ``reason`` says why it does not.

    ``servers`` counts such servers up to ENOUGH, ``on`` the kinds of node that have room, most first. The three
    counts of devices are of nodes that take servers at all.
    """

    level: str
    servers: int = 0
    nodes: int = 0
    on: tuple[str, ...] = ()
    total: int = 0
    free: int = 0
    own: int = 0
    most_free: int = 0
    reason: str = ""


@dataclass(slots=True)
class _Node:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Json, ...] = ()
    closed: str = "not known"
    total: dict[str, int] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    held: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return next((self.labels[key] for key in _KINDS if self.labels.get(key)), self.name)

    def free(self, resource: str) -> int:
        return self.total.get(resource, 0) - self.used.get(resource, 0)

    def room(self, requests: tuple[tuple[str, int], ...]) -> int:
        total, used, fits = self.total, self.used, ENOUGH
        for name, amount in requests:
            free = total.get(name, 0) - used.get(name, 0)
            if free < amount:
                return 0
            if amount and free // amount < fits:
                fits = free // amount
        return fits


class Fleet:
    """The nodes and what is on them, kept true by whoever watches."""

    def __init__(self, nodes: Iterable[Json] = (), pods: Iterable[Json] = ()) -> None:
        self._nodes: dict[str, _Node] = {}
        self._pods: dict[str, tuple[str, str, dict[str, int]]] = {}
        self._picked: dict[tuple[Pairs, tuple[str, ...]], list[_Node]] = {}
        self._found: list[Accelerator] | None = None
        self.raw: dict[str, Json] = {}
        self.version = 0
        for node in nodes:
            self.put_node(node)
        for pod in pods:
            self.put_pod(pod)

    def put_node(self, node: Json) -> None:
        """A node is new or has changed."""
        name = str(node["metadata"]["name"])
        mine = self._nodes.setdefault(name, _Node(name))
        labels = node["metadata"].get("labels") or {}
        if name not in self.raw or labels != mine.labels:
            self._picked.clear()
        if _shape(self.raw.get(name)) != _shape(node):
            self._found = None
        spec, status = node.get("spec") or {}, node.get("status") or {}
        mine.labels = labels
        hard = [each for each in spec.get("taints") or () if each.get("effect") in _HARD]
        mine.taints = tuple(each for each in hard if each.get("key") not in _OWN)
        away = any(each.get("key") in _OWN - {_CORDONED} for each in hard)
        ready = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), None)
        away = away or (ready is not None and ready.get("status") != "True")
        mine.closed = "cordoned" if spec.get("unschedulable") else "not ready" if away else ""
        mine.total = {key: _nano(text) for key, text in (status.get("allocatable") or {}).items()}
        self.raw[name] = node
        self.version += 1

    def drop_node(self, name: str) -> None:
        """A node is gone; its pods are told of by themselves."""
        if self.raw.pop(name, None):
            self._found = None
        if name in self._nodes:
            held = self._nodes[name]
            self._nodes[name] = _Node(name, used=held.used, held=held.held)
            self._picked.clear()
        self.version += 1

    def accelerators(self) -> list[Accelerator]:
        """What `discover` finds on these nodes; looked for again only when one of them is another."""
        if self._found is None:
            self._found = discover(self.raw.values())
        return self._found

    def put_pod(self, pod: Json) -> None:
        """A pod is new or has changed. One that ended, or is on no node, takes nothing."""
        metadata = pod["metadata"]
        uid = str(metadata.get("uid") or f"{metadata.get('namespace', '')}/{metadata['name']}")
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        if not node or (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
            self.drop_pod(uid)
            return
        asked = requests_of(pod)
        entry = (node, str(metadata.get("namespace", "")), asked)
        if self._pods.get(uid) == entry:
            return
        self.drop_pod(uid)
        self._pods[uid] = entry
        self._count(entry, 1)

    def drop_pod(self, uid: str) -> None:
        """A pod is gone."""
        entry = self._pods.pop(uid, None)
        if entry:
            self._count(entry, -1)

    def _count(self, entry: tuple[str, str, dict[str, int]], sign: int) -> None:
        name, namespace, asked = entry
        node = self._nodes.setdefault(name, _Node(name))
        for resource, amount in asked.items():
            node.used[resource] += sign * amount
            if "/" in resource:
                node.held.setdefault(namespace, Counter())[resource] += sign * amount
        self.version += 1

    def _having(self, selector: Pairs, without: tuple[str, ...]) -> list[_Node]:
        found = self._picked.get((selector, without))
        if found is None:
            wanted = dict(selector)
            found = [
                self._nodes[name]
                for name in self.raw
                if all(self._nodes[name].labels.get(key) == value for key, value in wanted.items())
                and not any(key in self._nodes[name].labels for key in without)
            ]
            self._picked[selector, without] = found
            if len(self._picked) > 500:
                self._picked.pop(next(iter(self._picked)))
        return found

    def room(self, demand: Demand, device: str = "", namespace: str = "") -> Room:
        """Where this fits now. ``device`` is the extended resource whose numbers are wanted, ``namespace`` whose own."""
        having = [
            n for n in self._having(demand.selector, demand.without) if not device or n.total.get(device)
        ]
        kinds: Counter[str] = Counter()
        servers = nodes = 0
        usable: list[_Node] = []
        for node in having:
            if node.closed or (node.taints and _untolerated(node.taints, demand.tolerations)):
                continue
            usable.append(node)
            if servers < ENOUGH:
                fits = node.room(demand.requests)
                if fits:
                    servers, nodes = min(ENOUGH, servers + fits), nodes + 1
                    kinds[node.kind] += 1
            elif not device:
                break
        total = free = own = most = 0
        if device:
            for node in usable:
                left = max(0, node.free(device)) // NANO
                total, free, most = total + node.total[device] // NANO, free + left, max(most, left)
                own += node.held.get(namespace, Counter())[device] // NANO
        on = tuple(kind for kind, _ in kinds.most_common(4))
        if servers:
            return Room("fits", servers, nodes, on, total, free, own, most)
        level, reason = _why(demand, device, having, usable, (total, free, own, most))
        return Room(level, 0, 0, (), total, free, own, most, reason)


def _shape(node: Json | None) -> tuple[Any, ...]:
    """What decides which accelerators a node has."""
    if node is None:
        return ()
    parts = (node.get(key) or {} for key in ("metadata", "spec", "status"))
    return tuple(part.get(key) for part, key in zip(parts, ("labels", "taints", "allocatable"), strict=True))


def _untolerated(taints: Sequence[Json], tolerations: tuple[Pairs, ...]) -> Json | None:
    """The first taint that none of the tolerations answers, by the rules of ``v1.Toleration``."""
    asked = [dict(each) for each in tolerations]
    for taint in taints:
        for one in asked:
            same_key = one.get("key", "") in {"", taint.get("key")}
            same_effect = one.get("effect", "") in {"", taint.get("effect")}
            exists = one.get("operator") == "Exists"
            if (
                same_key
                and same_effect
                and (exists or (one.get("key") and one.get("value", "") == taint.get("value", "")))
            ):
                break
        else:
            return taint
    return None


def _why(
    demand: Demand, device: str, having: list[_Node], usable: list[_Node], counts: tuple[int, int, int, int]
) -> tuple[str, str]:
    """Level and sentence for a demand that has no room."""
    what = "this accelerator" if device else "these labels" if demand.selector else ""
    if not having:
        return "never", f"No node has {what} now." if what else "The cluster has no nodes."
    with_it = f" with {what}" if what else ""
    if not usable:
        return "never", _closed(having, with_it, demand)
    great = [
        node for node in usable if all(node.total.get(name, 0) >= amount for name, amount in demand.requests)
    ]
    if not great:
        return "never", f"No node{with_it} is that large: {_largest(usable, demand)}."
    total, free, own, most = counts
    if device and not free:
        mine = f", {own} by your own profile" if own else ""
        have = "1 node has" if len(usable) == 1 else f"{len(usable)} nodes have"
        used = "the 1 it has is in use" if total == 1 else f"all {total} are in use"
        return "busy", f"{have} {what}; {used}{mine}."
    wanted = next((amount // NANO for name, amount in demand.requests if name == device), 0)
    if device and most < wanted:
        return "busy", f"{free} of {total} are free, but at most {most} on one node; {wanted} are asked for."
    return "busy", f"No node{with_it} has that much left: {_freest(great, demand)}."


def _closed(having: list[_Node], with_it: str, demand: Demand) -> str:
    reasons: Counter[str] = Counter()
    for node in having:
        taint = None if node.closed else _untolerated(node.taints, demand.tolerations)
        value = f"={taint['value']}" if taint and taint.get("value") else ""
        reasons[
            node.closed or (f"kept for others by the taint {taint.get('key')}{value}" if taint else "closed")
        ] += 1
    if len(having) == 1:
        return f"The only node{with_it} takes no servers: it is {next(iter(reasons))}."
    parts = ", ".join(f"{count} {why}" for why, count in reasons.most_common(3))
    return f"The {len(having)} nodes{with_it} take no servers: {parts}."


def _largest(nodes: list[_Node], demand: Demand) -> str:
    short = [
        (name, max(node.total.get(name, 0) for node in nodes))
        for name, amount in demand.requests
        if max(node.total.get(name, 0) for node in nodes) < amount
    ] or [
        (name, max(node.total.get(name, 0) for node in nodes))
        for name, _ in demand.requests
        if name in {"cpu", "memory"}
    ]
    return "the greatest has " + " and ".join(_amount(name, amount) for name, amount in short)


def _freest(nodes: list[_Node], demand: Demand) -> str:
    """The node that lacks least, in its own words: maxima of different nodes would promise what no node has."""

    def lacking(node: _Node) -> float:
        return max((amount - node.free(name)) / amount for name, amount in demand.requests if amount)

    best = min(nodes, key=lacking)
    short = [(name, max(0, best.free(name))) for name, amount in demand.requests if best.free(name) < amount]
    return "the nearest has " + " and ".join(f"{_amount(name, amount)}" for name, amount in short) + " free"


def _amount(name: str, amount: int) -> str:
    value = Decimal(amount) / NANO
    if name == "pods":
        return f"places for {words(name, value)} more pods"
    return (
        f"{words(name, value)} of {name}"
        if "/" in name
        else words(name, value) + (" of memory" if name == "memory" else "")
    )
