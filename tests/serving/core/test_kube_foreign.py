"""Endpoints that others made: the status is that of KServe 0.20's types (`inference_service_status.go`, `ksvc_reconciler.go`)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable, Where
from jupyter_ext.serving import kube_foreign, kube_mode
from jupyter_ext.serving.kube_view import addresses


def revised(traffic, mode="Knative", **component):
    known = {"latestCreatedRevision": "iris-00002", "latestReadyRevision": "iris-00002"}
    status = {
        "deploymentMode": mode,
        "components": {"predictor": {**known, **component, "traffic": traffic}},
    }
    return Resource.new(
        "InferenceService", "iris", {"predictor": {"canaryTrafficPercent": 20}}, status=status
    )


def row(name, percent, **more):
    return {"revisionName": name, "percent": percent, **more}


SPLIT = revised(
    [row("iris-00002", 20, latestRevision=True), row("iris-00001", 80, latestRevision=False, tag="prev")],
    latestRolledoutRevision="iris-00001",
)
ALL = revised(
    [row("iris-00002", 100, latestRevision=True)],
    latestRolledoutRevision="iris-00002",
    previousRolledoutRevision="iris-00001",
)
FIRST = revised(
    [row("iris-00001", 100, latestRevision=True)],
    latestCreatedRevision="iris-00001",
    latestReadyRevision="iris-00001",
    latestRolledoutRevision="iris-00001",
)


def shares(resource):
    return [(each["name"], each["percent"]) for each in kube_foreign.shown(resource).status["variants"]]


def test_revisions_are_shown_with_what_they_get():
    assert shares(SPLIT) == [("iris-00001", 80), ("iris-00002", 20)]
    assert shares(ALL) == [("iris-00001", 0), ("iris-00002", 100)]
    assert shares(FIRST) == [("iris-00001", 100)]
    older = revised([row("iris-00002", 100, latestRevision=True)], mode="Serverless")
    assert shares(older) == [("iris-00002", 100)]
    starting = revised(
        [row("iris-00001", 100, latestRevision=True)],
        latestReadyRevision="iris-00001",
        latestRolledoutRevision="iris-00001",
    )
    told = kube_foreign.shown(starting).status["variants"]
    assert [(each["name"], each["percent"], each["state"]) for each in told] == [
        ("iris-00001", 100, "ready"),
        ("iris-00002", 0, "loading"),
    ]
    rolled_back = revised(
        [row("iris-00001", 0, latestRevision=True), row("iris-00001", 100, tag="prev")],
        latestCreatedRevision="iris-00001",
        latestReadyRevision="iris-00001",
    )
    assert shares(rolled_back) == [("iris-00001", 100)]


def test_standard_modes_own_canaries_are_shown():
    status = {
        "phase": "RUNNING",
        "deploymentMode": "Standard",
        "canaryStatuses": [{"name": "new", "ready": False, "trafficPercent": 10}],
    }
    found = Resource.new("InferenceService", "iris", {"predictor": {"name": "old"}}, status=status)
    told = kube_foreign.shown(found).status["variants"]
    assert [(each["name"], each["percent"], each["state"]) for each in told] == [
        ("old", 90, "ready"),
        ("new", 10, "loading"),
    ]
    plain = found.with_(status={"deploymentMode": "Standard"})
    assert kube_foreign.shown(plain) is plain


@pytest.mark.parametrize(
    ("resource", "split", "percent"),
    [
        (SPLIT, {"iris-00001": 50, "iris-00002": 50}, 50),
        (SPLIT, {"iris-00002": 100}, 100),
        (SPLIT, {"iris-00001": 100}, 0),
        (ALL, {"iris-00001": 30, "iris-00002": 70}, 70),
        (FIRST, {"iris-00001": 100}, 100),
    ],
)
def test_a_split_becomes_the_share_of_the_newest_revision(resource, split, percent):
    assert kube_foreign.percent_of(resource, split) == percent


@pytest.mark.parametrize(
    ("resource", "split", "error", "words"),
    [
        (SPLIT, {"iris-00009": 10, "iris-00002": 90}, NotFound, "no revision 'iris-00009'"),
        (SPLIT, {"iris-00002": 90}, Invalid, "add up to 90 %"),
        (SPLIT, {"iris-00002": "many"}, Invalid, "split.iris-00002"),
        (
            revised(
                [row("iris-00002", 60), row("iris-00001", 30), row("iris-00000", 10)],
                latestRolledoutRevision="iris-00001",
            ),
            {"iris-00000": 100},
            Conflict,
            "between its newest revision, iris-00002, and the last that got all, iris-00001",
        ),
        (
            revised([row("iris-00002", 100)], latestRolledoutRevision="iris-00002"),
            {"iris-00002": 0},
            Invalid,
            "add up to 0 %",
        ),
    ],
)
def test_what_knative_has_no_word_for_is_refused(resource, split, error, words):
    with pytest.raises(error, match=words):
        kube_foreign.percent_of(resource, split)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (None, "Standard"),
        (Invalid("There is no field", where=Where(field="spec.predictor.storageUris")), "RawDeployment"),
        (Invalid("a policy refuses it"), "ItsOwn"),
        (Forbidden("you may not make one"), "ItsOwn"),
        (Unavailable("the webhook is away"), "ItsOwn"),
    ],
)
def test_the_mode_is_asked_for_in_the_word_of_this_kserve(answer, word, monkeypatch):
    monkeypatch.setattr(kube_mode, "_known", {})

    def ask(method, path, body, *, query, repeat):
        assert (method, query["dryRun"], repeat) == ("POST", "All", True)
        if answer is not None:
            raise answer
        return body

    served = SimpleNamespace(group="serving.kserve.io", version="v1beta1", path=lambda namespace: namespace)
    there = Resource.new("InferenceService", "iris", {}, annotations={kube_mode.MODE: "ItsOwn"})
    remote = SimpleNamespace(
        get=lambda _kind, _name: there,
        access=SimpleNamespace(server="https://a"),
        kinds=SimpleNamespace(served=lambda _kind: served),
        transport=SimpleNamespace(ask=ask),
        namespace="team",
        manager="m",
    )
    assert kube_mode.asked(remote, "iris") == {kube_mode.MODE: word}


def test_the_outside_url_is_that_of_what_splits():
    inside = {"url": "http://iris-gateway-predictor.team.svc.cluster.local"}
    status = {"url": "https://iris-gateway-team.example.com", "address": inside, "deploymentMode": "Standard"}
    gateway = Resource.new("InferenceService", "iris-gateway", {}, status=status)
    assert addresses(gateway, "team") == {"url": status["url"], "address": inside}
    graph = Resource.new("InferenceGraph", "iris-split", {}, status={})
    assert addresses(graph, "team") == {"address": {"url": "http://iris-split.team.svc.cluster.local"}}
    assert addresses(gateway.with_(status={}), "team") == {}
