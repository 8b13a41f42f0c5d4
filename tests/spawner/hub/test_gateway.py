"""Who somebody is by the gateway's header: one name, exactly, or nobody; in a real Hub too."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from spawner.hub.gateway import read_identity
from spawner.refused import Refused
from tests.waiting import until

CONFIGURATION = """
from tests.spawner.bare_hub import configure
configure(c, {settings!r})
c.JupyterHub.authenticator_class = "spawner.hub.gateway.GatewayAuthenticator"
c.GatewayAuthenticator.user_prefix = "accounts:"
c.Authenticator.blocked_users = {{"eve@example.org"}}
"""


@pytest.mark.parametrize(
    ("values", "prefix", "name"),
    [
        (["ada@example.org"], "", "ada@example.org"),
        (["Ada@Example.org"], "", "Ada@Example.org"),
        (["accounts:ada"], "accounts:", "ada"),
        (["accounts:accounts:ada"], "accounts:", "accounts:ada"),
        (["ada:accounts:"], "", "ada:accounts:"),
        (["zoë@example.org".encode().decode("latin-1")], "", "zoë@example.org"),
    ],
)
def test_a_name_is_taken_as_it_is(values, prefix, name):
    assert read_identity(values, prefix) == name


@pytest.mark.parametrize(
    ("values", "prefix", "status"),
    [
        ([], "", 401),
        ([""], "", 403),
        (["accounts:"], "accounts:", 403),
        (["ada"], "accounts:", 403),
        (["Accounts:ada"], "accounts:", 403),
        (["ada:accounts:"], "accounts:", 403),
        (["ada", "eve"], "", 403),
        (["ada", "ada"], "", 403),
        (["ada, eve"], "", 403),
        (["ada,eve"], "", 403),
        (["accounts: ada"], "accounts:", 403),
        (["a/b"], "", 403),
        (["a" * 256], "", 403),
        (["\xff"], "", 403),
        (["system:admin"], "", None),
        (["accounts:system:masters"], "accounts:", None),
        (["*@example.org"], "", None),
        (["ada\x00"], "", None),
    ],
)
def test_what_is_no_name_is_nobodys(values, prefix, status):
    with pytest.raises(Refused) as refused:
        read_identity(values, prefix)
    assert status is None or refused.value.status == status


@given(
    st.lists(st.text(st.characters(max_codepoint=255), max_size=40), max_size=3), st.sampled_from(["", "a:"])
)
def test_whoever_is_let_in_is_the_whole_of_one_header(values, prefix):
    try:
        name = read_identity(values, prefix)
    except Refused:
        return
    assert [(prefix + name).encode().decode("latin-1")] == values
    assert name == name.strip()
    assert name
    assert not name.startswith("system:")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The address of a real Hub behind no proxy at all."""
    folder = tmp_path_factory.mktemp("gateway-hub")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = (
            free.getsockname()[1] - 1
        )  # of the pages, which nobody serves here: the Hub itself is at the next
    settings = {"folder": str(folder), "port": port, "token": "1" * 32, "spawner": "simple"}
    (folder / "config.py").write_text(CONFIGURATION.format(settings=settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", str(folder / "config.py")],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port + 1}/hub"

    def answers():
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        try:
            return requests.get(f"{address}/health", timeout=30).ok
        except requests.ConnectionError:
            return False

    try:
        until(answers)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def page(session, hub, path, **headers):
    return session.get(f"{hub}/{path}", headers=headers, timeout=60)


def test_the_hub_lets_in_whom_the_gateway_names(hub):
    with requests.Session() as session:
        answer = page(session, hub, "home", **{"kubeflow-userid": "accounts:Ada@example.org"})
        assert answer.status_code == 200
        assert "Ada@example.org" in answer.text


def test_without_the_header_and_with_a_wrong_one_nobody_comes_in(hub):
    for headers, status in (
        ({}, 401),
        ({"kubeflow-userid": ""}, 403),
        ({"kubeflow-userid": "Ada@example.org"}, 403),
        ({"kubeflow-userid": "accounts:ada, accounts:eve"}, 403),
        ({"kubeflow-userid": "accounts:system:masters"}, 400),
        ({"kubeflow-userid": "accounts:eve@example.org"}, 403),
    ):
        with requests.Session() as session:
            answer = page(session, hub, "home", **headers)
            assert answer.status_code == status, (headers, answer.text[:500])
            assert not [cookie for cookie in session.cookies if cookie.name == "jupyterhub-hub-login"]


def test_a_cookie_of_one_is_not_good_for_another(hub):
    with requests.Session() as session:
        page(session, hub, "home", **{"kubeflow-userid": "accounts:ada"})

        def became_ben():
            answer = page(session, hub, "home", **{"kubeflow-userid": "accounts:ben"})
            return answer.ok and ">ben<" in re.sub(r"\s+", "", answer.text)

        until(became_ben)


def test_what_is_typed_counts_for_nothing(hub):
    with requests.Session() as session:
        answer = session.post(f"{hub}/login", data={"username": "accounts:ada", "password": "x"}, timeout=60)
        assert answer.status_code in {401, 403}
