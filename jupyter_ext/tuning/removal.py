"""Removing an experiment with everything that is its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from jupyter_ext.tuning import kube

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_PLAIN: Final = "owner = ? AND kind = 'Trial' AND NOT EXISTS (SELECT 1 FROM resources AS child WHERE child.owner = resources.uid)"


def remove(cluster: LocalCluster, name: str) -> None:
    """Stop it if need be, and remove it with its trials, their logs, curves and checkpoints.

    Trials that are nothing but rows, perhaps ten thousand, go in one statement: who watches hears of the experiment.
    """
    from jupyter_ext.cluster.local import workload

    resource = cluster.store.get("Experiment", name)
    workload.stop(cluster, resource.uid)
    if (there := kube.opened(resource.annotations)) is not None:
        from jupyter_ext.tuning import kube_trials

        kube_trials.remove(there, resource.uid, is_older=kube.is_older(resource.annotations))
    shutil.rmtree(cluster.home / "work" / resource.uid, ignore_errors=True)
    with cluster.store.transaction() as connection:
        uids = connection.execute(f"SELECT uid FROM resources WHERE {_PLAIN}", (resource.uid,)).fetchall()  # noqa: S608 - our own constant
        connection.execute(f"DELETE FROM resources WHERE {_PLAIN}", (resource.uid,))  # noqa: S608 - as above
        cluster.delete("Experiment", name)
    for (uid,) in uids:
        cluster.metrics.forget(uid)
