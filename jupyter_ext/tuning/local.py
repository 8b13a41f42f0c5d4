"""The embedded controller of an experiment: one detached process that brings one experiment to its end.

The sampler is in its memory; what is true is in the store. Killed at any line, it is started again, learns from the
trials that are written down, keeps those that finished meanwhile, and begins the others again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.processes import readable
from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import KubeflowError
from jupyter_ext.registry.made import ANNOTATION, at_end, sentence
from jupyter_ext.tuning import spec as specs
from jupyter_ext.tuning.folder import Folder
from jupyter_ext.tuning.ledger import Ended, Entry, Ledger
from jupyter_ext.tuning.registering import drop
from jupyter_ext.tuning.status import Outcome, experiment_conditions, outcome
from jupyter_ext.tuning.stopping import Medians
from jupyter_ext.tuning.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.runner import Runner
    from jupyter_ext.tuning.sampling import Past, Suggestion
    from jupyter_ext.tuning.spec import Plan

TICK: Final = 0.05
"""Seconds between looks at reports, leases and jobs, which no file descriptor announces."""
REREAD: Final = 0.5
"""Seconds between looks at the spec, which may be given more trials."""


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Bring the experiment to its end; the entry point of the workload process."""
    controller = None
    try:
        plan = specs.read(resource)
        controller = Controller(cluster, resource, plan, stop)
        controller.run()
    except KubeflowError as error:
        _fail(cluster, resource, error)
    finally:
        if controller is not None:
            controller.close()


def _fail(cluster: LocalCluster, resource: Resource, error: KubeflowError) -> None:
    text = str(error)
    for note in getattr(error, "__notes__", ()):
        print(note, flush=True)  # noqa: T201 - into the workload's log

    def write(found: Resource) -> Resource:
        before = found.status.get("conditions") or ()
        conditions = experiment_conditions(before, "FAILED", "ExperimentFailed", text)
        status = {"phase": "FAILED", "reason": text, "error": error.to_dict(), "completionTime": now()}
        return found.with_(status={**found.status, **status, "conditions": conditions})

    cluster.store.update(resource.kind, resource.name, write)


class Controller:
    """Asks the sampler, starts trials, follows them, and writes down what became of them."""

    def __init__(self, cluster: LocalCluster, resource: Resource, plan: Plan, stop: threading.Event) -> None:
        from jupyter_ext.tuning import runner

        self._cluster, self._resource, self._plan, self._stop = cluster, resource, plan, stop
        self._folder = Folder(cluster, resource.uid)
        self._runner: Runner = runner.make(cluster, resource, plan, self._folder)
        self._runner.warm()  # it loads while the sampler does
        self._ledger = Ledger(cluster, resource, plan)
        self._sampler = plan.sampler()
        self._workers = Workers(cluster, resource, plan)
        self._medians = Medians(plan.stopping, plan.objective.sign) if plan.stopping else None
        self._forgiven = int(resource.status.get("forgiven") or 0)
        self._kill_at: dict[int, float] = {}
        self._kept = ""
        self._followed = self._reread_at = 0.0
        self._generation = resource.generation
        self._exhausted = False

    def run(self) -> None:
        """Loop until the experiment is over or stopped."""
        self._restore()
        self._ledger.save()
        end = self._over()
        while end is None and not self._stop.is_set():
            self._begin([])
            self._wait()
            self._look()
            self._reread()
            end = self._over()
            self._ledger.save_if_due()
        if end is None and not self._asked_to_stop():
            return  # the machine is going down: it goes on after that
        self._conclude(end or Outcome("CANCELED", "ExperimentStopped", "Stopped."))

    def close(self) -> None:
        """End every process and give back every lease."""
        self._runner.close()
        self._workers.close()

    # Taking up

    def _restore(self) -> None:
        past = self._ledger.restore()
        if not past:
            return
        self._sampler.restore(past)
        if self._medians is not None:
            self._restore_medians(past)
        ended = []
        for entry in list(self._ledger.running.values()):
            self._runner.follow(entry)
            found = self._runner.adopt(entry)
            if isinstance(found, Ended):
                ended.append(found)
            elif not found:
                if not self._workers.assign(entry, self._stop, leased=self._runner.leased):
                    return
                self._ledger.again(entry)
                self._runner.follow(entry)
                self._start(entry)
            else:
                self._workers.assign(entry, self._stop, leased=False)
        self._finish(ended)

    def _restore_medians(self, past: list[Past]) -> None:
        assert self._medians is not None
        name = self._plan.objective.name
        uids = dict(self._uids())
        for trial in past:
            if trial.state == "SUCCEEDED":
                points = self._cluster.metrics.read(uids[trial.number], names=[name], limit=512).points
                self._medians.succeeded([point.value for point in points])

    def _uids(self) -> Iterable[tuple[int, str]]:
        with self._cluster.store.reading() as connection:
            return connection.execute(
                "SELECT json_extract(status, '$.number'), uid FROM resources WHERE owner = ? AND kind = 'Trial'",
                (self._resource.uid,),
            ).fetchall()

    # What starts

    def _begin(self, ended: list[tuple[Entry, Ended]]) -> None:
        """Ask for as many trials as there is room for, write them down together with what ended, start them."""
        begun = []
        while (worker := self._room()) is not None:
            suggestion = self._suggest()
            if suggestion is None:
                break
            entry = self._ledger.open(suggestion, worker)
            self._workers.occupy(entry)
            begun.append(entry)
        self._clear_checkpoints()
        if begun or ended:
            self._ledger.parallel = len(self._ledger.running)
            self._ledger.write(begun, ended)
        for entry in begun:
            self._runner.follow(entry)
            self._start(entry)

    def _start(self, entry: Entry) -> None:
        parent = entry.suggestion.parent
        if parent is not None:
            self._folder.inherit(entry.name, self._ledger.name_of(parent))
        self._runner.start(entry, self._workers.lease(entry))

    def _room(self) -> int | None:
        """A worker that is free to begin a trial; None if there is none, or no more trials are wanted."""
        most = self._plan.max_trials
        if self._exhausted or (most is not None and self._ledger.tally.total >= most):
            return None
        if self._stop.is_set() or self._over() is not None:
            return None
        failures = self._plan.max_failed
        if failures is not None and self._ledger.tally.failed - self._forgiven >= failures > 0:
            return None
        free = self._workers.free(leased=self._runner.leased)
        waiting = self._workers.waiting or self._runner.waiting
        if free is None and waiting != self._ledger.waiting:
            self._ledger.waiting = waiting
            self._ledger.touch()
        return free

    def _suggest(self) -> Suggestion | None:
        suggestion = self._sampler.ask(self._ledger.next)
        total = self._sampler.total
        self._exhausted = total is not None and self._ledger.next + (suggestion is not None) >= total
        if total is not None:
            most = self._plan.max_trials
            self._ledger.total = total if most is None else min(total, most)
        return suggestion

    def _clear_checkpoints(self) -> None:
        """Remove the checkpoints that nothing goes on from, but that of the best trial."""
        best = self._ledger.best
        for number in self._sampler.spent():
            if best is None or number != best.number:
                self._folder.drop(self._ledger.name_of(number))

    # What runs

    def _wait(self) -> None:
        files = self._runner.files()
        if files:
            readable(files, TICK)
        else:
            self._stop.wait(TICK)

    def _look(self) -> None:
        """Take in what has ended and what was reported."""
        ended = self._runner.poll()
        moment = time.monotonic()
        if moment - self._followed >= TICK:
            self._followed = moment
            for entry in list(self._ledger.running.values()):
                self._report(entry)
            for number, due in list(self._kill_at.items()):
                if moment >= due:
                    del self._kill_at[number]
                    self._runner.kill(number)
        for entry in self._runner.lost():
            self._ledger.again(entry)
            self._runner.follow(entry)
            self._start(entry)
        self._finish(ended)

    def _reread(self) -> None:
        """Take up a change of the numbers of trials that somebody made meanwhile."""
        moment = time.monotonic()
        if moment - self._reread_at < REREAD:
            return
        self._reread_at = moment
        with self._cluster.store.reading() as connection:
            row = connection.execute(
                "SELECT generation FROM resources WHERE uid = ?", (self._resource.uid,)
            ).fetchone()
        if row is None or row[0] == self._generation:
            return
        self._generation = row[0]
        plan = specs.read(self._cluster.store.get(self._resource.kind, self._resource.name))
        self._plan = plan
        self._ledger.total = plan.max_trials
        self._workers.resize(plan)

    def _report(self, entry: Entry, *, last: bool = False) -> None:
        points = self._runner.read(entry, last=last)
        if not points:
            return
        name = self._plan.objective.name
        for point in points:
            entry.observed.add(point.name, point.value)
            if point.name == name:
                entry.curve.append(point.value)
        if self._runner.keeps_points:
            self._cluster.metrics.append(entry.uid, points)
        if self._medians is not None and not entry.stopped and not last:
            verdict = self._medians.verdict(entry.curve)
            if verdict:
                entry.stopped = verdict
                self._runner.ask_to_stop(entry)
                self._kill_at[entry.number] = time.monotonic() + self._runner.grace

    def _finish(self, ended: Iterable[Ended]) -> None:
        """Trials that have ended: learn from them, and begin others with the same transaction."""
        done: list[tuple[Entry, Ended]] = []
        for end in ended:
            entry = self._ledger.running.get(end.number)
            if entry is None:
                continue
            self._report(entry, last=True)
            entry.observed.result(end.metrics)
            final = self._judged(entry, end)
            past = self._ledger.end(entry, final)
            self._sampler.tell(past)
            if self._medians is not None and final.state == "SUCCEEDED":
                self._medians.succeeded(entry.curve)
            self._workers.vacate(entry)
            self._kill_at.pop(entry.number, None)
            done.append((entry, final))
        if done:
            self._begin(done)
            for entry, final in done:
                self._runner.finished(entry, final)
                self._folder.clear(entry)
            self._forget_models([entry.name for entry, _ in done])

    def _forget_models(self, ended: Iterable[str]) -> None:
        """Of the models that trials returned only the best one's is kept."""
        best = self._ledger.best.trial if self._ledger.best else ""
        for name in {*ended, self._kept} - {best, ""}:
            drop(self._folder.checkpoint(name))
        self._kept = best

    def _judged(self, entry: Entry, end: Ended) -> Ended:
        """A trial that ended well without a value of the objective has not succeeded."""
        if end.state not in ("SUCCEEDED", "PRUNED"):
            return end
        value = entry.observed.value
        if value is None:
            text = entry.observed.missing(self._runner.verb)
            reason = f"{text[0].upper()}{text[1:]}."
            return Ended(end.number, "UNAVAILABLE", reason, end.metrics, end.extra)
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN differs from itself
            reason = f"Its {self._plan.objective.name} is {value}."
            return Ended(end.number, "FAILED", reason, end.metrics, end.extra)
        return end

    # The end

    def _over(self) -> Outcome | None:
        plan = self._plan
        return outcome(
            self._ledger.tally, self._ledger.best, plan.objective, most=plan.max_trials,
            failures=plan.max_failed, forgiven=self._forgiven,
            exhausted=self._exhausted and not self._ledger.running,
        )  # fmt: skip

    def _asked_to_stop(self) -> bool:
        from jupyter_ext.cluster.local.workload import stop_requested

        return stop_requested(self._cluster, self._resource.uid)

    def _conclude(self, end: Outcome) -> None:
        reason = (
            "Stopped with the experiment."
            if end.phase == "CANCELED"
            else f"Not needed any more. {end.reason}"
        )
        canceled = []
        for entry in list(self._ledger.running.values()):
            self._runner.kill(entry.number)
            self._runner.forget(entry.number)
            final = Ended(entry.number, "CANCELED", reason)
            self._ledger.end(entry, final)
            canceled.append((entry, final))
        self._ledger.parallel = 0
        more = self._registered(end)
        if more:
            end = replace(end, reason=f"{end.reason} {sentence(more['registered'])}")
        with self._cluster.store.transaction():
            self._ledger.write([], canceled)
            self._ledger.save(end, seconds=seconds_since(self._ledger.started), **more)

    def _registered(self, end: Outcome) -> dict[str, Any]:
        """Register the best model where that was asked for; what the status says of it."""
        if end.phase != "SUCCEEDED" or ANNOTATION not in self._resource.annotations:
            return {}
        self._ledger.save()
        found = at_end("Experiment", self._resource.name, self._resource.annotations)
        return {"registered": found} if found else {}


def seconds_since(started: Any) -> float | None:
    """Seconds since a time in the form of the store."""
    from datetime import UTC, datetime

    if not started:
        return None
    return round((datetime.now(UTC) - datetime.fromisoformat(str(started))).total_seconds(), 3)
