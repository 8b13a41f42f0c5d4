"""TensorFlow: a cluster of processes that find each other by ``TF_CONFIG``.

``MultiWorkerMirroredStrategy`` needs a chief and workers, ``ParameterServerStrategy`` also parameter servers;
an evaluator stands beside them. See ``tf.distribute.cluster_resolver.TFConfigClusterResolver``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.launch import Launch, Ports, Role

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

PACKAGES: Final = ("tensorflow",)
INSTALL: Final = "tensorflow"
ELASTIC: Final = False
ROLES: Final[tuple[Role, ...]] = ("chief", "worker", "ps", "evaluator")
"""In the order in which they get their ranks."""
_TRAINING: Final = frozenset({"chief", "worker"})


def plan(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """One process for each task. Without roles they are all workers; worker 0 is then the chief."""
    roles = job.roles or {"worker": job.nodes_max * job.procs}
    tasks: list[tuple[Role, int]] = [(role, index) for role in ROLES for index in range(roles.get(role, 0))]
    addresses = [f"{ranks.HOST}:{ports.take()}" for _ in tasks]
    training = sum(role in _TRAINING for role, _ in tasks)
    command = ranks.program(job, python)
    launches = []
    for rank, (role, index) in enumerate(tasks):
        node, local = (rank, 0) if job.roles else divmod(rank, job.procs)
        env = {
            **ranks.environment(job, rank, len(tasks), node, local),
            "TF_CONFIG": config(dict(zip(tasks, addresses, strict=True)), role, index),
            **(ranks.devices(gpus, rank, training) if role in _TRAINING else ranks.hidden(gpus)),
        }
        launches.append(
            Launch(
                *(f"{role}-{index}", node, (rank,), command, env, role),
                essential=role != "evaluator",
                decides=role in _TRAINING,
            )
        )
    return launches


def config(addresses: Mapping[tuple[Role, int], str], role: Role, index: int) -> str:
    """``TF_CONFIG`` of one task. The evaluator is no member of the cluster: it only reads checkpoints."""
    import json

    cluster: dict[str, list[str]] = {}
    for (member, _), address in addresses.items():
        if member != "evaluator":
            cluster.setdefault(member, []).append(address)
    return json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})
