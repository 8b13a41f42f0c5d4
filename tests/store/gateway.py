"""A server that speaks S3's protocol as object stores do: Versity's gateway, which checks signatures and can be full."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.build import PROGRAMS, built
from tests.store.server import KEYS, Server, free_port
from tests.waiting import until

_MOUNTED = 'mount -t tmpfs -o size="$2" tmpfs "$1" && shift 2 && exec "$@"'


@contextmanager
def serve(folder: Path, *, host: str = "127.0.0.1", size: str = "") -> Iterator[Server]:
    """Start one that keeps its objects in the folder, or in ``size`` of memory of its own; it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port(host)
    command = [str(built(PROGRAMS["versitygw"])), "--port", f"{host}:{port}", "--quiet", "posix", str(folder)]
    if size:
        command = [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            _MOUNTED,
            "sh",
            str(folder),
            size,
            *command,
        ]
    roots = {
        "ROOT_ACCESS_KEY_ID": KEYS["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_ACCESS_KEY": KEYS["AWS_SECRET_ACCESS_KEY"],
    }
    quiet = subprocess.DEVNULL
    environment = {"PATH": os.environ["PATH"], **roots}
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment) as process:
        try:
            until(lambda: process.poll() is not None or _listens(host, port))
            assert process.poll() is None, "the gateway did not start"
            yield Server(f"http://{host}:{port}", process)
        finally:
            process.terminate()
            process.wait()


def _listens(host: str, port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((host, port)) == 0
