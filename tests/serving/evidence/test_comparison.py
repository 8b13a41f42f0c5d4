from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from jupyter_ext.errors import Invalid, NotFound
from jupyter_ext.serving import outcomes
from jupyter_ext.serving.comparison import compare
from jupyter_ext.serving.traffic import Batch, Traffic

UID = "e-1"


def posted(traffic: Traffic, variant: str, name: str, values, users=None) -> None:
    """Feedback for one request each, as the gateway and the verb write it."""
    served = []
    for at, _ in enumerate(values):
        unit = None if users is None else users[at]
        served.append((UID, f"{variant}-{name}-{at}", variant, unit, 1.0))
    traffic.write(Batch(served=served))
    for at, value in enumerate(values):
        outcomes.give(traffic, UID, f"{variant}-{name}-{at}", {name: value})


def test_without_traffic_it_says_so(traffic):
    found = compare(traffic, UID, ["v1", "v2"])
    assert found.verdict == "No requests yet, so there is nothing to compare."
    assert not found.enough
    assert found.to_dict()["rows"][0]["p50"] is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_one_variant_is_not_compared(traffic, went):
    went("v1", 10)
    assert (
        compare(traffic, UID, ["v1"]).verdict
        == "There is only v1: put another variant beside it to compare them."
    )


def test_a_variant_without_requests_is_named(traffic, went):
    went("v1", 100)
    assert compare(traffic, UID, ["v1", "v2"]).verdict == "Nothing can be said of v2: v2 had no requests yet."


def test_what_was_measured_is_in_the_rows(traffic, went):
    went("v1", 900, errors=9, rejected=3, seconds=0.01)
    went("v2", 100, errors=5, seconds=0.02)
    found = compare(traffic, UID, ["v1", "v2"])
    stable, other = found.rows
    assert (stable.requests, stable.errors, stable.rejected) == (900, 9, 3)
    assert other.error_rate == 0.05
    assert other.p50 == pytest.approx(0.02, rel=0.05)
    assert [each.metric for each in found.differences] == ["errors", "p50", "p95", "p99"]
    difference = found.of("v2", "errors")
    assert difference.estimate == pytest.approx(0.04)
    assert difference.interval.low < 0.04 < difference.interval.high


def test_many_more_errors_are_worse_with_enough_evidence(traffic, went):
    went("v1", 5000, errors=10)
    went("v2", 500, errors=60)
    found = compare(traffic, UID, ["v1", "v2"])
    assert found.verdict.startswith("v2 is worse by 12 points (between ")
    assert found.verdict.endswith(" in errors; enough evidence.")
    assert found.enough
    assert found.of("v2").better is False


def test_slower_is_found_and_equal_is_not(traffic, went):
    rng = np.random.default_rng(1)
    went("v1", 4000, seconds=rng.gamma(4, 0.005, 4000))
    went("v2", 4000, seconds=rng.gamma(4, 0.005, 4000))
    went("v3", 4000, seconds=rng.gamma(4, 0.010, 4000))
    found = compare(traffic, UID, ["v1", "v2", "v3"], metric="p50")
    assert found.of("v2").better is None
    assert found.of("v3").better is False
    assert "v3 is worse by " in found.verdict
    assert " ms" in found.verdict


def test_few_requests_say_how_many_are_missing(traffic, went):
    went("v1", 200, errors=4)
    went("v2", 200, errors=14)
    found = compare(traffic, UID, ["v1", "v2"])
    difference = found.of("v2")
    assert not difference.significant
    assert 1 < difference.more < 20
    assert "Not enough evidence that v2 differs from v1 in errors" in found.verdict
    assert "more requests per variant" in found.verdict
    # What was announced is enough.
    times = int(difference.more) + 1
    went("v1", 200 * (times - 1), errors=4 * (times - 1))
    went("v2", 200 * (times - 1), errors=14 * (times - 1))
    assert compare(traffic, UID, ["v1", "v2"]).of("v2").significant


def test_an_outcome_decides_when_there_is_one(traffic, went):
    went("v1", 1000)
    went("v2", 1000)
    rng = np.random.default_rng(2)
    posted(traffic, "v1", "clicked", (rng.random(600) < 0.3).tolist())
    posted(traffic, "v2", "clicked", (rng.random(600) < 0.5).tolist())
    found = compare(traffic, UID, ["v1", "v2"])
    assert found.metric == "clicked"
    assert "v2 is better by 1" in found.verdict
    assert " points in clicked; enough evidence." in found.verdict
    assert found.to_dict()["rows"][1]["outcome"]["n"] == 600
    assert found.of("v2").unit == "share"
    assert found.of("v2", "errors").better is None
    assert compare(traffic, UID, ["v1", "v2"], goal="minimize", metric="clicked").of("v2").better is False


def test_an_outcome_of_which_less_is_better(traffic, went):
    went("v1", 100)
    went("v2", 100)
    rng = np.random.default_rng(3)
    posted(traffic, "v1", "absolute_error", rng.normal(5, 1, 200).tolist())
    posted(traffic, "v2", "absolute_error", rng.normal(4, 1, 200).tolist())
    found = compare(traffic, UID, ["v1", "v2"])
    assert found.of("v2").better is True
    assert found.of("v2").unit == ""


def test_one_users_thousand_clicks_are_one_unit(traffic, went):
    went("v1", 100)
    went("v2", 1000)
    rng = np.random.default_rng(4)
    posted(traffic, "v1", "clicked", (rng.random(100) < 0.3).tolist())
    posted(traffic, "v2", "clicked", [True] * 300, users=["ada"] * 300)
    found = compare(traffic, UID, ["v1", "v2"])
    assert found.rows[1].outcomes["clicked"].count == 1
    posted(traffic, "v1", "liked", [True, False, True], users=["ada", "ada", "bob"])
    assert compare(traffic, UID, ["v1", "v2"]).rows[0].outcomes["liked"].mean == 0.75
    assert compare(traffic, UID, ["v1", "v2"]).to_dict()["rows"][0]["outcomes"]["liked"]["share"] is True
    assert not found.of("v2").significant
    assert "v2 has 1 answer with feedback; it takes at least 20." in found.verdict


def test_a_better_outcome_with_more_errors_is_said_with_a_but(traffic, went):
    went("v1", 5000, errors=5)
    went("v2", 5000, errors=500)
    rng = np.random.default_rng(5)
    posted(traffic, "v1", "clicked", (rng.random(500) < 0.2).tolist())
    posted(traffic, "v2", "clicked", (rng.random(500) < 0.5).tolist())
    assert "But v2 fails more often: errors higher by 9.9 ± " in compare(traffic, UID, ["v1", "v2"]).verdict


def test_repeated_feedback_replaces_and_unknown_requests_are_refused(traffic, went):
    posted(traffic, "v1", "clicked", [True])
    outcomes.give(traffic, UID, "v1-clicked-0", {"clicked": False})
    assert [row.value for row in traffic.outcomes(UID)] == [0.0]
    with pytest.raises(NotFound):
        outcomes.give(traffic, UID, "nobody", {"clicked": True})


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({}, "There is no outcome"),
        ({"clicked": "yes"}, "must be a number"),
        ({"clicked": float("nan")}, "must be a number"),
        ({"p99": 1}, "measured by the gateway"),
        ({"over": 1}, "word of the rules"),
        ({"a b": 1}, "is no name"),
        ({f"n{i}": 1 for i in range(29)}, "30 outcomes"),
    ],
)
def test_bad_feedback_writes_nothing(traffic, outcome, said):
    traffic.write(Batch(served=[(UID, "r", "v1", None, 1.0)]))
    with pytest.raises(Invalid, match=said):
        outcomes.give(traffic, UID, "r", {"good": 1, **outcome} if outcome else {})
    assert traffic.outcomes(UID) == []


def test_an_unknown_metric_is_refused_with_those_there_are(traffic, went):
    went("v1", 1)
    with pytest.raises(Invalid, match="errors, rejected, p50, p95, p99"):
        compare(traffic, UID, ["v1", "v2"], metric="clicked")


def test_a_notebook_shows_tables_with_names_and_no_markup_of_others(traffic, went):
    went("v1", 10)
    went("v2", 10)
    posted(traffic, "v1", "clicked", [True])
    found = compare(traffic, UID, ["v1", "v2"])
    html = found._repr_html_()
    assert 'aria-label="Variants"' in html
    assert 'role="status"' in html
    assert "#fff" not in html
    assert "<script>" not in compare(traffic, UID, ["<script>", "v2"])._repr_html_()
    assert "v1" in str(found)
    assert found.verdict in repr(found)


def test_looking_at_every_second_of_equal_variants_alarms_no_more_than_promised():
    # What a user does who has the page open: rows by second, both variants the same, a split of 9 to 1.
    from jupyter_ext.serving import comparison

    rng = np.random.default_rng(6)
    alarms = 0
    for _ in range(24):
        sizes = np.cumsum(rng.poisson([(900, 100)] * 8), axis=0)
        times = [rng.gamma(3, 0.01, int(sizes[-1][side])) for side in (0, 1)]
        seen = False
        for at, _ in pairwise(range(len(sizes) + 1)):
            stable, other = (
                comparison.Row(name, int(n), 0, 0, comparison_histogram(values[:n]), {})
                for name, n, values in zip(("v1", "v2"), sizes[at], times, strict=True)
            )
            differences = list(comparison._differences(other, stable, "errors", None, 0.05, []))
            seen = seen or any(each.significant for each in differences)
        alarms += seen
    # Three quantiles of one sample, each at 5 %; union bounds leave far less.
    assert alarms <= 4


def comparison_histogram(values):
    from jupyter_ext.serving.traffic import Histogram

    return Histogram(values.tolist())
