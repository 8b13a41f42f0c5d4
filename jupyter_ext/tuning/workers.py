"""How many trials run at once, and what each of their workers has leased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local.devices import Waiting
from jupyter_ext.training.submission import host_of

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.devices import Lease, Request
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.ledger import Entry
    from jupyter_ext.tuning.spec import Plan

_POLL: Final = 0.05


class Workers:
    """How many trials may run at once, and what each of them has leased."""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan) -> None:
        self._cluster, self._uid = cluster, resource.uid
        self._title = f"experiment {resource.name}"
        self._request = plan.template.request
        self._leases: dict[int, Lease] = {}
        self._busy: dict[int, int] = {}
        self._asked: set[int] = set()
        self._inside = host_of(resource)
        self.waiting = ""
        self.count = 0
        if self._request is not None:
            cluster.leases.check(self._request)
        self.resize(plan)

    def resize(self, plan: Plan) -> None:
        """Take up how many trials are to run at once: not more than the machine has room for."""
        room = fitting(self._cluster, self._request) if self._request is not None else plan.parallel
        self.count = min(plan.parallel, room)

    def free(self, *, leased: bool) -> int | None:
        """The number of a worker without a trial, from 1; None if none has a lease."""
        for worker in range(1, self.count + 1):
            if worker in self._busy:
                continue
            if not leased or self._request is None or worker in self._leases:
                return worker
            answer = self._cluster.leases.acquire(
                self._uid, self._title, f"worker {worker}", self._request, self._inside
            )
            self._asked.add(worker)
            if not isinstance(answer, Waiting):
                self._leases[worker] = answer
                self.waiting = ""
                return worker
            self.waiting = answer.reason
            return None  # one after the other: the next would only stand behind it
        return None

    def assign(self, entry: Entry, stop: threading.Event, *, leased: bool) -> bool:
        """Give a trial that is taken up a worker, as soon as it has a lease; False when stopped meanwhile."""
        while (worker := self.free(leased=leased)) is None:
            if stop.wait(_POLL):
                return False
        entry.worker = worker
        self.occupy(entry)
        return True

    def occupy(self, entry: Entry) -> None:
        """The worker has a trial now."""
        self._busy[entry.worker] = entry.number

    def vacate(self, entry: Entry) -> None:
        """The worker is free again."""
        if self._busy.get(entry.worker) == entry.number:
            del self._busy[entry.worker]

    def lease(self, entry: Entry) -> Lease | None:
        """What the trial's worker has leased."""
        return self._leases.get(entry.worker)

    def close(self) -> None:
        """Give everything back."""
        for worker in self._asked:
            self._cluster.leases.withdraw(self._uid, f"worker {worker}")


def fitting(cluster: LocalCluster, request: Request) -> int:
    """How many workers of this size the machine has room for, at least 1."""
    machine = cluster.leases.machine()
    parts = [
        (machine.cpu_milli, request.cpu_milli),
        (machine.memory_bytes, request.memory),
        (len(machine.gpus), request.gpus),
    ]
    return max(min((there // asked for there, asked in parts if asked), default=1), 1)
