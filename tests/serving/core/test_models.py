"""Registered models behind an endpoint: served, replaced, refused, and told of in the registry."""

from __future__ import annotations

import json
import sqlite3

import pytest

from jupyter_ext import registry, serving
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, NotFound, Unavailable, Unfit
from jupyter_ext.registry.loading import Untrusted
from tests.waiting import PATIENCE, processes_of, until

from .conftest import pids, routing, split

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]


class Broken:
    """Loads nowhere."""

    def __reduce__(self):
        return (_raise, ())


def _raise():
    raise ValueError("this model is broken")


@pytest.fixture
def iris(cluster):
    """Two versions of a model."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    for strength in (1.0, 0.1):
        model = LogisticRegression(C=strength, max_iter=500).fit(x, y)
        registry.register(model, "iris", example=x[:2], alias="champion" if strength == 1.0 else None)
    return cluster


def test_a_registered_model_is_served_and_its_version_says_where(iris):
    endpoint = serving.serve("iris@champion")
    assert endpoint.name == "iris"
    assert [(each.name, each.version, each.state) for each in endpoint.variants] == [("v1", "1", "ready")]
    assert list(endpoint.predict(ROWS)) == [0, 2]
    labels = endpoint.resource.labels
    assert labels["modelregistry.kubeflow.org/model-version-id"] == registry.get("iris:1").id
    until(lambda: registry.get("iris:1").endpoints())
    assert registry.get("iris:1").endpoints()[0]["name"] == "iris"
    uid = endpoint.resource.uid
    endpoint.delete()
    assert not processes_of(uid)
    assert not [each for each in registry.get("iris:1").endpoints() if each["state"] == "DEPLOYED"]


def test_a_second_version_beside_the_first_is_promoted_and_rolled_back(iris):
    endpoint = serving.serve("iris:1", "flowers")
    endpoint = serving.serve("iris:2", "flowers", percent=10)
    assert split(endpoint) == {"v1": 90, "v2": 10}
    before = {name: pids(endpoint, name) for name in ("v1", "v2")}
    endpoint.promote()
    assert split(endpoint) == {"v2": 100}
    endpoint.rollback()
    assert split(endpoint) == {"v1": 90, "v2": 10}
    assert {name: pids(endpoint, name) for name in ("v1", "v2")} == before
    assert endpoint.predict(ROWS, variant="v2", raw=True).variant == "v2"
    endpoint.traffic({"1": 50, "2": 50})
    assert split(endpoint) == {"v1": 50, "v2": 50}


def test_a_version_that_is_no_variant_yet_is_added_by_the_split(iris):
    endpoint = serving.serve("iris:1")
    endpoint.traffic({"v1": 80, "v2": 20})
    endpoint.wait(PATIENCE)
    assert split(endpoint) == {"v1": 80, "v2": 20}
    with pytest.raises(NotFound, match="no such version"):
        endpoint.traffic({"v1": 80, "v7": 20})


def test_a_model_that_does_not_load_leaves_the_old_one_serving_and_says_why(iris, tmp_path):
    endpoint = serving.serve("iris:1")
    registry.register(Broken(), "iris")
    with pytest.raises(Unavailable, match="this model is broken"):
        serving.serve("iris:3", "iris")
    assert endpoint.phase == "RUNNING"
    assert split(endpoint) == {"v1": 100}
    assert list(endpoint.predict(ROWS)) == [0, 2]
    failure = endpoint.resource.status["modelStatus"]["lastFailureInfo"]
    assert failure["reason"] == "ModelLoadFailed"
    assert "this model is broken" in failure["message"]
    assert (
        "ValueError"
        in next(each for each in endpoint.resource.status["variants"] if each["name"] == "v3")["error"][
            "type"
        ]
    )
    endpoint.rollback()
    assert endpoint.wait(PATIENCE).reason == ""


def test_a_first_model_that_does_not_load_fails_at_once(cluster):
    registry.register(Broken(), "broken")
    with pytest.raises(Unavailable, match="this model is broken"):
        serving.serve("broken")
    assert serving.get("broken").phase == "FAILED"


def test_what_is_not_there_is_refused_with_the_nearest(iris):
    with pytest.raises(NotFound, match="iris"):
        serving.serve("irs")
    with pytest.raises(NotFound, match="version '7'"):
        serving.serve("iris:7")
    with pytest.raises(NotFound, match="champion"):
        serving.serve("iris@champon")
    with pytest.raises(Unfit, match="CPUs cannot be had"):
        serving.serve("iris", resources={"cpu": 4000})
    with pytest.raises(Invalid, match="nobody can get the other 90 %"):
        serving.serve("iris", percent=10)
    with pytest.raises(Invalid, match="endpoint"):
        serving.serve("iris", "No Such Name")
    assert not serving.endpoints()
    assert serving.examine("iris:2", sticky="header:x-user").spec["predictor"]["name"] == "v2"
    assert not serving.endpoints()


def test_a_model_that_somebody_else_made_asks_first(iris):
    store = sqlite3.connect(iris.home / "registry.sqlite")
    table = next(
        name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE name LIKE '%produced%'")
    )
    store.execute(f"DELETE FROM {table}")
    store.commit()
    store.close()
    with pytest.raises(Untrusted, match="trust=True"):
        serving.serve("iris:1")
    uri = registry.get("iris:1").uri
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    asked = Resource.new("InferenceService", "other", {"predictor": {"model": model}})
    with pytest.raises(Untrusted):
        serving.submit(asked)
    endpoint = serving.serve("iris:1", trust=True)
    assert list(endpoint.predict(ROWS)) == [0, 2]


def test_yaml_with_an_address_of_the_registry_is_served(iris):
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "model-registry://iris/2"}
    asked = Resource.new("InferenceService", "flowers", {"predictor": {"model": model}})
    endpoint = serving.submit(asked).wait(PATIENCE)
    assert list(endpoint.predict(ROWS)) == [0, 2]
    assert endpoint.variants[0].version == "2"
    facts = json.loads(endpoint.resource.annotations["jupyter-kubeflow.org/variants"])
    assert facts["stable"]["model"] == "iris"
    for uri, error in (
        ("pvc://a/b", Unfit),
        ("file:///no/such", NotFound),
        ("model-registry://irs", NotFound),
    ):
        wrong = {"predictor": {"model": {**model, "storageUri": uri}}}
        with pytest.raises(error):
            serving.submit(Resource.new("InferenceService", "wrong", wrong))


def test_an_object_is_registered_and_served_in_one_call(cluster):
    class Twice:
        def predict(self, rows):
            return [[2 * value for value in row] for row in rows]

    endpoint = serving.serve(Twice(), "twice")
    assert registry.get("twice:1").format == "python"
    assert endpoint.predict([[1, 2]], raw=True).body["predictions"] == [[2, 4]]
    assert routing(endpoint)["variants"][0]["version"] == "1"
    with pytest.raises(Invalid, match="needs the name of its endpoint"):
        serving.serve(Twice())


def test_export_refuses_what_only_this_machine_has_and_names_the_remedy(iris):
    endpoint = serving.serve("iris:1", wait=False)
    with pytest.raises(Unfit, match="s3://"):
        endpoint.export()
    assert "kf.serving.serve('iris:1', 'iris'" in endpoint.code()
