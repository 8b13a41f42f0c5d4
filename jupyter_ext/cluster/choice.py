"""The cluster that this profile uses until another is chosen: kept in its folder, read by every process of it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_ext.cluster.local.home import home_folder, make_private, profile_name
from jupyter_ext.errors import Invalid, Where

FILE: Final = "cluster.json"
_LARGEST: Final = 4096


class Kept(NamedTuple):
    """What was chosen: ``local``, ``in-cluster``, or a context of the kubeconfig, and a namespace of it."""

    context: str
    namespace: str = ""


_read: tuple[tuple[str, int, int], Kept | None] | None = None


def path() -> Path:
    """Where it is kept."""
    return home_folder() / profile_name() / FILE


def kept() -> Kept | None:
    """What was chosen, or None. Raises Invalid for a file that nobody here wrote."""
    global _read  # noqa: PLW0603 - the file is asked for at every look, and read when it changed
    file = path()
    try:
        about = file.stat()
    except OSError:
        return None
    mark = (str(file), about.st_mtime_ns, about.st_size)
    if _read is None or _read[0] != mark:
        _read = (mark, _of(file))
    return _read[1]


def _of(file: Path) -> Kept | None:
    try:
        with file.open("rb") as stream:
            found: Any = json.loads(stream.read(_LARGEST))
        context, namespace = found["context"], found.get("namespace") or ""
        if isinstance(context, str) and isinstance(namespace, str) and context:
            return Kept(context, namespace)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise Invalid(
        f"{file} does not say which cluster is used",
        where=Where(field=FILE),
        hint="Choose one in the sidebar, or delete the file.",
    )


def keep(chosen: Kept | None) -> None:
    """Keep it for this profile; None forgets it. A reader sees the old or the new one, never half of it."""
    file = path()
    if chosen is None:
        file.unlink(missing_ok=True)
        return
    folder = make_private(file.parent)
    handle, name = tempfile.mkstemp(prefix=f".{FILE}-", dir=folder)  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(chosen._asdict(), stream)
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
