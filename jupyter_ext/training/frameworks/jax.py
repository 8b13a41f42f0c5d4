"""JAX: one process for each rank and the address of the coordinator, which rank 0 serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.launch import Launch, Ports

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

PACKAGES: Final = ("jax",)
INSTALL: Final = "jax"
ELASTIC: Final = False


def plan(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """The variables are those of upstream's runtime (``JAX_*``)."""
    port = ports.take()
    world = job.nodes_max * job.procs
    launches = []
    for rank in range(world):
        node, local = divmod(rank, job.procs)
        env = {
            **ranks.environment(job, rank, world, node, local),
            "JAX_COORDINATOR_ADDRESS": f"{ranks.HOST}:{port}",
            # By itself the coordinator listens to the network.
            "JAX_COORDINATOR_BIND_ADDRESS": f"{ranks.HOST}:{port}",
            "JAX_NUM_PROCESSES": str(world),
            "JAX_PROCESS_ID": str(rank),
            **ranks.devices(gpus, rank, world),
        }
        launches.append(Launch(f"rank-{rank}", node, (rank,), ranks.program(job, python), env))
    return launches
