"""An exported pipeline, run by kfp.local, gives what the plain notebook gives, and what our own run gives.

kfp runs in an environment that has the standard library only, so nothing but what the YAML carries is at hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext import pipelines
from tests.contract.cases import PLAIN, SCIENCE, SHARED_CELLS
from tests.contract.conftest import notebook, with_kfp

pytestmark = pytest.mark.contract

PROGRAM = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    shell.run_cell(cell).raise_error()
"""


def results(text: str) -> list[str]:
    """What the log says after RESULT."""
    return [line.partition("RESULT ")[2].strip() for line in text.splitlines() if "RESULT " in line]


def plain(cells: list[Any], folder: Path) -> list[str]:
    """The notebook from top to bottom in one interpreter."""
    code = [cell[1] if isinstance(cell, tuple) else cell for cell in cells]
    code = [source for source in code if not (source.startswith("# ") and "\n" not in source)]
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=json.dumps(code), capture_output=True, text=True,
                          cwd=folder, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return results(done.stdout)


def exported(cases: dict[str, list[Any]], tmp_path: Path, environment: str) -> dict[str, list[str]]:
    """Every notebook compiled, and all run by kfp.local in one process."""
    jobs = []
    for number, cells in enumerate(cases.values()):
        folder = tmp_path / f"kfp-{number}"
        folder.mkdir()
        jobs.append({"yaml": pipelines.compile(notebook(cells)), "arguments": {}, "folder": str(folder)})
    answers = with_kfp(environment, jobs)
    for name, answer in zip(cases, answers, strict=True):
        assert not answer["error"], f"{name}:\n{answer['log']}\n{answer['error']}"
    return {name: results(answer["log"]) for name, answer in zip(cases, answers, strict=True)}


def compared(cases: dict[str, list[Any]], tmp_path: Path, environment: str) -> None:
    expected = {}
    for number, (name, cells) in enumerate(cases.items()):
        folder = tmp_path / f"plain-{number}"
        folder.mkdir()
        expected[name] = plain(cells, folder)
        assert expected[name], name
    assert exported(cases, tmp_path, environment) == expected


def test_plain_python_gives_what_the_notebook_gives(tmp_path):
    compared(PLAIN, tmp_path, "kfp")


@pytest.mark.slow
def test_libraries_of_science_give_what_the_notebook_gives(tmp_path):
    compared(SCIENCE, tmp_path, "kfp-data")


def test_functions_that_share_a_variable(tmp_path):
    compared(SHARED_CELLS, tmp_path, "kfp")
