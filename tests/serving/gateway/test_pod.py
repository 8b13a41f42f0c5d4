"""The gateway in a pod: which Service it sends to, what it tells to whom, and what it needs of a namespace."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import pytest

from jupyter_ext.cluster.local.metrics import Page, Point
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Forbidden, Invalid, NotFound, Unavailable
from jupyter_ext.serving import comparison, kube_asking, kube_gateway, kube_routing, kube_runtime, predicting
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.gateway import telling
from jupyter_ext.serving.gateway.following import decided
from jupyter_ext.serving.gateway.pod import Gate, salt_of
from jupyter_ext.serving.gateway.recorder import Recorder
from jupyter_ext.serving.gateway.table import Table, route_of
from jupyter_ext.serving.gateway.targets import renamed
from jupyter_ext.serving.http.server import Server
from jupyter_ext.serving.kube_door import Door, Told


def asked(stable, **canaries):
    """An endpoint ``late``: the stable variant, and what the others get."""

    def predictor(name):
        return {"name": name, "model": {"modelFormat": {"name": "python"}, "storageUri": f"s3://m/{name}"}}

    spec = {
        "predictor": predictor(stable),
        "canary": [
            {"trafficPercent": percent, "predictor": predictor(name)} for name, percent in canaries.items()
        ],
    }
    return names.parse(spec, {})


def places(**ready):
    """InferenceServices, and which variants the ready pods of each run: ``late="v1"``."""
    digests = {each.name: each.digest for each in asked("v1", v2=0, v3=0).variants}
    found = {name.replace("_", "-"): {digests[each] for each in text.split()} for name, text in ready.items()}
    services = []
    for name in found:
        url = f"http://{name}-predictor.team.svc.cluster.local"
        services.append(Resource.new("InferenceService", name, {}, status={"address": {"url": url}}))
    return kube_routing.Places(found, services)


def told(table):
    return {
        row["name"]: (row["percent"], row["model"], [each["socket"] for each in row["replicas"]])
        for row in table["variants"]
    }


def at(name):
    return [f"{name}-predictor.team.svc.cluster.local:80"]


def test_what_is_asked_for_comes_into_force_when_it_can_be_asked():
    first, second = asked("v1"), asked("v1", v2=50)
    force, table = decided("late", None, (first, 1), places(late="v1"))
    assert (force[1], told(table)) == (1, {"v1": (100, "late", at("late"))})
    force, table = decided("late", force, (second, 2), places(late="v1"))
    assert force[1] == 1
    assert told(table) == {"v1": (100, "late", at("late")), "v2": (0, "", [])}
    assert kube_routing.used(table) == {"late"}
    force, table = decided("late", force, (second, 2), places(late="v1", late_v2="v2"))
    assert force[1] == 2
    assert told(table) == {"v1": (50, "late", at("late")), "v2": (50, "late-v2", at("late-v2"))}


def test_a_promoted_variant_is_asked_where_it_runs_until_the_endpoints_own_service_has_it():
    before, after = (asked("v1", v2=50), 2), (asked("v2"), 3)
    force, table = decided("late", before, after, places(late="v1", late_v2="v2"))
    assert (force[1], told(table)) == (3, {"v2": (100, "late-v2", at("late-v2"))})
    _, table = decided("late", force, after, places(late="v1 v2", late_v2="v2"))
    assert told(table) == {"v2": (100, "late-v2", at("late-v2"))}
    _, table = decided("late", force, after, places(late="v2", late_v2="v2"))
    assert told(table) == {"v2": (100, "late", at("late"))}
    _, table = decided("late", force, after, places(late="v1 v2"))
    assert told(table) == {"v2": (100, "late", at("late"))}


def test_the_share_of_what_cannot_be_had_goes_to_what_can():
    split = (asked("v1", v2=30), 2)
    force, table = decided("late", split, split, places(late="v1"))
    assert force[1] == 2
    assert {name: row[0] for name, row in told(table).items()} == {"v1": 100, "v2": 0}
    _, table = decided("late", split, split, places(late_v2="v2"))
    assert {name: row[0] for name, row in told(table).items()} == {"v1": 0, "v2": 100}
    _, table = decided("late", split, split, places())
    assert {name: row[0] for name, row in told(table).items()} == {"v1": 70, "v2": 30}
    force, _ = decided("late", (asked("v3"), 1), split, places(late="v1"))
    assert force[1] == 2  # nobody is left of what was in force


def test_a_service_is_asked_by_http_whatever_the_scheme_outside():
    def said(url):
        return Resource.new("InferenceService", "late", {}, status={"address": {"url": url}})

    service = said("https://late-predictor.team.svc.cluster.local")  # KServe 0.16 with urlScheme https
    assert [kube_routing.address_of(service)] == at("late")
    assert kube_asking.address(service, "team") == "http://late-predictor.team.svc.cluster.local"
    assert kube_routing.address_of(said("https://late-predictor.team.svc.cluster.local:8443")) == ""
    headless = said("http://late-predictor.team.svc.cluster.local:8080")
    assert kube_routing.address_of(headless) == "late-predictor.team.svc.cluster.local:8080"
    assert kube_asking.plain("https://late.example.com") == "https://late.example.com"


def test_a_model_is_asked_by_the_name_that_its_server_has(world):
    assert renamed(b"/v1/models/late:predict", "late", "late-v2") == b"/v1/models/late-v2:predict"
    assert renamed(b"/v2/models/late/infer?a=1", "late", "x") == b"/v2/models/x/infer?a=1"
    assert renamed(b"/v2/models/late", "late", "x") == b"/v2/models/x"
    for path in (b"/v1/models/later:predict", b"/v3/models/late", b"/v2/health/ready", b"/", b""):
        assert renamed(path, "late", "x") == path
    world.server("own")
    world.route("late", {"own": {"percent": 100, "model": "late-v2"}})
    said = world.ask("/v2/models/late/versions/7/infer", {"inputs": []}, x_variant="own")
    assert said.json["target"] == "/v2/models/late-v2/versions/7/infer"
    assert world.predict("late").json["target"] == "/v1/models/late-v2:predict"


class Followed(NamedTuple):
    """What a follower knows."""

    name: str
    version: int
    resource: Resource | None

    async def knows(self, version):
        if self.version < version:
            await asyncio.get_running_loop().create_future()  # nothing new comes


def test_predictions_are_open_and_what_went_through_takes_the_token(world, monkeypatch):
    monkeypatch.setattr("jupyter_ext.serving.gateway.pod.BEHIND_SECONDS", 0.1)
    world.server("v1")
    row = {"name": "v1", "percent": 100, "ready": True, "replicas": [{"socket": world.socket("v1")}]}
    routing = {"generation": 1, "variants": [row], "sticky": "header:x-plane", "log": {}}
    resource = Resource.new("InferenceService", "late", {}, uid="u1", status={"routing": routing})

    async def story():
        recorder = Recorder(world.cluster, world.traffic)
        gate = Gate(world.traffic, "secret", salt_of("secret"), recorder)
        gate.cluster, gate.follower = world.cluster, Followed("late", 5, resource)
        recorder.begin()
        server = Server(gate.handle, admit=gate.admit)
        gate.swap(Table({"late": route_of(resource)}))
        port = await server.listen_tcp("127.0.0.1", 0)
        try:
            await asyncio.to_thread(asks, predicting.Target(f"http://127.0.0.1:{port}", None, "late"))
        finally:
            gate.swap(Table({}))
            await server.drain(1)
            recorder.end()
            gate.threads.shutdown()

    def asks(target):
        answer = predicting.predict([[1]], target, raw=True, headers={"x-plane": "N1"})
        assert (answer.variant, answer.value) == ("v1", ["v1"])
        for path in ("/healthz", "/v2/health/ready", "/v2/models/late/ready"):
            assert predicting.ask(target, path).status == 200
        for path in ("/metrics", "/late/metrics", "/_kubeflow/state", "/_predictor/x/late/v1/models/late"):
            with pytest.raises(predicting.Refused, match="token"):
                predicting.ask(target, path)
        for wrong in ("", "secre", "secrets", "sécret"):
            with pytest.raises((Forbidden, UnicodeEncodeError)):
                Door(target, target, wrong).resource(0)
        door = Door(target, target, "secret")
        assert door.resource(5) == resource
        assert door.resource(6) is None  # it has not heard of that yet
        traffic = Told(door)
        traffic.feedback(answer.request_id, {"right": True})
        with pytest.raises(NotFound):
            traffic.feedback("nobody", {"right": True})
        with pytest.raises(Invalid):
            traffic.feedback(answer.request_id, {"errors": 1})
        found = comparison.compare(traffic, "", ["v1"], "right", time.time() - 60)
        assert (found.rows[0].requests, found.rows[0].outcomes["right"].mean) == (1, 1.0)
        assert found.rows[0].latency == world.traffic.total("u1", "v1").latency
        (logged,) = traffic.requests("", 10)
        assert logged == world.traffic.request("u1", answer.request_id)
        assert traffic.requests("", failed=True) == []
        with pytest.raises(Invalid):
            door.call("forget")
        with pytest.raises(Invalid):
            door.call("total", uid="another")
        with pytest.raises(Invalid):
            door.call("requests", limit="many")

    asyncio.run(story())


def test_what_is_told_comes_back_the_same():
    page = Page(7, [Point("v1/rate", 0.5, None, 0, 12.0)])
    for found in (page, [], None, 3, [b"\x00\xff"]):
        assert telling.read(telling.written(found)) == found
    for broken in ({"shape": "Window", "of": [1]}, {"shape": "print", "of": ["x"]}, {"of": 1}):
        with pytest.raises(Unavailable, match="cannot be read"):
            telling.read(broken)


def test_the_pod_has_the_runtimes_image_and_the_namespaces_account():
    runtime = kube_runtime.built_in("image:1")
    runtime["spec"]["nodeSelector"] = {"pool": "cpu"}
    made = kube_gateway.made_of(runtime, "late", "default-editor")
    predictor = made.spec["predictor"]
    (container,) = predictor["containers"]
    assert (made.name, container["image"]) == ("late-gateway", "image:1")
    assert (predictor["serviceAccountName"], predictor["nodeSelector"]) == ("default-editor", {"pool": "cpu"})
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (1, 1)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    (mount,) = container["volumeMounts"]
    places = {each["name"]: each["value"] for each in container["env"]}
    assert all(places[name].startswith(mount["mountPath"]) for name in ("HOME", "JUPYTER_KUBEFLOW_HOME"))
    assert container["command"][-1] == Gate.__module__
    store = [{"name": "JUPYTER_KUBEFLOW_STORE", "value": "s3://team/kept"}]
    (with_store,) = kube_gateway.made_of(runtime, "late", "a", store).spec["predictor"]["containers"]
    assert [each for each in with_store["env"] if each not in container["env"]] == store
