"""Endpoints over REST: a real Jupyter Server, a real gateway, real models. No token ever leaves."""

from __future__ import annotations

import asyncio
import json

import pytest

from jupyter_ext import serving
from tests.surfaces.serving import iris, serving_cluster  # noqa: F401 - fixtures

TIMEOUT = 120
ERROR = {"message", "what", "where", "hint", "status"}


@pytest.fixture
def call(api):
    """A verb of an endpoint, which has to be answered with 200."""

    async def verb(name: str, **body):
        status, found = await api("inferenceservices", name, method="POST", body=body)
        assert status == 200, found
        return found

    return verb


@pytest.fixture
def serve(api):
    """Serve and wait until what was asked for is there."""

    async def create(**body):
        status, made = await api("inferenceservices", method="POST", body=body)
        assert status == 201, made
        name = made["metadata"]["name"]
        for _ in range(TIMEOUT * 10):
            found = (await api("inferenceservices", name))[1]
            rows = found["status"].get("variants") or []
            if (
                found["status"].get("phase") == "RUNNING"
                and rows
                and all(row["state"] == "ready" for row in rows)
            ):
                return found
            await asyncio.sleep(0.1)
        pytest.fail(f"{name} does not come up: {found['status']}")

    return create


def names(found) -> dict[str, int]:
    """The shares that were asked for."""
    others = {item["predictor"]["name"]: item["trafficPercent"] for item in found["spec"].get("canary") or ()}
    return {found["spec"]["predictor"]["name"]: 100 - sum(others.values()), **others}


async def eventually(question, condition):
    for _ in range(TIMEOUT * 10):
        found = await question()
        if condition(found):
            return found
        await asyncio.sleep(0.1)
    pytest.fail(f"it never came true: {found}")


async def loaded(api, **body):
    """Ask until the variant is there: the second version may still be on its way."""
    for _ in range(600):
        status, found = await api("inferenceservices", "iris:predict", method="POST", body=body)
        if status == 200:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


@pytest.mark.slow
async def test_an_endpoint_from_its_model_to_a_rollback(api, call, serve, iris):  # noqa: F811
    rows = iris.head(2).to_numpy().tolist()
    made = await serve(model="iris@champion", log=True)
    assert made["metadata"]["name"] == "iris"
    answer = await call("iris:predict", data={"instances": rows})
    assert answer["body"] == {"predictions": [0, 0]}
    assert (answer["status"], answer["variant"]) == (200, "v1")
    assert answer["requestId"]
    assert (await call("iris:predict", data=rows))["body"] == {"predictions": [0, 0]}
    columns = {name: iris[name].head(2).tolist() for name in iris.columns}
    assert (await call("iris:predict", data=columns))["status"] == 200
    example = await call("iris:example")
    assert example["recorded"]
    assert example["columns"] == list(iris.columns)
    assert (await call("iris:predict", data={"instances": example["instances"]}))["status"] == 200
    assert (await call("iris:predict", data={"inputs": example["inputs"]}))["body"]["outputs"]

    await serve(model="iris:2", percent=10)
    assert names(await call("iris:traffic", split={"v1": 60, "v2": 40}, sticky="header:x-user")) == {
        "v1": 60,
        "v2": 40,
    }
    draft = await call("iris:traffic", split={"v1": 60, "v2": 30}, dryRun=True)
    assert "add up" in draft["problems"][0]["message"]
    assert draft["cli"] == "jupyter kf traffic iris v1=60 v2=30"
    told = await loaded(api, data=rows, variant="v2")
    await call("iris:feedback", requestId=told["requestId"], outcome={"right": 1})

    async def ask_and_compare():
        await call("iris:predict", data=rows, variant="v2")
        return await call("iris:compare")

    compared = await eventually(ask_and_compare, lambda found: found["rows"][1]["requests"])
    assert [row["variant"] for row in compared["rows"]] == ["v1", "v2"]
    assert compared["verdict"]
    await call("iris:mirror", variant="v2", percent=20)
    await call("iris:mirror")
    assert names(await call("iris:promote", variant="v2"))["v2"] == 100
    assert names(await call("iris:rollback")) == {"v1": 60, "v2": 40}
    listed = (await call("iris:revisions"))["items"]
    assert [item["number"] for item in listed] == sorted((item["number"] for item in listed), reverse=True)
    assert listed[0]["current"]
    assert names(await call("iris:remove", variant="v2")) == {"v1": 100}

    rule = "roll back if errors > 5 % over 1 minute"
    assert (await call("iris:rules", rules=[rule]))["items"][0]["text"] == rule
    assert len((await call("iris:rules"))["items"]) == 1
    assert (await call("iris:rules", rules=[]))["items"] == []
    wrong = await call("iris:rules", rules=["roll back if errors > 2 %", "roll bak if x"], dryRun=True)
    assert [(item["index"], item["position"]) for item in wrong["problems"]] == [(1, 5)]

    kept = (await call("iris:log"))["log"]
    assert kept is not None, "it was served with a log"
    assert (await call("iris:log", log={"sample": 0.5, "redact": ["name"]}))["log"]["sample"] == 0.5
    assert (await call("iris:log", log=False))["log"] is None
    assert (await call("iris:log", log=kept))["log"] == kept

    page = await eventually(lambda: call("iris:requests", limit=2), lambda found: len(found["items"]) == 2)
    rest = await call("iris:requests", limit=2, before=page["next"])
    assert not {item["id"] for item in page["items"]} & {item["id"] for item in rest["items"]}
    one = await call("iris:request", id=rest["items"][0]["id"])
    assert one["request"] or one["requestText"]
    assert (await call("iris:replay", variant="v1", limit=3))["summary"]
    assert (await call("iris:drift"))["items"]
    curves = await eventually(lambda: call("iris:curves", names=["v1/rate"]), lambda found: found["series"])
    assert curves["series"][0]["name"] == "v1/rate"
    later = await call("iris:curves", since=curves["cursor"], names=["v1/nothing"])
    assert later["series"] == []

    code = await call("iris:code", data={"instances": rows})
    assert "kf.serving.serve('iris:1', sticky='header:x-user', log=True)" in code["python"]
    assert code["yaml"].startswith("apiVersion: serving.kserve.io/v1beta1")
    for name in ("curl", "client", "kserve", "tritonclient"):
        assert "gateway.token" in code[name]
    token = serving.get("iris").token
    whole = [made, code, listed, one, await api("inferenceservices"), await api("inferenceservices", "iris")]
    assert token not in json.dumps(whole)
    status, tail = await api("inferenceservices", "iris", "logs:tail", params={"part": "v1"})
    assert status == 200
    assert token not in tail["text"]
    status, listing = await api("inferenceservices")
    assert names(listing["items"][0]) == {"v1": 100}

    await call("iris:stop")
    await eventually(
        lambda: api("inferenceservices", "iris"), lambda found: found[1]["status"]["phase"] == "PAUSED"
    )
    await call("iris:start")
    await eventually(
        lambda: api("inferenceservices", "iris"), lambda found: found[1]["status"]["phase"] == "RUNNING"
    )
    assert (await api("inferenceservices", "iris", method="DELETE"))[0] == 200
    assert (await api("inferenceservices", "iris"))[0] == 404


WRONG = [
    ({}, 400, "model"),
    ({"model": "irsi"}, 404, None),
    ({"model": "iris:9"}, 404, None),
    ({"model": "iris", "percent": 101}, 400, "percent"),
    ({"model": "iris", "percent": "ten"}, 400, "percent"),
    ({"model": "iris", "percent": 10}, 400, "percent"),
    ({"model": "iris", "replicas": "x"}, 400, "replicas"),
    ({"model": "iris", "endpoint": "A B"}, 400, "endpoint"),
    ({"model": "iris", "sticky": "cookie"}, 400, "sticky"),
    ({"model": "iris", "rules": ["go away"]}, 400, None),
    ({"model": "iris", "resources": {"gpu": 99}}, 422, None),
    ({"model": "iris", "batch": {"sise": 3}}, 400, "batch.sise"),
    ({"model": "iris", "colour": 1}, 400, "colour"),
]


async def test_what_is_wrong_is_the_users_fault_and_named(api, iris):  # noqa: F811
    for body, status, field in WRONG:
        found, error = await api("inferenceservices", method="POST", body=body)
        assert found == status, (body, error)
        assert set(error) == ERROR
        if field:
            assert error["where"]["field"] == field, body
        drafted, draft = await api("inferenceservices", method="POST", body={**body, "dryRun": True})
        assert drafted == 400 or draft["problems"], draft
    assert (await api("inferenceservices"))[1]["items"] == []


async def test_a_form_asks_before_anything_starts(api, iris):  # noqa: F811
    body = {"model": "iris@champion", "replicas": "0:2", "dryRun": True}
    status, found = await api("inferenceservices", method="POST", body=body)
    assert status == 200
    assert (found["problems"], found["fits"]) == ([], True)
    assert found["cli"] == "jupyter kf serve iris@champion --replicas=0:2"
    assert "InferenceService" in found["yaml"]
    assert (await api("inferenceservices"))[1]["items"] == []


async def test_a_request_that_does_not_fit_has_the_models_own_words(api, call, serve, iris):  # noqa: F811
    await serve(model="iris")
    for data in ([[1, 2]], [["a", "b", "c", "d"]], {"instances": [{"petal": 1}]}):
        status, error = await api("inferenceservices", "iris:predict", method="POST", body={"data": data})
        assert status == 400, error
        assert set(error) == ERROR
    status, error = await api(
        "inferenceservices", "iris:predict", method="POST", body={"data": [[1]], "variant": "v9"}
    )
    assert status == 404
    for verb, body in (
        ("promote", {"variant": "v9"}),
        ("rollback", {"revision": 99}),
        ("remove", {"variant": "v9"}),
    ):
        assert (await api("inferenceservices", f"iris:{verb}", method="POST", body=body))[0] == 404
    assert (await api("inferenceservices", "none:predict", method="POST", body={"data": [1]}))[0] == 404


async def test_changes_of_an_endpoint_are_events(api, serve, iris, jp_ws_fetch, jp_serverapp):  # noqa: F811
    socket = await jp_ws_fetch("api", "events", "subscribe")
    await api("runs")
    watcher = jp_serverapp.web_app.settings["jupyter_kubeflow"]._watchers[0]
    await asyncio.get_running_loop().run_in_executor(None, watcher.ready.wait, TIMEOUT)
    await serve(model="iris")
    events = []
    while not events or events[-1]["phase"] != "RUNNING":
        event = json.loads(await asyncio.wait_for(socket.read_message(), TIMEOUT))
        if event.get("kind") and event["kind"] != "RegisteredModel":
            events.append(event)
    assert {(event["kind"], event["name"]) for event in events} == {("InferenceService", "iris")}
    socket.close()
