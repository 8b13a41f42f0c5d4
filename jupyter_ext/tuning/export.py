"""An experiment for others: the YAML that runs it on a cluster, and the lines of code that make it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Where
from jupyter_ext.training.spec import CODE, ENTRY, FRAMEWORK, ORIGIN, PREFIX
from jupyter_ext.tuning.spec import CHOICES
from jupyter_ext.tuning.template import TRIAL

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

TUNED: Final = "JUPYTER_KUBEFLOW_TUNED"
"""Parameters of an exported trial: kind, text and, for a list, the choices with their types, by name."""
OBJECTIVE: Final = "JUPYTER_KUBEFLOW_OBJECTIVE"
"""What an exported trial calls the number that it returns."""


def export(cluster: LocalCluster, resource: Resource, path: str | None = None) -> str:
    """The YAML, its code included. Raises Conflict or Unfit for what only this machine can run."""
    import yaml

    text = str(yaml.safe_dump(document(cluster, resource), sort_keys=False, allow_unicode=True, width=110))
    if path is not None:
        Path(path).expanduser().write_text(text, encoding="utf-8")
    return text


def document(cluster: LocalCluster, resource: Resource) -> dict[str, Any]:
    """What ``export`` writes. Raises as it does."""
    manifest = resource.manifest()
    template = manifest["spec"]["trialTemplate"]
    if template["trialSpec"]["kind"] == "Run":
        raise Conflict(
            "An experiment whose trials are runs of a notebook stays on this machine",
            where=Where(object=f"Experiment {resource.name}"),
            hint="Export the notebook with kf.pipelines.compile, or tune a function.",
        )
    if resource.annotations.get(TRIAL) == "function":
        template = _function_template(cluster, resource, template)
    elif CODE in resource.annotations:
        template = _job_template(cluster, resource, template)
    kept = {CHOICES}  # the types of choices, which Katib writes as text
    noted = {
        key: text for key, text in resource.annotations.items() if key in kept or not key.startswith(PREFIX)
    }
    manifest["metadata"] = {"name": resource.name, **({"annotations": noted} if noted else {})}
    manifest["spec"] = {**manifest["spec"], "trialTemplate": template}
    return manifest


def _function_template(cluster: LocalCluster, resource: Resource, template: dict[str, Any]) -> dict[str, Any]:
    """The template with the code in it, as one process of a Job."""
    from jupyter_ext.training import exporting

    command, words = exporting.carrier(cluster, resource.annotations[CODE], {})
    spec = json.loads(json.dumps(template["trialSpec"]))
    container = spec["spec"]["template"]["spec"]["containers"][0]
    container |= {"command": command, "args": words, "env": _variables(resource)}
    return {**template, "trialSpec": spec}


def _job_template(cluster: LocalCluster, resource: Resource, template: dict[str, Any]) -> dict[str, Any]:
    """A template of TrainJobs with the code in it, as ``training`` exports one."""
    spec = json.loads(json.dumps(template["trialSpec"]))
    job = Resource.from_dict({**spec, "metadata": {**(spec.get("metadata") or {}), "name": "trial"}})
    exported = _exported(cluster, job)
    trainer = exported["spec"]["trainer"]
    trainer["env"] = [*(trainer.get("env") or ()), *_variables(resource)]
    del exported["metadata"]
    return {**template, "trialSpec": exported}


def _exported(cluster: LocalCluster, job: Resource) -> dict[str, Any]:
    import yaml

    from jupyter_ext.training import exporting

    found: dict[str, Any] = yaml.safe_load(exporting.export(cluster, job))
    return found


def _variables(resource: Resource) -> list[dict[str, str]]:
    from jupyter_ext.tuning import spec as specs

    plan = specs.read(resource)
    tuned = {
        name: [parameter.kind, f"${{trialParameters.{name}}}", *parameter.choices]
        for name, parameter in plan.space.items()
    }
    return [{"name": TUNED, "value": json.dumps(tuned)}, {"name": OBJECTIVE, "value": plan.objective.name}]


def code(resource: Resource) -> dict[str, str]:
    """The same experiment as Python, as a magic, on the command line, and as the YAML of the resource."""
    import yaml

    from jupyter_ext.tuning import snippets

    text = str(yaml.safe_dump(resource.manifest(), sort_keys=False, allow_unicode=True, width=110))
    return {**snippets.snippets(request_of(resource)), "yaml": text}


def request_of(resource: Resource) -> dict[str, Any]:
    """What ``tune`` was asked for, as far as the resource tells."""
    from jupyter_ext.registry.made import ANNOTATION
    from jupyter_ext.tuning import spec as specs

    plan = specs.read(resource)
    found: dict[str, Any] = {
        "space": {name: str(parameter) for name, parameter in plan.space.items()},
        "objective": str(plan.objective),
        "algorithm": plan.algorithm.name,
        "settings": dict(plan.settings),
        "trials": plan.max_trials,
        "parallel": plan.parallel,
        "max_failed": plan.max_failed,
        "additional": list(plan.objective.additional),
        "name": resource.name,
        "resume": plan.resume,
        "register": json.loads(resource.annotations.get(ANNOTATION, "null")),
    }
    if plan.stopping:
        found["early_stopping"] = "medianstop"
    found |= _subject(resource)
    return {key: value for key, value in found.items() if value not in (None, {}, [])}


def _subject(resource: Resource) -> dict[str, Any]:
    """What is tuned, under the names of the snippets: path, source, or the function's name."""
    from jupyter_ext.tuning.subject import SOURCE

    noted, found = resource.annotations, dict[str, Any]()
    template = resource.spec["trialTemplate"]["trialSpec"]
    if template["kind"] == "Run":
        return {"path": template["spec"]["pipeline"]["path"]}
    if SOURCE in noted:
        return {"source": noted[SOURCE]}
    if ORIGIN in noted:
        found["path"] = noted[ORIGIN]
    if ENTRY in noted:
        found["function"] = noted[ENTRY]
    trainer = (template.get("spec") or {}).get("trainer") or {}
    if template["kind"] == "TrainJob":
        metadata = (template.get("metadata") or {}).get("annotations") or {}
        found |= {
            "framework": metadata.get(FRAMEWORK),
            "nodes": trainer.get("numNodes"),
            "procs": trainer.get("numProcPerNode"),
        }
    return found
