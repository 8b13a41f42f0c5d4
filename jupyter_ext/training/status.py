"""The status of a job: ours (phase, reason, ranks) beside upstream's (conditions, jobsStatus, trainerStatus).

Functions of values only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

DONE: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
_TRAINER: Final = {
    "SUCCEEDED": ("Complete", "JobsCompleted"),
    "FAILED": ("Failed", "JobsFailed"),
    "PAUSED": ("Suspended", "Suspended"),
}
_V1: Final = {
    "PENDING": ("Created", "JobCreated"),
    "RUNNING": ("Running", "JobRunning"),
    "SUCCEEDED": ("Succeeded", "JobSucceeded"),
    "FAILED": ("Failed", "JobFailed"),
    "PAUSED": ("Suspended", "JobSuspended"),
}


def conditions(
    kind: str, phase: str, reason: str, before: Sequence[Mapping[str, Any]], *, why: str = ""
) -> list[dict[str, Any]]:
    """Upstream's conditions after a change of phase; ``why`` is a reason in one word, such as DeadlineExceeded."""
    table = _TRAINER if kind == "TrainJob" else _V1
    kept = {str(one["type"]): dict(one) for one in before}
    moment = now()
    wanted = table.get(phase)
    if wanted is not None:
        name, word = wanted
        kept[name] = _condition(name, "True", why or word, reason or phase.capitalize(), moment)
    for name, one in kept.items():
        over = wanted is None or name != wanted[0]
        if over and one["status"] == "True" and name in {"Suspended", "Running", "Failed"}:
            kept[name] = _condition(
                name, "False", "Resumed" if phase == "RUNNING" else "Over", reason, moment
            )
    return list(kept.values())


def _condition(name: str, status: str, reason: str, message: str, moment: str) -> dict[str, Any]:
    message = message or reason
    return {
        "type": name,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": moment,
    }


def jobs_status(ranks: Iterable[Mapping[str, Any]], *, suspended: bool = False) -> list[dict[str, Any]]:
    """Upstream counts the nodes: one replicated job named ``node``."""
    nodes: dict[int, set[str]] = {}
    for rank in ranks:
        nodes.setdefault(int(rank["node"]), set()).add(str(rank["state"]))
    succeeded = sum(states == {"SUCCEEDED"} for states in nodes.values())
    failed = sum("FAILED" in states for states in nodes.values())
    running = sum("RUNNING" in states for states in nodes.values())
    counts = {"ready": running, "active": running, "succeeded": succeeded, "failed": failed}
    return [{"name": "node", **counts, "suspended": len(nodes) if suspended else 0}]


def trainer_status(
    progress: float | None, seconds: float, remaining: float | None, metrics: Mapping[str, float]
) -> dict[str, Any] | None:
    """Upstream's trainerStatus. ``remaining`` seconds are estimated from the progress where nobody said them."""
    if progress is None and not metrics:
        return None
    found: dict[str, Any] = {"lastUpdatedTime": now()}
    if progress is not None:
        found["progressPercentage"] = round(progress * 100)
        if remaining is None and 0 < progress <= 1:
            remaining = seconds * (1 - progress) / progress
    if remaining is not None:
        found["estimatedRemainingSeconds"] = max(round(remaining), 0)
    shown = [(name, value) for name, value in metrics.items() if not name.startswith("system/")]
    found["metrics"] = [{"name": name, "value": f"{value:.10g}"} for name, value in shown[:256]]
    return found


def running_reason(ranks: Sequence[Mapping[str, Any]], missing: str | None) -> str:
    """One sentence for a job that runs."""
    if missing:
        return missing
    states = [rank["state"] for rank in ranks]
    running, total = states.count("RUNNING"), len(states)
    if not running and not states.count("SUCCEEDED"):
        return f"Starting {total} process{'es' if total != 1 else ''}."
    done = states.count("SUCCEEDED")
    word = "process runs" if running == total == 1 else f"of {total} processes run"
    return f"{running} {word}{f', {done} done' if done else ''}."


def error_sentence(error: Mapping[str, Any]) -> str:
    """A failed rank in one sentence: rank, place, exception."""
    label = error.get("label") or (f"cell {error['cell']}" if error.get("cell") is not None else "")
    file = str(error.get("file") or "")
    place = label or (file.rpartition("/")[2] if file and not file.startswith("<") else "")
    line = f"line {error['line']}" if error.get("line") else ""
    at = ", ".join(part for part in (place, line) if part)
    first = (str(error.get("message") or "").strip().splitlines() or [""])[0]
    what = f"{error.get('type', 'Error')}: {first}" if first else str(error.get("type", "Error"))
    return f"Rank {error.get('rank', 0)} failed{f' at {at}' if at else ''}: {what}"


def finished_ranks(ranks: Iterable[Mapping[str, Any]], phase: str, reason: str) -> list[dict[str, Any]]:
    """The ranks of a job that is over: none of them runs any more."""
    found = []
    for rank in ranks:
        if rank["state"] in DONE:
            found.append(dict(rank))
        elif phase == "SUCCEEDED":
            found.append({**rank, "state": "SUCCEEDED"})
        else:
            state = "CANCELED" if rank["state"] == "PENDING" or phase != "FAILED" else "FAILED"
            found.append(
                {**rank, "state": state, "reason": reason, "finishedAt": rank.get("finishedAt") or now()}
            )
    return found


def lost(resource: Resource, phase: str, reason: str) -> Resource:
    """The truth about a job whose own process is gone for good."""
    status = resource.status
    ranks = finished_ranks(status.get("ranks", ()), phase, reason)
    listed = conditions(resource.kind, phase, reason, status.get("conditions", ()))
    more = {"ranks": ranks, "conditions": listed}
    if resource.kind == "TrainJob":
        more["jobsStatus"] = jobs_status(ranks)
    return resource.with_(status={**status, **more, "phase": phase, "reason": reason})
