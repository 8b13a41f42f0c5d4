"""Parameters: what counts as one, and how a run sets it."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.model import Pipeline
from jupyter_ext.pipelines.parameters import bind
from tests.pipelines.analysis.building import check, edges

SOURCE = """# how fast
lr: float = 0.1  # keep me
epochs = 10
name = 'a' ; deep = False
sizes = [
    1,  # one
    2,
]
more = {"a": {"b": [1.5, None]}}
title: str | None = None
both = same = 3
computed = epochs * 2
first, second = 1, 2
"""


def pipeline(source: str = SOURCE) -> Pipeline:
    return check((source, ["parameters"]), "print(lr, epochs, name, deep, sizes, more, title, both, same)")


def values(bound: Pipeline) -> dict[str, Any]:
    """What the parameters' cell really defines."""
    space: dict[str, Any] = {}
    exec(bound.steps[0].cells[0].source, space)
    space.pop("__builtins__")
    space.pop("__annotations__", None)
    return space


def test_plain_assignments_of_literals_are_parameters() -> None:
    found = pipeline()
    assert [(item.name, item.type, item.default, item.line) for item in found.parameters] == [
        ("lr", "float", 0.1, 2),
        ("epochs", "int", 10, 3),
        ("name", "str", "a", 4),
        ("deep", "bool", False, 4),
        ("sizes", "list", [1, 2], 5),
        ("more", "dict", {"a": {"b": [1.5, None]}}, 9),
        ("title", "str", None, 10),
        ("both", "int", 3, 11),
        ("same", "int", 3, 11),
    ]
    assert all(item.cell == 1 for item in found.parameters)
    assert [item.message.split(" ")[0] for item in found.problems if item.code == "no-parameter"] == [
        "'computed'"
    ]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("float", "float"),
        ("Optional[int]", "int"),
        ("int | None", "int"),
        ("'list[int]'", "list"),
        ("typing.Dict[str, int]", "dict"),
        ("Final[str]", "str"),
    ],
)
def test_annotations_give_the_type(annotation: str, kind: str) -> None:
    source = f"from typing import *\nimport typing\nx: {annotation} = None"
    assert [item.type for item in check((source, ["parameters"]), "x").parameters] == [kind]


def test_the_last_definition_counts() -> None:
    found = check(("x = 1\nx = 'a'", ["parameters"]), "print(x)")
    assert [(item.type, item.default, item.line) for item in found.parameters] == [("str", "a", 2)]
    assert values(bind(found, {"x": "b"}))["x"] == "b"


CONVERSIONS: list[tuple[str, object, object]] = [
    ("lr", 0.5, 0.5),
    ("lr", 2, 2.0),
    ("lr", "1e-3", 1e-3),
    ("lr", " .5 ", 0.5),
    ("lr", "inf", math.inf),
    ("epochs", 3, 3),
    ("epochs", "-3", -3),
    ("epochs", "1_000", 1000),
    ("name", "b'\"\\\n", "b'\"\\\n"),
    ("name", "", ""),
    ("name", "3", "3"),
    ("deep", True, True),
    ("deep", "yes", True),
    ("deep", "TRUE", True),
    ("deep", "off", False),
    ("deep", "0", False),
    ("sizes", [], []),
    ("sizes", '[1, 2.5, "a", null]', [1, 2.5, "a", None]),
    ("sizes", "['a', None]", ["a", None]),
    ("more", '{"a": true}', {"a": True}),
    ("more", "{'a': True}", {"a": True}),
    ("title", "x", "x"),
    ("title", None, None),
]


@pytest.mark.parametrize(("name", "given_value", "expected"), CONVERSIONS)
def test_values_are_read_by_type(name: str, given_value: object, expected: object) -> None:
    bound = bind(pipeline(), {name: given_value})
    found = values(bound)
    assert found[name] == expected
    assert type(found[name]) is type(expected)
    assert {item.name: item.default for item in bound.parameters}[name] == expected
    untouched = {key: value for key, value in values(pipeline()).items() if key not in {name, "computed"}}
    assert {key: found[key] for key in untouched} == untouched


WRONG: list[tuple[str, object, str]] = [
    (
        "epochs",
        "ten",
        "parameter 'epochs' must be a whole number, not 'ten' (cell 1, line 3, field epochs). Its value in the notebook is 10.",
    ),
    ("epochs", 1.5, "must be a whole number, not 1.5"),
    ("epochs", True, "must be a whole number, not True"),
    ("epochs", "1.0", "must be a whole number"),
    ("lr", "fast", "must be a number"),
    ("lr", False, "must be a number"),
    ("lr", None, "must be a number"),
    ("name", 3, "must be a text"),
    ("deep", "maybe", "must be true or false"),
    ("deep", 1, "must be true or false"),
    ("sizes", "{}", "must be a list"),
    ("sizes", "[", "must be a list"),
    ("sizes", (1, 2), "must be a list"),
    ("sizes", [object], "must be a list"),
    ("more", "[]", "must be a mapping"),
    ("more", {1: 2}, "must be a mapping"),
    ("lrr", 1, "the notebook has no parameter 'lrr' (field lrr). Did you mean lr?"),
    ("zzz", 1, "Parameters: lr, epochs"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_nothing_else_is_accepted(name: str, value: object, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        bind(pipeline(), {name: value})
    assert sentence in str(caught.value)


def test_a_notebook_without_parameters_says_how_to_get_some() -> None:
    with pytest.raises(Invalid, match="tag the cell that assigns them with 'parameters'"):
        bind(check("x = 1"), {"x": 2})


def test_comments_and_lines_stay() -> None:
    bound = bind(pipeline(), {"lr": 0.5, "sizes": [3], "name": "é\n'", "epochs": 11})
    before, after = SOURCE.split("\n"), bound.steps[0].cells[0].source.split("\n")
    assert len(before) == len(after)
    assert after[0] == "# how fast"
    assert after[1] == "lr: float = 0.5  # keep me"
    assert after[2] == "epochs = 11"
    assert after[3] == 'name = "é\\n\'" ; deep = False'
    assert after[4:8] == ["sizes = ([3]", "", "", ")"]
    assert after[8:] == before[8:]


def test_names_that_share_a_literal_part_where_one_is_set() -> None:
    assert (
        bind(pipeline(), {"both": 4}).steps[0].cells[0].source.split("\n")[10] == "both = same = 3; both = 4"
    )
    found = values(bind(pipeline(), {"both": 4, "same": 5}))
    assert (found["both"], found["same"]) == (4, 5)
    assert "both = same = 4" in bind(pipeline(), {"both": 4, "same": 4}).steps[0].cells[0].source


def test_values_in_brackets_and_over_lines() -> None:
    source = "a = (\n    1  # one\n)\nb = '''x\ny'''\nc = d = (\n    2\n)\né = 'ü'; f = 1"
    bound = bind(check((source, ["parameters"]), "a"), {"a": 5, "b": "z", "c": 7, "f": 2})
    assert (
        bound.steps[0].cells[0].source
        == "a = (\n    5  # one\n)\nb = ('z'\n)\nc = d = (\n    2\n); c = 7\né = 'ü'; f = 2"
    )
    assert values(bound) == {"a": 5, "b": "z", "c": 7, "d": 2, "é": "ü", "f": 2}


def test_binding_again_and_binding_nothing() -> None:
    once = bind(pipeline(), {"lr": 0.5})
    assert values(bind(once, {"lr": 0.7, "epochs": 1}))["lr"] == 0.7
    assert bind(once, {}) is once


def test_what_the_value_decides_is_found_anew() -> None:
    found = check(("out = 'a.csv'", ["parameters"]), "open('b.csv', 'w')", "open(out)")
    assert "cell-2>cell-3" not in edges(found)
    assert "cell-2>cell-3" in edges(bind(found, {"out": "b.csv"}))


def test_everything_else_stays_as_it_was() -> None:
    found = check(
        ("lr = 0.1", ["pipeline-parameters"]),
        ("x = lr", ["step:a", "limit:cpu:2", "retry:1", "weather"]),
        ("y = v", ["step:b", "prev:a", "for:v in [x]", "collect:y"]),
        ("print(y)", ["pipeline-metrics"]),
    )
    bound = bind(found, {"lr": "0.2"})
    assert bound.steps[1:] == found.steps[1:]
    assert (bound.edges, bound.problems, bound.metrics, bound.name, bound.order, bound.grammar) == (
        found.edges,
        found.problems,
        found.metrics,
        found.name,
        found.order,
        found.grammar,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "lr": st.floats(allow_nan=False),
            "epochs": st.integers(),
            "name": st.text(),
            "deep": st.booleans(),
            "sizes": st.lists(json_values, max_size=4),
            "more": st.dictionaries(st.text(), json_values, max_size=4),
            "title": st.text() | st.none(),
            "both": st.integers(),
        },
    ),
)
def test_every_value_comes_back(given_values: dict[str, Any]) -> None:
    bound = bind(pipeline(), given_values)
    found = values(bound)
    assert {name: found[name] for name in given_values} == given_values
    assert {name: type(found[name]) for name in given_values} == {
        name: type(v) for name, v in given_values.items()
    }
    assert len(bound.steps[0].cells[0].source.split("\n")) == len(SOURCE.split("\n"))
    ast.parse(bound.steps[0].cells[0].source)
