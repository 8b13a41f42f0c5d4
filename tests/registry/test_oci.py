"""Models as OCI images: pushed to and pulled from a real registry where one is installed, and a fake one for its moods."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext import registry
from jupyter_ext.errors import Invalid, NotFound, Unavailable
from jupyter_ext.registry import oci
from jupyter_ext.registry.ociwire import Refused

PROGRAM = os.environ.get("OCI_REGISTRY") or shutil.which("docker-registry") or shutil.which("registry")
"""The reference implementation (Distribution); a Debian package has it."""


@contextmanager
def distribution(folder: Path) -> Iterator[str]:
    """The real registry on loopback; gives its address."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    config = {
        "version": 0.1, "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"}, "log": {"level": "error"},
    }  # fmt: skip
    (folder / "config.yml").write_text(json.dumps(config))
    with subprocess.Popen(
        [PROGRAM, "serve", str(folder / "config.yml")], stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/").close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture(params=["fake", *(["real"] if PROGRAM else [])])
def place(request, tmp_path_factory):
    """A registry that lets everybody in: a fake one, and the real one where it is installed."""
    if request.param == "real":
        with distribution(tmp_path_factory.mktemp("oci")) as host:
            yield host
        return
    made = Fake(password=None)
    yield made.host
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder like a model's."""
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "model.json").write_text('{"learner": {}}')
    (folder / "deep" / "weights.bin").write_bytes(os.urandom(3 << 20) + b"odd")
    (folder / "empty").write_bytes(b"")
    return folder


def test_a_model_goes_to_a_registry_and_comes_back(place, files, tmp_path):
    made = registry.register(files, "Iris Größe", to=f"oci://{place}/team/models", format="xgboost")
    assert re.fullmatch(rf"oci://{place}/team/models/iris-gr-e:[0-9a-f]{{16}}", made.uri)
    there = made.path()
    assert (there / "deep" / "weights.bin").read_bytes() == (files / "deep" / "weights.bin").read_bytes()
    assert sorted(path.name for path in there.rglob("*") if path.is_file()) == [
        "empty",
        "model.json",
        "weights.bin",
    ]
    again = registry.register(files, "other", to=f"oci://{place}/team/models", format="xgboost")
    assert again.digest == made.digest
    with pytest.raises(NotFound, match="there is no image"):
        oci.pull(f"oci://{place}/team/models/none:1", tmp_path)


def test_other_clients_find_an_ordinary_image(place, files):
    where = oci.reference(oci.push([("model.json", files / "model.json")], f"oci://{place}/plain:1"))
    request = urllib.request.Request(f"http://{place}/v2/plain/manifests/1", headers={"Accept": oci.MANIFEST})
    with urllib.request.urlopen(request) as answer:
        manifest = json.load(answer)
        assert answer.headers["Content-Type"] == oci.MANIFEST
    (layer,) = manifest["layers"]
    with urllib.request.urlopen(f"http://{place}/v2/plain/blobs/{layer['digest']}") as answer:
        content = answer.read()
    assert len(content) == layer["size"]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["models/model.json"]
    assert str(where) == f"oci://{place}/plain:1"


class Fake:
    """A registry in memory, which wants a token and can be told to misbehave. It is no proof of the protocol."""

    def __init__(self, password: str | None = "ada:secret") -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.password = base64.b64encode(password.encode()).decode() if password else ""
        self.seen: list[tuple[str, str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def say(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def answer(self):
                fake.answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 - as http.server looks for them

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, ask):
        parts = urlsplit(ask.path)
        given = ask.headers.get("Authorization") or ""
        body = ask.rfile.read(int(ask.headers.get("Content-Length") or 0))
        self.seen.append((ask.command, parts.path, given))
        if parts.path == "/token":
            if given != f"Basic {self.password}":
                return ask.say(401)
            return ask.say(200, json.dumps({"token": "t:" + parse_qs(parts.query)["scope"][0]}).encode())
        if self.password and not given.startswith("Bearer t:"):
            return ask.say(401, WWW_Authenticate=f'Bearer realm="http://{self.host}/token",service="fake"')
        kind, _, name = parts.path.rpartition("/")
        if kind.endswith("/uploads") and ask.command == "POST":
            return ask.say(202, Location=f"{parts.path}1?state=x")
        if kind.endswith("/uploads"):
            digest = parse_qs(parts.query)["digest"][0]
            assert f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
            self.blobs[digest] = body
            return ask.say(201)
        store = self.manifests if kind.endswith("/manifests") else self.blobs
        if ask.command == "PUT":
            store[name] = body
            return ask.say(201)
        kinds = {"Content_Type": oci.MANIFEST} if store is self.manifests else {}
        return (
            ask.say(200, store[name], **kinds)
            if name in store
            else ask.say(404 if parts.path != "/v2/" else 200)
        )

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """It, with this user's password where container tools keep it."""
    made = Fake()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {f"http://{made.host}/v1/": {"auth": made.password}}})
    )
    yield made
    made.close()


def test_a_token_is_fetched_for_what_is_to_be_done(fake, files, tmp_path, kubeflow_home):
    made = registry.register(files, "iris", to=f"oci://{fake.host}/m", format="xgboost")
    assert (made.path() / "model.json").exists()
    scopes = {given for _, path, given in fake.seen if given.startswith("Bearer") and path != "/token"}
    assert scopes == {"Bearer t:repository:m/iris:pull", "Bearer t:repository:m/iris:pull,push"}
    stored = b"".join(path.read_bytes() for path in kubeflow_home.rglob("*") if path.is_file())
    assert fake.password.encode() not in stored
    assert b"secret" not in stored


def test_who_is_not_let_in_is_told_what_to_do(fake, files, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Refused, match="Log in first"):
        oci.push([("model.json", files / "model.json")], f"oci://{fake.host}/m:1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        oci.pull("oci://127.0.0.1:9/m:1", tmp_path)


def test_a_changed_layer_is_noticed(fake, files, tmp_path):
    oci.push([("model.json", files / "model.json")], f"oci://{fake.host}/m:1")
    manifest = json.loads(fake.manifests["1"])
    digest = manifest["layers"][0]["digest"]
    fake.blobs[digest] = fake.blobs[digest].replace(b"learner", b"LEARNER")
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Unavailable, match="is not what its manifest says"):
        oci.pull(f"oci://{fake.host}/m:1", into)
    assert list(into.iterdir()) == []


def test_no_file_is_written_outside_of_the_folder(fake, tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("models/../../escaped", "/etc/escaped", "models/good"):
            about = tarfile.TarInfo(name)
            about.size = 1
            archive.addfile(about, io.BytesIO(b"x"))
        link = tarfile.TarInfo("models/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    layer = content.getvalue()
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    fake.blobs[digest] = layer
    fake.manifests["1"] = json.dumps({"layers": [{"digest": digest, "size": len(layer)}]}).encode()
    into = tmp_path / "a" / "into"
    into.mkdir(parents=True)
    with pytest.raises(Unavailable, match="cannot be unpacked"):
        oci.pull(f"oci://{fake.host}/m:1", into)
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "a" / "escaped").exists()


@pytest.mark.parametrize(
    "uri",
    ["oci://", "oci://host", "oci://host/A", "oci://host/a:", "oci://host/a@sha256:1", "oci://host/../a"],
)
def test_what_is_no_image(uri):
    with pytest.raises(Invalid):
        oci.reference(uri)


@given(st.text(min_size=1, max_size=30))
def test_any_name_becomes_a_repository(name):
    found = oci.reference(oci.named("oci://host/base", name, "0123456789abcdef"))
    assert found.repository.startswith("base/")
