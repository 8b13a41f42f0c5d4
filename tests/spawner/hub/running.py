"""A real Hub in a process of its own, and users that sign in and speak HTTP with it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

PATIENCE = 120.0
GPU = "GPU-{:08d}-0000-0000-0000-000000000000"

START = """
import json, sys
from spawner.hub import setup as hub
hub.run(hub.Settings.from_dict(json.loads(sys.stdin.readline())))
"""


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """The first true answer; fails with ``what`` when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class FakeNvidiaSmi:
    """An ``nvidia-smi`` that lists so many GPUs, in the format of the real one's ``--query-gpu`` and ``-L``."""

    def __init__(self, folder: Path, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rows = "\n".join(f"{GPU.format(n)}, {n}, NVIDIA RTX A4000, 16376" for n in range(count))
        listing = "\n".join(f"GPU {n}: NVIDIA RTX A4000 (UUID: {GPU.format(n)})" for n in range(count))
        script = folder / "nvidia-smi"
        script.write_text(
            f'#!/bin/sh\nif [ "$1" = -L ]; then cat <<E\n{listing}\nE\nelse cat <<E\n{rows}\nE\nfi\n'
        )
        script.chmod(0o755)
        self.folder = folder


class User:
    """A browser's part: cookies, and the token against cross-site requests."""

    def __init__(self, hub: RunningHub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.session = requests.Session()

    def enter(self) -> requests.Response:
        """Follow the printed link."""
        secrets = self.hub.secrets()[self.name]
        query = {"username": self.name, "token": secrets["link"]}
        return self.session.get(
            f"{self.hub.url}/hub/enter", params=query, allow_redirects=False, timeout=PATIENCE
        )

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """A request of a page of the Hub, with its XSRF token."""
        xsrf = self.session.cookies.get("_xsrf", path="/hub/") or ""
        headers = {"X-XSRFToken": xsrf, "Referer": f"{self.hub.url}/hub/home", **more.pop("headers", {})}
        return self.session.request(
            method, f"{self.hub.url}{path}", headers=headers, timeout=PATIENCE, **more
        )

    def start(self, server: str = "", user: str = "", **options: Any) -> requests.Response:
        """Ask for a server over REST."""
        return self.call("POST", self._server(server, user), json=options)

    def stop(self, server: str = "", user: str = "") -> requests.Response:
        """Ask for its end."""
        return self.call("DELETE", self._server(server, user))

    def server(self, name: str = "") -> dict[str, Any]:
        """The Hub's model of one of the user's servers; empty when it is not running."""
        found = self.call("GET", f"/hub/api/users/{self.name}?include_stopped_servers").json()
        return dict(found.get("servers", {}).get(name, {}))

    def ready(self, name: str = "") -> dict[str, Any]:
        """Wait until it is ready."""
        return dict(
            until(lambda: (s := self.server(name)).get("ready") and s, f"{self.name}'s server is ready")
        )

    def gone(self, name: str = "") -> None:
        """Wait until it is neither there nor pending."""
        until(
            lambda: not (s := self.server(name)).get("ready") and not s.get("pending"), "the server is gone"
        )

    def _server(self, server: str, user: str) -> str:
        return f"/hub/api/users/{user or self.name}/server" + (f"s/{server}" if server else "")


class RunningHub:
    """The Hub of one folder; it may be killed and started again."""

    def __init__(
        self, folder: Path, users: str = "ana,ben", env: Mapping[str, str] | None = None, **settings: Any
    ) -> None:
        self.folder = folder
        self.env = {**os.environ, **(env or {})}
        self.env.pop("CUDA_VISIBLE_DEVICES", None)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        root = os.geteuid() == 0
        self.python = str(settings.pop("python", sys.executable))
        self.settings = {
            "folder": str(folder), "users": users.split(","), "port": self.port, "share_root": root, "idle_minutes": 0,
            **settings,
        }  # fmt: skip
        self.output = folder.parent / f"{folder.name}.out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RunningHub:
        """Start it and wait until it says where to sign in."""
        before = self.output.read_text() if self.output.exists() else ""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [self.python, "-c", START], stdin=subprocess.PIPE, stdout=output, stderr=output, env=self.env,
                start_new_session=True,
            )  # fmt: skip
        assert self.process.stdin
        self.process.stdin.write(json.dumps(self.settings).encode() + b"\n")
        self.process.stdin.close()

        def up() -> bool:
            assert self.process
            assert self.process.poll() is None, self.log()[-3000:]
            return "Ctrl-C ends the Hub" in self.log()[len(before) :]

        until(up, "the Hub is up")
        return self

    def kill(self) -> None:
        """As a machine that runs out of memory would."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """As Ctrl-C does."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        """What it printed."""
        return self.output.read_text()

    def secrets(self) -> dict[str, dict[str, str]]:
        """The links and passwords of this start."""
        return dict(json.loads((self.folder / "sign-in.json").read_bytes()))

    def user(self, name: str) -> User:
        """A user who has signed in."""
        user = User(self, name)
        page = user.session.get(f"{self.url}/hub/login", timeout=PATIENCE).text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        form = {
            "username": name,
            "password": self.secrets()[name]["password"],
            "_xsrf": xsrf[1] if xsrf else "",
        }
        answer = user.session.post(
            f"{self.url}/hub/login", data=form, allow_redirects=False, timeout=PATIENCE
        )
        assert answer.status_code == 302, answer.text
        user.session.get(f"{self.url}/hub/home", timeout=PATIENCE)
        return user

    def states(self) -> list[dict[str, Any]]:
        """What the keepers wrote."""
        return [json.loads(path.read_bytes()) for path in (self.folder / "servers").glob("*/state.json")]

    def processes(self) -> dict[int, str]:
        """Every process of its servers and keepers, by number."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environment = (path / "environ").read_bytes()
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            uids = re.findall(rb"JUPYTER_KUBEFLOW_SERVER=([0-9a-f-]+)", environment)
            if any((self.folder / "servers" / uid.decode()).is_dir() for uid in uids) or (
                "keeper.py" in line and (path / "cwd").exists() and (path / "cwd").readlink() == self.folder
            ):
                found[int(path.name)] = line
        return found
