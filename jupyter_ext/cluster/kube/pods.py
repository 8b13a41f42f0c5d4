"""The pods that a resource has, by the labels that upstream's controllers put on them, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.cluster.kube.listing import pages

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.transport import Transport

Json = dict[str, Any]

_REPLICATED: Final = "jobset.sigs.k8s.io/replicatedjob-name"
_INDEX: Final = "batch.kubernetes.io/job-completion-index"
OWNER: Final[dict[str, str]] = {
    "TrainJob": "jobset.sigs.k8s.io/jobset-name",  # Trainer's JobSet has the job's own name
    "TFJob": "training.kubeflow.org/job-name",
    "PyTorchJob": "training.kubeflow.org/job-name",
    "XGBoostJob": "training.kubeflow.org/job-name",
    "Experiment": "katib.kubeflow.org/experiment",
    "Trial": "katib.kubeflow.org/trial",
    "SparkApplication": "sparkoperator.k8s.io/app-name",
    "SparkConnect": "sparkoperator.k8s.io/connect-name",
    "InferenceService": "serving.kserve.io/inferenceservice",
    "InferenceGraph": "serving.kserve.io/inferencegraph",
    "Gateway": "gateway.networking.k8s.io/gateway-name",
    "Job": "batch.kubernetes.io/job-name",
}
"""The label with the resource's name that its pods have."""
_CONTAINERS: Final = (
    *("kserve-container", "spark-kubernetes-driver", "spark-kubernetes-executor", "node"),
    *("pytorch", "tensorflow", "xgboost"),
)
_OF_V1: Final = frozenset({"TFJob", "PyTorchJob", "XGBoostJob"})
_LEADING: Final = frozenset({"chief", "master"})
"""Roles of v1 jobs whose pod is rank 0; without one that is the first worker."""


class Pod(NamedTuple):
    """One pod: ``part`` is what it is called within its resource, ``rank`` its number among equals."""

    name: str
    part: str
    rank: int | None
    container: str
    thing: Json

    @property
    def is_over(self) -> bool:
        """Whether its containers run no more, and will not."""
        return (self.thing.get("status") or {}).get("phase") in {"Succeeded", "Failed"}

    @property
    def has_begun(self) -> bool:
        """Whether its container has, or had, a process."""
        rows = (self.thing.get("status") or {}).get("containerStatuses") or ()
        row: Json = next((row for row in rows if row.get("name") == self.container), {})
        states = {**(row.get("state") or {}), **(row.get("lastState") or {})}
        return bool(states.keys() & {"running", "terminated"})


def pods_of(transport: Transport, namespace: str, kind: str, name: str) -> list[Pod]:
    """The pods of a resource in the order of their numbers, of the last attempt each; none for kinds without pods."""
    label = OWNER.get(kind)
    if label is None:
        return []
    listed, _ = pages(transport, f"/api/v1/namespaces/{namespace}/pods", labels=f"{label}={name}")
    newest: dict[str, Pod] = {}
    for thing in sorted(listed, key=_created):
        found = pod_of(kind, thing)
        newest[found.part] = found
    if kind in _OF_V1:
        ranked = _ranked(newest)
        return sorted(ranked, key=lambda pod: (pod.rank is None, pod.rank or 0, pod.part))
    return sorted(newest.values(), key=lambda pod: (pod.part.rpartition("-")[0], pod.rank or 0, pod.part))


def _ranked(found: Mapping[str, Pod]) -> list[Pod]:
    """Workers come after the pod that leads, where there is one; what is neither has no rank."""
    roles = {part: part.rpartition("-")[0] for part in found}
    first = 1 if _LEADING & set(roles.values()) else 0
    ranks = {"worker": first, **dict.fromkeys(_LEADING, 0)}
    return [
        pod._replace(rank=(pod.rank or 0) + ranks[roles[part]] if roles[part] in ranks else None)
        for part, pod in found.items()
    ]


def pod_of(kind: str, thing: Json) -> Pod:
    """One pod by what its controller wrote on it."""
    about = thing.get("metadata") or {}
    labels, notes = about.get("labels") or {}, about.get("annotations") or {}
    name = str(about.get("name") or "")
    part, rank = _part(kind, labels, notes)
    return Pod(name, part or name, rank, _container(thing, notes), thing)


def _part(kind: str, labels: Mapping[str, str], notes: Mapping[str, str]) -> tuple[str, int | None]:
    if kind in {"TrainJob", "Trial"} and _REPLICATED in labels:
        number = _number(labels.get(_INDEX) or notes.get(_INDEX))
        return f"{labels[_REPLICATED]}-{number or 0}", number or 0
    if role := labels.get("training.kubeflow.org/replica-type"):
        number = _number(labels.get("training.kubeflow.org/replica-index"))
        return f"{role.lower()}-{number or 0}", number or 0
    match labels.get("spark-role"):
        case "driver":
            return "driver", None
        case "executor":
            number = _number(labels.get("spark-exec-id"))
            return f"executor-{number or 0}", number
    if kind == "Job" and _INDEX in labels:
        number = _number(labels[_INDEX])
        return f"pod-{number or 0}", number
    return "", None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and text.isascii() else None


def _container(thing: Json, notes: Mapping[str, str]) -> str:
    """The container that the work is in."""
    names = [str(each.get("name")) for each in (thing.get("spec") or {}).get("containers") or ()]
    chosen = notes.get("kubectl.kubernetes.io/default-container")
    wanted = [name for name in (chosen, *_CONTAINERS) if name in names]
    return wanted[0] if wanted else names[0] if names else ""


def _created(thing: Json) -> str:
    return str((thing.get("metadata") or {}).get("creationTimestamp") or "")
