"""The InferenceServices and InferenceGraphs that we write, against KServe's own schemas.

What a schema does not have is a fault here: a cluster would drop it without a word.
"""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from jupyter_ext import registry, serving
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.serving import graph as graphs
from jupyter_ext.serving.export import export
from tests.contract import crds
from tests.serving.core.conftest import (  # noqa: F401 - the fixture of this name
    SERVER,
    cluster,
    predictor,
    routing,
    service,
)
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.contract

NEEDED = "v0.20.0"
"""What our exports of endpoints need: predictors have names from this version on, and there is ``spec.canary``."""
OLDER = "v0.16.0"
"""Which takes our graphs, and predictors without names."""
OURS = {
    "phase", "reason", "variants", "routing", "revisions", "servingRevision", "rules", "drift", "completionTime",
}  # fmt: skip
"""Fields of the status that are not KServe's."""


class Doubled:
    """A transformer."""

    def preprocess(self, payload):
        return payload


@pytest.fixture
def iris(cluster):  # noqa: F811
    """A model in two versions, and one that does not load."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    for strength in (1.0, 0.1):
        registry.register(LogisticRegression(C=strength, max_iter=500).fit(x, y), "iris", example=x[:2])
    return cluster


def written(endpoint) -> dict:
    """What is exported."""
    return yaml.safe_load(export(endpoint.resource, strict=False))


def upstream(resource: Resource) -> dict:
    """The resource as a cluster would keep it, with KServe's part of the status."""
    found = resource.to_dict()
    status = {key: value for key, value in found["status"].items() if key not in OURS}
    return {**found, "status": status}


def test_ours_are_no_names_of_kserves():
    schema = crds.validator(NEEDED, "inferenceservices", "v1beta1").schema
    assert not OURS & schema["properties"]["status"]["properties"].keys()


def test_the_check_finds_what_a_cluster_would_drop():
    spec = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://b/m"}}}
    good = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {},
        "spec": spec,
    }
    assert not crds.faults(NEEDED, good)
    assert not crds.faults(OLDER, good)
    worse = json.loads(json.dumps(good))
    worse["spec"]["predictor"]["model"]["storageUrl"] = "s3://b/m"
    assert "storageUrl" in crds.faults(NEEDED, worse)[0]
    worse = json.loads(json.dumps(good))
    worse["spec"]["canary"] = [{"trafficPercent": "10", "predictor": {**spec["predictor"], "name": "v2"}}]
    found = " ".join(crds.faults(NEEDED, worse))
    assert "trafficPercent" in found
    assert "'name' is a required property" in found
    assert "canary" in " ".join(crds.faults(OLDER, worse))


def test_an_endpoint_of_a_model_with_everything_that_serve_takes(iris):
    endpoint = serving.serve(
        *("iris:1",), replicas="1:2", resources={"cpu": 0.1, "memory": "256Mi"}, env={"A": "1"}, timeout=30,
        batch={"size": 8, "wait_ms": 5}, sticky="header:x-user", log={"sample": 0.5, "redact": ["x"]}, grpc=True,
        transformer=Doubled, rules=["roll back if errors > 50 % over 1 minute"], idle=60,
    )  # fmt: skip
    endpoint.wait(PATIENCE)
    assert written(endpoint)["spec"]["predictor"]["model"]["resources"]["limits"]["cpu"] == "0.1"
    assert not crds.faults(NEEDED, written(endpoint))
    assert not crds.faults(NEEDED, upstream(endpoint.resource))
    endpoint.stop(wait=True)
    assert written(endpoint)["metadata"]["annotations"]["serving.kserve.io/stop"] == "true"
    assert not crds.faults(NEEDED, upstream(endpoint.resource))


def test_variants_beside_the_stable_one_one_of_which_does_not_load(iris):
    from tests.serving.core.test_models import Broken

    endpoint = serving.serve("iris:1", explain=True).wait(PATIENCE)
    serving.serve("iris:2", percent=10).wait(PATIENCE)
    assert written(endpoint)["spec"]["canary"][0]["trafficPercent"] == 10
    before = len(endpoint.revisions())
    serving.update(Resource.from_dict(written(endpoint)))
    assert len(endpoint.revisions()) == before
    assert not crds.faults(NEEDED, written(endpoint))
    assert not crds.faults(NEEDED, upstream(endpoint.resource))
    endpoint.promote("v2")
    assert not crds.faults(NEEDED, upstream(endpoint.resource))
    registry.register(Broken(), "iris", version="broken")
    serving.serve("iris:broken", percent=20, trust=True, wait=False)
    until(lambda: endpoint.resource.status["modelStatus"].get("lastFailureInfo"))
    states = [
        each["modelStatus"]["states"]["activeModelState"]
        for each in endpoint.resource.status["canaryStatuses"]
    ]
    assert states == ["FailedToLoad"]
    assert not crds.faults(NEEDED, upstream(endpoint.resource))


def test_commands_as_predictor_transformer_and_explainer(cluster):  # noqa: F811
    asked = service("iris", predictor("v1", "one", minReplicas=0), (0, predictor("v2", "two")), idle="60")
    around = {"name": "kserve-container", "command": [sys.executable], "args": [str(SERVER), "--port=8080"]}
    asked.spec["transformer"] = {"containers": [around], "minReplicas": 1, "timeout": 20}
    asked.spec["explainer"] = {"containers": [around]}
    asked.spec["predictor"]["containers"][0]["resources"] = {"requests": {"cpu": 0.1}}
    endpoint = serving.submit(asked).wait(PATIENCE)
    until(lambda: routing(endpoint)["explainer"])
    assert not crds.faults(NEEDED, written(endpoint))
    status = upstream(endpoint.resource)["status"]
    assert not crds.faults(NEEDED, {**written(endpoint), "status": status})


def test_graphs(cluster):  # noqa: F811
    for name in ("one", "two"):
        serving.submit(service(name, predictor("v1", name)))
    one, two = {"serviceName": "one", "name": "first"}, {"serviceName": "two", "dependency": "Hard"}
    nodes = {
        "root": {"routerType": "Sequence", "steps": [{"nodeName": "split"}, {**two, "data": "$response"}]},
        "split": {"routerType": "Splitter", "steps": [{**one, "weight": 60}, {**two, "weight": 40}]},
        "all": {"routerType": "Ensemble", "steps": [one, {"serviceName": "two", "name": "second"}]},
        "which": {
            "routerType": "Switch",
            "steps": [{**one, "condition": 'user.id=="a"'}, {**two, "condition": "user"}],
        },
    }
    nodes["root"]["steps"] += [{"nodeName": "all"}, {"nodeName": "which"}]
    made = graphs.submit_graph(Resource.new("InferenceGraph", "chain", {"nodes": nodes, "timeout": 20}))
    found = cluster.get("InferenceGraph", "chain")
    assert made.name == found.name
    for version in (OLDER, NEEDED):
        assert not crds.faults(version, found.manifest())
        assert not crds.faults(version, upstream(found))
