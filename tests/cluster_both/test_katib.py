"""Experiments for Katib: made by the same call, followed by the same handle. Katib itself is a double (fake_katib.py)."""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube.capabilities import OPTIMIZATION_JOBS, UNUSED
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unavailable, Unfit
from jupyter_ext.tuning.kube import CHOICE
from jupyter_ext.tuning.kube_experiment import INJECTION, KubeExperiment
from tests.cluster import contracts
from tests.cluster_both.fake_katib import FakeKatib, definitions
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

SPACE = {"lr": "double(0.01,0.1)", "layers": "int(1,3)", "big": "categorical(True,False)"}


@pytest.fixture(scope="module")
def katib_kinds(cluster):
    """Katib's definitions, where the cluster does not have them."""
    for manifest in definitions():
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{manifest['metadata']['name']}"
        if not cluster.exists(path):
            contracts.apply(cluster.call, manifest)
        until(lambda path=path: is_served(cluster.call("GET", path)))


def is_served(definition):
    rows = definition.get("status", {}).get("conditions", ())
    return any(row["type"] == "Established" and row["status"] == "True" for row in rows)


@pytest.fixture
def there(cluster, katib_kinds, kubeflow_home, monkeypatch, tmp_path):
    namespace = cluster.namespace(labels={INJECTION: "enabled"})
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(PROGRAM)
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


PROGRAM = """\
from jupyter_ext.training.reporting import report

def fit(lr: float, layers: int, big: bool):
    assert (type(lr), type(layers), type(big)) == (float, int, bool)
    print("layers", layers, flush=True)
    for step in range(3):
        report(loss=lr + 1 / (step + 1), step=step)
    return {"loss": lr, "layers": layers}
"""


def fit(lr, layers, big):
    return lr


@pytest.fixture
def katib(there, connected):
    with FakeKatib(connected(there.namespace), lambda values: float(values["lr"])) as made:
        yield made


def test_a_hundred_trials_in_two_requests(there, katib):
    found = kf.tuning.tune(fit, SPACE, "loss:min", algorithm="tpe", trials=100, parallel=50)
    assert isinstance(found, KubeExperiment)
    found.wait(600)
    before = there.transport.requests
    page = found.page()
    print(f"{there.transport.requests - before} requests for a page of {page['total']} trials")
    assert there.transport.requests - before == 2
    assert (page["total"], len(page["items"])) == (100, 100)
    assert {row["state"] for row in page["items"]} == {"SUCCEEDED"}
    values = page["items"][0]["parameters"]
    assert {name: type(value) for name, value in values.items()} == {"lr": float, "layers": int, "big": bool}
    (first, *_) = found.trials(sort="value", limit=3)
    assert first["name"] == found.best.name
    assert found.best.value == first["value"] == min(row["value"] for row in page["items"])
    assert found.best.parameters == found.resource.status["best"]["parameters"]
    assert found.trial(first["number"]).name == first["name"]
    assert found.counts["succeeded"] == 100
    assert next(iter(found.importance())) == "lr"
    assert kf.tuning.get(found.name).phase == "SUCCEEDED"
    assert found.name in {each.name for each in kf.tuning.experiments()}
    assert kf.tuning.trial(first["name"]).parameters == first["parameters"]
    with pytest.raises(NotFound):
        found.trial(100)
    assert katib.refused == []
    found.delete()
    until(lambda: not there.list("Trial").items)


def test_it_is_ended_early_and_goes_on(there, katib):
    found = kf.tuning.tune(fit, SPACE, "loss:min", trials=1000, parallel=4)
    until(lambda: found.counts["succeeded"] > 0)
    katib.hold.set()
    until(lambda: found.counts["running"] == 4)
    found.stop()
    done = found.counts["succeeded"]
    assert found.phase == "CANCELING"
    katib.hold.clear()
    found.wait(300)
    assert found.phase == "CANCELED"
    # At most the four that ran, where Katib was late to end those that are too many, and the one that it begins.
    assert found.counts["total"] <= done + 4 + 1
    total = found.counts["total"]
    found.resume(2).wait(300)
    assert (found.phase, found.counts["total"]) == ("SUCCEEDED", total + 2)
    assert found.resource.spec["parallelTrialCount"] == 4
    with pytest.raises(Invalid):
        found.resume(0)
    assert katib.refused == []
    goal = kf.tuning.tune(fit, SPACE, "loss:min:1", trials=4, parallel=1).wait(300)
    with pytest.raises(Conflict, match="ExperimentGoalReached"):
        goal.resume(2)


def test_what_katib_cannot_is_refused_by_name(there, cluster, monkeypatch, tmp_path):
    (tmp_path / "book.ipynb").write_text("{}")
    for options, field in (({"register": "m"}, "register"), ({"algorithm": "pbt"}, "algorithm")):
        with pytest.raises(Unfit) as error:
            kf.tuning.tune(fit, SPACE, "loss:min", **options)
        assert error.value.where.field == field
    with pytest.raises(Unfit, match="notebook"):
        kf.tuning.tune(tmp_path / "book.ipynb", SPACE, "loss:min")
    with pytest.raises(Invalid, match="no parameter 'nope'"):
        kf.tuning.tune(fit, {"nope": "double(0,1)"}, "loss:min")
    wrong = Resource.new("Experiment", "wrong", {"parameters": [{"name": 3}]})
    with pytest.raises(Invalid):
        kf.tuning.submit(wrong)
    kf.cluster.use("test", cluster.namespace())
    with pytest.raises(Unavailable, match="lacks the label") as missing:
        kf.tuning.tune(fit, SPACE, "loss:min")
    assert "kubectl label namespace" in missing.value.hint
    assert not there.list("Experiment").items


def test_a_kind_without_a_controller_is_told_and_not_used(there, cluster, monkeypatch):
    """OptimizationJob, as far as a name goes: upstream has released nothing that would run one."""
    monkeypatch.setenv(CHOICE, "optimizationjob")
    with pytest.raises(Unavailable, match="has no OptimizationJob"):
        kf.tuning.tune(fit, SPACE, "loss:min")
    path, name = (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "optimizationjobs.trainer.kubeflow.org",
    )
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    contracts.apply(cluster.call, {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
        "spec": {"group": "trainer.kubeflow.org", "scope": "Namespaced", "versions": [version],
                 "names": {"plural": "optimizationjobs", "singular": "optimizationjob", "kind": "OptimizationJob"}},
    })  # fmt: skip
    try:
        until(lambda: there.kinds.forget() or there.kinds.versions(*OPTIMIZATION_JOBS))
        there.surveyed = None
        tuning = there.capability("tuning")
        assert (tuning.available, tuning.reason.endswith(UNUSED)) == (True, True)
        with pytest.raises(Unavailable, match="no controller for it is released"):
            kf.tuning.tune(fit, SPACE, "loss:min")
        monkeypatch.delenv(CHOICE)
        assert isinstance(kf.tuning.tune(fit, SPACE, "loss:min", trials=1), KubeExperiment)
    finally:
        cluster.call("DELETE", f"{path}/{name}")


def test_trials_of_our_code_run_in_pods(there, connected, notebook_image, monkeypatch):
    monkeypatch.setenv(IMAGE, notebook_image)
    with FakeKatib(connected(there.namespace)) as katib:
        found = kf.tuning.tune(
            "fit.py", SPACE, "loss:min", function="fit", trials=2, parallel=2, additional=["layers"],
            resources={"cpu": "100m"},
        ).wait(600)  # fmt: skip
        assert found.phase == "SUCCEEDED", (found.reason, found.trials())
        rows = found.trials()
        assert [row["value"] for row in rows] == [row["parameters"]["lr"] for row in rows]
        assert [row["metrics"]["layers"] for row in rows] == [row["parameters"]["layers"] for row in rows]
        series = found.curves()["series"]
        assert [[point[0] for point in each["points"]][:3] for each in series] == [[0, 1, 2]] * 2
        assert "layers" in "".join(found.trial(0).logs())
        assert found.trial(0).curves(names=["loss"]).points[0].step == 0
        assert katib.refused == []
