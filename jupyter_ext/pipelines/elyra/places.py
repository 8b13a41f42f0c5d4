"""Where the files of a pipeline are: below the workspace, beside the pipeline, and nowhere else."""

from __future__ import annotations

import glob
import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from jupyter_ext.errors import Invalid, Where

SERVER_ROOT: Final = "JUPYTER_SERVER_ROOT"
"""Set by Jupyter's server for its kernels: the folder that its paths begin at."""
_MARKS: Final = "*?["


class Places:
    """The files of one ``.pipeline`` file. Relative paths begin at its folder, in files before version 2 at the workspace."""

    def __init__(self, pipeline: Path, version: float = 8) -> None:
        self.pipeline = pipeline.expanduser().absolute()
        self.workspace = workspace(self.pipeline)
        self.base = self.workspace if version < 2 else self.pipeline.parent

    def within(self, text: str, what: str, step: str, base: Path | None = None) -> Path:
        """The place that a path names. Raises Invalid for one that is absolute, or leaves the workspace."""
        where = Where(object=f"step {step}")
        if "\0" in text or "\\" in text:
            raise Invalid(
                f"{what} {text!r} is not a path", where=where, hint="Write it with forward slashes."
            )
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("~"):
            raise Invalid(
                f"{what} {text} is an absolute path, which is only right on one machine",
                where=where,
                hint=f"Give it relative to {self.base.name or self.base}.",
            )
        path = Path(os.path.normpath((base or self.base) / text))
        root = self.workspace.resolve()
        if not path.resolve().is_relative_to(root):
            raise Invalid(
                f"{what} {text} leaves the workspace {self.workspace}",
                where=where,
                hint="Move it there, or start the pipeline in a folder that has both.",
            )
        return path

    def file(self, text: str, what: str, step: str) -> Path:
        """The same for a file that must be there."""
        path = self.within(text, what, step)
        if not path.is_file():
            said = "is a folder" if path.is_dir() else "is not there"
            raise Invalid(
                f"{what} {text} {said}",
                where=Where(object=f"step {step}"),
                hint=f"It is looked for at {path}.",
            )
        return path

    def pattern(self, text: str, what: str, step: str, base: Path) -> Path:
        """The same for a name with wildcards."""
        self.within(text, what, step, base)
        return base / text

    def relative(self, path: Path) -> str:
        """A path as the workspace names it."""
        return os.path.relpath(path, self.workspace)


def _has_marks(text: str) -> bool:
    return any(mark in text for mark in _MARKS)


def matching(pattern: Path) -> list[Path]:
    """The files and folders of that name, which may have wildcards."""
    if not _has_marks(str(pattern)):
        return [pattern] if pattern.exists() else []
    return sorted(Path(found) for found in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - a pattern that begins at the root


def workspace(pipeline: Path) -> Path:
    """The folder that a pipeline's files may be in: the server's root, the repository, where you stand, or its own.

    The first of these that contains the pipeline.
    """
    for folder in (os.environ.get(SERVER_ROOT), _repository(pipeline), Path.cwd()):
        if folder and pipeline.resolve().is_relative_to(Path(folder).resolve()):
            return Path(folder).absolute()
    return pipeline.parent


def _repository(pipeline: Path) -> Path | None:
    return next((folder for folder in pipeline.parents if (folder / ".git").exists()), None)
