from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spawner.form.accelerators import discover
from spawner.form.capacity import ENOUGH, Demand, Fleet, Room, requests_of
from spawner.quantities import NANO
from tests.spawner.form import nodes

GUARD = (("effect", "NoSchedule"), ("key", "nvidia.com/gpu"), ("operator", "Exists"))


def demand(gpus: int = 0, cpu: str = "1", memory: str = "2Gi", *, tolerates: bool = True) -> Demand:
    requests = {"cpu": cpu, "memory": memory, **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    return Demand.of(
        requests, {"cloud.google.com/gke-nodepool": "a100"} if gpus else {}, [GUARD] if tolerates else []
    )


def room(fleet: Fleet, gpus: int = 1, namespace: str = "mine", **more: Any) -> Room:
    return fleet.room(demand(gpus, **more), "nvidia.com/gpu" if gpus else "", namespace)


def gpu_pod(name: str, where: str, gpus: int, namespace: str = "others", **more: Any) -> dict[str, Any]:
    return nodes.pod(name, where, {"cpu": "1", "nvidia.com/gpu": str(gpus)}, namespace=namespace, **more)


def test_what_fits_is_counted_node_by_node() -> None:
    fleet = Fleet([nodes.gke_a100("a", 4), nodes.gke_a100("b", 4), nodes.node("c")], [gpu_pod("x", "a", 3)])
    one, four, five = (room(fleet, gpus) for gpus in (1, 4, 5))
    assert (one.level, one.servers, one.nodes, one.on) == ("fits", 5, 2, ("a2-highgpu-4g",))
    assert (one.total, one.free, one.own) == (8, 5, 0)
    assert (four.servers, four.nodes) == (1, 1)
    assert (five.level, five.reason) == (
        "never",
        "No node with this accelerator is that large: the greatest has 4 of nvidia.com/gpu.",
    )


def test_a_sum_over_nodes_is_no_room() -> None:
    fleet = Fleet(
        [nodes.gke_a100("a", 4), nodes.gke_a100("b", 4)], [gpu_pod("x", "a", 2), gpu_pod("y", "b", 2)]
    )
    found = room(fleet, 4)
    assert (found.level, found.free) == ("busy", 4)
    assert found.reason == "4 of 8 are free, but at most 2 on one node; 4 are asked for."


def test_all_in_use_says_by_whom() -> None:
    fleet = Fleet(
        [nodes.gke_a100(name, 8) for name in "abc"],
        [gpu_pod("x", "a", 8), gpu_pod("y", "b", 8, "mine"), gpu_pod("z", "c", 8)],
    )
    assert room(fleet).reason == "3 nodes have this accelerator; all 24 are in use, 8 by your own profile."
    assert room(fleet, namespace="new").reason == "3 nodes have this accelerator; all 24 are in use."


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"unschedulable": True}, "The only node with this accelerator takes no servers: it is cordoned."),
        ({"ready": "False"}, "The only node with this accelerator takes no servers: it is not ready."),
        ({"ready": "Unknown"}, "The only node with this accelerator takes no servers: it is not ready."),
    ],
)
def test_a_node_that_takes_no_servers_has_no_room(node: dict[str, Any], reason: str) -> None:
    found = room(Fleet([nodes.gke_a100("a", 4, **node)]))
    assert (found.level, found.reason, found.total) == ("never", reason, 0)


def test_taints_keep_out_who_does_not_tolerate_them() -> None:
    fleet = Fleet([nodes.gke_a100("a", 4), nodes.gke_a100("b", 4)])
    assert room(fleet, tolerates=False).reason == (
        "The 2 nodes with this accelerator take no servers: 2 kept for others by the taint nvidia.com/gpu=present."
    )
    soft = nodes.node("s", taints=[{"key": "x", "effect": "PreferNoSchedule"}])
    assert room(Fleet([soft]), 0).level == "fits"


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"operator": "Exists"}, True),
        ({"key": "l", "operator": "Exists"}, False),
    ],
)
def test_tolerations_as_kubernetes_reads_them(toleration: dict[str, str], fits: bool) -> None:
    fleet = Fleet([nodes.node("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])])
    asked = Demand.of({"cpu": "1"}, {}, [tuple(toleration.items())])
    assert (fleet.room(asked).level == "fits") is fits


def test_the_nearest_node_is_named_and_not_a_mix_of_several() -> None:
    fleet = Fleet(
        [nodes.node("a", cpu="8", memory="8Gi"), nodes.node("b", cpu="8", memory="8Gi")],
        [
            nodes.pod("x", "a", {"cpu": "7", "memory": "1Gi"}),
            nodes.pod("y", "b", {"cpu": "1", "memory": "7Gi"}),
        ],
    )
    found = room(fleet, 0, cpu="2", memory="4Gi")
    assert (found.level, found.reason) == ("busy", "No node has that much left: the nearest has 1 CPU free.")
    assert room(fleet, 0, cpu="9").reason == "No node is that large: the greatest has 8 CPU."


def test_the_places_for_pods_count() -> None:
    small = nodes.node("a", {"pods": "1"})
    fleet = Fleet([small], [nodes.pod("x", "a", {})])
    assert room(fleet, 0).reason == "No node has that much left: the nearest has places for 0 more pods free."


def test_many_are_enough() -> None:
    fleet = Fleet([nodes.node(f"n{i}", cpu="64", memory="512Gi") for i in range(50)])
    assert room(fleet, 0).servers == ENOUGH


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "500m"}}}]}, "1.5"),
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}], "initContainers": [{"resources": {"requests": {"cpu": "3"}}}]}, "3"),
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}],
          "initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}}, {"resources": {"requests": {"cpu": "500m"}}}]}, "3"),
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}],
          "initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}}, {"resources": {"requests": {"cpu": "5"}}}]}, "7"),
        ({"containers": [{}], "overhead": {"cpu": "250m"}}, "0.25"),
        ({"containers": [{"resources": {"requests": {"cpu": "1"}}}], "resources": {"requests": {"cpu": "4"}}}, "4"),
        ({"containers": [{"resources": {"requests": {"cpu": "100n"}}}]}, "0.0000001"),
    ],
)  # fmt: skip
def test_a_pod_counts_as_the_scheduler_counts_it(spec: dict[str, Any], cpu: str) -> None:
    assert requests_of({"spec": spec}).get("cpu", 0) == round(float(cpu) * NANO)


def test_what_ended_waits_or_moves_is_counted_once() -> None:
    fleet = Fleet([nodes.gke_a100("a", 4), nodes.gke_a100("b", 4)])
    waiting = gpu_pod("x", "", 4)
    fleet.put_pod(waiting)
    assert room(fleet).free == 8
    bound = gpu_pod("x", "a", 4)
    fleet.put_pod(bound)
    fleet.put_pod(bound)
    assert room(fleet).free == 4
    fleet.put_pod(gpu_pod("x", "a", 4, phase="Succeeded"))
    assert room(fleet).free == 8
    fleet.drop_pod("others/x")
    assert room(fleet).free == 8


def test_pods_may_be_told_of_before_their_node_and_after_it_is_gone() -> None:
    fleet = Fleet([], [gpu_pod("x", "a", 3)])
    assert room(fleet).reason == "No node has this accelerator now."
    fleet.put_node(nodes.gke_a100("a", 4))
    assert room(fleet).free == 1
    fleet.drop_node("a")
    assert room(fleet).level == "never"
    fleet.put_node(nodes.gke_a100("a", 4))
    fleet.drop_pod("others/x")
    assert room(fleet).free == 4


def test_labels_that_change_are_seen() -> None:
    fleet = Fleet([nodes.gke_a100("a", 4)])
    assert room(fleet).level == "fits"
    moved = nodes.gke_a100("a", 4)
    moved["metadata"]["labels"]["cloud.google.com/gke-nodepool"] = "other"
    fleet.put_node(moved)
    assert room(fleet).level == "never"


STEPS = st.lists(
    st.tuples(st.sampled_from(["pod", "gone", "node", "lost"]), st.integers(0, 5), st.integers(0, 3)),
    max_size=40,
)


@settings(max_examples=60)
@given(STEPS)
def test_sums_kept_step_by_step_are_those_of_a_fresh_count(steps: list[tuple[str, int, int]]) -> None:
    kept = Fleet()
    alive: dict[str, dict[str, Any]] = {}
    there: dict[str, dict[str, Any]] = {}
    for what, which, where in steps:
        name = f"n{where}"
        if what == "pod":
            alive[f"p{which}"] = gpu_pod(f"p{which}", name, 1 + which % 2)
            kept.put_pod(alive[f"p{which}"])
        elif what == "gone":
            alive.pop(f"p{which}", None)
            kept.drop_pod(f"others/p{which}")
        elif what == "node":
            there[name] = nodes.gke_a100(name, 1 + which)
            kept.put_node(there[name])
        else:
            there.pop(name, None)
            kept.drop_node(name)
    fresh = Fleet(there.values(), alive.values())
    for gpus in (0, 1, 2):
        assert room(kept, gpus) == room(fresh, gpus)


@given(st.integers(0, 10_000))
def test_room_is_that_of_a_plain_search(seed: int) -> None:
    chance = random.Random(seed)
    sizes = {f"n{i}": chance.randint(0, 8) for i in range(5)}
    pods = [gpu_pod(f"p{i}", chance.choice([*sizes]), chance.randint(0, 3)) for i in range(6)]
    fleet = Fleet([nodes.gke_a100(name, count) for name, count in sizes.items()], pods)
    used: Counter[str] = Counter()
    for each in pods:
        used[each["spec"]["nodeName"]] += int(
            each["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"]
        )
    for gpus in (1, 2, 4):
        plain = sum(max(0, (count - used[name]) // gpus) for name, count in sizes.items())
        found = room(fleet, gpus)
        assert found.servers == plain
        assert (found.level == "fits") == (plain > 0)
        assert bool(found.reason) == (plain == 0)


def test_discovered_accelerators_lead_back_to_their_nodes() -> None:
    cluster = [
        nodes.gke_a100("a", 2), nodes.aks("b"), nodes.mig_mixed("c"), nodes.sliced("d", renamed=True), nodes.amd("e"),
        nodes.gke_tpu("f"), nodes.gaudi("g"), nodes.eks_karpenter("h"), nodes.gke_partitioned("i"), nodes.gke_shared("j"),
    ]  # fmt: skip
    fleet = Fleet(cluster)
    for each in discover(cluster):
        asked = Demand.of(
            {each.resource: str(each.counts[0])}, dict(each.node_selector), each.tolerations, each.without
        )
        found = fleet.room(asked, each.resource)
        assert (found.level, found.nodes) == ("fits", len(each.nodes)), each


def test_a_node_says_that_it_is_away_by_its_taint_or_by_its_condition() -> None:
    def alone(**parts: Any) -> str:
        node = nodes.node("a")
        node["status"].update(parts.get("status", {}))
        node["spec"].update(parts.get("spec", {}))
        return Fleet([node]).room(demand()).reason

    assert alone() == ""
    assert alone(status={"conditions": []}) == ""
    for key in ("not-ready", "unreachable"):
        taints = [{"key": f"node.kubernetes.io/{key}", "effect": "NoSchedule"}]
        assert "it is not ready" in alone(status={"conditions": []}, spec={"taints": taints})
    cordoned = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    assert "it is cordoned" in alone(spec={"taints": cordoned, "unschedulable": True})


def test_accelerators_are_looked_for_again_when_a_node_is_another() -> None:
    fleet = Fleet([nodes.gke_a100("a", 4), nodes.node("c")])
    first = fleet.accelerators()
    assert [each.key for each in first] == ["nvidia-a100"]
    fleet.put_node(nodes.gke_a100("a", 4, ready="False"))
    fleet.put_pod(gpu_pod("x", "a", 1))
    assert fleet.accelerators() is first
    fleet.put_node(nodes.gke_tpu("t"))
    assert len(fleet.accelerators()) == 2
    fleet.drop_node("a")
    assert [each.kind for each in fleet.accelerators()] == ["tpu"]
