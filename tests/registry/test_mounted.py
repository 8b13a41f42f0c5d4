"""The registry in the Jupyter server: behind its token and its authoriser, with its own errors."""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth import Authorizer

from jupyter_ext.registry.mounted import handlers

MODELS = ("api", "model_registry", "v1", "registered_models")
WHOLE = ("api", "model_registry", "jupyter-kubeflow", "registrations")
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def ask(jp_web_app, jp_base_url, jp_fetch):
    """Ask the handlers, mounted where the extension puts them."""
    jp_web_app.add_handlers(
        ".*$", [(jp_base_url.rstrip("/") + path, handler) for path, handler in handlers()]
    )

    async def ask(*path: str, **more):
        found = await jp_fetch(*path, raise_error=False, **more)
        return found.code, json.loads(found.body)

    return ask


async def test_models_behind_the_servers_token(ask, jp_auth_header):
    status, made = await ask(
        *MODELS, method="POST", body='{"name": "iris"}', headers={**JSON, **jp_auth_header}
    )
    assert (status, made["name"]) == (201, "iris")
    find = ("api", "model_registry", "v1alpha3", "registered_model")
    assert await ask(*find, params={"name": "iris"}) == (200, made)
    token = jp_auth_header["Authorization"].split()[1]
    status, listed = await ask(*MODELS, headers={"Authorization": f"Bearer {token}"})
    assert (status, listed["size"]) == (200, 1)


async def test_a_whole_registration_is_taken(ask):
    files = {"artifactType": "model-artifact", "name": "iris", "uri": "s3://b/k"}
    entry = {"name": "iris", "owner": "ada", "author": "ada", "artifacts": [files], "alias": "next"}
    status, made = await ask(*WHOLE, method="POST", body=json.dumps(entry), headers=dict(JSON))
    assert (status, made["model"]["name"], made["version"]["name"]) == (201, "iris", "1")
    wrong = {**entry, "artifacts": [{**files, "uri": 3}]}
    status, refused = await ask(*WHOLE, method="POST", body=json.dumps(wrong), headers=dict(JSON))
    assert (status, refused["code"]) == (400, "Bad Request")
    status, listed = await ask("api", "model_registry", "v1", "model_versions")
    assert (status, listed["size"]) == (200, 1)


async def test_errors_have_upstreams_form(ask):
    status, body = await ask(*MODELS, headers={"Authorization": "Bearer wrong"})
    assert (status, body["code"]) == (403, "Forbidden")
    assert await ask(*MODELS, "99") == (
        404, {"code": "Not Found", "message": "no registered model found for id 99"},
    )  # fmt: skip
    status, body = await ask(*MODELS, method="DELETE")
    assert (status, body["code"]) == (405, "Method Not Allowed")


async def test_reading_and_writing_are_asked_for(ask, jp_serverapp):
    asked = []

    class Reader(Authorizer):
        def is_authorized(self, handler, user, action, resource):
            del handler, user
            asked.append((action, resource))
            return action == "read"

    jp_serverapp.web_app.settings["authorizer"] = Reader(parent=jp_serverapp)
    assert (await ask(*MODELS))[0] == 200
    assert (await ask(*MODELS, method="POST", body='{"name": "x"}', headers=dict(JSON)))[0] == 403
    assert (await ask(*MODELS, "1", method="PATCH", body="{}", headers=dict(JSON)))[0] == 403
    assert (await ask(*WHOLE, method="POST", body="{}", headers=dict(JSON)))[0] == 403
    assert asked == [(action, "kubeflow.registry") for action in ("read", "write", "write", "write")]
