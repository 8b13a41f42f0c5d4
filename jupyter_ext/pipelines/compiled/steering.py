"""What a run of a compiled pipeline does where one of a notebook would look at its cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Conflict, NotFound
from jupyter_ext.pipelines import elyra
from jupyter_ext.pipelines.compiled import bootstrap, parsing, plan, reading, writing
from jupyter_ext.pipelines.compiled.spec import Container
from jupyter_ext.pipelines.compiled.submit import FORMAT, submit

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource


def is_compiled(resource: Resource) -> bool:
    """Whether this is a run of a compiled pipeline."""
    return bool(resource.spec["pipeline"].get("format") == FORMAT)


def no_notebook(name: str) -> Conflict:
    """The answer to whoever wants the notebook of such a run."""
    return Conflict(
        f"Run {name} is of a compiled pipeline, which has no notebook",
        hint=f"Look at its steps and their outputs: jupyter kf show {name}.",
    )


def document(cluster: LocalCluster, resource: Resource) -> reading.Document:
    """The pipeline as submitted."""
    return reading.Document.from_dict(json.loads(cluster.blobs.read(resource.spec["pipeline"]["digest"])))


def text(cluster: LocalCluster, resource: Resource) -> str:
    """The pipeline as submitted, as YAML that Kubeflow takes; settings for platforms are a document of their own."""
    return writing.text(document(cluster, resource))


def changed(cluster: LocalCluster, resource: Resource) -> bool:
    """Whether the file has another pipeline now."""
    path = resource.spec["pipeline"]["path"]
    if not path or not Path(path).exists():
        return False
    return reading.load(path).to_dict() != document(cluster, resource).to_dict()


def again(cluster: LocalCluster, resource: Resource, options: Mapping[str, Any], trigger: str) -> Resource:
    """Start a run of the same pipeline, as the file has it now, with the same parameters."""
    spec = resource.spec
    path = spec["pipeline"]["path"] or None
    found = (
        reading.load(path)
        if path and Path(path).exists() and trigger != "reproduce"
        else document(cluster, resource)
    )
    values = {name: spec["parameters"][name] for name in spec.get("given", ()) if name in spec["parameters"]}
    return submit(cluster, path, found, values, options, trigger=trigger, resumes=resource.name)


def sources(cluster: LocalCluster, resource: Resource) -> dict[str, str]:
    """The code of each step: the function of a Python component, the command of a container, the address of an importer."""
    read = parsing.read(document(cluster, resource).pipeline)
    return {leaf.name: _source(leaf) for leaf in plan.make(read).leaves.values()}


def _source(leaf: plan.Leaf) -> str:
    if not isinstance(leaf.executor, Container):
        return f"import {leaf.executor.uri or leaf.executor.uri_input}"
    function = bootstrap.read(leaf.executor)
    if function is not None:
        return function.source
    if file := elyra.file_of(leaf.executor):
        return file
    return "\n".join((*leaf.executor.command, *leaf.executor.args))


def code(cluster: LocalCluster, resource: Resource, step: str) -> dict[str, Any]:
    """A step's code in the form of a notebook's: one cell."""
    found = sources(cluster, resource)
    base = step.partition("[")[0]
    if base not in found:
        raise NotFound(f"Run {resource.name} has no step {step!r}", hint=f"Steps: {', '.join(found)}.")
    return {"cells": [{"index": 1, "id": base, "source": found[base]}], "now": None}
