"""This machine in the words of a cluster: one node, a pod for each server that lives, a quota for each user.

So the form, its checks and its "what is left" are the same with and without a cluster.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from spawner.quantities import stored, words
from spawner.refused import Refused

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.machine import Machine
    from spawner.hub.keeping.records import State

GPU: Final = "nvidia.com/gpu"
IMAGE: Final = {
    "key": "here",
    "reference": "this-machine",
    "title": "This machine's Python",
    "description": "The environment that the Hub runs in. Nothing is pulled.",
    "prepulled": True,
    "default": True,
}
_HALF_GI: Final = 1 << 29
_FIELDS: Final = {"cpu": "requests.cpu", "memory": "requests.memory", GPU: f"requests.{GPU}"}

Json = dict[str, Any]


def node(machine: Machine) -> Json:
    """The machine as a node: what may be lent, and its GPUs as GPU feature discovery would label them."""
    labels = {"kubernetes.io/hostname": _name()}
    allocatable = {"cpu": f"{machine.cpu_milli}m", "memory": str(machine.memory_bytes), "pods": "1000"}
    if machine.gpus:
        products = list(dict.fromkeys(gpu.name for gpu in machine.gpus))
        least = min(gpu.memory for gpu in machine.gpus)
        labels[f"{GPU}.product"] = "-or-".join(product.replace(" ", "-") for product in products)
        labels[f"{GPU}.memory"] = str(least >> 20)
        labels[f"{GPU}.count"] = str(len(machine.gpus))
        allocatable[GPU] = str(len(machine.gpus))
    return {
        "metadata": {"name": _name(), "uid": "this-machine", "labels": labels},
        "spec": {},
        "status": {
            "allocatable": allocatable,
            "capacity": allocatable,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(state: State) -> Json:
    """A server as the pod that would take as much."""
    requests = {"cpu": f"{state.cpu_milli}m", "memory": str(state.memory)}
    if state.gpus:
        requests[GPU] = str(state.gpus)
    placed = {"nodeName": _name()} if state.phase in {"starting", "running"} else {}
    return {
        "metadata": {"name": state.uid, "uid": state.uid, "namespace": state.user},
        "spec": {
            **placed,
            "containers": [{"name": "notebook", "resources": {"requests": requests, "limits": requests}}],
        },
        "status": {"phase": "Running" if placed else "Pending"},
    }


def sizes(machine: Machine) -> list[Json]:
    """Three sizes for a machine: an eighth, a quarter and half of its memory, processors shared by up to four."""
    found = []
    for key, title, part in (("small", "Small", 8), ("medium", "Medium", 4), ("large", "Large", 2)):
        memory = max(machine.memory_bytes // part // _HALF_GI, 1) * _HALF_GI
        most = max(machine.cpu_milli * 2 // part, min(1000, machine.cpu_milli))
        entry: Json = {
            "key": key,
            "title": title,
            "cpu": f"{max(most // 4, 100)}m",
            "cpu_limit": f"{most}m",
            "memory": f"{memory >> 20}Mi",
        }
        found.append({**entry, "default": True} if key == "small" else entry)
    return [entry for entry in found if stored(entry["memory"]) <= machine.memory_bytes] or found[:1]


def quota(limits: Mapping[str, str], states: Iterable[State]) -> list[Json]:
    """What one user may have at a time, and has, as a ResourceQuota; nothing where there is no limit."""
    if not limits:
        return []
    used = dict.fromkeys(limits, Decimal(0))
    for state in states:
        for key, amount in _amounts(state).items():
            if key in used:
                used[key] += amount
    hard = {_FIELDS[key]: value for key, value in limits.items()}
    taken = {_FIELDS[key]: str(value) for key, value in used.items()}
    return [
        {"metadata": {"name": "per-user"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": taken}}
    ]


def within(limits: Mapping[str, str], states: Iterable[State], asked: Mapping[str, Decimal]) -> None:
    """Raise Refused (403) when a user would have more than is allowed, with what the user has already."""
    states = list(states)
    for key, most in limits.items():
        has = sum((_amounts(state)[key] for state in states), Decimal(0))
        want = asked.get(key, Decimal(0))
        if want and has + want > stored(most):
            held = f", and your other servers have {words(key, has)}" if has else ""
            raise Refused(
                403,
                f"This server asks for {words(key, want)}{held}; one user may have {words(key, stored(most))}",
                hint="Choose less, or stop one of your servers.",
                field="accelerator" if key == GPU else "size",
            )


def _amounts(state: State) -> dict[str, Decimal]:
    return {"cpu": Decimal(state.cpu_milli) / 1000, "memory": Decimal(state.memory), GPU: Decimal(state.gpus)}


def _name() -> str:
    return socket.gethostname().partition(".")[0].lower() or "this-machine"
