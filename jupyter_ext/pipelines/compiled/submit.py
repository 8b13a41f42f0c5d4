"""From a compiled pipeline to a run: everything that can be found wrong is found here, before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import Resource, make_name
from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.compiled import (
    checking,
    inputs,
    parsing,
    plan,
    platform,
    platform_checking,
    reading,
    spec,
)

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.model import Pipeline

CONTROLLER: Final = "jupyter_ext.pipelines.compiled.local:reconcile"
FORMAT: Final = "kfp"


def submit(
    cluster: LocalCluster,
    path: str | Path | None,
    document: reading.Document | None,
    given: Mapping[str, object],
    options: Mapping[str, Any],
    *,
    trigger: str = "manual",
    resumes: str | None = None,
    name: str | None = None,
) -> Resource:
    """Check the pipeline, create the run's resource and start its process.

    ``path`` names the file, whose folder is where relative addresses begin; ``document`` is its content where it was read
    already. Raises Invalid for what is wrong with it or with the parameters, Unfit for what only a cluster can do.
    """
    full, folder = _place(path)
    found, read, steps, bound = prepare(cluster, path, document, given, options)
    model = plan.pipeline(read, steps, str(full or ""))
    digest = cluster.blobs.put_bytes(json.dumps(found.to_dict(), ensure_ascii=False).encode())
    told = {
        "displayName": read.title or read.name,
        "pipeline": {
            "name": read.name,
            "path": str(full or ""),
            "format": FORMAT,
            "digest": digest,
            "graph": model.to_dict(sources=False),
        },
        "parameters": bound,
        "given": sorted(given),
        "options": dict(options),
        "trigger": trigger,
        "resumes": resumes,
    }
    slug = _slug(read.name)
    resource = Resource.new("Run", name or make_name(slug), told, namespace=cluster.namespace)
    resource = resource.with_(labels={"pipeline": slug}, status={"phase": "PENDING", "reason": "Starting."})
    return _start(cluster, resource, folder)


def _place(path: str | Path | None) -> tuple[Path | None, Path]:
    """The file, and the folder where relative addresses begin."""
    full = Path(path).expanduser().resolve() if path else None
    return full, full.parent if full else Path.cwd()


def prepare(
    cluster: LocalCluster,
    path: str | Path | None,
    document: reading.Document | None,
    given: Mapping[str, object],
    options: Mapping[str, Any],
) -> tuple[reading.Document, spec.Specification, plan.Plan, dict[str, Any]]:
    """The pipeline, its steps and the values of its parameters; raises what ``submit`` raises, and starts nothing."""
    for key, words in (
        ("from", "--from"),
        ("only", "--only"),
        ("register", "--register"),
    ):
        if options.get(key):
            raise Invalid(
                f"{words} is of notebooks; a compiled pipeline runs as it is", where=Where(field=words)
            )
    found = document if document is not None else reading.load(path or "")
    for error in found.problems:
        raise error
    folder = _place(path)[1]
    read = parsing.read(found.pipeline)
    steps = plan.make(read)
    plan.limit(steps, options.get("resources") or {})
    bound = inputs.bind(read.root.inputs, given, folder)
    checking.check(cluster, read, steps, found.platforms, folder, bound)
    return found, read, steps, bound


def _start(cluster: LocalCluster, resource: Resource, folder: Path) -> Resource:
    from jupyter_ext.cluster.local.workload import submit as submit_workload

    return submit_workload(
        cluster, resource, CONTROLLER, restart="OnFailure", cwd=folder, lost="jupyter_ext.pipelines.status:lost"
    )  # fmt: skip


def check(
    cluster: LocalCluster, path: str | Path | None, document: reading.Document | None = None
) -> Pipeline:
    """The pipeline as steps and edges, with everything that cannot run here, and what is let be, as its problems."""
    from dataclasses import replace

    from jupyter_ext.pipelines.model import Problem

    found = document if document is not None else reading.load(path or "")
    read = parsing.read(found.pipeline)
    steps = plan.make(read)
    full, folder = _place(path)
    defaults = {
        name: one.default
        for name, one in read.root.inputs.parameters.items()
        if one.default is not spec.MISSING
    }
    wrong = (
        *found.problems,
        *checking.problems(cluster, read, steps, found.platforms, folder, defaults),
    )
    problems = [
        Problem("error", "cannot-run-here", error.what, step=_step(error), remedy=error.hint or "")
        for error in wrong
    ]
    if not problems:
        asked = platform_checking.notes(platform.read(found.platforms), steps)
        problems += [Problem("warning", "let-be", words, step=step) for step, words in asked]
    return replace(plan.pipeline(read, steps, str(full or "")), problems=tuple(problems))


def _step(error: Any) -> str | None:
    place = error.where.object if error.where else None
    return place.removeprefix("step ") if place else None


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return slug if slug[:1].isalnum() else "pipeline"
