"""Which modules are the user's own, and which files have to travel so that they can be imported elsewhere."""

from __future__ import annotations

import ast
import importlib.machinery
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

_SUFFIXES: Final = (*importlib.machinery.SOURCE_SUFFIXES, *importlib.machinery.EXTENSION_SUFFIXES)
_OURS: Final = "jupyter_ext"
_DATA: Final = frozenset({
    ".json", ".yaml", ".yml", ".toml", ".txt", ".csv", ".tsv", ".cfg", ".ini", ".sql", ".jinja", ".j2", ".proto",
    ".parquet", ".npy", ".npz", ".pkl", ".xml", ".html", ".md", ".pyi", ".typed", ".so",
})  # fmt: skip
"""Files of a package that travel with it, beside its code."""
_SECRET: Final = re.compile(
    r"^\.|\.(pem|key|p12|pfx|jks|kdbx)$|^id_(rsa|dsa|ecdsa|ed25519)|^(credentials?|secrets?|passwords?|tokens?)\b"
    r"|service[-_]?account|kubeconfig|^netrc$",
    re.IGNORECASE,
)
_SKIP: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages", "test-results"})


def secret(name: str) -> bool:
    """Whether a file of this name is hidden, or may hold a key: such files never travel."""
    return _SECRET.search(name) is not None


@cache
def _libraries() -> tuple[Path, ...]:
    """Where installed code lies."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [Path(sysconfig.get_path(name)) for name in names]
    found += [Path(path) for path in (*site.getsitepackages(), site.getusersitepackages())]
    if sys.prefix != sys.base_prefix:
        found.append(Path(sys.prefix))
    return tuple({path.resolve() for path in found})


def installed(path: Path) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    path = path.resolve()
    parts = {"site-packages", "dist-packages"}
    return bool(parts & set(path.parts)) or any(path.is_relative_to(library) for library in _libraries())


class Workspace:
    """The folders from which a user's modules are imported, the first one wins."""

    def __init__(self, folders: Iterable[Path]) -> None:
        paths = [path for path in map(Path, sys.path) if path.is_dir() and not installed(path)]
        given = [folder.resolve() for folder in folders]
        self.roots = tuple(dict.fromkeys([*given, *(path.resolve() for path in paths)]))

    def find(self, module: str) -> tuple[str, Path] | None:
        """The file of a module and its path below the root, None if it is not the user's."""
        parts = module.split(".")
        if parts[0] == _OURS or not all(part.isidentifier() for part in parts):
            return None
        if parts[0] in sys.builtin_module_names or parts[0] in sys.stdlib_module_names:
            return None
        relative = "/".join(parts)
        for root in self.roots:
            for name in (f"{relative}/__init__.py", *(f"{relative}{suffix}" for suffix in _SUFFIXES)):
                path = root / name
                if path.is_file() and not installed(path):
                    return name, path
        return None

    def files(self, modules: Iterable[str]) -> dict[str, Path]:
        """The files of these modules and of all that they import, by path below the root."""
        found: dict[str, Path] = {}
        todo = list(dict.fromkeys(modules))
        seen = set(todo)
        while todo:
            module = todo.pop()
            for prefix in _prefixes(module):
                place = self.find(prefix)
                if place is None or place[0] in found:
                    continue
                found[place[0]] = place[1]
                news = set(_imported(place[1], prefix)) - seen
                seen |= news
                todo += sorted(news)
        for name, path in list(found.items()):
            if name.endswith("/__init__.py"):
                found.update(_beside(name, path))
        return found


def _prefixes(module: str) -> Iterator[str]:
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _imported(path: Path, module: str) -> Iterator[str]:
    """The names of the modules that a file imports, wherever in it; each name after ``from`` may be one."""
    if path.suffix != ".py":
        return
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):
        return  # its import will say so
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _beside(name: str, path: Path) -> dict[str, Path]:
    """The files of a package that are not code; those of its sub-packages come with these."""
    base = name.removesuffix("__init__.py")
    found: dict[str, Path] = {}
    for file in sorted(path.parent.rglob("*")):
        inner = file.relative_to(path.parent)
        if any(secret(part) or part in _SKIP for part in inner.parts) or not file.is_file():
            continue
        if file.suffix in _DATA:
            found[f"{base}{inner.as_posix()}"] = file
    return found
