"""Home in a real browser, before a real API server: people of a profile, its quota, and what an administrator sees.

The browser and the Jupyter server are in the cluster's network, of their own; all tests here share both.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.cluster_both.test_home import bind, pod
from tests.ui.conftest import HEIGHT, NAMES, WIDTH, Server, Watch, another_lab, labextension
from tests.ui.screen import Lab, violations
from tests.ui.test_narrow import BAD_PLACES
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

OWNERS = secrets.token_hex(4)
"""Whose other profiles are: a cluster that is kept may have those of earlier sessions."""
LONG = "a-contributor-whose-name-is-as-long-as-names-get-and-has-no-place-to-break@example.com"


@pytest.fixture(scope="module")
def team(cluster) -> Iterator[str]:
    """A profile of Ada's with a quota and pods, and beside it others that are not hers."""
    with cluster.swept():
        yield _team(cluster)


def _team(cluster) -> str:
    made = str(cluster.namespace("team", owner="ada"))
    bind(cluster, made, "ada", "admin")
    quota = {"requests.cpu": "8", "requests.memory": "16Gi", "requests.nvidia.com/gpu": "4"}
    path = f"/api/v1/namespaces/{made}"
    cluster.call("POST", f"{path}/resourcequotas", {
        "metadata": {"name": "kf-resource-quota"}, "spec": {"hard": quota},
    })  # fmt: skip
    until(lambda: cluster.call("GET", f"{path}/resourcequotas/kf-resource-quota").get("status"))
    about = {"annotations": {"hub.jupyter.org/username": "ada"}}
    cluster.call("POST", f"{path}/pods", pod("jupyter-ada", "3", "2Gi", gpus=4, **about))
    for number in range(9):
        cluster.namespace(f"other-{number}", owner=f"{OWNERS}-{LONG}" if number else f"eve-{OWNERS}")
    return made


@pytest.fixture(scope="module")
def server(cluster, team: str, repository: Path, tmp_path_factory) -> Iterator[Server]:
    """A JupyterLab that reaches the cluster as ada, as bob or as the administrator."""
    base = tmp_path_factory.mktemp("lab-home")
    (base / "notebooks").mkdir()
    (base / "config/labconfig").mkdir(parents=True)
    labextension(repository, base / "path")
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (base / "config/labconfig/page_config.json").write_text(json.dumps(quiet))
    extensions = {"ServerApp": {"jpserver_extensions": {"jupyter_ext": True}}}
    (base / "config/jupyter_server_config.json").write_text(json.dumps(extensions))
    files = {
        "ada": cluster.kubeconfig_of("ada"),
        "bob": cluster.kubeconfig_of("bob"),
        "admin": cluster.kubeconfig,
    }
    (base / "kubeconfig").write_text(yaml.safe_dump(_merged(files)))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_KUBEFLOW_HOME": str(base / "kubeflow"),
        "JUPYTER_PATH": str(base / "path"),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(base / "settings"),
        "KUBECONFIG": str(base / "kubeconfig"),
    }
    with another_lab(base, environment) as made:
        yield made


def _merged(files: dict[str, Path]) -> dict:
    """One kubeconfig with a context of each name."""
    read = {name: yaml.safe_load(file.read_text()) for name, file in files.items()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(read)),
        "clusters": next(iter(read.values()))["clusters"],
        "users": [{"name": name, "user": one["users"][0]["user"]} for name, one in read.items()],
        "contexts": [
            {"name": name, "context": {"cluster": one["clusters"][0]["name"], "user": name}}
            for name, one in read.items()
        ],
    }


@pytest.fixture(scope="module")
def chromium(cluster) -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no chromium (make test-ui installs it)")
    words = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--font-render-hinting=none"]
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=words)
        yield made
        made.close()


@pytest.fixture
def screen(chromium: Browser, server: Server, request, repository: Path) -> Iterator[Page]:
    expect.set_options(timeout=45_000)
    context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
    page = context.new_page()
    watch, failed = Watch(page, server), request.session.testsfailed
    yield page
    if request.session.testsfailed > failed:
        pictures(repository, page, f"failed-{request.node.name}")
    context.close()
    assert not watch.errors, "the page logged errors"
    assert not watch.elsewhere, "the page talked to another machine"


def pictures(repository: Path, page: Page, name: str) -> None:
    (repository / "test-results").mkdir(exist_ok=True)
    page.screenshot(path=repository / f"test-results/{name}.png")


@pytest.fixture
def home(screen: Page, server: Server, team: str):
    """Opens the page as somebody, in a theme."""

    def opened(user: str, *, dark: bool = False) -> Locator:
        server.post("kubeflow/v1/cluster", {"context": user, "namespace": team})
        lab = Lab(screen, server.url, server.token, server.root)
        lab.open()
        lab.theme(dark=dark)
        lab.command("kubeflow:open-home")
        page = screen.get_by_role("region", name="Kubeflow home", exact=True)
        expect(page.get_by_role("region", name="Components")).to_be_visible()
        return page

    return opened


def card(page: Locator, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def is_sound(page: Locator) -> None:
    """Nothing sticks out or is cut off, but what is typed; axe finds nothing."""
    assert [bad for bad in page.evaluate(BAD_PLACES) if not bad.startswith("is cut off: INPUT")] == []
    assert violations(page.page, ".jk-Home") == []


def bindings(cluster, team: str) -> dict[str, str]:
    """Whom the API server has in the profile, by Kubernetes' own roles."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{team}/rolebindings"
    return {
        subject["name"]: one["roleRef"]["name"]
        for one in cluster.call("GET", path)["items"]
        for subject in one.get("subjects") or ()
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_owner_adds_people_and_takes_them_out(cluster, team, home, repository, dark):
    page = home("ada", dark=dark)
    people = card(page, "People")
    rows = people.get_by_role("list", name="People").get_by_role("listitem")
    expect(rows).to_have_count(1)
    expect(rows.filter(has_text="ada")).to_contain_text("Owner")
    expect(rows.get_by_role("button", name="Remove")).to_have_count(0)  # nobody takes the owner out
    people.get_by_role("button", name="Add", exact=True).click()
    form = people.get_by_role("form", name="Add somebody")
    check = form.get_by_role("button", name="Check", exact=True)
    expect(check).to_have_attribute("title", "Write a name first.")
    # Tried: the API server says what it would say, and keeps nothing.
    form.get_by_role("textbox", name="Name").fill(LONG)
    form.get_by_role("combobox", name="Role").select_option(label="Viewer")
    check.click()
    expect(form.get_by_role("status")).to_have_text("The cluster would take it.")
    assert LONG not in bindings(cluster, team)
    is_sound(page)
    pictures(repository, page.page, f"home-people-form-{'dark' if dark else 'light'}")
    form.get_by_role("textbox", name="Name").press("Enter")
    expect(rows.filter(has_text=LONG)).to_contain_text("Viewer")
    expect(form).to_have_count(0)
    assert bindings(cluster, team)[LONG] == "view"
    # What is refused is said at the form, which keeps what was written.
    people.get_by_role("button", name="Add", exact=True).click()
    form.get_by_role("textbox", name="Name").fill(LONG)
    form.get_by_role("button", name="Add", exact=True).click()
    expect(form).to_contain_text("already: view")
    expect(form.get_by_role("textbox", name="Name")).to_have_value(LONG)
    form.get_by_role("textbox", name="Name").fill("vision")
    form.get_by_role("combobox", name="Kind").select_option("Group")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(rows.filter(has_text="Group vision")).to_contain_text("Editor")
    is_sound(page)
    pictures(repository, page.page, f"home-people-{'dark' if dark else 'light'}")
    for name in (LONG, "vision"):
        row = rows.filter(has_text=name)
        row.get_by_role("button", name="Remove").click()
        expect(row).to_contain_text("out of the profile?")
        assert name in bindings(cluster, team)
        row.get_by_role("button", name="Keep").click()
        row.get_by_role("button", name="Remove").click()
        row.get_by_role("button", name="Remove").click()
        expect(row).to_have_count(0)
    assert set(bindings(cluster, team)) == {"ada"}


def test_quota_and_who_uses_it(home):
    page = home("ada")
    quota = card(page, "Quota")
    expect(quota).to_contain_text("3 of 8 used")
    expect(quota).to_contain_text("4 of 4 used")
    expect(card(page, "In use").get_by_role("list", name="By person")).to_contain_text("ada")
    expect(card(page, "In use").get_by_role("list", name="By kind")).to_contain_text("3 cores")
    expect(card(page, "Profiles")).to_have_count(0)
    expect(card(page, "All profiles")).to_have_count(0)


def test_one_who_may_only_work_there_adds_nobody(cluster, team, home):
    bind(cluster, team, "bob", "edit")
    try:
        page = home("bob")
        expect(card(page, "In use")).to_be_visible()
        expect(card(page, "People")).to_have_count(0)
    finally:
        cluster.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{team}/rolebindings/bob-edit")


def test_an_administrator_goes_from_profile_to_profile(cluster, team, home, repository):
    page = home("admin")
    all_of_them = card(page, "All profiles")
    rows = all_of_them.get_by_role("list", name="Profiles").get_by_role("listitem")
    expect(rows.filter(has_text=f"{team}, of ada")).to_contain_text("used now")
    expect(rows.filter(has_text=f"{team}, of ada")).to_contain_text("4 GPUs")
    all_of_them.get_by_role("button", name="Show all").click()
    expect(rows.filter(has_text=f", of {OWNERS}-{LONG}")).to_have_count(8)
    is_sound(page)
    pictures(repository, page.page, "home-profiles")
    rows.filter(has_text=f"of eve-{OWNERS}").get_by_role("button", name="Switch").click()
    expect(page).to_contain_text("Profile other-0")
    expect(rows.filter(has_text=f"of eve-{OWNERS}")).to_contain_text("used now")
    expect(card(page, "Quota")).to_contain_text("There is none.")
