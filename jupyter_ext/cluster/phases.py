"""The phase and the reason of each kind, from the status that upstream's controllers write: one table for all clusters.

What the embedded cluster's controllers write has the same conditions beside our own phase, so both read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

STOPPED: Final = "jupyter-kubeflow.org/stopped"
"""Annotation of what was suspended to be stopped for good: upstream knows no difference."""
QUEUE: Final = "kueue.x-k8s.io/queue-name"
"""Label: the queue of Kueue that suspends it until it is its turn."""


class Said(NamedTuple):
    """A phase, and why it is that one; empty where there is nothing to say."""

    phase: str
    reason: str = ""


Status = Mapping[str, Any]

_TRAIN_JOB: Final = (("Failed", "FAILED"), ("Complete", "SUCCEEDED"), ("Suspended", "PAUSED"))
_V1_JOB: Final = (
    ("Failed", "FAILED"),
    ("Succeeded", "SUCCEEDED"),
    ("Suspended", "PAUSED"),
    ("Restarting", "PENDING"),
    ("Running", "RUNNING"),
)
_EXPERIMENT: Final = (
    ("Failed", "FAILED"),
    ("Succeeded", "SUCCEEDED"),
    ("Restarting", "PENDING"),
    ("Running", "RUNNING"),
)
_TRIAL: Final = (
    ("Killed", "CANCELED"),
    ("EarlyStopped", "SUCCEEDED"),
    ("MetricsUnavailable", "FAILED"),
    *_EXPERIMENT,
)
_JOB: Final = (("Failed", "FAILED"), ("Complete", "SUCCEEDED"), ("Suspended", "PAUSED"))
UNTAKEN: Final = "The operator has not taken it up yet."
_SPARK: Final = {
    "": "PENDING",
    "NEW": "PENDING",
    "SUBMITTED": "PENDING",
    "PENDING_RERUN": "PENDING",
    "INVALIDATING": "PENDING",
    "RESUMING": "PENDING",
    "RUNNING": "RUNNING",
    "SUCCEEDING": "RUNNING",
    "FAILING": "RUNNING",
    "UNKNOWN": "RUNNING",
    "SUSPENDING": "PAUSED",
    "SUSPENDED": "PAUSED",
    "COMPLETED": "SUCCEEDED",
    "FAILED": "FAILED",
    "SUBMISSION_FAILED": "FAILED",
}
_CONNECT: Final = {"Ready": "RUNNING", "Failed": "FAILED"}
_BROKEN: Final = frozenset({"BlockedByFailedLoad", "InvalidSpec"})


def told(
    kind: str,
    status: Status,
    *,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    deleted: str | None = None,
) -> Said:
    """What the status says. PENDING where nobody has said anything yet, and for kinds that are not known."""
    tell = _OF.get(kind)
    found = tell(status) if tell else Said("PENDING")
    if found.phase == "PAUSED" and STOPPED in (annotations or {}):
        found = Said("CANCELED", "It was stopped.")
    elif found.phase == "PAUSED" and (queue := (labels or {}).get(QUEUE)):
        found = Said("PENDING", f"It waits for its turn in the queue {queue}.")
    if deleted and found.phase not in {"SUCCEEDED", "FAILED", "CANCELED"}:
        return Said("CANCELING", "It is being deleted.")
    return found


def _conditions(status: Status) -> Sequence[Mapping[str, Any]]:
    rows = status.get("conditions")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _true(status: Status, name: str) -> Mapping[str, Any] | None:
    return next(
        (row for row in _conditions(status) if row.get("type") == name and row.get("status") == "True"), None
    )


def _by(table: Sequence[tuple[str, str]]) -> Callable[[Status], Said | None]:
    """The first condition of the table that holds."""

    def find(status: Status) -> Said | None:
        for name, phase in table:
            if (row := _true(status, name)) is not None:
                quiet = phase in {"RUNNING", "SUCCEEDED"}
                return Said(phase, "" if quiet else str(row.get("message") or row.get("reason") or ""))
        return None

    return find


def _train_job(status: Status) -> Said:
    """`TrainJobStatus (trainer.kubeflow.org/v1alpha1)`; whether it runs is in the counts of its jobs only."""
    found = _by(_TRAIN_JOB)(status)
    if found is not None:
        return found
    jobs = [row for row in status.get("jobsStatus") or () if isinstance(row, Mapping)]
    begun = any(int(row.get("ready") or 0) + int(row.get("succeeded") or 0) for row in jobs)
    return Said("RUNNING") if begun else Said("PENDING", "Its processes have not started yet.")


def _conditioned(table: Sequence[tuple[str, str]], waiting: str) -> Callable[[Status], Said]:
    return lambda status: _by(table)(status) or Said("PENDING", waiting)


def _job(status: Status) -> Said:
    found = _by(_JOB)(status)
    if found is not None:
        return found
    return (
        Said("RUNNING")
        if int(status.get("ready") or 0)
        else Said("PENDING", "Its pods have not started yet.")
    )


def _serving(status: Status) -> Said:
    """`InferenceServiceStatus (serving.kserve.io/v1beta1)` and those of the kinds beside it."""
    if row := _true(status, "Stopped"):
        return Said("PAUSED", str(row.get("message") or "It is stopped."))
    if _true(status, "Ready"):
        return Said("RUNNING")
    model = status.get("modelStatus") or {}
    failure = model.get("lastFailureInfo") or {}
    words = str(failure.get("message") or failure.get("reason") or "")
    if model.get("transitionStatus") in _BROKEN:
        return Said("FAILED", words or str(model["transitionStatus"]))
    rows = [row for row in _conditions(status) if row.get("status") == "False"]
    rows.sort(key=lambda row: row.get("type") == "Ready")  # what it waits for says more than that it waits
    said = next(
        (
            str(row.get("message") or row.get("reason"))
            for row in rows
            if row.get("message") or row.get("reason")
        ),
        "",
    )
    return Said("PENDING", words or said or "It is not ready yet.")


def _spark_application(status: Status) -> Said:
    """`SparkApplicationStatus (sparkoperator.k8s.io/v1beta2)`."""
    state = status.get("applicationState") or {}
    phase = _SPARK.get(str(state.get("state") or ""), "PENDING")
    quiet = phase in {"RUNNING", "SUCCEEDED"}
    waiting = UNTAKEN if phase == "PENDING" else ""
    return Said(phase, "" if quiet else str(state.get("errorMessage") or waiting))


def _spark_schedule(status: Status) -> Said:
    """`ScheduledSparkApplicationStatus (sparkoperator.k8s.io/v1beta2)`."""
    match status.get("scheduleState"):
        case "Scheduled":
            return Said("RUNNING")
        case "FailedValidation":
            return Said("FAILED", str(status.get("reason") or "Its schedule is not valid."))
    return Said("PENDING", UNTAKEN)


def _spark_connect(status: Status) -> Said:
    """`SparkConnectStatus (sparkoperator.k8s.io/v1alpha1)`."""
    phase = _CONNECT.get(str(status.get("state") or ""), "PENDING")
    rows = [row for row in _conditions(status) if row.get("status") == "False"]
    said = next((str(row.get("message") or "") for row in rows), "")
    return Said(phase, "" if phase == "RUNNING" else said or "The session has not started yet.")


def _gateway(status: Status) -> Said:
    return Said("RUNNING") if _true(status, "Programmed") else Said("PENDING", "It has no address yet.")


_V1: Final = _conditioned(_V1_JOB, "Its processes have not started yet.")
_OF: Final[dict[str, Callable[[Status], Said]]] = {
    "TrainJob": _train_job,
    "TFJob": _V1,
    "PyTorchJob": _V1,
    "XGBoostJob": _V1,
    "Job": _job,
    "Experiment": _conditioned(_EXPERIMENT, "Katib has not taken it up yet."),
    "Trial": _conditioned(_TRIAL, "It has not started yet."),
    "InferenceService": _serving,
    "InferenceGraph": _serving,
    "SparkApplication": _spark_application,
    "ScheduledSparkApplication": _spark_schedule,
    "SparkConnect": _spark_connect,
    "Gateway": _gateway,
}
