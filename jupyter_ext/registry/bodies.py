"""What a request may contain: a JSON body checked against a kind, and a record as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.registry import metadata
from jupyter_ext.registry.entities import KINDS, Field, Kind
from jupyter_ext.registry.store import Record

Mode = Literal["create", "update", "whole"]
"""``whole`` is a record as it is answered, given back: output fields are allowed, and an id."""

ID: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_MILLIS: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_URI: Final = re.compile(
    r"[a-z][a-z0-9+.-]*:(?:[\w\-.~:/?#@!$&'()*+,;=\[\]]|%[0-9a-f]{2})*", re.ASCII | re.IGNORECASE
)
_INT64: Final = 1 << 63


class Missing(KubeflowError):
    """A required field is missing: upstream's 422."""

    status = 422


@dataclass(frozen=True)
class Body:
    """What was given. ``fields`` has the description too; ``custom`` is None where nothing was said."""

    id: int | None
    name: str | None
    external_id: str | None
    fields: dict[str, Any]
    custom: dict[str, metadata.Property] | None


def read(kind: Kind, value: object, mode: Mode, given: Mapping[str, str] | None = None) -> Body:
    """Check a body; ``given`` are fields from the path. Raises Invalid and Missing. null counts as not there."""
    if not isinstance(value, Mapping):
        raise Invalid("the body is not a JSON object")
    found = {key: content for key, content in value.items() if content is not None}
    found.update(given or {})
    known = kind.by_name
    fields: dict[str, Any] = {}
    for key, content in found.items():
        if key in known:
            if _allowed(known[key], mode):
                if content or known[key].type != "id":  # an empty one is none
                    fields[key] = _field(known[key], content)
                continue
        elif key in _COMMON and mode in _COMMON[key]:
            if key != "customProperties":
                _limited(text(content, key), key, kind)
            continue
        elif key == "artifactType" and kind.artifact:
            if content != kind.artifact:
                raise Invalid(f"artifactType is {content!r}, not {kind.artifact}", where=Where(field=key))
            continue
        # The words are those of upstream's JSON decoder, which its clients look for.
        raise Invalid(f'json: unknown field "{key[:100]}"', where=Where(field=key[:100]))
    if found.get("description") is not None:
        fields["description"] = found["description"]
    if mode != "update":
        _require(kind, found)
    return Body(
        identifier(found["id"], kind.words) if mode == "whole" and "id" in found else None,
        found.get("name") or None,
        found.get("externalId") or None,
        {key: content for key, content in fields.items() if not known.get(key, _TEXT).output},
        _properties(found.get("customProperties")),
    )


_TEXT: Final = Field("description")
_COMMON: Final[dict[str, tuple[Mode, ...]]] = {
    "description": ("create", "update", "whole"),
    "externalId": ("create", "update", "whole"),
    "customProperties": ("create", "update", "whole"),
    "name": ("create", "whole"),
    "id": ("whole",),
    "createTimeSinceEpoch": ("whole",),
    "lastUpdateTimeSinceEpoch": ("whole",),
}
NAME_LENGTH: Final = 255
_PREFIX: Final = 5


def _limited(value: str, name: str, kind: Kind) -> None:
    """Names as long as upstream's columns take; that of what belongs to something has its id before it."""
    limit = NAME_LENGTH - (_PREFIX if kind.parent or kind.artifact else 0)
    if name in {"name", "externalId"} and len(value) > limit:
        raise Invalid(f"{name} has {len(value)} characters, at most {limit} fit", where=Where(field=name))


def _allowed(field: Field, mode: Mode) -> bool:
    return mode == "whole" or not (field.output or (field.create and mode == "update"))


def _require(kind: Kind, found: Mapping[str, Any]) -> None:
    needed = [field.name for field in kind.fields if field.required] + (["name"] if kind.named else [])
    for name in needed:
        if not found.get(name):
            raise Missing(f"required field '{name}' is zero value.", where=Where(field=name))


def text(value: object, name: str) -> str:
    """The value if it is a text that can be stored; raises Invalid."""
    if not isinstance(value, str):
        raise Invalid(f"{name} is not a string", where=Where(field=name))
    return storable(value, name)


def storable(value: str, name: str) -> str:
    """The text, unless it has a NUL or half a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{name} has half of a surrogate pair", where=Where(field=name)) from None
    if "\0" in value:
        raise Invalid(f"{name} has a null byte", where=Where(field=name))
    return value


def identifier(value: object, words: str) -> int:
    """An id from its text; raises Invalid."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise Invalid(f"invalid {words} ID: {str(value)[:40]!r}", where=Where(field="id"))
    return int(value)


def _field(field: Field, value: object) -> Any:
    where = Where(field=field.name)
    if field.type == "strings":
        if not isinstance(value, list):
            raise Invalid(f"{field.name} is not a list of strings", where=where)
        return [text(entry, field.name) for entry in value]
    if field.type == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not metadata.is_finite(value):
            raise Invalid(f"{field.name} is not a finite number", where=where)
        return float(value)
    if field.type == "integer":
        return _integer(field, value)
    found = text(value, field.name)
    if field.choices and found not in field.choices:
        raise Invalid(
            f"{field.name} is {found[:40]!r}", where=where, hint=f"One of {', '.join(field.choices)}."
        )
    if field.type == "id" and not ID.fullmatch(found):
        raise Invalid(f"{field.name} {found[:40]!r} is not an id", where=where)
    if field.type == "uri" and not (found == "" or _URI.fullmatch(found)):
        raise Invalid(f"{field.name} {found[:60]!r} is not a URI", where=where)
    if field.type == "millis" and not _MILLIS.fullmatch(found):
        raise Invalid(
            f"{field.name} {found[:40]!r} is not a whole number of milliseconds, as a string", where=where
        )
    return found


def _integer(field: Field, value: object) -> int:
    """JSON knows no integers: 3.0 is one too. v1 writes them as strings."""
    if isinstance(value, str) and _MILLIS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise Invalid(f"{field.name} is not a whole number of 64 bits", where=Where(field=field.name))
    return value


def _properties(value: object) -> dict[str, metadata.Property] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Invalid("customProperties is not an object", where=Where(field="customProperties"))
    found = {}
    for name, content in value.items():
        where = f"customProperties.{storable(name, 'customProperties')[:100]}"
        found[name] = metadata.checked(content, where)
        for part in found[name].values():
            if isinstance(part, str):
                storable(part, where)
    return found


def defaults(kind: Kind) -> dict[str, Any]:
    """What the fields of a new record are where nothing is said."""
    return {field.name: field.default for field in kind.fields if field.default is not None}


_URIS: Final = frozenset(
    field.name for kind in KINDS.values() for field in kind.fields if field.type == "uri"
)
"""An empty one is none."""


def to_json(kind: Kind, record: Record, version: str) -> dict[str, Any]:
    """The record as the REST API answers it."""
    fields = {name: value for name, value in record.fields.items() if value or name not in _URIS}
    if kind.artifact:
        fields["artifactType"] = kind.artifact
        if version == "v1":
            fields.pop("experimentId", None)
            fields.pop("experimentRunId", None)
            if "step" in fields:
                fields["step"] = str(fields["step"])
    found = {
        **fields,
        "id": str(record.id),
        "name": record.name,
        "customProperties": record.custom,
        "createTimeSinceEpoch": str(record.created),
        "lastUpdateTimeSinceEpoch": str(record.updated),
    }
    if record.external_id is not None:
        found["externalId"] = record.external_id
    return found
