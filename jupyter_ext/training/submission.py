"""From a function, a cell or a file to a job: all that can be found wrong is found here, before anything runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local.devices import UNIT, Request
from jupyter_ext.cluster.resource import Resource, make_name, valid_name
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, Where
from jupyter_ext.registry.made import for_annotation
from jupyter_ext.training import manifest, queueing
from jupyter_ext.training import spec as names
from jupyter_ext.training.arguments import places, require_fit, split
from jupyter_ext.training.containers import images, renamed
from jupyter_ext.training.handle import Job
from jupyter_ext.training.manifest import Options
from jupyter_ext.training.nesting import begun_before, belonging, host_of
from jupyter_ext.training.runtime import framework_of

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.training.snapshot import Code
    from jupyter_ext.training.spec import JobSpec

__all__ = ["belonging", "check", "examine", "host_of", "submit", "train", "update"]

CONTROLLER: Final = "jupyter_ext.training.local:reconcile"
LOST: Final = "jupyter_ext.training.status:lost"
PATHS: Final = "JUPYTER_KUBEFLOW_PATHS"
"""The submitter's own entries of ``sys.path``, for the job's processes."""
JOB_UNIT: Final = "job"

What = Callable[..., Any] | str | Path | object


def train(
    what: What,
    *,
    framework: str | None = None,
    name: str | None = None,
    nodes: int | str = 1,
    procs: int = 1,
    resources: Mapping[str, Any] | None = None,
    packages: Iterable[str] | None = None,
    args: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    data: Mapping[str, str | Path] | None = None,
    checkpoint: bool | str | Path | None = None,
    roles: Mapping[str, int] | None = None,
    deadline: int | None = None,
    restarts: int = 0,
    wait: bool = False,
    runtime: str | None = None,
    labels: Mapping[str, str] | None = None,
    queue: str | None = None,
    priority: str | None = None,
    function: str | None = None,
    namespace: Mapping[str, Any] | None = None,
    cell: int | str | None = None,
    register: str | Mapping[str, Any] | None = None,
) -> Job:
    """Run a function, the source of a cell, or a file on ``nodes`` times ``procs`` processes.

    ``what``: a function is called as ``what(**args)`` in each process; a text is executed as a cell with the names
    it reads from ``namespace`` (the notebook's, by default); a path is run as a program, or one ``function`` of it
    is called. ``nodes`` may be ``"1:4"`` for a job whose nodes come and go. ``resources`` (cpu, memory, gpu) are
    those of each node. ``data`` names files, folders or URIs: a function gets those it has a parameter for. With
    ``checkpoint`` a killed job goes on by itself; ``deadline`` is in seconds. ``roles`` counts the nodes of a
    TensorFlow job that are not all workers: ``{"chief": 1, "worker": 2, "ps": 1, "evaluator": 1}``. ``queue`` is one of
    Kueue's in the namespace of a cluster, ``priority`` one of its priority classes. ``register``: the
    name of a model (or a mapping with ``model``, ``alias``, …) as which what rank 0 returns is registered, or else the
    last checkpoint.
    Raises Invalid, Unfit and Unavailable for all that can be known to be wrong before it starts.
    """
    cluster = discover.current()
    framework = framework or (framework_of(runtime, "runtime") if runtime else "torch")
    data_places = places(data or {})
    plain, opaque = split(args or {})
    code = _code(what, function, namespace, cell, opaque)
    if code.signature is not None:
        require_fit(code, {**plain, **opaque}, data_places)
    if opaque and code.kind in {"script", "module"}:
        kind = type(next(iter(opaque.values()))).__name__
        raise Invalid(f"A {kind} cannot be passed to a file", where=Where(field=f"args.{next(iter(opaque))}"))
    options = Options(
        framework=framework,
        code=_stored(cluster, code),
        entry=code.name,
        runtime=runtime,
        nodes=nodes,
        procs=procs,
        resources=resources or {},
        packages=tuple(packages or ()),
        args=plain,
        env={str(key): str(value) for key, value in (env or {}).items()},
        data=data_places,
        checkpoint=checkpoint if isinstance(checkpoint, bool) else str(checkpoint or ""),
        roles=roles or {},
        deadline=deadline,
        restarts=restarts,
    )
    made = valid_name(name) if name else make_name(code.name)
    noted = {names.ORIGIN: str(code.origin)} if code.origin else {}
    if register is not None:
        noted |= for_annotation(register)
    queued = queueing.labelled(queue, priority)
    resource = manifest.trainjob(made, options, labels={**(labels or {}), **queued}, annotations=noted)
    try:
        queueing.require(_kube_place() if queued else None, queued)
        job = _start_where_it_goes(cluster, resource)
    except KubeflowError as error:
        raise renamed(error, _KEYWORDS) from error
    return job.wait() if wait else job


def examine(
    *,
    framework: str | None = None,
    runtime: str | None = None,
    name: str | None = None,
    nodes: int | str = 1,
    procs: int = 1,
    resources: Mapping[str, Any] | None = None,
    packages: Iterable[str] | None = None,
    args: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    data: Mapping[str, str | Path] | None = None,
    checkpoint: bool | str | Path | None = None,
    roles: Mapping[str, int] | None = None,
    deadline: int | None = None,
    restarts: int = 0,
    queue: str | None = None,
    priority: str | None = None,
    register: str | Mapping[str, Any] | None = None,
) -> None:
    """Raise the first thing that ``train`` would refuse which is not about the code; nothing is made."""
    cluster = discover.current()
    plain, _ = split(args or {})
    options = Options(
        framework=framework or (framework_of(runtime, "runtime") if runtime else "torch"),
        code="",
        entry="",
        runtime=runtime,
        nodes=nodes,
        procs=procs,
        resources=resources or {},
        packages=tuple(packages or ()),
        args=plain,
        env={str(key): str(value) for key, value in (env or {}).items()},
        data=places(data or {}),
        checkpoint=checkpoint if isinstance(checkpoint, bool) else str(checkpoint or ""),
        roles=roles or {},
        deadline=deadline,
        restarts=restarts,
    )
    made = valid_name(name) if name else "unnamed"
    if register is not None:
        for_annotation(register)
    if name and cluster.store.find("TrainJob", name) is not None:
        what = f"TrainJob {name} exists already"
        raise Conflict(what, where=Where(field="name"), hint="Choose another name.")
    queued = queueing.labelled(queue, priority)
    resource = manifest.trainjob(made, options, labels=queued, annotations={})
    try:
        queueing.require(_kube_place() if queued else None, queued)
        _require(cluster, resource.with_(uid="unknown"))
    except KubeflowError as error:
        raise renamed(error, _KEYWORDS) from error


_KEYWORDS: Final = {
    "spec.trainer.numNodes": "nodes",
    "spec.trainer.numProcPerNode": "procs",
    "spec.trainer.resourcesPerNode": "resources",
    "spec.trainer.env": "env",
    "spec.runtimeRef.name": "runtime",
    "spec.activeDeadlineSeconds": "deadline",
    "cpu": "resources.cpu",
    "memory": "resources.memory",
    "gpu": "resources.gpu",
}


def submit(resource: Resource, *, code: Callable[..., Any] | None = None) -> Job:
    """Check a resource of any of the training kinds, create it and start it.

    ``code``: a function to call instead of the command that the resource names. Raises as ``check`` does.
    """
    cluster = discover.current()
    if code is not None:
        digest = _stored(cluster, _code(code, None, None, None, {}))
        noted = {names.CODE: digest, names.ENTRY: getattr(code, "__name__", "function")}
        resource = resource.with_(annotations={**resource.annotations, **noted})
    return _start_where_it_goes(cluster, _taken(cluster, resource))


def check(resource: Resource) -> None:
    """Refuse what ``submit`` would refuse, without starting anything. Raises Invalid, Unfit and Unavailable."""
    from jupyter_ext.training.validation import validate

    validate(resource)
    _require(discover.current(), resource.with_(uid=resource.uid or "unknown"))


def update(resource: Resource, *, dry: bool = False) -> Resource:
    """Give a job that exists this spec: it can be suspended and resumed, and its labels changed.

    ``dry``: only refuse what would be refused. Raises Conflict naming the field for everything else, which cannot be changed while the job exists.
    """
    from jupyter_ext.training.validation import validate

    validate(resource)
    cluster = discover.current()
    current = cluster.get(resource.kind, resource.name)
    wanted, now = _immutable(resource), _immutable(current)
    for field in sorted(wanted.keys() | now.keys()):
        if wanted.get(field) != now.get(field):
            hint = "Delete the job, or give the new one another name."
            raise Conflict(
                f"{field} of a job cannot be changed", where=Where(field=f"spec.{field}"), hint=hint
            )
    if dry:
        return current
    cluster.patch(resource.kind, resource.name, {"metadata": {"labels": resource.labels}})
    job = Job(resource.name, cluster, resource.kind)
    suspended = suspend_of(resource)
    if suspended != suspend_of(current):
        (job.suspend if suspended else job.resume)()
    return job.resource


def suspend_of(resource: Resource) -> bool:
    """Whether a job of any kind is to rest."""
    place = resource.spec if resource.kind == "TrainJob" else resource.spec.get("runPolicy") or {}
    return bool(place.get("suspend"))


def _immutable(resource: Resource) -> dict[str, Any]:
    spec = json.loads(json.dumps(resource.spec))
    spec.pop("suspend", None)
    (spec.get("runPolicy") or {}).pop("suspend", None)
    return {key: value for key, value in spec.items() if value not in ({}, None)}


def _code(
    what: What,
    function: str | None,
    namespace: Mapping[str, Any] | None,
    cell: Any,
    opaque: Mapping[str, Any],
) -> Code:
    from jupyter_ext.training import snapshot

    if isinstance(what, str) and what.endswith(".py") and "\n" not in what:
        what = Path(what)
    if isinstance(what, Path):
        return snapshot.of_file(what, function)
    if function is not None:
        raise Invalid("Only a file has functions to choose from", where=Where(field="function"))
    if isinstance(what, str):
        return snapshot.of_source(what, _notebook() if namespace is None else namespace, opaque, cell)
    if callable(what):
        return snapshot.of_function(what, opaque)
    hint = "Give a function, the text of a cell, or the path of a .py file."
    raise Invalid(f"A {type(what).__name__} cannot be trained", where=Where(field="what"), hint=hint)


def _notebook() -> Mapping[str, Any]:
    """The names of the notebook, or of the program that calls."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    found: Mapping[str, Any] = shell.user_ns if shell is not None else vars(sys.modules["__main__"])
    return found


def _stored(cluster: LocalCluster, code: Code) -> str:
    from jupyter_ext.training import snapshot

    folders = [Path.cwd()]
    book = os.environ.get("JPY_SESSION_NAME", "")
    if book and Path(book).parent.is_dir():
        folders.append(Path(book).parent)
    return cluster.blobs.put_bytes(snapshot.pack(code, folders))


def _taken(cluster: LocalCluster, resource: Resource) -> Resource:
    """A resource from elsewhere, validated; code that one of our exports carries becomes a snapshot."""
    from jupyter_ext.training import exporting
    from jupyter_ext.training.validation import validate

    validate(resource)
    carried = exporting.carried(resource)
    if carried is not None:
        noted = {names.CODE: cluster.blobs.put_bytes(carried.code), names.ENTRY: resource.name}
        resource = exporting.without_store(resource)
        return resource.with_(annotations={**carried.annotations, **resource.annotations, **noted})
    if digest := resource.annotations.get(names.CODE):
        cluster.blobs.path(digest)
    return resource


def _require(cluster: LocalCluster, resource: Resource) -> JobSpec:
    """The job, if it can run here."""
    from jupyter_ext.training import launch

    job = manifest.job_of(resource, cluster.home / "work" / resource.uid, Path.cwd())
    if job.packages:
        from jupyter_ext.training import packages

        packages.check(job.packages)
    launch.check(job)
    cluster.leases.check(request_of(job))
    return job


def request_of(job: JobSpec) -> Request:
    """What the whole job needs of the machine: what its nodes ask for, else a core for each process."""
    from jupyter_ext.cluster.local.machine import limits_now

    here = limits_now()[0]
    cpu = job.cpu_milli * job.nodes if job.cpu_milli else min(job.size * 1000, here)
    return Request(cpu, (job.memory or 0) * job.nodes, job.gpus * job.nodes)


def _kube_place() -> KubeCluster | None:
    from jupyter_ext.training import kube

    return kube.place()


def _start_where_it_goes(cluster: LocalCluster, resource: Resource) -> Job:
    """On the Kubernetes cluster that was chosen, or that this pod is in and that can; else here."""
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.training import kube

    place = _kube_place() if resource.kind == "TrainJob" else discover.holder(resource.kind)
    if place is None or isinstance(place, LocalCluster):
        return _start(cluster, resource)
    return kube.start(place, cluster, resource)


def _start(cluster: LocalCluster, resource: Resource) -> Job:
    from jupyter_ext.cluster.local import workload
    from jupyter_ext.cluster.resource import new_uid

    resource = resource.with_(uid=resource.uid or new_uid(), namespace=cluster.namespace)
    job = _require(cluster, resource)
    resource = belonging(cluster, resource)
    earlier = begun_before(cluster, resource)
    if earlier is not None:
        return earlier
    cluster.work_folder(resource.uid)
    if suspend_of(resource):
        noted = {**resource.annotations, names.FOLDER: str(Path.cwd())}
        status = {"phase": "PAUSED", "reason": "It was created suspended. Resume it to start it."}
        cluster.store.create(resource.with_(annotations=noted, status=status))
    else:
        resource = resource.with_(status={"phase": "PENDING", "reason": "Starting."})
        workload.submit(cluster, resource, CONTROLLER, policy_of(resource, job), env=environment(), lost=LOST)
    for image in images(resource.spec):
        said = f"The image {image} is not used: its command runs with this machine's Python and programs."
        cluster.store.record(resource.kind, resource.name, "Warning", "ImageNotUsed", said)
    return Job(resource.name, cluster, resource.kind)


def begin(cluster: LocalCluster, resource: Resource) -> None:
    """Start a job that was created suspended."""
    from jupyter_ext.cluster.local import workload

    job = _require(cluster, resource)
    folder = resource.annotations.get(names.FOLDER)
    waiting = {**resource.status, "phase": "PENDING", "reason": "Starting."}
    resource = cluster.store.update(resource.kind, resource.name, lambda found: found.with_(status=waiting))
    policy = policy_of(resource, job)
    workload.spawn(cluster, resource, CONTROLLER, policy, cwd=folder, env=environment(), lost=LOST)


def policy_of(resource: Resource, job: JobSpec) -> Any:
    """Whether the controller is started again when it was killed: where something is left to go on from."""
    kept = names.CHECKPOINT in resource.annotations
    return "OnFailure" if kept or job.restarts else "Never"


def environment() -> dict[str, str]:
    """What a job's processes get on top of the submitter's environment."""
    return {
        UNIT: JOB_UNIT,
        PATHS: json.dumps([path for path in sys.path if path and not path.endswith(".zip")]),
    }
