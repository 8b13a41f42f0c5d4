"""What goes between this machine and a cluster's model servers: addresses, arguments, files, answers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from jupyter_ext import store
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid
from jupyter_ext.serving import kube_asking, revisions
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.finding import Source
from jupyter_ext.serving.kube_models import told
from jupyter_ext.serving.server import config, loading


def test_an_address_inside_is_a_service_of_the_api_server():
    path = kube_asking.proxy_path("http://iris-predictor.team-a.svc.cluster.local", "team-a")
    assert path == "/api/v1/namespaces/team-a/services/http:iris-predictor:80/proxy"
    assert kube_asking.proxy_path("https://a.b.svc:8443", "b").endswith("/services/https:a:8443/proxy")


def test_what_a_router_answers_is_like_what_was_asked():
    assert kube_asking.like([[1], [2]], [3, 4]) == [3, 4]
    assert kube_asking.like({"instances": [1]}, [{"a": 1}]) == [{"a": 1}]
    array = kube_asking.like(np.zeros((2, 1)), [3.0, 4.0])
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [3.0, 4.0]
    column = kube_asking.like(pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), [3.0, 4.0])
    assert column.to_dict() == {"x": 3.0, "y": 4.0}


def test_a_server_in_a_pod_is_told_signature_and_example(tmp_path, monkeypatch):
    about = {"inputs": [{"name": "{{.Name}} $(HOME)", "shape": [-1]}]}
    (variable,) = told(Source(tmp_path, "sklearn", None, None, about, {"a": [1]}))
    assert "{{" not in variable["value"]  # KServe's templates
    assert "$(" not in variable["value"].replace("$$", "")  # variables of Kubernetes
    monkeypatch.setenv(variable["name"], variable["value"].replace("$$", "$"))
    (model,) = config.read(["--model_name=a", "--model_dir=/b", "--http_port=1"]).models
    assert (model.signature, model.example) == (about, {"a": [1]})
    (large,) = told(Source(tmp_path, "sklearn", None, None, about, "x" * 50_000))
    assert set(json.loads(large["value"])) == {"signature"}
    assert told(None) == []
    monkeypatch.setenv(config.ABOUT, "{")
    with pytest.raises(Invalid, match="is no JSON"):
        config.read(["--model_name=a"])


def test_a_revision_is_read_with_its_own_mirror():
    model = {"modelFormat": {"name": "python"}, "storageUri": "s3://m/1"}
    canary = {"trafficPercent": 0, "predictor": {"name": "v2", "model": {"storageUri": "s3://m/2"}}}
    first = {"predictor": {"name": "v1", "model": model}}
    mirrored = {names.MIRROR: json.dumps({"variant": "v2", "percent": 100}), names.STICKY: "header:x-user"}
    now = Resource.new("InferenceService", "iris", {**first, "canary": [canary]}, annotations=mirrored)
    before = {"number": 1, "spec": first, "annotations": {}}
    said = revisions.asked(now, before)
    assert ([each.name for each in said.variants], said.mirror, said.sticky) == (["v1"], None, None)
    assert names.read(now).mirror == {"variant": "v2", "percent": 100}


def test_a_server_fetches_from_the_store(tmp_path):
    model = tmp_path / "model.py"
    model.write_text("class M:\n    def predict(self, payload, headers=None):\n        return payload\n")
    place = store.at(f"file://{tmp_path}/kept")
    uri = place.upload(model, "models/abc/model.py")
    read = config.read([f"--model_uri={uri}", f"--model_dir={tmp_path}/pod"])
    assert read.fetched is not None
    path = loading.fetch(*read.fetched)
    assert loading.fetch(*read.fetched) == path  # a container that starts again
    made, form = loading.load(config.ModelConfig("m", str(path), "python", trusted=True))
    assert (form, made.__name__) == ("python", "M")
