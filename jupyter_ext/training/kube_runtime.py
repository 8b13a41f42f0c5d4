"""Runtimes whose pods fail once, or as often as a job says: upstream's start a container that failed again and again, and then take its log away.

A `ClusterTrainingRuntime (trainer.kubeflow.org/v1alpha1)` is an administrator's. A copy in the namespace says that a pod is
not started again and that the first failure is the job's; it is named by its content, so that there is one for all jobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import make_plain
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unfit, Where
from jupyter_ext.training.runtime import API_GROUP

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

SHARED: Final = "ClusterTrainingRuntime"
OWN: Final = "TrainingRuntime"
_STEM: Final = 40
_DISRUPTED: Final = {"type": "DisruptionTarget", "status": "True"}
"""What a pod has that its node had to end: an eviction, a drain, a machine that was lost."""
_MOVED: Final = {
    "maxRestarts": 3,
    "rules": [
        {
            "name": "failed",
            "action": "FailJobSet",
            "onJobFailureReasons": [
                "BackoffLimitExceeded",
                "DeadlineExceeded",
                "FailedIndexes",
                "MaxFailedIndexesExceeded",
            ],
        }
    ],
}
"""What fails ends the job at once. Where a node had to end a pod, all pods begin again elsewhere, but not without end."""


def reference(cluster: KubeCluster, asked: Mapping[str, Any], restarts: int = 0) -> dict[str, Any]:
    """The runtime to name in a job: the copy, or what was asked for where one may not make or read one.

    ``restarts``: how often all pods start again after one has failed. Raises Unfit where only a copy could say that.
    """
    found = _reference(cluster, asked, restarts)
    if restarts and found.get("kind", SHARED) != OWN:
        what = "How often pods start again is said by a copy of the runtime, which cannot be made here"
        hint = "Ask for the right to create trainingruntimes, or leave it out."
        raise Unfit(what, where=Where(field="restarts"), hint=hint)
    return found


def _reference(cluster: KubeCluster, asked: Mapping[str, Any], restarts: int) -> dict[str, Any]:
    found = dict(asked)
    if found.get("kind", SHARED) != SHARED or found.get("apiGroup", API_GROUP) != API_GROUP:
        if restarts:
            what = f"The runtime {found.get('name')} says itself how often pods start again"
            raise Unfit(what, where=Where(field="restarts"), hint="Leave it out, or set it there.")
        return found
    try:
        shared = cluster.kinds.versions(API_GROUP, "clustertrainingruntimes")[0]
        own = cluster.kinds.versions(API_GROUP, "trainingruntimes")[0]
        original = cluster.transport.ask("GET", shared.path("", str(found.get("name"))))
        made = copy(original, restarts)
        name = made["metadata"]["name"]
        query = {"fieldManager": cluster.manager, "force": "true"}
        cluster.transport.ask(
            "PATCH", own.path(cluster.namespace, name), made, query=query,
            content_type="application/apply-patch+yaml", repeat=True,
        )  # fmt: skip
    except (Forbidden, NotFound, IndexError):
        return found  # the API server says what is wrong with it, if anything is
    except KubeflowError as error:
        if error.status < 500:
            return found
        raise
    return {**found, "kind": OWN, "name": name}


def copy(original: Mapping[str, Any], restarts: int = 0) -> dict[str, Any]:
    """The same runtime, whose pods are started once, and all of them so many times again when one has failed."""
    about = original.get("metadata") or {}
    spec = json.loads(json.dumps(original.get("spec") or {}))
    jobs = spec.setdefault("template", {}).setdefault("spec", {})
    jobs["failurePolicy"] = {"maxRestarts": restarts} if restarts else _MOVED
    for each in jobs.get("replicatedJobs") or ():
        job = each.setdefault("template", {}).setdefault("spec", {})
        job["backoffLimit"] = 0
        job["podFailurePolicy"] = {"rules": [{"action": "FailJob", "onPodConditions": [_DISRUPTED]}]}
        job.setdefault("template", {}).setdefault("spec", {})["restartPolicy"] = "Never"
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:10]
    stem = make_plain(str(about.get("name") or "runtime"))[:_STEM].strip("-")
    labels = {
        key: text
        for key, text in (about.get("labels") or {}).items()
        if key.startswith("trainer.kubeflow.org/")
    }
    return {
        "apiVersion": original.get("apiVersion") or f"{API_GROUP}/v1alpha1",
        "kind": OWN,
        "metadata": {
            "name": f"{stem}-{f'restarts-{restarts}' if restarts else 'once'}-{digest}",
            "labels": labels,
        },
        "spec": spec,
    }
