"""Functions as trials: real processes, a real store."""

# ruff: noqa: ARG005 - what is tried is given to every trial, whether it uses it or not
from __future__ import annotations

import os
import threading

import psutil
import pytest

from jupyter_ext import tuning
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unfit
from jupyter_ext.tuning import categorical, discrete, double, int_
from tests.tuning.conftest import until


def bowl(x: float, n: int = 0) -> float:
    return (x - 0.3) ** 2 + n


def test_it_finds_what_is_best(tune):
    found = tune(
        bowl, {"x": double(0, 1), "n": int_(0, 3)}, trials=20, parallel=2, settings={"random_state": 1}
    )
    assert found.phase in ("PENDING", "RUNNING", "SUCCEEDED")
    found.wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    rows = found.trials()
    assert [row["number"] for row in rows] == list(range(20))
    best = min(rows, key=lambda row: row["value"])
    assert found.best.number == best["number"]
    assert found.best.value == best["value"] == bowl(**best["parameters"])
    assert found.best.parameters == best["parameters"]
    assert found.counts == {
        "running": 0, "succeeded": 20, "pruned": 0, "canceled": 0, "failed": 0, "total": 20,
    }  # fmt: skip
    status = found.resource.status
    assert status["currentOptimalTrial"]["bestTrialName"] == found.best.name
    assert status["progress"] == 1.0
    assert found.reason.startswith("20 trials; best loss ")


def test_values_arrive_with_their_types(tune):
    def typed(lr, layers, batch, opt, flag, none):
        kinds = [type(value).__name__ for value in (lr, layers, batch, opt, flag)]
        assert kinds == ["float", "int", "int", "str", "bool"], kinds
        assert none is None or isinstance(none, float)
        return lr

    space = {
        "lr": double(1e-4, 1e-1, log=True), "layers": int_(1, 4), "batch": discrete(16, 32),
        "opt": categorical("sgd", "adam"), "flag": categorical(True, False), "none": categorical(None, 0.5),
    }  # fmt: skip
    found = tune(typed, space, trials=8).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    assert {type(row["parameters"]["flag"]) for row in found.trials()} == {bool}
    texts = found.trial(0).resource.spec["parameterAssignments"]
    assert all(isinstance(item["value"], str) for item in texts)


def test_a_space_as_text_and_from_the_signature(tune):
    def fit(lr: float = double(0.1, 0.2), kind: str = categorical("a", "b")):
        return lr

    assert tuning.space_of(fit) == {"lr": double(0.1, 0.2), "kind": categorical("a", "b")}
    assert tune(fit, None, trials=2).wait(60).phase == "SUCCEEDED"
    assert tune(bowl, {"x": "double(0.2,0.4)"}, trials=2).wait(60).phase == "SUCCEEDED"


def test_what_a_function_returns_or_reports(tune):
    def both(x):
        from jupyter_ext.training import report

        for step in range(3):
            report(accuracy=x + step, loss=1.0, step=step)

    found = tune(both, {"x": double(0, 1)}, "accuracy:max", additional=["loss"], trials=3).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    row = found.trials()[0]
    assert row["value"] == row["parameters"]["x"] + 2, "the greatest"
    metrics = {item["name"]: item for item in found.trial(0).resource.status["observation"]["metrics"]}
    assert float(metrics["accuracy"]["min"]) == row["parameters"]["x"]
    assert row["metrics"]["loss"] == 1.0
    (series,) = (one for one in found.curves()["series"] if one["number"] == 0)
    assert [point[0] for point in series["points"]] == [0, 1, 2]

    named = tune(lambda x: {"f1": x, "loss": 2 * x}, {"x": double(0, 1)}, "f1:max", trials=2).wait(60)
    row = named.trials()[0]
    assert row["value"] == row["parameters"]["x"]
    assert row["metrics"]["loss"] == 2 * row["value"]


def test_what_is_printed_counts_too(tune):
    def loud(x):
        print("some words")
        print(f"step=1 loss={x}")
        print(f"step=2 loss={x / 2}")

    found = tune(loud, {"x": double(1, 2)}, trials=2).wait(60)
    row = found.trials()[0]
    assert row["value"] == pytest.approx(row["parameters"]["x"] / 2)
    assert "some words" in "".join(found.trial(0).logs())


def test_an_objective_that_is_never_reported(tune):
    found = tune(lambda x: {"loss": x, "acc": 1.0}, {"x": double(0, 1)}, "accuracy:max", trials=3).wait(60)
    assert found.phase == "FAILED"
    row = found.trials()[0]
    assert row["state"] == "FAILED"
    assert row["reason"] == "The trial printed no `accuracy`; seen: loss, acc."
    assert found.reason == "No trial succeeded: The trial printed no `accuracy`; seen: loss, acc."
    assert found.resource.status["trialMetricsUnavailable"] == 3
    silent = tune(lambda x: None, {"x": double(0, 1)}, trials=1).wait(60)
    assert silent.trials()[0]["reason"] == "The trial printed no `loss`, and no other metric."


def test_a_trial_that_fails_says_where(tune):
    def odd(x):
        if x > 0.5:
            raise ValueError(f"too much: {x:.1f}")
        return x

    found = tune(odd, {"x": double(0, 1)}, trials=12, settings={"random_state": 3}).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    failed = found.trials(states=["FAILED"])
    assert failed
    assert all(row["parameters"]["x"] > 0.5 for row in failed)
    assert failed[0]["reason"].startswith("ValueError: too much: ")
    error = found.trial(failed[0]["number"]).resource.status["error"]
    assert error["type"] == "ValueError"
    assert error["file"] == __file__
    assert "jupyter_ext/tuning" not in "\n".join(error["traceback"])


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ("text", "TypeError: The trial returned a str as its value: return a number, a dictionary of numbers, or nothing"),
        ({"loss": []}, "TypeError: The trial returned a list as `loss`: return a number, a dictionary of numbers, or nothing"),
        (float("nan"), "Its loss is nan."),
        (float("inf"), "Its loss is inf."),
    ],
)  # fmt: skip
def test_a_value_that_is_no_number(tune, returned, reason):
    found = tune(lambda x: returned, {"x": double(0, 1)}, trials=1).wait(60)
    assert found.trials()[0]["reason"] == reason


def test_ten_failures_and_no_success_are_enough(tune):
    def never(x):
        return undefined  # noqa: F821

    found = tune(never, {"x": double(0, 1)}, trials=500).wait(60)
    assert found.phase == "FAILED"
    assert found.counts["total"] < 20
    assert "all failed: NameError: name 'undefined' is not defined" in found.reason


def test_the_most_failures_there_may_be(tune):
    def half(x):
        if x > 0.3:
            raise RuntimeError("no")
        return x

    found = tune(half, {"x": double(0, 1)}, trials=200, max_failed=4, parallel=1).wait(60)
    assert found.phase == "FAILED"
    assert found.counts["failed"] == 4
    assert found.reason.startswith("4 trials failed, the most there may be: RuntimeError: no")


def test_a_goal_that_is_reached_ends_it(tune):
    def slow_or_good(x):
        import time

        if x > 0.5:
            time.sleep(60)
        return x

    from jupyter_ext.tuning.sampling import draw

    space = {"x": double(0, 1)}
    seed = next(n for n in range(100) if draw(space, n, 0)["x"] > 0.5 > draw(space, n, 1)["x"])
    settings = {"random_state": seed}
    found = tune(slow_or_good, space, "loss:min:0.5", trials=100, parallel=2, settings=settings).wait(60)
    assert found.phase == "SUCCEEDED"
    assert "reached the goal: loss is" in found.reason
    assert found.best.value <= 0.5
    conditions = found.resource.status["conditions"]
    assert (conditions[-1]["type"], conditions[-1]["reason"]) == ("Succeeded", "ExperimentGoalReached")
    assert [row["state"] for row in found.trials()] == ["CANCELED", "SUCCEEDED"]
    assert "Not needed any more" in found.trial(0).reason


def test_stop_and_resume(tune):
    def wait(x):
        import time

        time.sleep(0.05)
        return x

    found = tune(wait, {"x": double(0, 1)}, trials=200, parallel=2, settings={"random_state": 5})
    until(lambda: found.counts["succeeded"] > 5)
    found.stop()
    found.wait(30)
    assert found.phase == "CANCELED"
    assert found.reason == "Stopped."
    before = {row["number"]: row for row in found.trials() if row["state"] == "SUCCEEDED"}
    with pytest.raises(Invalid):
        found.resume(trials=0)
    found.resume(trials=10).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    rows = {row["number"]: row for row in found.trials()}
    assert {number: rows[number] for number in before} == before
    assert len(rows) == found.resource.spec["maxTrialCount"]
    drawn = [row["parameters"]["x"] for row in rows.values()]
    assert len(set(drawn)) == len(drawn), "no point is tried twice"


def test_more_trials_after_the_last(tune):
    found = tune(bowl, {"x": double(0, 1)}, trials=3).wait(60)
    with pytest.raises(Conflict, match="all its 3 trials"):
        found.resume()
    found.resume(trials=2).wait(60)
    assert found.counts["succeeded"] == 5
    never = tune(bowl, {"x": double(0, 1)}, trials=2, resume="Never").wait(60)
    with pytest.raises(Conflict, match="resumePolicy is Never"):
        never.resume(trials=2)


def test_delete_takes_everything_along(tune, cluster):
    def chatty(x):
        from jupyter_ext.training import report

        print("hello")
        report(loss=x)

    found = tune(chatty, {"x": double(0, 1)}, trials=3).wait(60)
    uids = [found.trial(number).resource.uid for number in range(3)]
    assert all(cluster.metrics.last(uid) for uid in uids)
    found.delete()
    with pytest.raises(NotFound):
        tuning.get(found.name)
    assert not cluster.store.list("Trial").items
    assert not any(cluster.metrics.last(uid) for uid in uids)
    assert not any((cluster.home / "logs" / uid).exists() for uid in uids)


def test_a_function_that_cannot_travel_names_the_variable(tune):
    lock = threading.Lock()

    def locked(x):
        with lock:
            return x

    with pytest.raises(Invalid, match="`lock`"):
        tune(locked, {"x": double(0, 1)})


def test_what_the_function_does_not_take(tune):
    with pytest.raises(Invalid, match=r"bowl\(\) has no parameter 'y'"):
        tune(bowl, {"y": double(0, 1)})
    with pytest.raises(Invalid, match=r"bowl\(\) needs 'x'"):
        tune(bowl, {"n": int_(0, 1)})


def test_more_than_the_machine_has(tune):
    with pytest.raises(Unfit, match="cannot be had on this machine"):
        tune(bowl, {"x": double(0, 1)}, resources={"cpu": 4096})
    with pytest.raises(Unfit, match="GPU"):
        tune(bowl, {"x": double(0, 1)}, resources={"gpu": 99})


def test_each_trial_draws_its_own_random_numbers(tune):
    def draws(x):
        import random

        import numpy as np

        return {"loss": float(np.random.random()), "other": random.random()}  # noqa: NPY002

    found = tune(draws, {"x": double(0, 1)}, additional=["other"], trials=6, parallel=2).wait(60)
    rows = found.trials()
    assert len({row["value"] for row in rows}) == 6
    assert len({row["metrics"]["other"] for row in rows}) == 6


def test_a_trial_leaves_no_process_behind(tune):
    def leaves(x):
        import subprocess
        import sys

        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return {"loss": x, "pid": child.pid}

    found = tune(leaves, {"x": double(0, 1)}, additional=["pid"], trials=2).wait(60)
    for row in found.trials():
        until(lambda row=row: gone(int(row["metrics"]["pid"])))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_where_a_fork_is_unsafe_each_trial_gets_an_interpreter(tune, tmp_path, monkeypatch):
    (tmp_path / "threaded_module.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\nVALUE = 2\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import threaded_module

    def use(x):
        return x * threaded_module.VALUE

    found = tune(use, {"x": double(1, 2)}, trials=3).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    assert all(row["value"] == 2 * row["parameters"]["x"] for row in found.trials())


def test_source_of_a_cell_and_a_file(tune, tmp_path):
    cell = "import math\nloss = math.fabs(x - shift)\n{'loss': loss}"
    found = tune(cell, {"x": double(0, 1)}, trials=3, namespace={"shift": 0.5}).wait(60)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.trials()[0]["value"] == abs(found.trials()[0]["parameters"]["x"] - 0.5)

    file = tmp_path / "fit_module.py"
    file.write_text(
        "def fit(x: float):\n    return x * 2\n\nif __name__ == '__main__':\n    raise SystemExit(3)\n"
    )
    named = tune(file, {"x": double(0, 1)}, function="fit", trials=2).wait(60)
    assert named.phase == "SUCCEEDED", named.reason

    script = tmp_path / "script.py"
    script.write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x', type=float)\n"
        "print(f'loss={p.parse_args().x}')\n"
    )
    ran = tune(script, {"x": double(0, 1)}, trials=2).wait(60)
    assert ran.phase == "SUCCEEDED", ran.reason
    assert ran.trials()[0]["value"] == pytest.approx(ran.trials()[0]["parameters"]["x"])


def test_the_environment_is_the_submitters(tune, monkeypatch):
    monkeypatch.setenv("MY_SETTING", "7")
    found = tune(lambda x: float(os.environ["MY_SETTING"]), {"x": double(0, 1)}, trials=1).wait(60)
    assert found.best.value == 7.0


def test_early_stopping_by_the_median(tune):
    def steps(x):
        import time

        from jupyter_ext.training import report

        for step in range(40):
            report(loss=x, step=step)
            time.sleep(0.05)

    found = tune(
        steps, {"x": double(0, 1)}, trials=12, parallel=2, settings={"random_state": 2},
        early_stopping={"min_trials_required": 2, "start_step": 3},
    ).wait(120)  # fmt: skip
    assert found.phase == "SUCCEEDED", found.reason
    pruned = found.trials(states=["PRUNED"])
    assert pruned
    assert found.counts["pruned"] == len(pruned) == found.resource.status["trialsEarlyStopped"]
    assert all(row["state"] == "PRUNED" and "worse than the median" in row["reason"] for row in pruned)
    kept = found.trials(states=["SUCCEEDED"])
    reports = {
        row["number"]: found.trial(row["number"]).resource.status["reports"] for row in (*pruned, *kept)
    }
    assert all(reports[row["number"]] == 40 for row in kept)
    assert any(reports[row["number"]] < 40 for row in pruned), "stopped before its end"


def test_the_same_seed_tries_the_same_points(tune):
    runs = [
        tune(bowl, {"x": double(0, 1), "n": int_(0, 9)}, trials=6, parallel=1, algorithm=name,
             settings={"random_state": 11}).wait(60)
        for name in ("random", "random", "tpe", "tpe")
    ]  # fmt: skip
    points = [[row["parameters"] for row in run.trials()] for run in runs]
    assert points[0] == points[1]
    assert points[2] == points[3]


def test_in_a_step_of_ours_the_lease_is_shared(tune, cluster, monkeypatch):
    from jupyter_ext.cluster.local.devices import Request
    from jupyter_ext.cluster.resource import Resource

    step = cluster.store.create(Resource.new("Run", "outer"))
    whole = Request(cluster.leases.machine().cpu_milli)
    lease = cluster.leases.acquire(step.uid, "run outer", "train", whole)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_WORKLOAD", step.uid)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_UNIT", "train")
    found = tune(bowl, {"x": double(0, 1)}, trials=3).wait(60)
    cluster.leases.release(lease)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.resource.owner == step.uid


def test_a_population_goes_on_from_checkpoints(tune):
    """Each trial adds to the number that it finds: the best are those that come from the best."""

    def train(rate):
        from jupyter_ext.training import checkpoint_dir

        file = checkpoint_dir() / "number"
        before = float(file.read_text()) if file.exists() else 0.0
        file.write_text(str(before + rate))
        return {"score": before + rate, "before": before}

    settings = {"n_population": 5, "truncation_threshold": 0.2, "seed": 2}
    found = tune(
        train, {"rate": double(0.1, 1)}, "score:max", algorithm="pbt", settings=settings,
        additional=["before"], trials=20, parallel=2,
    ).wait(120)  # fmt: skip
    assert found.phase == "SUCCEEDED", found.reason
    rows = found.trials()
    generation = "pbt.suggestion.katib.kubeflow.org/generation"
    labels = [found.trial(row["number"]).resource.labels[generation] for row in rows]
    assert labels == [str(number // 5) for number in range(20)]
    for row in rows:
        parent = found.trial(row["number"]).resource.status.get("parent")
        assert row["metrics"]["before"] == (0.0 if parent is None else rows[parent]["value"])
    assert found.best.number >= 15
    assert float((found.best.checkpoint / "number").read_text()) == found.best.value
    kept = [row["number"] for row in rows if found.trial(row["number"]).checkpoint]
    assert min(kept) >= 5, "what nobody goes on from is gone"


@pytest.mark.parametrize("algorithm", ["cmaes", "sobol", "multivariate-tpe"])
def test_other_algorithms_end_to_end(tune, algorithm):
    found = tune(bowl, {"x": double(0, 1), "n": int_(0, 3)}, algorithm=algorithm, trials=6, parallel=2).wait(
        120
    )
    assert found.phase == "SUCCEEDED", found.reason
    assert found.counts["succeeded"] == 6


def test_hyperband_and_grid_end_by_themselves(tune):
    settings = {"resource_name": "epochs", "r_l": 4, "eta": 2}
    space = {"x": double(0, 1), "epochs": int_(1, 4)}
    found = tune(
        lambda x, epochs: x / epochs, space, algorithm="hyperband", settings=settings, trials=None, parallel=2
    ).wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    assert {row["parameters"]["epochs"] for row in found.trials()} == {1, 2, 4}
    conditions = found.resource.status["conditions"]
    assert conditions[-1]["reason"] == "ExperimentSuggestionEndReached"
    grid = tune(bowl, {"x": double(0, 1, step=0.5), "n": int_(0, 1)}, algorithm="grid", trials=100).wait(60)
    assert grid.counts["total"] == 6
    assert grid.phase == "SUCCEEDED"


@pytest.mark.slow
def test_a_fork_that_hangs_is_replaced(tune, tmp_path, monkeypatch):
    (tmp_path / "hanging_module.py").write_text(
        "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(1000))\nVALUE = 2\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    file = tmp_path / "uses.py"
    file.write_text("import hanging_module\n\ndef use(x):\n    return x * hanging_module.VALUE\n")
    found = tune(file, {"x": double(1, 2)}, function="use", trials=3, parallel=1).wait(90)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.trials()[0]["attempt"] >= 2
    assert [row["attempt"] for row in found.trials()[1:]] == [1, 1]
