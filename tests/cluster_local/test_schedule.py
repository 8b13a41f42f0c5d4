"""Times of schedules, and what a schedule does when one is due; the schedules of notebooks and of Spark are elsewhere."""

# ruff: noqa: ARG002 - what a fake is asked is the base's to say

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.local import LocalCluster, schedule
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Counted(schedule.Schedule):
    """One that starts runs which go on for as long as nobody ends them."""

    kind = "RecurringRun"

    def __init__(self, **terms):
        self._terms = terms
        self.fired: list[datetime] = []
        self.running: list[Resource] = []

    def terms(self, found):
        return schedule.Terms(**{"expression": found.spec["cron"], "timezone": "UTC", **self._terms})

    def active(self, cluster, found):
        return list(self.running)

    def fire(self, cluster, found, due):
        if self._terms.get("expression") == "@hourly":
            raise Conflict("there is no room")
        self.fired.append(due)
        self.running.append(Resource.new("Run", f"run-{len(self.fired)}"))
        return self.running[-1].name

    def end(self, cluster, running):
        self.running.remove(running)


@pytest.fixture
def cluster(tmp_path) -> LocalCluster:
    return LocalCluster(tmp_path / "kubeflow")


def put(cluster: LocalCluster, cron: str) -> Resource:
    status = {"lastTime": schedule.text(NOON)}
    return cluster.store.create(Resource.new("RecurringRun", "nightly", {"cron": cron}, status=status))


def looked(kind: Counted, cluster: LocalCluster, after: timedelta) -> Resource:
    schedule.look(kind, cluster, cluster.get("RecurringRun", "nightly"), NOON + after)
    return cluster.get("RecurringRun", "nightly")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@daily", "2026-03-03T00:00:00+00:00"),
        ("@hourly", "2026-03-02T13:00:00+00:00"),
        ("@every 90m", "2026-03-02T13:30:00+00:00"),
        ("@every 1h0m30s", "2026-03-02T13:00:30+00:00"),
        ("0 6 * * 1-5", "2026-03-03T06:00:00+00:00"),
    ],
)
def test_times(text, expected):
    assert next(schedule.times(text, "UTC", NOON)).isoformat() == expected


@pytest.mark.parametrize(
    "text", ["@often", "@every", "@every soon", "@every 1", "@every 100ms", "@every 999999h", "", "1 2 3"]
)
def test_what_is_no_schedule_is_said(text):
    with pytest.raises(Invalid, match=r"no schedule|no time between|five fields"):
        schedule.times(text, "UTC", NOON)


@given(hours=st.integers(0, 99), minutes=st.integers(0, 99), seconds=st.integers(1, 999))
def test_every_means_what_it_says(hours, minutes, seconds):
    step = schedule.every(f"@every {hours}h{minutes}m{seconds}s")
    assert step == timedelta(hours=hours, minutes=minutes, seconds=seconds)
    first, second = islice(schedule.times(f"@every {hours}h{minutes}m{seconds}s", "UTC", NOON), 2)
    assert first - NOON == second - first == step


@given(st.text(max_size=30))
def test_any_text_is_a_schedule_or_refused(text):
    with suppress(Invalid):
        assert schedule.first(text, "UTC", NOON) > NOON


def test_a_time_that_never_comes_is_refused():
    with pytest.raises(Invalid, match=r"no schedule|never comes"):
        schedule.first("0 0 31 2 *", "UTC", NOON)


def test_a_due_time_starts_one_and_the_next_is_told(cluster):
    put(cluster, "0 * * * *")
    kind = Counted(at_once=None)
    assert looked(kind, cluster, timedelta(minutes=1)).status["nextTime"].startswith("2026-03-02T13:00:00")
    found = looked(kind, cluster, timedelta(minutes=61))
    assert kind.fired == [NOON + timedelta(hours=1)]
    assert found.status["started"] == "run-1"
    assert looked(kind, cluster, timedelta(minutes=62)).reason == "1 running."
    assert len(kind.fired) == 1


@pytest.mark.parametrize("cron", ["0 * * * *", "@every 1h"])
def test_of_missed_times_the_latest_is_made_up(cluster, cron):
    put(cluster, cron)
    kind = Counted(at_once=None)
    looked(kind, cluster, timedelta(hours=5, minutes=1))
    assert kind.fired == [NOON + timedelta(hours=5)]


def test_all_missed_times_with_catchup(cluster):
    put(cluster, "0 * * * *")
    kind = Counted(at_once=None, catchup=True)
    for _ in range(4):
        looked(kind, cluster, timedelta(hours=3, minutes=1))
    assert kind.fired == [NOON + timedelta(hours=hour) for hour in (1, 2, 3)]


def test_one_that_still_runs_holds_back_or_is_replaced(cluster):
    put(cluster, "0 * * * *")
    kind = Counted()
    looked(kind, cluster, timedelta(minutes=61))
    assert "run-1 is still running" in looked(kind, cluster, timedelta(minutes=121)).reason
    assert len(kind.fired) == 1
    kind._terms["replaces"] = True
    looked(kind, cluster, timedelta(minutes=122))
    assert [each.name for each in kind.running] == ["run-2"]


def test_a_paused_one_starts_nothing_and_leaves_out_what_it_missed(cluster):
    put(cluster, "0 * * * *")
    kind = Counted(enabled=False)
    assert looked(kind, cluster, timedelta(hours=9)).phase == "PAUSED"
    assert not kind.fired


def test_a_refused_run_is_told_and_the_schedule_goes_on(cluster):
    put(cluster, "0 * * * *")
    kind = Counted(expression="@hourly")
    found = looked(kind, cluster, timedelta(minutes=61))
    assert found.phase == "RUNNING"
    assert "there is no room" in found.reason
    assert "there is no room" in found.status["lastError"]
