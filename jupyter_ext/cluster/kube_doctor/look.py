"""What every check is given: the cluster to read, who asks, and which part of it is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jupyter_ext.cluster.kube_doctor.reading import Json, Reader

NAMESPACES = "/api/v1/namespaces"
PROFILES = "/apis/kubeflow.org/v1/profiles"


@dataclass(frozen=True)
class Look:
    """One examination.

    ``namespace``: only this one is looked at, empty for all. ``home``: the namespace of the kubeconfig's context.
    ``hub``: the Hub's account as ``namespace/name``, where one was named. ``time`` is the API server's.
    """

    reader: Reader
    who: str = ""
    groups: Sequence[str] = ()
    namespace: str = ""
    home: str = "default"
    hub: str = ""
    time: datetime | None = None

    async def within(self, root: str, plural: str) -> list[Json]:
        """All objects of a kind of the namespaces that are meant; raises `Unseen`."""
        path = f"{root}/namespaces/{self.namespace}/{plural}" if self.namespace else f"{root}/{plural}"
        return await self.reader.items(path)

    async def namespaces(self) -> list[Json]:
        """The namespaces that are meant; raises `Unseen`."""
        if not self.namespace:
            return await self.reader.items(NAMESPACES)
        found = await self.reader.get(f"{NAMESPACES}/{self.namespace}")
        return [found] if found else []

    async def profiles(self) -> list[Json]:
        """The Profiles that are meant; none where there is no such kind; raises `Unseen`."""
        if not self.namespace:
            return await self.reader.items(PROFILES)
        found = await self.reader.get(f"{PROFILES}/{self.namespace}")
        return [found] if found else []

    async def groups_served(self) -> set[str]:
        """The groups of the API: anybody may ask that; raises `Unseen`."""
        found = await self.reader.get("/apis") or {}
        return {str(each["name"]) for each in found.get("groups") or ()}

    async def deployments(self) -> list[Json]:
        """All of the cluster: controllers and the Hub are in namespaces of their own; raises `Unseen`."""
        return await self.reader.items("/apis/apps/v1/deployments")


def name_of(thing: Json) -> str:
    """An object's name."""
    return str((thing.get("metadata") or {}).get("name") or "")


def namespace_of(thing: Json) -> str:
    """The namespace that an object is in."""
    return str((thing.get("metadata") or {}).get("namespace") or "")


def place_of(thing: Json) -> str:
    """An object's namespace and name."""
    return f"{namespace_of(thing)}/{name_of(thing)}" if namespace_of(thing) else name_of(thing)


def labels_of(thing: Json) -> dict[str, str]:
    """An object's labels."""
    return (thing.get("metadata") or {}).get("labels") or {}


def notes_of(thing: Json) -> dict[str, str]:
    """An object's annotations."""
    return (thing.get("metadata") or {}).get("annotations") or {}


def selects(selector: Json | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector takes something with these labels; an empty one takes everything, none nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for row in selector.get("matchExpressions") or ():
        key, values = str(row.get("key")), [str(value) for value in row.get("values") or ()]
        operator, has = row.get("operator"), str(row.get("key")) in labels
        if operator == "In" and not (has and labels[key] in values):
            return False
        if operator == "NotIn" and has and labels[key] in values:
            return False
        if operator == "Exists" and not has:
            return False
        if operator == "DoesNotExist" and has:
            return False
    return True
