"""The servers of a real Hub in the sidebar, in a real browser, and the warning before an idle one is stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.spawner.hub.conftest import make_hub, proxy_cache  # noqa: F401 - fixtures
from tests.spawner.hub.running import RunningHub, User
from tests.spawner.hub.test_local_servers import accelerator
from tests.ui.conftest import HEIGHT, WIDTH, Watch, labextension
from tests.ui.screen import Lab, violations
from tests.ui.test_narrow import BAD_PLACES, LONG, narrow

pytestmark = pytest.mark.slow
SLOW = 120_000
"""Milliseconds that a server may take to start on a machine that does other things."""
CONFIG = """
c.Spawner.environment["JUPYTER_PATH"] = {path!r}
c.Spawner.environment["JUPYTER_CONFIG_PATH"] = {config!r}
c.Spawner.args = ["--LabApp.expose_app_in_browser=True"]
c.ProfileProcessSpawner.sizes = [
    {{"key": "small", "title": "Small", "cpu": "10m", "cpu_limit": "2", "memory": "1Gi", "idle_minutes": 0, "default": True}},
    {{"key": "watched", "title": "Watched", "cpu": "10m", "cpu_limit": "2", "memory": "1Gi", "idle_minutes": 600}},
    {{"key": "huge", "title": "Huge", "cpu": "4000", "memory": "1Gi"}},
]
idle = c.JupyterHub.services[0]["environment"]
idle["JUPYTER_KUBEFLOW_IDLE_WARNING_MINUTES"] = "599.95"
idle["JUPYTER_KUBEFLOW_IDLE_EVERY_SECONDS"] = "1"
"""
"""A watched server is warned of after three idle seconds, and stopped after ten hours: no test is late for either."""


class HubLab(Lab):
    """JupyterLab in a server of a Hub: who is signed in there needs no token."""

    def open(self) -> None:
        self.page.goto(f"{self.url}/lab?reset")
        self.ready()

    @property
    def servers(self) -> Locator:
        return self.section("Servers")

    def row(self, name: str) -> Locator:
        return self.panel.locator(f'.jk-Server[data-server="{name}"]')

    def facts(self, name: str) -> Locator:
        """Unfold a row."""
        row = self.row(name)
        if row.locator("[data-row]").get_attribute("aria-expanded") != "true":
            row.locator("[data-row]").click()
        return row


@pytest.fixture(scope="module")
def hub(
    make_hub: Callable[..., RunningHub],  # noqa: F811
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> RunningHub:
    """A Hub for ana and ben on a machine with one GPU; its servers have the bundle of the work tree."""
    base = tmp_path_factory.mktemp("servers")
    labextension(repository, base / "path")
    page = base / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(
        json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    )
    config = base / "more.py"
    config.write_text(CONFIG.format(path=str(base / "path"), config=str(base / "config")))
    return make_hub(
        users="ana,ben",
        idle_minutes=600,
        config=str(config),
        per_user={"nvidia.com/gpu": "1", "memory": "64Gi"},
    ).start()


@pytest.fixture(scope="module")
def ana(hub: RunningHub) -> User:
    """Her server runs."""
    user = hub.user("ana")
    answer = user.start(size="watched")
    assert answer.ok, answer.text
    user.ready()
    return user


@pytest.fixture
def lab(
    browser: Browser, hub: RunningHub, ana: User, pictures: Path, request: pytest.FixtureRequest
) -> Iterator[HubLab]:
    """JupyterLab in ana's server."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=hub.url)
    cookies = [
        {"name": each.name, "value": each.value or "", "url": f"{hub.url}{each.path}"}
        for each in ana.session.cookies
    ]
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    watch = Watch(page, SimpleNamespace(url=hub.url))  # type: ignore[arg-type]
    failed = request.session.testsfailed
    lab = HubLab(page, f"{hub.url}/user/ana", "", hub.folder)
    lab.open()
    yield lab
    if request.session.testsfailed > failed:
        page.screenshot(path=pictures / f"failed-{request.node.name}.png")
    context.close()
    assert not watch.errors, "the page logged errors"
    assert not watch.elsewhere, "the page talked to another machine"


def test_an_idle_server_is_warned_of_and_kept(lab: HubLab) -> None:
    """The page is open and asks all the time, which is no activity: it is warned of, and Keep is heard."""
    servers = lab.servers
    row = lab.row("")
    expect(row).to_have_attribute("data-state", "running")
    expect(row).to_contain_text("this one")
    expect(row).to_contain_text("Running · Watched")
    toast = lab.page.get_by_role("alert").filter(has_text="about to be stopped")
    expect(toast).to_contain_text(re.compile(r"idle for \d+ s"), timeout=SLOW)
    expect(row.get_by_role("status")).to_contain_text("It is stopped in")
    assert violations(lab.page, ".jk-Panel") == []
    toast.get_by_role("button", name="Keep").click()
    expect(row).to_contain_text("You said that you need it.")
    expect(lab.page.get_by_role("alert").filter(has_text="about to be stopped")).to_have_count(0)
    expect(servers.get_by_role("button", name="Keep", exact=True)).to_have_count(0)


def test_servers_come_wait_and_go_without_a_reload(lab: HubLab, hub: RunningHub, ana: User) -> None:
    """Made elsewhere, seen here; why one waits; given up; started with other choices; stopped after a question."""
    ben = hub.user("ben")
    servers = lab.servers
    expect(servers.get_by_role("listitem").first).to_be_visible()
    ana.start("gpu", size="small")
    expect(lab.row("gpu")).to_have_attribute("data-state", "running", timeout=SLOW)
    expect(lab.row("gpu")).to_contain_text("Running · Small")

    lab.row("gpu").locator("[data-row]").focus()
    lab.page.keyboard.press("Tab")
    with lab.page.context.expect_page() as opened:
        lab.page.keyboard.press("Enter")
    assert f"{hub.url}/user/ana/gpu/" in opened.value.url
    opened.value.close()

    row = lab.facts("gpu")
    row.get_by_role("button", name="Stop", exact=True).click()
    question = row.get_by_role("alertdialog")
    expect(question).to_contain_text("What runs in it ends. Files stay.")
    question.get_by_role("button", name="Stop").click()
    expect(row).to_have_attribute("data-state", "stopped", timeout=SLOW)

    ben.start(size="small", accelerator=accelerator(hub))
    ben.ready()
    form = change(lab, "gpu")
    form.get_by_role("combobox", name="Size").select_option(label="Huge (not now)")
    expect(form.locator(".jk-Form-fits")).to_contain_text("cannot be had")
    expect(form.get_by_role("button", name="Start")).to_be_disabled()
    form.get_by_role("combobox", name="Size").select_option(label="Small")
    form.get_by_role("combobox", name="Accelerator").select_option(index=1)
    expect(form.locator(".jk-Form-fits")).to_contain_text("This has to wait")
    form.get_by_role("button", name="Keep for later").click()
    expect(form).to_have_count(0)
    expect(row).to_contain_text("RTX A4000")

    row.get_by_role("button", name="Start gpu").press("Enter")
    expect(row.get_by_role("status")).to_have_text("Waiting for 1 GPU. It is held by ben.", timeout=SLOW)
    expect(row).to_have_attribute("data-state", "starting")
    assert violations(lab.page, ".jk-Panel") == []
    row.get_by_role("button", name="Stop gpu").press("Enter")
    expect(row).to_have_attribute("data-state", "stopped", timeout=SLOW)
    expect(row.locator(".jk-ErrorLine")).to_have_count(0)
    ben.stop()
    ben.gone()


def change(lab: HubLab, name: str) -> Locator:
    """Open the form of a stopped server."""
    row = lab.facts(name)
    row.get_by_role("button", name="Change…").click()
    form = row.get_by_role("form")
    expect(form).to_be_visible()
    return form


def test_a_new_server_has_a_name_and_the_hubs_form(lab: HubLab, hub: RunningHub) -> None:
    """A wrong name is said while it is typed; the right one leads to its page."""
    lab.servers.get_by_role("button", name="New server").press("Enter")
    form = lab.panel.get_by_role("form", name="New server")
    field = form.get_by_role("textbox", name="Name")
    expect(field).to_be_focused()
    field.fill("Not a name")
    expect(field).to_have_accessible_description(re.compile("Small letters"))
    field.fill("mine")
    with lab.page.context.expect_page() as opened:
        field.press("Control+Enter")
    assert f"{hub.url}/hub/spawn/ana/mine" in opened.value.url
    expect(opened.value.get_by_role("group", name="Size")).to_be_visible()
    opened.value.close()
    expect(form).to_have_count(0)


def test_a_start_that_is_refused_says_why_in_its_row(lab: HubLab, hub: RunningHub, ana: User) -> None:
    """The Hub's own words, with its share in numbers; gone when it is dismissed."""
    key = accelerator(hub)
    ana.start("second", size="small")
    ana.ready("second")
    ana.stop("second")
    ana.gone("second")
    lab.command("kubeflow:open-servers")
    form = change(lab, "second")
    form.get_by_role("combobox", name="Accelerator").select_option(value=key)
    expect(form.locator(".jk-Form-fits")).to_contain_text("This fits")
    form.get_by_role("button", name="Keep for later").press("Enter")
    expect(form).to_have_count(0)
    ana.start("first", size="small", accelerator=key)
    ana.ready("first")
    row = lab.row("second")
    row.get_by_role("button", name="Start second").press("Enter")
    expect(row.locator(".jk-ErrorLine")).to_contain_text("one user may have 1", timeout=SLOW)
    assert violations(lab.page, ".jk-Panel") == []
    row.get_by_role("button", name="Dismiss").press("Enter")
    expect(row.locator(".jk-ErrorLine")).to_have_count(0)
    ana.stop("first")
    ana.gone("first")


# As it looks


def panel(count: int, *, long: bool = False) -> dict[str, Any]:
    """What the Hub might say of so many servers, in every state."""
    states = ("running", "stopped", "starting", "running", "stopping", "stopped")
    name = (lambda n: f"{LONG}-{n}") if long else (lambda n: f"experiment-{n}")
    servers = [server("", isCurrent=True, title="Default server", state="running")]
    for n in range(count):
        state = states[n % len(states)]
        words = f"Waiting for 1 GPU. It is held by {LONG if long else 'ben'}." if state == "starting" else ""
        servers.append(server(name(n), state=state, words=words))
    servers[0]["idle"] = {
        "action": "warn",
        "words": "It has been idle for 51 min and holds a GPU. It is stopped in 9 min.",
        "stopsAt": "2100-01-01T00:00:00Z",
        "idleSince": "2026-01-01T00:00:00Z",
    }
    quota = [
        {"name": "CPU", "left": "3", "hard": "8", "share": "62"},
        {"name": "Memory", "left": "3.2 GiB", "hard": "32 GiB", "share": "90"},
        {"name": f"{LONG}.com/gpu" if long else "GPUs", "left": "0", "hard": "2", "share": "100"},
    ]
    left = {
        "size": [{"key": "small", "title": LONG if long else "Small, 1 CPU"}],
        "accelerator": [{"key": "gpu", "title": "NVIDIA RTX A4000, 16 GiB"}],
        "quota": quota,
    }
    return {"user": "ana", "current": "", "servers": servers, "home": "/hub/home", "left": left}


def server(name: str, **more: Any) -> dict[str, Any]:
    """One of them."""
    idle = {"action": "keep", "words": "A cell is running.", "stopsAt": None, "idleSince": None}
    return {
        "name": name, "title": name, "words": "", "isCurrent": False, "url": f"/user/ana/{name}", "form": "/hub/spawn/ana",
        "started": "2026-01-01T00:00:00Z", "lastActivity": "2026-01-01T00:00:00Z", "idle": idle,
        "options": {"size": "small", "accelerator": "gpu", "count": 2}, **more,
    }  # fmt: skip


def saying(lab: HubLab, answer: dict[str, Any] | None) -> None:
    """Let the page hear this of the Hub; None: that it does not answer."""

    def reply(route: Route) -> None:
        if answer is None:
            words = "The Hub does not answer: connection refused"
            route.fulfill(status=503, json={"message": words, "hint": "It may be restarting."})
        else:
            route.fulfill(json=answer)

    lab.page.unroute(re.compile(r"kubeflow/v1/servers(\?|$)"))
    lab.page.route(re.compile(r"kubeflow/v1/servers(\?|$)"), reply)


def check(lab: HubLab, pictures: Path, name: str) -> None:
    """Nothing sticks out and nothing is wrong in either theme; leaves a picture of each."""
    for dark in (True, False):
        lab.theme(dark=dark)
        lab.panel.screenshot(path=pictures / f"servers-{name}-{'dark' if dark else 'light'}.png")
        assert lab.panel.evaluate(BAD_PLACES) == [], f"{name}, {'dark' if dark else 'light'}"
        assert violations(lab.page, ".jk-Panel") == []


@pytest.mark.parametrize(
    ("name", "count", "long"), [("empty", 0, False), ("full", 30, False), ("long", 6, True)]
)
def test_it_fits_into_a_narrow_panel(
    lab: HubLab, pictures: Path, name: str, count: int, *, long: bool
) -> None:
    """No server but this one, thirty, and names that do not fit, 240 pixels wide."""
    saying(lab, panel(count, long=long))
    lab.page.reload()
    lab.ready()
    narrow(lab)
    section = lab.servers
    expect(section.get_by_role("listitem").first).to_contain_text("Default server")
    if count > 10:
        section.get_by_role("button", name=f"Show all {count + 1}").click()
        expect(lab.panel.locator(".jk-Server")).to_have_count(count + 1)
        section.get_by_role("searchbox").fill("starting")
        expect(lab.panel.locator(".jk-Server")).to_have_count(count // 6)
        section.get_by_role("searchbox").press("Escape")
    lab.panel.locator(".jk-Server [data-row]").nth(min(1, count)).click()
    check(lab, pictures, name)


def test_a_hub_that_does_not_answer_is_said_and_what_was_known_stays(lab: HubLab, pictures: Path) -> None:
    saying(lab, panel(3))
    lab.page.reload()
    lab.ready()
    narrow(lab)
    section = lab.servers
    expect(section.locator(".jk-Server")).to_have_count(4)
    saying(lab, None)
    expect(section).to_contain_text("The Hub does not answer")
    expect(section.locator(".jk-Server")).to_have_count(4)
    check(lab, pictures, "broken")
    saying(lab, panel(3))
    section.get_by_role("button", name="Try again").click()
    expect(section.locator(".jk-ErrorLine")).to_have_count(0)
