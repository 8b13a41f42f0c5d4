"""The registry over HTTP: on its own, as a process, and in a Jupyter server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.registry.server import TokenFile, is_loopback, netutil_host, serve


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """The address of a registry of its own."""
    command = [sys.executable, "-m", "jupyter_ext.cli", "registry", "serve", "--port", "0"]
    command += ["--database", str(folder / "registry.sqlite"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stderr
        try:
            line = server.stdout.readline()
            assert line, server.stderr.read()
            yield line.split(" at ")[1].split(" ")[0]
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(10) == 0


def ask(address: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
    request = urllib.request.Request(
        address + path,
        data=None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


V1 = "/api/model_registry/v1/"
MODELS = f"{V1}registered_models"


def test_alone(tmp_path):
    with serving(tmp_path) as address:
        status, made = ask(address, MODELS, {"name": "iris"})
        assert (status, made["name"], made["id"]) == (201, "iris", "1")
        assert ask(address, "/api/model_registry/v1alpha3/registered_models/1") == (200, made)
        assert ask(address, f"{V1}registered_model?name=iris") == (200, made)
        assert ask(address, MODELS, {"name": "iris"}) == (
            409, {"code": "Conflict", "message": "registered model with name iris already exists"},
        )  # fmt: skip
        assert ask(address, MODELS, {"name": "x", "ext_id": 1}) == (
            400, {"code": "Bad Request", "message": 'json: unknown field "ext_id"'},
        )  # fmt: skip
        assert ask(address, MODELS, {}) == (
            422, {"code": "Bad Request", "message": "required field 'name' is zero value."},
        )  # fmt: skip
        for path in ["/", V1, f"{V1}poems", "/api/model_registry/v2/registered_models", f"{MODELS}/77"]:
            status, answer = ask(address, path)
            assert (status, answer["code"]) == (404, "Not Found")
        for path in [
            f"{MODELS}?name=%ff",
            f"{MODELS}/x",
            f"{MODELS}?filterQuery=%00",
            f"{MODELS}?pageSize=-1",
        ]:
            assert ask(address, path)[0] == 400, path
        assert ask(address, "/readyz/health")[0] == 200
    with serving(tmp_path) as address:
        assert ask(address, f"{MODELS}/1")[1]["name"] == "iris"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"name": "x"}', "text/plain"),
        (b'{"name": "x"}', ""),
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"name": NaN}', "application/json"),
        (b'{"name": "\xff"}', "application/json"),
        (b'{"name": "\\ud800"}', "application/json"),
        (b'{"name": "x", "customProperties": {"a": ' + b"9" * 5000 + b"}}", "application/json"),
    ],
)
def test_bodies_that_are_not_taken(service, body, kind):
    from jupyter_ext.registry.exchange import respond

    status, answer = respond(service, "POST", ("v1", "registered_models"), {}, (kind, body))
    assert (status, json.loads(answer)["code"]) == (400, "Bad Request")


def test_a_token_is_needed_and_may_be_replaced(tmp_path):
    token = tmp_path / "token"
    token.write_text("first\n")
    with serving(tmp_path, "--token-file", str(token)) as address:
        assert ask(address, MODELS)[0] == 401
        assert ask(address, MODELS, Authorization="Bearer second")[0] == 401
        assert ask(address, MODELS, Authorization="Basic first")[0] == 401
        assert ask(address, MODELS, Authorization="Bearer first")[0] == 200
        token.write_text("second\n")
        assert ask(address, MODELS, Authorization="Bearer first")[0] == 401
        assert ask(address, MODELS, Authorization="Bearer second")[0] == 200
        token.write_text("")
        assert ask(address, MODELS, Authorization="Bearer ")[0] == 503


def test_another_name_for_this_machine_is_refused(tmp_path):
    with serving(tmp_path) as address:
        assert ask(address, MODELS, Host="evil.example")[0] == 403
        assert ask(address, MODELS, Host="localhost:8080")[0] == 200


def test_an_open_address_needs_a_token(tmp_path):
    with pytest.raises(Invalid, match="can be reached from other machines"):
        serve(tmp_path / "registry.sqlite", host="0.0.0.0")
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(Invalid, match="empty"):
        TokenFile(tmp_path / "token")
    with pytest.raises(Invalid, match="cannot be read"):
        TokenFile(tmp_path / "none")


def test_hosts():
    assert [
        host for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost") if not is_loopback(host)
    ] == []
    assert [host for host in ("0.0.0.0", "10.0.0.1", "localhost.evil", "", "::") if is_loopback(host)] == []
    assert [netutil_host(host) for host in ("a:80", "[::1]:80", "LOCALHOST.")] == ["a", "[::1]", "localhost"]
