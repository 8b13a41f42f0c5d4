"""Where a profile's gateway is, what opens it, and that it runs."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

KIND: Final = "Gateway"
NAME: Final = "serving"
CONTROLLER: Final = "jupyter_ext.serving.gateway.local:reconcile"
APPLIED: Final = "gateway-applied"
"""The collection of the store that says by which generation each endpoint is routed."""
_SALT: Final = "gateway"
_START_SECONDS: Final = 90.0
_RESTARTS: Final = 1_000_000
"""It is always started again: what would end it for good is that nobody needs it."""
_TOKEN_BYTES: Final = 32


class Address(NamedTuple):
    """``url`` without a final slash; the endpoints are below it. ``grpc_url`` is ``host:port``."""

    url: str
    token: str
    grpc_url: str | None = None

    def __repr__(self) -> str:
        return f"Address(url={self.url!r}, grpc_url={self.grpc_url!r})"


def token_path(cluster: LocalCluster) -> Path:
    """The file that holds the token; its owner alone may read it."""
    return cluster.home / "gateway.token"


def token(cluster: LocalCluster) -> str:
    """The profile's token, made on first use."""
    path = token_path(cluster)
    while True:
        with contextlib.suppress(FileNotFoundError):
            found = path.read_text("ascii").strip()
            if found:
                return found
        made = path.with_name(f".gateway.token.{secrets.token_hex(4)}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
        try:
            path.hardlink_to(made)
        except FileExistsError:
            if not path.read_text("ascii").strip():
                path.unlink(missing_ok=True)  # somebody emptied it
        finally:
            made.unlink()


def salt(cluster: LocalCluster) -> bytes:
    """What makes senders' digests this profile's own. Kept for ever: who gets which variant follows from it."""
    while True:
        found = cluster.store.fetch(_SALT, "salt")
        if found is not None:
            return bytes.fromhex(found["salt"])
        with cluster.store.transaction():
            if cluster.store.fetch(_SALT, "salt") is None:
                cluster.store.put(_SALT, "salt", {"salt": secrets.token_hex(16)})


def secret_of(token: str, endpoint: str) -> str:
    """What opens the predictor of one endpoint to its transformer, and nothing else."""
    return hmac.digest(token.encode(), b"predictor/" + endpoint.encode(), "sha256").hex()[:32]


def predictor_host(cluster: LocalCluster, endpoint: str) -> str:
    """What a transformer takes as KServe's ``predictor_host``: it leads to the endpoint's variants.

    It contains a secret: into an environment, not into arguments.
    """
    found = ensure(cluster)
    host = found.url.removeprefix("http://")
    return f"{host}/_predictor/{secret_of(found.token, endpoint)}/{endpoint}"


def ensure(cluster: LocalCluster) -> Address:
    """Start the gateway unless it runs, and give its address once it listens.

    Raises Unavailable when it does not come up; then the resource says why.
    """
    from jupyter_ext.cluster.local import workload

    token(cluster)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        found = cluster.store.find(KIND, NAME)
        with contextlib.suppress(Conflict):  # somebody else was faster
            if found is None:
                made = Resource.new(KIND, NAME, {"gatewayClassName": "jupyter-kubeflow", "listeners": []})
                workload.submit(
                    cluster, made, CONTROLLER, restart="OnFailure", cwd=cluster.home, max_restarts=_RESTARTS
                )
            elif found.resting:
                _again(cluster, found)
        if found is not None and _listens(cluster, found) and (here := address(cluster)) is not None:
            return here
        if time.monotonic() > deadline:
            break
        workload.sweep(cluster)
        time.sleep(0.01)
    reason = cluster.store.get(KIND, NAME).reason
    raise Unavailable(
        f"The gateway has not come up within {_START_SECONDS:.0f} s. {reason}".rstrip(". "),
        where=Where(object=f"{KIND} {NAME}"),
        hint="Its log says more: jupyter kf logs gateway/serving.",
    )


def _listens(cluster: LocalCluster, found: Resource) -> bool:
    """Whether the process that lives is the one that wrote down where it listens."""
    from jupyter_ext.cluster.local import locks

    holder = locks.holder(cluster.lock_path(found.uid))
    return holder is not None and holder in {0, found.status.get("pid")} and not found.resting


def _again(cluster: LocalCluster, found: Resource) -> None:
    """Start one that had ended because nobody needed it, or was stopped."""
    from jupyter_ext.cluster.local import workload

    try:
        workload.restart(cluster, found.uid)
    except NotFound:
        workload.spawn(
            cluster, found, CONTROLLER, restart="OnFailure", cwd=cluster.home, max_restarts=_RESTARTS
        )


def address(cluster: LocalCluster) -> Address | None:
    """Where the gateway listens; None before it ever did."""
    found = cluster.store.find(KIND, NAME)
    if found is None:
        return None
    ports = {each.get("name"): each.get("port") for each in found.spec.get("listeners") or []}
    if not ports.get("http") or not found.status.get("url"):
        return None
    grpc = f"127.0.0.1:{ports['grpc']}" if ports.get("grpc") and found.status.get("grpc") else None
    return Address(f"http://127.0.0.1:{ports['http']}", token(cluster), grpc)


def applied(cluster: LocalCluster, name: str) -> int:
    """The generation of ``status.routing`` by which the gateway routes an endpoint; -1 while it does not know it."""
    found = cluster.store.fetch(APPLIED, name)
    return int(found["generation"]) if found else -1


def listeners(http: int, grpc: int | None) -> list[dict[str, Any]]:
    """The listeners of the resource."""
    made: list[dict[str, Any]] = [{"name": "http", "protocol": "HTTP", "hostname": "127.0.0.1", "port": http}]
    if grpc:
        made.append({"name": "grpc", "protocol": "HTTP", "hostname": "127.0.0.1", "port": grpc})
    return made
