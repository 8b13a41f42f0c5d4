"""Stop, suspend and resume, deadlines, restarts: what the resource says is what happens."""

from __future__ import annotations

import time

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import workload
from jupyter_ext.errors import Conflict
from jupyter_ext.training import JobFailed, train

from .conftest import processes_of, until


def count_up(until_number=1000, pause=0.02):
    """Count from the last checkpoint on, a file a number; a kill between two numbers loses nothing."""
    folder = kf.training.checkpoint_dir()
    path = folder / "number"
    number = int(path.read_text()) if path.exists() else 0
    print("from", number, flush=True)
    while number < until_number:
        number += 1
        new = folder / ".new"
        new.write_text(str(number))
        new.replace(path)
        kf.report(number=number, step=number, progress=number / until_number)
        time.sleep(pause)
    return number


def reached(job, number):
    return until(lambda: job.metrics.get("number", 0) >= number)


def test_stop_ends_every_process_and_says_so(cluster, folder):
    def fit():
        import subprocess
        import sys

        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        print("ready", flush=True)
        time.sleep(600)

    job = train(fit, framework="plain", procs=2)
    until(lambda: "".join(job.logs()).count("ready") == 2)
    uid = job.resource.uid
    assert len(processes_of(uid)) == 5
    job.stop()
    assert job.wait(60).phase == "CANCELED"
    until(lambda: not processes_of(uid))
    assert {each["state"] for each in job.ranks} == {"CANCELED"}
    with pytest.raises(JobFailed, match="is CANCELED"):
        job.result()
    job.stop()
    assert job.phase == "CANCELED"


def test_processes_that_ignore_the_request_are_killed(cluster, folder, monkeypatch):
    def fit():
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(600)

    job = train(fit, framework="plain")
    until(lambda: "ready" in "".join(job.logs()))
    uid = job.resource.uid
    workload.stop(cluster, uid, grace=1)
    assert job.phase == "CANCELED"
    assert not processes_of(uid)


def test_suspended_and_resumed_it_goes_on_from_its_checkpoint(cluster, folder):
    job = train(count_up, framework="plain", args={"until_number": 150}, checkpoint=True)
    reached(job, 10)
    job.suspend()
    assert job.wait(60).phase == "PAUSED"
    status = job.resource.status
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [("Suspended", "True")]
    assert status["jobsStatus"][0]["suspended"] == 1
    until(lambda: not processes_of(job.resource.uid))
    stood = job.metrics["number"]
    job.resume()
    assert job.result(90) == 150
    log = "".join(job.logs(rank=0)).split("from ")
    assert [int(part) >= stood for part in log[2:]] == [True]
    assert [each["status"] for each in job.resource.status["conditions"]] == ["False", "True"]


def test_suspended_while_it_waits_and_stopped_while_it_is_suspended(cluster, folder):
    whole = cluster.leases.machine().cpu_milli / 1000
    first = (
        train(time.sleep, framework="plain", args={}, resources={"cpu": whole}, name="first")
        if False
        else None
    )
    del first
    holder = train(
        "import time; time.sleep(600)",
        framework="plain",
        namespace={},
        resources={"cpu": whole},
        name="holder",
    )
    until(lambda: holder.phase == "RUNNING")
    job = train("1", framework="plain", namespace={}, resources={"cpu": whole}, name="waits")
    until(lambda: "held by holder" in job.reason)
    job.suspend()
    assert job.wait(60).phase == "PAUSED"
    job.stop()
    assert job.phase == "CANCELED"
    job.resume()
    until(lambda: job.phase == "PENDING" and "held by holder" in job.reason)
    holder.stop(wait=True)
    assert job.wait(60).phase == "SUCCEEDED"


def test_what_is_done_is_neither_suspended_nor_resumed(cluster, folder):
    job = train("1", framework="plain", namespace={}).wait(60)
    with pytest.raises(Conflict, match="nothing to suspend"):
        job.suspend()
    with pytest.raises(Conflict, match="has succeeded"):
        job.resume()


def test_what_runs_is_not_resumed(cluster, folder):
    job = train("import time; time.sleep(600)", framework="plain", namespace={})
    until(lambda: job.phase == "RUNNING")
    with pytest.raises(Conflict, match="is RUNNING"):
        job.resume()
    job.stop(wait=True)


def test_past_its_deadline_it_has_failed(cluster, folder):
    job = train("import time; time.sleep(600)", framework="plain", namespace={}, deadline=1).wait(60)
    assert (job.phase, job.reason) == ("FAILED", "It took longer than its deadline of 1 s.")
    assert job.resource.status["conditions"][0]["reason"] == "DeadlineExceeded"


def test_after_a_failure_all_start_again_as_often_as_it_says(cluster, folder):
    def fit():
        tries = sorted(kf.training.checkpoint_dir().glob("try-*"))
        if kf.training.world().rank == 0:
            (kf.training.checkpoint_dir() / f"try-{len(tries)}").touch()
            if len(tries) < 2:
                raise OSError(f"try {len(tries)}")
        return len(tries)

    job = train(fit, framework="plain", procs=2, restarts=2)
    assert job.result(60) == 2
    assert job.resource.status["restarts"] == 2
    assert [each.reason for each in cluster.events("TrainJob", job.name)] == ["Restarted", "Restarted"]
    assert "OSError: try 0" in "".join(job.logs(rank=0))
    again = train(fit, framework="plain", procs=2, restarts=1).wait(60)
    assert (again.phase, "try 1" in again.reason) == ("FAILED", True)


def test_a_failed_job_is_resumed_with_its_checkpoint(cluster, folder):
    def fit():
        mark = kf.training.checkpoint_dir() / "mark"
        if not mark.exists():
            mark.touch()
            raise RuntimeError("the first time")
        return "the second time"

    job = train(fit, framework="plain").wait(60)
    assert job.phase == "FAILED"
    assert job.resume().result(60) == "the second time"
    assert "error" not in job.resource.status


def test_a_checkpoint_folder_of_the_users_own_is_kept(cluster, folder):
    job = train(count_up, framework="plain", args={"until_number": 2}, checkpoint=folder / "kept")
    assert job.result(60) == 2
    job.delete()
    assert (folder / "kept" / "number").read_text() == "2"
