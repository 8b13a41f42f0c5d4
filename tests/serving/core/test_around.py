"""What stands around the variants: steps that wait for an endpoint, transformers, logs, words, YAML and code."""

from __future__ import annotations

import sys

import pytest
import yaml

from jupyter_ext import serving
from jupyter_ext.cluster.local import locks
from jupyter_ext.cluster.local.devices import Request
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, NotFound, Unfit
from tests.waiting import PATIENCE, processes_of, until

from .conftest import SERVER, answers, pids, predictor, routing, service, split

BODY = {"instances": [[1, 2]]}


def test_an_endpoint_that_a_step_waits_for_may_use_what_the_step_holds(cluster, monkeypatch):
    run = cluster.store.create(Resource.new("Run", "flights"))
    path = cluster.lock_path(run.uid)
    everything = Request(cluster.leases.machine().cpu_milli, 0, 0)
    cluster.leases.acquire(run.uid, "flights", "step", everything)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_WORKLOAD", run.uid)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_UNIT", "step")
    endpoint = serving.submit(service("iris", predictor("v1", "one"))).wait(PATIENCE)
    assert answers(endpoint, "v1") == {"one"}
    assert endpoint.resource.owner is None
    uid = endpoint.resource.uid
    monkeypatch.delenv("JUPYTER_KUBEFLOW_WORKLOAD")
    monkeypatch.delenv("JUPYTER_KUBEFLOW_UNIT")
    cluster.delete("Run", "flights")
    locks.free(path)
    assert len(processes_of(uid)) == 2, "it outlives the step"
    assert answers(endpoint, "v1") == {"one"}


def test_a_transformer_is_a_command_that_stands_before_the_variants(cluster):
    asked = service("iris", predictor("v1", "one"))
    container = {
        "name": "kserve-container",
        "command": [sys.executable],
        "args": [str(SERVER), "--port=8080", "--says=both", "--forward=$(PREDICTOR_HOST)"],
    }
    asked.spec["transformer"] = {"containers": [container]}
    endpoint = serving.submit(asked).wait(PATIENCE)
    answer = endpoint.predict(BODY, raw=True)
    assert answer.body["predictions"] == ["one", "both"]
    assert answer.variant == "v1"


def test_a_transformer_whose_command_is_not_here_is_refused(cluster):
    asked = service("iris", predictor("v1", "one"))
    asked.spec["transformer"] = {"containers": [{"name": "c", "command": ["no-such-command"]}]}
    with pytest.raises(Unfit, match="no-such-command"):
        serving.submit(asked)
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "/m", "runtime": "kserve-sklearnserver"}
    with pytest.raises(Unfit, match="kserve-sklearnserver"):
        serving.submit(service("iris", {"model": model}))


def test_logs_are_of_one_or_of_all(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one", fail="always")))
    until(lambda: endpoint.phase == "FAILED")
    assert "".join(endpoint.logs("v1/0", tail=1)) == "this one never serves\n"
    assert "this one never serves" in "".join(endpoint.logs())
    with pytest.raises(NotFound, match="v1/0"):
        list(endpoint.logs("v2"))


def test_why_says_all_that_is_known(cluster):
    endpoint = serving.submit(
        service("iris", predictor("v1", "one"), (10, predictor("v2", "two", fail="always")))
    )
    until(lambda: "v2 does not stay up" in endpoint.reason)
    said = endpoint.why()
    assert "v1: ready" in said
    assert "v2: failed" in said
    assert "exit status 1" in said


def test_yaml_goes_round(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one"), (10, predictor("v2", "two"))))
    document = yaml.safe_load(endpoint.export())
    assert document["apiVersion"] == "serving.kserve.io/v1beta1"
    assert document["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert document["spec"]["canary"][0]["trafficPercent"] == 10
    before = len(endpoint.revisions())
    serving.update(Resource.from_dict(document))
    assert len(endpoint.revisions()) == before
    assert "resources.apply" in endpoint.code()


def test_a_mirror_is_a_variant_without_a_share(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one"), (0, predictor("v2", "two")))).wait(
        PATIENCE
    )
    until(lambda: answers(endpoint, "v2") == {"two"})
    endpoint.mirror("v2", 20)
    assert split(endpoint) == {"v1": 100}
    until(lambda: routing(endpoint)["mirror"] == {"variant": "v2", "percent": 20})
    assert endpoint.variant("v2").mirror == 20
    assert endpoint.predict(BODY, "v2") is not None
    endpoint.remove("v2")
    until(lambda: routing(endpoint)["mirror"] is None)
    with pytest.raises(NotFound):
        endpoint.mirror("v2")


def test_rules_and_settings_that_cannot_be_read_change_nothing(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one"))).wait(PATIENCE)
    with pytest.raises(Invalid):
        endpoint.rules("roll back if it rains")
    with pytest.raises(Invalid, match="sampel"):
        endpoint.log({"sampel": 1})
    with pytest.raises(Invalid, match="header"):
        endpoint.traffic({"v1": 100}, sticky="cookie:x")
    assert len(endpoint.revisions()) == 1
    endpoint.traffic({"v1": 100}, sticky="header:x-user")
    assert routing(endpoint)["sticky"] == "header:x-user"
    endpoint.rollback()
    until(lambda: routing(endpoint)["sticky"] is None)
    assert pids(endpoint, "v1")
