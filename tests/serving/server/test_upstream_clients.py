"""Upstream's own clients against our server, each in an environment of its own."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from benchmarks import environments
from tests.serving.server.conftest import SIGNATURE, Linear, running

pytestmark = [pytest.mark.contract, pytest.mark.slow]
ANSWER = [[60.0, 70.0, 80.0], [60.0, 71.0, 82.0]]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(environment, what, address):
    try:
        python = environments.python(environment)
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    script = Path(__file__).with_name("with_clients.py")
    done = subprocess.run(
        [python, script, what, address], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def addresses():
    http, grpc = free_port(), free_port()
    places = {"http": {"host": "127.0.0.1", "port": http}, "grpc": {"host": "127.0.0.1", "port": grpc}}
    with running({"model": Linear(), "signature": SIGNATURE}, **places):
        yield f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}"


def test_the_inference_client_of_kserve(addresses):
    seen = ask("kserve", "kserve", addresses[0])
    assert seen == {
        "v1": {"predictions": ANSWER},
        "ready": [True, True],
        "server": [True, True],
        "v2": ["r1", "m", ANSWER],
        "binary": ["r1", "m", ANSWER],
    }


def test_the_grpc_client_of_kserve(addresses):
    seen = ask("kserve", "kserve-grpc", addresses[1])
    assert seen == {"infer": ["r1", ANSWER], "ready": [True, True], "model": True}


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_the_client_of_triton(addresses, kind):
    seen = ask("tritonclient", f"triton-{kind}", addresses[kind == "grpc"])
    assert seen["binary"] == seen["json"] == seen["without"] == ANSWER
    assert seen["ready"] == [True, True, True]
    assert (seen["unloaded"], seen["loaded"], seen["server"]) == (False, True, "jupyter-kubeflow")
    assert seen["inputs"][0]["datatype"] == "FP64"
    assert [each["name"] for each in seen["index"]] == ["m"]
    assert "none does not exist" in seen["error"]
