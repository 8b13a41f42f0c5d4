"""Bad weather between a Hub and the API server: a proxy that refuses, delays, loses answers and cuts watches.

Which requests suffer is decided by rules of the test, in the words of the request, never by chance.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

BUSY: Final = {
    "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "TooManyRequests", "code": 429,
    "message": "The server has received too many requests", "details": {"retryAfterSeconds": 1},
}  # fmt: skip
"""As the API server's priority and fairness says it."""
EXPIRED: Final = {
    "type": "ERROR",
    "object": {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
        "message": "The resourceVersion for the provided watch is too old.",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    is_watch: bool
    body: Mapping[str, Any]

    @property
    def makes_pod(self) -> str:
        """The name of the pod that it would create, or nothing."""
        if self.method == "POST" and self.path.endswith("/pods"):
            return str((self.body.get("metadata") or {}).get("name") or "")
        return ""


@dataclass(frozen=True)
class Trouble:
    """What becomes of a request: all of it, in this order."""

    after: float = 0.0
    """Seconds before it is passed on."""
    until: threading.Event | None = None
    """It is passed on when this is set."""
    busy: bool = False
    """It is not passed on: 429."""
    lost: bool = False
    """It is passed on, and the connection ends without the answer."""
    silent: bool = False
    """It is passed on, and no answer comes."""
    cut_after: float = 0.0
    """Seconds after which a watch ends with 410."""


FAIR: Final = Trouble()
Rule = Callable[[Asked], Trouble]


class Weather:
    """The proxy; `kubeconfig` leads through it, as the cluster's administrator."""

    def __init__(self, cluster: Any, folder: Path) -> None:
        self.kubeconfig = folder / "weather.kubeconfig"
        self.rule: Rule = lambda _asked: FAIR
        self.seen: dict[str, int] = {}
        """How often each trouble was made."""
        self._cluster = cluster
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    @contextmanager
    def blowing(self) -> Iterator[Weather]:
        """It runs, in a thread of its own: in the network of the thread that calls this."""
        ready = threading.Event()
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(ready)))
        thread.start()
        try:
            assert ready.wait(60)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join()
            self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        place = self._cluster.place.certificates
        encrypted = ssl.create_default_context(cafile=str(place / "ca.crt"))
        encrypted.load_cert_chain(place / "admin.crt", place / "admin.key")
        connector = TCPConnector(ssl=encrypted, limit=0, force_close=True, socket_factory=self._socket)
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._pass)
        async with ClientSession(connector=connector, timeout=ClientTimeout(total=None)) as self._session:
            runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1.0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            self.kubeconfig.write_text(json.dumps(_config(f"http://127.0.0.1:{port}")))
            ready.set()
            await self._stopping.wait()
            await runner.cleanup()
        late = self._loop.time() + 5
        while any(each.fileno() >= 0 for each in self._sockets) and self._loop.time() < late:  # noqa: ASYNC110 — nothing tells of it
            await asyncio.sleep(0.005)

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """What leads to the API server, remembered while it is there: aiohttp waits for no goodbye of TLS."""
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        return made

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        text = await request.read()
        body = json.loads(text) if text else {}
        asked = Asked(request.method, request.path, request.query.get("watch") == "1", body)
        trouble = self.rule(asked)
        for name, value in vars(trouble).items():
            if value:
                self.seen[name] = self.seen.get(name, 0) + 1
        await asyncio.sleep(trouble.after)
        while trouble.until is not None and not trouble.until.is_set():  # noqa: ASYNC110 — of another thread
            await asyncio.sleep(0.02)
        if trouble.busy:
            return web.json_response(BUSY, status=429, headers={"Retry-After": "1"})
        kept = {
            key: value
            for key, value in request.headers.items()
            if key.lower() in {"accept", "content-type", "user-agent"}
        }
        url = self._cluster.server + request.raw_path
        try:
            async with self._session.request(request.method, url, data=text or None, headers=kept) as answer:
                if asked.is_watch and answer.status == 200:
                    return await _stream(request, answer, trouble.cut_after)
                said = await answer.read()
        except (ClientError, OSError):  # the API server is away: so is its answer
            return _hang_up(request)
        if trouble.silent:
            await asyncio.Event().wait()
        if trouble.lost:
            return _hang_up(request)
        headers = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
        return web.Response(body=said, status=answer.status, headers=headers)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _stream(request: web.Request, answer: Any, cut_after: float) -> web.StreamResponse:
    found = web.StreamResponse(headers={"Content-Type": "application/json"})
    await found.prepare(request)
    try:
        async with asyncio.timeout(cut_after or None):
            async for chunk in answer.content.iter_any():
                await found.write(chunk)
    except TimeoutError:
        await found.write(b"\n" + json.dumps(EXPIRED).encode() + b"\n")
    except (ClientError, OSError):  # the API server went away, or the Hub did
        _hang_up(request)
        return found
    await found.write_eof()
    return found


def every(number: int, trouble: Trouble, of: Callable[[Asked], bool]) -> Rule:
    """Each ``number``-th of those requests."""
    counted = itertools.count(1)
    return lambda asked: trouble if of(asked) and next(counted) % number == 0 else FAIR


def first_of(*rules: Rule) -> Rule:
    """The first trouble that one of them makes."""

    def rule(asked: Asked) -> Trouble:
        found = [each(asked) for each in rules]
        return next((each for each in found if each is not FAIR), FAIR)

    return rule


def _config(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "weather", "cluster": {"server": server}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "weather", "context": {"cluster": "weather", "user": "nobody"}}],
        "current-context": "weather",
    }
