from __future__ import annotations

from typing import Any

import pytest

from spawner.form import quota, verdicts
from spawner.form.accelerators import discover
from spawner.form.capacity import Fleet
from spawner.form.schema import Schema
from spawner.form.settings import configure
from spawner.form.verdicts import Situation, recheck
from spawner.refused import Refused
from tests.spawner.form import nodes

SIZES = [
    {"key": "small", "cpu": "1", "memory": "2Gi"},
    {"key": "large", "cpu": "8", "memory": "64Gi"},
    {"key": "huge", "cpu": "400", "memory": "4Ti"},
]
PRICES = {"currency": "€", "cpu": "0.03", "memory": "0.004", "accelerators": {"nvidia-a100": "2.1"}}


def quotas(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> list[quota.Left]:
    body = {
        "metadata": {"name": "kf-resource-quota"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": used or {}},
    }
    return quota.lines([body])


def setup(
    *pods: dict[str, Any], settings: dict[str, Any] | None = None, **more: Any
) -> tuple[Schema, Situation]:
    cluster = [
        nodes.gke_a100("a", 2),
        nodes.node("c1"),
        nodes.node("c2"),
        nodes.gke_tpu("t", topology="4x4", chips=4),
    ]
    schema = configure(sizes=SIZES, prices=PRICES, **(settings or {})).extended(
        profiles=("mine",), accelerators=discover(cluster)
    )
    return schema, Situation(Fleet(cluster, pods), **more)


def test_each_choice_says_what_is_left_and_what_fits() -> None:
    schema, situation = setup(
        quotas=quotas({"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "1"})
    )
    options = schema.check({})
    sizes = verdicts.sizes(situation, schema, options)
    assert sizes["small"].text == "room for 24 now on 2 nodes (c1, c2)"
    assert sizes["huge"].disabled
    assert sizes["huge"].reason == "No node is that large: the greatest has 12 CPU and 83 GiB of memory."
    found = verdicts.accelerators(situation, schema, options)
    assert (
        found["nvidia-a100"].text
        == "2 of 2 free, room for 2 now on 1 node (a2-highgpu-2g), 3 left in your quota"
    )
    assert found["tpu-v5e-4x4"].disabled
    assert "on 4 machines" in found["tpu-v5e-4x4"].reason


def test_what_is_in_use_is_disabled_with_the_reason_unless_waiting_is_wanted() -> None:
    holder = nodes.pod("x", "a", {"nvidia.com/gpu": "2"}, namespace="mine")
    schema, situation = setup(holder)
    verdict = verdicts.accelerators(situation, schema, schema.check({}))["nvidia-a100"]
    assert (verdict.disabled, verdict.level) == (True, "busy")
    assert verdict.reason == "1 node has this accelerator; all 2 are in use, 2 by your own profile."
    patient, situation = setup(holder, settings={"when_busy": "wait"})
    assert not verdicts.accelerators(situation, patient, patient.check({}))["nvidia-a100"].disabled


def test_a_choice_that_goes_with_another_stays_open_and_says_so() -> None:
    filler = nodes.pod("x", "a", {"cpu": "6", "memory": "30Gi"})
    schema, situation = setup(filler)
    options = schema.check({"size": "large", "accelerator": "nvidia-a100"})
    by_size = verdicts.sizes(situation, schema, options)
    by_kind = verdicts.accelerators(situation, schema, options)
    assert not by_size["small"].disabled
    assert not by_size["large"].disabled
    assert by_size["large"].reason.startswith("Not with NVIDIA A100, 40 GiB: ")
    assert not by_kind["nvidia-a100"].disabled
    assert by_kind["nvidia-a100"].reason.startswith(
        "Not with the size large: No node with this accelerator has that much left"
    )
    assert situation.judge(schema, options).disabled


def test_each_number_is_judged() -> None:
    schema, situation = setup(nodes.pod("x", "a", {"nvidia.com/gpu": "1"}))
    found = verdicts.counts(situation, schema, schema.check({"accelerator": "nvidia-a100"}))
    assert [(number, verdict.disabled) for number, verdict in found.items()] == [("1", False), ("2", True)]


@pytest.mark.parametrize(
    ("hard", "used", "reason"),
    [
        ({"requests.cpu": "4"}, {"requests.cpu": "3500m"},
         "It needs 1 CPU; the quota kf-resource-quota of this profile has 0.5 CPU of 4 CPU left."),
        ({"cpu": "4"}, {"cpu": "5"}, "It needs 1 CPU; the quota kf-resource-quota of this profile has 0 CPU of 4 CPU left."),
        ({"requests.memory": "3Gi"}, {"requests.memory": "2Gi"},
         "It needs 2 GiB of memory; the quota kf-resource-quota of this profile has 1 GiB of 3 GiB left."),
        ({"limits.memory": "1Gi"}, {}, "It needs 2 GiB of memory as limit; the quota kf-resource-quota of this profile has 1 GiB of 1 GiB left."),
        ({"pods": "3"}, {"pods": "3"}, "It needs a pod; the quota kf-resource-quota of this profile has 0 of 3 left."),
        ({"requests.storage": "5Gi"}, {}, "It needs 10 GiB of storage; the quota kf-resource-quota of this profile has 5 GiB of 5 GiB left."),
        ({"persistentvolumeclaims": "1"}, {"persistentvolumeclaims": "1"},
         "It needs a volume; the quota kf-resource-quota of this profile has 0 of 1 left."),
    ],
)  # fmt: skip
def test_a_quota_refuses_before_the_api_server_does(
    hard: dict[str, str], used: dict[str, str], reason: str
) -> None:
    schema, situation = setup(quotas=quotas(hard, used))
    verdict = situation.judge(schema, schema.check({}))
    assert (verdict.level, verdict.disabled, verdict.reason) == ("quota", True, reason)
    with pytest.raises(Refused) as refused:
        recheck(situation, schema, schema.check({}))
    assert refused.value.status == 409
    assert reason in refused.value.message


def test_the_quota_of_an_extended_resource_counts_by_its_requests_key_only() -> None:
    schema, situation = setup(quotas=quotas({"nvidia.com/gpu": "0", "requests.nvidia.com/gpu": "2"}))
    gpu = schema.check({"accelerator": "nvidia-a100"})
    assert situation.judge(schema, gpu).level == "fits"
    schema, situation = setup(
        quotas=quotas({"requests.nvidia.com/gpu": "1"}, {"requests.nvidia.com/gpu": "1"})
    )
    assert situation.judge(schema, gpu).reason == (
        "It needs 1 of nvidia.com/gpu; the quota kf-resource-quota of this profile has 0 of 1 left."
    )


def test_quotas_of_other_pods_do_not_count() -> None:
    for spec in ({"scopes": ["Terminating"]}, {"scopes": ["BestEffort"]},
                 {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}):  # fmt: skip
        assert quotas({"pods": "0"}, **spec) == []
    assert quotas({"pods": "0"}, scopes=["NotTerminating"])


def test_a_quota_on_limits_wants_a_limit() -> None:
    sizes = [{"key": "s", "cpu": "1", "memory": "1Gi", "cpu_limit": "none"}]
    schema = configure(sizes=sizes)
    verdict = Situation(quotas=quotas({"limits.cpu": "8"})).judge(schema, schema.check({}))
    assert (
        verdict.reason
        == "The quota kf-resource-quota wants limits.cpu said, and this size has no such limit."
    )


def test_limit_ranges_refuse_too() -> None:
    schema = configure(sizes=SIZES)
    rule = {
        "metadata": {"name": "lr"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}, "min": {"cpu": "100m"}}]},
    }
    verdict = Situation(limit_ranges=[rule]).judge(schema, schema.check({}))
    assert verdict.reason == "The limit range lr allows at most 1 GiB in one server."


def test_what_nobody_may_know_is_not_claimed() -> None:
    schema, _ = setup()
    verdict = Situation().judge(schema, schema.check({}))
    assert (verdict.level, verdict.text, verdict.disabled) == ("unknown", "", False)


def test_a_home_that_is_there_costs_no_quota() -> None:
    schema, situation = setup(quotas=quotas({"requests.storage": "5Gi"}), new_home=False)
    assert situation.judge(schema, schema.check({})).level == "fits"


def test_what_an_hour_costs() -> None:
    schema, _ = setup()
    assert verdicts.price(schema, schema.check({})) == "about 0.038 € an hour"
    assert (
        verdicts.price(schema, schema.check({"size": "large", "accelerator": "nvidia-a100", "count": 2}))
        == "about 4.69 € an hour"
    )
    assert verdicts.price(configure(), configure().check({})) == ""


def test_images_for_other_makers_say_so() -> None:
    images = [{"key": "any", "reference": "a"}, {"key": "rocm", "reference": "b", "vendors": ["AMD"]}]
    schema, _ = setup(settings={"images": images})
    found = verdicts.images(schema, schema.check({"accelerator": "nvidia-a100"}))
    assert (found["any"].reason, found["rocm"].reason) == (
        "",
        "It is made for AMD, not for NVIDIA A100, 40 GiB.",
    )
