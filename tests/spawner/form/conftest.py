"""A real Hub with the form on its spawn page, and a real browser in front of it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from spawner.hub import proxy

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 180
PASSWORD = "sesame-sesame"
PYTHON = os.environ.get("JUPYTER_KUBEFLOW_HUB_PYTHON", sys.executable)
"""Of the Hub: another one has another JupyterHub."""
expect.set_options(timeout=45_000)

IMAGES = [
    {"key": "standard", "reference": "quay.io/jupyter/scipy-notebook:2026-10-01", "title": "Standard", "default": True,
     "description": "For everyday work", "contains": ["Python 3.13", "JupyterLab 4.6", "pandas", "scikit-learn"], "prepulled": True},
    {"key": "torch", "reference": "quay.io/jupyter/pytorch-notebook:cuda12", "title": "PyTorch with CUDA",
     "contains": ["Python 3.13", "PyTorch 2.9", "CUDA 12.8"], "prepulled": False, "vendors": ["NVIDIA"]},
]  # fmt: skip
SIZES = [
    {"key": "small", "title": "Small", "cpu": "1", "memory": "2Gi"},
    {"key": "medium", "title": "Medium", "cpu": "4", "memory": "16Gi"},
    {"key": "huge", "title": "Huge", "cpu": "200", "memory": "2Ti"},
]
WORLD: dict[str, Any] = {
    "settings": {
        "images": IMAGES,
        "sizes": SIZES,
        "image_other": {"pattern": r"quay\.io/jupyter/.+", "help": "Only images of quay.io/jupyter"},
        "size_other": {"most_cpu": "16", "most_memory": "64Gi"},
        "prices": {
            "currency": "€",
            "cpu": "0.03",
            "memory": "0.004",
            "accelerators": {"nvidia.com/gpu": "2.10"},
        },
        "home": {"size": "10Gi", "sizes": ["10Gi", "50Gi"]},
        "accelerators": [],
    },
    "accelerators": True,
    "profiles": [
        ["ada", "owner", ""],
        ["team-vision", "edit", ""],
        ["archive", "view", "You may only look at it."],
    ],
    "pods": [],
    "quotas": [
        {
            "metadata": {"name": "kf-resource-quota"},
            "spec": {},
            "status": {
                "hard": {"requests.cpu": "16", "requests.memory": "64Gi", "requests.nvidia.com/gpu": "4"},
                "used": {"requests.cpu": "4", "requests.memory": "16Gi", "requests.nvidia.com/gpu": "1"},
            },
        }
    ],
    "note": "",
    "hint": "",
    "home": {},
    "cluster_queues": [],
    "shared_with": [],
}


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class FormHub:
    """The Hub's process, its world, and what a client of its REST interface sees."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.token = folder, secrets.token_hex(16)
        port, hub_port, api_port = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self.world()
        self.environment = os.environ | {
            "FORM_TEST": str(folder), "FORM_PORT": str(port), "FORM_HUB_PORT": str(hub_port), "FORM_API_PORT": str(api_port),
            "FORM_TOKEN": self.token, "FORM_PROXY": str(repository / ".bench" / "proxy" / proxy.VERSION), "PYTHONPATH": str(repository),
        }  # fmt: skip
        self.log = folder / "hub.log"
        self.config = Path(__file__).with_name("hub_config.py")
        self.process: subprocess.Popen[bytes] | None = None

    def world(self, **changes: Any) -> None:
        """What the cluster is from now on."""
        (self.folder / "new").write_text(json.dumps({**WORLD, **changes}))
        (self.folder / "new").rename(self.folder / "world.json")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "jupyterhub", "-f", str(self.config)],
                env=self.environment, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                if self.ask("GET", "/hub/api/")[0] == 200:
                    return
            except (OSError, ValueError):
                pass  # not there yet, or the proxy speaks alone
            time.sleep(0.2)
        self.stop()
        pytest.fail(f"the Hub did not answer within {PATIENCE} s:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        pid = self.folder / "proxy.pid"  # a Hub that ends while it starts leaves its proxy
        if pid.exists():
            with suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGKILL)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}{path}", data, {"Authorization": f"token {self.token}"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code >= 502:
                raise
            return error.code, json.loads(error.read() or b"null")

    def started(self, user: str) -> dict[str, Any] | None:
        path = self.folder / f"started-{user}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def clear(self, user: str) -> None:
        """No server, and no memory of what was chosen."""
        deadline = time.monotonic() + 60
        while self.ask("DELETE", f"/hub/api/users/{user}")[0] not in {204, 404}:
            self.ask("DELETE", f"/hub/api/users/{user}/server")
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.2)
        (self.folder / f"started-{user}.json").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def form_hub(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FormHub]:
    hub = FormHub(tmp_path_factory.mktemp("form-hub"), repository)
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()


@pytest.fixture
def hub(form_hub: FormHub) -> FormHub:
    """The Hub as it was at first."""
    form_hub.world()
    form_hub.clear("ada")
    return form_hub


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no chromium (make test-ui installs it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            headless=not os.environ.get("HEADED"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--font-render-hinting=none"],
        )
        yield browser
        browser.close()


class Form:
    """What a person does at the form, in their words."""

    def __init__(self, page: Page, hub: FormHub) -> None:
        self.page, self.hub = page, hub

    def sign_in(self, user: str = "ada") -> None:
        self.page.goto(f"{self.hub.url}/hub/login?next=/hub/home")
        self.page.get_by_label("Username:").fill(user)
        self.page.get_by_label("Password:").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/hub/home")

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.hub.url}/hub/spawn{query}")

    def group(self, name: str) -> Any:
        return self.page.get_by_role("group", name=name, exact=True)

    def radio(self, group: str, name: str) -> Any:
        return self.group(group).get_by_role("radio", name=name, exact=True)

    def about(self, group: str, name: str) -> str:
        """What a screen reader says after the name of a choice."""
        ids = (self.radio(group, name).get_attribute("aria-describedby") or "").split()
        return " ".join(self.page.locator(f"[id='{each}']").inner_text() for each in ids)

    @property
    def verdict(self) -> Any:
        return self.page.locator("#kf-verdict")

    def press_start(self) -> None:
        self.page.get_by_role("button", name="Start", exact=True).click()


@contextmanager
def opened(
    browser: Browser, hub: FormHub, request: pytest.FixtureRequest, repository: Path, **options: Any
) -> Iterator[Form]:
    """A page of its own, signed in as ada, that must not throw and must not talk to another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US", **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=hub.url)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    elsewhere: list[str] = []
    inside = (hub.url, "data:", "about:")
    page.on("request", lambda sent: None if sent.url.startswith(inside) else elsewhere.append(sent.url))
    form = Form(page, hub)
    form.sign_in()
    failed = request.session.testsfailed
    yield form
    if request.session.testsfailed > failed:
        (repository / "test-results").mkdir(exist_ok=True)
        page.screenshot(path=repository / "test-results" / f"failed-{request.node.name}.png", full_page=True)
    context.close()
    assert not errors, "the page threw"
    assert not elsewhere, "the page talked to another machine"


@pytest.fixture
def form(browser: Browser, hub: FormHub, request: pytest.FixtureRequest, repository: Path) -> Iterator[Form]:
    with opened(browser, hub, request, repository) as form:
        yield form


@pytest.fixture
def plain_form(
    browser: Browser, hub: FormHub, request: pytest.FixtureRequest, repository: Path
) -> Iterator[Form]:
    """The same without JavaScript."""
    with opened(browser, hub, request, repository, java_script_enabled=False) as form:
        yield form
