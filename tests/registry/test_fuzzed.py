"""A schema-driven fuzzer against the server: no answer is a fault of the server, none is off the schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import environments
from tests.registry.openapi import document
from tests.registry.test_server import serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
OPENAPI = "MODEL_REGISTRY_OPENAPI"
"""A folder with upstream's ``v1.yaml`` and ``v1alpha3.yaml``, to hold the server against those instead."""


@pytest.mark.contract
@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1", "v1alpha3"])
def test_no_answer_is_off_the_schema(version, tmp_path):
    try:
        python = environments.python("schemathesis")
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(document(version)))
    if os.environ.get(OPENAPI):
        described = Path(os.environ[OPENAPI]) / f"{version}.yaml"
    with serving(tmp_path) as address:
        command = [
            str(python.parent / "schemathesis"),
            "run",
            str(described),
            "--url",
            address,
            "--checks",
            CHECKS,
        ]
        command += [
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "10",
            "--no-color",
            "--seed",
            "7",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\d+ generated, \d+ passed", done.stdout)
