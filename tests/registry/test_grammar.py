"""The filter grammar: what it accepts, what it means, and where it says that something is wrong."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.registry.grammar import COMPARISONS, MAX_DEPTH, TYPES, Comparison, Group, parse


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", None),
        (" -- nothing but a comment", None),
        ("name = 'a'", Comparison("name", "=", "a")),
        ('name = "a"', Comparison("name", "=", "a")),
        (r"name = 'it\'s'", Comparison("name", "=", "it's")),
        (r'name = "a\\b"', Comparison("name", "=", "a\\b")),
        ("accuracy>0.95", Comparison("accuracy", ">", 0.95)),
        ("accuracy > 1e-5", Comparison("accuracy", ">", 1e-5)),
        ("n <> -3", Comparison("n", "!=", -3)),
        ("ok = TRUE", Comparison("ok", "=", True)),
        ("name like '%x'", Comparison("name", "LIKE", "%x")),
        ("name ILike '%x'", Comparison("name", "ILIKE", "%x")),
        ("a in (1, 2)", Comparison("a", "IN", (1, 2))),
        ("a IN ()", Comparison("a", "IN", ())),
        ("a.b.c = 1", Comparison("a.b.c", "=", 1)),
        ("a.Double_Value = 1", Comparison("a", "=", 1, "double_value")),
        ("`a-b.c`.string_value = 'x'", Comparison("a-b.c", "=", "x", "string_value")),
        (r"`a\`b` = 1", Comparison("a`b", "=", 1)),
        ("double_value = 1", Comparison("double_value", "=", 1)),
        ("a = 1 -- why\nand b = 2", Group("AND", (Comparison("a", "=", 1), Comparison("b", "=", 2)))),
    ],
)
def test_meaning(text, meaning):
    assert parse(text) == meaning


def test_and_binds_closer_than_or():
    a, b, c = (Comparison(name, "=", 1) for name in "abc")
    assert parse("a = 1 OR b = 1 AND c = 1") == Group("OR", (a, Group("AND", (b, c))))
    assert parse("(a = 1 OR b = 1) AND c = 1") == Group("AND", (Group("OR", (a, b)), c))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name", "the end"),
        ("name =", "the end"),
        ("name = x", "'x' at character 8"),
        ("= 1", "'=' at character 1"),
        ("name = 'a' name = 'b'", "'name' at character 12"),
        ("(a = 1", "the end"),
        ("a = 1)", "')' at character 6"),
        ("a = 'open", '"\'" at character 5'),
        ("a IN 1", "'1' at character 6"),
        ("a IN (1 2)", "'2' at character 9"),
        ("NOT a = 1", "'a' at character 5"),
        ("a LIKE 1", "LIKE compares with a string"),
        ("a = 99999999999999999999", "64 bits"),
        ("a = 1e999", "too large"),
        ("`` = 1", "empty"),
        ("a; DROP TABLE records", "';' at character 2"),
    ],
)
def test_a_fault_is_named_with_its_place(text, place):
    with pytest.raises(Invalid) as error:
        parse(text)
    assert place in error.value.what
    assert error.value.where
    assert error.value.where.field == "filterQuery"


def test_limits():
    deep = "(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH
    assert parse(deep) == Comparison("a", "=", 1)
    for text in ["(" * 5000, f"({deep})", " OR ".join(["a = 1"] * 500), "a = '" + "x" * 20_000 + "'"]:
        with pytest.raises(Invalid):
            parse(text)


@given(st.text())
def test_any_text_has_a_meaning_or_is_refused(text):
    with suppress(Invalid):
        parse(text)


VALUES = st.one_of(
    st.text(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


def written(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if not isinstance(value, float) or "." in text or "e" in text else f"{text}.0"


def spelled(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


@st.composite
def comparisons(draw):
    operator = draw(st.sampled_from([sign for sign in COMPARISONS if sign != "<>"]))
    if operator == "IN":
        value = tuple(draw(st.lists(VALUES, max_size=4)))
        text = f"({', '.join(map(written, value))})"
    else:
        value = draw(st.text() if "LIKE" in operator else VALUES)
        text = written(value)
    name, kind = draw(st.text(min_size=1)), draw(st.none() | st.sampled_from(TYPES))
    suffix = f".{kind}" if kind else ""
    return f"{spelled(name)}{suffix} {operator} {text}", Comparison(name, operator, value, kind)


@st.composite
def expressions(draw, depth=2):
    if depth == 0 or draw(st.booleans()):
        return draw(comparisons())
    operator = draw(st.sampled_from(["AND", "OR"]))
    terms = draw(st.lists(expressions(depth - 1), min_size=2, max_size=3))
    text = f" {operator} ".join(f"({text})" for text, _ in terms)
    return text, Group(operator, tuple(meaning for _, meaning in terms))


@given(expressions())
def test_what_is_written_is_what_is_read(pair):
    text, meaning = pair
    assert parse(text) == meaning
