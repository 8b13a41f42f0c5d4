"""States of a run and its steps, and the sentences that explain them; functions of values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

DONE = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})
"""States that a step or run does not leave by itself (vocabulary of KFP's RuntimeState)."""


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds from one RFC 3339 time to another, None while either is missing."""
    if not start or not end:
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 6)


def new_step(name: str, title: str, **more: Any) -> dict[str, Any]:
    """The status of a step that has not begun."""
    return {
        "name": name,
        "title": title,
        "state": "PENDING",
        "reason": "",
        "attempt": 0,
        "cached": False,
        "outputs": [],
        "metrics": {},
        "artifacts": [],
        **more,
    }


def progress(steps: Iterable[Mapping[str, Any]]) -> float:
    """Share of the steps that are done, 0 to 1."""
    states = [status["state"] for status in steps if not status.get("parent")]
    return round(sum(state in DONE for state in states) / len(states), 4) if states else 0.0


def critical_path(steps: Iterable[Mapping[str, Any]], parents: Mapping[str, Iterable[str]]) -> list[str]:
    """The chain of steps that decided when the run ended: from the last to finish, back over its latest parent."""
    ended = {
        s["name"]: s for s in steps if s.get("finishedAt") and s.get("startedAt") and not s.get("parent")
    }
    if not ended:
        return []
    current: str | None = max(ended, key=lambda name: str(ended[name]["finishedAt"]))
    chain: list[str] = []
    while current is not None and current not in chain:
        chain.append(current)
        before = [parent for parent in parents.get(current, ()) if parent in ended]
        current = max(before, key=lambda name: str(ended[name]["finishedAt"])) if before else None
    return chain[::-1]


def run_reason(phase: str, steps: Iterable[Mapping[str, Any]]) -> str:
    """One sentence for the run's state."""
    listed = [status for status in steps if not status.get("parent")]
    done = sum(status["state"] in DONE for status in listed)
    if phase == "RUNNING":
        running = [status["name"] for status in listed if status["state"] == "RUNNING"]
        waiting = [status["reason"] for status in listed if status["state"] == "PENDING" and status["reason"]]
        if running:
            return f"{done} of {len(listed)} steps done; running {_some(running)}."
        return waiting[0] if waiting else f"{done} of {len(listed)} steps done."
    if phase == "FAILED":
        failed = [status for status in listed if status["state"] == "FAILED"]
        return failed[0]["reason"] if failed else "The run failed."
    if phase == "SUCCEEDED":
        cached = sum(bool(status.get("cached")) for status in listed)
        skipped = sum(status["state"] == "SKIPPED" for status in listed)
        extra = [f"{cached} from the cache"] * bool(cached) + [f"{skipped} skipped"] * bool(skipped)
        return f"All {len(listed)} steps done" + (f" ({', '.join(extra)})." if extra else ".")
    return "Stopped." if phase == "CANCELED" else ""


def error_sentence(step: str, error: Mapping[str, Any]) -> str:
    """A failed step in one sentence: step, exception, cell and line."""
    place = [f"cell {error['cell']}"] if error.get("cell") is not None else []
    place += [f"line {error['line']}"] if error.get("line") is not None else []
    message = str(error.get("message", "")).strip().splitlines()
    first = message[0] if message else ""
    text = f"{error.get('type', 'Error')}: {first}" if first else str(error.get("type", "Error"))
    return f"Step {step} failed{' at ' + ', '.join(place) if place else ''}: {text}"


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def lost(resource: Resource, phase: str, reason: str) -> Resource:
    """The truth about a run whose process is gone for good: what was running has failed with it."""
    steps = []
    for status in resource.status.get("steps", ()):
        if status["state"] == "RUNNING":
            steps.append(
                {**status, "state": "CANCELED" if phase == "CANCELED" else "FAILED", "reason": reason}
            )
        elif status["state"] == "PENDING":
            steps.append({**status, "state": "CANCELED", "reason": "The run ended before it began."})
        else:
            steps.append(status)
    return resource.with_(status={**resource.status, "steps": steps, "phase": phase, "reason": reason})
