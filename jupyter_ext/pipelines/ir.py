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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.pipelines import ir_step
from jupyter_ext.pipelines.model import ANY, Parameter, Pipeline, Step
from jupyter_ext.pipelines.yaml_text import to_yaml

SCHEMA_VERSION = "2.1.0"
RETRY_SECONDS = (1, 60)
"""First and longest wait before a retry, as in a local run; it doubles in between."""
TYPES = {
    "int": "NUMBER_INTEGER",
    "float": "NUMBER_DOUBLE",
    "str": "STRING",
    "bool": "BOOLEAN",
    "list": "LIST",
    "dict": "STRUCT",
}
FILES = frozenset({"file", "shell", "unknown", "cwd"})
"""Kinds of effects through which a step may use a file."""

LOOP_PARTS = ("-items", "-loop", "-each")

Tree = dict[str, Any]


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
    notebook: str | Path | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    image: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    """The notebook as KFP IR YAML; written to ``output`` too if that is given.

    ``parameters`` (or keywords) become the new defaults. ``image`` is what steps run in that name none; without it, the
    image of this server if it tells, else plain Python. Raises Invalid for a notebook that cannot run and
    Unfit for a setting that a cluster cannot honour.
    """
    from jupyter_ext.pipelines.graph import check
    from jupyter_ext.pipelines.parameters import bind

    pipeline = check(notebook)
    pipeline.require_valid()
    values = {**(parameters or {}), **more}
    if values:
        pipeline = bind(pipeline, values)
    folder = Path(notebook).parent if isinstance(notebook, str | Path) else None
    text = export(pipeline, image=image, folder=folder).to_text()
    if output is not None:
        Path(output).write_text(text, "utf-8")
    return text


def to_ir(pipeline: Pipeline, *, image: str | None = None, folder: Path | None = None) -> Tree:
    """The pipeline document alone; see ``export``."""
    return export(pipeline, image=image, folder=folder).spec


def export(pipeline: Pipeline, *, image: str | None = None, folder: Path | None = None) -> Exported:
    """Both documents. ``folder`` is where the notebook lies: what steps read from there goes along if it is small."""
    return _Writer(pipeline, image or default_image(), folder).write()


def default_image() -> str:
    """The image that this notebook server runs in (KubeSpawner tells it), else Python of this version."""
    import os

    told = os.environ.get("JUPYTER_IMAGE_SPEC") or os.environ.get("JUPYTER_IMAGE")
    return told or "python:{}.{}-slim".format(*sys.version_info[:2])


def task_names(pipeline: Pipeline) -> dict[str, str]:
    """A name for every step that Kubernetes takes: lower-case letters, digits and dashes, each once."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for step in pipeline.steps:
        base = re.sub(r"[^a-z0-9]+", "-", step.name.lower()).strip("-")[:48].rstrip("-") or "step"
        number, name = 1, base
        # The parts of a step, and Argo's driver for each of them, are named after it.
        suffixes = [
            "",
            "-driver",
            *(["-when", "-if"] if step.when else []),
            *(LOOP_PARTS if step.foreach else []),
        ]
        while not taken.isdisjoint(name + suffix for suffix in suffixes):
            number += 1
            name = f"{base}-{number}"
        taken.update(name + suffix for suffix in suffixes)
        found[step.name] = name
    return found


class _Writer:
    """Collects components, executors and tasks while going over the steps once."""

    def __init__(self, pipeline: Pipeline, image: str, folder: Path | None) -> None:
        self._pipeline, self._image = pipeline, image
        self._names = task_names(pipeline)
        self._order = {step.name: number for number, step in enumerate(pipeline.steps)}
        self._volumes = ir_step.claims(pipeline.metadata)
        self._components: Tree = {}
        self._executors: Tree = {}
        self._platform: Tree = {}
        self._tasks: Tree = {}
        self._before: dict[str, list[str]] = {step.name: [] for step in pipeline.steps}
        self._exports: dict[str, set[str]] = {step.name: set() for step in pipeline.steps}
        for edge in pipeline.edges:
            self._exports[edge.source].update(edge.names)
            if edge.source not in self._before[edge.target]:
                self._before[edge.target].append(edge.source)
        self._followed = {source for sources in self._before.values() for source in sources}
        self._final: dict[str, tuple[str, str]] = {}
        self._carrying = self._who_carries()
        brought, self._notes = beside(pipeline, folder)
        self._bundle = ir_step.bundle(brought)

    def _who_carries(self) -> set[str]:
        """Steps after which some step may use a file."""
        found: set[str] = set()
        for step in reversed(self._pipeline.steps):
            if step.name in found or any(effect.kind in FILES for effect in step.effects):
                found.update(self._before[step.name])
        return found

    def write(self) -> Exported:
        """Go over the steps."""
        for step in self._pipeline.steps:
            if step.foreach is not None and step.foreach.parallel:
                self._loop(step)
            elif step.when is not None and step.name not in self._followed:
                self._condition(step)
            else:
                task = self._task(step, "step", self._names[step.name])
                self._final[step.name] = (task, "state")
        root: Tree = {"dag": {"tasks": self._tasks}}
        if self._pipeline.parameters:
            root["inputDefinitions"] = {
                "parameters": {p.name: _declared(p) for p in self._pipeline.parameters}
            }
        info: Tree = {"name": _pipeline_name(self._pipeline)}
        if self._pipeline.title:
            info["displayName"] = self._pipeline.title
        spec = {
            "pipelineInfo": info,
            "components": self._components,
            "deploymentSpec": {"executors": self._executors},
            "root": root,
            "schemaVersion": SCHEMA_VERSION,
            "sdkVersion": f"jupyter-kubeflow-{_version()}",
        }
        platform: Tree = {}
        if self._platform:
            platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": self._platform}}}}
        return Exported(spec, platform, self._notes)

    # One container

    def _told(self, step: Step, role: str) -> Tree:
        """What ``container/runner.py`` is told about its step."""
        absolute = {
            e.detail
            for e in step.effects
            if e.kind == "file" and e.mode == "w" and e.detail.startswith(("/", "~"))
        }
        told: Tree = {
            "name": step.name,
            "role": role,
            "order": self._order[step.name],
            "reads": sorted(step.reads),
            "writes": sorted(step.writes),
            "mayWrite": sorted({*step.may_write, *step.deletes}),
            "exports": sorted(self._exports[step.name]),
            "carry": step.name in self._carrying,
            "watch": step.name in self._carrying and any(e.kind in FILES for e in step.effects),
            "paths": sorted(absolute),
        }
        if step.when is not None and role in {"when", "items", "step"}:
            told["when"] = step.when
        if step.foreach is not None:
            told["foreach"] = {"var": step.foreach.var, "expr": step.foreach.expr}
            told["collect"] = list(step.collect)
        cells = {cell.index for cell in step.cells}
        own = [p for p in self._pipeline.parameters if p.cell in cells]
        if own and role in RUNS_CELLS:
            told["parameters"] = [p.to_dict() for p in own]
        if step.name == self._pipeline.steps[-1].name and self._pipeline.metrics:
            told["metrics"] = list(self._pipeline.metrics)
        return told

    def _task(self, step: Step, role: str, name: str, **more: Any) -> str:
        """Add component, executor and task of one container; ``more`` says where the task goes and what it is given."""
        given: Tree = more["artifacts"] if "artifacts" in more else self._states(step)
        told = self._told(step, role)
        arguments = {
            parameter["name"]: {"componentInputParameter": more.get("prefix", "") + parameter["name"]}
            for parameter in told.get("parameters", ())
        }
        types = {parameter["name"]: TYPES[parameter["type"]] for parameter in told.get("parameters", ())}
        if role == "iteration":
            arguments["index"] = {"componentInputParameter": more["item"]}
            types["index"] = "NUMBER_INTEGER"
        inputs = {
            "artifacts": {key: _artifact(many=key == "iterations") for key in given},
            "parameters": {key: {"parameterType": kind} for key, kind in types.items()},
        }
        component = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": _filled(inputs),
            "outputDefinitions": self._outputs(step, role, told),
        }
        self._components[f"comp-{name}"] = _filled(component)
        cells = step.cells if role in RUNS_CELLS else ()
        zipped = None if given else self._bundle
        container = ir_step.container(step, told, cells, zipped, self._image)
        self._executors[f"exec-{name}"] = {"container": container}
        settings = ir_step.kubernetes(step, self._volumes)
        if settings:
            self._platform[f"exec-{name}"] = settings
        title = (step.title or step.name) if role in {"step", "iteration"} else name
        more.get("tasks", self._tasks)[name] = {
            "taskInfo": {"name": title},
            "componentRef": {"name": f"comp-{name}"},
            "cachingOptions": {} if step.cache is False else {"enableCache": True},
        } | _filled(
            {
                "dependentTasks": _producers(given.values()),
                "inputs": _filled({"artifacts": given, "parameters": arguments}),
                "retryPolicy": _retries(step.retry) if step.retry else {},
            }
        )
        return name

    def _outputs(self, step: Step, role: str, told: Tree) -> Tree:
        artifacts: Tree = {}
        if role != "when":
            artifacts["state"] = _artifact()
        if role in RUNS_CELLS:
            source = step.source
            if told.get("metrics") or METRICS.search(source):
                artifacts["metrics"] = _artifact("system.Metrics")
            if PLOTS.search(source):
                artifacts["plots"] = _artifact("system.ClassificationMetrics")
        outputs: Tree = {"artifacts": artifacts} if artifacts else {}
        if role in {"when", "items"}:
            outputs["parameters"] = {"Output": {"parameterType": "BOOLEAN" if role == "when" else "LIST"}}
        return outputs

    def _states(self, step: Step) -> Tree:
        """The artifacts of the steps before this one."""
        found: Tree = {}
        for source in self._before[step.name]:
            task, key = self._final[source]
            found[f"state-{self._names[source]}"] = {
                "taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}
            }
        return found

    # Sub-DAGs

    def _condition(self, step: Step) -> None:
        """Look first, in a container of its own; start the step only if it is to run."""
        name = self._names[step.name]
        deciding = self._task(step, "when", f"{name}-when")
        channel = f"pipelinechannel--{deciding}-Output"
        dag = _Dag(self, step, f"{name}-if", self._states(step), {channel: ("BOOLEAN", _output(deciding))})
        inner = replace(step, when=None)
        inside: Tree = {}
        self._task(inner, "step", name, tasks=inside, artifacts=dag.inside, prefix=dag.prefix)
        dag.close(inside, {"triggerPolicy": {"condition": f"inputs.parameter_values['{channel}'] == true"}})

    def _loop(self, step: Step) -> None:
        """Find the items, run an iteration for each, put together what they leave."""
        name = self._names[step.name]
        finding = self._task(step, "items", f"{name}-items")
        channel = f"pipelinechannel--{finding}-Output"
        item = f"{channel}-loop-item"
        items = {"taskOutputArtifact": {"producerTask": finding, "outputArtifactKey": "state"}}
        given = {**self._states(step), "items": items}
        dag = _Dag(self, step, f"{name}-loop", given, {channel: ("LIST", _output(finding))}, item=item)
        inside: Tree = {}
        each = self._task(
            step,
            "iteration",
            f"{name}-each",
            tasks=inside,
            artifacts=dag.inside,
            prefix=dag.prefix,
            item=item,
        )
        outputs = {"state": {"artifactSelectors": [{"producerSubtask": each, "outputArtifactKey": "state"}]}}
        iterator = {"itemInput": item, "items": {"inputParameter": channel}}
        looping = dag.close(inside, {"parameterIterator": iterator}, outputs)
        iterations = {"taskOutputArtifact": {"producerTask": looping, "outputArtifactKey": "state"}}
        self._task(step, "gather", name, artifacts={**given, "iterations": iterations})
        self._final[step.name] = (name, "state")

    def add_dag(self, name: str, component: Tree, task: Tree) -> None:
        """Add a sub-DAG as component and as task of the root."""
        self._components[f"comp-{name}"] = component
        self._tasks[name] = task

    def parameters_of(self, step: Step) -> list[Parameter]:
        """The parameters whose literals stand in the step."""
        cells = {cell.index for cell in step.cells}
        return [parameter for parameter in self._pipeline.parameters if parameter.cell in cells]


class _Dag:
    """A sub-DAG under construction: everything from outside comes in through its inputs."""

    prefix = "pipelinechannel--"

    def __init__(
        self,
        writer: _Writer,
        step: Step,
        name: str,
        artifacts: Tree,
        channels: dict[str, tuple[str, Tree]],
        item: str = "",
    ) -> None:
        self._writer, self._name, self._artifacts = writer, name, artifacts
        self.inside: Tree = {key: {"componentInputArtifact": self.prefix + key} for key in artifacts}
        self._definitions: Tree = {"artifacts": {self.prefix + key: _artifact() for key in artifacts}}
        self._definitions["parameters"] = {
            key: {"parameterType": kind} for key, (kind, _) in channels.items()
        }
        self._arguments: Tree = {key: source for key, (_, source) in channels.items()}
        if item:
            self._definitions["parameters"][item] = {"parameterType": "NUMBER_INTEGER"}
        for parameter in writer.parameters_of(step):
            key = self.prefix + parameter.name
            self._definitions["parameters"][key] = {"parameterType": TYPES[parameter.type]}
            self._arguments[key] = {"componentInputParameter": parameter.name}

    def close(self, tasks: Tree, policy: Tree, outputs: Tree | None = None) -> str:
        """Add the sub-DAG with its tasks; ``policy`` says when or how often it runs."""
        component: Tree = {"dag": {"tasks": tasks}, "inputDefinitions": self._definitions}
        if outputs:
            component["dag"] = {"outputs": {"artifacts": outputs}, "tasks": tasks}
            component["outputDefinitions"] = {"artifacts": {key: _artifact(many=True) for key in outputs}}
        inputs = {"artifacts": {self.prefix + key: source for key, source in self._artifacts.items()}}
        inputs["parameters"] = self._arguments
        task: Tree = {
            "taskInfo": {"name": self._name},
            "componentRef": {"name": f"comp-{self._name}"},
            "dependentTasks": _producers([*self._artifacts.values(), *self._arguments.values()]),
            "inputs": _filled(inputs),
        }
        self._writer.add_dag(self._name, component, {**task, **policy})
        return self._name


RUNS_CELLS = frozenset({"step", "iteration", "gather"})
"""Parts of a step that may run its cells (a gather does when the iterations were not independent after all)."""
METRICS = re.compile(r"\bmetrics\(")
PLOTS = re.compile(
    r"\b(?:kf|pipelines|jupyter_ext)\.(?:confusion_matrix|roc)\(|import[^\n]*\b(?:confusion_matrix|roc)\b"
)


def _artifact(title: str = "system.Artifact", *, many: bool = False) -> Tree:
    kind: Tree = {"artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"}}
    return {**kind, "isArtifactList": True} if many else kind


def _producers(sources: Iterable[Tree]) -> list[str]:
    """The tasks that the sources of inputs name."""
    found = {
        source[kind]["producerTask"] for source in sources for kind in source if kind.startswith("taskOutput")
    }
    return sorted(found)


def _filled(tree: Tree) -> Tree:
    """Without the empty members, which KFP leaves out too."""
    return {key: value for key, value in tree.items() if value}


def _output(task: str) -> Tree:
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": "Output"}}


def _retries(count: int) -> Tree:
    first, longest = RETRY_SECONDS
    waits = {"backoffDuration": f"{first}s", "backoffFactor": 2.0, "backoffMaxDuration": f"{longest}s"}
    return {"maxRetryCount": count, **waits}


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


def beside(pipeline: Pipeline, folder: Path | None) -> tuple[dict[str, bytes], list[str]]:
    """Files beside the notebook that steps read or import, and notes on those that are too big to go along."""
    if folder is None:
        return {}, []
    written: set[str] = set()
    wanted: dict[str, str] = {}
    for step in pipeline.steps:
        for effect in step.effects:
            if effect.kind != "file" or effect.detail == ANY or effect.detail.startswith(("/", "~", "..")):
                continue
            if effect.mode == "r" and effect.detail not in written:
                wanted.setdefault(effect.detail, step.name)
            elif effect.mode == "w":
                written.add(effect.detail)
        for name in IMPORTS.findall(step.source):
            for place in (f"{name}.py", name):
                wanted.setdefault(place, step.name)
    return _packed(folder, wanted)


IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


def _packed(folder: Path, wanted: Mapping[str, str]) -> tuple[dict[str, bytes], list[str]]:
    import zlib

    brought: dict[str, bytes] = {}
    notes: list[str] = []
    room = ir_step.BROUGHT_LIMIT
    for name, step in wanted.items():
        place = folder / name
        if place.is_dir():
            is_package = (place / "__init__.py").exists()
            files = sorted(place.rglob("*.py")) if is_package else []
        else:
            files = [place] if place.is_file() else []
        for path in files:
            content = path.read_bytes() if path.stat().st_size < 10 * ir_step.BROUGHT_LIMIT else None
            size = len(zlib.compress(content)) if content is not None else room + 1
            if content is None or size > room:
                notes.append(
                    f"Not in here: {path.relative_to(folder)}, which step {step} uses; the image must have it."
                )
                continue
            room -= size
            brought[path.relative_to(folder).as_posix()] = content
    return brought, notes
