"""``jupyter kf hub``: a real Hub, its proxy and real servers, spoken to as browsers and programs do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from tests.spawner.hub.running import RunningHub, User

pytestmark = pytest.mark.slow


def environment(pid: int) -> dict[str, str]:
    """What a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def servers(hub: RunningHub) -> dict[str, int]:
    """The single-user servers by user and name."""
    found = {}
    for pid, line in hub.processes().items():
        if "jupyterhub.singleuser" in line:
            facts = environment(pid)
            found[f"{facts['JUPYTERHUB_USER']}/{facts['JUPYTERHUB_SERVER_NAME']}"] = pid
    return found


def test_the_link_works_once_and_the_password_until_the_hub_ends(hub: RunningHub) -> None:
    """And neither is in the log or in arguments; who has neither stays outside."""
    cem = User(hub, "cem")
    secrets = hub.secrets()["cem"]
    first = cem.enter()
    assert (first.status_code, first.headers["Location"]) == (302, "/hub/spawn")
    again = User(hub, "cem")
    again_secrets = {"username": "cem", "token": secrets["link"]}
    answer = again.session.get(
        f"{hub.url}/hub/enter", params=again_secrets, allow_redirects=False, timeout=60
    )
    assert answer.status_code == 403
    assert "works once" in answer.text
    for password, status in (("wrong", 403), (secrets["password"], 302)):
        page = again.session.get(f"{hub.url}/hub/login", timeout=60).text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        form = {"username": "cem", "password": password, "_xsrf": xsrf[1] if xsrf else ""}
        answer = again.session.post(f"{hub.url}/hub/login", data=form, allow_redirects=False, timeout=60)
        assert answer.status_code == status
    shown = hub.log().split("Sign in (each link")[0] + hub.log().split("Ctrl-C ends the Hub")[1]
    assert secrets["link"] not in shown
    assert secrets["password"] not in shown
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert secrets["password"] not in line
        assert hub.secrets()["ana"]["password"] not in line


@pytest.mark.parametrize(
    "given", [{}, {"username": "ana"}, {"username": "ana", "token": ""}, {"username": "eve", "token": "x"}]
)
def test_no_link_no_entrance(hub: RunningHub, given: dict[str, str]) -> None:
    """A used link is empty in the file: an empty token must not fit it."""
    answer = requests.get(f"{hub.url}/hub/enter", params=given, allow_redirects=False, timeout=60)
    assert answer.status_code == 403
    assert "jupyterhub-hub-login" not in answer.cookies


def test_a_link_leads_nowhere_else(hub: RunningHub) -> None:
    """The address after signing in carries no token, and stays on this Hub."""
    ben = User(hub, "ben")
    query = {"username": "ben", "token": hub.secrets()["ben"]["link"], "next": "https://evil.example/"}
    answer = ben.session.get(f"{hub.url}/hub/enter", params=query, allow_redirects=False, timeout=60)
    assert answer.headers["Location"] == "/hub/spawn"
