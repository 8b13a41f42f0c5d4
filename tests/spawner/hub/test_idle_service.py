"""The service that stops idle servers, in a real Hub with times of seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from websocket import create_connection

from tests.spawner.hub.running import RunningHub, User, until
from tests.spawner.hub.test_local_servers import environment, servers

pytestmark = pytest.mark.slow
QUICK = {"MINUTES": "0.4", "WARNING_MINUTES": "0.3", "EVERY_SECONDS": "1"}


@pytest.fixture(scope="module")
def quick(make_hub: Callable[..., RunningHub], tmp_path_factory: pytest.TempPathFactory) -> RunningHub:
    """24 seconds of nothing end a server, 18 before that its user is warned: longer than another takes to start."""
    config = tmp_path_factory.mktemp("config") / "quick.py"
    lines = [f"e['JUPYTER_KUBEFLOW_IDLE_{key}'] = '{value}'" for key, value in QUICK.items()]
    config.write_text("e = c.JupyterHub.services[0]['environment']\n" + "\n".join(lines) + "\n")
    return make_hub(users="ana,ben", idle_minutes=1, config=str(config)).start()


def token(hub: RunningHub, user: User) -> str:
    """The token of a user's server."""
    return environment(servers(hub)[f"{user.name}/"])["JUPYTERHUB_API_TOKEN"]


def ask(hub: RunningHub, secret: str, method: str = "GET", path: str = "servers") -> requests.Response:
    """Ask the service as the front end's part in the server would."""
    headers = {"Authorization": f"token {secret}"}
    return requests.request(method, f"{hub.url}/services/idle/{path}", headers=headers, timeout=60)


def verdict(hub: RunningHub, secret: str) -> dict[str, Any]:
    """What is to become of the server."""
    return dict(ask(hub, secret).json()["servers"].get("", {}))


def run_cell(hub: RunningHub, user: User, code: str) -> str:
    """Start a kernel and run something in it without waiting; the kernel's address."""
    secret = token(hub, user)
    base = f"{hub.url}/user/{user.name}/api/kernels"
    headers = {"Authorization": f"token {secret}"}
    kernel = requests.post(base, json={"name": "python3"}, headers=headers, timeout=60).json()["id"]
    address = f"{base.replace('http', 'ws')}/{kernel}/channels"
    socket = create_connection(address, header=[f"Authorization: token {secret}"], timeout=60)
    head = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "", "version": "5.3"}
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
    }
    message = {"header": head, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(message))
    until(lambda: "execute_input" in str(socket.recv()), "the cell runs")
    socket.close()
    return f"{base}/{kernel}"


def test_a_silent_cell_protects_and_idleness_is_told_first(quick: RunningHub) -> None:
    """A cell that prints nothing for longer than the limit is work. When it ends: a warning, then the end."""
    ana = quick.user("ana")
    ana.start(size="small")
    ana.ready()
    secret = token(quick, ana)
    kernel = run_cell(quick, ana, "import time\ntime.sleep(30)")
    until(lambda: verdict(quick, secret).get("words") == "A cell is running.", "the service sees it")
    seen: list[str] = []

    def ended() -> bool:
        if not ana.server().get("ready"):
            return True
        answer = ask(quick, secret)
        if answer.status_code == 200:
            seen.append(answer.json()["servers"].get("", {}).get("action", ""))
        return False

    until(ended, "it is stopped")
    actions = [
        action
        for position, action in enumerate(seen)
        if action and (not position or seen[position - 1] != action)
    ]
    assert actions[:2] == ["keep", "warn"]
    assert kernel
    until(lambda: not servers(quick), "nothing is left")
    assert "Stopping ana/: Nothing happened in it" in quick.log()


def test_keep_is_heard_and_only_from_the_owner(quick: RunningHub) -> None:
    """No token is refused, a cookie too; the owner's token keeps the server beyond its time, and no other."""
    ana, ben = quick.user("ana"), quick.user("ben")
    tokens = []
    for user in (ben, ana):
        user.start(size="small")
        user.ready()
        tokens.append(token(quick, user))
    other, secret = tokens
    until(lambda: verdict(quick, secret).get("action") == "warn", "ana is warned")
    assert requests.post(f"{quick.url}/services/idle/keep/", timeout=60).status_code == 403
    cookies = ana.session.post(f"{quick.url}/services/idle/keep/", timeout=60)
    assert cookies.status_code == 403
    assert ask(quick, secret, "POST", "keep/nothing").status_code == 404
    assert ask(quick, secret, "POST", "keep/").json()["action"] == "keep"
    until(lambda: not ben.server().get("ready"), "ben's is stopped")
    assert ana.server()["ready"]
    assert other != secret
    ana.stop()
    ana.gone()


def test_its_token_can_do_no_more(quick: RunningHub) -> None:
    """See, ask, stop: not start, not make users, not read their tokens."""
    service = next(
        environment(int(path.parent.name))
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"spawner.hub.culler" in path.read_bytes() and environment(int(path.parent.name))["JUPYTERHUB_API_URL"].startswith("http")
        and environment(int(path.parent.name)).get("JUPYTER_KUBEFLOW_IDLE_FOLDER") == str(quick.folder)
    )  # fmt: skip
    headers = {"Authorization": f"token {service['JUPYTERHUB_API_TOKEN']}"}
    api = service["JUPYTERHUB_API_URL"]
    for method, path in (
        ("POST", "users/ana/server"), ("POST", "users/eve"), ("GET", "users/ana/tokens"), ("POST", "users/ana/tokens"),
        ("DELETE", "users/ben"), ("PATCH", "users/ana"), ("GET", "proxy"), ("POST", "shutdown"),
    ):  # fmt: skip
        answer = requests.request(method, f"{api}/{path}", headers=headers, json={}, timeout=60)
        assert answer.status_code in {403, 404}, f"{method} {path}: {answer.status_code}"
    assert requests.get(f"{api}/users", headers=headers, timeout=60).status_code == 200
