"""The embedded controller of a compiled pipeline's run: one detached process that brings it to its end.

As with notebooks, nothing is known here that the store does not have: killed at any line it is started again, builds the same
tree, and takes what had succeeded from the record. Tasks start as soon as what they need has ended and the machine has room.
"""

from __future__ import annotations

import json
import selectors
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import Invalid, KubeflowError
from jupyter_ext.pipelines.compiled import inputs, outline, parsing, platform, reuse, scopes, spec
from jupyter_ext.pipelines.compiled import plan as plans
from jupyter_ext.pipelines.compiled.condition import is_true
from jupyter_ext.pipelines.compiled.importing import imported
from jupyter_ext.pipelines.compiled.placeholders import Placeholders, facts_of
from jupyter_ext.pipelines.compiled.progress import Progress, label
from jupyter_ext.pipelines.compiled.provision import Provider
from jupyter_ext.pipelines.compiled.reading import Document
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.scopes import Node, Scope
from jupyter_ext.pipelines.compiled.spec import Container, Importer
from jupyter_ext.pipelines.compiled.telling import Telling
from jupyter_ext.pipelines.compiled.unit import Outcome, Unit
from jupyter_ext.pipelines.compiled.volumes import is_task
from jupyter_ext.pipelines.status import seconds_between

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.devices import Request
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.compiled.progress import Unit as Key

TICK: Final = 0.1
"""Seconds between looks at leases and retries that no file descriptor announces."""


def reconcile(cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
    """Bring the run to its end; the entry point of the workload process."""
    try:
        controller = Controller(cluster, resource, stop)
        try:
            controller.run()
        finally:
            controller.close()
    except KubeflowError as error:
        failed = {"phase": "FAILED", "reason": str(error), "error": error.to_dict(), "completionTime": now()}

        def write(found: Resource) -> Resource:
            return found.with_(status={**found.status, **failed})

        cluster.store.update(resource.kind, resource.name, write)


class Controller:
    """One run. The tree is in ``scopes``; a unit is a node whose executor is being run."""

    def __init__(self, cluster: LocalCluster, resource: Resource, stop: threading.Event) -> None:
        self.cluster, self.resource, self.stopping = cluster, resource, stop
        told = json.loads(cluster.blobs.read(resource.spec["pipeline"]["digest"]))
        document = Document.from_dict(told)
        self.spec, self.platform = parsing.read(document.pipeline), platform.read(document.platforms)
        self.provider = Provider(cluster, resource)
        self.plan = plans.make(self.spec)
        plans.limit(self.plan, resource.spec.get("options", {}).get("resources") or {})
        self.use_cache = bool(resource.spec.get("options", {}).get("cache", True))
        self.folder = cluster.work_folder(resource.uid)
        self.base = Path(resource.spec["pipeline"]["path"] or ".").parent
        self.progress = Progress(cluster, resource, plans.pipeline(self.spec, self.plan, ""))
        self.telling = Telling(self.plan, self.progress)
        self.units: dict[Node, Unit] = {}
        self.full: set[Request] = set()
        """What the machine had no room for at the last look: nobody else of this run has to ask for it."""
        self.keys: dict[Node, str] = {}
        self.overdue = ""
        self.selector = selectors.DefaultSelector()
        told = inputs.of_run(self.spec.root.inputs, resource.spec.get("parameters", {}))
        self.root = Scope(self.spec, self.spec.root, (), (), told)

    def run(self) -> None:
        """Loop until every task is done or the run is stopped."""
        started = self.resource.status.get("startTime") or now()
        self.progress.record.save(startTime=started, error=None)
        begun, limit = time.monotonic(), self.platform.deadline
        while not self.stopping.is_set():
            while self._scope(self.root):
                pass
            self.progress.record.save()
            if self.root.done:
                break
            if limit and time.monotonic() - begun > limit:
                self.overdue = f"It ran longer than the {limit:g} s that it may"
                break
            self._wait()
            self._follow()
        if self._interrupted():
            return
        self._conclude(started)

    def close(self) -> None:
        """End every process and give back every lease."""
        for unit in self.units.values():
            unit.kill()
        self.selector.close()

    def _wait(self) -> None:
        if not self.selector.get_map():
            self.stopping.wait(TICK / 5)
            return
        self.selector.select(TICK if any(unit.waiting for unit in self.units.values()) else 5 * TICK)

    def _follow(self) -> None:
        self.full.clear()
        for node, unit in list(self.units.items()):
            outcome = unit.advance()
            if outcome is not None:
                del self.units[node]
                self.full.clear()
                self._done(node, outcome)

    def _interrupted(self) -> bool:
        """A signal that nobody here asked for (the machine is shutting down): the run goes on after it."""
        from jupyter_ext.cluster.local.workload import stop_requested

        return self.stopping.is_set() and not stop_requested(self.cluster, self.resource.uid)

    def _conclude(self, started: str) -> None:
        if self.root.done:
            self.progress.settle("Not reached.")
            failed = any(node.state == "FAILED" for node in self.root.nodes.values())
            phase = "FAILED" if failed else "SUCCEEDED"
        else:
            for unit in self.units.values():
                unit.kill()
            self.units.clear()
            self.progress.cancel()
            phase = "FAILED" if self.overdue else "CANCELED"
        ended = now()
        steps = self.progress.record.all()
        error = next((each["error"] | {"step": each["name"]} for each in steps if each.get("error")), None)
        if self.overdue:
            error = {"type": "DeadlineExceeded", "message": self.overdue}
        self.progress.record.save(
            phase,
            completionTime=ended,
            seconds=seconds_between(started, ended),
            error=error if phase == "FAILED" else None,
            outputs=self._outputs() if phase == "SUCCEEDED" else {},
        )

    def _outputs(self) -> dict[str, Any]:
        """The outputs of the pipeline itself."""
        top = Node(self.root, spec.Task("", ""), self.spec.root, (), ())
        top.inner = self.root
        found = scopes.outputs_of(top)
        return {
            **found.parameters,
            **{name: [one["uri"] for one in listed] for name, listed in found.artifacts.items()},
        }

    # What placeholders stand for

    def facts(self, node: Node, name: str, attempt: str) -> dict[str, str]:
        """About run and task."""
        return facts_of(self.resource, self.folder, node.task.name, f"{name}-{attempt}")

    # Deciding

    def _scope(self, scope: Scope) -> bool:
        """Do what can be done in a DAG now; True if something ended, so that more can be."""
        progressed = False
        for node in scope.nodes.values():
            if not node.done:
                progressed = self._node(node) or progressed
        return progressed

    def _node(self, node: Node) -> bool:
        if node in self.units:
            return False
        if node.iterations is not None:
            return self._loop(node)
        if node.inner is not None:
            return self._dag(node)
        if node.item is None:
            before = [node.scope.nodes[name] for name in node.task.before]
            waiting = [other.task.name for other in before if not other.done]
            if waiting:
                self.telling.waiting(node, waiting)
                return False
            if not node.task.always and (bad := next((o for o in before if o.state != "SUCCEEDED"), None)):
                self.telling.after(node, bad)
                return True
            node.fresh = node.scope.fresh or any(other.fresh for other in before)
        try:
            return self._enter(node)
        except Invalid as error:
            self._fail(node, error)
            return True

    def _fail(self, node: Node, error: KubeflowError) -> None:
        kind = "Invalid" if isinstance(error, Invalid) else type(error).__name__
        self.telling.failed(node, {"type": kind, "message": str(error)}, str(error))

    def _enter(self, node: Node) -> bool:
        """Begin a task whose predecessors have ended; True if that already was its end."""
        if node.item is None:
            node.inputs = scopes.resolve(node)
            if node.task.condition and not is_true(node.task.condition, node.inputs.parameters):
                self.telling.skipped(node, outline.why_false(node.task.condition, node.inputs.parameters))
                return True
            if node.task.iterator is not None:
                scopes.iterate(node)
                self.telling.expected(node)
                return True
        if node.component.dag is not None:
            inputs = self._texts(node)
            node.inner = Scope(self.spec, node.component, node.path, node.index, inputs, fresh=node.fresh)
            return True
        leaf = self.plan.leaves[node.path]
        if isinstance(leaf.executor, Importer):
            return self._import(node, leaf.executor, (leaf.name, node.index))
        if is_task(leaf.executor.image):
            return self._volume(node, leaf.executor, (leaf.name, node.index))
        return self._start(node, leaf.executor, (leaf.name, node.index))

    def _texts(self, node: Node) -> Results:
        """The inputs of a DAG, with the placeholders in its values replaced."""
        told = {"inputs": {"parameterValues": node.inputs.parameters, "artifacts": {}}, "outputs": {}}
        place = Placeholders(told, self.facts(node, "/".join(node.path), ""))
        found = {name: place.value(value) for name, value in node.inputs.parameters.items()}
        return Results(found, dict(node.inputs.artifacts))

    def _loop(self, node: Node) -> bool:
        assert node.iterations is not None
        assert node.task.iterator is not None
        limit = node.task.iterator.limit or len(node.iterations)
        begun = sum(not one.done and self._began(one) for one in node.iterations)
        progressed = False
        for one in node.iterations:
            if one.done or (not self._began(one) and begun >= limit):
                continue
            begun += not self._began(one)
            progressed = self._node(one) or progressed
        return self._ended_inside(node, node.iterations) or progressed

    def _began(self, node: Node) -> bool:
        return node.inner is not None or node.iterations is not None or node in self.units

    def _dag(self, node: Node) -> bool:
        assert node.inner is not None
        progressed = self._scope(node.inner)
        return self._ended_inside(node, list(node.inner.nodes.values())) or progressed

    def _ended_inside(self, node: Node, parts: list[Node]) -> bool:
        if not all(part.done for part in parts):
            return False
        node.fresh = any(part.fresh for part in parts)
        bad = next((part for part in parts if part.state in ("FAILED", "CANCELED")), None)
        if bad is not None:
            node.end("FAILED", bad.reason)
        else:
            node.results = scopes.outputs_of(node)
            node.end("SUCCEEDED")
            if node.iterations == []:
                self.telling.empty(node)
        return True

    # Leaves

    def _import(self, node: Node, importer: Importer, key: Key) -> bool:
        try:
            found = imported(node, importer, self.facts(node, key[0], ""), self.base)
        except KubeflowError as error:
            self.progress.start(key)
            self._fail(node, error)
            return True
        if isinstance(found, Container):
            # What is there now is not what an earlier run fetched.
            return self._start(node, found, key, reusable=False)
        self.progress.start(key)
        node.fresh = True
        self._done(node, Outcome("SUCCEEDED", results=found), key)
        return True

    def _volume(self, node: Node, container: Container, key: Key) -> bool:
        """Make or delete a volume, for which no process is started."""
        if self._taken_up(node, key):
            return True
        self.progress.start(key)
        node.fresh = True
        try:
            made = self.provider.volume(container.image, self._texts(node).parameters, label(key))
        except (KubeflowError, OSError) as error:
            told = {"type": type(error).__name__, "message": str(error)}
            self._done(node, Outcome("FAILED", error=told), key)
            return True
        self._done(node, Outcome("SUCCEEDED", results=Results(made)), key)
        return True

    def _taken_up(self, node: Node, key: Key) -> bool:
        """Whether it had succeeded before a restart, and what it rests on had too."""
        found = None if node.fresh else self.progress.recorded(key)
        if found is not None:
            node.results = found
            node.end("SUCCEEDED")
        return found is not None

    def _start(self, node: Node, container: Container, key: Key, *, reusable: bool = True) -> bool:
        if self._taken_up(node, key):
            return True
        node.fresh = True
        given = self._texts(node)
        inputs = given.parameters
        digest = self.cluster.blobs.put_bytes(json.dumps(given.to_dict()).encode())
        self.progress.update(key, inputDigest=digest)
        if reusable and node.task.cache and self.use_cache:
            try:
                rest = self.provider.facts(node, self.platform.of(node.component.executor))
            except KubeflowError as error:
                self._fail(node, error)
                return True
            self.keys[node] = reuse.key(node, container, inputs, rest)
            hit = reuse.look_up(self.cluster.store, self.keys[node])
            if hit is not None:
                text = f"Reused from run {hit.run}: nothing it depends on has changed."
                node.results = hit.results
                node.end("SUCCEEDED")
                moment = now()
                cache = {"key": self.keys.pop(node), "from": hit.run, "differs": [], "text": text}
                self.progress.update(key, startedAt=moment)
                self.progress.finish(key, "SUCCEEDED", text, hit.results, cached=True, cache=cache)
                return True
        try:
            unit = Unit(self, node, key, container)
        except KubeflowError as error:
            self._fail(node, error)
            return True
        outcome = unit.advance()
        if outcome is not None:
            self._done(node, outcome, key)
            return True
        self.units[node] = unit
        return False

    def _done(self, node: Node, outcome: Outcome, key: Key | None = None) -> None:
        key = key or (self.plan.leaves[node.path].name, node.index)
        found = self.keys.pop(node, None)
        if outcome.state == "SUCCEEDED" and outcome.results is not None:
            node.results = outcome.results
            if found is not None:
                reuse.remember(self.cluster.store, found, self.resource.name, outcome.results)
        self.progress.finish(
            key,
            outcome.state,
            outcome.reason,
            outcome.results,
            **({"error": outcome.error} if outcome.error else {}),
        )
        node.end(outcome.state, str(self.progress.status(key).get("reason", "")))
