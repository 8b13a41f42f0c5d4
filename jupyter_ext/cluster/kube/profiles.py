"""The profiles of a cluster: the namespaces that one may work in, as far as one may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.errors import Forbidden

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.cluster import KubeCluster

_LABEL: Final = "app.kubernetes.io/part-of"
_PROFILE: Final = "kubeflow-profile"
_SYSTEM: Final = ("kube-system", "kube-public", "kube-node-lease")
MOST: Final = 500


def profiles(cluster: KubeCluster, own: str) -> list[str]:
    """By name. Those that Kubeflow made, else all; only the own one where one may not list namespaces."""
    try:
        listed, _ = pages(cluster.transport, "/api/v1/namespaces")
    except Forbidden:
        return [own]
    found = [each.get("metadata") or {} for each in listed]
    made = [about for about in found if (about.get("labels") or {}).get(_LABEL) == _PROFILE]
    names = sorted({str(about["name"]) for about in made or found} - {*_SYSTEM})[:MOST]
    return names if own in names else [own, *names]
