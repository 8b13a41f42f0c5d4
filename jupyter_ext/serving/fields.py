"""The fields of KServe's InferenceService: those that mean something on this machine, and those that cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_ext.errors import Invalid, Unfit, Where

CONTAINER: Final = "kserve-container"
"""The name of the container that serves. KServe's schema wants it of a model in ``spec.canary``, though it names none."""
FRAMEWORKS: Final = {
    "sklearn": "sklearn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "pytorch": "pytorch",
    "tensorflow": "tensorflow",
    "onnx": "onnx",
    "huggingface": "huggingface",
}
"""Predictor fields of the older form, one for each framework, and the ``modelFormat`` they mean."""
_CLUSTER_ONLY: Final = frozenset(
    {
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "autoScaling", "deploymentStrategy",
        "dnsConfig", "dnsPolicy", "enableServiceLinks", "ephemeralContainers", "hostAliases", "hostIPC",
        "hostNetwork", "hostPID", "hostUsers", "hostname", "hostnameOverride", "imagePullSecrets",
        "initContainers", "nodeName", "nodeSelector", "os", "overhead", "paddle", "pmml", "preemptionPolicy",
        "priority", "priorityClassName", "readinessGates", "resourceClaims", "restartPolicy", "runtimeClassName",
        "scaleMetricType", "schedulerName", "schedulingGates", "securityContext", "serviceAccount",
        "serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace", "storageContainerName", "storageUris",
        "subdomain", "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "triton",
        "volumes", "workerSpec",
    }
)  # fmt: skip
_COMPONENT: Final = frozenset(
    {
        "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "containerConcurrency", "timeout", "logger",
        "batcher", "labels", "annotations",
    }
)  # fmt: skip
_CONTAINER_ONLY: Final = frozenset(
    {
        "envFrom", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe", "resizePolicy",
        "restartPolicy", "securityContext", "startupProbe", "stdin", "stdinOnce", "terminationMessagePath",
        "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts",
    }
)  # fmt: skip
_KNOWN: Final[dict[str, frozenset[str]]] = {
    "spec": frozenset({"predictor", "canary", "transformer", "explainer"}),
    "predictor": _COMPONENT | FRAMEWORKS.keys() | {"name", "model", "containers", "canaryTrafficPercent"},
    "transformer": _COMPONENT | {"containers"},
    "explainer": _COMPONENT | {"containers", "art"},
    "canary": frozenset({"trafficPercent", "predictor"}),
    "canary.predictor": frozenset(
        {"name", "model", "containers", "minReplicas", "timeout", "batcher", "containerConcurrency"}
    ),
    "model": frozenset(
        {"modelFormat", "storageUri", "runtime", "protocolVersion", "resources", "env", "args", "name"}
    ),
    "modelFormat": frozenset({"name", "version"}),
    "container": frozenset(
        {"name", "image", "command", "args", "env", "resources", "workingDir", "ports"}
        | {"readinessProbe", "livenessProbe", "startupProbe"}
    ),
    "logger": frozenset({"mode", "url"}),
    "batcher": frozenset({"maxBatchSize", "maxLatency", "timeout"}),
    "resources": frozenset({"requests", "limits"}),
}
_ELSEWHERE: Final[dict[str, tuple[frozenset[str], str]]] = {
    "spec": (frozenset({"tracing"}), "Remove it, or apply it to a cluster."),
    "predictor": (_CLUSTER_ONLY, "It describes pods, and there are none here: remove it, or use a cluster."),
    "transformer": (
        _CLUSTER_ONLY,
        "It describes pods, and there are none here: remove it, or use a cluster.",
    ),
    "explainer": (_CLUSTER_ONLY, "It describes pods, and there are none here: remove it, or use a cluster."),
    "canary.predictor": (
        _CLUSTER_ONLY | _COMPONENT | FRAMEWORKS.keys() | {"canaryTrafficPercent"},
        "A canary has a name, a model, and minReplicas; the rest it has from the stable predictor.",
    ),
    "model": (
        _CONTAINER_ONLY | {"storage", "runtimeVersion", "image", "command", "workingDir"},
        "Give the address of the model's files as storageUri.",
    ),
    "container": (
        _CONTAINER_ONLY,
        "It describes pods, and there are none here: remove it, or use a cluster.",
    ),
    "logger": (
        frozenset({"metadataHeaders", "metadataAnnotations", "marshallerUrl", "storage"}),
        "Requests are logged here by log=, or the logger's mode alone.",
    ),
}


def known(table: str, value: object, path: str) -> Mapping[str, Any]:
    """The mapping, all of whose fields mean something here.

    Raises Invalid for a field that upstream has not either (with the nearest), Unfit for one that needs a cluster.
    """
    if not isinstance(value, Mapping):
        raise Invalid(f"{path} must be a mapping, not {kind(value)}", where=Where(field=path))
    here = _KNOWN[table]
    elsewhere, remedy = _ELSEWHERE.get(table, (frozenset(), ""))
    for name in value:
        if name in here:
            continue
        where = Where(field=f"{path}.{name}")
        if name in elsewhere:
            raise Unfit(f"{path}.{name} cannot be honoured on this machine", where=where, hint=remedy)
        raise Invalid(f"{path} has no field {name!r}", where=where, hint=nearest(str(name), here))
    return value


def nearest(wanted: str, names: Sequence[str] | frozenset[str] | set[str]) -> str | None:
    """The sentence that helps who mistyped a name."""
    import difflib

    known_names = sorted(names)
    if not known_names:
        return None
    near = difflib.get_close_matches(wanted, known_names, 3, 0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There is {', '.join(known_names[:12])}."


def kind(value: object) -> str:
    """The type of a JSON value, for people."""
    words = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return words.get(type(value), "a number" if isinstance(value, (int, float)) else type(value).__name__)


def whole(value: object, path: str, least: int = 0, most: int | None = None) -> int:
    """A whole number within bounds; raises Invalid."""
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good and isinstance(value, float) and value.is_integer():
        value, good = int(value), True
    if not good or value < least or (most is not None and value > most):  # type: ignore[operator]
        bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise Invalid(f"{path} must be a whole number {bounds}, not {value!r}", where=Where(field=path))
    return int(value)  # type: ignore[call-overload, no-any-return]


def text(value: object, path: str) -> str:
    """A text that is not empty; raises Invalid."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise Invalid(f"{path} must be a text", where=Where(field=path))
    return value


def listed(value: object, path: str) -> list[Any]:
    """A list; raises Invalid."""
    if not isinstance(value, list):
        raise Invalid(f"{path} must be a list, not {kind(value)}", where=Where(field=path))
    return value
