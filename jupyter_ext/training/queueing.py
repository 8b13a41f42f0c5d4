"""Kueue: a job names a queue of its namespace, and is suspended until that lets it in.

https://kueue.sigs.k8s.io/docs/tasks/run/trainjobs/
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.phases import QUEUE
from jupyter_ext.cluster.resource import valid_name
from jupyter_ext.errors import Forbidden, NotFound, Unfit, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

PRIORITY: Final = "kueue.x-k8s.io/priority-class"
"""Label: a WorkloadPriorityClass of the cluster."""
_GROUP: Final = "kueue.x-k8s.io"


def labelled(queue: str | None, priority: str | None) -> dict[str, str]:
    """The labels that ask for it. Raises Invalid for what is no name, Unfit for a priority in no queue."""
    if priority and not queue:
        what = "priority is that of a queue, and no queue is named"
        raise Unfit(what, where=Where(field="priority"), hint="Name the queue, too: queue='…'.")
    asked = {QUEUE: ("queue", queue), PRIORITY: ("priority", priority)}
    return {label: valid_name(name, field) for label, (field, name) in asked.items() if name}


def require(cluster: KubeCluster | None, labels: Mapping[str, str]) -> None:
    """Refuse a queue or a priority that there is not: a job would wait for it for ever. Raises Unfit and NotFound."""
    if not (queue := labels.get(QUEUE)):
        return
    if cluster is None:
        what = "queue is for jobs on a cluster: on this machine jobs start in the order of their leases"
        raise Unfit(
            what, where=Where(field="queue"), hint="Leave it out, or choose a cluster: kf.cluster.use(…)."
        )
    _find(cluster, "localqueues", "queue", queue)
    if priority := labels.get(PRIORITY):
        _find(cluster, "workloadpriorityclasses", "priority", priority)


def _find(cluster: KubeCluster, plural: str, field: str, name: str) -> None:
    served = cluster.kinds.versions(_GROUP, plural)
    if not served:
        what = f"{field} is Kueue's, which is not installed in {cluster.access.name}"
        raise Unfit(what, where=Where(field=field), hint="Leave it out.")
    try:
        listed = cluster.transport.ask("GET", served[0].path(cluster.namespace))
    except Forbidden:
        return  # who may not see them may use them: Kueue says what it makes of it
    names = sorted(str(each["metadata"]["name"]) for each in listed.get("items") or ())
    if name not in names:
        near = ", ".join((get_close_matches(name, names) or names)[:5])
        hint = f"There are: {near}." if near else "An administrator makes them."
        raise NotFound(f"There is no {field} {name}", where=Where(field=field), hint=hint)
