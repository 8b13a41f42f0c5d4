"""The job's own account of itself, kept in memory and written to the store at most once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.cluster.resource import now
from jupyter_ext.training import status as states

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

SAVE_SECONDS: Final = 1.0
"""Metrics and progress change the resource at most so often; a change of state does so at once."""
_STEPS: Final = ("current_step", "global_step", "step")
"""Names that say when; Hugging Face's Trainer reports the first."""


class Ledger:
    """Statuses of one job."""

    def __init__(self, cluster: LocalCluster, resource: Resource) -> None:
        self._cluster = cluster
        self._kind, self._name, self.uid = resource.kind, resource.name, resource.uid
        self._status = dict(resource.status)
        self._saved = 0.0
        self._dirty = False
        self._guard = threading.Lock()
        self._heard: list[Point] = []
        self._remaining: tuple[float, float] | None = None
        self.progress: float | None = None
        self.ranks: list[dict[str, Any]] = []
        self.value: dict[str, Any] = {}

    def heard(self, progress: float | None, remaining: float | None, metrics: Mapping[str, float]) -> None:
        """Take what came over the status server; called from its threads."""
        moment = time.time()
        step = next((metrics[name] for name in _STEPS if name in metrics), None)
        with self._guard:
            self._heard += [
                Point(name, value, step, 0, moment) for name, value in metrics.items() if name not in _STEPS
            ]
            self.progress = progress if progress is not None else self.progress
            self._remaining = None if remaining is None else (remaining, time.monotonic())
            self._dirty = True

    def points(self, points: Sequence[Point], marks: Mapping[str, int] | None = None) -> None:
        """Keep points, and those that were heard; ``marks`` as in ``Metrics.append``."""
        with self._guard:
            found = [*points, *self._heard]
            self._heard = []
        if found or marks:
            self._cluster.metrics.append(self.uid, found, marks)
            self._dirty = True

    def begin(self) -> None:
        """The job runs from now on. Raises nothing that a resource deleted meanwhile would cause."""
        started = self._status.get("startTime") or now()
        attempt = int(self._status.get("attempt") or 0) + 1
        for gone in ("error", "result", "completionTime", "seconds"):
            self._status.pop(gone, None)
        self._status |= {"startTime": started, "attempt": attempt, "activeSince": now()}

    def restarted(self, reason: str) -> None:
        """Another attempt begins."""
        self._status["attempt"] = int(self._status.get("attempt") or 0) + 1
        self._status["restarts"] = int(self._status.get("restarts") or 0) + 1
        self._cluster.store.record(self._kind, self._name, "Warning", "Restarted", reason)
        self.save("RUNNING", reason=reason)

    def save(self, phase: str, *, reason: str) -> None:
        """Write now, unless nothing has changed but what changes all the time."""
        changed = (self._status.get("phase"), self._status.get("reason")) != (phase, reason)
        changed = changed or self._status.get("ranks", []) != self.ranks
        due = self._dirty and time.monotonic() - self._saved > SAVE_SECONDS
        if changed or due:
            self._write(phase, reason, {})

    def conclude(
        self,
        phase: str,
        reason: str,
        value: Mapping[str, Any] | None = None,
        *,
        error: Any = None,
        why: str = "",
        registered: Any = None,
    ) -> None:
        """Write the end."""
        self.points([])
        self.ranks = states.finished_ranks(self.ranks, phase, reason)
        more: dict[str, Any] = {"error": error} if error else {}
        if phase != "PAUSED":
            more["completionTime"] = now()
        if phase == "SUCCEEDED":
            self.progress = 1.0
            more |= {"result": dict(value)} if value else {}
            more |= {"registered": registered} if registered else {}
        self._write(phase, reason, more, why)

    def _write(self, phase: str, reason: str, more: Mapping[str, Any], why: str = "") -> None:
        self._saved, self._dirty = time.monotonic(), False
        found = self._fields(phase, reason, why) | dict(more)

        def change(resource: Resource) -> Resource:
            stopping = resource.phase == "CANCELING" and phase not in states.DONE
            kept = {"phase": "CANCELING", "reason": resource.reason} if stopping else {}
            return resource.with_(status={**resource.status, **found, **kept})

        written = self._cluster.store.update(self._kind, self._name, change)
        self._status = {**written.status, "phase": phase, "reason": reason}
        # What a resumed job left behind of its earlier end.
        gone = [
            key for key in ("error", "completionTime", "result") if key not in found and key in self._status
        ]
        if gone and phase not in states.DONE:
            self._drop(gone)

    def _drop(self, keys: Sequence[str]) -> None:
        def change(resource: Resource) -> Resource:
            kept = {key: value for key, value in resource.status.items() if key not in keys}
            return resource.with_(status=kept)

        self._cluster.store.update(self._kind, self._name, change)
        self._status = {key: value for key, value in self._status.items() if key not in keys}

    def _fields(self, phase: str, reason: str, why: str) -> dict[str, Any]:
        seconds = self._seconds()
        metrics = self._cluster.metrics.last(self.uid) if self._status.get("startTime") else {}
        with self._guard:
            progress, remaining = self.progress, self._remaining
        left = None if remaining is None else remaining[0] - (time.monotonic() - remaining[1])
        before = self._status.get("conditions", [])
        found: dict[str, Any] = {
            "phase": phase,
            "reason": reason,
            "ranks": self.ranks,
            "conditions": before,
            "metrics": {name: value for name, value in metrics.items() if not name.startswith("system/")},
        }
        if phase != self._status.get("phase") or why:
            found["conditions"] = states.conditions(self._kind, phase, reason, before, why=why)
        for key in ("startTime", "attempt", "restarts", "activeSince"):
            if key in self._status:
                found[key] = self._status[key]
        if seconds is not None:
            found["seconds"] = seconds
        if progress is not None:
            found["progress"] = progress
        if self._kind == "TrainJob":
            found["jobsStatus"] = states.jobs_status(self.ranks, suspended=phase == "PAUSED")
            trainer = states.trainer_status(progress, seconds or 0.0, left, metrics)
            found |= {"trainerStatus": trainer} if trainer else {}
        return found

    def _seconds(self) -> float | None:
        started = self._status.get("startTime")
        if not started:
            return None
        return round((datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds(), 3)
