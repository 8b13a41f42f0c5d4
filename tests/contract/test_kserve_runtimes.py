"""KServe's own servers behind our controller and gateway: its sklearnserver by name, and a program with its Model."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import environments
from tests.contract import crds

pytestmark = [pytest.mark.contract, pytest.mark.slow]
REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_model_is_served_by_kserves_own_server(tmp_path):
    runtimes = crds.module("v0.20.0") / "python" / "sklearnserver"
    try:
        python = environments.python("kserve-sklearn")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    paths = os.pathsep.join([str(REPOSITORY), str(runtimes)])
    done = subprocess.run(
        [python, Path(__file__).with_name("serve_with_kserve.py"), tmp_path],
        capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["v1"] == [0, 1, 2]
    assert told["v2"] == [0, 1, 2]
    assert (told["variant"], told["replicas"]) == ("v1", 2)
    assert told["listens"] == [], "only our gateway may reach it"
    assert told["doubled"] == [2, 4, 6]
    assert told["left"] == []
