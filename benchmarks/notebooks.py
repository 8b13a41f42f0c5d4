"""Notebooks of any size, and our own runs of them in a store of their own."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]


def notebook(cells: Iterable[tuple[str, str]], kernel: str = "python3") -> Notebook:
    """A notebook of (heading, code): each heading begins a step; without one the code goes on."""
    made: list[dict[str, Any]] = []
    for number, (heading, code) in enumerate(cells):
        if heading:
            made.append(
                {"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": f"## {heading}"}
            )
        made.append(
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {},
                "source": code,
                "outputs": [],
                "execution_count": None,
            }
        )
    spec = {"name": kernel, "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def chain(steps: int) -> Notebook:
    """A chain of trivial steps, each taking a number from the one before."""
    first = [("Step 0", "x0 = 0")]
    return notebook(first + [(f"Step {n}", f"x{n} = x{n - 1} + 1") for n in range(1, steps)])


def written(content: Notebook, folder: Path, name: str = "notebook.ipynb") -> Path:
    """The notebook as a file."""
    path = folder / name
    path.write_text(json.dumps(content), "utf-8")
    return path


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder with a store of its own, away from the user's; gone afterwards."""
    # As pip leaves an installed package: else every process of a run compiles what it imports.
    compileall.compile_dir(Path(__file__).parent.parent / "jupyter_ext", quiet=2)
    folder = Path(tempfile.mkdtemp(prefix="kubeflow-bench-"))
    before = os.environ.get("JUPYTER_KUBEFLOW_HOME")
    os.environ["JUPYTER_KUBEFLOW_HOME"] = str(folder / "home")
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["JUPYTER_KUBEFLOW_HOME"]
        else:
            os.environ["JUPYTER_KUBEFLOW_HOME"] = before
        shutil.rmtree(folder, ignore_errors=True)


def run(path: Path, *, cache: bool = False, **parameters: Any) -> float:
    """Seconds from the call until the run is done; raises RuntimeError if it failed."""
    from jupyter_ext import pipelines

    start = time.perf_counter()
    handle = pipelines.run(path, cache=cache, parameters=parameters or None)
    handle.wait(timeout=600)
    seconds = time.perf_counter() - start
    if handle.state != "SUCCEEDED":
        raise RuntimeError(f"{path.name}: {handle.state}: {handle.reason}")
    return seconds
