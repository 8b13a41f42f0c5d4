from __future__ import annotations

import itertools
import random

import pytest

from spawner.form.accelerators import Accelerator, discover
from spawner.form.choices import AcceleratorRule, ruled
from spawner.form.devices import free_devices
from tests.spawner.form import nodes

GI = 2**30


def only(*found: nodes.Node) -> Accelerator:
    accelerators = discover(found)
    assert len(accelerators) == 1
    return accelerators[0]


@pytest.mark.parametrize(
    ("node", "title", "resource", "kind", "selector", "counts"),
    [
        (nodes.gke_a100("a", 2), "NVIDIA A100, 40 GiB", "nvidia.com/gpu", "gpu",
         {"cloud.google.com/gke-accelerator": "nvidia-tesla-a100"}, (1, 2)),
        (nodes.gke_partitioned("a"), "NVIDIA A100 MIG 1g.5gb, 4.6 GiB", "nvidia.com/gpu", "mig",
         {"cloud.google.com/gke-accelerator": "nvidia-tesla-a100", "cloud.google.com/gke-gpu-partition-size": "1g.5gb"},
         (1, 2, 3, 4, 6, 7)),
        (nodes.gke_shared("a"), "NVIDIA L4, 24 GiB", "nvidia.com/gpu", "shared",
         {"cloud.google.com/gke-accelerator": "nvidia-l4", "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing"}, (1,)),
        (nodes.gke_tpu("a"), "TPU v5e 2x4, 16 GiB a chip", "google.com/tpu", "tpu",
         {"cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice", "cloud.google.com/gke-tpu-topology": "2x4"}, (8,)),
        (nodes.discovered("a", "NVIDIA-H100-80GB-HBM3", 81559, 8), "NVIDIA H100 80GB HBM3, 79.6 GiB", "nvidia.com/gpu",
         "gpu", {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, (1, 2, 3, 4, 6, 8)),
        (nodes.mig_single("a"), "NVIDIA A100 SXM4 40GB MIG 1g.5gb, 4.7 GiB", "nvidia.com/gpu", "mig",
         {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"}, (1, 2, 3, 4, 6, 8, 16, 56)),
        (nodes.sliced("a", renamed=False), "NVIDIA Tesla T4, 15 GiB", "nvidia.com/gpu", "shared",
         {"nvidia.com/gpu.product": "Tesla-T4-SHARED"}, (1,)),
        (nodes.sliced("a", renamed=True), "NVIDIA Tesla T4, 15 GiB", "nvidia.com/gpu.shared", "shared",
         {"nvidia.com/gpu.product": "Tesla-T4"}, (1,)),
        (nodes.eks_karpenter("a"), "NVIDIA A10G, 24 GiB", "nvidia.com/gpu", "gpu",
         {"karpenter.k8s.aws/instance-gpu-name": "a10g"}, (1,)),
        (nodes.eks_managed("a"), "NVIDIA TESLA V100", "nvidia.com/gpu", "gpu",
         {"k8s.amazonaws.com/accelerator": "nvidia-tesla-v100"}, (1, 2, 3, 4)),
        (nodes.aks("a"), "NVIDIA A100", "nvidia.com/gpu", "gpu",
         {"node.kubernetes.io/instance-type": "Standard_NC24ads_A100_v4"}, (1,)),
        (nodes.amd("a"), "AMD Instinct MI300X OAM, 191 GiB", "amd.com/gpu", "gpu",
         {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}, (1, 2, 3, 4, 6, 8)),
        (nodes.gaudi("a"), "Intel Gaudi (dl1.24xlarge)", "habana.ai/gaudi", "gpu",
         {"node.kubernetes.io/instance-type": "dl1.24xlarge"}, (1, 2, 3, 4, 6, 8)),
        (nodes.node("a", {"nvidia.com/gpu": "1"}), "NVIDIA GPU", "nvidia.com/gpu", "gpu", {}, (1,)),
    ],
)  # fmt: skip
def test_what_each_platform_writes(node, title, resource, kind, selector, counts) -> None:
    found = only(node)
    assert (found.title, found.resource, found.kind, found.counts) == (title, resource, kind, counts)
    assert dict(found.node_selector) == selector
    assert not found.reason


def test_mixed_mig_offers_whole_gpus_and_each_slice() -> None:
    found = {each.resource: each for each in discover([nodes.mig_mixed("m")])}
    assert set(found) == {"nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-3g.20gb"}
    assert found["nvidia.com/mig-1g.5gb"].title == "NVIDIA A100 SXM4 40GB MIG 1g.5gb, 4.7 GiB"
    assert found["nvidia.com/mig-3g.20gb"].memory == 19968 * 2**20
    assert "a slice with memory of its own" in found["nvidia.com/mig-3g.20gb"].note


def test_a_shared_gpu_says_that_its_memory_is_shared_too() -> None:
    assert "without memory of its own" in only(nodes.sliced("a", renamed=True)).note
    assert "up to 10 at a time" in only(nodes.sliced("a", renamed=False)).note


@pytest.mark.parametrize(
    ("topology", "chips", "hosts"),
    [("2x4", 4, 2), ("4x4", 4, 4), ("2x2x4", 4, 4), ("16x16", 4, 64)],
)
def test_a_slice_of_several_machines_is_refused_with_the_reason(
    topology: str, chips: int, hosts: int
) -> None:
    found = only(nodes.gke_tpu("a", topology=topology, chips=chips))
    assert f"on {hosts} machines that only work together" in found.reason


@pytest.mark.parametrize(("topology", "chips"), [("1x1", 1), ("2x2", 4), ("2x4", 8), ("2x2x1", 4)])
def test_a_slice_of_one_machine_is_taken_whole(topology: str, chips: int) -> None:
    found = only(nodes.gke_tpu("a", topology=topology, chips=chips))
    assert not found.reason
    assert found.counts == (chips,)


def test_only_the_taints_that_guard_accelerators_are_tolerated() -> None:
    guard = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
    other = {"key": "dedicated", "value": "team-x", "effect": "NoSchedule"}
    found = only(nodes.discovered("a", "NVIDIA-L40S", 46068, 1, taints=[guard, other]))
    assert found.toleration_list() == [
        {"effect": "NoSchedule", "key": "nvidia.com/gpu", "operator": "Exists"}
    ]
    assert [each["key"] for each in only(nodes.aks("b")).toleration_list()] == ["sku"]


def test_nodes_of_one_kind_are_one_choice_and_the_largest_node_sets_the_numbers() -> None:
    found = only(nodes.gke_a100("a", 1), nodes.gke_a100("b", 4), nodes.gke_a100("c", 2))
    assert found.nodes == ("a", "b", "c")
    assert found.counts == (1, 2, 3, 4)


def test_keys_are_distinct_and_do_not_depend_on_the_order_of_nodes() -> None:
    all_nodes = [
        nodes.gke_a100("a"), nodes.aks("b"), nodes.mig_mixed("c"), nodes.sliced("d", renamed=True),
        nodes.sliced("e", renamed=False), nodes.gke_tpu("f"), nodes.gke_tpu("g", topology="4x4", chips=4), nodes.amd("h"),
    ]  # fmt: skip
    first = {(each.key, each.resource, each.node_selector) for each in discover(all_nodes)}
    assert len({key for key, _, _ in first}) == len(first) == 10
    for order in itertools.islice(iter(lambda: random.Random(3).sample(all_nodes, len(all_nodes)), None), 3):
        assert {(each.key, each.resource, each.node_selector) for each in discover(order)} == first


def test_other_extended_resources_are_no_accelerators() -> None:
    found = discover(
        [nodes.node("a", {"rdma/hca": "4", "smarter-devices/fuse": "20", "nvidia.com/gpu": "0"})]
    )
    assert found == []


def test_device_classes_with_what_their_drivers_publish() -> None:
    device_class = {
        "metadata": {"name": "gpu.nvidia.com"},
        "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com' && device.attributes['gpu.nvidia.com'].type == 'gpu'"}}]},
    }  # fmt: skip
    device = {
        "name": "gpu-0",
        "attributes": {"productName": {"string": "NVIDIA H100 80GB HBM3"}, "type": {"string": "gpu"}},
        "capacity": {"memory": {"value": "81559Mi"}},
    }
    slices = [
        {
            "spec": {
                "driver": "gpu.nvidia.com",
                "nodeName": "n1",
                "devices": [device, {**device, "name": "gpu-1"}],
            }
        }
    ]
    found = discover([], [device_class], slices)[0]
    assert (found.kind, found.device_class, found.title) == (
        "dra",
        "gpu.nvidia.com",
        "NVIDIA H100 80GB HBM3, 79.6 GiB",
    )
    assert (found.nodes, found.vendor, found.memory) == (("n1",), "NVIDIA", 81559 * 2**20)
    assert discover([], [device_class])[0].title == "gpu.nvidia.com"
    absent = discover([], [{"metadata": {"name": "other"}, "spec": {}}], slices)[0]
    assert "No node offers" in absent.reason


def test_rules_rename_limit_and_hide() -> None:
    found = discover([nodes.gke_a100("a", 8), nodes.aks("b"), nodes.gke_tpu("c")])
    rules = (
        AcceleratorRule("tpu*", hidden=True),
        AcceleratorRule("nvidia-a100-*", title="A100", most=2, idle_minutes=30),
    )
    offered = ruled(found, rules)
    assert {each.resource for each in offered} == {"nvidia.com/gpu"}
    assert all(each.title == "A100" and max(each.counts) <= 2 and each.idle_minutes == 30 for each in offered)
    whole = ruled(discover([nodes.gke_tpu("c")]), (AcceleratorRule("*", most=4),))[0]
    assert "only as a whole" in whole.reason


def test_a_whole_gpu_is_not_a_slice_of_one() -> None:
    whole, part, turns = (
        only(each("a")).without for each in (nodes.gke_a100, nodes.gke_partitioned, nodes.gke_shared)
    )
    assert whole == ("cloud.google.com/gke-gpu-partition-size", "cloud.google.com/gke-gpu-sharing-strategy")
    assert part == ("cloud.google.com/gke-gpu-sharing-strategy",)
    assert turns == ("cloud.google.com/gke-gpu-partition-size",)
    assert only(nodes.eks_karpenter("a")).without == ()


def test_devices_that_a_claim_holds_are_not_free() -> None:
    def slice_of(driver: str, *names: str) -> dict:
        return {
            "spec": {"driver": driver, "pool": {"name": "n1"}, "devices": [{"name": name} for name in names]}
        }

    def claim(driver: str, device: str) -> dict:
        return {
            "status": {
                "allocation": {"devices": {"results": [{"driver": driver, "pool": "n1", "device": device}]}}
            }
        }

    classes = [
        {"metadata": {"name": name}, "spec": {"selectors": [{"cel": {"expression": expression}}]}}
        for name, expression in (("gpu", 'device.driver == "gpu.nvidia.com"'), ("any", "true"))
    ]
    slices = [slice_of("gpu.nvidia.com", "gpu-0", "gpu-1", "gpu-2"), slice_of("other.example", "gpu-0")]
    claims = [
        claim("gpu.nvidia.com", "gpu-1"),
        claim("other.example", "gpu-0"),
        claim("gone.example", "x"),
        {"status": {}},
        {},
    ]
    assert free_devices(classes, slices, claims) == {"gpu": 2}
    assert free_devices(classes, [], claims) == {"gpu": 0}
