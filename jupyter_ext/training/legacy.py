"""The v1 job kinds (``kubeflow.org/v1``) as jobs of this machine: TFJob, PyTorchJob, XGBoostJob.

Their replicas become processes with the environment that the training operator gives to its pods. A process never
outlives its job here, whatever ``cleanPodPolicy`` says, and its log is always kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.training.containers import mapping, only, read, refuse, whole
from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.launch import Launch, Ports, Replica, Restart, Role

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.training.spec import JobSpec


class _Kind(NamedTuple):
    framework: str
    replicas: str
    container: str
    roles: dict[str, Role]
    fields: frozenset[str]
    restart: Restart


_KINDS: Final = {
    "TFJob": _Kind(
        *("tensorflow", "tfReplicaSpecs", "tensorflow"),
        {"Chief": "chief", "Master": "master", "Worker": "worker", "PS": "ps", "Evaluator": "evaluator"},
        frozenset({"successPolicy", "enableDynamicWorker"}),
        "Never",
    ),
    "PyTorchJob": _Kind(
        *("torch", "pytorchReplicaSpecs", "pytorch"),
        {"Master": "master", "Worker": "worker"},
        frozenset({"elasticPolicy", "nprocPerNode"}),
        "OnFailure",
    ),
    "XGBoostJob": _Kind(
        *("xgboost", "xgbReplicaSpecs", "xgboost"),
        {"Master": "master", "Worker": "worker"},
        frozenset(),
        "Never",
    ),
}
KINDS: Final = tuple(_KINDS)
_RESTARTS: Final = 3
"""Where the job names no ``backoffLimit``: upstream would try for ever."""
_POLICIES: Final = ("Always", "OnFailure", "Never", "ExitCode")


def to_job(resource: Resource) -> dict[str, Any]:
    """The fields of a JobSpec that such a resource asks for. Raises Invalid or Unfit, naming the field."""
    kind = _KINDS[resource.kind]
    spec = resource.spec
    only(spec, kind.fields | {"runPolicy", kind.replicas}, "spec")
    policy = _run_policy(mapping(spec.get("runPolicy"), "spec.runPolicy"))
    elastic = _elastic(spec)
    procs = _procs(spec)
    if spec.get("enableDynamicWorker"):
        raise refuse("spec.enableDynamicWorker", "tensorflow cannot change its number of workers here")
    replicas, needs = _replicas(resource, kind)
    if elastic and len(replicas) > elastic["nodes_max"]:
        what = f"There are {len(replicas)} replicas, more than maxReplicas"
        raise Invalid(what, where=Where(field="spec.elasticPolicy.maxReplicas"))
    count = len(replicas)
    restarting = any(replica.restart != "Never" for replica in replicas)
    return {
        "framework": kind.framework,
        "replicas": replicas,
        "procs": procs,
        "nodes_min": elastic.get("nodes_min", count),
        "nodes_max": count,
        "restarts": policy.pop("restarts", elastic.get("restarts", _RESTARTS if restarting else 0)),
        **policy,
        "cpu_milli": -(-needs[0] // count) or None,
        "memory": -(-needs[1] // count) or None,
        "gpus": -(-needs[2] // count),
    }


def _run_policy(given: Mapping[str, Any]) -> dict[str, Any]:
    field = "spec.runPolicy"
    known = {"cleanPodPolicy", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"}
    only(given, known | {"schedulingPolicy", "suspend", "managedBy"}, field)
    if given.get("cleanPodPolicy") not in {None, "None", "Running", "All"}:
        raise Invalid(
            f"{given['cleanPodPolicy']!r} is no policy",
            where=Where(field=f"{field}.cleanPodPolicy"),
            hint="There are None, Running and All.",
        )
    if given.get("ttlSecondsAfterFinished") is not None:
        raise refuse(
            f"{field}.ttlSecondsAfterFinished",
            "A finished job is not deleted by itself here",
            "Leave it out, and delete the job when you have read it.",
        )
    if given.get("managedBy") not in {None, "kubeflow.org/training-operator"}:
        raise refuse(f"{field}.managedBy", f"{given['managedBy']} does not run on this machine")
    # schedulingPolicy asks for all replicas at once or none: one lease for the whole job is just that.
    found: dict[str, Any] = {"suspend": bool(given.get("suspend"))}
    if given.get("activeDeadlineSeconds") is not None:
        found["deadline"] = whole(given["activeDeadlineSeconds"], f"{field}.activeDeadlineSeconds", 1)
    if given.get("backoffLimit") is not None:
        found["restarts"] = whole(given["backoffLimit"], f"{field}.backoffLimit")
    return found


def _elastic(spec: Mapping[str, Any]) -> dict[str, int]:
    field = "spec.elasticPolicy"
    given = mapping(spec.get("elasticPolicy"), field)
    if not given:
        return {}
    settings = {"rdzvId", "rdzvConf", "rdzvPort", "rdzvHost", "standalone", "nProcPerNode"}
    only(given, settings | {"minReplicas", "maxReplicas", "maxRestarts", "rdzvBackend", "metrics"}, field)
    if given.get("metrics"):
        raise refuse(f"{field}.metrics", "Nothing scales a job by metrics here")
    if given.get("rdzvBackend") not in {None, "c10d"}:
        raise refuse(f"{field}.rdzvBackend", f"There is no {given['rdzvBackend']} here", "Use c10d.")
    least = whole(given.get("minReplicas", 1), f"{field}.minReplicas", 1)
    most = whole(given.get("maxReplicas", least), f"{field}.maxReplicas", least)
    return {
        "nodes_min": least,
        "nodes_max": most,
        "restarts": whole(given.get("maxRestarts", _RESTARTS), f"{field}.maxRestarts"),
    }


def _procs(spec: Mapping[str, Any]) -> int:
    """Processes that each replica starts itself, through torchrun."""
    elastic = mapping(spec.get("elasticPolicy"), "spec.elasticPolicy")
    given = spec.get("nprocPerNode", elastic.get("nProcPerNode", 1))
    if isinstance(given, str) and given.isdecimal():
        given = int(given)
    if given in {"auto", "cpu", "gpu"}:
        raise refuse("spec.nprocPerNode", f"{given!r} is decided by the container", "Give a number.")
    return whole(given, "spec.nprocPerNode", 1)


def _replicas(resource: Resource, kind: _Kind) -> tuple[tuple[Replica, ...], tuple[int, int, int]]:
    """The replicas in the order of their ranks, and what they need together: CPU, memory, GPUs."""
    field = f"spec.{kind.replicas}"
    given = mapping(resource.spec.get(kind.replicas), field)
    only(given, set(kind.roles), field)
    deciding = _deciding(resource.spec, given, kind)
    # A pod is found under its own name, and here all are this machine.
    hosts = {f"{resource.name}-{role}-0" for role in kind.roles.values()}
    found: list[Replica] = []
    needs = [0, 0, 0]
    for name, role in kind.roles.items():
        if name not in given:
            continue
        place = f"{field}.{name}"
        one = mapping(given[name], place)
        only(one, {"replicas", "template", "restartPolicy"}, place)
        policy = one.get("restartPolicy") or kind.restart
        if policy not in _POLICIES:
            what, hint = f"{policy!r} is no restart policy", f"There are {', '.join(_POLICIES)}."
            raise Invalid(what, where=Where(field=f"{place}.restartPolicy"), hint=hint)
        count = 1 if one.get("replicas") is None else whole(one["replicas"], f"{place}.replicas")
        for index in range(count):
            known = {
                "metadata.name": f"{resource.name}-{role}-{index}",
                "metadata.namespace": resource.namespace or "default",
                "status.podIP": ranks.HOST,
                "status.hostIP": ranks.HOST,
                "spec.nodeName": "localhost",
                "metadata.labels['training.kubeflow.org/replica-index']": str(index),
            }
            process = read(one.get("template"), f"{place}.template", kind.container, known)
            env = {key: ranks.HOST if text in hosts else text for key, text in process.env.items()}
            decides = (name, index) in deciding or (name, None) in deciding
            found.append(Replica(role, index, process.command, env, process.cwd, policy, decides))
            for part, amount in enumerate((process.cpu_milli, process.memory, process.gpus)):
                needs[part] += amount or 0
    if not found:
        raise Invalid("There is no replica to run", where=Where(field=field))
    return tuple(found), (needs[0], needs[1], needs[2])


def _deciding(spec: Mapping[str, Any], given: Mapping[str, Any], kind: _Kind) -> set[tuple[str, int | None]]:
    """Whose success is the job's, as the operator has it; an index of None means all of the role."""
    success = spec.get("successPolicy")
    if success not in {None, "", "AllWorkers"}:
        what = f"{success!r} is no success policy"
        raise Invalid(what, where=Where(field="spec.successPolicy"), hint="There is AllWorkers, or none.")
    leading = [name for name in ("Chief", "Master") if name in given]
    if success == "AllWorkers":
        return {("Worker", None), *((name, None) for name in leading)}
    if leading:
        return {(leading[0], 0)}
    return {("Worker", 0 if kind.framework == "tensorflow" else None)}


def plan(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """One process for each replica, with the variables that the operator gives to its pods."""
    replicas = job.replicas or ()
    environments = _WIRING[job.framework](job, ports)
    launches = []
    for rank, (replica, wired) in enumerate(zip(replicas, environments, strict=True)):
        own = {**ranks.shared(job), **wired, **ranks.devices(gpus, rank, len(replicas))}
        launches.append(
            Launch(
                *(f"{replica.role}-{replica.index}", rank, (rank,)),
                ranks.resolved(replica.command, python),
                {**own, "PYTHONUNBUFFERED": "1", **replica.env},
                replica.role,
                essential=not job.elastic and replica.role != "evaluator",
                decides=replica.decides,
                cwd=replica.cwd,
                restart=replica.restart,
            )
        )
    return launches


def _tensorflow(job: JobSpec, ports: Ports) -> list[dict[str, str]]:
    """``TF_CONFIG``, unless there is only one replica: then there is no cluster (TFJob's ``isDistributed``)."""
    from jupyter_ext.training.frameworks.tensorflow import config

    replicas = job.replicas or ()
    if len(replicas) == 1:
        return [{}]
    places: dict[tuple[Role, int], str] = {
        (one.role, one.index): f"{ranks.HOST}:{ports.take()}" for one in replicas
    }
    wired = []
    for one in replicas:
        settings = {**json.loads(config(places, one.role, one.index)), "environment": "cloud"}
        wired.append({"TF_CONFIG": json.dumps(settings)})
    return wired


def _torch(job: JobSpec, ports: Ports) -> list[dict[str, str]]:
    """What ``env://`` reads, and ``PET_*`` for a replica that starts torchrun."""
    from jupyter_ext.training.frameworks.torch import loopback

    count, port = len(job.replicas or ()), str(ports.take())
    common = {
        **loopback(job),
        "MASTER_ADDR": ranks.HOST,
        "MASTER_PORT": port,
        "WORLD_SIZE": str(count * job.procs),
        "PET_NPROC_PER_NODE": str(job.procs),
        "PET_NNODES": f"{job.nodes_min}:{job.nodes_max}" if job.elastic else str(count),
    }
    if job.elastic:
        common |= {
            "PET_RDZV_BACKEND": "c10d",
            "PET_RDZV_ENDPOINT": f"{ranks.HOST}:{port}",
            "PET_RDZV_ID": job.name,
            "PET_MAX_RESTARTS": str(job.restarts),
        }
        return [common] * count
    common |= {"PET_MASTER_ADDR": ranks.HOST, "PET_MASTER_PORT": port}
    return [{**common, "RANK": str(rank), "PET_NODE_RANK": str(rank)} for rank in range(count)]


def _xgboost(job: JobSpec, _ports: Ports) -> list[dict[str, str]]:
    """The master starts the tracker, which wants its port for itself."""
    count = len(job.replicas or ())
    common = {
        "MASTER_ADDR": ranks.HOST,
        "MASTER_PORT": str(Ports.lent()),
        "WORLD_SIZE": str(count),
        "WORKER_PORT": str(Ports.lent()),
        "WORKER_ADDRS": ",".join([ranks.HOST] * (count - 1)),
    }
    return [{**common, "RANK": str(rank)} for rank in range(count)]


_WIRING: Final = {"tensorflow": _tensorflow, "torch": _torch, "xgboost": _xgboost}
