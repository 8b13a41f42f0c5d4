"""What a ClusterQueue has left, by the examples of Kueue's own documentation and by counting."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.form.accelerators import Accelerator
from spawner.form.choices import Image, Size
from spawner.form.kueue import quotas_of
from spawner.form.options import Options
from tests.spawner.form.queues import GPU, cluster_queue, cohort, flavor

REST = {"cpu": ("99", "0"), "memory": ("1Ti", "0")}
A100 = Accelerator("a100", "A100", GPU, "NVIDIA", "A100")


def server(cpu: str = "1", gpus: int = 0, **more: Any) -> Options:
    device = {"accelerator": A100, "count": gpus} if gpus else {}
    return Options("p", Image("i", "i", "i"), Size("s", "S", cpu, "1Gi"), **device, **more)


def left(
    queues: list[dict[str, Any]], name: str, resource: str = "cpu", cohorts: Any = ()
) -> tuple[int, int]:
    found = quotas_of(queues, cohorts)[name].groups[0].flavors[0]
    return int(found.left[resource]), int(found.most[resource])


def test_alone_it_has_what_it_owns() -> None:
    queue = cluster_queue("a", {"spot": {"cpu": ("9", "4"), "memory": ("36Gi", "8Gi")}})
    assert left([queue], "a") == (5, 9)
    found = quotas_of([queue])["a"]
    assert found.judge(server("5")) == ("fits", "")
    level, words = found.judge(server("6"))
    assert (level, words) == (
        "busy",
        "Now 5 CPU of 9 CPU of the flavor spot are left; it waits in the queue until others end.",
    )
    assert found.judge(server("10"))[0] == "never"
    assert "9 CPU of the flavor spot at most, 10 CPU asked for" in found.judge(server("10"))[1]
    assert [(bar["name"], bar["left"], bar["hard"]) for bar in found.bars("interactive")] == [
        ("CPU of queue interactive", "5", "9"), ("Memory of queue interactive", "28 GiB", "36 GiB"),
    ]  # fmt: skip


def test_a_cohort_lends_what_is_not_used() -> None:
    # Kueue, Cluster Queue, "Cohort": team-a 9 and team-b 12; both may use up to 21 between them.
    a = cluster_queue("a", {"f": {"cpu": ("9", "9")}}, "team-ab")
    b = cluster_queue("b", {"f": {"cpu": ("12", "2")}}, "team-ab")
    assert left([a, b], "a") == (10, 21)
    assert left([a, b], "b") == (10, 21)


def test_a_borrowing_limit_and_a_lending_limit() -> None:
    # The same page: with a borrowingLimit of 1, team-a may use up to 10; with a lendingLimit of 1, team-b lends 1.
    b = cluster_queue("b", {"f": {"cpu": ("12", "0")}}, "ab")
    a = cluster_queue("a", {"f": {"cpu": ("9", "0")}}, "ab", {("f", "cpu"): {"borrowingLimit": "1"}})
    assert left([a, b], "a") == (10, 10)
    a = cluster_queue("a", {"f": {"cpu": ("9", "0")}}, "ab")
    b = cluster_queue("b", {"f": {"cpu": ("12", "0")}}, "ab", {("f", "cpu"): {"lendingLimit": "1"}})
    assert left([a, b], "a") == (10, 10)
    assert left([a, b], "b") == (21, 21)
    b = cluster_queue("b", {"f": {"cpu": ("12", "12")}}, "ab", {("f", "cpu"): {"lendingLimit": "1"}})
    assert left([a, b], "a") == (9, 10)


def test_cohorts_are_trees_and_may_have_quota_of_their_own() -> None:
    a = cluster_queue("a", {"f": {"cpu": ("2", "0")}}, "left")
    b = cluster_queue("b", {"f": {"cpu": ("3", "1")}}, "right")
    top = cohort("top")
    top["spec"] = cluster_queue("x", {"f": {"cpu": ("5", "0")}})["spec"] | {"cohortName": ""}
    cohorts = [cohort("left", "top"), cohort("right", "top"), top]
    assert left([a, b], "a", cohorts=cohorts) == (9, 10)
    circle = [cohort("left", "right"), cohort("right", "left")]
    assert left([a, b], "a", cohorts=circle)[0] >= 0  # Kueue stops such cohorts; here it only has to end


def test_the_older_version_names_the_cohort_differently() -> None:
    a, b = (cluster_queue(name, {"f": {"cpu": ("4", "0")}}) for name in "ab")
    for each in (a, b):
        each["spec"]["cohort"] = "old"
    assert left([a, b], "a") == (8, 8)


def test_one_flavor_has_to_have_all_of_a_group() -> None:
    queue = cluster_queue(
        "q",
        {
            "spot": REST | {"cpu": ("8", "8"), GPU: ("4", "0")},
            "fixed": REST | {"cpu": ("8", "0"), GPU: ("4", "3")},
        },
    )
    found = quotas_of([queue])["q"]
    assert found.judge(server(gpus=1)) == ("fits", "")
    assert found.judge(server(gpus=2))[0] == "busy"
    assert found.judge(server(gpus=5))[0] == "never"


def test_flavors_stand_for_nodes() -> None:
    queue = cluster_queue("q", {"a100": REST | {GPU: ("8", "8")}, "t4": REST | {GPU: ("8", "0")}})
    flavors = [
        flavor("a100", {"gpu": "a100"}),
        flavor("t4", {"gpu": "t4"}, nodeTaints=[{"key": "gpu", "value": "t4", "effect": "NoSchedule"}]),
    ]
    found = quotas_of([queue], (), flavors)["q"]
    assert found.judge(server(gpus=1, node_selector={"gpu": "a100"}))[0] == "busy"
    assert found.judge(server(gpus=1, node_selector={"gpu": "h100"}))[0] == "never"
    assert found.judge(server(gpus=1, node_selector={"gpu": "t4"}))[0] == "never"  # its taint
    tolerant = {"node_selector": {"gpu": "t4"}, "tolerations": ((("key", "gpu"), ("operator", "Exists")),)}
    assert found.judge(server(gpus=1, **tolerant)) == ("fits", "")
    assert found.judge(server(gpus=1, node_selector={"zone": "b"}))[0] == "busy"  # no flavor speaks of zones


def test_what_nobody_counts_may_wait_for_ever() -> None:
    found = quotas_of([cluster_queue("q", {"f": {"cpu": ("8", "0"), "memory": ("8Gi", "0")}})])["q"]
    assert found.judge(server()) == ("fits", "")
    assert found.judge(server(gpus=1)) == ("busy", f"Its queue has no quota of {GPU}: it may wait for ever.")


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"stopPolicy": "HoldAndDrain"}},
        {"status": {"conditions": [{"type": "Active", "status": "False", "message": "no flavor f"}]}},
    ],
)
def test_a_queue_that_is_stopped_says_so(change: dict[str, Any]) -> None:
    queue = cluster_queue("q", {"f": {"cpu": ("8", "0")}})
    for part, more in change.items():
        queue[part] |= more
    level, words = quotas_of([queue])["q"].judge(server())
    assert level == "busy"
    assert "stopped" in words or "not active" in words


amount = st.integers(0, 20)


@given(st.lists(st.tuples(amount, amount, st.none() | amount, st.none() | amount), min_size=1, max_size=5))
def test_nobody_has_more_left_than_there_can_be(rows: list[Any]) -> None:
    """By counting: what is left for one is never more than the cohort's quota less what all use, or what it ever gets."""
    queues = []
    for number, (owned, used, borrow, lend) in enumerate(rows):
        limits = {
            key: str(value)
            for key, value in (("borrowingLimit", borrow), ("lendingLimit", lend))
            if value is not None
        }
        queues.append(
            cluster_queue(
                f"q{number}", {"f": {"cpu": (str(owned), str(min(used, owned)))}}, "c", {("f", "cpu"): limits}
            )
        )
    total = sum(row[0] for row in rows) - sum(min(row[0], row[1]) for row in rows)
    for number, (owned, used, borrow, _) in enumerate(rows):
        free, most = left(queues, f"q{number}")
        assert owned - min(used, owned) <= free <= total
        assert free <= most - min(used, owned)
        if borrow is not None:
            assert most <= owned + borrow


def test_what_is_no_quantity_is_nothing() -> None:
    queue = cluster_queue("q", {"f": {"cpu": ("many", "1")}})
    assert left([queue], "q")[1] == 0
    assert quotas_of([{"metadata": {"name": "empty"}}])["empty"].judge(server())[0] == "busy"
