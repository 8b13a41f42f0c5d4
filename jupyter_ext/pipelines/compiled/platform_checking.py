"""What of Kubernetes' settings cannot be had on this machine, found before anything starts; and what is let be, in words."""

from __future__ import annotations

import os
import platform as machine
import re
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unfit, Where
from jupyter_ext.pipelines.compiled import mounts, volumes
from jupyter_ext.pipelines.compiled.plan import Leaf, Plan
from jupyter_ext.pipelines.compiled.platform import (
    ENV,
    VOLUMES,
    Files,
    Platform,
    Pod,
    Settings,
    Variable,
    applies,
)
from jupyter_ext.pipelines.compiled.spec import Container, Source
from jupyter_ext.pipelines.compiled.volumes import Volumes
from jupyter_ext.secrets.store import CONFIG_MAP, Store, checked_key, checked_name

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}")
_CLUSTER: Final = "Run it on a cluster, or compile the pipeline without it."
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LONGEST: Final = 10 * 366 * 86400
"""Seconds; a longer limit is none."""


class _Asked:
    """One step with its settings, and the values that are known before the run."""

    def __init__(
        self, cluster: LocalCluster, leaf: Leaf, settings: Settings, given: Mapping[str, Any]
    ) -> None:
        self.cluster, self.leaf, self.settings = cluster, leaf, settings
        self.known = {**leaf.known(given), **leaf.known_around(given)}
        self.where = Where(object=f"step {leaf.name}")

    def name(self, source: Source) -> str | None:
        """A name, None where it is not known yet, or nothing was given for it."""
        value = source.value if source.kind == "constant" else None
        if source.kind == "input" and not source.selector:
            value = self.known.get(source.key)
        return value if isinstance(value, str) and value and "{{$" not in value else None

    def unfit(
        self, wants: str, why: str = "which there is not on this machine", hint: str = _CLUSTER
    ) -> Unfit:
        return Unfit(f"Step {self.leaf.name} wants {wants}, {why}", where=self.where, hint=hint)

    def here(self, error: KubeflowError) -> KubeflowError:
        return type(error)(f"Step {self.leaf.name}: {error.what}", where=self.where, hint=error.hint)


def problems(
    cluster: LocalCluster, found: Platform, plan: Plan, given: Mapping[str, Any]
) -> Iterator[KubeflowError]:
    """Everything that a step asks for and cannot have."""
    made = _made(plan, given)
    for leaf in plan.leaves.values():
        if isinstance(leaf.executor, Container) and volumes.is_task(leaf.executor.image):
            yield from _volume_task(leaf, leaf.executor, given)
        settings = found.of(leaf.component.executor)
        if settings == Settings():
            continue
        asked = _Asked(cluster, leaf, settings, given)
        for field, words in settings.refused:
            yield asked.unfit(f"{words} ({field})")
        if applies(leaf.component, ENV):
            yield from _variables(asked)
        yield from _mounts(asked, made)
        yield from _identity(asked)
        yield from _node(asked)


def _variables(asked: _Asked) -> Iterator[KubeflowError]:
    for one in asked.settings.variables:
        if not _VARIABLE.fullmatch(one.variable):
            yield asked.here(Invalid(f"{one.variable[:60]!r} is not the name of an environment variable"))
        yield from _values(asked, one)
    about = Pod("", "", "", "", asked.settings)
    for variable, path in asked.settings.fields:
        if not _VARIABLE.fullmatch(variable):
            yield asked.here(Invalid(f"{variable[:60]!r} is not the name of an environment variable"))
        if about.field(path) is None:
            yield asked.unfit(f"{path[:80]} of its pod as {variable}")


def _values(asked: _Asked, one: Variable | Files) -> Iterator[KubeflowError]:
    name = asked.name(one.name)
    if name is None:
        return
    store = Store(asked.cluster.home, asked.cluster.namespace)
    option = " --config-map" if one.kind == CONFIG_MAP else ""
    try:
        checked_name(name, one.kind)
        keys = store.entry(name, one.kind).keys
    except NotFound:
        keys = ()
        if isinstance(one, Files) and not one.optional:
            yield asked.unfit(
                f"the {one.kind} {name}",
                "and the profile has none of that name",
                f"Make it: jupyter kf secret set {name} KEY{option}",
            )
    except KubeflowError as error:
        yield asked.here(error)
        return
    if isinstance(one, Variable):
        try:
            checked_key(one.key)
        except Invalid as error:
            yield asked.here(error)
            return
        if one.key not in keys and not one.optional:
            yield asked.unfit(
                f"{one.key} of the {one.kind} {name} as {one.variable}",
                "and the profile has no such value",
                f"Give it one: jupyter kf secret set {name} {one.key}{option}",
            )


def _mounts(asked: _Asked, made: set[str] | None) -> Iterator[KubeflowError]:
    settings = asked.settings
    paths = [one.path for one in settings.scratch]
    if applies(asked.leaf.component, VOLUMES):
        paths += [*(one.path for one in settings.files), *(one.path for one in settings.claims)]
        for one in settings.files:
            yield from _values(asked, one)
        for claim in settings.claims:
            name = asked.name(claim.name)
            if name is not None and made is not None and name not in made:
                try:
                    Volumes(asked.cluster.home).find(name)
                except KubeflowError as error:
                    yield asked.unfit(
                        f"the volume {name}", "and the profile has none of that name", str(error.hint)
                    )
    for path in paths:
        try:
            mounts.checked_path(path, (asked.cluster.base,))
        except KubeflowError as error:
            yield asked.here(error)
    if len(set(paths)) < len(paths):
        yield asked.here(Invalid("Two volumes are at the same path"))
    if paths and (why := mounts.impossible()):
        yield asked.unfit(
            f"a volume at {paths[0]}", f"and this machine does not let you mount one ({why})", mounts.HINT
        )


def _identity(asked: _Asked) -> Iterator[KubeflowError]:
    settings = asked.settings
    user = os.getuid() if settings.user is None else settings.user
    if settings.not_root and user == 0:
        yield asked.unfit(
            "not to run as root", "and you are root", "Run it as another user, or on a cluster."
        )
    other = (settings.user not in (None, os.getuid())) or (settings.group not in (None, os.getgid()))
    if any(each is not None and not 0 <= each < 2**32 - 1 for each in (settings.user, settings.group)):
        yield asked.here(Invalid("Its user or group is not a number that one may have"))
    elif other and (why := mounts.impossible()):
        yield asked.unfit(f"to run as user {user}", f"and this machine does not let you ({why})", mounts.HINT)
    if not 0 <= settings.deadline <= _LONGEST:
        yield asked.here(Invalid(f"activeDeadlineSeconds cannot be {settings.deadline}"))


def _labels() -> dict[str, str]:
    """The labels that every node has, and what they would be of this machine."""
    system, kind = machine.system().lower(), machine.machine()
    known = {"os": system, "arch": _MACHINES.get(kind, kind), "hostname": socket.gethostname()}
    return {f"kubernetes.io/{key}": value for key, value in known.items()}


def _node(asked: _Asked) -> Iterator[KubeflowError]:
    if not isinstance(asked.settings.selector, Mapping):
        return
    here = _labels()
    for key, value in asked.settings.selector.items():
        if here.get(key, value) != value:
            yield asked.unfit(f"a node with {key}={value}", f"and this machine's is {here[key]}")


def notes(found: Platform, plan: Plan) -> Iterator[tuple[str, str]]:
    """What is let be: step and sentence."""
    for leaf in plan.leaves.values():
        words = let_be(found.of(leaf.component.executor))
        if words:
            yield leaf.name, f"Step {leaf.name} {words}"


def let_be(settings: Settings) -> str:
    """What a step asks for that is a question of which machine, and there is one; empty where it asks for nothing."""
    words = []
    only_known = isinstance(settings.selector, Mapping) and set(settings.selector) <= set(_labels())
    if settings.selector and not only_known:
        words.append("nodes with certain labels")
    if settings.affinity:
        words.append("an affinity to nodes")
    if settings.near:
        words.append("a place beside or apart from other pods")
    return f"asks for {' and '.join(words)}; it runs on this machine, the only one" if words else ""


def _made(plan: Plan, given: Mapping[str, Any]) -> set[str] | None:
    """The volumes that the pipeline makes; None where it makes one whose name is not known yet."""
    found: set[str] = set()
    for leaf in plan.leaves.values():
        if not (isinstance(leaf.executor, Container) and leaf.executor.image.startswith(volumes.MAKES)):
            continue
        known = leaf.known(given)
        name = known.get("pvc_name")
        unknown = "pvc_name" in leaf.task.parameters and "pvc_name" not in known
        if unknown or (isinstance(name, str) and "{{$" in name):
            return None
        if isinstance(name, str):
            found.add(name)
    return found


def _volume_task(leaf: Leaf, container: Container, given: Mapping[str, Any]) -> Iterator[KubeflowError]:
    """A task that makes or deletes a volume, as far as its inputs are known."""
    known = leaf.known(given)
    if len(known) < len(leaf.task.parameters) or any("{{$" in str(value) for value in known.values()):
        return
    try:
        if container.image.startswith(volumes.MAKES):
            volumes.request(known)
        else:
            checked_name(str(known.get("pvc_name", "")), "PersistentVolumeClaim")
    except KubeflowError as error:
        yield type(error)(
            f"Step {leaf.name}: {error.what}", where=Where(object=f"step {leaf.name}"), hint=error.hint
        )
