"""The summary: each part is looked at by itself, and one that cannot be looked at says why and takes no other with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.errors import KubeflowError
from jupyter_ext.home import capacity, components, endpoints, people, profiles, quota, storage, work

if TYPE_CHECKING:
    from jupyter_ext.cluster.base import Cluster


class Summary(dict[str, Any]):
    """The summary as JSON; printed, it is the page in words."""

    def __repr__(self) -> str:
        from jupyter_ext.home import words

        return words.text(self)


def summary(cluster: Cluster | None = None) -> Summary:
    """Give the whole page of a cluster, by default of the one that is used, as one value. Of a part that cannot be looked at only ``{"error": …}`` is there.

    ``profile``, ``capacity`` (CPU, memory, each GPU with its holder), ``quota``, ``use`` (by person and kind), ``work`` (active,
    failed and recent resources, and counts), ``endpoints``, ``components``, ``storage``, ``contributors``, ``profiles``,
    ``links``. What does not apply is left out.
    """
    here: Any = cluster or discover.remote() or discover.current()
    found = Summary(profile=_profile(here))
    if here.kind != "local":
        try:
            here.capabilities()
        except KubeflowError as error:  # then no part would have an answer, each after a wait of its own
            return Summary(found, components=_broken(error))
    for name, look in _PARTS.items():
        try:
            part = look(here)
        except KubeflowError as error:
            part = _broken(error)
        if part is not None:
            found[name] = part
    return found


def _broken(error: KubeflowError) -> dict[str, Any]:
    return {"error": {"message": str(error), **error.to_dict()}}


def _profile(cluster: Any) -> dict[str, Any]:
    where = cluster.name.removesuffix(f", namespace {cluster.namespace}")  # which is the profile's name
    return {"name": cluster.namespace, "cluster": where, "kind": cluster.kind}


def _links(cluster: Any) -> list[dict[str, str]] | None:
    """Ways out of JupyterLab: to the Hub that started this server."""
    del cluster
    base = os.environ.get("JUPYTERHUB_BASE_URL")
    if not base or not os.environ.get("JUPYTERHUB_USER"):
        return None
    return [{"title": "JupyterHub", "url": f"{base.rstrip('/')}/hub/home"}]


_PARTS: Final[dict[str, Callable[[Any], Any]]] = {
    "capacity": capacity.of,
    "quota": quota.of,
    "use": quota.use,
    "work": work.of,
    "endpoints": endpoints.of,
    "components": components.of,
    "storage": storage.of,
    "contributors": people.of,
    "profiles": profiles.of,
    "links": _links,
}
