"""Steps as KFP's tasks, components and executors; see ``ir.py`` for what becomes what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from jupyter_ext.pipelines import ir_step
from jupyter_ext.pipelines.ir_volumes import IMAGE, volumes
from jupyter_ext.pipelines.model import ANY, Parameter, Pipeline, Step

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
RUNS_CELLS = frozenset({"step", "iteration", "gather"})
"""Parts of a step that may run its cells (a gather does when the iterations were not independent after all)."""
METRICS = re.compile(r"\bmetrics\(")
PLOTS = re.compile(
    r"\b(?:kf|pipelines|jupyter_ext)\.(?:confusion_matrix|roc)\(|import[^\n]*\b(?:confusion_matrix|roc)\b"
)

Tree = dict[str, Any]


def task_names(pipeline: Pipeline) -> dict[str, str]:
    """A name for every step that Kubernetes takes: lower-case letters, digits and dashes, each once."""
    found: dict[str, str] = {}
    taken = {volume.task for volume in volumes(pipeline.metadata)}
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


def taken(pipeline: Pipeline) -> dict[str, dict[str, set[str]]]:
    """For every step the steps whose state it takes, each with the names that it takes from there.

    Where the order is declared, an edge stands for what is certain only. What a step before may have changed
    counts all the same (it is compared when it ran), so those names are taken from there too.
    """
    found: dict[str, dict[str, set[str]]] = {step.name: {} for step in pipeline.steps}
    for edge in pipeline.edges:
        found[edge.target].setdefault(edge.source, set()).update(edge.names)
    if pipeline.order == "declared":
        _add_possible_changes(pipeline, found)
    return found


def _add_possible_changes(pipeline: Pipeline, found: dict[str, dict[str, set[str]]]) -> None:
    number = {step.name: place for place, step in enumerate(pipeline.steps)}
    before: list[int] = []
    changers: dict[str, list[Step]] = {}
    for step in pipeline.steps:
        reached = 0
        for source in found[step.name]:
            reached |= before[number[source]] | 1 << number[source]
        before.append(reached)
        for source, names in list(found[step.name].items()):
            for name in names:
                for other in (*changers.get(name, ()), *changers.get(ANY, ())):
                    later = number[other.name] > number[source]
                    if later and reached >> number[other.name] & 1 and name in other.reads:
                        found[step.name].setdefault(other.name, set()).add(name)
        for name in step.may_write:
            changers.setdefault(name, []).append(step)


class Writer:
    """Collects components, executors and tasks while going over the steps once."""

    def __init__(self, pipeline: Pipeline, image: str, brought: Mapping[str, bytes]) -> None:
        self._pipeline, self._image = pipeline, image
        self._names = task_names(pipeline)
        self._order = {step.name: number for number, step in enumerate(pipeline.steps)}
        self._volumes = volumes(pipeline.metadata)
        self.made_volumes = [volume for volume in self._volumes if volume.arguments is not None]
        self.components: Tree = {}
        self.executors: Tree = {}
        self.platform: Tree = {}
        self.tasks: Tree = {}
        self._taken = taken(pipeline)
        self._exports: dict[str, set[str]] = {step.name: set() for step in pipeline.steps}
        for sources in self._taken.values():
            for source, names in sources.items():
                self._exports[source] |= names
        self._followed = {source for sources in self._taken.values() for source in sources}
        self._final: dict[str, str] = {}
        self._carrying = self._who_carries()
        self._brought = bool(brought)
        self._bundle = ir_step.bundle(brought)

    def _who_carries(self) -> set[str]:
        """Steps after which some step may use a file."""
        found: set[str] = set()
        for step in reversed(self._pipeline.steps):
            if step.name in found or any(effect.kind in FILES for effect in step.effects):
                found.update(self._taken[step.name])
        return found

    def write(self) -> None:
        """Go over the steps."""
        for volume in self.made_volumes:
            component, task = volume.made()
            self.components[f"comp-{volume.task}"] = component
            self.executors[f"exec-{volume.task}"] = {"container": {"image": IMAGE}}
            self.tasks[volume.task] = task
        for step in self._pipeline.steps:
            if step.foreach is not None and step.foreach.parallel:
                self._loop(step)
            elif step.when is not None and step.name not in self._followed:
                self._condition(step)
            else:
                self._final[step.name] = self._task(step, "step", self._names[step.name])

    # One container

    def _told(self, step: Step, role: str) -> Tree:
        """What ``container/runner.py`` is told about its step."""
        mounts = tuple(volume.mount for volume in self._volumes)
        writes = [effect.detail for effect in step.effects if effect.kind == "file" and effect.mode == "w"]
        absolute = {
            path
            for path in writes
            if path.startswith(("/", "~")) and not (mounts and path.startswith(mounts))
        }
        told: Tree = {
            "name": step.name,
            "role": role,
            "order": self._order[step.name],
            "states": [f"state-{self._names[source]}" for source in self._taken[step.name]],
            "reads": sorted(set().union(*self._taken[step.name].values())),
            "writes": sorted(step.writes),
            "mayWrite": sorted({*step.may_write, *step.deletes}),
            "compare": self._compared(step, role),
            "exports": sorted(self._exports[step.name]),
            "brought": self._brought,
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
        self.components[f"comp-{name}"] = _filled(component)
        cells = step.cells if role in RUNS_CELLS else ()
        zipped = None if given else self._bundle
        container = ir_step.container(step, told, cells, zipped, self._image)
        self.executors[f"exec-{name}"] = {"container": container}
        settings = ir_step.kubernetes(step, self._volumes, inside="prefix" in more)
        if settings:
            self.platform[f"exec-{name}"] = settings
        title = (step.title or step.name) if role in {"step", "iteration"} else name
        more.get("tasks", self.tasks)[name] = {
            "taskInfo": {"name": title},
            "componentRef": {"name": f"comp-{name}"},
            "cachingOptions": {"enableCache": True} if self._cached(step) else {},
        } | _filled(
            {
                "dependentTasks": _producers(
                    [*given.values(), *([] if "prefix" in more else self._claims())]
                ),
                "inputs": _filled({"artifacts": given, "parameters": arguments}),
                "retryPolicy": _retries(step.retry) if step.retry else {},
            }
        )
        return name

    def _compared(self, step: Step, role: str) -> list[str]:
        """Names whose content is compared afterwards: where it matters whether a step did change what it may."""
        if role == "iteration":
            return sorted({*step.writes, *step.may_write})
        return sorted(step.may_write) if self._pipeline.order == "declared" and role == "step" else []

    def _cached(self, step: Step) -> bool:
        """As the step says, else as the notebook's metadata say, else yes."""
        return bool(self._pipeline.metadata.get("cache", True)) if step.cache is None else step.cache

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
        for source in self._taken[step.name]:
            found[f"state-{self._names[source]}"] = _state(self._final[source])
        return found

    def _claims(self) -> list[Tree]:
        """The outputs of the tasks that make volumes: a step can start only after them."""
        return [volume.source() for volume in self.made_volumes]

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
        given = {**self._states(step), "items": _state(finding)}
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
        self._task(step, "gather", name, artifacts={**given, "iterations": _state(looping)})
        self._final[step.name] = name

    def add_dag(self, name: str, component: Tree, task: Tree) -> None:
        """Add a sub-DAG as component and as task of the root."""
        self.components[f"comp-{name}"] = component
        self.tasks[name] = task

    def parameters_of(self, step: Step) -> list[Parameter]:
        """The parameters whose literals stand in the step."""
        cells = {cell.index for cell in step.cells}
        return [parameter for parameter in self._pipeline.parameters if parameter.cell in cells]


class _Dag:
    """A sub-DAG under construction: everything from outside comes in through its inputs."""

    prefix = "pipelinechannel--"

    def __init__(
        self,
        writer: Writer,
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
        for volume in writer.made_volumes:
            self._definitions["parameters"][volume.channel] = {"parameterType": "STRING"}
            self._arguments[volume.channel] = volume.source()
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


def _state(task: str) -> Tree:
    return {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": "state"}}


def _output(task: str) -> Tree:
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": "Output"}}


def _retries(count: int) -> Tree:
    first, longest = RETRY_SECONDS
    waits = {"backoffDuration": f"{first}s", "backoffFactor": 2.0, "backoffMaxDuration": f"{longest}s"}
    return {"maxRetryCount": count, **waits}
