"""Filters and pages on a real file, held against the same thing done in Python."""

from __future__ import annotations

import operator
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.registry import metadata, paging
from jupyter_ext.registry.condition import glob_of
from jupyter_ext.registry.grammar import Comparison, Group

SIGNS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
         ">=": operator.ge}  # fmt: skip
NAMES = st.sampled_from(["iris", "Iris", "iris-2", "a%b", "a_b", "[x]", "a*b", "ü", "ends\\"])
VALUES = st.one_of(st.booleans(), st.integers(-5, 5), st.sampled_from([-0.5, 0.0, 0.5, 3.0]), NAMES)
MODELS = st.lists(
    st.tuples(st.sampled_from(["LIVE", "ARCHIVED"]), st.dictionaries(st.sampled_from("ab"), VALUES)),
    max_size=8,
)


def like(text: str, pattern: str, *, minds_case: bool = True) -> bool:
    expression, escaped = "", False
    for letter in pattern:
        if escaped or letter not in "\\%_":
            expression, escaped = expression + re.escape(letter), False
        elif letter == "\\":
            escaped = True
        else:
            expression += ".*" if letter == "%" else "."
    if escaped:
        expression += re.escape("\\")
    flags = re.DOTALL | (0 if minds_case else re.IGNORECASE | re.ASCII)
    return re.fullmatch(expression, text, flags) is not None


def kind_of(value: object) -> str:
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def holds(term, model) -> bool:
    if isinstance(term, Group):
        return {"AND": all, "OR": any}[term.operator](holds(one, model) for one in term.terms)
    if term.name in {"name", "state"}:
        found = model[term.name]
    elif term.name in model["custom"]:
        found = model["custom"][term.name]
    else:
        return False
    if term.operator in {"LIKE", "ILIKE"}:
        return isinstance(found, str) and like(found, term.value, minds_case=term.operator == "LIKE")
    if term.operator == "IN":
        kinds = {kind_of(value) for value in term.value}
        return kind_of(found) in kinds and any(
            kind_of(found) == kind_of(value) and found == value for value in term.value
        )
    return kind_of(found) == kind_of(term.value) and SIGNS[term.operator](found, term.value)


@st.composite
def terms(draw):
    name = draw(st.sampled_from(["name", "state", "a", "b"]))
    texts = st.sampled_from(["LIVE", "ARCHIVED"]) if name == "state" else NAMES
    values = texts if name in {"name", "state"} else VALUES
    sign = draw(st.sampled_from([*SIGNS, "LIKE", "ILIKE", "IN"]))
    if sign == "IN":
        kind = draw(st.sampled_from([texts, st.integers(-5, 5)])) if values is VALUES else texts
        return Comparison(name, sign, tuple(draw(st.lists(kind, max_size=3))))
    if "LIKE" in sign:
        return Comparison(name, sign, draw(st.text("iIr%_\\*[]?-2ab", max_size=6)))
    return Comparison(name, sign, draw(values))


FILTERS = st.recursive(
    terms(),
    lambda inner: st.builds(
        Group, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3).map(tuple)
    ),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    models=MODELS,
    where=FILTERS,
    size=st.integers(1, 4),
    down=st.booleans(),
    order=st.sampled_from(sorted(paging.COLUMNS)),
)
def test_filters_and_pages(service, models, where, size, down, order):
    from jupyter_ext.registry.entities import KINDS

    kind = [KINDS["RegisteredModel"]]
    before = len(service.store.list(kind)[0])
    known = []
    for number, (state, custom) in enumerate(models):
        name = ["iris", "Iris", "iris-2", "a%b", "a_b", "[x]", "a*b", "ends\\"][number] + str(before)
        body = {
            "name": name,
            "state": state,
            "customProperties": {k: metadata.from_python(v) for k, v in custom.items()},
        }
        known.append(
            {
                "id": service.create("RegisteredModel", body)["id"],
                "name": name,
                "state": state,
                "custom": custom,
            }
        )
    wanted = [model["id"] for model in known if holds(where, model)]
    if down:
        wanted.reverse()
    found, after = [], None
    floor = int(known[0]["id"]) if known else 10**9
    while True:
        page = paging.Paging(size, paging.COLUMNS[order], down, after)
        records, more = service.store.list(kind, paging=page, where=where, extra=("r.id >= ?", [floor]))
        assert len(records) <= size
        found += records
        if not more:
            break
        after = paging.decoded(paging.token(records[-1].id, getattr(records[-1], page.column)))
    assert [str(record.id) for record in found] == wanted


@given(st.text("ab*?[]%_\\", max_size=8), st.text("ab*?[]%_\\", max_size=8))
def test_glob_matches_what_like_would(pattern, text):
    import sqlite3

    connection = sqlite3.connect(":memory:")
    try:
        (found,) = connection.execute("SELECT ? GLOB ?", (text, glob_of(pattern))).fetchone()
    finally:
        connection.close()
    assert bool(found) == like(text, pattern)


@pytest.mark.parametrize(
    "text",
    ["id = 'x'", "name = 5", "createTimeSinceEpoch > true", "a.string_value = 5", "a.int_value = 'x'",
     "state IN ('LIVE', 1)", "a.bool_value = 3"],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(service, text):
    with pytest.raises(Invalid):
        service.list("RegisteredModel", {"filterQuery": text})


def test_fields_of_all_kinds_can_be_filtered(service):
    model = service.create(
        "RegisteredModel", {"name": "m", "language": ["en", "de"], "owner": "Ada", "description": "d"}
    )
    version = service.create("ModelVersion", {"name": "1", "registeredModelId": model["id"], "author": "Bob"})
    service.attach(
        "ModelVersion", version["id"], {"artifactType": "metric", "name": "acc", "value": 0.5, "step": 3}
    )
    service.attach("ModelVersion", version["id"], {"artifactType": "parameter", "name": "lr", "value": "0.1"})

    def names(kind, text):
        return [item["name"] for item in service.list(kind, {"filterQuery": text})["items"]]

    assert names("RegisteredModel", "language = 'de' AND owner ILIKE 'ADA' AND description = 'd'") == ["m"]
    assert names("ModelVersion", f"registeredModelId = {model['id']} AND author = 'Bob'") == ["1"]
    assert names("ModelVersion", f"registeredModelId = '{model['id']}'") == ["1"]
    assert names("Artifact", "value > 0.1 AND step = 3") == ["acc"]
    assert names("Artifact", "value = '0.1'") == ["lr"]
    assert names("RegisteredModel", f"id IN ({model['id']}, 77) AND createTimeSinceEpoch > 1") == ["m"]


@given(st.text(max_size=40))
def test_a_token_is_read_or_refused(text):
    try:
        found = paging.decoded(text)
    except Invalid:
        return
    assert paging.decoded(paging.token(*found)) == found


def test_pages_go_on_after_a_record_that_changed(service):
    ids = [service.create("RegisteredModel", {"name": f"m{number}"})["id"] for number in range(5)]
    first = service.list("RegisteredModel", {"pageSize": "2"})
    service.change("RegisteredModel", ids[1], {"owner": "new"})
    second = service.list("RegisteredModel", {"pageSize": "9", "nextPageToken": first["nextPageToken"]})
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert (second["size"], second["pageSize"], second["nextPageToken"]) == (3, 9, "")
