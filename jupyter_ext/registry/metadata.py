"""Typed custom properties: the ``MetadataValue`` of the wire, checked, and its plain Python value."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

Property = dict[str, Any]

_SLOT: Final = {
    "MetadataStringValue": "string_value",
    "MetadataIntValue": "int_value",
    "MetadataDoubleValue": "double_value",
    "MetadataBoolValue": "bool_value",
    "MetadataStructValue": "struct_value",
    "MetadataProtoValue": "proto_value",
}
INT32: Final = 1 << 31


def checked(value: object, where: str) -> Property:
    """The value if it is a ``MetadataValue``; raises Invalid."""
    if not isinstance(value, Mapping):
        raise Invalid("a custom property is an object with a metadataType", where=Where(field=where))
    tag = value.get("metadataType")
    slot = _SLOT.get(tag) if isinstance(tag, str) else None
    if slot is None:
        raise Invalid(
            f"metadataType {tag!r} is not known" if tag is not None else "metadataType is missing",
            where=Where(field=where),
            hint=f"Use one of {', '.join(_SLOT)}.",
        )
    wanted = {"metadataType", slot} | ({"type"} if tag == "MetadataProtoValue" else set())
    if set(value) != wanted:
        wrong = sorted(map(str, set(value) ^ wanted))
        raise Invalid(
            f"a {tag} has {', '.join(sorted(wanted))}, and nothing else (wrong: {', '.join(wrong)})",
            where=Where(field=where),
        )
    content = value[slot]
    if not _GOOD[slot](content) or not isinstance(value.get("type", ""), str):
        raise Invalid(f"{slot} does not fit a {tag}", where=Where(field=where), hint=_HINT.get(slot))
    return dict(value)


_HINT: Final = {
    "int_value": "It is a string with a whole number of 32 bits.",
    "double_value": "It is a finite number.",
    "struct_value": "It is base64.",
    "proto_value": "It is base64.",
}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_int32(value: object) -> bool:
    if not isinstance(value, str):
        return False
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        return False
    return (digits == "0" == value or digits[0] != "0") and -INT32 <= int(value) < INT32


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and is_finite(value)


def is_finite(value: float) -> bool:
    """Whether it can be written as a JSON number and read back."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _is_base64(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_GOOD: Final[dict[str, Callable[[object], bool]]] = {
    "string_value": _is_text,
    "int_value": _is_int32,
    "double_value": _is_finite,
    "bool_value": lambda value: isinstance(value, bool),
    "struct_value": _is_base64,
    "proto_value": _is_base64,
}


def from_python(value: object) -> Property:
    """The property for a plain value; what is no scalar becomes a struct, an int beyond 32 bits a double."""
    if isinstance(value, bool):
        return {"metadataType": "MetadataBoolValue", "bool_value": value}
    if isinstance(value, int) and -INT32 <= value < INT32:
        return {"metadataType": "MetadataIntValue", "int_value": str(value)}
    if isinstance(value, (int, float)) and is_finite(value):
        return {"metadataType": "MetadataDoubleValue", "double_value": float(value)}
    if isinstance(value, str):
        return {"metadataType": "MetadataStringValue", "string_value": value}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return from_python(value.item())
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        return {"metadataType": "MetadataStringValue", "string_value": str(value)}
    return {"metadataType": "MetadataStructValue", "struct_value": base64.b64encode(text.encode()).decode()}


def to_python(value: Mapping[str, Any]) -> Any:
    """The plain value of a property; a struct that is no JSON stays its bytes."""
    tag = value.get("metadataType")
    if tag == "MetadataIntValue":
        return int(value["int_value"])
    if tag in {"MetadataStructValue", "MetadataProtoValue"}:
        raw = base64.b64decode(value[_SLOT[tag]])
        try:
            return json.loads(raw)
        except ValueError:
            return raw
    return value.get(_SLOT.get(str(tag), ""))


def indexed(value: Mapping[str, Any]) -> tuple[str, Any]:
    """Type and value by which a filter finds the property."""
    tag = str(value["metadataType"])
    slot = _SLOT[tag]
    content = value[slot]
    if slot in {"int_value", "bool_value"}:
        content = int(content)
    elif slot == "double_value":
        content = float(content)
    return slot, content
