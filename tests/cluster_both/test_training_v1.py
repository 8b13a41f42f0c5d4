"""`train` on a cluster with upstream's training operator and no Kubeflow Trainer: its v1 kinds, in pods that really run."""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext import resources
from jupyter_ext.cluster.kube.kinds import Kinds
from jupyter_ext.cluster.kube.older import TRAINING
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unfit
from jupyter_ext.training import JobFailed, kube_v1, train
from jupyter_ext.training.kube import KubeJob
from jupyter_ext.training.spec import FRAMEWORK
from tests.cluster_both.jupyter import JupyterServer
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """\
import json, os, time
from jupyter_ext.training.reporting import world

def learn(lr=0.1, epochs=2):
    import torch
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    torch.manual_seed(7)
    me, rows = world(), torch.arange(64.0).reshape(-1, 8) / 64
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for epoch in range(epochs):
        mine = rows[me.rank :: me.size]
        loss = ((model(mine) - mine.sum(1, keepdim=True)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = [value for each in model.module.state_dict().values() for value in each.flatten().tolist()]
    print(f"rank {me.rank} of {me.size} ends with {sum(weights):.6f}", flush=True)
    torch.distributed.destroy_process_group()
    return weights

def who(wait=0):
    told = json.loads(os.environ.get("TF_CONFIG", "{}"))
    me = world()
    print(f"rank {me.rank} of {me.size}, task {json.dumps(told.get('task'))}", flush=True)
    time.sleep(wait)
    return {"size": me.size, "workers": told.get("cluster", {}).get("worker", [])}

def measure(lr):
    return {"loss": 2 * lr}

def tracker():
    # Where XGBoost's tracker would be, the first says a number and the other takes it: real traffic between pods.
    import socket
    told = {name: os.environ["DMLC_" + name] for name in ("TRACKER_URI", "TRACKER_PORT", "NUM_WORKER", "TASK_ID")}
    place = (told["TRACKER_URI"], int(told["TRACKER_PORT"]))
    if told["TASK_ID"] == "0":
        socket.create_server(("", place[1])).accept()[0].sendall(b"42")
        return told
    for attempt in range(300):
        try:
            print("heard", int(socket.create_connection(place, 5).recv(2)), flush=True)
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("nobody there")

def second_fails():
    if world().rank == 1:
        raise ValueError("no such column: ärea")
    time.sleep(3600)
"""


@pytest.fixture
def chosen(cluster, training_operator, notebook_image, monkeypatch, tmp_path):
    """The test's namespace is where jobs go. Other tests may have put Kubeflow Trainer there: it is not seen."""
    every = Kinds.all
    monkeypatch.setattr(
        Kinds,
        "all",
        lambda self: {key: each for key, each in every(self).items() if key[0] != "trainer.kubeflow.org"},
    )
    namespace = cluster.namespace()
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, notebook_image)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(PROGRAM)
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


def test_pytorch_on_two_nodes_learns_one_model(chosen):
    pytest.importorskip("torch")
    can = chosen.capabilities()["training"]
    assert can.state == "degraded"
    assert "PyTorchJob, TFJob, XGBoostJob" in can.reason
    job = train("fit.py", function="learn", framework="torch", nodes=2, args={"lr": 0.05})
    assert isinstance(job, KubeJob)
    assert job.kind == "PyTorchJob"
    weights = job.wait(300).result()
    assert (job.phase, len(weights)) == ("SUCCEEDED", 9)
    for rank in (0, 1):
        assert f"rank {rank} of 2 ends with {sum(weights):.6f}\n" in "".join(job.logs(rank))
    assert [(each["rank"], each["state"]) for each in job.ranks] == [(0, "SUCCEEDED"), (1, "SUCCEEDED")]
    assert [(each.name, each.kind) for each in kf.training.jobs()] == [(job.name, "PyTorchJob")]
    assert kf.training.get(job.name).kind == "PyTorchJob"
    assert resources.find(f"pytorchjob/{job.name}").phase == "SUCCEEDED"
    with pytest.raises(Conflict):
        job.resume()
    job.delete()
    until(lambda: not chosen.list("PyTorchJob").items)
    with pytest.raises(NotFound):
        kf.training.get(job.name)

    kf.cluster.use("local")
    here = train("fit.py", function="learn", framework="torch", procs=2, args={"lr": 0.05}).result(120)
    assert here == pytest.approx(weights)


def test_tensorflow_and_xgboost_have_their_kinds(chosen):
    flow = train("fit.py", function="who", framework="tensorflow", nodes=2, name="flow")
    boost = train("fit.py", function="tracker", framework="xgboost", nodes=2, name="boost")
    assert (flow.kind, boost.kind) == ("TFJob", "XGBoostJob")
    workers = [f"flow-worker-{index}.{chosen.namespace}.svc:2222" for index in (0, 1)]
    assert flow.result(300) == {"size": 2, "workers": workers}
    both = "".join(flow.logs())
    for rank in (0, 1):
        assert f'[worker-{rank}] rank {rank} of 2, task {{"type": "worker", "index": {rank}}}\n' in both
    where = {"TRACKER_URI": "boost-master-0", "TRACKER_PORT": "9999", "NUM_WORKER": "2", "TASK_ID": "0"}
    assert boost.result(300) == where
    until(lambda: "heard 42\n" in "".join(boost.logs(1)))
    assert [each["part"] for each in boost.ranks] == ["master-0", "worker-0"]


def test_who_fails_says_why_and_the_others_end(chosen):
    job = train("fit.py", function="second_fails", framework="plain", nodes=2)
    with pytest.raises(JobFailed, match="ValueError: no such column") as error:
        job.result(300)
    assert "worker-1" in str(error.value)
    assert 'raise ValueError("no such column' in "".join(job.logs(1))
    until(lambda: [each["part"] for each in job.ranks] == ["worker-1"])


def test_a_job_is_steered_by_its_handle_and_by_the_sidebar(chosen, cluster, tmp_path):
    job = train("fit.py", function="who", framework="plain", args={"wait": 600}, name="long")
    until(lambda: job.phase == "RUNNING" and any("rank 0 of 1" in text for text in job.logs()))
    job.suspend()
    until(lambda: job.phase == "PAUSED" and not job.ranks)
    where = {"JUPYTER_KUBEFLOW_CLUSTER": "test", "JUPYTER_KUBEFLOW_NAMESPACE": chosen.namespace}
    with JupyterServer(tmp_path / "server", cluster.kubeconfig, **where) as server:
        until(lambda: server.names("pytorchjobs") == {"long"})
        assert server.ask("pytorchjobs/long:resume", "POST")[0] == 200
        until(lambda: server.ask("pytorchjobs/long")[1]["status"]["phase"] == "RUNNING")
        until(lambda: "rank 0 of 1" in server.ask("pytorchjobs/long/logs:tail")[1]["text"])
        (rank,) = server.ask("pytorchjobs/long")[1]["status"]["ranks"]
        assert (rank["part"], rank["state"]) == ("worker-0", "RUNNING")
        assert server.ask("pytorchjobs/long:stop", "POST")[0] == 200
        until(lambda: job.phase == "CANCELED")
        until(lambda: server.ask("pytorchjobs")[1]["items"][0]["status"]["phase"] == "CANCELED")
        assert server.ask("pytorchjobs/long", "DELETE")[0] == 200
        until(lambda: server.names("pytorchjobs") == set())
    assert not chosen.list("PyTorchJob").items


def test_trials_are_its_jobs_where_there_is_no_katib(chosen, monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_TUNING", "trainjobs")  # other tests may have put Katib's kinds there
    monkeypatch.setenv(TRAINING, "v1")  # and Kubeflow Trainer's, which the experiment's own process would see
    space = {"lr": "categorical(0.1, 0.2, 0.3)"}
    found = kf.tuning.tune(
        "fit.py", space, "loss:min", function="measure", algorithm="grid", trials=3, parallel=2
    )
    found.wait(300)
    assert found.phase == "SUCCEEDED", (found.reason, list(found.logs()), found.trials())
    assert {row["value"] for row in found.trials()} == {0.2, 0.4, 0.6}
    assert found.best.parameters == {"lr": 0.1}
    assert {each.name for each in chosen.list("PyTorchJob")} == {row["name"] for row in found.trials()}
    found.delete()
    until(lambda: not chosen.list("PyTorchJob").items)


def test_the_operators_own_checks_take_what_is_made(chosen):
    for framework in ("torch", "plain", "tensorflow", "xgboost"):
        for nodes, procs, suspend in ((1, 1, True), (3, 1, False), (2, 4, False)):
            if procs > 1 and framework in {"tensorflow", "xgboost"}:
                continue
            trainer = {
                "command": ["python"],
                "args": ["a"],
                "image": "x",
                "numNodes": nodes,
                "numProcPerNode": procs,
            }
            trainer["resourcesPerNode"] = {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}}
            spec = {"trainer": trainer, "suspend": suspend, "activeDeadlineSeconds": 60}
            asked = Resource.new("TrainJob", "fit", spec, annotations={FRAMEWORK: framework})
            made = chosen.create(kube_v1.made(chosen, asked), dry=True)
            assert made.kind == kube_v1.of(framework).name
    none = Resource.new(
        "PyTorchJob", "fit", {"pytorchReplicaSpecs": {"Worker": {"replicas": 1, "template": {}}}}
    )
    with pytest.raises(KubeflowError, match=r"must be specified|Required"):
        chosen.create(none, dry=True)


def test_what_there_is_no_word_for_is_refused_by_name(chosen, monkeypatch):
    for field, more in (
        ("framework", {"framework": "jax"}),
        ("framework", {"framework": "deepspeed"}),
        ("procs", {"framework": "xgboost", "procs": 2}),
        ("name", {"name": "7days"}),
        ("restarts", {"restarts": 2}),
        ("nodes", {"nodes": "1:2"}),
    ):
        with pytest.raises(Unfit) as error:
            train("fit.py", function="who", **{"framework": "plain", **more})
        assert error.value.where.field == field
    monkeypatch.delenv(IMAGE)
    with pytest.raises(Unfit, match=IMAGE):
        train("fit.py", function="who", framework="plain")
    assert not kf.training.jobs()
