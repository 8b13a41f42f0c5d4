"""Models in object storage: S3's protocol spoken to a real process, with the credentials of the profile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_ext import registry, secrets, store
from jupyter_ext.errors import Invalid, NotFound, Unavailable
from jupyter_ext.registry import files
from jupyter_ext.registry.loading import Damaged
from tests.store.server import KEYS, serve

WEIGHTS = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def endpoint():
    with serve() as server:
        server.bucket("models")
        yield server.endpoint


@pytest.fixture
def place(endpoint, monkeypatch) -> str:
    """A place in the bucket; only the profile's Secret has the keys."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "JUPYTER_KUBEFLOW_STORE")):
            monkeypatch.delenv(name)
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
        secrets.set("artifact-store", name, value)
    return f"s3://models/{os.urandom(6).hex()}"


def _model(folder: Path) -> Path:
    (folder / "net" / "deep").mkdir(parents=True)
    (folder / "net" / "model.json").write_text('{"learner": {}}')
    (folder / "net" / "deep" / "weights.bin").write_bytes(WEIGHTS)
    (folder / "net" / ".env").write_text("PASSWORD=hidden")
    return folder / "net"


def test_a_model_goes_to_s3_and_comes_back(place, tmp_path, kubeflow_home):
    made = registry.register(_model(tmp_path), "iris", to=place, format="xgboost")
    assert made.uri.startswith(f"{place}/iris/")
    assert (made.path() / "deep" / "weights.bin").read_bytes() == WEIGHTS
    assert {found.name.rpartition("/")[2] for found in store.at(place).names()} == {
        "model.json",
        "weights.bin",
    }
    secret = KEYS["AWS_SECRET_ACCESS_KEY"].encode()
    written = [path for path in kubeflow_home.rglob("*") if path.is_file() and "secrets" not in path.parts]
    assert written
    assert not [path for path in written if secret in path.read_bytes()]


def test_what_was_changed_there_is_not_loaded(place, tmp_path):
    one = registry.register(_model(tmp_path) / "model.json", "single", to=place)
    assert one.uri.endswith("/model.json")
    store.at(one.uri.rpartition("/")[0]).write("model.json", b"changed")
    with pytest.raises(Damaged):
        registry.get("single:1").path()


def test_a_bucket_that_is_not_there_is_not_made(place, tmp_path):
    with pytest.raises(NotFound, match="no such bucket"):
        registry.register(_model(tmp_path), "lost", format="xgboost", to="s3://nobucket/x")
    system, _ = store.filesystem("s3://models")
    assert system.ls("") == ["models"]
    assert not [model for model in registry.models() if model.name == "lost"]
    with pytest.raises(NotFound, match="not in the store"):
        files.download(f"{place}/nothing", tmp_path / "nothing")


def test_a_name_in_a_bucket_does_not_lead_out_of_the_models_folder(place, tmp_path):
    system, base = store.filesystem(f"{place}/bad")
    system.pipe_file(f"{base}/model.json", b"{}")
    system.pipe_file(f"{base}/../../../../escaped", b"!")
    with pytest.raises((Invalid, Unavailable)):
        files.download(f"{place}/bad", tmp_path / "a" / "b" / "bad")
    assert not list(tmp_path.rglob("escaped"))
