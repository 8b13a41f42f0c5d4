from __future__ import annotations

from types import SimpleNamespace

import pytest
from jupyterhub.spawner import SpawnException
from tornado.web import HTTPError

from spawner.refused import Refused
from spawner.starts.failing import _of_hub_5, of_refused, spawn_error
from spawner.starts.reasons import Reason

REASON = Reason(
    "image", "The image <x> does not exist.", "100% sure", "Check it.", is_hopeless=True, status=409
)


def test_a_hub_of_today_gets_its_own_exception():
    found = spawn_error(REASON, None)
    assert isinstance(found, SpawnException)
    assert (found.reason, found.status_code) == ("image", 409)
    assert found.message == "The image <x> does not exist. 100% sure Check it."
    assert "&lt;x&gt;" in found.message_html


def test_a_hub_of_yesterday_gets_an_http_error_that_is_not_counted():
    settings = {"failure_count": 2}
    spawner = SimpleNamespace(user=SimpleNamespace(settings=settings))
    found = _of_hub_5(REASON, spawner)
    assert isinstance(found, HTTPError)
    settings["failure_count"] += 1  # which JupyterHub 5 does for whatever a start raises
    assert settings["failure_count"] == 2
    assert (found.status_code, vars(found)["jupyterhub_message"]) == (409, REASON.text())
    assert "100% sure" in str(found)


@pytest.mark.parametrize(("status", "code"), [(400, "options"), (403, "refused"), (500, "refused")])
def test_a_refusal_is_a_reason(status, code):
    found = of_refused(Refused(status, "No such size", field="size", hint="Choose again."))
    assert (found.code, found.status) == (code, status)
    assert found.text() == "No such size (field size). Choose again."
