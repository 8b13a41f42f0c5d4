"""Which registry: that of this profile, or one that is reached by URL."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.registry.service import Service
from jupyter_ext.registry.store import Store

if TYPE_CHECKING:
    from jupyter_ext.registry.registry import Registry

FILE: Final = "registry.sqlite"
URL: Final = "JUPYTER_KUBEFLOW_REGISTRY"
TOKEN_FILE: Final = "JUPYTER_KUBEFLOW_REGISTRY_TOKEN_FILE"  # noqa: S105 - the name of a variable
STORAGE: Final = "JUPYTER_KUBEFLOW_REGISTRY_STORAGE"
_services: Final[dict[Path, Service]] = {}
_remote: Final[dict[tuple[str | None, ...], Registry]] = {}
_guard = threading.Lock()


def home() -> Path:
    """The profile's folder."""
    from jupyter_ext.cluster.discover import current

    return current().home


def service(database: str | Path | None = None) -> Service:
    """The rules over a file: by default the profile's. One object for each file."""
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
    url: str,
    *,
    token: str | None = None,
    token_file: str | Path | None = None,
    ca: str | None = None,
    storage: str | None = None,
) -> Registry:
    """A Kubeflow Model Registry, or one that ``jupyter kf registry serve`` runs.

    ``storage``: where everybody who uses it can read models, a URL that fsspec knows, for example ``s3://bucket/models``.
    """
    from jupyter_ext.registry.files import Files
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.remote import Remote

    transport = Remote(url, token=token, token_file=token_file, ca=ca)
    files = Files(home() / "registry")
    return Registry(transport, files, service().store, storage=storage, is_here=transport.is_here)


def default() -> Registry:
    """That of ``$JUPYTER_KUBEFLOW_REGISTRY`` (a URL), else this profile's."""
    url = os.environ.get(URL)
    if not url:
        return local()
    key = (url, os.environ.get(TOKEN_FILE), os.environ.get(STORAGE), str(home()))
    with _guard:
        known = _remote.get(key)
    if known is None:
        known = connect(url, token_file=key[1], storage=key[2])
        with _guard:
            _remote[key] = known
    return known
