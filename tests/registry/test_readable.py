"""Where pods find a model's files, and what an endpoint's labels say of it."""

from __future__ import annotations

import pytest

from jupyter_ext import registry as kf
from jupyter_ext.errors import Invalid, NotFound, Unfit
from jupyter_ext.registry import on_cluster
from tests.registry.test_server import serving


@pytest.fixture
def address(tmp_path):
    with serving(tmp_path) as address:
        yield address


def test_an_address_that_points_to_another_version_is_resolved():
    registry = kf.local()
    first = registry.register("s3://bucket/iris/1", "iris")
    registry.register("s3://bucket/iris/2", "iris")
    pointing = registry.register("model-registry://iris/1", "shown")
    assert on_cluster.readable_uri(first) == "s3://bucket/iris/1"
    assert on_cluster.readable_uri(pointing) == "s3://bucket/iris/1"
    assert on_cluster.resolve(registry, "model-registry://iris") == "s3://bucket/iris/2"
    assert on_cluster.resolve(registry, "model-registry://registry.example:8080/iris/1").endswith("iris/1")
    with pytest.raises(NotFound):
        on_cluster.resolve(registry, "model-registry://none/1")
    for wrong in ("model-registry://", "model-registry://a/b/c/d"):
        with pytest.raises(Invalid, match="names no model"):
            on_cluster.resolve(registry, wrong)


def test_addresses_that_lead_in_a_circle_end():
    registry = kf.local()
    registry.register("model-registry://b/1", "a", "1")
    found = registry.register("model-registry://a/1", "b", "1")
    with pytest.raises(Invalid, match="without an end"):
        on_cluster.readable_uri(found)


def test_files_of_this_machine_go_into_the_store_once(tmp_path, monkeypatch):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"\x08\x07 not much of a model")
    version = kf.local().register(file, "iris", format="onnx")
    monkeypatch.delenv("JUPYTER_KUBEFLOW_STORE", raising=False)
    with pytest.raises(Unfit, match="there is no store"):
        on_cluster.readable_uri(version)
    place = tmp_path / "store"
    place.mkdir()
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", place.as_uri())
    with pytest.raises(Unfit, match="no pod can read the store"):
        on_cluster.readable_uri(version)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE_CLAIM", "shared")
    found = on_cluster.readable_uri(version)
    assert found.startswith("pvc://shared/models/")
    assert found.endswith("/model.onnx")
    content = [path for path in place.rglob("*") if path.is_file() and path.stat().st_size]
    assert [path.read_bytes() for path in content] == [file.read_bytes()]
    before = content[0].stat().st_mtime_ns
    assert on_cluster.readable_uri(version) == found
    assert content[0].stat().st_mtime_ns == before


def test_an_endpoint_leads_back_to_its_version(address):
    registry = kf.connect(address)
    first = registry.register("s3://b/1", "iris")
    registry.register("s3://b/2", "iris")
    labels, noted = on_cluster.labels(first, endpoint="iris-live", namespace="team-a")
    assert noted == {"modelregistry.kubeflow.org/url": address}
    assert on_cluster.served_by(registry, labels).name == "iris:1"
    again, _ = on_cluster.labels(first, endpoint="iris-live", namespace="team-a")
    assert again == labels, "the record of an endpoint is made once"
    assert registry.serving("iris-live").name == "iris:1"
    assert on_cluster.served_by(registry, {}) is None
    assert on_cluster.served_by(registry, {on_cluster.VERSION_ID: "999"}) is None
    assert on_cluster.served_by(registry, {on_cluster.VERSION_ID: "../1"}) is None
