from __future__ import annotations

import math
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.cluster.resource import Resource


def curve(name, values, rank=0):
    return [Point(name, value, float(step), rank, 1000.0 + step) for step, value in enumerate(values)]


def test_what_is_appended_is_read_and_the_cursor_goes_on(cluster):
    cluster.metrics.append("u", [*curve("loss", [3.0, 2.0]), *curve("loss", [4.0], rank=1)])
    first = cluster.metrics.read("u")
    assert first.points == [*curve("loss", [3.0, 2.0]), *curve("loss", [4.0], rank=1)]
    assert cluster.metrics.read("u", since=first.cursor).points == []
    cluster.metrics.append("u", [Point("acc", 0.5, None, 0, 7.0)])
    assert cluster.metrics.read("u", since=first.cursor).points == [Point("acc", 0.5, None, 0, 7.0)]
    assert {point.name for point in cluster.metrics.read("u", names=["acc"]).points} == {"acc"}


def test_the_last_value_is_that_of_the_lowest_rank(cluster):
    cluster.metrics.append("u", [*curve("loss", [9.0], rank=1), *curve("loss", [3.0, 2.0])])
    cluster.metrics.append("u", curve("loss", [1.0], rank=2))
    assert cluster.metrics.last("u") == {"loss": 2.0}


def test_numbers_that_are_none_come_back(cluster):
    cluster.metrics.append("u", curve("loss", [math.nan, math.inf]))
    values = [point.value for point in cluster.metrics.read("u").points]
    assert math.isnan(values[0])
    assert values[1] == math.inf


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300),
    limit=st.integers(min_value=2, max_value=60),
)
def test_thinning_keeps_the_ends_and_the_extremes(cluster, values, limit):
    cluster.metrics.forget("u")
    cluster.metrics.append("u", curve("loss", values))
    points = cluster.metrics.read("u", limit=limit).points
    kept = [point.value for point in points]
    assert len(kept) <= max(limit, 4)
    assert [point.step for point in points] == sorted(point.step for point in points)
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert (min(kept), max(kept)) == (min(values), max(values))
    assert len(kept) == len(values) or len(kept) >= min(len(values), limit // 4)


def test_points_go_with_their_resource(cluster):
    made = cluster.store.create(Resource.new("TrainJob", "a"))
    cluster.metrics.append(made.uid, curve("loss", [1.0]))
    cluster.metrics.append("nobody", curve("loss", [1.0]))
    cluster.delete("TrainJob", "a")
    assert cluster.metrics.uids() == {"nobody"}
    cluster.gc(grace_seconds=0)
    assert cluster.metrics.uids() == set()
    with sqlite3.connect(cluster.home / "metrics.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM points").fetchone() == (0,)
    connection.close()


def test_a_cursor_is_never_given_twice(cluster):
    cluster.metrics.append("u", curve("loss", [1.0]))
    cursor = cluster.metrics.read("u").cursor
    cluster.metrics.forget("u")
    cluster.metrics.append("v", curve("loss", [1.0]))
    assert cluster.metrics.read("v", since=cursor).points


def test_all_points_or_none(cluster):
    with pytest.raises(sqlite3.Error):
        cluster.metrics.append("u", [Point("loss", 1.0, None, 0, 1.0), Point("loss", [], None, 0, 1.0)])
    assert cluster.metrics.read("u").points == []


def test_how_far_sources_were_read_is_kept_with_their_points(cluster):
    cluster.metrics.append("u", curve("loss", [1.0]), {"rank-0.log": 10})
    cluster.metrics.append("u", [], {"rank-0.log": 20, "rank-1.log": 5})
    assert cluster.metrics.marks("u") == {"rank-0.log": 20, "rank-1.log": 5}
    cluster.metrics.forget("u")
    assert cluster.metrics.marks("u") == {}
