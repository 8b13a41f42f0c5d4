"""Classes of users: KServe's method names, sync and async, plain objects, callables, frames by name."""

# ruff: noqa: ARG002 - the arguments are those that KServe gives
from __future__ import annotations

import json
import sys

import cloudpickle
import pytest

from tests.serving.server.conftest import running

cloudpickle.register_pickle_by_value(sys.modules[__name__])

ROWS = {"inputs": [{"name": "a", "shape": [2], "datatype": "INT64", "data": [1, 2]}]}


class Chained:
    def __init__(self, name):
        self.name = name
        self.ready = False

    def load(self):
        self.factor = 2
        self.ready = True

    def preprocess(self, payload, headers=None):
        return [float(value) * self.factor for value in payload["instances"]]

    def predict(self, payload, headers=None):
        if headers.get("x-fail"):
            error = ValueError("the caller asked for it")
            error.status_code = 418
            raise error
        return [value + 1 for value in payload]

    def postprocess(self, result, headers=None):
        return {"predictions": result, "by": self.name}

    def explain(self, payload, headers=None):
        return {"explanations": ["because"] * len(payload["instances"])}


class Waiting(Chained):
    async def predict(self, payload, headers=None):
        import asyncio

        await asyncio.sleep(0.01)
        return super().predict(payload, headers)

    async def explain(self, payload, headers=None):
        return {"explanations": ["later"]}


class Streams:
    async def predict(self, payload, headers=None):
        return self.pieces()

    async def pieces(self):
        for word in ("one", "two"):
            yield f"data: {word}\n\n"


@pytest.mark.parametrize("kind", [Chained, Waiting])
def test_a_class_in_the_words_of_kserve(kind):
    with running({"model": kind}) as server:
        assert server.predict([1, 2]).json() == {"predictions": [3.0, 5.0], "by": "m"}
        answer = server.ask("/v2/models/m/infer", ROWS).json()
        assert answer["outputs"] == [
            {"name": "output-0", "shape": [2], "datatype": "FP64", "data": [3.0, 5.0]}
        ]
        failed = server.ask("/v1/models/m:predict", {"instances": [1]}, {"X-Fail": "1"})
        assert (failed.status, failed.json()) == (418, {"error": "the caller asked for it"})
        word = "because" if kind is Chained else "later"
        assert server.ask("/v1/models/m:explain", {"instances": [1]}).json() == {"explanations": [word]}


def test_answers_in_pieces():
    with running({"model": Streams()}) as server:
        answer = server.ask("/v1/models/m:predict", {"instances": []})
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.body == b"data: one\n\ndata: two\n\n"


def test_functions_texts_and_several_outputs():
    def upper(texts):
        return [text.upper() for text in texts]

    class Both:
        def predict(self, rows):
            return {"sum": rows.sum(axis=1), "names": ["a"] * len(rows)}

    with running({"model": upper}, {"model": Both(), "name": "both"}) as server:
        assert server.predict(["a", "ü"]).json() == {"predictions": ["A", "Ü"]}
        tensor = {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", "ü"]}
        assert server.infer([tensor]).json()["outputs"][0] == {
            "name": "output-0", "shape": [2], "datatype": "BYTES", "data": ["A", "Ü"],
        }  # fmt: skip
        rows = server.predict([[1, 2], [3, 4]], "both").json()["predictions"]
        assert rows == [{"sum": 3, "names": "a"}, {"sum": 7, "names": "a"}]
        text = json.dumps({"inputs": [{"name": "t", "shape": [2], "datatype": "BYTES",
                                       "parameters": {"binary_data_size": 11}}],
                           "outputs": [{"name": "output-0", "parameters": {"binary_data": True}}]})  # fmt: skip
        raw = b"\x01\0\0\0a\x02\0\0\0\xc3\xbc"
        headers = {"Inference-Header-Content-Length": str(len(text))}
        answer = server.ask("/v2/models/m/infer", text.encode() + raw, headers)
        assert answer.body.endswith(b"\x01\0\0\0A\x02\0\0\0\xc3\x9c")
        for wrong in (raw[:-1], b"\xff\xff\xff\xff" + raw[4:], raw[:5] + b"abcdef"):
            headers = {"Inference-Header-Content-Length": str(len(text))}
            body = text.replace("11", str(len(wrong))).encode()
            headers = {"Inference-Header-Content-Length": str(len(body))}
            assert server.ask("/v2/models/m/infer", body + wrong, headers).status == 400


FRAME = {
    "inputs": [
        {"name": "age", "datatype": "INT64", "shape": [-1]},
        {"name": "height", "datatype": "FP64", "shape": [-1]},
        {"name": "town", "datatype": "BYTES", "shape": [-1]},
    ],
    "outputs": [{"name": "output-0", "datatype": "BYTES", "shape": [-1]}],
}


class OfFrame:
    def predict(self, frame):
        assert list(frame.columns) == ["age", "height", "town"]
        return [f"{row.age:d} {row.height:.1f} {row.town}" for row in frame.itertuples()]


def test_columns_by_name_in_any_order_and_what_is_wrong_with_them():
    row = {"town": "Ulm", "height": 1.5, "age": 3}
    with running({"model": OfFrame(), "signature": FRAME}) as server:
        right = {"predictions": ["3 1.5 Ulm"]}
        assert server.predict([row]).json() == right
        assert server.predict([[3, 1.5, "Ulm"]]).json() == right
        columns = {name: [value] for name, value in row.items()}
        assert server.ask("/v1/models/m:predict", {"inputs": columns}).json() == right
        tensors = [
            {"name": "town", "shape": [1], "datatype": "BYTES", "data": ["Ulm"]},
            {"name": "age", "shape": [1, 1], "datatype": "INT32", "data": [3]},
            {"name": "height", "shape": [1], "datatype": "FP32", "data": [1.5]},
        ]
        assert server.infer(tensors).json()["outputs"][0]["data"] == ["3 1.5 Ulm"]
        for answer, words in [
            (
                server.predict([{"town": "Ulm", "age": 3}]),
                ["instances[0] misses height", "age, height, town"],
            ),
            (server.predict([row, {**row, "size": 1}]), ["instances[1] has size", "age, height, town"]),
            (server.predict([{**row, "age": "old"}]), ["age[0] is the text 'old'", "whole numbers"]),
            (server.predict([{**row, "age": 1.5}]), ["age[0] is 1.5", "whole numbers"]),
            (server.predict([{**row, "town": 5}]), ["town[0] is 5", "text"]),
            (server.predict([{**row, "age": None}]), ["age[0] is null"]),
            (server.predict([row, [3, 1.5, "Ulm"]]), ["instances[1] has no names"]),
            (server.predict([[3, 1.5]]), ["instances[0] has 2 values", "3 (age, height, town)"]),
            (server.ask("/v1/models/m:predict", {"inputs": {**columns, "age": [1, 2]}}), ["rows", "age 2"]),
            (server.ask("/v1/models/m:predict", {"inputs": {**columns, "age": 1}}), ["age is a number"]),
            (server.infer(tensors[:2]), ["misses height"]),
            (server.infer([*tensors, tensors[0] | {"name": "x"}]), ["has x"]),
            (server.infer([*tensors, tensors[0]]), ["two inputs", "town"]),
        ]:
            assert answer.status == 400, words
            for word in words:
                assert word in answer.json()["error"]
        assert server.predict([{**row, "height": None}]).json() == {"predictions": ["3 nan Ulm"]}


def test_a_model_that_runs_a_loop_of_its_own():
    class Loops:
        def predict(self, rows):
            import asyncio

            async def there():
                return rows * 2

            work = there()
            try:
                return asyncio.run(work)
            finally:
                work.close()

    with running({"model": Loops()}) as server:
        for number in range(20):
            assert server.predict([[number]]).json() == {"predictions": [[2 * number]]}


class Before:
    """A transformer."""

    def preprocess(self, payload, headers=None):
        if "instances" in payload and isinstance(payload, dict):
            return {"instances": [[2 * value for value in row] for row in payload["instances"]]}
        return payload

    def postprocess(self, result, headers=None):
        return {**result, "host": self.predictor_host}


class After:
    def predict(self, payload, headers=None):
        if payload["instances"][0][0] == 0:
            error = ValueError("no zeros")
            error.status_code = 422
            raise error
        return {"predictions": [sum(row) for row in payload["instances"]], "id": headers.get("x-request-id")}


def test_a_transformer_asks_the_predictor_behind_it():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with running({"model": After}, http={"host": "127.0.0.1", "port": port}) as behind:
        address = f"127.0.0.1:{port}"
        with running({"model": Before}, predictor=address) as server:
            answer = server.ask("/v1/models/m:predict", {"instances": [[1, 2]]}, {"X-Request-Id": "r9"})
            assert answer.json() == {"predictions": [6], "id": "r9", "host": address}
            tensor = {"name": "a", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]}
            assert server.infer([tensor]).json()["outputs"][0]["data"] == [3]
            fault = server.predict([[0, 1]])
            assert (fault.status, "no zeros" in fault.json()["error"]) == (422, True)
            behind.end()
            assert server.predict([[1, 1]]).status == 503
    with running({"model": Before}, wait=("failed",)) as server:
        assert "no predict" in server.state["reason"]
