"""The gateway as the rest of serving sees it; its own modules are loaded when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.gateway import Address


def ensure(cluster: LocalCluster) -> Address:
    """Start the gateway if it is not there; gives its address. Raises Unavailable."""
    from jupyter_ext.serving import gateway

    return gateway.ensure(cluster)


def address(cluster: LocalCluster) -> Address | None:
    """Url, token and perhaps gRPC url of the gateway; None where there is none."""
    from jupyter_ext.serving import gateway

    return gateway.address(cluster)


def applied(cluster: LocalCluster, name: str, uid: str) -> int | None:
    """The generation of an endpoint's routing by which the gateway sends requests; None where it does not run.

    -1 while it does not know this endpoint; it may still know one of the same name that was deleted.
    """
    from jupyter_ext.serving import gateway
    from jupyter_ext.serving.gateway.place import APPLIED

    if gateway.address(cluster) is None:
        return None
    found = cluster.store.fetch(APPLIED, name) or {}
    return int(found["generation"]) if found.get("uid") == uid else -1
