"""The settings that a pipeline has for Kubernetes (``kubernetes_executor_config.proto``), as types.

Each is a demand on a pod. What of it there is on this machine is said in ``platform_checking`` before anything runs, and given
to a step by ``provision``.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_ext.cluster.resource import parse_memory
from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines.compiled.parsing import constant, parameter_source
from jupyter_ext.pipelines.compiled.place import Place
from jupyter_ext.pipelines.compiled.spec import Component, Source
from jupyter_ext.secrets.store import CONFIG_MAP, SECRET

_CANNOT: Final = {
    "initContainers": "containers that run before it",
    "podResourceClaims": "a device that a cluster's driver gives out",
}
_NOTHING: Final = frozenset({"imagePullSecret", "imagePullPolicy", "enabledSharedMemory"})
"""Where images come from, and a larger ``/dev/shm`` than a pod's: nothing is pulled here, and this machine's own is there."""


ENV, VOLUMES, RESOURCES = "ENV", "KUBERNETES_VOLUMES", "RESOURCES"
_KEYED: Final = re.compile(r"metadata\.(labels|annotations)\['([^']{1,320})'\]")
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class Variable:
    """An environment variable that is the value of a key of a Secret or ConfigMap."""

    variable: str
    kind: str
    name: Source
    key: str
    optional: bool = False


@dataclass(frozen=True)
class Files:
    """The values of a Secret or ConfigMap as files in a folder."""

    path: str
    kind: str
    name: Source
    optional: bool = False


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim, or a folder in it, at a path."""

    path: str
    name: Source
    sub_path: str = ""


@dataclass(frozen=True)
class Scratch:
    """A volume that is empty at the start of a step and gone at its end; ``size`` in bytes, 0 for any."""

    path: str
    memory: bool = False
    size: int = 0


@dataclass(frozen=True)
class Settings:
    """Those of one executor."""

    variables: tuple[Variable, ...] = ()
    files: tuple[Files, ...] = ()
    claims: tuple[Claim, ...] = ()
    scratch: tuple[Scratch, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    deadline: float = 0.0
    user: int | None = None
    group: int | None = None
    not_root: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, str] | Source | None = None
    affinity: tuple[Mapping[str, Any], ...] = ()
    tolerations: tuple[Mapping[str, Any] | Source, ...] = ()
    near: bool = False
    refused: tuple[tuple[str, str], ...] = ()
    """Fields that have no meaning on one machine, and what they ask for."""


@dataclass(frozen=True)
class Pod:
    """What a step may ask of the pod that it is not in: facts that are true of its process."""

    name: str
    namespace: str
    uid: str
    run: str
    settings: Settings

    def field(self, path: str) -> str | None:
        """The value of a field path, None for one that means nothing here."""
        plain = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "spec.nodeName": socket.gethostname(),
            "status.hostIP": LOOPBACK,
            "status.hostIPs": LOOPBACK,
            "status.podIP": LOOPBACK,
            "status.podIPs": LOOPBACK,
        }
        if path in plain:
            return plain[path]
        keyed = _KEYED.fullmatch(path)
        if keyed is None:
            return None
        if keyed[1] == "annotations":
            return self.settings.annotations.get(keyed[2], "")
        return {"pipeline/runid": self.run, **self.settings.labels}.get(keyed[2], "")


@dataclass(frozen=True)
class Platform:
    """The settings of all executors by label, and of the run: ``deadline`` in seconds, 0 for none."""

    executors: Mapping[str, Settings] = field(default_factory=dict)
    deadline: float = 0.0

    def of(self, label: str) -> Settings:
        """The settings of an executor."""
        return self.executors.get(label, _NONE)


_NONE: Final = Settings()


def applies(component: Component, field: str) -> bool:
    """Whether settings of a kind are for the step itself, or only for what it starts elsewhere."""
    return component.passthroughs.get(field, True)


def read(platforms: Mapping[str, Any]) -> Platform:
    """Read the document of settings. Raises Invalid, with the place, for what it must not be."""
    executors: dict[str, Settings] = {}
    deadline = 0.0
    for name in platforms:
        here = Place(platforms, "platforms").part(str(name))
        here.only(["deploymentSpec", "platform", "config", "pipelineConfig"])
        labelled = here.part("deploymentSpec").part("executors")
        if name != "kubernetes" and (labelled.data or here.data.get("config")):
            raise Invalid(
                f"The pipeline has settings for {str(name)[:60]!r}, and only those for kubernetes are known",
                where=Where(field=here.path),
                hint="Compile it without them.",
            )
        config = here.part("pipelineConfig")
        # How long the cluster's own records are kept, and how large the workspace is, asks nothing of this machine.
        kept = ["resourceTtlOnCompletion", "resourceTtlOnSuccess", "resourceTtlOnFailure", "workspace"]
        config.only([*kept, "activeDeadlineSeconds"])
        deadline = config.number("activeDeadlineSeconds") or deadline
        executors |= {str(label): _settings(labelled.part(str(label))) for label in labelled.data}
    return Platform(executors, deadline)


_KNOWN: Final = [
    "secretAsEnv", "secretAsVolume", "configMapAsEnv", "configMapAsVolume", "pvcMount", "genericEphemeralVolume",
    "emptyDirMounts", "fieldPathAsEnv", "activeDeadlineSeconds", "securityContext", "podMetadata", "nodeSelector",
    "nodeAffinity", "podAffinity", "tolerations",
]  # fmt: skip


def _settings(here: Place) -> Settings:
    context, pod = here.part("securityContext"), here.part("podMetadata")
    context.only(["runAsUser", "runAsGroup", "runAsNonRoot"])
    pod.only(["labels", "annotations"])
    asked = {str(key) for key, value in here.data.items() if value}
    return Settings(
        (*_variables(here, "secretAsEnv"), *_variables(here, "configMapAsEnv")),
        (*_files(here, "secretAsVolume"), *_files(here, "configMapAsVolume")),
        tuple(_claim(one) for one in here.items("pvcMount")),
        (
            *(_empty(one) for one in here.items("emptyDirMounts")),
            *(_ephemeral(one) for one in here.items("genericEphemeralVolume")),
        ),
        tuple((one.text("name"), one.text("fieldPath")) for one in here.items("fieldPathAsEnv")),
        here.number("activeDeadlineSeconds"),
        _identity(context, "runAsUser"),
        _identity(context, "runAsGroup"),
        context.flag("runAsNonRoot"),
        {key: str(value) for key, value in pod.part("labels").data.items()},
        {key: str(value) for key, value in pod.part("annotations").data.items()},
        _selector(here.part("nodeSelector")),
        tuple(dict(one.data) for one in here.items("nodeAffinity")),
        tuple(_toleration(one) for one in here.items("tolerations")),
        bool(here.items("podAffinity")),
        tuple((key, _CANNOT.get(key, f"the setting {key}")) for key in sorted(asked - {*_KNOWN} - _NOTHING)),
    )


_OF: Final = {
    "secretAsEnv": (SECRET, "secretName", "secretNameParameter", "secretKey"),
    "secretAsVolume": (SECRET, "secretName", "secretNameParameter", ""),
    "configMapAsEnv": (CONFIG_MAP, "configMapName", "configMapNameParameter", "configMapKey"),
    "configMapAsVolume": (CONFIG_MAP, "configMapName", "configMapNameParameter", ""),
}


def _variables(here: Place, field_: str) -> list[Variable]:
    kind, plain, parameter, key = _OF[field_]
    found = []
    for one in here.items(field_):
        one.only(["keyToEnv", "optional", plain, parameter])
        name = _name(one, plain, parameter)
        for pair in one.items("keyToEnv"):
            pair.only([key, "envVar"])
            found.append(Variable(pair.text("envVar"), kind, name, pair.text(key), one.flag("optional")))
    return found


def _files(here: Place, field_: str) -> list[Files]:
    kind, plain, parameter, _ = _OF[field_]
    found = []
    for one in here.items(field_):
        one.only(["mountPath", "optional", plain, parameter])
        found.append(Files(one.text("mountPath"), kind, _name(one, plain, parameter), one.flag("optional")))
    return found


def _name(here: Place, plain: str, parameter: str) -> Source:
    """A name as the pipeline gives it: from anywhere, or in the older field as it stands."""
    if here.has(parameter):
        return parameter_source("", here.part(parameter))
    text = here.text(plain)
    if not text:
        raise here.wrong(parameter, "is missing")
    return Source("constant", value=text)


def _claim(here: Place) -> Claim:
    older = ["constant", "taskOutputParameter", "componentInputParameter"]
    here.only(["mountPath", "subPath", "pvcNameParameter", *older])
    if here.has("pvcNameParameter"):
        name = parameter_source("", here.part("pvcNameParameter"))
    elif here.has("constant"):
        name = Source("constant", value=here.text("constant"))
    else:
        told = {key: here.data[key] for key in older if key in here.data}
        if not told:
            raise here.wrong("pvcNameParameter", "is missing")
        name = parameter_source("", Place(told, here.path))
    return Claim(here.text("mountPath"), name, here.text("subPath"))


def _empty(here: Place) -> Scratch:
    here.only(["volumeName", "mountPath", "medium", "sizeLimit"])
    size = here.text("sizeLimit")
    return Scratch(
        here.text("mountPath"),
        here.text("medium") == "Memory",
        parse_memory(size, here.at("sizeLimit")) if size else 0,
    )


def _ephemeral(here: Place) -> Scratch:
    known = [
        "volumeName",
        "mountPath",
        "accessModes",
        "size",
        "defaultStorageClass",
        "storageClassName",
        "metadata",
    ]
    here.only(known)
    size = here.text("size")
    return Scratch(here.text("mountPath"), size=parse_memory(size, here.at("size")) if size else 0)


def _identity(here: Place, key: str) -> int | None:
    return int(here.number(key)) if here.has(key) else None


def _selector(here: Place) -> Mapping[str, str] | Source | None:
    here.only(["labels", "nodeSelectorJson"])
    if here.has("nodeSelectorJson"):
        return parameter_source("", here.part("nodeSelectorJson"))
    labels = {key: str(value) for key, value in here.part("labels").data.items()}
    return labels or None


def _toleration(here: Place) -> Mapping[str, Any] | Source:
    here.only(["key", "operator", "value", "effect", "tolerationSeconds", "tolerationJson"])
    if here.has("tolerationJson"):
        return parameter_source("", here.part("tolerationJson"))
    return dict(constant(here.data))
