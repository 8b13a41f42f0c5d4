"""The profile's own Secrets and ConfigMaps: what a step takes as environment or files, without a cluster.

    import jupyter_ext as kf
    kf.secrets.set("database", "password", getpass())
    kf.secrets.list()

They have the form that Kubernetes gives them and lie beside the profile's data, in files that only you can read. A value
is given to the steps that ask for it and to ``get``, and is nowhere else: not in logs, records, exports or answers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.secrets.profile import delete, get, get_bytes, list, set  # noqa: A004 - what they do
    from jupyter_ext.secrets.store import Entry, Store

_HOME = {
    "Entry": "store",
    "Store": "store",
    "delete": "profile",
    "get": "profile",
    "get_bytes": "profile",
    "list": "profile",
    "set": "profile",
}
__all__ = ["Entry", "Store", "delete", "get", "get_bytes", "list", "set"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:  # type: ignore[valid-type]
    return sorted(__all__)
