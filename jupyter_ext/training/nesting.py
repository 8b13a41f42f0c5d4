"""Jobs that a step, a trial or another job starts: they belong to that, share its lease, and are begun once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_ext.cluster.local.devices import UNIT
from jupyter_ext.cluster.local.processes import VARIABLE, identity, is_running
from jupyter_ext.training import spec as names

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.training.handle import Job


def belonging(cluster: LocalCluster, resource: Resource) -> Resource:
    """What a step, a trial or a job starts belongs to that, and shares its lease (see ``host_of``)."""
    uid, unit = os.environ.get(VARIABLE), os.environ.get(UNIT)
    owner = cluster.store.by_uid(uid) if uid and resource.owner is None else None
    if owner is None:
        return resource
    noted = {names.OWNER: f"{owner.kind}/{owner.name}", names.CREATOR: identity(os.getpid())}
    if unit:
        noted[names.INSIDE] = f"{uid}/{unit}"
    return resource.with_(owner=uid, annotations={**resource.annotations, **noted})


def host_of(resource: Resource) -> tuple[str, str] | None:
    """Holder and unit of the lease that a resource may share: the ``inside`` of ``Leases.acquire``."""
    holder, slash, unit = resource.annotations.get(names.INSIDE, "").partition("/")
    return (holder, unit) if slash else None


def begun_before(cluster: LocalCluster, resource: Resource) -> Job | None:
    """The same job, that the same step began before it was killed and is now repeated; another one is stopped."""
    from jupyter_ext.cluster.local import workload
    from jupyter_ext.training.handle import Job

    place = resource.annotations.get(names.INSIDE)
    if place is None:
        return None
    for other in cluster.list(resource.kind, owner=resource.owner):
        noted = other.annotations
        if other.finished or noted.get(names.INSIDE) != place or is_running(noted.get(names.CREATOR)):
            continue
        if other.spec == resource.spec and _same(noted, resource.annotations):
            mine = {"metadata": {"annotations": {names.CREATOR: resource.annotations[names.CREATOR]}}}
            cluster.patch(other.kind, other.name, mine)
            return Job(other.name, cluster, other.kind)
        workload.stop(cluster, other.uid, wait=False)
    return None


def _same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    ours = {names.CREATOR, names.OWNER}
    return {**one, **dict.fromkeys(ours)} == {**other, **dict.fromkeys(ours)}
