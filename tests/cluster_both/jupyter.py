"""A Jupyter server with our extension, in a process of its own, and what its pages ask it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import websocket

from tests.waiting import until

CONFIG = {"ServerApp": {"jpserver_extensions": {"jupyter_ext": True, "jupyter_server_terminals": False}}}


class JupyterServer:
    """Answers on this network's loopback only, until the end of the `with`."""

    def __init__(self, folder: Path, kubeconfig: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.token, self.log = secrets.token_hex(8), folder / "server.log"
        self.home = folder / "kubeflow"
        (folder / "config").mkdir(parents=True)
        (folder / "config/jupyter_server_config.json").write_text(json.dumps(CONFIG))
        self._folder = folder
        self.environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_KUBEFLOW_HOME": str(self.home),
            "KUBECONFIG": str(kubeconfig),
            **environment,
        }

    def __enter__(self) -> Self:
        words = [
            f"--port={self.port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1", "--no-browser", "--allow-root",
            f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self._folder}",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", *words], env=self.environment, stdout=log, stderr=log
            )
        until(self._is_up)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self.ask("status")[0] == 200
        except OSError:
            return False

    def ask(
        self, path: str, method: str = "GET", body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of one request below ``kubeflow/v1/``."""
        url = f"http://127.0.0.1:{self.port}/kubeflow/v1/{path}"
        data = None if body is None and method == "GET" else json.dumps(body or {}).encode()
        said = {"Authorization": f"token {self.token}", "Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(url, data, said, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def names(self, plural: str = "trainjobs") -> set[str]:
        status, found = self.ask(f"{plural}?limit=500")
        assert status == 200, found
        return {item["metadata"]["name"] for item in found["items"]}

    def events(self) -> Events:
        """What the server's bus says from now on."""
        return Events(f"ws://127.0.0.1:{self.port}/api/events/subscribe?token={self.token}")


class Events(threading.Thread):
    """What one page hears."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._socket = websocket.create_connection(url, timeout=240)
        self.heard: list[dict[str, Any]] = []
        self.start()

    def run(self) -> None:
        try:
            while True:
                text = self._socket.recv()
                if text:
                    self.heard.append(json.loads(text))
        except (OSError, websocket.WebSocketException):
            return

    def of(self, name: str) -> list[tuple[str, str | None]]:
        """Type and phase of each event of one resource."""
        return [(each["type"], each["phase"]) for each in [*self.heard] if each.get("name") == name]

    def close(self) -> None:
        self._socket.close()
