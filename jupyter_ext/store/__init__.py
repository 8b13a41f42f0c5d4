"""Where artifacts are kept that outlive a machine or a pod: one place, named by its URL.

    import jupyter_ext as kf
    place = kf.store.at("s3://team-bucket/flights")
    digest = place.put_file("model.bin")
    place.fetch(digest, "copy.bin")

``s3://``, ``gs://`` and ``abfs://`` are object stores, reached through fsspec; ``file://`` is a folder, for example a
mounted claim. What is stored under its digest is written once, whole or not at all, and checked when it is read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.store.address import require
    from jupyter_ext.store.artifacts import Moved, Store
    from jupyter_ext.store.finding import at, check, default, filesystem
    from jupyter_ext.store.objects import Document

_HOME = {
    "Document": "objects",
    "Moved": "artifacts",
    "Store": "artifacts",
    "at": "finding",
    "check": "finding",
    "default": "finding",
    "filesystem": "finding",
    "require": "address",
}
__all__ = ["Document", "Moved", "Store", "at", "check", "default", "filesystem", "require"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
