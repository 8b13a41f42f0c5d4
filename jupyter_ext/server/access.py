"""What handlers ask the library for; each blocks, and is called in a thread."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def resource(kind: str, name: str) -> Resource:
    """Give one resource; raises NotFound."""
    return cluster().get(kind, name)


def run(name: str) -> Run:
    """Give the handle of a run; raises NotFound."""
    from jupyter_ext import pipelines

    return pipelines.get(name)


WORK = ("Run", "TrainJob", "Experiment", "TFJob", "PyTorchJob", "XGBoostJob")
"""Kinds that keep the machine busy."""


def busy() -> bool:
    """Whether anything is going on."""
    phases = ("PENDING", "RUNNING", "CANCELING")
    here = cluster()
    return any(len(here.list(kind, phase=phases, limit=1, summary=True)) for kind in WORK)


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

    here = cluster()
    machine = here.leases.machine()
    return {
        "version": jupyter_ext.__version__,
        "cluster": {
            "name": here.name,
            "kind": here.kind,
            "namespace": here.namespace,
            "capabilities": {name: found.to_dict() for name, found in here.capabilities().items()},
        },
        "machine": {
            "cpuMilli": machine.cpu_milli,
            "memoryBytes": machine.memory_bytes,
            "gpus": [
                {"uuid": gpu.uuid, "index": gpu.index, "name": gpu.name, "memory": gpu.memory}
                for gpu in machine.gpus
            ],
        },
        "health": health.look(),
    }
