"""Why no node takes a pod: counted from the nodes and the pods on them, as the scheduler would.

The scheduler's own sentence ("0/5 nodes are available: 3 Insufficient nvidia.com/gpu …") says neither how many
there are, nor who holds them. Of its predicates the ones that a start form can cause are looked at here: node
selector and affinity, taints, cordons, and resources (``kubernetes/pkg/scheduler/framework/plugins``:
nodeaffinity, tainttoleration, nodeunschedulable, noderesources).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from spawner.form.capacity import requests_of
from spawner.quantities import NANO, nano

Json = Mapping[str, Any]
Verdict = Literal["elsewhere", "cordoned", "tainted", "small", "full", "fits"]

_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_UNCOUNTED: Final = frozenset({"PreferNoSchedule", ""})
_NAMES: Final = {
    "cpu": "CPU",
    "memory": "memory",
    "ephemeral-storage": "disk",
    "pods": "pods",
    "nvidia.com/gpu": "GPU",
    "amd.com/gpu": "AMD GPU",
    "google.com/tpu": "TPU chip",
    "habana.ai/gaudi": "Gaudi",
    "gpu.intel.com/i915": "Intel GPU",
    "gpu.intel.com/xe": "Intel GPU",
}


@dataclass(frozen=True)
class Look:
    """What one node says to a pod: the verdict, and the resource or taint that made it."""

    node: str
    verdict: Verdict
    about: str = ""


@dataclass(frozen=True)
class Room:
    """One resource on some nodes, in billionths: all of it, what is taken, and by the own namespace."""

    resource: str
    nodes: int
    total: int
    used: int
    own: int
    largest_free: int
    largest: int


def look(pod: Json, node: Json, used: Mapping[str, int]) -> Look:
    """Whether ``node``, of which ``used`` is taken, could take ``pod``."""
    about = node.get("metadata") or {}
    spec = node.get("spec") or {}
    name = str(about.get("name") or "")
    if not matches(pod.get("spec") or {}, about.get("labels") or {}, name):
        return Look(name, "elsewhere")
    if spec.get("unschedulable"):
        return Look(name, "cordoned")
    taint = untolerated(spec.get("taints") or [], (pod.get("spec") or {}).get("tolerations") or [])
    if taint is not None:
        return Look(name, "tainted", taint)
    room = amounts((node.get("status") or {}).get("allocatable") or {})
    wanted = requests(pod)
    small = [key for key, amount in wanted.items() if amount > room.get(key, 0)]
    if small:
        return Look(name, "small", scarcest(small))
    full = [key for key, amount in wanted.items() if amount > room.get(key, 0) - used.get(key, 0)]
    return Look(name, "full", scarcest(full)) if full else Look(name, "fits")


def taken(pods: Iterable[Json]) -> dict[str, dict[str, int]]:
    """What the pods on each node ask for, by node and resource."""
    found: dict[str, dict[str, int]] = {}
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName")
        if not node or (pod.get("status") or {}).get("phase") in _FINISHED:
            continue
        of_node = found.setdefault(str(node), {})
        for key, amount in requests(pod).items():
            of_node[key] = of_node.get(key, 0) + amount
    return found


def room(resource: str, nodes: Sequence[Json], pods: Sequence[Json], namespace: str) -> Room:
    """How much there is of ``resource`` on those of ``nodes`` that have it."""
    has = {}
    for node in nodes:
        amount = amounts((node.get("status") or {}).get("allocatable") or {}).get(resource, 0)
        if amount:
            has[str((node.get("metadata") or {}).get("name"))] = amount
    here = [pod for pod in pods if (pod.get("spec") or {}).get("nodeName") in has]
    used = {name: of_node.get(resource, 0) for name, of_node in taken(here).items()}
    own = [pod for pod in here if (pod.get("metadata") or {}).get("namespace") == namespace]
    return Room(
        resource,
        len(has),
        sum(has.values()),
        sum(used.values()),
        sum(of_node.get(resource, 0) for of_node in taken(own).values()),
        max((amount - used.get(name, 0) for name, amount in has.items()), default=0),
        max(has.values(), default=0),
    )


def requests(pod: Json) -> dict[str, int]:
    """What the scheduler reserves, without what is zero."""
    return {key: amount for key, amount in requests_of(pod).items() if amount > 0}


def amounts(of: Json) -> dict[str, int]:
    """Quantities in billionths; one that cannot be read counts as nothing."""
    found = {}
    for key, text in of.items():
        try:
            found[str(key)] = nano(str(text))
        except ValueError:
            continue
    return found


def matches(spec: Json, labels: Mapping[str, Any], name: str = "") -> bool:
    """Node selector and required node affinity of a pod's spec against the labels of a node."""
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term(term, labels, name) for term in required.get("nodeSelectorTerms") or [])


def _term(term: Json, labels: Mapping[str, Any], name: str) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(_expression(each, labels) for each in expressions) and all(
        _expression(each, {"metadata.name": name}) for each in fields
    )


def _expression(expression: Json, labels: Mapping[str, Any]) -> bool:
    key, operator = str(expression.get("key")), expression.get("operator")
    values = [str(each) for each in expression.get("values") or []]
    has, value = key in labels, str(labels.get(key))
    if operator == "In":
        return has and value in values
    if operator == "NotIn":
        return not has or value not in values
    if operator == "Exists":
        return has
    if operator == "DoesNotExist":
        return not has
    try:
        return has and (int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0]))
    except (ValueError, IndexError):
        return False


def untolerated(taints: Iterable[Json], tolerations: Sequence[Json]) -> str | None:
    """The first taint that keeps a pod away, as ``key=value:Effect``."""
    for taint in taints:
        effect = str(taint.get("effect") or "")
        if effect in _UNCOUNTED or any(_tolerates(each, taint) for each in tolerations):
            continue
        value = f"={taint['value']}" if taint.get("value") else ""
        return f"{taint.get('key')}{value}:{effect}"
    return None


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    key = toleration.get("key")
    if not key:
        return toleration.get("operator") == "Exists"
    if key != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (
        taint.get("value") or ""
    )


def scarcest(resources: Iterable[str]) -> str:
    """Of what is short, what a person should be told of: an accelerator before memory before CPU."""
    order = {"memory": 1, "cpu": 2, "ephemeral-storage": 3, "pods": 4}
    return min(resources, key=lambda key: (order.get(key, 0), key))


def noun(resource: str, count: int = 1) -> str:
    """A resource's name as people say it: ``GPUs``, ``MIG 1g.5gb slice``."""
    if resource.startswith("nvidia.com/mig-"):
        word = f"MIG {resource.removeprefix('nvidia.com/mig-')} slice"
    else:
        word = _NAMES.get(resource, resource)
    if resource in {"memory", "cpu", "ephemeral-storage", "pods"} or count == 1:
        return word
    return f"{word}s"


def amount(resource: str, billionths: int) -> str:
    """An amount with its unit: ``16.0 GiB memory``, ``2.5 CPU``, ``8 GPUs``."""
    if resource in {"memory", "ephemeral-storage"}:
        return f"{billionths / NANO / 2**30:.1f} GiB {noun(resource)}"
    value = billionths / NANO
    text = f"{value:.0f}" if value == int(value) else f"{value:.1f}"
    return f"{text} {noun(resource, int(value))}"
