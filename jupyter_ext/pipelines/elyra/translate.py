"""From nodes to a pipeline specification (KFP's IR) whose tasks run them here: then it is a run like any other."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, Unfit, Where
from jupyter_ext.pipelines.elyra import catalogs, reading
from jupyter_ext.pipelines.elyra.places import Places, matching
from jupyter_ext.pipelines.elyra.spec import Flow, Node, Parameter

PROGRAM: Final = Path(__file__).with_name("runtime") / "run_node.py"
NOTEBOOK: Final = {"schemaTitle": "elyra.ExecutedNotebook", "schemaVersion": "0.0.1"}
"""The type of the artifact that is a notebook as executed."""
_FILE: Final = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}
_TYPES: Final = {
    "String": "STRING",
    "Integer": "NUMBER_INTEGER",
    "Float": "NUMBER_DOUBLE",
    "Bool": "BOOLEAN",
}
_PROGRAMS: Final = {"r": "Rscript", "shell": "bash"}
_NOT_A_KEY: Final = re.compile(r"[^A-Za-z0-9_-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AMOUNT: Final = re.compile(r"\d+(?:\.\d+)?")


class Translation:
    """What a file became: ``pipeline`` and ``platforms`` as a compiled one has them, and all that is wrong with it."""

    def __init__(self, flow: Flow, places: Places) -> None:
        self.flow, self.places = flow, places
        self.problems: list[KubeflowError] = []
        self.components: dict[str, Any] = {}
        self.executors: dict[str, Any] = {}
        self.tasks: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.files: dict[str, str] = {}
        for node in flow.nodes:
            try:
                self._add(node, self._executor(node))
            except KubeflowError as error:
                self.problems.append(error)
                self._stand_in(node)

    @property
    def pipeline(self) -> dict[str, Any]:
        """The specification."""
        flow = self.flow
        return {
            "pipelineInfo": {"name": flow.name, **_some(description=flow.description)},
            "sdkVersion": f"Elyra, pipeline version {flow.version:g}",
            "schemaVersion": "2.1.0",
            "root": {
                "inputDefinitions": {"parameters": {one.name: _parameter(one) for one in flow.parameters}},
                "dag": {"tasks": self.tasks},
            },
            "components": self.components,
            "deploymentSpec": {"executors": self.executors},
        }

    @property
    def platforms(self) -> dict[str, Any]:
        """Settings for Kubernetes, by node."""
        executors = {f"exec-{name}": found for name, found in self.settings.items() if found}
        return {"kubernetes": {"deploymentSpec": {"executors": executors}}} if executors else {}

    def _executor(self, node: Node) -> dict[str, Any]:
        """Add component and executor of a node; the inputs of its task."""
        if node.kind:
            return self._generic(node)
        if self.flow.runtime == "APACHE_AIRFLOW":
            raise Unfit(
                f"Step {node.name} is the Airflow operator {node.op}, which only Apache Airflow runs",
                where=Where(object=f"step {node.name}"),
                hint="Run the pipeline there, or replace the node by a script.",
            )
        return catalogs.add(self, node)

    def _add(self, node: Node, inputs: dict[str, Any]) -> None:
        before = [other.name for one in node.after if (other := self.flow.node(one))]
        self.tasks[node.name] = {
            "taskInfo": {"name": node.title},
            "componentRef": {"name": f"comp-{node.name}"},
            **_some(dependentTasks=before, inputs=inputs),
            **({} if node.kind or not self.flow.cached else {"cachingOptions": {"enableCache": True}}),
        }

    def _stand_in(self, node: Node) -> None:
        """A node that cannot run still has its place in the graph."""
        self.components[f"comp-{node.name}"] = {"executorLabel": f"exec-{node.name}"}
        self.executors[f"exec-{node.name}"] = {"container": {"image": "", "command": ["false"]}}
        self._add(node, {})

    # Nodes that run a file

    def _generic(self, node: Node) -> dict[str, Any]:
        known = {one.name: one for one in self.flow.parameters}
        wanted = [str(name) for name in node.listed("pipeline_parameters")]
        for name in wanted:
            if name not in known:
                raise Invalid(
                    f"It wants the parameter {name}, which the pipeline has not",
                    where=Where(object=f"step {node.name}"),
                    hint=f"The pipeline has {', '.join(known) or 'none'}.",
                )
        request = self._request(node)
        outputs = {name: {"artifactType": _FILE} for name in request["outputs"]}
        if node.kind == "notebook":
            outputs["notebook"] = {"artifactType": NOTEBOOK}
        self.components[f"comp-{node.name}"] = {
            "executorLabel": f"exec-{node.name}",
            **_some(inputDefinitions=_some(parameters={name: _parameter(known[name]) for name in wanted})),
            **_some(outputDefinitions=_some(artifacts=outputs)),
        }
        self.executors[f"exec-{node.name}"] = {
            "container": {
                "image": str(node.settings.get("runtime_image") or ""),
                "command": ["python3", "-P", str(PROGRAM)],
                "args": ["{{$}}", json.dumps(request)],
                **_some(env=self._environment(node), resources=resources(node)),
            }
        }
        self.settings[node.name] = platform(node)
        return _some(parameters={name: {"componentInputParameter": name} for name in wanted})

    def _request(self, node: Node) -> dict[str, Any]:
        """What ``run_node`` is told, once everything that it needs was found."""
        where = Where(object=f"step {node.name}")
        if not node.file:
            raise Invalid("It names no file", where=where, hint="Set its filename in Elyra's editor.")
        file = self.places.file(node.file, "Its file", node.name)
        self.files[node.name] = self.places.relative(file)
        program = _PROGRAMS.get(node.kind)
        if program and shutil.which(program) is None:
            raise Unfit(
                f"Step {node.name} runs {node.file}, and this machine has no {program}",
                where=where,
                hint=f"Install {program}, or run it on a cluster.",
            )
        if node.kind == "notebook" and file.suffix.lower() != ".ipynb":
            raise Invalid(f"Its file {node.file} is not a notebook", where=where)
        for text in node.listed("dependencies"):
            found = self.places.pattern(str(text), "Its dependency", node.name, file.parent)
            if not matching(found) and not self._made(node, found):
                raise Invalid(
                    f"Its dependency {text} is not there", where=where, hint=f"It is looked for at {found}."
                )
        outputs: dict[str, str] = {}
        for text in node.listed("outputs"):
            self.places.pattern(str(text), "Its output", node.name, file.parent)
            key = _NOT_A_KEY.sub("-", str(text)).strip("-")[:80] or "output"
            while key in outputs or key == "notebook":
                key += "_"
            outputs[key] = str(text)
        kernel = _kernel(file, node) if node.kind == "notebook" else ""
        return {
            "kind": node.kind,
            "file": str(file),
            "folder": str(file.parent),
            "kernel": kernel,
            "outputs": outputs,
        }

    def _made(self, node: Node, path: Path) -> bool:
        """Whether a node that comes before makes the file."""
        seen, stack = set(), list(node.after)
        while stack:
            other = self.flow.node(stack.pop())
            if other is None or other.id in seen:
                continue
            seen.add(other.id)
            stack += other.after
            folder = (self.places.base / other.file).parent
            if any(path == folder / str(text) for text in other.listed("outputs")):
                return True
        return False

    def _environment(self, node: Node) -> list[dict[str, str]]:
        found = {"ELYRA_RUNTIME_ENV": "local", "ELYRA_RUN_NAME": "{{$.pipeline_job_name}}"}
        for name, value in node.env.items():
            if not _VARIABLE.fullmatch(name):
                raise Invalid(
                    f"{name!r} is not a name of an environment variable",
                    where=Where(field="env_vars", object=f"step {node.name}"),
                )
            found[name] = value
        return [{"name": name, "value": value} for name, value in found.items()]


def translate(path: str | Path) -> Translation:
    """Read a file and translate it. Raises NotFound, or Invalid for one that cannot be read at all."""
    flow = reading.load(path)
    return Translation(flow, Places(Path(path), flow.version))


def _some(**found: Any) -> dict[str, Any]:
    """Without what is empty."""
    return {key: value for key, value in found.items() if value}


def _parameter(one: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"parameterType": _TYPES.get(one.kind, "STRING")}
    if one.default is not None:
        found["defaultValue"] = one.default
    elif not one.required:
        found["isOptional"] = True
    return found


def resources(node: Node) -> dict[str, Any]:
    """What a node asks for; Elyra counts memory in units of 10^9 bytes."""
    found: dict[str, Any] = {}
    for key, name, unit in (
        ("cpu", "resourceCpuRequest", ""),
        ("cpu_limit", "resourceCpuLimit", ""),
        ("memory", "resourceMemoryRequest", "G"),
        ("memory_limit", "resourceMemoryLimit", "G"),
    ):
        if node.settings.get(key):
            found[name] = _amount(node, key) + unit
    if node.settings.get("gpu"):
        kind = str(node.settings.get("gpu_vendor") or "nvidia.com/gpu")
        found["accelerator"] = {"resourceType": kind, "resourceCount": _amount(node, "gpu")}
    return found


def _amount(node: Node, key: str) -> str:
    text = str(node.settings[key])
    if not _AMOUNT.fullmatch(text):
        raise Invalid(f"{text!r} is not an amount", where=Where(field=key, object=f"step {node.name}"))
    return text


def platform(node: Node) -> dict[str, Any]:
    """Settings of its pod, as kfp-kubernetes has them. A secret whose variable the node sets itself is not asked for."""
    secrets = [
        {
            "secretName": str(one.get("name")),
            "keyToEnv": [{"secretKey": str(one.get("key")), "envVar": str(one.get("env_var"))}],
        }
        for one in node.listed("kubernetes_secrets")
        if one.get("env_var") not in node.env
    ]
    volumes = [
        {
            "constant": str(one.get("pvc_name")),
            "mountPath": str(one.get("path")),
            **_some(subPath=one.get("sub_path")),
        }
        for one in node.listed("mounted_volumes")
    ]
    labels = {
        str(one.get("key")): str(one.get("value") or "") for one in node.listed("kubernetes_pod_labels")
    }
    notes = {
        str(one.get("key")): str(one.get("value") or "") for one in node.listed("kubernetes_pod_annotations")
    }
    taints = [
        _some(**{key: one.get(key) for key in ("key", "operator", "value", "effect")})
        for one in node.listed("kubernetes_tolerations")
    ]
    pod = _some(labels=labels, annotations=notes)
    return _some(secretAsEnv=secrets, pvcMount=volumes, podMetadata=pod, tolerations=taints)


def _kernel(file: Path, node: Node) -> str:
    """The kernel of a notebook: its own, or Python's where a notebook of Python names one that is not here."""
    from jupyter_client.kernelspec import KernelSpecManager

    where = Where(object=f"step {node.name}")
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))["metadata"]
        asked = str(metadata.get("kernelspec", {}).get("name") or "python3")
        language = str(
            metadata.get("language_info", {}).get("name")
            or metadata.get("kernelspec", {}).get("language")
            or "python"
        )
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        raise Invalid(f"Its file {node.file} is not a notebook", where=where) from None
    known = KernelSpecManager().find_kernel_specs()
    if asked in known:
        return asked
    if language == "python" and "python3" in known:
        return "python3"
    raise Unfit(
        f"Step {node.name} wants the kernel {asked}, and this machine has {', '.join(sorted(known)) or 'none'}",
        where=where,
        hint="Install the kernel here.",
    )


def of_step(args: tuple[str, ...], command: tuple[str, ...]) -> Mapping[str, Any] | None:
    """What ``run_node`` is told by a container of such a run, None for other containers."""
    if len(args) != 2 or command[-1:] != (str(PROGRAM),):
        return None
    return dict(json.loads(args[1]))
