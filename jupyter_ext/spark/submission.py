"""From a resource to an application or a session: all that can be found wrong is found before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local.devices import UNIT as DEVICES_UNIT
from jupyter_ext.cluster.resource import Resource, new_uid, valid_name
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, Unavailable, Where
from jupyter_ext.spark import java as installed
from jupyter_ext.spark import manifest, options
from jupyter_ext.spark import spec as names
from jupyter_ext.spark.describing import NOT_STORED, What, described, keyword
from jupyter_ext.spark.handle import Application, Session, place
from jupyter_ext.spark.local import UNIT, paths, request_of
from jupyter_ext.spark.spec import AppSpec
from jupyter_ext.spark.validation import validate
from jupyter_ext.training.nesting import begun_before, belonging

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

CONTROLLER: Final = "jupyter_ext.spark.local:reconcile"
LOST: Final = "jupyter_ext.spark.ledger:lost"
_CLIENT: Final = ("pandas", "pyarrow", "grpc", "grpc_status", "google.rpc", "zstandard")
"""What a session's client imports."""


def submit(
    what: What,
    *,
    args: Mapping[str, Any] | None = None,
    arguments: Iterable[str] = (),
    name: str | None = None,
    cores: int = 1,
    executors: int = 1,
    memory: str = "1g",
    driver_memory: str = "1g",
    conf: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    main_class: str | None = None,
    jars: Iterable[str | Path] = (),
    py_files: Iterable[str | Path] = (),
    packages: Iterable[str] = (),
    retries: int = 0,
    wait: bool = False,
    labels: Mapping[str, str] | None = None,
    function: str | None = None,
    namespace: Mapping[str, Any] | None = None,
) -> Application:
    """Run a function, a ``.py`` or ``.jar`` file, or the source of a cell as a Spark application.

    A function is called as ``what(**args)`` in the driver, where ``SparkSession.builder.getOrCreate()`` gives the
    session; what it returns comes back by ``result()``, a frame as an Arrow table. A file gets ``arguments`` as its
    command line. ``cores`` and ``memory`` are those of each executor; one executor is part of the driver's process,
    several are processes of their own. ``retries``: how often a failed attempt is repeated.
    Raises Invalid, NotFound, Unfit and Unavailable for all that can be known to be wrong before it starts.
    """
    resource = described(
        what,
        args=args,
        arguments=arguments,
        name=name,
        cores=cores,
        executors=executors,
        memory=memory,
        driver_memory=driver_memory,
        conf=conf,
        env=env,
        main_class=main_class,
        jars=jars,
        py_files=py_files,
        packages=packages,
        retries=retries,
        labels=labels,
        function=function,
        namespace=namespace,
    )
    try:
        found = submit_resource(resource)
    except KubeflowError as error:
        raise keyword(error) from error
    return found.wait() if wait else found


def examine(what: What, **options: Any) -> None:
    """Refuse what ``submit`` would refuse; nothing is created or kept."""
    if place() is None:
        _require_free(options.get("name"))
    try:
        check(described(what, **options, store=False))
    except KubeflowError as error:
        raise keyword(error) from error


def _require_free(name: str | None, kind: str = "SparkApplication") -> None:
    if name and discover.current().store.find(kind, name) is not None:
        raise Conflict(
            f"{kind} {name} exists already", where=Where(field="name"), hint="Choose another name."
        )


def submit_resource(resource: Resource, *, alone: bool = False) -> Application:
    """Check a SparkApplication, create it and start it. Raises as ``check`` does.

    It belongs to the step that starts it, unless it is to stand ``alone``.
    """
    cluster = discover.current()
    if not alone and (there := place()) is not None:
        from jupyter_ext.spark import kube

        return kube.submit(there, cluster, resource)
    resource = resource.with_(uid=resource.uid or new_uid(), namespace=cluster.namespace)
    app = _require(cluster, resource)
    resource = resource if alone else belonging(cluster, resource)
    earlier = begun_before(cluster, resource)
    if earlier is not None:
        return Application(earlier.name, cluster)
    _launch(cluster, resource, "OnFailure" if app.retries else "Never")
    return Application(resource.name, cluster)


def check(resource: Resource) -> None:
    """Refuse what would be refused, without starting anything. Raises Invalid, NotFound, Unfit and Unavailable."""
    if (there := place()) is not None:
        from jupyter_ext.spark import kube

        kube.check(there, discover.current(), resource)
        return
    _require(discover.current(), resource.with_(uid=resource.uid or "unknown"))


def start_session(resource: Resource) -> Session:
    """Check a SparkConnect, create it and start its server. Raises as ``check_session`` does."""
    cluster = discover.current()
    if (there := place()) is not None:
        from jupyter_ext.spark import kube_session

        return kube_session.start(there, resource)
    resource = resource.with_(uid=resource.uid or new_uid(), namespace=cluster.namespace)
    check_session(resource)
    resource = belonging(cluster, resource)
    _launch(cluster, resource, "Never")
    return Session(resource.name, cluster)


def start(
    name: str = names.SESSION,
    *,
    cores: int | None = None,
    executors: int = 1,
    memory: str = "1g",
    driver_memory: str = "1g",
    conf: Mapping[str, Any] | None = None,
    idle: str | float | None = "12h",
) -> Session:
    """Start a session's server and come back at once; ``kf.spark.session(name)`` gives its SparkSession.

    ``cores`` are half of the machine's by default, one on a cluster. ``idle``: it ends after so long without use, as ``"90m"``; 0 or None
    for never. Raises as ``check_session`` does, and Conflict where one of that name runs.
    """
    from jupyter_ext.spark.handle import remove_ended

    resource = _session(name, cores, executors, memory, driver_memory, conf, idle)
    if place() is None:
        remove_ended(discover.current(), resource.name)
    try:
        return start_session(resource)
    except KubeflowError as error:
        raise keyword(error) from error


def examine_session(name: str = names.SESSION, **options: Any) -> None:
    """Refuse what ``start`` would refuse; nothing is created."""
    found = discover.current().store.find("SparkConnect", name) if place() is None else None
    if found is not None and found.phase in {"PENDING", "RUNNING"}:
        raise Conflict(f"The session {name} is there already", where=Where(field="name"))
    words: dict[str, Any] = {
        "cores": None,
        "executors": 1,
        "memory": "1g",
        "driver_memory": "1g",
        "conf": None,
        "idle": "12h",
        **options,
    }
    try:
        check_session(_session(name, **words))
    except KubeflowError as error:
        raise keyword(error) from error


def _session(
    name: str,
    cores: int | None,
    executors: int,
    memory: str,
    driver_memory: str,
    conf: Mapping[str, Any] | None,
    idle: str | float | None,
) -> Resource:
    from jupyter_ext.cluster.local.machine import limits_now

    seconds = options.idle(idle)
    resource = manifest.connect(
        valid_name(name),
        version=installed.spark().version,
        cores=cores if cores is not None else 1 if place() is not None else max(limits_now()[0] // 2000, 1),
        executors=executors,
        memory=memory,
        server=driver_memory,
        conf=conf or {},
    )
    return resource.with_(annotations={names.IDLE: str(idle) if seconds else "0"})


def check_session(resource: Resource) -> None:
    """Refuse what would be refused, without starting anything. Raises as ``check`` does."""
    from importlib.util import find_spec

    for module in _CLIENT:
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise Unavailable(f"A session needs {module}", hint=installed.INSTALL_SPARK)
    if (there := place()) is not None:
        from jupyter_ext.spark import kube_session

        kube_session.check(there, resource)
        return
    _require(discover.current(), resource.with_(uid=resource.uid or "unknown"))


def _require(cluster: LocalCluster, resource: Resource) -> AppSpec:
    """What it asks for, if it can run here."""
    validate(resource)
    app = manifest.app_of(resource)
    if app.code and app.code != NOT_STORED:
        cluster.blobs.path(app.code)
    spark = installed.spark()
    installed.java(cluster.home / "spark")
    asked = str(resource.spec.get("sparkVersion") or "")
    if asked.partition(".")[0] not in {"", spark.version.partition(".")[0]}:
        hint = f"Write {spark.version}, or install pyspark {asked}."
        what = f"Spark {asked} is asked for, and {spark.version} is here"
        raise Invalid(what, where=Where(field="spec.sparkVersion"), hint=hint)
    request = request_of(app)
    cluster.leases.check(request)
    return app


def _launch(cluster: LocalCluster, resource: Resource, restart: Any) -> None:
    from jupyter_ext.cluster.local import workload

    _require_free(resource.name, resource.kind)
    cluster.work_folder(resource.uid)
    resource = resource.with_(status={"phase": "PENDING", "reason": "Starting."})
    environment = {**paths(), DEVICES_UNIT: UNIT}
    workload.submit(cluster, resource, CONTROLLER, restart, env=environment, lost=LOST)
