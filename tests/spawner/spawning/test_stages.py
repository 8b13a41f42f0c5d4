from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.starts.stages import NAMES, current, event_time, stages
from tests.spawner.spawning.objects_seen import condition, event, pod, unschedulable


def at(second: int) -> str:
    return f"2026-11-22T10:00:{second:02d}Z"


SCHEDULED = condition("PodScheduled", at(1))
STARTED = {"startTime": at(2)}
PULL = [event("Pulling", at=at(3))]


@pytest.mark.parametrize(
    ("seen", "events", "now", "state"),
    [
        (None, [], "queued", "running"),
        (pod(conditions=[unschedulable("no")]), [], "queued", "running"),
        (pod(node="n", conditions=[SCHEDULED]), [], "scheduled", "running"),
        (pod(node="n", conditions=[SCHEDULED], status=STARTED), [], "mounting", "running"),
        (
            pod(node="n", conditions=[SCHEDULED], status=STARTED),
            [event("FailedMount", at=at(3), kind="Warning")],
            "mounting",
            "failed",
        ),
        (pod(node="n", conditions=[SCHEDULED], status=STARTED), PULL, "pulling", "running"),
        (
            pod(node="n", conditions=[SCHEDULED], status=STARTED, waiting={"reason": "ErrImagePull"}),
            PULL,
            "pulling",
            "failed",
        ),
        (
            pod(node="n", conditions=[SCHEDULED], status=STARTED),
            [*PULL, event("Pulled", at=at(4)), event("Created", at=at(5))],
            "starting",
            "running",
        ),
        (
            pod(node="n", phase="Running", conditions=[SCHEDULED], status=STARTED, ready=True),
            PULL,
            "checking",
            "running",
        ),
    ],
)
def test_where_a_start_is(seen, events, now, state):
    found = stages(seen, events)
    assert tuple(stage.name for stage in found) == NAMES
    assert (current(found).name, current(found).state) == (now, state)
    assert all(stage.state == "done" for stage in found[: NAMES.index(now)])
    assert all(stage.state == "waiting" for stage in found[NAMES.index(now) + 1 :])


def test_times_add_up():
    seen = pod(node="gpu-1", phase="Running", conditions=[SCHEDULED], status=STARTED, ready=True)
    events = [event("Pulling", at=at(3)), event("Created", at=at(7))]
    found = stages(seen, events, answered=datetime(2026, 11, 22, 10, 0, 12, tzinfo=UTC))
    assert [stage.seconds for stage in found] == [1, 1, 1, 4, 2, 3]
    assert found[1].words == "On node gpu-1."
    assert {stage.state for stage in found} == {"done"}


def test_a_pod_that_runs_at_once_has_no_gap():
    found = stages(pod(node="kwok", phase="Running", conditions=[SCHEDULED], ready=True))
    assert [stage.state for stage in found] == ["done"] * 5 + ["running"]
    assert all(stage.started is not None for stage in found)


def test_an_event_without_any_time_is_the_oldest():
    assert event_time({"reason": "x", "lastTimestamp": None, "eventTime": None}).year == 1


moments = st.sampled_from([None, "", "nonsense", at(1), at(30), at(59), "2026-11-22T10:00:05.123456Z"])


@given(
    st.lists(
        st.tuples(st.sampled_from(["Pulling", "Pulled", "Created", "FailedMount"]), moments), max_size=8
    ),
    moments,
    moments,
    st.sampled_from(["Pending", "Running", "Failed", "Succeeded", "Unknown"]),
)
def test_stages_never_go_back(events, scheduled, started, phase):
    seen = pod(
        node="n",
        phase=phase,
        conditions=[condition("PodScheduled", scheduled)],
        status={"startTime": started},
    )
    found = stages(seen, [event(reason, at=when) for reason, when in events])
    order = {"done": 0, "running": 1, "failed": 1, "waiting": 2}
    ranks = [order[stage.state] for stage in found]
    assert ranks == sorted(ranks)
    assert ranks.count(1) <= 1
    known = [time for stage in found for time in (stage.started, stage.ended) if time is not None]
    assert known == sorted(known)
