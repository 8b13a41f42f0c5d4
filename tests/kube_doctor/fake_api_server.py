"""An API server that is busy, slow or forgetful on demand, which a real one is only by accident."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, Any], dict[str, str]]
Answering = Callable[[dict[str, str], int], Answer]


class FakeApiServer:
    """Answers as its ``answers`` say; each gets the query and how often its path was asked for before."""

    def __init__(self, answers: Mapping[str, Answering], otherwise: Answering | None = None) -> None:
        self.answers = answers
        self.otherwise = otherwise or (lambda *_: (404, status(404, "NotFound"), {}))
        self.asked: Counter[str] = Counter()
        self.methods: set[str] = set()
        self.at_once = self.most_at_once = 0
        self._guard = threading.Lock()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address, as long as it is needed."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body, headers = outer.answer(self.command, self.path)
                text = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        for verb in ("POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{verb}", Handler.do_GET)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, method: str, target: str) -> Answer:
        """One answer, and what is counted of it."""
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        with self._guard:
            before = self.asked[parts.path]
            self.asked[parts.path] += 1
            self.methods.add(method)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.answers.get(parts.path, self.otherwise)(query, before)
        finally:
            with self._guard:
                self.at_once -= 1


def status(code: int, reason: str) -> dict[str, Any]:
    """A Status object, as the API server refuses with."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": reason,
    }
