"""`train` on a cluster with upstream's Trainer: pods that really run, by the same calls as on this machine."""

from __future__ import annotations

import json
import random
import sys

import pytest

import jupyter_ext as kf
from jupyter_ext import store
from jupyter_ext.cluster.kube import handle
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.errors import Conflict, Forbidden, KubeflowError, NotFound, Unfit
from jupyter_ext.training import JobFailed, train
from jupyter_ext.training.kube import KubeJob
from jupyter_ext.training.spec import BROUGHT, CODE
from tests.cluster_both.object_store import BUCKET, KEYS, have_credentials, s3_server
from tests.cluster_both.own_thread import own_thread
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """\
import json, os, socket, sys, time
from jupyter_ext.training.reporting import report, world

def fit(lr=0.0, wait=0):
    me = world()
    print(f"rank {me.rank} of {me.size}: {lr} $HOME `x` ü", flush=True)
    for step in range(4):
        report(step=step, loss=lr * step + me.rank, progress=(step + 1) / 4)
    time.sleep(wait)
    return {"loss": 0.5 * lr, "size": me.size, "names": ["a", "ü"]}

def meet():
    # The first says a number, the others take it: real traffic between pods.
    me = world()
    place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    if me.rank == 0:
        server = socket.create_server(("", place[1]))
        for _ in range(me.size - 1):
            server.accept()[0].sendall(b"42")
        return 42
    for attempt in range(300):
        try:
            said = socket.create_connection(place, 5).recv(2)
            print("heard", int(said), flush=True)
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("nobody there")

def workers():
    # As the first above, by the names that TensorFlow is told.
    told = json.loads(os.environ["TF_CONFIG"])
    places = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in told["cluster"]["worker"])]
    server = socket.create_server(("", places[told["task"]["index"]][1]))
    heard = []
    for index, place in enumerate(places):
        for attempt in range(300):
            try:
                heard.append(socket.create_connection(place, 5))
                break
            except OSError:
                time.sleep(0.2)
    for _ in places:
        server.accept()
    return {"index": told["task"]["index"], "heard": len(heard)}

def again():
    # The first time it ends as an evicted pod does, with what it had saved.
    from jupyter_ext.training import load_checkpoint, save_checkpoint
    state, step = load_checkpoint() or ([], 0)
    for number in range(step + 1, step + 4):
        state.append(number)
        save_checkpoint(state, number)
    if len(state) < 6:
        os._exit(7)
    return {"state": state, "began": step}

def read(rows, folder):
    return [open(rows).read(), rows.rpartition("/")[2], sorted(os.listdir(folder)), open(folder + "/in/a.txt").read()]

def broken():
    raise ValueError("no such column: ärea")
"""
NETWORK = """\
import numpy as np
import torch
from jupyter_ext.training.reporting import report, world
from rows import DATA

def learn(lr=0.1, epochs=2):
    torch.distributed.init_process_group("gloo")
    torch.manual_seed(7)
    torch.set_num_threads(1)
    rows = torch.from_numpy(np.frombuffer(DATA, "u1").astype("float32").reshape(-1, 8) / 255)
    mine = rows[world().rank :: world().size]
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for epoch in range(epochs):
        loss = ((model(mine) - mine.sum(1, keepdim=True)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report(step=epoch, loss=loss)
    torch.distributed.destroy_process_group()
    return model.module.state_dict()

def unstorable():
    return (item for item in range(3))
"""


@pytest.fixture
def chosen(cluster, trainer, notebook_image, monkeypatch, tmp_path):
    """The test's namespace is where jobs go."""
    namespace = cluster.namespace()
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, notebook_image)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(PROGRAM)
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


@pytest.fixture
def stored(cluster, chosen, monkeypatch):
    """The profile's store: a server that pods reach, and the namespace's Secret with what opens it."""
    own_thread()
    for name in [*KEYS, "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name, raising=False)
    with s3_server() as url:
        have_credentials(cluster, chosen.namespace, url)
        monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", f"s3://{BUCKET}/{chosen.namespace}")
        yield store.default()


def test_large_code_and_tensors_go_through_the_store(chosen, stored, tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "rows.py").write_text(f"DATA = {random.Random(7).randbytes(2 << 20)!r}\n")
    (tmp_path / "network.py").write_text(NETWORK)
    asked = {"function": "learn", "framework": "torch", "procs": 2, "args": {"lr": 0.05}}
    job = train("network.py", name="network", **asked)
    lazy = train("network.py", function="unstorable", framework="plain", name="lazy")  # beside it
    asked_again = {"restarts": 1, "checkpoint": True}
    again = train("fit.py", function="again", framework="plain", name="again", **asked_again)
    assert isinstance(job, KubeJob)
    read = _reading(tmp_path)
    weights = job.wait(300).result()
    assert (job.phase, list(weights)) == ("SUCCEEDED", ["weight", "bias"])
    document = chosen.get("TrainJob", "network").manifest()
    assert len(str(document)) < 200_000
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(document)
    assert "step=1 loss=" in "".join(job.logs())
    assert [point.step for point in job.curves().points] == [0, 1], (
        "of two processes in a pod the first tells"
    )
    codes = {
        each.annotations[CODE] for each in (chosen.get("TrainJob", "network"), chosen.get("TrainJob", "lazy"))
    }
    data = json.loads(chosen.get("TrainJob", "read").annotations[BROUGHT])
    assert set(stored.digests()) == codes | set(data.values())
    results = [name for each in stored.names("results") if "/network-" in (name := each.name)]
    assert len(results) == 1, "of the first rank alone"

    assert again.result(300) == {"state": [1, 2, 3, 4, 5, 6], "began": 3}
    assert "It goes on from the checkpoint of step 3.\n" in "".join(again.logs())
    again.delete()
    assert read.result(300) == ["1,2\n", "rows.csv", ["b.txt", "in"], "ä"]

    with pytest.raises(Conflict, match="What lazy returned cannot come back: a generator"):
        lazy.result(300)
    job.delete()
    assert stored.names("results") == []

    kf.cluster.use("local")
    here = train("network.py", **asked).result(120)
    assert here.keys() == weights.keys()
    assert all(torch.equal(here[name], weights[name]) for name in here)


def _reading(tmp_path):
    """A job that is given a file and a folder of this machine."""
    (tmp_path / "rows.csv").write_text("1,2\n")
    (tmp_path / "more/in").mkdir(parents=True)
    (tmp_path / "more/in/a.txt").write_text("ä")
    (tmp_path / "more/b.txt").write_text("")
    data = {"rows": "rows.csv", "folder": "more"}
    return train("fit.py", function="read", framework="plain", name="read", data=data)


def test_a_job_of_two_nodes_from_call_to_result(chosen, cluster):
    before = chosen.transport.requests
    job = train("fit.py", function="fit", framework="plain", nodes=2, args={"lr": 0.5})
    assert isinstance(job, KubeJob)
    assert job.wait(300).result() == {"loss": 0.25, "size": 2, "names": ["a", "ü"]}
    print(f"{chosen.transport.requests - before} requests from the call to the result")
    assert job.phase == "SUCCEEDED"
    assert "rank 1 of 2: 0.5 $HOME `x` ü\n" in "".join(job.logs(1))
    both = "".join(job.logs())
    assert "[node-0] rank 0 of 2: 0.5" in both
    assert "[node-1] rank 1 of 2: 0.5" in both
    assert [(each["rank"], each["state"]) for each in job.ranks] == [(0, "SUCCEEDED"), (1, "SUCCEEDED")]
    _measured(job, cluster, chosen.namespace)
    assert kf.training.get(job.name).phase == "SUCCEEDED"
    assert job.name in {each.name for each in kf.training.jobs()}
    with pytest.raises(Conflict):
        job.resume()
    job.delete()
    until(lambda: not chosen.list("TrainJob").items)


def _measured(job, cluster, namespace):
    """What its pods printed is its curves, once, and stays when the pods are gone."""
    with pytest.raises(NotFound):
        list(job.logs(7))
    page = job.curves()
    found = {
        (point.rank, point.step): point.value for point in page.points if not point.name.startswith("system/")
    }
    assert found == {(rank, step): 0.5 * step + rank for rank in (0, 1) for step in range(4)}
    assert (job.metrics, job.progress) == ({"loss": 1.5}, 1.0)
    told = job.told(job.resource)
    assert job.resource.created <= told["startTime"] <= told["completionTime"]
    assert {rank["pod"] for rank in told["ranks"]} == {rank["pod"] for rank in job.ranks}
    cluster.call("DELETE", f"/api/v1/namespaces/{namespace}/pods")
    until(lambda: not job.ranks)
    assert job.curves().points == page.points
    assert job.curves(since=page.cursor).points == []


def test_pods_of_a_job_meet(chosen):
    job = train("fit.py", function="meet", framework="plain", nodes=2)
    lines = list(job.logs(follow=True))
    assert "[node-1] heard 42\n" in lines
    assert job.result(120) == 42


def test_a_job_for_tensorflow_has_workers_that_know_each_other(chosen):
    with pytest.raises(Unfit, match="roles of a TensorFlow job"):
        train("fit.py", function="workers", framework="tensorflow", roles={"chief": 1, "ps": 1})
    job = train("fit.py", function="workers", framework="tensorflow", nodes=2)
    assert job.result(300) == {"index": 0, "heard": 2}


def test_a_function_travels_or_its_python_is_named(chosen):
    """The image's Python may be another one than that of these tests."""
    job = train(lambda x: x + 1, framework="plain", args={"x": 41}, name="function")
    job.wait(300)
    versions = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    assert job.phase == "SUCCEEDED" or (versions in job.reason and "same version" in job.reason)
    assert job.phase == "FAILED" or job.result() == 42


def test_what_fails_says_why(chosen):
    job = train("fit.py", function="broken", framework="plain", nodes=1)
    with pytest.raises(JobFailed, match="ValueError: no such column") as error:
        job.result(600)
    assert "fit.py" in str(error.value)
    assert 'raise ValueError("no such column' in "".join(job.logs(0))


def test_what_waits_says_what_for(chosen, cluster, monkeypatch, capsys):
    large = train("fit.py", function="fit", framework="plain", name="large", resources={"cpu": 1000})
    monkeypatch.setenv(IMAGE, "docker.io/library/no-such-image:1")
    imageless = train("fit.py", function="fit", framework="plain", name="imageless")
    until(lambda: "no node has room" in large.reason)
    until(lambda: "no-such-image:1 cannot be had" in imageless.reason)
    assert (large.phase, imageless.phase) == ("PENDING", "PENDING")
    monkeypatch.setattr(handle, "_SAY_SECONDS", 0.1)
    with pytest.raises(TimeoutError, match="no node has room"):
        large.wait(1)
    assert "TrainJob large waits: node-0: no node has room" in capsys.readouterr().out
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "1"}}}
    cluster.call("POST", f"/api/v1/namespaces/{chosen.namespace}/resourcequotas", quota)
    until(
        lambda: (
            cluster.call("GET", f"/api/v1/namespaces/{chosen.namespace}/resourcequotas/team")
            .get("status", {})
            .get("hard")
        )
    )
    second = train("fit.py", function="fit", framework="plain", name="second", resources={"cpu": 2})
    until(lambda: "The quota team does not allow it" in second.reason)
    assert "ask for less" in second.reason


def test_a_job_whose_pod_is_evicted_begins_again_and_is_suspended_resumed_stopped(chosen, cluster):
    job = train("fit.py", function="fit", framework="plain", args={"wait": 600}, name="long")
    until(lambda: any("rank 0 of 1" in text for text in job.logs()))
    until(lambda: job.phase == "RUNNING")
    first = job.ranks[0]["pod"]
    path = f"/api/v1/namespaces/{chosen.namespace}/pods/{first}/eviction"
    asked = {"metadata": {"name": first, "namespace": chosen.namespace}}
    cluster.call("POST", path, {"apiVersion": "policy/v1", "kind": "Eviction", **asked})
    until(lambda: [rank["pod"] for rank in job.ranks if rank["state"] == "RUNNING"] not in ([], [first]))
    until(lambda: job.phase == "RUNNING")
    job.suspend()
    until(lambda: job.phase == "PAUSED" and not job.ranks)
    job.resume()
    until(lambda: any("rank 0 of 1" in text for text in job.logs()))
    job.stop(wait=True)
    assert job.phase == "CANCELED"
    job.delete()


def test_what_only_this_machine_can_do_is_refused_by_name(chosen, tmp_path):
    for more in (
        {"nodes": "1:2"},
        {"checkpoint": True},
        {"checkpoint": "kept"},
        {"procs": 2, "framework": "tensorflow"},
    ):
        with pytest.raises(Unfit) as error:
            train("fit.py", function="fit", **{"framework": "plain", **more})
        assert error.value.where.field == next(iter(more))
    (tmp_path / "rows.csv").write_text("1")
    with pytest.raises(Unfit, match=r"rows\.csv is on this machine only"):
        train("fit.py", function="fit", framework="plain", data={"rows": "rows.csv"})
    train("fit.py", function="fit", framework="plain", name="one")
    with pytest.raises(Conflict, match="exists already"):
        train("fit.py", function="fit", framework="plain", name="one")
    with pytest.raises(KubeflowError, match="no-such"):
        train("fit.py", function="fit", framework="plain", name="two", runtime="no-such")


def test_who_may_only_look_is_told_so(chosen, cluster, monkeypatch):
    cluster.call("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{chosen.namespace}/rolebindings", {
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    })  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig_of("viewer")))
    kf.cluster.use("test", chosen.namespace)
    with pytest.raises(KubeflowError, match="You may not") as error:
        train("fit.py", function="fit", framework="plain")
    assert isinstance(error.value, Forbidden) or "trainjobs" in error.value.what
