"""A JupyterHub process against the test cluster, driven by its REST API."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

CONFIG = Path(__file__).parent / "hub_config.py"


class Hub:
    """Can be killed and started again on the same database; ``TEST_HUB_PYTHON`` names another version's Python."""

    def __init__(self, cluster: Any, folder: Path, spawner: str, **traits: Any) -> None:
        self._token = secrets.token_hex(16)
        self._port = _free_ports()
        self._env = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "KUBECONFIG": str(cluster.kubeconfig),
            "TEST_HUB": json.dumps(
                {
                    "folder": str(folder),
                    "port": self._port,
                    "spawner": spawner,
                    "token": self._token,
                    "traits": traits,
                }
            ),
        }
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Hub:
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [os.environ.get("TEST_HUB_PYTHON", sys.executable), "-m", "jupyterhub", "-f", str(CONFIG)],
                cwd=self._folder,
                env=self._env,
                stdout=log,
                stderr=log,
            )
        self.until(self._answers, 180)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return self.call("GET", "/").ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def log(self) -> str:
        return self.whole_log()[-6000:]

    def whole_log(self) -> str:
        return (self._folder / "log").read_text()

    def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None
    ) -> requests.Response:
        url = f"http://127.0.0.1:{self._port + 1}/hub/api{path}"
        headers = {"Authorization": f"token {self._token}"}
        return requests.request(method, url, json=body, data=raw, headers=headers, timeout=60)

    def anybody(self, method: str, path: str, headers: Any) -> requests.Response:
        """Without the token."""
        url = f"http://127.0.0.1:{self._port + 1}/hub/api{path}"
        return requests.request(method, url, headers=headers, timeout=60)

    def server(self, user: str, name: str = "") -> dict[str, Any]:
        """The Hub's model of a server; empty when it has none."""
        found = self.call("GET", f"/users/{user}?include_stopped_servers").json()
        return (found.get("servers") or {}).get(name, {})

    def told(self, user: str) -> list[dict[str, Any]]:
        """All that the progress page of a start is sent, to its end."""
        answer = self.call("GET", f"/users/{user}/server/progress")
        return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]

    def until(self, ask: Any, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := ask()):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return found

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What every server of this Hub answers."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port + 2), _Answer)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"version": "6"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _free_ports() -> int:
    """The first of three free ports in a row."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                for more in (1, 2):
                    with socket.socket() as other:
                        other.bind(("127.0.0.1", port + more))
            except OSError:
                continue
            return port
