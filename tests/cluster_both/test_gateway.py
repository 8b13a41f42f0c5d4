"""Our gateway before an endpoint of a cluster: what it does on this machine, done by a pod with upstream's KServe."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd
import pytest

import jupyter_ext as kf
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unfit
from jupyter_ext.serving import kube_mode, kube_runtime, predicting
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.comparison import Comparison
from jupyter_ext.serving.kube_view import View
from spawner.starts.identity import cluster_role
from tests.cluster.hub import have_account
from tests.cluster_both.object_store import BUCKET, have_credentials, s3_server
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

RBAC = "rbac.authorization.k8s.io"
MODEL = """\
class Times:
    def predict(self, payload, headers=None):
        return {{"predictions": [{factor} * number for number in payload["instances"]]}}
"""
BROKEN = """\
class Broken:
    def predict(self, payload, headers=None):
        raise RuntimeError("no weights for this")
"""


def give_account(cluster, namespace):
    """What a profile has: an account for work, with the rights of our servers."""
    role = cluster_role()
    path = f"/apis/{RBAC}/v1/clusterroles/{role['metadata']['name']}"
    cluster.call("PATCH", path, role, {"fieldManager": "test"}, patch="apply")
    have_account(cluster, namespace, role["metadata"]["name"])


@pytest.fixture
def account(cluster, serving_there):
    give_account(cluster, serving_there.namespace)


@pytest.fixture
def knative_by_default(cluster, kserve):
    """KServe as Kubeflow's manifests have it: what asks for no mode is Knative's, which is not here at all."""
    path = "/api/v1/namespaces/kserve/configmaps/inferenceservice-config"
    before = cluster.call("GET", path)["data"]["deploy"]
    cluster.call("PATCH", path, {"data": {"deploy": '{"defaultDeploymentMode": "Knative"}'}}, patch="merge")
    yield
    cluster.call("PATCH", path, {"data": {"deploy": before}}, patch="merge")


def pod_of_gateway(cluster, namespace):
    pods = f"/api/v1/namespaces/{namespace}/pods"
    found = [each["metadata"] for each in cluster.call("GET", pods)["items"]]
    (pod,) = [each["name"] for each in found if each["name"].startswith("times-gateway-")]
    return f"{pods}/{pod}"


def shares(endpoint):
    return {each.name: each.percent for each in endpoint.variants if each.percent}


def made(cluster, namespace, plural="inferenceservices"):
    version = "v1beta1" if plural == "inferenceservices" else "v1alpha1"
    path = f"/apis/serving.kserve.io/{version}/namespaces/{namespace}/{plural}"
    return {each["metadata"]["name"] for each in cluster.call("GET", path)["items"]}


def test_sticky_compared_promoted_and_rolled_back_by_a_rule(cluster, serving_there, account, register_times):
    register_times(MODEL.format(factor=2))
    endpoint = kf.serving.serve("times", sticky="header:x-plane", trust=True)
    assert endpoint.predict([1, 2]) == [2, 4]
    assert endpoint.address.startswith("http://times-gateway-predictor.")
    register_times(MODEL.format(factor=3))
    kf.serving.serve("times:2", percent=50, trust=True)
    assert shares(endpoint) == {"v1": 50, "v2": 50}
    assert not made(cluster, serving_there.namespace, "inferencegraphs")

    met: dict[str, set[str]] = {}
    for number in range(60):
        plane = f"N{number % 20}"
        answer = endpoint.predict([number], raw=True, headers={"x-plane": plane})
        met.setdefault(plane, set()).add(answer.variant)
        assert answer.value == [{"v1": 2, "v2": 3}[answer.variant] * number]
        endpoint.feedback(answer.request_id, right=answer.variant == "v2")
    assert {len(each) for each in met.values()} == {1}
    assert set.union(*met.values()) == {"v1", "v2"}
    found = endpoint.compare("right")
    assert isinstance(found, Comparison)
    assert sum(row.requests for row in found.rows) == 60  # since the split
    assert {row.variant: row.outcomes["right"].mean for row in found.rows} == {"v1": 0.0, "v2": 1.0}
    assert "v2" in repr(found)
    assert endpoint.predict([1], variant="v1") == [2]

    endpoint.log(True)
    asked = endpoint.predict([[1.5]], variant="v1", raw=True)
    (logged,) = endpoint.requests(1)
    assert (logged.id, logged.variant, logged.status) == (asked.request_id, "v1", 200)
    assert endpoint.request(asked.request_id).response == logged.response
    with pytest.raises(NotFound):
        endpoint.request("nobody-asked")
    again = endpoint.replay("v2")
    assert (len(again.rows), again.different) == (1, 1)
    endpoint.log(None)
    until(lambda: endpoint.curves().points)
    with pytest.raises(predicting.Refused, match="needs its token"):
        predicting.ask(endpoint._target(None), "/metrics")

    endpoint.promote("v2")
    assert endpoint.predict([1]) == [3]
    assert shares(endpoint) == {"v2": 100}
    until(lambda: made(cluster, serving_there.namespace) == {"times", "times-gateway"})
    assert endpoint.predict([1]) == [3]

    register_times(BROKEN)
    (rule,) = endpoint.rules("roll back if errors > 5 % over 1 minute")
    assert "errors > 5 %" in rule["text"]
    kf.serving.serve("times:3", percent=30, trust=True)
    assert shares(endpoint) == {"v2": 70, "v3": 30}
    said: set[str] = set()
    failed = asked = 0
    while "v3" in shares(endpoint):
        asked += 1
        try:
            endpoint.predict([1])
        except KubeflowError as error:
            said.add(error.what)
            failed += 1
        assert asked < 3000
    newest = endpoint.revisions()[0]
    print(f"Rolled back after {asked} requests, {failed} of which failed: {newest.why}")
    assert failed
    assert all("no weights for this" in each for each in said), said
    assert newest.by == "rule"
    assert "v3" in newest.why
    assert shares(endpoint) == {"v2": 100}
    assert [endpoint.predict([1]) for _ in range(20)] == [[3]] * 20
    assert [each.name for each in kf.serving.endpoints()] == ["times"]


def test_a_gateway_that_dies_comes_back_and_sends_everybody_where_they_were(
    cluster, serving_there, account, register_times
):
    register_times(MODEL.format(factor=2))
    endpoint = kf.serving.serve("times", trust=True)
    register_times(MODEL.format(factor=3))
    kf.serving.serve("times:2", percent=50, trust=True)
    kf.serving.get("times").traffic({"v1": 50, "v2": 50}, sticky="header:x-plane")
    planes = [f"N{number}" for number in range(12)]

    def met():
        answers = {
            plane: endpoint.predict([1], raw=True, headers={"x-plane": plane}).variant for plane in planes
        }
        assert set(answers.values()) == {"v1", "v2"}
        return answers

    before = met()
    assert "since" not in endpoint.resource.status["gateway"]
    cluster.call("DELETE", pod_of_gateway(cluster, serving_there.namespace), {"gracePeriodSeconds": 0})

    def answers():
        try:
            return endpoint.predict([1]) and endpoint.resource.status.get("servingRevision")
        except KubeflowError:
            return False

    until(answers)
    assert met() == before
    assert endpoint.phase == "RUNNING"
    assert "Counted since" in repr(endpoint.compare())  # for there is no store

    endpoint.stop(wait=True)
    assert endpoint.phase == "PAUSED"
    endpoint.start(wait=True)
    assert met() == before
    endpoint.delete()
    until(lambda: not made(cluster, serving_there.namespace))


def test_it_takes_over_from_a_graph_shadows_goes_on_counting_and_gives_back(
    cluster, serving_there, knative_by_default, register_times, monkeypatch
):
    namespace = serving_there.namespace
    register_times(MODEL.format(factor=2), data={"train": pd.DataFrame({"x": range(100)})})
    endpoint = kf.serving.serve("times", trust=True)
    register_times(MODEL.format(factor=3))
    kf.serving.serve("times:2", percent=50, trust=True)
    assert made(cluster, namespace, "inferencegraphs") == {"times-split"}

    def answers():
        return {tuple(endpoint.predict([1])) for _ in range(40)}

    assert answers() == {(2,), (3,)}
    with s3_server() as url:
        have_credentials(cluster, namespace, url)
        monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", f"s3://{BUCKET}/kept")
        give_account(cluster, namespace)
        endpoint.log(True)
        assert endpoint.address.startswith("http://times-gateway-predictor.")
        assert answers() == {(2,), (3,)}
        until(lambda: not made(cluster, namespace, "inferencegraphs"))

        endpoint.traffic({"v1": 100, "v2": 0})
        endpoint.mirror("v2")
        asked = []

        def shadowed():
            for number in range(1000, 1020):
                asked.append(endpoint.predict([number], raw=True))
                assert asked[-1].value == [2 * number]
            return endpoint.compare().rows[1].mirrored

        same, different = until(lambda: sum(found := shadowed()) >= 60 and found)  # a busy variant is spared
        assert same == 0
        assert different >= 60
        assert endpoint.drift(limit=60).level == "much"
        endpoint.feedback(asked[0].request_id, right=True)

        before = endpoint.compare("right")
        logged = [each.id for each in endpoint.requests(200)]
        gone = pod_of_gateway(cluster, namespace)
        cluster.call("DELETE", gone)

        def counts():
            try:
                found = gone != pod_of_gateway(cluster, namespace) and endpoint.compare("right")
            except (ValueError, KubeflowError):  # both pods are there, or neither answers
                return None
            return found and found.rows[0].requests == before.rows[0].requests and found

        assert before.rows[0].requests  # those of the second of the change are not among them
        after = until(counts)
        assert after.rows[1].mirrored >= before.rows[1].mirrored
        assert after.rows[0].outcomes == before.rows[0].outcomes
        assert [each.id for each in endpoint.requests(200)] == logged
        assert "Counted since" not in repr(after)
        assert kept_in(url) == 1

        endpoint.traffic({"v1": 50, "v2": 50})
        cluster.call("DELETE", f"/api/v1/namespaces/{namespace}/serviceaccounts/default-editor")
        with pytest.raises(Unfit, match="has no service account default-editor any more"):
            endpoint.traffic({"v1": 60, "v2": 40})
        endpoint.mirror(None, wait=False)
        endpoint.log(None)
        assert made(cluster, namespace) == {"times", "times-v2"}
        assert made(cluster, namespace, "inferencegraphs") == {"times-split"}
        assert answers() == {(2,), (3,)}

        about = {"metadata": {"name": "default-editor"}}
        cluster.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", about)
        endpoint.log(True)
        again = endpoint.compare(since=0)
        assert again.rows[0].requests >= before.rows[0].requests
        assert "Counted since" not in repr(again)
        endpoint.delete()
        until(lambda: not kept_in(url))


def kept_in(url):
    import boto3

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=url, **keys).list_objects_v2(Bucket=BUCKET, Prefix="kept/")[
        "KeyCount"
    ]


class CutOffError(BaseException):
    """As a process that is killed: nothing of it runs any more."""


def test_what_was_cut_off_is_gone_on_with(cluster, serving_there, register_times, monkeypatch):
    """After each single write to the API server in turn."""
    runtime = kube_runtime.built_in("nowhere:1")
    runtime["metadata"]["labels"] = {kube_runtime.SERVER: "true"}
    root = f"/apis/serving.kserve.io/v1alpha1/namespaces/{serving_there.namespace}/servingruntimes"
    cluster.call(
        "POST", root, {"kind": "ServingRuntime", "apiVersion": "serving.kserve.io/v1alpha1", **runtime}
    )
    register_times(MODEL.format(factor=2))
    register_times(MODEL.format(factor=3))
    ask, writes = serving_there.transport.ask, [0]

    def counted(method, path, body=None, **more):
        if method != "GET" and (more.get("query") or {}).get("dryRun") is None:
            writes[0] -= 1
            if writes[0] == 0:
                raise CutOffError
        return ask(method, path, body, **more)

    monkeypatch.setattr(serving_there.transport, "ask", counted)
    for at in range(1, 8):
        writes[0] = at
        with suppress(CutOffError):
            kf.serving.serve("times:1", endpoint=f"first{at}", trust=True, wait=False)
        writes[0] = 0
        again = kf.serving.serve("times:1", endpoint=f"first{at}", trust=True, wait=False)
        assert View(again._records, again.name).is_told, at
        assert len(again.revisions()) == 1
        again.delete()

    endpoint = kf.serving.serve("times:1", trust=True, wait=False)
    verbs = (
        (lambda: kf.serving.serve("times:2", percent=30, trust=True, wait=False), {"v1": 70, "v2": 30}),
        (lambda: endpoint.promote("v2", wait=False), {"v2": 100}),
        (lambda: endpoint.rollback(wait=False), {"v1": 70, "v2": 30}),
        (lambda: endpoint.remove("v2", wait=False), {"v1": 100}),
    )
    at, cuts = 0, 1
    while cuts:
        at, cuts = at + 1, 0
        for verb, after in verbs:
            before = endpoint.revisions()
            writes[0] = at
            try:
                verb()
            except CutOffError:
                cuts += 1
                if endpoint.revisions() == before:  # it was not even noted
                    verb()
            writes[0] = 0
            endpoint._go_on()  # as wait() does
            view = View(endpoint._records, "times")
            assert view.is_told, at
            assert {each.name: each.percent for each in names.read(view.record).variants} == after
    assert at > 3
    endpoint.delete()


def test_revisions_of_knative_that_somebody_else_made(cluster, serving_there, monkeypatch):
    services = f"/apis/serving.kserve.io/v1beta1/namespaces/{serving_there.namespace}/inferenceservices"
    container = {"name": "kserve-container", "image": "nowhere:1"}
    made = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "theirs", "annotations": {"serving.kserve.io/deploymentMode": "Knative"}},
        "spec": {"predictor": {"containers": [container], "canaryTrafficPercent": 20}},
    }
    cluster.call("POST", services, made)
    traffic = [
        {"revisionName": "theirs-00002", "percent": 20, "latestRevision": True},
        {"revisionName": "theirs-00001", "percent": 80, "latestRevision": False, "tag": "prev"},
    ]
    known = {"latestCreatedRevision": "theirs-00002", "latestReadyRevision": "theirs-00002"}
    component = {**known, "latestRolledoutRevision": "theirs-00001", "traffic": traffic}
    said = {"status": {"deploymentMode": "Knative", "components": {"predictor": component}}}
    cluster.call("PATCH", f"{services}/theirs/status", said)  # as KServe does where Knative is

    def percent():
        return cluster.call("GET", f"{services}/theirs")["spec"]["predictor"].get("canaryTrafficPercent")

    endpoint = kf.serving.get("theirs")
    assert shares(endpoint) == {"theirs-00001": 80, "theirs-00002": 20}
    endpoint.traffic({"theirs-00001": 70, "theirs-00002": 30}, wait=False)
    assert percent() == 30
    endpoint.promote(wait=False)
    assert percent() is None
    endpoint.rollback(wait=False)
    assert percent() == 0
    with pytest.raises(Unfit, match="nobody stays with a revision"):
        endpoint.traffic({"theirs-00002": 100}, sticky="header:x-user", wait=False)
    for refused in (
        lambda: endpoint.mirror("theirs-00001"),
        lambda: endpoint.rules("roll back if errors > 5 %"),
    ):
        with pytest.raises(Conflict, match="was not made by this library"):
            refused()
    monkeypatch.setattr(kube_mode, "_known", {})
    monkeypatch.setattr(
        kube_mode, "_SINCE", "unheardOf"
    )  # as KServe before 0.16 has never heard of the field
    assert kube_mode.asked(serving_there, "theirs") == {kube_mode.MODE: "RawDeployment"}


def test_without_an_account_that_may_there_is_no_gateway_and_it_says_why(
    cluster, serving_there, register_times
):
    register_times(MODEL.format(factor=2))
    with pytest.raises(Unfit, match="has no service account default-editor"):
        kf.serving.serve("times", sticky="header:x-plane", trust=True)
    have_account(cluster, serving_there.namespace, "view")
    with pytest.raises(Unfit, match="default-editor may not patch configmaps") as error:
        kf.serving.serve("times", rules="roll back if errors > 5 % over 1 minute", trust=True)
    assert error.value.where.field == "rules"
    assert not kf.serving.endpoints()
    endpoint = kf.serving.serve("times", trust=True, wait=False)
    with pytest.raises(Unfit, match="compare needs our gateway"):
        endpoint.compare()
