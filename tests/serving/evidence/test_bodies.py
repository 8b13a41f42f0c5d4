from __future__ import annotations

import contextlib
import json
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.serving import redaction
from jupyter_ext.serving.requests import decode


def body(value) -> bytes:
    return json.dumps(value).encode()


def binary(*tensors) -> bytes:
    """A V2 body with binary tensors: (name, datatype, shape, bytes or a list)."""
    inputs, raw = [], b""
    for name, datatype, shape, data in tensors:
        tensor = {"name": name, "datatype": datatype, "shape": shape}
        if isinstance(data, bytes):
            tensor["parameters"] = {"binary_data_size": len(data)}
            raw += data
        else:
            tensor["data"] = data
        inputs.append(tensor)
    return body({"inputs": inputs}) + raw


FLOATS = struct.pack("<4f", 1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("sent", "names", "columns"),
    [
        ({"instances": [[1, 2], [3, 4]]}, None, {"x0": [1, 3], "x1": [2, 4]}),
        ({"instances": [[1, 2], [3, 4]]}, ["a", "b"], {"a": [1, 3], "b": [2, 4]}),
        ({"instances": [1, 2]}, None, {"x0": [1, 2]}),
        ({"instances": [{"a": 1, "b": "u"}, {"a": 2}]}, None, {"a": [1, 2], "b": ["u"]}),
        ({"inputs": {"a": [1, 2]}}, None, {"a": [1, 2]}),
        ([[1, 2]], ["a", "b"], {"a": [1], "b": [2]}),
        (
            {"inputs": [{"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]},
            ["a", "b"],
            {"a": [1, 3], "b": [2, 4]},
        ),
        (
            {"inputs": [{"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}]},
            None,
            {"x0": [1, 3], "x1": [2, 4]},
        ),
        (
            {
                "inputs": [
                    {"name": "age", "shape": [2], "datatype": "INT64", "data": [1, 2]},
                    {"name": "city", "shape": [2, 1], "datatype": "BYTES", "data": ["Rome", "Oslo"]},
                ]
            },
            None,
            {"age": [1, 2], "city": ["Rome", "Oslo"]},
        ),
    ],
)
def test_bodies_become_columns(sent, names, columns):
    assert decode(body(sent), names) == columns


def test_answers_become_columns():
    assert decode(body({"predictions": [0, 1]}), side="outputs") == {"y0": [0, 1]}
    answer = {"outputs": [{"name": "output-0", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    assert decode(body({**answer, "model_name": "iris"}), side="outputs") == {"y0": [1, 3], "y1": [2, 4]}


def test_binary_tensors_become_columns():
    strings = struct.pack("<I", 4) + b"Rome" + struct.pack("<I", 5) + "Köln".encode()
    sent = binary(
        ("age", "INT64", [2], [40, 41]), ("m", "FP32", [2, 2], FLOATS), ("city", "BYTES", [2], strings)
    )
    assert decode(sent) == {
        "age": [40, 41],
        "m.0": [1.0, 3.0],
        "m.1": [2.0, 4.0],
        "city": ["Rome", "Köln"],
    }


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"instances": 3}',
        b'{"inputs": []} trailing',
        b"[" * 5000,
        binary(("m", "FP32", [2, 2], FLOATS))[:-1],
        binary(("m", "FP99", [2, 2], FLOATS)),
        binary(("m", "BYTES", [1], struct.pack("<I", 4_000_000_000)[:3])),
    ],
)
def test_what_is_no_prediction_is_refused(sent):
    with pytest.raises(Invalid):
        decode(sent)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_decoded_or_refused(sent):
    for side in ("inputs", "outputs"):
        with contextlib.suppress(Invalid):
            assert isinstance(decode(sent, side=side), dict)


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("sent", "fields", "columns", "kept"),
    [
        (
            {"instances": [{"ssn": SECRET, "age": 4}]},
            ["ssn"],
            None,
            {"instances": [{"ssn": "***", "age": 4}]},
        ),
        ({"instances": [{"SSN": SECRET}]}, ["ssn"], None, {"instances": [{"SSN": "***"}]}),
        (
            {"user": {"email": SECRET, "id": 1}, "instances": [{"email": 2}]},
            ["user.email"],
            None,
            {"user": {"email": "***", "id": 1}, "instances": [{"email": 2}]},
        ),
        (
            {"instances": [{"who": {"email": SECRET}}]},
            ["$.instances[*].who.email"],
            None,
            {"instances": [{"who": {"email": "***"}}]},
        ),
        ({"instances": [[SECRET, 1]]}, ["ssn"], ["ssn", "age"], {"instances": [["***", 1]]}),
        ({"instances": [SECRET, SECRET]}, ["ssn"], ["ssn"], {"instances": ["***", "***"]}),
        ({"instances": [[SECRET, 1]]}, ["x0"], None, {"instances": [["***", 1]]}),
        ([[1, SECRET]], ["b"], ["a", "b"], [[1, "***"]]),
        ({"inputs": {"ssn": [SECRET]}}, ["ssn"], None, {"inputs": {"ssn": "***"}}),
        ({"predictions": [[SECRET, 2]]}, ["y0"], None, {"predictions": [["***", 2]]}),
        ({"predictions": [[1, 2]]}, ["ssn"], ["ssn", "age"], {"predictions": [[1, 2]]}),
        (
            {
                "inputs": [
                    {"name": "input-0", "shape": [2, 2], "datatype": "BYTES", "data": [1, SECRET, 3, SECRET]}
                ]
            },
            ["b"],
            ["a", "b"],
            {
                "inputs": [
                    {"name": "input-0", "shape": [2, 2], "datatype": "BYTES", "data": [1, "***", 3, "***"]}
                ]
            },
        ),
        (
            {"inputs": [{"name": "b", "shape": [1], "datatype": "BYTES", "data": [SECRET]}]},
            ["b"],
            None,
            {
                "inputs": [
                    {
                        "name": "b",
                        "shape": [1],
                        "datatype": "BYTES",
                        "data": [],
                        "parameters": {"redacted": True},
                    }
                ]
            },
        ),
    ],
)
def test_named_fields_are_taken_out(sent, fields, columns, kept):
    found = redaction.redact(body(sent), fields, columns)
    assert json.loads(found) == kept
    assert SECRET.encode() not in found


def test_binary_tensors_lose_their_bytes():
    raw = SECRET.encode().ljust(16)
    sent = binary(("ssn", "FP32", [2, 2], raw), ("age", "FP32", [4], FLOATS))
    found = redaction.redact(sent, ["ssn"])
    assert SECRET.encode() not in found
    assert decode(found)["age"] == [1.0, 2.0, 3.0, 4.0]


def test_answers_are_kept_although_their_columns_have_no_names():
    answer = {"name": "output-0", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}}
    sent = body({"outputs": [answer]}) + FLOATS
    for columns in (None, ["ssn", "age"]):
        assert decode(redaction.redact(sent, ["ssn"], columns), side="outputs") == {
            "y0": [1, 3],
            "y1": [2, 4],
        }
    assert decode(redaction.redact(sent, ["y1"]), side="outputs") == {"y0": [], "y1": []}


@pytest.mark.parametrize(
    "sent",
    [
        b"password=hunter2",
        b'{"ssn": "hunter2"',
        b"\x1f\x8b\x08 hunter2",
        b'{"instances": []} hunter2',
        binary(("m", "FP32", [2, 2], FLOATS)) + b"hunter2",
        body({"instances": [[SECRET, 1]]}),  # whose columns nobody knows
        body({"instances": [[SECRET, 1, 2]]}),
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_not_stored(sent):
    assert redaction.redact(sent, ["ssn"], ["ssn", "age"] if b"2]" in sent else None) is None
    assert redaction.redact(sent, []) == sent


@pytest.mark.parametrize("name", ["", " ", "$", "..", "a..b"])
def test_names_that_say_nothing_are_refused(name):
    with pytest.raises(Invalid, match="names no field"):
        redaction.names([name])


secrets = st.recursive(
    st.sampled_from([1, None, True, "x", 2.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "ssn", "b", "instances", "inputs", "name"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


def _hide(value, inside=False):
    """The same with every leaf under a key ssn made the secret."""
    if isinstance(value, dict):
        return {key: _hide(part, inside or key == "ssn") for key, part in value.items()}
    if isinstance(value, list):
        return [_hide(part, inside) for part in value]
    return SECRET if inside else value


@settings(deadline=None)
@example([[{"ssn": 1}, 1, 1]], ["a", "ssn", "b"])
@example({"inputs": [{"name": "x", "data": [{"ssn": 1}]}]}, None)
@given(secrets, st.sampled_from([None, ["ssn", "a"], ["a", "ssn", "b"]]))
def test_whatever_the_shape_nothing_under_the_name_is_stored(value, columns):
    found = redaction.redact(body(_hide(value)), ["ssn"], columns)
    assert found is None or SECRET.encode() not in found
