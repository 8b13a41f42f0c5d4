"""What is refused before anything starts, and the resource that is made."""

from __future__ import annotations

import sys

import pytest

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Unavailable, Unfit
from jupyter_ext.training import check, get, jobs, runtimes, submit, train, update
from jupyter_ext.training.manifest import nodes_of
from jupyter_ext.training.submission import examine

from .conftest import until


def nothing():
    """Do nothing."""


@pytest.mark.parametrize(
    ("words", "kind", "field", "text"),
    [
        ({"framework": "pytorch"}, Invalid, "framework", "There are: torch"),
        ({"nodes": 0}, Invalid, "nodes", "at least 1"),
        ({"nodes": "4:2"}, Invalid, "nodes", "at least 1"),
        ({"nodes": "two"}, Invalid, "nodes", "1:4"),
        ({"procs": 0}, Invalid, "procs", "from 1 on"),
        ({"procs": 1.5}, Invalid, "procs", "from 1 on"),
        ({"restarts": -1}, Invalid, "restarts", "from 0 on"),
        ({"deadline": 0}, Invalid, "deadline", "from 1 on"),
        ({"resources": {"cpu": "much"}}, Invalid, "resources.cpu", "not a quantity"),
        ({"resources": {"cpu": 10000}}, Unfit, "", "this machine, which has"),
        ({"resources": {"gpu": 64}}, KubeflowError, "", "GPU"),
        ({"resources": {"tpu": 1}}, Unfit, "resources.tpu", "cannot lend tpu"),
        ({"args": {"a b": 1}}, Invalid, "args", "not the name"),
        ({"args": {"x": 1}}, Invalid, "args", "do not fit nothing()"),
        ({"data": {"rows": "nowhere.csv"}}, Invalid, "data.rows", "There is no"),
        ({"data": {"rows": "nofs://x"}}, KubeflowError, "data.rows", "nofs"),
        ({"packages": ["--index-url=x"]}, Invalid, "packages[0]", "not a package"),
        ({"name": "Not A Name"}, Invalid, "name", "not-a-name"),
        ({"runtime": "torch"}, Invalid, "runtime", "torch-distributed"),
        ({"runtime": "mlx-distributed"}, Unfit, "runtime", "Apple silicon"),
        ({"framework": "tensorflow", "nodes": "1:2"}, KubeflowError, "nodes", ""),
    ],
)
def test_refused_with_the_field_and_the_remedy(cluster, folder, words, kind, field, text):
    words = {"framework": "plain", **words} if "runtime" not in words else words
    with pytest.raises(kind) as caught:
        train(nothing, **words)
    assert text in str(caught.value)
    if field:
        assert caught.value.where.field == field
    assert jobs() == []


def test_a_package_that_is_missing_is_named(cluster, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(Unavailable, match="pip install"):
        train(nothing, framework="jax")
    assert {each.name: each.available for each in runtimes()}["jax-distributed"] is False


def test_the_same_is_refused_without_code(cluster):
    examine(framework="plain", nodes=2, args={"lr": 0.1})
    with pytest.raises(Invalid) as caught:
        examine(framework="plain", resources={"memory": "4Gb"})
    assert caught.value.where.field == "resources.memory"
    with pytest.raises(Unfit) as caught:
        examine(framework="plain", resources={"cpu": 999})
    assert caught.value.where.field == "resources.cpu"


def test_arguments_that_a_function_of_a_file_does_not_have(cluster, folder):
    (folder / "fit.py").write_text("def fit(a, /, b, c=1, *, d, e=2): ...\ndef any(**words): ...\n")
    for args in ({"b": 1, "d": 1}, {"lr": 1}):
        with pytest.raises(Invalid, match=r"do not fit fit\(a, b, c, d, e\)"):
            train(folder / "fit.py", framework="plain", function="fit", args=args)
    train(folder / "fit.py", framework="plain", function="any", args={"lr": 1}).wait(60)


@pytest.mark.parametrize("what", [5, None, "x.py"])
def test_what_is_no_code(cluster, folder, what):
    with pytest.raises((Invalid, NotFound)):
        train(what, framework="plain")


def test_a_name_is_taken_once(cluster, folder):
    train(nothing, framework="plain", name="mine").wait(60)
    with pytest.raises(Conflict, match="exists already"):
        train(nothing, framework="plain", name="mine")


def test_the_resource_is_upstreams(cluster, folder):
    from kubeflow_trainer_api.models import TrainerV1alpha1TrainJob

    job = train(
        nothing, framework="plain", nodes=1, procs=2, resources={"cpu": "500m", "memory": "100Mi"},
        env={"A": "1"}, deadline=60, labels={"team": "x"},
    ).wait(60)  # fmt: skip
    resource = job.resource
    document = resource.manifest() | {"status": resource.status}
    model = TrainerV1alpha1TrainJob.from_dict(document)
    assert model.spec.runtime_ref.name == "plain"
    assert (model.spec.trainer.num_nodes, model.spec.trainer.num_proc_per_node) == (1, 2)
    assert model.spec.trainer.resources_per_node.limits["cpu"].actual_instance == "500m"
    assert [(each.type, each.status) for each in model.status.conditions] == [("Complete", "True")]
    assert model.status.jobs_status[0].succeeded == 1
    assert resource.labels == {"team": "x"}
    check(Resource.from_dict(resource.manifest()))


def trainjob(**trainer) -> Resource:
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
    return Resource.new("TrainJob", "foreign", spec)


def test_a_command_of_the_users_own_runs(cluster, folder):
    script = "import os; print('rank', os.environ['PET_NODE_RANK'], os.environ['A'], 'loss=0.5')"
    job = submit(
        trainjob(numNodes=2, command=["python", "-c", script], env=[{"name": "A", "value": "$x"}])
    ).wait(60)
    assert job.phase == "SUCCEEDED", job.reason
    assert sorted("".join(job.logs()).splitlines()) == [
        "[rank 0] rank 0 $x loss=0.5",
        "[rank 1] rank 1 $x loss=0.5",
    ]
    assert job.metrics == {"loss": 0.5}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"numNode": 2}, "spec.trainer.numNode"),
        ({"numNodes": "2"}, "spec.trainer.numNodes"),
        ({"command": "python x.py"}, "spec.trainer.command"),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "spec.trainer.env[0]",
        ),
        ({"resourcesPerNode": {"limits": {"amd.com/gpu": "1"}}}, "spec.trainer.resourcesPerNode"),
        ({"command": None}, "spec.trainer.command"),
    ],
)
def test_a_manifest_is_refused_by_the_field(cluster, folder, change, field):
    resource = trainjob(**{"command": ["true"], **change})
    resource.spec["trainer"] = {
        key: value for key, value in resource.spec["trainer"].items() if value is not None
    }
    for refuse in (check, submit):
        with pytest.raises((Invalid, Unfit)) as caught:
            refuse(resource)
        assert caught.value.where.field.startswith(field), caught.value
    assert jobs() == []


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"initializer": {"dataset": {"storageUri": "hf://x"}}}, "spec.initializer"),
        ({"managedBy": "kueue.x-k8s.io/multikueue"}, "spec.managedBy"),
        ({"runtimePatches": [{"manager": "me"}]}, "spec.runtimePatches"),
        ({"runtimeRef": {"name": "torchtune-llama3.2-1b"}}, "spec.runtimeRef.name"),
        ({"runtimeRef": {}}, "spec.runtimeRef"),
        ({"suspend": "yes"}, "spec.suspend"),
        ({"deadline": 3}, "spec.deadline"),
    ],
)
def test_what_only_a_cluster_can_do_is_refused_by_the_field(cluster, folder, spec, field):
    resource = trainjob(command=["true"])
    with pytest.raises((Invalid, Unfit)) as caught:
        check(resource.with_(spec={**resource.spec, **spec}))
    assert caught.value.where.field.startswith(field), caught.value


def test_another_version_of_the_api_is_refused(cluster):
    resource = trainjob(command=["true"]).with_(api_version="trainer.kubeflow.org/v2")
    with pytest.raises(Invalid, match=r"trainer\.kubeflow\.org/v1alpha1"):
        check(resource)


def test_what_exists_can_be_suspended_and_resumed_but_not_changed(cluster, folder):
    made = trainjob(command=["python", "-c", "import time; time.sleep(120)"])
    job = submit(made)
    until(lambda: job.phase == "RUNNING")
    with pytest.raises(Conflict, match="trainer of a job cannot be changed"):
        update(made.with_(spec={**made.spec, "trainer": {"command": ["false"]}}))
    update(made.with_(spec={**made.spec, "suspend": True}), dry=True)
    assert job.phase == "RUNNING"
    update(made.with_(spec={**made.spec, "suspend": True}, labels={"a": "b"}))
    assert job.wait(60).phase == "PAUSED"
    assert job.resource.labels == {"a": "b"}
    update(made)
    until(lambda: job.phase == "RUNNING")
    job.stop(wait=True)
    assert get("foreign").phase == "CANCELED"


def test_created_suspended_it_waits_to_be_resumed(cluster, folder):
    made = trainjob(command=["python", "-c", "import os; print(os.getcwd())"])
    job = submit(made.with_(spec={**made.spec, "suspend": True}))
    assert job.phase == "PAUSED"
    assert job.resume().wait(60).phase == "SUCCEEDED"
    assert list(job.logs(rank=0)) == [f"{folder}\n"]


@pytest.mark.parametrize(("text", "expected"), [(2, (2, 2)), ("3", (3, 3)), ("1:4", (1, 4)), ("2:2", (2, 2))])
def test_numbers_of_nodes(text, expected):
    assert nodes_of(text) == expected


def test_lists_and_deletes(cluster, folder):
    for name in ("a", "b"):
        train(nothing, framework="plain", name=name).wait(60)
    assert [job.name for job in jobs()] == ["b", "a"]
    assert [job.name for job in jobs(phase="FAILED")] == []
    uid = get("a").resource.uid
    get("a").delete()
    assert [job.name for job in jobs()] == ["b"]
    assert not (cluster.home / "work" / uid).exists()
    assert not (cluster.home / "logs" / uid).exists()
    with pytest.raises(NotFound):
        get("a")
