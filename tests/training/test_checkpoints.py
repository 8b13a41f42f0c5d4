"""Checkpoints: whole or not there, whoever is killed when."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from jupyter_ext import training
from jupyter_ext.errors import Invalid
from jupyter_ext.training.checkpoints import latest, load_checkpoint, save_checkpoint


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_comes_back_and_the_last_few_are_kept(tmp_path):
    for step in range(5):
        file = save_checkpoint({"weights": [step] * 3}, step, keep=2, path=tmp_path)
    assert names(tmp_path) == ["step-3.ckpt", "step-4.ckpt"]
    assert latest(tmp_path) == (4, file)
    state, step = load_checkpoint(tmp_path)
    assert (state, step) == ({"weights": [4, 4, 4]}, 4)


def test_in_a_job_the_folder_is_known_and_rank_0_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_CHECKPOINT", str(tmp_path / "job"))
    assert load_checkpoint() is None
    monkeypatch.setenv("RANK", "1")
    assert save_checkpoint("mine", 1) is None
    monkeypatch.setenv("RANK", "0")
    assert save_checkpoint("ours", 1)
    monkeypatch.setenv("RANK", "1")
    assert load_checkpoint().state == "ours"


def test_outside_of_a_job_nothing_happens(monkeypatch):
    monkeypatch.delenv("JUPYTER_KUBEFLOW_CHECKPOINT", raising=False)
    assert save_checkpoint("state", 1) is None
    assert load_checkpoint() is None


def test_a_damaged_one_is_passed_over(tmp_path, capsys):
    save_checkpoint("good", 1, path=tmp_path)
    save_checkpoint("newer", 2, path=tmp_path)
    (tmp_path / "step-2.ckpt").write_bytes(b"\x80")
    assert load_checkpoint(tmp_path) == ("good", 1)
    assert "step-2.ckpt cannot be read" in capsys.readouterr().err


def test_a_training_begun_anew_forgets_what_lay_ahead(tmp_path):
    save_checkpoint("old", 900, path=tmp_path)
    save_checkpoint("new", 10, path=tmp_path)
    assert load_checkpoint(tmp_path) == ("new", 10)


def test_a_wrong_step_is_refused(tmp_path):
    with pytest.raises(Invalid):
        save_checkpoint("state", -1, path=tmp_path)


def test_tensors_are_saved_by_torch(tmp_path):
    torch = pytest.importorskip("torch")
    save_checkpoint({"w": torch.ones(3)}, 1, path=tmp_path)
    assert torch.load(tmp_path / "step-1.ckpt")["w"].sum() == 3
    assert load_checkpoint(tmp_path).state["w"].sum() == 3


WRITER = """
import sys
from jupyter_ext.training.checkpoints import load_checkpoint, save_checkpoint
folder = sys.argv[1]
state, step = load_checkpoint(folder) or (None, 0)
assert state is None or state == [step] * 200_000, "a checkpoint that is not whole"
print("from", step, flush=True)
while True:
    step += 1
    save_checkpoint([step] * 200_000, step, path=folder)
"""


def test_a_kill_at_any_moment_leaves_the_last_whole_one(tmp_path):
    rolls = random.Random(7)
    reached = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            start = int(writer.stdout.readline().split()[1])
            assert start >= reached
            deadline = time.monotonic() + 100
            while not latest(tmp_path) and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(rolls.uniform(0, 0.2))
            os.kill(writer.pid, signal.SIGKILL)
        reached = latest(tmp_path)[0]
    assert reached > 8
    save_checkpoint("end", reached + 1, path=tmp_path)
    assert all(name.endswith(".ckpt") for name in names(tmp_path)), "halves of the killed are gone"


def count_to(last, pause):
    """Counts with a checkpoint at each step; gives the steps at which it began."""
    import time as clock

    from jupyter_ext.training import report

    begun, step = load_checkpoint() or ([], 0)
    begun = [*begun, step]
    report(pid=os.getpid(), step=step)
    while step < last:
        clock.sleep(pause)
        step += 1
        save_checkpoint(begun, step)
        report(reached=step)
    return begun


def reached(job, step):
    deadline = time.monotonic() + 60
    while job.metrics.get("reached", 0) < step:
        assert time.monotonic() < deadline, job.reason
        assert job.phase in {"PENDING", "RUNNING"}, job.reason
        time.sleep(0.05)


def victim(job, who):
    """The process number of a rank, or of the process that looks after the job."""
    if who == "rank":
        return int(job.metrics["pid"])
    from jupyter_ext.cluster.local import LocalCluster, record

    return int(record.read(LocalCluster(), job.resource.uid).process.partition(":")[0])


@pytest.mark.parametrize("who", ["rank", "controller"])
def test_a_job_goes_on_from_its_last_checkpoint_whoever_is_killed(who, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = training.train(count_to, framework="plain", args={"last": 20, "pause": 0.1}, restarts=2)
    reached(job, 3)
    os.kill(victim(job, who), signal.SIGKILL)
    first, second = job.wait(90).result()
    assert first == 0
    assert second >= 3


def test_a_suspended_job_goes_on_from_its_last_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = training.train(count_to, framework="plain", args={"last": 20, "pause": 0.1})
    reached(job, 3)
    job.suspend()
    deadline = time.monotonic() + 30
    while job.phase != "PAUSED" and time.monotonic() < deadline:
        time.sleep(0.05)
    job.resume()
    first, second = job.wait(90).result()
    assert (first, second >= 3) == (0, True)
