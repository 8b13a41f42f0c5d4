"""Kill -9 of every kind of process: nothing is lost, nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time

import psutil
import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import machine, processes, record, workload
from jupyter_ext.training import train

from .conftest import processes_of, running, until
from .test_stop import count_up, reached


def controller_of(cluster, job) -> psutil.Process:
    row = until(lambda: (found := record.read(cluster, job.resource.uid)) and found.process and found)
    return psutil.Process(int(row.process.partition(":")[0]))


def ranks_of(job) -> list[psutil.Process]:
    return running(job.resource.uid, "rank.py")


def test_a_killed_rank_fails_the_job_which_resumes_from_its_checkpoint(cluster, folder):
    job = train(count_up, framework="plain", procs=1, args={"until_number": 100})
    reached(job, 5)
    (rank,) = ranks_of(job)
    rank.kill()
    assert job.wait(60).phase == "FAILED"
    assert job.reason == "rank-0 was killed by SIGKILL (likely out of memory)."
    stood = job.metrics["number"]
    assert job.resume().result(90) == 100
    assert int("".join(job.logs(rank=0)).rpartition("from ")[2]) >= stood


def test_a_killed_rank_of_several_ends_the_others(cluster, folder):
    def fit():
        print("ready", flush=True)
        time.sleep(600)

    job = train(fit, framework="plain", procs=3)
    until(lambda: "".join(job.logs()).count("ready") == 3)
    pids = {
        each["rank"]: each["pid"] for each in until(lambda: all(e["pid"] for e in job.ranks) and job.ranks)
    }
    os.kill(pids[1], signal.SIGKILL)
    assert job.wait(60).phase == "FAILED"
    assert {each["rank"]: each["state"] for each in job.ranks} == {0: "CANCELED", 1: "FAILED", 2: "CANCELED"}
    until(lambda: not processes_of(job.resource.uid))


def test_a_killed_controller_takes_its_ranks_with_it_and_goes_on_by_itself(cluster, folder):
    job = train(count_up, framework="plain", args={"until_number": 150}, checkpoint=True)
    reached(job, 5)
    ranks = ranks_of(job)
    controller_of(cluster, job).kill()
    psutil.wait_procs(ranks, timeout=60)
    assert not any(rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE for rank in ranks)
    stood = int((cluster.home / "work" / job.resource.uid / "checkpoint" / "number").read_text())
    assert job.result(90) == 150
    assert int("".join(job.logs(rank=0)).rpartition("from ")[2]) >= stood
    until(lambda: not processes_of(job.resource.uid))


def test_without_a_checkpoint_a_killed_controller_is_told_and_resumed_by_hand(cluster, folder):
    job = train("import time; time.sleep(2); 5", framework="plain", namespace={}, procs=2)
    until(lambda: len(ranks_of(job)) == 2)
    until(lambda: job.phase == "RUNNING")
    controller_of(cluster, job).kill()
    assert job.wait(60).phase == "FAILED"
    assert "killed (signal 9" in job.reason
    assert {each["state"] for each in job.ranks} <= {"FAILED", "CANCELED"}
    until(lambda: not processes_of(job.resource.uid))
    assert job.resume().result(60) == 5


def test_after_a_restart_of_the_machine_it_goes_on(cluster, folder, monkeypatch):
    """Every process is gone at once, and the boot is another one."""
    job = train(count_up, framework="plain", args={"until_number": 100}, checkpoint=True)
    reached(job, 5)
    uid = job.resource.uid
    for process in [controller_of(cluster, job), *processes_of(uid)]:
        process.kill()
    until(lambda: not processes_of(uid))
    with cluster.store.transaction() as connection:
        connection.execute("UPDATE workloads SET boot = 'another' WHERE uid = ?", (uid,))
    assert machine.boot() != "another"
    assert job.result(90) == 100
    assert "machine was restarted" in cluster.events("TrainJob", job.name)[0].message


def test_killed_the_moment_it_is_submitted(cluster, folder):
    for _ in range(4):
        job = train("7", framework="plain", namespace={}, checkpoint=True)
        time.sleep(random.random() * 0.4)
        for process in processes_of(job.resource.uid):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        # Killed ranks of a controller that lives are a failure, which resumes.
        if job.wait(60).phase == "FAILED":
            job.resume()
        assert job.result(60) == 7
        until(lambda job=job: not processes_of(job.resource.uid))


@pytest.mark.slow
def test_any_process_killed_at_any_moment_loses_nothing_and_leaves_nothing(cluster, folder):
    chance = random.Random(5)
    job = train(
        count_up, framework="plain", procs=1, args={"until_number": 300, "pause": 0.01}, checkpoint=True
    )
    uid = job.resource.uid
    path = cluster.home / "work" / uid / "checkpoint" / "number"

    def number():
        return int(path.read_text()) if path.exists() else 0

    for kill in range(8):
        before = number()
        target = min(before + 10, 300)
        until(lambda target=target: (job.phase == "FAILED" and job.resume()) or number() >= target)
        time.sleep(chance.random() * 0.1)
        victims = running(uid, "shim.py") if kill % 2 else ranks_of(job)
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        assert number() >= before
    while job.wait(90).phase == "FAILED":
        job.resume()
    assert job.result() == 300
    reported = [
        json.loads(line)["m"]["number"]
        for file in (cluster.home / "work" / uid / "reports").iterdir()
        for line in file.read_text().splitlines()
    ]
    kept = [point.value for point in job.curves(limit=100_000).points if point.name == "number"]
    assert sorted(kept) == sorted(reported)
    # Between saving and reporting a number the process may have been killed.
    assert len(set(range(1, 301)) - set(map(int, kept))) <= 8
    until(lambda: not processes_of(uid))
    assert processes.members(uid, None) == []
    assert cluster.leases.held() == []


def test_a_job_whose_files_are_deleted_under_it_ends(cluster, folder):
    job = train("import time; time.sleep(600)", framework="plain", namespace={})
    until(lambda: job.phase == "RUNNING")
    uid = job.resource.uid
    job.delete()
    until(lambda: not processes_of(uid))
    assert not workload.alive(cluster, uid)


@pytest.mark.slow
def test_a_killed_torch_rank_is_named_and_the_job_resumes(cluster, folder):
    def fit(until_number):
        import torch.distributed as dist

        dist.init_process_group("gloo")
        kf.report(met=1)
        first = not (kf.training.checkpoint_dir() / "again").exists()
        dist.barrier()  # both have looked before one of them leaves the mark
        if dist.get_rank() == 1 and first:
            time.sleep(600)
        (kf.training.checkpoint_dir() / "again").touch()
        number = count_up(until_number) if dist.get_rank() == 0 else None
        dist.barrier()
        dist.destroy_process_group()
        return number

    job = train(fit, framework="torch", procs=2, args={"until_number": 20})
    reached(job, 20)

    def pid():
        return {each["rank"]: each["pid"] for each in job.ranks}.get(1)

    until(pid)
    os.kill(pid(), signal.SIGKILL)
    assert job.wait(60).phase == "FAILED"
    assert job.reason == "Rank 1 was killed by SIGKILL (likely out of memory)."
    assert {each["rank"]: each["state"] for each in job.ranks}[1] == "FAILED"
    assert job.resume().result(120) == 20
    until(lambda: not processes_of(job.resource.uid))


@pytest.mark.slow
def test_an_exception_in_a_torch_rank_is_the_reason(cluster, folder):
    def fit():
        import torch.distributed as dist

        dist.init_process_group("gloo")
        if dist.get_rank() == 1:
            raise ArithmeticError("in rank 1")
        dist.barrier()

    job = train(fit, framework="torch", nodes=2).wait(120)
    assert job.phase == "FAILED"
    assert job.reason.startswith("Rank 1 failed at test_crash.py")
    assert job.reason.endswith("ArithmeticError: in rank 1.")
