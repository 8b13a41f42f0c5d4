"""What a gateway's pod has counted is there for the next one, whichever of them writes last."""

from __future__ import annotations

import time

import pytest

from jupyter_ext import store
from jupyter_ext.serving.gateway import keeping
from jupyter_ext.serving.gateway.keeping import Keeper
from jupyter_ext.serving.gateway.records import Batch, Counts, Logged
from jupyter_ext.serving.traffic import Traffic

UID, OTHER = "uid-1", "uid-2"


@pytest.fixture
def place(tmp_path):
    return store.at(f"file://{tmp_path}/store")


class Pod:
    """A gateway's pod: its own folder, which ends with it."""

    def __init__(self, folder, place):
        self.traffic = Traffic(folder / "traffic.sqlite")
        self.keeper = Keeper(self.traffic, place)
        self.keeper.begin(UID)

    def record(self, second, requests, *ids, uid=UID):
        counts = Counts(requests=requests)
        counts.latency.add(0.01)
        logged = [
            (uid, Logged(each, second, "v1", "/", 200, 0.1, None, b"asked", b"said", None)) for each in ids
        ]
        served = [(uid, each, "v1", None, float(second)) for each in ids]
        self.traffic.write(Batch(counts={(uid, second, "v1"): counts}, logged=logged, served=served))

    @property
    def told(self):
        return self.traffic.total(UID).requests, [each.id for each in self.traffic.requests(UID)]


def test_the_next_pod_goes_on_counting(tmp_path, place):
    now = int(time.time())
    one = Pod(tmp_path / "1", place)
    one.record(now - 200, 5, "a", "b")
    one.record(now - 200, 9, "x", uid=OTHER)
    one.traffic.feedback(UID, "a", "clicked", 1.0)
    one.keeper.save()
    two = Pod(tmp_path / "2", place)
    assert two.told == (5, ["b", "a"])
    assert two.keeper.since == one.keeper.since
    assert [each.value for each in two.traffic.outcomes(UID, "clicked")] == [1.0]
    assert two.traffic.total(OTHER).requests == 0
    two.traffic.feedback(UID, "b", "clicked", 0.0)  # whom the pod before answered


def test_what_the_pod_before_writes_last_is_added(tmp_path, place):
    now = int(time.time())
    one = Pod(tmp_path / "1", place)
    one.record(now - 200, 5, "a")
    one.keeper.save()
    two = Pod(tmp_path / "2", place)
    two.record(now + 1, 3, "c")
    one.record(now - 200, 2, "b")  # the same second as before: more than it said then
    one.keeper.save()
    two.keeper.save()
    assert (two.told[0], set(two.told[1])) == (10, {"a", "b", "c"})
    assert Pod(tmp_path / "3", place).told == two.told
    two.keeper.save()
    assert two.told[0] == 10


def test_a_container_that_starts_again_has_its_own_file(tmp_path, place):
    now = int(time.time())
    pod = Pod(tmp_path / "1", place)
    since = pod.keeper.since
    pod.record(now - 200, 5, "a")
    pod.keeper.save()
    pod.record(now - 200, 1, "b")
    again = Pod(tmp_path / "1", place)
    assert again.told == (6, ["b", "a"])
    assert again.keeper.since == since
    alone = Pod(tmp_path / "2", None)
    alone.keeper.save()
    assert alone.told == (0, [])
    assert alone.keeper.since > since


def test_the_newest_bodies_are_kept_where_all_are_too_much(tmp_path, place, monkeypatch):
    monkeypatch.setattr(keeping, "LOG_BYTES", 1000)
    pod = Pod(tmp_path / "1", place)
    pod.record(int(time.time()) - 200, 9, *"abcdefghi")
    pod.keeper.save()
    assert Pod(tmp_path / "2", place).told == (9, ["i", "h", "g"])


def test_a_store_that_fails_stops_nothing_and_is_said_once(tmp_path, place, capsys):
    pod = Pod(tmp_path / "1", place)
    pod.record(int(time.time()) - 200, 5, "a")
    pod.keeper.save()
    (tmp_path / "store" / "serving" / UID / "traffic.gz").write_bytes(b"no gzip")
    late = Pod(tmp_path / "2", place)
    late.keeper.save()
    assert late.told == (0, [])
    assert capsys.readouterr().out.count("cannot be kept") == 1
    pod.keeper.forget()
    assert not place.exists(f"serving/{UID}/traffic.gz")
