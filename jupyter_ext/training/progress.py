"""The status server of Kubeflow Trainer on the loopback interface, so that user code reports as on a cluster.

``POST /apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/{name}/status`` with a bearer token and
the body ``{"trainerStatus": {progressPercentage, estimatedRemainingSeconds, metrics: [{name, value}]}}``.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from jupyter_ext.training.reporting import SERVER, SERVER_CA, SERVER_TOKEN

LIMIT: Final = 64 << 10
"""Bytes of a body; upstream's limit."""
_METRICS: Final = 256
_HEADER: Final = 16 << 10
_PATIENCE: Final = 10.0
_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
}

Heard = Callable[[float | None, float | None, dict[str, float]], None]
"""Called with progress from 0 to 1, remaining seconds, and metrics."""


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Progress:
    """The server of one job: it listens as soon as it is made, and answers in a thread of its own."""

    def __init__(self, folder: Path, namespace: str, name: str, heard: Heard) -> None:
        self._heard = heard
        self._token = os.urandom(24).hex()
        self._path = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/{name}/status"
        self._file = folder / "token"
        self._file.touch(mode=0o600)
        self._file.write_text(self._token)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._closing = False

    def environment(self) -> dict[str, str]:
        """What upstream's controller puts into the containers. The certificates are those of the machine: no TLS here."""
        port = self._socket.getsockname()[1]
        found = {SERVER: f"http://127.0.0.1:{port}{self._path}", SERVER_TOKEN: str(self._file)}
        authority = next((path for path in _AUTHORITIES if Path(path).is_file()), None)
        return {**found, SERVER_CA: authority} if authority else found

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._serve, name="progress", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._file.unlink(missing_ok=True)

    def _serve(self) -> None:
        while not self._closing:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            # A thread for each: one that is slow keeps nobody waiting.
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(_PATIENCE)
            try:
                head, body = _request(client)
                status, said = 200, self._answer(head, body)
            except _Refused as error:
                status, said = error.status, {"message": str(error)}
            text = json.dumps(said).encode()
            line = f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: application/json\r\n"
            client.sendall(f"{line}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)

    def _answer(self, head: Mapping[str, str], body: bytes) -> dict[str, Any]:
        import hmac

        given = head.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise _Refused(401, "The token is not that of this job")
        if head[":path"] != self._path:
            raise _Refused(404, f"There is only {self._path}")
        if head[":method"] != "POST":
            raise _Refused(405, "Only POST")
        try:
            status = json.loads(body)["trainerStatus"]
            progress, remaining, metrics = read(status)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _Refused(400, f"The body is not {{'trainerStatus': …}}: {error}") from error
        self._heard(progress, remaining, metrics)
        return {"trainerStatus": status}


def read(status: Mapping[str, Any]) -> tuple[float | None, float | None, dict[str, float]]:
    """Progress from 0 to 1, remaining seconds and metrics of a trainerStatus. Raises ValueError and TypeError."""
    percent, remaining = status.get("progressPercentage"), status.get("estimatedRemainingSeconds")
    if percent is not None and not 0 <= int(percent) <= 100:
        raise ValueError("progressPercentage is from 0 to 100")
    metrics = status.get("metrics") or []
    if len(metrics) > _METRICS:
        raise ValueError(f"at most {_METRICS} metrics")
    found = {}
    for metric in metrics:
        with suppress(ValueError):  # upstream's values are texts, and not all are numbers
            found[str(metric["name"])] = float(metric["value"])
    return (
        None if percent is None else int(percent) / 100,
        None if remaining is None else max(float(remaining), 0.0),
        found,
    )


def _request(client: socket.socket) -> tuple[dict[str, str], bytes]:
    """One HTTP/1.1 request with a length. Raises _Refused."""
    deadline = time.monotonic() + _PATIENCE
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(client, deadline)
        if len(data) > _HEADER + LIMIT:
            raise _Refused(413, "The header is too large")
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    head = {":method": method, ":path": rest.rpartition(" ")[0]}
    for line in lines:
        name, _, value = line.partition(":")
        head[name.strip().lower()] = value.strip()
    length = head.get("content-length", "")
    if not length.isdecimal():
        raise _Refused(411, "A body has a length")
    if int(length) > LIMIT:
        raise _Refused(413, f"The body is larger than {LIMIT} bytes")
    if head.get("expect", "").lower() == "100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < int(length):
        body += _more(client, deadline)
    return head, body[: int(length)]


def _more(client: socket.socket, deadline: float) -> bytes:
    block = client.recv(1 << 16)
    if not block or time.monotonic() > deadline:
        raise _Refused(400, "The request is not complete")
    return block
