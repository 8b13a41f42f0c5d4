"""What ``@dsl.pipeline`` and ``@dsl.component`` make runs here as it is, where the KFP SDK is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import environments

FOLDER = Path(__file__).parents[1] / "data" / "compiled"

pytestmark = pytest.mark.contract


def test_objects_of_the_sdk_run_check_and_compile(kubeflow_home: Path, tmp_path: Path) -> None:
    try:
        python = environments.python("kfp")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    program = Path(__file__).with_name("objects_with_kfp.py")
    done = subprocess.run(
        [sys.executable, program, packages, FOLDER],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["pipeline"] == ["SUCCEEDED", {"Output": "15 0.5 x+y [('a', 1), ('b', 2)] None"}]
    assert told["component"] == ["SUCCEEDED", {"Output": "a-ba-b"}]
    assert "words must be a list" in told["refused"]
    assert told["checked"] == [4, 0]
    assert told["reproduced"] is True
    assert yaml.safe_load(told["compiled"]) == yaml.safe_load((FOLDER / "linear.yaml").read_text("utf-8"))
