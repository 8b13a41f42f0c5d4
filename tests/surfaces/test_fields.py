from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.server.fields import Field, read, read_query, schema

FIELDS = (
    Field("path", "string", "Where.", required=True, limit=20),
    Field("cache", "boolean", "Whether.", default=True),
    Field("limit", "integer", "How many.", limit=500),
    Field("mime", "string", "As what.", choices=("a", "b")),
    Field("options", "object", "What.", default={}, fields=(Field("from", "string", "From."),)),
    Field("names", "array", "Which.", limit=3),
    Field(
        "target",
        ("string", "object"),
        "To.",
        limit=5,
        fields=(Field("from", "string", "From.", required=True),),
    ),
)


def test_every_field_is_in_the_result():
    assert read(FIELDS, {"path": "x"}) == {
        "path": "x", "cache": True, "limit": None, "mime": None, "options": {}, "names": None, "target": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "path is missing"),
        ([], "the body must be a JSON object, not a list"),
        ({"path": 3}, "path must be a string, not a whole number"),
        ({"path": True}, "path must be a string, not true or false"),
        ({"path": "x" * 21}, "path is too large"),
        ({"path": "x", "cache": 1}, "cache must be true or false, not a whole number"),
        ({"path": "x", "limit": True}, "limit must be a whole number, not true or false"),
        ({"path": "x", "limit": 1.5}, "limit must be a whole number, not a number"),
        ({"path": "x", "limit": 501}, "limit is too large"),
        ({"path": "x", "limit": -1}, "limit is too large"),
        ({"path": "x", "mime": "c"}, "mime cannot be 'c'"),
        ({"path": "x", "colour": 1}, "colour is not known here"),
        ({"path": "x", "options": {"to": "a"}}, "options.to is not known here"),
        ({"path": "x", "options": {"from": 1}}, "options.from must be a string, not a whole number"),
        ({"path": "x", "names": [1, 2, 3, 4]}, "names is too large"),
        ({"path": "x", "target": 1}, "target must be a string or an object, not a whole number"),
        ({"path": "x", "target": {}}, "target.from is missing"),
        ({"path": "x", "target": {"from": "a", "to": "b"}}, "target.to is not known here"),
    ],
)
def test_what_is_wrong_is_named(body, sentence):
    with pytest.raises(Invalid) as refused:
        read(FIELDS, body)
    assert refused.value.what == sentence


def test_query_arguments_are_text():
    query = (Field("limit", "integer", "", limit=9), Field("all", "boolean", ""), Field("q", "string", ""))
    assert read_query(query, {"limit": "5", "all": "true", "q": "5", "token": "secret"}) == {
        "limit": 5,
        "all": True,
        "q": "5",
    }
    assert read_query(query, {"q": ""}) == {"limit": None, "all": None, "q": None}
    for wrong in ("-1", "1.5", "٣", "9" * 30):
        with pytest.raises(Invalid):
            read_query(query, {"limit": wrong})


simple = st.none() | st.booleans() | st.integers(-600, 600) | st.sampled_from(["", "a", "ü" * 21])
values = (
    simple
    | st.lists(simple, max_size=4)
    | st.dictionaries(st.sampled_from(["from", "x"]), simple, max_size=2)
)


@given(st.dictionaries(st.sampled_from([field.name for field in FIELDS]), values))
def test_reading_and_the_described_schema_agree(body):
    """What the OpenAPI file allows is taken; lengths are left to the reader."""
    try:
        read(FIELDS, body)
        taken = True
    except Invalid as error:
        if "too large" in error.what and not isinstance(body.get("limit"), int):
            return
        taken = False
    given_values = {name: value for name, value in body.items() if value is not None}
    for name in ("options", "target"):
        if isinstance(given_values.get(name), dict):
            given_values[name] = {k: v for k, v in given_values[name].items() if v is not None}
    valid = jsonschema.Draft202012Validator(json.loads(json.dumps(schema(FIELDS)))).is_valid(given_values)
    assert taken == valid
