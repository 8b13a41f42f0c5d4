"""What is said of an experiment and its trials: phases, reasons, Katib's counts and conditions. Functions of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from jupyter_ext.cluster.resource import now

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.objective import Objective, Observed
    from jupyter_ext.tuning.space import Space, Value

State: TypeAlias = Literal["PENDING", "RUNNING", "SUCCEEDED", "PRUNED", "FAILED", "UNAVAILABLE", "CANCELED"]
"""A trial's state. PRUNED is kept as SUCCEEDED with ``pruned``, UNAVAILABLE (no objective reported) as FAILED."""

EXPERIMENT_LABEL: Final = "katib.kubeflow.org/experiment"
LISTED: Final = 100
"""A list of names in the status has at most so many; a longer one is left out, the count stays."""

_PHASES: Final[dict[State, str]] = {"PRUNED": "SUCCEEDED", "UNAVAILABLE": "FAILED"}
_CONDITIONS: Final[dict[State, tuple[str, str, str]]] = {
    "PENDING": ("Created", "TrialCreated", "Trial is created"),
    "RUNNING": ("Running", "TrialRunning", "Trial is running"),
    "SUCCEEDED": ("Succeeded", "TrialSucceeded", "Trial has succeeded"),
    "PRUNED": ("EarlyStopped", "TrialEarlyStopped", "Trial is early stopped"),
    "FAILED": ("Failed", "TrialFailed", "Trial has failed"),
    "UNAVAILABLE": ("MetricsUnavailable", "MetricsUnavailable", "Metrics are not available"),
    "CANCELED": ("Killed", "TrialKilled", "Trial is killed"),
}
_COUNTS: Final[dict[State, tuple[str, str]]] = {
    "PENDING": ("trialsPending", "pendingTrialList"),
    "RUNNING": ("trialsRunning", "runningTrialList"),
    "SUCCEEDED": ("trialsSucceeded", "succeededTrialList"),
    "FAILED": ("trialsFailed", "failedTrialList"),
    "CANCELED": ("trialsKilled", "killedTrialList"),
    "PRUNED": ("trialsEarlyStopped", "earlyStoppedTrialList"),
    "UNAVAILABLE": ("trialMetricsUnavailable", "metricsUnavailableTrialList"),
}


@dataclass
class Best:
    """The best trial so far."""

    trial: str
    number: int
    value: float
    parameters: dict[str, Value]
    assignments: list[dict[str, str]]
    metrics: list[dict[str, str]]


@dataclass
class Tally:
    """Trials by state. Names are kept as long as there are few of a state."""

    counts: dict[State, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    names: dict[State, list[str]] = field(default_factory=lambda: {state: [] for state in _COUNTS})
    failures: dict[str, int] = field(default_factory=dict)

    def add(self, state: State, name: str) -> None:
        """One more in this state."""
        self.counts[state] += 1
        if len(self.names[state]) <= LISTED or state == "RUNNING":
            self.names[state].append(name)

    def remove(self, state: State, name: str) -> None:
        """One less in this state."""
        self.counts[state] -= 1
        if name in self.names[state]:
            self.names[state].remove(name)

    def blame(self, reason: str) -> None:
        """Remember why a trial failed, for the sentence about all of them."""
        if reason in self.failures or len(self.failures) < LISTED:
            self.failures[reason] = self.failures.get(reason, 0) + 1

    @property
    def total(self) -> int:
        """All trials."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Those that Katib counts against ``maxFailedTrialCount``."""
        return self.counts["FAILED"] + self.counts["UNAVAILABLE"]

    @property
    def completed(self) -> int:
        """Those that have ended, however."""
        return self.total - self.counts["RUNNING"] - self.counts["PENDING"]

    def to_katib(self) -> dict[str, Any]:
        """Counts, and lists of names that are short."""
        found: dict[str, Any] = {"trials": self.total}
        for state, (count, names) in _COUNTS.items():
            found[count] = self.counts[state]
            if 0 < self.counts[state] <= LISTED and len(self.names[state]) == self.counts[state]:
                found[names] = list(self.names[state])
        return found

    def common_failure(self) -> str:
        """The reason most failed trials have."""
        return max(self.failures, key=lambda reason: self.failures[reason], default="")


def condition(kind: str, reason: str, message: str, moment: str) -> dict[str, str]:
    """One Kubernetes condition that is true."""
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
    }


def trial_spec(objective: Objective, space: Space, values: Mapping[str, Value]) -> dict[str, Any]:
    """The spec of a trial: upstream's objective and assignments."""
    return {"objective": objective.to_katib(), "parameterAssignments": assignments(space, values)}


def assignments(space: Space, values: Mapping[str, Value]) -> list[dict[str, str]]:
    """Parameters as Katib writes them, all text."""
    return [{"name": name, "value": parameter.text(values[name])} for name, parameter in space.items()]


def trial_status(
    state: State, number: int, values: Mapping[str, Value], attempt: int, started: str, reason: str = ""
) -> dict[str, Any]:
    """The status of a trial that begins."""
    kind, why, message = _CONDITIONS[state]
    return {
        "phase": _PHASES.get(state, state),
        "reason": reason,
        "number": number,
        "parameters": dict(values),
        "attempt": attempt,
        "startTime": started,
        "conditions": [condition(kind, why, message, started)],
    }


def trial_ended(
    status: Mapping[str, Any],
    state: State,
    reason: str,
    observed: Observed,
    seconds: float,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """The status of a trial that has ended."""
    moment = now()
    kind, why, message = _CONDITIONS[state]
    return {
        **status,
        "phase": _PHASES.get(state, state),
        "reason": reason,
        "value": None if state == "UNAVAILABLE" else observed.value,
        "pruned": state == "PRUNED",
        "completionTime": moment,
        "seconds": round(seconds, 6),
        "observation": {"metrics": observed.to_katib()},
        "conditions": [*status.get("conditions", ())[:1], condition(kind, why, reason or message, moment)],
        **extra,
    }


def state_of(status: Mapping[str, Any]) -> State:
    """A trial's state from its status."""
    if status.get("pruned"):
        return "PRUNED"
    kinds = status.get("conditions") or [{}]
    if kinds[-1].get("type") == "MetricsUnavailable":
        return "UNAVAILABLE"
    phase = status.get("phase") or "PENDING"
    return phase if phase in _COUNTS else "CANCELED"


def best_status(best: Best) -> dict[str, Any]:
    """Our ``best`` and upstream's ``currentOptimalTrial``."""
    return {
        "best": {
            "trial": best.trial,
            "number": best.number,
            "value": best.value,
            "parameters": best.parameters,
        },
        "currentOptimalTrial": {
            "bestTrialName": best.trial,
            "parameterAssignments": best.assignments,
            "observation": {"metrics": best.metrics},
        },
    }


@dataclass(frozen=True)
class Outcome:
    """Why an experiment is over: phase, upstream's reason, our sentence."""

    phase: str
    why: str
    reason: str


def outcome(
    tally: Tally, best: Best | None, objective: Objective, *, most: int | None, failures: int | None,
    forgiven: int = 0, exhausted: bool = False,
) -> Outcome | None:  # fmt: skip
    """Whether the experiment is over, by Katib's rules in Katib's order; None while it goes on.

    One rule is ours: where ``maxFailedTrialCount`` is not set and the first ten trials have all failed, it is over.
    """
    failed = tally.failed - forgiven
    if best is not None and objective.reached(best.value):
        text = f"Trial {best.number} reached the goal: {objective.name} is {best.value:.6g}."
        return Outcome("SUCCEEDED", "ExperimentGoalReached", text)
    if failures is not None and failed and failed >= failures:
        return Outcome(
            "FAILED", "ExperimentFailed", _failed(tally, f"{failed} trials failed, the most there may be")
        )
    if failures is None and best is None and failed >= _HOPELESS and failed == tally.completed - forgiven:
        return Outcome("FAILED", "ExperimentFailed", _failed(tally, f"The first {failed} trials all failed"))
    ended = (most is not None and tally.completed >= most) or (exhausted and tally.completed >= tally.total)
    if not ended:
        return None
    if best is None and tally.failed:
        return Outcome("FAILED", "ExperimentFailed", _failed(tally, "No trial succeeded"))
    why = (
        "ExperimentMaxTrialsReached"
        if most is not None and tally.completed >= most
        else "ExperimentSuggestionEndReached"
    )
    return Outcome("SUCCEEDED", why, _done(tally, best, objective))


_HOPELESS: Final = 10


def _failed(tally: Tally, what: str) -> str:
    reason = tally.common_failure().rstrip(".")
    return f"{what}: {reason}." if reason else f"{what}."


def _done(tally: Tally, best: Best | None, objective: Objective) -> str:
    parts = [f"{tally.total} trial{'' if tally.total == 1 else 's'}"]
    if tally.counts["PRUNED"]:
        parts.append(f"{tally.counts['PRUNED']} stopped early")
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    text = ", ".join(parts)
    return f"{text}; best {objective.name} {best.value:.6g} in trial {best.number}." if best else f"{text}."


def running_reason(
    tally: Tally, best: Best | None, objective: Objective, most: int | None, waiting: str = ""
) -> str:
    """One sentence for an experiment that goes on."""
    if waiting and not tally.counts["RUNNING"]:
        return waiting
    of = f" of {most}" if most is not None else ""
    text = f"{tally.completed}{of} trials done, {tally.counts['RUNNING']} running"
    text = f"{text}; best {objective.name} {best.value:.6g}." if best else f"{text}."
    return f"{text} They wait: {waiting}" if waiting else text


_KINDS: Final = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "CANCELED": "Failed", "RUNNING": "Running"}
_MESSAGES: Final = {
    "ExperimentCreated": "Experiment is created",
    "ExperimentRunning": "Experiment is running",
}


def experiment_conditions(
    before: Sequence[Mapping[str, str]], phase: str, why: str, message: str = ""
) -> list[dict[str, str]]:
    """The conditions with the present one at the end; those before it say False, as Katib writes them."""
    kind = _KINDS.get(phase, "Created")
    if before and before[-1].get("type") == kind and before[-1].get("reason") == why:
        return [dict(item) for item in before]
    moment = now()
    kept = [
        dict(item)
        for item in before
        if item.get("type") != kind and item.get("type") not in ("Succeeded", "Failed")
    ]
    for item in kept:
        if item["type"] != "Created" and item["status"] == "True":
            item |= {"status": "False", "lastUpdateTime": moment, "lastTransitionTime": moment}
    return [*kept, condition(kind, why, message or _MESSAGES.get(why, ""), moment)]


def lost(resource: Resource, phase: str, reason: str) -> Resource:
    """The truth about an experiment whose process is gone for good; its trials are settled when it is resumed."""
    status = dict(resource.status)
    why = "ExperimentFailed" if phase == "FAILED" else "ExperimentStopped"
    running = int(status.get("trialsRunning") or 0)
    status |= {
        "phase": phase,
        "reason": reason,
        "trialsRunning": 0,
        "runningTrialList": [],
        "trialsKilled": int(status.get("trialsKilled") or 0) + running,
        "conditions": experiment_conditions(status.get("conditions") or (), phase, why, reason),
    }
    return resource.with_(status=status)
