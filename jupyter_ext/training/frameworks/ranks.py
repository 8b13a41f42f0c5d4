"""What the processes of all frameworks have in common: ranks, threads, devices, the program they run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

HOST: Final = "127.0.0.1"
"""All nodes of a local job are this machine; nothing of it listens to the network."""


def program(job: JobSpec, python: str) -> tuple[str, ...]:
    """The command of one rank: the user's own, or the program that runs the user's function."""
    if job.command:
        return resolved(job.command, python)
    # -P: a file random.py beside the notebook must not replace the standard library's.
    return (python, "-P", str(job.program), str(job.folder))


def resolved(command: tuple[str, ...], python: str) -> tuple[str, ...]:
    """A command as written for an image, with the kernel's interpreter and its tools in the place of the image's."""
    first, *rest = command
    if first in {"python", "python3"}:
        return (python, *rest)
    if first == "torchrun":
        return (python, "-P", "-m", "torch.distributed.run", *rest)
    beside = Path(python).parent / first
    if "/" not in first and beside.is_file() and os.access(beside, os.X_OK):
        return (str(beside), *rest)
    return command


def environment(job: JobSpec, rank: int, world: int, node: int, local: int) -> dict[str, str]:
    """The variables by which a rank knows itself; the names are those of torchrun."""
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(local),
        "LOCAL_WORLD_SIZE": str(job.procs),
        "GROUP_RANK": str(node),
        **shared(job),
    }


def shared(job: JobSpec) -> dict[str, str]:
    """The variables that all processes of a job have."""
    return {"JUPYTER_KUBEFLOW_NODES": str(job.nodes_max), **threads(job)}


def threads(job: JobSpec) -> dict[str, str]:
    """As many threads for each rank as there are processors leased for it; the user's own setting wins.

    Without this, each of several ranks would start as many threads as the machine has cores.
    """
    if "OMP_NUM_THREADS" in job.env:
        return {}
    if job.cpu_milli:
        cores = job.cpu_milli / 1000 / job.procs
    else:
        from jupyter_ext.cluster.local.machine import limits_now

        cores = limits_now()[0] / 1000 / (job.procs * job.nodes_max)
    return {"OMP_NUM_THREADS": str(max(1, int(cores)))}


def devices(gpus: tuple[str, ...], index: int, parts: int) -> dict[str, str]:
    """The share of the leased GPUs that part ``index`` of ``parts`` sees; empty when there are none."""
    if not gpus:
        return {}
    each = max(1, len(gpus) // parts)
    mine = gpus[index * each : (index + 1) * each] or (gpus[index % len(gpus)],)
    return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}


def hidden(gpus: tuple[str, ...]) -> dict[str, str]:
    """For a process that does not compute: none of the leased GPUs."""
    return {"CUDA_VISIBLE_DEVICES": ""} if gpus else {}
