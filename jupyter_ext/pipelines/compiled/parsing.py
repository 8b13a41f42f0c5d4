"""Read the JSON form of a pipeline specification into the types of ``spec``, and say where it is not one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.compiled.place import NAME, Place
from jupyter_ext.pipelines.compiled.spec import (
    MISSING,
    ArtifactPort,
    Component,
    Container,
    Dag,
    Importer,
    Iterator,
    Output,
    Parameter,
    Ports,
    Resources,
    Retry,
    Source,
    Specification,
    Task,
)

PARAMETER_TYPES: Final = [
    "STRING",
    "NUMBER_INTEGER",
    "NUMBER_DOUBLE",
    "BOOLEAN",
    "LIST",
    "STRUCT",
    "TASK_FINAL_STATUS",
    "TASK_CONFIG",
]
_OLD_TYPES: Final = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}


def read(data: Mapping[str, Any]) -> Specification:
    """Read the JSON form of a ``PipelineSpec``. Raises Invalid, with the place, for what it must not be."""
    here = Place(data, "")
    here.only(
        [
            "pipelineInfo",
            "deploymentSpec",
            "sdkVersion",
            "schemaVersion",
            "components",
            "root",
            "defaultPipelineRoot",
        ]
    )
    info = here.part("pipelineInfo")
    name = info.text("name")
    if not name:
        raise Invalid("The pipeline has no name", where=Where(field="pipelineInfo.name"))
    components = here.part("components")
    found = {key: _component(key, components.part(key)) for key in components.keys(NAME)}
    executors = here.part("deploymentSpec").part("executors")
    root = _component("root", here.part("root"))
    if root.dag is None:
        raise Invalid("The pipeline has no tasks", where=Where(field="root.dag"))
    return Specification(
        name,
        info.text("displayName"),
        root,
        found,
        {key: _executor(key, executors.part(key)) for key in executors.keys(NAME)},
        here.text("sdkVersion"),
    )


def _component(name: str, here: Place) -> Component:
    here.only(
        [
            "inputDefinitions",
            "outputDefinitions",
            "dag",
            "executorLabel",
            "singlePlatformSpecs",
            "taskConfigPassthroughs",
        ]
    )
    if here.data.get("singlePlatformSpecs"):
        raise Invalid(
            f"Component {name} has settings for platforms of its own",
            where=Where(field=here.path),
            hint="Compile the pipeline with kfp.kubernetes, or run it on a cluster.",
        )
    inputs, outputs = _ports(here.part("inputDefinitions")), _ports(here.part("outputDefinitions"))
    dag = _dag(here.part("dag")) if here.has("dag") else None
    label = here.text("executorLabel")
    if (dag is None) == (not label):
        raise Invalid(f"Component {name} must have either a DAG or an executor", where=Where(field=here.path))
    passed = {one.text("field"): one.flag("applyToTask") for one in here.items("taskConfigPassthroughs")}
    return Component(name, inputs, outputs, dag, label, passed)


def _ports(here: Place) -> Ports:
    here.only(["parameters", "artifacts"])
    return Ports(here.each("parameters", _parameter), here.each("artifacts", _artifact))


def _parameter(_name: str, here: Place) -> Parameter:
    here.only(["type", "parameterType", "defaultValue", "isOptional", "description", "literals"])
    kind = here.text("parameterType") or _OLD_TYPES.get(here.text("type"), "")
    if kind not in PARAMETER_TYPES:
        raise here.wrong("parameterType", f"{kind!r} is not a type")
    default = constant(here.data["defaultValue"]) if here.has("defaultValue") else MISSING
    literals = tuple(constant(item) for item in here.data.get("literals") or ())
    return Parameter(kind, default, here.flag("isOptional"), literals)


def _artifact(_name: str, here: Place) -> ArtifactPort:
    here.only(
        [
            "artifactType",
            "properties",
            "customProperties",
            "metadata",
            "isArtifactList",
            "isOptional",
            "description",
        ]
    )
    schema = _schema(here.part("artifactType"))
    return ArtifactPort(
        schema, here.flag("isArtifactList"), here.flag("isOptional"), constant(here.part("metadata").data)
    )


def _schema(here: Place) -> dict[str, str]:
    here.only(["schemaTitle", "schemaUri", "instanceSchema", "schemaVersion"])
    return {key: here.text(key) for key in here.data}


def _dag(here: Place) -> Dag:
    here.only(["tasks", "outputs"])
    outputs = here.part("outputs")
    outputs.only(["parameters", "artifacts"])
    return Dag(
        here.each("tasks", _task),
        outputs.each("parameters", _parameter_output),
        outputs.each("artifacts", _artifact_output),
    )


def _parameter_output(_name: str, here: Place) -> Output:
    here.only(["valueFromParameter", "valueFromOneof"])
    if here.has("valueFromParameter"):
        chosen = [here.part("valueFromParameter")]
    else:
        chosen = here.part("valueFromOneof").items("parameterSelectors")
    return Output(tuple((one.text("producerSubtask"), one.text("outputParameterKey")) for one in chosen))


def _artifact_output(_name: str, here: Place) -> Output:
    here.only(["artifactSelectors"])
    chosen = here.items("artifactSelectors")
    return Output(tuple((one.text("producerSubtask"), one.text("outputArtifactKey")) for one in chosen))


_TASK: Final = [
    "taskInfo",
    "inputs",
    "dependentTasks",
    "cachingOptions",
    "componentRef",
    "triggerPolicy",
    "artifactIterator",
    "parameterIterator",
    "retryPolicy",
    "iteratorPolicy",
]


def _task(name: str, here: Place) -> Task:
    here.only(_TASK)
    inputs, trigger, caching = here.part("inputs"), here.part("triggerPolicy"), here.part("cachingOptions")
    inputs.only(["parameters", "artifacts"])
    trigger.only(["condition", "strategy"])
    caching.only(["enableCache", "cacheKey"])
    strategy = trigger.text("strategy") or "TRIGGER_STRATEGY_UNSPECIFIED"
    if strategy not in (
        "TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED"
    ):  # fmt: skip
        raise trigger.wrong("strategy", f"{strategy!r} is not a strategy")
    return Task(
        name,
        here.part("componentRef").text("name"),
        here.part("taskInfo").text("name"),
        inputs.each("parameters", parameter_source),
        inputs.each("artifacts", _artifact_source),
        here.texts("dependentTasks"),
        trigger.text("condition"),
        strategy == "ALL_UPSTREAM_TASKS_COMPLETED",
        _iterator(here),
        _retry(here.part("retryPolicy")) if here.has("retryPolicy") else None,
        caching.flag("enableCache"),
        caching.text("cacheKey"),
    )


def _retry(here: Place) -> Retry:
    here.only(["maxRetryCount", "backoffDuration", "backoffFactor", "backoffMaxDuration"])
    return Retry(
        here.count("maxRetryCount"),
        here.seconds("backoffDuration", 0.0),
        here.number("backoffFactor", 2.0) or 2.0,
        here.seconds("backoffMaxDuration", 3600.0),
    )


def _iterator(here: Place) -> Iterator | None:
    policy = here.part("iteratorPolicy")
    policy.only(["parallelismLimit"])
    limit = policy.count("parallelismLimit")
    if here.has("artifactIterator"):
        one = here.part("artifactIterator")
        return Iterator(
            "artifact", one.text("itemInput"), None, one.part("items").text("inputArtifact"), limit
        )
    if not here.has("parameterIterator"):
        return None
    one = here.part("parameterIterator")
    items = one.part("items")
    items.only(["raw", "inputParameter"])
    if items.has("raw"):
        return Iterator("parameter", one.text("itemInput"), _raw_items(items), "", limit)
    return Iterator("parameter", one.text("itemInput"), None, items.text("inputParameter"), limit)


def _raw_items(here: Place) -> tuple[Any, ...]:
    import json

    try:
        found = json.loads(here.text("raw"))
    except ValueError as error:
        raise here.wrong("raw", f"is not JSON ({error})") from None
    if not isinstance(found, list):
        raise here.wrong("raw", "must be a JSON list")
    return tuple(constant(item) for item in found)


def parameter_source(_name: str, here: Place) -> Source:
    """Where a parameter, or a setting that may be given like one, comes from. Raises Invalid."""
    known = (
        "taskOutputParameter runtimeValue componentInputParameter taskFinalStatus parameterExpressionSelector"
    )
    here.only(known.split())
    selector = here.text("parameterExpressionSelector")
    if here.has("taskOutputParameter"):
        one = here.part("taskOutputParameter")
        return Source("task", one.text("producerTask"), one.text("outputParameterKey"), None, selector)
    if here.has("componentInputParameter"):
        return Source("input", "", here.text("componentInputParameter"), None, selector)
    if here.has("taskFinalStatus"):
        return Source("status", here.part("taskFinalStatus").text("producerTask"), "", None, selector)
    one = here.part("runtimeValue")
    one.only(["constant", "constantValue", "runtimeParameter"])
    if one.has("runtimeParameter"):
        return Source("input", "", one.text("runtimeParameter"), None, selector)
    return Source("constant", "", "", _value(one), selector)


def _value(here: Place) -> Any:
    if here.has("constant"):
        return constant(here.data["constant"])
    old = here.part("constantValue")
    old.only(["intValue", "doubleValue", "stringValue"])
    if old.has("intValue"):
        return int(old.number("intValue"))
    return old.data.get("doubleValue", old.data.get("stringValue", ""))


def _artifact_source(_name: str, here: Place) -> Source:
    here.only(["taskOutputArtifact", "componentInputArtifact"])
    if here.has("taskOutputArtifact"):
        one = here.part("taskOutputArtifact")
        return Source("task", one.text("producerTask"), one.text("outputArtifactKey"))
    return Source("input", "", here.text("componentInputArtifact"))


def _executor(name: str, here: Place) -> Container | Importer:
    here.only(["container", "importer", "resolver", "customJob"])
    if here.has("container"):
        return _container(here.part("container"))
    if here.has("importer"):
        return _importer(here.part("importer"))
    what = "asks Vertex AI for a job" if here.has("customJob") else "looks artifacts up in a metadata store"
    raise Invalid(f"Executor {name} {what}, which only a cluster has", where=Where(field=here.path))


def _container(here: Place) -> Container:
    here.only(["image", "command", "args", "lifecycle", "resources", "env"])
    if here.data.get("lifecycle"):
        raise here.wrong("lifecycle", "has no meaning on this machine", "Remove it, or run it on a cluster.")
    env = {item.text("name"): item.text("value") for item in here.items("env")}
    if any(not name or "=" in name for name in env):
        raise here.wrong("env", "has a variable whose name is empty or has = in it")
    asked = here.part("resources")
    gpu = asked.part("accelerator")
    return Container(
        here.text("image"),
        here.texts("command"),
        here.texts("args"),
        env,
        Resources(
            _amount(asked, "cpu"),
            _amount(asked, "memory"),
            gpu.text("resourceType") or gpu.text("type"),
            str(gpu.data.get("resourceCount") or gpu.data.get("count") or ""),
        ),
    )


def _amount(here: Place, name: str) -> str:
    for kind in ("Request", "Limit"):
        text = here.text(f"resource{name.title()}{kind}")
        if text:
            return text
        number = here.number(f"{name}{kind}")
        if number:
            # The deprecated fields count cores, and memory in units of 10^9 bytes.
            return str(number) if name == "cpu" else f"{int(number * 10**9)}"
    return ""


def _importer(here: Place) -> Importer:
    here.only(
        [
            "artifactUri",
            "typeSchema",
            "properties",
            "customProperties",
            "reimport",
            "metadata",
            "downloadToWorkspace",
        ]
    )
    uri = here.part("artifactUri")
    parameter = uri.text("runtimeParameter")
    return Importer(
        _schema(here.part("typeSchema")),
        None if parameter else str(_value(uri)),
        parameter,
        constant(here.part("metadata").data),
        here.flag("downloadToWorkspace"),
    )


def constant(value: Any) -> Any:
    """A value of the document. Its numbers went through protobuf: a whole number is an integer again."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): constant(item) for key, item in value.items()}
    if isinstance(value, list):
        return [constant(item) for item in value]
    return value
