"""Models over REST: the registry's verbs, as a panel asks them, with events from whoever changes something."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from jupyter_ext import registry, training
from jupyter_ext.server.routes import routes
from jupyter_ext.server.watch import SCHEMA

TIMEOUT = 20


class Sum:
    """A model that any interpreter can make."""

    def predict(self, rows):
        return np.asarray(rows).sum(axis=1)


@pytest.fixture
def models(kubeflow_home):
    """Two models; one has two versions."""
    data = np.arange(12.0).reshape(4, 3)
    registry.register(
        Sum(), "iris", metrics={"accuracy": 0.9}, parameters={"C": 1}, alias="champion", example=data[:2], owner="ada",
        data={"train": data}, description="Flowers of spain",
    )  # fmt: skip
    registry.register(Sum(), "iris", metrics={"accuracy": 0.95}, parameters={"C": 2})
    registry.register(Sum(), "ride ride & Fahrt Fahrt", metrics={"rmse": 3.0})


@pytest.fixture
def ask(api):
    """Ask a verb of a model, or a question of all."""

    async def ask(name: str, verb: str, **body):
        return await api("registeredmodels", f"{name}:{verb}", method="POST", body=body)

    return ask


async def test_models_are_listed_found_and_paged(api, models):
    status, found = await api("registeredmodels", params={"limit": "1"})
    assert status == 200
    assert [item["metadata"]["name"] for item in found["items"]] == ["ride ride & Fahrt Fahrt"]
    status, found = await api("registeredmodels", params={"limit": "1", "before": found["next"]})
    (iris,) = found["items"]
    assert (iris["kind"], iris["spec"]["owner"], found["more"]) == ("RegisteredModel", "ada", False)
    assert iris["status"]["aliases"] == {"champion": "1"}
    assert (iris["status"]["versions"], iris["status"]["archived"]) == (2, 0)
    assert iris["status"]["latest"]["metrics"] == {"accuracy": 0.95}
    assert iris["status"]["champion"]["parameters"] == {"C": "1"}
    assert iris["status"]["latest"]["danger"].startswith("it is a pickle")
    assert iris["status"]["latest"]["trusted"], "it was registered from here"
    assert iris["status"]["latest"]["bytes"] > 0


@pytest.mark.parametrize(
    ("text", "names", "matches"),
    [
        ("accuracy > 0.9", ["iris"], ["2"]),
        ("owner = 'ada' AND C = 1", ["iris"], ["1"]),
        ("owner = 'ada' AND accuracy > 0.99", [], []),
        ("rmse < 5 OR name LIKE 'iri%'", ["ride ride & Fahrt Fahrt", "iris"], ["1"]),
        ("SPAIN", ["iris"], ["1"]),
        ("spain ride", [], []),
        ("fahrt", ["ride ride & Fahrt Fahrt"], []),
        ("100%_'\\", [], []),
    ],
)
async def test_a_search_is_words_or_a_filter_over_models_and_versions(api, models, text, names, matches):
    status, found = await api("registeredmodels:search", params={"q": text})
    assert status == 200, found
    assert [item["metadata"]["name"] for item in found["items"]] == names
    if names:
        assert found["items"][0]["status"]["matches"] == matches


async def test_a_broken_filter_is_told(api, models):
    status, found = await api("registeredmodels:search", params={"q": "accuracy >> 3"})
    assert (status, found["where"]) == (400, {"field": "q"})
    status, found = await api("registeredmodels:properties")
    assert {"name": "rmse", "type": "double", "of": "version", "count": 1} in found["items"]


async def test_a_name_may_have_any_characters(api, ask, models):
    status, found = await api("registeredmodels", "ride ride & Fahrt Fahrt")
    assert (status, found["metadata"]["name"]) == (200, "ride ride & Fahrt Fahrt")
    status, found = await ask("ride ride & Fahrt Fahrt", "versions")
    assert [row["version"] for row in found["items"]] == ["1"]
    status, found = await api("registeredmodels", "irs")
    assert (status, found["hint"]) == (404, "Did you mean iris?")


async def test_versions_one_and_all(api, ask, models):
    _, found = await ask("iris", "versions", limit=1)
    assert ([row["version"] for row in found["items"]], found["more"], found["next"]) == (["2"], True, "2")
    _, found = await ask("iris", "versions", limit=1, before="2")
    assert ([row["version"] for row in found["items"]], found["more"]) == (["1"], False)
    _, found = await ask("iris", "versions", q="C = 1")
    assert [row["version"] for row in found["items"]] == ["1"]
    status, found = await ask("iris", "version", version="champion")
    assert status == 200, found
    assert found["signature"]["inputs"][0]["shape"] == [-1, 3]
    assert found["example"]["data"] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert found["data"][0]["name"] == "train"
    assert "kf.registry.get('iris@champion')" in found["code"]["python"]
    status, found = await ask("iris", "version", version="9")
    assert (status, "no version '9'" in found["message"]) == (404, True)
    _, found = await api("registeredmodels:compare", params={"versions": json.dumps(["iris:1", "iris:2"])})
    rows = {(row["section"], row["name"]): row for row in found["rows"]}
    assert rows["metrics", "accuracy"] == {
        "section": "metrics", "name": "accuracy", "values": [0.9, 0.95], "differs": True,
    }  # fmt: skip
    assert rows["parameters", "C"]["values"] == ["1", "2"]


async def test_aliases_promotion_and_better(api, ask, models):
    _, found = await ask("iris", "better", version="2", metric="accuracy")
    assert found["better"]
    assert found["sentence"] == "iris:2 is better than iris:1 (champion): accuracy 0.95 against 0.9."
    _, found = await ask("iris", "promote", version="2")
    assert found["sentence"] == "iris@champion is version 2 now, in place of version 1."
    _, found = await ask("iris", "promote", version="2", to="iris-prod")
    assert (found["model"], found["before"]) == ("iris-prod", None)
    _, found = await ask("iris", "alias", alias="shadow", version="1")
    assert found["status"]["aliases"] == {"champion": "2", "shadow": "1"}
    _, found = await ask("iris", "alias", alias="shadow")
    assert found["status"]["aliases"] == {"champion": "2"}
    _, found = await ask("iris", "archive", version="1")
    assert (found["status"]["versions"], found["status"]["archived"]) == (1, 1)
    _, found = await ask("iris", "archive")
    assert found["spec"]["state"] == "ARCHIVED"
    _, found = await api("registeredmodels", params={"state": "LIVE"})
    assert "iris" not in [item["metadata"]["name"] for item in found["items"]]
    _, found = await ask("iris", "restore")
    assert found["spec"]["state"] == "LIVE"


async def test_description_card_copy_and_lineage(api, ask, models):
    _, found = await ask("iris", "describe", description="Petals.", properties={"team": "flora"})
    assert (found["spec"]["description"], found["spec"]["properties"]) == ("Petals.", {"team": "flora"})
    _, found = await ask("iris", "card", readme="## Use\nCarefully.")
    assert "Carefully." in found["card"]
    _, found = await ask("iris", "copy", version="1", to="other", alias="live")
    assert (found["model"], found["aliases"]) == ("other", ["live"])
    registry.note_served("flowers", [registry.get("other:1")], url="http://127.0.0.1:1/flowers")
    _, graph = await ask("other", "lineage")
    nodes = {node["id"]: node for node in graph["nodes"]}
    edges = {(nodes[edge["source"]]["title"], nodes[edge["target"]]["title"]) for edge in graph["edges"]}
    assert {
        ("iris:1", "other:1"),
        ("other:1", "flowers"),
        ("python", "other:1"),
        ("train", "python"),
    } <= edges
    assert nodes["InferenceService:flowers"]["ref"] == {"kind": "InferenceService", "name": "flowers"}


async def test_what_is_served_is_not_removed(api, ask, models):
    registry.note_served("flowers", [registry.get("iris:1")])
    status, found = await ask("iris", "remove", version="1")
    assert (status, "served by flowers" in found["message"]) == (409, True)
    status, found = await api("registeredmodels", "iris", method="DELETE")
    assert status == 409
    registry.note_served("flowers", [])
    status, found = await ask("iris", "remove", version="1")
    assert (status, found["status"]["versions"], found["status"]["aliases"]) == (200, 1, {})
    status, _ = await api("registeredmodels", "iris", method="DELETE")
    assert status == 200
    assert (await api("registeredmodels", "iris"))[0] == 404


async def test_a_file_of_the_server_is_registered(api, jp_root_dir):
    (jp_root_dir / "model.json").write_text('{"learner": {}}')
    given = {"path": "model.json", "name": "boost", "metrics": {"auc": 0.9}, "alias": "champion"}
    status, found = await api("registeredmodels", method="POST", body={**given, "dryRun": True})
    assert status == 200, found
    assert (status, found["format"], found["version"], found["problems"]) == (200, "xgboost", "1", [])
    assert "kf.registry.register(" in found["python"]
    status, found = await api("registeredmodels", method="POST", body=given)
    assert (status, found["status"]["latest"]["format"]) == (201, "xgboost")
    body = {"path": "nothing.pkl", "name": "boost", "version": "1", "dryRun": True}
    status, found = await api("registeredmodels", method="POST", body=body)
    assert status == 404 or [problem["field"] for problem in found["problems"]] == ["version", "path"]
    body = {"path": "s3://bucket/model", "name": "far", "format": "sklearn"}
    status, found = await api("registeredmodels", method="POST", body=body)
    assert (status, found["status"]["latest"]["uri"]) == (201, "s3://bucket/model")


async def test_changes_of_other_processes_are_events(api, jp_ws_fetch, jp_serverapp):
    socket = await jp_ws_fetch("api", "events", "subscribe")
    await api("registeredmodels")
    watcher = jp_serverapp.web_app.settings["jupyter_kubeflow"]._watchers[1]
    await asyncio.get_running_loop().run_in_executor(None, watcher.ready.wait, TIMEOUT)

    async def read(kind: str):
        while True:
            event = json.loads(await asyncio.wait_for(socket.read_message(), TIMEOUT))
            if event["schema_id"] == SCHEMA and event["type"] == kind:
                return event

    code = (
        "from jupyter_ext import registry\nregistry.register({}, 'iris', alias='champion', format='python')"
    )
    await asyncio.get_running_loop().run_in_executor(
        None, lambda: subprocess.run([sys.executable, "-c", code], check=True)
    )
    event = await read("ADDED")
    assert (event["kind"], event["name"], event["phase"]) == ("RegisteredModel", "iris", None)
    registry.get("iris:1").log(accuracy=0.5)
    event = await read("MODIFIED")
    assert event["name"] == "iris"
    _, found = await api("registeredmodels", "iris")
    assert found["metadata"]["resourceVersion"] >= event["resourceVersion"]
    registry.get("iris").purge()
    event = await read("DELETED")
    assert event["name"] == "iris"
    socket.close()


def test_a_name_is_percent_encoded_in_a_path():
    (item,) = (route for route in routes() if route.path == "registeredmodels/{name}")
    (verb,) = (route for route in routes() if route.path == "registeredmodels/{name}:alias")
    assert (
        re.fullmatch(item.pattern, "/kubeflow/v1/registeredmodels/a%2Fb%20c%3Fd").group(1) == "a%2Fb%20c%3Fd"
    )
    assert re.fullmatch(verb.pattern, "/kubeflow/v1/registeredmodels/a%2Fb:alias").group(1) == "a%2Fb"
    assert not re.fullmatch(item.pattern, "/kubeflow/v1/registeredmodels/a/b")


async def test_what_a_job_made_is_registered(api):
    loop = asyncio.get_running_loop()
    job = await loop.run_in_executor(
        None,
        lambda: training.train("{'model': {'weights': [1.0]}, 'loss': 0.5}", framework="plain", wait=True),
    )
    source = {"kind": "TrainJob", "name": job.name}
    body = {"from": source, "name": "net", "alias": "champion", "metrics": {"auc": 0.9}}
    status, found = await api("registeredmodels", method="POST", body={**body, "dryRun": True})
    assert (status, found["problems"], found["version"]) == (200, [], "1")
    assert f"kf.training.get('{job.name}').result()" in found["python"]
    status, found = await api("registeredmodels", method="POST", body=body)
    assert status == 201, found
    assert found["status"]["champion"]["metrics"] == {"loss": 0.5, "auc": 0.9}
    assert found["status"]["champion"]["lineage"]["run"] == job.name
    assert registry.get("net:1").load() == {"weights": [1.0]}
    body["from"] = {"kind": "TrainJob", "name": "nothing"}
    status, found = await api("registeredmodels", method="POST", body=body)
    assert status == 404, found
