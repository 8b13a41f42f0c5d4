"""One real JupyterLab and one real Chromium for all browser tests; a fresh page and workspace for each."""

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
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, expect, sync_playwright

from tests.ui.screen import Lab

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1280, 800
PATIENCE = 300
"""Seconds that a Jupyter server may take to answer on a machine that does other things."""
DONE = {"SUCCEEDED", "FAILED", "CANCELED", "PAUSED"}
# Machines that run tests are slow and shared; a wait ends as soon as what it waits for is there.
expect.set_options(timeout=45_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.ui)


@dataclass
class Server:
    """A Jupyter server of its own, in a folder of its own."""

    root: Path
    home: Path
    environment: dict[str, str]
    port: int
    token: str
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when the server answers."""
        arguments = [
            f"--port={self.port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1", "--no-browser", "--allow-root",
            f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *arguments],
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                self.get("api/status")
            except OSError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        pytest.fail(f"the Jupyter server did not answer within {PATIENCE} s:\n{self.log.read_text()[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def get(self, path: str) -> Any:
        """The JSON answer to a GET of ``path`` below the server's root."""
        return self._ask("GET", path)

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def settle(self, names: list[str], seconds: float = 60, plural: str = "runs") -> None:
        """Wait until these have ended, however they end."""
        deadline = time.monotonic() + seconds
        for name in names:
            while self.get(f"kubeflow/v1/{plural}/{name}")["status"]["phase"] not in DONE:
                assert time.monotonic() < deadline, f"{name} did not end within {seconds} s"
                time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def labextension(repository: Path, folder: Path) -> None:
    """Put a copy of the work tree's bundle, not what was once installed, first on JupyterLab's path."""
    bundle = repository / "jupyter_ext/labextension"
    if not (bundle / "package.json").is_file():
        pytest.skip("the labextension is not built (make lab)")
    shutil.copytree(bundle, folder / "labextensions/@jupyter-kubeflow/labextension")


@pytest.fixture(scope="session")
def server(
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
    _nothing_of_the_users: None,
    _no_process_left: None,
) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("lab")
    root, home, config, path = (base / name for name in ("notebooks", "kubeflow", "config", "path"))
    for folder in (root, config / "labconfig"):
        folder.mkdir(parents=True)
    labextension(repository, path)
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig/page_config.json").write_text(json.dumps(quiet))
    (config / "jupyter_server_config.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": {"jupyter_ext": True}}})
    )
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_KUBEFLOW_HOME": str(home),
        "JUPYTER_PATH": str(path),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(base / "settings"),
        "KUBECONFIG": str(base / "kubeconfig"),  # a test that wants other clusters writes it
    }
    server = Server(root, home, environment, free_port(), secrets.token_hex(8), base / "server.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()
        kept = repository / "test-results"
        kept.mkdir(exist_ok=True)
        shutil.copy(server.log, kept / "server.log")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no chromium (make test-ui installs it)")
    browser = playwright.chromium.launch(
        executable_path=found,
        headless=not os.environ.get("HEADED"),
        args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--font-render-hinting=none"],
    )
    yield browser
    browser.close()


@pytest.fixture
def pictures(repository: Path) -> Path:
    folder = repository / "test-results"
    folder.mkdir(exist_ok=True)
    return folder


class Watch:
    """What a page must not do: log an error, throw, or talk to another machine."""

    # Words of JupyterLab's own, which it says without us too.
    KNOWN = (
        *("favicon", "Failed to load resource", "ERR_CONNECTION_REFUSED", "WebSocket", "Connection lost"),
        "Could not restore the debugger state",
    )

    def __init__(self, page: Page, server: Server) -> None:
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.base = server.url
        page.on("console", self._console)
        page.on("pageerror", self._uncaught)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in self.KNOWN):
            self.errors.append(message.text)

    def _uncaught(self, error: Exception) -> None:
        # JupyterLab saves its layout, and asks kernels, without catching that they are gone; some tests take them away.
        if any(word in str(error) for word in ("Failed to fetch", "Canceled future", "Kernel is dead")):
            return
        # Its splash is shown again where a theme is loaded in the 200 ms in which it fades, and then taken away twice, by
        # a timer that nothing else is on the stack of.
        stack = str(getattr(error, "stack", ""))
        if "'removeChild' on 'Node'" not in str(error) or stack.count("\n    at ") != 1:
            self.errors.append(f"uncaught: {error}\n{stack}")

    def _request(self, request: Request) -> None:
        local = (self.base, self.base.replace("http", "ws"), "data:", "blob:", "about:")
        if not request.url.startswith(local):
            self.elsewhere.append(request.url)


@contextmanager
def another_lab(base: Path, environment: dict[str, str]) -> Iterator[Server]:
    """A server of its own in a folder that is there; ``environment`` names where its profile is."""
    home = Path(environment["JUPYTER_KUBEFLOW_HOME"])
    made = Server(
        base / "notebooks", home, environment, free_port(), secrets.token_hex(8), base / "server.log"
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def page(browser: Browser, server: Server, request: pytest.FixtureRequest, pictures: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page = context.new_page()
    watch = Watch(page, server)
    failed = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed:
        page.screenshot(path=pictures / f"failed-{request.node.name}.png")
    context.close()
    assert not watch.errors, "the page logged errors"
    assert not watch.elsewhere, "the page talked to another machine"


@pytest.fixture
def lab(page: Page, server: Server) -> Lab:
    """JupyterLab, open and empty."""
    lab = Lab(page, server.url, server.token, server.root)
    lab.open()
    return lab
