"""What a page of somebody else's can make a browser send to the Hub, and where the Hub can be made to send a browser."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

import pytest

from tests.spawner.attacks.world import Person

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PLAIN = {"Content-Type": "text/plain"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EVIL = {"Origin": "https://evil.example", "Referer": "https://evil.example/hub/"}
# Method, path, headers, body: each with Ada's cookies, none with the token of the Hub's own pages.
FORGED = [
    ("POST", "/spawn", {}, b""),
    ("POST", "/spawn", FORM, b"home=none"),
    ("POST", "/spawn?_xsrf=wrong", FORM, b"home=none&_xsrf=wrong"),
    ("POST", "/spawn?_xsrf=", FORM, b"_xsrf="),
    ("POST", "/spawn", {**FORM, **EVIL}, b"home=none"),
    ("POST", "/spawn/ada", FORM, b"home=none"),
    ("POST", "/api/users/ada/server", {}, b'{"home": "none"}'),
    ("POST", "/api/users/ada/server", PLAIN, b'{"home": "none"}'),
    ("POST", "/api/users/ada/server", {**PLAIN, **EVIL}, b'{"home": "none"}'),
    ("POST", "/api/users/ada/server?_xsrf=wrong", PLAIN, b'{"home": "none"}'),
    ("POST", "/api/users/ada/servers/x", PLAIN, b"{}"),
    ("PATCH", "/api/users/ada/server", PLAIN, b'{"user_options": {}}'),
    ("DELETE", "/api/users/ada/server", {}, b""),
    ("POST", "/api/users/ada/tokens", PLAIN, b"{}"),
    ("POST", "/kubeflow/form/state/ada/", FORM, b"home=none"),
    ("PUT", "/kubeflow/form/state/ada/", PLAIN, b"{}"),
]  # fmt: skip
# A link: opening it starts nothing, whatever it carries.
LINKS = [
    "/spawn?home=none",
    "/spawn?opt-home=none&opt-size=small",
    "/spawn/ada?image=lab&size=small",
    "/spawn?namespace={0}&opt-namespace={0}&home=none",
    "/spawn?profile=0&_xsrf=x",
    "/spawn?user_options={{}}",
    "/kubeflow/form/state/ada/?home=none&whole=1",
]
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "////evil.example",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "\t//evil.example/",
    "https:evil.example",
    "https:///evil.example",
    "http:/\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/hub//evil.example",
    "//evil.example/hub/home",
    "@evil.example",
    "%2f%2fevil.example",
    "/%2fevil.example",
]


def test_forged_requests(unmoved):
    ada = Person(unmoved, "ada")
    for method, path, headers, body in FORGED:
        answer = ada.ask(method, path, headers, data=body)
        assert answer.status_code in {403, 405}, (method, path, headers, answer.status_code)
    assert ada.ask("GET", f"/api/user?_xsrf={ada.xsrf}").status_code == 200, "Ada was signed in all the time"


def test_links_start_nothing(unmoved):
    ada = Person(unmoved, "ada")
    for link in LINKS:
        path = link.format(unmoved.of_ada)
        answer = ada.ask("GET", path)
        assert answer.status_code == 200, (path, answer.status_code)
        assert not unmoved.hub.server("ada").get("pending"), path
        assert not unmoved.hub.server("ada").get("ready"), path


def test_no_way_leads_elsewhere(unmoved):
    ada = Person(unmoved, "ada")
    here = urlsplit(unmoved.url).netloc
    for target in ELSEWHERE:
        sent = quote(target, safe="")
        for path in (f"/login?next={sent}", f"/?next={sent}", f"/home?next={sent}", f"/logout?next={sent}x"):
            if path.startswith("/logout"):
                answer = Person(unmoved, "eve").ask("GET", path)
            else:
                answer = ada.ask("GET", path)
            assert answer.status_code < 500, path
            to = urlsplit(urljoin(f"{unmoved.url}/", answer.headers.get("Location", "/").replace("\\", "/")))
            assert to.netloc == here, (path, answer.headers.get("Location"))
            assert to.scheme == "http", path
        page = ada.ask("GET", f"/spawn?next={sent}")
        assert page.status_code == 200, target
        assert 'href="https://evil' not in page.text


def test_cookies_are_the_hubs_own(unmoved):
    """No script reads the session, it is sent to the Hub's own paths only, and each server signs people in itself."""
    ada = Person(unmoved, "ada")
    found = {cookie.name: cookie for cookie in ada.session.cookies}
    session = next(cookie for name, cookie in found.items() if name.startswith("jupyterhub-hub-login"))
    assert session.path.rstrip("/").endswith("/hub")
    assert session.has_nonstandard_attr("HttpOnly")
    assert found["_xsrf"].path.startswith("/hub")


def test_pages_cannot_be_framed_or_guessed(unmoved):
    page = Person(unmoved, "ada").ask("GET", "/spawn")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    state = Person(unmoved, "ada").ask("GET", "/kubeflow/form/state/ada/")
    assert state.headers["Content-Type"].startswith("application/json")
    assert state.headers["Cache-Control"] == "no-store"
    assert state.headers.get("X-Content-Type-Options") == "nosniff"
