"""Looking after every batch raises no more false alarms than was promised, and what is there is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.serving import sequential

RUNS = 300
# Of 300 runs with a chance of 5 %, more than 26 are a chance of 0.2 %.
MOST = 26


def test_a_proportion_holds_the_truth_at_every_look():
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(RUNS):
        hits = np.cumsum(rng.random(2000) < 0.03)
        looks = [sequential.proportion(float(hits[n - 1]), n) for n in range(50, 2001, 150)]
        missed += any(not look.low <= 0.03 <= look.high for look in looks)
    assert missed <= MOST


@pytest.mark.parametrize(("rate", "share"), [(0.004, 0.1), (0.05, 0.5), (0.5, 0.02)])
def test_equal_error_rates_are_told_apart_in_few_runs_however_often_one_looks(rate, share):
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(RUNS):
        mine = rng.random(4000) < share
        failed = rng.random(4000) < rate
        n, m = np.cumsum(mine), np.cumsum(~mine)
        hits, others = np.cumsum(failed & mine), np.cumsum(failed & ~mine)
        alarms += any(
            sequential.proportions_differ(float(hits[k]), int(n[k]), float(others[k]), int(m[k]))
            for k in range(19, 4000, 20)
        )
    assert alarms <= MOST


@pytest.mark.parametrize(("kind", "share"), [("conversion", 0.5), ("rare", 0.2), ("skewed", 0.1)])
def test_equal_means_are_told_apart_in_few_runs_however_often_one_looks(kind, share):
    rng = np.random.default_rng(3)
    alarms = 0
    draw = {
        "conversion": lambda: (rng.random(1000) < 0.4).astype(float),
        "rare": lambda: (rng.random(1000) < 0.03).astype(float),
        "skewed": lambda: rng.exponential(3.0, 1000),
    }[kind]
    for _ in range(RUNS // 2):
        values, mine = draw(), rng.random(1000) < share
        points = [*enumerate(values.tolist())]
        for k in (60, 100, 180, 320, 560, 1000):
            one = sequential.sample(p for p, me in zip(points[:k], mine[:k], strict=True) if me)
            stable = sequential.sample(p for p, me in zip(points[:k], mine[:k], strict=True) if not me)
            if one.count and stable.count and sequential.difference_of_means(one, stable).excludes_zero:
                alarms += 1
                break
    assert alarms <= MOST // 2 + 3


def test_a_split_that_changes_with_the_time_of_day_shows_no_difference_that_is_not_there():
    # By day the split is 10:90 and 2 of 10 buy, by night 90:10 and 8 of 10: pooled, the variant seems to win by far.
    rng = np.random.default_rng(4)
    points = {True: [], False: []}
    for time in range(4000):
        night = time >= 2000
        mine = bool(rng.random() < (0.9 if night else 0.1))
        points[mine].append((time, float(rng.random() < (0.8 if night else 0.2))))
    one, stable = sequential.sample(points[True]), sequential.sample(points[False])
    assert one.mean - stable.mean > 0.4
    found = sequential.difference_of_means(one, stable)
    assert not found.excludes_zero
    assert abs(found.estimate) < 0.05


def test_three_points_are_found_within_twenty_thousand_requests():
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(20):
        one = sequential.sample(enumerate((rng.random(10_000) < 0.53).astype(float).tolist()))
        stable = sequential.sample(enumerate((rng.random(10_000) < 0.50).astype(float).tolist()))
        found += sequential.difference_of_means(one, stable).low > 0
    assert found >= 14


def test_three_points_of_errors_are_found_within_two_thousand_requests():
    rng = np.random.default_rng(6)
    found = sum(
        sequential.proportions_differ(
            float(rng.binomial(1000, 0.04)), 1000, float(rng.binomial(1000, 0.01)), 1000
        )
        for _ in range(100)
    )
    assert found >= 75


def test_an_outage_that_meets_both_is_no_difference():
    # One request in a hundred fails, but in every tenth batch all do; the split is 9 to 1.
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(RUNS):
        rate = np.where(np.arange(100) % 10 == 0, 1.0, 0.01)
        n = rng.binomial(50, 0.1, 100)
        m = 50 - n
        hits, others = np.cumsum(rng.binomial(n, rate)), np.cumsum(rng.binomial(m, rate))
        n, m = np.cumsum(n), np.cumsum(m)
        alarms += any(
            sequential.proportions_differ(float(hits[k]), int(n[k]), float(others[k]), int(m[k]))
            for k in range(100)
        )
    assert alarms <= MOST


def test_the_true_difference_stays_in_the_interval():
    rng = np.random.default_rng(9)
    missed = 0
    for _ in range(100):
        n = rng.binomial(200, 0.3, 20)
        m = 200 - n
        hits, others = np.cumsum(rng.binomial(n, 0.10)), np.cumsum(rng.binomial(m, 0.04))
        n, m = np.cumsum(n), np.cumsum(m)
        looks = [
            sequential.difference_of_proportions(float(hits[k]), int(n[k]), float(others[k]), int(m[k]))
            for k in range(0, 20, 3)
        ]
        missed += any(not look.low <= 0.06 <= look.high for look in looks)
    assert missed <= 11


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_quantile_lies_between_its_ranks_at_every_look(q):
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(RUNS):
        below = np.cumsum(rng.random(3000) < q)
        for n in range(100, 3001, 290):
            low, high = sequential.quantile_ranks(n, q)
            if not low <= below[n - 1] / n <= high:
                missed += 1
                break
    assert missed <= MOST


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 400), st.integers(1, 400))
def test_the_interval_of_a_difference_holds_the_estimate_and_turns_with_the_sides(a, n, b, m):
    hits, other = min(a, n), min(b, m)
    found = sequential.difference_of_proportions(hits, n, other, m)
    turned = sequential.difference_of_proportions(other, m, hits, n)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert math.isclose(found.low, -turned.high, abs_tol=1e-6)
    near_zero = min(abs(found.low), abs(found.high)) < 1e-6
    assert near_zero or found.excludes_zero == sequential.proportions_differ(hits, n, other, m)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6)), max_size=60))
def test_values_without_spread_or_number_give_no_verdict_but_no_error(points):
    one = sequential.sample(points)
    found = sequential.difference_of_means(one, sequential.sample([(0.0, 1.0)] * 5))
    assert found.high == math.inf
    assert not found.excludes_zero


def test_more_evidence_is_narrower():
    widths = [sequential.proportion(n * 0.1, n).half for n in (10, 100, 1000, 10_000)]
    assert widths == sorted(widths, reverse=True)
    assert sequential.factor(lambda scale: scale > 7) == pytest.approx(7, rel=1e-3)
    assert sequential.factor(lambda scale: scale > 1e6) is None
    assert sequential.factor(lambda scale: scale >= 1) == 1.0
