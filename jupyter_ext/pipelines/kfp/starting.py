"""From a notebook, or a compiled pipeline, to a run on a Kubeflow Pipelines server: all that can be wrong is found before.

A run is given the specification itself: nothing is left on the server that nobody asked for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.cluster.resource import make_name
from jupyter_ext.errors import Unfit, Where
from jupyter_ext.pipelines import graph, ir, parameters
from jupyter_ext.pipelines import notebook as notebooks
from jupyter_ext.pipelines.compiled import parsing, reading, spec, values
from jupyter_ext.pipelines.compiled.sdk import document_of, is_pipeline
from jupyter_ext.pipelines.submit import with_resources

if TYPE_CHECKING:
    from jupyter_ext.pipelines.kfp.server import Server

Json = dict[str, Any]

ACCOUNT: Final = "JUPYTER_KUBEFLOW_SERVICE_ACCOUNT"
EXPERIMENT: Final = "KF_PIPELINES_DEFAULT_EXPERIMENT_NAME"
_LARGEST: Final = 1 << 20
"""Bytes of a pipeline: etcd, which keeps the workflow, takes 1.5 MiB with all that is around it."""
_HERE: Final = "To run it on this machine instead: kf.cluster.use('local')."


class Source:
    """What is to run: its document, the values that were given, and what it is called."""

    def __init__(
        self, document: reading.Document, given: Json, name: str, title: str, experiment: str = ""
    ) -> None:
        self.document, self.given = document, given
        self.name, self.title, self.experiment = name, title, experiment

    def specification(self, *, cache: bool = True) -> Json:
        """As a run or a recurring run takes it. Raises Unfit for one that is too large."""
        pipeline = dict(self.document.pipeline) if cache else uncached(self.document.pipeline)
        size = len(json.dumps(pipeline))
        if size > _LARGEST:
            raise Unfit(
                f"the pipeline takes {size / 1e6:.1f} MB, more than Kubeflow Pipelines can keep",
                where=Where(object=self.name),
                hint=f"Read big constants from files, or split it. {_HERE}",
            )
        if not self.document.platforms:
            return pipeline
        return {"pipeline_spec": pipeline, "platform_spec": {"platforms": dict(self.document.platforms)}}


def source(
    path: Any, content: Mapping[str, Any] | None, given: Mapping[str, object], options: Mapping[str, Any]
) -> Source:
    """Read and check it. Raises Invalid, with cell and line, and Unfit for what this server cannot do."""
    for key, words in (("from", "from_"), ("only", "only"), ("register", "register")):
        if options.get(key):
            raise Unfit(
                f"{words} is for runs on this machine: Kubeflow Pipelines has no such thing",
                where=Where(field=words),
                hint=_HERE,
            )
    if content is None and (is_pipeline(path) or reading.is_compiled(path)):
        return _compiled(path, given, options)
    return _notebook(path, content, given, options)


def _notebook(
    path: Any, content: Mapping[str, Any] | None, given: Mapping[str, object], options: Mapping[str, Any]
) -> Source:
    file = Path(path).expanduser() if path else None
    book = (
        notebooks.read(dict(content), path=str(path or ""))
        if content is not None
        else notebooks.read(file or "")
    )
    pipeline = graph.analyse(book)
    pipeline.require_valid()
    pipeline = with_resources(pipeline, options.get("resources") or {})
    bound = parameters.bind(pipeline, dict(given))
    exported = ir.export(
        pipeline, image=os.environ.get(IMAGE) or None, folder=file.resolve().parent if file else None
    )
    told = {one.name: one.default for one in bound.parameters if one.name in given}
    name = file.stem if file else pipeline.name
    document = reading.Document(exported.spec, exported.platform.get("platforms") or {})
    return Source(
        document, told, name, pipeline.title or name, str(pipeline.metadata.get("experiment") or "")
    )


def _compiled(path: Any, given: Mapping[str, object], options: Mapping[str, Any]) -> Source:
    if options.get("resources"):
        raise Unfit(
            "what steps ask for stands in the compiled pipeline, and is changed for runs on this machine only",
            where=Where(field="resources"),
            hint=f"Compile it with other values. {_HERE}",
        )
    document = document_of(path) if is_pipeline(path) else reading.load(path)
    for problem in document.problems:
        raise problem
    read = parsing.read(document.pipeline)
    told = values.bind(
        read.root.inputs.parameters,
        {name: value for name, value in given.items() if name not in read.root.inputs.artifacts},
        (*read.root.inputs.parameters, *read.root.inputs.artifacts),
    )
    _require_no_artifacts(read, given)
    return Source(
        document, {name: told[name] for name in given if name in told}, read.name, read.title or read.name
    )


def _require_no_artifacts(read: spec.Specification, given: Mapping[str, object]) -> None:
    """A run of the server's takes values only."""
    for name, port in read.root.inputs.artifacts.items():
        if name in given or not port.optional:
            raise Unfit(
                f"the pipeline takes the artifact {name}, which a run of Kubeflow Pipelines cannot be given",
                where=Where(field=name),
                hint=f"Let an importer fetch it. {_HERE}",
            )


def start(
    server: Server,
    found: Source,
    options: Mapping[str, Any],
    *,
    description: str = "",
    name: str | None = None,
) -> Json:
    """Create the run. Raises what the server refuses."""
    return server.start(
        {
            "display_name": name or make_name(slug(found.name)),
            **({"description": description} if description else {}),
            **body(server, found, cache=bool(options.get("cache", True))),
        }
    )


def body(server: Server, found: Source, *, cache: bool = True) -> Json:
    """What runs and recurring runs have in common."""
    account = os.environ.get(ACCOUNT, "").strip()
    return {
        "experiment_id": server.experiment(found.experiment or os.environ.get(EXPERIMENT, "")),
        "pipeline_spec": found.specification(cache=cache),
        "runtime_config": {"parameters": found.given},
        **({"service_account": account} if account else {}),
    }


def uncached(pipeline: Mapping[str, Any]) -> Json:
    """The same pipeline; no task of it, in whatever DAG, takes what an earlier run made."""
    found: Json = json.loads(json.dumps(pipeline))
    for component in (found["root"], *found.get("components", {}).values()):
        for task in (component.get("dag") or {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    return found


def slug(text: str) -> str:
    """What is left of a name when it is to be one of Kubernetes'."""
    short = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return short if short[:1].isalnum() else "pipeline"
