"""The same in Python, as a magic and on the command line: every form shows these lines. Texts of values only."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version

KEYWORDS = (
    "version",
    "alias",
    "description",
    "metrics",
    "parameters",
    "properties",
    "data",
    "format",
    "to",
)


def of(version: Version) -> dict[str, str]:
    """How to get, load and serve a version."""
    champion = next(iter(version.aliases), None)
    name = f"{version.model.name}@{champion}" if champion else version.name
    return {
        "python": "import jupyter_ext as kf\n"
        f"version = kf.registry.get({name!r})\n"
        "model = version.load()\n"
        f"endpoint = kf.serving.serve({name!r})",
        "magic": shlex.join(["%models", name]),
        "cli": "\n".join(
            shlex.join(["jupyter", "kf", *words]) for words in (["models", name], ["serve", name])
        ),
    }


def register(given: Mapping[str, Any]) -> dict[str, str]:
    """How to register what a form holds: the keywords of ``registry.register``, and ``path`` or ``variable``."""
    said = {name: given[name] for name in KEYWORDS if given.get(name) not in (None, "", {}, [])}
    what = str(given["variable"]) if given.get("variable") else repr(str(given.get("path") or "PATH"))
    name = str(given.get("name") or "NAME")
    words = [what, repr(name), *(f"{key}={value!r}" for key, value in said.items())]
    line = f"kf.registry.register({', '.join(words)})"
    flags = _flags(said)
    variable = str(given["variable"]) if given.get("variable") else str(given.get("path") or "PATH")
    path = str(given.get("path") or "FILE")
    return {
        "python": f"import jupyter_ext as kf\nversion = {line}",
        "magic": shlex.join(["%register", variable, name, *flags]),
        "cli": shlex.join(
            [
                "jupyter",
                "kf",
                "register",
                f"./{path}" if path.startswith("-") else path,
                "--name",
                name,
                *flags,
            ]
        ),
    }


def _flags(said: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name, value in said.items():
        if name in {"metrics", "data", "parameters"}:
            option = {"metrics": "--metric", "data": "--data", "parameters": "--param"}[name]
            for key, one in value.items():
                found += [option, f"{key}={one}"]
        elif name != "properties":
            found += [f"--{name}", str(value)]
    return found
