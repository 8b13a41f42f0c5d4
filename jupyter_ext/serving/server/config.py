"""What a server process is told: a JSON file from the controller, or the flags that KServe gives a container."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

ABOUT: Final = "JUPYTER_KUBEFLOW_MODEL"
"""Variable with the model's signature and example, as JSON."""


@dataclass(frozen=True)
class Place:
    """Where to listen: a Unix socket, or an address of TCP."""

    socket: str | None = None
    host: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True)
class ModelConfig:
    """One model. ``trusted``: reading it may run the code in it."""

    name: str
    path: str
    format: str | None = None
    version: str = "1"
    signature: dict[str, Any] | None = None
    example: dict[str, Any] | None = None
    trusted: bool = False


@dataclass(frozen=True)
class Batch:
    """Requests are joined until there are ``size`` rows or the first has waited ``wait_ms``."""

    size: int = 32
    wait_ms: float = 5.0


@dataclass(frozen=True)
class Config:
    """``timeout`` and ``drain`` in seconds; ``queue`` requests may wait for a model.

    ``concurrency`` None: as many at once as the model's library bears.
    """

    models: tuple[ModelConfig, ...]
    http: Place
    grpc: Place | None = None
    batch: Batch | None = None
    timeout: float = 60.0
    limit_bytes: int = 64 << 20
    state: Path | None = None
    concurrency: int | None = None
    queue: int = 256
    drain: float = 30.0
    predictor: str | None = None
    """Where a transformer's predictor is: "host:port" or "host:port/path"."""
    fetched: tuple[str, Path] | None = None
    """From where the model's files are fetched before it is loaded, and the folder for them."""


def read(arguments: Sequence[str]) -> Config:
    """From the command line. Raises Invalid."""
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        path = Path(arguments[0])
        try:
            return parsed(json.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise Invalid(
                f"the configuration cannot be read ({error})", where=Where(object=str(path))
            ) from error
    return _flags(arguments)


def parsed(value: Any) -> Config:
    """From the JSON of a file. Raises Invalid."""
    try:
        batch = value.get("batch")
        return Config(
            models=tuple(_model(entry) for entry in value["models"]),
            http=_place(value["http"]),
            grpc=_place(value["grpc"]) if value.get("grpc") else None,
            batch=Batch(int(batch.get("size", 32)), float(batch.get("wait_ms", 5))) if batch else None,
            timeout=float(value.get("timeout") or 60),
            limit_bytes=int(value.get("limit_bytes") or 64 << 20),
            state=Path(value["state"]) if value.get("state") else None,
            concurrency=int(value["concurrency"]) if value.get("concurrency") else None,
            queue=int(value.get("queue", 256)),
            drain=float(value.get("drain") or 30),
            predictor=str(value["predictor"]) if value.get("predictor") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(
            f"the configuration is not what a server expects ({type(error).__name__}: {error})"
        ) from error


def _model(entry: dict[str, Any]) -> ModelConfig:
    return ModelConfig(
        name=str(entry["name"]),
        path=str(entry["path"]),
        format=entry.get("format"),
        version=str(entry.get("version") or "1"),
        signature=entry.get("signature"),
        example=entry.get("example"),
        trusted=bool(entry.get("trusted")),
    )


def _place(value: dict[str, Any]) -> Place:
    if "socket" in value:
        return Place(socket=str(value["socket"]))
    return Place(host=str(value.get("host") or "127.0.0.1"), port=int(value["port"]))


def _about() -> dict[str, Any]:
    """Signature and example, where KServe's pod was told them. Raises Invalid."""
    try:
        found = json.loads(os.environ.get(ABOUT) or "{}")
    except ValueError as error:
        raise Invalid(f"{ABOUT} is no JSON ({error})") from None
    return found if isinstance(found, dict) else {}


def _flags(arguments: Sequence[str]) -> Config:
    import argparse

    parser = argparse.ArgumentParser(prog="jupyter_ext.serving.server", allow_abbrev=False)
    parser.add_argument("--model_name", default="model")
    parser.add_argument("--model_dir", default="/mnt/models")
    parser.add_argument("--model_format", help="the format's name; else it is found out from the files")
    parser.add_argument("--model_version", default="1")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--grpc_port", type=int, default=8081)
    parser.add_argument("--protocol", choices=["v1", "v2", "grpc-v2"], default="v1")
    parser.add_argument("--enable_grpc", action="store_true")
    parser.add_argument("--max_batch_size", type=int)
    parser.add_argument("--max_batch_latency_ms", type=float, default=5)
    parser.add_argument("--predictor_host", help="of the predictor that a transformer stands before")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--trust", action="store_true", help="load formats that can run code")
    parser.add_argument("--model_uri", help="fetch the model from here into --model_dir first")
    given = parser.parse_args(list(arguments))
    about = _about()
    grpc = given.enable_grpc or given.protocol == "grpc-v2"
    return Config(
        models=(
            ModelConfig(
                given.model_name,
                given.model_dir,
                given.model_format,
                given.model_version,
                about.get("signature"),
                about.get("example"),
                trusted=given.trust,
            ),
        ),
        http=Place(host=given.host, port=given.http_port),
        grpc=Place(host=given.host, port=given.grpc_port) if grpc else None,
        batch=Batch(given.max_batch_size, given.max_batch_latency_ms) if given.max_batch_size else None,
        timeout=given.timeout,
        fetched=(given.model_uri, Path(given.model_dir)) if given.model_uri else None,
        predictor=given.predictor_host or os.environ.get("PREDICTOR_HOST"),
    )
