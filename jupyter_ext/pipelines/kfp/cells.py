"""The notebook that a pipeline was exported from, as far as the pipeline has it: its code, in the commands of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.pipelines.compiled.spec import Container
from jupyter_ext.pipelines.container.runner import decoded

if TYPE_CHECKING:
    from jupyter_ext.pipelines.kfp.steps import Outline, Part


def cells(found: Outline, step: str) -> list[dict[str, Any]]:
    """The cells of a step: ``index``, ``id`` and ``source``; of a compiled component its command."""
    for part in found.parts:
        if part.step == step and part.told.get("cells"):
            return _of(part)
    for part in found.parts:
        if part.step == step and isinstance(part.leaf.executor, Container) and not part.told:
            executor = part.leaf.executor
            return [{"index": 1, "id": step, "source": "\n".join((*executor.command, *executor.args))}]
    return []


def _of(part: Part) -> list[dict[str, Any]]:
    assert isinstance(part.leaf.executor, Container)
    listed = part.told["cells"]
    sources = part.leaf.executor.command[-len(listed) :]
    return [
        {"index": cell["index"], "id": cell["id"], "source": decoded(source, cell)}
        for cell, source in zip(listed, sources, strict=True)
    ]


def notebook(found: Outline) -> dict[str, Any]:
    """A notebook of the code cells of all steps, in its order."""
    every = {cell["index"]: cell for step in found.steps for cell in cells(found, step)}
    listed = [
        {"cell_type": "code", "id": str(cell["id"]), "metadata": {}, "execution_count": None, "outputs": [],
         "source": cell["source"]}
        for _, cell in sorted(every.items())
    ]  # fmt: skip
    return {"cells": listed, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
