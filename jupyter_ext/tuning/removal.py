"""Removing an experiment with everything that is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster


def remove(cluster: LocalCluster, name: str) -> None:
    """Stop it if need be, and remove it with its trials, their logs, curves and checkpoints."""
    from jupyter_ext.cluster.local import workload

    resource = cluster.store.get("Experiment", name)
    if not resource.finished:
        workload.stop(cluster, resource.uid)
    cluster.delete("Experiment", name)
