"""Which registry: that of this profile, one that is reached by URL, or the one of the cluster that is used."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.errors import Unavailable

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.services import Service as Found
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.service import Service

FILE: Final = "registry.sqlite"
URL: Final = "JUPYTER_KUBEFLOW_REGISTRY"
"""A URL, ``service://NAMESPACE/NAME``, or ``local`` for this profile's own whichever cluster is used."""
LOCAL: Final = "local"
SERVICE: Final = "service://"
"""How the address of a Service of the cluster begins."""
TOKEN_FILE: Final = "JUPYTER_KUBEFLOW_REGISTRY_TOKEN_FILE"  # noqa: S105 - the name of a variable
STORAGE: Final = "JUPYTER_KUBEFLOW_REGISTRY_STORAGE"
_services: Final[dict[Path, Service]] = {}
_remote: Final[dict[tuple[object, ...], Registry]] = {}
_guard = threading.Lock()


def home() -> Path:
    """The profile's folder."""
    from jupyter_ext.cluster.discover import current

    return current().home


def service(database: str | Path | None = None) -> Service:
    """The rules over a file: by default the profile's. One object for each file."""
    from jupyter_ext.registry.service import Service
    from jupyter_ext.registry.store import Store

    path = Path(database).expanduser().absolute() if database else home() / FILE
    with _guard:
        if path not in _services:
            _services[path] = Service(Store(path))
        return _services[path]


def local(database: str | Path | None = None) -> Registry:
    """The registry of this profile, or of a file; its models' files lie in ``registry/`` beside it."""
    from jupyter_ext.registry.files import Files
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.transport import InProcess

    found = service(database)
    return Registry(InProcess(found), Files(found.store.path.parent / "registry"), service().store)


def connect(
    url: str | Found,
    *,
    token: str | None = None,
    token_file: str | Path | None = None,
    ca: str | None = None,
    storage: str | None = None,
) -> Registry:
    """A Kubeflow Model Registry, or one that ``jupyter kf registry serve`` runs.

    ``url``: its address, ``service://NAMESPACE/NAME`` of the cluster that is used, or one of ``services()``.
    ``storage``: where everybody who uses it can read models, a URL that fsspec knows, for example ``s3://bucket/models``.
    """
    from jupyter_ext.registry.files import Files
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.remote import Remote

    if not isinstance(url, str) or url.startswith(SERVICE):
        return _of_service(_cluster(), url, token_file=token_file, storage=storage)
    transport = Remote(url, token=token, token_file=token_file, ca=ca)
    files = Files(home() / "registry")
    return Registry(transport, files, service().store, storage=storage, is_here=transport.is_here)


def services() -> list[Found]:
    """The Model Registries of the cluster that is used, as far as one may see them; none on this machine."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.registry import on_cluster

    cluster = discover.remote()
    return [] if cluster is None else on_cluster.found(cluster)


def _cluster() -> KubeCluster:
    from jupyter_ext.cluster import discover

    cluster = discover.remote()
    if cluster is None:
        hint = "Choose one: kf.cluster.use(CONTEXT)."
        raise Unavailable("a Service is of a Kubernetes cluster, and none is used", hint=hint)
    return cluster


def _of_service(
    cluster: KubeCluster, which: str | Found, *, token_file: str | Path | None, storage: str | None
) -> Registry:
    from jupyter_ext.registry import on_cluster
    from jupyter_ext.registry.files import Files
    from jupyter_ext.registry.registry import Registry

    found = on_cluster.by_name(cluster, which) if isinstance(which, str) else which
    transport = on_cluster.transport(
        cluster, found, token_file=None if token_file is None else str(token_file)
    )
    files = Files(home() / "registry")
    own = service().store
    return Registry(
        transport, files, own, storage=storage or on_cluster.storage, is_here=False, service=found
    )


def default() -> Registry:
    """That of ``$JUPYTER_KUBEFLOW_REGISTRY``, else the Model Registry of the cluster that is used, else this profile's.

    Raises Unavailable where a cluster was chosen and does not answer, and in the pod of a step that has only its own.
    """
    url = os.environ.get(URL, "").strip()
    if url == LOCAL:
        return _own()
    if not url or url.startswith(SERVICE):
        return _of_cluster(url) or _own()
    key = (url, os.environ.get(TOKEN_FILE), os.environ.get(STORAGE), str(home()))
    with _guard:
        known = _remote.get(key)
    if known is None:
        known = connect(url, token_file=os.environ.get(TOKEN_FILE), storage=os.environ.get(STORAGE))
        with _guard:
            _remote[key] = known
    return known


def arrived(address: str, storage: str | None = None) -> Registry:
    """The registry of a version that was registered in another process, such as an earlier step's.

    A token is not in it: the one that this process has for that registry is used.
    """
    if address.startswith(SERVICE):
        used = default()
        if used.service is not None and f"{SERVICE}{used.service.title}" == address:
            return used
        return connect(address, storage=storage)
    if "://" not in address:
        return local(address) if Path(address).exists() else default()
    used = default()
    if used.transport.address == address:
        return used
    return connect(address, token_file=os.environ.get(TOKEN_FILE), storage=storage)


def _own() -> Registry:
    """This profile's, where it stays."""
    if os.environ.get(STEP):
        hint = f"Install Kubeflow's Model Registry there, or name one that pods reach: {URL}=URL."
        raise Unavailable(
            "The cluster has no model registry, and one in the pod of a step goes with it", hint=hint
        )
    return local()


def _of_cluster(url: str) -> Registry | None:
    """The one that is found on the cluster, or the one that ``url`` names; None where there is none to find."""
    from jupyter_ext.cluster import discover

    cluster = _cluster() if url else discover.remote()
    if cluster is None:
        return None
    from jupyter_ext.cluster.kube import services as there
    from jupyter_ext.registry import on_cluster

    try:
        found = (
            on_cluster.by_name(cluster, url)
            if url
            else there.chosen(cluster, there.REGISTRY, there.REGISTRY_PORTS)
        )
    except Unavailable:
        if url or discover.place().is_chosen:
            raise
        return None
    if found is None:
        return None
    key = (found.title, cluster, os.environ.get(TOKEN_FILE), os.environ.get(STORAGE), str(home()))
    with _guard:
        known = _remote.get(key)
    if known is None:
        token, storage = os.environ.get(TOKEN_FILE), os.environ.get(STORAGE)
        known = _of_service(cluster, found, token_file=token, storage=storage)
        with _guard:
            _remote[key] = known
    return known
