"""Tensors there and back, and what the parts do with anything at all."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from jupyter_ext.errors import Invalid
from jupyter_ext.serving.http.message import Request
from jupyter_ext.serving.server import expected, tensors, v2
from jupyter_ext.serving.server.running import LONG, QUICK, Pace


def read_or_refused(function, *arguments):
    """What it gives; None where it says that the request is wrong. Nothing else may be raised."""
    try:
        return function(*arguments)
    except Invalid:
        return None


SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
NUMBERS = st.sampled_from([dtype for name, dtype in tensors.DTYPES.items()])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=20,
)


@st.composite
def arrays(draw):
    if draw(st.booleans()):
        return draw(arrays_of.arrays(draw(NUMBERS), draw(SHAPES)))
    texts = st.text(max_size=6) | st.binary(max_size=6).map(tensors.text_of)
    return draw(arrays_of.arrays(object, draw(SHAPES), elements=texts))


@settings(deadline=None, max_examples=200)
@given(arrays())
def test_bytes_there_and_back(array):
    datatype = tensors.datatype_of(array)
    raw = tensors.to_bytes(array, datatype)
    again = tensors.from_bytes(raw, array.shape, datatype, "x")
    np.testing.assert_array_equal(array, again)
    assert again.dtype == array.dtype
    if raw:
        for wrong in (raw[:-1], raw + b"a"):
            with pytest.raises(Invalid):
                tensors.from_bytes(wrong, array.shape, datatype, "x")


@settings(deadline=None, max_examples=200)
@given(arrays())
def test_json_there_and_back(array):
    datatype = tensors.datatype_of(array)
    if array.dtype.kind == "f":
        array = np.nan_to_num(array, nan=0.5, posinf=1, neginf=-1)
    if array.dtype.kind == "O":
        array = np.array([str(value) for value in array.ravel()], object).reshape(array.shape)
    text = orjson.dumps(tensors.to_values(array, datatype), option=orjson.OPT_SERIALIZE_NUMPY)
    dtype = tensors.dtype_of(datatype, "x")
    again = tensors.from_flat(orjson.loads(text), array.shape, dtype, "x")
    np.testing.assert_array_equal(array, again)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(tensors.from_flat(array.tolist(), array.shape, dtype, "x"), array)


@settings(deadline=None, max_examples=300)
@given(JSON, st.sampled_from(["FP64", "FP32", "INT64", "INT8", "UINT64", "BOOL", "BYTES", None]))
def test_any_values_are_an_array_or_said_to_be_none(value, datatype):
    dtype = None if datatype is None else tensors.dtype_of(datatype, "x")
    found = read_or_refused(tensors.from_values, value, dtype, "x")
    assert found is None or dtype is None or found.dtype == dtype


def test_whole_numbers_keep_every_digit():
    for values, datatype in (
        ([0, 2**63 + 1], "UINT64"),
        ([0.0, 2**63], "UINT64"),
        ([-1, 2**62 + 1], "INT64"),
    ):
        found = tensors.from_values(values, tensors.dtype_of(datatype, "x"), "x")
        assert found.tolist() == [int(value) for value in values]
    for values, datatype in (([-1, 2**63], "UINT64"), ([0.5, 2**60], "INT64"), ([3.5e38], "FP32")):
        with pytest.raises(Invalid, match="x"):
            tensors.from_values(values, tensors.dtype_of(datatype, "x"), "x")


SIGNATURES = st.sampled_from(
    [
        [{"name": "input-0", "datatype": "FP64", "shape": [-1, 2]}],
        [
            {"name": "a", "datatype": "INT64", "shape": [-1]},
            {"name": "b", "datatype": "BYTES", "shape": [-1]},
        ],
        [
            {"name": "image", "datatype": "FP32", "shape": [-1, 2, 2]},
            {"name": "b", "datatype": "BOOL", "shape": [-1]},
        ],
    ]
)


@settings(deadline=None, max_examples=300)
@given(SIGNATURES, JSON, st.booleans())
def test_any_rows_fit_or_are_said_not_to(inputs, rows, typed):
    wanted = expected.Expected(inputs, typed=typed)
    for read in (wanted.of_rows, expected.unknown_rows):
        assert read_or_refused(read, rows) != {}
    if isinstance(rows, dict):
        for read in (wanted.of_columns, expected.unknown_columns):
            assert read_or_refused(read, rows) != {}


@settings(deadline=None, max_examples=300)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "inputs": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "name": st.sampled_from(["a", "b"]) | JSON,
                        "datatype": st.sampled_from(["FP32", "BYTES", "INT8"]) | JSON,
                        "shape": st.lists(st.integers(-2, 5), max_size=3) | JSON,
                        "data": JSON,
                        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-3, 30)}) | JSON,
                    },
                ),
                max_size=3,
            )
            | JSON,
            "outputs": JSON,
            "parameters": JSON,
            "id": JSON,
        },
    ),
    st.binary(max_size=30),
    st.integers(-5, 5),
)
def test_any_request_is_read_or_said_to_be_wrong(value, raw, off):
    text = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATACLASS) if _fits(value) else b"{}"
    headers = [(b"inference-header-content-length", str(len(text) + (off if off > 3 else 0)).encode())]
    for request in (Request("POST", b"/", headers, text + raw), Request("POST", b"/", [], text)):
        asked = read_or_refused(v2.decoded, request)
        assert asked is None or asked.arrays


def _fits(value):
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def test_a_model_is_known_to_be_quick_and_loses_the_name():
    pace = Pace()
    for _ in range(8):
        assert not pace.is_quick(1)
        pace.note(2, QUICK / 2)
    assert pace.is_quick(4)
    assert not pace.is_quick(5)
    pace.note(100, 1)
    assert pace.is_quick(4)
    pace.note(2, 2 * QUICK)
    assert pace.is_quick(4)
    pace.note(2, 2 * LONG)
    assert not pace.is_quick(1)
    for _ in range(8):
        pace.note(2, QUICK / 2)
    assert not pace.is_quick(1)
