"""Which accelerators this cluster has, read from its nodes and DRA DeviceClasses.

Everything comes from what the usual software writes (`spawner.form.vendors`, `spawner.form.devices`). Nodes are the
API's own JSON. Pure: a function of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from spawner.form.devices import device_words, driver_of, vendor_of
from spawner.form.vendors import VENDORS, Seen, amount_of, of_node
from spawner.quantities import size_words

Json = Mapping[str, Any]

# Keys of taints that only keep others off the accelerators; any other taint means that the node is not for everyone.
_TAINTS: Final = frozenset(VENDORS) | {
    "sku",
    "accelerator",
    "gpu",
    "nvidia",
    "cloud.google.com/gke-accelerator",
}


@dataclass(frozen=True)
class Accelerator:
    """One kind of accelerator that a server can have, and how a pod asks for it.

    ``memory`` is bytes of one device, 0 when nobody says. ``counts`` are the numbers one pod may ask for: up to
    what the greatest node has. ``without`` are labels a node must not have: only so
    is a whole GPU told from a slice of one on GKE. ``reason`` says why this kind cannot be had at all; empty when it can.
    """

    key: str
    title: str
    resource: str
    vendor: str
    product: str
    memory: int = 0
    kind: str = "gpu"
    topology: str = ""
    note: str = ""
    node_selector: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    tolerations: tuple[tuple[tuple[str, str], ...], ...] = ()
    nodes: tuple[str, ...] = field(default=(), repr=False)
    counts: tuple[int, ...] = (1,)
    idle_minutes: int | None = None
    reason: str = ""

    @property
    def device_class(self) -> str:
        """The DRA DeviceClass to claim from, empty for a device plugin's resource."""
        return self.resource if self.kind == "dra" else ""

    def toleration_list(self) -> list[dict[str, str]]:
        """The tolerations as a pod has them."""
        return [dict(each) for each in self.tolerations]


def discover(
    nodes: Iterable[Json], device_classes: Iterable[Json] = (), resource_slices: Iterable[Json] = ()
) -> list[Accelerator]:
    """Every kind of accelerator there is, the greatest memory first."""
    groups: dict[tuple[str, Seen], list[Json]] = {}
    for node in nodes:
        for resource, seen in of_node(node):
            groups.setdefault((resource, seen), []).append(node)
    found = [_accelerator(resource, seen, members) for (resource, seen), members in groups.items()]
    found += _claimable(device_classes, list(resource_slices))
    found.sort(
        key=lambda each: (bool(each.reason), -each.memory, each.title, each.resource, each.node_selector)
    )
    return _distinct(found)


def _accelerator(resource: str, seen: Seen, nodes: Sequence[Json]) -> Accelerator:
    most = max(amount_of(node, resource) for node in nodes)
    counts: tuple[int, ...]
    if seen.kind == "tpu":
        counts = tuple(
            sorted({amount_of(node, resource) for node in nodes})
        )  # a pod takes all chips of its node
    elif seen.kind == "shared":
        counts = (1,)  # asking for two replicas does not give two devices
    else:
        counts = tuple(n for n in (1, 2, 3, 4, 6, 8, 16) if n <= most)
    if most not in counts and seen.kind not in {"shared", "tpu"}:
        counts = (*counts, most)
    size = size_words(Decimal(seen.memory)) if seen.memory else ""
    name = f"{seen.product} {seen.topology}".strip()
    return Accelerator(
        key=_slug(f"{seen.product} {seen.topology}"),
        title=f"{name}, {size}{' a chip' if seen.kind == 'tpu' else ''}" if size else name,
        resource=resource,
        vendor=VENDORS.get(resource.partition("/")[0], ""),
        product=seen.product,
        memory=seen.memory,
        kind=seen.kind,
        topology=seen.topology,
        note=seen.note,
        node_selector=seen.selector,
        without=seen.without,
        tolerations=_tolerations(resource, nodes),
        nodes=tuple(sorted(str((node.get("metadata") or {}).get("name", "")) for node in nodes)),
        counts=counts,
        reason=seen.reason,
    )


def _tolerations(resource: str, nodes: Sequence[Json]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Tolerate the taints that guard accelerators, and no other."""
    wanted: set[tuple[tuple[str, str], ...]] = set()
    for node in nodes:
        for taint in (node.get("spec") or {}).get("taints") or ():
            key = str(taint.get("key", ""))
            if key == resource or key in _TAINTS or key.partition("/")[0] in VENDORS:
                wanted.add((("effect", str(taint.get("effect", ""))), ("key", key), ("operator", "Exists")))
    return tuple(sorted(wanted))


def _claimable(classes: Iterable[Json], slices: Sequence[Json]) -> Iterator[Accelerator]:
    """One choice for each DeviceClass; what it holds comes from the published ResourceSlices of its driver."""
    for each in classes:
        name = str((each.get("metadata") or {}).get("name", ""))
        if not name:
            continue
        driver = driver_of(each) or name
        devices = [
            (str((part.get("spec") or {}).get("nodeName", "")), device)
            for part in slices
            if (part.get("spec") or {}).get("driver") == driver
            for device in (part.get("spec") or {}).get("devices") or ()
        ]
        product, memory = device_words([device for _, device in devices])
        title = f"{product or name}, {size_words(Decimal(memory))}" if memory else product or name
        yield Accelerator(
            key=_slug(name), title=title, resource=name, vendor=vendor_of(driver), product=product or name,
            memory=memory, kind="dra", note=f"claimed from the device class {name}",
            nodes=tuple(sorted({node for node, _ in devices if node})), counts=(1, 2, 4, 8),
            reason="" if devices or not slices else f"No node offers a device of the class {name} now.",
        )  # fmt: skip


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:60] or "accelerator"


def _distinct(found: list[Accelerator]) -> list[Accelerator]:
    """Keys tell apart what differs only in its resource or its labels, and do not change with the order of nodes."""
    taken: dict[str, int] = {}
    for each in found:
        taken[each.key] = taken.get(each.key, 0) + 1
    return [
        replace(
            each,
            key=f"{each.key}-{sha256(repr((each.resource, each.node_selector)).encode()).hexdigest()[:6]}",
        )
        if taken[each.key] > 1
        else each
        for each in found
    ]
