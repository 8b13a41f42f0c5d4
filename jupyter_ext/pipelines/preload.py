"""Which modules may be imported once, before all steps, without anybody noticing.

A module of the standard library or from site-packages that the notebook imports at the top level of a cell, as
long as nothing before that import changed the environment, the search path, the working directory or a setting
which the import might see; never a module from the notebook's own folder.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.machinery import PathFinder

from jupyter_ext.pipelines.flow.records import CellFlow

_LASTING = frozenset({"env", "cwd", "settings"})
_UNWANTED = frozenset(
    {"antigravity", "this", "__future__", "__main__", "idlelib", "turtle", "tkinter", "jupyter_ext"}
)


def modules(flows: Iterable[CellFlow], path: str) -> tuple[str, ...]:
    """Modules that are safe to import early, in the order of their imports."""
    folder = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
    found: dict[str, None] = {}
    changed = packages = False
    for flow in flows:
        stop = min(
            (
                place.line
                for (kind, mode, _), place in flow.effects.items()
                if kind in _LASTING and mode == "w"
            ),
            default=None,
        )
        install = any(kind == "shell" and detail == "packages" for kind, _, detail in flow.effects)
        packages = packages or install
        for module, line in flow.imports:
            if changed or (stop is not None and line > stop):
                break
            top = module.partition(".")[0]
            if top in _UNWANTED or _is_local(top, folder):
                continue
            if top in sys.stdlib_module_names:
                if _exists_in_stdlib(module):
                    found[module] = None
            elif not packages:
                located = _located(module)
                if located:
                    found[located] = None
        changed = changed or stop is not None
    return tuple(found)


def _is_local(top: str, folder: str) -> bool:
    """Whether the notebook's folder has a module of the name, which is the one that would be imported."""
    base = os.path.join(folder, top)
    return os.path.exists(f"{base}.py") or os.path.isdir(base)


@cache
def _site_folders() -> list[str]:
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return [
        path
        for path in dict.fromkeys(
            [*paths, *(p for p in sys.path if p.endswith(("site-packages", "dist-packages")))]
        )
        if path
    ]


@lru_cache(maxsize=4096)
def _located(module: str) -> str:
    """The longest part of a dotted name that is an installed module, empty if not even the first is."""
    top, *rest = module.split(".")
    try:
        spec = PathFinder.find_spec(top, _site_folders())
    except (ImportError, ValueError, OSError):
        return ""
    if spec is None or spec.origin is None:
        return ""
    name, folders = top, list(spec.submodule_search_locations or ())
    for part in rest:
        folder = next((base for base in folders if _has(base, part)), None)
        if folder is None:
            break
        name = f"{name}.{part}"
        folders = [os.path.join(folder, part)]
    return name


def _has(folder: str, name: str) -> bool:
    base = os.path.join(folder, name)
    return os.path.isfile(os.path.join(base, "__init__.py")) or os.path.isfile(f"{base}.py")


def _exists_in_stdlib(module: str) -> bool:
    """A dotted name of the standard library may end in a class or function: keep what is a module."""
    if "." not in module:
        return True
    top, *rest = module.split(".")
    base = os.path.join(sysconfig.get_path("stdlib"), top, *rest)
    return os.path.isfile(f"{base}.py") or os.path.isfile(os.path.join(base, "__init__.py"))
