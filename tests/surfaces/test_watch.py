from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.server.watch import Merger


def event(name: str, version: int, kind: str = "MODIFIED", uid: str = "u") -> dict[str, object]:
    return {"type": kind, "kind": "Run", "name": name, "uid": uid, "resourceVersion": version}


def test_a_burst_becomes_the_first_and_the_last_state():
    merger = Merger(interval=0.05)
    merger.add(event("a", 1, "ADDED"))
    assert [item["resourceVersion"] for item in merger.take(1.0)] == [1]
    for version in range(2, 100):
        merger.add(event("a", version))
        assert merger.take(1.01) == []
    assert [item["resourceVersion"] for item in merger.take(1.051)] == [99]
    assert len(merger) == 0


def test_what_was_added_and_changed_at_once_was_added():
    merger = Merger()
    merger.add(event("a", 1, "ADDED"))
    merger.add(event("a", 2))
    assert [(item["type"], item["resourceVersion"]) for item in merger.take(1.0)] == [("ADDED", 2)]


def test_one_that_has_the_name_of_a_deleted_one_is_another():
    merger = Merger()
    merger.add(event("a", 5, "DELETED", uid="old"))
    merger.add(event("a", 6, "ADDED", uid="new"))
    assert [(item["type"], item["uid"]) for item in merger.take(1.0)] == [("ADDED", "new")]


def test_many_resources_are_spread_over_time():
    merger = Merger(interval=0.05, burst=10)
    for number in range(35):
        merger.add(event(f"r{number}", number))
    assert [len(merger.take(1.0 + tick * 0.05)) for tick in range(5)] == [10, 10, 10, 5, 0]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 0.2)), max_size=60))
def test_the_last_state_always_arrives_and_never_too_often(changes):
    merger = Merger(interval=0.05)
    now, last, sent = 10.0, {}, {}
    for version, (name, pause) in enumerate(changes, 1):
        now += pause
        merger.add(event(name, version))
        last[name] = version
        for item in merger.take(now):
            assert now - sent.get(item["name"], (0, 0.0))[1] >= 0.05
            sent[item["name"]] = (item["resourceVersion"], now)
    for item in merger.take(now + 1):
        sent[item["name"]] = (item["resourceVersion"], now + 1)
    assert {name: version for name, (version, _) in sent.items()} == last
