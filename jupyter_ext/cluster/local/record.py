"""What the store remembers of each workload: how to start it, which attempt this is, and how it ended."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from jupyter_ext.cluster.local import processes
from jupyter_ext.cluster.local.codec import encode
from jupyter_ext.cluster.resource import Resource, new_uid, now
from jupyter_ext.errors import Conflict, KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

Policy = Literal["Never", "OnFailure"]
MAX_RESTARTS: Final = 3
STEADY_SECONDS: Final = 60.0
"""A process that lived this long was not broken from the start: its restarts are counted anew."""
START_SECONDS: Final = 30.0
_CLAIM_SECONDS: Final = 10.0
COLUMNS: Final = (
    "uid, kind, name, controller, lost, restart, max_restarts, python, cwd, environment, token, claimed, claimer,"
    " process, running_since, oom_kills, boot, log_start, restarts, stop_by, ended, outcome"
)


class Row(NamedTuple):
    """What is recorded of a workload. ``stop_by`` is the moment after which it is killed."""

    uid: str
    kind: str
    name: str
    controller: str
    lost: str | None
    restart: str
    max_restarts: int
    python: str
    cwd: str
    environment: str | None
    token: str
    claimed: float
    claimer: str
    process: str | None
    running_since: float | None
    oom_kills: int | None
    boot: str | None
    log_start: int
    restarts: int
    stop_by: float | None
    ended: str | None
    outcome: str | None


def read(cluster: LocalCluster, uid: str) -> Row | None:
    """The record of a workload, or None."""
    with cluster.store.reading() as connection:
        row = connection.execute(f"SELECT {COLUMNS} FROM workloads WHERE uid = ?", (uid,)).fetchone()
    return Row(*row) if row else None


def refuse_if_running(row: Row | None) -> None:
    """Raise Conflict for a workload that has not ended."""
    if row is not None and not row.ended:
        raise Conflict(f"{row.kind} {row.name} is still running", hint="Stop it first.")


def enlist(
    cluster: LocalCluster,
    resource: Resource,
    controller: str,
    restart: Policy,
    cwd: str | Path | None,
    env: Mapping[str, str] | None,
    max_restarts: int,
    lost: str | None,
    python: str = sys.executable,
) -> Row:
    """Record the workload as claimed by this process."""
    refuse_if_running(read(cluster, resource.uid))
    row = Row(
        *(resource.uid, resource.kind, resource.name, controller, lost, restart, max_restarts, python),
        cwd=str(cwd or Path.cwd()),
        environment=encode({**os.environ, **(env or {})}),
        token=new_uid(),
        claimed=time.time(),
        claimer=processes.identity(os.getpid()),
        process=None,
        running_since=None,
        oom_kills=None,
        boot=None,
        log_start=_log_size(cluster, resource.uid),
        restarts=0,
        stop_by=None,
        ended=None,
        outcome=None,
    )
    with cluster.store.transaction() as connection:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT OR REPLACE INTO workloads ({COLUMNS}) VALUES ({marks})", row)
    return row


def _log_size(cluster: LocalCluster, uid: str) -> int:
    path = cluster.log(uid).path
    return path.stat().st_size if path.exists() else 0


def launched(cluster: LocalCluster, row: Row, identity: str) -> None:
    """Note which process was started for the attempt, unless that has already said so itself."""
    with cluster.store.transaction() as connection:
        connection.execute(
            "UPDATE workloads SET process = ? WHERE uid = ? AND token = ? AND running_since IS NULL",
            (identity, row.uid, row.token),
        )


def starting(row: Row) -> bool:
    """Whether a process was claimed a moment ago and has not had the time to take its lock."""
    if row.running_since is not None:
        return False
    age = time.time() - row.claimed
    if processes.is_running(row.process):
        return age < START_SECONDS
    return age < _CLAIM_SECONDS and row.process is None and processes.is_running(row.claimer)


def steady(row: Row) -> bool:
    """Whether the last attempt says nothing against another: it ran long, or the machine was restarted."""
    from jupyter_ext.cluster.local.machine import boot

    if row.running_since is None:
        return False
    return time.time() - row.running_since > STEADY_SECONDS or row.boot != boot()


def claim(cluster: LocalCluster, row: Row, cause: str) -> Row:
    """Take the next attempt for this process."""
    first = row.process is None
    restarts = 0 if first else (0 if steady(row) else row.restarts) + 1
    claimed = row._replace(
        token=new_uid(),
        claimed=time.time(),
        claimer=processes.identity(os.getpid()),
        process=None,
        running_since=None,
        restarts=restarts,
        log_start=_log_size(cluster, row.uid),
        outcome=None,
    )
    with cluster.store.transaction() as connection:
        connection.execute(
            "UPDATE workloads SET token = ?, claimed = ?, claimer = ?, process = NULL, running_since = NULL,"
            " restarts = ?, log_start = ?, outcome = NULL WHERE uid = ?",
            (claimed.token, claimed.claimed, claimed.claimer, restarts, claimed.log_start, row.uid),
        )
        if not first:
            message = f"{cause} It was restarted ({restarts} of {row.max_restarts})."
            cluster.store.record(row.kind, row.name, "Warning", "Restarted", message)
    return claimed


def conclude(cluster: LocalCluster, row: Row, phase: str, reason: str) -> Resource:
    """Write the end into the resource of a workload that could not do so itself."""

    def change(resource: Resource) -> Resource:
        if row.lost:
            try:
                resource = resolve(row.lost)(resource, phase, reason)
            except Exception as error:
                cluster.log(row.uid).write(f"{row.lost} failed: {type(error).__name__}: {error}\n")
        status = {"completionTime": now(), **resource.status, "phase": phase, "reason": reason}
        return resource.with_(status=status)

    end(cluster, row, reason)
    kind = "Warning" if phase == "FAILED" else "Normal"
    cluster.store.record(row.kind, row.name, kind, phase.capitalize(), reason)
    return cluster.store.update(row.kind, row.name, change)


def end(cluster: LocalCluster, row: Row, outcome: str) -> None:
    """Close the record. The environment, which may hold secrets, is kept only for what may be started again."""
    with cluster.store.transaction() as connection:
        connection.execute(
            "UPDATE workloads SET ended = ?, outcome = ?,"
            " environment = iif((SELECT phase FROM resources WHERE uid = workloads.uid) = 'SUCCEEDED', NULL,"
            " environment) WHERE uid = ?",
            (now(), outcome, row.uid),
        )
        connection.execute("DELETE FROM leases WHERE holder = ?", (row.uid,))


def may_restart(row: Row) -> bool:
    """Whether the policy allows another attempt."""
    return row.restart == "OnFailure" and (steady(row) or row.restarts < row.max_restarts)


def advice(row: Row) -> str:
    """What to do about a workload that was given up."""
    if row.restart == "OnFailure" and row.restarts >= row.max_restarts > 0:
        return f"It was restarted {row.restarts} times already. Look into its log, then resume it."
    return "Resume it to go on from there."


def note(cluster: LocalCluster, row: Row, outcome: str) -> None:
    """Record why the process ends, for the reader who will find it gone."""
    with cluster.store.transaction() as connection:
        connection.execute(
            "UPDATE workloads SET outcome = ? WHERE uid = ? AND token = ?", (outcome, row.uid, row.token)
        )


def resolve(name: str) -> Any:
    """The object that ``module:name`` names. Raises KubeflowError."""
    from importlib import import_module

    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise KubeflowError(f"The controller {name} cannot be loaded ({error})") from error
