"""`train` on a cluster with upstream's Trainer: pods that really run, by the same calls as on this machine."""

from __future__ import annotations

import sys

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.errors import Conflict, Forbidden, KubeflowError, NotFound, Unfit
from jupyter_ext.training import JobFailed, train
from jupyter_ext.training.kube import KubeJob
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """\
import os, socket, sys, time
from jupyter_ext.training.reporting import world

def fit(lr=0.0, wait=0):
    me = world()
    print(f"rank {me.rank} of {me.size}: {lr} $HOME `x` ü", flush=True)
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

def broken():
    raise ValueError("no such column: ärea")
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


def test_a_job_of_two_nodes_from_call_to_result(chosen):
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
    assert kf.training.get(job.name).phase == "SUCCEEDED"
    assert job.name in {each.name for each in kf.training.jobs()}
    with pytest.raises(Conflict):
        job.resume()
    with pytest.raises(NotFound):
        list(job.logs(7))
    job.delete()
    until(lambda: not chosen.list("TrainJob").items)


def test_pods_of_a_job_meet(chosen):
    job = train("fit.py", function="meet", framework="plain", nodes=2)
    lines = list(job.logs(follow=True))
    assert "[node-1] heard 42\n" in lines
    assert job.result(120) == 42


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


def test_what_waits_says_what_for(chosen, cluster, monkeypatch):
    large = train("fit.py", function="fit", framework="plain", name="large", resources={"cpu": 1000})
    monkeypatch.setenv(IMAGE, "docker.io/library/no-such-image:1")
    imageless = train("fit.py", function="fit", framework="plain", name="imageless")
    until(lambda: "no node has room" in large.reason)
    until(lambda: "no-such-image:1 cannot be had" in imageless.reason)
    assert (large.phase, imageless.phase) == ("PENDING", "PENDING")
    with pytest.raises(TimeoutError, match="no node has room"):
        large.wait(1)
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


def test_a_job_is_suspended_resumed_stopped(chosen):
    job = train("fit.py", function="fit", framework="plain", args={"wait": 600}, name="long")
    until(lambda: any("rank 0 of 1" in text for text in job.logs()))
    until(lambda: job.phase == "RUNNING")
    job.suspend()
    until(lambda: job.phase == "PAUSED" and not job.ranks)
    job.resume()
    until(lambda: any("rank 0 of 1" in text for text in job.logs()))
    job.stop(wait=True)
    assert job.phase == "CANCELED"
    job.delete()


def test_what_only_this_machine_can_do_is_refused_by_name(chosen, tmp_path):
    for more in ({"nodes": "1:2"}, {"restarts": 2}, {"checkpoint": True}, {"framework": "tensorflow"}):
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
