"""A real server process for each test, over a Unix socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import cloudpickle
import pytest

SIGNATURE = {
    "inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}],
    "outputs": [{"name": "output-0", "datatype": "FP64", "shape": [-1, 3]}],
}


class Linear:
    """Four numbers to three."""

    def predict(self, rows):
        import numpy as np

        return rows @ np.arange(12.0).reshape(4, 3)


class Unix(HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {key.lower(): value for key, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Running:
    """A server process."""

    def __init__(self, process, folder):
        self.process = process
        self.folder = folder
        self.socket = str(folder / "s")
        self.connection = Unix(self.socket)

    @property
    def state(self):
        return json.loads((self.folder / "state").read_text())

    def log(self):
        return (self.folder / "log").read_text()

    def ask(self, path, body=None, headers=None, method=None):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        method = method or ("GET" if body is None else "POST")
        self.connection.request(method, path, body, headers or {})
        return Answer(self.connection.getresponse())

    def predict(self, instances, name="m"):
        return self.ask(f"/v1/models/{name}:predict", {"instances": instances})

    def infer(self, inputs, name="m", **more):
        return self.ask(f"/v2/models/{name}/infer", {"inputs": inputs, **more})

    def wait(self, *words):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if (self.folder / "state").exists() and self.state["state"] in words:
                return self.state
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        if (self.folder / "state").exists() and self.state["state"] in words:
            return self.state
        raise AssertionError(f"not {words}: {self.process.poll()} {self.log()[-3000:]}")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(*models, wait=("ready",), env=None, **config):
    """Serve: each model a dict with ``model`` (an object to pickle) or ``path``."""
    folder = Path(tempfile.mkdtemp(prefix="ms"))
    entries = []
    for position, each in enumerate(models):
        entry = {"name": "m", "version": "1", "format": "python", "trusted": True, **each}
        if "model" in entry:
            path = folder / f"{position}.pkl"
            path.write_bytes(cloudpickle.dumps(entry.pop("model")))
            entry["path"] = str(path)
        entries.append(entry)
    told = {
        "models": entries,
        "http": {"socket": str(folder / "s")},
        "state": str(folder / "state"),
        **config,
    }
    (folder / "config").write_text(json.dumps(told))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jupyter_ext.serving.server", str(folder / "config")],
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
        )
    server = Running(process, folder)
    try:
        server.wait(*wait)
        yield server
    finally:
        server.connection.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def by_value():
    """Have classes of these modules pickled by value: the server does not import the tests."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])


by_value()


@pytest.fixture(scope="module")
def linear():
    """One server of one linear model, for many questions."""
    with running({"model": Linear(), "signature": SIGNATURE}) as server:
        yield server
