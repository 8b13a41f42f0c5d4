"""What a search box means: words, or a filter, over models and all their versions.

A filter may mix what models have with what versions have: ``owner = 'ada' AND accuracy > 0.9`` finds the models of ada
with a version that accurate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from jupyter_ext.errors import Invalid
from jupyter_ext.registry import grammar
from jupyter_ext.registry.condition import Condition, condition
from jupyter_ext.registry.entities import KINDS
from jupyter_ext.registry.grammar import Comparison, Expression
from jupyter_ext.registry.paging import Paging
from jupyter_ext.registry.store import Record, Store

MODEL, VERSION = KINDS["RegisteredModel"], KINDS["ModelVersion"]
WORDS: Final = 20
"""Words of a search at most."""
MATCHES: Final = 5
"""So many versions that were met are named for each model."""
_LIKE_A_FILTER: Final = re.compile(r"[=<>]|\b(?:I?LIKE|IN)\b\s*['\"(]", re.IGNORECASE)
_FIELDS: Final = frozenset(
    ["name", "description", "id", "externalId", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch"]
)


@dataclass(frozen=True)
class Found:
    """A page of models. ``matches`` has the names of the versions that met the search, by the model's id."""

    models: list[Record]
    more: bool
    matches: dict[int, list[str]]


def read(text: str) -> Expression | list[str] | None:
    """A filter, or words. Raises Invalid for what looks like a filter and is none."""
    try:
        return grammar.parse(text)
    except Invalid:
        if _LIKE_A_FILTER.search(text):
            raise
    return text.split()[:WORDS]


def version_words(words: list[str]) -> str:
    """Words as a filter of versions, in the grammar that every registry knows."""
    return _quoted(words, ("name", "description", "author"))


def model_words(words: list[str]) -> str:
    """Words as a filter of models."""
    return _quoted(words, ("name", "description", "owner"))


def _quoted(words: list[str], fields: tuple[str, ...]) -> str:
    parts = []
    for word in words:
        pattern = re.sub(r"([\\%_'])", r"\\\1", word)
        parts.append("(" + " OR ".join(f"{name} ILIKE '%{pattern}%'" for name in fields) + ")")
    return " AND ".join(parts)


def models(
    store: Store,
    text: str = "",
    *,
    states: tuple[str, ...] = ("LIVE",),
    limit: int = 50,
    before: int | None = None,
) -> Found:
    """A page of models, newest first, that meet the search themselves or by a version."""
    asked = read(text)
    parts: list[str] = []
    values: list[Any] = []
    if states:
        parts.append(f"ifnull(json_extract(r.fields, '$.state'), 'LIVE') IN ({', '.join('?' * len(states))})")
        values += states
    if before is not None:
        parts.append("r.id < ?")
        values.append(before)
    mine, theirs = _conditions(asked)
    if mine is not None and theirs is not None:
        parts.append(
            f"({mine[0]} OR r.id IN (SELECT r.parent FROM records r WHERE r.kind = 'ModelVersion' AND {theirs[0]}))"  # noqa: S608 - our own constants only; values are bound
        )
        values += [*mine[1], *theirs[1]]
    page = Paging(limit, "id", descending=True)
    with store.snapshot():
        extra = (" AND ".join(parts), values) if parts else None
        records, more = store.list([MODEL], paging=page, extra=extra)
        matches: dict[int, list[str]] = {}
        if theirs is not None:
            few = Paging(MATCHES, "id", descending=True)
            for record in records:
                versions, _ = store.list([VERSION], parent=record.id, paging=few, extra=theirs)
                matches[record.id] = [version.name for version in versions]
    return Found(records, more, matches)


def _conditions(asked: Expression | list[str] | None) -> tuple[Condition | None, Condition | None]:
    """Of models, and of versions."""
    if asked is None:
        return None, None
    if isinstance(asked, list):
        return _words(asked, MODEL.name), _words(asked, VERSION.name)
    return _either(asked), _of_version(asked)


def _words(words: list[str], kind: str) -> Condition:
    """Each word is in a text of the record: a name, a description, the owner, the author, a property."""
    fields = ("description", "owner", "readme") if kind == MODEL.name else ("description", "author")
    columns = [
        *(["r.name"] if kind == MODEL.name else []),
        *(f"json_extract(r.fields, '$.{name}')" for name in fields),
    ]
    parts, values = [], list[Any]()
    for word in words:
        pattern = "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
        texts = [f"{column} LIKE ? ESCAPE '\\'" for column in columns]
        texts.append(
            "EXISTS (SELECT 1 FROM properties p WHERE p.record = r.id AND p.type = 'string_value'"
            " AND p.value LIKE ? ESCAPE '\\')"
        )
        parts.append(f"({' OR '.join(texts)})")
        values += [pattern] * len(texts)
    return (" AND ".join(parts) if parts else "1"), values


def _either(asked: Expression) -> Condition:
    """On a model by itself; what only a version can be compared with is false there."""
    return _walk(asked, lambda term: _tried(term, of_model=True) or ("0", []))


def _of_version(asked: Expression) -> Condition:
    """On a version, each comparison being true of the version or of its model."""

    def leaf(term: Comparison) -> Condition:
        mine, model = _tried(term, of_model=False), _tried(term, of_model=True)
        if model is None or (term.name in _FIELDS | set(VERSION.by_name) and mine is not None):
            return mine or condition(term, [VERSION])
        text = f"r.parent IN (SELECT r.id FROM records r WHERE r.kind = 'RegisteredModel' AND {model[0]})"  # noqa: S608 - our own constants only; values are bound
        return (text, model[1]) if mine is None else (f"({mine[0]} OR {text})", [*mine[1], *model[1]])

    return _walk(asked, leaf)


def _tried(term: Comparison, *, of_model: bool) -> Condition | None:
    try:
        return condition(term, [MODEL if of_model else VERSION])
    except Invalid:
        return None


def _walk(asked: Expression, leaf: Any) -> Condition:
    if isinstance(asked, Comparison):
        found: Condition = leaf(asked)
        return found
    parts = [_walk(term, leaf) for term in asked.terms]
    return (
        "(" + f" {asked.operator} ".join(text for text, _ in parts) + ")",
        [value for _, values in parts for value in values],
    )


def properties(store: Store, limit: int = 500) -> list[dict[str, Any]]:
    """The names that a filter can use: fields, and the custom properties that there are."""
    fields = [
        {"name": field.name, "type": "string", "of": word, "count": 0}
        for word, kind in (("model", MODEL), ("version", VERSION))
        for field in kind.fields
        if not field.output and field.type != "id"
    ]
    query = (
        "SELECT p.name, p.type, r.kind, count(*) FROM properties p JOIN records r ON r.id = p.record"
        " WHERE r.kind IN ('RegisteredModel', 'ModelVersion') AND p.type <> 'struct_value'"
        " GROUP BY p.name, p.type, r.kind ORDER BY count(*) DESC LIMIT ?"
    )
    found = [
        {
            "name": name,
            "type": kind.removesuffix("_value"),
            "of": "model" if owner == MODEL.name else "version",
            "count": count,
        }
        for name, kind, owner, count in store.rows(query, (limit,))
    ]
    return [{"name": "name", "type": "string", "of": "model", "count": 0}, *fields, *found]
