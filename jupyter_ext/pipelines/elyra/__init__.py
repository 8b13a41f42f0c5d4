"""Elyra's ``.pipeline`` files: notebooks and scripts as nodes, drawn with Elyra's editor, run and converted here.

``reading`` reads a file of any version that Elyra itself still migrates, ``places`` says where its files are,
``translate`` makes a pipeline specification of it, which runs like one that was compiled (``pipelines.compiled``), and
``runtime`` is what is in a node's process. ``converting`` writes the notebook that does the same.

The functions here are what runs of compiled pipelines ask where a step may be such a node.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.blobs import Blobs
    from jupyter_ext.pipelines.compiled.reading import Document
    from jupyter_ext.pipelines.compiled.results import Results
    from jupyter_ext.pipelines.compiled.spec import Container


def document(path: str | Path) -> Document:
    """The file as a pipeline that runs here. Raises NotFound and Invalid."""
    from jupyter_ext.pipelines.compiled.reading import Document
    from jupyter_ext.pipelines.elyra.translate import translate

    found = translate(path)
    return Document(found.pipeline, found.platforms, tuple(found.problems))


def file_of(container: Container) -> str:
    """The code of a node's file as it lies, empty for a step that is no such node."""
    from jupyter_ext.pipelines.elyra.translate import of_step

    node = of_step(container.args, container.command)
    if node is None:
        return ""
    path = Path(node["file"])
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        if node["kind"] != "notebook":
            return text
        cells = json.loads(text)["cells"]
    except (OSError, ValueError, LookupError, TypeError):
        return f"{path} is not there any more"
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code")


def outputs(results: Results | None, error: Mapping[str, Any] | None, blobs: Blobs) -> dict[str, Any]:
    """What the cells of a node's notebook printed and displayed, as a step of a notebook keeps it; also if one failed."""
    path = str((error or {}).get("executed") or "")
    if results is not None and "notebook" in results.artifacts:
        one = results.artifacts["notebook"][0]
        path = one["uri"] if one.get("type", {}).get("schemaTitle") == "elyra.ExecutedNotebook" else ""
    if not path or not Path(path).is_file():
        return {}
    import nbformat

    cells = nbformat.read(path, as_version=4).cells
    found = [
        {
            "index": index,
            "id": cell.get("id"),
            "execution_count": cell.get("execution_count"),
            "outputs": cell.get("outputs", []),
        }
        for index, cell in enumerate(cells, 1)
        if cell.get("cell_type") == "code"
    ]
    return {"outputsDigest": blobs.put_bytes(json.dumps(found).encode())} if found else {}
