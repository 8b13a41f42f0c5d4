"""Processes with ranks and an address to meet at, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.launch import Launch, Ports

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

PACKAGES: Final[tuple[str, ...]] = ()
INSTALL: Final = ""
ELASTIC: Final = False


def plan(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """One process for each rank, with the variables that torch's ``env://`` and most others read."""
    port = job.env.get("MASTER_PORT") or str(ports.take())
    world = job.nodes_max * job.procs
    command = ranks.program(job, python)
    launches = []
    for rank in range(world):
        node, local = divmod(rank, job.procs)
        env = {
            **ranks.environment(job, rank, world, node, local),
            "MASTER_ADDR": ranks.HOST,
            "MASTER_PORT": port,
            **ranks.devices(gpus, node, job.nodes_max),
        }
        launches.append(Launch(f"rank-{rank}", node, (rank,), command, env))
    return launches
