"""The expressions of triggers and selectors: the part of CEL (Common Expression Language) that the KFP SDK writes, and a bit more.

``inputs.parameter_values['x'] == 'heads' && !(int(inputs.parameter_values['n']) > 5)`` and ``parseJson(string_value)["A_a"]``.
A library for all of CEL would bring a parser generator and a type system; this grammar is a page, strict as CEL is: no value is
true or false but a boolean, and numbers, texts and booleans are never equal to each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+|\d+(?:[eE][+-]?\d+)?u?)"""
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\].,+\-*/%?:{}]))"""
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_LONGEST: Final = 10_000
_DEEPEST: Final = 60


def is_true(text: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a trigger's condition holds for these parameters. Raises Invalid for what has no truth."""
    found = _Parser(text, {"inputs": {"parameter_values": dict(parameters)}}).value()
    if not isinstance(found, bool):
        raise _wrong(text, f"it is {_kind(found)}, not true or false")
    return found


def select(text: str, value: Any) -> Any:
    """The part of a value that a selector names. Raises Invalid where there is none."""
    names: dict[str, Any] = {"string_value": value if isinstance(value, str) else json.dumps(value)}
    kinds = {
        bool: "bool_value",
        int: "number_value",
        float: "number_value",
        list: "list_value",
        dict: "struct_value",
    }
    if type(value) in kinds:
        names[kinds[type(value)]] = value
    return _Parser(text, names).value()


def check(text: str) -> None:
    """Raise Invalid if the expression cannot be read; nothing is computed."""
    _Parser(text, None).value()


def _wrong(text: str, why: str) -> Invalid:
    shown = " ".join(text.split())[:200]
    return Invalid(
        f"The expression {shown!r} cannot be computed: {why}", where=Where(field="triggerPolicy.condition")
    )


def _kind(value: object) -> str:
    words = {
        bool: "a truth value",
        str: "text",
        list: "a list",
        dict: "a mapping",
        int: "a number",
        float: "a number",
    }
    return words.get(type(value), "null")


class _Later:
    """What an expression is while it is only checked."""


class _Parser:
    """Recursive descent, computing as it reads; ``names`` None means to check only."""

    def __init__(self, text: str, names: Mapping[str, Any] | None) -> None:
        self.text, self.names = text, names
        self.quiet = 1 if names is None else 0
        self.depth = 0
        self.tokens = self._split(text)
        self.place = 0

    def value(self) -> Any:
        found = self._choice()
        if self.place < len(self.tokens):
            raise _wrong(self.text, f"{self.tokens[self.place][1]!r} is not expected there")
        return found

    def _split(self, text: str) -> list[tuple[str, str]]:
        if len(text) > _LONGEST:
            raise _wrong(text, "it is too long")
        found, place = [], 0
        stripped = text.rstrip()
        while place < len(stripped):
            match = _TOKEN.match(stripped, place)
            if match is None or match.lastgroup is None:
                raise _wrong(text, f"{stripped[place : place + 10]!r} is not understood")
            found.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        return found

    def _next(self, *signs: str) -> str | None:
        if self.place < len(self.tokens):
            kind, word = self.tokens[self.place]
            if kind == "sign" and word in signs:
                self.place += 1
                return word
        return None

    def _expect(self, sign: str) -> None:
        if self._next(sign) is None:
            raise _wrong(self.text, f"{sign!r} is missing")

    def _skipping(self, skip: bool, read: Callable[[], Any]) -> Any:
        self.quiet += skip
        try:
            return read()
        finally:
            self.quiet -= skip

    def _choice(self) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _wrong(self.text, "it is nested too deeply")
        found = self._or()
        if self._next("?"):
            test = self._truth(found)
            then = self._skipping(not test, self._choice)
            self._expect(":")
            other = self._skipping(test, self._choice)
            found = then if test else other
        self.depth -= 1
        return found

    def _or(self) -> Any:
        found = self._and()
        while self._next("||"):
            left = self._truth(found)
            right = self._skipping(left, self._and)
            found = left or self._truth(right)
        return found

    def _and(self) -> Any:
        found = self._relation()
        while self._next("&&"):
            left = self._truth(found)
            right = self._skipping(not left, self._relation)
            found = left and self._truth(right)
        return found

    def _truth(self, value: Any) -> bool:
        if self.quiet:
            return bool(value) and not isinstance(value, _Later)
        if not isinstance(value, bool):
            raise _wrong(self.text, f"{_kind(value)} is neither true nor false")
        return value

    def _relation(self) -> Any:
        found = self._sum()
        while True:
            sign = self._next("==", "!=", "<=", ">=", "<", ">")
            if sign is None and not self._is_in():
                return found
            right = self._sum()
            found = _Later() if self.quiet else self._compared(sign or "in", found, right)

    def _is_in(self) -> bool:
        here = self.place < len(self.tokens) and self.tokens[self.place] == ("name", "in")
        self.place += here
        return here

    def _compared(self, sign: str, left: Any, right: Any) -> bool:
        if sign == "in":
            if not isinstance(right, list | dict):
                raise _wrong(self.text, f"nothing is in {_kind(right)}")
            return any(_equal(left, item) for item in right)
        if sign in ("==", "!="):
            return _equal(left, right) == (sign == "==")
        if _kind(left) != _kind(right) or not isinstance(left, str | int | float):
            raise _wrong(self.text, f"{_kind(left)} and {_kind(right)} have no order")
        return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign])

    def _sum(self) -> Any:
        found = self._product()
        while sign := self._next("+", "-"):
            right = self._product()
            found = _Later() if self.quiet else self._computed(sign, found, right)
        return found

    def _product(self) -> Any:
        found = self._unary()
        while sign := self._next("*", "/", "%"):
            right = self._unary()
            found = _Later() if self.quiet else self._computed(sign, found, right)
        return found

    def _computed(self, sign: str, left: Any, right: Any) -> Any:
        if sign == "+" and type(left) is type(right) and isinstance(left, str | list):
            return left + right
        if isinstance(left, bool) or isinstance(right, bool) or type(left) is not type(right):
            raise _wrong(self.text, f"{_kind(left)} {sign} {_kind(right)} is not defined")
        if not isinstance(left, int | float) or (sign in "/%" and right == 0):
            raise _wrong(self.text, f"{left!r} {sign} {right!r} is not defined")
        if sign in "/%" and isinstance(left, int):
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return quotient if sign == "/" else left - quotient * right
        return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right,
                "/": lambda: left / right, "%": lambda: left % right}[sign]()  # fmt: skip

    def _unary(self) -> Any:
        if self._next("!"):
            found = self._unary()
            return _Later() if self.quiet else not self._truth(found)
        if self._next("-"):
            found = self._unary()
            if self.quiet:
                return _Later()
            if isinstance(found, bool) or not isinstance(found, int | float):
                raise _wrong(self.text, f"-{_kind(found)} is not defined")
            return -found
        return self._member(self._primary())

    def _member(self, found: Any) -> Any:
        while True:
            if self._next("["):
                key = self._choice()
                self._expect("]")
                found = self._taken(found, key)
            elif self._next("."):
                kind, word = self._take()
                if kind != "name":
                    raise _wrong(self.text, f"{word!r} is not a name")
                if self._next("("):
                    found = self._method(word, found, self._arguments())
                else:
                    found = self._taken(found, word)
            else:
                return found

    def _taken(self, found: Any, key: Any) -> Any:
        if self.quiet:
            return _Later()
        try:
            if isinstance(found, dict) or (isinstance(found, list) and type(key) is int and key >= 0):
                return found[key]
        except (KeyError, IndexError):
            pass
        raise _wrong(self.text, f"there is no {key!r} in {_kind(found)}")

    def _take(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            raise _wrong(self.text, "it ends too early")
        self.place += 1
        return self.tokens[self.place - 1]

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        if self._next(")"):
            return found
        while True:
            found.append(self._choice())
            if self._next(")"):
                return found
            self._expect(",")

    def _primary(self) -> Any:
        kind, word = self._take()
        if kind == "number":
            return float(word) if any(letter in word for letter in ".eE") else int(word.rstrip("u"))
        if kind == "text":
            return _unquoted(word)
        if kind == "name":
            return self._named(word)
        if word == "(":
            found = self._choice()
            self._expect(")")
            return found
        if word == "[":
            return self._list()
        raise _wrong(self.text, f"{word!r} is not expected there")

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while not self._next("]"):
            found.append(self._choice())
            if not self._next(","):
                self._expect("]")
                break
        return found

    def _named(self, word: str) -> Any:
        constants = {"true": True, "false": False, "null": None}
        if word in constants:
            return constants[word]
        if self._next("("):
            return self._called(word, self._arguments())
        if self.quiet:
            return _Later()
        if self.names is None or word not in self.names:
            raise _wrong(self.text, f"there is no {word}")
        return self.names[word]

    def _called(self, name: str, arguments: list[Any]) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None or len(arguments) != 1:
            raise _wrong(self.text, f"there is no function {name} of {len(arguments)}")
        if self.quiet:
            return _Later()
        try:
            return function(arguments[0])
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise _wrong(self.text, f"{name}({arguments[0]!r:.60}) is not defined") from None

    def _method(self, name: str, found: Any, arguments: list[Any]) -> Any:
        if name not in ("startsWith", "endsWith", "contains", "size"):
            raise _wrong(self.text, f"there is no method {name}")
        if self.quiet:
            return _Later()
        if name == "size" and not arguments:
            return self._called("size", [found])
        if len(arguments) != 1 or not isinstance(found, str) or not isinstance(arguments[0], str):
            raise _wrong(self.text, f"{name} is of texts")
        other = arguments[0]
        tests = {"startsWith": found.startswith, "endsWith": found.endswith, "contains": found.__contains__}
        return tests[name](other)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return type(left) is type(right) and left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return bool(left == right)


def _unquoted(word: str) -> str:
    def plain(match: re.Match[str]) -> str:
        found = match[1]
        if found[0] in "uUxX":
            return chr(int(found[1:], 16))
        return _ESCAPES.get(found, found)

    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[xX][0-9a-fA-F]{2}|.)", plain, word[1:-1], flags=re.DOTALL
    )


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return int(value)


def _to_double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return float(value)


def _to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise TypeError


def _to_bool(value: Any) -> bool:
    known = {True: True, False: False, "true": True, "false": False, "True": True, "False": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    raise TypeError


_FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "int": _to_int,
    "double": _to_double,
    "string": _to_string,
    "bool": _to_bool,
    "size": len,
    "parseJson": json.loads,
}
