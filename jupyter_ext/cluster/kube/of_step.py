"""What the step of a pipeline that is a pod has opened for itself: it goes with the step, and is ended with it.

The step's process opens it, and the process that watches over the step ends it, however the step ended. A pod that has no
time for that leaves it to the cluster: what was opened belongs to the step's Job.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.cluster.local.home import home_folder, make_private
from jupyter_ext.cluster.resource import make_plain
from jupyter_ext.errors import KubeflowError, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_ext.cluster.kube.cluster import KubeCluster
    from jupyter_ext.cluster.resource import Resource

_LONGEST: Final = 40
"""Of a name: controllers make names of pods and Services from it."""


def job() -> str:
    """The Job of the step that this pod is; empty elsewhere."""
    return os.environ.get(STEP, "").rpartition("/")[2]


def name(start: str) -> str:
    """What the step's own is called, as nobody else's is; empty elsewhere."""
    return f"{start}-{make_plain(job()[-_LONGEST:])}" if job() else ""


def begun(there: KubeCluster, made: Resource) -> None:
    """Note what this step has opened, and have it go with the step's Job."""
    if not job():
        return
    file = _opened()
    make_private(file.parent)
    with file.open("a") as opened:
        opened.write(f"{made.kind} {made.name}\n")
    with suppress(KubeflowError):  # who may not look at Jobs has it ended by the step alone
        owner = there.transport.ask("GET", f"/apis/batch/v1/namespaces/{there.namespace}/jobs/{job()}")
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": job(), "uid": owner["metadata"]["uid"]}
        there.patch(made.kind, made.name, {"metadata": {"ownerReferences": [reference]}})


def end() -> None:
    """End what the step of this pod has opened. Nothing is asked of the cluster where it opened nothing."""
    if not (file := _opened()).exists():
        return
    opened = [line.split() for line in file.read_text().splitlines()]
    file.unlink()
    with suppress(KubeflowError):
        if (there := discover.remote()) is None:
            return
        for kind, each in opened:
            with suppress(NotFound):
                there.delete(kind, each)


def _opened() -> Path:
    return home_folder() / "opened-by-step"
