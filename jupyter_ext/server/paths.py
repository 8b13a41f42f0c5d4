"""Which notebook a request means: paths are relative to the server's root, as everywhere in Jupyter."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.utils import ApiPath, to_os_path
from tornado import web

from jupyter_ext.errors import Invalid, NotFound, Where

_DRIVE = re.compile(r"^([A-Za-z][\w.-]*):")
NOTEBOOKS = (".ipynb", ".py")
ELYRA = (".pipeline",)
COMPILED = (".yaml", ".yml", *ELYRA)
"""Endings of pipelines that were compiled for Kubeflow."""


@dataclass(frozen=True)
class Located:
    """A notebook under the server's root. ``notebook`` is its content where no file of this machine has it."""

    api_path: str
    path: str
    notebook: dict[str, Any] | None = None


def clean(path: str, *, program: bool = True, endings: tuple[str, ...] = NOTEBOOKS) -> str:
    """Give a server path without drive and slashes at the ends; raises Invalid if it leaves the root.

    ``program``: it must be a notebook or a Python file, or have another of these ``endings``.

    Real-time collaboration prefixes its paths with the drive ``RTC:``; other drives are other file systems.
    """
    where = Where(field="path")
    if drive := _DRIVE.match(path):
        if drive[1] != "RTC":
            hint = "Copy the notebook to the server's own files first."
            raise Invalid(f"notebooks on the drive {drive[1]!r} cannot be run", where=where, hint=hint)
        path = path[drive.end() :]
    path = path.strip("/")
    parts = path.split("/")
    if not path or "\0" in path or "\\" in path or any(part in {"", ".", ".."} for part in parts):
        hint = "Give it relative to the server's root folder, with forward slashes."
        raise Invalid(f"{path!r} is not a path of this server", where=where, hint=hint)
    if program and not path.endswith(endings):
        if endings in (COMPILED, ELYRA):
            hint = "Compiled pipelines are .yaml files, Elyra's are .pipeline files."
            raise Invalid(f"{path!r} is not a compiled pipeline", where=where, hint=hint)
        hint = "Pipelines are made from .ipynb notebooks and .py files with percent cells."
        raise Invalid(f"{path!r} is not a notebook", where=where, hint=hint)
    return path


async def locate(
    contents: Any, path: str, *, must_exist: bool = True, program: bool = True,
    endings: tuple[str, ...] = NOTEBOOKS,
) -> Located:  # fmt: skip
    """Find a notebook through the contents manager, so that its rules (hidden files, root) hold here too.

    ``must_exist`` is false where the request brings the content, possibly of a notebook never saved.
    Raises Invalid and NotFound.
    """
    path = clean(path, program=program, endings=endings)
    if must_exist:
        try:
            await ensure_async(contents.get(path, content=False))
        except web.HTTPError as error:
            if error.status_code >= 500:
                raise
            word = "notebook" if program and endings == NOTEBOOKS else "file or folder"
            raise NotFound(f"there is no {word} {path!r} on this server", where=Where(field="path")) from None
    elif not contents.allow_hidden and any(part.startswith(".") for part in path.split("/")):
        raise NotFound(f"{path!r} is in a hidden folder", where=Where(field="path"))
    root = getattr(contents, "root_dir", None)
    if root is not None:
        return Located(path, to_os_path(ApiPath(path), root))
    # A contents manager that keeps notebooks elsewhere than in files.
    content = None
    if must_exist and program and path.endswith(NOTEBOOKS):
        model = await ensure_async(contents.get(path, content=True, type="notebook"))
        content = model["content"]
    return Located(path, path, content)


def server_path(path: str | None, root: str | None) -> str | None:
    """Give the server's own path of a file, or None if it lies elsewhere."""
    if not path or not root:
        return None
    relative = os.path.relpath(path, root) if os.path.isabs(path) else path  # noqa: PTH117
    outside = relative == os.pardir or relative.startswith(os.pardir + os.sep)
    return None if outside else relative.replace(os.sep, "/")


async def save_beside(contents: Any, path: str, notebook: dict[str, Any]) -> str:
    """Write a notebook under the given file name, as near to its folder as the server reaches.

    A file that is there already is left alone unless it has the very same cells: it may have been worked on.
    Gives the server's path of the notebook.
    """
    root = getattr(contents, "root_dir", None)
    inside = server_path(path, root) or os.path.basename(path)  # noqa: PTH119
    folder, _, name = inside.rpartition("/")
    if await ensure_async(contents.file_exists(inside)):
        model = await ensure_async(contents.get(inside, content=True, type="notebook"))
        if _sources(model["content"]) == _sources(notebook):
            return inside
        name = await ensure_async(contents.increment_filename(name, folder, insert="-"))
        inside = f"{folder}/{name}" if folder else name
    model = {"type": "notebook", "format": "json", "content": notebook}
    saved = await ensure_async(contents.save(model, inside))
    return str(saved["path"])


def _sources(notebook: Any) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"]]
