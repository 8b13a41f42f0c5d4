"""V1 and V2 of a real process: what is answered, and what is refused in which words."""

from __future__ import annotations

import json
import struct
import sys

import cloudpickle
import numpy as np
import pytest

from tests.serving.server.conftest import SIGNATURE, Linear, running

cloudpickle.register_pickle_by_value(sys.modules[__name__])

ROW = [1.0, 2.0, 3.0, 4.0]
ANSWER = [60.0, 70.0, 80.0]
TENSOR = {"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": ROW}


def test_every_path_without_a_body(linear):
    assert linear.ask("/").json() == {"status": "alive"}
    assert linear.ask("/v1/models").json() == {"models": ["m"]}
    assert linear.ask("/v2/models").json() == {"models": ["m"]}
    assert linear.ask("/v1/models/m").json() == {"name": "m", "ready": True}
    assert linear.ask("/v2").json()["name"] == "jupyter-kubeflow"
    assert linear.ask("/v2/health/live").json() == {"live": True}
    assert linear.ask("/v2/health/ready").json() == {"ready": True}
    assert linear.ask("/v2/models/m/ready").json() == {"name": "m", "ready": True}
    assert linear.ask("/v2/models/m/versions/1/ready").json() == {"name": "m", "ready": True}
    about = {"name": "m", "versions": ["1"], "platform": "python", **SIGNATURE}
    assert linear.ask("/v2/models/m").json() == linear.ask("/v2/models/m/versions/1").json() == about
    assert linear.ask("/", method="HEAD").body == b""


def test_predictions_v1(linear):
    assert linear.predict([ROW, ROW]).json() == {"predictions": [ANSWER, ANSWER]}
    assert linear.ask("/v1/models/m:predict", {"inputs": [ROW]}).json() == {"predictions": [ANSWER]}
    assert linear.predict([[None, 2, 3, 4]]).json() == {"predictions": [[None, None, None]]}


def test_predictions_v2(linear):
    answer = linear.infer([TENSOR], id="x7").json()
    assert answer == {
        "model_name": "m",
        "model_version": "1",
        "id": "x7",
        "outputs": [{"name": "output-0", "shape": [1, 3], "datatype": "FP64", "data": ANSWER}],
    }
    assert linear.ask("/v2/models/m/versions/1/infer", {"inputs": [TENSOR]}).json()["id"]
    nested = {**TENSOR, "data": [ROW], "datatype": "INT32"} | {"data": [[1, 2, 3, 4]]}
    assert linear.infer([nested]).json()["outputs"][0]["data"] == ANSWER
    headers = {"X-Request-Id": "from-outside"}
    assert linear.ask("/v2/models/m/infer", {"inputs": [TENSOR]}, headers).json()["id"] == "from-outside"


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "FP16", "INT64", "INT8", "UINT16"])
@pytest.mark.parametrize("whole", [True, False])
def test_binary_tensors_both_ways(linear, datatype, whole):
    dtype = {"FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT8": "i1", "UINT16": "<u2"}[
        datatype
    ]
    raw = np.array([ROW, ROW]).astype(dtype).tobytes()
    told = {"binary_data_size": len(raw)}
    head = {"inputs": [{"name": "input-0", "shape": [2, 4], "datatype": datatype, "parameters": told}]}
    if whole:
        head["parameters"] = {"binary_data_output": True}
    else:
        head["outputs"] = [{"name": "output-0", "parameters": {"binary_data": True}}]
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    answer = linear.ask("/v2/models/m/infer", text + raw, headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    size = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.body[:size])["outputs"]
    assert output == {
        "name": "output-0", "shape": [2, 3], "datatype": "FP64", "parameters": {"binary_data_size": 48},
    }  # fmt: skip
    assert np.frombuffer(answer.body[size:]).tolist() == ANSWER * 2


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ([[1, 2, 3]], ["instances[0] has 3 values", "4 are expected"]),
        ([ROW, [1, "b", 3, 4]], ["instances[1][1] is the text 'b'", "numbers are expected"]),
        ([ROW, [1, [2], 3, 4]], ["instances[1][1] is a list"]),
        ([ROW, 5], ["instances[1] is a number", "a list of 4 values"]),
        ([[1, 2, 3, {"a": 1}]], ["instances"]),
        ([{"a": 1}], ["instances has names", "without"]),
        ([], ["instances is empty"]),
        (7, ["instances is a list"]),
        ([[[1], [2], [3], [4]]], ["instances", "[-1, 4]"]),
        ([[True, False, None, 1e400]], ["JSON"]),
    ],
)
def test_what_does_not_fit_is_named_v1(linear, instances, words):
    body = json.dumps({"instances": instances}).replace("Infinity", "1e400")
    answer = linear.ask("/v1/models/m:predict", body.encode())
    if "1e400" in body:
        assert answer.status in {200, 400}
        return
    assert answer.status == 400
    assert list(answer.json()) == ["error"]
    for word in words:
        assert word in answer.json()["error"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": [1, 3]}, ["4 values", "[1, 3]"]),
        ({"shape": [1, 3], "data": [1, 2, 3]}, ["[1, 3]", "[-1, 4]"]),
        ({"shape": [4]}, ["[4]", "[-1, 4]"]),
        ({"shape": [-1, 4]}, ["[-1, 4]", "whole numbers from 0"]),
        ({"shape": [10**30, 10**30]}, ["whole numbers from 0"]),
        ({"shape": [2**40, 2**40]}, ["4 values"]),
        ({"shape": "no"}, ["shape of input-0"]),
        ({"datatype": "FP99"}, ["FP99", "FP64"]),
        ({"datatype": None}, ["datatype"]),
        ({"datatype": "BYTES"}, ["text is expected"]),
        ({"datatype": "INT8", "data": [1, 2, 3, 400]}, ["input-0[3]", "-128 to 127"]),
        ({"datatype": "INT64", "data": [1, 2, 3, 4.5]}, ["input-0[3] is 4.5", "whole numbers"]),
        ({"datatype": "BOOL", "data": [1, 2, 3, 4]}, ["input-0[0] is 1", "true or false"]),
        ({"data": "abc"}, ["not a list"]),
        ({"data": [1, 2, "c", 4]}, ["input-0[2] is the text 'c'"]),
        ({"name": 5}, ["inputs[0]"]),
        ({"parameters": {"binary_data_size": 8}}, ["8 bytes", "0 are left"]),
    ],
)
def test_what_does_not_fit_is_named_v2(linear, change, words):
    answer = linear.infer([TENSOR | change])
    assert answer.status == 400, answer.body
    for word in words:
        assert word in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"instances": NaN}', b'{"inputs": []}', b'{"inputs": 3}', b"{}",
        b'{"instances":' + b"[" * 100_000, b'{"inputs":[1]}', b'{"inputs":[{"name":"a"}]}', b'{"outputs":1}',
        b'{"instances": [' + b"[" * 900 + b"1" + b"]" * 900 + b"]}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/models/m:predict", "/v2/models/m/infer"])
def test_bodies_that_are_none(linear, path, body):
    answer = linear.ask(path, body)
    assert answer.status == 400, answer.body
    assert list(answer.json()) == ["error"]


def test_binary_bodies_that_lie(linear):
    text = json.dumps({"inputs": [{"name": "input-0", "shape": [1, 4], "datatype": "FP64",
                                   "parameters": {"binary_data_size": 32}}]}).encode()  # fmt: skip
    for length, raw in [("x", b"a" * 32), ("999999", b"a" * 32), (len(text), b"a" * 31), (len(text), b"a" * 33),
                        (3, b"a" * 32), (-1, b"")]:  # fmt: skip
        answer = linear.ask(
            "/v2/models/m/infer", text + raw, {"Inference-Header-Content-Length": str(length)}
        )
        assert answer.status == 400, (length, answer.body)
    good = linear.ask(
        "/v2/models/m/infer",
        text + struct.pack("<4d", *ROW),
        {"Inference-Header-Content-Length": str(len(text))},
    )
    assert good.json()["outputs"][0]["data"] == ANSWER


def test_what_is_not_there_and_other_methods(linear):
    assert "m" in linear.predict([ROW], "nope").json()["error"]
    for path, status in [
        ("/v1/models/nope", 404), ("/v2/models/nope", 404), ("/v2/models/m/versions/9", 404), ("/x", 404),
        ("/v2/models/m/other", 404), ("/v2/models/m/versions/1/x/y", 404), ("/v1/models/m:predict", 405),
        ("/v2/models/m/infer", 405), ("/v2/repository/index", 405), ("/v1/models/m:dance", 404), ("/v2/models/%00", 404),
    ]:  # fmt: skip
        answer = linear.ask(path)
        assert (answer.status, list(answer.json())) == (status, ["error"]), path
    assert linear.ask("/v2/health/live", b"{}").status == 405


def test_outputs_that_were_asked_for(linear):
    assert linear.infer([TENSOR], outputs=[{"name": "output-0"}]).status == 200
    answer = linear.infer([TENSOR], outputs=[{"name": "other"}])
    assert answer.status == 400
    assert "output-0" in answer.json()["error"]


def test_numbers_for_prometheus(linear):
    linear.predict([ROW])
    linear.predict([[1]])
    text = linear.ask("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = text.body.decode().splitlines()
    good = 'model_requests_total{model_name="m",model_version="1",protocol="v1",code="200"} '
    assert any(line.startswith(good) for line in lines)
    assert any('code="400"' in line for line in lines)
    assert 'model_ready{model_name="m",model_version="1"} 1' in lines
    counts = [int(line.split()[-1]) for line in lines if line.startswith("request_predict_seconds_bucket")]
    assert counts == sorted(counts)
    assert counts[-1] == int(next(line for line in lines if "seconds_count" in line).split()[-1])


def test_versions_and_the_repository():
    first = {"model": Linear(), "signature": SIGNATURE}

    class Twice(Linear):
        def predict(self, rows):
            return super().predict(rows) * 2

    with running(first, {**first, "model": Twice(), "version": "2"}) as server:
        assert server.predict([ROW]).json()["predictions"] == [[120.0, 140.0, 160.0]]
        old = server.ask("/v2/models/m/versions/1/infer", {"inputs": [TENSOR]}).json()
        assert (old["model_version"], old["outputs"][0]["data"]) == ("1", ANSWER)
        assert server.ask("/v2/models/m").json()["versions"] == ["1", "2"]
        missing = server.ask("/v2/models/m/versions/3").json()["error"]
        assert "1, 2" in missing
        assert server.ask("/v2/repository/models/m/unload", b"").json() == {"name": "m", "unload": True}
        index = server.ask("/v2/repository/index", b"").json()
        assert [(each["version"], each["state"]) for each in index] == [
            ("1", "UNAVAILABLE"),
            ("2", "UNAVAILABLE"),
        ]
        assert server.ask("/v2/repository/index", {"ready": True}).json() == []
        assert server.predict([ROW]).status == 503
        assert server.ask("/v2/models/m/ready").status == 503
        assert server.ask("/v2/repository/models/m/load", b"{}").status == 200
        assert server.predict([ROW]).status == 200
        assert server.ask("/v2/repository/models/no/load", b"{}").status == 404
        # Its files are gone: said so, and what is there goes on.
        server.ask("/v2/repository/models/m/unload", b"")
        (server.folder / "1.pkl").unlink()
        answer = server.ask("/v2/repository/models/m/load", b"")
        assert answer.status == 404
        assert "not there" in answer.json()["error"]
        assert server.ask("/v2/models/m/versions/1/infer", {"inputs": [TENSOR]}).status == 200


def test_a_payload_too_large(linear):
    with running({"model": Linear(), "signature": SIGNATURE}, limit_bytes=1000) as server:
        answer = server.predict([ROW] * 100)
        assert answer.status == 413
        assert "1,000" in answer.json()["error"]
        assert server.predict([ROW]).status == 200
