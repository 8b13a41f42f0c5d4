"""Parameters: their text, their place in Katib's resource, and what is drawn."""

from __future__ import annotations

import contextlib
import math
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.tuning import katib
from jupyter_ext.tuning.grammar import parse
from jupyter_ext.tuning.signature import space_of
from jupyter_ext.tuning.space import (
    DISTRIBUTIONS,
    categorical,
    combinations,
    continuous,
    discrete,
    double,
    int_,
    space_from,
)

finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}"))
positive = st.floats(1e-6, 1e6).map(lambda value: float(f"{value:.6g}"))


@st.composite
def doubles(draw):
    distribution = draw(st.sampled_from(DISTRIBUTIONS))
    ends = positive if distribution.startswith("log") else finite
    low, high = sorted([draw(ends), draw(ends)])
    step = draw(st.none() | st.integers(1, 50).map(lambda parts: float(f"{(high - low) / parts:.3g}")))
    step = step if step and 0 < step <= high - low else None
    return double(low, high, step=step, distribution=distribution)


@st.composite
def ints(draw):
    distribution = draw(st.sampled_from(DISTRIBUTIONS))
    least = 1 if distribution.startswith("log") else -(10**6)
    low, high = sorted([draw(st.integers(least, 10**6)), draw(st.integers(least, 10**6))])
    step = draw(st.none() | st.integers(1, max(high - low, 1))) if high > low else None
    return int_(low, high, step=step, distribution=distribution)


def distinct(values):
    texts = [repr(value) if isinstance(value, float) else str(value) for value in values]
    return len(set(texts)) == len(texts)


scalars = st.text(max_size=12) | st.integers(-100, 100) | finite | st.booleans() | st.none()
categoricals = (
    st.lists(scalars, min_size=1, max_size=6).filter(distinct).map(lambda values: categorical(*values))
)
discretes = (
    st.lists(st.integers(-1000, 1000) | finite, min_size=1, max_size=8)
    .filter(distinct)
    .map(lambda v: discrete(*v))
)
parameters = doubles() | ints() | categoricals | discretes


def same(one, other) -> bool:
    """Equal, the types of the choices too."""
    return one == other and [type(c) for c in one.choices] == [type(c) for c in other.choices]


@given(parameters)
def test_text_and_back(parameter):
    assert same(parse(str(parameter)), parameter)


@given(parameters)
def test_code_and_back(parameter):
    names = {"double": double, "int_": int_, "discrete": discrete, "categorical": categorical}
    assert same(eval(parameter.code(), names), parameter)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), parameters, min_size=1, max_size=4
    )
)
def test_katib_and_back(space):
    from jupyter_ext.tuning.katib import from_katib, to_katib, typed_choices

    listed = to_katib(space)
    assert all(isinstance(text, str) for item in listed for text in item["feasibleSpace"].get("list", []))
    back = from_katib(listed, typed_choices(space))
    assert back.keys() == space.keys()
    assert all(same(back[name], space[name]) for name in space)


@given(parameters, st.floats(0, 1))
def test_what_is_drawn_is_allowed(parameter, unit):
    value = parameter.at(unit)
    if not parameter.numeric:
        assert any(value is choice or value == choice for choice in parameter.choices)
    else:
        assert type(value) is (int if parameter.kind == "int" else float)
        assert parameter.low <= value <= parameter.high
        if parameter.step:
            steps = (value - parameter.low) / parameter.step
            assert steps == pytest.approx(round(steps), abs=1e-6)
    assert parameter.read(parameter.text(value)) == value


@given(parameters, st.floats(0, 1))
def test_the_place_of_a_value_gives_the_value(parameter, unit):
    value = parameter.at(unit)
    again = parameter.at(parameter.place(value))
    if isinstance(value, float) and parameter.numeric:
        assert again == pytest.approx(value, rel=1e-3, abs=1e-6 + (parameter.high - parameter.low) * 1e-6)
    else:
        assert again == value


@given(parameters)
def test_size_and_values_agree(parameter):
    size = parameter.size()
    if size is not None and size < 5000:
        values = parameter.values()
        assert len(values) == size
        if parameter.numeric:
            assert values[0] == parameter.low
            assert values[-1] <= parameter.high


@given(st.text(max_size=60))
def test_any_text_is_a_parameter_or_an_error_of_ours(text):
    with contextlib.suppress(Invalid):
        parse(text)


def test_distributions_are_what_they_are_called():
    places = [(n + 0.5) / 1000 for n in range(1000)]
    normal = [double(-1, 1, distribution="normal").at(place) for place in places]
    assert sum(abs(value) < 1 / 3 for value in normal) == pytest.approx(683, abs=8), "one sigma is a third"
    logarithmic = [double(1e-4, 1, log=True).at(place) for place in places]
    assert sum(value < 1e-2 for value in logarithmic) == pytest.approx(500, abs=2)
    counted = [int_(1, 4).at(place) for place in places]
    assert [counted.count(n) for n in (1, 2, 3, 4)] == [250] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("double(1,0)", "min 1 is greater than max 0"),
        ("double(0,1,log)", "min 0 has no logarithm"),
        ("double(0,1,step=0)", "step 0 is not above 0"),
        ("double(0,1,step=2)", "step 2 is greater than the range"),
        ("double(a,1)", "min 'a' is not a number"),
        ("double(1)", "double needs a least and a greatest value"),
        ("int(1,2.5)", "max 2.5 is not a whole number"),
        ("double(0,inf)", "max inf is not a number"),
        ("int(1,4,sq=2)", "sq=2 is not known"),
        ("discrete(a,b)", "'a' is not a number"),
        ("categorical()", "There is nothing to choose from"),
        ("categorical(a,a)", "a is there twice"),
        ("categorical(a,,b)", "A value is missing between the commas"),
        ("choose(a,b)", "There is no type 'choose'"),
        ("0.1", "'0.1' is not a parameter"),
    ],
)
def test_what_is_wrong_is_said_with_the_name(text, words):
    with pytest.raises(Invalid) as caught:
        space_from({"lr": text})
    assert str(caught.value).startswith("Parameter lr: ")
    assert words in str(caught.value)


def test_a_grid_needs_steps():
    space = {"a": double(0, 1, step=0.25), "b": int_(1, 3), "c": categorical("x", "y")}
    assert combinations(space) == 5 * 3 * 2
    assert combinations({**space, "d": double(0, 1)}) is None
    assert continuous({**space, "d": double(0, 1)}) == "d"


def test_choices_of_a_foreign_list_are_text():
    listed = [{"name": "flag", "parameterType": "categorical", "feasibleSpace": {"list": ["True", "1"]}}]
    assert katib.from_katib(listed)["flag"].choices == ("True", "1")


def test_the_signature_says_the_space():
    def fit(
        data,
        lr: Annotated[float, double(1e-4, 1e-1, log=True)],
        wd: Annotated[float, "double(0,1)"],
        opt: Literal["sgd", "adam"],
        rate: float = 0.01,
        momentum: float = 0.9,
        layers: int = 2,
        flag: bool = True,
        seed: int = 0,
        name: str = "x",
        batch=discrete(16, 32),  # noqa: B008
        *,
        deep: bool,
        **more,
    ): ...

    assert space_of(fit) == {
        "lr": double(1e-4, 1e-1, log=True),
        "wd": double(0, 1),
        "opt": categorical("sgd", "adam"),
        "rate": double(0.001, 0.1, log=True),
        "momentum": double(0, 1),
        "layers": int_(1, 8),
        "flag": categorical(True, False),
        "batch": discrete(16, 32),
        "deep": categorical(True, False),
    }
    assert math.isclose(space_of(lambda x=3e-4: x)["x"].low, 3e-5)
