"""Predictions from a notebook: what one has in the hand goes in, the same kind of thing comes back.

Arrays, tensors and frames travel as binary tensors of the Open Inference Protocol (V2, with its extension for binary
data); lists travel as instances of V1. Connections are kept and used again.
"""

from __future__ import annotations

import atexit
import http.client
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from jupyter_ext.errors import Invalid, KubeflowError, Unavailable, Where

PATIENCE: Final = 5.0
"""Seconds in which a gateway that was killed is up again; until then nothing has been sent that could be lost."""
IDLE: Final = 8
"""Connections to one server that are kept for the next request."""
SERVERS: Final = 16
"""Servers to which connections are kept."""

Token = str | Path | Callable[[], str] | None
Send = Callable[[str, str, bytes | None, Mapping[str, str], float], tuple[Any, bytes]]


class Refused(KubeflowError):
    """The server did not answer the request; the sentence is its own."""

    def __init__(
        self, what: str, status: int, *, where: Where | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status


@dataclass(frozen=True)
class Target:
    """Where requests go: ``url`` is the endpoint's own, ``http://127.0.0.1:PORT/iris``.

    ``token`` is the token, the file that holds it, or what gives it; it goes into a header and nowhere else.
    """

    url: str
    token: Token = field(repr=False)
    model: str
    variant: str | None = None
    timeout: float = 60.0
    send: Send | None = field(default=None, repr=False)
    """Another way than to ``url``: method, path below it, body, headers and seconds, to status with headers and content."""

    def headers(self) -> dict[str, str]:
        """What every request says."""
        found = {"Accept": "application/json"}
        token = self.token
        if callable(token):
            token = token()
        elif isinstance(token, Path):
            token = token.read_text(encoding="utf-8").strip()
        if token:
            found["Authorization"] = f"Bearer {token}"
        return found | ({"X-Variant": self.variant} if self.variant else {})


@dataclass(frozen=True)
class Answer:
    """One answer with all around it. ``body`` is its JSON, ``value`` what it means in the kind of what was asked."""

    status: int
    seconds: float
    request_id: str
    variant: str
    body: Any
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    value: Any = None


def predict(data: Any, target: Target, *, raw: bool = False, headers: Mapping[str, str] | None = None) -> Any:
    """Ask for predictions.

    A list, or a V1 body ``{"instances": …}``, gives the list of predictions. An array, a torch tensor, a frame, or a
    dict of columns (of single values: one row) gives an array, a tensor, a column or frame with the same index; a V2
    body ``{"inputs": …}`` gives the V2 answer. ``raw`` gives the Answer with all around it. ``headers`` go with the
    request: those by which somebody stays with a variant, or its own ``X-Request-Id``.

    Raises Refused with the server's sentence, Unavailable where nothing answers.
    """
    from jupyter_ext.serving import tensors

    request = tensors.request(data)
    model = quote(target.model, safe="")
    path = f"/v2/models/{model}/infer" if request.is_v2 else f"/v1/models/{model}:predict"
    answer = ask(target, path, request.body, {**checked(headers), **request.headers})
    value = request.result(answer.body)
    return replace(answer, value=value) if raw else value


def explain(data: Any, target: Target, *, raw: bool = False, headers: Mapping[str, str] | None = None) -> Any:
    """Ask which input weighed how much in each prediction (V1 ``:explain``); as ``predict``."""
    from jupyter_ext.serving import tensors

    path = f"/v1/models/{quote(target.model, safe='')}:explain"
    answer = ask(target, path, tensors.instances(data), checked(headers))
    value = answer.body.get("explanations", answer.body) if isinstance(answer.body, dict) else answer.body
    return replace(answer, value=value) if raw else value


def checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Give headers that can be sent: a line break in one would be another header. Raises Invalid."""
    found = {str(name): str(text) for name, text in (headers or {}).items()}
    for name, text in found.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}", name):
            raise Invalid(f"{name!r} is not the name of a header", where=Where(field="headers"))
        if name.lower() in {"authorization", "content-length", "host", "transfer-encoding"}:
            raise Invalid(f"the header {name} is not yours to set", where=Where(field="headers"))
        if not (text.isprintable() and text.isascii() and len(text) <= 8000):
            raise Invalid(f"the header {name} is not plain text", where=Where(field="headers"))
    return found


def ask(
    target: Target, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one request; ``path`` is below the endpoint's address. Raises Refused and Unavailable."""
    parts = urlsplit(target.url)
    method = "GET" if body is None else "POST"
    said = {"Content-Type": "application/json", **target.headers(), **(headers or {})}
    begun = time.monotonic()
    try:
        if target.send is not None:
            answer, content = target.send(method, path, body, said, target.timeout)
        else:
            answer, content = _send(parts, method, parts.path.rstrip("/") + path, body, said, target.timeout)
    except TimeoutError:
        hint = "Ask for fewer rows at once, or serve it with a longer timeout."
        raise Unavailable(f"{target.model} has not answered within {target.timeout:g} s", hint=hint) from None
    except (OSError, http.client.HTTPException) as error:
        what = f"nothing answers at {parts.netloc} ({type(error).__name__})"
        raise Unavailable(what, hint=f"See how it is: jupyter kf describe {target.model}") from None
    seconds = time.monotonic() - begun
    from jupyter_ext.serving import tensors

    parsed = tensors.parse(content, answer.headers.get("Inference-Header-Content-Length"))
    if answer.status >= 400:
        raise _refused(target, answer.status, parsed)
    told = {name.lower(): text for name, text in answer.headers.items()}
    return Answer(
        answer.status, seconds, told.get("x-request-id", ""), told.get("x-variant", ""), parsed, told
    )


def valued(answer: Answer, value: Any) -> Answer:
    """The answer with what it means."""
    return replace(answer, value=value)


def _refused(target: Target, status: int, parsed: Any) -> Refused:
    """Make an error of what the server says; all servers say it a little differently."""
    found = (
        parsed.get("error", parsed.get("detail", parsed.get("message")))
        if isinstance(parsed, dict)
        else parsed
    )
    if isinstance(found, dict):
        found = found.get("message") or found.get("what")
    text = (
        str(found or "").strip() or f"the answer is {status} {http.client.responses.get(status, '')}".strip()
    )
    return Refused(text[:2000].rstrip("."), status, where=Where(object=target.model))


class _Pool:
    """Idle connections by server; those of a parent process are not its child's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[int, str, str], list[http.client.HTTPConnection]] = {}

    def take(self, scheme: str, place: str) -> http.client.HTTPConnection | None:
        with self._lock:
            found = self._idle.get((os.getpid(), scheme, place))
            return found.pop() if found else None

    def give(self, scheme: str, place: str, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            found = self._idle.setdefault((os.getpid(), scheme, place), [])
            found.append(connection)
            surplus = [found.pop(0)] if len(found) > IDLE else []
            if len(self._idle) > SERVERS:  # those of servers that are long gone
                surplus += self._idle.pop(next(iter(self._idle)))
        for old in surplus:
            old.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for (process, _, _), connections in idle.items():
            for connection in connections:
                if process == os.getpid():
                    connection.close()


pool = _Pool()
atexit.register(pool.close)


def _send(
    parts: Any, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send on a kept connection, or on a new one where the other end has closed it meanwhile."""
    kept = pool.take(parts.scheme, parts.netloc)
    if kept is not None:
        try:
            return _exchange(kept, parts, method, path, body, headers, timeout)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            pass
    deadline = time.monotonic() + PATIENCE
    pause = 0.02
    while True:
        try:
            connection = _connect(parts, timeout)
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(pause * 1.5, 0.3)
    return _exchange(connection, parts, method, path, body, headers, timeout)


def _connect(parts: Any, timeout: float) -> http.client.HTTPConnection:
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid(f"{parts.geturl()[:200]!r} is not an address", where=Where(field="url"))
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    connection.connect()
    return connection


def _exchange(
    connection: http.client.HTTPConnection,
    parts: Any,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout: float,
) -> tuple[http.client.HTTPResponse, bytes]:
    try:
        connection.sock.settimeout(timeout)
        try:
            connection.request(method, path, body, dict(headers))
        except (BrokenPipeError, ConnectionResetError):
            # A request that is too large is refused before it was read to its end: the answer says so.
            with suppress(OSError, http.client.HTTPException):
                answer = connection.getresponse()
                return answer, answer.read()
            raise
        answer = connection.getresponse()
        content = answer.read()
    except BaseException:
        connection.close()
        raise
    if answer.will_close:
        connection.close()
    else:
        pool.give(parts.scheme, parts.netloc, connection)
    return answer, content
