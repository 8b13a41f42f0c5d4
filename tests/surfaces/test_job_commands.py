"""Train, tune and everything about any kind on the command line: exit statuses, JSON, one sentence for an error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from jupyter_ext import kinds, training
from tests.surfaces.commands import caller

OBJECT = {
    "type": "object",
    "required": ["kind", "name", "state", "reason", "seconds", "progress", "metrics"],
    "properties": {
        "kind": {"enum": ["TrainJob", "Experiment"]},
        "name": {"type": ["string", "null"]},
        "state": {"enum": ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELING", "CANCELED", "PAUSED"]},
        "reason": {"type": "string"},
        "seconds": {"type": ["number", "null"]},
        "progress": {"type": ["number", "null"]},
        "metrics": {"type": "object", "additionalProperties": {"type": "number"}},
        "error": {"type": "object"},
    },
}
FIT = """
import sys
import jupyter_ext as kf

def fit(lr: float = 0.1, steps: int = 2):
    for step in range(steps):
        print("step", step, "lr", repr(lr))
        kf.report(loss=lr / (step + 1), step=step, progress=(step + 1) / steps)
    return lr

def bad():
    raise ValueError("not today")

if __name__ == "__main__":
    print("argv", sys.argv[1:])
"""
SLOW = """
import time
print("started", flush=True)
time.sleep(120)
"""
TUNED = """
def objective(lr: float, depth: int):
    assert isinstance(lr, float) and isinstance(depth, int)
    return {"loss": (lr - 0.01) ** 2 + depth}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text(FIT)
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "tuned.py").write_text(TUNED)
    return tmp_path


@pytest.fixture
def kf(folder, capfd):
    """Run one command in this process: what it prints and its exit status."""
    return caller(capfd)


def the_object(found: subprocess.CompletedProcess[str]) -> dict:
    parsed = json.loads(found.stdout)
    jsonschema.validate(parsed, OBJECT)
    return parsed


def test_a_function_is_trained_and_looked_at(kf):
    done = kf(
        "train", "fit.py", "--function", "fit", "--framework", "plain", "--procs", "2", "--arg", "lr=0.5"
    )
    assert done.returncode == 0, done.stderr
    assert "[rank 1] step 1 lr 0.5" in done.stdout, "the argument has the type of its annotation"
    assert "loss = 0.25" in done.stdout
    name = kf("get", "trainjobs", "-o", "name").stdout.strip()
    assert name.startswith("trainjob/fit-")
    assert "SUCCEEDED" in kf("get").stdout
    described = kf("describe", name).stdout
    assert "loss = 0.25" in described
    assert "numProcPerNode: 2" in described
    assert kf("logs", name, "--rank", "1").stdout == kf("logs", name, "rank-1").stdout
    assert kf("logs", name, "--rank", "1", "--tail", "1").stdout == "step 1 lr 0.5\n"
    assert kf("logs", name, "--rank", "7").returncode == 2
    assert kf("logs", "-f", name.partition("/")[2]).stdout.count("step 1") == 2
    assert kf("wait", name).returncode == 0
    assert json.loads(kf("get", name, "--json").stdout)["status"]["phase"] == "SUCCEEDED"
    assert yaml.safe_load(kf("get", name, "-o", "yaml").stdout)["kind"] == "TrainJob"
    assert kf("delete", name).returncode == 0
    assert kf("get", name).returncode == 2


def test_a_script_is_run_as_it_is_and_json_is_one_object(kf):
    done = kf("train", "fit.py", "--framework", "plain", "--arg", "lr=0.5", "--json")
    assert done.returncode == 0, done.stderr
    found = the_object(done)
    assert (found["state"], found["kind"]) == ("SUCCEEDED", "TrainJob")
    assert "argv ['--lr=0.5']" in "".join(training.get(found["name"]).logs())


def test_a_function_that_raises_is_1_with_rank_line_and_reason(kf):
    failed = kf("train", "fit.py", "--function", "bad", "--framework", "plain")
    assert failed.returncode == 1
    [last] = [line for line in failed.stderr.splitlines() if line.startswith("jupyter kf:")]
    assert "line 12" in last
    assert "ValueError: not today" in last
    found = the_object(kf("train", "fit.py", "--function", "bad", "--framework", "plain", "--json"))
    assert (found["state"], found["error"]["type"]) == ("FAILED", "ValueError")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "none.py"], "no file none.py"),
        (["train", "fit.ipynb"], "not a Python file"),
        (["train", "fit.py", "--function", "none"], "none"),
        (["train", "fit.py", "--arg", "lr"], "NAME=VALUE"),
        (["train", "fit.py", "--framework", "plain", "--gpu", "99"], "GPU"),
        (["train", "fit.py", "--framework", "plain", "--cpu", "100000"], "CPU"),
        (["train", "fit.py", "--name", "Not A Name"], "not a valid name"),
        (["tune", "tuned.py", "--param", "lr=double(1,0)"], "greater than max"),
        (["tune", "tuned.py", "--param", "lr"], "NAME=VALUE"),
        (["tune", "tuned.py"], "space"),
        (["tune", "tuned.py", "--param", "lr=double(0,1)", "--algorithm", "magic"], "magic"),
        (["tune", "tuned.py", "--param", "lr=double(0,1)", "--algorithm", "enas"], "enas"),
        (["tune", "tuned.py", "--param", "lr=double(0,1)", "--objective", "loss:up"], "not a direction"),
    ],
)
def test_what_is_wrong_is_2_and_one_sentence_before_anything_starts(kf, words, sentence):
    for more in ([], ["--json"]):
        found = kf(*words, *more)
        assert found.returncode == 2, found.stderr
        assert found.stderr.count("\n") == 1, found.stderr
        assert sentence in found.stderr
    assert the_object(found)["name"] is None
    assert the_object(found)["error"]["what"]
    assert json.loads(kf("get", "--json").stdout)["items"] == []


def test_wrong_usage_is_2(kf):
    for words in (
        ["train"],
        ["train", "a.py", "--nodes", "0"],
        ["train", "a.py", "--framework", "cobol"],
        ["tune"],
        ["apply"],
        ["describe"],
        ["wait"],
        ["get", "--limit", "0"],
        ["wait", "a", "--timeout", "soon"],
        ["logs", "a", "--rank", "-1"],
    ):
        found = kf(*words)
        assert found.returncode == 2, words
        assert "Traceback" not in found.stderr


def test_tuning_a_function_with_typed_values(kf):
    done = kf(
        "tune", "tuned.py", "-p", "lr=double(1e-4,1e-1,log)", "--param=depth=int(1,3)", "--objective", "loss:min",
        "--algorithm", "tpe", "--trials", "5", "--parallel", "2", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = the_object(done)
    assert found["trials"]["trialsSucceeded"] == 5
    best = found["best"]["parameters"]
    assert isinstance(best["lr"], float)
    assert isinstance(best["depth"], int)
    again = kf("tune", "tuned.py", "-p", "lr=double(0,1)", "-p", "depth=int(1,2)", "--trials", "2")
    assert again.returncode == 0
    assert again.stdout.count("trial ") >= 2
    assert "Best: trial" in again.stdout
    assert kf("get", "experiments").stdout.count("experiment/") == 2
    trial = f"trial/{found['best']['trial']}"
    assert "SUCCEEDED" in kf("describe", trial).stdout
    assert kf("logs", trial, "rank-0").returncode == 0
    assert kf("logs", trial, "rank-9").returncode == 2
    assert kf("logs", f"experiment/{found['name']}").returncode == 0


def test_tuning_a_script_that_prints(kf, folder):
    (folder / "script.py").write_text(
        "import sys\nx = float(sys.argv[1].removeprefix('--x='))\nprint(f'loss={x * x}')\n"
    )
    found = the_object(kf("tune", "script.py", "-p", "x=double(-1,1)", "--trials", "3", "--json"))
    assert found["state"] == "SUCCEEDED"
    assert found["best"]["value"] == pytest.approx(found["best"]["parameters"]["x"] ** 2)


JOB = """apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata:
  name: {name}
spec:
  runtimeRef:
    name: torch-distributed
  trainer:
    command: [{python}, -c, "print('from yaml')"]
"""


def test_yaml_is_applied_as_kubectl_does(kf, folder):
    text = (
        JOB.format(name="one", python=sys.executable)
        + "---\n"
        + JOB.format(name="two", python=sys.executable)
    )
    (folder / "jobs.yaml").write_text(text)
    done = kf("apply", "-f", "jobs.yaml", "--wait")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "trainjob/one created" in done.stdout
    assert "from yaml" in kf("logs", "trainjob/two").stdout
    again = kf("apply", "-f", "jobs.yaml", "--json")
    outcomes = [item["outcome"] for item in json.loads(again.stdout)["applied"]]
    assert outcomes == ["unchanged", "unchanged"]
    changed = text.replace("from yaml", "other")
    (folder / "jobs.yaml").write_text(changed)
    refused = kf("apply", "-f", "jobs.yaml")
    assert refused.returncode == 2
    assert "document 1" in refused.stderr
    assert "spec.trainer" in refused.stderr
    assert kf("delete", "-f", "jobs.yaml").stdout.count("Deleted") == 2
    assert json.loads(kf("get", "--json").stdout)["items"] == []


def test_nothing_starts_where_one_document_is_wrong(kf, folder):
    bad = JOB.format(name="two", python=sys.executable).replace("  trainer:", "  trainer:\n    numNode: 2")
    (folder / "jobs.yaml").write_text(JOB.format(name="one", python=sys.executable) + "---\n" + bad)
    refused = kf("apply", "-f", "jobs.yaml", "--json")
    assert refused.returncode == 2
    where = json.loads(refused.stdout)["error"]["where"]
    assert where["object"] == "jobs.yaml, document 2, TrainJob two"
    assert where["field"].endswith("numNode")
    assert where["line"] == 19
    assert json.loads(kf("get", "--json").stdout)["items"] == []
    (folder / "jobs.yaml").write_text("# nothing yet\n")
    assert "there is nothing in the YAML (jobs.yaml)" in kf("apply", "-f", "jobs.yaml").stderr
    (folder / "jobs.yaml").write_text("kind: [")
    assert "(jobs.yaml, document 1, line 2)" in kf("delete", "-f", "jobs.yaml").stderr


def test_kinds_are_named_as_one_likes(kf, put_run):
    put_run("flights")
    assert kinds.kind_of("tj") == kinds.kind_of("TrainJobs") == "TrainJob"
    assert kf("get", "runs", "-o", "name").stdout == "run/flights\n"
    assert kf("get", "flights", "--json").stdout == kf("get", "run", "flights", "--json").stdout
    assert kf("stop", "run/flights").returncode == 0
    assert kf("show", "run/flights").stdout.startswith("flights")
    found = kf("get", "cake/one")
    assert (found.returncode, "trainjobs" in found.stderr) == (2, True)
    assert kf("logs", "flights", "--rank", "0").returncode == 2
    assert kf("resume", "flights", "--trials", "3").returncode == 2


def test_a_wait_that_takes_too_long_is_1(kf):
    name = json.loads(kf("train", "slow.py", "--framework", "plain", "--no-wait", "--json").stdout)["name"]
    waited = kf("wait", name, "--timeout", "1s")
    assert waited.returncode == 1
    assert "still" in waited.stderr
    assert kf("stop", name).returncode == 0
    waited = kf("wait", name)
    assert waited.returncode == 1
    assert "CANCELED" in waited.stdout, waited
    assert kf("get", "jobs", "--state", "canceled", "-o", "name").stdout == f"trainjob/{name}\n"


def test_ctrl_c_stops_the_job(folder):
    command = [sys.executable, "-m", "jupyter_ext.cli", "train", "slow.py", "--framework", "plain"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if "started" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping" in errors
    assert "Traceback" not in errors
    deadline = time.monotonic() + 100
    while training.jobs()[0].phase != "CANCELED" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert training.jobs()[0].phase == "CANCELED"
