"""The program of a step's pod, as a real process with a real store: what it is told, what it leaves, how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext import store
from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.cluster.resource import is_name
from jupyter_ext.pipelines.exchange import CellSource, StepRequest, StepResult
from jupyter_ext.pipelines.kube import manifest
from jupyter_ext.pipelines.kube.place import STORE, _variables
from jupyter_ext.pipelines.kube.pod import LEFT, LOG, PROTOCOL, REQUEST, RESULT
from jupyter_ext.pipelines.model import Step
from tests.waiting import until

TOLD = "runs/uid/job"


class Pod:
    """A step's request in a store of its own, and the process that executes it."""

    def __init__(self, folder):
        (folder / "store").mkdir()
        self.folder = folder
        self.store = store.at(f"file://{folder / 'store'}")

    def ask(self, source: str, **more):
        """Put a request of one cell there."""
        request = StepRequest("run", "step", cells=(CellSource(1, "one", source),), wanted=("x",))
        told = {
            "request": request.to_dict(),
            "cells": [request.cells[0].to_dict()],
            "preload": [],
            "files": {},
        }
        document = {"protocol": PROTOCOL, "paths": [], "timeout": None, **told, **more}
        self.store.write(f"{TOLD}/{REQUEST}", json.dumps(document).encode())

    def start(self) -> subprocess.Popen:
        """The process."""
        command = [sys.executable, *manifest.COMMAND[1:], str(self.folder / "pod")]
        environment = {**os.environ, STORE: self.store.url, STEP: TOLD}
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self) -> tuple[int, str]:
        """Its exit status, and what it printed."""
        with self.start() as process:
            printed, _ = process.communicate(timeout=240)
        return process.returncode, printed

    def result(self) -> dict:
        """What it left."""
        return json.loads(self.store.get(f"{TOLD}/{RESULT}"))


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


def test_a_step_finds_its_files_and_leaves_values_files_and_its_log(pod):
    rows = pod.store.put_bytes(b"1\n2\n")
    source = "x = [int(row) for row in open('data/rows.csv')]\nprint('sum', sum(x))\nopen('out.txt', 'w').write('done')"
    pod.ask(source, files={"data/rows.csv": rows})
    code, printed = pod.run()
    assert (code, printed) == (0, f"sum 3\n{LEFT}\n")
    left = pod.result()
    result = StepResult.from_dict(left["result"])
    assert result.state == "SUCCEEDED"
    assert result.values[0].inline == {"x": [1, 2]}
    assert result.observed["given"] == {"data/rows.csv": rows}
    assert not result.observed["why"]
    assert pod.store.read(left["files"]["out.txt"]) == b"done"
    assert all(pod.store.has(digest) for digest in left["blobs"])
    assert pod.store.get(f"{TOLD}/{LOG}") == b"sum 3\n"
    pod.ask("raise SystemExit")
    assert pod.run() == (0, f"{LEFT}\n")
    assert pod.result() == left


def test_the_last_line_stands_alone(pod):
    pod.ask("print('half a line', end='')")
    assert pod.run() == (0, f"half a line\n{LEFT}\n")


def test_a_step_that_fails_or_takes_too_long_says_so(pod):
    pod.ask("x = 1\nx / 0")
    code, printed = pod.run()
    assert code == 1
    assert "ZeroDivisionError" in printed
    error = pod.result()["result"]["error"]
    assert (error["type"], error["line"]) == ("ZeroDivisionError", 2)
    pod.store.remove(f"{TOLD}/{RESULT}")
    pod.ask("import time\ntime.sleep(900)", timeout=0.5)
    assert pod.run()[0] == 1
    assert "timeout of 0.5 s" in pod.result()["result"]["error"]["message"]
    pod.store.remove(f"{TOLD}/{RESULT}")
    pod.ask("x = 1", protocol=PROTOCOL + 1)
    pod.run()
    assert "use the same version" in pod.result()["result"]["error"]["message"]


def test_a_pod_that_is_moved_leaves_no_result(pod):
    pod.ask("import time\nprint('here', flush=True)\ntime.sleep(900)")
    with pod.start() as process:
        until(lambda: process.stdout.readline() == "here\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 143
    assert not pod.store.exists(f"{TOLD}/{RESULT}")


def test_what_a_step_has_done_is_left_when_a_store_that_was_away_is_back(pod, tmp_path):
    mount, away = tmp_path / "mount", tmp_path / "away"
    (mount / "store").mkdir(parents=True)
    pod.store = store.at((mount / "store").as_uri())
    pod.ask(f"import os\nos.rename({str(mount)!r}, {str(away)!r})\nx = 7")
    with pod.start() as process:
        waits = process.stdout.readline()
        assert waits.startswith("The step has ended, and waits: The folder of the store is not there")
        away.rename(mount)
        assert process.wait(240) == 0, process.stdout.read()
    assert pod.result()["result"]["state"] == "SUCCEEDED"


def test_a_store_that_is_not_there_is_said(pod):
    code, printed = pod.run()
    assert code == 1
    assert "The step could not be executed" in printed


@given(st.text(min_size=1, max_size=80), st.text(max_size=80), st.integers(1, 99))
def test_names_of_jobs_are_names_and_differ(run, unit, attempt):
    told = manifest.Told(run, "uid", unit, attempt, "digest")
    assert is_name(told.name)
    assert len(told.name) <= 63
    assert told.name == manifest.Told(run, "uid", unit, attempt, "digest").name
    assert told.name != told._replace(attempt=attempt + 1).name
    assert told.name != told._replace(identity="other").name


def test_a_job_carries_no_code_and_no_credentials():
    step = Step(
        "train", resources={"cpu": "2", "nvidia.com/gpu": "1"}, secrets={"TOKEN": "hub/token"}, env={"A": "b"}
    )
    reference = {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    place = {
        "store": "file:///mnt/a%20b",
        "claim": "data",
        "image": "image:1",
        "serviceAccount": "default-editor",
        "variables": {"JUPYTER_KUBEFLOW_TUNING": "trainjobs"},
    }
    told = manifest.Told("run", "uid", "train", 1, "digest")
    pod = manifest.job(place, step, told, {"env": [reference]})["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["command"] == [*manifest.COMMAND]
    assert container["resources"]["limits"] == {"cpu": "2", "nvidia.com/gpu": "1"}
    assert reference in container["env"]
    assert {"name": "store", "mountPath": "/mnt/a b"} in container["volumeMounts"]
    assert pod["serviceAccountName"] == "default-editor"
    named = {each["name"]: each for each in container["env"]}
    assert named["TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert "A" not in named
    # What the step starts is of the same image, and goes where the run's other work goes.
    assert named["JUPYTER_KUBEFLOW_JOB_IMAGE"]["value"] == container["image"] == "image:1"
    assert named["JUPYTER_KUBEFLOW_TUNING"]["value"] == "trainjobs"


def test_what_was_chosen_here_holds_in_pods_unless_it_is_of_this_machine(monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_TUNING", "trainjobs")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY_STORAGE", "s3://team/models")
    for own in ("local", "http://127.0.0.1:8080"):
        monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY", own)
        assert _variables() == {
            "JUPYTER_KUBEFLOW_TUNING": "trainjobs",
            "JUPYTER_KUBEFLOW_REGISTRY_STORAGE": "s3://team/models",
        }
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY", "https://registry.example.org")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY_STORAGE", "file:///home/me/models")
    monkeypatch.delenv("JUPYTER_KUBEFLOW_TUNING")
    assert _variables() == {"JUPYTER_KUBEFLOW_REGISTRY": "https://registry.example.org"}
