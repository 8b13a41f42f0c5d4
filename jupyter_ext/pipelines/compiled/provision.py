"""What Kubernetes' settings give a step on this machine: variables, volumes, and what it is told of its own configuration.

Values of Secrets go into the environment and the view of one process, and into nothing that is written down.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.pipelines.compiled import condition
from jupyter_ext.pipelines.compiled.mounts import Mount, View, checked_path
from jupyter_ext.pipelines.compiled.platform import (
    ENV,
    RESOURCES,
    VOLUMES,
    Files,
    Pod,
    Settings,
    Variable,
    applies,
)
from jupyter_ext.pipelines.compiled.scopes import Node
from jupyter_ext.pipelines.compiled.spec import Container, Source
from jupyter_ext.pipelines.compiled.volumes import MAKES, Volumes, request
from jupyter_ext.secrets.store import FOLDERS, SECRET, Store

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource


def resolve(node: Node, source: Source) -> Any:
    """The value of a setting; None where nothing was given, which leaves the setting out."""
    value: Any = source.value
    if source.kind == "input":
        around, own = node.scope.inputs.parameters, node.inputs.parameters
        value = own[source.key] if node.item and source.key in own else around.get(source.key)
    elif source.kind == "task":
        value = node.scope.nodes[source.task].results.parameters.get(source.key)
    if source.selector and value is not None:
        value = condition.select(source.selector, value)
    return value


def name_of(node: Node, source: Source) -> str | None:
    """The name of a Secret, ConfigMap or volume. Raises Invalid for what is no text."""
    value = resolve(node, source)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(f"A name must be text, not {value!r}"[:120])
    return value


@dataclass(frozen=True)
class Provision:
    """The environment and the view of one attempt."""

    env: Mapping[str, str]
    view: View


class Provider:
    """Gives the steps of one run what their settings ask for."""

    def __init__(self, cluster: LocalCluster, resource: Resource) -> None:
        self.resource, self.namespace = resource, cluster.namespace
        self.store = Store(cluster.home, cluster.namespace)
        self.volumes = Volumes(cluster.home)
        self.home = cluster.base

    def give(self, node: Node, settings: Settings, pod: str, uid: str, folder: Path) -> Provision:
        """What an attempt gets, whose own folder is ``folder``. Raises NotFound or Invalid for what is not there."""
        env: dict[str, str] = {}
        if applies(node.component, ENV):
            for one in settings.variables:
                value = self._variable(node, one)
                if value is not None:
                    env[one.variable] = value
            about = Pod(pod, self.namespace, uid, self.resource.uid, settings)
            env |= {variable: about.field(path) or "" for variable, path in settings.fields}
        mounts: list[Mount] = []
        if applies(node.component, VOLUMES):
            mounts += [found for one in settings.files if (found := self._files(node, one)) is not None]
            mounts += self._claims(node, settings)
        for number, empty in enumerate(settings.scratch):
            path = self._path(empty.path)
            if empty.memory:
                mounts.append(Mount(path, "memory", size=empty.size))
                continue
            place = folder / "volumes" / str(number)
            place.mkdir(parents=True, mode=0o700, exist_ok=True)
            mounts.append(Mount(path, "folder", str(place)))
        user = settings.user if settings.user != os.getuid() else None
        group = settings.group if settings.group != os.getgid() else None
        return Provision(env, View(tuple(mounts), user, group))

    def volume(self, image: str, values: Mapping[str, Any], step: str) -> dict[str, Any]:
        """Make or delete a volume; gives the outputs of the task. Raises KubeflowError and OSError."""
        maker = f"{self.resource.uid}/{step}"
        if image.startswith(MAKES):
            return {"name": self.volumes.make(request(values), maker)}
        self.volumes.delete(str(values.get("pvc_name", "")), maker)
        return {}

    def facts(self, node: Node, settings: Settings) -> list[Any]:
        """What a result rests on beside command and inputs: which Secrets, ConfigMaps and volumes, in which version."""
        if settings == Settings():
            return []
        found: list[Any] = [settings.user, settings.group]
        named: list[Variable | Files] = []
        if applies(node.component, ENV):
            found += [dict(settings.labels), dict(settings.annotations), [*settings.fields]]
            named += settings.variables
        if applies(node.component, VOLUMES):
            named += settings.files
            for claim in settings.claims:
                name = name_of(node, claim.name)
                found.append([self.volumes.identity(name) if name else "", claim.path, claim.sub_path])
        for one in named:
            name = name_of(node, one.name)
            at = one.variable if isinstance(one, Variable) else one.path
            found.append([one.kind, name, at, self._version(name, one.kind)])
        return found

    def config(self, node: Node, settings: Settings, container: Container) -> dict[str, Any]:
        """What a component is told to hand on to a workload of its own, in the form that pods have it."""
        wanted = node.component.passthroughs
        told: dict[str, Any] = {}
        if RESOURCES in wanted:
            asked = container.resources
            amounts = {"cpu": asked.cpu, "memory": asked.memory, asked.accelerator: asked.accelerators}
            told["resources"] = {"requests": {key: text for key, text in amounts.items() if key and text}}
        if ENV in wanted:
            told["env"] = [
                *({"name": name, "value": value} for name, value in container.env.items()),
                *self._references(node, settings),
            ]
        if VOLUMES in wanted:
            told |= self._volumes(node, settings)
        if "KUBERNETES_NODE_SELECTOR" in wanted:
            chosen = settings.selector
            told["nodeSelector"] = resolve(node, chosen) if isinstance(chosen, Source) else chosen
        if "KUBERNETES_TOLERATIONS" in wanted:
            told["tolerations"] = self._tolerations(node, settings)
        if "KUBERNETES_AFFINITY" in wanted and settings.affinity:
            told["affinity"] = {"nodeAffinity": [*settings.affinity]}
        return told

    def _references(self, node: Node, settings: Settings) -> list[dict[str, Any]]:
        found = []
        for one in settings.variables:
            key = "secretKeyRef" if one.kind == SECRET else "configMapKeyRef"
            reference = {"name": name_of(node, one.name), "key": one.key, "optional": one.optional}
            found.append({"name": one.variable, "valueFrom": {key: reference}})
        for name, path in settings.fields:
            found.append({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
        return found

    def _volumes(self, node: Node, settings: Settings) -> dict[str, Any]:
        volumes, mounts = [], []
        for one in settings.files:
            name = name_of(node, one.name)
            secret = {"secret": {"secretName": name, "optional": one.optional}}
            plain = {"configMap": {"name": name, "optional": one.optional}}
            volumes.append({"name": name, **(secret if one.kind == SECRET else plain)})
            mounts.append({"name": name, "mountPath": one.path})
        for claim in settings.claims:
            name = name_of(node, claim.name)
            volumes.append({"name": name, "persistentVolumeClaim": {"claimName": name}})
            sub_path = {"subPath": claim.sub_path} if claim.sub_path else {}
            mounts.append({"name": name, "mountPath": claim.path, **sub_path})
        return {"volumes": volumes, "volumeMounts": mounts}

    def _tolerations(self, node: Node, settings: Settings) -> list[Any]:
        found: list[Any] = []
        for one in settings.tolerations:
            value = resolve(node, one) if isinstance(one, Source) else one
            found += value if isinstance(value, list) else [value] if value else []
        return found

    def _variable(self, node: Node, one: Variable) -> str | None:
        name = name_of(node, one.name)
        if name is None:
            return None
        try:
            value = self.store.value(name, one.key, one.kind)
        except NotFound:
            if one.optional:
                return None
            raise
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise Invalid(
                f"The value of {one.key} in the {one.kind} {name} is no text, and {one.variable} must be",
                where=Where(field=one.variable),
                hint="Take it as a file.",
            )
        return text

    def _files(self, node: Node, one: Files) -> Mount | None:
        name = name_of(node, one.name)
        if name is None:
            return None
        source: str | None = str(self.store.home / FOLDERS[one.kind] / f"{name}.json")
        try:
            self.store.entry(name, one.kind)
        except NotFound:
            if not one.optional:
                raise
            source = None
        return Mount(self._path(one.path), "values", source)

    def _claims(self, node: Node, settings: Settings) -> list[Mount]:
        found = []
        for one in settings.claims:
            name = name_of(node, one.name)
            if name is None:
                raise Invalid("The name of its volume was not given", where=Where(field="pvcMount"))
            place = self.volumes.inside(name, one.sub_path)
            found.append(Mount(self._path(one.path), "folder", str(place)))
        return found

    def _path(self, path: str) -> str:
        return checked_path(path, (self.home,))

    def _version(self, name: str | None, kind: str) -> str:
        try:
            return self.store.entry(name, kind).version if name else ""
        except NotFound:
            return ""
