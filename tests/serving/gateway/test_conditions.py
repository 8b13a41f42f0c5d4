"""Conditions of graphs: what GJSON's syntax says, for the part that is supported, and a name for the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.serving import conditions

# The document of GJSON's own description, and of upstream's examples.
PEOPLE = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "children": ["Sara", "Alex", "Jack"],
    "fav.movie": "Deer Hunter",
    "nothing": None,
    "friends": [
        {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb", "tw"]},
        {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb", "tw"]},
        {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig", "tw"]},
    ],
}


@pytest.mark.parametrize(
    "condition",
    [
        *(
            "name",
            "name.last",
            "age",
            "children",
            "children.0",
            "children.1",
            "nothing",
            "child*.2",
            "c?ildren.0",
        ),
        *(
            "children.#",
            "friends.1",
            "friends.1.first",
            r"fav\.movie",
            "friends.#.first",
            "@this",
            "@this.age",
        ),
        *('friends.#(last=="Murphy").first', 'friends.#(last=="Murphy")#.first', "friends.#(age>45)#"),
        *('friends.#(first%"D*").last', 'friends.#(first!%"D*").last', 'friends.#(nets.#(=="fb"))#.first'),
        *("friends.#(nets)", "friends.#(age<=44)", "friends.#(age!=44).first", "friends.#(age>=68).first"),
        *('[@this].#(name.first=="Tom")', 'children.#(=="Sara")', 'children.#(%"S*")', "friends.#(age>99)#"),
    ],
)
def test_what_exists(condition):
    assert conditions.holds(condition, PEOPLE)


@pytest.mark.parametrize(
    "condition",
    [
        *("nobody", "name.middle", "children.3", "age.x", "children.first", "fav.movie", "name.#", "z*"),
        *('friends.#(last=="Nobody")', "friends.#(age>99)", 'friends.#(age>"44")', "friends.#(missing)"),
        *(
            '[@this].#(name.first=="Tim")',
            'name.#(first=="Tom")',
            'friends.#(nets=="fb")',
            "friends.#(age%44)",
        ),
    ],
)
def test_what_does_not(condition):
    assert not conditions.holds(condition, PEOPLE)


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("", "empty"),
        ("a..b", "empty"),
        ("a|b", r"\|"),
        ("children.@reverse", "@reverse"),
        ("{a,b}", "{"),
        ("friends.#(age>45", "not closed"),
        ('friends.#(name=="x)', "not closed"),
        ("friends.#(age>abc)", "abc"),
        ("friends.#(vegan==~true)", "~"),
        ("x" * 2000, "too long"),
        ("a.#(" * 30 + "b" + ")" * 30, "deep"),
    ],
)
def test_what_is_refused_by_name(condition, what):
    with pytest.raises(Invalid, match=what):
        conditions.parse(condition)


@given(st.text(alphabet='ab.#()"=<>%!*?@[]{}|\\~ 01', max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        parts = conditions.parse(text)
    except Invalid:
        return
    assert parts is not None
    conditions.holds(text, PEOPLE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
    )
)
def test_a_path_of_keys_is_found_where_it_is(value):
    document = json.loads(json.dumps(value))

    def walk(node, path):
        if path:
            assert conditions.holds(".".join(path), document)
        children = (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        )
        for name, child in children:
            walk(child, [*path, str(name)])

    walk(document, [])
