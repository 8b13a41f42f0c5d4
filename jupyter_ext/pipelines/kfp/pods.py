"""What the pods of a run say, where one may see them: why a step waits, and what it prints.

Argo labels and annotates them (`workflows.argoproj.io/…`); KFP adds the run's identity as ``pipeline/runid``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import why
from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.kube.pods import Pod
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.kfp.steps import DRIVER

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

_RUN: Final = "pipeline/runid"
_NODE: Final = "workflows.argoproj.io/node-id"
_PATH: Final = "workflows.argoproj.io/node-name"
_MAIN: Final = "main"
"""The container that Argo runs a step in."""
_LARGEST: Final = 32 << 20
_UUID: Final = re.compile(r"[0-9A-Za-z._-]{1,63}")


def pods(cluster: KubeCluster, run: str) -> list[Pod]:
    """Those of a run, each with the name of its task as its part; none where one may not see them."""
    if not _UUID.fullmatch(run):
        return []
    path = f"/api/v1/namespaces/{cluster.namespace}/pods"
    try:
        listed, _ = pages(cluster.transport, path, labels=f"{_RUN}={run}")
    except KubeflowError:
        return []
    return [Pod(str(thing["metadata"]["name"]), _part(thing), None, _MAIN, thing) for thing in listed]


def _part(thing: dict[str, Any]) -> str:
    """``train`` of ``train-x7k2p.root.train.executor``."""
    notes = thing["metadata"].get("annotations") or {}
    path = str(notes.get(_PATH) or thing["metadata"]["name"]).split(".")
    return path[-2] if path[-1].startswith("executor") and len(path) > 1 else path[-1]


def reason(cluster: KubeCluster, run: str) -> str:
    """Why it does not go on: image, room, quota; empty where nothing is wrong."""
    waiting = [pod for pod in pods(cluster, run) if not pod.is_over]
    return why.reason(waiting, ())


def ended(cluster: KubeCluster, run: str, step: str = "", nodes: Iterable[str] = ()) -> dict[str, Any]:
    """Why the pod of a step failed (without one: any): memory, eviction, exit code. Empty where nobody knows.

    ``type`` is Kubernetes' word for it, ``message`` ours.
    """
    kept, parts = set(nodes), {step, f"{step}{DRIVER}"}
    failed = [pod for pod in pods(cluster, run) if (pod.thing.get("status") or {}).get("phase") == "Failed"]
    mine = [pod for pod in failed if not step or _node(pod) in kept or pod.part in parts]
    for pod in sorted(
        mine, key=lambda pod: str(pod.thing["metadata"].get("creationTimestamp")), reverse=True
    ):
        if said := why.reason([pod], ()):
            words = said.removeprefix(f"{pod.part}: ")
            return {"type": _word(pod.thing["status"]), "message": words if step else f"{pod.part}: {words}"}
    return {}


def _word(status: Mapping[str, Any]) -> str:
    """``OOMKilled``, ``Evicted``, ``Error``."""
    rows = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    ends = [(row.get("state") or {}).get("terminated") or {} for row in rows]
    named = next((str(end["reason"]) for end in ends if end.get("exitCode") and end.get("reason")), "Error")
    return str(status.get("reason") or named)


def log(cluster: KubeCluster, run: str, node: str) -> str:
    """What the pod of a node printed; empty where it is gone, or may not be seen."""
    mine = [pod for pod in pods(cluster, run) if _node(pod) == node]
    query = {"container": _MAIN, "limitBytes": str(_LARGEST)}
    try:
        path = f"/api/v1/namespaces/{cluster.namespace}/pods/{mine[-1].name}/log" if mine else ""
        return str(cluster.transport.ask("GET", path, query=query, accept="text/plain, */*")) if path else ""
    except KubeflowError:
        return ""


def _node(pod: Pod) -> str:
    return str((pod.thing["metadata"].get("annotations") or {}).get(_NODE) or pod.name)
