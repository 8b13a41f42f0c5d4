"""Pictures of values are small and never fail."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

from jupyter_ext.pipelines.preview import LIMIT, preview, short_repr, size_of, summary, type_name


class Raises:
    def __repr__(self):
        raise RuntimeError


class Huge:
    def __repr__(self):
        return "x" * 10_000_000


class Strange:
    """Everything about it fails."""

    def __getattr__(self, name):
        raise ValueError(name)

    def __len__(self):
        raise ValueError

    __repr__ = Raises.__repr__


VALUES = {
    "raises": Raises(),
    "huge": Huge(),
    "strange": Strange(),
    "class that lies": type("Liar", (), {"shape": "no", "dtype": 3, "head": None}),
    "deep": json.loads("[" * 500 + "]" * 500),
    "long list": list(range(1_000_000)),
    "long text": "x" * 10_000_000,
    "bytes": b"x" * 100_000,
    "wide frame": pd.DataFrame(np.zeros((5, 2000))),
    "long cells": pd.DataFrame({"t": ["x" * 100_000] * 30}),
    "odd cells": pd.DataFrame(
        {"o": [Raises(), None, float("nan"), np.int64(3), pd.NaT, [1], 10**30, float("inf")]}, dtype=object
    ),
    "odd labels": pd.DataFrame([[1, 2]], columns=[Raises(), None]),
    "big array": np.zeros((1000, 1000)),
    "nan array": np.full(10, np.nan),
    "empty array": np.empty((0, 3)),
    "deep array": np.zeros((3, 3, 3, 3)),
    "module": np,
    "function": lambda a, *, b=1: a + b,
    "none": None,
    "cyclic": (cycle := []),
}
cycle.append(cycle)


@pytest.mark.parametrize("name", VALUES)
def test_every_value_has_a_small_preview(name):
    began = time.monotonic()
    found = preview(VALUES[name])
    assert len(json.dumps(found, allow_nan=False)) <= LIMIT
    assert found["kind"] in {"table", "array", "text", "json", "image"}
    assert len(summary(VALUES[name])) <= 200
    assert len(short_repr(VALUES[name])) <= 200
    assert time.monotonic() - began < 20  # a bound for a loaded machine, not a measurement


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (pd.DataFrame({"a": range(336_776), "b": 1}), "336,776 rows \N{MULTIPLICATION SIGN} 2 columns"),
        (pd.Series([1.5, 2]), "2 values of float64"),
        (np.zeros((3, 4)), "ndarray 3 \N{MULTIPLICATION SIGN} 4 of float64"),
        ([1, 2], "[1, 2]"),
        (list(range(10)), "[0, 1, 2, 3, 4, 5, ...] (10 items)"),
        ("a\nb", "'a\\nb'"),
        (3, "3"),
        (json, "module json 2.0.9"),
        (dict, "class dict"),
    ],
)
def test_one_line(value, line):
    assert summary(value) == line


def test_a_table():
    frame = pd.DataFrame(
        {"i": range(30), "s": ["x"] * 29 + [None], "d": pd.Timestamp("2020")},
        index=pd.Index(range(30), name="n"),
    )
    data = preview(frame)["data"]
    assert data["shape"] == [30, 3]
    assert [(column["name"], column["type"]) for column in data["columns"]][:2] == [
        ("i", "int64"),
        ("s", "str"),
    ]
    assert len(data["rows"]) == 20
    assert data["rows"][0] == [0, "x", "2020-01-01 00:00:00"]
    assert data["index"] == {"name": "n", "values": list(range(20))}


def test_an_array():
    data = preview(np.arange(100.0).reshape(10, 10))["data"]
    assert (data["min"], data["max"], data["mean"]) == (0, 99, 49.5)
    assert data["values"][1] == [10, 11, 12, 13, 14, 15, 16, 17]
    assert sum(data["histogram"]["counts"]) == 100


def test_a_model_and_a_picture():
    from PIL import Image
    from sklearn.linear_model import Ridge

    assert "alpha = 2" in preview(Ridge(alpha=2))["data"]["text"]
    assert preview(Image.new("RGB", (5000, 10)))["data"]["mime"] == "image/png"


def test_sizes_and_types():
    assert size_of(np.zeros(1000)) == 8000
    assert size_of(pd.DataFrame({"a": np.zeros(1000)})) >= 8000
    assert type_name(1) == "int"
    assert type_name(np.zeros(1)) == "numpy.ndarray"
