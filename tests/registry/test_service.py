"""The rules of upstream's service: what may be created, changed and found, and with which status it is refused."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest

from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound
from jupyter_ext.registry.bodies import Missing
from jupyter_ext.registry.entities import ARTIFACTS
from jupyter_ext.registry.routes import answer, routes
from jupyter_ext.registry.service import Service
from jupyter_ext.registry.store import Store

TEXT = {"metadataType": "MetadataStringValue", "string_value": "x"}


@pytest.fixture
def model(service):
    return service.create("RegisteredModel", {"name": "iris"})


@pytest.fixture
def version(service, model):
    return service.create("ModelVersion", {"name": "1", "registeredModelId": model["id"]})


def test_what_is_created_is_what_is_found(service):
    body = {
        "name": "iris", "description": "d", "owner": "Ada", "externalId": "e", "language": ["en"], "tasks": [],
        "logo": "https://example.org/l.png", "customProperties": {"x": TEXT},
    }  # fmt: skip
    made = service.create("RegisteredModel", body)
    assert made.items() >= {**body, "state": "LIVE"}.items()
    assert made["createTimeSinceEpoch"] == made["lastUpdateTimeSinceEpoch"]
    assert service.get("RegisteredModel", made["id"]) == made
    assert service.find("RegisteredModel", {"name": "iris"}) == made
    assert service.find("RegisteredModel", {"externalId": "e"}) == made
    assert service.list("RegisteredModel", {})["items"] == [made]


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("RegisteredModel", {}, Missing),
        ("RegisteredModel", {"name": ""}, Missing),
        ("RegisteredModel", [], Invalid),
        ("RegisteredModel", {"name": 3}, Invalid),
        ("RegisteredModel", {"name": "x" * 256}, Invalid),
        ("RegisteredModel", {"name": "x", "id": "3"}, Invalid),
        ("RegisteredModel", {"name": "x", "ext_id": 1}, Invalid),
        ("RegisteredModel", {"name": "x", "state": "DEAD"}, Invalid),
        ("RegisteredModel", {"name": "x", "language": "en"}, Invalid),
        ("RegisteredModel", {"name": "x", "logo": "no uri"}, Invalid),
        ("RegisteredModel", {"name": "x\0"}, Invalid),
        ("RegisteredModel", {"name": "\ud800"}, Invalid),
        ("RegisteredModel", {"name": "x", "customProperties": {"\0": TEXT}}, Invalid),
        ("RegisteredModel", {"name": "x", "customProperties": {"a": {"string_value": "x"}}}, Invalid),
        ("RegisteredModel", {"name": "x", "customProperties": {"a": {**TEXT, "more": 1}}}, Invalid),
        ("ModelVersion", {"name": "1"}, Missing),
        ("ModelVersion", {"name": "1", "registeredModelId": "77"}, NotFound),
        ("ModelVersion", {"name": "1", "registeredModelId": "01"}, Invalid),
        ("Artifact", {"artifactType": "poem"}, Invalid),
        ("Artifact", {"name": "x"}, Invalid),
        ("Artifact", {"artifactType": "metric", "name": "x"}, Invalid),
        ("Artifact", {"artifactType": "metric", "name": "x", "value": float("inf")}, Invalid),
        ("Artifact", {"artifactType": "metric", "name": "x", "value": 1, "step": 0.5}, Invalid),
        ("ModelArtifact", {"artifactType": "doc-artifact"}, Invalid),
        ("InferenceService", {"registeredModelId": "1", "servingEnvironmentId": "1"}, NotFound),
    ],
)
def test_refused(service, kind, body, error):
    with pytest.raises(error):
        service.create(kind, body)
    assert service.list("RegisteredModel", {})["size"] == 0


@pytest.mark.parametrize(
    "value",
    [
        {"metadataType": "MetadataIntValue", "int_value": "2147483647"},
        {"metadataType": "MetadataIntValue", "int_value": "-3"},
        {"metadataType": "MetadataDoubleValue", "double_value": 1e300},
        {"metadataType": "MetadataBoolValue", "bool_value": False},
        {"metadataType": "MetadataStructValue", "struct_value": "eyJhIjoxfQ=="},
        {"metadataType": "MetadataProtoValue", "type": "t", "proto_value": "AAE="},
        {"metadataType": "MetadataStringValue", "string_value": ""},
    ],
)
def test_typed_properties_come_back_as_they_went(service, value):
    made = service.create("RegisteredModel", {"name": "m", "customProperties": {"p": value}})
    assert service.get("RegisteredModel", made["id"])["customProperties"] == {"p": value}


@pytest.mark.parametrize(
    "value",
    [
        {"metadataType": "MetadataIntValue", "int_value": 3},
        {"metadataType": "MetadataIntValue", "int_value": "2147483648"},
        {"metadataType": "MetadataIntValue", "int_value": "007"},
        {"metadataType": "MetadataDoubleValue", "double_value": "1"},
        {"metadataType": "MetadataDoubleValue", "double_value": 10**400},
        {"metadataType": "MetadataBoolValue", "bool_value": 1},
        {"metadataType": "MetadataStructValue", "struct_value": "{}"},
        {"metadataType": ["MetadataBoolValue"], "bool_value": True},
        "x",
    ],
)
def test_properties_of_the_wrong_type_are_refused(service, value):
    with pytest.raises(Invalid):
        service.create("RegisteredModel", {"name": "m", "customProperties": {"p": value}})


def test_names_are_unique_for_each_parent(service, model, version):
    other = service.create("RegisteredModel", {"name": "other"})
    service.create("ModelVersion", {"name": "1", "registeredModelId": other["id"]})
    with pytest.raises(Conflict, match="model version with name 1 already exists"):
        service.create_version(model["id"], {"name": "1"})
    with pytest.raises(Conflict):
        service.create("RegisteredModel", {"name": "iris"})


def test_external_ids_are_unique(service):
    service.create("RegisteredModel", {"name": "a", "externalId": "e"})
    with pytest.raises(Conflict, match="external id e is taken"):
        service.create("Experiment", {"name": "b", "externalId": "e"})
    service.create("Artifact", {"artifactType": "doc-artifact", "externalId": "e"})


def test_change_keeps_what_is_not_said(service, model):
    service.change("RegisteredModel", model["id"], {"customProperties": {"x": TEXT}, "owner": "Ada"})
    found = service.change("RegisteredModel", model["id"], {"state": "ARCHIVED"})
    assert (found["owner"], found["state"], found["customProperties"]) == ("Ada", "ARCHIVED", {"x": TEXT})
    assert service.change("RegisteredModel", model["id"], {"customProperties": {}})["customProperties"] == {}
    with pytest.raises(Invalid):
        service.change("RegisteredModel", model["id"], {"name": "new"})
    assert int(found["lastUpdateTimeSinceEpoch"]) >= int(found["createTimeSinceEpoch"])


def test_a_filter_follows_changed_properties(service, model):
    service.change("RegisteredModel", model["id"], {"customProperties": {"x": TEXT}})
    assert service.list("RegisteredModel", {"filterQuery": "x = 'x'"})["size"] == 1
    service.change("RegisteredModel", model["id"], {"customProperties": {}})
    assert service.list("RegisteredModel", {"filterQuery": "x = 'x'"})["size"] == 0


def test_find_says_what_it_needs(service, version):
    with pytest.raises(Invalid, match="supply either name or externalId"):
        service.find("RegisteredModel", {})
    with pytest.raises(Invalid, match=r"supply either \(name and parentResourceId\)"):
        service.find("ModelVersion", {"name": "1"})
    with pytest.raises(NotFound):
        service.find("ModelVersion", {"name": "2", "parentResourceId": version["registeredModelId"]})
    assert (
        service.find("ModelVersion", {"name": "1", "parentResourceId": version["registeredModelId"]})
        == version
    )


def test_artifacts_of_a_version(service, version):
    made = {}
    for tag in ARTIFACTS:
        body = {"artifactType": tag, "name": tag, **({"value": 1.5} if tag == "metric" else {})}
        made[tag], new = service.attach("ModelVersion", version["id"], body)
        assert new
    listed = service.list("Artifact", {}, within=version["id"])["items"]
    assert [item["artifactType"] for item in listed] == list(ARTIFACTS)
    only = service.list("Artifact", {"artifactType": "metric"}, within=version["id"])["items"]
    assert only == [made["metric"]]
    with pytest.raises(Conflict):
        service.attach(
            "ModelVersion", version["id"], {"artifactType": "doc-artifact", "name": "doc-artifact"}
        )
    again, new = service.attach(
        "ModelVersion", version["id"], {"artifactType": "metric", "name": "metric", "value": 2}
    )
    assert (again["id"], again["value"], new) == (made["metric"]["id"], 2.0, False)


def test_an_artifact_may_belong_to_two_versions(service, model, version):
    artifact = service.create("ModelArtifact", {"uri": "s3://b/k"})
    assert artifact["name"]
    found, new = service.attach("ModelVersion", version["id"], artifact)
    assert (found["id"], new) == (artifact["id"], False)
    second = service.create_version(model["id"], {"name": "2"})
    service.attach("ModelVersion", second["id"], artifact)
    for owner in (version, second):
        assert [item["id"] for item in service.list("Artifact", {}, within=owner["id"])["items"]] == [
            artifact["id"]
        ]
    with pytest.raises(Invalid, match="is not a doc artifact"):
        service.attach("ModelVersion", version["id"], {"artifactType": "doc-artifact", "id": artifact["id"]})


def test_serving(service, model, version):
    place = service.create("ServingEnvironment", {"name": "prod"})
    service_ = service.create(
        "InferenceService", {"registeredModelId": model["id"]}, given={"servingEnvironmentId": place["id"]}
    )
    assert (service_["desiredState"], bool(service_["name"])) == ("DEPLOYED", True)
    assert service.served_model(service_["id"]) == model
    assert service.served_version(service_["id"]) == version
    newer = service.create_version(model["id"], {"name": "2"})
    assert service.served_version(service_["id"]) == newer
    service.change("InferenceService", service_["id"], {"modelVersionId": version["id"]})
    assert service.served_version(service_["id"]) == version
    served = service.serve(service_["id"], {"modelVersionId": version["id"]})
    assert served["lastKnownState"] == "UNKNOWN"
    assert service.list("ServeModel", {}, within=service_["id"])["items"] == [served]


def test_experiments_and_the_history_of_metrics(service):
    experiment = service.create("Experiment", {"name": "e"})
    runs = [
        service.create("ExperimentRun", {"name": name}, given={"experimentId": experiment["id"]})
        for name in "ab"
    ]
    for step in range(3):
        for run in runs:
            service.attach(
                "ExperimentRun", run["id"],
                {"artifactType": "metric", "name": "loss", "value": 1 / (step + 1), "step": step}, "v1alpha3",
            )  # fmt: skip
    (metric,) = service.list("Artifact", {}, "v1alpha3", within=runs[0]["id"])["items"]
    assert (metric["step"], metric["experimentId"], metric["experimentRunId"]) == (
        2,
        experiment["id"],
        runs[0]["id"],
    )
    history = service.history({}, "v1alpha3", run=runs[0]["id"])["items"]
    assert [(item["name"], item["step"], item["value"]) for item in history] == [
        ("loss", 0, 1.0), ("loss", 1, 0.5), ("loss", 2, 1 / 3),
    ]  # fmt: skip
    assert service.history({"stepIds": "0,2", "name": "loss"}, "v1alpha3")["size"] == 4
    assert service.history({"experimentRunIds": runs[1]["id"]}, "v1alpha3")["size"] == 3
    assert "MetricHistory" not in {item["artifactType"] for item in service.list("Artifact", {})["items"]}
    with pytest.raises(Invalid, match="cannot be less"):
        service.create(
            "ExperimentRun",
            {"experimentId": experiment["id"], "startTimeSinceEpoch": "5", "endTimeSinceEpoch": "4"},
        )


def test_v1_has_no_experiments_and_writes_steps_as_text(service, version):
    metric, _ = service.attach(
        "ModelVersion", version["id"], {"artifactType": "metric", "name": "m", "value": 1, "step": "3"}
    )
    assert metric["step"] == "3"
    assert service.get("Artifact", metric["id"], "v1alpha3")["step"] == 3
    assert not [path for path in routes("v1") if "experiment" in path]
    with pytest.raises(NotFound):
        answer(service, "GET", "v1", "experiments", {})
    assert answer(service, "GET", "v1alpha3", "experiments", {})[0] == 200


@pytest.mark.parametrize("version", ["v1", "v1alpha3"])
def test_every_route_answers_something_sensible(service, version):
    for path, verbs in routes(version).items():
        for verb in ("GET", "POST", "PATCH", "DELETE"):
            try:
                status, _ = answer(service, verb, version, path.replace("{id}", "7"), {}, {})
            except KubeflowError as error:
                status = error.status
            assert status == 405 if verb not in verbs else status in {200, 201, 400, 404, 422}, (verb, path)


def test_writers_in_many_processes(tmp_path):
    code = textwrap.dedent("""
        import sys
        from jupyter_ext.registry.service import Service
        from jupyter_ext.registry.store import Store
        service = Service(Store(sys.argv[1]))
        for number in range(20):
            with service.transaction():
                model = service.create("RegisteredModel", {"name": f"{sys.argv[2]}-{number}"})
                service.create_version(model["id"], {"name": "1"})
    """)
    path = tmp_path / "registry.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    service = Service(Store(path))
    assert service.list("RegisteredModel", {})["size"] == service.list("ModelVersion", {})["size"] == 80


def test_a_killed_writer_leaves_whole_models_only(tmp_path):
    """Each model has its version and artifact in one transaction; the writer is killed amid hundreds of them."""
    path = tmp_path / "registry.sqlite"
    code = textwrap.dedent("""
        import sys
        from jupyter_ext.registry.service import Service
        from jupyter_ext.registry.store import Store
        service = Service(Store(sys.argv[1]))
        for number in range(100_000):
            with service.transaction():
                model = service.create("RegisteredModel", {"name": str(number)})
                version = service.create_version(model["id"], {"name": "1"})
                service.attach("ModelVersion", version["id"], {"artifactType": "model-artifact", "uri": "file:///x"})
            print(number, flush=True)
    """)
    for _ in range(3):
        path.unlink(missing_ok=True)
        for ending in ("-wal", "-shm"):
            (tmp_path / f"registry.sqlite{ending}").unlink(missing_ok=True)
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        with writer:
            said = [writer.stdout.readline() for _ in range(30)]
            os.kill(writer.pid, signal.SIGKILL)
            last = int((said + writer.stdout.read().splitlines())[-1])
        service = Service(Store(path))
        models = service.list("RegisteredModel", {})["items"]
        assert len(models) in {last + 1, last + 2}
        for model in models[-3:]:
            (version,) = service.list("ModelVersion", {}, within=model["id"])["items"]
            assert service.list("Artifact", {}, within=version["id"])["size"] == 1
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_only_the_owner_can_read_the_file(tmp_path):
    Service(Store(tmp_path / "deep" / "registry.sqlite"))
    assert (tmp_path / "deep" / "registry.sqlite").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700
