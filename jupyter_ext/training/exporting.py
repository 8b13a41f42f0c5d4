"""A job as YAML that carries its code, so that it runs unchanged in upstream's runtimes; and back again.

The command is Python with a few lines of bootstrap, the arguments are the code in base64: no shell sees any of it.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.training import spec as names
from jupyter_ext.training.loading import FACTS

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

LIMIT: Final = 900_000
"""Characters of code in one resource; etcd takes 1.5 MB of everything."""
CHUNK: Final = 100_000
"""Characters of one argument; Linux takes 128 KiB."""
TAG: Final = "jupyter-kubeflow/1"
BOOTSTRAP: Final = """\
import base64, io, os, sys, tempfile, zipfile
folder = tempfile.mkdtemp(prefix="jupyter-kubeflow-")
zipfile.ZipFile(io.BytesIO(base64.b64decode("".join(sys.argv[2:])))).extractall(folder)
sys.path.insert(0, os.path.join(folder, "boot"))
from jupyter_ext.training import outside
outside.main(folder)
"""
_TRAVELS: Final = (
    *("__init__.py", "errors.py", "training/__init__.py", "training/checkpoints.py"),
    *(f"training/frameworks/{part}.py" for part in ("__init__", "collective", "coordinator", "imports")),
    "training/stacks.py",
    *("training/loading.py", "training/outside.py", "training/rank.py", "training/reporting.py"),
)
_PYTHON: Final = ("python", "-c", BOOTSTRAP)
_COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "torch": ("torchrun", "--no-python", *_PYTHON),
    # Processes with ranks and an address to meet at are what torchrun makes, whatever runs in them.
    "plain": ("torchrun", "--no-python", *_PYTHON),
    "deepspeed": ("mpirun", "--hostfile", "/etc/mpi/hostfile", *_PYTHON),
    "xgboost": _PYTHON,
    "jax": _PYTHON,
}
_OWN: Final = (names.CODE, names.ENTRY, names.INSIDE, names.CREATOR, names.OWNER, names.FOLDER, names.ORIGIN)


class Carried(NamedTuple):
    """What an exported job brings: the snapshot, and what was in the annotations that somebody may have removed."""

    code: bytes
    annotations: dict[str, str]


def export(cluster: LocalCluster, resource: Resource) -> str:
    """The YAML. Raises Unfit, naming what cannot be taken along."""
    import yaml

    return yaml.safe_dump(document(cluster, resource), sort_keys=False, allow_unicode=True, width=120)


def document(cluster: LocalCluster, resource: Resource) -> dict[str, Any]:
    """What ``export`` writes. Raises as it does."""
    document = resource.manifest()
    document["metadata"]["annotations"] = {
        key: value for key, value in resource.annotations.items() if key not in _OWN
    }
    if not document["metadata"]["annotations"]:
        del document["metadata"]["annotations"]
    document["spec"] = {key: value for key, value in resource.spec.items() if key != "suspend"}
    if code := resource.annotations.get(names.CODE):
        document["spec"] |= _carrying(resource, cluster.blobs.read(code))
    return document


def _carrying(resource: Resource, code: bytes) -> dict[str, Any]:
    """The trainer, and the runtime, that run the code."""
    noted = resource.annotations
    framework = noted.get(names.FRAMEWORK, "torch")
    if framework not in _COMMANDS:
        hint = "Export it as torch, xgboost or jax, or build an image and write a runtime for it."
        raise Unfit(
            f"Kubeflow Trainer ships no runtime for {framework}", where=Where(field="framework"), hint=hint
        )
    for name, place in json.loads(noted.get(names.DATA, "{}")).items():
        if "://" not in place:
            hint = "Put it where the cluster can read it, and name that: s3://…, pvc://…"
            raise Unfit(f"{place} is on this machine only", where=Where(field=f"data.{name}"), hint=hint)
    asked = resource.spec.get("trainer", {})
    # One process on each node has its rank from the runtime, in any image with Python.
    is_alone = framework == "plain" and asked.get("numProcPerNode", 1) == 1
    trainer = {
        **asked,
        "command": list(_PYTHON if is_alone else _COMMANDS[framework]),
        "args": _arguments(code, noted),
    }
    reference = dict(resource.spec["runtimeRef"])
    if framework == "plain":
        reference["name"] = "torch-distributed"
    return {"runtimeRef": reference, "trainer": trainer}


def carrier(cluster: LocalCluster, digest: str, noted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Command and arguments of one plain process that runs a snapshot in any image with this version of Python.

    ``noted`` are the annotations that a job of it would have. Raises Unfit when the code is too large.
    """
    return list(_PYTHON), _arguments(cluster.blobs.read(digest), noted)


def _arguments(code: bytes, noted: Mapping[str, str]) -> list[str]:
    text = base64.b64encode(payload(code, noted)).decode()
    if len(text) > LIMIT:
        raise _too_large(code, len(text))
    return [TAG, *(text[start : start + CHUNK] for start in range(0, len(text), CHUNK))]


def payload(code: bytes, noted: Mapping[str, str], more: Sequence[str] = ()) -> bytes:
    """What travels: the snapshot, what it is called with, and our own modules that run it, with ``more`` of them."""
    import zipfile

    import cloudpickle

    base = Path(__file__).parent.parent
    entries = {
        "code.zip": code,
        "job.json": json.dumps(
            {
                "args": json.loads(noted.get(names.ARGS, "{}")),
                "data": json.loads(noted.get(names.DATA, "{}")),
                "packages": json.loads(noted.get(names.PACKAGES, "[]")),
                "annotations": {key: value for key, value in noted.items() if key not in _OWN},
            },
            sort_keys=True,
        ).encode(),
    }
    for name in (*_TRAVELS, *more):
        path = base / name
        if path.is_file():
            entries[f"boot/jupyter_ext/{name}"] = path.read_bytes()
    library = Path(cloudpickle.__file__).parent
    for path in sorted(library.glob("*.py")):
        # After the image's own packages: used only where there is no cloudpickle.
        entries[f"spare/cloudpickle/{path.name}"] = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            how = zipfile.ZIP_STORED if name == "code.zip" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, how, 9)
    return buffer.getvalue()


def _too_large(code: bytes, size: int) -> Unfit:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        largest = sorted(archive.infolist(), key=lambda entry: -entry.compress_size)[:3]
    named = ", ".join(f"{entry.filename} {entry.compress_size / 1000:.0f} kB" for entry in largest)
    return Unfit(
        f"The code is {size / 1000:.0f} kB as text, and a resource holds {LIMIT / 1000:.0f} kB",
        where=Where(object=largest[0].filename if largest else None),
        hint=f"The largest: {named}. Put data into files that the cluster can read.",
    )


def carried(resource: Resource) -> Carried | None:
    """The snapshot in a resource that ``export`` made; None in any other. Raises Invalid when it is damaged."""
    import zipfile

    if resource.kind != "TrainJob":
        return None
    trainer = resource.spec.get("trainer") or {}
    command, args = trainer.get("command") or [], trainer.get("args") or []
    if BOOTSTRAP not in command or args[:1] != [TAG]:
        return None
    try:
        payload = base64.b64decode("".join(args[1:]), validate=True)
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            facts = json.loads(archive.read("job.json"))
            code = archive.read("code.zip")
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            json.loads(archive.read(FACTS))
    except (binascii.Error, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise Invalid(
            f"The code in this job is damaged ({error})",
            where=Where(field="spec.trainer.args"),
            hint="Export it anew.",
        ) from error
    return Carried(code, facts["annotations"])


def asked(cluster: LocalCluster, resource: Resource) -> dict[str, Any]:
    """What ``train`` was asked for, under the names of its keywords; the code as source or path where it has one."""
    from jupyter_ext.registry.made import ANNOTATION

    noted, spec = resource.annotations, resource.spec
    trainer = spec.get("trainer") or {}
    found: dict[str, Any] = {
        "name": resource.name,
        "framework": noted.get(names.FRAMEWORK),
        "nodes": noted.get(names.NODES) or trainer.get("numNodes", 1),
        "procs": trainer.get("numProcPerNode", 1),
        "resources": dict((trainer.get("resourcesPerNode") or {}).get("limits") or {}),
        "args": json.loads(noted.get(names.ARGS, "{}")),
        "data": json.loads(noted.get(names.DATA, "{}")),
        "packages": json.loads(noted.get(names.PACKAGES, "[]")),
        "env": {each["name"]: each.get("value", "") for each in trainer.get("env") or []},
        "restarts": int(noted.get(names.RESTARTS, 0)),
        "deadline": spec.get("activeDeadlineSeconds"),
        "register": json.loads(noted.get(ANNOTATION, "null")),
        "checkpoint": {"True": True}.get(noted.get(names.CHECKPOINT, ""), noted.get(names.CHECKPOINT)),
    }
    if gpus := found["resources"].pop("nvidia.com/gpu", None):
        found["resources"]["gpu"] = int(gpus)
    return found | program(cluster, noted)


def program(cluster: LocalCluster, noted: Mapping[str, str]) -> dict[str, Any]:
    """What a resource with these annotations runs: its source, or path, or function; empty without code of ours."""
    import zipfile

    code = noted.get(names.CODE)
    if not code:
        return {}
    found: dict[str, Any] = {}
    with zipfile.ZipFile(io.BytesIO(cluster.blobs.read(code))) as archive:
        facts = json.loads(archive.read(FACTS))
    if facts["kind"] == "source":
        found["source"] = facts["sources"][facts["main"]]["text"]
    elif facts["kind"] in {"script", "module"}:
        found["path"] = noted.get(names.ORIGIN, facts["name"])
    if facts["kind"] in {"function", "module"}:
        found["function"] = facts["name"]
    return found
