"""What handlers ask the library for; each blocks, and is called in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import ResourceList
    from jupyter_ext.cluster.base import Cluster
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines import Run


def cluster() -> LocalCluster:
    """Give the cluster that this server talks to."""
    from jupyter_ext.cluster.discover import current

    return current()


def version() -> int:
    """Give the version of the store."""
    return cluster().resource_version()


def holder(kind: str) -> Cluster:
    """Give the cluster that has the resources of a kind; raises Unavailable where that does not answer."""
    from jupyter_ext.cluster.discover import holder

    return holder(kind)


def listed(kind: str) -> Callable[..., ResourceList]:
    """Give what lists a kind, without heavy parts."""
    return partial(holder(kind).list, kind, summary=True)


def resource(kind: str, name: str) -> Resource:
    """Give one resource, with what is known beyond its status where a cluster has it; raises NotFound."""
    from jupyter_ext import resources

    return resources.shown(holder(kind).get(kind, name))


def run(name: str) -> Run:
    """Give the handle of a run; raises NotFound. One of this machine does not wait for a server elsewhere."""
    from jupyter_ext import pipelines
    from jupyter_ext.errors import NotFound

    try:
        cluster().get("Run", name)
    except NotFound:
        return pipelines.get(name)
    return pipelines.Run(name)


def schedule(name: str) -> Resource:
    """Give a schedule of this machine, or of a Kubeflow Pipelines server; raises NotFound."""
    from jupyter_ext.errors import NotFound
    from jupyter_ext.pipelines.kfp import place

    try:
        return cluster().get("RecurringRun", name)
    except NotFound:
        there = place.server()
        if there is None:
            raise
    from jupyter_ext.pipelines.kfp import schedules

    return schedules.resource(there, there.find_recurring(name))


def printed(
    kind: str,
    name: str,
    part: str | None,
    *,
    tail: int,
    follow: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[str]:
    """Give what one of a kind printed, of one ``part`` or all; raises NotFound."""
    from jupyter_ext import resources

    if kind == "Run":
        found = run(name).logs(part, tail, follow=follow, stop=stop)
        return iter([found]) if isinstance(found, str) else found
    return resources.logs(f"{kind}/{name}", part, tail=tail, follow=follow, stop=stop)


WORK = ("Run", "TrainJob", "Experiment", "TFJob", "PyTorchJob", "XGBoostJob")
"""Kinds that keep the machine busy as long as they run."""
ASKED = 300.0
"""Seconds for which an endpoint keeps it busy after a request: one that nobody asks is no reason to stay."""


def busy() -> bool:
    """Whether anything is going on."""
    phases = ("PENDING", "RUNNING", "CANCELING")
    here = cluster()
    return any(len(here.list(kind, phase=phases, limit=1, summary=True)) for kind in WORK) or _asked(here)


def _asked(here: LocalCluster) -> bool:
    """Whether somebody has asked an endpoint something lately."""
    found = here.list("InferenceService", phase="RUNNING", limit=100, summary=True)
    if not found:
        return False
    from jupyter_ext.serving import traffic

    log, since = traffic.of(here), time.time() - ASKED
    return any((log.last_request(resource.uid) or 0.0) > since for resource in found)


def tick() -> bool:
    """Look after schedules; gives whether anything is going on."""
    from jupyter_ext.pipelines import recurring

    recurring.tick(cluster())
    return busy()


class Health:
    """What the doctor last found; looked for again in a thread when that is long ago, because it takes a while."""

    SECONDS = 600.0

    def __init__(self) -> None:
        self._examined = -self.SECONDS
        self._guard = threading.Lock()
        self.problems: list[str] = []

    def look(self) -> dict[str, Any]:
        """Give the last finding at once."""
        with self._guard:
            old = time.monotonic() - self._examined > self.SECONDS
            if old:
                self._examined = time.monotonic()
        if old:
            threading.Thread(target=self._examine, name="kubeflow-health", daemon=True).start()
        return {"ok": not self.problems, "problems": self.problems}

    def _examine(self) -> None:
        from jupyter_ext.cluster.discover import doctor

        self.problems = [f"{c.name}: {c.detail}. {c.fix}" for c in doctor().checks if c.required and not c.ok]


health = Health()


def status() -> dict[str, Any]:
    """Give what ``GET status`` answers."""
    import jupyter_ext
    from jupyter_ext import servers

    from . import clusters

    here = cluster()
    used = clusters.used()
    can = {**here.capabilities(), "servers": servers.capability(), **used.capabilities}
    machine = here.leases.machine()
    free_cpu, free_memory = here.leases.free()
    return {
        "version": jupyter_ext.__version__,
        "cluster": {
            "name": used.name or here.name,
            "kind": used.kind,
            "namespace": used.namespace or here.namespace,
            "kinds": used.kinds,
            "reason": used.reason,
            "capabilities": {name: found.to_dict() for name, found in can.items()},
        },
        "machine": {
            "cpuMilli": machine.cpu_milli,
            "memoryBytes": machine.memory_bytes,
            "free": {"cpuMilli": free_cpu, "memoryBytes": free_memory},
            "gpus": [
                {"uuid": gpu.uuid, "index": gpu.index, "name": gpu.name, "memory": gpu.memory}
                for gpu in machine.gpus
            ],
        },
        "health": health.look(),
    }
