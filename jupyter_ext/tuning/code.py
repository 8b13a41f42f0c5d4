"""The user's code of an experiment: taken when it is submitted, loaded once in its fork server."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sysconfig
import textwrap
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.training.loading import Snapshot

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.blobs import Blobs
    from jupyter_ext.training.snapshot import Code

FOLDER: Final = "code"


def take(blobs: Blobs, code: Code, folders: list[Path]) -> str:
    """Store the snapshot and return its digest. Raises Invalid for what cannot travel."""
    from jupyter_ext.training.snapshot import pack

    return blobs.put_bytes(pack(code, folders))


def load(blobs: Blobs, digest: str, folder: Path, preload: Iterable[str] = ()) -> Callable[..., Any]:
    """The snapshot as a function of a trial's values, with everything done that every call would do again.

    Raises what loading the user's code raises.
    """
    from jupyter_ext.training.unpacking import unpack

    place = folder / FOLDER
    unpack(blobs.read(digest), place)
    snapshot = Snapshot(place)
    for name in preload:
        # What goes wrong will go wrong again where the code imports it, and be seen there.
        with warnings.catch_warnings(), contextlib.suppress(BaseException):
            warnings.simplefilter("ignore")
            import_module(name)
    snapshot.warm()
    return lambda **values: snapshot.call(values, {})


def imports(what: Callable[..., Any] | str) -> list[str]:
    """Installed modules that the code imports wherever in it, in their order: they may be loaded before a fork.

    None where the code itself touches the environment, which an import might read.
    """
    try:
        source = what if isinstance(what, str) else textwrap.dedent(inspect.getsource(inspect.unwrap(what)))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError, ValueError):
        return []
    if "environ" in source or "putenv" in source:
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module] = None
    return [name for name in found if _installed(name.partition(".")[0])]


def _installed(top: str) -> bool:
    """Whether it is a module of site-packages, and neither ours nor the user's own."""
    if top == "jupyter_ext":
        return False
    try:
        spec = PathFinder.find_spec(top, _site())
    except (ImportError, ValueError, OSError):
        return False
    return spec is not None


def _site() -> list[str]:
    return list(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))
