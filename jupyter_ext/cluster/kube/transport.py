"""Requests to an API server: one pool of connections for all threads, patience with what passes, and errors in words.

Everything here blocks: who has an event loop calls it in a thread, as with the embedded cluster's SQLite.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from jupyter_ext.cluster.kube.refusals import Asked, passes, refusal, unreachable
from jupyter_ext.errors import KubeflowError, Unavailable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

    from jupyter_ext.cluster.kube.access import Access

Json = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

CONNECTIONS: Final = 16
"""That are kept open; watches and logs that are followed have more when they need them."""
LARGEST: Final = 64 << 20
"""Bytes of one answer. A page of 500 resources has a few."""
LONGEST_LINE: Final = 16 << 20
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_FIRST_PAUSE: Final = 0.2
_LAST_PAUSE: Final = 5.0
_CONNECT_SECONDS: Final = 10.0
_LEAST_SECONDS: Final = 0.5
_LONGEST_WAIT: Final = 60.0


class Answer(NamedTuple):
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def wait(self) -> float | None:
        """Seconds for which the server asks to be left alone."""
        text = next((value for name, value in self.headers.items() if name.lower() == "retry-after"), "")
        return min(float(text), _LONGEST_WAIT) if text.isdecimal() else None

    def content(self) -> Any:
        """JSON where it is that, else the text."""
        kind = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        if not kind.startswith("application/json"):
            return self.data.decode(errors="replace")
        import orjson

        try:
            return orjson.loads(self.data)
        except ValueError as error:
            raise Unavailable(f"The API server did not answer with JSON: {error}") from error


class Transport:
    """One API server, as one user. Any number of threads may ask at once; a fork makes itself new connections.

    ``patience`` is the seconds in which there has to be an answer, repetitions and all.
    """

    def __init__(self, access: Access, patience: float = 30.0) -> None:
        self.access = access
        self.patience = patience
        self.requests = 0
        """How many were sent."""
        self._guard = threading.Lock()
        self._made: tuple[int, int, PoolManager] | None = None

    def close(self) -> None:
        """Close what is open; the next request opens anew."""
        with self._guard:
            made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            made[2].clear()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        repeat: bool | None = None,
        patience: float | None = None,
    ) -> Any:
        """The JSON, or the text, of the answer. Raises one of ``jupyter_ext.errors``.

        ``repeat``: whether it may be sent twice (by default what only reads). What the server is too busy for (429)
        it has not begun: that is sent again in any case, when the server says so.
        """
        repeat = method == "GET" if repeat is None else repeat
        late = time.monotonic() + (self.patience if patience is None else patience)
        pause = _FIRST_PAUSE
        said: KubeflowError | None = None
        while True:
            asked = Asked(method, path, self.access.name)
            error: KubeflowError
            try:
                answer = self._answer(method, path, body, query, content_type, accept, late)
            except _no_answer() as failure:
                # Where the time ran out while it was asked again, what it said before is why.
                error, again, wait = said or self._unreachable(asked, failure), repeat, pause
            else:
                if answer.status < 300:
                    return answer.content()
                again = answer.status == 429 or (repeat and passes(answer.status, answer.data))
                wait = answer.wait or pause
                error = said = self._refused(asked, answer.status, answer.data)
            if not again or time.monotonic() + wait >= late:
                raise error
            time.sleep(wait)
            pause = min(pause * 2, _LAST_PAUSE)

    def exchange(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """One request and its answer whatever that is: for what is behind the API server. Raises Unavailable for none."""
        late = time.monotonic() + self.patience
        try:
            return self._answer(method, path, body, None, "application/json", "application/json", late)
        except _no_answer() as failure:
            raise unreachable(Asked(method, path, self.access.name), failure) from failure

    def forward(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], patience: float
    ) -> Answer:
        """A request that the API server passes on to a Service, as it is: any status is an answer, nothing is repeated.

        Raises Unavailable where the API server does not answer.
        """
        import urllib3

        for attempt in (0, 1):
            said = {**headers, **self.access.login.headers()}
            timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, patience), read=patience)
            self.requests += 1
            try:
                answer = _read(
                    self._pool().request(
                        method, f"{self.access.server}{path}", body=body, headers=said, timeout=timeout,
                        retries=False, redirect=False, preload_content=False,
                    )
                )  # fmt: skip
            except _no_answer() as error:
                raise unreachable(Asked(method, path, self.access.name), error) from error
            if answer.status != 401 or attempt or not self.access.login.renew():
                break
        return answer

    def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, silence: float | None = None
    ) -> Streamed:
        """The lines of an answer that goes on. ``silence``: seconds without a word after which it has ended."""
        late = time.monotonic() + self.patience
        pause = _FIRST_PAUSE
        asked = Asked("GET", path, self.access.name)
        while True:
            try:
                answer = self._send("GET", path, None, query, "", "application/json, */*", late, silence)
                if answer.status < 300:
                    return Streamed(answer)
                refused = _read(answer)
            except _no_answer() as failure:
                raise self._unreachable(asked, failure) from failure
            wait = refused.wait or pause
            if refused.status != 429 or time.monotonic() + wait >= late:
                raise self._refused(asked, refused.status, refused.data)
            time.sleep(wait)
            pause = min(pause * 2, _LAST_PAUSE)

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None, query: Mapping[str, str] | None,
        content_type: str, accept: str, late: float,
    ) -> Answer:  # fmt: skip
        """One request and all of its answer."""
        left = max(late - time.monotonic(), _LEAST_SECONDS)
        return _read(self._send(method, path, body, query, content_type, accept, late, left))

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None, query: Mapping[str, str] | None,
        content_type: str, accept: str, late: float, silence: float | None,
    ) -> BaseHTTPResponse:  # fmt: skip
        """One request; credentials that are refused are got anew, and it is sent once more."""
        import urllib3

        from jupyter_ext.cluster.local.codec import encode

        data = body if body is None or isinstance(body, bytes) else _plain(encode(body)).encode()
        url = f"{self.access.server}{path}{f'?{urlencode(query)}' if query else ''}"
        renewed = False
        while True:
            headers = {"Accept": accept, "User-Agent": "jupyter-kubeflow", **self.access.login.headers()}
            if data is not None:
                headers["Content-Type"] = content_type
            left = max(late - time.monotonic(), _LEAST_SECONDS)
            timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, left), read=silence)
            self.requests += 1
            answer = self._pool().request(
                method, url, body=data, headers=headers, timeout=timeout, retries=False, redirect=False,
                preload_content=False,
            )  # fmt: skip
            if answer.status != 401 or renewed or not self.access.login.renew():
                return answer
            renewed = True
            answer.drain_conn()
            answer.release_conn()

    def _refused(self, asked: Asked, status: int, data: bytes) -> KubeflowError:
        """The words for a refusal; another kind of server has others."""
        return refusal(asked, status, data)

    def _unreachable(self, asked: Asked, failure: Exception) -> Unavailable:
        return unreachable(asked, failure)

    def _pool(self) -> PoolManager:
        """The connections of this process; a change of the certificate needs new ones."""
        key = (os.getpid(), self.access.login.renewals)
        with self._guard:
            if self._made is None or self._made[:2] != key:
                self._made = (*key, _pool(self.access))
            return self._made[2]


class Streamed:
    """An answer that goes on, line by line. ``close`` may be called by another thread, and ends it."""

    def __init__(self, answer: BaseHTTPResponse) -> None:
        self._answer = answer
        self._closed = False

    def lines(self) -> Iterator[bytes]:
        """Complete lines as they come, without their end. It ends with the connection, however that ended."""
        rest = b""
        try:
            while not self._closed:
                block = self._answer.read1(1 << 16)
                if not block:
                    break
                *whole, rest = (rest + block).split(b"\n")
                yield from whole
                if len(rest) > LONGEST_LINE:
                    raise Unavailable(
                        f"A line of more than {LONGEST_LINE >> 20} MiB came from the API server"
                    )
        except _no_answer():
            pass
        except (ValueError, AttributeError):
            # What another thread closes while this one reads breaks in whatever way it is just in.
            if not self._closed:
                raise
        finally:
            self.close()
        if rest:
            yield rest

    def close(self) -> None:
        """End it now; a thread that reads finds its end."""
        if self._closed:
            return
        self._closed = True
        shutdown = getattr(self._answer, "shutdown", None)
        with suppress(OSError, ValueError, RuntimeError):  # it had ended
            if shutdown is not None:
                shutdown()
        with suppress(OSError, ValueError):
            self._answer.close()


def _pool(access: Access) -> PoolManager:
    import urllib3

    options: dict[str, Any] = {"num_pools": 2, "maxsize": CONNECTIONS}
    if access.server.startswith("https:"):
        options["ssl_context"] = access.encryption()
        if not access.is_checked:
            options |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if access.server_name:
            options |= {"server_hostname": access.server_name, "assert_hostname": access.server_name}
    proxy = access.proxy or _proxy(access.server)
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def _plain(text: str) -> str:
    """JSON that is YAML too, as which an API server reads what is applied: that has fewer characters, and more ends of lines."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _proxy(server: str) -> str | None:
    """The proxy that the environment names for this server."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(server)
    found = getproxies().get(parts.scheme)
    return None if not found or proxy_bypass(parts.hostname or "") else found


def _no_answer() -> tuple[type[Exception], ...]:
    """What a connection that fails raises."""
    import http.client

    from urllib3.exceptions import HTTPError

    return (HTTPError, OSError, http.client.HTTPException)


def _read(answer: BaseHTTPResponse) -> Answer:
    """All of it, within bounds."""
    data = answer.read(LARGEST + 1)
    if len(data) > LARGEST:
        answer.close()
        raise Unavailable(f"The API server answered with more than {LARGEST >> 20} MiB")
    answer.release_conn()
    return Answer(answer.status, dict(answer.headers), data)
