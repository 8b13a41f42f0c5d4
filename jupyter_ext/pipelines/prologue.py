"""Code that prepares and computes nothing: imports, definitions, constants, settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from jupyter_ext.pipelines.model import Cell
from jupyter_ext.pipelines.syntax import parse

_PARAMETERS = re.compile(r"^(?:(?:pipeline|notebook|run|input|hyper)[ -]?)?parameters?$", re.IGNORECASE)
_SETTERS = re.compile(
    r"(?:^|\.)(?:set|set_\w+|reset_\w+|use|style|rc|rcdefaults|simplefilter|filterwarnings|seterr|seed|"
    r"manual_seed|setLevel|basicConfig|getLogger|setlocale|insert|append|register|extension|pandas|"
    r"run_line_magic|run_cell_magic|system|despine|init_notebook_mode|output_notebook|load_dotenv|chdir|print)$",
)
_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)


def is_prologue_name(title: str) -> str:
    """``parameters`` for a heading that announces parameters, else empty."""
    return "parameters" if _PARAMETERS.match(title.strip()) else ""


def is_prologue(cells: Iterable[Cell]) -> bool:
    """Whether nothing in these cells computes or loads anything."""
    return all(_prepares(statement) for cell in cells for statement in parse(cell.source).tree.body)


def _prepares(statement: ast.stmt) -> bool:
    if isinstance(statement, _DEFINITIONS):
        return True
    if isinstance(statement, ast.Assign):
        return _constant(statement.value) or all(
            isinstance(target, ast.Subscript | ast.Attribute) and _constant(statement.value)
            for target in statement.targets
        )
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None or _constant(statement.value)
    if isinstance(statement, ast.Expr):
        value = statement.value
        return _constant(value) or (
            isinstance(value, ast.Call) and bool(_SETTERS.search(_dotted(value.func)))
        )
    if isinstance(statement, ast.Try | ast.If):
        return all(
            _prepares(inner) for inner in ast.iter_child_nodes(statement) if isinstance(inner, ast.stmt)
        )
    return False


def _constant(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return isinstance(node, ast.Name | ast.Attribute) or (
            isinstance(node, ast.Call) and _dotted(node.func) in {"Path", "pathlib.Path", "os.path.join"}
        )
    return True


def _dotted(node: ast.expr) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))
