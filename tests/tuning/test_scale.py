"""Ten thousand trials in one experiment: tables, curves and importance by bounded queries."""

# ruff: noqa: ARG005 - what is tried is given to every trial, whether it uses it or not
from __future__ import annotations

import time

import pytest

from jupyter_ext import tuning
from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.errors import Invalid
from jupyter_ext.tuning import categorical, double, int_, spec, submission
from jupyter_ext.tuning.ledger import Ended, Ledger
from jupyter_ext.tuning.sampling import Suggestion, draw


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An experiment with 2,000 trials, every tenth pruned, every hundredth failed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path_factory.mktemp("scale")))
        yield fill(2000)


def fill(count: int) -> tuning.Experiment:
    from jupyter_ext.cluster import discover

    cluster = discover.current()
    space = {"x": double(0, 1), "n": int_(1, 9), "o": categorical("a", "b")}
    resource = cluster.store.create(
        submission.build(
            cluster, lambda x, n, o: x, space, "loss:min", algorithm="random", settings=None, trials=count,
            parallel=2, early_stopping=None, max_failed=None, name="big", framework=None, resources=None,
            additional=(), resume="LongRunning", function=None, namespace=None, cell=None, labels=None, job={},
        )
    )  # fmt: skip
    plan = spec.read(resource)
    ledger = Ledger(cluster, resource, plan)
    with cluster.store.transaction():
        for number in range(count):
            entry = ledger.open(Suggestion(draw(plan.space, 1, number)), 1)
            ledger.write([entry], [])
            values = entry.suggestion.values
            entry.observed.result({"loss": values["x"] ** 2 + 0.1 * values["n"]})
            state = "FAILED" if number % 100 == 99 else "PRUNED" if number % 10 == 9 else "SUCCEEDED"
            end = Ended(number, state, "" if state == "SUCCEEDED" else "a reason")
            ledger.end(entry, end)
            ledger.write([], [(entry, end)])
            if number % 400 == 0:
                points = [Point("loss", float(step), step, 0, time.time()) for step in range(5)]
                cluster.metrics.append(entry.uid, points)
        ledger.save()
    return tuning.Experiment("big", cluster)


def test_pages_by_number(filled, monkeypatch):
    page = filled.page(limit=200)
    assert (page["total"], len(page["items"])) == (2000, 200)
    seen = []
    after = None
    while items := filled.page(limit=300, after=after)["items"]:
        seen += [row["number"] for row in items]
        after = items[-1]["number"]
    assert seen == list(range(2000))
    newest = filled.page(limit=5, sort="-number")["items"]
    assert [row["number"] for row in newest] == [1999, 1998, 1997, 1996, 1995]
    assert [row["number"] for row in filled.page(limit=2, sort="-number", after=1995)["items"]] == [
        1994,
        1993,
    ]


def test_pages_in_another_order(filled):
    values = [row["value"] for row in filled.trials(limit=2000, sort="value")]
    assert values == sorted(values)
    second = filled.trials(limit=10, sort="value", after=10)
    assert [row["value"] for row in second] == values[10:20]
    assert filled.trials(limit=1, sort="-value")[0]["value"] == values[-1]
    with pytest.raises(Invalid, match="cannot be sorted by 'colour'"):
        filled.trials(sort="colour")


def test_states(filled):
    assert {row["state"] for row in filled.trials(limit=2000, states=["PRUNED"])} == {"PRUNED"}
    assert len(filled.trials(limit=2000, states=["PRUNED"])) == 180
    assert len(filled.trials(limit=2000, states=["FAILED"])) == 20
    assert len(filled.trials(limit=2000, states=["FAILED", "PRUNED"])) == 200
    assert len(filled.trials(limit=2000, states=["SUCCEEDED"])) == 1800


def test_what_changed_since(filled):
    version = filled.page(limit=1)["resourceVersion"]
    assert not filled.page(since=version)["items"]
    cluster = filled._cluster
    cluster.store.update(
        "Trial", "big-7", lambda found: found.with_(status={**found.status, "reason": "noted"})
    )
    page = filled.page(since=version)
    assert [row["number"] for row in page["items"]] == [7]
    assert page["resourceVersion"] > version


def test_the_status_lists_no_thousands(filled):
    status = filled.resource.status
    assert status["trials"] == 2000
    assert status["trialsSucceeded"] == 1800
    assert "succeededTrialList" not in status
    assert len(status["failedTrialList"]) == 20
    assert len(str(status)) < 4000


def test_curves_and_importance(filled):
    series = filled.curves(trials=[0, "400", "big-800"])["series"]
    assert [one["number"] for one in series] == [0, 400, 800]
    assert [point[0] for point in series[0]["points"]] == [0, 1, 2, 3, 4]
    found = filled.importance()
    assert list(found) == ["x", "n", "o"]
    assert sum(found.values()) == pytest.approx(1)
    assert found["o"] < 0.05
    assert 0.2 < found["n"] < found["x"]


def test_importance_of_little(tune):
    one = tune(lambda x, y: x, {"x": double(0, 1), "y": double(0, 1)}, trials=2).wait(60)
    assert one.importance() == {}
    same = tune(lambda x, y: 1.0, {"x": double(0, 1), "y": double(0, 1)}, trials=4).wait(60)
    assert same.importance() == {"x": 0.5, "y": 0.5}
