"""The experiment's own account of its trials: in memory what decisions need, everything else in the store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.codec import decode
from jupyter_ext.cluster.resource import Resource, new_uid, now
from jupyter_ext.tuning import status as words
from jupyter_ext.tuning.objective import Observed
from jupyter_ext.tuning.sampling import Past, Suggestion
from jupyter_ext.tuning.status import Best, Outcome, State, Tally

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.tuning.spec import Plan

SAVE_SECONDS: Final = 0.2
"""The experiment's own status is written at most this often while trials come and go."""


@dataclass
class Entry:
    """A trial that has not ended."""

    number: int
    name: str
    uid: str
    suggestion: Suggestion
    observed: Observed
    attempt: int = 1
    worker: int = 0
    begun: float = field(default_factory=time.time)
    curve: list[float] = field(default_factory=list)
    stopped: str = ""
    """Why it is being stopped, once it is."""


@dataclass(frozen=True)
class Ended:
    """How a trial ended. ``metrics`` is what it returned, ``extra`` what else its status is to say."""

    number: int
    state: State
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


class Ledger:
    """Trials of one experiment: each change is one transaction."""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan) -> None:
        self._cluster, self._resource, self._plan = cluster, resource, plan
        self.tally = Tally()
        self.best: Best | None = None
        self.running: dict[int, Entry] = {}
        self.next = 0
        self.waiting = ""
        self.parallel = 0
        self.total: int | None = plan.max_trials
        self._saved = 0.0
        self._dirty = True
        self._conditions = list(resource.status.get("conditions") or ())
        self.started = resource.status.get("startTime") or now()

    def restore(self) -> list[Past]:
        """Read what an earlier process has written; trials that had not ended are in ``running`` again."""
        with self._cluster.store.reading() as connection:
            rows = connection.execute(
                "SELECT name, uid, labels, status FROM resources WHERE owner = ? AND kind = 'Trial'"
                " ORDER BY json_extract(status, '$.number')",
                (self._resource.uid,),
            ).fetchall()
        past = [self._restored(name, uid, decode(labels), decode(text)) for name, uid, labels, text in rows]
        self.next = past[-1].number + 1 if past else 0
        return past

    def _restored(self, name: str, uid: str, labels: dict[str, str], status: dict[str, Any]) -> Past:
        state, number, values = words.state_of(status), int(status["number"]), dict(status["parameters"])
        value = status.get("value")
        value = float(value) if isinstance(value, int | float) else None
        suggestion = Suggestion(values, labels, status.get("parent"))
        if state in ("PENDING", "RUNNING"):
            entry = Entry(
                number, name, uid, suggestion, Observed(self._plan.objective), status.get("attempt", 1)
            )
            self.running[number] = entry
            self.tally.add("RUNNING", name)
            return Past(number, values, "RUNNING", None, 0, labels)
        self.tally.add(state, name)
        if state in ("FAILED", "UNAVAILABLE"):
            self.tally.blame(status.get("reason") or "")
        metrics = (status.get("observation") or {}).get("metrics") or []
        self._consider(name, number, state, value, values, metrics)
        shown = state if state in ("SUCCEEDED", "PRUNED") else "FAILED"
        return Past(number, values, shown, value, int(status.get("reports") or 0), labels)

    def open(self, suggestion: Suggestion, worker: int) -> Entry:
        """A new trial, not yet in the store."""
        number = self.next
        self.next += 1
        name = self.name_of(number)
        observed = Observed(self._plan.objective)
        entry = Entry(number, name, new_uid(), suggestion, observed, worker=worker)
        self.running[number] = entry
        self.tally.add("RUNNING", name)
        return entry

    def name_of(self, number: int) -> str:
        """What the trial of this number is called."""
        return f"{self._resource.name}-{number}"

    def write(self, begun: Iterable[Entry], ended: Iterable[tuple[Entry, Ended]]) -> None:
        """Write trials that begin and trials that have ended, and with them the experiment if that is due."""
        begun, ended = list(begun), list(ended)
        if not begun and not ended:
            return
        self._dirty = True
        store = self._cluster.store
        with store.transaction():
            for entry, end in ended:
                self._write_end(entry, end)
            for entry in begun:
                store.create(self._trial(entry))
            if time.monotonic() - self._saved >= SAVE_SECONDS:
                self.save()

    def again(self, entry: Entry) -> None:
        """A trial that was lost with its process is tried once more."""
        entry.attempt += 1
        entry.begun = time.time()
        entry.observed = Observed(self._plan.objective)
        entry.curve = []
        self._cluster.metrics.forget(entry.uid)
        status = self._trial(entry).status
        self._cluster.store.update("Trial", entry.name, lambda found: found.with_(status=status))

    def _trial(self, entry: Entry) -> Resource:
        plan, values = self._plan, entry.suggestion.values
        spec = words.trial_spec(plan.objective, plan.space, values)
        status = words.trial_status("RUNNING", entry.number, values, entry.attempt, now())
        labels = {words.EXPERIMENT_LABEL: self._resource.name, **entry.suggestion.labels}
        if plan.template.kind in ("job", "run"):
            status["job"] = {"kind": plan.template.manifest["kind"], "name": entry.name}
        if entry.suggestion.parent is not None:
            status["parent"] = entry.suggestion.parent
        return Resource.new(
            "Trial", entry.name, spec, uid=entry.uid, owner=self._resource.uid, labels=labels, status=status
        )

    def end(self, entry: Entry, end: Ended) -> Past:
        """Count the end of a trial; ``write`` makes it known."""
        del self.running[entry.number]
        self.tally.remove("RUNNING", entry.name)
        self.tally.add(end.state, entry.name)
        if end.state in ("FAILED", "UNAVAILABLE"):
            self.tally.blame(end.reason)
        values, value = entry.suggestion.values, entry.observed.value
        self._consider(entry.name, entry.number, end.state, value, values, entry.observed.to_katib())
        shown = end.state if end.state in ("SUCCEEDED", "PRUNED") else "FAILED"
        return Past(entry.number, values, shown, value, len(entry.curve), entry.suggestion.labels)

    def _consider(
        self, name: str, number: int, state: State, value: float | None, values: dict[str, Any],
        metrics: list[dict[str, str]],
    ) -> None:  # fmt: skip
        better = value is not None and self._plan.objective.better(
            value, self.best.value if self.best else None
        )
        if state == "SUCCEEDED" and value is not None and better:
            listed = words.assignments(self._plan.space, values)
            self.best = Best(name, number, value, values, listed, metrics)

    def _write_end(self, entry: Entry, end: Ended) -> None:
        extra: dict[str, Any] = {"attempt": entry.attempt, **end.extra}
        if entry.curve:
            extra["reports"] = len(entry.curve)

        def change(found: Resource) -> Resource:
            seconds = time.time() - entry.begun
            status = words.trial_ended(found.status, end.state, end.reason, entry.observed, seconds, extra)
            return found.with_(status=status)

        self._cluster.store.update("Trial", entry.name, change)

    def progress(self) -> float | None:
        """The part that is done, 0 to 1; None where no end is known."""
        return min(self.tally.completed / self.total, 1.0) if self.total else None

    def touch(self) -> None:
        """Something that the experiment's status says has changed."""
        self._dirty = True

    def save_if_due(self) -> None:
        """Write the experiment's status if it changed and was not written a moment ago."""
        if self._dirty and time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

    @property
    def unsaved(self) -> bool:
        """Whether a change waits to be written."""
        return self._dirty

    def save(self, end: Outcome | None = None, **extra: Any) -> None:
        """Write the experiment's status."""
        self._saved, self._dirty = time.monotonic(), False
        phase = end.phase if end else "RUNNING"
        why = end.why if end else "ExperimentRunning"
        reason = end.reason if end else words.running_reason(
            self.tally, self.best, self._plan.objective, self.total, self.waiting
        )  # fmt: skip
        self._conditions = words.experiment_conditions(self._conditions, phase, why, reason if end else "")
        status: dict[str, Any] = {
            "phase": phase,
            "reason": reason,
            "startTime": self.started,
            **self.tally.to_katib(),
            **(words.best_status(self.best) if self.best else {}),
            "progress": 1.0 if end and end.phase == "SUCCEEDED" else self.progress(),
            "parallel": self.parallel,
            "conditions": self._conditions,
            **extra,
        }
        if end:
            status["completionTime"] = now()
        self._cluster.store.update(self._resource.kind, self._resource.name, _replaced(status))


_LISTS: Final = frozenset(names for _, names in words._COUNTS.values())  # noqa: SLF001 - our own table


def _replaced(status: Mapping[str, Any]) -> Any:
    def write(found: Resource) -> Resource:
        kept = {key: value for key, value in found.status.items() if key not in _LISTS}
        merged = {**kept, **status}
        # A stop asked for meanwhile must not be painted over.
        if found.phase == "CANCELING" and status["phase"] == "RUNNING":
            merged |= {"phase": "CANCELING", "reason": found.reason}
        return found.with_(status=merged)

    return write
