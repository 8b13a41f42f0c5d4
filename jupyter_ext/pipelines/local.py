"""The embedded controller of a pipeline run: one detached process that brings one run to its end.

It owns no state that the store does not have: killed at any line, it is started again and goes on with what
had finished. Steps start as soon as what they need exists and the machine has room; every wait has a reason.
"""

from __future__ import annotations

import json
import selectors
import sys
import threading
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines import cache
from jupyter_ext.pipelines.early import taken
from jupyter_ext.pipelines.environment import environment_of
from jupyter_ext.pipelines.exchange import CellSource
from jupyter_ext.pipelines.executed import assemble
from jupyter_ext.pipelines.loop import LoopTask
from jupyter_ext.pipelines.model import ANY
from jupyter_ext.pipelines.plan import plan_of
from jupyter_ext.pipelines.record import Record
from jupyter_ext.pipelines.status import DONE, run_reason, seconds_between
from jupyter_ext.pipelines.task import Task, unpassable_together
from jupyter_ext.pipelines.versions import RANDOM, Inputs, rests_on, select, stale_because, visible
from jupyter_ext.pipelines.zygote import Zygote

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.model import Step
    from jupyter_ext.pipelines.zygote import Handle

TICK = 0.1
"""Seconds between looks at leases, timeouts and retries that no file descriptor announces."""


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Bring the run to its end; the entry point of the workload process."""
    early = None
    forked = taken()
    if forked is not None or not cache.probable(cluster.store, resource.spec):
        # It loads IPython while this process reads the notebook.
        early = fork_server(cluster)
        if forked is not None:
            early.adopt(*forked)
        early.warm()
    try:
        controller = Controller(cluster, resource, stop, early)
    except KubeflowError as error:
        if early is not None:
            early.close()
        _fail(cluster, resource, error)
        return
    try:
        controller.run()
    except KubeflowError as error:
        _fail(cluster, resource, error)
    finally:
        controller.close()


def _fail(cluster: LocalCluster, resource: Resource, error: KubeflowError) -> None:
    def write(found: Resource) -> Resource:
        status = {"phase": "FAILED", "reason": str(error), "error": error.to_dict(), "completionTime": now()}
        return found.with_(status={**found.status, **status})

    cluster.store.update(resource.kind, resource.name, write)


def _state_that_counts(step: Step, hidden: Mapping[str, str]) -> dict[str, str]:
    """The hidden state a step's result depends on, as far as can be seen: random state only if it draws."""
    draws = ANY in step.reads or any(effect.kind in ("rng", "unknown") for effect in step.effects)
    return {kind: d for kind, d in hidden.items() if kind != "warnings" and (draws or kind not in RANDOM)}


def _unkeyed_draw(task: Task, fields: Mapping[str, Any]) -> str:
    """A step that drew random numbers although nothing in its code showed it must not stand for another."""
    drawn = [kind for kind in fields.get("hidden", {}) if kind in RANDOM and kind in task.inputs.hidden]
    return "draws random numbers" if set(drawn) - set(task.parts.hidden) else ""


def _began(status: Mapping[str, Any]) -> bool:
    """Whether the step was given inputs: also one that then was skipped, by its own condition, or whose pod waits."""
    ran = status["state"] in ("RUNNING", "SUCCEEDED", "FAILED")
    return ran or (status["state"] in ("SKIPPED", "PENDING") and bool(status.get("used")))


def fork_server(cluster: LocalCluster) -> Zygote:
    """The server that a run's steps are forked from, not yet started."""
    return Zygote(cluster.home, cluster.namespace)


class Controller:
    """Schedules the steps of one run. Pure decisions live in ``versions``, ``status`` and ``cache``."""

    def __init__(
        self, cluster: LocalCluster, resource: Resource, stop: threading.Event, early: Zygote | None = None
    ) -> None:
        self.cluster, self.resource, self.stopping = cluster, resource, stop
        spec = resource.spec
        self.source = json.loads(cluster.blobs.read(spec["pipeline"]["digest"]))
        options = spec.get("options", {})
        self.plain, self.pipeline = plan_of(cluster, spec, self.source)
        self.fresh, scope = self._selection(options)
        self.record = Record(cluster, resource, self.plain, scope)
        self.use_cache = options.get("cache", True)
        self.lenient = bool(options.get("lenient"))
        self.tasks: dict[str, Task] = {}
        self.holders: dict[str, Handle] = {}
        self.selector = selectors.DefaultSelector()
        self._zygote = early
        self._started = False
        self._counts = self._execution_counts()

    def _selection(self, options: dict[str, Any]) -> tuple[set[str], set[str]]:
        """Steps that must not come from the cache, and steps of this run."""
        names = {step.name for step in self.plain.steps}
        if only := options.get("only"):
            return {only}, {only, *self.plain.ancestors(only)}
        if start := options.get("from"):
            return {start, *self.plain.descendants(start)}, names
        return set(), names

    def _execution_counts(self) -> dict[str, int]:
        order = sorted((cell.index, step.name) for step in self.plain.steps for cell in step.cells)
        counts: dict[str, int] = {}
        for before, (_, name) in enumerate(order):
            counts.setdefault(name, before)
        return counts

    @property
    def zygote(self) -> Zygote:
        """The fork server, started when the first step has to execute."""
        if self._zygote is None:
            self._zygote = fork_server(self.cluster)
        if not self._started:
            self._started = True
            cells = [CellSource(c.index, c.id, c.source) for step in self.pipeline.steps for c in step.cells]
            self._zygote.start(self.plain.preload, cells)
        return self._zygote

    def run(self) -> None:
        """Loop until every step is done or the run is stopped."""
        started = self.resource.status.get("startTime") or now()
        environment = environment_of(self.plain.path, self.source)
        self.record.save(startTime=started, environment=environment.quick())
        while not self.stopping.is_set():
            self._start_ready()
            self.record.save()
            if not self.tasks and all(self.record.state(name) in DONE for name in self.record.scope):
                break
            self._wait()
            self._step_tasks()
        if not self._interrupted():
            self._conclude(started, environment.full())

    def close(self) -> None:
        """End every process and give back every lease."""
        for task in list(self.tasks.values()):
            task.abandon()
        for holder in self.holders.values():
            holder.kill()
        if self._zygote is not None:
            self._zygote.close()
        self.selector.close()

    # Deciding what starts

    def _start_ready(self) -> None:
        progressed = True
        while progressed:
            progressed = False
            for name in self.record.scope:
                if name in self.tasks or self.record.state(name) != "PENDING":
                    continue
                progressed = self._consider(self.pipeline.step(name)) or progressed

    def _consider(self, step: Step) -> bool:
        """Start, skip or finish a waiting step; True if its state changed to a final one."""
        name = step.name
        parents = self.record.parents(name)
        waiting = [parent for parent in parents if self.record.state(parent) not in DONE]
        if waiting:
            if not self.record[name]["reason"].startswith("Run again"):
                listed = sorted(waiting, key=self.record.position.__getitem__)
                self.record.update(name, reason=f"Waiting for {', '.join(listed[:3])}.")
            return False
        blocker = self._blocked_by(name, parents)
        if blocker:
            self.record.finish(
                name, "SKIPPED", f"Not run because step {blocker} did not succeed.", blocked=True
            )
            return True
        seen = visible(self.record.finished(self._known_before(name)))
        inputs = select(step, seen)
        missing = self._skipped_source(step, inputs)
        if missing:
            self.record.finish(name, "SKIPPED", missing)
            return True
        return self._reuse_or_start(step, inputs)

    def _known_before(self, name: str) -> Iterable[str]:
        if self.plain.order == "notebook":
            place = self.record.position[name]
            return [other for other in self.record.scope if self.record.position[other] < place]
        found: set[str] = set()
        stack = list(self.record.parents(name))
        while stack:
            current = stack.pop()
            if current not in found:
                found.add(current)
                stack.extend(self.record.parents(current))
        return found

    def _blocked_by(self, name: str, parents: set[str]) -> str | None:
        bad = [p for p in parents if self._went_wrong(p)]
        if not bad and self.plain.order == "notebook":
            # A plain run stops at the first failure: nothing after it starts.
            place = self.record.position[name]
            before = [other for other in self.record.scope if self.record.position[other] < place]
            bad = [other for other in before if self.record.state(other) in ("FAILED", "CANCELED")]
        return min(bad, key=self.record.position.__getitem__) if bad else None

    def _went_wrong(self, name: str) -> bool:
        status = self.record[name]
        return status["state"] in ("FAILED", "CANCELED") or bool(status.get("blocked"))

    def _skipped_source(self, step: Step, inputs: Inputs) -> str | None:
        """The reason to skip a step whose input was to come from a step whose condition was false."""
        given = inputs.names
        for name in step.reads:
            if name in given:
                continue
            for parent in self.record.parents(step.name):
                skipped = self.record.state(parent) == "SKIPPED" and name in self.pipeline.step(parent).writes
                if skipped:
                    return (
                        f"Skipped because it needs `{name}`, which step {parent} was skipped before making."
                    )
        return None

    def _reuse_or_start(self, step: Step, inputs: Inputs) -> bool:
        name = step.name
        parts = self._parts(step, inputs)
        used = {"used": dict(inputs.made_by), "usedHidden": dict(inputs.hidden_by)}
        why: dict[str, Any] = {"key": parts.key, "from": None, "differs": [], "text": ""}
        if self._cacheable(step) and not inputs.live:
            found = self._cached(name, parts)
            if isinstance(found, cache.Hit):
                text = f"Reused from run {found.run}: nothing it depends on has changed."
                why |= {"from": found.run, "text": text}
                moment = now()
                times = {"queuedAt": moment, "startedAt": moment, "finishedAt": moment}
                self.record.finish(
                    name, "SUCCEEDED", text, cached=True, cache=why, **times, **used, **found.result
                )
                self._check_later(name)
                return True
            why |= {"differs": list(found.differs), "text": found.text}
        else:
            why["text"] = "The cache was not asked for this step."
        task = self._task(step, inputs, parts)
        if task.begin({"cache": why, **used}):
            self.tasks[name] = task
        return False

    def _parts(self, step: Step, inputs: Inputs) -> cache.Parts:
        hidden = _state_that_counts(step, inputs.hidden)
        return cache.parts_of(
            step, self.plain, self.resource.spec.get("parameters", {}), inputs.contents, hidden
        )

    def _cached(self, name: str, parts: cache.Parts) -> cache.Hit | cache.Miss:
        return cache.look_up(
            self.cluster.store, self.cluster.blobs, self._scope_key, name, parts, lenient=self.lenient
        )

    def _task(self, step: Step, inputs: Inputs, parts: cache.Parts) -> Task:
        together = step.foreach is not None and step.foreach.parallel and not inputs.live
        return (LoopTask if together else Task)(self, step, inputs, parts)

    def _cacheable(self, step: Step) -> bool:
        if step.name in self.fresh or step.cache is False:
            return False
        return bool(self.use_cache)

    @property
    def _scope_key(self) -> str:
        return str(self.resource.spec["pipeline"]["path"] or self.plain.name)

    # Following what runs

    def _wait(self) -> None:
        if not self.selector.get_map():
            self.stopping.wait(TICK)
            return
        waiting = any(task.waiting for task in self.tasks.values())
        queued = any(self.record.state(name) == "PENDING" for name in self.record.scope)
        self.selector.select(TICK if waiting or queued else 5 * TICK)

    def _step_tasks(self) -> None:
        for name, task in list(self.tasks.items()):
            if self.tasks.get(name) is not task:
                continue  # one before it had it dropped, to run again
            outcome = task.advance()
            if outcome is None:
                continue
            del self.tasks[name]
            self.record.finish(name, outcome.state, outcome.reason, **outcome.fields)
            if outcome.state == "SUCCEEDED":
                self._keep(task, outcome.fields)
                self._check_later(name)

    def _keep(self, task: Task, fields: dict[str, Any]) -> None:
        """Remember a result in the cache unless it cannot be restored from there."""
        if fields.get("live"):
            return
        observed = fields.get("observed", {})
        why = "" if task.step.cache else observed.get("why", "") or _unkeyed_draw(task, fields)
        kept = ("outputs", "deleted", "hidden", "outputsDigest", "metrics", "artifacts", "files")
        result = {key: fields[key] for key in kept if key in fields}
        cache.remember(
            self.cluster.store, self._scope_key, task.step.name, task.parts, self.resource.name, result,
            observed, why,
        )  # fmt: skip

    def _check_later(self, name: str) -> None:
        """Run again what had already read a version that this step has now replaced."""
        place = self.record.position[name]
        for other in self.record.scope:
            status = self.record[other]
            if self.record.position[other] <= place or not _began(status):
                continue
            if name in status.get("edgesAdded", ()) or name in self.plain.parents(other):
                continue
            what = stale_because(
                self.record[name], status, self.record.position, self._reads(other),
                hidden_counts=self.plain.order == "notebook",
            )  # fmt: skip
            if what:
                self._again(other, name, f"Run again because step {name} changed {what}, which it had read.")

    def _reads(self, name: str) -> tuple[str, ...]:
        return tuple(read for read in self.pipeline.step(name).reads if read != ANY)

    def _again(self, name: str, because: str, reason: str) -> None:
        """Drop what a step left, and what came of that: what rests on it waits for it and runs again too."""
        self.record.extra_parents[name].add(because)
        dropped = [name]
        for other in self.record.scope[self.record.scope.index(name) + 1 :]:
            rests = {before for before in dropped if self._rests_on(other, before)}
            if rests or self.record.parents(other).intersection(dropped):
                self.record.extra_parents[other] |= rests - set(self.plain.parents(other))
                dropped.append(other)
            elif self.record[other].get("blocked"):
                self.record.queue(other)
        for other in dropped:
            task = self.tasks.pop(other, None)
            if task is not None:
                task.abandon()
            if self.record.state(other) != "PENDING":
                text = reason if other == name else f"Run again because step {name} is run again."
                self.record.queue(other, text)

    def _rests_on(self, name: str, earlier: str) -> bool:
        status = self.record[name]
        return _began(status) and rests_on(status, earlier, hidden_counts=self.plain.order == "notebook")

    # The end

    def _interrupted(self) -> bool:
        """A signal that nobody here asked for (the machine is shutting down): the run goes on after it."""
        from jupyter_ext.cluster.local.workload import stop_requested

        return self.stopping.is_set() and not stop_requested(self.cluster, self.resource.uid)

    def _conclude(self, started: str, environment: dict[str, Any]) -> None:
        states = {name: self.record.state(name) for name in self.record.scope}
        if self.stopping.is_set() and not all(state in DONE for state in states.values()):
            phase = "CANCELED"
            for name, state in states.items():
                if state in DONE:
                    continue
                task = self.tasks.pop(name, None)
                if task is not None:
                    task.abandon()
                self.record.finish(
                    name, "CANCELED", "Stopped." if state == "RUNNING" else "Stopped before it began."
                )
        else:
            phase = "FAILED" if "FAILED" in states.values() else "SUCCEEDED"
        registered = self._registered() if phase == "SUCCEEDED" else None
        ended = now()
        error = next((s["error"] | {"step": s["name"]} for s in self.record.all() if s.get("error")), None)
        self.record.save(
            phase,
            completionTime=ended,
            seconds=seconds_between(started, ended),
            error=error if phase == "FAILED" else None,
            outputsDigest=self._executed(),
            environment=environment,
            **self._told(registered),
        )

    def _told(self, registered: dict[str, Any] | None) -> dict[str, Any]:
        """What the run's status says of the model."""
        if not registered:
            return {}
        from jupyter_ext.registry.made import sentence

        reason = f"{run_reason('SUCCEEDED', self.record.all())} {sentence(registered)}"
        return {"registered": registered, "reason": reason}

    def _registered(self) -> dict[str, Any] | None:
        """Register the model where that was asked for; what the status says of it."""
        asked = self.resource.spec["options"].get("register")
        if not asked:
            return None
        from jupyter_ext.registry.made import at_end_of

        self.record.save(reason="Registering the model.")
        return at_end_of("Run", self.resource.name, asked)

    def _executed(self) -> str:
        sources = {
            cell.index: cell.source
            for step in self.pipeline.steps
            for cell, plain in zip(step.cells, self.plain.step(step.name).cells, strict=True)
            if cell.source != plain.source
        }
        done = assemble(self.source, sources, self.record.all(), self.cluster.blobs, self.resource.name)
        return self.cluster.blobs.put_bytes(
            json.dumps(done, ensure_ascii=False).encode(errors="surrogatepass")
        )

    # What tasks need

    def execution_count(self, step: Step) -> int:
        """Number of code cells before the step's first one."""
        return self._counts.get(step.name, 0)

    def wanted_after(self, name: str) -> tuple[str, ...]:
        """Names that steps after this one read, or that are the pipeline's metrics."""
        place = self.record.position[name]
        later = [
            s
            for s in self.pipeline.steps
            if self.record.position[s.name] > place and s.name in self.record.scope
        ]
        names = {read for step in later for read in step.reads}
        asked = (self.resource.spec["options"].get("register") or {}).get("value")
        names |= {asked} if asked else set()
        return (ANY,) if ANY in names else tuple(sorted(names | set(self.plain.metrics)))

    def log_path(self, unit: str, attempt: int) -> Path:
        """Where the process of a step, or of one iteration, writes what it prints."""
        return self.cluster.log(self.resource.uid, unit, attempt).path

    def hold(self, name: str, handle: Handle, live: Iterable[str]) -> None:
        """Keep the process of a step that left values which cannot be stored, while they are wanted."""
        if any(self.wants_live(value) for value in live):
            self.holders[name] = handle
        else:
            handle.kill()

    def require_holders(self, step: Step, inputs: Inputs) -> None:
        """Raise Invalid if the live values that a step needs are not in one process that is still there."""
        holders = {id(self.holders[name]) for name in inputs.holders if name in self.holders}
        if len(holders) <= 1 and all(name in self.holders for name in inputs.holders):
            return
        name, holder = next(iter(inputs.live.items()))
        lost = self.record[holder].get("live", {}).get(name, {})
        raise unpassable_together(name, step.name, holder, lost)

    def wants_live(self, name: str) -> bool:
        """Whether a step that is not done reads this name."""
        return any(
            name in step.reads or ANY in step.reads
            for step in self.pipeline.steps
            if step.name in self.record.scope and self.record.state(step.name) not in DONE
        )


if __name__ == "__main__":
    sys.exit("A run's controller is started with the run: jupyter kf run NOTEBOOK.")
