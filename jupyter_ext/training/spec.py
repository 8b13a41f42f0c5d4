"""One training job as plain data: what the controller, the launchers and the runtimes speak about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.training.launch import Replica

PREFIX: Final = "jupyter-kubeflow.org/"
"""Annotations that are ours. What upstream's resource has no field for is kept there."""
FRAMEWORK: Final = PREFIX + "framework"
CODE: Final = PREFIX + "code"
ARGS: Final = PREFIX + "args"
ENTRY: Final = PREFIX + "entry"
NODES: Final = PREFIX + "nodes"
RESTARTS: Final = PREFIX + "restarts"
CHECKPOINT: Final = PREFIX + "checkpoint"
PACKAGES: Final = PREFIX + "packages"
ROLES: Final = PREFIX + "roles"
DATA: Final = PREFIX + "data"
BROUGHT: Final = PREFIX + "brought"
"""Digests of the data that lies in the profile's store, by name."""
ORIGIN: Final = PREFIX + "origin"
FOLDER: Final = PREFIX + "folder"
INSIDE: Final = PREFIX + "inside"
CREATOR: Final = PREFIX + "creator"
OWNER: Final = PREFIX + "owner"
STORED: Final = PREFIX + "stored"
"""Where in a store the code of a cluster's job lies, if it is too large for the resource."""
RESULT: Final = PREFIX + "result"
"""The folder of a store for what rank 0 of a cluster's job returns, if that is too large for a pod's status."""
DEPOT: Final = PREFIX + "depot"
"""How the trials of an experiment reach the store, as JSON."""

FRAMEWORKS: Final = ("plain", "torch", "tensorflow", "xgboost", "jax", "deepspeed")


@dataclass(frozen=True)
class JobSpec:
    """What a job asks for, after defaults.

    ``procs`` is per node; ``cpu_milli``, ``memory`` (bytes) and ``gpus`` too. ``folder`` is the job's own working
    folder, ``cwd`` the user's. Exactly one of ``program`` (our rank program, for a snapshot of Python code) and
    ``command`` (anything else) is set. ``roles`` counts the replicas of each role where they are not all workers.
    ``deadline`` in seconds; ``nodes_min`` differs from ``nodes_max`` for an elastic job.
    """

    name: str
    uid: str
    namespace: str
    framework: str
    folder: Path
    cwd: Path
    kind: str = "TrainJob"
    nodes_min: int = 1
    nodes_max: int = 1
    procs: int = 1
    restarts: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    program: str | None = None
    code: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    checkpoint: Path | None = None
    roles: Mapping[str, int] | None = None
    replicas: tuple[Replica, ...] | None = None
    cpu_milli: int | None = None
    memory: int | None = None
    gpus: int = 0
    deadline: int | None = None
    suspend: bool = False

    @property
    def elastic(self) -> bool:
        """Whether the number of nodes may change while it runs."""
        return self.nodes_min != self.nodes_max

    @property
    def nodes(self) -> int:
        """How many nodes it starts with."""
        if self.replicas is not None:
            return len(self.replicas)
        return sum(self.roles.values()) if self.roles else self.nodes_max

    @property
    def size(self) -> int:
        """How many processes of user code it starts with."""
        return self.nodes if self.replicas is not None or self.roles else self.nodes * self.procs
