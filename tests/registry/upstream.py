"""A double of upstream's Model Registry server, for that cannot be had here.

The records are kept by our own service. What makes it a double of upstream's: it knows only upstream's paths, and each
request and each answer is read by the models that upstream generates from its OpenAPI document (`model-registry` on
PyPI). What they do not know, or do not take, is an error of the test that asked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jupyter_ext.registry.exchange import respond
from jupyter_ext.registry.service import Service
from jupyter_ext.registry.store import Store

KINDS = {
    "registered_model": "RegisteredModel", "model_version": "ModelVersion", "model_artifact": "ModelArtifact",
    "artifact": "Artifact", "serving_environment": "ServingEnvironment", "inference_service": "InferenceService",
    "serve": "ServeModel", "version": "ModelVersion", "model": "RegisteredModel",
}  # fmt: skip
ARTIFACTS = {
    "model-artifact": "ModelArtifact", "doc-artifact": "DocArtifact", "dataset-artifact": "DataSet",
    "metric": "Metric", "parameter": "Parameter",
}  # fmt: skip

REQUESTS = {"POST": "Create", "PATCH": "Update"}
"""What upstream calls the bodies of requests; those of answers have the name of the kind."""


class FakeUpstream:
    """The server. ``wrong`` are the sentences of what upstream would not know; ``seen`` the requests."""

    def __init__(self, folder: Path, host: str, versions: Sequence[str]) -> None:
        self.service = Service(Store(folder / "upstream.sqlite"))
        self.versions = versions
        self.wrong: list[str] = []
        self.seen: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.answer(self)

            do_POST = do_PATCH = do_GET  # noqa: N815 - the base class asks for these names

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.port = int(self.server.server_address[1])

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        """Check, pass on, check what comes back."""
        parts = urlsplit(asked.path)
        version, _, path = parts.path.removeprefix("/api/model_registry/").partition("/")
        content = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        self.seen.append(f"{asked.command} {version}/{path}")
        if "Authorization" in asked.headers:
            self.wrong.append(f"{asked.path}: a token came along that nobody asked for")
        status, found = 404, b"404 page not found\n"
        if version in self.versions:
            if content:
                self.check(asked.command, path, json.loads(content), REQUESTS)
            query = {
                name: [value.encode() for value in values] for name, values in parse_qs(parts.query).items()
            }
            status, found = respond(
                self.service, asked.command, (version, path), query, ("application/json", content)
            )
            if status < 300:
                self.check(asked.command, path, json.loads(found), {})
        asked.send_response(status)
        asked.send_header("Content-Type", "application/json; charset=UTF-8")
        asked.send_header("Content-Length", str(len(found)))
        asked.end_headers()
        asked.wfile.write(found)

    def check(self, method: str, path: str, body: dict[str, Any], forms: dict[str, str]) -> None:
        """Read it by upstream's model of it; a field that the model has not is wrong."""
        from mr_openapi import models

        *_, owner, last = ["", *path.strip("/").split("/")]
        word = owner if last.isdigit() else last
        rows = body["items"] if "items" in body and not forms else [body]
        for row in rows:
            kind = KINDS.get(word) or KINDS[word.removesuffix("s")]
            if kind == "Artifact":
                kind = ARTIFACTS[row["artifactType"]]
            form = getattr(models, f"{kind}{forms.get(method, '')}")
            known = {field.alias or name for name, field in form.model_fields.items()}
            try:
                if unknown := row.keys() - known:
                    raise ValueError(f"{form.__name__} has no {', '.join(sorted(unknown))}")
                form.from_json(json.dumps(row))
            except ValueError as error:
                self.wrong.append(f"{method} {path}: {error}")


@contextmanager
def upstream(
    folder: Path, host: str = "127.0.0.1", versions: Sequence[str] = ("v1alpha3",)
) -> Iterator[FakeUpstream]:
    """Such a server; at the end nothing may have been wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    fake = FakeUpstream(folder, host, versions)
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        fake.server.shutdown()
        thread.join()
        fake.server.server_close()
    assert fake.wrong == []
