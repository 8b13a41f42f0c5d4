"""The compiled pipelines that the tests run are what the KFP SDK makes of their sources."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks import environments

FOLDER = Path(__file__).parents[1] / "data" / "compiled"

pytestmark = pytest.mark.contract


def test_the_checked_in_pipelines_are_compiled_from_their_sources(tmp_path: Path) -> None:
    try:
        python = environments.python("kfp")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    subprocess.run([python, FOLDER / "sources.py", tmp_path], check=True, timeout=240)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FOLDER.glob("*.yaml")}
    for path in tmp_path.iterdir():
        checked_in = (FOLDER / path.name).read_text(encoding="utf-8")
        assert list(yaml.safe_load_all(path.read_text(encoding="utf-8"))) == list(
            yaml.safe_load_all(checked_in)
        )


OBJECTS = """
import json, sys
sys.path[:0] = sys.argv[1:3]
import sources
from jupyter_ext.pipelines.compiled.sdk import document_of, is_pipeline
assert is_pipeline(sources.linear) and is_pipeline(sources.add) and not is_pipeline("linear.yaml")
print(json.dumps(document_of(sources.linear).to_dict()))
"""


def test_a_function_of_the_sdk_is_what_it_compiles_to() -> None:
    try:
        python = environments.python("kfp")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    command = [str(python), "-c", OBJECTS, str(FOLDER), str(Path(__file__).parents[2])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    compiled = yaml.safe_load((FOLDER / "linear.yaml").read_text(encoding="utf-8"))
    assert json.loads(done.stdout.splitlines()[-1]) == {"pipelineSpec": compiled, "platforms": {}}
