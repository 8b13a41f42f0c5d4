"""Jobs that hang where their processes should meet: who is missing, and why."""

from __future__ import annotations

import os
import signal
import time

import pytest

from jupyter_ext.training import stacks
from jupyter_ext.training.rendezvous import Rendezvous, met_in
from jupyter_ext.training.stacks import Frame
from tests.training.attempt import Attempt, job

RANK = """
import json, os, pathlib, sys, time
from jupyter_ext.training import stacks
folder, rank = pathlib.Path(sys.argv[1]), int(os.environ["RANK"])
(folder / "ranks").mkdir(exist_ok=True)
stacks.answer(folder / "ranks" / f"{rank}.stack")
def say(state):
    path = folder / "ranks" / f"{rank}.json"
    path.with_suffix(".new").write_text(json.dumps({"rank": rank, "pid": os.getpid(), "state": state}))
    path.with_suffix(".new").replace(path)
say("running")
"""


def watched(attempt):
    rendezvous = Rendezvous(attempt.job.folder, attempt.launches, attempt.job.nodes_min, every=0.3)

    def ask():
        def pid_of(part):
            return attempt.running[part].pid if part in attempt.running else None

        return rendezvous.missing(0.1, pid_of)

    return ask


def sentence(attempt, ask, wanted, seconds=60):
    """What it says, once that holds the wanted words."""
    deadline = time.monotonic() + seconds
    said = None
    while time.monotonic() < deadline:
        attempt.poll()
        said = ask()
        if said and wanted in said:
            return said
        time.sleep(0.1)
    raise AssertionError(f"{said}\n{attempt.logs()}")


def test_a_rank_that_never_started_is_named_with_the_state_of_its_process(tmp_path):
    with Attempt(job(tmp_path / "job", "plain", RANK + "time.sleep(1000)", procs=3)) as attempt:
        os.kill(attempt.running["rank-1"].pid, signal.SIGSTOP)
        ask = watched(attempt)
        said = sentence(attempt, ask, "rank-1 is stopped")
        while not said.startswith("Rank 1 of 3 has not joined after"):
            said = sentence(attempt, ask, "rank-1 is stopped")


def test_a_rank_that_is_dead_is_said_to_be(tmp_path):
    with Attempt(job(tmp_path / "job", "plain", RANK + "time.sleep(1000)", procs=2)) as attempt:
        rendezvous = Rendezvous(attempt.job.folder, attempt.launches)
        attempt.kill("rank-1")
        attempt.running["rank-1"].wait()
        said = rendezvous.missing(0, lambda part: None if part == "rank-1" else attempt.running[part].pid)
        assert said is None or "rank-1 does not run" in said


HANGS = (
    RANK
    + """
import torch.distributed as dist
def prepare_data():
    time.sleep(1000)
if rank == 1:
    prepare_data()
dist.init_process_group("gloo")
"""
)


@pytest.mark.slow
def test_ranks_that_wait_for_one_that_is_elsewhere(tmp_path):
    with Attempt(job(tmp_path / "job", "torch", HANGS, procs=2)) as attempt:
        said = sentence(attempt, watched(attempt), "init_process_group")
        line = HANGS[: HANGS.index("time.sleep(1000)")].count("\n") + 1
        assert said.startswith("Rank 0 of 2 waits in init_process_group for rank 1, which is at ")
        assert f"line {line} of user.py in prepare_data" in said


@pytest.mark.slow
def test_an_agent_that_is_stopped_keeps_all_ranks_waiting(tmp_path):
    spec = job(tmp_path / "job", "torch", RANK, nodes_min=2, nodes_max=2)
    with Attempt(spec) as attempt:
        os.kill(attempt.running["node-1"].pid, signal.SIGSTOP)
        said = sentence(attempt, watched(attempt), "node-1 is stopped")
        assert said.startswith("Ranks 0 and 1 of 2 have not joined after")


def test_commands_of_the_users_own_are_not_suspected(tmp_path):
    with Attempt(job(tmp_path / "job", "plain", "import time; time.sleep(1000)", procs=2)) as attempt:
        time.sleep(0.2)
        assert watched(attempt)() is None or "loading" in watched(attempt)()


def test_nothing_is_said_once_all_are_past_it(tmp_path):
    with Attempt(job(tmp_path / "job", "plain", RANK + "time.sleep(1000)", procs=2)) as attempt:
        ask = watched(attempt)
        while len(list((attempt.job.folder / "ranks").glob("*.stack"))) < 2:
            time.sleep(0.05)
        while ask():
            time.sleep(0.05)
        assert ask() is None


@pytest.mark.parametrize(
    ("file", "function", "meeting"),
    [
        ("/x/torch/distributed/distributed_c10d.py", "init_process_group", "init_process_group"),
        ("/x/xgboost/collective.py", "init", "xgboost.collective.init"),
        ("/x/other/collective.py", "init", None),
    ],
)
def test_where_ranks_meet(file, function, meeting):
    assert met_in([Frame("a.py", 1, "f"), Frame(file, 2, function)]) == meeting


def test_a_process_that_does_not_listen_is_not_hurt(tmp_path):
    with Attempt(job(tmp_path / "job", "plain", "import time; time.sleep(1000)")) as attempt:
        (tmp_path / "stack").touch()
        pid = attempt.running["rank-0"].pid
        assert stacks.ask(pid, tmp_path / "stack") == []
        assert attempt.running["rank-0"].poll() is None
