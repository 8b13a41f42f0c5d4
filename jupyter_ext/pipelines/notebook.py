"""Read a notebook: ``.ipynb`` of format 3 or 4, or a ``.py`` file with percent cells.

The JSON is read directly: nbformat takes longer to import than a whole analysis may take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2s
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.pipelines import percent
from jupyter_ext.pipelines.model import Cell

_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_KERNELS = ("python", "ipython", "conda-env", "venv", "pyspark", "xpython", "xeus-python")
_FOREIGN = {
    "ir": "R",
    "julia": "Julia",
    "bash": "Bash",
    "javascript": "JavaScript",
    "deno": "TypeScript",
    "scala": "Scala",
    "sos": "SoS",
    "sagemath": "Sage",
    "octave": "Octave",
    "matlab": "MATLAB",
    "rust": "Rust",
    "evcxr": "Rust",
    "xsqlite": "SQL",
}


@dataclass(frozen=True)
class Notebook:
    """A notebook as read. ``content`` is it in nbformat 4 form, whatever the file's own form was."""

    path: str
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    cell_metadata: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The file's name without its ending, or ``notebook`` where there is no file."""
        return Path(self.path).stem if self.path else "notebook"

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        """The code cells alone."""
        return tuple(cell for cell in self.cells if cell.cell_type == "code")


def read(source: str | Path | Mapping[str, Any], *, path: str = "") -> Notebook:
    """Read a notebook from a file or from its JSON content.

    ``path`` names the file that content given as a mapping belongs to.
    Raises NotFound for a missing file and Invalid for what is no Python notebook.
    """
    if isinstance(source, Mapping):
        return _from_content(source, path)
    place = Path(source)
    text = _text(place)
    content: Mapping[str, Any]
    if place.suffix == ".py":
        content = percent.parse(text)
    elif place.suffix in {".ipynb", ".json", ""}:
        content = _json(text, place)
    else:
        what = f"{place.name} is not a notebook"
        raise Invalid(what, hint="Give an .ipynb file, or a .py file with percent cells (# %%).")
    return _from_content(content, str(source))


def _text(place: Path) -> str:
    try:
        return place.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        siblings = _siblings(place)
        hint = f"Did you mean {siblings[0]}?" if siblings else "Check the path."
        raise NotFound(f"there is no file {str(place)!r}", hint=hint) from None
    except IsADirectoryError:
        raise Invalid(f"{str(place)!r} is a folder", hint="Name the notebook in it.") from None
    except PermissionError:
        raise Invalid(f"{str(place)!r} may not be read", hint="Check its permissions.") from None
    except UnicodeDecodeError as error:
        what = f"{place.name} is not text in UTF-8 (byte {error.start})"
        raise Invalid(what, hint="Save it again as UTF-8.") from None


def _siblings(place: Path) -> list[str]:
    from difflib import get_close_matches

    try:
        names = [item.name for item in place.parent.iterdir() if item.suffix in {".ipynb", ".py"}]
    except OSError:
        return []
    return get_close_matches(place.name, names, 1)


def _json(text: str, place: Path) -> Mapping[str, Any]:
    if not text.strip():
        raise Invalid(f"{place.name} is empty", hint="Save the notebook first.")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        hint = "Undo the last change outside Jupyter, for example an unfinished merge."
        if any(line.startswith(("<<<<<<<", ">>>>>>>")) for line in text.splitlines()):
            hint = "It holds merge conflict marks (<<<<<<<): resolve the merge first."
        what = f"{place.name} is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        raise Invalid(what, hint=hint) from None
    except RecursionError:
        raise Invalid(f"{place.name} is nested too deeply", hint="Is it a notebook?") from None
    if not isinstance(content, dict):
        raise Invalid(f"{place.name} is JSON but no notebook", hint="A notebook is an object with cells.")
    return content


def _from_content(content: Mapping[str, Any], path: str) -> Notebook:
    name = Path(path).name or "the notebook"
    content = _format_4(content, name)
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    _require_python(metadata, name)
    cells = content["cells"]
    found = tuple(_cell(index, cell, name) for index, cell in enumerate(cells, 1))
    found = _with_ids(found)
    extra = {
        cell.index: raw["metadata"]
        for cell, raw in zip(found, cells, strict=True)
        if isinstance(raw.get("metadata"), Mapping) and raw["metadata"]
    }
    return Notebook(path, found, metadata, extra, content)


def _format_4(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give the content in the form of nbformat 4; format 3 kept its cells in worksheets."""
    if "cells" in content:
        cells = content["cells"]
        major = content.get("nbformat", 4)
        if major not in {4, "4"}:
            what = f"{name} has notebook format {major}"
            raise Invalid(what, hint="Formats 3 and 4 are known: save it again with a current Jupyter.")
    elif isinstance(content.get("worksheets"), list):
        sheets = [sheet for sheet in content["worksheets"] if isinstance(sheet, Mapping)]
        cells = [_upgrade(cell) for sheet in sheets for cell in sheet.get("cells", ())]
        content = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {**content.get("metadata", {})},
            "cells": cells,
        }
    else:
        raise Invalid(f"{name} has no cells", hint="A notebook's JSON has a list named cells.")
    if not isinstance(cells, list) or not all(isinstance(cell, Mapping) for cell in cells):
        raise Invalid(f"the cells of {name} are not a list of objects", hint="Save it again with Jupyter.")
    return content


def _upgrade(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell
    kind = cell.get("cell_type", "code")
    metadata = cell.get("metadata", {})
    if kind == "code":
        source = cell.get("input", cell.get("source", ""))
        return {
            "cell_type": "code",
            "source": source,
            "metadata": metadata,
            "outputs": [],
            "execution_count": None,
        }
    text = _joined(cell.get("source", ""))
    if kind == "heading":
        level = cell.get("level", 1)
        text = f"{'#' * (level if isinstance(level, int) else 1)} {text}"
    return {"cell_type": "raw" if kind == "raw" else "markdown", "source": text, "metadata": metadata}


def _joined(source: Any) -> str:
    if isinstance(source, list):
        return "".join(str(line) for line in source)
    return source if isinstance(source, str) else ""


def _cell(index: int, raw: Mapping[str, Any], name: str) -> Cell:
    metadata = raw.get("metadata")
    tags = metadata.get("tags", ()) if isinstance(metadata, Mapping) else ()
    if isinstance(tags, str):
        tags = [tags]
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        where = Where(cell=index, cell_id=raw.get("id"))
        raise Invalid(f"the tags of a cell of {name} are not a list of texts", where=where)
    source = _joined(raw.get("source", "")).replace("\r\n", "\n").replace("\r", "\n")
    kind = raw.get("cell_type", "code")
    return Cell(index, str(raw.get("id") or ""), source, tuple(tags), str(kind))


def _with_ids(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Give every cell an id of its own; a missing one follows from the cell's text, so it is stable."""
    seen: set[str] = set()
    result = []
    for cell in cells:
        identity = cell.id
        if not _ID.match(identity) or identity in seen:
            base = blake2s(
                f"{cell.cell_type}\0{cell.source}".encode("utf-8", "surrogatepass"), digest_size=4
            ).hexdigest()
            identity, count = base, 1
            while identity in seen:
                count += 1
                identity = f"{base}-{count}"
        seen.add(identity)
        result.append(
            cell
            if identity == cell.id
            else Cell(cell.index, identity, cell.source, cell.tags, cell.cell_type),
        )
    return tuple(result)


def _require_python(metadata: Mapping[str, Any], name: str) -> None:
    """Refuse a notebook of another language, by its name."""
    kernel = metadata.get("kernelspec")
    info = metadata.get("language_info")
    kernel = kernel if isinstance(kernel, Mapping) else {}
    info = info if isinstance(info, Mapping) else {}
    language = info.get("name") or kernel.get("language") or ""
    label = kernel.get("name") or ""
    if isinstance(language, str) and language:
        if language.lower() in {"python", "ipython", "python3", "python2", "pyspark"}:
            return
        foreign = language
    else:
        stem = re.split(r"[-_.\d]", str(label).lower())[0]
        if stem not in _FOREIGN or str(label).lower().startswith(_KERNELS):
            return
        foreign = _FOREIGN[stem]
    hint = "Pipelines run Python notebooks: choose a Python kernel, or call the other language from Python."
    raise Invalid(f"{name} is written in {foreign}", hint=hint)
