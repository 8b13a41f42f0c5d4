"""From a resource that was checked to a controller that runs."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import UNIT
from jupyter_ext.cluster.local.processes import VARIABLE
from jupyter_ext.errors import Unavailable
from jupyter_ext.serving import door, revisions, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.handle import Endpoint

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

PATHS: Final = "JUPYTER_KUBEFLOW_PATHS"
"""The submitter's own entries of ``sys.path``, for models that are classes of modules of theirs."""


def inside(cluster: LocalCluster) -> str | None:
    """The lease of the step that asks, as ``holder/unit``.

    The step waits for the endpoint, so the endpoint may use what the step holds; it outlives the step all the same.
    """
    holder, unit = os.environ.get(VARIABLE), os.environ.get(UNIT)
    return f"{holder}/{unit}" if holder and unit and cluster.store.by_uid(holder) is not None else None


def create(cluster: LocalCluster, resource: Resource) -> Endpoint:
    """Store the endpoint with its first revision, and start its controller and the gateway."""
    from jupyter_ext.cluster.local import workload
    from jupyter_ext.cluster.resource import new_uid

    service = names.read(resource)
    for each in service.variants:
        cluster.leases.check(each.request)
    resource = resource.with_(uid=new_uid(), namespace=cluster.namespace)
    noted = revisions.appended(resource, "Created")
    status: dict[str, Any] = {"phase": "PENDING", "reason": "Starting.", "revisions": noted}
    resource = resource.with_(status=status)
    place = inside(cluster)
    if place:
        resource = resource.with_(annotations={**resource.annotations, names.INSIDE: place})
    cluster.work_folder(resource.uid)
    if service.stopped:
        stopped = {**status, "phase": "PAUSED", "reason": "It was created stopped. Start it to serve."}
        cluster.store.create(resource.with_(status=stopped))
    else:
        more: dict[str, Any] = {"env": environment(), "max_restarts": verbs.RESTARTS, "lost": verbs.LOST}
        workload.submit(cluster, resource, verbs.CONTROLLER, "OnFailure", cwd=Path.cwd(), **more)
        with suppress(Unavailable):  # the controller goes on trying, and the resource says so
            door.ensure(cluster)
    return Endpoint(resource.name, cluster)


def environment() -> dict[str, str]:
    """What the endpoint's processes get on top of the submitter's environment."""
    paths = [path for path in sys.path if path and not path.endswith(".zip")]
    here = str(Path.cwd())
    return {PATHS: json.dumps([*paths, *([here] if here not in paths else [])]), UNIT: "", **_plot()}


def _plot() -> dict[str, str]:
    """A notebook's own backend of matplotlib shows nothing in a server."""
    return {"MPLBACKEND": "Agg"} if os.environ.get("MPLBACKEND", "").startswith("module://") else {}
