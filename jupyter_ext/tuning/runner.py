"""What runs trials: one class for each kind, all with the same few verbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_ext.tuning.kube import PLACE
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.reports import Follower

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.devices import Lease
    from jupyter_ext.cluster.local.metrics import Point
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.folder import Folder
    from jupyter_ext.tuning.spec import Plan


class Runner(Protocol):
    """Starts trials and tells how they ended."""

    leased: bool
    """Whether a trial runs within a worker's lease; jobs and runs lease for themselves."""
    keeps_points: bool
    """Whether the points of a trial are to be kept under its own UID."""
    grace: float
    """Seconds that a trial has to end after it was asked to."""
    verb: str
    """What a trial does to tell a metric: "printed", "reported"."""
    waiting: str
    """Why trials that were begun do not run yet; empty where they do."""

    def warm(self) -> None:
        """Load ahead what every trial needs."""

    def files(self) -> list[int]:
        """Descriptors that are readable when there may be news."""

    def adopt(self, entry: Entry) -> Ended | bool:
        """A trial of an earlier process: how it ended, True if it goes on by itself, False if it is lost."""

    def follow(self, entry: Entry) -> None:
        """Take in from now on what the trial says."""

    def start(self, entry: Entry, lease: Lease | None) -> None:
        """Begin a trial; how it ended comes from ``poll``, also if it could not begin."""

    def poll(self) -> list[Ended]:
        """Trials that have ended since the last look."""

    def lost(self) -> list[Entry]:
        """Trials that are to be begun again."""

    def read(self, entry: Entry, *, last: bool = False) -> list[Point]:
        """What a trial has said since the last look."""

    def ask_to_stop(self, entry: Entry) -> None:
        """Ask a trial to end early."""

    def kill(self, number: int) -> None:
        """End a trial at once; ``poll`` tells, unless it is forgotten."""

    def forget(self, number: int) -> None:
        """What becomes of this trial is of no interest any more."""

    def finished(self, entry: Entry, end: Ended) -> None:
        """The trial's end is written down."""

    def close(self) -> None:
        """End everything that is still running."""


def make(cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> Runner:
    """The runner of the plan's kind of trial."""
    match plan.template.kind:
        case "function":
            return Functions(cluster, resource, plan, folder)
        case "command":
            from jupyter_ext.tuning.programs import Programs

            return Programs(cluster, resource, plan, folder)
        case "job" if PLACE in resource.annotations:
            from jupyter_ext.tuning.kube_trials import KubeTrials

            return KubeTrials(cluster, resource, plan, folder)
        case "job":
            from jupyter_ext.tuning.jobs import Jobs

            return Jobs(cluster, resource, plan, folder)
        case _:
            from jupyter_ext.tuning.runs import Runs

            return Runs(cluster, resource, plan, folder)


class Followed:
    """What trials with a reports file and a log of their own have in common."""

    leased = True
    keeps_points = True
    grace: float = 5.0
    verb = "printed"
    waiting = ""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._followers: dict[int, Follower] = {}

    def follow(self, entry: Entry) -> None:
        """Read its reports and its output from the start."""
        self._followers[entry.number] = Follower(self._folder, entry)

    def read(self, entry: Entry, *, last: bool = False) -> list[Point]:
        """What it has said since the last look."""
        follower = self._followers.get(entry.number)
        if follower is None:
            return []
        if last:
            del self._followers[entry.number]
        return follower.read(last=last)

    def ask_to_stop(self, entry: Entry) -> None:
        """Leave the file that ``report`` looks for."""
        Path(self._folder.stop(entry)).touch()


class Functions(Followed):
    """Calls of a Python function, in forks of one server that has loaded it."""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> None:
        from jupyter_ext.tuning.crew import Crew

        super().__init__(folder)
        self._crew = Crew(folder, _settings(cluster, resource, plan, folder), plan.parallel)
        self.warm, self.files, self.start = self._crew.warm, self._crew.files, self._crew.start
        self.poll, self.lost, self.kill = self._crew.poll, self._crew.lost, self._crew.kill
        self.forget, self.close = self._crew.forget, self._crew.close

    def adopt(self, entry: Entry) -> Ended | bool:
        """Its process ended with the earlier server; its result may be there."""
        from jupyter_ext.tuning.crew import ended

        kept = self._folder.kept(entry)
        return ended(entry, kept) if kept else False

    def finished(self, entry: Entry, end: Ended) -> None:
        """Nothing to do."""


def _settings(cluster: LocalCluster, resource: Resource, plan: Plan, folder: Folder) -> dict[str, Any]:
    from jupyter_ext.tuning.folder import environment
    from jupyter_ext.tuning.subject import PRELOAD

    env = environment()
    request = plan.template.request
    if request is not None:
        threads = str(max(request.cpu_milli // 1000, 1))
        # A trial that has leased one core and computes with all of them slows down the one beside it.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            env.setdefault(name, threads)
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return {
        "blobs": str(cluster.blobs.root),
        "code": plan.template.code,
        "folder": str(folder.path),
        "preload": [name for name in resource.annotations.get(PRELOAD, "").split(",") if name],
        "env": env,
    }
