"""What an API server and the kubelet say, in our words: refusals, pods, reasons, pages. Functions of values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.kube.cluster import is_of
from jupyter_ext.cluster.kube.kinds import Served
from jupyter_ext.cluster.kube.objects import is_name, page, read, selector
from jupyter_ext.cluster.kube.pods import pod_of
from jupyter_ext.cluster.kube.refusals import Asked, Away, passes, refusal, unreachable
from jupyter_ext.cluster.kube.watching import position, positions
from jupyter_ext.cluster.kube.why import reason
from jupyter_ext.cluster.resource import Resource, valid_name
from jupyter_ext.errors import Conflict, Forbidden, Gone, Invalid, KubeflowError, NotFound, Unavailable, Unfit
from jupyter_ext.training.kube import returned
from jupyter_ext.training.kube_runtime import copy

ASKED = Asked("PATCH", "/apis/trainer.kubeflow.org/v1alpha1/namespaces/a/trainjobs/mnist", "kind-x")


def status(code: int, message: str = "", why: str = "", **details) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "message": message, "reason": why, "details": details}
    ).encode()


@pytest.mark.parametrize(
    ("code", "body", "error", "words"),
    [
        (401, b"Unauthorized", Forbidden, "does not accept these credentials"),
        (404, status(404, "not found"), NotFound, "no trainjobs/mnist in kind-x"),
        (409, status(409, "x", "AlreadyExists"), Conflict, "exists already"),
        (409, status(409, "the object has been modified", "Conflict"), Conflict, "changed meanwhile"),
        (409, status(409, "object is being deleted: x", "AlreadyExists"), Conflict, "exists already"),
        (410, status(410, "too old"), Gone, "no longer kept"),
        (413, b"", Unfit, "too large"),
        (429, b"", Unavailable, "too much to do"),
        (403, status(403, 'trainjobs is forbidden: User "ann" cannot create resource "trainjobs" in API group'
                          ' "trainer.kubeflow.org" in the namespace "a"'),
         Forbidden, "may not create trainjobs.trainer.kubeflow.org in the namespace a"),
        (403, status(403, 'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'),
         Unfit, "quota of the namespace"),
        (403, status(403, 'admission webhook "v.x.io" denied the request: no such runtime'), Invalid, "no such runtime"),
        (422, status(422, "x", "Invalid", causes=[{"field": "spec.a", "message": "Required value"}]), Invalid, "field spec.a"),
        (400, status(400, 'strict decoding error: unknown field "spec.trainer.numNode"'), Invalid, "no field 'numNode'"),
        (500, status(500, "failed to create typed patch object (/a; b, Kind=C): .spec.n: expected numeric, got string"),
         Invalid, "field spec.n"),
        (500, status(500, 'failed calling webhook "x": connection refused'), Away, "cannot check"),
        (500, status(500, "etcdserver: request is too large"), Unfit, "too large"),
        (503, b"<html>" * 1000, Away, "answered 503"),
        (418, b"\xff\xfe", Unavailable, "answered 418"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence_with_its_kind(code, body, error, words):
    found = refusal(ASKED, code, body)
    assert type(found) is error
    assert words in str(found)
    assert len(str(found)) < 1000
    assert "\n" not in str(found)


@given(
    code=st.integers(300, 599),
    body=st.binary(max_size=200) | st.builds(status, st.just(1), st.text(max_size=300)),
)
def test_whatever_is_refused_is_one_of_our_errors(code, body):
    assert isinstance(refusal(ASKED, code, body), KubeflowError)
    assert isinstance(passes(code, body), bool)


def test_a_conflict_names_owner_and_field():
    causes = [
        {
            "reason": "FieldManagerConflict",
            "field": f".spec.{name}",
            "message": 'conflict with "argo cd" using v1',
        }
        for name in ("a", "b")
    ]
    found = refusal(ASKED, 409, status(409, "x", "Conflict", causes=causes))
    assert "spec.a and 1 more of trainjobs/mnist belongs to argo cd" in str(found)
    assert found.where.field == "spec.a"


def test_what_passes_is_told_from_what_does_not():
    assert passes(503, b"")
    assert passes(500, status(500, "etcdserver: leader changed"))
    assert not passes(500, status(500, "etcdserver: request is too large"))
    assert not passes(500, status(500, "failed to create typed patch object (x): .a: b"))
    assert not passes(403, b"")


def test_no_answer_says_what_was_in_the_way():
    outer = OSError("outer")
    outer.reason = OSError("certificate verify failed")
    assert "not signed by the authority" in str(unreachable(ASKED, outer))


@given(name=st.text(max_size=80))
def test_no_name_leads_elsewhere(name):
    path = Served("g", "v1", "K", "ks", True, frozenset(), frozenset()).path("a", name)
    assert path.startswith("/apis/g/v1/namespaces/a/ks")
    assert path.count("/") <= 7
    assert "?" not in path
    assert "#" not in path
    if is_name(name):
        assert path.endswith(f"/{name}")


def test_labels_are_a_query_or_refused():
    assert selector({"app.kubernetes.io/name": "x", "team": ""}) == "app.kubernetes.io/name=x,team="
    assert selector(None) == ""
    for key, value in (("a", "b,c=d"), ("a=b", "c"), ("", "x"), ("a/b/c", "x"), ("a", "x" * 64), ("a", "ü")):
        with pytest.raises(Invalid):
            selector({key: value})


def pod(part: str = "node-0", **state) -> object:
    name, _, number = part.rpartition("-")
    labels = {
        "jobset.sigs.k8s.io/replicatedjob-name": name,
        "batch.kubernetes.io/job-completion-index": number,
    }
    return pod_of("TrainJob", {
        "metadata": {"name": f"x-{part}", "labels": labels},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "node"}]},
        "status": state,
    })  # fmt: skip


def container(image: str = "i:1", **state) -> dict:
    return {"name": "node", "image": image, "state": state}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, ""),
        ({"phase": "Running", "containerStatuses": [container(running={})]}, ""),
        ({"containerStatuses": [container(waiting={"reason": "ContainerCreating"})]}, ""),
        ({"containerStatuses": [container(waiting={"reason": "ImagePullBackOff", "message": "denied"})]}, "i:1 cannot be had (denied)"),
        ({"containerStatuses": [container(terminated={"exitCode": 137, "reason": "OOMKilled"})]}, "more memory"),
        ({"containerStatuses": [container(terminated={"exitCode": 1, "message": "Rank 1 failed at f.py, line 3: E"})]}, "f.py, line 3: E."),
        ({"containerStatuses": [container(terminated={"exitCode": 3})]}, "exit code 3"),
        ({"containerStatuses": [container(terminated={"exitCode": 128, "message": 'runc create failed: exec: "torchrun": executable file not found in $PATH: unknown'})]},
         "no program torchrun"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}, "no node has room for it: 0/1 nodes"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}, "queue"),
        ({"reason": "Evicted", "message": "low on memory"}, "low on memory"),
    ],
)  # fmt: skip
def test_why_a_pod_waits_or_failed(state, words):
    said = reason([pod(**state)], [])
    assert words in said
    assert bool(said) == bool(words)


def test_who_failed_is_counted_and_events_speak_for_pods_that_are_not_there():
    failed = {"containerStatuses": [container(terminated={"exitCode": 3})]}
    assert reason([pod("node-0", **failed), pod("node-1", **failed)], []).startswith("node-0 and 1 more: ")
    quota = {
        "type": "Warning",
        "message": 'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2',
    }
    assert "The quota few does not allow it: asked for pods=1" in reason(
        [], [{"type": "Normal", "message": "m"}, quota]
    )


def test_what_is_named_after_a_job_is_told_from_another_job():
    for name in ("mnist", "mnist-node-0", "mnist-node-0-1-x7k2p", "mnist-dataset-initializer-0"):
        assert is_of("TrainJob", "mnist", name)
    for name in ("mnist-large", "mnist-large-node-0", "mnist2-node-0", "other", "mnist-"):
        assert not is_of("TrainJob", "mnist", name)
    assert is_of("InferenceService", "a", "a-predictor-7d9-x")


def test_parts_are_called_after_their_role():
    found = pod("launcher-2")
    assert (found.part, found.rank, found.container) == ("launcher-2", 2, "node")
    spark = {"metadata": {"name": "x", "labels": {"spark-role": "executor", "spark-exec-id": "3"}}}
    assert pod_of("SparkApplication", spark).part == "executor-3"
    worker = {"training.kubeflow.org/replica-type": "Worker", "training.kubeflow.org/replica-index": "1"}
    assert pod_of("PyTorchJob", {"metadata": {"name": "x", "labels": worker}}).part == "worker-1"
    assert pod_of("InferenceService", {"metadata": {"name": "x-1"}}).part == "x-1"


def test_what_rank_0_returned_is_read_and_nothing_is_run():
    def ended(message):
        return [pod(containerStatuses=[container(terminated={"exitCode": 0, "message": message})])]

    assert returned(ended('jupyter-kubeflow/returned {"a": [1]}'), "x") == {"a": [1]}
    assert returned(ended("jupyter-kubeflow/returned {"), "x") is None
    assert returned(ended("bye"), "x") is None


@given(st.dictionaries(st.sampled_from(["TrainJob", "Experiment", "Run"]), st.integers(1, 2**62), min_size=1))
def test_a_position_is_read_back(at):
    assert positions(position(at), [*at]) == at


@given(
    made=st.lists(
        st.tuples(st.integers(0, 3), st.from_regex(r"[a-z]{1,3}", fullmatch=True)),
        unique_by=lambda one: one[1],
    ),
    size=st.integers(1, 4),
)
def test_pages_are_the_whole_list_newest_first(made, size):
    def things():
        return [
            read("TrainJob", {"apiVersion": "v", "metadata": {"name": valid_name(name), "creationTimestamp": f"2026-01-01T00:00:0{second}Z"}})
            for second, name in made
        ]  # fmt: skip

    seen: list[Resource] = []
    before = None
    while True:
        found = page(things(), 1, phase=None, text=None, owner=None, limit=size, before=before)
        seen += found.items
        if not found.more:
            break
        before = found.next
    assert [one.name for one in seen] == [name for _, name in sorted(made, reverse=True)]


def test_a_runtime_is_copied_so_that_pods_start_once():
    original = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "metadata": {"name": "torch-distributed", "labels": {"trainer.kubeflow.org/framework": "torch", "x": "y"}, "uid": "u"},
        "spec": {"template": {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": {"containers": []}}}}}]}}},
    }  # fmt: skip
    before = json.dumps(original)
    made = copy(original)
    assert json.dumps(original) == before
    assert made["metadata"]["name"].startswith("torch-distributed-once-")
    assert made["metadata"]["labels"] == {"trainer.kubeflow.org/framework": "torch"}
    job = made["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert (job["backoffLimit"], job["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert job["podFailurePolicy"]["rules"][0]["onPodConditions"] == [
        {"type": "DisruptionTarget", "status": "True"}
    ]
    assert copy(original) == made
