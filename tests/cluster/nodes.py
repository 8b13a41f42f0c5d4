"""Nodes as clouds and device plugins present them, for KWOK to keep; the labels are the plugins' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_PLAIN: Final = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "500Gi", "pods": "110"}


@dataclass(frozen=True)
class Kind:
    """The labels, resources and taints of one kind of node: ``cluster.node("a", *kind.parts())``."""

    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, Any] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()

    def parts(self) -> tuple[Mapping[str, str], Mapping[str, Any], Sequence[Mapping[str, str]]]:
        """The arguments of `Cluster.node` after the name."""
        return self.labels, self.capacity, self.taints


def nvidia(product: str, memory_mib: int, count: int, **resources: str) -> Kind:
    """GPU feature discovery's labels (``product`` as in "NVIDIA-A100-SXM4-80GB"), and the taint clouds put there."""
    labels = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(memory_mib),
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.capable": "false",
    }
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    return Kind(labels, resources or {"nvidia.com/gpu": str(count)}, (taint,))


A100: Final = nvidia("NVIDIA-A100-SXM4-80GB", 81920, 8)
T4: Final = nvidia("Tesla-T4", 15360, 1)

_MIXED: Final = nvidia("NVIDIA-A100-SXM4-80GB", 81920, 8)
MIG: Final = Kind(
    {
        **_MIXED.labels,
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.strategy": "mixed",
        "nvidia.com/mig.config": "all-balanced",
        "nvidia.com/mig-1g.10gb.count": "16",
        "nvidia.com/mig-1g.10gb.memory": "9856",
        "nvidia.com/mig-1g.10gb.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb",
        "nvidia.com/mig-3g.40gb.count": "8",
        "nvidia.com/mig-3g.40gb.memory": "40192",
        "nvidia.com/mig-3g.40gb.product": "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb",
    },
    {"nvidia.com/gpu": "0", "nvidia.com/mig-1g.10gb": "16", "nvidia.com/mig-3g.40gb": "8"},
    _MIXED.taints,
)
"""Every GPU cut into two 1g.10gb and one 3g.40gb (mixed strategy: each profile is a resource of its own)."""

SHARED: Final = Kind(
    {
        **T4.labels,
        "nvidia.com/gpu.product": "Tesla-T4-SHARED",
        "nvidia.com/gpu.replicas": "4",
        "nvidia.com/gpu.sharing-strategy": "time-slicing",
    },
    {"nvidia.com/gpu": "4"},
    T4.taints,
)
"""One GPU that four pods share in turns."""

TPU: Final = Kind(
    {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "2x4",
        "cloud.google.com/gke-nodepool": "tpu-v5e-2x4",
    },
    {"google.com/tpu": "8"},
    ({"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"},),
)
AMD: Final = Kind(
    {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "amd.com/gpu.vram": "191G"}, {"amd.com/gpu": "8"}
)
GAUDI: Final = Kind({"habana.ai/device": "gaudi2"}, {"habana.ai/gaudi": "8"})


def node(
    name: str, labels: Mapping[str, str], capacity: Mapping[str, Any], taints: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """The node as it registers itself."""
    resources = _PLAIN | {key: str(value) for key, value in capacity.items()}
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": own | {"type": "kwok"} | dict(labels),
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [dict(taint) for taint in taints]},
        "status": {"capacity": resources, "allocatable": resources},
    }


def is_ready(found: Mapping[str, Any]) -> bool:
    """Whether the node reports itself ready, and nothing keeps pods off it for now."""
    conditions = found["status"].get("conditions", ())
    ready = any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)
    return ready and not any("not-ready" in taint["key"] for taint in found["spec"].get("taints", ()))
