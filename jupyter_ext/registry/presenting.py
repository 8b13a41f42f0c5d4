"""Models and versions as JSON for a panel: models in the shape that all resources have, versions as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where
from jupyter_ext.registry import searching, served
from jupyter_ext.registry.handles import Model, Version
from jupyter_ext.registry.transport import InProcess

if TYPE_CHECKING:
    from jupyter_ext.registry.registry import Registry

API_VERSION: Final = "modelregistry.kubeflow.org/v1"
_TEXTS: Final = (
    "description",
    "owner",
    "readme",
    "maturity",
    "provider",
    "license",
    "licenseLink",
    "libraryName",
)
_LIGHT: Final = ("model-artifact", "metric", "parameter")
FILES: Final = 200
"""Files of a version that are named at most."""

Json = dict[str, Any]


def page(
    registry: Registry,
    *,
    text: str = "",
    states: tuple[str, ...] = (),
    limit: int = 50,
    before: str | None = None,
) -> Json:
    """A page of models, newest first; ``next`` is what the following page passes as ``before``."""
    after = _before(registry, before)
    if isinstance(registry.transport, InProcess):
        service = registry.transport.service
        with service.store.snapshot():
            number = service.store.version()
            found = searching.models(service.store, text, states=states, limit=limit, before=after)
            models = [Model(registry, service.as_json(record)) for record in found.models]
            items = [item(model, matches=found.matches.get(int(model.id), ())) for model in models]
        more = found.more
    else:
        number = 0
        conditions = [f"({text})"] if text.strip() else []
        conditions += [f"id < {after}"] if after is not None else []
        conditions += [f"state IN ({', '.join(repr(state) for state in states)})"] if states else []
        listed = registry.models(" AND ".join(conditions), limit=limit + 1, archived=True)
        models, more = listed[:limit], len(listed) > limit
        items = [item(model) for model in models]
    return {
        "items": items,
        "resourceVersion": number,
        "more": more,
        "next": models[-1].id if more and models else None,
    }


def _before(registry: Registry, before: str | None) -> int | None:
    """The id to go on below: an id, or the name of the last model of the page before."""
    if not before:
        return None
    if before.isascii() and before.isdecimal():
        return int(before)
    try:
        return int(registry.model(before, near=False).id)
    except NotFound:
        raise Invalid(f"there is no model {before!r} to go on from", where=Where(field="before")) from None


def item(model: Model, *, matches: Iterable[str] = ()) -> Json:
    """A model as a resource; its newest version and its champion are rows in the status."""
    record = model.record
    endpoints = served.of_model(model)
    newest = model.versions(limit=1) or model.versions(limit=1, archived=True)
    champion = model.aliases.get("champion")
    latest = row(newest[0], endpoints) if newest else None
    best = latest if latest and latest["version"] == champion else _row_of(model, champion, endpoints)
    live, archived = _counts(model)
    return {
        "apiVersion": API_VERSION,
        "kind": "RegisteredModel",
        "metadata": {
            "name": model.name,
            "uid": model.id,
            "resourceVersion": number(model.registry),
            "creationTimestamp": moment(record["createTimeSinceEpoch"]),
        },
        "spec": {
            "description": "",
            **{name: record[name] for name in _TEXTS if record.get(name)},
            "state": record.get("state") or "LIVE",
            "language": record.get("language") or [],
            "tasks": record.get("tasks") or [],
            "properties": model.properties,
        },
        "status": {
            "phase": None,
            "reason": None,
            "updated": moment(record["lastUpdateTimeSinceEpoch"]),
            "aliases": model.aliases,
            "versions": live,
            "archived": archived,
            "latest": latest,
            "champion": best,
            "endpoints": endpoints,
            "matches": list(matches),
        },
    }


def number(registry: Registry) -> int:
    """The last change of a registry of this machine; 0 for one elsewhere."""
    return registry.transport.service.store.version() if isinstance(registry.transport, InProcess) else 0


def _counts(model: Model) -> tuple[int, int]:
    """Live and archived versions."""
    transport = model.registry.transport
    if isinstance(transport, InProcess):
        return transport.service.store.states("ModelVersion", int(model.id))
    every = model.versions(archived=True)
    archived = sum(one.archived for one in every)
    return len(every) - archived, archived


def _row_of(model: Model, name: str | None, endpoints: list[Json]) -> Json | None:
    if name is None:
        return None
    try:
        return row(model.version(name), endpoints)
    except NotFound:
        return None


def moment(millis: object) -> str:
    """Milliseconds since the epoch as RFC 3339."""
    from datetime import UTC, datetime

    found = datetime.fromtimestamp(int(str(millis)) / 1000, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(version: Version, endpoints: Iterable[Mapping[str, Any]] | None = None) -> Json:
    """A version as a row of a table."""
    light = _light(version)
    files = next((one for one in light if one["artifactType"] == "model-artifact"), {})
    serving = served.of_model(version.model) if endpoints is None else endpoints
    danger = version.danger_of(files)
    digest = version.digest_in(files)
    return {
        "version": version.version,
        "id": version.id,
        "model": version.model.name,
        "state": version.record.get("state") or "LIVE",
        "aliases": version.aliases,
        "author": version.author,
        "description": version.description,
        "created": moment(version.record["createTimeSinceEpoch"]),
        "updated": moment(version.record["lastUpdateTimeSinceEpoch"]),
        "format": files.get("modelFormatName") or "",
        "formatVersion": files.get("modelFormatVersion") or "",
        "uri": files.get("uri") or "",
        "digest": digest,
        "bytes": _size(version, digest),
        "danger": danger,
        "trusted": danger is None or (digest is not None and version.registry.is_produced(digest)),
        "metrics": {
            one["name"]: one["value"] for one in light if one["artifactType"] == "metric" and "value" in one
        },
        "parameters": {
            one["name"]: one.get("value", "") for one in light if one["artifactType"] == "parameter"
        },
        "properties": version.properties,
        "lineage": version.lineage,
        "endpoints": [one for one in serving if one["version"] == version.version],
    }


def _size(version: Version, digest: str | None) -> int | None:
    """Bytes, where the files are in this machine's storage."""
    try:
        entries = version.registry.files.manifest(digest) if digest else None
    except KubeflowError:
        return None
    return None if entries is None else sum(int(entry["size"]) for entry in entries.values())


def versions(
    model: Model, *, text: str = "", archived: bool = False, limit: int = 50, before: str | None = None
) -> Json:
    """The versions of a model as rows, newest first; ``next`` is what the following page passes as ``before``."""
    asked = searching.read(text)
    words = searching.version_words(asked) if isinstance(asked, list) else text
    conditions = [f"({words})"] if asked else []
    if before:
        conditions.append(f"id < {int(model.version(before).id)}")
    found = model.versions(" AND ".join(conditions), limit=limit + 1, archived=archived)
    endpoints = served.of_model(model)
    return {
        "items": [row(version, endpoints) for version in found[:limit]],
        "more": len(found) > limit,
        "next": found[limit - 1].version if len(found) > limit else None,
    }


def _light(version: Version) -> list[Json]:
    """The artifacts of a row; data sets, whose profiles are long, are left where they are."""
    transport = version.registry.transport
    if not isinstance(transport, InProcess):
        return version.artifacts
    path = f"model_versions/{version.id}/artifacts"
    return [one for kind in _LIGHT for one in transport.ask("GET", path, {"artifactType": kind})["items"]]


def detail(version: Version) -> Json:
    """Everything of a version."""
    from jupyter_ext.registry import snippets

    about = row(version)
    digest = about["digest"]
    try:
        entries = version.registry.files.manifest(digest) if digest else {}
    except KubeflowError:
        entries = {}
    files = [{"name": name, "size": int(entry["size"])} for name, entry in list(entries.items())[:FILES]]
    return {
        **about,
        "signature": version.signature,
        "example": version.example_json,
        "packages": version.packages,
        "data": [_data(one) for one in version.data.values()],
        "files": files,
        "code": snippets.of(version),
    }


def _data(artifact: Mapping[str, Any]) -> Json:
    found: Json = {"name": artifact["name"], "uri": artifact.get("uri") or "", "digest": artifact.get("digest") or "",
                   "type": artifact.get("sourceType") or ""}  # fmt: skip
    columns, profile = (_json(artifact.get(name)) for name in ("schema", "profile"))
    if columns:
        found["columns"] = columns
    if isinstance(profile.get("rows"), int):
        found["rows"] = profile["rows"]
    return found


def _json(text: str | None) -> Json:
    import json

    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
