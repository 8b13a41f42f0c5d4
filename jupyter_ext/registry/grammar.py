"""The grammar of ``filterQuery``: an OR of ANDs of comparisons.

    accuracy > 0.9 AND (name LIKE "iris%" OR `my.property`.string_value IN ("a", "b"))

The source of the grammar is ``internal/platform/db/filter/parser.go`` of the Kubeflow Model Registry. Words are
matched without regard to case, ``--`` begins a comment, a name that is no field is a custom property.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from jupyter_ext.errors import Invalid, Where

Scalar = str | int | float | bool
TYPES: Final = ("string_value", "int_value", "double_value", "bool_value")
COMPARISONS: Final = ("=", "!=", "<>", "<=", ">=", "<", ">", "LIKE", "ILIKE", "IN")
MAX_LENGTH: Final = 10_000
MAX_TERMS: Final = 200
MAX_DEPTH: Final = 50
_INT64: Final = 1 << 63

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|--[^\r\n]*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<float>[-+]?\d*\.\d+(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+)
      | (?P<int>[-+]?\d+)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<escaped>`(?:[^`\\]|\\.)*`)
      | (?P<operator>>=|<=|!=|<>|=|>|<)
      | (?P<mark>[().,])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


@dataclass(frozen=True)
class Comparison:
    """``name[.type] operator value``. ``operator`` is upper case and never ``<>``."""

    name: str
    operator: str
    value: Scalar | tuple[Scalar, ...]
    type: str | None = None


@dataclass(frozen=True)
class Group:
    """All (``AND``) or any (``OR``) of the terms."""

    operator: str
    terms: tuple[Expression, ...]


Expression = Comparison | Group
_Operand = Callable[[], Expression]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Expression | None:
    """The meaning of a filter; None for an empty one. Raises Invalid, which says where."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"the filter has {len(text)} characters", where=_WHERE, hint=f"At most {MAX_LENGTH}.")
    tokens = _tokens(text)
    if not tokens:
        return None
    parser = _Parser(text, tokens)
    found = parser.any_of(0)
    parser.end()
    return found


_WHERE: Final = Where(field="filterQuery")


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Invalid(
                f"the filter has {text[at]!r} at character {at + 1}, which is not understood", where=_WHERE
            )
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match.group(), at))
        at = match.end()
    return found


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._position = 0
        self._terms = 0

    def any_of(self, depth: int) -> Expression:
        return self._chain("OR", lambda: self._chain("AND", lambda: self._term(depth)))

    def _chain(self, word: str, operand: _Operand) -> Expression:
        terms = [operand()]
        while self._word(word):
            terms.append(operand())
        return terms[0] if len(terms) == 1 else Group(word, tuple(terms))

    def end(self) -> None:
        """Nothing may follow."""
        if self._peek() is not None:
            self._refuse("AND, OR or the end")

    def _term(self, depth: int) -> Expression:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise Invalid(f"the filter has more than {MAX_TERMS} comparisons", where=_WHERE)
        if not self._mark("("):
            return self._comparison()
        if depth >= MAX_DEPTH:
            raise Invalid(f"the filter is nested more than {MAX_DEPTH} times", where=_WHERE)
        found = self.any_of(depth + 1)
        if not self._mark(")"):
            self._refuse("a closing parenthesis")
        return found

    def _comparison(self) -> Comparison:
        name, kind = self._name()
        operator = self._operator()
        if operator == "IN":
            return Comparison(name, operator, self._values(), kind)
        value = self._value()
        if operator in {"LIKE", "ILIKE"} and not isinstance(value, str):
            raise Invalid(f"{operator} compares with a string, not with {value!r}", where=_WHERE)
        return Comparison(name, operator, value, kind)

    def _name(self) -> tuple[str, str | None]:
        token = self._peek()
        if token is None or token.kind not in {"name", "escaped"}:
            self._refuse("the name of a property")
        self._position += 1
        if token.kind == "escaped":
            parts = [re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)]
            if not parts[0]:
                raise Invalid("the name of a property is empty", where=_WHERE)
        else:
            parts = [token.text]
        while self._mark("."):
            part = self._peek()
            if part is None or part.kind != "name":
                self._refuse("a name after the dot")
            parts.append(part.text)
            self._position += 1
        kind = parts.pop().lower() if len(parts) > 1 and parts[-1].lower() in TYPES else None
        return ".".join(parts), kind

    def _operator(self) -> str:
        token = self._peek()
        if token is not None:
            text = token.text.upper()
            if text in COMPARISONS:
                self._position += 1
                return "!=" if text == "<>" else text
        return self._refuse(f"one of {' '.join(COMPARISONS)}")

    def _values(self) -> tuple[Scalar, ...]:
        if not self._mark("("):
            self._refuse("a list in parentheses after IN")
        values: list[Scalar] = []
        if self._mark(")"):
            return ()
        while True:
            values.append(self._value())
            if self._mark(")"):
                break
            if not self._mark(","):
                self._refuse("a comma or a closing parenthesis")
        self._terms += len(values)
        if self._terms > MAX_TERMS:
            raise Invalid(f"the filter has more than {MAX_TERMS} values", where=_WHERE)
        return tuple(values)

    def _value(self) -> Scalar:
        token = self._peek()
        if token is not None:
            self._position += 1
            if token.kind == "string":
                return re.sub(r"\\([\"'\\])", r"\1", token.text[1:-1])
            if token.kind == "int":
                return self._integer(token)
            if token.kind == "float":
                return self._float(token)
            if token.kind == "name" and token.text.lower() in {"true", "false"}:
                return token.text.lower() == "true"
            self._position -= 1
        return self._refuse("a value (a quoted string, a number, true or false)")

    def _integer(self, token: _Token) -> int:
        value = int(token.text) if len(token.text) < 25 else _INT64
        if not -_INT64 <= value < _INT64:
            raise Invalid(f"{token.text[:30]} does not fit into 64 bits", where=_WHERE)
        return value

    def _float(self, token: _Token) -> float:
        value = float(token.text)
        if value in {float("inf"), float("-inf")}:
            raise Invalid(f"{token.text[:30]} is too large", where=_WHERE)
        return value

    def _peek(self) -> _Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _mark(self, text: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "mark" and token.text == text:
            self._position += 1
            return True
        return False

    def _word(self, word: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "name" and token.text.upper() == word:
            self._position += 1
            return True
        return False

    def _refuse(self, wanted: str) -> NoReturn:
        token = self._peek()
        found = f"{token.text[:40]!r} at character {token.at + 1}" if token else "the end"
        raise Invalid(f"the filter has {found} where {wanted} is needed", where=_WHERE, hint=EXAMPLE)


EXAMPLE: Final = "For example: name LIKE 'iris%' AND accuracy > 0.9"
