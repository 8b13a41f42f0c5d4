"""XGBoost: a tracker that the workers of its collective report to, and a process for each worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.launch import Launch, Ports

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

PACKAGES: Final = ("xgboost",)
INSTALL: Final = "xgboost"
ELASTIC: Final = False
_TRACKER: Final = str(Path(__file__).with_name("tracker.py"))


def plan(job: JobSpec, python: str, ports: Ports, gpus: tuple[str, ...]) -> list[Launch]:
    """The variables are those of upstream's runtime (``DMLC_*``).

    There the user's code starts the tracker in worker 0; where it does so itself, or is a command written for a
    cluster, ours stays away and only the port is chosen. Else the tracker chooses its own port, and each worker
    learns it just before its program begins.
    """
    world = job.nodes_max * job.procs
    command = ranks.program(job, python)
    own = bool(job.command) or brings_tracker(job.folder)
    where = job.folder / "tracker.json"
    port = job.env.get("DMLC_TRACKER_PORT") or (str(ports.lent()) if own else "")
    if own or port:
        begin: tuple[str, ...] = ()
    else:
        begin = (python, "-PSEs", _TRACKER, "join", str(where))
    launches = []
    if not own:
        serve = (python, "-P", _TRACKER, "serve", str(where), str(world), port or "0")
        launches.append(Launch("tracker", 0, (), serve, {}, "tracker", essential=False, decides=False))
    for rank in range(world):
        node, local = divmod(rank, job.procs)
        env = {
            **ranks.environment(job, rank, world, node, local),
            "DMLC_TRACKER_URI": ranks.HOST,
            **({"DMLC_TRACKER_PORT": port} if port else {}),
            "DMLC_TASK_ID": str(rank),
            "DMLC_NUM_WORKER": str(world),
            **ranks.devices(gpus, rank, world),
        }
        launches.append(Launch(f"rank-{rank}", node, (rank,), (*begin, *command), env))
    return launches


_WORD: Final = b"RabitTracker"
_LARGEST: Final = 4 << 20


def brings_tracker(folder: Path) -> bool:
    """Whether the user's code names XGBoost's tracker, and so starts one, as upstream's examples do."""
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path.stat().st_size <= _LARGEST and _WORD in path.read_bytes():
                return True
        except OSError:
            continue
    return False
