"""Deletes a profile: only when it is asked for, only ours, and only after what dies was shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spawner.access import unanswered
from spawner.api import ApiError
from spawner.names import is_label, is_system
from spawner.profiles.membership import (
    MANAGED_BY,
    MANAGER,
    NAMESPACES,
    PROFILES,
    is_installed,
    place_of,
    title_of,
)
from spawner.profiles.policy import SERVER
from spawner.profiles.survey import listed, one
from spawner.refused import Refused

if TYPE_CHECKING:
    from spawner.api import Api

_COUNTED: Final = {
    "pods": "/api/v1", "services": "/api/v1", "configmaps": "/api/v1", "secrets": "/api/v1",
    "deployments": "/apis/apps/v1", "statefulsets": "/apis/apps/v1", "jobs": "/apis/batch/v1",
    "notebooks": "/apis/kubeflow.org/v1", "trainjobs": "/apis/trainer.kubeflow.org/v1alpha1",
    "pytorchjobs": "/apis/kubeflow.org/v1", "tfjobs": "/apis/kubeflow.org/v1", "xgboostjobs": "/apis/kubeflow.org/v1",
    "experiments": "/apis/kubeflow.org/v1beta1", "inferenceservices": "/apis/serving.kserve.io/v1beta1",
    "sparkapplications": "/apis/sparkoperator.k8s.io/v1beta2",
}  # fmt: skip
_BORN_WITH_IT: Final = {("configmaps", "kube-root-ca.crt"), ("configmaps", "istio-ca-root-cert")}


@dataclass(frozen=True)
class Volume:
    """A claim whose data is lost with the profile."""

    name: str
    size: str
    storage_class: str


@dataclass(frozen=True)
class Doomed:
    """What dies with a profile. ``servers`` are the running ones' pods, ``others`` counts by kind."""

    name: str
    uid: str
    owner: str
    is_profile: bool
    servers: tuple[str, ...]
    volumes: tuple[Volume, ...]
    others: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "name": self.name,
            "owner": self.owner,
            "servers": list(self.servers),
            "volumes": [
                {"name": one.name, "size": one.size, "storageClass": one.storage_class}
                for one in self.volumes
            ],
            "others": dict(self.others),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        volumes = [f"volume {one.name} ({one.size}), with its data" for one in self.volumes]
        others = [f"{count} {kind}" for kind, count in sorted(self.others.items())]
        return [*volumes, *(f"running server {name}" for name in self.servers), *others]


async def doomed(api: Api, name: str) -> Doomed:
    """What deleting it would destroy; changes nothing. Raises Refused for what is not there or not ours."""
    try:
        uid, owner, is_profile = await _ours(api, name)
        within = f"namespaces/{name}"
        pods = await listed(api, f"/api/v1/{within}/pods")
        claims = await listed(api, f"/api/v1/{within}/persistentvolumeclaims")
        kinds = [kind for kind in _COUNTED if kind != "pods"]
        found = await asyncio.gather(*(listed(api, f"{_COUNTED[kind]}/{within}/{kind}") for kind in kinds))
    except ApiError as error:
        raise unanswered("what is in the profile", error) from error
    servers = {pod["metadata"]["name"] for pod in pods if _is_server(pod)}
    others = {"pods": len(pods) - len(servers)}
    for kind, things in zip(kinds, found, strict=True):
        others[kind] = sum((kind, thing["metadata"]["name"]) not in _BORN_WITH_IT for thing in things)
    volumes = tuple(_volume(claim) for claim in claims)
    counts = {kind: count for kind, count in others.items() if count}
    return Doomed(name, uid, owner, is_profile, tuple(sorted(servers)), volumes, counts)


async def delete(api: Api, seen: Doomed, confirm: str) -> None:
    """Delete what was shown; ``confirm`` is the name as somebody typed it. Raises Refused.

    It is the one that was shown, by its uid, or nothing.
    """
    if confirm != seen.name:
        raise Refused(400, f"Nothing was deleted: {confirm!r} is not the name {seen.name}", field="confirm")
    path = f"{PROFILES if seen.is_profile else NAMESPACES}/{seen.name}"
    body = {"propagationPolicy": "Foreground", "preconditions": {"uid": seen.uid}}
    try:
        uid, _, _ = await _ours(api, seen.name)
        if uid != seen.uid:
            raise Refused(
                409, f"Profile {seen.name} was made anew since it was shown", hint="Look at it again."
            )
        await api.delete(path, body)
    except ApiError as error:
        if error.status in {404, 409}:
            raise Refused(
                409, f"Profile {seen.name} changed since it was shown", hint="Look at it again."
            ) from error
        raise unanswered("to delete the profile", error) from error


async def _ours(api: Api, name: str) -> tuple[str, str, bool]:
    """The uid to delete by, the owner, and whether it is a Profile; raises Refused for all that is not ours."""
    if not is_label(name) or is_system(name):
        raise Refused(400, f"{name!r} is not the name of a profile", field="name")
    if await is_installed(api):
        profile = await one(api, f"{PROFILES}/{name}")
        title = title_of(profile) if profile is not None else None
        if profile is not None and title is not None:
            labels = profile["metadata"].get("labels") or {}
            if labels.get(MANAGED_BY) != MANAGER:
                hint = f"Its administrator deletes it with: kubectl delete profile {name}."
                raise Refused(
                    409, f"Profile {name} was made by Kubeflow and not here, so it is left alone", hint=hint
                )
            return str(profile["metadata"]["uid"]), title.owner, True
    namespace = await one(api, f"{NAMESPACES}/{name}")
    if namespace is None:
        raise Refused(
            404, f"There is no profile called {name}", hint="List them with: jupyter kf profiles list."
        )
    place = place_of(namespace)
    if not place.is_ours:
        raise Refused(409, f"The namespace {name} was not made here, so it is left alone")
    return place.uid, place.owner, False


def _is_server(pod: Mapping[str, Any]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return SERVER.items() <= labels.items()


def _volume(claim: Mapping[str, Any]) -> Volume:
    spec = claim.get("spec") or {}
    size = ((claim.get("status") or {}).get("capacity") or {}).get("storage") or (
        (spec.get("resources") or {}).get("requests") or {}
    ).get("storage", "?")
    return Volume(claim["metadata"]["name"], str(size), str(spec.get("storageClassName") or ""))
