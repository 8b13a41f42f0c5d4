"""An OpenAPI document of our routes and kinds: what the fuzzer sends, and holds the answers against."""

from __future__ import annotations

from typing import Any

from jupyter_ext.registry.entities import ARTIFACTS, KINDS, Field, Kind
from jupyter_ext.registry.routes import BASE, routes

Schema = dict[str, Any]
ID = {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}
VALUES: dict[str, Schema] = {
    "String": {"string_value": {"type": "string"}},
    "Int": {"int_value": {"type": "string", "pattern": "^-?([1-9][0-9]{0,8}|0)$"}},
    "Double": {"double_value": {"type": "number"}},
    "Bool": {"bool_value": {"type": "boolean"}},
    "Struct": {"struct_value": {"type": "string", "format": "byte"}},
}
COLLECTIONS = {
    "registered_model": "RegisteredModel", "model_version": "ModelVersion", "model_artifact": "ModelArtifact",
    "artifact": "Artifact", "serving_environment": "ServingEnvironment", "inference_service": "InferenceService",
    "experiment": "Experiment", "experiment_run": "ExperimentRun", "version": "ModelVersion", "serve": "ServeModel",
    "model": "RegisteredModel", "metric_history": "Metric",
}  # fmt: skip


def document(version: str) -> Schema:
    """The whole of one version."""
    paths = {
        f"{BASE}/{version}/{path}": _path(path, verbs, version) for path, verbs in routes(version).items()
    }
    return {"openapi": "3.0.3", "info": {"title": "registry", "version": version}, "paths": paths}


def _path(path: str, verbs: tuple[str, ...], version: str) -> Schema:
    *_, owner, last = ["", *path.split("/")]
    is_item = last == "{id}"
    last = owner if is_item else last
    one = last == "metric_history" or last in COLLECTIONS
    kind = COLLECTIONS[last if one else last.removesuffix("s")]
    listed = last == "metric_history" or not (one or is_item)
    found: Schema = {verb.lower(): _operation(verb, path, kind, version, listed=listed) for verb in verbs}
    if "{id}" in path:
        found["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": ID}]
    return found


def _operation(verb: str, path: str, kind: str, version: str, *, listed: bool) -> Schema:
    answer = _any(kind, version)
    if verb == "GET" and listed:
        whole = {"items": {"type": "array", "items": answer}, "nextPageToken": {"type": "string"}}
        whole |= {"size": {"type": "integer"}, "pageSize": {"type": "integer"}}
        answer = {"type": "object", "required": sorted(whole), "properties": whole}
    good = {"GET": ("200",), "PATCH": ("200",), "POST": ("201", "200")}[verb]
    replies = dict.fromkeys(good, answer) | dict.fromkeys(("400", "404", "409", "422"), ERROR)
    found: Schema = {
        "responses": {
            code: {"description": code, "content": {"application/json": {"schema": schema}}}
            for code, schema in replies.items()
        }
    }
    if verb == "GET":
        found["parameters"] = _query(path, listed=listed)
    else:
        content = {"application/json": {"schema": _any(kind, version, body=verb)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _query(path: str, *, listed: bool) -> list[Schema]:
    names: dict[str, Schema] = {}
    if listed:
        names = {
            "filterQuery": {
                "type": "string",
                "enum": ["name LIKE 'a%'", "x.int_value > 3 OR id IN (1)", "state ="],
            },
            "pageSize": {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
            "orderBy": {"type": "string", "enum": ["ID", "CREATE_TIME", "LAST_UPDATE_TIME"]},
            "sortOrder": {"type": "string", "enum": ["ASC", "DESC"]},
            "nextPageToken": {"type": "string"},
        }
    elif "{id}" not in path:
        names = {"name": {"type": "string"}, "externalId": {"type": "string"}, "parentResourceId": ID}
    return [{"name": name, "in": "query", "schema": schema} for name, schema in names.items()]


def _any(kind: str, version: str, body: str | None = None) -> Schema:
    kinds = list(ARTIFACTS.values()) if kind == "Artifact" else [KINDS[kind]]
    found = [_record(one, version, body) for one in kinds]
    return found[0] if len(found) == 1 else {"oneOf": found}


def _record(kind: Kind, version: str, body: str | None) -> Schema:
    fields = {
        field.name: _field(field, version)
        for field in kind.fields
        if body is None or not (field.output or (body == "PATCH" and field.create))
    }
    text = {"type": "string"}
    fields |= {"description": text, "externalId": text, "customProperties": _custom()}
    needed = []
    if kind.artifact:
        fields["artifactType"] = {"type": "string", "enum": [kind.artifact]}
        needed.append("artifactType")
    if body != "PATCH":
        fields["name"] = {"type": "string", "minLength": 1}
        needed += [field.name for field in kind.fields if field.required]
        needed += ["name"] if kind.named or body is None else []
    if body is None:
        fields |= {"id": ID, "createTimeSinceEpoch": text, "lastUpdateTimeSinceEpoch": text}
        needed += ["id", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch", "customProperties"]
    schema: Schema = {"type": "object", "properties": fields, "additionalProperties": False}
    return schema | ({"required": sorted(set(needed))} if needed else {})


def _field(field: Field, version: str) -> Schema:
    if field.choices:
        return {"type": "string", "enum": list(field.choices)}
    if field.type == "integer":
        return {"type": "string" if version == "v1" else "integer"}
    kinds: dict[str, Schema] = {
        "id": ID,
        "number": {"type": "number"},
        "strings": {"type": "array", "items": {"type": "string"}},
        "uri": {"type": "string", "format": "uri"},
        "millis": {"type": "string", "pattern": "^[0-9]{1,13}$"},
    }
    return kinds.get(field.type, {"type": "string"})


def _custom() -> Schema:
    values = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["metadataType", *slot],
            "properties": {"metadataType": {"type": "string", "enum": [f"Metadata{word}Value"]}, **slot},
        }
        for word, slot in VALUES.items()
    ]
    return {"type": "object", "additionalProperties": {"oneOf": values}}
