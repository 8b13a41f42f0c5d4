"""What is exported runs elsewhere as it is: here, from the YAML alone, in a cluster of its own."""

from __future__ import annotations

import pytest
import yaml

from jupyter_ext import tuning
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict
from jupyter_ext.tuning import categorical, discrete, double, int_

SHIFT = 0.25
MODULE = """
SHIFT = 0.25

def shifted(lr, n, batch, opt):
    assert [type(value).__name__ for value in (lr, n, batch)] == ["float", "int", "int"]
    assert opt in ("a", True, None), opt
    return {"loss": (lr - SHIFT) ** 2 + n + batch * 0, "lr_seen": lr}
"""


@pytest.fixture
def shifted(tmp_path, monkeypatch):
    """A function of a module of the user's own."""
    import sys

    (tmp_path / "users_own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "users_own", raising=False)
    from users_own import shifted

    return shifted


SPACE = {"lr": double(0, 1), "n": int_(1, 3), "batch": discrete(16, 32), "opt": categorical("a", True, None)}


@pytest.mark.parametrize("how", ["function", "job"])
def test_it_runs_from_the_yaml_alone(tune, tmp_path, monkeypatch, shifted, how):
    more = {} if how == "function" else {"framework": "xgboost"}
    found = tune(
        shifted, SPACE, "loss:min", additional=["lr_seen"], trials=2, settings={"seed": 3}, **more
    ).wait(90)
    assert found.phase == "SUCCEEDED", found.reason
    path = tmp_path / "experiment.yaml"
    text = found.export(str(path))
    assert path.read_text() == text
    manifest = yaml.safe_load(text)
    from kubeflow_katib_api.models.v1beta1_experiment import V1beta1Experiment

    assert V1beta1Experiment.from_dict(manifest)
    assert set(manifest["metadata"]["annotations"]) == {"jupyter-kubeflow.org/choices"}

    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "elsewhere"))
    try:
        again = tuning.submit(Resource.from_dict(manifest)).wait(90)
        assert again.phase == "SUCCEEDED", again.reason
        assert [row["parameters"]["lr"] for row in again.trials()] == [
            row["parameters"]["lr"] for row in found.trials()
        ]
        for row in again.trials():
            values = row["parameters"]
            assert row["state"] == "SUCCEEDED", row["reason"]
            assert row["value"] == pytest.approx((values["lr"] - SHIFT) ** 2 + values["n"])
            assert row["metrics"]["lr_seen"] == pytest.approx(values["lr"])
    finally:
        cluster = discover.current()
        for one in tuning.experiments():
            one.delete()
        assert not cluster.store.list("Experiment").items


def test_the_same_experiment_as_code(tune, shifted):
    found = tune(
        shifted, SPACE, "loss:min:1e-9", additional=["lr_seen"], trials=1, algorithm="tpe",
        settings={"n_startup_trials": 2}, early_stopping="medianstop", name="mine", max_failed=1,
    ).wait(60)  # fmt: skip
    code = found.code()
    assert code.keys() == {"python", "magic", "cli", "yaml"}
    assert "kf.tuning.tune(shifted, " in code["python"]
    assert "'lr': 'double(0,1)'" in code["python"]
    assert "--algorithm=tpe" in code["cli"]
    compile(code["python"], "code", "exec")
    assert yaml.safe_load(code["yaml"])["spec"] == found.resource.spec


def test_a_notebook_stays_here(tune, tmp_path):
    from tests.tuning.test_children import notebook

    path = notebook(tmp_path / "a.ipynb", (["pipeline-parameters"], "lr = 0.1"), (["pipeline-metrics"], "lr"))
    found = tune(path, {"lr": double(0, 1)}, "lr:min", trials=1).wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    with pytest.raises(Conflict, match="stays on this machine"):
        found.export()
    assert str(path) in found.code()["python"]
