"""Trials that are resources of their own: training jobs and runs of a notebook."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
import yaml

from jupyter_ext import tuning
from jupyter_ext.cluster.local import locks
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, KubeflowError, Unfit
from jupyter_ext.tuning import double, int_
from tests.tuning.conftest import until


def test_a_trial_on_two_processes(tune, cluster):
    def fit(lr, layers, momentum):
        from jupyter_ext.training import report, world

        assert (type(lr), type(layers), momentum) == (float, int, 0.9)
        assert world().size == 2
        for step in range(3):
            report(loss=lr / (step + 1), step=step)
        return {"accuracy": 1 - lr}

    found = tune(
        fit, {"lr": double(0.01, 0.1, log=True), "layers": int_(1, 3)}, framework="plain", procs=2,
        args={"momentum": 0.9}, additional=["accuracy"], trials=3, resources={"cpu": "500m"},
    ).wait(120)  # fmt: skip
    assert found.phase == "SUCCEEDED", found.reason
    for row in found.trials():
        lr = row["parameters"]["lr"]
        assert row["value"] == pytest.approx(lr / 3)
        assert row["metrics"]["accuracy"] == pytest.approx(1 - lr)
        job = cluster.get("TrainJob", row["name"])
        link = found.trial(row["number"]).resource.status["job"]
        assert link == {"kind": "TrainJob", "name": job.name}
        assert job.owner == found.trial(row["number"]).resource.uid
        assert job.labels["katib.kubeflow.org/experiment"] == found.name
    (first, *_) = found.curves()["series"]
    assert [point[0] for point in first["points"]] == [0, 1, 2]
    found.delete()
    assert not cluster.store.list("TrainJob").items


def test_a_failed_job_is_a_failed_trial(tune):
    def fit(lr):
        raise ValueError("not with this")

    found = tune(fit, {"lr": double(0, 1)}, framework="plain", trials=1).wait(120)
    assert found.phase == "FAILED"
    assert "ValueError: not with this" in found.trials()[0]["reason"]


def test_a_job_goes_on_when_the_controller_is_killed(tune, cluster):
    def fit(lr):
        import time

        time.sleep(1)
        return lr

    found = tune(fit, {"lr": double(0, 1)}, framework="plain", trials=3, parallel=1)
    until(lambda: any(job.phase == "RUNNING" for job in cluster.store.list("TrainJob").items))
    uid = found.resource.uid
    jobs = {job.name: job.uid for job in cluster.store.list("TrainJob").items}
    os.kill(locks.holder(cluster.lock_path(uid)), signal.SIGKILL)
    found.wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    assert {job.name: job.uid for job in cluster.store.list("TrainJob").items}.items() >= jobs.items()
    assert [row["attempt"] for row in found.trials()] == [1, 1, 1]


def test_stopping_ends_the_jobs(tune, cluster):
    def fit(lr):
        import time

        time.sleep(600)

    found = tune(fit, {"lr": double(0, 1)}, framework="plain", trials=3, parallel=1)
    until(lambda: any(job.phase == "RUNNING" for job in cluster.store.list("TrainJob").items))
    found.stop()
    found.wait(60)
    assert found.phase == "CANCELED"
    until(lambda: all(job.phase == "CANCELED" for job in cluster.list("TrainJob").items))


def test_pruning_a_job(tune):
    def fit(lr):
        import time

        from jupyter_ext.training import report

        for step in range(100):
            report(loss=lr, step=step)
            time.sleep(0.01 if lr < 0.35 else 0.1)

    found = tune(
        fit, {"lr": double(0.1, 0.4, step=0.1)}, framework="plain", algorithm="grid", trials=4, parallel=1,
        early_stopping={"min_trials_required": 2, "start_step": 2},
    ).wait(120)  # fmt: skip
    assert found.phase == "SUCCEEDED", found.reason
    assert found.trial(3).state == "PRUNED"


JOB = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: torch-distributed-example}
spec:
  parallelTrialCount: 1
  maxTrialCount: 2
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "0.01", max: "0.05"}}
  trialTemplate:
    primaryContainerName: node
    trialParameters: [{name: learningRate, reference: lr}]
    trialSpec:
      apiVersion: trainer.kubeflow.org/v1alpha1
      kind: TrainJob
      spec:
        runtimeRef: {name: plain}
        trainer:
          numNodes: 2
          command: [PYTHON, "-c", "import sys; print('loss=' + sys.argv[1])", "${trialParameters.learningRate}"]
"""


def test_a_trainjob_as_written_for_a_cluster(cluster):
    manifest = yaml.safe_load(JOB.replace("PYTHON", sys.executable))
    found = tuning.submit(Resource.from_dict(manifest)).wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    for row in found.trials():
        assert row["value"] == pytest.approx(row["parameters"]["lr"])
    manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["runtimeRef"]["name"] = "mlx-distributed"
    manifest["metadata"]["name"] = "other"
    with pytest.raises(KubeflowError, match="mlx") as caught:
        tuning.submit(Resource.from_dict(manifest))
    assert caught.value.where.field.startswith("spec.trialTemplate.trialSpec.spec.runtimeRef")


def test_a_pytorchjob_as_written_for_a_cluster(cluster):
    manifest = yaml.safe_load(JOB.replace("PYTHON", sys.executable))
    command = manifest["spec"]["trialTemplate"]["trialSpec"]["spec"]["trainer"]["command"]
    container = {"name": "pytorch", "image": "x", "command": command}
    replica = {"replicas": 1, "restartPolicy": "Never", "template": {"spec": {"containers": [container]}}}
    manifest["spec"]["trialTemplate"]["trialSpec"] = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "spec": {"pytorchReplicaSpecs": {"Master": replica}},
    }
    found = tuning.submit(Resource.from_dict(manifest)).wait(120)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.trials()[0]["value"] == pytest.approx(found.trials()[0]["parameters"]["lr"])


def notebook(path, *cells):
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": tags}, "source": source, "outputs": [],
         "execution_count": None}
        for n, (tags, source) in enumerate(cells)
    ]  # fmt: skip
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": made, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_notebook_as_trials(tune, cluster, tmp_path):
    path = notebook(
        tmp_path / "train.ipynb",
        (["pipeline-parameters"], "lr = 0.1\nlayers = 2"),
        (["step:load"], "data = [1.0, 2.0]"),
        (["step:fit"], "loss = sum(data) * lr * layers"),
        (["pipeline-metrics"], "loss"),
    )
    found = tune(path, {"lr": double(0.1, 0.2), "layers": int_(1, 2)}, trials=3, parallel=1).wait(200)
    assert found.phase == "SUCCEEDED", found.reason
    for row in found.trials():
        assert row["value"] == pytest.approx(3 * row["parameters"]["lr"] * row["parameters"]["layers"])
        run = cluster.get("Run", row["name"])
        assert run.owner == found.trial(row["number"]).resource.uid
        assert run.spec["parameters"] == row["parameters"]
    steps = {step["name"]: step for step in cluster.get("Run", f"{found.name}-2").status["steps"]}
    assert steps["load"]["cached"], "what does not depend on the parameters is not run again"
    with pytest.raises(Invalid, match="lrr"):
        tune(path, {"lrr": double(0, 1)})
    with pytest.raises(Unfit, match="ask for resources themselves"):
        tune(path, {"lr": double(0, 1)}, resources={"cpu": 2})
