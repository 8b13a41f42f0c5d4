"""From a notebook to a run: everything that can be found wrong is found here, before anything runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import Resource, make_name
from jupyter_ext.errors import Conflict, Invalid, Unfit, Where
from jupyter_ext.pipelines import graph, parameters, registering, settings
from jupyter_ext.pipelines import notebook as notebooks
from jupyter_ext.pipelines.kube import place as places
from jupyter_ext.pipelines.kube import workspace
from jupyter_ext.pipelines.plan import Plan, keep
from jupyter_ext.pipelines.task import lease_request

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.model import Pipeline

CONTROLLER = "jupyter_ext.pipelines.local:reconcile"
ON_CLUSTER = "jupyter_ext.pipelines.kube.controller:reconcile"


def submit(
    cluster: LocalCluster,
    path: str | Path | None,
    content: Mapping[str, Any] | None,
    values: Mapping[str, object],
    options: Mapping[str, Any],
    *,
    trigger: str = "manual",
    resumes: str | None = None,
    name: str | None = None,
) -> Resource:
    """Check the notebook, decide where its steps run (this machine, or Jobs of the chosen cluster), create the run's resource and start its process.

    ``path`` names the notebook and its folder is the working directory; ``content`` is its unsaved state where
    there is one. Raises Invalid, with cell and line, for a notebook that cannot run; Unfit for resources that
    this machine does not have; Conflict within a run of the same notebook.
    """
    book = (
        notebooks.read(dict(content), path=str(path or ""))
        if content is not None
        else notebooks.read(_given(path))
    )
    pipeline = graph.analyse(book)
    pipeline.require_valid()
    pipeline = with_resources(pipeline, options.get("resources") or {})
    bound = parameters.bind(pipeline, dict(values))
    _require_steps(pipeline, options)
    if (place := places.chosen(pipeline)) is None:
        require_fit(cluster, pipeline)
    if options.get("register"):
        options = {**options, "register": registering.checked(pipeline, options["register"])}
    folder = Path(path).expanduser().resolve().parent if path else Path.cwd()
    stem = Path(path).stem if path else pipeline.name
    digest = cluster.blobs.put_bytes(
        json.dumps(book.content, ensure_ascii=False).encode(errors="surrogatepass")
    )
    full = str(Path(path).expanduser().resolve()) if path else ""
    inside = _enclosing(cluster)
    _require_no_circle(cluster, inside, full, digest)
    spec = {
        "displayName": pipeline.title or stem,
        "pipeline": {
            "name": pipeline.name,
            "path": full,
            "digest": digest,
            "plan": keep(cluster, Plan(pipeline, bound)),
            "graph": pipeline.to_dict(sources=False),
        },
        "parameters": {p.name: p.default for p in bound.parameters},
        "given": sorted(values),
        "options": dict(options),
        "trigger": trigger,
        "resumes": resumes,
        **({"inside": inside.uid} if inside is not None else {}),
        **(workspace.spec(cluster, pipeline, folder if path else None, place) if place else {}),
    }
    resource = Resource.new("Run", name or make_name(_slug(stem)), spec, namespace=cluster.namespace)
    resource = replace(
        resource, labels={"pipeline": _slug(stem)}, status={"phase": "PENDING", "reason": "Starting."}
    )
    return start(cluster, resource, folder, CONTROLLER if place is None else ON_CLUSTER)


def with_resources(pipeline: Pipeline, asked: Mapping[str, Mapping[str, str]]) -> Pipeline:
    """The pipeline with some steps' resources replaced; raises Invalid for an unknown step."""
    changes = {pipeline.step(name).name: _amounts(name, amounts) for name, amounts in asked.items()}
    steps = tuple(
        replace(step, resources={**step.resources, **changes[step.name]}) if step.name in changes else step
        for step in pipeline.steps
    )
    return replace(pipeline, steps=steps) if asked else pipeline


def _amounts(step: str, amounts: Mapping[str, str]) -> dict[str, str]:
    try:
        return dict(settings.resource(name, str(amount)) for name, amount in amounts.items())
    except Invalid as error:
        where = Where(field=error.where.field if error.where else None, object=f"step {step}")
        raise Invalid(error.what, where=where, hint=error.hint) from error


def start(cluster: LocalCluster, resource: Resource, folder: Path, controller: str = CONTROLLER) -> Resource:
    """Create the resource and its workload in one transaction, then the process."""
    from jupyter_ext.cluster.local.shim import AHEAD
    from jupyter_ext.cluster.local.workload import submit as submit_workload
    from jupyter_ext.pipelines import cache, early

    env = {}
    if controller == CONTROLLER and not cache.probable(cluster.store, resource.spec):
        env = {AHEAD: early.FUNCTION, **early.environment(os.environ)}

    return submit_workload(
        cluster,
        resource,
        controller,
        restart="OnFailure",
        cwd=folder,
        env=env,
        lost="jupyter_ext.pipelines.status:lost",
    )


def _enclosing(cluster: LocalCluster) -> Resource | None:
    """The run whose step this process is, None outside of all runs."""
    uid = os.environ.get("JUPYTER_KUBEFLOW_WORKLOAD")
    found = cluster.store.by_uid(uid) if uid else None
    return found if found is not None and found.kind == "Run" else None


def _require_no_circle(cluster: LocalCluster, inside: Resource | None, path: str, digest: str) -> None:
    """Raise Conflict for a notebook that would be run by a run of itself, and that run by its run, without end."""
    run = inside
    while run is not None:
        pipeline = run.spec["pipeline"]
        if pipeline["path"] == path if path else pipeline["digest"] == digest:
            raise Conflict(
                "A run of this notebook cannot start another run of the same notebook: that would never end",
                where=Where(object=f"run {run.name}"),
                hint="Start it from another notebook, or from outside of a run.",
            )
        outer = run.spec.get("inside")
        run = cluster.store.by_uid(outer) if outer else None


def _given(path: str | Path | None) -> Path:
    return Path(path or "").expanduser()


def _require_steps(pipeline: Pipeline, options: Mapping[str, Any]) -> None:
    for key in ("from", "only"):
        if options.get(key):
            pipeline.step(str(options[key]))


def require_fit(cluster: LocalCluster, pipeline: Pipeline) -> None:
    """Raise Unfit, naming step and cell, for a request that this machine can never meet."""
    for step in pipeline.steps:
        if not step.resources:
            continue
        try:
            cluster.leases.check(lease_request(step))
        except Unfit as error:
            cell = step.cells[0] if step.cells else None
            where = Where(cell=cell.index if cell else None, cell_id=cell.id if cell else None,
                          field=error.where.field if error.where else None, object=f"step {step.name}")  # fmt: skip
            raise Unfit(error.what, where=where, hint=error.hint) from error


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return slug if slug[:1].isalnum() else "notebook"
