"""The embedded cluster: resources in SQLite, reconciled by detached processes of the operating system.

The processes of steps and jobs need only parts of it, so the cluster itself is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.embedded import LocalCluster

__all__ = ["LocalCluster"]


def __getattr__(name: str) -> Any:
    if name == "LocalCluster":
        from jupyter_ext.cluster.local.embedded import LocalCluster

        return LocalCluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
