"""What a cell's source says about names, read without executing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=512)
def _parsed(source: str) -> ast.Module | None:
    lines = [line if not line.lstrip().startswith(("%", "!", "?")) else "" for line in source.splitlines()]
    for text in (source, "\n".join(lines)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            continue
    return None


def submodules(source: str) -> Iterator[tuple[str, str]]:
    """``import a.b.c`` binds ``a`` and loads ``a.b.c``: the pairs of top-level and dotted name."""
    tree = _parsed(source)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                if "." in alias.name:
                    yield alias.name.partition(".")[0], alias.name


def binds(source: str, name: str) -> bool:
    """Whether the source assigns, defines or imports a name."""
    tree = _parsed(source)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name.partition(".")[0]) == name:
            return True
    return False


def names(source: str) -> list[str]:
    """The names that the source's own level uses or assigns, in their order."""
    tree = _parsed(source)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)] if tree is not None else []
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in found))
