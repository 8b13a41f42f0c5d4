"""The status server of Kubeflow Trainer, on the loopback interface."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.training import train
from jupyter_ext.training.progress import LIMIT, Progress, read
from jupyter_ext.training.reporting import send_status


@pytest.fixture
def server(tmp_path, monkeypatch):
    heard = []
    made = Progress(tmp_path, "default", "job", lambda *said: heard.append(said))
    made.start()
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    made.heard_here = heard
    yield made
    made.close()


def post(server, body: bytes, *, path=None, token=None, method="POST"):
    environment = server.environment()
    address = environment["KUBEFLOW_TRAINER_SERVER_URL"]
    secret = Path(environment["KUBEFLOW_TRAINER_SERVER_TOKEN"]).read_text()
    url = address if path is None else address.replace(server._path, path)
    headers = {"Authorization": f"Bearer {secret if token is None else token}"}
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


STATUS = {
    "progressPercentage": 40,
    "estimatedRemainingSeconds": 12,
    "metrics": [{"name": "loss", "value": "0.5"}, {"name": "note", "value": "fine"}],
    "lastUpdatedTime": "2026-01-01T00:00:00Z",
}


def test_what_is_posted_is_heard(server):
    assert post(server, json.dumps({"trainerStatus": STATUS}).encode()) == 200
    send_status({"progressPercentage": 50})
    assert server.heard_here == [(0.4, 12.0, {"loss": 0.5}), (0.5, None, {})]


def test_what_is_wrong_is_refused(server):
    good = json.dumps({"trainerStatus": STATUS}).encode()
    assert post(server, good, token="guess") == 401
    assert post(server, good, path="/apis/other") == 404
    assert post(server, good, method="PUT") == 405
    assert post(server, b"{") == 400
    assert post(server, b'{"status": {}}') == 400
    assert post(server, b'{"trainerStatus": {"progressPercentage": 101}}') == 400
    many = [{"name": f"m{number}", "value": "1"} for number in range(257)]
    assert post(server, json.dumps({"trainerStatus": {"metrics": many}}).encode()) == 400
    assert server.heard_here == []


def test_a_body_that_is_too_large_is_not_read(server):
    port = server._socket.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST {server._path} HTTP/1.1\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_it_listens_to_this_machine_only(server):
    assert server._socket.getsockname()[0] == "127.0.0.1"


@given(st.dictionaries(st.sampled_from(["progressPercentage", "estimatedRemainingSeconds", "metrics", "other"]),
                       st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))))  # fmt: skip
def test_any_status_is_read_or_refused(status):
    try:
        progress, remaining, metrics = read(status)
    except (ValueError, TypeError, OverflowError, KeyError, AttributeError):
        return
    assert progress is None or 0 <= progress <= 1
    assert remaining is None or not remaining < 0
    assert metrics == {} or "metrics" in status


def test_a_job_reports_by_upstreams_contract(cluster, folder):
    def fit():
        from jupyter_ext.training.reporting import send_status

        send_status({"progressPercentage": 30, "metrics": [{"name": "eval/loss", "value": "0.125"}]})

    job = train(fit, framework="plain").wait(60)
    assert job.metrics == {"eval/loss": 0.125}
    assert job.phase == "SUCCEEDED"
