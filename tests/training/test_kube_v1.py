"""What the training operator is given where there is no Kubeflow Trainer, and that it runs: here, in the operator's own words."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.kube.capabilities import Right, _judged
from jupyter_ext.cluster.kube.older import TRAINING, older_training
from jupyter_ext.cluster.kube.pods import _ranked, pod_of
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Invalid, Unfit
from jupyter_ext.training import kube, kube_v1, manifest, snippets, submit, train
from jupyter_ext.training import spec as names
from jupyter_ext.training.kube_depot import MANAGER, Depot

ROLES = {"torch": "pytorchReplicaSpecs", "tensorflow": "tfReplicaSpecs", "xgboost": "xgbReplicaSpecs"}
ROLES["plain"] = ROLES["torch"]


def job(name="fit", framework="torch", nodes=1, procs=1, **trainer) -> Resource:
    given = {"command": ["python"], "numNodes": nodes, "numProcPerNode": procs, "image": "x", **trainer}
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": given}
    queue = {"kueue.x-k8s.io/queue-name": "team"}
    return Resource.new("TrainJob", name, spec, labels=queue, annotations={names.FRAMEWORK: framework})


def of(found: Resource, framework: str) -> list[dict]:
    """Its containers, one of each role, after the number of pods that have it."""
    roles = found.spec[ROLES[framework]]
    return [
        {"role": role, "count": each["replicas"], **each["template"]["spec"]["containers"][0]}
        for role, each in roles.items()
    ]


@given(
    framework=st.sampled_from(["torch", "plain", "tensorflow", "xgboost"]),
    nodes=st.integers(1, 40),
    procs=st.integers(1, 8),
    deadline=st.none() | st.integers(1, 10**6),
    suspend=st.booleans(),
    env=st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), st.text(max_size=5), max_size=3),
)
def test_nothing_that_was_asked_is_lost(framework, nodes, procs, deadline, suspend, env):
    rows = [{"name": key, "value": text} for key, text in env.items()]
    asked = job(framework=framework, nodes=nodes, procs=procs, env=rows, args=["a"])
    asked.spec.update(
        {"suspend": suspend, **({} if deadline is None else {"activeDeadlineSeconds": deadline})}
    )
    kind = kube_v1.of(framework)
    if procs > 1 and framework in {"tensorflow", "xgboost"}:
        with pytest.raises(Unfit, match="one process on each node"):
            kube_v1.converted(asked, kind)
        return
    found = kube_v1.converted(asked, kind)
    assert found.api_version == "kubeflow.org/v1"
    assert (found.labels, found.annotations) == (asked.labels, asked.annotations)
    containers = of(found, framework)
    assert sum(each["count"] for each in containers) == nodes
    for each in containers:
        assert (each["image"], each["args"]) == ("x", ["a"])
        assert [row for row in each["env"] if row in rows] == rows if rows else True
    policy = found.spec["runPolicy"]
    assert policy.get("suspend", False) == suspend
    assert policy.get("activeDeadlineSeconds") == deadline
    assert "backoffLimit" not in policy, "the operator deletes what has failed, where there is one"
    if framework in {"torch", "plain"}:
        told = {row["name"]: row.get("value") for row in containers[0]["env"]}
        assert told["WORLD_SIZE"] == str(nodes * procs)
        assert found.spec["nprocPerNode"] == str(procs)


def test_only_torchrun_waits_for_the_first_pod():
    torchrun = ["torchrun", "--no-python", "python"]
    alone, two = (
        of(kube_v1.converted(job(nodes=n, command=torchrun), kube_v1.of("torch")), "torch") for n in (1, 2)
    )
    assert alone[0]["command"] == torchrun
    assert two[0]["command"] == ["python", "-c", kube_v1.MEETING, *torchrun]
    plain = kube_v1.converted(job(nodes=2), kube_v1.of("plain"))
    assert of(plain, "plain")[0]["command"] == ["python"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"initializer": {"model": {}}}, "spec.initializer"),
        ({"runtimePatches": [{"manager": "me"}]}, "spec.runtimePatches"),
        ({"runtimeRef": {"kind": "TrainingRuntime", "name": "own"}}, "spec.runtimeRef.kind"),
        ({"restarts": "2"}, "restarts"),
        ({"framework": "jax"}, "framework"),
        ({"framework": "xgboost"}, "framework"),
    ],
)
def test_what_there_is_no_word_for_is_refused_by_name(change, field):
    class Cluster:
        class access:  # noqa: N801 - as a cluster's own
            name = "here"

        def has(self, kind):
            return kind == "PyTorchJob"

    asked = job()
    for key, value in change.items():
        if key in {"restarts", "framework"}:
            asked.annotations[names.PREFIX + key] = value
        else:
            asked.spec[key] = value
    with pytest.raises(Unfit) as error:
        kube_v1.made(Cluster(), asked)
    assert error.value.where.field == field


@pytest.mark.parametrize("name", ["7days", "a" * 60])
def test_a_name_that_pods_cannot_have_is_refused(name):
    with pytest.raises(Unfit, match="cannot be the name of a PyTorchJob") as error:
        kube_v1.converted(job(name), kube_v1.of("torch"))
    assert error.value.where.field == "name"
    kube_v1.converted(job("a" * 53), kube_v1.of("torch"))


def test_without_an_image_it_is_refused(monkeypatch):
    for variable in (IMAGE, "JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(Unfit, match="none is known") as error:
        kube_v1.converted(job(image=None), kube_v1.of("torch"))
    assert error.value.where.field == "image"


def test_the_claim_of_a_store_is_mounted():
    asked = job()
    asked.spec["runtimePatches"] = Depot("file:///data/store", claim="own").mounts({"stored": {}}, ["node"])
    assert asked.spec["runtimePatches"][0]["manager"] == MANAGER
    found = kube_v1.converted(asked, kube_v1.of("torch"))
    pod = found.spec["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "own"}
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/data/store"


def test_katib_is_given_no_trainjobs_where_there_are_none():
    from jupyter_ext.tuning.kube_experiment import _dress_trainjob

    class Cluster:
        class access:  # noqa: N801 - as a cluster's own
            name = "here"

        def has(self, kind):
            return kind != "TrainJob"

    with pytest.raises(Unfit, match="has no Kubeflow Trainer"):
        _dress_trainjob(Cluster(), {"kind": "TrainJob", "spec": {}})


# What is made runs


PROGRAM = """\
import os
from jupyter_ext.training.reporting import world

def who(text):
    me = world()
    print(f"rank {me.rank} of {me.size}: {text} {os.environ.get('TF_CONFIG', '')}", flush=True)

def boost():
    import numpy, xgboost
    with xgboost.collective.CommunicatorContext():
        rank = xgboost.collective.get_rank()
        rows = numpy.arange(400.0).reshape(-1, 1)[rank::2]
        data = xgboost.DMatrix(rows, (rows[:, 0] > 150).astype(float))
        model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 2)
    print(f"rank {rank}: {model.get_dump()[0]!r}", flush=True)
"""


@pytest.fixture
def made(cluster, folder, monkeypatch):
    """The job that the operator would be given, as this machine runs those of its kinds."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (folder / "fit.py").write_text(PROGRAM)

    def make(function: str, framework: str, **how) -> Resource:
        here = train(
            "fit.py", function=function, framework="plain", args=how.pop("args", {}), name="code"
        ).wait(60)
        noted = here.resource.annotations
        options = manifest.Options(
            framework, noted[names.CODE], function, args=json.loads(noted.get(names.ARGS, "{}")), **how
        )
        described = kube.described(cluster, manifest.trainjob("made", options, labels={}, annotations={}))
        monkeypatch.setenv(IMAGE, "none")
        return kube_v1.converted(described, kube_v1.of(framework))

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "how", "size"),
    [
        ("plain", {"nodes": 2}, 2),
        ("torch", {"nodes": 2, "procs": 2}, 4),
        ("tensorflow", {"nodes": 2}, 2),
    ],
)
def test_its_processes_know_who_they_are(made, framework, how, size):
    if framework == "torch":
        pytest.importorskip("torch")
    monkey = {"text": "$HOME `x`"}
    running = submit(made("who", framework, args=monkey, **how)).wait(240)
    printed = "".join(running.logs())
    assert running.phase == "SUCCEEDED", printed
    assert snippets.of(running.resource)["yaml"].startswith("apiVersion: kubeflow.org/v1\n")
    for rank in range(size):
        assert f"rank {rank} of {size}: $HOME `x`" in printed
    assert ('"task": {"type": "worker", "index": 1}' in printed) == (framework == "tensorflow")


@pytest.mark.slow
def test_xgboost_trains_one_model(made):
    pytest.importorskip("xgboost")
    running = submit(made("boost", "xgboost", nodes=2)).wait(240)
    lines = [line.rpartition("rank ")[2] for line in running.logs() if "rank " in line]
    assert running.phase == "SUCCEEDED", lines
    models = dict(line.split(": ", 1) for line in "".join(lines).splitlines())
    assert models["0"] == models["1"]
    assert "150" in models["0"] or "151" in models["0"]


# Which kinds are used, and what is told of them


def served(*kinds: str) -> dict:
    class Served:
        def __init__(self, version: str) -> None:
            self.version = version

    found = {}
    for kind in kinds:
        group, _, version = KINDS[kind].api_version.rpartition("/")
        found[(group, KINDS[kind].plural)] = [Served(version)]
    return found


class There:
    namespace = "team"

    class access:  # noqa: N801 - as a cluster's own
        name = "here"


TRAINER = {("trainer.kubeflow.org", "clustertrainingruntimes"): [], ("jobset.x-k8s.io", "jobsets"): []}


def judged(kinds: dict, may=lambda _: True):
    return _judged("training", kinds, may, ["torch-distributed"], There())


def test_the_newer_operator_is_used_where_both_are(monkeypatch):
    both = {**served("TrainJob", "PyTorchJob"), **TRAINER}
    assert judged(both).state == "available"
    monkeypatch.setenv(TRAINING, "v1")
    assert judged(both).state == "degraded"
    monkeypatch.setenv(TRAINING, "trainer")
    assert judged(served("PyTorchJob")).state == "missing"
    monkeypatch.setenv(TRAINING, "v2")
    with pytest.raises(Invalid, match="trainer or v1"):
        older_training(lambda _: True)


def test_the_older_operator_is_told_with_what_it_lacks():
    found = judged(served("PyTorchJob", "TFJob"))
    assert found.state == "degraded"
    assert "the training operator's PyTorchJob, TFJob in here" in found.reason
    assert "XGBoostJob cannot be made there" in found.reason


def test_who_may_not_use_a_kind_is_told(monkeypatch):
    kinds = served("PyTorchJob", "TFJob")
    found = judged(kinds, lambda right: right.resource != "tfjobs")
    assert (found.state, "TFJob, XGBoostJob cannot be made" in found.reason) == ("degraded", True)
    found = judged(kinds, lambda right: right.verb != "create")
    assert found.state == "missing"
    assert str(Right("create", "kubeflow.org", "pytorchjobs")) in found.reason
    found = judged(kinds, lambda right: right.resource != "pods/log")
    assert "Logs and reasons are not told" in found.reason


@given(st.permutations(["master-0", "worker-0", "worker-1", "ps-0"]), st.booleans())
def test_ranks_begin_with_the_pod_that_leads(parts, has_master):
    found = {}
    for part in parts:
        role, _, index = part.rpartition("-")
        if role != "master" or has_master:
            labels = {
                "training.kubeflow.org/replica-type": role,
                "training.kubeflow.org/replica-index": index,
            }
            found[part] = pod_of("TFJob", {"metadata": {"name": f"x-{part}", "labels": labels}})
    ranks = {pod.part: pod.rank for pod in _ranked(found)}
    first = 1 if has_master else 0
    assert ranks == {
        **({"master-0": 0} if has_master else {}),
        "worker-0": first,
        "worker-1": first + 1,
        "ps-0": None,
    }
