"""The notebook as executed: the submitted one, with bound parameters and every cell's outputs in place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.blobs import Blobs
    from jupyter_ext.cluster.resource import Resource


def assemble(
    notebook: Mapping[str, Any],
    sources: Mapping[int, str],
    steps: Iterable[Mapping[str, Any]],
    blobs: Blobs,
    run: str,
) -> dict[str, Any]:
    """Put what the steps printed and displayed into a copy of the notebook.

    ``sources`` gives, per cell position from 1, a source that replaces the submitted one (bound parameters).
    Cells that did not run have no outputs and no execution count.
    """
    result = deepcopy(dict(notebook))
    cells = result.get("cells", [])
    for position, cell in enumerate(cells, 1):
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
            cell["execution_count"] = None
            if position in sources:
                cell["source"] = sources[position]
    for status in steps:
        digest = status.get("outputsDigest")
        if not digest or not blobs.has(digest):
            continue
        for record in json.loads(blobs.read(digest)):
            _put(cells, record, status)
    result.setdefault("metadata", {})["kubeflow_run"] = {
        "run": run,
        "steps": {status["name"]: status["state"] for status in steps},
    }
    return result


def _put(cells: list[dict[str, Any]], record: Mapping[str, Any], status: Mapping[str, Any]) -> None:
    position = int(record["index"])
    if not 1 <= position <= len(cells) or cells[position - 1].get("cell_type") != "code":
        return
    cell = cells[position - 1]
    # A loop's iterations each ran the cell: their outputs follow one another.
    cell["outputs"] = [*cell["outputs"], *record["outputs"]]
    cell["execution_count"] = record.get("execution_count")
    metadata = cell.setdefault("metadata", {})
    metadata["kubeflow_step"] = {
        "name": status["name"],
        "state": status["state"],
        "cached": status.get("cached", False),
    }


def executed_so_far(resource: Resource, notebook: Mapping[str, Any], blobs: Blobs) -> dict[str, Any]:
    """The executed notebook of a run: the finished one where there is one, else what there is by now."""
    digest = resource.status.get("outputsDigest")
    if resource.finished and digest and blobs.has(digest):
        return dict(json.loads(blobs.read(digest)))
    return assemble(notebook, {}, resource.status.get("steps", ()), blobs, resource.name)
