"""Detached processes that reconcile one resource each, and the truth about those that died.

There is no daemon. A workload is recorded in the same transaction as its resource and started after the commit;
it holds a lock for as long as it lives. Every reader sweeps: an unfinished resource whose lock is free is
started, restarted or marked failed, by whoever finds it first and by nobody else (``token`` names the attempt).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local import locks, processes, record
from jupyter_ext.cluster.local.codec import decode
from jupyter_ext.cluster.local.home import HOME, PROFILE
from jupyter_ext.cluster.local.processes import die_with_parent
from jupyter_ext.cluster.local.record import MAX_RESTARTS, Policy, Row
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

__all__ = [
    "alive",
    "die_with_parent",
    "reap",
    "restart",
    "spawn",
    "stop",
    "stop_requested",
    "submit",
    "sweep",
]

CONTROLLER: Final = "jupyter_ext.pipelines.local:reconcile"
_EXIT_SECONDS: Final = 2.0
"""What an interpreter may take to end after its work is done and recorded."""


def submit(
    cluster: LocalCluster,
    resource: Resource,
    controller: str = CONTROLLER,
    restart: Policy = "Never",
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    max_restarts: int = MAX_RESTARTS,
    lost: str | None = None,
) -> Resource:
    """Create the resource together with its workload, and start that.

    Both exist or neither: if the caller dies in between, the next reader starts the process. ``lost`` names a
    function ``(resource, phase, reason) -> resource`` that tells the truth about the parts of a resource whose
    process is gone; without it only phase, reason and completion time are set. Raises as ``spawn`` does.
    """
    with cluster.store.transaction():
        created = cluster.store.create(resource)
        row = record.enlist(cluster, created, controller, restart, cwd, env, max_restarts, lost)
    _launch(cluster, row)
    return created


def spawn(
    cluster: LocalCluster,
    resource: Resource,
    controller: str = CONTROLLER,
    restart: Policy = "Never",
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    max_restarts: int = MAX_RESTARTS,
    lost: str | None = None,
) -> None:
    """Start a workload for a resource that exists already; returns when its process exists.

    It inherits the caller's interpreter, environment and working directory, with ``cwd`` and ``env`` on top.
    Raises Conflict if one is running, and Unavailable if the process could not be started: then the resource
    is marked failed with the reason.
    """
    _let_end(cluster, resource.uid)
    with cluster.store.transaction():
        row = record.enlist(cluster, resource, controller, restart, cwd, env, max_restarts, lost)
    _launch(cluster, row)


def restart(cluster: LocalCluster, uid: str, env: Mapping[str, str] | None = None) -> None:
    """Start an ended workload again, as it was started first; its resource becomes PENDING, else unchanged.

    The environment is the first one's, or after a success, when that is forgotten, the caller's; ``env`` on top.
    Raises NotFound if there never was one, Conflict if it has not ended.
    """
    _let_end(cluster, uid)
    with cluster.store.transaction():
        row = record.read(cluster, uid)
        if row is None:
            raise NotFound("There is no workload to start again", where=Where(object=uid))
        environment = decode(row.environment) if row.environment else dict(os.environ)

        def pending(resource: Resource) -> Resource:
            gone = {"phase", "reason", "completionTime"}
            status = {key: value for key, value in resource.status.items() if key not in gone}
            return resource.with_(status={"phase": "PENDING", **status})

        record.refuse_if_running(row)
        resource = cluster.store.update(row.kind, row.name, pending)
        policy: Any = row.restart
        again = record.enlist(
            *(cluster, resource, row.controller, policy, row.cwd, environment | dict(env or {})),
            *(row.max_restarts, row.lost, row.python),
        )
    _launch(cluster, again)


def _let_end(cluster: LocalCluster, uid: str) -> None:
    """Wait for a process that has finished its resource and is about to end, or see to one that died so."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while (row := record.read(cluster, uid)) is not None and not row.ended:
        resource = cluster.store.by_uid(uid)
        if resource is None or not resource.resting or time.monotonic() > deadline:
            return
        if settle(cluster, row) is None:
            time.sleep(0.005)


def alive(cluster: LocalCluster, uid: str) -> bool:
    """Whether the workload's process lives: it holds its lock."""
    return locks.holder(cluster.lock_path(uid)) is not None


def stop_requested(cluster: LocalCluster, uid: str) -> bool:
    """Whether somebody asked for the stop; a controller that is stopped otherwise will be restarted."""
    row = record.read(cluster, uid)
    return row is not None and row.stop_by is not None


def stop(cluster: LocalCluster, uid: str, grace: float = 10, wait: bool = True) -> None:
    """End a workload and every process it started.

    The controller gets SIGTERM and ``grace`` seconds to write down what is true; after half of them all its
    processes get SIGTERM, after all of them SIGKILL. A resource that is still unfinished then is CANCELED.
    Without ``wait`` it returns at once and readers see to the rest. What the resource owns is stopped with it.
    Does nothing when nothing runs.
    """
    together = [uid, *_running_below(cluster, uid)]
    for each in together:
        _stop_one(cluster, each, grace, wait=False)
    if wait:
        for each in together:
            _stop_one(cluster, each, grace, wait=True)


def _running_below(cluster: LocalCluster, uid: str) -> list[str]:
    """The workloads of what a resource owns, directly or not, that have not ended; the next first."""
    statement = (
        "WITH RECURSIVE below(uid) AS (SELECT uid FROM resources WHERE owner = ?"
        " UNION SELECT resources.uid FROM resources JOIN below ON resources.owner = below.uid)"
        " SELECT uid FROM workloads WHERE ended IS NULL AND uid IN below"
    )
    with cluster.store.reading() as connection:
        return [found for (found,) in connection.execute(statement, (uid,))]


def _stop_one(cluster: LocalCluster, uid: str, grace: float, wait: bool) -> None:
    deadline = time.time() + grace
    with cluster.store.transaction() as connection:
        row = record.read(cluster, uid)
        if row is None or row.ended:
            if row is not None and wait:
                processes.outlive(row.process, _EXIT_SECONDS)
            return
        if row.stop_by is None or deadline < row.stop_by:
            connection.execute("UPDATE workloads SET stop_by = ? WHERE uid = ?", (deadline, uid))
        resource = cluster.store.by_uid(uid)
        if resource is not None and not resource.resting:
            canceling = {**resource.status, "phase": "CANCELING", "reason": "It is being stopped."}
            cluster.store.update(row.kind, row.name, lambda current: current.with_(status=canceling))
    holder = locks.holder(cluster.lock_path(uid))
    if holder:
        with suppress(ProcessLookupError):
            os.kill(holder, signal.SIGTERM)
    if holder == os.getpid():
        return  # a workload cannot wait for its own end
    settle(cluster, row)
    if wait:
        _see_through(cluster, uid, deadline - grace / 2)


def _see_through(cluster: LocalCluster, uid: str, remind_at: float) -> None:
    """Wait for the end of a stop that was asked for."""
    reminded = False
    while (row := record.read(cluster, uid)) is not None and not row.ended:
        if settle(cluster, row) is not None:
            continue
        if not reminded and time.time() > remind_at:
            reminded = True
            processes.send(processes.members(uid, row.process), signal.SIGTERM)
        time.sleep(0.005)
    if row is not None:
        processes.outlive(row.process, _EXIT_SECONDS)


def reap(cluster: LocalCluster, uid: str) -> int:
    """Kill what a dead workload left running; returns how many processes that were. Spares a living workload."""
    row = record.read(cluster, uid)
    if alive(cluster, uid) or (row and not row.ended and record.starting(row)):
        return 0
    return processes.kill_all(uid, row.process if row else None)


def sweep(cluster: LocalCluster) -> list[Resource]:
    """Look after workloads whose process is gone: start, restart, or write down the truth.

    Returns the resources it did something about. Costs microseconds for each workload that runs.
    """
    with cluster.store.reading() as connection:
        rows = connection.execute(f"SELECT {record.COLUMNS} FROM workloads WHERE ended IS NULL").fetchall()
    if rows:
        _stop_abandoned(cluster)
    settled = (settle(cluster, Row(*row)) for row in rows)
    return [resource for resource in settled if resource is not None]


# What belongs to a resource that is gone, or has come to a bad end that it does not leave by itself.
_ABANDONED: Final = (
    "SELECT workloads.uid FROM workloads JOIN resources AS owned USING (uid)"
    " LEFT JOIN resources AS owner ON owner.uid = owned.owner"
    " LEFT JOIN workloads AS above ON above.uid = owned.owner"
    " WHERE workloads.ended IS NULL AND workloads.stop_by IS NULL AND owned.owner IS NOT NULL"
    " AND (owner.uid IS NULL OR owner.phase IN ('FAILED', 'CANCELED') AND (above.uid IS NULL OR above.ended IS NOT NULL))"
)


def _stop_abandoned(cluster: LocalCluster) -> None:
    with cluster.store.reading() as connection:
        found = connection.execute(_ABANDONED).fetchall()
    for (uid,) in found:
        stop(cluster, uid, wait=False)


def _launch(cluster: LocalCluster, row: Row) -> None:
    """Start the process of a claimed workload."""
    import subprocess

    program = Path(__file__).with_name("shim.py")
    arguments = [str(cluster.base), cluster.namespace, row.kind, row.name, row.uid, row.token]
    environment = decode(row.environment or "{}") | {
        processes.VARIABLE: row.uid,
        HOME: str(cluster.base),
        PROFILE: cluster.namespace,
    }
    output = cluster.log(row.uid).open()
    try:
        # -P: a file random.py beside the notebook must not replace the standard library's.
        process = subprocess.Popen(
            [row.python, "-P", str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=row.cwd,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        what = f"Its process could not be started ({error})"
        hint = f"Check that {row.cwd} and {row.python} exist."
        _give_up(cluster, row, f"{what}. {hint}")
        raise Unavailable(what, where=Where(object=f"{row.kind} {row.name}"), hint=hint) from error
    finally:
        os.close(output)
    process.returncode = 0  # _reap_children waits for it; the Popen object would warn at its own end
    _children[process.pid] = row.token
    record.launched(cluster, row, processes.identity(process.pid))


def _give_up(cluster: LocalCluster, row: Row, reason: str) -> None:
    with cluster.store.transaction():
        current = record.read(cluster, row.uid)
        if current is not None and not current.ended and current.token == row.token:
            record.conclude(cluster, current, "FAILED", reason)


_children: Final[dict[int, str]] = {}
"""Processes this one started and has to reap: pid -> token."""
_exits: Final[dict[str, int]] = {}
"""How those ended: token -> exit code, or minus the signal."""
os.register_at_fork(after_in_child=_children.clear)


def _reap_children(expected: str | None = None) -> None:
    """Collect the exit codes of ended children; the one of ``expected`` is awaited, for it is about to come."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while True:
        for pid, token in list(_children.items()):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                _children.pop(pid, None)
                continue
            if done:
                _exits[token] = os.waitstatus_to_exitcode(status)
                _children.pop(pid, None)
        if expected not in _children.values() or time.monotonic() > deadline:
            return
        time.sleep(0.002)


def settle(cluster: LocalCluster, row: Row, outcome: str | None = None) -> Resource | None:
    """Do what is due for an unended workload; None if nothing is.

    One transaction decides, so that only one of many readers does it. ``outcome`` is passed by the workload's own
    process at its end, which then gives the lock back.
    """
    _reap_children()
    own_end = outcome is not None
    if own_end:
        processes.kill_all(row.uid, row.process)
    else:
        _enforce_stop(cluster, row)
        if not _is_gone(cluster, row):
            return None
        _reap_children(row.token)
    with cluster.store.transaction():
        current = record.read(cluster, row.uid)
        if current is None or current.ended or current.token != row.token:
            return None
        if not own_end and not _is_gone(cluster, current):
            return None
        if not own_end:
            # Within the transaction: nobody can start another attempt meanwhile, which this would kill.
            processes.kill_all(row.uid, current.process)
        resource, launch = _decide(cluster, current, outcome)
    if own_end:
        locks.free(cluster.lock_path(row.uid))
    if launch is None:
        _stop_abandoned(cluster)
    else:
        with suppress(Unavailable):  # the resource says so
            _launch(cluster, launch)
    return cluster.store.by_uid(row.uid) or resource


def _decide(cluster: LocalCluster, row: Row, outcome: str | None) -> tuple[Resource | None, Row | None]:
    """The resource as it is to be from now on, and the attempt to start, if any."""
    resource = cluster.store.by_uid(row.uid)
    if resource is None:
        record.end(cluster, row, "Its resource was deleted.")
        return None, None
    if resource.resting:
        record.end(cluster, row, outcome or "done")
        return resource, None
    if row.stop_by is not None:
        return record.conclude(cluster, row, "CANCELED", "It was stopped."), None
    if row.process is None and outcome is None:  # nobody came to start it
        return resource, record.claim(cluster, row, "")
    if outcome is None and _never_began(cluster, row):
        return resource, record.claim(cluster, row, "")
    from jupyter_ext.cluster.local.cause import cause_of_death

    cause = outcome or cause_of_death(cluster, row, _exits.get(row.token))
    if record.may_restart(row):
        return resource, record.claim(cluster, row, cause)
    return record.conclude(cluster, row, "FAILED", f"{cause} {record.advice(row)}"), None


def _never_began(cluster: LocalCluster, row: Row) -> bool:
    """Whether the process was lost on its way to the controller, most likely together with who started it.

    Nothing was done yet, so another attempt repeats nothing, whatever the restart policy. One that left a word
    (a broken interpreter, a missing folder) would leave it again.
    """
    return (
        row.running_since is None and row.restarts < MAX_RESTARTS and not cluster.log(row.uid).tail(1).strip()
    )


def _is_gone(cluster: LocalCluster, row: Row) -> bool:
    return not alive(cluster, row.uid) and not record.starting(row)


def _enforce_stop(cluster: LocalCluster, row: Row) -> None:
    """Kill what was asked to stop and has not done so in time."""
    overdue = row.stop_by is not None and time.time() > row.stop_by
    if overdue and locks.holder(cluster.lock_path(row.uid)) not in {None, os.getpid()}:
        processes.kill_all(row.uid, row.process)
