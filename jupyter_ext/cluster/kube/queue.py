"""Why Kueue has not let something in: the `Workload` that it made of it says so.

https://kueue.sigs.k8s.io/docs/concepts/workload/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.phases import QUEUE
from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.cluster import KubeCluster
    from jupyter_ext.cluster.resource import Resource

_JOB: Final = "kueue.x-k8s.io/job-uid"
"""The label by which a Workload names what it was made of."""
_HELD: Final = ("QuotaReserved", "Admitted")


def why(cluster: KubeCluster, resource: Resource) -> str:
    """One sentence; empty where it is in no queue, was let in, or one may not see it."""
    queue = resource.labels.get(QUEUE)
    served = cluster.kinds.versions("kueue.x-k8s.io", "workloads") if queue else ()
    if not served:
        return ""
    try:
        found, _ = pages(
            cluster.transport, served[0].path(cluster.namespace), labels=f"{_JOB}={resource.uid}"
        )
    except KubeflowError:
        return ""
    rows = [row for thing in found for row in (thing.get("status") or {}).get("conditions") or ()]
    for kind in _HELD:
        for row in rows:
            if row.get("type") == kind and row.get("status") == "False":
                return f"It waits in the queue {queue}: {row.get('message') or row.get('reason')}".rstrip(
                    ": "
                )
    return ""
