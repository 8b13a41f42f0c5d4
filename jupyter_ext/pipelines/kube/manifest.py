"""The Job of one attempt of a step: one pod, told by two variables where in the store its request lies.

`Job (batch/v1)`: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from jupyter_ext.cluster.kube.work import IMAGE, STEP
from jupyter_ext.pipelines.kube.place import STORE

if TYPE_CHECKING:
    from jupyter_ext.pipelines.model import Step

RUN: Final = "jupyter-kubeflow.org/run"
"""Label: the run's UID."""
UNIT: Final = "jupyter-kubeflow.org/unit"
"""Annotation: the step, an iteration of it (``train[2]``), or what collects a loop."""
ATTEMPT: Final = "jupyter-kubeflow.org/attempt"
CONTAINER: Final = "step"
FOLDER: Final = "/kubeflow"
"""An empty folder of the pod, for values and for the notebook's working directory."""
COMMAND: Final = ("python3", "-m", "jupyter_ext.pipelines.kube.pod")
GRACE: Final = 10
"""Seconds for a pod to end when it is stopped."""
KEPT: Final = 24 * 3600
"""Seconds that a Job stays after its end, for people to look at; what it left is in the store."""


class Told(NamedTuple):
    """Which attempt of which unit of which run, and the folder of the store where its documents are."""

    run: str
    uid: str
    unit: str
    attempt: int
    identity: str
    """Digest of what it is asked to do: two requests that differ are two Jobs."""

    @property
    def name(self) -> str:
        """The Job's name: the same for the same request, so that nothing is made twice."""
        digest = hashlib.blake2b("\0".join(map(str, self[1:])).encode(), digest_size=5).hexdigest()
        readable = re.sub(r"[^a-z0-9]+", "-", f"{self.run}-{self.unit}".lower()).strip("-")[:48].strip("-")
        return f"{readable or 'step'}-{digest}"

    @property
    def folder(self) -> str:
        """Where request, result and log lie in the store."""
        return f"runs/{self.uid}/{self.name}"


def job(place: Mapping[str, Any], step: Step, told: Told, environment: Mapping[str, Any]) -> dict[str, Any]:
    """The Job; ``environment`` is what the store adds to the container: references to a Secret, never its values."""
    labels = {**step.labels, RUN: told.uid, "app.kubernetes.io/managed-by": "jupyter-kubeflow"}
    labels["sidecar.istio.io/inject"] = "false"  # a mesh's proxy would keep the pod from ending
    notes = {**step.annotations, UNIT: told.unit, ATTEMPT: str(told.attempt)}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(place, step, told, environment)],
        "volumes": [{"name": "work", "emptyDir": {}}],
    }
    if place.get("serviceAccount"):
        pod["serviceAccountName"] = place["serviceAccount"]
    if place.get("claim"):
        pod["volumes"].append({"name": "store", "persistentVolumeClaim": {"claimName": place["claim"]}})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": told.name, "labels": labels, "annotations": notes},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "ttlSecondsAfterFinished": KEPT,
            # A pod that its node had to end did nothing wrong: the Job makes another.
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
                ]
            },
            "template": {"metadata": {"labels": labels, "annotations": notes}, "spec": pod},
        },
    }


def _container(
    place: Mapping[str, Any], step: Step, told: Told, environment: Mapping[str, Any]
) -> dict[str, Any]:
    image = step.image or place["image"]
    ours = [
        {"name": IMAGE, "value": image},  # of what the step starts itself: jobs, trials
        *({"name": name, "value": value} for name, value in (place.get("variables") or {}).items()),
        {"name": STORE, "value": place.get("store", "")},
        {"name": STEP, "value": told.folder},
        {"name": "JUPYTER_KUBEFLOW_CLUSTER", "value": "auto"},
        {"name": "PYTHONUNBUFFERED", "value": "1"},
        *(
            {"name": name, "valueFrom": {"secretKeyRef": _key(ref)}}
            for name, ref in sorted(step.secrets.items())
        ),
    ]
    named = {each["name"] for each in ours}
    more = [each for each in environment.get("env", ()) if each["name"] not in named]
    mounts = [{"name": "work", "mountPath": FOLDER}]
    if place.get("claim"):
        mounts.append({"name": "store", "mountPath": unquote(urlsplit(place["store"]).path)})
    found: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "command": [*COMMAND],
        "env": [*ours, *more],
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if environment.get("envFrom"):
        found["envFrom"] = list(environment["envFrom"])
    if step.resources:
        found["resources"] = {"requests": dict(step.resources), "limits": dict(step.resources)}
    return found


def _key(reference: str) -> dict[str, str]:
    name, _, key = reference.partition("/")
    return {"name": name, "key": key}
