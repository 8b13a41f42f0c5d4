"""The REST interface as one OpenAPI 3.1 document, made from the route table.

``python -m jupyter_ext.openapi`` prints it; the server serves it as ``kubeflow/v1/openapi.json``.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.server.handler import Operation
    from jupyter_ext.server.routes import Route

VERBS = ("get", "post", "patch", "put", "delete")

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["message", "what", "where", "hint", "status"],
    "properties": {
        "message": {"type": "string", "description": "One sentence: what, where, and what to do."},
        "what": {"type": "string"},
        "where": {
            "type": "object",
            "properties": {
                "cell": {"type": "integer", "description": "From 1, over all cells of the notebook."},
                "cellId": {"type": "string"},
                "line": {"type": "integer", "description": "From 1, within the cell."},
                "field": {"type": "string"},
                "object": {"type": "string"},
            },
        },
        "hint": {"type": ["string", "null"]},
        "status": {"type": "integer"},
    },
}


def operations(route: Route) -> dict[str, Operation]:
    """The described verbs of a route, by their lower-case name."""
    whole = getattr(route.handler, "operation", None)
    if whole is not None:
        return {"get": whole}
    found = {verb: getattr(getattr(route.handler, verb, None), "operation", None) for verb in VERBS}
    return {verb: operation for verb, operation in found.items() if operation is not None}


def document(version: str) -> dict[str, Any]:
    """The whole document."""
    from jupyter_ext.server.routes import BASE, routes

    paths: dict[str, Any] = {}
    for route in routes():
        if route.described:
            item = paths.setdefault(f"/{BASE}/{route.path}", {})
            for verb, operation in operations(route).items():
                item[verb] = _operation(route, verb, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kubeflow resources in Jupyter Server",
            "version": version,
            "description": "Changes of state arrive on the server's event bus (api/events/subscribe), schema "
            "https://schema.jupyter-kubeflow.org/resource/v1.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": "{baseUrl}",
                "variables": {"baseUrl": {"default": "", "description": "Server's base_url."}},
            }
        ],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "Authorization"}},
            "schemas": {"Error": ERROR},
        },
    }


def _operation(route: Route, verb: str, operation: Operation) -> dict[str, Any]:
    from jupyter_ext.server import fields

    parameters = [
        {"name": place, "in": "path", "required": True, "schema": {"type": "string"}}
        for place in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [
        {
            "name": field.name,
            "in": "query",
            "required": field.required,
            "description": field.about,
            "schema": {key: value for key, value in field.schema().items() if key != "description"},
        }
        for field in operation.query
    ]
    done: dict[str, Any] = {"description": "Done."}
    if operation.status != 101:
        done["content"] = {operation.reply: {}}
    refused = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    found: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "-", f"{verb}-{route.path}").strip("-"),
        "summary": operation.summary,
        "x-jupyter-action": operation.action,
        "parameters": parameters,
        "responses": {str(operation.status): done, "default": refused},
    }
    if operation.body:
        found["requestBody"] = {"content": {"application/json": {"schema": fields.schema(operation.body)}}}
    return found


if __name__ == "__main__":
    from jupyter_ext import __version__

    json.dump(document(__version__), sys.stdout, indent=2)
    sys.stdout.write("\n")
