"""Messages of gRPC as the bodies that are logged: the same columns, whatever form the tensors had."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.serving import redaction, requests
from jupyter_ext.serving.gateway.messages import body_of
from jupyter_ext.serving.server import protocol

KINDS = {
    "FP64": ("d", "fp64_contents", st.floats(allow_nan=False, allow_infinity=False)),
    "FP32": ("f", "fp32_contents", st.floats(allow_nan=False, allow_infinity=False, width=32)),
    "INT64": ("q", "int64_contents", st.integers(-(2**63), 2**63 - 1)),
    "INT8": ("b", "int_contents", st.integers(-128, 127)),
    "UINT16": ("H", "uint_contents", st.integers(0, 2**16 - 1)),
    "BOOL": ("?", "bool_contents", st.booleans()),
    "BYTES": ("", "bytes_contents", st.text(max_size=8)),
}


def packed(datatype: str, values: list) -> bytes:
    if datatype == "BYTES":
        texts = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in texts)
    return struct.pack(f"<{len(values)}{KINDS[datatype][0]}", *values)


@st.composite
def columns(draw):
    """Names, types and values of some tensors, and whether they come as bytes."""
    rows = draw(st.integers(0, 4))
    names = draw(st.lists(st.from_regex(r"[a-w]{1,8}", fullmatch=True), min_size=2, max_size=4, unique=True))
    kinds = [draw(st.sampled_from(sorted(KINDS))) for _ in names]
    each = [draw(st.lists(KINDS[kind][2], min_size=rows, max_size=rows)) for kind in kinds]
    return list(zip(names, kinds, each, strict=True)), draw(st.booleans())


def message(given_columns, raw: bool) -> bytes:
    made = protocol.message("ModelInferRequest")(model_name="iris", id="mine")
    made.parameters["who"].string_param = "ada"
    for name, kind, values in given_columns:
        tensor = made.inputs.add(name=name, datatype=kind, shape=[len(values)])
        if raw:
            made.raw_input_contents.append(packed(kind, values))
        else:
            told = [value.encode() if isinstance(value, str) else value for value in values]
            getattr(tensor.contents, KINDS[kind][1]).extend(told)
    return made.SerializeToString()


@given(columns())
def test_the_columns_are_those_of_the_call(drawn):
    given_columns, raw = drawn
    body = body_of(message(given_columns, raw), "request")
    assert requests.decode(body) == {name: values for name, _, values in given_columns}
    document, _ = requests.parse(body)
    assert (document["id"], document["parameters"]) == ("mine", {"who": "ada"})


@given(columns())
def test_a_column_is_taken_out(drawn):
    given_columns, raw = drawn
    secret = given_columns[0][0]
    body = redaction.redact(body_of(message(given_columns, raw), "request"), [secret])
    found = requests.decode(body)
    assert {each[0]: each[2] for each in given_columns[1:]} == {
        name: values for name, values in found.items() if name != secret
    }
    assert set(found.get(secret, [])) <= {requests.REDACTED}


@given(st.binary(max_size=300))
def test_what_cannot_be_read_is_not_kept(data):
    for kind in ("request", "response"):
        body = body_of(data, kind)
        assert body is None or requests.parse(body)


def test_bytes_that_are_not_all_there_are_not_kept():
    made = protocol.message("ModelInferRequest")(model_name="iris", raw_input_contents=[b"1", b"2"])
    made.inputs.add(name="a", datatype="FP64", shape=[1])
    assert body_of(made.SerializeToString(), "request") is None
