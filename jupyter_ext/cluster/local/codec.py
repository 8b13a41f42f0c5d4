"""How resources are written as text: JSON with the few rules that keep every reader able to parse it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jupyter_ext.cluster.resource import HEAVY, Resource
from jupyter_ext.errors import Invalid, Where

COLUMNS: Final = "api_version, kind, name, namespace, uid, resource_version, generation, created, labels, annotations, owner"
FULL: Final = f"{COLUMNS}, spec, status, NULL"
LIGHT: Final = f"{COLUMNS}, iif(summary IS NULL, spec, NULL), iif(summary IS NULL, status, NULL), summary"
_DEEPEST: Final = 100


def encode(value: Any, field: str = "") -> str:
    """Compact JSON. Raises Invalid naming the place of what JSON cannot hold.

    NaN and the infinities become the strings that protobuf's JSON mapping uses, because browsers and SQLite
    refuse the bare words.
    """
    try:
        return _dumps(value)
    except (TypeError, ValueError):
        pass
    try:
        return _dumps(_finite(value))
    except (TypeError, ValueError, RecursionError) as error:
        place, kind = next(_misfits(value, field, 0), (field, "value"))
        raise Invalid(
            f"A {kind} cannot be stored as JSON",
            where=Where(field=place or None),
            hint="Use numbers, strings, lists and dictionaries with string keys.",
        ) from error


def _dumps(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair, as in file names that are not UTF-8
            return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text


def decode(text: str) -> Any:
    """The inverse of encode."""
    return json.loads(text)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _misfits(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        yield path[:_DEEPEST], "value that contains itself"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _misfits(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _misfits(item, f"{path}[{index}]", depth + 1)
    elif not isinstance(value, str | int | float | bool | None):
        yield path, type(value).__name__


def summary(kind: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> str | None:
    """The resource without its heavy parts, or None when the kind has none."""
    paths = HEAVY.get(kind)
    if not paths:
        return None
    document: Any = {"spec": spec, "status": status}
    for path in paths:
        document = _without(document, path.split("."))
    return encode(document)


def _without(value: Any, path: list[str]) -> Any:
    """A copy that shares everything except the way to what is left out."""
    head, rest = path[0], path[1:]
    if head == "*" and isinstance(value, list):
        return [_without(item, rest) for item in value]
    if not isinstance(value, dict) or head not in value:
        return value
    if not rest:
        return {key: item for key, item in value.items() if key != head}
    inner = _without(value[head], rest)
    return value if inner is value[head] else {**value, head: inner}


class Written:
    """The text columns of a resource, in the order in which the statements name them."""

    def __init__(self, resource: Resource) -> None:
        spec, status = encode(resource.spec, "spec"), encode(resource.status, "status")
        search = f"{resource.name}\n{resource.title}".casefold().encode(errors="replace").decode()
        light = summary(resource.kind, resource.spec, resource.status)
        self.metadata = (
            encode(resource.labels, "metadata.labels"),
            encode(resource.annotations, "metadata.annotations"),
            resource.owner,
        )
        self.body = (spec, status, light, resource.phase, search)

    def stored(self, resource: Resource, **fields: Any) -> Resource:
        """The resource as a reader will see it, sharing nothing with the caller's."""
        labels, annotations, owner = self.metadata
        return resource.with_(
            labels=decode(labels),
            annotations=decode(annotations),
            owner=owner,
            spec=decode(self.body[0]),
            status=decode(self.body[1]),
            **fields,
        )


def read_row(row: tuple[Any, ...]) -> Resource:
    """The resource of a row that was selected as FULL or LIGHT."""
    api_version, kind, name, namespace, uid, version, generation, created, *rest = row
    labels, annotations, owner, spec, status, light = rest[:6]
    light = decode(light) if light is not None else None
    return Resource(
        api_version,
        kind,
        name,
        namespace,
        uid,
        version,
        generation,
        created,
        labels=decode(labels),
        annotations=decode(annotations),
        owner=owner,
        spec=light["spec"] if light else decode(spec),
        status=light["status"] if light else decode(status),
    )
