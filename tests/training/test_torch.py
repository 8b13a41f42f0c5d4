"""PyTorch jobs: real gradients between real processes, and what becomes of them when one is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from contextlib import suppress

import pytest

from tests.training.attempt import Attempt, job, run

pytestmark = pytest.mark.slow

DDP = """
import os, json, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
model = DistributedDataParallel(torch.nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
generator = torch.Generator().manual_seed(rank)
truth = torch.tensor([[1.0], [-2.0], [0.5]])
for step in range(150):
    x = torch.randn(32, 3, generator=generator)
    loss = ((model(x) - x @ truth) ** 2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
weights = [round(value, 4) for value in model.module.weight.flatten().tolist()]
print(json.dumps({"rank": rank, "size": size, "loss": loss.item(), "weights": weights}), flush=True)
del model, optimizer, loss  # else a thread of autograd's may still let go of them when the interpreter is gone, and aborts
dist.destroy_process_group()
"""


def results(logs):
    """Ranks share a log here, so two of them may have written into one line."""
    return [json.loads(one) for one in re.findall(r"\{.*?\}", logs)]


@pytest.mark.parametrize(("nodes", "procs"), [(1, 2), (2, 1)])
def test_ranks_train_one_model(tmp_path, nodes, procs):
    verdict, logs = run(job(tmp_path / "job", "torch", DDP, nodes_min=nodes, nodes_max=nodes, procs=procs))
    assert verdict.ok, logs
    first, second = sorted(results(logs), key=lambda one: one["rank"])
    assert (first["size"], second["size"]) == (2, 2)
    assert first["weights"] == second["weights"], "gradients were averaged"
    assert first["weights"] == pytest.approx([1, -2, 0.5], abs=0.01)


# Counts to ten with a checkpoint after each step; the state is what all ranks have agreed on.
COUNTING = """
import os, sys, time, torch, torch.distributed as dist
from jupyter_ext.training.checkpoints import load_checkpoint, save_checkpoint
dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
total, step = load_checkpoint() or (torch.zeros(1), 0)
restart = os.environ["TORCHELASTIC_RESTART_COUNT"]
print(f"start rank={rank} size={size} step={step} restart={restart} pid={os.getpid()}", flush=True)
print(f"store={os.environ['MASTER_PORT']}", flush=True)
while step < 10:
    one = torch.ones(1)
    dist.all_reduce(one)
    total, step = total + one / size, step + 1
    save_checkpoint(total, step)
    print(f"at rank={rank} step={step} pid={os.getpid()}", flush=True)
    dist.barrier()
    time.sleep(0.2)
assert total.item() == 10, total
print(f"end rank={rank} size={size}", flush=True)
dist.destroy_process_group()
"""


def counting(folder, **fields):
    checkpoint = folder.parent / "checkpoint"
    env = {"JUPYTER_KUBEFLOW_CHECKPOINT": str(checkpoint)}
    return job(folder, "torch", COUNTING, env=env, **fields)


def reached(attempt, pattern, seconds=120):
    """The match of a pattern in what was printed, as soon as there is one; the job goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        verdict = attempt.poll()
        match = re.search(pattern, attempt.logs())
        if match:
            return match
        assert verdict is None, f"{verdict}\n{attempt.logs()}"
        time.sleep(0.05)
    raise AssertionError(attempt.logs())


def test_a_killed_rank_is_started_again_and_goes_on_from_the_checkpoint(tmp_path):
    with Attempt(counting(tmp_path / "job", procs=2, restarts=1)) as attempt:
        os.kill(int(reached(attempt, r"at rank=1 step=[3-9] pid=(\d+)")[1]), signal.SIGKILL)
        assert attempt.follow().ok, attempt.logs()
        logs = attempt.logs()
    begun = re.findall(r"start rank=\d size=2 step=(\d+) restart=1", logs)
    assert len(begun) == 2
    assert all(int(step) >= 2 for step in begun)
    assert len(re.findall(r"end rank=\d size=2", logs)) == 2
    assert len(set(re.findall(r"store=(\d+)", logs))) == 2, "no round sees what the one before wrote"


def test_without_restarts_left_it_fails(tmp_path):
    with Attempt(counting(tmp_path / "job", procs=2, restarts=0)) as attempt:
        os.kill(int(reached(attempt, r"at rank=1 step=\d pid=(\d+)")[1]), signal.SIGKILL)
        verdict = attempt.follow()
    assert not verdict.ok
    assert verdict.part == "node-0"


def test_a_killed_agent_comes_back_and_its_ranks_with_it(tmp_path):
    """Of the first node, too: the agents meet in a file that none of them serves."""
    with Attempt(counting(tmp_path / "job", nodes_min=2, nodes_max=2, restarts=2)) as attempt:
        reached(attempt, r"at rank=1 step=[3-9]")
        attempt.kill("node-0")
        for match in re.finditer(r"pid=(\d+)", (tmp_path / "job" / "node-0.log").read_text()):
            with_the_agent(int(match[1]))
        assert attempt.follow(180).ok, attempt.logs()
        logs = attempt.logs()
    assert attempt.starts == {"node-0": 1}
    begun = sorted(int(step) for step in re.findall(r"start rank=\d size=2 step=(\d+)", logs))
    assert begun[:2] == [0, 0]
    assert begun[2] >= 2


def with_the_agent(pid):
    """Ranks die with the agent that started them; these test scripts do not ask the kernel for it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_an_elastic_job_goes_on_with_fewer_nodes(tmp_path):
    spec = counting(tmp_path / "job", nodes_min=1, nodes_max=2, restarts=3)
    with Attempt(spec) as attempt:
        reached(attempt, r"at rank=1 step=[2-9]")
        attempt.starts["node-1"] = 3  # as if it had come back often enough
        attempt.kill("node-1")
        for match in re.finditer(r"pid=(\d+)", (tmp_path / "job" / "node-1.log").read_text()):
            with_the_agent(int(match[1]))
        verdict = attempt.follow(180)
        logs = attempt.logs()
    assert verdict.ok, logs
    assert attempt.exits == {"node-0": 0, "node-1": -9}
    assert re.search(r"start rank=0 size=1 step=[2-9]", logs)
    assert "end rank=0 size=1" in logs


def test_a_command_that_starts_torchrun_itself(tmp_path):
    """As a TrainJob written for a cluster has it, with what the runtime puts into the environment."""
    script = tmp_path / "train.py"
    script.write_text(DDP)
    spec = job(tmp_path / "job", "torch", nodes_min=2, nodes_max=2, command=("torchrun", str(script)))
    verdict, logs = run(spec)
    assert verdict.ok, logs
    assert sorted(one["rank"] for one in results(logs)) == [0, 1]
