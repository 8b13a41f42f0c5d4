from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.serving import outcomes, rules
from jupyter_ext.serving.rule import Bound, Group, Limit, Misread, Rule
from jupyter_ext.serving.traffic import Batch

UID = "e-1"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            "roll back if errors > 2 % or p99 > 200 ms over 5 minutes",
            "roll back if errors > 2 % or p99 > 200 ms over 5 minutes",
        ),
        ("errors>2%", "roll back if errors > 2 % over 1 minute"),
        ("Rollback when Error Rate above 2 percent", "roll back if errors > 2 % over 1 minute"),
        ("p99 > 1.5x stable", "roll back if p99 > 1.5x stable over 1 minute"),
        ("p99 > 1.5 times stable for 90 s", "roll back if p99 > 1.5x stable over 90 seconds"),
        ("errors > stable", "roll back if errors > 1x stable over 1 minute"),
        ("errors > 10 in the last hour", "roll back if errors > 10 over 1 hour"),
        ("rate < 5 per minute for variant v2", "roll back if rate < 5/min over 1 minute for v2"),
        ("p50 >= .5s", "roll back if p50 >= 0.5 s over 1 minute"),
        ("clicked < 3 % over 2 h with at least 500 requests", None),
        ("score < -1.5", "roll back if score < -1.5 over 1 minute"),
        ("(errors > 1 % or p95 > 1 s) and rate > 3", None),
        ("errors > 1 % or p95 > 1 s and rate > 3/s", None),
        ("`error` > 3", "roll back if `error` > 3 over 1 minute"),
        (
            "p99.9 > 3 s, at least 5 requests",
            "roll back if p99.9 > 3 s over 1 minute with at least 5 requests",
        ),
    ],
)
def test_what_people_write_is_read(text, plain):
    rule = rules.parse(text)
    assert rules.parse(str(rule)) == rule
    if plain:
        assert str(rule) == plain


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("", 0, "the end where errors, rejected"),
        ("roll back", 9, "where if is needed"),
        ("roll back if", 12, "the end where errors"),
        ("errors", 6, "one of > >= < <="),
        ("errors > ", 9, "a number"),
        ("p99 > 200", 9, "ms or s"),
        ("p99 > 200 over 5 minutes", 10, "ms or s"),
        ("errors > 2 % over 5", 19, "a time"),
        ("errors > 2 % over 5 days", 20, "a time"),
        ("errors > 2 % over 48 hours", 21, "24 hours"),
        ("errors > 2 % 3", 13, "and, or, over"),
        ("errors > 2 % over 5 s over 6 s", 22, "or the end"),
        ("erors > 2 %", 0, "Is it errors"),
        ("latency > 2", 0, "Is it p95"),
        ("errors > 2x", 11, "stable"),
        ("errors > 2 $", 11, "not understood"),
        ("(errors > 2 %", 13, "closing parenthesis"),
        ("errors > 2 % with at least 2.5 requests", 27, "whole number"),
        ("errors > 1e999", 9, "smaller number"),
        ("p0 > 1 s", 0, "above p0"),
        ("errors > 2 % for stable", 17, "name of a variant"),
        ("(" * 30 + "errors > 1", 6, "too long or too deep"),
        (" or ".join(["errors > 1"] * 30), 280, "too long or too deep"),
        ("x" * 600, 500, "600 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text, at, said):
    with pytest.raises(Invalid, match=said) as caught:
        rules.parse(text)
    assert isinstance(caught.value, Misread)
    assert caught.value.position == at
    assert caught.value.where.field == "rules"


numbers = st.floats(0, 1e12, allow_nan=False).map(lambda number: round(number, 6))
names = st.from_regex(r"[a-z_][a-z0-9_.-]{0,20}", fullmatch=True)


@st.composite
def bounds(draw):
    metric = draw(st.sampled_from(["errors", "rejected", "rate", "p50", "p99", "p99.9"]) | names)
    test = Bound(metric, ">", Limit(0))
    unit = draw(
        st.sampled_from(
            ["ms", "s", "x stable"]
            if test.quantile
            else ["/s", "/min", "x stable"]
            if metric == "rate"
            else ["", "%", "x stable"]
        )
    )
    return Bound(metric, draw(st.sampled_from([">", ">=", "<", "<="])), Limit(draw(numbers), unit))


def grouped(inner):
    return st.builds(
        Group, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)
    )


conditions = st.recursive(bounds(), grouped, max_leaves=6)
times = st.integers(1, 86_400).map(float) | st.floats(1, 86_400).map(lambda number: round(number, 3))


@settings(deadline=None)
@given(st.builds(Rule, conditions, times, st.none() | names, st.integers(1, 10**9)))
def test_a_rule_is_the_same_after_being_written_and_read(rule):
    text = str(rule)
    try:
        found = rules.parse(text)
    except Misread as error:
        assert "too long" in error.what or "characters" in error.what  # noqa: PT017
        return
    assert str(found) == text
    assert found.condition == rule.condition
    assert found.seconds == pytest.approx(rule.seconds)


@settings(deadline=None)
@given(st.text(max_size=80) | st.text("erosp9()%<>=`orand 12.x stable", max_size=60))
def test_any_text_is_a_rule_or_is_refused_with_a_place_in_it(text):
    try:
        rule = rules.parse(text)
    except Misread as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017
    else:
        assert str(rules.parse(str(rule))) == str(rule)


def test_few_requests_are_waited_for(traffic, went, now):

    went("v2", 19, errors=19)
    found = rules.look(rules.parse("errors > 2 %"), traffic, UID, "v2", now)
    assert found.state == "waiting"
    assert found.reason == "v2 has 19 of at least 20 requests."
    went("v2", 1)
    found = rules.look(rules.parse("errors > 2 %"), traffic, UID, "v2", now)
    assert found.state == "breached"
    assert found.breach.sentence == "v2: 95 % of 20 requests failed, more than 2 % (within 1 minute)"
    assert found.to_dict()["value"] == "errors 95 %"


def test_only_the_time_of_the_rule_and_of_the_variant_counts(traffic, went, now):

    went("v2", 100, errors=100, ago=90)
    went("v2", 100, ago=10)
    rule = rules.parse("errors > 10 % over 2 minutes")
    assert rules.check(rules.parse("errors > 10 % over 1 minute"), traffic, UID, "v2", now) is None
    assert rules.check(rule, traffic, UID, "v2", now) is not None
    assert rules.check(rule, traffic, UID, "v2", now, since=now - 30) is None
    assert rules.check(rules.parse("errors > 10 % over 2 minutes for v3"), traffic, UID, "v2", now) is None
    assert rules.check(rule, traffic, UID, "v1", now) is None


def test_times_and_the_stable_variant(traffic, went, now):

    went("v1", 100, seconds=0.1)
    went("v2", 100, seconds=0.3)
    assert rules.check(rules.parse("p99 > 200 ms"), traffic, UID, "v2", now).sentence == (
        "v2: p99 was 300 ms over 100 requests, more than 200 ms (within 1 minute)"
    )
    breach = rules.check(rules.parse("p95 > 2x stable"), traffic, UID, "v2", now, stable="v1")
    assert "more than 2 times the 100 ms of v1" in breach.sentence
    assert rules.check(rules.parse("p95 > 4x stable"), traffic, UID, "v2", now, stable="v1") is None
    waiting = rules.look(rules.parse("p95 > 2x stable"), traffic, UID, "v1", now, stable="v1")
    assert waiting.state == "waiting"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("errors > 50 % or p99 > 200 ms", "breached"),
        ("errors > 50 % and p99 > 200 ms", "ok"),
        ("errors > 1 % and p99 > 200 ms", "breached"),
        ("clicked < 3 % or p99 > 200 ms", "breached"),
        ("clicked < 3 % and p99 > 200 ms", "waiting"),
        ("clicked < 3 % and p99 > 900 ms", "ok"),
        ("rejected > 5", "ok"),
        ("errors >= 5", "breached"),
        ("rate > 1/s", "breached"),
        ("rate > 100/s", "ok"),
        ("p99 > 200 ms with at least 101 requests", "waiting"),
    ],
)
def test_tests_are_joined_and_what_is_not_known_decides_nothing(traffic, went, now, text, state):

    went("v2", 100, errors=5, seconds=0.3)
    assert rules.look(rules.parse(text), traffic, UID, "v2", now).state == state


def test_an_outcome_breaks_a_rule(traffic, went, now):
    import time

    traffic.write(Batch(served=[(UID, f"r{i}", "v2", None, 1.0) for i in range(30)]))
    for i in range(30):
        outcomes.give(traffic, UID, f"r{i}", {"clicked": i == 0})
    found = rules.check(rules.parse("clicked < 5 % over 24 hours"), traffic, UID, "v2", time.time() + 1)
    assert found.sentence == "v2: clicked was 3.33 % over 30 values, less than 5 % (within 24 hours)"


def test_a_day_is_looked_at_by_minutes(traffic, went, now):

    went("v2", 100, errors=50, ago=7200)
    assert rules.check(rules.parse("errors > 10 % over 24 hours"), traffic, UID, "v2", now) is not None
