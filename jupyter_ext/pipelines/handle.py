"""A run in the hand: follow it, stop it, look at what it made, go on from where it failed."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from jupyter_ext.cluster import discover
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.pipelines.comparison import Comparison
from jupyter_ext.pipelines.comparison import compare as compare_resources
from jupyter_ext.pipelines.status import DONE
from jupyter_ext.pipelines.submit import start, submit

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.blobs import GcReport
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.reproduction import Reproduction

ENDING_SECONDS = 10.0
"""How long a finished run's process may take to go away before it counts as running."""


class Run:
    """One run of a pipeline, by name. Every property reads the store: the handle is never out of date."""

    def __init__(self, name: str, cluster: LocalCluster | None = None) -> None:
        self._cluster = cluster or _cluster()
        self.name = name

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.state})"

    def _ipython_display_(self) -> None:
        from jupyter_ext.pipelines.widgets import show

        show(self)

    def _repr_mimebundle_(self, **_: object) -> Any:
        from jupyter_ext.pipelines.widgets import mimebundle

        return mimebundle(self)

    # What it is

    @property
    def resource(self) -> Resource:
        """The resource as it is now; raises NotFound if it was deleted."""
        return self._cluster.get("Run", self.name)

    @property
    def state(self) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED, CANCELING or CANCELED."""
        return self.resource.phase

    @property
    def reason(self) -> str:
        """Why it is in this state, in one sentence."""
        return self.resource.reason

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.state in DONE

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The status of each step, in notebook order; iterations of a loop follow their step."""
        return list(self.resource.status.get("steps", ()))

    @property
    def metrics(self) -> dict[str, float]:
        """What the steps reported with ``metrics(…)`` or in a pipeline-metrics cell."""
        return dict(self.resource.status.get("metrics", {}))

    @property
    def parameters(self) -> dict[str, object]:
        """The values the run was started with."""
        return dict(self.resource.spec.get("parameters", {}))

    def step(self, name: str) -> dict[str, Any]:
        """Status of one step; raises NotFound with the names there are."""
        steps = self.steps
        found = next((status for status in steps if status["name"] == name), None)
        if found is None:
            names = ", ".join(status["name"] for status in steps) or "none yet"
            raise NotFound(f"Run {self.name} has no step {name!r}", hint=f"Steps: {names}.")
        return found

    # Follow and steer

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run is done, at most ``timeout`` seconds (then raises TimeoutError); return itself."""
        deadline = None if timeout is None else time.monotonic() + timeout
        since = self._cluster.store.resource_version()
        while not self.finished:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"run {self.name} is still {self.state} after {timeout} s")
            # A look now and then even without a change: a run whose process was killed changes only when
            # somebody looks.
            timeout = min(1.0, left or 1.0)
            for event in self._cluster.store.watch(since, kinds=["Run"], timeout=timeout, summary=True):
                since = event.resource.resource_version
                if event.resource.name == self.name and (
                    event.type == "DELETED" or event.resource.phase in DONE
                ):
                    break
        return self

    def stop(self) -> None:
        """Ask it to stop; returns at once. Steps that had finished are kept."""
        from jupyter_ext.cluster.local import workload

        def ask(resource: Resource) -> Resource | None:
            if resource.finished or resource.phase == "CANCELING":
                return None
            return resource.with_(status={**resource.status, "phase": "CANCELING", "reason": "Stopping."})

        resource = self._cluster.store.update("Run", self.name, ask)
        if not resource.finished:
            workload.stop(self._cluster, resource.uid, wait=False)

    def resume(self) -> Run:
        """Go on from the failed step: finished steps are kept.

        If the notebook was changed meanwhile, a new run is made of it that reuses every finished step whose
        code and inputs are the same. Raises Conflict if the run is still going or has succeeded.
        """
        resource = self.resource
        if resource.phase not in ("FAILED", "CANCELED"):
            raise Conflict(f"Run {self.name} is {resource.phase}, so there is nothing to resume")
        path = resource.spec["pipeline"]["path"]
        changed = _content_if_changed(path, self.notebook())
        if changed is not None:
            options = {**resource.spec["options"], "lenient": True}
            return self._again(changed, options, "resume")

        from jupyter_ext.cluster.local import workload

        deadline = time.monotonic() + ENDING_SECONDS
        while workload.alive(self._cluster, resource.uid) and time.monotonic() < deadline:
            time.sleep(0.01)  # its last words are written before its process is gone
        workload.restart(self._cluster, resource.uid)
        return self

    def rerun(self, from_: str | None = None, *, cache: bool = True) -> Run:
        """Run the notebook as it is now with the same parameters; ``from_``: this step and all after it anew."""
        resource = self.resource
        path = resource.spec["pipeline"]["path"]
        content = None if path and Path(path).exists() else self.notebook()
        return self._again(content, {"from": from_, "only": None, "cache": cache}, "manual")

    def _again(self, content: Mapping[str, Any] | None, options: Mapping[str, Any], trigger: str) -> Run:
        spec = self.resource.spec
        values = {
            name: spec["parameters"][name] for name in spec.get("given", ()) if name in spec["parameters"]
        }
        path = spec["pipeline"]["path"] or None
        made = submit(self._cluster, path, content, values, options, trigger=trigger, resumes=self.name)
        return Run(made.name, self._cluster)

    @overload
    def reproduce(self, timeout: float | None = None, *, wait: Literal[True] = True) -> Reproduction: ...
    @overload
    def reproduce(self, timeout: float | None = None, *, wait: Literal[False]) -> Run: ...
    def reproduce(self, timeout: float | None = None, *, wait: bool = True) -> Reproduction | Run:
        """Run the submitted notebook again without the cache; say of each output whether it is identical.

        Without ``wait`` the new run is returned; its ``report()`` has the verdict once it is done.
        """
        from jupyter_ext.pipelines.reproduction import begin

        again = begin(self._cluster, self)
        return again.wait(timeout).report() if wait else again

    def report(self) -> Reproduction:
        """The verdict of a finished run that was started by ``reproduce``; raises Conflict for another."""
        from jupyter_ext.pipelines.reproduction import verdict

        resource = self.resource
        if resource.spec.get("trigger") != "reproduce":
            raise Conflict(
                f"Run {self.name} does not reproduce another", hint="Start one with run.reproduce()."
            )
        if not resource.finished:
            raise Conflict(f"Run {self.name} is still {resource.phase}", hint="Wait for it: run.wait().")
        return verdict(get(str(resource.spec["resumes"])).resource.to_dict(), resource.to_dict())

    def delete(self) -> None:
        """Stop it if need be, and remove its record and logs (its values go with the next ``gc``)."""
        from jupyter_ext.cluster.local import workload

        resource = self.resource
        if not resource.finished:
            workload.stop(self._cluster, resource.uid)
        self._cluster.delete("Run", self.name)

    # What it made

    def logs(
        self, step: str | None = None, tail: int | None = None, *, follow: bool = False,
        stop: threading.Event | None = None,
    ) -> str | Iterator[str]:  # fmt: skip
        """What a step printed (all steps in order without one); with ``follow`` an iterator that ends with the run."""
        if follow:
            return self._follow(step, stop)
        from jupyter_ext.cluster.local.logs import LogFile

        wanted = [self.step(step)] if step else self.steps
        texts = []
        for status in wanted:
            path = self._log_path(status)
            if path is not None and path.exists():
                log = LogFile(path)
                texts.append(log.read() if tail is None else log.tail(tail))
        return "".join(texts)

    def _log_path(self, status: Mapping[str, Any]) -> Path | None:
        attempt = status.get("attempt")
        return self._cluster.log(self.resource.uid, str(status["name"]), attempt).path if attempt else None

    def _follow(self, step: str | None, stop: threading.Event | None) -> Iterator[str]:
        from jupyter_ext.pipelines.following import follow

        return follow(self, self._log_path, step, stop)

    def outputs(self, step: str) -> list[dict[str, Any]]:
        """The step's cells with their outputs (nbformat), as far as it has come."""
        status = self.step(step)
        children = [item for item in self.steps if item.get("parent") == step]
        digests = [item["outputsDigest"] for item in (status, *children) if item.get("outputsDigest")]
        return [cell for digest in digests for cell in json.loads(self._cluster.blobs.read(digest))]

    def value(self, name: str, step: str | None = None) -> Any:
        """A value that the run made: as it was after ``step``, else after the last step that has it."""
        from jupyter_ext.pipelines.values import load

        ref = self._find(name, step)
        namespace: dict[str, Any] = {}
        load(namespace, [ref], self._cluster.blobs)
        return namespace[name]

    def _find(self, name: str, step: str | None) -> Any:
        from jupyter_ext.pipelines.exchange import ValueRef

        statuses = [self.step(step)] if step else [s for s in self.steps if not s.get("parent")]
        for status in reversed(statuses):
            for ref in status.get("outputs", ()):
                if name in ref["names"]:
                    return ValueRef.from_dict({**ref, "names": [name]})
        known = sorted({n for status in statuses for ref in status.get("outputs", ()) for n in ref["names"]})
        raise NotFound(
            f"Run {self.name} has no value {name!r}" + (f" of step {step}" if step else ""),
            hint=f"There are: {', '.join(known[:20])}." if known else "No step has left a value yet.",
        )

    def preview(self, step: str, name: str) -> dict[str, Any]:
        """A bounded picture of a value for people: rows of a frame, range of an array, text."""
        ref = self._find(name, step)
        if ref.preview_digest and self._cluster.blobs.has(ref.preview_digest):
            found = json.loads(self._cluster.blobs.read(ref.preview_digest))
            if name in found:
                return dict(found[name])
        return {"type": ref.types.get(name, ""), "summary": ref.summary.get(name, ""), "kind": "text",
                "text": ref.summary.get(name, "")}  # fmt: skip

    def notebook(self) -> dict[str, Any]:
        """The notebook as submitted."""
        return dict(json.loads(self._cluster.blobs.read(self.resource.spec["pipeline"]["digest"])))

    def executed(self) -> dict[str, Any]:
        """The notebook as executed so far: bound parameters, and every cell's outputs in place."""
        from jupyter_ext.pipelines.executed import executed_so_far

        return executed_so_far(self.resource, self.notebook(), self._cluster.blobs)

    def code(self, step: str) -> dict[str, Any]:
        """``{"cells": as run, "now": as the notebook has it today, or None}``."""
        from jupyter_ext.pipelines.debugging import code_of

        return code_of(self.resource, self.notebook(), step)

    # Debug and export

    def open(self, step: str | None = None, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
        """Load what a step (the failed one by default) was given into ``namespace``, else into this notebook."""
        from jupyter_ext.pipelines.debugging import load_inputs

        return load_inputs(self._cluster, self.resource, self.notebook(), step, namespace)

    def debug(self, step: str | None = None) -> dict[str, Any]:
        """A notebook that opens a step (the failed one by default) in a live kernel, and where to begin in it."""
        from jupyter_ext.pipelines.debugging import debug_notebook

        return debug_notebook(self.resource, self.notebook(), step)

    def export(self, path: str | Path) -> Path:
        """Write record, notebooks, logs and values into one zip file, for others or for the archive."""
        from jupyter_ext.pipelines.archive import export

        return export(self._cluster, self, Path(path))

    def to_json(self) -> dict[str, Any]:
        """What ``jupyter kf run --json`` prints."""
        resource = self.resource
        status = resource.status
        error = status.get("error")
        return {
            "run": self.name,
            "state": resource.phase,
            "reason": resource.reason,
            "seconds": status.get("seconds"),
            "parameters": resource.spec.get("parameters", {}),
            "steps": [_step_json(item) for item in status.get("steps", ())],
            "metrics": status.get("metrics", {}),
            **({"error": error} if error else {}),
        }


def _step_json(status: Mapping[str, Any]) -> dict[str, Any]:
    outputs = {name: _printable(ref, name) for ref in status.get("outputs", ()) for name in ref["names"]}
    found = {
        "name": status["name"],
        "state": status["state"],
        "seconds": status.get("seconds"),
        "cached": bool(status.get("cached")),
        "outputs": outputs,
    }
    return found | ({"reason": status["reason"]} if status.get("reason") else {})


def _printable(ref: Mapping[str, Any], name: str) -> object:
    """The value itself where it is small and JSON has it, else one line about it."""
    text = ref.get("inline", {}).get(name)
    if not isinstance(text, str):
        return text if text is not None else ref.get("summary", {}).get(name)
    try:
        value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return value


def _content_if_changed(path: str, submitted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not path or not Path(path).exists():
        return None
    from jupyter_ext.pipelines import notebook

    current = notebook.read(Path(path)).content

    def code(book: Mapping[str, Any]) -> list[object]:
        return [
            ("".join(cell["source"]), cell.get("metadata", {}).get("tags"))
            for cell in book.get("cells", ())
            if cell["cell_type"] != "raw"
        ]

    return current if code(current) != code(submitted) else None


def _cluster() -> LocalCluster:
    return discover.current()


def run(
    path: str | Path | None = None,
    *,
    parameters: Mapping[str, object] | None = None,
    from_: str | None = None,
    only: str | None = None,
    cache: bool = True,
    wait: bool = False,
    resources: Mapping[str, Mapping[str, str]] | None = None,
    notebook: Mapping[str, Any] | None = None,
    trigger: str = "manual",
    **more: object,
) -> Run:
    """Run a notebook (``.ipynb``, or ``.py`` with percent cells) as a pipeline.

    ``parameters``, or simply keyword arguments, replace the values of the notebook's parameter cell. ``from_``
    runs this step and all after it anew; ``only`` runs this step and what it needs. ``notebook`` gives unsaved
    content. ``resources`` changes what steps ask for, for this run only: ``{"train": {"cpu": "2"}}``.
    Raises Invalid, with cell and line, for what is wrong with the notebook, before anything runs.
    """
    if path is None and notebook is None:
        raise Invalid("Nothing to run", where=Where(field="path"), hint="Name a notebook or a .py file.")
    options: dict[str, object] = {"from": from_, "only": only, "cache": cache}
    if resources:
        options["resources"] = {step: dict(asked) for step, asked in resources.items()}
    values = {**(parameters or {}), **more}
    cluster = _cluster()
    made = Run(submit(cluster, path, notebook, values, options, trigger=trigger).name, cluster)
    return made.wait() if wait else made


def get(name: str) -> Run:
    """The run of that name; raises NotFound."""
    found = Run(name)
    _ = found.resource
    return found


def runs(limit: int = 50, state: str | None = None, pipeline: str | None = None) -> list[Run]:
    """The newest runs first, by state or part of the name where given."""
    cluster = _cluster()
    found = cluster.list("Run", limit=limit, phase=state, text=pipeline)
    return [Run(resource.name, cluster) for resource in found.items]


def compare(names: Iterable[str]) -> Comparison:
    """Put two to ten runs side by side; what differs comes first."""
    handles: Sequence[Run] = [get(name) for name in names]
    resources = [handle.resource.to_dict() for handle in handles]
    return compare_resources(resources, [_sources(handle) for handle in handles])


def _sources(handle: Run) -> dict[str, str]:
    from jupyter_ext.pipelines.debugging import step_cells

    resource, book = handle.resource, handle.notebook()
    names = [step["name"] for step in resource.spec["pipeline"]["graph"]["steps"]]
    return {name: "\n".join(cell["source"] for cell in step_cells(resource, book, name)) for name in names}


def delete(name: str) -> None:
    """Stop the run if need be and remove it; raises NotFound."""
    get(name).delete()


def gc(*, dry_run: bool = False) -> GcReport:
    """Remove stored values that no run, version or cached step refers to any more."""
    return _cluster().gc(dry_run=dry_run)


__all__ = ["Run", "compare", "delete", "gc", "get", "run", "runs", "start"]
