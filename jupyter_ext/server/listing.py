"""Resources as lists and as JSON for a browser; functions of values and of one store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .paths import server_path

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import ResourceList
    from jupyter_ext.cluster.resource import Resource

PAGE = 50
"""Resources in a list when the request does not say."""

_STEP_PARTS = (
    "name", "title", "state", "reason", "attempt", "cached", "seconds", "queuedAt", "startedAt", "finishedAt", "parent",
)  # fmt: skip


def present(resource: Resource, root: str | None) -> dict[str, Any]:
    """Give a resource as JSON. Paths under the server's root become the server's own (relative) paths."""
    found = resource.to_dict()
    spec = dict(found.get("spec") or {})
    if isinstance(spec.get("pipeline"), Mapping):
        spec["pipeline"] = {**spec["pipeline"], "path": _path(spec["pipeline"].get("path"), root)}
    if isinstance(spec.get("path"), str):
        spec["path"] = _path(spec["path"], root)
    return {**found, "spec": spec}


def _path(path: str | None, root: str | None) -> str | None:
    return server_path(path, root) or path


def summary(resource: Resource, root: str | None) -> dict[str, Any]:
    """Give a resource as a line of a list: without the graph, the code and what the steps left behind."""
    found = present(resource, root)
    spec, status = found["spec"], dict(found.get("status") or {})
    if isinstance(spec.get("pipeline"), Mapping):
        spec["pipeline"] = {key: value for key, value in spec["pipeline"].items() if key != "graph"}
    if isinstance(status.get("steps"), list):
        status["steps"] = [{key: step[key] for key in _STEP_PARTS if key in step} for step in status["steps"]]
    if isinstance(status.get("error"), Mapping):
        status["error"] = {k: v for k, v in status["error"].items() if k not in {"traceback", "locals"}}
    return {**found, "spec": spec, "status": status}


def page(listed: Callable[..., ResourceList], query: Mapping[str, Any], root: str | None) -> dict[str, Any]:
    """Give one page of a list, newest first. ``next`` is what the following page passes as ``before``."""
    phase = query["state"].split(",") if query["state"] else None
    found = listed(limit=query["limit"] or PAGE, before=query["before"], phase=phase, text=query["q"])
    return {
        "items": [summary(item, root) for item in found.items],
        "resourceVersion": found.resource_version,
        "more": found.more,
        "next": None if found.next is None else str(found.next),
    }


def etag(version: object, *parts: object) -> str:
    """Name a list by the version of the store and what was asked for; no list needs to be read to compare it."""
    return f'W/"{version}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"'
