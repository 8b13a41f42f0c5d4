"""Whether runs go to a Kubeflow Pipelines server, and to which: one that is named, else that of the cluster that is used."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.cluster.local.processes import VARIABLE
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unavailable

if TYPE_CHECKING:
    from jupyter_ext.cluster.discover import Place
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.pipelines.kfp.server import Server

URL: Final = "JUPYTER_KUBEFLOW_PIPELINES"
"""The address of a server that all runs go to, whichever cluster is used; ``none``: to no server."""
NONE: Final = "none"
ENDPOINT: Final = "KF_PIPELINES_ENDPOINT"
"""Upstream's variable: the address of the server of the cluster that is used."""
TOKEN_FILE: Final = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - the name of a variable
TOKEN: Final = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where upstream's PodDefault, and our spawner, put it."""
SERVICE: Final = "ml-pipeline"
PORT: Final = 8888
SHARED: Final = "kubeflow"
INSIDE: Final = (VARIABLE, STEP)
"""Set in what runs already: what it starts belongs to it."""
FOUND_SECONDS: Final = 300.0
NONE_SECONDS: Final = 30.0
PATIENCE: Final = 5.0
"""Seconds in which a server that nobody named has to answer."""

_found: Final[dict[tuple[object, ...], tuple[float, Server | None]]] = {}
_guard = threading.Lock()


def server() -> Server | None:
    """The server that runs go to; None where there is none, or none is used.

    Raises Invalid for an address that is none. A server that is named is not asked whether it is there.
    """
    told = os.environ.get(URL, "").strip()
    if told == NONE or any(os.environ.get(name) for name in INSIDE):
        return None
    from jupyter_ext.cluster import discover

    if told:
        return _kept((told, _token_file(), _namespace("")), lambda: at(told))
    place = discover.place()
    if place.kind != "kubernetes":
        return None
    try:
        cluster = discover.remote()
    except Unavailable:
        if place.is_chosen:
            raise
        return None
    if cluster is None:
        return None
    named = os.environ.get(ENDPOINT, "").strip()
    if named:
        return _kept(
            (named, _token_file(), cluster.namespace),
            lambda: at(named, namespace=cluster.namespace, cluster=cluster),
        )
    return _kept((place, cluster.namespace), lambda: _of(cluster, place))


def wanted() -> tuple[object, ...] | None:
    """What decides to which server runs go, to see when that changes; None where they go to none. Nothing is asked."""
    told = os.environ.get(URL, "").strip()
    if told == NONE or any(os.environ.get(name) for name in INSIDE):
        return None
    if told:
        return told, _token_file(), _namespace("")
    from jupyter_ext.cluster import discover

    place = discover.place()
    return (place, os.environ.get(ENDPOINT, "").strip()) if place.kind == "kubernetes" else None


def at(
    url: str,
    *,
    namespace: str = "",
    token: str = "",
    token_file: str | Path | None = None,
    ca: str | Path | None = None,
    cluster: KubeCluster | None = None,
) -> Server:
    """A server by address; nothing is asked of it yet.

    ``namespace``: the profile, where the server has several. The token is the one in ``token_file``, by default the
    one that Kubeflow gives its pods.
    """
    from jupyter_ext.pipelines.kfp import wire
    from jupyter_ext.pipelines.kfp.server import Server

    file = token_file if token or token_file else _token_file()
    made = wire.connected(url, token=token, token_file=file, ca=ca, namespace=namespace)
    return Server(made, _namespace(namespace), cluster)


def forget() -> None:
    """Look anew next time."""
    with _guard:
        _found.clear()


def _kept(key: tuple[object, ...], make: _Make) -> Server | None:
    with _guard:
        when, known = _found.get(key, (None, None))
        if when is not None and time.monotonic() - when < (FOUND_SECONDS if known else NONE_SECONDS):
            return known
    made = make()
    with _guard:
        _found[key] = (time.monotonic(), made)
    return made


def _of(cluster: KubeCluster, place: Place) -> Server | None:
    """The cluster's own: as its Service, in the namespace or in that which all profiles share."""
    in_pod = not place.context
    for namespace in dict.fromkeys((cluster.namespace, SHARED)):
        found = _of_namespace(cluster, namespace, in_pod=in_pod)
        if found is None:
            continue
        try:
            found.health(PATIENCE)
        except KubeflowError as error:
            if isinstance(error, Unavailable | NotFound):
                continue
            if isinstance(error, Forbidden) and not in_pod:
                continue  # the right to reach it through the API server is another one
            raise
        return found
    return None


def _of_namespace(cluster: KubeCluster, namespace: str, *, in_pod: bool) -> Server | None:
    from jupyter_ext.cluster.kube import services
    from jupyter_ext.pipelines.kfp.server import Server
    from jupyter_ext.pipelines.kfp.wire import Wire

    try:
        there = services.named(cluster, namespace, SERVICE, ("http",))
    except NotFound:
        return None
    except Forbidden:
        # One may reach what one may not see: by its name, which only pods can look up.
        url = f"http://{SERVICE}.{namespace}.svc:{PORT}"
        if not in_pod or not _resolves(f"{SERVICE}.{namespace}.svc"):
            return None
        return at(url, namespace=cluster.namespace, cluster=cluster)
    if in_pod:
        return at(there.url, namespace=cluster.namespace, cluster=cluster)
    return Server(Wire(cluster.access, there.proxy), cluster.namespace, cluster)


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return True


def _token_file() -> str | None:
    told = os.environ.get(TOKEN_FILE)
    return told or (str(TOKEN) if TOKEN.exists() else None)


def _namespace(given: str) -> str:
    """The named one, else the one of the environment, else the pod's own."""
    if given:
        return given
    from jupyter_ext.cluster import discover

    told = os.environ.get(discover.NAMESPACE, "").strip()
    if told:
        return told
    try:
        return (discover.SERVICE_ACCOUNT.parent / "namespace").read_text(encoding="ascii").strip()
    except OSError:
        return ""


if TYPE_CHECKING:
    from collections.abc import Callable

    _Make = Callable[[], Server | None]
