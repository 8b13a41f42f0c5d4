"""A filter as SQL over the table ``records`` (here ``r``); all values are bound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.registry.entities import Field, Kind
from jupyter_ext.registry.grammar import Comparison, Expression, Scalar

_COLUMNS: Final = {
    "id": ("r.id", "integer"),
    "name": ("r.name", "string"),
    "externalId": ("r.external_id", "string"),
    "createTimeSinceEpoch": ("r.created", "integer"),
    "lastUpdateTimeSinceEpoch": ("r.updated", "integer"),
}
_WHOLE: Final = frozenset({"id", "integer", "millis"})
_WHERE: Final = Where(field="filterQuery")

Condition = tuple[str, list[Any]]


def condition(expression: Expression, kinds: Sequence[Kind]) -> Condition:
    """The SQL of a filter on records of the kinds. Raises Invalid where a value cannot be compared."""
    if isinstance(expression, Comparison):
        return _comparison(expression, kinds)
    parts = [condition(term, kinds) for term in expression.terms]
    text = f" {expression.operator} ".join(part for part, _ in parts)
    return f"({text})", [value for _, values in parts for value in values]


def _comparison(term: Comparison, kinds: Sequence[Kind]) -> Condition:
    if term.name in _COLUMNS:
        column, kind = _COLUMNS[term.name]
        return _compare(column, term, {kind})
    if term.name == "description":
        return _compare("json_extract(r.fields, '$.description')", term, {"string"})
    fields = [kind.by_name[term.name] for kind in kinds if term.name in kind.by_name]
    if not fields:
        return _custom(term)
    if fields[0].type == "strings":
        text, values = _compare("e.value", term, {"string"})
        return f"EXISTS (SELECT 1 FROM json_each(r.fields, '$.{fields[0].name}') e WHERE {text})", values  # noqa: S608 - our own constants only; values are bound
    return _compare(
        _column(fields[0], kinds), term, {"string" if field.type == "uri" else field.type for field in fields}
    )


def _column(field: Field, kinds: Sequence[Kind]) -> str:
    if all(kind.parent == field.name for kind in kinds):
        return "r.parent"
    found = f"json_extract(r.fields, '$.{field.name}')"  # a name of our own table
    return f"CAST({found} AS INTEGER)" if field.type in _WHOLE else found


def _compare(column: str, term: Comparison, types: set[str]) -> Condition:
    if term.operator in {"LIKE", "ILIKE"}:
        text = column if types == {"string"} else f"CAST({column} AS TEXT)"
        return _like(text, term.operator, str(term.value))
    if isinstance(term.value, tuple):
        values = [_fitting(value, term.name, types) for value in term.value]
        return f"{column} IN ({', '.join('?' * len(values))})", values
    return f"{column} {term.operator} ?", [_fitting(term.value, term.name, types)]


def _fitting(value: Scalar, name: str, types: set[str]) -> Scalar:
    """The value as its column has it; a field that is a number here and a text there takes both."""
    is_text = isinstance(value, str)
    if "string" in types and (is_text or len(types) > 1):
        return value
    if isinstance(value, bool):
        pass
    elif types <= _WHOLE | {"number"}:
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            return int(value)
    kind = "a text: quote the value" if "string" in types else "a number"
    raise Invalid(f"{name} is compared with {value!r}, but it is {kind}", where=_WHERE)


def _like(column: str, operator: str, pattern: str) -> Condition:
    if operator == "ILIKE":
        return f"{column} LIKE ? ESCAPE '\\'", [re.sub(r"\\$", r"\\\\", pattern)]
    return f"{column} GLOB ?", [glob_of(pattern)]


def glob_of(pattern: str) -> str:
    """A LIKE pattern as SQLite's GLOB, which minds the case: ``%`` and ``_`` are wild unless escaped by a backslash."""
    found = []
    escaped = False
    for letter in pattern:
        if escaped or letter not in "\\%_":
            found.append(f"[{letter}]" if letter in "*?[" else letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            found.append("*" if letter == "%" else "?")
    return "".join(found) + ("\\" if escaped else "")


def _custom(term: Comparison) -> Condition:
    """A custom property: the type is what is said, else what the value looks like."""
    given = term.value if isinstance(term.value, tuple) else (term.value,)
    types = (
        {term.type}
        if term.type
        else {kind for value in given for kind in _types_of(value)} or {"string_value"}
    )
    values = [_as_type(value, term.type, term.name) for value in given]
    if term.operator in {"LIKE", "ILIKE"}:
        text, bound = _like("value", term.operator, str(term.value))
    elif term.operator == "IN":
        text, bound = f"value IN ({', '.join('?' * len(values))})", values
    else:
        text, bound = f"value {term.operator} ?", values
    kinds = sorted(types)
    marks = ", ".join("?" * len(kinds))
    return (
        f"r.id IN (SELECT record FROM properties WHERE name = ? AND type IN ({marks}) AND {text})",  # noqa: S608 - our own constants only; values are bound
        [term.name, *kinds, *bound],
    )


def _types_of(value: Scalar) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("bool_value",)
    if isinstance(value, str):
        return ("string_value",)
    return ("int_value", "double_value")


def _as_type(value: Scalar, kind: str | None, name: str) -> Scalar:
    if kind is None or kind in _types_of(value):
        return value
    if kind in {"int_value", "double_value"} and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if kind == "bool_value" and value in {0, 1, "true", "false"}:
        return value in {1, "true"}
    raise Invalid(f"{name}.{kind} is compared with {value!r}, which is none", where=_WHERE)
