"""Katib's experiments and trials in our words: rows of a table, the best one, what is over and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from jupyter_ext.cluster.phases import STOPPED
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.tuning import katib, objective
from jupyter_ext.tuning.objective import UNAVAILABLE, Objective
from jupyter_ext.tuning.space import Space, Value
from jupyter_ext.tuning.spec import choices_of
from jupyter_ext.tuning.status import State

MOST: Final = 2000
"""Trials in one page."""
SORTS: Final = ("number", "value", "seconds", "state", "startTime")
_STATES: Final[tuple[tuple[str, State], ...]] = (
    ("Killed", "CANCELED"),
    ("Failed", "FAILED"),
    ("MetricsUnavailable", "UNAVAILABLE"),
    ("EarlyStopped", "PRUNED"),
    ("Succeeded", "SUCCEEDED"),
    ("Running", "RUNNING"),
)
"""A trial's conditions in Katib's order: the first that holds."""


class Reading:
    """How an experiment's trials are to be read: the types of its parameters, and what its objective is."""

    def __init__(self, experiment: Resource) -> None:
        self.space: Space = {}
        self.objective: Objective | None = None
        with suppress(KubeflowError):  # of a kind that we do not know: its values stay text
            self.space = katib.from_katib(experiment.spec.get("parameters") or (), choices_of(experiment))
        with suppress(KubeflowError):
            self.objective = objective.from_katib(experiment.spec.get("objective") or {})

    def parameters(self, assignments: Any) -> dict[str, Value]:
        """What was tried, with its types as far as they are known."""
        found: dict[str, Value] = {}
        for item in assignments if isinstance(assignments, list) else ():
            name, text = str(item.get("name")), str(item.get("value"))
            try:
                found[name] = self.space[name].read(text) if name in self.space else text
            except Invalid:
                found[name] = text
        return found

    def metrics(self, observation: Any) -> dict[str, float | None]:
        """The latest value of everything that was observed."""
        rows = (observation or {}).get("metrics") or ()
        return {str(item.get("name")): number(item.get("latest")) for item in rows}

    def value(self, observation: Any) -> float | None:
        """The objective's value, by the strategy that the spec says; Katib takes the best one without it."""
        if self.objective is None:
            return None
        for item in (observation or {}).get("metrics") or ():
            if item.get("name") == self.objective.name:
                chosen = item.get(self.objective.strategy(self.objective.name))
                return number(chosen if chosen not in (None, "", UNAVAILABLE) else item.get("latest"))
        return None


def number(text: Any) -> float | None:
    """The number that Katib wrote; None for what is none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def state_of(trial: Resource) -> State:
    """A trial's state."""
    holding = {
        row.get("type"): row
        for row in trial.status.get("conditions") or ()
        if isinstance(row, Mapping) and row.get("status") == "True"
    }
    return next((state for kind, state in _STATES if kind in holding), "PENDING")


def row(place: int, trial: Resource, reading: Reading) -> dict[str, Any]:
    """One trial as a line of a table, as of the embedded cluster's."""
    state, status = state_of(trial), trial.status
    observation = status.get("observation")
    return {
        "name": trial.name,
        "number": place,
        "state": {"UNAVAILABLE": "FAILED"}.get(state, state),
        "reason": _reason(trial, state),
        "value": reading.value(observation),
        "parameters": reading.parameters(trial.spec.get("parameterAssignments")),
        "metrics": reading.metrics(observation),
        "seconds": _seconds(status.get("startTime"), status.get("completionTime")),
        "startTime": status.get("startTime"),
        "pruned": state == "PRUNED",
        "attempt": 1,
    }


def _reason(trial: Resource, state: State) -> str:
    if state == "UNAVAILABLE":
        return "Its objective was not among what it printed; see its logs."
    if state in ("FAILED", "CANCELED"):
        return trial.reason
    return ""


def _seconds(began: Any, ended: Any) -> float | None:
    try:
        return (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(began))).total_seconds()
    except ValueError:
        return None


def in_order(trials: Iterable[Resource]) -> list[Resource]:
    """In the order in which they were made: its places are the trials' numbers."""
    return sorted(trials, key=lambda trial: (trial.created, trial.name))


def page(
    trials: Sequence[Resource], version: int, reading: Reading, *, limit: int, after: int | None,
    since: int | None, sort: str, states: Iterable[str] | None,
) -> dict[str, Any]:  # fmt: skip
    """As `trials.page`."""
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    if column not in SORTS:
        what = f"Trials cannot be sorted by {column!r}"
        raise Invalid(what, where=Where(field="sort"), hint=f"By: {', '.join(SORTS)}.")
    ordered = in_order(trials)
    wanted = {states} if isinstance(states, str) else set(states or ())
    found = [
        row(place, trial, reading)
        for place, trial in enumerate(ordered)
        if since is None or trial.resource_version > since
    ]
    found = [each for each in found if not wanted or each["state"] in wanted]
    known = [each for each in found if each[column] is not None]
    known.sort(key=lambda each: (each[column], each["number"]), reverse=descending)
    found = known + [each for each in found if each[column] is None]
    if after is not None and column == "number":
        found = [each for each in found if (each["number"] < after if descending else each["number"] > after)]
    elif after is not None:
        found = found[int(after) :]
    items = found[: min(max(int(limit), 1), MOST)]
    return {"items": items, "total": len(ordered), "resourceVersion": version}


def told(experiment: Resource) -> Resource:
    """An experiment with what our own say of themselves in addition: best, progress, seconds, and that it was stopped."""
    status, reading = dict(experiment.status), Reading(experiment)
    optimal = status.get("currentOptimalTrial") or {}
    if optimal.get("bestTrialName"):
        status["best"] = {
            "trial": optimal["bestTrialName"],
            "value": reading.value(optimal.get("observation")),
            "parameters": reading.parameters(optimal.get("parameterAssignments")),
        }
    most = experiment.spec.get("maxTrialCount")
    done = ended(status)
    status["progress"] = min(done / most, 1.0) if isinstance(most, int) and most else None
    status["seconds"] = _seconds(status.get("startTime"), status.get("completionTime"))
    if experiment.phase == "RUNNING" and not status.get("reason"):
        status["reason"] = _running(status, most, reading)
    if had_all(status) and isinstance(most, int) and most > int(status.get("trials") or 0):
        status |= {
            "phase": "PENDING",
            "reason": "It is given more trials, and Katib has not taken that up yet.",
        }
    elif STOPPED in experiment.annotations:
        if experiment.phase == "SUCCEEDED":
            status |= {"phase": "CANCELED", "reason": f"Stopped after {done} trials."}
        elif not experiment.finished:
            status |= {"phase": "CANCELING", "reason": "Katib ends it after its next trials."}
    return experiment.with_(status=status)


def had_all(status: Mapping[str, Any]) -> bool:
    """Whether it ended because it had all its trials: from this alone Katib goes on."""
    return any(
        row.get("type") == "Succeeded"
        and row.get("status") == "True"
        and row.get("reason") == "ExperimentMaxTrialsReached"
        for row in status.get("conditions") or ()
    )


def last_words(status: Mapping[str, Any]) -> str:
    """What Katib says of the state it is in."""
    held = [row for row in status.get("conditions") or () if row.get("status") == "True"]
    return str(held[-1].get("message") or "").rstrip(".") if held else ""


def ended(status: Mapping[str, Any]) -> int:
    """How many trials have ended, however."""
    names = ("Succeeded", "Failed", "Killed", "EarlyStopped")
    found = sum(int(status.get(f"trials{name}") or 0) for name in names)
    return found + int(status.get("trialMetricsUnavailable") or 0)


def _running(status: Mapping[str, Any], most: Any, reading: Reading) -> str:
    of = f" of {most}" if most else ""
    text = f"{ended(status)}{of} trials done, {int(status.get('trialsRunning') or 0)} running"
    best = (status.get("best") or {}).get("value")
    name = reading.objective.name if reading.objective else "value"
    return f"{text}; best {name} {best:.6g}." if best is not None else f"{text}."
