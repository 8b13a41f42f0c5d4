"""What a run on a cluster has left there: its values are brought here when they are asked for, and removed with it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.exchange import ValueRef, blobs_of
from jupyter_ext.pipelines.kube import place as places
from jupyter_ext.pipelines.kube.manifest import RUN

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource


def bring(cluster: LocalCluster, resource: Resource, digests: Iterable[str]) -> None:
    """Fetch what is not here from the run's store; nothing to do for a run of this machine.

    Raises what the store says: NotFound for what was removed from there, Forbidden, Unavailable.
    """
    place = resource.spec.get("place")
    if not place:
        return
    missing = sorted(digest for digest in set(digests) if not cluster.blobs.has(digest))
    if missing:
        places.store_of(place).pull(cluster.blobs, missing)


def bring_values(cluster: LocalCluster, resource: Resource, refs: Iterable[ValueRef]) -> None:
    """Fetch what loading these values takes."""
    if resource.spec.get("place"):
        bring(cluster, resource, blobs_of(refs))


def remove_jobs(resource: Resource) -> None:
    """Remove every Job of the run: for one whose controller is not there to do it."""
    from jupyter_ext.cluster.kube.listing import pages

    remote = places.cluster_of(resource.spec["place"])
    try:
        path = f"/apis/batch/v1/namespaces/{remote.namespace}/jobs"
        found, _ = pages(remote.transport, path, labels=f"{RUN}={resource.uid}")
        body: dict[str, Any] = {"propagationPolicy": "Background"}
        for job in found:
            remote.transport.ask("DELETE", f"{path}/{job['metadata']['name']}", body, repeat=True)
    finally:
        remote.close()


def remove(resource: Resource) -> None:
    """Remove the run's Jobs, and its documents from the store. Values stay: other runs may have the same ones.

    A cluster or a store that is away does not keep a run from being deleted: Jobs end by themselves, and are
    removed a day after.
    """
    if not resource.spec.get("place"):
        return
    with suppress(KubeflowError):
        remove_jobs(resource)
    with suppress(KubeflowError, OSError):
        places.store_of(resource.spec["place"]).remove_all(f"runs/{resource.uid}/")
