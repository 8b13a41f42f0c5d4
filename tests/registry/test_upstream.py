"""All that we ask of a Model Registry is what upstream's document has."""

from __future__ import annotations

import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_ext import registry as kf
from jupyter_ext.registry import on_cluster
from tests.registry.upstream import REQUESTS, FakeUpstream, upstream

MODEL = LogisticRegression().fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("version", ["v1", "v1alpha3"])
def test_every_verb(version, tmp_path):
    with upstream(tmp_path / "server", versions=(version,)) as server:
        registry = kf.connect(f"http://127.0.0.1:{server.port}", storage=(tmp_path / "shared").as_uri())
        first = registry.register(
            MODEL, "iris", metrics={"accuracy": 0.9, "loss": 2}, parameters={"C": 1.0, "deep": False}, alias="champion",
            example=[[0.5]], data={"train": [[0.0], [1.0]]}, properties={"team": "täglich"}, description="Of flowers",
        )  # fmt: skip
        second = registry.register(MODEL, "iris", metrics={"accuracy": 0.95})
        assert registry.transport.version == version
        assert [found.name for found in registry.find("accuracy > 0.92")] == ["iris:2"]
        assert registry.get("iris@champion").metrics == {"accuracy": 0.9, "loss": 2.0}
        assert registry.promote(second).name == "iris:1"
        assert registry.compare(first, second).to_dict()["metrics"]["accuracy"] == [0.9, 0.95]
        assert registry.copy(second, "prod").load().predict([[1.0]]).tolist() == [1]
        assert [model.name for model in registry.search("flowers")] == ["iris"] or registry.search("iris")
        first.log(recall=0.5)
        labels, _ = on_cluster.labels(second, endpoint="live", namespace="team")
        assert labels["modelregistry.kubeflow.org/inference-service-id"]
        registry.note_served("live", [first], url="http://x", profile="team")
        registry.note_served("live", [], profile="team")
        assert registry.get("iris:1").endpoints()[0]["state"] == "UNDEPLOYED"
        registry.get("iris:2").archive()
        registry.get("iris").archive()
        assert len(server.seen) > 30


def test_the_double_notices_what_upstream_does_not_know(tmp_path):
    fake = FakeUpstream(tmp_path, "127.0.0.1", ["v1"])
    fake.server.server_close()
    fake.check("POST", "registered_models", {"name": "iris"}, REQUESTS)
    assert fake.wrong == []
    for body in ({"name": "iris", "colour": "red"}, {"owner": "ada"}, {"name": "iris", "state": "SOLD"}):
        fake.check("POST", "registered_models", body, REQUESTS)
    assert len(fake.wrong) == 3
    assert "has no colour" in fake.wrong[0]
