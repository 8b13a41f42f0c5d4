"""Notebooks made of a few cells, run for real in detached processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_ext.pipelines.handle import Run, run

Write = Callable[..., Path]
SECONDS = 60


def cell(source: str, *tags: str) -> dict[str, Any]:
    """A code cell; one that starts with ``#`` and a blank is a markdown heading."""
    if source.startswith("# "):
        return {"cell_type": "markdown", "metadata": {}, "source": source}
    return {"cell_type": "code", "metadata": {"tags": list(tags)} if tags else {}, "source": source,
            "outputs": [], "execution_count": None}  # fmt: skip


def notebook(*cells: str | tuple[str, ...] | dict[str, Any]) -> dict[str, Any]:
    """A notebook of cells given as source, or as (source, tag, tag …)."""
    made = [c if isinstance(c, dict) else cell(c) if isinstance(c, str) else cell(*c) for c in cells]
    for number, item in enumerate(made, 1):
        item["id"] = f"cell-{number}"
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def finished(path: Path, **options: Any) -> Run:
    """Run and wait for the end."""
    return run(path, **options).wait(SECONDS)


def states(made: Run) -> dict[str, str]:
    """State of each step."""
    return {status["name"]: status["state"] for status in made.steps}


def printed(made: Run) -> str:
    """Everything the cells printed, in the order of the notebook."""
    texts = []
    for item in made.executed()["cells"]:
        for output in item.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            texts.append("".join(text))
    return "".join(texts)
