"""Upstream's own reporters, unchanged, in a job of ours: Kubeflow's SDK and the Trainer of Hugging Face."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from benchmarks import environments
from jupyter_ext import training

pytestmark = [pytest.mark.contract, pytest.mark.slow, pytest.mark.timeout(600)]


def packages(environment):
    """The packages of an environment of its own, for our interpreter, which has torch."""
    try:
        python = environments.python(environment)
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return {"PYTHONPATH": str(python.parent.parent / "lib" / version / "site-packages")}


def test_the_sdk_reports_progress_time_and_metrics():
    def report():
        from kubeflow.trainer import update_trainjob_status

        sent = update_trainjob_status(
            progress_percent=40,
            estimated_remaining_seconds=60,
            metrics={"loss": 0.25, "step": 7, "note": "fine"},
        )
        # The SDK sends at most one report in five seconds, and none is lost without a word.
        return sent, update_trainjob_status(progress_percent=41)

    job = training.train(report, framework="plain", env=packages("kubeflow-sdk"), wait=True)
    assert job.result() == (True, False), "".join(job.logs())
    assert job.metrics["loss"] == 0.25
    status = job.resource.status["trainerStatus"]
    assert {"name": "loss", "value": "0.25"} in status["metrics"]


def test_a_job_that_still_runs_shows_what_the_sdk_reported():
    def report():
        import pathlib
        import time

        from kubeflow.trainer import update_trainjob_status

        update_trainjob_status(progress_percent=40, estimated_remaining_seconds=60, metrics={"loss": 0.25})
        while not pathlib.Path("go").exists():
            time.sleep(0.05)

    job = training.train(report, framework="plain", env=packages("kubeflow-sdk"))
    try:
        deadline = time.monotonic() + 60
        status = {}
        while "progressPercentage" not in status and time.monotonic() < deadline:
            time.sleep(0.1)
            status = job.resource.status.get("trainerStatus", {})
        assert status["progressPercentage"] == 40
        assert 0 < status["estimatedRemainingSeconds"] <= 60
        assert job.resource.status["progress"] == 0.4
    finally:
        Path("go").touch()
        job.wait(60)


def test_the_trainer_of_hugging_face_reports_by_itself():
    def fine_tune():
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        from jupyter_ext.training import checkpoint_dir

        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1))
        rows = [{"input_ids": ids, "labels": ids} for ids in torch.randint(0, 4, (64, 8))]
        settings = TrainingArguments(
            output_dir=str(checkpoint_dir()), max_steps=20, logging_steps=5, save_steps=10, use_cpu=True,
            learning_rate=0.05, per_device_train_batch_size=4,
        )  # fmt: skip
        trainer = Trainer(model=model, args=settings, train_dataset=rows)
        trainer.train()
        return [row["loss"] for row in trainer.state.log_history if "loss" in row]

    job = training.train(fine_tune, framework="torch", procs=2, env=packages("huggingface"), wait=True)
    losses = job.result()
    assert losses[-1] < losses[0]
    status = job.resource.status
    assert status["trainerStatus"]["progressPercentage"] == 100
    assert {"loss", "learning_rate", "epoch", "train_loss"} <= job.metrics.keys()
    assert status["progress"] == 1
    checkpoints = sorted(path.name for path in (job_folder(job) / "checkpoint").iterdir())
    assert {"checkpoint-10", "checkpoint-20"} <= set(checkpoints)


def job_folder(job):
    from jupyter_ext.cluster.local import LocalCluster

    return LocalCluster().work_folder(job.resource.uid)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
