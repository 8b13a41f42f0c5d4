"""What nodes say of their accelerators, vendor by vendor: NVIDIA's GPU feature discovery and device plugin, the labels
of GKE, EKS (also Karpenter) and AKS, AMD's node labeller, Intel Gaudi's plugin, GKE's TPU labels. Pure.
"""  # noqa: D205

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from spawner.quantities import stored

Json = Mapping[str, Any]

TPU: Final = "google.com/tpu"
GKE_TPU: Final = "cloud.google.com/gke-tpu-accelerator"
GKE_TOPOLOGY: Final = "cloud.google.com/gke-tpu-topology"
GKE_GPU: Final = "cloud.google.com/gke-accelerator"
GKE_PARTITION: Final = "cloud.google.com/gke-gpu-partition-size"
GKE_SHARING: Final = "cloud.google.com/gke-gpu-sharing-strategy"
NVIDIA_PRODUCT: Final = "nvidia.com/gpu.product"
INSTANCE: Final = "node.kubernetes.io/instance-type"

VENDORS: Final = {
    "nvidia.com": "NVIDIA", "amd.com": "AMD", "habana.ai": "Intel", "gpu.intel.com": "Intel",
    "google.com": "Google", "aws.amazon.com": "AWS",
}  # fmt: skip
_MIG: Final = re.compile(r"nvidia\.com/mig-([0-9]+g\.([0-9]+)gb(?:\.me)?)(?:\.shared)?", re.ASCII)
_PLAIN: Final = re.compile(
    r"nvidia\.com/gpu(?:\.shared)?|amd\.com/(?:gpu|[sdqtc]px_nps[0-9])|habana\.ai/gaudi|gpu\.intel\.com/(?:i915|xe)"
    r"|google\.com/tpu|aws\.amazon\.com/neuron(?:core)?",
    re.ASCII,
)
_SHARING: Final = {
    "time-slicing": "shared in turns with others, without memory of its own",
    "time-sharing": "shared in turns with others, without memory of its own",
    "mps": "shared with others through MPS",
}
# GKE names the chip by a word of its own; the memory is the vendor's data sheet, GiB of one chip.
_GKE_PRODUCTS: Final[dict[str, tuple[str, int]]] = {
    "nvidia-tesla-t4": ("NVIDIA T4", 16), "nvidia-l4": ("NVIDIA L4", 24), "nvidia-tesla-v100": ("NVIDIA V100", 16),
    "nvidia-tesla-p100": ("NVIDIA P100", 16), "nvidia-tesla-p4": ("NVIDIA P4", 8),
    "nvidia-tesla-a100": ("NVIDIA A100", 40), "nvidia-a100-80gb": ("NVIDIA A100", 80),
    "nvidia-h100-80gb": ("NVIDIA H100", 80), "nvidia-h100-mega-80gb": ("NVIDIA H100", 80),
    "nvidia-h200-141gb": ("NVIDIA H200", 141), "nvidia-b200": ("NVIDIA B200", 180),
    "nvidia-rtx-pro-6000": ("NVIDIA RTX PRO 6000", 96),
}  # fmt: skip
_TPU_PRODUCTS: Final[dict[str, tuple[str, int]]] = {
    "tpu-v3-device": ("TPU v3", 32), "tpu-v3-slice": ("TPU v3", 32), "tpu-v4-podslice": ("TPU v4", 32),
    "tpu-v5-lite-device": ("TPU v5e", 16), "tpu-v5-lite-podslice": ("TPU v5e", 16), "tpu-v5p-slice": ("TPU v5p", 95),
    "tpu-v6e-slice": ("TPU v6e", 32), "tpu-v6e-device": ("TPU v6e", 32), "tpu7x": ("TPU7x", 192),
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What one node says of one of its resources."""

    product: str
    memory: int
    kind: str
    topology: str
    note: str
    selector: tuple[tuple[str, str], ...]
    reason: str = ""
    without: tuple[str, ...] = ()


def accelerator_resource(name: str) -> bool:
    """Whether an extended resource is one that this module knows to be an accelerator."""
    return bool(_PLAIN.fullmatch(name) or _MIG.fullmatch(name))


def amount_of(node: Json, resource: str) -> int:
    """How many of a device the node can give out; 0 where it does not say."""
    try:
        return int(stored(str(_amounts(node).get(resource, "0"))))
    except ValueError:
        return 0


def _amounts(node: Json) -> dict[str, str]:
    status = node.get("status") or {}
    return status.get("allocatable") or status.get("capacity") or {}


def of_node(node: Json) -> Iterator[tuple[str, Seen]]:
    """Each of its accelerators: the resource, and what is known of it."""
    labels = _labels(node)
    for resource in _amounts(node):
        if not accelerator_resource(resource) or amount_of(node, resource) < 1:
            continue
        if resource == TPU:
            yield resource, _tpu(labels, amount_of(node, resource))
        elif resource.startswith("nvidia.com/mig-"):
            yield resource, _mig(resource, labels)
        elif resource.startswith("nvidia.com/"):
            yield resource, _nvidia(resource, labels)
        elif resource.startswith("amd.com/"):
            yield resource, _amd(labels)
        else:
            yield resource, _other(resource, labels)


def _tpu(labels: Mapping[str, str], chips: int) -> Seen:
    name, topology = labels.get(GKE_TPU, ""), labels.get(GKE_TOPOLOGY, "")
    product, memory = _TPU_PRODUCTS.get(name, (name or "TPU", 0))
    selector = tuple((key, labels[key]) for key in (GKE_TPU, GKE_TOPOLOGY) if labels.get(key))
    sides = topology.split("x") if re.fullmatch(r"[0-9]{1,4}(x[0-9]{1,4}){0,2}", topology, re.ASCII) else []
    needed = math.prod(map(int, sides)) if sides else chips
    reason = ""
    if needed > chips:
        hosts = -(-needed // chips)
        reason = (
            f"A {topology} slice is {needed} chips on {hosts} machines that only work together;"
            " a notebook runs on one. Use a training job for it."
        )
    note = f"{needed} {'chip' if needed == 1 else 'chips'} in {topology}" if topology else ""
    return Seen(product, memory * 2**30, "tpu", topology, note, selector, reason)


def _mig(resource: str, labels: Mapping[str, str]) -> Seen:
    """A slice of its own resource name: the mixed strategy."""
    match = _MIG.fullmatch(resource)
    assert match
    short = resource.removeprefix("nvidia.com/").removesuffix(".shared")
    memory = _mebibytes(labels.get(f"nvidia.com/{short}.memory", "")) or int(match[2]) * 10**9
    whole = labels.get(NVIDIA_PRODUCT, "")
    selector = ((NVIDIA_PRODUCT, whole),) if whole else ()
    shared = resource.endswith(".shared")
    note = f"MIG {match[1]}: a slice with memory of its own"
    if shared:
        note += ", " + _SHARING["time-slicing"]
    product = f"{_nvidia_name(whole).removesuffix(' SHARED')} MIG {match[1]}".strip()
    return Seen(product, memory, "shared" if shared else "mig", "", note, selector)


def _nvidia(resource: str, labels: Mapping[str, str]) -> Seen:
    product, memory, selector = _nvidia_product(labels)
    shared, slice_note = _sharing(resource, labels), ""
    slice_name = ""
    if part := labels.get(GKE_PARTITION, ""):
        slice_name, selector = part, (*selector, (GKE_PARTITION, part))
    elif match := re.search(r"-MIG-([0-9]+g\.[0-9]+gb(?:\.me)?)", labels.get(NVIDIA_PRODUCT, "")):
        slice_name = match[1]  # the single strategy: slices under the plain resource name
    if slice_name:
        slice_note = f"MIG {slice_name}: a slice with memory of its own"
        if part and (size := re.fullmatch(r"[0-9]+g\.([0-9]+)gb", part, re.ASCII)):
            memory = int(size[1]) * 10**9
        if "MIG" not in product:
            product = f"{product} MIG {slice_name}".strip()
    if shared and (strategy := labels.get(GKE_SHARING, "")):
        selector = (*selector, (GKE_SHARING, strategy))
    kind = "shared" if shared else "mig" if slice_name else "gpu"
    note = ", ".join(filter(None, (slice_note, shared)))
    without: tuple[str, ...] = ()
    if any(key == GKE_GPU for key, _ in selector):
        without = tuple(key for key in (GKE_PARTITION, GKE_SHARING) if key not in dict(selector))
    return Seen(product, memory, kind, "", note, selector, without=without)


def _nvidia_product(labels: Mapping[str, str]) -> tuple[str, int, tuple[tuple[str, str], ...]]:
    """Product, bytes of one device, and the labels that pick it: the vendor's own first, then the clouds'."""
    memory = _mebibytes(labels.get("nvidia.com/gpu.memory", ""))
    if name := labels.get(NVIDIA_PRODUCT, ""):
        return _nvidia_name(name).removesuffix(" SHARED"), memory, ((NVIDIA_PRODUCT, name),)
    if name := labels.get(GKE_GPU, ""):
        product, gibibytes = _GKE_PRODUCTS.get(name, (name.replace("-", " "), 0))
        return product, memory or gibibytes * 2**30, ((GKE_GPU, name),)
    for domain in ("karpenter.k8s.aws", "eks.amazonaws.com"):
        if name := labels.get(f"{domain}/instance-gpu-name", ""):
            size = _mebibytes(labels.get(f"{domain}/instance-gpu-memory", ""))
            return f"NVIDIA {name.upper()}", size, ((f"{domain}/instance-gpu-name", name),)
    if name := labels.get("k8s.amazonaws.com/accelerator", ""):
        return _nvidia_name(name.upper()), 0, (("k8s.amazonaws.com/accelerator", name),)
    if name := labels.get(INSTANCE, ""):
        azure = re.search(r"_(T4|V100|A10|A100|H100|H200|GB200|MI300X)(?:_|$)", name)
        return f"NVIDIA {azure[1]}" if azure else f"NVIDIA GPU ({name})", 0, ((INSTANCE, name),)
    return "NVIDIA GPU", memory, ()


def _sharing(resource: str, labels: Mapping[str, str]) -> str:
    """How a GPU is shared, in words; empty when it is not."""
    strategy = labels.get("nvidia.com/gpu.sharing-strategy", "") or labels.get(GKE_SHARING, "")
    replicas = labels.get("nvidia.com/gpu.replicas", "") or labels.get(
        "cloud.google.com/gke-max-shared-clients-per-gpu", ""
    )
    marked = resource.endswith(".shared") or labels.get(NVIDIA_PRODUCT, "").endswith("-SHARED")
    many = replicas.isdecimal() and int(replicas) > 1
    if not (marked or many or strategy in _SHARING):
        return ""
    words = _SHARING.get(strategy, _SHARING["time-slicing"])
    return f"{words}, up to {replicas} at a time" if many else words


def _amd(labels: Mapping[str, str]) -> Seen:
    for domain in ("amd.com", "beta.amd.com"):
        name = labels.get(f"{domain}/gpu.product-name", "")
        memory = _vram(labels, domain)
        if name:
            product = name.replace("_", " ")
            product = product if product.upper().startswith("AMD") else f"AMD {product}"
            return Seen(product, memory, "gpu", "", "", ((f"{domain}/gpu.product-name", name),))
        family = labels.get(f"{domain}/gpu.family", "")
        device = labels.get(f"{domain}/gpu.device-id", "")
        if family or device:
            key, value = ("family", family) if family else ("device-id", device)
            product = " ".join(filter(None, ("AMD GPU", f"({family or device})")))
            return Seen(product, memory, "gpu", "", "", ((f"{domain}/gpu.{key}", value),))
    if name := labels.get(INSTANCE, ""):
        return Seen(f"AMD GPU ({name})", 0, "gpu", "", "", ((INSTANCE, name),))
    return Seen("AMD GPU", 0, "gpu", "", "", ())


def _vram(labels: Mapping[str, str], domain: str) -> int:
    """The labeller writes ``gpu.vram: 191G``; older ones ``gpu.vram.191G: <count>``."""
    text = labels.get(f"{domain}/gpu.vram", "")
    older = [key.rpartition(".")[2] for key in labels if key.startswith(f"{domain}/gpu.vram.")]
    for each in (text, *older):
        if re.fullmatch(r"[0-9]{1,6}[MGT]", each, re.ASCII):
            return int(stored(f"{each}i"))
    return 0


def _other(resource: str, labels: Mapping[str, str]) -> Seen:
    name = {"habana.ai/gaudi": "Intel Gaudi", "aws.amazon.com/neuron": "AWS Neuron", "aws.amazon.com/neuroncore":
            "AWS Neuron core"}.get(resource, "Intel GPU")  # fmt: skip
    instance = labels.get(INSTANCE, "")
    generation = re.search(r"Gaudi[ -]?([23])", labels.get("habana.ai/gaudi.product", ""), re.IGNORECASE)
    if generation:
        return Seen(f"{name} {generation[1]}", 0, "gpu", "", "", ())
    selector = ((INSTANCE, instance),) if instance else ()
    return Seen(f"{name} ({instance})" if instance else name, 0, "gpu", "", "", selector)


def _nvidia_name(label: str) -> str:
    """``NVIDIA-A100-SXM4-80GB`` as people say it; older drivers leave the maker out."""
    name = label.replace("-MIG-", "-MIG ").replace("-", " ").strip()
    if not name:
        return "NVIDIA"
    return name if name.upper().startswith("NVIDIA") else f"NVIDIA {name}"


def _mebibytes(text: str) -> int:
    return int(text) * 2**20 if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _labels(node: Json) -> dict[str, str]:
    return (node.get("metadata") or {}).get("labels") or {}
