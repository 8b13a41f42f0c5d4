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
from jupyter_ext.training import kube_data
from jupyter_ext.training import spec as names
from jupyter_ext.training.loading import FACTS
from jupyter_ext.training.runtime import runtime_of

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.training.kube_depot import Depot

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
    *(
        f"training/frameworks/{part}.py"
        for part in ("__init__", "collective", "coordinator", "imports", "tf_config")
    ),
    "training/stacks.py",
    *("training/loading.py", "training/outside.py", "training/rank.py", "training/reporting.py"),
)
_REACHES: Final = (
    *("training/depot.py", "training/kept.py"),
    *(f"store/{part}.py" for part in ("__init__", "address", "credentials", "objects", "refusals", "signed")),
)
"""What a job has beside it that reaches the profile's store."""
_PYTHON: Final = ("python", "-c", BOOTSTRAP)
_COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "torch": ("torchrun", "--no-python", *_PYTHON),
    # Processes with ranks and an address to meet at are what torchrun makes, whatever runs in them.
    "plain": ("torchrun", "--no-python", *_PYTHON),
    "deepspeed": ("mpirun", "--hostfile", "/etc/mpi/hostfile", *_PYTHON),
    "xgboost": _PYTHON,
    "jax": _PYTHON,
    "tensorflow": _PYTHON,
}
_BY_TORCH: Final = "torch-distributed"
"""Upstream has no runtime for these: its runtime for torch numbers the pods and names the first, in any image."""
WITHOUT_RUNTIME: Final = frozenset({"plain", "tensorflow"})
_OF_THE_STORE: Final = (names.STORED, names.RESULT, names.BROUGHT)
_OWN: Final = (
    *(names.CODE, names.ENTRY, names.INSIDE, names.CREATOR, names.OWNER, names.FOLDER, names.ORIGIN),
    *_OF_THE_STORE,
)


class Carried(NamedTuple):
    """What an exported job brings: the snapshot, and what was in the annotations that somebody may have removed."""

    code: bytes
    annotations: dict[str, str]


def export(cluster: LocalCluster, resource: Resource) -> str:
    """The YAML. Raises Unfit, naming what cannot be taken along."""
    import yaml

    return yaml.safe_dump(document(cluster, resource), sort_keys=False, allow_unicode=True, width=120)


def document(cluster: LocalCluster, resource: Resource, depot: Depot | None = None) -> dict[str, Any]:
    """What ``export`` writes; with ``depot`` the code that is too large lies in its store. Raises as it does."""
    document = resource.manifest()
    document["metadata"]["annotations"] = {
        key: value for key, value in resource.annotations.items() if key not in _OWN
    }
    if not document["metadata"]["annotations"]:
        del document["metadata"]["annotations"]
    document["spec"] = {key: value for key, value in resource.spec.items() if key != "suspend"}
    if code := resource.annotations.get(names.CODE):
        carrying, told = _carrying(cluster, resource, code, depot)
        document["spec"] |= carrying
        if lies := places(told):
            document["metadata"].setdefault("annotations", {}).update(lies)
    return document


def places(told: Mapping[str, Any]) -> dict[str, str]:
    """Annotations that say where in the store code lies, and a result will."""
    found = {}
    if stored := told.get("stored"):
        found[names.STORED] = f"{stored['url']}/{stored['key']}"
    if "folder" in (result := told.get("result") or {}):
        found[names.RESULT] = f"{result['url']}/{result['folder']}"
    if brought := told.get("brought"):
        found[names.BROUGHT] = json.dumps({name: each["digest"] for name, each in brought.items()})
    return found


def _carrying(
    cluster: LocalCluster, resource: Resource, code: str, depot: Depot | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trainer and the runtime that run the code, and what they are told of the store."""
    noted = resource.annotations
    framework = noted.get(names.FRAMEWORK, "torch")
    if framework not in _COMMANDS:
        hint = "Export it as torch, xgboost or jax, or build an image and write a runtime for it."
        raise Unfit(
            f"Kubeflow Trainer ships no runtime for {framework}", where=Where(field="framework"), hint=hint
        )
    data = kube_data.brought(cluster.blobs, noted, depot)
    brought = {"brought": data} if data else {}
    asked = resource.spec.get("trainer", {})
    if framework == "tensorflow":
        _require_workers(noted, asked)
    # One process on each node has its rank from the runtime, in any image with Python.
    is_alone = framework == "plain" and asked.get("numProcPerNode", 1) == 1
    told = {**depot.told(resource.name), **brought} if depot else {}
    words = _arguments(cluster, code, noted, told) if _fits(cluster, code) else None
    if words is None and depot is not None and depot.url:
        told = {**depot.told(resource.name, depot.stored(cluster.blobs, code)), **brought}
        words = _arguments(cluster, None, noted, told)
    elif words is None and told and _fits(cluster, code):
        told = {}  # what would say that there is no store is what makes it too large
        words = _arguments(cluster, code, noted, told)
    if words is None:
        raise _too_large(cluster.blobs.read(code), noted, depot.why if depot else "")
    trainer = {
        **asked,
        "command": list(_PYTHON if is_alone else _COMMANDS[framework]),
        "args": words,
    }
    found: dict[str, Any] = {"trainer": trainer}
    if depot is not None and (more := depot.variables(told)):
        trainer["env"] = [*(asked.get("env") or ()), *more]
    jobs = ("launcher", "node") if framework == "deepspeed" else ("node",)
    if depot is not None and (mounts := depot.mounts(told, jobs)):
        found["runtimePatches"] = [*(resource.spec.get("runtimePatches") or ()), *mounts]
    reference = dict(resource.spec["runtimeRef"])
    if framework in WITHOUT_RUNTIME and reference.get("name") == runtime_of(framework):
        reference["name"] = _BY_TORCH
    return {"runtimeRef": reference, **found}, told


def _require_workers(noted: Mapping[str, str], trainer: Mapping[str, Any]) -> None:
    """Refuse what the pods of one runtime cannot be: they are all workers, with one process each."""
    for field, wanted, hint in (
        ("roles", names.ROLES in noted, "Leave it out: all nodes are workers, and worker 0 is the chief."),
        ("procs", trainer.get("numProcPerNode", 1) != 1, "Ask for more nodes instead."),
    ):
        if wanted:
            what = f"{field} of a TensorFlow job is for this machine only"
            raise Unfit(what, where=Where(field=field), hint=hint)


def carrier(cluster: LocalCluster, digest: str, noted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Command and arguments of one plain process that runs a snapshot in any image with this version of Python.

    ``noted`` are the annotations that a job of it would have. Raises Unfit when the code is too large.
    """
    words = _arguments(cluster, digest, noted, {}) if _fits(cluster, digest) else None
    if words is None:
        raise _too_large(cluster.blobs.read(digest), noted)
    return list(_PYTHON), words


def _fits(cluster: LocalCluster, digest: str) -> bool:
    """Whether the snapshot alone is not too large already: then it need not be read."""
    return cluster.blobs.size(digest) * 4 // 3 <= LIMIT


def _arguments(
    cluster: LocalCluster, digest: str | None, noted: Mapping[str, str], told: Mapping[str, Any]
) -> list[str] | None:
    """The words of the command; None where they are more than a resource holds. ``told``: what lies in the store, and where."""
    code = None if digest is None else cluster.blobs.read(digest)
    text = base64.b64encode(payload(code, noted, _beside(told), told)).decode()
    if len(text) > LIMIT:
        return None
    return [TAG, *(text[start : start + CHUNK] for start in range(0, len(text), CHUNK))]


def _beside(told: Mapping[str, Any]) -> tuple[str, ...]:
    """What of ours such a job needs more."""
    if not told:
        return ()
    is_there = "stored" in told or "brought" in told or told["result"].get("url")
    return _REACHES if is_there else _REACHES[:1]


def payload(
    code: bytes | None,
    noted: Mapping[str, str],
    more: Sequence[str] = (),
    told: Mapping[str, Any] | None = None,
) -> bytes:
    """What travels: the snapshot, what it is called with, and our own modules that run it, with ``more`` of them.

    ``told`` is said to the job beside it, for example where the snapshot lies that does not travel itself.
    """
    import zipfile

    import cloudpickle

    base = Path(__file__).parent.parent
    entries = {
        **({} if code is None else {"code.zip": code}),
        "job.json": json.dumps(
            {
                "args": json.loads(noted.get(names.ARGS, "{}")),
                "data": json.loads(noted.get(names.DATA, "{}")),
                "packages": json.loads(noted.get(names.PACKAGES, "[]")),
                "annotations": {key: value for key, value in noted.items() if key not in _OWN},
                **(told or {}),
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


def _too_large(code: bytes, noted: Mapping[str, str], more: str = "") -> Unfit:
    import zipfile

    size = len(payload(code, noted)) * 4 // 3

    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        largest = sorted(archive.infolist(), key=lambda entry: -entry.compress_size)[:3]
    named = ", ".join(f"{entry.filename} {entry.compress_size / 1000:.0f} kB" for entry in largest)
    return Unfit(
        f"The code is {size / 1000:.0f} kB as text, and a resource holds {LIMIT / 1000:.0f} kB",
        where=Where(object=largest[0].filename if largest else None),
        hint=f"The largest: {named}. Put data into files that the cluster can read. {more}".rstrip(),
    )


def carried(resource: Resource) -> Carried | None:
    """The snapshot in a resource that ``export`` made, or in the store that it names; None in any other.

    Raises Invalid when it is damaged, Conflict where it lies in a store that is not the profile's.
    """
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
            code = None if "stored" in facts else archive.read("code.zip")
        if code is None:
            from jupyter_ext.training import kube_depot

            code = kube_depot.code(facts["stored"])
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            json.loads(archive.read(FACTS))
    except (binascii.Error, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise Invalid(
            f"The code in this job is damaged ({error})",
            where=Where(field="spec.trainer.args"),
            hint="Export it anew.",
        ) from error
    return Carried(code, facts["annotations"])


def without_store(resource: Resource) -> Resource:
    """A resource that a cluster had, without what opened a store to it: where it goes now, that is found anew."""
    from jupyter_ext.training.depot import VARIABLE
    from jupyter_ext.training.kube_depot import MANAGER

    noted = {key: text for key, text in resource.annotations.items() if key not in _OF_THE_STORE}
    trainer = dict(resource.spec.get("trainer") or {})
    kept = [each for each in trainer.pop("env", ()) if not str(each.get("name")).startswith(VARIABLE)]
    if kept:
        trainer["env"] = kept
    spec = {**resource.spec, "trainer": trainer}
    patches = [each for each in spec.pop("runtimePatches", ()) if each.get("manager") != MANAGER]
    if patches:
        spec["runtimePatches"] = patches
    return resource.with_(annotations=noted, spec=spec)


def asked(cluster: LocalCluster, resource: Resource) -> dict[str, Any]:
    """What ``train`` was asked for, under the names of its keywords; the code as source or path where it has one."""
    from jupyter_ext.cluster.phases import QUEUE
    from jupyter_ext.registry.made import ANNOTATION
    from jupyter_ext.training.queueing import PRIORITY

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
        "queue": resource.labels.get(QUEUE),
        "priority": resource.labels.get(PRIORITY),
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
