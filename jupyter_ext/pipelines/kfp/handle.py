"""A run on a Kubeflow Pipelines server: the handle of a run on this machine, whose every property asks the server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from jupyter_ext.cluster.resource import Resource, make_name
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unavailable
from jupyter_ext.pipelines.handle import Run
from jupyter_ext.pipelines.kfp import reasons, starting, steps
from jupyter_ext.pipelines.kfp.absent import Absent
from jupyter_ext.pipelines.status import DONE, error_sentence, progress, run_reason, seconds_between

if TYPE_CHECKING:
    import threading

    from jupyter_ext.pipelines.kfp.server import Json, Server

FIRST_SECONDS: Final = 1.0
LAST_SECONDS: Final = 5.0
"""Between two looks at a run: a server tells of no changes by itself."""
FAILED: Final = "The run failed."
"""The reason where nobody says one."""
PLACE: Final = "kfp"
"""What a run's ``spec.place`` has as its kind."""
_PHASES: Final = {"RUNTIME_STATE_UNSPECIFIED": "PENDING", "": "PENDING"}


class Elsewhere:
    """The doors of ``jupyter_ext.pipelines.handle`` where runs go to a server."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def start(
        self,
        path: Any,
        content: Mapping[str, Any] | None,
        given: Mapping[str, object],
        options: Mapping[str, Any],
    ) -> KfpRun:
        """Check it and create the run. Raises Invalid, Unfit, and what the server refuses."""
        found = starting.source(path, content, given, options)
        told = Path(path).name if isinstance(path, str | Path) else ""
        description = f"{found.title}, from {told}." if told else found.title
        return KfpRun.of(self.server, starting.start(self.server, found, options, description=description))

    def found(self, name: str) -> KfpRun | None:
        """The run of that name or identity. Raises Unavailable, unless this machine has one of that name."""
        try:
            return KfpRun.of(self.server, self.server.find_run(name))
        except NotFound:
            return None
        except Unavailable:
            from jupyter_ext.cluster import discover

            with suppress(NotFound):
                discover.current().get("Run", name)
                return None
            raise

    def runs(self, limit: int, state: str | None, pipeline: str | None) -> list[tuple[str, Run]]:
        """The newest, each with the time of its creation."""
        found: list[tuple[str, Run]] = []
        for each in self.server.runs(state):
            if pipeline is None or pipeline.lower() in str(each.get("display_name")).lower():
                found.append((str(each.get("created_at") or ""), KfpRun.of(self.server, each)))
            if len(found) >= limit:
                break
        return found


class KfpRun(Absent):
    """One run, by the identity that the server gave it. ``name`` is for people, and need not be unique."""

    def __init__(self, name: str, server: Server, identity: str) -> None:
        self._server, self.id = server, identity
        self.name, self.kind = name, self._kind
        self._spec: Json | None = None
        self._failures: dict[str, Json] = {}

    @classmethod
    def of(cls, server: Server, run: Mapping[str, Any]) -> Self:
        """The handle of what the server answered with."""
        return cls(str(run.get("display_name") or run["run_id"]), server, str(run["run_id"]))

    # What it is

    @property
    def resource(self) -> Resource:
        """The run in the form of all runs; one request, and one for the log of each step that failed."""
        return self.told(self._run())

    def told(self, run: Mapping[str, Any], *, is_line: bool = False, ask: bool | None = None) -> Resource:
        """The same of an answer that is there. ``is_line``: for a list. ``ask``: for reasons elsewhere; by default not for a list."""
        ask = not is_line if ask is None else ask
        found = self._outline(run)
        listed = steps.statuses(run, found) if found is not None else []
        phase = _phase(run)
        status: Json = {"phase": phase, "steps": listed, "progress": progress(listed)}
        self._explain(run, phase, listed, status, ask=ask)
        started, ended = run.get("created_at"), steps.moment(run.get("finished_at"))
        status |= {"startTime": started} | ({"completionTime": ended} if ended else {})
        status["seconds"] = seconds_between(started, ended)
        spec = self._spec_of(run, found)
        if is_line:
            del spec["pipeline"]["graph"]
        made = Resource.new("Run", self.name, spec, uid=self.id, created=str(started or ""))
        return made.with_(namespace=self._server.namespace, status=status)

    def _spec_of(self, run: Mapping[str, Any], found: steps.Outline | None) -> Json:
        graph = found.pipeline.to_dict(sources=False) if found is not None else {}
        return {
            "displayName": self.name,
            "description": str(run.get("description") or ""),
            "pipeline": {"name": graph.get("name", self.name), "path": "", "format": "kfp", "graph": graph},
            "parameters": dict((run.get("runtime_config") or {}).get("parameters") or {}),
            "options": {},
            "trigger": f"schedule:{run['recurring_run_id']}" if run.get("recurring_run_id") else "manual",
            "place": {"kind": PLACE, "server": self._server.address, "experiment": run.get("experiment_id")},
        }

    @property
    def phase(self) -> str:
        """PENDING, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELING, CANCELED or SKIPPED; one request."""
        return _phase(self._run())

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more by itself."""
        return Resource.new("Run", "x", status={"phase": self.phase}).finished

    @property
    def compiled(self) -> bool:
        """Whether it is of a compiled pipeline, which has no notebook."""
        found = self._outline(self._run())
        return found is None or not found.is_notebook

    def _run(self) -> Json:
        return self._server.run(self.id)

    def _outline(self, run: Mapping[str, Any]) -> steps.Outline | None:
        """Of a run that names a version of a pipeline the specification is asked for once."""
        if self._spec is None:
            self._spec = run.get("pipeline_spec")
            named = run.get("pipeline_version_reference") or {}
            if not self._spec and named.get("pipeline_id"):
                version = str(named.get("pipeline_version_id") or "")
                self._spec = self._server.specification(str(named["pipeline_id"]), version)
        return steps.readable(self._spec)

    # Why

    def _explain(
        self, run: Mapping[str, Any], phase: str, listed: list[Json], status: Json, *, ask: bool
    ) -> None:
        """Reasons of what failed, and of the run as a whole; ``ask``: also from logs and pods."""
        for each in listed:
            if each["state"] != "FAILED":
                continue
            name = each["name"]
            if error := each.get("error"):
                each["reason"] = f"Step {name} failed: {error['message']}"
            elif error := self._failure(each) if ask else {}:
                each |= {"reason": error_sentence(name, error), "error": error}
            else:
                each["reason"] = each["reason"] or f"Step {name} failed."
            if error:
                status.setdefault("error", {**error, "step": name})
        said = steps.said(run)
        status["reason"] = run_reason(phase, listed) if listed else said
        if phase == "PENDING":
            status["reason"] = said or (ask and self._waiting()) or "Kubeflow Pipelines has not begun it yet."
        elif phase == "RUNNING":
            status["reason"] = (ask and self._waiting()) or status["reason"]
        elif phase == "FAILED" and not any(each["state"] == "FAILED" for each in listed):
            status["reason"] = said or (ask and self._ended().get("message")) or FAILED
        elif phase == "CANCELING":
            status["reason"] = "Stopping."

    def _waiting(self) -> str:
        """What its pods wait for, where one may see them."""
        if self._server.cluster is None:
            return ""
        from jupyter_ext.pipelines.kfp import pods

        return pods.reason(self._server.cluster, self.id)

    def _failure(self, status: Mapping[str, Any]) -> Json:
        """What its pod, else its log says; asked for once."""
        key = f"{status['name']} {status.get('startedAt')}"
        if key not in self._failures:
            try:
                self._failures[key] = self._found_out(status)
            except KubeflowError:
                return {}
        return self._failures[key]

    def _found_out(self, status: Mapping[str, Any]) -> Json:
        """What ends a program from outside stands in no log, whose last words then mislead; else the log says more."""
        pod = self._ended(str(status["name"]).partition("[")[0], status.get("nodes") or ())
        if pod and pod["type"] != "Error":
            return pod
        return reasons.error(self._printed(status)) or pod

    def _ended(self, step: str = "", nodes: Iterable[str] = ()) -> Json:
        """Why its pod failed, where one may see that."""
        if self._server.cluster is None:
            return {}
        from jupyter_ext.pipelines.kfp import pods

        return pods.ended(self._server.cluster, self.id, step, nodes)

    # Follow and steer

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it is done, at most ``timeout`` seconds (then raises TimeoutError); return itself.

        A server that is away for a moment is waited for.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause, phase = FIRST_SECONDS, "PENDING"
        while True:
            try:
                phase = self.phase
            except Unavailable:
                if deadline is None or time.monotonic() >= deadline:
                    raise
            if Resource.new("Run", "x", status={"phase": phase}).resting:
                return self
            left = pause if deadline is None else min(pause, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError(
                    f"run {self.name} is still {phase} after {timeout} s. {self.reason}".rstrip()
                )
            time.sleep(left)
            pause = min(pause * 1.5, LAST_SECONDS)

    def stop(self) -> None:
        """Ask the server to end it; returns at once. What had ended in it is kept."""
        if not self.finished:
            self._server.terminate(self.id)

    def resume(self) -> KfpRun:
        """Go on from what failed: the same run, whose finished steps are kept.

        Raises Conflict if it is still going or has succeeded.
        """
        phase = self.phase
        if phase not in {"FAILED", "CANCELED"}:
            raise Conflict(f"Run {self.name} is {phase}, so there is nothing to resume")
        self._server.retry(self.id)
        self._failures.clear()
        return self

    def rerun(self, from_: str | None = None, *, cache: bool = True) -> KfpRun:
        """Run the same pipeline with the same parameters. Raises Conflict for ``from_``."""
        if from_ is not None:
            raise self._not_there("A run from a step on", "run.resume() goes on from what failed.")
        run = self._run()
        kept = (
            "experiment_id",
            "description",
            "runtime_config",
            "service_account",
            "pipeline_version_reference",
        )
        again: Json = {key: run[key] for key in kept if run.get(key)}
        if (spec := run.get("pipeline_spec")) and not cache:
            inner = spec.get("pipeline_spec")
            bare = starting.uncached(inner or spec)
            spec = {**spec, "pipeline_spec": bare} if inner else bare
        found = self._outline(run)
        name = make_name(starting.slug(found.pipeline.name if found else self.name))
        source = {"pipeline_spec": spec} if spec else {}
        return KfpRun.of(self._server, self._server.start({"display_name": name, **again, **source}))

    def _again(self, content: Mapping[str, Any] | None, options: Mapping[str, Any], trigger: str) -> Run:
        del content, trigger
        return self.rerun(cache=bool(options.get("cache", True)))

    def archive(self) -> None:
        """Put it aside: lists no longer have it."""
        self._server.archive(self.id)

    def delete(self) -> None:
        """Remove it with its pods and their logs; what it left in object storage stays."""
        self._server.delete_run(self.id)

    # What it made

    def logs(
        self, step: str | None = None, tail: int | None = None, *, follow: bool = False,
        stop: threading.Event | None = None,
    ) -> str | Iterator[str]:  # fmt: skip
        """What a step printed (all steps in order without one); with ``follow`` an iterator that ends with the run."""
        if follow:
            return self._follow(step, stop)
        texts = [self._printed(each) for each in self._wanted(step)]
        if tail is not None:
            texts = ["".join(text.splitlines(keepends=True)[-tail:]) if tail else "" for text in texts]
        return "".join(texts)

    def _wanted(self, step: str | None) -> list[Json]:
        """The statuses whose logs are meant. Raises NotFound with the names there are."""
        run = self._run()
        found = self._outline(run)
        listed = steps.statuses(run, found) if found is not None else []
        if step is None:
            return [each for each in listed if not each.get("parent")]
        wanted = [each for each in listed if each["name"] == step]
        if not wanted:
            names = ", ".join(each["name"] for each in listed) or "none yet"
            raise NotFound(f"Run {self.name} has no step {step!r}", hint=f"Steps: {names}.")
        return wanted

    def _printed(self, status: Mapping[str, Any]) -> str:
        """From the server, else from the pods, else from object storage; empty where it is nowhere (yet)."""
        texts = []
        for node in status.get("nodes", ()):
            with suppress(NotFound):
                texts.append(self._server.log(self.id, node))
        if not texts and self._server.cluster is not None:
            from jupyter_ext.pipelines.kfp import pods

            texts = [pods.log(self._server.cluster, self.id, node) for node in status.get("nodes", ())]
        if (
            not any(texts)
            and status["state"] in DONE
            and (found := self._outline(run := self._run())) is not None
        ):
            from jupyter_ext.pipelines.kfp.stored import logs

            texts = [logs(run, found, str(status["name"]), self._server.cluster)]
        return "".join(text if text.endswith("\n") or not text else f"{text}\n" for text in texts)

    def _follow(self, step: str | None, stop: threading.Event | None) -> Iterator[str]:
        import threading

        stop = stop or threading.Event()
        read: dict[str, int] = {}
        pause = FIRST_SECONDS
        while not stop.is_set():
            is_over, found = self.finished, False
            for each in self._wanted(step):
                if not each.get("startedAt"):
                    continue
                text = self._printed(each)
                known = read.get(each["name"], 0)
                if len(text) > known:
                    read[each["name"]], found = len(text), True
                    yield text[known:]
            if is_over and not found:
                return
            pause = FIRST_SECONDS if found else min(pause * 1.5, LAST_SECONDS)
            if not is_over:
                stop.wait(pause)

    def yaml(self) -> str:
        """The pipeline as submitted, as YAML that Kubeflow takes."""
        from jupyter_ext.pipelines.compiled import writing

        found = self._outline(self._run())
        if found is None:
            raise Conflict(
                f"What run {self.name} ran cannot be read: it is of another version of Kubeflow Pipelines"
            )
        return writing.text(found.document)

    def notebook(self) -> dict[str, Any]:
        """The code cells of the notebook as submitted. Raises Conflict for a run of a compiled pipeline."""
        from jupyter_ext.pipelines.kfp.cells import notebook

        found = self._outline(self._run())
        if found is None or not found.is_notebook:
            from jupyter_ext.pipelines.compiled import steering

            raise steering.no_notebook(self.name)
        return notebook(found)

    def code(self, step: str) -> dict[str, Any]:
        """``{"cells": as run, "now": None}``. Raises NotFound."""
        from jupyter_ext.pipelines.kfp.cells import cells

        found = self._outline(self._run())
        known = found.steps if found else []
        if found is None or step.partition("[")[0] not in known:
            raise NotFound(f"Run {self.name} has no step {step!r}", hint=f"Steps: {', '.join(known)}.")
        return {"cells": cells(found, step.partition("[")[0]), "now": None}

    def sources(self) -> dict[str, str]:
        """The code of each step."""
        from jupyter_ext.pipelines.kfp.cells import cells

        found = self._outline(self._run())
        steps_of = found.steps if found else []
        return {step: "\n".join(cell["source"] for cell in cells(found, step)) for step in steps_of if found}

    def value(self, name: str, step: str | None = None) -> Any:
        """A value that the run left in object storage: as it was after ``step``, else after the last step that has it."""
        return self._stored().value(name, step)

    @property
    def metrics(self) -> dict[str, float]:
        """What a notebook's steps reported, from object storage; empty where nobody says which that is."""
        try:
            return dict(self._stored().metrics())
        except (Conflict, Unavailable):
            return {}

    def left(self, step: str) -> dict[str, Any]:
        """What a step was given and left, as fields of its status: ``given``, ``used``, ``outputs``, ``metrics``.

        Of a compiled pipeline's task the parameters that are known beforehand, and the artifacts. Raises NotFound,
        Unavailable where nobody says in which store they are.
        """
        from jupyter_ext.pipelines.kfp.stored import Stored

        run, base = self._run(), step.partition("[")[0]
        found = self._outline(run)
        mine = [part for part in found.parts if part.step == base] if found else []
        if found is None or not mine:
            raise NotFound(f"Run {self.name} has no step {step!r}")
        left = Stored(self.name, run, found, self._server.cluster).left(base)
        if found.is_notebook:
            return left
        given = dict((run.get("runtime_config") or {}).get("parameters") or {})
        return {**left, "given": {"parameters": mine[0].leaf.known(given), "artifacts": {}}}

    def open(self, step: str | None = None, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
        """Load what a step (the failed one by default) was given into ``namespace``, else into this notebook."""
        return dict(self._stored().open(step or self._failed(), namespace))

    def _failed(self) -> str:
        found = next(
            (each["name"] for each in self.steps if each["state"] == "FAILED" and not each.get("parent")),
            None,
        )
        if found is None:
            raise Conflict(f"No step of run {self.name} has failed", hint="Name the step to open.")
        return str(found)

    def _stored(self) -> Any:
        from jupyter_ext.pipelines.kfp.stored import Stored

        run = self._run()
        found = self._outline(run)
        if found is None or not found.is_notebook:
            raise self._not_there(
                "The values of a compiled pipeline's run", "Its artifacts are in object storage."
            )
        return Stored(self.name, run, found, self._server.cluster)

    def outputs(self, step: str) -> list[dict[str, Any]]:
        """The step's cells; what they printed is in its log."""
        return [
            {"cell_type": "code", "source": cell["source"], "outputs": []}
            for cell in self.code(step)["cells"]
        ]

    def preview(self, step: str, name: str) -> dict[str, Any]:
        """What can be shown of a value that is in object storage."""
        from jupyter_ext.pipelines.preview import preview

        value = self.value(name, step)
        return {**preview(value), "text": repr(value)[:2000]}

    def _ipython_display_(self) -> None:
        print(repr(self))  # noqa: T201 - what a notebook shows


def _phase(run: Mapping[str, Any]) -> str:
    state = str(run.get("state") or "")
    return _PHASES.get(state, state)
