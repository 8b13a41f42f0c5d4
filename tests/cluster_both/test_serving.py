"""`serve` on a cluster with upstream's KServe: model servers in pods, by the same calls as on this machine."""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext.errors import Invalid, NotFound, Unavailable, Unfit
from jupyter_ext.serving.kube import KubeEndpoint
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

MODEL = """\
class Times:
    def predict(self, payload, headers=None):
        return {{"predictions": [{factor} * number for number in payload["instances"]]}}
"""
BROKEN = "raise ValueError('no such weights')\n"


def names_of(cluster, namespace, plural):
    return {each["metadata"]["name"] for each in cluster.call("GET", f"{plural.format(namespace)}")["items"]}


def test_a_model_is_served_split_promoted_and_returned_to(cluster, serving_there, register_times):
    register_times(MODEL.format(factor=2))
    before = serving_there.transport.requests
    endpoint = kf.serving.serve("times", trust=True)
    print(f"{serving_there.transport.requests - before} requests until it serves")
    assert isinstance(endpoint, KubeEndpoint)
    assert (endpoint.phase, [each.name for each in endpoint.variants]) == ("RUNNING", ["v1"])
    assert endpoint.predict([1, 2]) == [2, 4]
    assert endpoint.address.startswith("http://times-predictor.")

    register_times(MODEL.format(factor=3))
    kf.serving.serve("times:2", percent=30, trust=True)
    assert {each.name: each.percent for each in endpoint.variants} == {"v1": 70, "v2": 30}
    assert (endpoint.predict([1], variant="v1"), endpoint.predict([1], variant="v2")) == ([2], [3])
    answers = [endpoint.predict([1]) for _ in range(80)]
    assert {tuple(each) for each in answers} == {(2,), (3,)}
    with pytest.raises(Invalid, match="add up to 110"):
        endpoint.traffic({"v1": 100, "v2": 10})

    endpoint.promote("v2")
    assert (endpoint.predict([1]), [each.name for each in endpoint.variants]) == ([3], ["v2"])
    services = f"/apis/serving.kserve.io/v1beta1/namespaces/{serving_there.namespace}/inferenceservices"
    assert names_of(cluster, serving_there.namespace, services) == {"times"}
    endpoint.rollback(1)
    assert endpoint.predict([1]) == [2]
    assert endpoint.revisions()[0].what == "Roll back to revision 1"

    endpoint.stop(wait=True)
    assert endpoint.phase == "PAUSED"
    endpoint.start(wait=True)
    assert kf.serving.get("times").predict([2]) == [4]
    assert [each.name for each in kf.serving.endpoints()] == ["times"]
    endpoint.delete()
    until(lambda: not names_of(cluster, serving_there.namespace, services))
    maps = f"/api/v1/namespaces/{serving_there.namespace}/configmaps"
    until(lambda: not {name for name in names_of(cluster, serving_there.namespace, maps) if "times" in name})


def test_what_does_not_load_says_why_and_what_served_goes_on(serving_there, register_times):
    register_times(MODEL.format(factor=2))
    endpoint = kf.serving.serve("times", trust=True)
    register_times(BROKEN)
    with pytest.raises(Unavailable, match="ValueError: no such weights"):
        kf.serving.serve("times:2", trust=True)
    assert endpoint.predict([1]) == [2]
    assert "no such weights" in endpoint.why()
    assert "no such weights" in "".join(endpoint.logs())
    endpoint.rollback()
    assert {each.name: each.state for each in endpoint.variants} == {"v1": "ready"}


def test_what_kserve_has_no_word_for_is_refused_by_name(serving_there, register_times, tmp_path):
    register_times(MODEL.format(factor=2))
    for more in (
        {"sticky": "header:x-user"},
        {"log": True},
        {"rules": "roll back if errors > 2 % over 5 minutes"},
        {"replicas": "0:3"},
        {"grpc": True},
        {"explain": True},
    ):
        with pytest.raises(Unfit) as error:
            kf.serving.serve("times", trust=True, **more)
        assert error.value.where.field == next(iter(more))
    register_times(MODEL.format(factor=2) + f"# {'x' * 1_000_000}")
    with pytest.raises(Unfit, match=r"on this machine only.*MB are too many"):
        kf.serving.serve("times:2", trust=True)
    with pytest.raises(NotFound):
        kf.serving.get("nothing")
    assert not kf.serving.endpoints()
