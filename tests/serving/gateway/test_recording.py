"""What is counted, logged and compared of real requests, and that recording never stands in their way."""

from __future__ import annotations

import os
import shutil
import signal

import psutil
import pytest

from jupyter_ext.cluster.local import locks
from jupyter_ext.errors import NotFound
from jupyter_ext.serving import gateway
from jupyter_ext.serving.gateway.recorder import alike
from tests.serving.gateway.conftest import World
from tests.waiting import until


@pytest.fixture(scope="module", autouse=True)
def servers(world):
    for name in ("v1", "v2", "v3"):
        world.server(name)


def settled(world: World, uid: str, requests: int, variant: str | None = None):
    """The total, once that many requests are recorded."""
    return until(lambda: (t := world.traffic.total(uid, variant)).requests >= requests and t)


def test_requests_are_counted_by_variant_and_kind(world):
    uid = world.route("counted", {"v1": 100, "v2": 0}).uid
    for status in (200, 200, 404, 500):
        world.predict("counted", {"status": status})
    world.predict("counted", x_variant="v2")
    world.predict("counted", x_variant="v2", x_replay="true")
    world.ask("/counted/v1/models/counted")
    total = settled(world, uid, 4, "v1")
    assert (total.requests, total.errors, total.rejected) == (4, 1, 1)
    assert total.latency.count == 4
    assert 0 < total.latency.quantile(0.5) < 30
    assert total.bytes_in > 0
    assert total.bytes_out > total.bytes_in
    assert settled(world, uid, 1, "v2").requests == 1
    assert world.traffic.last_request(uid)
    curves = until(lambda: world.cluster.metrics.last(uid))
    assert {"v1/rate", "v1/errors", "v1/p50", "v1/p95", "v1/p99", "v1/in_flight"} <= curves.keys()


def test_requests_are_logged_as_the_endpoint_wants(world):
    uid = world.route("logged", {"v1": 100}, log={"sample": 1.0, "bodies": True, "keep": 5}).uid
    for number in range(8):
        world.predict("logged", {"instances": [[number]]}, x_request_id=f"r{number}")
    until(lambda: world.traffic.requests(uid) and world.traffic.requests(uid)[0].id == "r7")
    found = world.traffic.requests(uid)
    assert [each.id for each in found] == ["r7", "r6", "r5", "r4", "r3"]
    assert found[0].request == b'{"instances": [[7]]}'
    assert b'"who":"v1"' in found[0].response
    assert (found[0].status, found[0].path, found[0].variant) == (200, "/v1/models/logged:predict", "v1")
    assert world.address.token.encode() not in world.traffic.path.read_bytes()


def test_bodies_and_names_may_be_kept_out(world):
    log = {"sample": 1.0, "bodies": False}
    uid = world.route("bare", {"v1": 100}, log=log).uid
    world.predict("bare", {"secret": "hunter2"})
    found = until(lambda: world.traffic.requests(uid))
    assert (found[0].request, found[0].response) == (None, None)
    uid = world.route("masked", {"v1": 100}, log={"sample": 1.0, "redact": ["secret"]}).uid
    world.predict("masked", {"secret": "hunter2", "say": ["hunter3"]})
    found = until(lambda: world.traffic.requests(uid))
    assert b"hunter2" not in (found[0].request or b"")


def test_feedback_by_http(world):
    uid = world.route("judged", {"v1": 50, "v2": 50}, sticky="header:x-user").uid
    said = world.predict("judged", x_user="ann")
    request_id = said.headers["x-request-id"]
    answer = world.ask(
        "/judged/feedback", {"request_id": request_id, "values": {"clicked": True, "sum": 2.5}}
    )
    assert answer.status == 200
    world.predict("judged", x_request_id="mine", x_user="ann")
    assert world.ask("/judged/feedback", {"request_id": "mine", "values": {"clicked": 0}}).status == 200
    rows = world.traffic.outcomes(uid, "clicked")
    assert [(row.variant, row.value) for row in rows] == [
        (said.headers["x-variant"], 1),
        (said.headers["x-variant"], 0),
    ]
    assert len({row.unit for row in rows}) == 1
    assert "ann" not in rows[0].unit


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"request_id": 1, "values": {}}', b'{"request_id": "x", "values": []}', b"\xff"],
)
def test_feedback_of_another_form_is_refused(world, body):
    world.route("judged", {"v1": 50, "v2": 50})
    said = world.ask("/judged/feedback", body, method="POST")
    assert said.status == 400
    assert "request_id" in said.json["error"]


def test_feedback_that_fits_nothing_is_refused(world):
    world.route("judged", {"v1": 50, "v2": 50})
    assert world.ask("/judged/feedback", {"request_id": "unknown", "values": {"a": 1}}).status == 404
    request_id = world.predict("judged").headers["x-request-id"]
    said = world.ask("/judged/feedback", {"request_id": request_id, "values": {"a": "much"}})
    assert (said.status, "'a'" in said.json["error"]) == (400, True)
    for name in ("p95", "", "a b", "x" * 70):
        said = world.ask("/judged/feedback", {"request_id": request_id, "values": {"good": 1, name: 1}})
        assert said.status == 400
    many = {f"a{number}": 1 for number in range(21)}
    assert world.ask("/judged/feedback", {"request_id": request_id, "values": many}).status == 400
    assert not world.traffic.outcomes(world.cluster.store.get("InferenceService", "judged").uid, "good")
    assert world.ask("/judged/feedback").status == 405


def test_a_mirror_sees_copies_and_nobody_waits_for_it(world):
    uid = world.route("mirrored", {"v1": 100, "v2": 0, "v3": 0}, mirror={"variant": "v2", "percent": 100}).uid
    for number in range(6):
        assert world.predict("mirrored", {"say": [number], "sleep": 0.01}).json["who"] == "v1"
    assert settled(world, uid, 6, "v1").requests == 6
    shadow = settled(world, uid, 6, "v2")
    assert (shadow.requests, shadow.errors, shadow.same, shadow.different) == (6, 0, 6, 0)
    world.route("mirrored", {"v1": 100, "v3": 0}, mirror={"variant": "v3", "percent": 100})
    world.predict("mirrored")
    shadow = settled(world, uid, 1, "v3")
    assert (shadow.same, shadow.different) == (0, 1)


def test_a_mirror_that_is_broken_harms_nobody(world):
    world.server("frail")
    about = {"percent": 0, "servers": ["frail"]}
    uid = world.route("shielded", {"v1": 100, "v2": about}, mirror={"variant": "v2", "percent": 100}).uid
    for _ in range(3):
        assert world.predict("shielded", {"die-of": "frail"}).json["who"] == "v1"
    assert settled(world, uid, 3, "v1").errors == 0
    assert settled(world, uid, 1, "v2").errors >= 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"predictions": [1, 2.0]}', b'{"predictions": [1.0, 2.0000001], "x": 1}', True),
        (
            b'{"outputs": [{"name": "y", "data": [1]}], "id": "a"}',
            b'{"outputs": [{"name": "y", "data": [1]}], "id": "b"}',
            True,
        ),
        (b'{"predictions": [1]}', b'{"predictions": [2]}', False),
        (b'{"predictions": [1]}', b'{"predictions": [1, 1]}', False),
        (b'{"predictions": [true]}', b'{"predictions": [1.5]}', False),
        (b"\x00\x01", b"\x00\x01", True),
        (b"\x00\x01", b"\x00\x02", False),
    ],
)
def test_which_answers_are_alike(one, other, same):
    assert alike(one, other) is same


def test_a_transformer_stands_before_the_variant_that_was_chosen(world):
    """It gets the request, and by its secret path asks the same variant."""
    made = world.route("both", {"v1": 0, "v2": 100}, transformer={"address": "unix:" + world.socket("v3")})
    said = world.predict("both")
    assert (said.json["who"], said.headers["x-variant"]) == ("v3", "v2")
    host = gateway.predictor_host(world.cluster, "both")
    path = "/" + host.partition("/")[2]
    inner = world.ask(f"{path}/v1/models/both:predict", {}, token=None)
    assert (inner.status, inner.json["who"]) == (200, "v2")
    assert world.ask("/_predictor/wrong/both/v1/models/both:predict", {}, token=None).status == 401
    other = path.rpartition("/")[0]
    assert world.ask(f"{other}/counted/v1/models/counted:predict", {}, token=None).status == 401
    assert settled(world, made.uid, 1).requests == 1


def test_a_killed_gateway_comes_back_at_its_address(world):
    uid = world.route("durable", {"v1": 100}).uid
    before = world.address
    assert world.predict("durable").status == 200
    settled(world, uid, 1)
    found = world.cluster.store.get("Gateway", "serving")
    holder = locks.holder(world.cluster.lock_path(found.uid))
    assert holder
    os.kill(holder, signal.SIGKILL)
    until(lambda: locks.holder(world.cluster.lock_path(found.uid)) != holder)
    assert world.address == before
    assert world.predict("durable").status == 200
    assert settled(world, uid, 2).requests == 2


def test_what_is_no_longer_there_is_not_found(world):
    uid = world.route("gone", {"v1": 100}, log={"sample": 1}).uid
    world.predict("gone", x_request_id="one")
    until(lambda: world.traffic.requests(uid))
    world.traffic.forget(uid)
    with pytest.raises(NotFound):
        world.traffic.request(uid, "one")


def test_recording_goes_on_after_the_disk_was_full(world, tmp_path):
    """A file that may not grow stands for a full disk: requests are answered, and counted once there is room."""
    import sqlite3

    uid = world.route("tight", {"v1": 100}).uid
    blocker = sqlite3.connect(world.traffic.path, isolation_level=None)
    blocker.execute("CREATE TRIGGER full BEFORE INSERT ON windows BEGIN SELECT RAISE(ABORT, 'no room'); END")
    try:
        for _ in range(3):
            assert world.predict("tight").status == 200
        log = world.cluster.log(world.cluster.store.get("Gateway", "serving").uid)
        until(lambda: "cannot be recorded" in log.read())
    finally:
        blocker.execute("DROP TRIGGER full")
        blocker.close()
    assert settled(world, uid, 3).requests == 3


def test_a_gateway_whose_folder_was_removed_ends(tmp_path):
    made = World(tmp_path)
    try:
        made.server("v1")
        made.route("iris", {"v1": 100})
        holder = locks.holder(made.cluster.lock_path(made.cluster.store.get("Gateway", "serving").uid))
        assert holder
        shutil.rmtree(made.cluster.home)
        ended = psutil.Process(holder)
        until(lambda: not ended.is_running() or ended.status() == psutil.STATUS_ZOMBIE)
    finally:
        for name in list(made.servers):
            made.kill(name)
        shutil.rmtree(made.sockets)
