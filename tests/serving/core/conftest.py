"""Each test has a home of its own, a server that starts at once, and leaves no process behind."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import workload
from jupyter_ext.cluster.resource import Resource
from tests.waiting import processes_of, until

SERVER = Path(__file__).with_name("small_server.py")


def predictor(name: str, says: str, **fields) -> dict:
    """A predictor whose container is the small server, which answers with ``says``."""
    args = [str(SERVER), "--port=8080", f"--says={says}"]
    args += [f"--{key}={fields.pop(key)}" for key in ("fail", "delay", "mark", "status") if key in fields]
    container = {"name": "kserve-container", "command": [sys.executable], "args": args}
    if cpu := fields.pop("cpu", None):
        container["resources"] = {"requests": {"cpu": cpu}}
    return {"name": name, "containers": [container], **fields}


def service(name: str, stable: dict, *canaries: tuple[int, dict], **annotations: str) -> Resource:
    """An InferenceService; annotations without their prefix."""
    spec: dict = {"predictor": stable}
    if canaries:
        spec["canary"] = [{"trafficPercent": percent, "predictor": each} for percent, each in canaries]
    notes = {f"jupyter-kubeflow.org/{key}": text for key, text in annotations.items()}
    return Resource.new("InferenceService", name, spec, annotations=notes)


def ask(address: str, path: str = "/") -> str:
    """One HTTP request to ``host:port``, past the gateway; the body of the answer."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer.partition(b"\r\n\r\n")[2].decode()


def routing(endpoint) -> dict:
    """What the gateway goes by."""
    return endpoint.resource.status.get("routing") or {}


def split(endpoint) -> dict[str, int]:
    """Percent of each variant in the routing, those with none left out."""
    return {
        each["name"]: each["percent"] for each in routing(endpoint).get("variants", ()) if each["percent"]
    }


def answers(endpoint, variant: str) -> set[str]:
    """What the replicas of a variant say, asked directly."""
    found = next(each for each in routing(endpoint)["variants"] if each["name"] == variant)
    return {ask(each["socket"]) for each in found["replicas"]}


def pids(endpoint, variant: str) -> tuple[int, ...]:
    """The processes of a variant."""
    return next(each.pids for each in [*endpoint.variants, *endpoint.retired] if each.name == variant)


def told(endpoint) -> str:
    """The status as text, for a message."""
    return json.dumps(endpoint.resource.status, indent=1)


@pytest.fixture
def cluster(kubeflow_home, monkeypatch):
    """The embedded cluster of this test; afterwards nothing of its endpoints runs."""
    for name in ("JUPYTER_KUBEFLOW_WORKLOAD", "JUPYTER_KUBEFLOW_UNIT", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    made = discover.current()
    yield made
    uids = [each.uid for kind in ("InferenceService", "Gateway") for each in made.list(kind)]
    for uid in uids:
        workload.stop(made, uid, grace=2)
    for uid in uids:
        until(lambda uid=uid: not processes_of(uid))
