"""The YAML writer against PyYAML: what is read back is what was written."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_ext.pipelines.yaml_text import to_yaml

pytestmark = pytest.mark.contract

# Half a surrogate pair cannot be encoded, so it cannot stand in any file.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.sampled_from(
    [
        "yes",
        "No",
        "~",
        "1e5",
        "0o7",
        "1_000",
        "1:30",
        "2001-01-01",
        "- a",
        "a: b",
        "# no",
        " x\ny",
        "\n\na\n\n",
        "a\n ",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(trees)
@example({"a": " leading\n\n  more\n"})
@example({"a": ["\t\n x", "x\n\n\n"]})
@example(1e-7)
@example({"": {}, "b": []})
def test_what_is_read_back_is_what_was_written(tree: object) -> None:
    assert yaml.load(to_yaml(tree), Loader=yaml.CSafeLoader) == tree


def test_code_stays_readable() -> None:
    code = "def f(x):\n    return x + 1\n"
    assert to_yaml({"code": code}) == "code: |\n  def f(x):\n      return x + 1\n"


def test_comment_lines_come_first() -> None:
    assert to_yaml({"a": 1}, comment="one\n\ntwo") == "# one\n#\n# two\na: 1\n"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_without_json_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_yaml({"a": number})
