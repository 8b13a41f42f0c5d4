"""``report`` in a job, in a trial, on a cluster and in a notebook; ``world`` and ``checkpoint_dir``."""

from __future__ import annotations

import json
import math
import os

import pytest

import jupyter_ext as kf
from jupyter_ext.training import Pruned, World, checkpoint_dir, report, train, world


def test_in_a_notebook_it_prints(capsys, monkeypatch):
    monkeypatch.delenv("JUPYTER_KUBEFLOW_REPORTS", raising=False)
    report(loss=0.25, step=3)
    report({"accuracy/top-1": 1})
    report(progress=0.5)
    assert capsys.readouterr().out == "step=3 loss=0.25\naccuracy/top-1=1\n"
    assert (world(), checkpoint_dir()) == (World(0, 1, 0, 0, 1), None)


def test_into_a_file_a_line_each(monkeypatch, tmp_path):
    path = tmp_path / "reports"
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REPORTS", str(path))
    np = pytest.importorskip("numpy")
    report(loss=np.float32(0.5), step=np.int64(2), progress=7)
    report(loss=math.nan)
    pid = os.fork()
    if pid == 0:
        report(loss=2.0)
        os._exit(0)
    os.waitpid(pid, 0)
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["m"], first["s"], first["p"]) == ({"loss": 0.5}, 2.0, 1.0)
    assert math.isnan(second["m"]["loss"])
    assert third["m"] == {"loss": 2.0}


@pytest.mark.parametrize("value", ["0.5", None, [1.0], object()])
def test_what_is_no_number_is_refused(value, monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REPORTS", str(tmp_path / "reports"))
    with pytest.raises(TypeError, match="loss must be a number"):
        report(loss=value)


def test_a_trial_that_is_given_up_ends_whatever_it_catches(monkeypatch, tmp_path):
    stop = tmp_path / "stop"
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STOP", str(stop))
    report(loss=1)
    stop.touch()

    def fit():
        try:
            report(loss=2)
        except Exception:
            return "caught"

    with pytest.raises(Pruned):
        fit()


def test_curves_and_the_newest_values_of_every_rank(cluster, folder):
    def fit():
        rank = kf.training.world().rank
        for step in range(5):
            kf.report(loss=10 * rank + step, step=step, progress=step / 5)
        print("also=7 loss=99")

    job = train(fit, framework="plain", procs=2).wait(60)
    assert job.metrics == {"loss": 4.0, "also": 7.0}
    curve = [(p.rank, p.step, p.value) for p in job.curves().points if p.name == "loss"]
    assert curve == [(rank, float(step), 10.0 * rank + step) for rank in (0, 1) for step in range(5)]
    trainer = job.resource.status["trainerStatus"]
    assert trainer["progressPercentage"] == 100
    assert {"name": "loss", "value": "4"} in trainer["metrics"]


def test_progress_shows_while_it_runs_with_the_time_that_is_left(cluster, folder):
    from .conftest import until

    def fit():
        import time
        from pathlib import Path

        kf.report(progress=0.25)
        while not Path("go").exists():
            time.sleep(0.01)

    job = train(fit, framework="plain")
    until(lambda: job.progress == 0.25)
    assert job.resource.status["trainerStatus"]["estimatedRemainingSeconds"] >= 0
    (folder / "go").touch()
    assert job.wait(60).progress == 1.0


def test_every_rank_knows_its_place(cluster, folder):
    def fit():
        place = kf.training.world()
        kf.report(
            place=place.rank * 100 + place.local_rank * 10 + place.node, size=place.size, nodes=place.nodes
        )

    job = train(fit, framework="plain", nodes=2, procs=2).wait(60)
    places = {p.rank: p.value for p in job.curves().points if p.name == "place"}
    assert places == {0: 0, 1: 110, 2: 201, 3: 311}
    assert (job.metrics["size"], job.metrics["nodes"]) == (4, 2)
