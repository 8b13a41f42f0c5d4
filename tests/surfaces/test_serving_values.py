"""Values of a notebook on their way to a model server and back, over real sockets."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jupyter_ext.errors import Invalid, KubeflowError, Unavailable
from jupyter_ext.serving import predicting, reading, tensors
from jupyter_ext.serving.predicting import Target, predict

TYPES = [np.dtype(text) for name, text in tensors.DTYPES.items()]


def read_v2(body: bytes, head: str | None) -> dict[str, Any]:
    """Read a request as a server would, by the words of the protocol's binary extension."""
    length = int(head) if head else len(body)
    parsed = json.loads(body[:length])
    place = length
    found = {}
    for item in parsed["inputs"]:
        size = item.get("parameters", {}).get("binary_data_size")
        if size is None:
            found[item["name"]] = np.array(item["data"]).reshape(item["shape"])
            continue
        found[item["name"]] = tensors.array_of(body[place : place + size], item["datatype"], item["shape"])
        place += size
    assert place == len(body), "nothing is left over"
    return found


class Echo(BaseHTTPRequestHandler):
    """Answers V2 with its inputs as outputs, V1 with its instances; says what it was asked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), self.client_address))
        if self.server.refusal:
            status, text = self.server.refusal
            self.answer(status, json.dumps({"error": text}).encode())
        elif self.path.endswith("/infer"):
            self.infer(body)
        else:
            self.answer(200, json.dumps({"predictions": json.loads(body)["instances"]}).encode())

    def infer(self, body: bytes) -> None:
        found = read_v2(body, self.headers.get(tensors.HEAD))
        heads, chunks = [], []
        for name, array in found.items():
            datatype, content = tensors._bytes(array, name)
            heads.append(
                {"name": f"out-{name}", "datatype": datatype, "shape": list(array.shape)}
                | {"parameters": {"binary_data_size": len(content)}}
            )
            chunks.append(content)
        head = json.dumps({"outputs": heads}).encode()
        self.answer(200, b"".join([head, *chunks]), {tensors.HEAD: str(len(head))})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, text in {"X-Variant": "v1", "X-Request-Id": "r-1", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.hangup  # without a word, as one that is killed


@pytest.fixture
def echo():
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.seen, server.refusal, server.hangup = [], None, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        predicting.pool.close()
        server.shutdown()


@pytest.fixture
def target(echo, tmp_path):
    token = tmp_path / "gateway.token"
    token.write_text("secret\n")
    return Target(f"http://127.0.0.1:{echo.server_port}/iris", token, "iris")


@settings(deadline=None)
@given(
    array=st.sampled_from(TYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=3, max_side=4))
    )
)
def test_an_array_survives_the_wire(array):
    sent = tensors.request(array)
    (back,) = read_v2(sent.body, sent.headers[tensors.HEAD]).values()
    assert back.dtype == array.dtype
    assert back.tobytes() == np.ascontiguousarray(array).tobytes()


@settings(deadline=None)
@given(texts=st.lists(st.text(), min_size=1, max_size=6))
def test_texts_survive_the_wire(texts):
    sent = tensors.request({"words": texts})
    assert read_v2(sent.body, sent.headers[tensors.HEAD])["words"].tolist() == texts


def test_what_comes_back_is_of_the_kind_that_went_out(echo, target):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}, index=[7, 9])
    answer = predict(frame, target)
    assert isinstance(answer, pd.DataFrame)
    assert answer.index.tolist() == [7, 9]
    assert answer["out-b"].tolist() == ["x", "y"]
    one = predict(frame[["a"]], target)
    assert isinstance(one, pd.Series)
    assert one.to_dict() == {7: 1.5, 9: 2.5}
    array = predict(np.arange(6, dtype="f4").reshape(2, 3), target)
    assert (array.dtype, array.shape) == (np.float32, (2, 3))
    assert predict([[1, 2], [3, 4]], target) == [[1, 2], [3, 4]]
    assert predict({"instances": [{"a": 1}]}, target) == [{"a": 1}]
    assert predict({"a": 1.5}, target) == 1.5, "single values are one row"
    assert np.isnan(predict({"a": [1, None]}, target)).tolist() == [False, True]
    both = predict({"a": [1, 2], "b": [3.0, 4.0]}, target)
    assert {name: value.tolist() for name, value in both.items()} == {"out-a": [1, 2], "out-b": [3.0, 4.0]}
    whole = predict({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2.0]}]}, target)
    assert whole["outputs"][0]["name"] == "out-x"
    paths = {path for path, _, _ in echo.seen}
    assert paths == {"/iris/v2/models/iris/infer", "/iris/v1/models/iris:predict"}


def test_a_tensor_gives_a_tensor(target):
    torch = pytest.importorskip("torch")
    given_ = torch.arange(4, dtype=torch.float32).reshape(2, 2).requires_grad_()
    answer = predict(given_, target)
    assert torch.equal(answer, given_.detach())


def test_categories_and_times_go_as_what_they_stand_for(echo, target):
    frame = pd.DataFrame(
        {"kind": pd.Categorical(["a", "b"]), "at": pd.to_datetime(["2026-01-01", "2026-01-02"])}
    )
    answer = predict(frame, target)
    assert answer["out-kind"].tolist() == ["a", "b"]
    assert answer["out-at"].tolist()[0].startswith("2026-01-01")


def test_a_connection_is_used_again_and_carries_the_token_and_the_variant(echo, target):
    for _ in range(3):
        predict([1], target)
    places = {place for _, _, place in echo.seen}
    assert len(places) == 1
    assert {headers.pop("Authorization") for _, headers, _ in echo.seen} == {"Bearer secret"}
    assert "secret" not in str(echo.seen), "nowhere else"
    asked = Target(target.url, target.token, "iris", "v2")
    answer = predict([1], asked, raw=True, headers={"x-user": "ada"})
    assert echo.seen[-1][1]["X-Variant"] == "v2"
    assert echo.seen[-1][1]["x-user"] == "ada"
    assert (answer.status, answer.variant, answer.request_id, answer.value) == (200, "v1", "r-1", [1])
    assert "secret" not in repr(asked)


def test_threads_do_not_share_a_connection_at_the_same_time(echo, target):
    wrong = []

    def ask(number: int) -> None:
        wrong.extend(number for _ in range(20) if predict([number], target) != [number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("status", [400, 404, 413, 503])
def test_a_refusal_is_the_servers_own_sentence(echo, target, status):
    echo.refusal = (status, "petal length is missing")
    with pytest.raises(predicting.Refused, match="petal length is missing") as caught:
        predict([[1]], target)
    assert caught.value.status == status


def test_a_connection_that_the_server_closed_is_made_anew(echo, target):
    echo.hangup = True
    assert [predict([number], target) for number in range(3)] == [[0], [1], [2]]
    assert len({place for _, _, place in echo.seen}) == 3


def test_nobody_there(monkeypatch):
    monkeypatch.setattr(predicting, "PATIENCE", 0.0)
    with pytest.raises(Unavailable, match="nothing answers"):
        predict([1], Target("http://127.0.0.1:9/iris", None, "iris"))
    with pytest.raises(Invalid, match="not an address"):
        predict([1], Target("file:///etc/passwd", None, "iris"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (object(), "object cannot be predicted"),
        ({}, "nothing to predict"),
        ({"a": ["x", None]}, "a holds NoneType"),
        (np.array([1 + 2j]), "complex128"),
        ([{1, 2}], "cannot be sent as JSON"),
    ],
)
def test_what_cannot_be_sent_is_named(data, what, target):
    with pytest.raises(Invalid, match=what):
        predict(data, target)


@pytest.mark.parametrize(
    "headers",
    [{"x\r\ny": "1"}, {"x": "a\r\nb: c"}, {"Authorization": "mine"}, {"x": "\N{SNOWMAN}"}, {"": "x"}],
)
def test_a_header_is_one_header(headers, target):
    with pytest.raises(Invalid, match="header"):
        predict([1], target, headers=headers)


@settings(deadline=None)
@given(st.binary(max_size=60), st.one_of(st.none(), st.integers(0, 80).map(str), st.text(max_size=5)))
def test_an_answer_of_any_bytes_is_read_or_refused(content, head):
    with contextlib.suppress(KubeflowError):
        tensors.parse(content, head)


def test_rows_of_all_kinds_as_instances():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert tensors.instances_of(frame) == {"instances": rows}
    assert tensors.instances_of({"a": [1, 2], "b": ["x", "y"]}) == {"instances": rows}
    assert tensors.instances_of({"a": 1, "b": "x"}) == {"instances": rows[:1]}
    assert tensors.instances_of(np.eye(2)) == {"instances": [[1.0, 0.0], [0.0, 1.0]]}
    assert tensors.inputs_of(frame)[1] == {"name": "b", "shape": [2], "datatype": "BYTES", "data": ["x", "y"]}


# Files


def test_files_of_all_forms(tmp_path: Path):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    frame.to_csv(tmp_path / "head.csv", index=False)
    frame.to_parquet(tmp_path / "some.parquet")
    (tmp_path / "none.csv").write_text("1,2\n3,4\n")
    (tmp_path / "tabs.tsv").write_text("a\tb\n1\t2\n")
    np.save(tmp_path / "some.npy", np.eye(2))
    (tmp_path / "rows.json").write_text("[[1, 2]]")
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert reading.read(tmp_path / "head.csv").equals(frame)
    assert reading.read(tmp_path / "some.parquet").equals(frame)
    assert reading.read(tmp_path / "none.csv").tolist() == [[1, 2], [3, 4]], "numbers only are no head"
    assert reading.read(tmp_path / "tabs.tsv").columns.tolist() == ["a", "b"]
    assert reading.read(tmp_path / "some.npy").tolist() == [[1, 0], [0, 1]]
    assert reading.read(tmp_path / "rows.json") == [[1, 2]]
    assert reading.read(tmp_path / "rows.jsonl") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.txt", b"1", "no form"),
        ("a.csv", b"", "empty"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"3", "neither a list"),
        ("a.jsonl", b"1\n{", "line 2"),
        ("a.npy", b"no", "cannot be read"),
        ("a.parquet", b"no", "cannot be read"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=what):
        reading.read(tmp_path / name)


def test_a_pickle_in_an_array_is_not_loaded(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(Invalid, match="pickle"):
        reading.read(tmp_path / "evil.npy")


def test_predictions_as_lines():
    frame = pd.DataFrame({"a": [1], "b": ["x"]})
    assert list(reading.lines(reading.plain(frame))) == ['{"a": 1, "b": "x"}']
    assert list(reading.lines(reading.plain(np.array([0.5, 1.0])))) == ["0.5", "1.0"]
    assert list(reading.lines(["setosa", "virginica"])) == ["setosa", "virginica"]
