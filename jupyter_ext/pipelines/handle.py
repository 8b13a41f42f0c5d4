"""A run in the hand: follow it, stop it, look at what it made, go on from where it failed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.handle import Ending
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.pipelines.comparison import Comparison
from jupyter_ext.pipelines.comparison import compare as compare_resources
from jupyter_ext.pipelines.compiled.reading import is_compiled
from jupyter_ext.pipelines.compiled.sdk import document_of, is_pipeline
from jupyter_ext.pipelines.kube import leaving
from jupyter_ext.pipelines.submit import start, submit

if TYPE_CHECKING:
    import threading
    from types import ModuleType

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.blobs import GcReport
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.kfp.handle import Elsewhere
    from jupyter_ext.pipelines.reproduction import Reproduction


class Run(Ending):
    """One run of a pipeline, by name. Every property reads the store: the handle is never out of date."""

    _kind = "Run"

    def _ipython_display_(self) -> None:
        from jupyter_ext.pipelines.widgets import show

        show(self)

    def _repr_mimebundle_(self, **_: object) -> Any:
        from jupyter_ext.pipelines.widgets import mimebundle

        return mimebundle(self)

    # What it is

    @property
    def state(self) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED, CANCELING or CANCELED."""
        return self.phase

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

    def resume(self) -> Run:
        """Go on from the failed step: finished steps are kept.

        If the notebook was changed meanwhile, a new run is made of it that reuses every finished step whose
        code and inputs are the same. Raises Conflict if the run is still going or has succeeded.
        """
        resource = self.resource
        if resource.phase not in ("FAILED", "CANCELED"):
            raise Conflict(f"Run {self.name} is {resource.phase}, so there is nothing to resume")
        options = {**resource.spec["options"], "lenient": True}
        if steering := _compiled(resource):
            if steering.changed(self._cluster, resource):
                return self._again(None, options, "resume")
        else:
            changed = _content_if_changed(resource.spec["pipeline"]["path"], self.notebook())
            if changed is not None:
                return self._again(changed, options, "resume")

        from jupyter_ext.cluster.local import workload

        self._await_process(resource.uid)
        workload.restart(self._cluster, resource.uid)
        return self

    def rerun(self, from_: str | None = None, *, cache: bool = True) -> Run:
        """Run the notebook as it is now with the same parameters; ``from_``: this step and all after it anew."""
        resource = self.resource
        path = resource.spec["pipeline"]["path"]
        there = (path and Path(path).exists()) or _compiled(resource)
        content = None if there else self.notebook()
        options = {"from": from_, "only": None, "cache": cache}
        asked = resource.spec["options"].get("register")
        return self._again(content, {**options, **({"register": asked} if asked else {})}, "manual")

    def _again(self, content: Mapping[str, Any] | None, options: Mapping[str, Any], trigger: str) -> Run:
        resource = self.resource
        if steering := _compiled(resource):
            return Run(steering.again(self._cluster, resource, options, trigger).name, self._cluster)
        spec = resource.spec
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
        leaving.remove(resource)
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
        leaving.bring_values(self._cluster, self.resource, [ref])
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
        """The notebook as submitted; raises Conflict for a run of a compiled pipeline."""
        if steering := _compiled(self.resource):
            raise steering.no_notebook(self.name)
        return dict(json.loads(self._cluster.blobs.read(self.resource.spec["pipeline"]["digest"])))

    @property
    def compiled(self) -> bool:
        """Whether it is of a compiled pipeline, which has no notebook."""
        return _compiled(self.resource) is not None

    def yaml(self) -> str:
        """The compiled pipeline as submitted; raises Conflict for a run of a notebook."""
        steering = _compiled(self.resource)
        if steering is None:
            raise Conflict(
                f"Run {self.name} is of a notebook", hint="kf.pipelines.compile(PATH) makes YAML of it."
            )
        return str(steering.text(self._cluster, self.resource))

    def executed(self) -> dict[str, Any]:
        """The notebook as executed so far: bound parameters, and every cell's outputs in place."""
        from jupyter_ext.pipelines.executed import executed_so_far

        return executed_so_far(self.resource, self.notebook(), self._cluster.blobs)

    def code(self, step: str) -> dict[str, Any]:
        """``{"cells": as run, "now": as the notebook has it today, or None}``."""
        if steering := _compiled(self.resource):
            return dict(steering.code(self._cluster, self.resource, step))
        from jupyter_ext.pipelines.debugging import code_of

        return code_of(self.resource, self.notebook(), step)

    # Debug and export

    def open(self, step: str | None = None, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
        """Load what a step (the failed one by default) was given into ``namespace``, else into this notebook."""
        if _compiled(self.resource):
            from jupyter_ext.pipelines.compiled import opening

            return dict(opening.load(self._cluster, self.resource, step, namespace))
        from jupyter_ext.pipelines.debugging import load_inputs

        return load_inputs(self._cluster, self.resource, self.notebook(), step, namespace)

    def debug(self, step: str | None = None) -> dict[str, Any]:
        """A notebook that opens a step (the failed one by default) in a live kernel, and where to begin in it."""
        if _compiled(self.resource):
            from jupyter_ext.pipelines.compiled import opening

            return opening.debug_notebook(self._cluster, self.resource, step)
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


def _compiled(resource: Resource) -> ModuleType | None:
    """What stands for the notebook where the run is of a compiled pipeline, None where it has one."""
    if "format" not in resource.spec["pipeline"]:
        return None
    from jupyter_ext.pipelines.compiled import steering

    return steering


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


def _elsewhere() -> Elsewhere | None:
    """The Kubeflow Pipelines server that runs go to; None for this machine."""
    from jupyter_ext.pipelines.kfp.place import server

    found = server()
    if found is None:
        return None
    from jupyter_ext.pipelines.kfp.handle import Elsewhere

    return Elsewhere(found)


def run(
    path: Any = None,
    *,
    parameters: Mapping[str, object] | None = None,
    from_: str | None = None,
    only: str | None = None,
    cache: bool = True,
    wait: bool = False,
    resources: Mapping[str, Mapping[str, str]] | None = None,
    notebook: Mapping[str, Any] | None = None,
    trigger: str = "manual",
    register: str | Mapping[str, Any] | None = None,
    **more: object,
) -> Run:
    """Run a notebook (``.ipynb``, or ``.py`` with percent cells) or a pipeline of Kubeflow's (``.yaml``, or what its SDK makes).

    ``parameters``, or simply keyword arguments, replace the values of the notebook's parameter cell. ``from_``
    runs this step and all after it anew; ``only`` runs this step and what it needs. ``notebook`` gives unsaved
    content. ``resources`` changes what steps ask for, for this run only: ``{"train": {"cpu": "2"}}``.
    ``register``: the name of a model, or ``{"model": "churn", "alias": "candidate", "value": "clf"}``, as which the value
    that is the model is registered when the run has succeeded.
    Raises Invalid, with cell and line, for what is wrong with the notebook, before anything runs.
    """
    if path is None and notebook is None:
        raise Invalid("Nothing to run", where=Where(field="path"), hint="Name a notebook or a .py file.")
    options: dict[str, object] = {"from": from_, "only": only, "cache": cache}
    if resources:
        options["resources"] = {step: dict(asked) for step, asked in resources.items()}
    if register is not None:
        options["register"] = register
    values = {**(parameters or {}), **more}
    if (there := _elsewhere()) is not None:
        run = there.start(path, notebook, values, options)
        return run.wait() if wait else run
    cluster = _cluster()
    if notebook is None and (is_compiled(path) or is_pipeline(path)):
        from jupyter_ext.pipelines.compiled.submit import submit as submit_compiled

        found = document_of(path) if is_pipeline(path) else None
        place = None if found else path
        made = Run(submit_compiled(cluster, place, found, values, options, trigger=trigger).name, cluster)
    else:
        made = Run(submit(cluster, path, notebook, values, options, trigger=trigger).name, cluster)
    return made.wait() if wait else made


def get(name: str) -> Run:
    """The run of that name; raises NotFound."""
    if (there := _elsewhere()) is not None and (run := there.found(name)) is not None:
        return run
    found = Run(name)
    _ = found.resource
    return found


def runs(limit: int = 50, state: str | None = None, pipeline: str | None = None) -> list[Run]:
    """The newest runs first, by state or part of the name where given."""
    cluster = _cluster()
    found = cluster.list("Run", limit=limit, phase=state, text=pipeline)
    here = [(resource.created, Run(resource.name, cluster)) for resource in found.items]
    there = _elsewhere()
    both = here if there is None else [*here, *there.runs(limit, state, pipeline)]
    return [run for _, run in sorted(both, key=lambda one: one[0], reverse=True)][:limit]


def compare(names: Iterable[str]) -> Comparison:
    """Put two to ten runs side by side; what differs comes first."""
    handles: Sequence[Run] = [get(name) for name in names]
    resources = [handle.resource.to_dict() for handle in handles]
    return compare_resources(resources, [_sources(handle) for handle in handles])


def _sources(handle: Run) -> dict[str, str]:
    from jupyter_ext.pipelines.debugging import step_cells

    if (own := getattr(handle, "sources", None)) is not None:
        return dict(own())
    if steering := _compiled(handle.resource):
        return dict(steering.sources(_cluster(), handle.resource))
    resource, book = handle.resource, handle.notebook()
    names = [step["name"] for step in resource.spec["pipeline"]["graph"]["steps"]]
    return {name: "\n".join(cell["source"] for cell in step_cells(resource, book, name)) for name in names}


def delete(name: str) -> None:
    """Stop the run if need be and remove it; raises NotFound."""
    get(name).delete()


def gc(*, dry_run: bool = False) -> GcReport:
    """Remove stored values that no run, version or cached step refers to any more, and environments that no run was in."""
    from jupyter_ext.pipelines.compiled import collecting

    cluster = _cluster()
    values = cluster.gc(dry_run=dry_run)
    made = collecting.collect(cluster, dry_run=dry_run)
    return values._replace(
        bytes=values.bytes + made.bytes, environments=made.removed, environments_kept=made.kept
    )


__all__ = ["Run", "compare", "delete", "gc", "get", "run", "runs", "start"]
