"""From a job to its processes: what to start, with which environment, and what their ends mean for the job.

Nothing here starts a process or imports a framework. The controller starts what ``plan`` says, asks ``verdict`` at
each exit, and keeps the ``Ports`` open for as long as the attempt runs.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self

from jupyter_ext.errors import Unavailable

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

__all__ = ["Launch", "Ports", "Replica", "Role", "Verdict", "again", "check", "plan", "verdict"]

Role = Literal["worker", "chief", "master", "ps", "evaluator", "agent", "tracker"]
Restart = Literal["Never", "OnFailure", "Always", "ExitCode", "Killed"]
"""When a part is started again beside the others. ExitCode: unless it ended with 1 to 127, as in the v1 kinds."""


@dataclass(frozen=True)
class Launch:
    """One process to start. ``env`` is what comes on top of the kernel's environment and the job's own.

    ``essential``: its failure is the job's. ``decides``: the job has succeeded when all that decide have.
    ``cwd`` is the job's own when it is None.
    """

    part: str
    node: int
    ranks: tuple[int, ...]
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    role: Role = "worker"
    essential: bool = True
    decides: bool = True
    cwd: str | None = None
    restart: Restart = "Never"


@dataclass(frozen=True)
class Replica:
    """One process of a job whose parts are written out one by one, as in the v1 kinds."""

    role: Role
    index: int
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None
    restart: Restart = "Never"
    decides: bool = True


@dataclass(frozen=True)
class Verdict:
    """The job is over. ``part`` is the one whose failure decided it."""

    ok: bool
    part: str | None
    reason: str


class Ports:
    """TCP ports of the loopback interface that nobody else gets for as long as this is open.

    A port is held by a socket that is bound and never listens. With SO_REUSEADDR and SO_REUSEPORT on it the servers
    of torch, gRPC and jax may bind the same port (they set one of the two themselves), while the kernel gives it
    to nobody who asks for a free one. So there is no moment between choosing and using at which it could be lost.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """A free port, held."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(("127.0.0.1", 0))
        except OSError as error:
            holder.close()
            raise Unavailable(
                f"No free port on this machine ({error.strerror})", hint="Stop something that listens."
            ) from error
        self._held.append(holder)
        return int(holder.getsockname()[1])

    @staticmethod
    def lent() -> int:
        """A port that is free now, not held: for a server that does not share it, not even with its holder."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def close(self) -> None:
        """Give them all back."""
        while self._held:
            self._held.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check(job: JobSpec) -> None:
    """Refuse what this machine, this interpreter or this framework cannot do.

    Raises Invalid, Unfit or Unavailable, each with the remedy. Imports no framework: it looks at what is installed.
    """
    from jupyter_ext.training.fitness import check as refuse

    refuse(job)


def plan(job: JobSpec, python: str, ports: Ports, gpus: Sequence[str] = ()) -> list[Launch]:
    """The processes of one attempt at the job, in the order in which to start them.

    ``gpus`` are the devices leased to the job; each node gets its share of them.
    """
    from jupyter_ext.training import legacy
    from jupyter_ext.training.frameworks import load

    if job.replicas is not None:
        return legacy.plan(job, python, ports, tuple(gpus))
    return load(job.framework).plan(job, python, ports, tuple(gpus))


_REJOINS: Final = 3
"""How often a killed node of an elastic job comes back, whatever its restarts."""


def verdict(job: JobSpec, launches: Sequence[Launch], exits: Mapping[str, int]) -> Verdict | None:
    """What the exits so far mean for the job; None while it goes on.

    ``exits`` has the exit code of each part that ended, minus the signal for one that was killed. What still runs
    when there is a verdict is to be stopped.
    """
    failed = [launch for launch in launches if exits.get(launch.part)]
    for launch in failed:
        if launch.essential:
            return Verdict(False, launch.part, f"{launch.part} {ended(exits[launch.part])}.")
    lost = [launch for launch in failed if launch.decides]
    if len(lost) > job.nodes_max - job.nodes_min:
        last = lost[-1]
        left = job.nodes_max - len(lost)
        reason = f"{last.part} {ended(exits[last.part])}: {left} of at least {job.nodes_min} nodes are left."
        return Verdict(False, last.part, reason)
    deciding = [launch for launch in launches if launch.decides and launch not in failed]
    if deciding and all(exits.get(launch.part) == 0 for launch in deciding):
        return Verdict(True, None, "Every process ended well.")
    return None


def again(job: JobSpec, launches: Sequence[Launch], part: str, count: int, code: int = -9) -> Launch | None:
    """What to start in the place of a part that ended with ``code``, after ``count`` such starts; None if nothing.

    An agent that was killed comes back beside the others; one that gave up has used its restarts. What restarts
    as a whole instead (all other ranks) is not asked for here.
    """
    launch = next(launch for launch in launches if launch.part == part)
    allowed = max(job.restarts, _REJOINS if job.elastic else 0)
    due = {
        "Killed": code < 0,
        "OnFailure": code != 0,
        "Always": True,
        "ExitCode": code < 0 or code > 127,
    }.get(launch.restart, False)
    return launch if due and count < allowed else None


def ended(code: int) -> str:
    """How a process ended, as the end of a sentence."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
