"""Our gateway before an endpoint of a cluster: what it does on this machine, done by a pod with upstream's KServe."""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext.errors import KubeflowError, NotFound, Unfit
from jupyter_ext.serving import predicting
from jupyter_ext.serving.comparison import Comparison
from spawner.starts.identity import cluster_role
from tests.cluster.hub import have_account
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


@pytest.fixture
def account(cluster, serving_there):
    """The namespace has what a profile has: an account for work, with the rights of our servers."""
    role = cluster_role()
    path = f"/apis/{RBAC}/v1/clusterroles/{role['metadata']['name']}"
    cluster.call("PATCH", path, role, {"fieldManager": "test"}, patch="apply")
    have_account(cluster, serving_there.namespace, role["metadata"]["name"])


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
    pods = f"/api/v1/namespaces/{serving_there.namespace}/pods"
    names = [each["metadata"]["name"] for each in cluster.call("GET", pods)["items"]]
    (pod,) = [each for each in names if each.startswith("times-gateway-")]
    cluster.call("DELETE", f"{pods}/{pod}", {"gracePeriodSeconds": 0})

    def answers():
        try:
            return endpoint.predict([1]) and endpoint.resource.status.get("servingRevision")
        except KubeflowError:
            return False

    until(answers)
    assert met() == before
    assert endpoint.phase == "RUNNING"

    endpoint.stop(wait=True)
    assert endpoint.phase == "PAUSED"
    endpoint.start(wait=True)
    assert met() == before
    endpoint.delete()
    until(lambda: not made(cluster, serving_there.namespace))


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
