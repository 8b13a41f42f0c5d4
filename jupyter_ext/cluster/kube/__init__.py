"""A Kubernetes cluster: the same resources as in the embedded one, kept by an API server, reconciled by upstream's controllers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.cluster import KubeCluster

__all__ = ["KubeCluster"]


def __getattr__(name: str) -> Any:
    if name == "KubeCluster":
        from jupyter_ext.cluster.kube.cluster import KubeCluster

        return KubeCluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
