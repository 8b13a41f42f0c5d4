"""Which registry: that of this profile, or one that is reached by URL."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from jupyter_ext.registry.service import Service
from jupyter_ext.registry.store import Store

FILE: Final = "registry.sqlite"
_services: Final[dict[Path, Service]] = {}
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
