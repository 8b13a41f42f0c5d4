"""Nobody without a token, and nobody without permission, gets anywhere: walked over the table of routes."""

from __future__ import annotations

import json
import re
import warnings
from typing import ClassVar

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from jupyter_ext.openapi import operations
from jupyter_ext.server.registry import KINDS
from jupyter_ext.server.routes import BASE, routes

EXAMPLES = {"digest": "b3:" + "0" * 64, "path": "nothing/here"}
PLURALS = {kind.plural for kind in KINDS}
VERBS = [(route.path, verb) for route in routes() for verb in operations(route)]


def url(path: str) -> list[str]:
    filled = re.sub(r"\{(\w+)\}", lambda place: EXAMPLES.get(place[1], "a"), path)
    return [*BASE.split("/"), *filled.split("/")]


def body_for(verb: str) -> dict[str, object]:
    return {"body": json.dumps({})} if verb in {"post", "patch"} else {}


@pytest.fixture
def refusing(jp_serverapp):
    """An authorizer that lets nobody do anything, and notes what was asked."""

    class Refusing(Authorizer):
        asked: ClassVar[list[tuple[str, str]]] = []

        def is_authorized(self, handler, user, action, resource):  # noqa: ARG002
            self.asked.append((action, resource))
            return False

    found = Refusing(parent=jp_serverapp)
    jp_serverapp.web_app.settings["authorizer"] = found
    return found


async def test_every_verb_wants_a_token(jp_fetch, stopped):
    for path, verb in VERBS:
        for header in ({"Authorization": "token wrong"}, {"Authorization": ""}):
            answer = await jp_fetch(
                *url(path), method=verb.upper(), headers=dict(header), raise_error=False, **body_for(verb)
            )
            assert answer.code == 403, (path, verb)
            assert json.loads(answer.body)["status"] == 403 if not path.endswith("/logs") else True


async def test_every_verb_wants_permission_for_its_own_resource(jp_fetch, refusing, stopped):
    for path, verb in VERBS:
        if path.startswith("sparkui/"):
            continue  # its address is the permission, which the test of Spark's interface asks for
        refusing.asked.clear()
        answer = await jp_fetch(*url(path), method=verb.upper(), raise_error=False, **body_for(verb))
        assert answer.code == 403, (path, verb)
        [(action, resource)] = refusing.asked
        described = next(operations(route)[verb] for route in routes() if route.path == path)
        assert action == described.action
        kind = path.partition("/")[0].partition(":")[0]
        kind = "notebooks" if kind == "pipelines" else kind  # files of the same folders
        owned = kind in {*PLURALS, "notebooks", "blobs", "servers"}
        assert resource == (f"kubeflow.{kind}" if owned else "kubeflow"), path


def test_reading_only_reads():
    """A user who may only read can change nothing and run nothing."""
    for route in routes():
        for verb, operation in operations(route).items():
            assert operation.action in {"read", "write", "execute"}
            if verb == "delete":
                assert operation.action == "write"
            if verb == "get":
                assert operation.action == "read"
    changing = {r.path: operations(r)["post"].action for r in routes() if "post" in operations(r)}
    assert changing["runs"] == changing["runs/{name}:resume"] == changing["runs/{name}:rerun"] == "execute"
    assert changing["runs/{name}:stop"] == changing["runs/{name}:open"] == "write"
    assert changing["recurringruns"] == changing["trainjobs"] == changing["experiments"] == "execute"
    assert changing["apply"] == changing["trainjobs/{name}:resume"] == "execute"
    assert changing["trainjobs/{name}:stop"] == changing["experiments/{name}:stop"] == "write"
    reading = {
        path.partition(":")[2] for path, action in changing.items() if action == "read" and "jobs/" in path
    }
    assert reading == {"curves", "code"}
    spark = {
        path.partition(":")[2]: action
        for path, action in changing.items()
        if path.startswith("scheduledspark")
    }
    assert {verb for verb, action in spark.items() if action == "read"} == {"code", "events"}
    assert {verb for verb, action in spark.items() if action == "execute"} == {"", "run", "resume"}
    serving = {
        path.partition(":")[2]: action
        for path, action in changing.items()
        if path.startswith("inferenceservices/")
    }
    assert {verb for verb, action in serving.items() if action == "read"} == {
        "revisions", "curves", "compare", "drift", "requests", "request", "example", "code",
    }  # fmt: skip
    assert {verb for verb, action in serving.items() if action == "execute"} == {
        "predict",
        "explain",
        "feedback",
        "replay",
    }


async def test_a_websocket_wants_a_token_and_permission(jp_ws_fetch, refusing, stopped):
    for header in ({"Authorization": "token wrong"}, {}):
        with pytest.raises(HTTPClientError) as refused:
            await jp_ws_fetch("kubeflow", "v1", "runs", "a", "logs", headers=header)
        assert refused.value.code == 403


async def test_a_browser_needs_the_xsrf_cookie(jp_serverapp, jp_fetch, stopped):
    """Without the header of a token, as a form of another site would send it."""
    jp_serverapp.identity_provider.token = ""
    answer = await jp_fetch(
        "kubeflow", "v1", "runs", method="POST", body="{}", headers={"Authorization": ""}, raise_error=False
    )
    assert answer.code == 403


def test_the_server_finds_no_open_verb(jp_configurable_serverapp, jp_server_config):
    """Jupyter Server warns of every verb that is not authenticated."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app = jp_configurable_serverapp(config=jp_server_config)
        app.web_app.settings["jupyter_kubeflow"].routes.mount()
    assert "jupyter_kubeflow" in app.web_app.settings
