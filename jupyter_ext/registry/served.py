"""Which endpoint serves which version, in the registry's own records: they are the lineage to the right of a version.

Upstream's shape: a ServingEnvironment for the profile, in it an InferenceService for the endpoint, and a ServeModel for
each version that it ever served. What it serves now is in custom properties, for a version's share changes often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, NotFound
from jupyter_ext.registry import metadata
from jupyter_ext.registry.transport import pages

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Model, Version
    from jupyter_ext.registry.registry import Registry

SERVES: Final = "serves"
ENDPOINT: Final = "endpoint"
RUNTIME: Final = "jupyter-kubeflow"
DEPLOYED, UNDEPLOYED = "DEPLOYED", "UNDEPLOYED"

Json = dict[str, Any]


def note(
    registry: Registry,
    endpoint: str,
    versions: Sequence[Version],
    *,
    url: str = "",
    uid: str = "",
    profile: str | None = None,
    runtime: str = RUNTIME,
) -> None:
    """Let the registry say that this endpoint serves these versions now and no others; none: it is gone.

    The first is the stable one. Calling it again changes nothing where nothing changed.
    """
    transport = registry.transport
    place = profile or own_profile()
    models = {version.model.id: version.model for version in versions}
    with transport.transaction():
        known = records(registry, endpoint, profile=place)
        for record in known:
            if str(record["registeredModelId"]) not in models and record.get("desiredState") == DEPLOYED:
                _change(registry, record, [], {"desiredState": UNDEPLOYED}, {})
        if not versions:
            return
        environment = _environment(registry, place)
        for model in models.values():
            served = [version for version in versions if version.model.id == model.id]
            of_model = [one for one in known if str(one["registeredModelId"]) == model.id]
            record = of_model[0] if of_model else _made(registry, environment, endpoint, model, runtime)
            more = {"url": url, "uid": uid, ENDPOINT: endpoint}
            fields = {"desiredState": DEPLOYED, "modelVersionId": served[0].id}
            _change(registry, record, [one.version for one in served], fields, more)
            _remember(registry, record, served)


def own_profile() -> str:
    """Where endpoints are that say no other."""
    from jupyter_ext.cluster.local.home import profile_name

    return profile_name()


def _environment(registry: Registry, name: str) -> str:
    try:
        found = registry.transport.ask("GET", "serving_environment", {"name": name})
    except NotFound:
        try:
            found = registry.transport.ask("POST", "serving_environments", body={"name": name})
        except Conflict:  # somebody else was faster
            found = registry.transport.ask("GET", "serving_environment", {"name": name})
    return str(found["id"])


def _made(registry: Registry, environment: str, endpoint: str, model: Model, runtime: str) -> Json:
    body = {
        "registeredModelId": model.id,
        "runtime": runtime,
        "name": endpoint,
        "servingEnvironmentId": environment,
    }
    try:
        return registry.transport.ask("POST", "inference_services", body=body)
    except Conflict:  # of this name, but of another model: a record's model cannot be changed
        return registry.transport.ask(
            "POST", "inference_services", body={**body, "name": f"{endpoint}/{model.name}"}
        )


def _change(registry: Registry, record: Json, serves: list[str], fields: Json, custom: Json) -> None:
    given = {name: metadata.from_python(value) for name, value in custom.items() if value}
    before = dict(record.get("customProperties") or {})
    after = {**before, **given, SERVES: metadata.from_python(serves)}
    if after == before and all(record.get(name) == value for name, value in fields.items()):
        return
    body = {**fields, "customProperties": after}
    registry.transport.ask("PATCH", f"inference_services/{record['id']}", body=body)


def _remember(registry: Registry, record: Json, versions: Iterable[Version]) -> None:
    """A ServeModel for each version that this endpoint never served before."""
    path = f"inference_services/{record['id']}/serves"
    there = {str(one["modelVersionId"]) for one in pages(registry.transport, path, {}, None)}
    for version in versions:
        if version.id not in there:
            body = {"modelVersionId": version.id, "lastKnownState": "RUNNING"}
            registry.transport.ask("POST", path, body=body)


def records(
    registry: Registry, endpoint: str | None = None, *, model: str | None = None, profile: str | None = None
) -> list[Json]:
    """The InferenceService records of an endpoint, of a model (by id), or all; oldest first."""
    query = {"filterQuery": f"registeredModelId = {int(model)}"} if model is not None else {}
    path = "inference_services"
    if profile is not None:
        try:
            found = registry.transport.ask("GET", "serving_environment", {"name": profile})
        except NotFound:
            return []
        path = f"serving_environments/{found['id']}/inference_services"
    listed = pages(registry.transport, path, query, None)
    return [record for record in listed if endpoint is None or _name(record) == endpoint]


def _name(record: Json) -> str:
    found = (record.get("customProperties") or {}).get(ENDPOINT)
    return str(metadata.to_python(found)) if found else str(record["name"])


def _now(record: Json) -> list[str]:
    found = (record.get("customProperties") or {}).get(SERVES)
    value = metadata.to_python(found) if found else None
    return [str(one) for one in value] if isinstance(value, list) else []


def of_model(model: Model) -> list[Json]:
    """The endpoints of a model and what they serve of it: ``{name, version, state, url}``, newest first.

    One row for each version that is served now; for an endpoint that serves none of it any more, one without.
    """
    rows = []
    for record in reversed(records(model.registry, model=model.id)):
        custom = record.get("customProperties") or {}
        url = metadata.to_python(custom["url"]) if "url" in custom else ""
        state = str(record.get("desiredState") or DEPLOYED)
        about = {
            "name": _name(record),
            "state": state,
            "url": str(url),
            "runtime": record.get("runtime") or "",
        }
        serves = _now(record) if state == DEPLOYED else []
        if state == DEPLOYED and not serves and record.get("modelVersionId"):  # written by another program
            serves = [_version_name(model, str(record["modelVersionId"]))]
        rows += [{**about, "version": version} for version in serves] or [{**about, "version": ""}]
    return rows


def _version_name(model: Model, number: str) -> str:
    return str(model.registry.transport.ask("GET", f"model_versions/{number}")["name"])


def of_version(version: Version) -> list[Json]:
    """The endpoints that serve this version, and those that once did (UNDEPLOYED)."""
    found = {row["name"]: row for row in of_model(version.model) if row["version"] == version.version}
    for record in records(version.registry, model=version.model.id):
        name = _name(record)
        path = f"inference_services/{record['id']}/serves"
        if name not in found and any(
            str(one["modelVersionId"]) == version.id
            for one in pages(version.registry.transport, path, {}, None)
        ):
            found[name] = {"name": name, "state": UNDEPLOYED, "url": "", "runtime": record.get("runtime") or "",
                           "version": version.version}  # fmt: skip
    return list(found.values())


def stable(registry: Registry, endpoint: str) -> Version | None:
    """What the registry says an endpoint serves as its stable version."""
    from jupyter_ext.registry.handles import Version

    for record in reversed(records(registry, endpoint)):
        if record.get("desiredState") == DEPLOYED and record.get("modelVersionId"):
            return Version(
                registry, registry.transport.ask("GET", f"model_versions/{record['modelVersionId']}")
            )
    return None
