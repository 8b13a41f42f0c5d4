"""One Hub of `benchmarks.spawn`: a real one, driven by its REST API, and what was seen of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import psutil
import requests

CONFIG: Final = Path(__file__).parent / "peers" / "spawn_hub.py"
_AT_ONCE: Final = 16


class Side:
    """A Hub that runs, with its users."""

    def __init__(
        self, kubeconfig: Path, folder: Path, spawner: str, port: int, users: list[str], **traits: Any
    ) -> None:
        self.folder, self.users, self.port = folder, users, port
        folder.mkdir(mode=0o700)
        self.token = secrets.token_hex(16)
        self.timeout = 60 + len(users) // 4
        settings = {
            "folder": str(folder),
            "port": port,
            "spawner": spawner,
            "token": self.token,
            "users": users,
            "timeout": self.timeout,
            "traits": traits,
        }
        env = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "KUBECONFIG": str(kubeconfig),
            "SPAWN_HUB": json.dumps(settings),
        }
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)]
            self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
        self._sessions = threading.local()
        self.cpu: list[float] = []
        self.behind: list[float] = []
        self.noticed: list[float] = []
        self.requests: list[float] = []
        self.failed = 0
        self.known: dict[str, float] = {}
        self._wait()
        self._settle()
        self.before = self.memory()
        self.memory_of_one = 0.0

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Ask the Hub's REST API."""
        if not hasattr(self._sessions, "one"):
            self._sessions.one = requests.Session()
            self._sessions.one.headers["Authorization"] = f"token {self.token}"
        found: requests.Response = self._sessions.one.request(
            method, f"{self.url}/api{path}", json=body, timeout=300
        )
        return found

    @property
    def url(self) -> str:
        """Where the Hub itself is, without a proxy."""
        return f"http://127.0.0.1:{self.port + 1}/hub"

    def memory(self) -> float:
        """What the Hub holds, in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    @property
    def watch(self) -> dict[str, Any]:
        """What the Hub's own watch found so far."""
        found: dict[str, Any] = json.loads((self.folder / "watch.json").read_text("utf-8"))
        return found

    def round(
        self,
        running: Mapping[str, tuple[float, str]],
        options: Mapping[str, Mapping[str, str]],
        *,
        pages: bool,
    ) -> None:
        """Start all at once (with every progress page open), wait, stop all."""
        self.known.clear()
        asked = Counter(self.watch["requests"])
        before = self._cpu()
        with self._answering(), self._pages() if pages else nullcontext(None) as show:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                codes = list(pool.map(lambda user: self._start(user, options[user], show), self.users))
            refused = sum(code >= 400 for code in codes)
            deadline = time.monotonic() + self.timeout + 30  # without asking the Hub, which would cost it
            while len(self.known) + refused < len(self.users) and time.monotonic() < deadline:
                time.sleep(0.1)
            self._settle()
            count = len(self.users)
            self.cpu.append((self._cpu() - before) / count * 1000)
            self.requests.append((Counter(self.watch["requests"]) - asked).total() / count)
            self.failed += count - self._ready()
            self.memory_of_one = max(self.memory_of_one, (self.memory() - self.before) / count)
        self._compare(running)
        self._stop()

    def _compare(self, running: Mapping[str, tuple[float, str]]) -> None:
        returned = self.watch["returned"]
        for user, (ready, uid) in running.items():
            if user in self.known and uid in returned:
                self.behind.append(self.known[user] - ready)
                self.noticed.append(returned[uid] - ready)

    def _start(self, user: str, options: Mapping[str, str], show: Any) -> int:
        code = self.call("POST", f"/users/{user}/server", dict(options)).status_code
        if show is not None:
            show(user)
        return code

    def _stop(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda user: self.call("DELETE", f"/users/{user}/server"), self.users))
        while self.call("GET", "/users?state=active&limit=1").json():
            time.sleep(0.5)
        self._settle()

    def _cpu(self) -> float:
        return float(sum(psutil.Process(self.process.pid).cpu_times()[:2]))

    def _settle(self, seconds: float = 120) -> None:
        """Wait until the Hub has nothing more to do: less than 6 % of a core in half a second, twice."""
        deadline, quiet, before = time.monotonic() + seconds, 0, self._cpu()
        while quiet < 2 and time.monotonic() < deadline:
            time.sleep(0.5)
            now = self._cpu()
            quiet = quiet + 1 if now - before <= 0.03 else 0
            before = now

    def _wait(self) -> None:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(requests.ConnectionError):
                if self.call("GET", "/").ok:
                    return
            time.sleep(0.2)
        raise RuntimeError((self.folder / "log").read_text()[-3000:])

    def _ready(self) -> int:
        found, page = 0, 100
        for offset in range(0, len(self.users), page):
            asked = f"/users?state=ready&offset={offset}&limit={page}"
            found += len(self.call("GET", asked).json())
        return found

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Answer for every server, and note when the Hub first asked for one."""
        known = self.known

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known.setdefault(self.path.split("/")[2], time.time())
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 4096
            daemon_threads = True

        server = Server(("127.0.0.1", self.port + 2), Answer)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()
        server.server_close()

    @contextmanager
    def _pages(self) -> Iterator[Any]:
        """Gives what opens the progress page of a user, which stays open until the server is ready."""
        import aiohttp

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def opened() -> aiohttp.ClientSession:
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=None)
            headers = {"Authorization": f"token {self.token}"}
            return aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout)

        session = asyncio.run_coroutine_threadsafe(opened(), loop).result()

        async def read(user: str) -> None:
            with suppress(aiohttp.ClientError):
                async with session.get(f"{self.url}/api/users/{user}/server/progress") as answer:
                    async for _ in answer.content.iter_any():
                        pass

        yield lambda user: asyncio.run_coroutine_threadsafe(read(user), loop)
        asyncio.run_coroutine_threadsafe(session.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)

    def signed_in(self, user: str) -> requests.Session:
        """A browser of this user."""
        session = requests.Session()
        page = session.get(f"{self.url}/login", timeout=60).text
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        form = {"username": user, "password": self.token, "_xsrf": found[1] if found else ""}
        answer = session.post(f"{self.url}/login", data=form, allow_redirects=False, timeout=60)
        if answer.status_code != 302:
            raise RuntimeError(f"{user} cannot sign in: {answer.status_code}")
        return session

    def token_of(self, user: str, browser: requests.Session) -> str:
        """A token that may do what this user may."""
        xsrf = browser.cookies.get("_xsrf", path="/hub/") or ""
        address = f"{self.url}/api/users/{user}/tokens"
        answer = browser.post(address, json={}, headers={"X-XSRFToken": xsrf}, timeout=60)
        return str(answer.json()["token"])

    def end(self) -> None:
        """End the Hub."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
