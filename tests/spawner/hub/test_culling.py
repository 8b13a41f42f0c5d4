"""When a server counts as idle: a table, and what holds for all facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.hub.culling import Facts, Kernel, Rule, decide, facts_of, span
from spawner.moments import moment

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RULE = Rule(timedelta(minutes=60), timedelta(minutes=30), timedelta(minutes=10))


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def facts(idle: float, **more: object) -> Facts:
    """A server that was started yesterday, and in which something happened so many minutes ago."""
    return replace(Facts(ago(24 * 60), ago(idle), (), ()), **more)  # type: ignore[arg-type]


TABLE = [
    ("in use", facts(0), RULE, "keep", "In use."),
    ("idle for a while", facts(30), RULE, "keep", "Idle for 30 min."),
    ("soon", facts(55), RULE, "warn", "It has been idle for 55 min. It is stopped in 5 min."),
    ("now", facts(60), RULE, "stop", "Nothing happened in it for 60 min."),
    ("a silent cell of eight hours", facts(480, kernels=(Kernel(ago(480), busy=True),)), RULE, "keep", "A cell is running."),
    ("a kernel that waits", facts(480, kernels=(Kernel(ago(480)),)), RULE, "stop", "Nothing happened in it for 8 h."),
    ("somebody in a terminal", facts(480, terminals=(Kernel(ago(5)),)), RULE, "keep", "Idle for 5 min."),
    ("a GPU that computes", facts(480, has_gpu=True, gpu_utilisation=0.4), RULE, "keep", "Its GPU is 40% busy."),
    ("a GPU that is held", facts(31, has_gpu=True, gpu_utilisation=0.0), RULE, "stop", "Nothing happened in it for 31 min."),
    ("soon, with a GPU", facts(25, has_gpu=True), RULE, "warn", "It has been idle for 25 min and holds a GPU. It is stopped in 5 min."),
    ("an open page is no work", facts(70, connections=3), RULE, "stop", "Nothing happened in it for 70 min."),
    ("unless the Hub says so", facts(70, connections=3), replace(RULE, open_pages_work=True), "keep", "It is open in a browser."),
    ("kept by its user", facts(70, kept_until=ago(-20)), RULE, "keep", "You said that you need it."),
    ("kept until an hour ago", facts(70, kept_until=ago(60)), RULE, "stop", "Nothing happened in it for 70 min."),
    ("a size that is never stopped", facts(9999), RULE.of_size(0), "keep", "It is not stopped when it is idle."),
    ("a size with its own time", facts(9), RULE.of_size(15), "warn", "It has been idle for 9 min. It is stopped in 6 min."),
    ("a size without", facts(9), RULE.of_size(None), "keep", "Idle for 9 min."),
    ("no answer", facts(480, kernels=None, answers=False), RULE, "keep", "It does not answer, so nobody knows whether it works."),
    ("not asked", facts(480, kernels=None), RULE, "stop", "Nothing happened in it for 8 h."),
    ("busy for ever", facts(480, kernels=(Kernel(ago(480), busy=True),)), replace(RULE, busy_for=timedelta(hours=4)), "stop",
     "Nothing happened in it for 8 h."),
    ("too old", facts(0), replace(RULE, max_age=timedelta(hours=24)), "stop", "It has run for 24 h, the longest that is allowed here."),
    ("too old soon", facts(0), replace(RULE, max_age=timedelta(hours=24, minutes=4)), "warn",
     "It is stopped in 4 min: nothing may run for more than 24 h here. Save your work."),
    ("keep does not help against age", facts(0, kept_until=ago(-20)), replace(RULE, max_age=timedelta(hours=24)), "stop",
     "It has run for 24 h, the longest that is allowed here."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "rule", "action", "words"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_becomes_of_a_server(found: Facts, rule: Rule, action: str, words: str) -> None:
    """The decision, and how it is told."""
    verdict = decide(found, rule, NOW)
    assert (verdict.action, verdict.words) == (action, words)


MINUTES = st.floats(0, 10_000, allow_nan=False)
KERNELS = st.lists(st.builds(lambda m, b: Kernel(ago(m), b), MINUTES, st.booleans()), max_size=4).map(tuple)
ANY = st.builds(
    Facts, MINUTES.map(ago), st.none() | MINUTES.map(ago), st.none() | KERNELS, st.none() | KERNELS, st.none() | st.integers(0, 5),
    st.booleans(), st.none() | st.floats(0, 1), st.none() | MINUTES.map(ago), st.booleans(),
)  # fmt: skip
RULES = st.builds(
    Rule, st.integers(0, 500).map(lambda m: timedelta(minutes=m)), st.none() | st.integers(0, 500).map(lambda m: timedelta(minutes=m)),
    st.integers(0, 60).map(lambda m: timedelta(minutes=m)),
)  # fmt: skip


@given(ANY, RULES)
def test_work_is_never_stopped(found: Facts, rule: Rule) -> None:
    """Whatever else is known: a busy kernel or GPU, and something newer than the rule's time, protect; a time is told with each end."""
    verdict = decide(found, rule, NOW)
    if any(kernel.busy for kernel in found.kernels or ()) or (found.gpu_utilisation or 0) >= rule.gpu_working:
        assert verdict.action == "keep"
    if verdict.action != "keep":
        assert verdict.stops_at is not None
        assert verdict.idle_since is not None
        assert verdict.words.endswith(".")
    if verdict.action == "stop":
        limit = rule.gpu_idle if found.has_gpu and rule.gpu_idle is not None else rule.idle
        assert NOW - verdict.idle_since >= limit > timedelta(0)


@given(ANY, RULES, st.integers(0, 120))
def test_the_warning_comes_first(found: Facts, rule: Rule, later: int) -> None:
    """As time goes on nothing that was to stop is kept again."""
    order = {"keep": 0, "warn": 1, "stop": 2}
    found = replace(found, kept_until=None)
    first, second = decide(found, rule, NOW), decide(found, rule, NOW + timedelta(minutes=later))
    assert order[first.action] <= order[second.action]


@given(st.text(max_size=60) | st.none() | st.integers())
def test_times_of_others_are_read_or_left(text: object) -> None:
    """What is no time is none, and what is one knows its zone."""
    found = moment(text)
    assert found is None or found.tzinfo is not None


def test_facts_of_what_servers_answer() -> None:
    """As JupyterHub and Jupyter Server write them; what is missing is not known, what is malformed is left out."""
    model = {"started": "2026-05-04T10:00:00.123456Z", "last_activity": "2026-05-04T11:00:00Z", "ready": True}
    kernels = [
        {"last_activity": "2026-05-04T11:30:00Z", "execution_state": "busy", "name": "python3"},
        {"x": 1},
        "?",
    ]
    found = facts_of(model, kernels, None, {"connections": 2})
    assert found is not None
    assert found.kernels == (Kernel(datetime(2026, 5, 4, 11, 30, tzinfo=UTC), True, "python3"),)
    assert (found.terminals, found.connections) == (None, 2)
    assert facts_of({**model, "ready": False}, [], [], {}) is None
    assert facts_of({"ready": True}, [], [], {}) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7200, "2 h"), (400_000, "5 days")],
)
def test_spans(seconds: int, words: str) -> None:
    """Rounded to what matters."""
    assert span(timedelta(seconds=seconds)) == words
