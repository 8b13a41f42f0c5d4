"""Schedules: times, processes that come back, runs that are made once."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import pytest

from jupyter_ext.cluster.local import LocalCluster, locks, schedule
from jupyter_ext.errors import Conflict, Invalid, NotFound
from jupyter_ext.pipelines import recurring
from tests.pipelines.runs.notebooks import SECONDS, Write

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("0 6 * * 1-5", "UTC", "2026-03-03T06:00:00+00:00"),
        ("0 0 6 * * ?", "UTC", "2026-03-03T06:00:00+00:00"),
        ("*/15 * * * *", "UTC", "2026-03-02T12:15:00+00:00"),
        ("0 14 * * *", "Europe/Berlin", "2026-03-02T14:00:00+01:00"),
    ],
)
def test_times(cron: str, zone: str, expected: str) -> None:
    assert next(schedule.times(cron, zone, NOON)).isoformat() == expected


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("* * *", "UTC", "five fields"),
        ("61 * * * *", "UTC", "61"),
        ("30 0 6 * * *", "UTC", "Seconds"),
        ("0 6 * * *", "Mars/Base", "Mars/Base"),
    ],
)
def test_bad_times_are_one_sentence(cron: str, zone: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        schedule.times(cron, zone, NOON)


def test_a_schedule_survives_its_process_and_can_be_paused(write: Write, cluster: LocalCluster) -> None:
    made = recurring.schedule(write("# A", "x = 1"), "0 6 * * *", name="nightly", timezone="UTC")
    try:
        with pytest.raises(Conflict):
            recurring.schedule(write("# A", "x = 1"), "0 6 * * *", name="nightly")
        first = _holder(cluster, made.uid)
        os.kill(first, signal.SIGKILL)
        time.sleep(0.2)
        recurring.tick(cluster)
        assert _holder(cluster, made.uid, other=first) != first
        assert _eventually(cluster, "nextTime")
        recurring.schedule_set("nightly", enabled=False)
        deadline = time.monotonic() + SECONDS
        while cluster.get("RecurringRun", "nightly").phase != "PAUSED" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert cluster.get("RecurringRun", "nightly").phase == "PAUSED"
        assert recurring.schedule_run("nightly").wait(SECONDS).state == "SUCCEEDED"
    finally:
        recurring.schedule_delete("nightly")
    with pytest.raises(NotFound):
        cluster.get("RecurringRun", "nightly")


def test_a_due_time_makes_one_run(write: Write, cluster: LocalCluster) -> None:
    made = recurring.schedule(write("# A", "x = 1"), "0 6 * * *", name="daily", timezone="UTC", enabled=False)
    try:
        found = cluster.get("RecurringRun", made.name)
        one = recurring._fire(cluster, found, NOON)
        two = recurring._fire(cluster, found, NOON)
        assert one.name == two.name
        one.wait(SECONDS)
    finally:
        recurring.schedule_delete("daily")


def _eventually(cluster: LocalCluster, field: str) -> object:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        value = cluster.get("RecurringRun", "nightly").status.get(field)
        if value:
            return value
        time.sleep(0.05)
    return None


def _holder(cluster: LocalCluster, uid: str, other: int = 0) -> int:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        pid = locks.holder(cluster.lock_path(uid))
        if pid and pid != other:
            return pid
        time.sleep(0.02)
    raise AssertionError("the schedule has no process")
