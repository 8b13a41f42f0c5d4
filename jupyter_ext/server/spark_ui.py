"""Spark's own web interface, through the server: a page of a program that the user's code runs in is not trusted.

Who may read the resource is sent on to a view: an address that has the right to it signed within, for an hour. What
the view shows is sandboxed (Content-Security-Policy), so that no script of it acts as the user on Jupyter's own
interface; its browser sends it no cookies, which is why the right is in the address. Only GET goes on, only to the port
that the application's own controller wrote down, and only while a process of this user listens there.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import base64
import re
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httputil import HTTPHeaders

from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unavailable

from . import access
from .handler import KubeflowHandler, Operation, encode, operation, pool

if TYPE_CHECKING:
    from jupyter_ext.spark.launch import Connection

    from .kind import Kind

BASE = "kubeflow/v1/sparkui"
HTML = "text/html; charset=UTF-8"
PURPOSE = "kubeflow-spark-ui"
LASTS_DAYS = 1 / 24
LARGEST = 32 << 20
"""Bytes of one answer."""
PATIENCE = 30.0
"""Seconds for one answer."""
# What a page without an origin may not touch, and Spark's scripts do: kept for as long as the page is shown.
_MEMORY = b"""<script>for (const name of ['localStorage', 'sessionStorage']) {
const kept = new Map();
Object.defineProperty(window, name, { value: {
getItem: key => kept.get(String(key)) ?? null, setItem: (key, text) => { kept.set(String(key), String(text)); },
removeItem: key => { kept.delete(String(key)); }, clear: () => kept.clear(), key: at => [...kept.keys()][at] ?? null,
get length() { return kept.size; } } });
}
Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} });</script>"""
_PASSED = ("Content-Type", "Content-Disposition", "Last-Modified", "Cache-Control")


def _refuse(handler: JupyterHandler, error: KubeflowError, **how: str) -> None:
    """Answer with a page for people, or with the form that errors of the interface have."""
    handler.set_status(error.status)
    if "text/html" in handler.request.headers.get("Accept", ""):
        handler.set_header("Content-Type", HTML)
        title = "<!doctype html><meta charset=utf-8><title>Spark</title>"
        handler.finish(f"{title}<p>{escape(str(error))}</p>", **how)
    else:
        handler.set_header("Content-Type", "application/json")
        handler.finish(encode({"message": str(error), **error.to_dict()}))


def _query(raw: str) -> str:
    """The query without the server's own token."""
    kept = [(key, value) for key, value in parse_qsl(raw, keep_blank_values=True) if key != "token"]
    return f"?{urlencode(kept)}" if kept else ""


def entry_handler(kind: Kind) -> type[KubeflowHandler]:
    """Make the handler of ``{plural}/{name}/ui/{path}``."""

    class UiHandler(KubeflowHandler):
        @web.authenticated
        @authorized("read", kind.resource)
        @operation(Operation("Spark's own web interface, in a view that lasts an hour.", "read", status=302))
        async def get(self, name: str, path: str = "") -> None:
            """Send on to a view of it."""
            uid = await self.blocking(self.uid, name)
            value = web.create_signed_value(self.settings["cookie_secret"], PURPOSE, f"{kind.kind}/{uid}")
            view = base64.urlsafe_b64encode(value).decode().rstrip("=")
            self.set_header("Cache-Control", "no-store")
            place = quote(path, safe="/~!*'()@$&+,;=:-._")
            self.redirect(f"{self.base_url}{BASE}/{view}/{place}{_query(self.request.query)}")

        @staticmethod
        def uid(name: str) -> str:
            """The resource's, if its interface answers; in a thread."""
            from jupyter_ext.spark import ui

            found = access.resource(kind.kind, name)
            ui.reachable(access.cluster(), found)
            return found.uid

        def refuse(self, error: KubeflowError) -> None:
            _refuse(self, error, set_content_type=HTML)

    UiHandler.__name__ = UiHandler.__qualname__ = f"{kind.kind}UiHandler"
    return UiHandler


class ViewHandler(JupyterHandler):
    """``sparkui/{view}/{path}``: one page of the interface. The address itself is the permission."""

    _track_activity = False

    async def prepare(self) -> None:  # type: ignore[override]
        """Who asks is of no concern, and gets no cookie; what the server is called must be right.

        The server's log is not told the address, which is a permission.
        """
        self.request.uri = f"{self.base_url}{BASE}/…"
        self.current_user = self._jupyter_current_user = None
        if not self.check_host():
            raise web.HTTPError(403)

    @allow_unauthenticated
    @operation(Operation("A page of Spark's own web interface.", "read", reply="text/html"))
    async def get(self, view: str, path: str) -> None:
        """Ask Spark, and give on what it says."""
        del path  # percent-encoded as the browser sent it, it is in the request
        prefix = f"{self.base_url}{BASE}/{view}"
        self._guard(prefix)
        kind, uid = self._allowed(view)
        rest = self.request.path[len(prefix) :]
        await self._pass(kind, uid, prefix, quote(rest or "/", safe="/%~!*'()@$&+,;=:-._"))

    @allow_unauthenticated
    def options(self, view: str, path: str) -> None:
        """What a page of the view may ask of it: Spark's scripts say of their requests that they are scripts'."""
        del path
        self._guard(f"{self.base_url}{BASE}/{view}")
        self.set_header("Access-Control-Allow-Methods", "GET")
        self.set_header("Access-Control-Allow-Headers", "Accept, Content-Type, X-Requested-With")
        self.set_status(204)
        self.finish()

    def refuse(self, error: KubeflowError) -> None:
        """Answer with an error."""
        _refuse(self, error)

    def _allowed(self, view: str) -> tuple[str, str]:
        """Kind and UID that the address was made for; raises Forbidden when it is old, or not ours."""
        try:
            value = base64.urlsafe_b64decode(view + "=" * (-len(view) % 4))
        except ValueError:
            value = b""
        secret = self.settings["cookie_secret"]
        found = web.decode_signed_value(secret, PURPOSE, value, max_age_days=LASTS_DAYS)
        if found is None:
            raise Forbidden("This view of Spark is over", hint="Open it again from Kubeflow's sidebar.")
        kind, _, uid = found.decode().partition("/")
        return kind, uid

    async def _pass(self, kind: str, uid: str, prefix: str, path: str) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        connection, bearer = await loop.run_in_executor(pool, _opened, kind, uid)
        origin = f"http://127.0.0.1:{connection.ui}"
        request = HTTPRequest(
            origin + path + _query(self.request.query),
            headers=HTTPHeaders(
                {"Authorization": bearer, "X-Forwarded-Context": prefix, "Accept": self.request.headers.get("Accept", "*/*")}
            ),
            follow_redirects=False,
            decompress_response=False,
            connect_timeout=PATIENCE,
            request_timeout=PATIENCE,
        )  # fmt: skip
        client = AsyncHTTPClient(force_instance=True, max_body_size=LARGEST)
        try:
            answer = await client.fetch(request, raise_error=False)
            if answer.code == 599:
                answer.rethrow()
        except (HTTPClientError, OSError) as error:
            hint = f"It may be busy, or say more than {LARGEST >> 20} MB."
            raise Unavailable(f"Spark did not answer ({error})", hint=hint) from None
        finally:
            client.close()
        self.set_status(answer.code)
        for name in _PASSED:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        if "Location" in answer.headers:
            self.set_header("Location", _within(answer.headers["Location"], origin, path, prefix))
        page = answer.headers.get("Content-Type", "").startswith("text/html")
        self.finish(answer.body.replace(b"<head>", b"<head>" + _MEMORY, 1) if page else answer.body)

    def _guard(self, prefix: str) -> None:
        """What the page may do: run its own scripts and fetch from its own view, and nothing as the user."""
        own = f"{_host(self.request.host)}{prefix}/"
        self.set_header(
            "Content-Security-Policy",
            "sandbox allow-scripts allow-forms allow-popups allow-downloads; default-src 'none'; "
            f"script-src {own} 'unsafe-inline' 'unsafe-eval'; style-src {own} 'unsafe-inline'; "
            f"img-src {own} data:; font-src {own} data:; connect-src {own}; form-action {own}; "
            "base-uri 'none'; frame-ancestors 'none'",
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Access-Control-Allow-Origin", "null")  # its own pages have no origin

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """No page of the server's own below this address."""
        del kwargs
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(str(status_code))


def _host(host: str) -> str:
    """The request's host as a policy may name it; a strange one is nobody's."""
    return host if re.fullmatch(r"[\w.:\[\]-]{1,255}", host) else "invalid.invalid"


def _opened(kind: str, uid: str) -> tuple[Connection, str]:
    """Where Spark listens, and the right to ask it; in a thread. Raises NotFound, Gone and Unavailable."""
    from jupyter_ext.spark import ui

    cluster = access.cluster()
    found = cluster.store.by_uid(uid)
    if found is None or found.kind != kind:
        raise NotFound("It was deleted")
    connection = ui.reachable(cluster, found)
    return connection, ui.bearer(connection)


def _within(location: str, origin: str, path: str, prefix: str) -> str:
    """Where a redirect of Spark leads, inside of the view. Raises Unavailable for one that leads elsewhere."""
    target = urlsplit(urljoin(origin + path, location))
    port = urlsplit(origin).port
    if target.scheme != "http" or target.port != port or target.hostname not in {"127.0.0.1", "localhost"}:
        raise Unavailable("Spark's answer leads to another place")
    inside = target.path if target.path.startswith(f"{prefix}/") else prefix + (target.path or "/")
    return inside + (f"?{target.query}" if target.query else "")
