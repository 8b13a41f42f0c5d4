"""A pipeline as KFP IR (PipelineSpec of schema 2.1.0), written directly: kfp is not needed to export or to run.

Every step is a task with its own component and executor. What a step leaves is one artifact, its ``state``
(``container/states.py``); a task takes the states of the steps on its edges. A condition whose step nobody waits
for is a sub-DAG with a trigger policy, so that no container starts for it; otherwise the step itself looks, because
later steps need its state either way. A loop whose iterations are independent is a sub-DAG with an iterator.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_ext.cluster.kube.work import servers_image
from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.pipelines.compiled.reading import is_compiled
from jupyter_ext.pipelines.compiled.sdk import document_of, is_pipeline
from jupyter_ext.pipelines.components import exporting
from jupyter_ext.pipelines.ir_beside import beside
from jupyter_ext.pipelines.ir_tasks import TYPES, Tree, Writer
from jupyter_ext.pipelines.model import Parameter, Pipeline
from jupyter_ext.pipelines.yaml_text import to_yaml

SCHEMA_VERSION = "2.1.0"


@dataclass
class Exported:
    """The two documents of an exported pipeline, and what a reader should know of it."""

    spec: Tree
    platform: Tree = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_text(self) -> str:
        """The YAML that KFP takes; the second document only if it says something."""
        lines = ["PIPELINE DEFINITION", f"Name: {self.spec['pipelineInfo']['name']}"]
        parameters = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        lines += ["Inputs:"] * bool(parameters)
        lines += [f"   {name}: {item['parameterType']}" for name, item in parameters.items()]
        text = to_yaml(self.spec, comment="\n".join([*lines, *self.notes]))
        return text + ("---\n" + to_yaml(self.platform) if self.platform else "")


def compile(  # noqa: A001 - the field's word
    notebook: Any,
    output: str | Path | None = None,
    *,
    image: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    """The notebook (or a compiled pipeline, or what the KFP SDK makes) as KFP IR YAML; written to ``output`` too if that is given.

    ``parameters`` (or keywords) become the new defaults. ``image`` is what steps run in that name none; without it, the
    notebook's own (Kale's metadata), the image of this server if it tells, else plain Python. Raises Invalid for a notebook that cannot run and
    Unfit for a setting that a cluster cannot honour.
    """
    from jupyter_ext.pipelines.graph import check
    from jupyter_ext.pipelines.parameters import bind

    values = {**(parameters or {}), **more}
    if is_pipeline(notebook) or is_compiled(notebook):
        return _compiled(notebook, output, image, values)
    pipeline = check(notebook)
    pipeline.require_valid()
    if values:
        pipeline = bind(pipeline, values)
    folder = Path(notebook).parent if isinstance(notebook, str | Path) else None
    text = export(pipeline, image=image, folder=folder).to_text()
    if output is not None:
        Path(output).write_text(text, "utf-8")
    return text


def _compiled(source: Any, output: str | Path | None, image: str | None, values: Mapping[str, Any]) -> str:
    """What the KFP SDK makes, or has made: other defaults are all that can be given to it."""
    from jupyter_ext.pipelines.compiled import writing
    from jupyter_ext.pipelines.compiled.reading import load

    if image is not None:
        raise Invalid("Each component of a compiled pipeline has its image", where=Where(field="image"))
    found = document_of(source) if is_pipeline(source) else load(source)
    for problem in found.problems:
        raise problem
    text = writing.text(writing.with_defaults(found, values))
    if output is not None:
        Path(output).write_text(text, "utf-8")
    return text


def to_ir(pipeline: Pipeline, *, image: str | None = None, folder: Path | None = None) -> Tree:
    """The pipeline document alone; see ``export``."""
    return export(pipeline, image=image, folder=folder).spec


def export(pipeline: Pipeline, *, image: str | None = None, folder: Path | None = None) -> Exported:
    """Both documents. ``folder`` is where the notebook lies: what steps read from there goes along if it is small."""
    exporting.refuse(pipeline)
    brought, notes = beside(pipeline, folder)
    tasks = Writer(pipeline, image or str(pipeline.metadata.get("image") or default_image()), brought)
    tasks.write()
    root: Tree = {"dag": {"tasks": tasks.tasks}}
    if pipeline.parameters:
        root["inputDefinitions"] = {"parameters": {p.name: _declared(p) for p in pipeline.parameters}}
    info: Tree = {"name": _pipeline_name(pipeline)}
    if pipeline.title:
        info["displayName"] = pipeline.title
    if pipeline.metadata.get("description"):
        info["description"] = str(pipeline.metadata["description"])
    if pipeline.metadata.get("katib"):
        notes.append(
            "Not in here: the notebook's Katib settings; a tuning experiment is a resource of its own."
        )
    if any(volume.arguments is not None for volume in tasks.made_volumes):
        notes.append("A run makes volumes first, which kfp.local cannot do.")
    spec = {
        "pipelineInfo": info,
        "components": tasks.components,
        "deploymentSpec": {"executors": tasks.executors},
        "root": root,
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": f"jupyter-kubeflow-{_version()}",
    }
    platform: Tree = {}
    if tasks.platform:
        platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": tasks.platform}}}}
    return Exported(spec, platform, notes)


def default_image() -> str:
    """The image that this notebook server runs in (KubeSpawner tells it), else Python of this version."""
    return servers_image() or "python:{}.{}-slim".format(*sys.version_info[:2])


def _declared(parameter: Parameter) -> Tree:
    """A parameter of the pipeline; raises Unfit for a default that JSON cannot hold exactly."""
    if not _exact(parameter.default):
        raise Unfit(
            f"the default {parameter.default!r} of {parameter.name!r} cannot be a parameter of KFP, whose numbers are "
            "finite and have 53 bits",
            where=Where(cell=parameter.cell, line=parameter.line),
            hint="Write it as text, or move it out of the parameters.",
        )
    kind = TYPES[parameter.type]
    return {"parameterType": kind, "defaultValue": parameter.default, "isOptional": True}


def _exact(value: Any) -> bool:
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")  # noqa: PLR0124 - NaN differs from itself
    if isinstance(value, int):
        return abs(value) <= 1 << 53
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _exact(item) for key, item in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return all(_exact(item) for item in value)
    return True


def _pipeline_name(pipeline: Pipeline) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", pipeline.name.lower()).strip("-")[:128].rstrip("-")
    if not name:
        raise Invalid(f"{pipeline.name!r} is no name for a pipeline", hint="Rename the notebook.")
    return name


def _version() -> str:
    from jupyter_ext import __version__

    return __version__
