"""Who gets a request: shares that are kept, senders that stay, and paths that are understood."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.serving.gateway.split import Split, Sticky, unit_of
from jupyter_ext.serving.gateway.targets import parse

units = st.integers(0, 2**64 - 1)
weights = st.dictionaries(st.sampled_from(["v1", "v2", "v3", "v4"]), st.integers(0, 100), min_size=1)


@given(weights, st.floats(0, 1, exclude_max=True))
def test_chance_follows_the_weights(given_weights, share):
    assume(any(given_weights.values()))
    split = Split(given_weights)
    chosen = split.at(share)
    below = 0.0
    for name, weight in given_weights.items():
        if name == chosen:
            total = sum(given_weights.values())
            assert below / total <= share + 1e-9
            assert share <= (below + weight) / total + 1e-9
            assert weight > 0
        below += weight


@given(weights, weights, units)
def test_a_sender_moves_only_to_whom_has_grown_or_from_whom_has_shrunk(before, after, unit):
    """With the others' weights as they were, as a share of nothing: absolute weights decide each score."""
    assume(any(before.values()) and any(after.values()))
    here, there = Split(before).of(unit), Split(after).of(unit)
    if here != there:
        grown = after.get(there, 0) > before.get(there, 0)
        shrunk = after.get(here, 0) < before.get(here, 0)
        assert grown or shrunk


@given(st.integers(0, 99), st.integers(1, 50), units)
def test_a_canary_that_grows_takes_only_from_the_stable_one(percent, more, unit):
    assume(percent + more <= 100)
    here = Split({"v1": 100 - percent, "v2": percent}).of(unit)
    there = Split({"v1": 100 - percent - more, "v2": percent + more}).of(unit)
    assert (here, there) in {("v1", "v1"), ("v1", "v2"), ("v2", "v2")}


@pytest.mark.parametrize("shares", [{"v1": 90, "v2": 10}, {"v1": 50, "v2": 30, "v3": 20}])
def test_senders_are_shared_out_by_weight(shares):
    split = Split(shares)
    count = 20_000
    found = [split.of(int(unit_of(b"user %d" % number, b"salt"), 16)) for number in range(count)]
    for name, percent in shares.items():
        share = percent / 100
        deviation = (share * (1 - share) / count) ** 0.5
        assert abs(found.count(name) / count - share) < 5 * deviation


def test_growing_from_ten_to_twenty_percent_moves_a_tenth():
    senders = [int(unit_of(b"user %d" % number, b"salt"), 16) for number in range(20_000)]
    before, after = Split({"v1": 90, "v2": 10}), Split({"v1": 80, "v2": 20})
    moved = sum(before.of(unit) != after.of(unit) for unit in senders)
    assert 0.09 < moved / len(senders) < 0.11


def test_a_third_variant_is_hardly_touched():
    senders = [int(unit_of(b"user %d" % number, b"salt"), 16) for number in range(20_000)]
    before = Split({"v1": 80, "v2": 10, "v3": 10})
    after = Split({"v1": 70, "v2": 20, "v3": 10})
    moved = sum(before.of(unit) != after.of(unit) for unit in senders)
    assert 0.09 < moved / len(senders) < 0.13


def test_nobody_to_choose():
    for weights in ({}, {"v1": 0}):
        with pytest.raises(LookupError):
            Split(weights).at(0.5)
        with pytest.raises(LookupError):
            Split(weights).of(1)


@pytest.mark.parametrize(
    "text", ["", "x-user", "cookie:a", "header:", "header:a b", "body:a[0]", "header:ä", "query:a\r\n"]
)
def test_what_says_nothing_is_refused(text):
    with pytest.raises(Invalid, match="header:NAME"):
        Sticky(text)


@pytest.mark.parametrize(
    ("sticky", "headers", "query", "body", "key"),
    [
        ("header:X-User", {b"x-user": b"ann"}, "", b"", b"ann"),
        ("header:x-user", {}, "", b"", None),
        ("query:user", {}, "a=1&user=ann%20b", b"", b"ann b"),
        ("query:user", {}, "a=1", b"", None),
        ("body:user.id", {}, "", b'{"user": {"id": 7}}', b"7"),
        ("body:rows.0.id", {}, "", b'{"rows": [{"id": "a"}]}', b"a"),
        ("body:rows.9.id", {}, "", b'{"rows": [{"id": "a"}]}', None),
        ("body:user", {}, "", b'{"user": {"id": 7}}', None),
        ("body:user", {}, "", b"\xff\xfe", None),
        ("body:user", {b"inference-header-content-length": b"13"}, "", b'{"user": "x"}\x00\x01', b"x"),
    ],
)
def test_where_a_sender_is_found(sticky, headers, query, body, key):
    assert Sticky(sticky).key(headers, query, body) == key


@pytest.mark.parametrize(
    ("target", "kind", "name", "path", "version"),
    [
        (b"/iris/v1/models/iris:predict", "endpoint", "iris", b"/v1/models/iris:predict", ""),
        (b"/iris/v2/models/iris/infer?x=/a", "endpoint", "iris", b"/v2/models/iris/infer?x=/a", ""),
        (b"/v1/models/iris:predict", "endpoint", "iris", b"/v1/models/iris:predict", ""),
        (b"/v1/models/iris", "endpoint", "iris", b"/v1/models/iris", ""),
        (b"/v2/models/iris/versions/2/infer", "endpoint", "iris", b"/v2/models/iris/versions/2/infer", "2"),
        (
            b"/iris/v2/models/iris/versions/2/ready",
            "endpoint",
            "iris",
            b"/v2/models/iris/versions/2/ready",
            "2",
        ),
        (b"/v1/v1/models/v1:predict", "endpoint", "v1", b"/v1/models/v1:predict", ""),
        (b"/v1/models", "models", "", b"/", ""),
        (b"/v2/", "server", "", b"/", ""),
        (b"/v2/health/live", "server-live", "", b"/", ""),
        (b"/v2/repository/index", "index", "", b"/", ""),
        (b"/", "root", "", b"/", ""),
        (b"/healthz", "alive", "", b"/", ""),
        (b"/iris", "about", "iris", b"/", ""),
        (b"/iris/healthz?a", "healthz", "iris", b"/?a", ""),
        (b"/iris/feedback", "feedback", "iris", b"/", ""),
        (b"//evil/x", "endpoint", "", b"/evil/x", ""),
        (b"*", "root", "", b"/", ""),
    ],
)
def test_what_a_path_asks_for(target, kind, name, path, version):
    asked = parse(target)
    assert (asked.kind, asked.name, asked.path, asked.version) == (kind, name, path, version)


def test_the_way_of_a_transformer():
    asked = parse(b"/_predictor/abc/iris/v1/models/iris:explain")
    assert (asked.inner, asked.name, asked.path, asked.explain) == (
        "abc",
        "iris",
        b"/v1/models/iris:explain",
        True,
    )
    assert parse(b"/_predictor/abc").kind == "nothing"


@given(st.binary(max_size=60))
def test_any_target_is_understood_somehow(target):
    assert parse(target).kind
    assert parse(b"/" + target).path.startswith(b"/")
