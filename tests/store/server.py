"""A server that speaks S3's protocol, as a process of its own: moto's, which keeps everything in its memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.waiting import until

_SERVER = "from moto.server import main; import sys; main(sys.argv[1:])"
KEYS = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "hidden-key"}


def free_port(host: str = "127.0.0.1") -> int:
    """One that nobody listens on now."""
    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """Where it is."""

    endpoint: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """What a client is told."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1"}

    def bucket(self, name: str) -> str:
        """Make a bucket; gives its URL."""
        import s3fs

        keys = self.environment
        s3fs.S3FileSystem(
            key=keys["AWS_ACCESS_KEY_ID"],
            secret=keys["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=self.endpoint,
        ).mkdir(name)
        return f"s3://{name}"

    def ask(self, path: str, body: str) -> None:
        """One of moto's own calls."""
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.endpoint}{path}", data=body.encode(), headers=headers)
        urllib.request.urlopen(request).close()


@contextmanager
def serve(host: str = "127.0.0.1", port: int | None = None) -> Iterator[Server]:
    """Start one; it ends with the block."""
    port = port or free_port(host)
    endpoint = f"http://{host}:{port}"
    # Not one of ours: what it is started for outlives single tests.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER_KUBEFLOW", "AWS_"))}
    command = [sys.executable, "-W", "ignore", "-c", _SERVER, "-H", host, "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment) as process:
        try:
            until(lambda: process.poll() is not None or _answers(endpoint))
            assert process.poll() is None, "the server of S3's protocol did not start"
            yield Server(endpoint, process)
        finally:
            process.kill()
            process.wait()


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/moto-api/").close()
    except OSError:
        return False
    return True
