"""The account that an application or a session gives of itself: ours beside the Spark operator's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

SAVE_SECONDS: Final = 1.0
"""Progress changes the resource at most so often; a change of state does so at once."""
_DONE: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
_APPLICATION: Final = {
    "PENDING": "SUBMITTED",
    "RUNNING": "RUNNING",
    "SUCCEEDED": "COMPLETED",
    "FAILED": "FAILED",
    "CANCELED": "FAILED",
}
_CONNECT: Final = {
    "PENDING": "Provisioning",
    "RUNNING": "Ready",
    "FAILED": "Failed",
    "CANCELED": "NotReady",
    "SUCCEEDED": "NotReady",
}


class Ledger:
    """Statuses of one resource."""

    def __init__(self, cluster: LocalCluster, resource: Resource) -> None:
        self._cluster = cluster
        self._kind, self._name = resource.kind, resource.name
        self._saved = 0.0
        self._last: tuple[str, str] = ("", "")
        self.more: dict[str, Any] = {
            key: resource.status[key] for key in ("attempt", "startTime") if key in resource.status
        }

    def begin(self) -> None:
        """An attempt begins now."""
        self.more |= {
            "startTime": self.more.get("startTime") or now(),
            "attempt": int(self.more.get("attempt") or 0) + 1,
            "lastSubmissionAttemptTime": now(),
        }
        for field in ("stages", "executors", "progress"):
            self.more.pop(field, None)

    def heard(self, found: Mapping[str, Any] | None) -> None:
        """What the driver says of its stages."""
        if found:
            self.more |= found

    def save(self, phase: str, reason: str) -> None:
        """Write a change of state now, anything else when it is due."""
        changed = self._last != (phase, reason)
        if changed or time.monotonic() - self._saved > SAVE_SECONDS:
            self._write(phase, reason, {})

    def conclude(self, phase: str, reason: str, **more: Any) -> None:
        """Write the end."""
        for stage in self.more.get("stages", ()):
            if stage["state"] == "ACTIVE":
                stage["state"] = "COMPLETE" if phase == "SUCCEEDED" else "FAILED"
        if phase == "SUCCEEDED" and self._kind != "SparkConnect":
            self.more["progress"] = 1.0
        ended = "COMPLETED" if phase == "SUCCEEDED" else "FAILED"
        self.more["executorState"] = dict.fromkeys(self.more.get("executorState", ()), ended)
        for one in self.more.get("executors", ()):
            if one["state"] == "RUNNING":
                one |= {"state": ended, "active": 0}
        self._write(phase, reason, {"completionTime": now(), **more})

    def note(self, reason: str, message: str) -> None:
        """Record an event."""
        self._cluster.store.record(self._kind, self._name, "Warning", reason, message)

    def _write(self, phase: str, reason: str, more: Mapping[str, Any]) -> None:
        self._saved, self._last = time.monotonic(), (phase, reason)
        found: dict[str, Any] = {**self.more, "phase": phase, "reason": reason, **more}
        if self._kind == "SparkConnect":
            found["state"] = _CONNECT[phase]
        else:
            said = {"errorMessage": reason} if phase in {"FAILED", "CANCELED"} else {}
            found["applicationState"] = {"state": _APPLICATION[phase], **said}
            found["executionAttempts"] = found.get("attempt", 0)
        if "startTime" in self.more:
            began = datetime.fromisoformat(self.more["startTime"])
            found["seconds"] = round((datetime.now(UTC) - began).total_seconds(), 3)

        def change(resource: Resource) -> Resource:
            stopping = resource.phase == "CANCELING" and phase not in _DONE
            kept = {"phase": "CANCELING", "reason": resource.reason} if stopping else {}
            return resource.with_(status={**resource.status, **found, **kept})

        self._cluster.store.update(self._kind, self._name, change)


def lost(resource: Resource, phase: str, reason: str) -> Resource:
    """The status of what could not say itself how it ended: its process is gone, and with it all that it started."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.spark import leftovers

    for folder in discover.current().base.glob(f"{resource.namespace}/work/{resource.uid}"):
        with suppress(OSError):
            leftovers.tidy(folder)
    status = {key: value for key, value in resource.status.items() if not key.startswith("executor")}
    if resource.kind == "SparkConnect":
        status["state"] = _CONNECT[phase]
    else:
        status["applicationState"] = {"state": _APPLICATION[phase], "errorMessage": reason}
    return resource.with_(status=status)
