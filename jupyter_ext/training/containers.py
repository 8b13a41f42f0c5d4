"""A container as a process of this machine: what it asks for, and what cannot be honoured without an image.

Fields are those of Kubernetes' ``PodTemplateSpec`` (core/v1). Three things can happen to one: it is honoured, it is
left out because it only says where and how a cluster places the pod, or the whole is refused, naming it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.resource import parse_cpu, parse_memory
from jupyter_ext.errors import Invalid, KubeflowError, Unfit, Where

GPU: Final = "nvidia.com/gpu"

_PLACEMENT: Final = frozenset({
    *("affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostIPC"),
    *("hostNetwork", "hostname", "imagePullSecrets", "nodeName", "nodeSelector", "overhead", "preemptionPolicy"),
    *("priority", "priorityClassName", "restartPolicy", "runtimeClassName", "schedulerName", "securityContext"),
    *("serviceAccount", "serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain"),
    *("terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints"),
})  # fmt: skip
_CONTAINER_LEFT_OUT: Final = frozenset({
    *("image", "imagePullPolicy", "livenessProbe", "name", "ports", "readinessProbe", "resizePolicy"),
    *("securityContext", "startupProbe", "stdin", "stdinOnce", "terminationMessagePath"),
    *("terminationMessagePolicy", "tty"),
})  # fmt: skip
_CONTAINER_HONOURED: Final = frozenset({"args", "command", "env", "resources", "volumeMounts", "workingDir"})


@dataclass(frozen=True)
class Process:
    """What is left of a container. CPU in thousandths, memory in bytes."""

    command: tuple[str, ...]
    env: dict[str, str]
    cwd: str | None
    cpu_milli: int | None
    memory: int | None
    gpus: int


def images(spec: Any) -> list[str]:
    """The images that a spec of any kind names, in order: here their commands run without them."""
    found: dict[str, None] = {}
    stack = [spec]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            if isinstance(value.get("image"), str) and value["image"]:
                found[value["image"]] = None
            stack += reversed(list(value.values()))
        elif isinstance(value, list):
            stack += reversed(value)
    return list(found)


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """The value as a mapping, empty when it is absent. Raises Invalid."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid(f"{field} must be a mapping, not {type(value).__name__}", where=Where(field=field))
    return value


def sequence(value: object, field: str) -> list[Any]:
    """The value as a list, empty when it is absent. Raises Invalid."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Invalid(f"{field} must be a list, not {type(value).__name__}", where=Where(field=field))
    return value


def whole(value: object, field: str, least: int = 0) -> int:
    """The value as a whole number. Raises Invalid."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Invalid(f"{value!r} is not a number from {least} on", where=Where(field=field))
    return value


def only(given: Mapping[str, Any], known: frozenset[str] | set[str], field: str) -> None:
    """Raise Invalid naming the first field that is not known, with the nearest that is."""
    for key in given:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(str(key), known, 1)
            raise Invalid(
                f"There is no field {key!r}",
                where=Where(field=f"{field}.{key}"),
                hint=f"Did you mean {near[0]!r}?" if near else None,
            )


def renamed(error: KubeflowError, words: Mapping[str, str]) -> KubeflowError:
    """The error with the word that was typed in the place of the resource's field; ``words`` by path."""
    field = (error.where.field if error.where else None) or ""
    for path, word in words.items():
        if field == path or field.startswith((f"{path}.", f"{path}[")):
            where = Where(field=field.replace(path, word, 1))
            return type(error)(error.what, where=where, hint=error.hint)
    return error


def refuse(field: str, why: str, hint: str = "Run it on a cluster, or leave it out.") -> Unfit:
    """The error for what a process of this machine cannot have."""
    return Unfit(why, where=Where(field=field), hint=hint)


def read(template: object, field: str, container: str, known: Mapping[str, str]) -> Process:
    """The process that a pod template asks for.

    ``container`` is the name its main container has to have; ``known`` answers ``fieldRef``. Raises Invalid for what
    is wrong and Unfit for what cannot be had here.
    """
    pod = mapping(mapping(template, field).get("spec"), f"{field}.spec")
    only(mapping(template, field), {"metadata", "spec"}, field)
    field = f"{field}.spec"
    only(pod, _PLACEMENT | {"containers", "initContainers", "volumes", "activeDeadlineSeconds"}, field)
    if pod.get("initContainers"):
        raise refuse(f"{field}.initContainers", "Containers that run first need images")
    if "activeDeadlineSeconds" in pod:
        raise refuse(
            f"{field}.activeDeadlineSeconds",
            "One part of a job has no deadline of its own",
            "Set runPolicy.activeDeadlineSeconds, which is the whole job's.",
        )
    containers = sequence(pod.get("containers"), f"{field}.containers")
    for number, each in enumerate(containers):
        place = f"{field}.containers[{number}]"
        if mapping(each, place).get("name") != container:
            raise refuse(f"{place}.name", f"Only the container {container!r} can run, as a process")
    if len(containers) != 1:
        raise Invalid(f"There must be one container {container!r}", where=Where(field=f"{field}.containers"))
    memory_only = _volumes(pod, f"{field}.volumes")
    return _process(containers[0], f"{field}.containers[0]", known, memory_only)


def _volumes(pod: Mapping[str, Any], field: str) -> set[str]:
    """Names of the volumes that are nothing but room; all others are refused."""
    room = set()
    for number, volume in enumerate(sequence(pod.get("volumes"), field)):
        place = f"{field}[{number}]"
        given = mapping(volume, place)
        kinds = [key for key in given if key != "name"]
        if kinds != ["emptyDir"]:
            name = f"{given.get('name')} ({kinds[0] if kinds else 'of no kind'})"
            hint = "Put the data into a folder of this machine and name it in the command."
            raise refuse(place, f"Volume {name} cannot be mounted without a container", hint)
        room.add(str(given.get("name")))
    return room


def _process(given: Mapping[str, Any], field: str, known: Mapping[str, str], room: set[str]) -> Process:
    for refused in ("envFrom", "lifecycle", "volumeDevices", "restartPolicy"):
        if given.get(refused):
            raise refuse(f"{field}.{refused}", f"{refused} cannot be honoured without a container")
    only(given, _CONTAINER_LEFT_OUT | _CONTAINER_HONOURED, field)
    for number, mount in enumerate(sequence(given.get("volumeMounts"), f"{field}.volumeMounts")):
        path = str(mapping(mount, f"{field}.volumeMounts[{number}]").get("mountPath"))
        # Room at a place that every machine has; anywhere else the path would not be there.
        if mount.get("name") not in room or not (path == "/dev/shm" or path.startswith("/tmp")):  # noqa: S108
            raise refuse(
                f"{field}.volumeMounts[{number}]", f"Nothing can be mounted at {path} without a container"
            )
    env = _env(given, f"{field}.env", known)
    words = [
        expanded(_text(word, f"{field}.{part}[{number}]"), env)
        for part in ("command", "args")
        for number, word in enumerate(sequence(given.get(part), f"{field}.{part}"))
    ]
    if not given.get("command"):
        image = f" {given['image']}" if given.get("image") else ""
        what = f"The command is in the image{image} only"
        raise refuse(f"{field}.command", what, "Write command: with what it runs, as it is on this machine.")
    return Process(tuple(words), env, _folder(given, field), *_resources(given, f"{field}.resources"))


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{value!r} is not a text", where=Where(field=field), hint="Write it in quotes.")
    return value


def _folder(given: Mapping[str, Any], field: str) -> str | None:
    folder = given.get("workingDir")
    if folder is None:
        return None
    if not Path(_text(folder, f"{field}.workingDir")).is_dir():
        what = f"There is no folder {folder} on this machine"
        raise refuse(f"{field}.workingDir", what, "It may be in the job's image only. Name one that is here.")
    return str(folder)


def _env(given: Mapping[str, Any], field: str, known: Mapping[str, str]) -> dict[str, str]:
    env: dict[str, str] = {}
    for number, item in enumerate(sequence(given.get("env"), field)):
        place = f"{field}[{number}]"
        entry = mapping(item, place)
        only(entry, {"name", "value", "valueFrom"}, place)
        name = _text(entry.get("name"), f"{place}.name")
        source = mapping(entry.get("valueFrom"), f"{place}.valueFrom")
        if not source:
            env[name] = expanded(_text(entry.get("value", ""), f"{place}.value"), env)
            continue
        path = str(mapping(source.get("fieldRef"), f"{place}.valueFrom.fieldRef").get("fieldPath"))
        if path not in known:
            kind = next(iter(source))
            hint = f"Write {name} with a value, or set it in the notebook: its environment is passed on."
            raise refuse(f"{place}.valueFrom.{kind}", f"{name} comes from a {kind} that is not here", hint)
        env[name] = known[path]
    return env


_REFERENCE: Final = re.compile(r"\$(?:\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")


def expanded(text: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` replaced as Kubernetes does: unknown names stay, ``$$`` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return env.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def _resources(given: Mapping[str, Any], field: str) -> tuple[int | None, int | None, int]:
    """Requests, or limits where there is no request. Raises Unfit for a device that is no NVIDIA GPU."""
    resources = mapping(given.get("resources"), field)
    asked: dict[str, Any] = {}
    for part, name, amount in _amounts(resources, field):
        if name not in {"cpu", "memory", GPU, "ephemeral-storage"}:
            raise refuse(f"{field}.{part}.{name}", f"There is no {name} here")
        if part == "requests" or name not in asked:
            asked[name] = amount
    gpus = str(asked.get(GPU, 0))
    if not gpus.isdecimal():
        raise Invalid(f"{gpus!r} is not a number of GPUs", where=Where(field=f"{field}.limits.{GPU}"))
    cpu = parse_cpu(asked["cpu"], f"{field}.cpu") if "cpu" in asked else None
    memory = parse_memory(asked["memory"], f"{field}.memory") if "memory" in asked else None
    return cpu, memory, int(gpus)


def _amounts(resources: Mapping[str, Any], field: str) -> Iterator[tuple[str, str, Any]]:
    only(resources, {"limits", "requests"}, field)
    for part in ("limits", "requests"):
        for name, amount in mapping(resources.get(part), f"{field}.{part}").items():
            yield part, name, amount
