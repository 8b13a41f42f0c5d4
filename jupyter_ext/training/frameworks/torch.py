"""PyTorch: one of torchrun's own agents for each node, which start, watch and restart the ranks.

The agents meet in a file, not at a port: no port can be lost or taken, and the job survives the death of any
agent, for none of them is the host. The ranks' own store is torch's: the first agent serves it on a port that
the kernel chose.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.launch import Launch, Ports

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

PACKAGES: Final = ("torch",)
INSTALL: Final = "torch"
ELASTIC: Final = True
AGENT: Final = Path(__file__).with_name("agent.py")

RENDEZVOUS: Final = {
    "store_type": "file",
    "join_timeout": "900",
    # How long an elastic job waits for more nodes when it has enough; they all start together, on one machine.
    "last_call_timeout": "5",
    # A killed agent is noticed after three of these.
    "keep_alive_interval": "1",
    "keep_alive_max_attempt": "5",
}


def plan(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """One agent for each node; a command of the user's own gets upstream's variables and starts its agent itself."""
    if job.command:
        return _foreign(job, python, ports, gpus)
    elastic = job.nodes_min < job.nodes_max
    command = _agent(job, python)
    launches = []
    for node in range(job.nodes_max):
        own = tuple(range(node * job.procs, (node + 1) * job.procs))
        env = {**ranks.shared(job), **loopback(job), **ranks.devices(gpus, node, job.nodes_max)}
        launches.append(
            Launch(f"node-{node}", node, own, command, env, "agent", essential=not elastic, restart="Killed")
        )
    return launches


def loopback(job: JobSpec) -> dict[str, str]:
    """Let gloo and NCCL talk over the loopback interface; the user's own setting wins.

    By themselves they look for the host's name and listen to the network, which a laptop's VPN or a container without
    a name of its own makes fail.
    """
    if not Path("/sys/class/net/lo").exists():
        return {}
    names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
    return {name: "lo" for name in names if name not in job.env and name not in os.environ}


def _agent(job: JobSpec, python: str) -> tuple[str, ...]:
    """The command of an agent: torchrun's, in the kernel's interpreter."""
    conf = ",".join(f"{key}={value}" for key, value in RENDEZVOUS.items())
    program, *arguments = ranks.program(job, python)
    return (
        *(python, "-P", str(AGENT)),
        f"--nnodes={job.nodes_min}:{job.nodes_max}",
        f"--nproc-per-node={job.procs}",
        f"--max-restarts={job.restarts}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={job.folder / 'rendezvous'}",
        f"--rdzv-conf={conf}",
        f"--rdzv-id={job.uid}",
        f"--local-addr={ranks.HOST}",
        *("--no-python", program, *arguments),
    )


def _foreign(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """The command once for each node, with what upstream's torch runtime puts into a container's environment."""
    port = job.env.get("PET_MASTER_PORT") or job.env.get("MASTER_PORT") or str(ports.take())
    nodes = str(job.nodes_max) if job.nodes_min == job.nodes_max else f"{job.nodes_min}:{job.nodes_max}"
    launches = []
    for node in range(job.nodes_max):
        env = {
            **ranks.shared(job),
            **loopback(job),
            "PET_NNODES": nodes,
            "PET_NPROC_PER_NODE": str(job.procs),
            "PET_NODE_RANK": str(node),
            "PET_MASTER_ADDR": ranks.HOST,
            "PET_MASTER_PORT": port,
            **ranks.devices(gpus, node, job.nodes_max),
        }
        own = tuple(range(node * job.procs, (node + 1) * job.procs))
        launches.append(Launch(f"node-{node}", node, own, ranks.program(job, python), env))
    return launches
