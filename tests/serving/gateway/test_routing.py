"""Whose request it is, who answers it, and what is said when nobody can."""

from __future__ import annotations

import stat
import threading

import pytest

from jupyter_ext.serving import gateway
from jupyter_ext.serving import spec as names
from tests.waiting import until


@pytest.fixture(scope="module", autouse=True)
def servers(world):
    for name in ("v1", "v2", "v3"):
        world.server(name)


def test_a_request_reaches_its_model(world):
    world.route("iris", {"v1": 100})
    said = world.predict("iris", {"instances": [[1, 2]]})
    assert said.status == 200
    assert said.json["who"] == "v1"
    assert said.json["target"] == "/v1/models/iris:predict"
    assert said.headers["x-variant"] == "v1"
    assert said.headers["x-request-id"].endswith("..v1")
    assert said.headers["x-made-by"] == "v1"
    assert "authorization" not in said.json["headers"]
    assert said.json["headers"]["x-request-id"] == said.headers["x-request-id"]
    assert said.headers["content-type"] == "application/json"


def test_the_name_in_the_path_is_enough(world):
    world.route("iris", {"v1": 100})
    for path in ("/v1/models/iris:predict", "/v2/models/iris/infer", "/iris/v2/models/iris/infer"):
        said = world.ask(path, {"inputs": []})
        assert (said.status, said.json["who"]) == (200, "v1")
        assert said.json["target"] == path.removeprefix("/iris")


def test_without_the_token_nobody_is_let_in(world):
    world.route("iris", {"v1": 100})
    for token in (None, "wrong", world.address.token + "x"):
        said = world.ask("/iris/v1/models/iris:predict", {}, token=token)
        assert said.status == 401
        assert "gateway.token" in said.json["error"]
        assert world.address.token not in said.body.decode()
        assert said.headers["www-authenticate"] == "Bearer"
    headers = {"x_gateway_token": world.address.token}
    assert world.ask("/iris/v1/models/iris:predict", {}, token=None, **headers).status == 200
    assert world.ask("/healthz", token=None).json == {"status": "alive"}


def test_the_token_is_in_a_file_of_its_owners(world):
    path = gateway.token_path(world.cluster)
    assert path.read_text().strip() == world.address.token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert world.address.token not in repr(world.address)
    found = world.cluster.store.get("Gateway", "serving")
    assert world.address.token not in str(found.to_dict())


def test_an_unknown_endpoint_names_the_nearest(world):
    world.route("iris", {"v1": 100})
    said = world.ask("/iros/v1/models/iros:predict", {})
    assert said.status == 404
    assert "'iros'" in said.json["error"]
    assert "iris" in said.json["error"]


def test_the_split_is_kept(world):
    world.route("half", {"v1": 80, "v2": 20})
    connection = world.connect()
    found = [world.predict("half", connection=connection).headers["x-variant"] for _ in range(200)]
    connection.close()
    assert 10 <= found.count("v2") <= 75  # a chance of less than 1e-6 to be outside


@pytest.mark.parametrize("sticky", ["header:x-user", "query:user", "body:user.id"])
def test_a_sender_stays_with_its_variant(world, sticky):
    name = "sticky-" + sticky.partition(":")[0]

    def ask(user: int) -> str:
        place = sticky.partition(":")[0]
        path = f"/{name}/v1/models/{name}:predict" + (f"?user=u%20{user}" if place == "query" else "")
        headers = {"x_user": f"u {user}"} if place == "header" else {}
        body = {"user": {"id": f"u {user}"}} if place == "body" else {}
        return world.ask(path, body, connection=connection, **headers).headers["x-variant"]

    world.route(name, {"v1": 80, "v2": 20}, sticky=sticky)
    connection = world.connect()
    before = {user: ask(user) for user in range(60)}
    assert all(ask(user) == before[user] for user in range(15))
    assert set(before.values()) == {"v1", "v2"}
    world.route(name, {"v1": 60, "v2": 40}, sticky=sticky)
    after = {user: ask(user) for user in range(60)}
    connection.close()
    assert all(after[user] == "v2" for user in before if before[user] == "v2")


def test_one_variant_may_be_asked_for(world):
    world.route("dark", {"v1": 100, "v2": 0})
    assert {world.predict("dark").headers["x-variant"] for _ in range(20)} == {"v1"}
    assert world.predict("dark", x_variant="v2").json["who"] == "v2"
    said = world.predict("dark", x_variant="v9")
    assert said.status == 404
    assert "v2" in said.json["error"]


def test_a_version_in_the_path_chooses_its_variant(world):
    world.route("dark", {"v1": 100, "v2": 0})
    assert world.ask("/v2/models/dark/versions/2/infer", {}).json["who"] == "v2"
    said = world.ask("/dark/v2/models/dark/versions/7/infer", {})
    assert (said.status, "1, 2" in said.json["error"]) == (404, True)


def test_ids_are_kept_or_made(world):
    world.route("iris", {"v1": 100})
    assert world.predict("iris", x_request_id="mine-1").headers["x-request-id"] == "mine-1"
    for bad in ("x" * 200, "a b", "ä"):
        assert world.predict("iris", x_request_id=bad).headers["x-request-id"] != bad
    found = {world.predict("iris").headers["x-request-id"] for _ in range(20)}
    assert len(found) == 20


def test_the_least_busy_replica_is_asked(world):
    world.server("r1")
    world.server("r2")
    world.route("pair", {"v1": {"percent": 100, "servers": ["r1", "r2"]}})
    found = [world.predict("pair").json["who"] for _ in range(10)]
    assert sorted(found) == ["r1"] * 5 + ["r2"] * 5


def test_what_is_wrong_with_the_servers_answer_is_passed_on(world):
    world.route("iris", {"v1": 100})
    said = world.predict("iris", {"status": 422})
    assert (said.status, said.json["who"]) == (422, "v1")


def test_pages_of_the_gateway(world):
    world.route("iris", {"v1": 100})
    assert "iris" in world.ask("/v1/models").json["models"]
    assert world.ask("/v2/health/ready").json["ready"] is True
    assert world.ask("/v2").json["name"] == "jupyter-kubeflow"
    index = world.ask("/v2/repository/index", {}).json
    assert {"name": "iris", "version": "1", "state": "READY", "reason": ""} in index
    assert world.ask("/iris/healthz").json["ready"] is True
    assert world.ask("/nope/healthz").status == 404
    assert world.ask("/iris").json["variants"] == ["v1"]
    assert world.ask("/v2/nothing").status == 404
    world.predict("iris")
    text = world.ask("/iris/metrics").body.decode()
    assert 'gateway_requests_total{endpoint="iris",variant="v1",code="200"}' in text
    assert 'gateway_request_seconds_count{endpoint="iris",variant="v1"}' in text
    assert "endpoint" in world.ask("/metrics").body.decode()


def test_an_endpoint_that_is_stopped_says_so_at_once(world):
    world.route("resting", {}, phase="PAUSED", reason="It was stopped by its owner.")
    said = world.predict("resting")
    assert said.status == 503
    assert "stopped by its owner" in said.json["error"]
    assert world.ask("/resting/healthz").status == 503


def test_a_request_waits_for_a_variant_that_sleeps(world):
    made = world.route("sleepy", {"v2": {"percent": 100, "ready": False, "servers": []}}, asleep=True)
    found = []
    asking = threading.Thread(target=lambda: found.append(world.predict("sleepy")))
    asking.start()
    until(lambda: world.traffic.wanted(made.uid) == {"v2"})
    assert not found
    world.route("sleepy", {"v2": 100})
    asking.join()
    assert (found[0].status, found[0].json["who"]) == (200, "v2")


def test_asking_whether_it_is_ready_wakes_nobody(world):
    made = world.route("dozing", {"v1": {"percent": 100, "ready": False, "servers": []}}, asleep=True)
    for path in ("/v1/models/dozing", "/v2/models/dozing/ready", "/dozing/v2/health/ready"):
        assert world.ask(path).json["ready"] is True
    assert world.ask("/dozing/healthz").json["status"] == "asleep"
    assert not world.traffic.wanted(made.uid)


def coming(*names: str) -> dict:
    """A spec with a stable v1 and these beside it."""
    model = {"modelFormat": {"name": "sklearn"}}
    others = [{"name": name, "model": {**model, "storageUri": f"file:///{name}"}} for name in names]
    return {
        "predictor": {"name": "v1", "model": {**model, "storageUri": "file:///v1"}},
        "canary": [{"trafficPercent": 0, "predictor": each} for each in others],
    }


def test_a_variant_that_is_asked_for_by_name_is_waited_for_from_the_moment_it_is_in_the_spec(world):
    world.route("early", {"v1": 100}, spec=coming("v2"))
    found = []
    asking = threading.Thread(target=lambda: found.append(world.predict("early", x_variant="v2")))
    asking.start()
    until(lambda: 'variant="v2"} 1' in world.ask("/early/metrics").body.decode())
    assert not found
    loading = {"percent": 0, "ready": False, "servers": []}
    world.route("early", {"v1": 100, "v2": loading}, spec=coming("v2"))
    assert not found
    world.route("early", {"v1": 100, "v2": 0}, spec=coming("v2"))
    asking.join()
    assert (found[0].status, found[0].json["who"]) == (200, "v2")
    said = world.predict("early", x_variant="w2")
    assert (said.status, "v2" in said.json["error"]) == (404, True)


def test_a_variant_that_failed_says_why_to_those_who_ask_for_it(world):
    made = world.route("failing", {"v1": 100}, spec=coming("v2"))
    digest = names.read(made).variants[1].digest
    why = {"name": "v2", "state": "failed", "digest": digest, "reason": "No module named 'lost'."}
    found = []
    asking = threading.Thread(target=lambda: found.append(world.predict("failing", x_variant="v2")))
    asking.start()
    until(lambda: 'variant="v2"} 1' in world.ask("/failing/metrics").body.decode())
    world.route("failing", {"v1": 100}, spec=coming("v2"), said=[why])
    asking.join()
    assert (found[0].status, "No module named 'lost'." in found[0].json["error"]) == (503, True)
    assert world.predict("failing").status == 200
    world.route("failing", {"v1": 100}, spec=coming("v2"), timeout=0.3, said=[{**why, "digest": "earlier"}])
    assert "lost" not in world.predict("failing", x_variant="v2").json["error"]


def test_a_variant_that_is_taken_away_is_waited_for_no_longer(world):
    world.route("fickle", {"v1": 100}, spec=coming("v2"))
    found = []
    asking = threading.Thread(target=lambda: found.append(world.predict("fickle", x_variant="v2")))
    asking.start()
    until(lambda: 'variant="v2"} 1' in world.ask("/fickle/metrics").body.decode())
    world.route("fickle", {"v1": 100}, spec=coming())
    asking.join()
    assert (found[0].status, "no variant 'v2'" in found[0].json["error"]) == (404, True)


def test_nobody_waits_for_ever(world):
    world.route("never", {"v1": {"percent": 100, "ready": False}}, timeout=0.3, reason="The model is broken.")
    said = world.predict("never")
    assert said.status == 503
    assert "The model is broken." in said.json["error"]
    assert said.headers["retry-after"]


def test_an_answer_may_take_no_longer_than_the_endpoint_says(world):
    world.route("slow", {"v1": 100}, timeout=0.3)
    said = world.predict("slow", {"sleep": 5})
    assert said.status == 504
    assert "0.3 s" in said.json["error"]
    world.route("slow", {"v1": 100})
    assert world.predict("slow").status == 200


def test_a_server_gets_no_more_than_it_takes(world):
    world.server("narrow")
    world.route("narrow", {"v1": {"percent": 100, "servers": ["narrow"], "concurrency": 2}})
    found = []
    asking = [
        threading.Thread(target=lambda: found.append(world.predict("narrow", {"sleep": 0.05})))
        for _ in range(8)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert [said.status for said in found] == [200] * 8
    assert max(said.json["most"] for said in found) == 2


def test_a_killed_replica_costs_no_request(world):
    world.server("a")
    world.server("b")
    world.route("twins", {"v1": {"percent": 100, "servers": ["a", "b"]}})
    connection = world.connect()
    for _ in range(4):
        world.predict("twins", connection=connection)
    world.kill("a")
    assert [world.predict("twins", connection=connection).json["who"] for _ in range(6)] == ["b"] * 6
    connection.close()


def test_a_request_is_repeated_when_its_server_dies_over_it(world):
    world.server("c")
    world.server("d")
    world.route("brittle", {"v1": {"percent": 100, "servers": ["c", "d"]}})
    said = world.predict("brittle", {"die-of": "c"})
    while "c" in world.servers and world.servers["c"].poll() is None:
        said = world.predict("brittle", {"die-of": "c"})
    assert (said.status, said.json["who"]) == (200, "d")


def test_a_request_waits_for_the_restart_of_the_only_replica(world):
    world.server("only")
    world.route("lonely", {"v1": {"percent": 100, "servers": ["only"]}})
    assert world.predict("lonely").status == 200
    world.kill("only")
    found = []
    asking = threading.Thread(target=lambda: found.append(world.predict("lonely")))
    asking.start()
    world.server("only")
    asking.join()
    assert found[0].status == 200


def test_a_request_that_kills_is_given_up(world):
    for name in ("x1", "x2", "x3", "x4"):
        world.server(name)
    world.route("poison", {"v1": {"percent": 100, "servers": ["x1", "x2", "x3", "x4"]}})
    said = world.predict("poison", {"die": True})
    assert said.status == 502
    assert "3 times" in said.json["error"]
    assert world.predict("poison").status == 200


def test_a_deleted_endpoint_is_gone(world):
    world.route("short", {"v1": 100})
    assert world.predict("short").status == 200
    world.cluster.store.delete("InferenceService", "short")
    until(lambda: world.predict("short").status == 404)
    until(lambda: gateway.applied(world.cluster, "short") == -1)
