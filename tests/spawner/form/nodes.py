"""Nodes as clouds and bare metal write them: labels, taints and resources as documented by each."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]


def node(
    name: str,
    resources: dict[str, str] | None = None,
    *,
    labels: dict[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
    cpu: str = "12",
    memory: str = "83Gi",
    ready: str = "True",
    unschedulable: bool = False,
) -> Node:
    amounts = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "90Gi", **(resources or {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": taints or [], **({"unschedulable": True} if unschedulable else {})},
        "status": {
            "allocatable": amounts,
            "capacity": amounts,
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}],
        },
    }


def gke_a100(name: str, count: int = 1, **more: Any) -> Node:
    return node(
        name,
        {"nvidia.com/gpu": str(count)},
        labels={
            "cloud.google.com/gke-accelerator": "nvidia-tesla-a100",
            "cloud.google.com/gke-nodepool": "a100",
            "node.kubernetes.io/instance-type": f"a2-highgpu-{count}g",
            "cloud.google.com/gke-gpu-driver-version": "latest",
        },
        taints=[{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}],
        **more,
    )


def gke_partitioned(name: str) -> Node:
    return node(
        name,
        {"nvidia.com/gpu": "7"},
        labels={
            "cloud.google.com/gke-accelerator": "nvidia-tesla-a100",
            "cloud.google.com/gke-gpu-partition-size": "1g.5gb",
            "node.kubernetes.io/instance-type": "a2-highgpu-1g",
        },
    )


def gke_shared(name: str) -> Node:
    return node(
        name,
        {"nvidia.com/gpu": "3"},
        labels={
            "cloud.google.com/gke-accelerator": "nvidia-l4",
            "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
            "cloud.google.com/gke-max-shared-clients-per-gpu": "3",
        },
    )


def gke_tpu(name: str, kind: str = "tpu-v5-lite-podslice", topology: str = "2x4", chips: int = 8) -> Node:
    return node(
        name,
        {"google.com/tpu": str(chips)},
        labels={
            "cloud.google.com/gke-tpu-accelerator": kind,
            "cloud.google.com/gke-tpu-topology": topology,
            "cloud.google.com/gke-accelerator-count": str(chips),
            "node.kubernetes.io/instance-type": f"ct5lp-hightpu-{chips}t",
        },
        taints=[{"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"}],
    )


def discovered(name: str, product: str, mebibytes: int, count: int, **more: Any) -> Node:
    """GPU feature discovery on bare metal."""
    return node(
        name,
        {"nvidia.com/gpu": str(count)},
        labels={
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.memory": str(mebibytes),
            "nvidia.com/gpu.count": str(count),
            "nvidia.com/gpu.replicas": "1",
            "nvidia.com/gpu.sharing-strategy": "none",
            "nvidia.com/mig.capable": "false",
            "nvidia.com/mig.strategy": "single",
        },
        **more,
    )


def mig_mixed(name: str) -> Node:
    found = discovered(name, "NVIDIA-A100-SXM4-40GB", 40960, 4)
    found["status"]["allocatable"] |= {"nvidia.com/mig-1g.5gb": "7", "nvidia.com/mig-3g.20gb": "2"}
    found["metadata"]["labels"] |= {
        "nvidia.com/mig.strategy": "mixed",
        "nvidia.com/mig-1g.5gb.count": "7",
        "nvidia.com/mig-1g.5gb.memory": "4864",
        "nvidia.com/mig-1g.5gb.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb",
        "nvidia.com/mig-3g.20gb.memory": "19968",
    }
    return found


def mig_single(name: str) -> Node:
    found = discovered(name, "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", 4864, 56)
    found["metadata"]["labels"] |= {"nvidia.com/mig.strategy": "single", "nvidia.com/gpu.slices.ci": "1"}
    return found


def sliced(name: str, *, renamed: bool) -> Node:
    resource = "nvidia.com/gpu.shared" if renamed else "nvidia.com/gpu"
    return node(
        name,
        {resource: "40"},
        labels={
            "nvidia.com/gpu.product": "Tesla-T4" if renamed else "Tesla-T4-SHARED",
            "nvidia.com/gpu.memory": "15360",
            "nvidia.com/gpu.count": "4",
            "nvidia.com/gpu.replicas": "10",
            "nvidia.com/gpu.sharing-strategy": "time-slicing",
        },
    )


def eks_karpenter(name: str) -> Node:
    return node(
        name,
        {"nvidia.com/gpu": "1"},
        labels={
            "karpenter.k8s.aws/instance-gpu-name": "a10g",
            "karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia",
            "karpenter.k8s.aws/instance-gpu-memory": "24576",
            "karpenter.k8s.aws/instance-gpu-count": "1",
            "karpenter.sh/nodepool": "gpu",
            "node.kubernetes.io/instance-type": "g5.2xlarge",
        },
        taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
    )


def eks_managed(name: str) -> Node:
    return node(
        name,
        {"nvidia.com/gpu": "4"},
        labels={
            "k8s.amazonaws.com/accelerator": "nvidia-tesla-v100",
            "eks.amazonaws.com/nodegroup": "gpu",
            "node.kubernetes.io/instance-type": "p3.8xlarge",
        },
    )


def aks(name: str) -> Node:
    return node(
        name,
        {"nvidia.com/gpu": "1"},
        labels={
            "kubernetes.azure.com/accelerator": "nvidia",
            "kubernetes.azure.com/agentpool": "gpu",
            "node.kubernetes.io/instance-type": "Standard_NC24ads_A100_v4",
        },
        taints=[{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
    )


def amd(name: str) -> Node:
    return node(
        name,
        {"amd.com/gpu": "8"},
        labels={
            "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
            "amd.com/gpu.vram": "191G",
            "amd.com/gpu.family": "AI",
            "amd.com/gpu.device-id": "74a1",
        },
    )


def gaudi(name: str) -> Node:
    return node(
        name,
        {"habana.ai/gaudi": "8", "hugepages-2Mi": "0"},
        labels={"node.kubernetes.io/instance-type": "dl1.24xlarge"},
    )


def pod(
    name: str,
    where: str = "",
    requests: dict[str, str] | None = None,
    *,
    namespace: str = "others",
    phase: str = "Running",
    **spec: Any,
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}"},
        "spec": {
            "containers": [{"name": "main", "resources": {"requests": requests or {}}}],
            **({"nodeName": where} if where else {}),
            **spec,
        },
        "status": {"phase": phase},
    }
