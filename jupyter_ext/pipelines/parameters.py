"""Parameters: the literals that a notebook's parameter cells assign, and how a run replaces them."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.model import Cell, Parameter, ParameterType, Pipeline, Problem
from jupyter_ext.pipelines.settings import nearest
from jupyter_ext.pipelines.syntax import parse

_TYPES: dict[type, ParameterType] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "bool",
    list: "list",
    dict: "dict",
}
_ANNOTATIONS: dict[str, ParameterType] = {
    **{kind: kind for kind in _TYPES.values()},
    "List": "list",
    "Dict": "dict",
    "Sequence": "list",
    "Mapping": "dict",
}
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}


def find(cells: Iterable[Cell]) -> tuple[list[Parameter], list[Problem]]:
    """The parameters that these cells define, the last definition of a name counting, and what is none."""
    found: dict[str, Parameter] = {}
    problems = []
    for cell in cells:
        for name, value, statement, declared in _assignments(cell):
            parameter = _parameter(name, value, statement.lineno, declared, cell)
            if parameter is None:
                problems.append(_untyped(name, cell, statement.lineno))
            else:
                found.pop(name, None)
                found[name] = parameter
    return list(found.values()), problems


def _assignments(cell: Cell) -> Iterator[tuple[str, ast.expr, ast.stmt, ast.expr | None]]:
    """Name, value, statement and annotation of every plain assignment."""
    for statement in parse(cell.source).tree.body:
        if isinstance(statement, ast.Assign) and all(
            isinstance(item, ast.Name) for item in statement.targets
        ):
            for target in statement.targets:
                assert isinstance(target, ast.Name)
                yield target.id, statement.value, statement, None
        elif (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value
        ):
            yield statement.target.id, statement.value, statement, statement.annotation


def _parameter(
    name: str,
    node: ast.expr,
    line: int,
    annotation: ast.expr | None,
    cell: Cell,
) -> Parameter | None:
    value, known = _literal(node)
    if not known:
        return None
    kind = _annotated(annotation) or _TYPES.get(type(value))
    if kind is None:
        return None
    if kind == "float" and type(value) is int:
        value = float(value)
    return Parameter(name, kind, value, cell.index, line)


def _literal(node: ast.expr) -> tuple[Any, bool]:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False
    return value, _is_json(value) or value is None


def _is_json(value: object) -> bool:
    """Whether JSON holds the value as it is: parameters travel as JSON."""
    if isinstance(value, list):
        return all(item is None or _is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and (item is None or _is_json(item)) for key, item in value.items())
    return type(value) in {int, float, str, bool}


def _annotated(annotation: ast.expr | None) -> ParameterType | None:
    """The type that an annotation names, also as ``str | None``, ``Optional[int]`` or ``list[float]``."""
    if annotation is None:
        return None
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        parsed = parse(annotation.value).tree.body
        inner = parsed[0] if parsed else None
        return _annotated(inner.value) if isinstance(inner, ast.Expr) else None
    if isinstance(annotation, ast.BinOp):
        return _annotated(annotation.left) or _annotated(annotation.right)
    if isinstance(annotation, ast.Subscript):
        outer = annotation.value
        word = outer.attr if isinstance(outer, ast.Attribute) else getattr(outer, "id", "")
        return (
            _annotated(annotation.slice) if word in {"Optional", "Final", "Annotated"} else _annotated(outer)
        )
    word = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", "")
    return _ANNOTATIONS.get(word)


def _untyped(name: str, cell: Cell, line: int) -> Problem:
    message = f"{name!r} is no parameter: its value is not a plain number, text, list or mapping"
    remedy = "Write a literal, and for None give the type (name: str | None = None), to be able to set it for a run."
    return Problem("info", "no-parameter", message, cell.index, cell.id, line, 1, remedy=remedy)


def bind(pipeline: Pipeline, values: Mapping[str, object]) -> Pipeline:
    """The pipeline with these values in the place of the literals, analysed again.

    Texts are read by the parameter's type, as they come from a command line.
    Raises Invalid for a name that is no parameter and for a value of the wrong type.
    """
    if not values:
        return pipeline
    known = {parameter.name: parameter for parameter in pipeline.parameters}
    converted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise _unknown(name, known)
        converted[name] = convert(known[name], value)
    changed = {
        parameter.cell: _with_values(_cell(pipeline, parameter.cell), converted)
        for parameter in pipeline.parameters
        if parameter.name in converted
    }
    from jupyter_ext.pipelines.graph import reanalyse

    parameters = tuple(
        replace(parameter, default=converted.get(parameter.name, parameter.default))
        for parameter in pipeline.parameters
    )
    return replace(reanalyse(pipeline, changed), parameters=parameters)


def _unknown(name: str, known: Mapping[str, Parameter]) -> Invalid:
    near = nearest(name, known, 3)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif known:
        hint = f"Parameters: {', '.join(list(known)[:12])}."
    else:
        hint = "It has none: tag the cell that assigns them with 'parameters'."
    return Invalid(f"the notebook has no parameter {name!r}", where=Where(field=name), hint=hint)


def _cell(pipeline: Pipeline, index: int) -> Cell:
    for step in pipeline.steps:
        for cell in step.cells:
            if cell.index == index:
                return cell
    raise Invalid(f"cell {index} with the parameters is in no step", hint="Remove its tag 'skip'.")


def convert(parameter: Parameter, value: object) -> Any:
    """The value as the parameter's type; raises Invalid for a value of another type."""
    result = _from_text(parameter, value) if isinstance(value, str) and parameter.type != "str" else value
    if parameter.type == "float" and type(result) is int:
        result = float(result)
    if result is None and parameter.default is None:
        return None
    kind = _TYPES.get(type(result))
    if kind != parameter.type or not _is_json(result):
        raise _wrong(parameter, value)
    return result


def _from_text(parameter: Parameter, text: str) -> object:
    plain = text.strip()
    kind = parameter.type
    if parameter.default is None and plain.lower() in {"none", "null"}:
        return None
    if kind == "bool":
        word = plain.lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise _wrong(parameter, text)
    try:
        if kind == "int":
            return int(plain)
        if kind == "float":
            return float(plain)
    except ValueError:
        raise _wrong(parameter, text) from None
    return _structure(parameter, plain)


def _structure(parameter: Parameter, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise _wrong(parameter, text) from None


def _wrong(parameter: Parameter, value: object) -> Invalid:
    what = f"parameter {parameter.name!r} must be {_WORDS[parameter.type]}, not {_shown(value)}"
    hint = f"Its value in the notebook is {parameter.default!r}."
    return Invalid(
        what, where=Where(cell=parameter.cell, line=parameter.line, field=parameter.name), hint=hint
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _with_values(cell: Cell, values: Mapping[str, Any]) -> Cell:
    """The cell with literals replaced where they stand, so that comments and lines stay."""
    lines = [line.encode() for line in cell.source.split("\n")]
    last: dict[str, ast.expr] = {}
    sharing: dict[int, list[str]] = {}
    statements: dict[int, ast.stmt] = {}
    for name, node, statement, _ in _assignments(cell):
        last[name] = node
        statements[id(node)] = statement
        sharing.setdefault(id(node), []).append(name)
    chosen = {id(node): node for name, node in last.items() if name in values}
    for node in sorted(chosen.values(), key=lambda item: (item.lineno, item.col_offset), reverse=True):
        names = sharing[id(node)]
        bound = [name for name in names if name in values and last[name] is node]
        texts = {_source(values[name]) for name in bound}
        if len(texts) == 1 and len(bound) == len(names):
            _splice(lines, node, texts.pop())
        else:
            # ``a = b = 1``, and only one of them changes, or each to a value of its own.
            _append(
                lines, statements[id(node)], "".join(f"; {name} = {_source(values[name])}" for name in bound)
            )
    return replace(cell, source="\n".join(line.decode() for line in lines))


def _append(lines: list[bytes], statement: ast.stmt, text: str) -> None:
    """Write more statements after one, on the line where it ends."""
    number, end = (statement.end_lineno or statement.lineno) - 1, statement.end_col_offset or 0
    lines[number] = lines[number][:end] + text.encode() + lines[number][end:]


def _source(value: object) -> str:
    """Python source of the value; numbers that have no literal are written as calls."""
    if isinstance(value, float) and not math.isfinite(value):
        return 'float("nan")' if math.isnan(value) else f"{'-' if value < 0 else ''}1e999"
    if isinstance(value, list):
        return f"[{', '.join(_source(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_source(item)}' for key, item in value.items())}}}"
    return repr(value)


def _splice(lines: list[bytes], node: ast.expr, text: str) -> None:
    """Replace a node's text, keeping the number of lines: line N of the cell stays line N."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    start, end = node.col_offset, node.end_col_offset or 0
    head, tail = lines[first][:start], lines[last][end:]
    if last == first:
        lines[first] = head + text.encode() + tail
        return
    # The lines that the old literal took stay, empty, inside brackets around the new one.
    lines[first] = head + b"(" + text.encode()
    for number in range(first + 1, last):
        lines[number] = b""
    lines[last] = b")" + tail
