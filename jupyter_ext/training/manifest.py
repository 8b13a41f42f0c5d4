"""Between the options of ``train``, the TrainJob that they make, and the job that a TrainJob asks for.

The spec is that of Kubeflow Trainer (``trainer.kubeflow.org/v1alpha1``). What it has no field for is in
annotations; functions of values only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.resource import Resource, format_cpu, parse_cpu, parse_memory
from jupyter_ext.errors import Invalid, KubeflowError, Unfit, Where
from jupyter_ext.training import spec as names
from jupyter_ext.training.containers import mapping, only, read, refuse, whole
from jupyter_ext.training.runtime import API_GROUP, framework_of, runtime_of
from jupyter_ext.training.spec import JobSpec

_GPU: Final = "nvidia.com/gpu"
_TRAINER: Final = frozenset(
    {"image", "command", "args", "env", "numNodes", "resourcesPerNode", "numProcPerNode"}
)
_SPEC: Final = frozenset({
    "runtimeRef", "initializer", "trainer", "runtimePatches", "suspend", "activeDeadlineSeconds", "managedBy",
})  # fmt: skip
_CONTROLLER: Final = "trainer.kubeflow.org/trainjob-controller"
PROGRAM: Final = Path(__file__).with_name("rank.py")


@dataclass(frozen=True)
class Options:
    """What ``train`` was asked for, checked, with the code already stored."""

    framework: str
    code: str
    entry: str
    runtime: str | None = None
    nodes: int | str = 1
    procs: int = 1
    resources: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    args: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    checkpoint: bool | str = False
    roles: Mapping[str, int] = field(default_factory=dict)
    deadline: int | None = None
    restarts: int = 0


def trainjob(
    name: str, options: Options, *, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Resource:
    """The resource. Raises Invalid for numbers that are none."""
    least, most = nodes_of(options.nodes)
    if options.roles:
        least = most = sum(whole(count, f"roles.{role}") for role, count in options.roles.items())
    trainer: dict[str, Any] = {"numNodes": most, "numProcPerNode": whole(options.procs, "procs", 1)}
    if options.env:
        trainer["env"] = [{"name": key, "value": value} for key, value in options.env.items()]
    if options.resources:
        trainer["resourcesPerNode"] = {
            "limits": amounts(options.resources),
            "requests": amounts(options.resources),
        }
    runtime = options.runtime or runtime_of(options.framework)
    ref = {"apiGroup": API_GROUP, "kind": "ClusterTrainingRuntime", "name": runtime}
    spec: dict[str, Any] = {"runtimeRef": ref, "trainer": trainer}
    if options.deadline is not None:
        spec["activeDeadlineSeconds"] = whole(options.deadline, "deadline", 1)
    noted: dict[str, str] = {
        names.FRAMEWORK: options.framework,
        names.CODE: options.code,
        names.ENTRY: options.entry,
        **annotations,
    }
    optional = {
        names.NODES: f"{least}:{most}" if least != most else "",
        names.RESTARTS: str(whole(options.restarts, "restarts")) if options.restarts else "",
        names.PACKAGES: json.dumps(list(options.packages)) if options.packages else "",
        names.ARGS: json.dumps(dict(options.args)) if options.args else "",
        names.ROLES: json.dumps(dict(options.roles)) if options.roles else "",
        names.DATA: json.dumps(dict(options.data)) if options.data else "",
        names.CHECKPOINT: str(options.checkpoint) if options.checkpoint else "",
    }
    noted |= {key: value for key, value in optional.items() if value}
    return Resource.new("TrainJob", name, spec, labels=dict(labels), annotations=noted)


def nodes_of(nodes: int | str) -> tuple[int, int]:
    """Least and most nodes: ``2``, or ``"1:4"`` for a job whose nodes may come and go. Raises Invalid."""
    low, colon, high = str(nodes).partition(":")
    high = high if colon else low
    if isinstance(nodes, bool) or not (low.isdecimal() and high.isdecimal()) or len(low + high) > 12:
        raise Invalid(
            f"{nodes!r} is not a number of nodes", where=Where(field="nodes"), hint="Write 2, or '1:4'."
        )
    if int(low) < 1 or int(low) > int(high):
        hint = "The least comes first, and is at least 1."
        raise Invalid(f"{nodes!r} is not a number of nodes", where=Where(field="nodes"), hint=hint)
    return int(low), int(high)


def amounts(resources: Mapping[str, Any]) -> dict[str, str]:
    """``{"cpu": 2, "memory": "4Gi", "gpu": 1}`` in Kubernetes' words. Raises Invalid, Unfit."""
    found = {}
    for name, amount in resources.items():
        if name == "cpu":
            found["cpu"] = format_cpu(parse_cpu(amount, "resources.cpu"))
        elif name == "memory":
            parse_memory(amount, "resources.memory")
            found["memory"] = str(amount)
        elif name in {"gpu", _GPU}:
            text = str(amount)
            if not text.isdecimal():
                raise Invalid(f"{amount!r} is not a number of GPUs", where=Where(field="resources.gpu"))
            found[_GPU] = text
        else:
            hint = "There are cpu, memory and gpu."
            raise Unfit(f"This machine cannot lend {name}", where=Where(field=f"resources.{name}"), hint=hint)
    return found


def job_of(resource: Resource, folder: Path, cwd: Path) -> JobSpec:
    """What a resource of any of the training kinds asks for, after defaults.

    Raises Invalid for what is wrong, and Unfit for what only a cluster can do, naming the field.
    """
    base: dict[str, Any] = {
        "name": resource.name,
        "uid": resource.uid,
        "namespace": resource.namespace,
        "kind": resource.kind,
        "folder": folder,
        "cwd": cwd,
        "checkpoint": folder / "checkpoint",
    }
    noted = resource.annotations
    if checkpoint := noted.get(names.CHECKPOINT):
        base["checkpoint"] = base["checkpoint"] if checkpoint == "True" else Path(checkpoint)
    if resource.kind != "TrainJob":
        from jupyter_ext.training import legacy

        return JobSpec(**{**base, **legacy.to_job(resource)})
    return JobSpec(**base, **_trainjob_fields(resource))


def _trainjob_fields(resource: Resource) -> dict[str, Any]:
    spec, noted = resource.spec, resource.annotations
    only(spec, _SPEC, "spec")
    trainer = mapping(spec.get("trainer"), "spec.trainer")
    only(trainer, _TRAINER, "spec.trainer")
    _refuse_what_needs_a_cluster(spec)
    reference = mapping(spec.get("runtimeRef"), "spec.runtimeRef")
    named = framework_of(str(reference.get("name")), "spec.runtimeRef.name")
    framework = noted.get(names.FRAMEWORK, named)
    code = noted.get(names.CODE)
    process = _process(trainer, has_code=code is not None)
    most = whole(trainer.get("numNodes", 1), "spec.trainer.numNodes", 1)
    least = nodes_of(noted[names.NODES])[0] if names.NODES in noted else most
    # Upstream's "auto": a process for each GPU of the node, else one.
    procs = trainer.get("numProcPerNode") or (process.gpus if framework == "torch" else 0) or 1
    deadline = spec.get("activeDeadlineSeconds")
    return {
        "framework": framework,
        "nodes_min": least,
        "nodes_max": most,
        "procs": whole(procs, "spec.trainer.numProcPerNode", 1),
        "restarts": _number(noted, names.RESTARTS),
        "env": process.env,
        "command": None if code is not None else process.command,
        "program": str(PROGRAM) if code is not None else None,
        "code": code,
        "args": _json(noted, names.ARGS, dict),
        "data": _json(noted, names.DATA, dict),
        "packages": tuple(_json(noted, names.PACKAGES, list)),
        "roles": _json(noted, names.ROLES, dict) or None,
        "cpu_milli": process.cpu_milli,
        "memory": process.memory,
        "gpus": process.gpus,
        "deadline": None if deadline is None else whole(deadline, "spec.activeDeadlineSeconds", 1),
        "suspend": bool(spec.get("suspend")),
    }


def _refuse_what_needs_a_cluster(spec: Mapping[str, Any]) -> None:
    if spec.get("initializer"):
        hint = "Download it first, and name the folder in the command or in data=."
        raise refuse("spec.initializer", "Initializers are containers of a cluster", hint)
    if spec.get("runtimePatches"):
        raise refuse("spec.runtimePatches", "Patches change the pods of a cluster, and there are none here")
    if spec.get("managedBy") not in {None, "", _CONTROLLER}:
        raise refuse("spec.managedBy", f"{spec['managedBy']} does not run on this machine")


def _process(trainer: Mapping[str, Any], *, has_code: bool) -> Any:
    """The trainer as a process, read by the rules for containers; errors name the trainer's fields."""
    container: dict[str, Any] = {
        key: trainer[key] for key in ("command", "args", "env", "image") if key in trainer
    }
    if has_code:
        container["command"], container["args"] = ["-"], []
    container |= {"name": "node", "resources": trainer.get("resourcesPerNode")}
    try:
        return read({"spec": {"containers": [container]}}, "", "node", {})
    except KubeflowError as error:
        place = (error.where.field if error.where else None) or ""
        place = place.replace(".spec.containers[0]", "spec.trainer").replace(
            ".resources", ".resourcesPerNode"
        )
        raise type(error)(error.what, where=Where(field=place or None), hint=error.hint) from error


def _number(noted: Mapping[str, str], name: str) -> int:
    text = noted.get(name, "0")
    if not text.isdecimal():
        raise Invalid(f"{text!r} is not a number", where=Where(field=f"metadata.annotations[{name}]"))
    return int(text)


def _json(noted: Mapping[str, str], name: str, kind: type) -> Any:
    text = noted.get(name)
    if not text:
        return kind()
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        what = f"This annotation is not JSON of a {kind.__name__}"
        raise Invalid(what, where=Where(field=f"metadata.annotations[{name}]"))
    return value
