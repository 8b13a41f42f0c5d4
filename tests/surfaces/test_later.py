"""A server that is only started brings in no handlers; whoever asks first gets the same answer as everybody after."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jupyter_ext.registry import mounted
from jupyter_ext.server.app import PREFIXES
from jupyter_ext.server.routes import routes

STARTED = """
import sys
from jupyter_server.serverapp import ServerApp

app = ServerApp.instance()
app.initialize(["--ServerApp.jpserver_extensions={'jupyter_ext': True}", "--port=0", "--no-browser", "--allow-root"])
assert "jupyter_kubeflow" in app.web_app.settings
print(sorted(name for name in sys.modules if name.startswith(("jupyter_ext.server", "jupyter_ext.registry"))))
"""


def test_a_started_server_has_imported_no_handler(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1]
    assert "jupyter_ext.server.watch" in loaded
    for name in ("server.routes", "server.rows_", "server.handler", "registry"):
        assert f"jupyter_ext.{name}" not in loaded


def test_all_handlers_are_below_the_paths_that_are_stood_for():
    patterns = [*(route.pattern for route in routes()), *(pattern for pattern, _ in mounted.handlers())]
    assert all(pattern.startswith(PREFIXES) for pattern in patterns)


@pytest.mark.parametrize("path", ["kubeflow/v1/status", "api/model_registry/v1/registered_models"])
async def test_the_first_request_is_answered_as_the_second(jp_fetch, stopped, path):
    for _ in range(2):
        answer = await jp_fetch(*path.split("/"))
        assert (answer.code, type(json.loads(answer.body))) == (200, dict)


async def test_what_nobody_answers_is_not_found_the_first_time_too(jp_fetch, stopped):
    for _ in range(2):
        answer = await jp_fetch("kubeflow", "v1", "nothing", "here", raise_error=False)
        assert (answer.code, json.loads(answer.body)["status"]) == (404, 404)
