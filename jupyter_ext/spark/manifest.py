"""Between what ``submit`` and ``session`` are asked for, the resources of the Spark operator, and what runs here.

``SparkApplication`` is of ``sparkoperator.k8s.io/v1beta2``, ``SparkConnect`` of ``v1alpha1``. A field is honoured, left
out because it only says where a cluster places a pod, or refused by name. Functions of values only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlparse

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, NotFound, Unfit, Where
from jupyter_ext.spark import options
from jupyter_ext.spark import spec as names
from jupyter_ext.spark.spec import AppSpec, Part, memory, say
from jupyter_ext.training.containers import mapping, refuse, renamed, sequence, whole

_PLACEMENT: Final = frozenset({
    *("affinity", "annotations", "dnsConfig", "hostAliases", "hostNetwork", "image", "kubernetesMaster", "labels"),
    *("coreLimit", "coreRequest", "memoryLimit", "memoryOverhead", "nodeSelector", "podName", "podSecurityContext"),
    *("deleteOnTermination", "ports", "priorityClassName", "schedulerName", "securityContext", "serviceAccount"),
    *("serviceAnnotations", "serviceLabels", "shareProcessNamespace", "terminationGracePeriodSeconds", "tolerations"),
})  # fmt: skip
_HONOURED: Final = frozenset({"cores", "memory", "env", "envVars", "javaOptions", "instances"})
_LEFT_OUT: Final = frozenset({
    *("batchScheduler", "batchSchedulerOptions", "driverIngressOptions", "image", "imagePullPolicy"),
    *("imagePullSecrets", "memoryOverheadFactor", "mode", "monitoring", "nodeSelector", "pythonVersion"),
    *("sparkUIOptions", "sparkVersion", "type", "timeToLiveSeconds"),
})  # fmt: skip
_APPLICATION: Final = frozenset({
    *("mainApplicationFile", "mainClass", "arguments", "sparkConf", "hadoopConf", "deps", "driver", "executor"),
    *("restartPolicy", "failureRetries", "retryInterval", "suspend"),
})  # fmt: skip
_OURS: Final = (
    *(
        "spark.master",
        "spark.submit.deployMode",
        "spark.app.name",
        "spark.driver.bindAddress",
        "spark.driver.host",
    ),
    *(
        "spark.ui.port",
        "spark.ui.filters",
        "spark.ui.killEnabled",
        "spark.eventLog.dir",
        "spark.eventLog.enabled",
    ),
    *("spark.authenticate", "spark.connect.grpc.binding.port", "spark.connect.grpc.binding.address"),
    *("spark.connect.authenticate.token", "spark.driver.extraClassPath"),
)
_AMOUNTS: Final = (
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.executor.memory",
    "spark.executor.cores",
)


def application(
    name: str,
    *,
    file: str,
    version: str,
    cores: int,
    executors: int,
    memory: str,
    driver_memory: str,
    conf: Mapping[str, Any],
    env: Mapping[str, Any],
    arguments: Sequence[str],
    deps: Mapping[str, Sequence[str]],
    retries: int,
    noted: Mapping[str, str],
    labels: Mapping[str, str],
) -> Resource:
    """The resource of a batch, as the operator's users write it."""
    driver: dict[str, Any] = {"cores": 1, "memory": driver_memory}
    executor: dict[str, Any] = {"instances": executors, "cores": cores, "memory": memory}
    if env:
        driver["env"] = [{"name": key, "value": str(value)} for key, value in env.items()]
        executor["env"] = list(driver["env"])
    spec: dict[str, Any] = {
        "type": "Python" if file.endswith((".py", ".zip")) else "Java",
        "mode": "cluster",
        "sparkVersion": version,
        "mainApplicationFile": file,
        "driver": driver,
        "executor": executor,
    }
    if arguments:
        spec["arguments"] = list(arguments)
    if conf:
        spec["sparkConf"] = {key: _word(value) for key, value in conf.items()}
    if deps:
        spec["deps"] = {key: list(value) for key, value in deps.items()}
    if retries:
        count = whole(retries, "retries")
        spec["restartPolicy"] = {"type": "OnFailure", "onFailureRetries": count, "onFailureRetryInterval": 5}
    return Resource.new("SparkApplication", name, spec, labels=dict(labels), annotations=dict(noted))


def connect(
    name: str, *, version: str, cores: int, executors: int, memory: str, server: str, conf: Mapping[str, Any]
) -> Resource:
    """The resource of a session."""
    spec: dict[str, Any] = {
        "sparkVersion": version,
        "server": {"cores": 1, "memory": server},
        "executor": {"instances": executors, "cores": cores, "memory": memory},
    }
    if conf:
        spec["sparkConf"] = {key: _word(value) for key, value in conf.items()}
    return Resource.new("SparkConnect", name, spec)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def app_of(resource: Resource) -> AppSpec:
    """What a resource asks for. Raises Invalid for what is wrong, Unfit for what only a cluster can do, NotFound for files."""
    spec = resource.spec
    serves = resource.kind == "SparkConnect"
    if spec.get("dynamicAllocation", {}).get("enabled"):
        raise refuse("spec.dynamicAllocation", "Executors do not come and go on one machine", "Leave it out.")
    base: dict[str, Any] = {
        "name": resource.name,
        "uid": resource.uid,
        "driver": _part(spec, "server" if serves else "driver"),
        "executor": _part(spec, "executor"),
        "instances": whole(mapping(spec.get("executor"), "spec.executor").get("instances", 1), _INSTANCES, 1),
        "conf": {**_conf(spec), **_hadoop(spec)},
    }
    if serves:
        return AppSpec(**base, serves=True, idle=_idle(resource))
    _refuse_the_rest(spec)
    code = resource.annotations.get(names.CODE, "")
    return AppSpec(
        **base,
        **_main(spec, code),
        **_restarts(spec),
        code=code,
        args=_json(resource.annotations.get(names.ARGS)),
        deps=_deps(spec),
    )


_INSTANCES: Final = "spec.executor.instances"


def _part(spec: Mapping[str, Any], role: str) -> Part:
    field = f"spec.{role}"
    given = mapping(spec.get(role), field)
    for key, value in given.items():
        if key not in _PLACEMENT | _HONOURED and value not in (None, "", [], {}):
            raise refuse(f"{field}.{key}", f"{key} means nothing without a pod")
    size = memory(given.get("memory", "1g"), f"{field}.memory")
    return Part(
        whole(given.get("cores", 1), f"{field}.cores", 1),
        size,
        _env(given, field),
        str(given.get("javaOptions") or ""),
    )


def _env(given: Mapping[str, Any], field: str) -> dict[str, str]:
    found = {str(key): str(value) for key, value in mapping(given.get("envVars"), field).items()}
    for number, item in enumerate(sequence(given.get("env"), f"{field}.env")):
        place = f"{field}.env[{number}]"
        if mapping(item, place).get("valueFrom"):
            hint = "Write it with a value, or set it in the notebook: its environment is passed on."
            raise refuse(f"{place}.valueFrom", f"{item.get('name')} comes from the cluster", hint)
        found[str(item.get("name"))] = str(item.get("value") or "")
    return found


def _conf(spec: Mapping[str, Any]) -> dict[str, str]:
    found = {str(key): str(value) for key, value in mapping(spec.get("sparkConf"), "spec.sparkConf").items()}
    for key, value in found.items():
        field = f"spec.sparkConf[{key}]"
        if key in _OURS:
            raise refuse(field, f"{key} is set by what runs it", "Leave it out.")
        if key in _AMOUNTS:
            what = f"{key} is said in {key.replace('spark', 'spec', 1)}"
            raise Invalid(
                what, where=Where(field=field), hint="Write it there: it is leased from the machine."
            )
        if not key.startswith("spark."):
            hint = "Its settings begin with 'spark.'."
            raise Invalid(f"{key!r} is no setting of Spark", where=Where(field=field), hint=hint)
        if "\n" in key + value or "\r" in key + value or "=" in key or " " in key:
            raise Invalid(f"{key!r} is not on one line", where=Where(field=field))
    return found


def _hadoop(spec: Mapping[str, Any]) -> dict[str, str]:
    given = mapping(spec.get("hadoopConf"), "spec.hadoopConf")
    found = {f"spark.hadoop.{key}": str(value) for key, value in given.items()}
    for key, value in found.items():
        if "\n" in key + value or "\r" in key + value or "=" in key or " " in key:
            raise Invalid(f"{key!r} is not on one line", where=Where(field="spec.hadoopConf"))
    return found


def _refuse_the_rest(spec: Mapping[str, Any]) -> None:
    if spec.get("type") not in {None, "Python", "Java", "Scala"}:
        raise refuse(
            "spec.type", f"{spec['type']} programs need an installation of their own", "Use Python or Java."
        )
    if spec.get("suspend"):
        raise refuse("spec.suspend", "A batch is not suspended here", "Apply it when it is to run.")
    for key, value in spec.items():
        if key not in _LEFT_OUT | _APPLICATION | {"dynamicAllocation"} and value not in (None, "", [], {}):
            raise refuse(f"spec.{key}", f"{key} needs a cluster")


def _main(spec: Mapping[str, Any], code: str) -> dict[str, Any]:
    arguments = sequence(spec.get("arguments"), "spec.arguments")
    for number, word in enumerate(arguments):
        if not isinstance(word, str):
            raise Invalid(f"{word!r} is not a text", where=Where(field=f"spec.arguments[{number}]"))
    found: dict[str, Any] = {"arguments": tuple(arguments), "main_class": str(spec.get("mainClass") or "")}
    if code:
        return found
    file = str(spec.get("mainApplicationFile") or "")
    path = _local(file, "spec.mainApplicationFile")
    if path.suffix not in {".py", ".jar"}:
        what = f"{file} is neither a .py nor a .jar file"
        raise Invalid(what, where=Where(field="spec.mainApplicationFile"))
    if path.suffix == ".jar" and not found["main_class"]:
        raise Invalid("A .jar needs its main class", where=Where(field="spec.mainClass"))
    return {**found, "file": str(path)}


def _local(text: str, field: str) -> Path:
    """The file of this machine that ``local:///…``, ``file:///…`` or a path means. Raises Unfit, NotFound."""
    place = urlparse(text)
    if place.scheme not in {"", "local", "file"}:
        hint = "Download it first, and name the file."
        raise Unfit(f"{text} is not on this machine", where=Where(field=field), hint=hint)
    path = Path(unquote(place.path) if place.scheme else text).expanduser()
    if not path.is_file():
        hint = "It may be in an image only." if place.scheme == "local" else "Correct the path."
        raise NotFound(f"There is no file {path}", where=Where(field=field), hint=hint)
    return path.resolve()


def _deps(spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    given = mapping(spec.get("deps"), "spec.deps")
    found: dict[str, tuple[str, ...]] = {}
    for key, value in given.items():
        field = f"spec.deps.{key}"
        items = [str(item) for item in sequence(value, field)]
        if any("," in item or "\n" in item for item in items):
            raise Invalid("An item of a list has a comma in it", where=Where(field=field))
        if key in {"jars", "files", "pyFiles", "archives"}:
            items = [str(_local(item, f"{field}[{number}]")) for number, item in enumerate(items)]
        found[key] = tuple(items)
    return found


def _restarts(spec: Mapping[str, Any]) -> dict[str, Any]:
    policy = mapping(spec.get("restartPolicy"), "spec.restartPolicy")
    kind = policy.get("type", "Never")
    if kind == "Always":
        hint = "Use OnFailure, or a schedule."
        raise refuse("spec.restartPolicy.type", "A batch that always begins again never ends", hint)
    if kind not in {"Never", "OnFailure"}:
        raise Invalid(f"{kind!r} is no restart policy", where=Where(field="spec.restartPolicy.type"))
    if kind == "Never":
        return {}
    retries = policy.get("onFailureRetries", spec.get("failureRetries") or 3)
    interval = policy.get("onFailureRetryInterval", spec.get("retryInterval") or 5)
    return {
        "retries": whole(retries, "spec.restartPolicy.onFailureRetries"),
        "interval": float(whole(interval, "spec.restartPolicy.onFailureRetryInterval")),
    }


def _idle(resource: Resource) -> float:
    try:
        return options.idle(resource.annotations.get(names.IDLE))
    except Invalid as error:
        raise renamed(error, {"idle": f"metadata.annotations[{names.IDLE}]"}) from error


def _json(text: str | None) -> dict[str, Any]:
    found: Any = None
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        field = f"metadata.annotations[{names.ARGS}]"
        raise Invalid("This annotation is not JSON of a mapping", where=Where(field=field))
    return found


def shape(resource: Resource) -> str:
    """For people: ``2 executors of 1 core and 1g``."""
    executor = resource.spec.get("executor") or {}
    count, cores = executor.get("instances", 1), executor.get("cores", 1)
    words = f"{count} executor{'s' if count != 1 else ''} of {cores} core{'s' if cores != 1 else ''}"
    return f"{words} and {executor.get('memory', say(1 << 30))}"
