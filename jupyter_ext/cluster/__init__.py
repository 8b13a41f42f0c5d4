"""Where resources live: what a resource is, which cluster this is, and the embedded one.

The names below load on first use; importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.cluster.base import Cluster
    from jupyter_ext.cluster.discover import current, doctor, remote, use
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

__all__ = ["Cluster", "KubeCluster", "LocalCluster", "Resource", "current", "doctor", "remote", "use"]

_HOME: Final = {
    "Cluster": "base",
    "KubeCluster": "kube",
    "LocalCluster": "local",
    "Resource": "resource",
    "current": "discover",
    "doctor": "discover",
    "remote": "discover",
    "use": "discover",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
