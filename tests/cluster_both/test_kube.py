"""What only a Kubernetes cluster does: owners of fields, rights, checks by schemas, and a server that comes and goes."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from jupyter_ext.cluster.kube import KubeCluster
from jupyter_ext.cluster.kube.mirror import Mirror
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Forbidden, Gone, Invalid, Unavailable, Unfit
from jupyter_ext.training.kube import KubeJob
from tests.cluster import contracts
from tests.cluster.place import NODE_ADDRESS
from tests.cluster_both.conftest import definitions_of
from tests.cluster_both.contract import job
from tests.cluster_both.test_mirror import COMPLETE
from tests.spawner.crash.weather import FAIR, Trouble, every
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def test_what_another_owns_is_refused_with_its_name(kube, connected):
    other = connected(kube.namespace, manager="gitops")
    other.apply(job("a", labels={"team": "x"}))
    with pytest.raises(Conflict, match="gitops") as error:
        kube.apply(job("a", labels={"team": "y"}))
    assert error.value.where.field == "metadata.labels.team"
    assert kube.apply(job("a", labels={"team": "y"}), force=True).labels == {"team": "y"}
    with pytest.raises(Conflict, match="jupyter-kubeflow"):
        other.apply(job("a", labels={"team": "x"}))


def test_what_we_patched_or_created_we_may_apply(kube):
    kube.create(job("a"))
    kube.patch("TrainJob", "a", {"metadata": {"labels": {"x": "1"}}})
    assert kube.apply(job("a", labels={"x": "2"})).labels == {"x": "2"}
    with pytest.raises(Conflict, match="exists already"):
        kube.create(job("a"))


def test_a_dry_run_stores_nothing(kube):
    assert kube.apply(job("a"), dry=True).name == "a"
    assert kube.list("TrainJob").items == []


def test_what_a_schema_refuses_is_named(kube):
    wrong = job("a")
    wrong.spec["trainer"] |= {"numNodes": "many"}
    with pytest.raises(Invalid) as error:
        kube.apply(wrong)
    assert "numNodes" in str(error.value)
    unknown = job("a")
    unknown.spec["trainer"] |= {"numNode": 2}
    with pytest.raises(Invalid, match="no field 'numNode'"):
        kube.apply(unknown)
    with pytest.raises(Invalid, match="no field 'numNode'"):
        kube.create(unknown)
    large = job("a", annotations={"note": "x" * 300_000})
    with pytest.raises(Invalid) as error:
        kube.apply(large)
    assert "annotations" in str(error.value)
    huge = job("a")
    huge.spec["trainer"] |= {"args": ["x" * 100_000] * 32}
    with pytest.raises(Unfit, match="too large"):
        kube.apply(huge)


@pytest.mark.parametrize("verb", ["list", "get", "apply", "delete", "patch"])
def test_a_right_that_is_missing_is_named(kube, connected, verb):
    kube.apply(job("a"))
    nobody = connected(kube.namespace, user="nobody")
    ask = {
        "list": lambda: nobody.list("TrainJob"),
        "get": lambda: nobody.get("TrainJob", "a"),
        "apply": lambda: nobody.apply(job("a")),
        "delete": lambda: nobody.delete("TrainJob", "a"),
        "patch": lambda: nobody.patch("TrainJob", "a", {"spec": {"suspend": True}}),
    }
    right = {"apply": "patch", "delete": "get"}.get(verb, verb)
    with pytest.raises(Forbidden, match=f"You may not {right} trainjobs.trainer.kubeflow.org in") as error:
        ask[verb]()
    assert "nobody" in error.value.hint


def test_a_webhook_that_does_not_answer_is_named(kube, cluster, connected):
    with socket.create_server((NODE_ADDRESS, 0)) as silent:  # it takes connections, and says nothing
        url = f"https://{NODE_ADDRESS}:{silent.getsockname()[1]}/"
        rule = {
            "apiGroups": ["trainer.kubeflow.org"], "apiVersions": ["*"], "operations": ["CREATE"],
            "resources": ["trainjobs"],
        }  # fmt: skip
        here = {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}
        hook = {
            "name": "stuck.example.org", "clientConfig": {"url": url}, "rules": [rule], "namespaceSelector": here,
            "failurePolicy": "Fail", "timeoutSeconds": 1, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        }  # fmt: skip
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        cluster.call("POST", path, {"metadata": {"name": "stuck"}, "webhooks": [hook]})
        cluster.gone_after(f"{path}/stuck")
        hurried = connected(kube.namespace, patience=3)

        def refused() -> str:
            try:
                hurried.apply(job("a"), dry=True)
            except Unavailable as error:
                return str(error)
            return ""

        said = until(refused)  # the API server hears of it a moment later
        assert "cannot check trainjobs" in said
        assert "stuck.example.org" in said
        with pytest.raises(Unavailable, match=r"stuck\.example\.org"):
            hurried.create(job("a"))
    assert kube.list("TrainJob").items == []


def counts(cluster, path: str, quota: dict) -> bool:
    """Whether a new quota counts its kind: one that came a moment ago is known only to quotas that are made later."""
    if cluster.exists(f"{path}/few"):
        cluster.call("DELETE", f"{path}/few")
    cluster.call("POST", path, quota)
    status = until(lambda: cluster.call("GET", f"{path}/few").get("status"))
    return "count/trainjobs.trainer.kubeflow.org" in status.get("used", {})


def test_a_quota_is_told_as_one(kube, cluster):
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/trainjobs.trainer.kubeflow.org": "1"}}}
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas"
    until(lambda: counts(cluster, path, quota))
    kube.apply(job("a"))
    until(
        lambda: (
            cluster.call("GET", f"{path}/few")["status"]["used"].get("count/trainjobs.trainer.kubeflow.org")
            == "1"
        )
    )
    with pytest.raises(Unfit, match="quota"):
        kube.apply(job("b"))


def test_what_there_was_long_ago_is_gone(kube):
    with pytest.raises(Gone):
        list(kube.watch(1, ["TrainJob"], timeout=100))


def test_a_page_that_grew_too_old_is_begun_again(kube):
    """The answer is the API server's own to a place in a list that it no longer knows."""
    from jupyter_ext.cluster.kube import listing

    for number in range(5):
        kube.apply(job(f"job-{number}"))
    asked = []
    real = kube.transport.ask

    class Forgetful:
        def ask(self, method, path, **how):
            asked.append(how["query"].get("continue"))
            if len(asked) == 2:
                raise Gone("The provided continue parameter is too old")
            return real(method, path, **how)

    path = kube.kinds.served("TrainJob").path(kube.namespace)
    found, version = listing.pages(Forgetful(), path, size=2)
    assert len(found) == 5
    assert version
    assert [bool(token) for token in asked] == [False, True, False, True, True]


def test_what_was_made_here_is_taken_there_unchanged_and_back(kube, tmp_path):
    local = LocalCluster(tmp_path / "home")
    spec = {
        "runtimeRef": {"name": "torch-distributed"},
        "trainer": {"numNodes": 2, "env": [{"name": "X", "value": "ü"}]},
    }
    application = {
        "type": "Python", "mode": "cluster", "sparkVersion": "4.0.0", "mainApplicationFile": "local:///a.py",
        "driver": {"cores": 1, "memory": "512m"}, "executor": {"cores": 1, "instances": 2, "memory": "512m"},
    }  # fmt: skip
    service = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/a"}}}
    for kind, asked in (("TrainJob", spec), ("SparkApplication", application), ("InferenceService", service)):
        made = local.apply(Resource.new(kind, "same", asked, labels={"team": "x"}, annotations={"note": "ü"}))
        document = made.manifest()
        assert kube.apply(Resource.from_dict(document), dry=True).name == "same"
        there = kube.apply(Resource.from_dict(document))
        for part in ("labels", "annotations"):
            assert getattr(there, part) == getattr(made, part)
        assert _within(asked, there.spec), kind
        back = LocalCluster(tmp_path / f"back-{kind}").apply(Resource.from_dict(there.manifest()))
        assert (back.spec, back.labels) == (there.spec, there.labels)


def _within(part, whole) -> bool:
    """Defaults of a definition may have come on top."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _within(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return part == whole


def test_it_is_one_set_of_connections_for_all_threads(kube):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: kube.apply(job(f"job-{number}")), range(24)))
        list(threads.map(lambda number: kube.get("TrainJob", f"job-{number}"), range(24)))
    # A list of kinds is asked for once: the rest is a request for each call.
    assert kube.transport.requests == 1 + 24 + 24


# Bad weather


@pytest.fixture
def distant(kube, weather, connected):
    """The same namespace, through weather."""
    return connected(kube.namespace, kubeconfig=weather.kubeconfig, patience=60)


def test_a_busy_server_is_asked_again(distant, weather):
    weather.rule = every(2, Trouble(busy=True), lambda asked: not asked.is_watch)
    for number in range(3):
        distant.apply(job(f"job-{number}"))
    assert len(distant.list("TrainJob")) == 3
    assert weather.seen["busy"] >= 3


def test_an_answer_that_is_lost_does_nothing_twice(distant, weather, kube):
    weather.rule = every(2, Trouble(lost=True), lambda asked: asked.method in {"PATCH", "POST", "DELETE"})
    made = [distant.create(job(f"job-{number}")) for number in range(3)]
    assert {resource.uid for resource in made} == {resource.uid for resource in kube.list("TrainJob")}
    for resource in made:
        assert distant.delete("TrainJob", resource.name).deleted
    assert kube.list("TrainJob").items == []
    assert weather.seen["lost"] >= 2


def test_a_slow_server_is_waited_for_only_so_long(kube, weather, connected):
    hurried = connected(kube.namespace, kubeconfig=weather.kubeconfig, patience=2)
    hurried.kinds.all()
    weather.rule = lambda _asked: Trouble(silent=True)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        hurried.list("TrainJob")
    assert time.monotonic() - began < 60


def follow(cluster: KubeCluster, kinds, seen, stop, since=0):
    """Follow as whoever uses it does: what is too long ago is listed anew."""
    while not stop.is_set():
        with suppress(Gone):
            for event in cluster.watch(since, kinds, stop=stop):
                seen.append((event.type, event.resource.name))


def test_a_watch_that_is_cut_goes_on(distant, weather, kube):
    weather.rule = lambda asked: (
        Trouble(lost=True) if asked.is_watch and weather.seen.get("lost", 0) < 3 else FAIR
    )
    seen: list[tuple[str, str]] = []
    stop = threading.Event()
    kube.apply(job("before"))
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(follow, distant, ["TrainJob"], seen, stop)
        until(lambda: ("ADDED", "before") in seen)
        kube.apply(job("after"))
        until(lambda: ("ADDED", "after") in seen)
        stop.set()
        done.result(timeout=100)
    assert len(seen) == len(set(seen))


def test_a_watch_that_is_too_old_says_so(distant, weather, kube):
    kube.apply(job("a"))
    weather.rule = lambda asked: Trouble(cut_after=0.2) if asked.is_watch else FAIR
    with pytest.raises(Gone):
        list(distant.watch(0, ["TrainJob"], timeout=200))


class Looking(KubeJob):
    """It asks twice a second, and so while nobody answers."""

    _look_seconds = 0.5


@pytest.mark.slow
def test_a_server_that_is_restarted_is_waited_for(kube, cluster, connected, capsys):
    patient = connected(kube.namespace, patience=200)
    hurried = Looking("before", connected(kube.namespace, patience=1))
    seen: list[tuple[str, str]] = []
    stop = threading.Event()
    patient.apply(job("before"))
    with ThreadPoolExecutor(4) as threads:
        try:
            waiting = threads.submit(hurried.wait, 200)
            done = threads.submit(follow, patient, ["TrainJob", "SparkApplication"], seen, stop)
            until(lambda: ("ADDED", "before") in seen)
            cluster.kill("kube-apiserver")
            # One who knows the kinds, and one who asks for them of a server that does not know them yet.
            newcomer = connected(kube.namespace, patience=200)
            listing = [threads.submit(each.list, "TrainJob") for each in (patient, newcomer)]
            cluster.restore()
            assert [len(each.result(timeout=200)) for each in listing] == [1, 1]
            patient.apply(job("after"))
            until(lambda: ("ADDED", "after") in seen or done.done())
        finally:
            stop.set()
            patient.patch("TrainJob", "before", COMPLETE)
        done.result(timeout=200)
        assert waiting.result(timeout=200).phase == "SUCCEEDED"
    assert "TrainJob before waits: " in capsys.readouterr().out
    assert ("ADDED", "after") in seen


@pytest.mark.slow
def test_a_definition_that_is_deleted_is_told(kube, cluster):
    """Of Spark, which no other test of this folder needs after it."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sparkconnects.sparkoperator.k8s.io"
    kube.create(Resource.new("SparkConnect", "last", {"sparkVersion": "4.0.0", "server": {}, "executor": {}}))
    told: list[tuple[str, str]] = []
    mirror = Mirror(
        kube,
        "SparkConnect",
        changed=lambda change, of: told.append((change, of.name)),
        goes=lambda: kube.has("SparkConnect"),
    ).start()
    assert mirror.shows()
    try:
        cluster.call("DELETE", path)
        cluster.until(lambda: not cluster.exists(path))
        until(lambda: not mirror.is_there and _shows(mirror) is False)
        assert (told, mirror.list().items) == ([("DELETED", "last")], [])
        mirror.stop(60)
        for ask in (
            lambda: kube.list("SparkConnect"),
            lambda: kube.get("SparkConnect", "a"),
            lambda: list(kube.watch(0, ["SparkConnect"], timeout=100)),
        ):
            with pytest.raises(Unavailable, match="SparkConnect"):
                ask()
    finally:
        for manifest in definitions_of("spark"):
            contracts.apply(cluster.call, manifest)
        contracts.await_established(cluster.call)
    cluster.until(lambda: kube.kinds.forget() or _has(kube, "SparkConnect"))


def _shows(mirror: Mirror) -> bool | None:
    try:
        return mirror.shows()
    except Unavailable:
        return None


def _has(kube: KubeCluster, kind: str) -> bool:
    try:
        return kube.list(kind).items == []
    except Unavailable:
        return False
