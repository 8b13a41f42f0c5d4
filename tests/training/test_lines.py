"""Numbers in printed lines."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.training.lines import BURST, KATIB, LINE, NAMES, Parser


def read(text, **options):
    parser = Parser(0, **options)
    return [(p.name, p.value, p.step) for p in [*parser.feed(text, 1.0), *parser.close(1.0)]]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("loss=0.5", [("loss", 0.5, None)]),
        ("loss = 0.5, acc= .75", [("loss", 0.5, None), ("acc", 0.75, None)]),
        ("step=7 loss=-1e-3", [("loss", -0.001, 7)]),
        ("epoch=3 step=70 loss=1.", [("epoch", 3, 70), ("loss", 1, 70)]),
        ("Epoch 3/10: loss=0.25", [("loss", 0.25, 3)]),
        ("[iter 12] loss=+2", [("loss", 2, 12)]),
        ("epoch=3/10 loss=1", [("loss", 1, 3)]),
        ("step=9", [("step", 9, None)]),
        ("{metricName: accuracy} Validation-accuracy=0.9", [("Validation-accuracy", 0.9, None)]),
        ("train/loss=0.5 val.loss=0.6", [("train/loss", 0.5, None), ("val.loss", 0.6, None)]),
        ("Genauigkeit=0,5", [("Genauigkeit", 0, None)]),
        ("верность=0.5 ok=1", [("ok", 1, None)]),
        ("loss=0.5.", [("loss", 0.5, None)]),
        ("loss=inf", [("loss", math.inf, None)]),
        ("done=True", []),
        ("version=1.2.3 day=2024-01-31 at=12:30 file=3.txt id=3a", []),
        ("GET http://host/path?id=3&n=4", []),
        ("loss: 0.5", []),
        ("a==3", []),
        ("=3", []),
        ("x=", []),
        ("[7]\ttrain-rmse:0.25\tvalid-rmse:0.5", [("train-rmse", 0.25, 7), ("valid-rmse", 0.5, 7)]),
        ("[7] all is well: 3", []),
    ],
)
def test_a_line(line, found):
    assert read(line) == found


def test_nan_is_a_number_worth_showing():
    ((name, value, step),) = read("step=3 loss=nan\n")
    assert (name, step) == ("loss", 3)
    assert math.isnan(value)


def test_keras_counts_only_the_end_of_an_epoch():
    text = (
        "Epoch 2/5\n"
        "\r 1/10 ━━━ 0s 3ms/step - accuracy: 0.10 - loss: 0.9\r10/10 ━━━ 1s 3ms/step - accuracy: 0.5 - loss: 0.25\n"
        "10/10 - 1s - 96ms/step - val_loss: 0.75\n"
    )
    assert read(text) == [("accuracy", 0.5, 2), ("loss", 0.25, 2), ("val_loss", 0.75, 2)]


def test_the_filter_of_katib_finds_what_katib_finds():
    assert read("v1 loss = 0.5 | x: foo.bar=3", filters=[KATIB]) == [("loss", 0.5, None), ("bar", 3, None)]
    assert read("loss: 0.5", filters=[r"(\w+):\s*(\S+)"]) == [("loss", 0.5, None)]
    assert read("anything", filters=["any(thing)"]) == []


@given(st.lists(st.text(), max_size=20), st.integers(0, 50))
def test_where_the_pieces_end_does_not_matter(texts, cut):
    """Unicode, bytes that are cut in the middle of a character, carriage returns."""
    data = "\n".join([*texts, "step=1 loss=0.5 naïve_acc=2", *texts]).encode(errors="replace")
    whole, pieces = Parser(3), Parser(3)
    expected = [*whole.feed(data, 1.0), *whole.close(1.0)]
    found = []
    size = cut + 1
    for start in range(0, len(data), size):
        found += pieces.feed(data[start : start + size], 1.0)
    found += pieces.close(1.0)
    assert [p for p in found if p.value == p.value] == [p for p in expected if p.value == p.value]
    assert ("loss", 0.5) in [(p.name, p.value) for p in found]


NAME = st.from_regex(r"[A-Za-z_][\w-]{0,20}", fullmatch=True).filter(
    lambda name: name.isascii() and name not in {"step", "global_step", "iteration", "iter", "round", "epoch"}
)


@given(st.dictionaries(NAME, st.floats(allow_nan=False), min_size=1, max_size=8), st.integers(0, 10**9))
def test_what_python_prints_comes_back(values, step):
    line = f"step={step} " + " ".join(f"{name}={value}" for name, value in values.items())
    assert read(line) == [(name, value, step) for name, value in values.items()]


@given(NAME, st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", " "]))
def test_a_pair_is_what_katibs_expression_says(name, value, space):
    line = f"{name}{space}={space}{value}"
    match = re.search(KATIB, line)
    assert read(line) == [(match[1], float(match[2]), None)]


def test_an_endless_line_costs_no_memory_and_no_sight():
    parser = Parser(0)
    points = parser.feed("loss=1 " + "x" * LINE, 1.0)
    assert [p.name for p in points] == ["loss"]
    for _ in range(1000):
        assert parser.feed(b"hidden=1 " * 1000, 1.0) == []
    assert len(parser._rest) <= LINE
    assert [p.value for p in parser.feed("\nloss=2\n", 1.0)] == [2]


def test_a_flood_is_thinned_and_keeps_its_end():
    points = Parser(0).feed("".join(f"step={n} a={n} b={n}\n" for n in range(50_000)), 1.0)
    assert len(points) <= 2 * BURST
    assert max(p.value for p in points if p.name == "a") == 49_999


def test_a_program_that_invents_names_is_cut_off():
    points = Parser(0).feed("".join(f"name{n}=1\n" for n in range(10 * NAMES)), 1.0)
    assert len({p.name for p in points}) == NAMES
