"""What there is of profiles in the cluster, read once for a whole plan."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spawner.access import unanswered
from spawner.api import ApiError
from spawner.profiles.membership import MANAGED_BY, MANAGER, NAMESPACES, PROFILES, is_installed
from spawner.profiles.objects import KINDS, KUBEFLOW_ROLES, PLAIN_ROLES, Roles

if TYPE_CHECKING:
    from spawner.api import Asking

Json = dict[str, Any]

OURS: Final = f"{MANAGED_BY}={MANAGER}"
_FEW: Final = 4
_PAGE: Final = 500


@dataclass(frozen=True)
class Survey:
    """Namespaces and Profiles by name, and our objects in them by kind, namespace and name."""

    has_profiles: bool = False
    has_istio: bool = False
    roles: Roles = KUBEFLOW_ROLES
    namespaces: Mapping[str, Json] = field(default_factory=dict)
    profiles: Mapping[str, Json] = field(default_factory=dict)
    objects: Mapping[tuple[str, str, str], Json] = field(default_factory=dict)
    is_whole: bool = False


async def survey(api: Asking, names: Collection[str]) -> Survey:
    """Read it; for a few names only theirs, else everything that is ours. Raises Refused 503."""
    has_profiles, has_istio, roles = await asyncio.gather(is_installed(api), _has_istio(api), _roles(api))
    is_whole = len(names) > _FEW
    kinds = [kind for kind in KINDS if kind != "AuthorizationPolicy" or has_istio]
    places = [""] if is_whole else sorted(set(names))
    lists = [
        (kind, KINDS[kind].within(place) if place else KINDS[kind].everywhere)
        for kind in kinds
        for place in places
    ]
    try:
        found = await asyncio.gather(*(listed(api, path, {"labelSelector": OURS}) for _, path in lists))
        namespaces = await _named(api, NAMESPACES, names, is_whole=is_whole)
        profiles = await _named(api, PROFILES, names, is_whole=is_whole) if has_profiles else {}
    except ApiError as error:
        raise unanswered("what there is of profiles", error) from error
    objects = {
        (kind, thing["metadata"]["namespace"], thing["metadata"]["name"]): {**thing, "kind": kind}
        for (kind, _), things in zip(lists, found, strict=True)
        for thing in things
    }
    return Survey(has_profiles, has_istio, roles, namespaces, profiles, objects, is_whole)


async def listed(api: Asking, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
    """All objects of a path, in pages; nothing where the kind or the namespace is not there."""
    things: list[Json] = []
    asked = {**(query or {}), "limit": str(_PAGE)}
    while True:
        try:
            page = await api.get(path, asked)
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        things += page.get("items") or []
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return things
        asked["continue"] = str(token)


async def _named(api: Asking, path: str, names: Collection[str], *, is_whole: bool) -> dict[str, Json]:
    if is_whole:
        return {thing["metadata"]["name"]: thing for thing in await listed(api, path)}
    found = await asyncio.gather(*(one(api, f"{path}/{name}") for name in sorted(set(names))))
    return {thing["metadata"]["name"]: thing for thing in found if thing is not None}


async def one(api: Asking, path: str) -> Json | None:
    """One object, or None where it is not there."""
    try:
        return await api.get(path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


async def _has_istio(api: Asking) -> bool:
    try:
        found = await one(api, "/apis/security.istio.io/v1")
    except ApiError as error:
        raise unanswered("whether it has Istio", error) from error
    kinds = (found or {}).get("resources") or ()
    return any(kind.get("name") == "authorizationpolicies" for kind in kinds)


async def _roles(api: Asking) -> Roles:
    try:
        found = await one(api, f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{KUBEFLOW_ROLES.edit}")
    except ApiError as error:
        raise unanswered("for the roles of profiles", error) from error
    return PLAIN_ROLES if found is None else KUBEFLOW_ROLES
