"""An experiment for others: the YAML that runs it on a cluster, and the lines of code that make it again."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, Where
from jupyter_ext.training.spec import CODE
from jupyter_ext.tuning.template import TRIAL

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

LARGEST: Final = 900_000
"""Bytes of a manifest: Kubernetes refuses more than a megabyte or so."""
_SNAPSHOT: Final = "JUPYTER_KUBEFLOW_SNAPSHOT"
_PREFIX: Final = "jupyter-kubeflow.org/"


def export(cluster: LocalCluster, resource: Resource, path: str | None = None) -> str:
    """The YAML, its code included. Raises Conflict for what only this machine can run."""
    import yaml

    manifest = resource.manifest()
    template = manifest["spec"]["trialTemplate"]
    kind = template["trialSpec"]["kind"]
    if kind == "Run":
        raise Conflict(
            "An experiment whose trials are runs of a notebook stays on this machine",
            where=Where(object=f"Experiment {resource.name}"),
            hint="Export the notebook with kf.pipelines.compile, or tune a function.",
        )
    if resource.annotations.get(TRIAL) == "function":
        manifest["spec"] = {
            **manifest["spec"],
            "trialTemplate": _function_template(cluster, resource, template),
        }
    elif CODE in resource.annotations:
        manifest["spec"] = {**manifest["spec"], "trialTemplate": _job_template(cluster, resource, template)}
    noted = {key: value for key, value in resource.annotations.items() if not key.startswith(_PREFIX)}
    manifest["metadata"] = {"name": resource.name, **({"annotations": noted} if noted else {})}
    text = str(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=110))
    if len(text.encode()) > LARGEST:
        raise Conflict(
            f"The YAML would be {len(text.encode()) / 1e6:.1f} MB, the most is {LARGEST / 1e6:.1f} MB",
            where=Where(object=f"Experiment {resource.name}"),
            hint="The function carries data along. Let it read the data from a file.",
        )
    if path is not None:
        Path(path).expanduser().write_text(text, encoding="utf-8")
    return text


def _program() -> str:
    from jupyter_ext.training import loading, reporting

    modules = {"loading": loading, "reporting": reporting}
    parts = {name: Path(str(one.__file__)).read_text(encoding="utf-8") for name, one in modules.items()}
    return _BOOTSTRAP.replace("@PARTS@", json.dumps(parts))


# The program of an exported trial: standard library and cloudpickle. It is given to Python as it is, not to a shell.
_BOOTSTRAP: Final = """
import base64, io, os, sys, tempfile, types, zipfile
from pathlib import Path
PARTS = @PARTS@
def module(name, text):
    made = types.ModuleType(name)
    made.__file__ = name
    sys.modules[name] = made
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, made)
    exec(compile(text, name, "exec"), made.__dict__)
    return made
try:
    from jupyter_ext.training import loading, reporting
except ImportError:
    for package in ("jupyter_ext", "jupyter_ext.training"):
        module(package, "").__path__ = []
    reporting = module("jupyter_ext.training.reporting", PARTS["reporting"])
    loading = module("jupyter_ext.training.loading", PARTS["loading"])
    sys.modules["jupyter_ext"].report = reporting.report
    sys.modules["jupyter_ext.training"].report = reporting.report
folder = Path(tempfile.mkdtemp())
zipfile.ZipFile(io.BytesIO(base64.b64decode(os.environ["JUPYTER_KUBEFLOW_SNAPSHOT"]))).extractall(folder)
types_of = {"int": int, "double": float, "discrete": lambda t: float(t) if any(c in t for c in ".eEn") else int(t)}
values = {}
for word in sys.argv[1:]:
    name, _, text = word[2:].partition("=")
    kind, _, name = name.partition(":")
    values[name] = types_of.get(kind, str)(text) if kind != "json" else __import__("json").loads(text)
found = loading.Snapshot(folder).call(values, {})
if isinstance(found, dict):
    for name, value in found.items():
        print(f"{name}={float(value)}", flush=True)
elif found is not None:
    print(f"{os.environ['JUPYTER_KUBEFLOW_OBJECTIVE']}={float(found)}", flush=True)
"""


def _function_template(cluster: LocalCluster, resource: Resource, template: dict[str, Any]) -> dict[str, Any]:
    """The template with the code in it: the program as the command, the snapshot as a variable."""
    snapshot = base64.b64encode(cluster.blobs.read(resource.annotations[CODE])).decode()
    kinds = {item["name"]: item["parameterType"] for item in resource.spec["parameters"]}
    words = [f"--{kinds[name]}:{name}=${{trialParameters.{name}}}" for name in kinds]
    spec = json.loads(json.dumps(template["trialSpec"]))
    container = spec["spec"]["template"]["spec"]["containers"][0]
    objective = resource.spec["objective"]["objectiveMetricName"]
    container |= {
        "command": ["python", "-c", _program()],
        "args": words,
        "env": [
            {"name": _SNAPSHOT, "value": snapshot},
            {"name": "JUPYTER_KUBEFLOW_OBJECTIVE", "value": objective},
        ],
    }
    return {**template, "trialSpec": spec}


def _job_template(cluster: LocalCluster, resource: Resource, template: dict[str, Any]) -> dict[str, Any]:
    """A template of TrainJobs with the code in it, as ``training`` exports one."""
    from jupyter_ext.cluster.resource import Resource as Made
    from jupyter_ext.training import exporting

    spec = json.loads(json.dumps(template["trialSpec"]))
    job = Made.from_dict({**spec, "metadata": {**(spec.get("metadata") or {}), "name": "trial"}})
    exported: dict[str, Any] = exporting.exported(cluster, job)
    exported["metadata"] = {
        key: value for key, value in exported.get("metadata", {}).items() if key not in ("name", "namespace")
    }
    return {**template, "trialSpec": exported}


def code(resource: Resource) -> dict[str, str]:
    """The same experiment as Python, as a magic, on the command line, and as the YAML of the resource."""
    import yaml

    from jupyter_ext.tuning import snippets

    text = str(yaml.safe_dump(resource.manifest(), sort_keys=False, allow_unicode=True, width=110))
    return {**snippets.snippets(request_of(resource)), "yaml": text}


def request_of(resource: Resource) -> dict[str, Any]:
    """What ``tune`` was asked for, as far as the resource tells."""
    from jupyter_ext.tuning import spec as specs
    from jupyter_ext.tuning.subject import ENTRY

    plan = specs.read(resource)
    spec = resource.spec
    found: dict[str, Any] = {
        "function": resource.annotations.get(ENTRY) or "function",
        "space": {name: str(parameter) for name, parameter in plan.space.items()},
        "objective": str(plan.objective),
        "algorithm": plan.algorithm.name,
        "settings": {name: value for name, value in plan.settings.items()},
        "trials": plan.max_trials,
        "parallel": plan.parallel,
        "max_failed": plan.max_failed,
        "additional": list(plan.objective.additional),
        "name": resource.name,
        "resume": spec.get("resumePolicy"),
    }
    if plan.stopping:
        found["early_stopping"] = "medianstop"
    return {key: value for key, value in found.items() if value not in (None, {}, [])}
