"""CPU, memory and GPUs, lent to workloads one unit (a step, a trial) at a time.

Who asked first is served first: what an earlier request still waits for is set aside from what is free, and a later one
may have only the rest. So a small request can pass a big one that waits for something else, but never delays it.

Leases nest: a job that a step starts may use what the step holds. Otherwise a step that waits for its job on a small
machine would wait for ever.

A CPU can be shared, memory and GPUs cannot: what wants whole CPUs is not kept waiting by endpoints, which hold a small
part of one as long as they are there. Otherwise a job of as many processes as there are CPUs would wait for ever, too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from jupyter_ext.cluster.local import locks, machine
from jupyter_ext.cluster.local.codec import decode, encode
from jupyter_ext.cluster.local.database import Connection
from jupyter_ext.cluster.local.machine import Gpu, Machine
from jupyter_ext.cluster.resource import say_memory
from jupyter_ext.errors import Invalid, Unfit, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

__all__ = ["Gpu", "Held", "Lease", "Leases", "Machine", "Request", "Waiting"]

UNIT: Final = "JUPYTER_KUBEFLOW_UNIT"
"""Tells a process which unit of its workload it is, and so whose lease it may share with what it starts."""
FORGET_SECONDS: Final = 30.0
"""A request that nobody repeats for so long has lost its place."""
_REFRESH_SECONDS: Final = 2.0
_LIGHT: Final = 250
"""Thousandths of a CPU: who holds no more takes none from those who want a whole one."""
_WHOLE: Final = 1000


@dataclass(frozen=True)
class Request:
    """What a unit of work asks for: thousandths of a CPU, bytes, whole GPUs."""

    cpu_milli: int = 0
    memory: int = 0
    gpus: int = 0


@dataclass(frozen=True)
class Lease:
    """What was granted, until it is released or its holder is gone."""

    id: int
    holder_uid: str
    unit: str
    request: Request
    gpus: tuple[str, ...] = ()
    hide_gpus: bool = False

    def env(self) -> dict[str, str]:
        """Variables that make a child see only its devices; empty on a machine without GPUs."""
        if self.gpus or self.hide_gpus:
            return {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)}
        return {}


class Held(NamedTuple):
    """A lease, or a place in the queue, as others see it; ``nested``: it uses the share of another lease."""

    uid: str
    name: str
    unit: str
    request: Request
    gpus: tuple[str, ...]
    granted: bool
    nested: bool


@dataclass(frozen=True)
class Waiting:
    """Why a request was not granted yet, for people."""

    reason: str


class _Row(NamedTuple):
    id: int
    granted: int
    holder: str
    holder_name: str
    unit: str
    cpu: int
    memory: int
    gpus: int
    devices: str
    seen: float
    inside: str | None

    @property
    def request(self) -> Request:
        return Request(self.cpu, self.memory, self.gpus)

    @property
    def place(self) -> str:
        return f"{self.holder}/{self.unit}"


class Leases:
    """The leases of one profile on this machine."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster

    def machine(self) -> Machine:
        """What there is in all; GPUs are looked for once in each process."""
        return machine.this_machine()

    def free(self) -> tuple[int, int]:
        """CPU (thousandths) and memory (bytes) that nobody holds now. It may be gone a moment later."""
        with self._cluster.store.reading() as connection:
            rows = [row for row in _rows(connection) if self._lives(row)]
        found = _free([row for row in rows if row.granted], Request(0))
        return max(found.cpu, 0), max(found.memory, 0)

    def check(self, request: Request, where: Where | None = None) -> None:
        """Raise Unfit, saying what there is, if the request can never be granted here."""
        for value, field in ((request.cpu_milli, "cpu"), (request.memory, "memory"), (request.gpus, "gpu")):
            if value < 0:
                raise Invalid(f"{value} is less than nothing", where=where or Where(field=field))
        free = _free([], request)
        missing = _short(request, free)
        if missing:
            asked = _amounts(missing, request.cpu_milli, request.memory, request.gpus)
            there = _amounts(missing, free.cpu, free.memory, len(free.gpus))
            raise Unfit(
                f"{asked} cannot be had on this machine, which has {there}",
                where=where or Where(field="gpu" if missing[0] == "gpus" else missing[0]),
                hint="Ask for less, or run it on a cluster.",
            )

    def acquire(
        self,
        holder_uid: str,
        holder_name: str,
        unit: str,
        request: Request,
        inside: tuple[str, str] | None = None,
    ) -> Lease | Waiting:
        """Take what is asked for, or a place in the queue with the reason for waiting.

        Does not block: repeat it until granted, at least every 30 s to keep the place. Asking again for a unit that
        was granted returns the same lease. ``inside`` names holder and unit of a lease whose share may be used: what
        that one holds counts as taken only as far as this and the others inside it leave it. The holder lives as long as the lock of its UID is held; where nobody
        holds that, this process takes it. Raises Unfit for what can never be granted.
        """
        self.check(request)
        self._hold(holder_uid)
        with self._cluster.store.reading() as connection:
            waiting = self._still_waiting(_rows(connection), holder_uid, unit, request)
        if waiting:
            return waiting
        with self._cluster.store.transaction() as connection:
            rows = self._reclaim(connection, _rows(connection))
            mine = _find(rows, holder_uid, unit)
            if mine is not None and mine.granted:
                return self._lease(mine)
            if mine is None:
                place = f"{inside[0]}/{inside[1]}" if inside else None
                mine = _enqueue(connection, holder_uid, holder_name, unit, request, place)
                rows.append(mine)
            mine = mine._replace(cpu=request.cpu_milli, memory=request.memory, gpus=request.gpus)
            free = _free(rows, request, mine)
            granted = not _short(request, free)
            if granted:
                mine = mine._replace(
                    granted=1, devices=encode([gpu.uuid for gpu in free.gpus[: request.gpus]])
                )
            connection.execute(
                "UPDATE leases SET granted = ?, devices = ?, cpu = ?, memory = ?, gpus = ?, seen = ? WHERE id = ?",
                (granted, mine.devices, mine.cpu, mine.memory, mine.gpus, time.time(), mine.id),
            )
        if not granted:
            return Waiting(_reason(rows, mine))
        return self._lease(mine)

    def release(self, lease: Lease) -> None:
        """Give back; what waits for it gets it at its next question."""
        self._drop(lease.holder_uid, lease.unit)

    def withdraw(self, holder_uid: str, unit: str) -> None:
        """Leave the queue."""
        self._drop(holder_uid, unit)

    def held(self) -> list[tuple[str, str, Request]]:
        """Who holds what now: (holder's name, unit, what)."""
        with self._cluster.store.reading() as connection:
            rows = _rows(connection)
        return [(row.holder_name, row.unit, row.request) for row in rows if row.granted and self._lives(row)]

    def holders(self) -> list[Held]:
        """Every lease and everybody who waits for one, in the order in which they asked."""
        with self._cluster.store.reading() as connection:
            rows = [row for row in _rows(connection) if self._lives(row)]
        outer = _inside(rows)[None]
        return [
            Held(row.holder, row.holder_name, row.unit, row.request, tuple(decode(row.devices)), bool(row.granted),
                 bool(row.granted) and row not in outer)
            for row in rows
        ]  # fmt: skip

    def _lease(self, row: _Row) -> Lease:
        devices = tuple(decode(row.devices))
        return Lease(
            row.id, row.holder, row.unit, row.request, devices, not devices and machine.may_have_gpus()
        )

    def _drop(self, holder: str, unit: str) -> None:
        with self._cluster.store.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE holder = ? AND unit = ?", (holder, unit))

    def _hold(self, holder: str) -> None:
        path = self._cluster.lock_path(holder)
        if locks.holder(path) is None:
            locks.take(path)

    def _still_waiting(
        self, rows: Sequence[_Row], holder: str, unit: str, request: Request
    ) -> Waiting | None:
        """The answer to a repeated question, without writing anything, where that is certain."""
        mine = _find(rows, holder, unit)
        if (
            mine is None
            or mine.granted
            or mine.request != request
            or time.time() - mine.seen > _REFRESH_SECONDS
        ):
            return None
        if not all(self._lives(row) for row in rows):
            return None
        free = _free(rows, request, mine)
        return Waiting(_reason(rows, mine)) if _short(request, free) else None

    def _reclaim(self, connection: Connection, rows: Sequence[_Row]) -> list[_Row]:
        """Forget those whose holder is gone, after what it left running was killed; returns the others."""
        from jupyter_ext.cluster.local import workload

        lost = [row for row in rows if not self._lives(row)]
        for holder in {row.holder for row in lost}:
            workload.reap(self._cluster, holder)
        connection.executemany("DELETE FROM leases WHERE id = ?", [(row.id,) for row in lost])
        return [row for row in rows if row not in lost]

    def _lives(self, row: _Row) -> bool:
        if not row.granted and time.time() - row.seen > FORGET_SECONDS:
            return False
        return locks.holder(self._cluster.lock_path(row.holder)) is not None


class _Free(NamedTuple):
    cpu: int
    memory: int
    gpus: tuple[Gpu, ...]


_COLUMNS: Final = ", ".join(_Row._fields)


def _rows(connection: Connection) -> list[_Row]:
    return [_Row(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM leases ORDER BY id")]


def _find(rows: Sequence[_Row], holder: str, unit: str) -> _Row | None:
    return next((row for row in rows if (row.holder, row.unit) == (holder, unit)), None)


def _enqueue(
    connection: Connection, holder: str, name: str, unit: str, request: Request, inside: str | None
) -> _Row:
    amounts = (request.cpu_milli, request.memory, request.gpus)
    values = (0, holder, name, unit, *amounts, "[]", time.time(), inside)
    added = connection.execute(
        "INSERT INTO leases (granted, holder, holder_name, unit, cpu, memory, gpus, devices, seen, inside)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        values,
    ).fetchone()
    return _Row(added[0], *values)


def _free(rows: Sequence[_Row], request: Request, mine: _Row | None = None) -> _Free:
    """What is neither held nor set aside for those in the queue before ``mine``, and what that may use of its hosts.

    GPUs are looked for only when the request wants any: asking the driver takes a while.
    """
    cpu, memory = machine.limits_now()
    gpus = machine.gpus() if request.gpus else ()
    inside = _inside(rows)
    for row in inside[None]:
        used_cpu, used_memory = _used(row, inside)
        cpu -= min(_felt(used_cpu, request), max(cpu, 0))
        memory -= min(used_memory, max(memory, 0))
    taken = {uuid for row in rows if row.granted and row.gpus for uuid in decode(row.devices)}
    free = tuple(gpu for gpu in gpus if gpu.uuid not in taken)
    for row in rows:
        if mine is not None and not row.granted and row.id < mine.id:
            cpu -= min(_felt(row.cpu, request), max(cpu, 0))
            memory -= min(row.memory, max(memory, 0))
            free = free[row.gpus :]
    for host in _hosts(rows, mine):
        below = inside.get(host.place, [])
        cpu += max(_felt(host.cpu, request) - sum(_used(row, inside)[0] for row in below), 0)
        memory += max(host.memory - sum(_used(row, inside)[1] for row in below), 0)
        lent = {uuid for row in below for uuid in decode(row.devices)}
        own = tuple(gpu for gpu in gpus if gpu.uuid in decode(host.devices) and gpu.uuid not in lent)
        free = (*own, *free)
    return _Free(cpu, memory, free)


def _felt(held: int, request: Request) -> int:
    """The CPU that who holds so much takes from a request."""
    return 0 if held <= _LIGHT and request.cpu_milli >= _WHOLE else held


def _takes(row: _Row, field: str, request: Request) -> int:
    """How much of what a field counts a row takes from a request."""
    return _felt(row.cpu, request) if field == "cpu" else int(getattr(row, field))


def _inside(rows: Sequence[_Row]) -> dict[str | None, list[_Row]]:
    """What is granted, by the lease it is inside of; None for what is inside of none that there is."""
    granted = [row for row in rows if row.granted]
    places = {row.place for row in granted}
    found: dict[str | None, list[_Row]] = {None: []}
    for row in granted:
        place = row.inside if row.inside in places and row.inside != row.place else None
        found.setdefault(place, []).append(row)
    return found


def _used(row: _Row, inside: dict[str | None, list[_Row]]) -> tuple[int, int]:
    """CPU and memory that a lease and those inside it take from what is around it."""
    below = [_used(each, inside) for each in inside.get(row.place, ())]
    return max(row.cpu, sum(cpu for cpu, _ in below)), max(row.memory, sum(memory for _, memory in below))


def _hosts(rows: Sequence[_Row], mine: _Row | None) -> list[_Row]:
    """The granted leases around ``mine``, the innermost first."""
    granted = {row.place: row for row in rows if row.granted}
    found: list[_Row] = []
    place = mine.inside if mine else None
    while place in granted and granted[place] not in found:
        found.append(granted[place])
        place = found[-1].inside
    return found


def _short(request: Request, free: _Free) -> list[str]:
    """The fields of which there is not enough."""
    pairs = {
        "cpu": (request.cpu_milli, free.cpu),
        "memory": (request.memory, free.memory),
        "gpus": (request.gpus, len(free.gpus)),
    }
    return [field for field, (asked, there) in pairs.items() if asked > there]


def _amounts(fields: Sequence[str], cpu: int, memory: int, gpus: int) -> str:
    words = {
        "cpu": f"{_cpu(cpu)} CPU{'' if cpu <= 1000 else 's'}",
        "memory": f"{say_memory(memory)} of memory",
        "gpus": f"{gpus or 'no'} GPU{'' if gpus <= 1 else 's'}",
    }
    return " and ".join(words[field] for field in fields)


def _cpu(milli: int) -> str:
    return f"{milli / 1000:g}"


def _reason(rows: Sequence[_Row], mine: _Row) -> str:
    """Why ``mine`` waits: what is missing and who has it, or who asked first."""
    hosts = _hosts(rows, mine)
    held = [row for row in rows if row.granted]
    missing = _short(mine.request, _free([*held, mine._replace(granted=0)], mine.request, mine))
    held = [row for row in held if row not in hosts] or held
    if not missing:
        earlier = next(row for row in rows if not row.granted and row.id < mine.id)
        return f"Waiting behind {_name(earlier, mine)}, which asked first."
    names = dict.fromkeys(
        _name(row, mine) for row in held if any(_takes(row, field, mine.request) for field in missing)
    )
    text = f"Waiting for {_amounts(missing, mine.cpu, mine.memory, mine.gpus)}."
    several = len(missing) > 1 or mine.gpus > 1 or mine.cpu > 1000
    return f"{text} {'They are' if several else 'It is'} held by {_list(list(names))}." if names else text


def _name(row: _Row, mine: _Row) -> str:
    return f"its own {row.unit}" if row.holder == mine.holder else row.holder_name


def _list(names: Sequence[str]) -> str:
    shown = [*names[:3], f"{len(names) - 3} more"] if len(names) > 4 else list(names)
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
