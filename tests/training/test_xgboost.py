"""XGBoost jobs: one model from rows that no worker has all of."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.training.attempt import Attempt, job, run

TRAIN = """
import json, os
{install}
import numpy, xgboost
with xgboost.collective.CommunicatorContext({arguments}):
    rank = xgboost.collective.get_rank()
    rows = numpy.arange(400.0).reshape(-1, 1)[rank::2]
    data = xgboost.DMatrix(rows, (rows[:, 0] > 150).astype(float))
    history = {{}}
    model = xgboost.train(
        {{"objective": "binary:logistic", "nthread": 1}}, data, 5, evals=[(data, "train")], evals_result=history
    )
    total = xgboost.collective.allreduce(numpy.array([rank + 1.0]), xgboost.collective.Op.SUM)
    print(json.dumps({{"rank": rank, "task": os.environ["DMLC_TASK_ID"], "total": total[0],
                       "size": xgboost.collective.get_world_size(),
                       "loss": history["train"]["logloss"][-1], "trees": model.get_dump()}}), flush=True)
"""
INSTALL = "from jupyter_ext.training.frameworks import collective; collective.install()"


def results(logs):
    return sorted(
        (json.loads(line) for line in logs.splitlines() if line.startswith("{")), key=lambda one: one["rank"]
    )


def check(logs):
    first, second = results(logs)
    assert (first["task"], second["task"]) == ("0", "1"), "ranks follow the tasks"
    assert (first["size"], first["total"]) == (2, 3)
    assert first["trees"] == second["trees"], "both have the one model"
    assert any("150" in tree or "151" in tree for tree in first["trees"])


@pytest.mark.slow
def test_workers_find_the_tracker_without_a_word_of_theirs(tmp_path):
    verdict, logs = run(
        job(tmp_path / "job", "xgboost", TRAIN.format(install=INSTALL, arguments=""), procs=2)
    )
    assert verdict.ok, logs
    check(logs)


UPSTREAM = """
from xgboost.tracker import RabitTracker
tracker = None
if os.environ["DMLC_TASK_ID"] == "0":
    tracker = RabitTracker(host_ip="0.0.0.0", n_workers=2, port=int(os.environ["DMLC_TRACKER_PORT"]), sortby="task")
    tracker.start()
"""


@pytest.mark.slow
def test_code_written_for_upstreams_runtime_starts_its_own_tracker(tmp_path):
    arguments = (
        'dmlc_tracker_uri=os.environ["DMLC_TRACKER_URI"], dmlc_task_id=os.environ["DMLC_TASK_ID"],'
        ' dmlc_tracker_port=int(os.environ["DMLC_TRACKER_PORT"])'
    )
    source = TRAIN.format(install=UPSTREAM, arguments=arguments)
    verdict, logs = run(job(tmp_path / "job", "xgboost", source, procs=2))
    assert verdict.ok, logs
    check(logs)


@pytest.mark.slow
def test_on_a_cluster_worker_0_runs_the_tracker(tmp_path):
    """Where the runtime only says where it should be: what an exported job meets."""
    source = TRAIN.format(install="from jupyter_ext.training.frameworks import collective; collective.install(serve=True)",
                          arguments="")  # fmt: skip
    script = tmp_path / "main.py"
    script.write_text(source)
    spec = job(tmp_path / "job", "xgboost", procs=2, command=("python", str(script)))
    verdict, logs = run(spec)
    assert verdict.ok, logs
    check(logs)


@pytest.mark.slow
def test_a_killed_worker_fails_the_job_and_nothing_is_left(tmp_path):
    source = INSTALL + (
        "\nimport os, time, xgboost\nwith xgboost.collective.CommunicatorContext():\n"
        "    print('in', os.getpid(), flush=True)\n    time.sleep(1000)"
    )
    with Attempt(job(tmp_path / "job", "xgboost", source, procs=2)) as attempt:
        deadline = time.monotonic() + 60
        while attempt.logs().count("in ") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        attempt.kill("rank-1")
        verdict = attempt.follow()
    assert not verdict.ok
    assert verdict.part.startswith("rank-")


def test_who_names_a_tracker_keeps_it(monkeypatch):
    from types import ModuleType

    from jupyter_ext.training.frameworks import collective

    given = []
    module = ModuleType("xgboost.collective")
    module.init = lambda **arguments: given.append(arguments)
    module.finalize = lambda: None
    monkeypatch.setenv("DMLC_TRACKER_URI", "127.0.0.1")
    monkeypatch.setenv("DMLC_TRACKER_PORT", "9")
    monkeypatch.setenv("DMLC_TASK_ID", "1")
    collective.complete(module)
    module.init(dmlc_tracker_uri="elsewhere")
    module.init(dmlc_retry=2)
    ours = {"dmlc_tracker_uri": "127.0.0.1", "dmlc_tracker_port": 9, "dmlc_task_id": "1"}
    assert given == [
        {"dmlc_tracker_uri": "elsewhere"},
        {"dmlc_communicator": "rabit", **ours, "dmlc_retry": 2},
    ]
    monkeypatch.delenv("DMLC_TRACKER_URI")
    assert collective.arguments() == {}


def test_a_worker_waits_for_a_tracker_only_so_long(tmp_path):
    from jupyter_ext.training.frameworks import tracker

    code = (
        f"import sys; sys.argv = ['tracker', 'join', {str(tmp_path / 'never')!r}, 'x']\n"
        f"source = open({tracker.__file__!r}).read().replace('PATIENCE = 120.0', 'PATIENCE = 0.1')\n"
        "exec(compile(source, 'tracker.py', 'exec'), {'__name__': '__main__'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "did not start within" in done.stderr
