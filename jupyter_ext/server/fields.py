"""What a request may contain, stated once: read and refused by it, and described by it in the OpenAPI file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_ext.errors import Invalid, Where

FieldType = Literal["string", "boolean", "integer", "number", "object", "array"]

_PYTHON: dict[FieldType, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}


@dataclass(frozen=True)
class Field:
    """One member of a JSON body, or one query argument.

    ``limit`` is the greatest length of a string, number of members, or value of an integer.
    ``fields`` are the members of an object whose members are fixed. A value may be of one of several types, only one of
    which has members.
    """

    name: str
    type: FieldType | tuple[FieldType, ...]
    about: str
    required: bool = False
    default: Any = None
    limit: int = 10_000
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()

    def read(self, value: object, place: str) -> Any:
        """Give the value if it is what it should be; raises Invalid naming ``place``."""
        where = Where(field=place)
        if not any(_is(value, name) for name in self.types):
            wanted = " or ".join(_ARTICLE[name] for name in self.types)
            raise Invalid(f"{place} must be {wanted}, not {_name(value)}", where=where)
        size = value if isinstance(value, int | float) else len(value)  # type: ignore[arg-type]
        if not 0 <= size <= self.limit:
            raise Invalid(f"{place} is too large", where=where, hint=f"The limit is {self.limit}.")
        if self.choices and value not in self.choices:
            raise Invalid(
                f"{place} cannot be {value!r}", where=where, hint=f"Choose {', '.join(self.choices)}."
            )
        return read(self.fields, value, place + ".") if self.fields and isinstance(value, dict) else value

    @property
    def types(self) -> tuple[FieldType, ...]:
        """The types that a value may have."""
        return (self.type,) if isinstance(self.type, str) else self.type

    def schema(self) -> dict[str, Any]:
        """Give it as JSON schema."""
        kind: object = self.type if isinstance(self.type, str) else list(self.type)
        found: dict[str, Any] = {"type": kind, "description": self.about}
        if self.choices:
            found["enum"] = list(self.choices)
        if "array" in self.types:
            found["items"] = {}
        if "integer" in self.types or "number" in self.types:
            found |= {"minimum": 0, "maximum": self.limit}
        if self.fields:
            found |= {**schema(self.fields), "type": kind}
        if self.default is not None:
            found["default"] = self.default
        return found


_ARTICLE: dict[FieldType, str] = {
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "array": "a list",
}


def _is(value: object, name: FieldType) -> bool:
    """Whether a value has a type; true and false are no numbers."""
    return isinstance(value, bool) is (name == "boolean") and isinstance(value, _PYTHON[name])


def _name(value: object) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for kind, types in _PYTHON.items():
        if kind != "number" and isinstance(value, types):
            return _ARTICLE[kind]
    return "a number"


def read(fields: Iterable[Field], body: object, prefix: str = "") -> dict[str, Any]:
    """Take the body apart; every field is in the result. Raises Invalid for the first thing that is wrong."""
    known = {field.name: field for field in fields}
    if body is None:
        body = {}
    if not isinstance(body, Mapping):
        raise Invalid(f"the body must be a JSON object, not {_name(body)}")
    for name in body:
        if name not in known:
            expected = ", ".join(known) or "nothing"
            raise Invalid(
                f"{prefix}{name} is not known here",
                where=Where(field=prefix + name),
                hint=f"Known: {expected}.",
            )
    values = {}
    for name, field in known.items():
        value = body.get(name)
        if value is None:
            if field.required:
                raise Invalid(
                    f"{prefix}{name} is missing", where=Where(field=prefix + name), hint=field.about
                )
            values[name] = field.default
        else:
            values[name] = field.read(value, prefix + name)
    return values


def read_query(fields: Iterable[Field], given: Mapping[str, str]) -> dict[str, Any]:
    """As ``read``, for query arguments, which are all text; unknown ones are left to the server's own use."""
    fields = tuple(fields)
    body: dict[str, object] = {}
    for field in fields:
        text = given.get(field.name)
        if text is None or text == "":
            continue
        if "integer" in field.types:
            if not (text.isascii() and text.isdecimal() and len(text) <= 9):
                raise Invalid(
                    f"{field.name} must be a whole number, not {text[:40]!r}", where=Where(field=field.name)
                )
            body[field.name] = int(text)
        elif "boolean" in field.types:
            body[field.name] = text.lower() in {"1", "true", "yes"}
        else:
            body[field.name] = text
    return read(fields, body)


def schema(fields: Iterable[Field]) -> dict[str, Any]:
    """JSON schema of an object with these members and no others."""
    fields = tuple(fields)
    found: dict[str, Any] = {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields},
        "additionalProperties": False,
    }
    if required := [field.name for field in fields if field.required]:
        found["required"] = required
    return found
