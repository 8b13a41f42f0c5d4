"""kfp in an environment of its own, and what it makes of pipelines that we exported."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import environments

Cells = list[Any]


def with_kfp(environment: str, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of ``run_with_kfp.py``; a missing environment fails the test with the reason."""
    try:
        python = environments.python(environment)
    except environments.NoEnvironment as error:
        pytest.fail(str(error), pytrace=False)
    script = Path(__file__).parent / "run_with_kfp.py"
    done = subprocess.run(
        [python, script], input=json.dumps(jobs), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def notebook(cells: Cells, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A notebook of cells, each ``code``, ``(tags, code)`` or ``"# heading"``."""
    made = []
    for number, cell in enumerate(cells):
        tags, source = cell if isinstance(cell, tuple) else ([], cell)
        if source.startswith("# ") and "\n" not in source:
            made.append({"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": source})
        else:
            made.append({"cell_type": "code", "id": f"c{number}", "metadata": {"tags": tags}, "source": source,
                         "outputs": [], "execution_count": None})  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, **(metadata or {})},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def parsed() -> Callable[[str], dict[str, Any]]:
    """kfp's opinion of a text: fails the test if it does not parse."""

    def parse(text: str) -> dict[str, Any]:
        (answer,) = with_kfp("kfp", [{"yaml": text}])
        assert not answer["error"], answer["error"]
        return answer

    return parse
