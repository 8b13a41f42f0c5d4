"""Training jobs on a cluster that has the training operator, and no Kubeflow Trainer: its v1 kinds (``kubeflow.org/v1``).

What would be a TrainJob becomes a PyTorchJob, a TFJob or an XGBoostJob, with the same code, command and result. There are no
runtimes: the job names its image itself. https://www.kubeflow.org/docs/components/trainer/legacy-v1/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.cluster.kube import work
from jupyter_ext.cluster.kube.older import older_training
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Unfit, Where
from jupyter_ext.training import spec as names
from jupyter_ext.training.containers import mapping, whole
from jupyter_ext.training.kube_depot import MANAGER
from jupyter_ext.training.runtime import framework_of

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

RANK: Final = "training.kubeflow.org/replica-index"
"""Label: the number of a pod among those of its role."""


class _Kind(NamedTuple):
    """One kind: where its replicas are, what its container is called, and on which port they meet."""

    name: str
    replicas: str
    container: str
    port: int
    more: Mapping[str, Any]


# All nodes are workers, so that a job has succeeded when all of them have. With a master it would have as soon as that one
# has. XGBoostJob takes none without.
_TORCH: Final = _Kind("PyTorchJob", "pytorchReplicaSpecs", "pytorch", 23456, {})
_KINDS: Final = {
    "torch": _TORCH,
    "plain": _TORCH,
    "tensorflow": _Kind("TFJob", "tfReplicaSpecs", "tensorflow", 2222, {"successPolicy": "AllWorkers"}),
    "xgboost": _Kind("XGBoostJob", "xgbReplicaSpecs", "xgboost", 9999, {}),
}
_SPEC: Final = frozenset({"runtimeRef", "trainer", "suspend", "activeDeadlineSeconds", "runtimePatches"})
_LONGEST: Final = 63
"""Characters of a Service's name; each pod has one of its own name."""
_NO_MESH: Final = {"sidecar.istio.io/inject": "false"}
"""A mesh's proxy would keep the pods from ending."""
MEETING: Final = """\
import os, socket, sys, time
until = time.monotonic() + 1800
while time.monotonic() < until:
    try:
        socket.getaddrinfo(os.environ["MASTER_ADDR"], None)
        break
    except OSError:
        time.sleep(0.5)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""The first pod has no name in the network before it runs, and torchrun asks for it once."""


def is_used(cluster: KubeCluster) -> bool:
    """Whether jobs become these kinds there: it has no TrainJob, or somebody wants it so. Raises Invalid."""
    return older_training(cluster.has)


def made(cluster: KubeCluster, job: Resource) -> Resource:
    """The job that the operator takes, of a TrainJob. Raises Unfit, naming what there is no word for."""
    _require(job)
    framework = _framework(job)
    kind = _KINDS.get(framework)
    if kind is None:
        what = f"{cluster.access.name} has the training operator, which has no kind for {framework}"
        hint = "Kubeflow Trainer has: ask its administrator. Or run it here: kf.cluster.use('local')."
        raise Unfit(what, where=Where(field="framework"), hint=hint)
    if not cluster.has(kind.name):
        what = f"{cluster.access.name} has no {kind.name}, which is what {framework} needs there"
        hint = "Ask its administrator. Or run it here: kf.cluster.use('local')."
        raise Unfit(what, where=Where(field="framework"), hint=hint)
    return converted(job, kind)


def converted(job: Resource, kind: _Kind) -> Resource:
    """A TrainJob as one of these kinds; nothing is asked of anybody. Raises Unfit, Invalid."""
    trainer = mapping(job.spec.get("trainer"), "spec.trainer")
    nodes = whole(trainer.get("numNodes", 1), "spec.trainer.numNodes", 1)
    procs = trainer.get("numProcPerNode", 1)
    if kind is not _TORCH and procs != 1:
        hint = "Ask for more nodes instead."
        raise Unfit(f"A {kind.name} has one process on each node", where=Where(field="procs"), hint=hint)
    _require_name(job.name, kind, nodes)
    pod = {"containers": [_container(job.name, trainer, kind, nodes, procs)]}
    for volumes, mounts in _mounted(job):
        pod.setdefault("volumes", []).extend(volumes)
        pod["containers"][0].setdefault("volumeMounts", []).extend(mounts)
    template = {"metadata": {"annotations": dict(_NO_MESH)}, "spec": pod}
    spec: dict[str, Any] = {
        "runPolicy": _policy(job, kind),
        kind.replicas: _replicas(kind, nodes, template),
        **kind.more,
    }
    if kind is _TORCH:
        spec["nprocPerNode"] = str(procs)
    # The digest of the code is for TrainJobs, whose code is taken out of them again.
    noted = {key: text for key, text in job.annotations.items() if key != names.CODE}
    return Resource.new(kind.name, job.name, spec, labels=dict(job.labels), annotations=noted)


def kind_of(job: Resource) -> str:
    """What a TrainJob that ``made`` takes becomes."""
    return _KINDS[_framework(job)].name


def _framework(job: Resource) -> str:
    runtime = str((job.spec.get("runtimeRef") or {}).get("name"))
    return job.annotations.get(names.FRAMEWORK) or framework_of(runtime, "spec.runtimeRef.name")


def of(framework: str) -> _Kind:
    """The kind for a framework. Raises KeyError for one that has none."""
    return _KINDS[framework]


def _require(job: Resource) -> None:
    """Refuse by name what a TrainJob may say and these kinds have no word for."""
    if job.annotations.get(names.RESTARTS, "0") != "0":
        what = "restarts is not for the training operator's jobs"
        hint = "Leave it out, or run it here: kf.cluster.use('local')."
        raise Unfit(what, where=Where(field="restarts"), hint=hint)
    for field, value in job.spec.items():
        if field not in _SPEC and value:
            raise _of_trainer(field)
    if any(each.get("manager") != MANAGER for each in job.spec.get("runtimePatches") or ()):
        raise _of_trainer("runtimePatches")
    reference = mapping(job.spec.get("runtimeRef"), "spec.runtimeRef")
    if reference.get("kind", "ClusterTrainingRuntime") != "ClusterTrainingRuntime":
        raise _of_trainer("runtimeRef.kind")


def _of_trainer(field: str) -> Unfit:
    what = f"{field} is Kubeflow Trainer's, and this cluster has the training operator"
    return Unfit(what, where=Where(field=f"spec.{field}"), hint="Leave it out.")


def _mounted(job: Resource) -> Iterator[tuple[list[Any], list[Any]]]:
    """The volumes and their mounts that our own patches put into pods: of the profile's store, where that is a folder."""
    for patch in job.spec.get("runtimePatches") or ():
        for each in patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]:
            pod = each["template"]["spec"]["template"]["spec"]
            yield pod["volumes"], pod["containers"][0]["volumeMounts"]


def _require_name(name: str, kind: _Kind, nodes: int) -> None:
    """Refuse what the operator's webhook would, and what would be no name for the Service of a pod."""
    longest = _LONGEST - len(f"-worker-{nodes - 1}")
    hint = ""
    if not name[:1].isalpha():
        hint = f"Begin with a letter: {f'job-{name}'[:longest]!r}."
    elif len(name) > longest:
        hint = f"Its pods are {name[:8]}…-worker-0: take at most {longest} characters."
    if hint:
        raise Unfit(f"{name!r} cannot be the name of a {kind.name}", where=Where(field="name"), hint=hint)


def _policy(job: Resource, kind: _Kind) -> dict[str, Any]:
    """What becomes of its pods. With a `backoffLimit` the operator deletes those that failed, with what they said."""
    # Whoever still runs when one has failed is ended. What an XGBoostJob's workers print at their end would be lost with that:
    # it is over when its master is.
    policy: dict[str, Any] = {"cleanPodPolicy": "None" if kind.name == "XGBoostJob" else "Running"}
    if job.spec.get("suspend"):
        policy["suspend"] = True
    if (deadline := job.spec.get("activeDeadlineSeconds")) is not None:
        policy["activeDeadlineSeconds"] = deadline
    return policy


def _replicas(kind: _Kind, nodes: int, template: dict[str, Any]) -> dict[str, Any]:
    counts = {"Master": 1, "Worker": nodes - 1} if kind.name == "XGBoostJob" else {"Worker": nodes}
    return {
        role: {"replicas": count, "restartPolicy": "Never", "template": template}
        for role, count in counts.items()
        if count
    }


def _container(name: str, trainer: Mapping[str, Any], kind: _Kind, nodes: int, procs: Any) -> dict[str, Any]:
    """What runs on each node. Raises Unfit where no image is known."""
    image = trainer.get("image") or work.image()
    if not image:
        what = f"A {kind.name} names its image, and none is known: this cluster has no training runtimes"
        hint = f"{work.IMAGE} names the one for jobs; it needs what the code imports."
        raise Unfit(what, where=Where(field="image"), hint=hint)
    command = list(trainer.get("command") or ())
    if nodes > 1 and command[:1] == ["torchrun"]:  # others may well end before all have begun
        command = ["python", "-c", MEETING, *command]
    asked: dict[str, Any] = {
        "name": kind.container,
        "image": image,
        "command": command,
        "args": trainer.get("args"),
        "env": [*_environment(name, kind, nodes, procs), *(trainer.get("env") or ())],
        "resources": trainer.get("resourcesPerNode"),
    }
    return {key: value for key, value in asked.items() if value}


def _environment(name: str, kind: _Kind, nodes: int, procs: Any) -> list[dict[str, Any]]:
    """Who a process is, and where the first is. Jobs with a master are told by the operator."""
    if kind.name == "XGBoostJob":
        return []
    rank = {"valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{RANK}']"}}}
    first, port = f"{name}-worker-0", str(kind.port)
    size = nodes * procs if isinstance(procs, int) else nodes
    told: list[dict[str, Any]] = [
        {"name": "RANK", **rank},
        {"name": "WORLD_SIZE", "value": str(size)},
        {"name": "MASTER_ADDR", "value": first},
        {"name": "MASTER_PORT", "value": port},
    ]
    if kind is _TORCH:
        told += [
            {"name": "PET_NODE_RANK", **rank},
            {"name": "PET_MASTER_ADDR", "value": first},
            {"name": "PET_MASTER_PORT", "value": port},
        ]
    return told
