"""`tune` on a cluster without Katib: our own controller, and trials that are TrainJobs of upstream's Trainer."""

from __future__ import annotations

import os
import random
import signal

import pytest

import jupyter_ext as kf
from jupyter_ext import store
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.cluster.local import locks, processes, workload
from jupyter_ext.errors import Unfit
from jupyter_ext.tuning.kube import CHOICE
from tests.cluster_both.object_store import BUCKET, KEYS, have_credentials, s3_server
from tests.cluster_both.own_thread import own_thread
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """\
import time
from jupyter_ext.training.reporting import report

def fit(lr: float, layers: int = 1, kind: str = "a", wait: float = 0.0):
    assert (type(lr), type(layers), type(kind)) == (float, int, str)
    print("layers", layers, "of kind", kind, flush=True)
    for step in range(3):
        report(loss=lr + 1 / (step + 1), step=step)
    time.sleep(wait)
    return {"loss": lr, "layers": layers}

def broken(lr):
    raise ValueError("not with this learning rate")
"""
CURVES = """\
import time
from jupyter_ext.training.reporting import report
from rows import DATA

def attempt(lr: float):
    is_worst = lr > 0.8
    for step in range(1, 2000 if is_worst else 5):  # until somebody ends it
        report(step=step, roc_auc=len(DATA) / (1 << 20) - lr)
        time.sleep(0.3 * is_worst)
"""
SPACE = {"lr": "double(0.01,0.1,log)", "layers": "int(1,3)", "kind": "categorical(a,b)"}


@pytest.fixture
def here(kubeflow_home, monkeypatch, tmp_path):
    """The embedded cluster; what it runs ends with the test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(PROGRAM)
    made = discover.current()
    yield made
    with made.store.reading() as connection:
        rows = connection.execute("SELECT uid, process FROM workloads").fetchall()
    for uid, _ in rows:
        workload.stop(made, uid, grace=0.5)
    assert not [one for uid, process in rows for one in processes.members(uid, process)]


@pytest.fixture
def there(cluster, trainer, notebook_image, here, monkeypatch):
    """The test's namespace is where trials go."""
    namespace = cluster.namespace()
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, notebook_image)
    monkeypatch.setenv(CHOICE, "trainjobs")
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


def test_an_experiment_of_training_jobs_from_call_to_best(there, here):
    found = kf.tuning.tune(
        "fit.py", SPACE, "loss:min", function="fit", algorithm="tpe", trials=4, parallel=2,
        additional=["layers"], resources={"cpu": "100m"},
    )  # fmt: skip
    found.wait(600)
    assert found.phase == "SUCCEEDED", (found.reason, list(found.logs()), found.trials())
    rows = found.trials()
    assert [row["state"] for row in rows] == ["SUCCEEDED"] * 4
    for row in rows:
        assert row["value"] == row["parameters"]["lr"]
        assert row["metrics"]["layers"] == row["parameters"]["layers"]
        assert there.get("TrainJob", row["name"]).phase == "SUCCEEDED"
    assert found.best.value == min(row["value"] for row in rows)
    assert [len(series["points"]) for series in found.curves()["series"]] == [4] * 4
    assert "of kind" in "".join(found.trial(0).logs())
    assert kf.tuning.get(found.name).best.name == found.best.name
    found.delete()
    until(lambda: not there.list("TrainJob").items)


def test_trials_with_large_code_share_it_and_are_stopped_early(there, here, cluster, monkeypatch, tmp_path):
    own_thread()
    for name in [*KEYS, "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "rows.py").write_text(f"DATA = {random.Random(7).randbytes(1 << 20)!r}\n")
    (tmp_path / "attempt.py").write_text(CURVES)
    space = {"lr": "categorical(0.1, 0.2, 0.3, 0.9)"}
    asked = {
        "function": "attempt", "algorithm": "grid", "trials": 4, "parallel": 2,
        "early_stopping": {"start_step": 2}, "resources": {"cpu": "100m"},
    }  # fmt: skip
    with pytest.raises(Unfit, match="JUPYTER_KUBEFLOW_STORE"):
        kf.tuning.tune("attempt.py", space, "roc_auc:max", **asked)
    with s3_server() as url:
        have_credentials(cluster, there.namespace, url)
        monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", f"s3://{BUCKET}/{there.namespace}")
        found = kf.tuning.tune("attempt.py", space, "roc_auc:max", **asked)
        found.wait(600)
        assert len(list(store.default().digests())) == 1, "twenty trials would share it, too"
    assert found.phase == "SUCCEEDED", (found.reason, list(found.logs()), found.trials())
    assert (found.counts["succeeded"], found.counts["pruned"]) == (3, 1), found.trials()
    assert (found.best.parameters, found.best.value) == ({"lr": 0.1}, 0.9)
    points = [len(series["points"]) for series in found.curves()["series"]]
    assert points[:3] == [4, 4, 4]
    assert 2 <= points[3] < 1999
    secret = KEYS["AWS_SECRET_ACCESS_KEY"]
    assert not [job.name for job in there.list("TrainJob") if secret in str(job.manifest())]
    assert secret not in str(found.resource.manifest())


def test_trials_outlive_their_controller_and_end_with_their_experiment(there, here, tmp_path):
    found = kf.tuning.tune(
        "fit.py", {"lr": "double(0,1)"}, "loss:min", function="fit", args={"wait": 3600}, trials=4, parallel=1
    )

    def points():
        return [len(series["points"]) for series in found.curves()["series"]]

    until(lambda: points() == [3])
    uid = found.resource.uid
    (job,) = there.list("TrainJob").items
    first = locks.holder(here.lock_path(uid))
    os.kill(first, signal.SIGKILL)
    # Who looks starts what was killed again.
    until(lambda: found.phase == "RUNNING" and locks.holder(here.lock_path(uid)) not in (None, first))
    until(lambda: points() == [3])
    assert [each.uid for each in there.list("TrainJob")] == [job.uid]
    assert [row["attempt"] for row in found.trials()] == [1]
    found.stop()
    found.wait(240)
    assert (found.phase, found.trial(0).state) == ("CANCELED", "CANCELED")
    until(lambda: there.get("TrainJob", job.name).phase == "CANCELED")  # when Trainer has ended its pods

    wrong = kf.tuning.tune("fit.py", {"lr": "double(0,1)"}, "loss:min", function="broken", trials=1).wait(600)
    assert wrong.phase == "FAILED"
    assert "ValueError: not with this learning rate" in wrong.trials()[0]["reason"]
    (tmp_path / "book.ipynb").write_text("{}")
    for what, options, said in (
        (tmp_path / "book.ipynb", {}, "notebook"),
        ("fit.py", {"function": "fit", "register": "m"}, "register"),
        ("fit.py", {"function": "fit", "algorithm": "pbt"}, "checkpoints"),
        ("fit.py", {"function": "fit", "nodes": "1:2"}, "nodes"),
    ):
        with pytest.raises(Unfit, match=said):
            kf.tuning.tune(what, {"lr": "double(0,1)"}, "loss:min", **options)
