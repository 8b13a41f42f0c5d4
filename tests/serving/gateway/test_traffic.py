"""The store of what went through: real SQLite, exact counts, quantiles that are off by a bucket at most."""

from __future__ import annotations

import contextlib
import math
import stat
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Invalid, NotFound
from jupyter_ext.serving.gateway.histogram import ERROR, Histogram, merged
from jupyter_ext.serving.gateway.records import make_id, read_id
from jupyter_ext.serving.traffic import Batch, Counts, Logged, Traffic

times = st.floats(1e-6, 3e5, allow_nan=False)


@given(st.lists(times, min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_off_by_a_bucket_at_most(values, q):
    found = Histogram(values).quantile(q)
    rank = min(max(math.ceil(q * len(values)), 1), len(values))
    assert found == pytest.approx(sorted(values)[rank - 1], rel=ERROR)


@given(st.lists(st.lists(times, max_size=40), max_size=6))
def test_adding_up_counts_is_counting_all(parts):
    together = Histogram(value for part in parts for value in part)
    added = merged(Histogram(part) for part in parts)
    assert added == together
    assert (added.count, added.least, added.most) == (together.count, together.least, together.most)


@given(st.lists(st.floats(0, 1e9, allow_nan=False), max_size=100))
def test_bytes_bring_back_the_same(values):
    one = Histogram(values)
    again = Histogram.from_bytes(one.to_bytes())
    assert again == one
    assert again.count == one.count
    assert again.quantile(0.9) == one.quantile(0.9) or math.isnan(one.quantile(0.9))


@given(st.lists(times, min_size=1, max_size=100), times)
def test_how_many_took_longer_is_right_beside_its_bucket(values, bound):
    found = Histogram(values).above(bound)
    assert (
        sum(v > bound * (1 + ERROR) for v in values) <= found <= sum(v > bound / (1 + ERROR) for v in values)
    )


@given(st.binary(max_size=80))
def test_bytes_that_are_no_histogram_are_refused_or_read(data):
    with contextlib.suppress(ValueError):
        Histogram.from_bytes(data)


@given(
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.from_regex(r"[a-z][a-z0-9.-]{0,61}[a-z0-9]", fullmatch=True),
    st.none() | st.text("0123456789abcdef", min_size=16, max_size=16),
)
def test_an_id_says_who_answered(random, variant, unit):
    assert read_id(make_id(random, variant, unit)) == (variant, unit)


@given(st.text(max_size=60))
def test_other_ids_say_nothing(text):
    found = read_id(text)
    assert found is None or make_id(text[:16], *found) == text


@pytest.fixture
def traffic(tmp_path):
    return Traffic(LocalCluster(tmp_path / "home"))


def counted(*seconds: float, errors: int = 0) -> Counts:
    return Counts(requests=len(seconds), errors=errors, in_flight=len(seconds), latency=Histogram(seconds))


def logged(request_id: str, **more) -> Logged:
    fields = {
        "time": time.time(),
        "variant": "v1",
        "path": "/v1/models/iris:predict",
        "status": 200,
        "seconds": 0.01,
        "sticky_key_digest": None,
        "request": b'{"instances": [[1]]}',
        "response": b'{"predictions": [0]}',
        "error": None,
    }
    return Logged(request_id, **{**fields, **more})


def test_the_file_is_its_owners(traffic):
    assert stat.S_IMODE(traffic.path.stat().st_mode) == 0o600


def test_windows_by_second_and_by_minute(traffic):
    now = int(time.time())
    start = now - now % 60 - 120
    for offset in (0, 0, 1, 70):
        traffic.write(Batch(counts={("u", start + offset, "v1"): counted(0.1, 0.2)}))
    traffic.write(Batch(counts={("u", start, "v2"): counted(1.0, errors=1)}))
    traffic.write(Batch(counts={("other", start, "v1"): counted(9.0)}))
    seconds = traffic.windows("u", start, variant="v1")
    assert [(w.start - start, w.requests) for w in seconds] == [(0, 4), (1, 2), (70, 2)]
    minutes = traffic.windows("u", start, seconds=60)
    assert [(w.start - start, w.variant, w.requests) for w in minutes] == [
        *((0, "v1", 6), (0, "v2", 1)),
        (60, "v1", 2),
    ]
    assert traffic.windows("u", start + 1, start + 60)[0].latency.count == 2
    tens = traffic.windows("u", start, variant="v1", seconds=10)
    assert [(w.requests, w.in_flight) for w in tens] == [(6, 2), (2, 2)]
    total = traffic.total("u", since=start)
    assert (total.requests, total.errors, total.latency.most) == (9, 1, 1.0)
    assert traffic.total("u", "v1", since=start + 1).requests == 4
    assert traffic.total("nobody").latency.count == 0
    assert traffic.variants("u") == ["v1", "v2"]


def test_old_seconds_become_minutes_and_nothing_is_counted_twice(traffic):
    now = time.time()
    old = int(now) - 2 * 3600
    for second in (old, int(now) - 5):
        traffic.write(Batch(counts={("u", second, "v1"): counted(0.1)}))
    before = [(w.start, w.seconds, w.requests) for w in traffic.windows("u", old - 60)]
    traffic.tidy(now)
    after = [(w.start, w.seconds, w.requests) for w in traffic.windows("u", old - 60)]
    assert before == after == [(old - old % 60, 60, 1), (int(now) - 5, 1, 1)]
    traffic.tidy(now + 31 * 86400)
    assert traffic.windows("u", 0) == []


def test_a_window_of_a_strange_length_is_refused(traffic):
    with pytest.raises(Invalid):
        traffic.windows("u", 0, seconds=90)


def test_the_log_is_bounded_searched_and_paged(traffic):
    for number in range(30):
        status = 500 if number % 10 == 0 else 200
        body = f'{{"instances": [["Straße {number}"]]}}'.encode()
        traffic.write(
            Batch(logged=[("u", logged(f"r{number}", status=status, request=body))], keep={"u": 20})
        )
    assert [each.id for each in traffic.requests("u", 3)] == ["r29", "r28", "r27"]
    assert [each.id for each in traffic.requests("u", 2, before="r27")] == ["r26", "r25"]
    assert len(traffic.requests("u", 100)) == 20
    assert [each.id for each in traffic.requests("u", failed=True)] == ["r20", "r10"]
    assert [each.id for each in traffic.requests("u", search="E 17")] == ["r17"]
    assert traffic.requests("u", search="% 17") == []
    assert traffic.request("u", "r12").request == '{"instances": [["Straße 12"]]}'.encode()
    with pytest.raises(NotFound):
        traffic.request("u", "r1")


def test_feedback_finds_its_variant(traffic):
    traffic.write(
        Batch(
            logged=[("u", logged("mine", variant="v2"))], served=[("u", "given", "v3", "a" * 16, time.time())]
        )
    )
    made = make_id("0123456789abcdef", "v1", None)
    for name, value in (("mine", 1), ("given", True), (made, 0.5), (made, 0.75)):
        traffic.feedback("u", name, "clicked", value)
    rows = {row.variant: (row.unit, row.value, row.name) for row in traffic.outcomes("u", "clicked")}
    assert rows == {
        "v2": ("mine", 1.0, "clicked"),
        "v3": ("a" * 16, 1.0, "clicked"),
        "v1": (made, 0.75, "clicked"),
    }
    assert traffic.outcome_names("u") == ["clicked"]
    with pytest.raises(NotFound):
        traffic.feedback("u", "unknown", "clicked", 1, patient=False)
    for bad in ("nan", "much", None):
        with pytest.raises(Invalid):
            traffic.feedback("u", "mine", "clicked", bad)


def test_feedback_waits_for_its_request_to_be_recorded(traffic):
    import threading

    late = threading.Timer(0.2, lambda: traffic.write(Batch(logged=[("u", logged("soon"))])))
    late.start()
    try:
        assert traffic.feedback("u", "soon", "score", 3).value == 3
    finally:
        late.join()


def test_what_is_wanted_and_when_it_was_last_used(traffic):
    assert traffic.last_request("u") is None
    traffic.write(Batch(active={"u": 5.0}))
    traffic.write(Batch(active={"u": 4.0}))
    assert traffic.last_request("u") == 5.0
    traffic.want("u", "v1")
    traffic.want("u", "v1")
    traffic.want("u", "v2")
    assert traffic.wanted("u") == {"v1", "v2"}
    traffic.cleared("u", "v1")
    assert traffic.wanted("u") == {"v2"}


def test_forgotten_traffic_is_gone_and_others_stay(traffic):
    for uid in ("u", "w"):
        traffic.write(
            Batch(counts={(uid, 60, "v1"): counted(0.1)}, logged=[(uid, logged("r"))], active={uid: 1.0})
        )
        traffic.want(uid, "v1")
    traffic.forget("u")
    assert (traffic.total("u").requests, traffic.requests("u"), traffic.wanted("u")) == (0, [], set())
    assert (traffic.total("w").requests, len(traffic.requests("w")), traffic.wanted("w")) == (1, 1, {"v1"})


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["v1", "v2"]), times), min_size=1, max_size=30)
)
def test_sums_are_the_same_however_they_are_cut(tmp_path_factory, rows):
    traffic = Traffic(LocalCluster(tmp_path_factory.mktemp("home")))
    base = int(time.time()) - 600
    for offset, variant, seconds in rows:
        traffic.write(Batch(counts={("u", base + offset, variant): counted(seconds)}))
    for length in (1, 7, 60, 120):
        windows = traffic.windows("u", base - base % 120, seconds=length)
        assert sum(window.requests for window in windows) == len(rows)
        assert merged(window.latency for window in windows) == Histogram(row[2] for row in rows)
    for since in (base, base + 33, base + 90):
        assert traffic.total("u", since=since).requests == sum(base + row[0] >= since for row in rows)
