"""Evidence of endpoints that really run: what is sent is counted, logged, judged and sent again."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from jupyter_ext import serving
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import workload
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.registry import profile
from jupyter_ext.serving import drift, gateway
from tests.waiting import PATIENCE, until

SCORER = Path(__file__).with_name("scorer.py")


@pytest.fixture
def cluster(kubeflow_home, monkeypatch):
    for name in ("JUPYTER_KUBEFLOW_WORKLOAD", "JUPYTER_KUBEFLOW_UNIT", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    made = discover.current()
    yield made
    for kind in ("InferenceService", "Gateway"):
        for each in made.list(kind):
            workload.stop(made, each.uid, grace=2)


def variant(name: str, **arguments: float) -> dict:
    args = [str(SCORER), "--port=8080", *(f"--{key}={value}" for key, value in arguments.items())]
    return {
        "name": name,
        "containers": [{"name": "kserve-container", "command": [sys.executable], "args": args}],
    }


def routed(cluster, endpoint) -> dict:
    """The routing, once the gateway goes by it."""
    routing = endpoint.resource.status["routing"]
    until(lambda: gateway.applied(cluster, endpoint.name) >= routing["generation"])
    return routing


def counted(endpoint) -> int:
    return sum(row.requests for row in endpoint.compare(since=0).rows)


@pytest.fixture
def endpoint(cluster):
    """v1 with 70 %, v2 with 30 % which answers otherwise above 50, and v3 that nobody meets."""
    spec = {
        "predictor": variant("v1"),
        "canary": [
            {"trafficPercent": 30, "predictor": variant("v2", above=1)},
            {"trafficPercent": 0, "predictor": variant("v3")},
        ],
    }
    notes = {
        "jupyter-kubeflow.org/sticky": "header:x-user",
        "jupyter-kubeflow.org/log": json.dumps({"sample": 1, "bodies": True, "redact": ["ssn"]}),
    }
    made = serving.submit(Resource.new("InferenceService", "people", spec, annotations=notes))
    made.wait(PATIENCE)
    until(lambda: all(each.state == "ready" for each in made.variants))
    return made


def test_the_whole_path_from_requests_to_a_verdict(endpoint):
    chance = random.Random(1)
    answers = {}
    for number in range(240):
        row = {"age": chance.randint(20, 60), "ssn": "hunter2"}
        answer = endpoint.predict({"instances": [row]}, raw=True, headers={"x-user": f"u{number}"})
        answers[number] = answer.variant
        liked = chance.random() < (0.2 if answer.variant == "v1" else 0.9)
        endpoint.feedback(answer.request_id, liked=liked)
    assert set(answers.values()) == {"v1", "v2"}
    # Counted by seconds: the one in which the endpoint was made may have some of them.
    until(lambda: counted(endpoint) == 240)

    found = endpoint.compare(since=0)
    assert found.metric == "liked"
    assert [row.variant for row in found.rows] == ["v1", "v2", "v3"]
    assert found.rows[1].requests == list(answers.values()).count("v2")
    assert found.of("v2").better is True
    assert "v2 is better by " in found.verdict
    assert "v3 had no requests" in found.verdict or "v3 got no feedback" in found.verdict

    logged = endpoint.requests(1000)
    assert len(logged) == 240
    assert not any(b"hunter2" in (each.request or b"") for each in logged)
    assert all(each.request is not None and each.response is not None for each in logged)

    again = endpoint.replay("v3", limit=50)
    assert again.skipped == 50  # their ssn is gone
    assert "with redacted fields" in again.summary

    known = profile.of({"age": [chance.randint(60, 90) for _ in range(500)]})
    measured = drift.measure(known, logged)
    assert next(each for each in measured.features if each.name == "age").level == "much"


def test_replay_finds_what_another_variant_answers_otherwise_and_is_not_counted(cluster, endpoint):
    for age in range(41, 61):
        endpoint.predict({"instances": [[age]]}, variant="v1")
    endpoint.log({"sample": 1, "bodies": True})
    until(lambda: not routed(cluster, endpoint)["log"]["redact"])
    for age in range(41, 61):
        endpoint.predict({"instances": [[age]]}, variant="v1")
    until(lambda: counted(endpoint) == 40)
    assert sum(each.request is not None for each in endpoint.requests(100)) == 20
    # Rows of columns that nobody knows were not kept while something had to be redacted.
    assert len(endpoint.requests(100)) == 40
    before = counted(endpoint)
    found = endpoint.replay("v2", limit=100)
    assert (found.same, found.different, found.failed) == (10, 10, 0)
    assert found.skipped == 20
    against = endpoint.replay("v3", limit=100, against="v1")
    assert against.same == 20
    # What comes after them is counted, so they would have been.
    endpoint.predict({"instances": [[41]]}, variant="v1")
    until(lambda: counted(endpoint) > before)
    assert counted(endpoint) == before + 1
