"""A registry on its own, for a team without a cluster: ``jupyter kf registry serve``.

On loopback without a token it answers this machine's users only, and only requests that name this machine: a web
page that another name was made to point here for is refused. Everywhere else it needs a token.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tornado import httpserver, netutil, web

from jupyter_ext.errors import Invalid, Unavailable, Where
from jupyter_ext.registry.exchange import JSON, encode, failure, respond
from jupyter_ext.registry.routes import BASE, BODY_LIMIT
from jupyter_ext.registry.service import Service
from jupyter_ext.registry.store import Store

THREADS: Final = 4
STOP_SECONDS: Final = 5.0


class TokenFile:
    """The token a client must show; read again whenever its file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = b""
        self.read()

    def read(self) -> bytes:
        """Raises Invalid while the file has no token."""
        try:
            facts = self._path.stat()
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if seen != self._seen:
                self._token, self._seen = self._path.read_bytes().strip(), seen
        except OSError as error:
            raise Invalid(
                f"the token file cannot be read ({error.strerror})", where=Where(object=str(self._path))
            ) from None
        if not self._token:
            raise Invalid("the token file is empty", where=Where(object=str(self._path)))
        return self._token

    def accepts(self, header: str) -> bool:
        """Whether an ``Authorization`` header shows the token."""
        scheme, _, given = header.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.read())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; ``localhost`` is taken at its word."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Handler(web.RequestHandler):
    """Answers every path."""

    SUPPORTED_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS")

    def initialize(self, service: Service, pool: ThreadPoolExecutor, token: TokenFile | None) -> None:
        """The same objects for every request."""
        self._service = service
        self._pool = pool
        self._token = token

    def set_default_headers(self) -> None:
        """What every answer has."""
        self.clear_header("Server")
        self.set_header("Content-Type", JSON)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        """Refuse who has no token, or was led here under another name."""
        if self._token is not None:
            try:
                known = self._token.accepts(self.request.headers.get("Authorization", ""))
            except Invalid:
                self._finish(503, failure(503, "the server's token file cannot be read"))
                return
            if not known:
                self.set_header("WWW-Authenticate", "Bearer")
                self._finish(401, failure(401, "this registry needs its token: Authorization: Bearer …"))
        elif not is_loopback(netutil_host(self.request.host)):
            self._finish(403, failure(403, "this registry answers to localhost only"))

    async def _answer(self) -> None:
        path = self.request.path
        if path in {"/readyz/health", "/readyz/isDirty"}:
            self._finish(200, encode({"status": "OK"}))
            return
        version, _, rest = path.removeprefix(f"{BASE}/").partition("/")
        if not path.startswith(f"{BASE}/"):
            self._finish(404, failure(404, f"there is no {path[:200]}"))
            return
        content = (self.request.headers.get("Content-Type", ""), self.request.body)
        status, body = await asyncio.get_running_loop().run_in_executor(
            self._pool,
            lambda: respond(
                self._service,
                str(self.request.method),
                (version, rest),
                self.request.query_arguments,
                content,
            ),
        )
        self._finish(status, body)

    get = post = patch = put = delete = head = options = _answer

    def _finish(self, status: int, body: bytes) -> None:
        self.set_status(status)
        self.finish(body)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tornado's own refusals in the form of all others."""
        del kwargs
        self.finish(failure(status_code, self._reason))

    def compute_etag(self) -> str | None:
        """Answers are not cached."""
        return None

    def log_exception(self, *args: Any) -> None:
        """A broken request is no news."""


def netutil_host(host: str) -> str:
    """The name in a ``Host`` header, without the port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower().rstrip(".")


def application(service: Service, pool: ThreadPoolExecutor, token: TokenFile | None) -> web.Application:
    """What answers. Nothing is logged of a request: its headers have the token."""
    given = {"service": service, "pool": pool, "token": token}
    return web.Application([(r".*", Handler, given)], log_function=lambda _: None)


def serve(
    database: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    token_file: Path | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer until SIGTERM or Ctrl-C; ``ready`` gets the address. Port 0 takes a free one.

    Raises Invalid for an address that others can reach without a token, Unavailable for one that is taken.
    """
    token = TokenFile(token_file) if token_file is not None else None
    if token is None and not is_loopback(host):
        raise Invalid(
            f"{host} can be reached from other machines, and this registry would ask nobody who they are",
            where=Where(field="host"),
            hint="Give --token-file FILE with a long random token in it, or stay on 127.0.0.1.",
        )
    service = Service(Store(database))
    try:
        sockets = netutil.bind_sockets(port, host)
    except OSError as error:
        raise Unavailable(
            f"{host}:{port} cannot be listened on ({error.strerror or error})",
            where=Where(field="port"),
            hint="Choose another --port; 0 takes a free one.",
        ) from None
    number = sockets[0].getsockname()[1]
    address = f"http://{f'[{host}]' if ':' in host else host}:{number}"
    asyncio.run(_run(service, sockets, token, lambda: ready(address) if ready else None))


async def _run(
    service: Service, sockets: list[Any], token: TokenFile | None, ready: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="registry") as pool:
        server = httpserver.HTTPServer(
            application(service, pool, token), max_body_size=BODY_LIMIT, idle_connection_timeout=600
        )
        server.add_sockets(sockets)
        ready()
        sys.stdout.flush()
        await stopped.wait()
        server.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), STOP_SECONDS)
