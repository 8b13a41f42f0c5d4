"""The expressions of triggers and selectors, as CEL has them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.compiled.condition import check, is_true, select

PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


def _quoted(text: str) -> str:
    return "'" + "".join(f"\\U{ord(letter):08x}" for letter in text) + "'"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("inputs.parameter_values['x'] == 'heads'", True),
        ("!(inputs.parameter_values['x'] == 'heads') && true", False),
        ("int(inputs.parameter_values['n']) > 5 || inputs.parameter_values['x'] == 'tails'", True),
        ("!(int(inputs.parameter_values['n']) < 5) && !(int(inputs.parameter_values['n']) == 6)", True),
        ("inputs.parameter_values['yes'] == true", True),
        ("inputs.parameter_values['yes'] == 'true'", False),
        ("double(inputs.parameter_values['r']) >= 0.5", True),
        ("inputs.parameter_values['n'] == 7.0", True),
        ("'ea' in ['ea'] && inputs.parameter_values['x'].startsWith('he')", True),
        ("true || inputs.parameter_values['gone'] == 1", True),
        ("false && inputs.parameter_values['gone'] == 1", False),
        ("inputs.parameter_values['n'] > 5 ? inputs.parameter_values['yes'] : false", True),
        ("size(inputs.parameter_values['list']) == 2 && inputs.parameter_values['list'][1] == 'b'", True),
        ("1 + 2 * 3 == 7 && -7 / 2 == -3 && -7 % 2 == -1", True),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    values = {"x": "heads", "n": 7, "yes": True, "r": 0.5, "list": ["a", "b"]}
    check(text)
    assert is_true(text, values) is holds


@pytest.mark.parametrize(
    "text",
    ["", "1", "'a'", "1 ==", "a b", "inputs.parameter_values['gone'] == 1", "1 && true", "!1", "'a' < 1", "int('x') > 1",
     "1 / 0 == 1", "unknown(1)", "__import__('os')", "inputs.__class__ == 1", "(" * 200 + "1" + ")" * 200, "true" * 9000,
     "1 === 1", "'a", "true ? 1 : 2"],
)  # fmt: skip
def test_what_has_no_truth_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        is_true(text, {"x": 1})


@given(PLAIN, some.text(min_size=1))
def test_selectors_take_a_part(value: Any, key: str) -> None:
    found = select(
        f"parseJson(string_value)[{_quoted(key)}]",
        {key: value, "other": 1} if key != "other" else {key: value},
    )
    assert json.dumps(found) == json.dumps(value)


@given(some.text(), some.text())
def test_texts_are_equal_when_they_are(one: str, other: str) -> None:
    assert is_true(f"inputs.parameter_values['a'] == {_quoted(other)}", {"a": one}) is (one == other)


@given(some.text(max_size=60))
def test_any_text_is_an_answer_or_a_refusal(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert isinstance(is_true(text, {}), bool)
