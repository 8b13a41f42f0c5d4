from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.serving import predicting
from jupyter_ext.serving.replay import differs, replay


class _Handler(BaseHTTPRequestHandler):
    """v1 doubles what it is sent, v2 doubles it but for 3, and v3 is broken."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str]]
    at_once = 0
    most = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        with self.lock:
            _Handler.at_once += 1
            _Handler.most = max(_Handler.most, _Handler.at_once)
        variant = self.headers["X-Variant"]
        _Handler.asked.append((self.path, variant))
        assert self.headers["X-Replay"] == "true"
        assert self.headers["Authorization"] == "Bearer secret"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        length = self.headers.get("Inference-Header-Content-Length")
        if length:
            (value,) = struct.unpack("<d", body[int(length) :])
            answer = {
                "id": "other",
                "outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [value * 2]}],
            }
        else:
            (value,) = json.loads(body)["instances"][0]
            if variant == "v2" and value == 3:
                value = 50
            answer = {"predictions": [value * 2 + (1e-9 if variant == "v2" else 0)]}
        status = 500 if variant == "v3" else 400 if value < 0 else 200
        sent = json.dumps(answer if status == 200 else {"error": "it is broken"}).encode()
        with self.lock:
            _Handler.at_once -= 1
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[SimpleNamespace]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = False
    _Handler.asked, _Handler.most = [], 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(name="iris", url=f"http://127.0.0.1:{server.server_port}/iris", token="secret")
    predicting.pool.close()
    server.shutdown()
    thread.join()
    server.server_close()


def v1(value) -> bytes:
    return json.dumps({"instances": [[value]]}).encode()


def answer(value) -> bytes:
    return json.dumps({"predictions": [value]}).encode()


def test_what_is_answered_otherwise_is_found(endpoint, logged):
    requests = [logged("v1", v1(n), answer(2 * n), name=f"r{n}") for n in range(20)]
    found = replay(endpoint, requests, "v2", concurrency=3)
    assert (found.same, found.different, found.failed, found.skipped) == (19, 1, 0, 0)
    row = next(row for row in found.rows if row.result == "different")
    assert (row.id, row.words, row.expected) == ("r3", "predictions[0]: 6 → 100", "[6]")
    assert found.summary.startswith(
        "v2 answers 19 of 20 logged requests as they were answered before, 1 otherwise."
    )
    assert _Handler.most <= 3
    assert {path for path, _ in _Handler.asked} == {"/iris/v1/models/iris:predict"}
    json.dumps(found.to_dict(), allow_nan=False)
    assert "r3" in found._repr_html_()
    assert "r3" in str(found)


def test_against_another_variant_both_are_asked_now(endpoint, logged):
    requests = [logged("v1", v1(n), None, name=f"r{n}") for n in (2, 3)]
    found = replay(endpoint, requests, "v2", "v1")
    assert (found.same, found.different) == (1, 1)
    assert "as v1 does" in found.summary
    assert sorted({variant for _, variant in _Handler.asked}) == ["v1", "v2"]


def test_a_variant_that_fails_is_told_from_requests_that_were_wrong_before(endpoint, logged):
    good, wrong = (
        logged("v1", v1(1), answer(2), name="good"),
        logged("v1", v1(-1), b"{}", name="wrong", status=400),
    )
    broken = replay(endpoint, [good], "v3")
    assert broken.failed == 1
    assert broken.rows[0].words == "it is broken"
    assert broken.rows[0].status == 500
    assert replay(endpoint, [wrong], "v2").rows[0].result == "same"


def test_what_cannot_be_sent_again_is_counted_and_said(endpoint, logged):
    requests = [
        logged("v1", None, None, name="a"),
        logged("v1", b'{"instances": [["***"]]}', answer(1), name="b"),
        logged("v1", v1(1), answer(2), name="c", path="/v2/models/iris"),
        logged("v1", v1(1), None, name="d"),
    ]
    found = replay(endpoint, requests, "v2")
    assert found.skipped == 4
    assert (
        "There is nothing to replay: 1 logged without their bodies, 1 with redacted fields" in found.summary
    )
    assert replay(endpoint, [], "v2").summary == "There is nothing to replay: no request is in the log."


def test_binary_bodies_and_versioned_paths_are_sent_again(endpoint, logged):
    raw = struct.pack("<d", 4.0)
    head = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}]
    }
    out = {
        "outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}]
    }
    sent = json.dumps(head).encode() + raw
    before = json.dumps({**out, "id": "1", "model_version": "1"}).encode() + struct.pack("<d", 8.0)
    made = logged("v1", sent, before, name="r", path="/iris/v2/models/iris/versions/1/infer")
    assert replay(endpoint, [made], "v2").rows[0].result == "same"
    assert _Handler.asked[0][0] == "/iris/v2/models/iris/infer"


def test_settings_that_make_no_sense_are_refused(endpoint):
    with pytest.raises(Invalid, match="with itself"):
        replay(endpoint, [], "v2", "v2")
    with pytest.raises(Invalid, match="at once"):
        replay(endpoint, [], "v2", concurrency=1000)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(values, values)
def test_answers_differ_from_others_and_not_from_themselves(one, other):
    assert not differs(one, one)
    assert bool(differs(one, other)) == bool(differs(other, one))
