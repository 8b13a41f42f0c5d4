"""A gateway of its own process, and model servers that do as they are told."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jupyter_ext.cluster.local import LocalCluster, workload
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.serving import gateway, traffic
from jupyter_ext.serving.gateway import place
from tests.waiting import PATIENCE, until


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class World:
    """One profile: its gateway, its endpoints, its servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = LocalCluster(folder / "home")
        self.sockets = Path(tempfile.mkdtemp(prefix="gw"))
        self.servers: dict[str, subprocess.Popen[str]] = {}
        self.traffic = traffic.of(self.cluster)

    @property
    def address(self) -> gateway.Address:
        return gateway.ensure(self.cluster)

    def socket(self, name: str) -> str:
        return str(self.sockets / f"{name}.sock")

    def server(self, name: str, alias: str | None = None, program: str = "stand_in.py") -> str:
        """Start a model server; gives its socket."""
        program = str(Path(__file__).with_name(program))
        environment = {**os.environ, "JUPYTER_KUBEFLOW_HOME": str(self.folder)}
        process = subprocess.Popen(
            [sys.executable, program, self.socket(name), alias or name],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdout.close()
        self.servers[name] = process
        return self.socket(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.servers.pop(name)
        process.send_signal(number)
        process.wait()

    def route(self, name: str, variants: dict[str, float | dict], **routing: Any) -> Resource:
        """Route an endpoint: {"v1": 90} goes to the server v1."""
        rows = []
        for variant, given in variants.items():
            about = given if isinstance(given, dict) else {"percent": given}
            servers = about.pop("servers", [variant])
            calls = about.pop("calls", None)
            replicas = [
                {"socket": self.socket(each), "grpc": self.socket(calls) if calls else None}
                for each in servers
            ]
            defaults = {"name": variant, "model": name, "version": variant[1:], "ready": True}
            rows.append({**defaults, "replicas": replicas, "concurrency": None, **about})
        phase, reason = routing.pop("phase", "RUNNING"), routing.pop("reason", "")
        spec, said = routing.pop("spec", {}), routing.pop("said", [])
        found = self.cluster.store.find("InferenceService", name)
        generation = (found.status["routing"]["generation"] if found else 0) + 1
        told = {"generation": generation, "timeout": 120, "variants": rows, **routing}
        status = {"phase": phase, "reason": reason, "routing": told, "variants": said}
        if found is None:
            made = self.cluster.store.create(Resource.new("InferenceService", name, spec, status=status))
        else:
            made = self.cluster.store.update(
                "InferenceService", name, lambda now: now.with_(spec=spec, status=status)
            )
        assert self.address.url
        until(lambda: gateway.applied(self.cluster, name) == generation)
        return made

    def connect(self) -> http.client.HTTPConnection:
        host, port = self.address.url.removeprefix("http://").split(":")
        return http.client.HTTPConnection(host, int(port), timeout=PATIENCE)

    def ask(
        self,
        path: str,
        body: Any = None,
        method: str | None = None,
        token: str | None = "",
        connection: http.client.HTTPConnection | None = None,
        **headers: str,
    ) -> Said:
        """Ask the gateway; ``x_user="a"`` is a header."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.address.token}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        own = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, data, sent)
            answer = connection.getresponse()
            return Said(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            if own:
                connection.close()

    def predict(self, name: str, body: Any = None, **headers: Any) -> Said:
        return self.ask(f"/{name}/v1/models/{name}:predict", body or {"instances": [[1]]}, **headers)

    def close(self) -> None:
        found = self.cluster.store.find(place.KIND, place.NAME)
        if found is not None:
            workload.stop(self.cluster, found.uid, grace=8)
        for name in list(self.servers):
            self.kill(name)
        shutil.rmtree(self.sockets)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One gateway for all tests of a file; each test has endpoints of its own."""
    made = World(tmp_path_factory.mktemp("kubeflow"))
    yield made
    made.close()
