"""The profiles of a cluster: those that one can switch to, and for an administrator what each of them uses."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.errors import Forbidden, KubeflowError
from jupyter_ext.home import quota

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

Json = dict[str, Any]

HOLDS: Final = 20.0
"""Seconds for which it is told again: it looks at every pod of the cluster."""
MOST: Final = 500
_OWNER: Final = "owner"
"""The annotation of a namespace that Kubeflow's Profile controller and our provisioner write."""
_guard = threading.Lock()
_known: Final[WeakKeyDictionary[KubeCluster, tuple[float, Json | None]]] = WeakKeyDictionary()


def of(cluster: Any) -> Json | None:
    """``rows`` of ``name``, ``owner``, ``isUsed``, and where one may see all pods (``isAdmin``) what each uses.

    None on this machine, and where one may not list namespaces.
    """
    if cluster.kind == "local":
        return None
    with _guard:
        moment, found = _known.get(cluster, (-HOLDS, None))
        if time.monotonic() - moment >= HOLDS:
            found = _look(cluster)
            _known[cluster] = (time.monotonic(), found)
    return found


def _look(cluster: KubeCluster) -> Json | None:
    try:
        spaces, _ = pages(cluster.transport, "/api/v1/namespaces")
    except Forbidden:
        return None
    rows = [_row(each, cluster.namespace) for each in spaces if _is_profile(each, cluster.namespace)]
    rows = sorted(rows, key=lambda row: (not row["isUsed"], row["name"]))
    used = _used(cluster)
    if used is not None:
        rows = [{**row, **used.get(row["name"], quota.share())} for row in rows]
        rows.sort(key=lambda row: (not row["isUsed"], -row["gpus"], -row["cpu"], row["name"]))
    return {"rows": rows[:MOST], "count": len(rows), "isAdmin": used is not None}


def _is_profile(space: Json, own: str) -> bool:
    about = space["metadata"]
    return about["name"] == own or bool((about.get("annotations") or {}).get(_OWNER))


def _row(space: Json, own: str) -> Json:
    about = space["metadata"]
    return {
        "name": str(about["name"]),
        "owner": str((about.get("annotations") or {}).get(_OWNER) or ""),
        "isUsed": about["name"] == own,
    }


def _used(cluster: KubeCluster) -> dict[str, Json] | None:
    """What pods of each namespace have asked for; None for who may not see the pods of all."""
    try:
        live = quota.live_pods(cluster, "/api/v1/pods")
    except KubeflowError:
        return None
    found: dict[str, Json] = {}
    for pod in live:
        row = found.setdefault(str(pod["metadata"].get("namespace")), quota.share())
        quota.add(row, quota.requests(pod))
    return found
