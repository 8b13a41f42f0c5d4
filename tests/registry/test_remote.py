"""The same calls against a server by URL and token."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_ext import registry as kf
from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unavailable
from jupyter_ext.registry import place
from jupyter_ext.registry.entry import Entry
from jupyter_ext.registry.exchange import respond
from jupyter_ext.registry.loading import Untrusted
from jupyter_ext.registry.remote import Denied
from jupyter_ext.registry.routes import OURS
from tests.registry.test_server import serving

MODEL = LogisticRegression().fit([[0.0], [1.0]], [0, 1])


@pytest.fixture
def address(tmp_path) -> Iterator[str]:
    """A server without a token."""
    with serving(tmp_path) as address:
        yield address


def test_the_same_verbs(address, tmp_path):
    registry = kf.connect(address, storage=f"file://{tmp_path}/shared")
    assert registry.transport.version == "v1"
    first = registry.register(
        MODEL, "m", metrics={"a": 0.5}, parameters={"lr": 1}, alias="champion", example=[[0.5]]
    )
    second = registry.register(MODEL, "m", metrics={"a": 0.7})
    assert [found.name for found in registry.find("a > 0.6")] == ["m:2"]
    assert registry.get("m@champion").metrics == {"a": 0.5}
    assert registry.get("m@champion").load().predict([[1.0]]).tolist() == [1]
    assert registry.promote(second).name == "m:1"
    assert registry.compare("m:1", "m:2").to_dict()["metrics"] == {"a": [0.5, 0.7]}
    assert first.uri.startswith(f"file://{tmp_path}/shared/m/")
    assert registry.copy(second, "prod").name == "prod:1"
    registry.get("m").archive()
    assert [found.name for found in registry.models()] == ["prod"]
    with pytest.raises(NotFound, match="Did you mean prod"):
        registry.get("prd")
    with pytest.raises(Conflict, match="has a version 1 already"):
        registry.register("s3://x", "prod", "1")
    assert kf.models() == []


def test_another_users_pickle_is_asked_about(address, tmp_path, monkeypatch):
    kf.connect(address, storage=f"file://{tmp_path}/shared").register(MODEL, "m")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "another-user"))
    found = kf.connect(address).get("m:1")
    with pytest.raises(Untrusted):
        found.load()
    assert found.load(trust=True).predict([[1.0]]).tolist() == [1]


def test_a_registration_that_broke_off_is_gone_on_with(address):
    registry = kf.connect(address)
    model = registry.transport.ask("POST", "registered_models", body={"name": "m"})
    version = registry.transport.ask(
        "POST", "model_versions", body={"name": "1", "registeredModelId": model["id"]}
    )
    for body in (
        {"artifactType": "metric", "name": "a", "value": 7},
        {"artifactType": "dataset-artifact", "name": "d", "uri": "s3://b/data"},
    ):
        registry.transport.ask("POST", f"model_versions/{version['id']}/artifacts", body=body)
    data = {"d": "s3://b/data"}
    found = registry.register(MODEL, "m", "1", metrics={"a": 1}, data=data)
    with pytest.raises(Conflict):
        registry.register(MODEL, "m", "1")
    assert list(found.data) == ["d"]
    assert (found.version, found.metrics) == ("1", {"a": 1.0})
    assert registry.get("m:1").load() is not None


def test_a_registration_is_one_request_and_happens_or_does_not(address, monkeypatch):
    registry = kf.connect(address)
    assert registry.models() == []
    asked = []
    exchange = registry.transport._exchange
    monkeypatch.setattr(
        registry.transport, "_exchange", lambda *words: asked.append(words[:2]) or exchange(*words)
    )
    found = registry.register(
        "s3://b/k", "m", metrics={"a": 1, "b": 2}, parameters={"lr": 3}, alias="champion", description="Of b"
    )
    assert asked == [("POST", "jupyter-kubeflow/registrations")]
    assert (found.name, found.metrics, found.aliases) == ("m:1", {"a": 1.0, "b": 2.0}, ["champion"])
    assert (found.description, found.parameters) == ("Of b", {"lr": "3"})
    assert registry.register("s3://b/k", "m").version == "2"
    good = Entry("n", "ada", "ada", {}, ({"artifactType": "metric", "name": "a", "value": 1.0},)).to_json()
    for wrong in (
        {"artifacts": [*good["artifacts"], {"artifactType": "model-artifact", "uri": 3}]},
        {"alias": "a b"},
        {"name": 3},
        {"version": 3},
        {"artifacts": ["a"]},
        {"properties": []},
        {"more": 1},
    ):
        with pytest.raises(Invalid):
            registry.transport.enter({**good, **wrong})
    assert [model.name for model in registry.models()] == ["m"], "nothing is left of what was refused"


def test_models_for_others_need_a_place_that_others_can_read():
    registry = kf.connect("http://registry.example:8080")
    with pytest.raises(Invalid, match="has no storage of its own"):
        registry.register(MODEL, "m")


def test_a_replaced_token_is_read_again(tmp_path):
    token = tmp_path / "token"
    token.write_text("first")
    with serving(tmp_path, "--token-file", str(token)) as address:
        with pytest.raises(Denied, match="a request without a token"):
            kf.connect(address).models()
        with pytest.raises(Denied) as refused:
            kf.connect(address, token="not-the-one").models()
        assert "not-the-one" not in f"{refused.value} {refused.value.to_dict()}"
        registry = kf.connect(address, token_file=token)
        assert registry.models() == []
        token.write_text("second")
        assert registry.models() == []


class OnlyAlpha(BaseHTTPRequestHandler):
    """An older server: v1alpha3 alone, and it closes each connection that was idle."""

    protocol_version = "HTTP/1.1"
    service = None
    connections = 0
    asked: ClassVar[list[str]] = []

    def setup(self):
        super().setup()
        type(self).connections += 1

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        parts = urlsplit(self.path)
        version, _, path = parts.path.removeprefix("/api/model_registry/").partition("/")
        self.asked.append(version)
        query = {name: [value.encode() for value in values] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, found = 404, b"404 page not found\n"
        if version == "v1alpha3":
            status, found = respond(
                self.service, self.command, (version, path), query, ("application/json", body)
            )
        self.send_response(status)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *args):
        pass


@pytest.fixture
def older(service) -> Iterator[type[OnlyAlpha]]:
    """Such a server; its address is in ``address``."""
    handler = type("Handler", (OnlyAlpha,), {"service": service, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        handler.address = f"http://127.0.0.1:{server.server_address[1]}"
        handler.server = server
        try:
            yield handler
        finally:
            server.shutdown()
            thread.join()


def test_an_older_server_over_one_connection(older):
    registry = kf.connect(older.address)
    assert registry.transport.version == "v1alpha3"
    for number in range(5):
        registry.register("s3://b/k", "m", metrics={"a": number})
    assert len(registry.find()) == 5
    assert older.connections == 1
    assert older.asked.count(OURS) == 1, "it is asked once whether it takes a registration in one request"
    registry.transport.close()


def test_a_server_that_is_down_or_none():
    with pytest.raises(Unavailable, match="does not answer"):
        kf.connect("http://127.0.0.1:9").models()
    for url in ("ftp://x", "http://", "http://user:pw@host", "http://host?token=x"):
        with pytest.raises(Invalid):
            kf.connect(url)


def test_what_is_no_registry_is_said(older):
    with pytest.raises(Unavailable, match="there is no model registry"):
        kf.connect(f"{older.address}/elsewhere").models()


def test_the_registry_of_the_environment(address, monkeypatch):
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY", address)
    kf.register("s3://b/k", "m")
    assert [found.name for found in kf.find()] == ["m:1"]
    place.default().transport.close()
    monkeypatch.delenv("JUPYTER_KUBEFLOW_REGISTRY")
    assert kf.find() == []


def test_nothing_is_registered_in_a_pod_that_goes(address, monkeypatch):
    """The profile's own registry would go with the pod of the step."""
    monkeypatch.setenv(STEP, "runs/uid/step")
    monkeypatch.delenv(place.URL, raising=False)
    with pytest.raises(Unavailable, match="goes with it") as error:
        kf.register(MODEL, "m")
    assert f"{place.URL}=URL" in str(error.value)
    monkeypatch.setenv(place.URL, address)
    assert kf.register(MODEL, "m").name == "m:1"


def test_versions_travel_and_tokens_do_not(tmp_path, monkeypatch):
    """Steps of a pipeline hand versions on, from process to process."""
    file = tmp_path / "token"
    file.write_text("secret-of-mine")
    file.chmod(0o600)
    with serving(tmp_path, "--token-file", str(file)) as address:
        registry = kf.connect(address, token="secret-of-mine", storage=f"file://{tmp_path}/shared")
        travelled = pickle.dumps(registry.register(MODEL, "m", metrics={"a": 1}))
        assert b"secret-of-mine" not in travelled
        monkeypatch.setenv(place.TOKEN_FILE, str(file))
        version = pickle.loads(travelled)
        assert version.name == "m:1"
        assert version.model.versions()[0].metrics == {"a": 1}
        assert version.registry.storage == f"file://{tmp_path}/shared"
    here = pickle.loads(pickle.dumps(kf.register(MODEL, "n")))
    assert here.registry.transport.address == kf.local().transport.address
    assert here.load().predict([[1.0]]).tolist() == [1]


def test_what_a_step_registered_another_step_reads_unasked(address, tmp_path, monkeypatch):
    """The pods of steps have nothing in common but the store; elsewhere one is asked as before."""
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv(place.URL, address)
    monkeypatch.setenv(place.STORAGE, (tmp_path / "shared").as_uri())
    monkeypatch.setenv(STEP, "runs/uid/register")
    kf.register(MODEL, "m")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "another-pod"))
    assert kf.get("m:1").load().predict([[1.0]]).tolist() == [1]
    monkeypatch.delenv(STEP)
    with pytest.raises(Untrusted):
        kf.get("m:1").load()
