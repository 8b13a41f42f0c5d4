"""Upstream's own clients against our server, each in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import environments
from tests.registry.test_server import serving

pytestmark = [pytest.mark.contract, pytest.mark.slow]


def ask(environment: str, what: str, address: str, *token: str) -> dict:
    try:
        python = environments.python(environment)
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    script = Path(__file__).with_name("with_client.py")
    done = subprocess.run(
        [python, script, what, address, *token], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("environment", ["model-registry", "model-registry-v1alpha3"])
def test_the_client_of_the_model_registry(environment, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret-of-the-team")
    with serving(tmp_path, "--token-file", str(token)) as address:
        seen = ask(environment, "client", address, "secret-of-the-team")
    names = ["iris", *(f"m{number}" for number in range(25))]
    assert seen == {
        "model": ["iris", "Ada", "LIVE"],
        "version": ["2", "Ada", {"accuracy": 0.97, "epochs": 3, "good": True, "note": "täglich"}],
        "artifact": ["s3://bucket/iris/2", "onnx", "run-7"],
        "models": names,
        "versions": ["3", "2", "1"],
        "updated": ["new", {"only": "this"}],
        "nothing": None,
        "again": seen["again"],
    }
    assert "already exists" in seen["again"]


def test_the_sdks_client(tmp_path):
    with serving(tmp_path) as address:
        seen = ask("kubeflow-sdk", "sdk", address)
    assert seen == {"model": "d", "artifact": "s3://b/k", "versions": ["1"], "models": ["sdk"]}
