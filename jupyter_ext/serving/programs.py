"""What a replica's process is: our model server, or a command of the user's."""

from __future__ import annotations

import json
import math
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.finding import Source
    from jupyter_ext.serving.spec import Predictor

SERVER: Final = "jupyter_ext.serving.server"
LIMIT_BYTES: Final = 64 << 20
PORT: Final = "8080"
"""Where KServe's containers listen; here each gets a port of its own in its place."""


@dataclass(frozen=True)
class Program:
    """A command, where it will listen (``/path`` or ``host:port``), and the file in which it says how it is."""

    command: list[str]
    http: str
    grpc: str | None = None
    state: Path | None = None
    files: tuple[Path, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None

    def remove(self) -> None:
        """Remove what it needed."""
        for path in (
            *self.files,
            *(Path(place) for place in (self.http, self.grpc) if place and place[0] == "/"),
        ):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def program(
    cluster: LocalCluster, name: str, predictor: Predictor, source: Source | None, stem: Path, mark: Path
) -> Program:
    """The process of a replica of this endpoint. ``stem``: of its files; ``mark``: of its sockets."""
    if source is not None:
        return _own(cluster, name, predictor, source, stem, mark)
    if predictor.model.get("runtime"):
        from jupyter_ext.serving.transformer import runtime_program

        return runtime_program(cluster, name, predictor, mark)
    return of_container(predictor.container, name, _around(cluster, name, predictor))


def _around(cluster: LocalCluster, name: str, predictor: Predictor) -> dict[str, str]:
    """What stands before or beside the variants is told where they are; in no argument, for it holds a secret."""
    if not predictor.facts.get("role"):
        return {}
    from jupyter_ext.serving.transformer import predictor_host

    return {"PREDICTOR_HOST": predictor_host(cluster, name)}


def _own(
    cluster: LocalCluster, name: str, predictor: Predictor, source: Source, stem: Path, mark: Path
) -> Program:
    from jupyter_ext.serving.finding import may_run

    http, grpc = f"{mark}.sock", f"{mark}.grpc" if predictor.grpc else None
    state, config = stem.with_suffix(".state"), stem.with_suffix(".json")
    told: dict[str, Any] = {
        "models": [
            {
                "name": name,
                "version": str(predictor.facts.get("version") or "1"),
                "path": str(source.path),
                "format": source.format,
                "signature": source.signature,
                "example": source.example,
                "trusted": may_run(cluster, source),
            }
        ],
        "http": {"socket": http},
        "grpc": {"socket": grpc} if grpc else None,
        "batch": predictor.batch,
        "timeout": predictor.timeout,
        "drain": predictor.timeout,
        "limit_bytes": LIMIT_BYTES,
        "state": str(state),
        "predictor": _around(cluster, name, predictor).get("PREDICTOR_HOST"),
    }
    write(config, told)
    command = [sys.executable, "-P", "-m", SERVER, str(config)]
    return Program(command, http, grpc, state, (config, state), _threads(predictor))


def write(path: Path, told: Any) -> None:
    """Write JSON that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(told, file)


def _threads(predictor: Predictor) -> dict[str, str]:
    """As many threads for numerical libraries as there are cores in its lease, unless somebody said otherwise."""
    count = str(max(1, math.ceil(predictor.request.cpu_milli / 1000)))
    return {} if os.environ.get("OMP_NUM_THREADS") else {"OMP_NUM_THREADS": count}


def of_container(container: dict[str, Any], name: str, around: dict[str, str]) -> Program:
    """A command of the user's, told its port: ``PORT``, ``$(PORT)``, and 8080 where an argument names that."""
    port = str(free_port())
    words = [*container["command"], *(container.get("args") or [])]
    given = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env") or []}
    given |= {"PORT": port, "HTTP_PORT": port, "KSERVE_MODEL_NAME": name}
    command = [_expanded(word, given, port) for word in words]
    given |= around
    cwd = container.get("workingDir")
    if cwd and not Path(cwd).is_dir():
        raise Invalid(f"There is no folder {cwd} to work in", hint="Remove workingDir, or make the folder.")
    return Program(command, f"127.0.0.1:{port}", env=given, cwd=cwd)


def _expanded(word: str, given: dict[str, str], port: str) -> str:
    for key, value in given.items():
        word = word.replace(f"$({key})", value)
    flag, equals, value = word.rpartition("=")
    return f"{flag}{equals}{port}" if value == PORT and (equals or word == PORT) else word


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
