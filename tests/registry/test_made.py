"""Runs, jobs and experiments that register the model they made, in real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_ext import pipelines, registry, training, tuning
from jupyter_ext.errors import Invalid
from jupyter_ext.registry import made

NOTEBOOK = """
# %% tags=["pipeline-parameters"]
depth = 2

# %% tags=["step:train"]
from shapes import Tree
model = Tree(depth)
score = 0.5 + depth / 10

# %% tags=["step:judge", "prev:train", "pipeline-metrics"]
accuracy = float(score)
"""
SHAPES = """
class Tree:
    def __init__(self, depth):
        self.depth = depth

    def predict(self, rows):
        return [self.depth for _ in rows]
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Two steps, a parameter, a class of a module that lies beside the notebook."""
    (tmp_path / "shapes.py").write_text(SHAPES)
    path = tmp_path / "trees.py"
    path.write_text(NOTEBOOK)
    return path


def test_a_run_registers_the_value_that_is_the_model(notebook, monkeypatch):
    run = pipelines.run(notebook, depth=3, register={"model": "tree", "alias": "candidate"}, wait=True)
    status = run.resource.status
    assert status["phase"] == "SUCCEEDED", status
    assert status["registered"] == {"model": "tree", "version": "1"}
    assert status["reason"].endswith("Registered as tree:1.")
    version = registry.get("tree@candidate")
    assert (version.lineage["run"], version.lineage["step"]) == (run.name, "train")
    assert version.lineage["notebook"] == "trees.py"
    assert version.parameters == {"depth": "3"}
    assert [found.name for found in registry.made_by(run.name)] == ["tree:1"]
    monkeypatch.syspath_prepend(str(notebook.parent))
    assert version.load().predict([0]) == [3], "it was this user who registered it"
    kinds = [node["kind"] for node in version.trace()["nodes"]]
    assert {"Notebook", "Cell", "Run", "Step", "Artifact", "Version"} <= set(kinds)
    again = run.rerun().wait()
    assert again.resource.status["registered"] == {"model": "tree", "version": "2"}


def test_a_value_that_nobody_makes_is_refused_before_the_run(notebook):
    with pytest.raises(Invalid, match="clf is not made by a step"):
        pipelines.run(notebook, register={"model": "tree", "value": "clf"})
    with pytest.raises(Invalid, match="register has no 'name'"):
        pipelines.run(notebook, register={"name": "tree"})
    assert pipelines.runs() == []


def test_what_cannot_be_registered_is_said_and_the_run_is_kept(notebook, monkeypatch):
    monkeypatch.syspath_prepend(str(notebook.parent))
    registry.register({}, "tree", "1", format="python")
    run = pipelines.run(notebook, register={"model": "tree", "version": "1"}, wait=True)
    status = run.resource.status
    assert status["phase"] == "SUCCEEDED"
    assert "tree has a version 1 already" in status["registered"]["error"]
    assert "It was not registered as tree" in status["reason"]
    assert run.value("model")


def fit(depth: int):
    """What rank 0 returns."""
    from sklearn.tree import DecisionTreeClassifier

    import jupyter_ext as kf

    model = DecisionTreeClassifier(max_depth=depth).fit([[0.0], [1.0]], [0, 1])
    kf.report(loss=0.25)
    return {"model": model, "accuracy": 0.75}


def test_a_job_registers_what_rank_0_returned():
    job = training.train(fit, framework="plain", args={"depth": 2}, register="forest@champion", wait=True)
    status = job.resource.status
    assert status["registered"] == {"model": "forest", "version": "1"}, status
    version = registry.get("forest@champion")
    assert version.format == "sklearn"
    assert version.metrics == {"loss": 0.25, "accuracy": 0.75}
    assert version.parameters == {"depth": "2"}
    assert (version.lineage["kind"], version.lineage["run"]) == ("TrainJob", job.name)
    assert version.load().predict([[1.0]]) == [1]
    assert made.at_end_of("TrainJob", job.name, {"model": "forest"}) == {"model": "forest", "version": "1"}, (
        "a controller that was killed and asks again gets the same version"
    )


def save():
    """Leaves a checkpoint, and returns nothing but a number."""
    import jupyter_ext as kf

    kf.training.save_checkpoint({"weights": [1.0, 2.0]}, 3)
    return 0.5


def test_a_job_that_returns_no_model_has_its_checkpoint_registered():
    job = training.train(
        save, framework="plain", checkpoint=True, register={"model": "net", "format": "python"}, wait=True
    )
    assert job.resource.status["registered"] == {"model": "net", "version": "1"}, job.resource.status
    assert registry.get("net:1").uri.endswith("step-3.ckpt")
    job = training.train(lambda: None, framework="plain", register="net", wait=True)
    assert "returned no model and left no checkpoint" in job.resource.status["registered"]["error"]
    assert job.phase == "SUCCEEDED"


def attempt(x: float):
    """A trial that returns its model beside its metrics."""
    return {"loss": (x - 1) ** 2, "model": {"x": x}}


def test_an_experiment_registers_the_best_trials_model():
    found = tuning.tune(
        attempt,
        {"x": "discrete(0,0.5,1,1.5,2)"},
        "loss:min",
        algorithm="grid",
        trials=5,
        register="parabola",
        wait=True,
    )
    status = found.resource.status
    assert status["phase"] == "SUCCEEDED", status
    assert status["registered"] == {"model": "parabola", "version": "1"}, status
    version = registry.get("parabola:1")
    assert version.metrics["loss"] == 0.0
    assert json.loads(version.parameters["x"]) == 1.0
    assert version.load() == {"x": 1.0}
    assert version.lineage["trial"] == found.best.name
    assert registry.made_by(found.name)[0].name == "parabola:1"
    trials = [found.trial(number) for number in range(5)]
    kept = [one.name for one in trials if one.checkpoint and list(one.checkpoint.glob("returned/*"))]
    assert kept == [found.best.name], "of the others' models nothing is kept"


@pytest.mark.parametrize(
    "given", [{}, {"model": ""}, 3, {"model": "x", "alias": "a b"}, {"model": "x", "format": {1}}]
)
def test_what_register_may_say(given):
    with pytest.raises((Invalid, TypeError)):
        made.wanted(given)
