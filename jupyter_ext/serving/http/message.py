"""Requests and answers, as bytes where they only pass through."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

Headers = list[tuple[bytes, bytes]]
"""Names in lower case."""

HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip
"""Fields of one connection, not of the message (RFC 9110, 7.6.1)."""
OURS: Final = HOP | {b"content-length", b"date", b"expect"}
"""Fields that whoever sends a message writes anew."""
JSON: Final = b"application/json"
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class Malformed(ValueError):
    """A field that cannot be sent."""


class Request:
    """What came in, its body whole. ``started`` is the loop's time when it began to come in, ``old`` means HTTP/1.0."""

    __slots__ = ("_path", "body", "headers", "keep_alive", "method", "old", "started", "target")

    def __init__(self, method: str, target: bytes, headers: Headers, body: bytes = b"") -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keep_alive = True
        self.old = False
        self.started = 0.0
        self._path: str | None = None

    @property
    def path(self) -> str:
        """Without the query, percent signs decoded."""
        if self._path is None:
            raw = self.target.partition(b"?")[0].decode("latin-1")
            self._path = unquote(raw) if "%" in raw else raw
        return self._path

    @property
    def query(self) -> str:
        """As it came, without the question mark."""
        return self.target.partition(b"?")[2].decode("latin-1")

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field; the name in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Response:
    """An answer. A ``body`` that is an iterator goes out piece by piece."""

    __slots__ = ("body", "close", "content_type", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | AsyncIterable[bytes] = b"",
        content_type: bytes | None = JSON,
        headers: Iterable[tuple[bytes, bytes]] = (),
        close: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.close = close


class Reply:
    """An answer that a server gave to us."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field; the name in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def forwardable(self) -> Headers:
        """The fields that belong to the message."""
        return forwardable(self.headers)


def forwardable(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Without those of one connection, those that ``connection`` names, and those that a sender writes anew."""
    named: set[bytes] = set()
    for key, value in headers:
        if key == b"connection" and value not in {b"keep-alive", b"close"}:
            named.update(part.strip().lower() for part in value.split(b","))
    return [field for field in headers if field[0] not in OURS and field[0] not in named]


def failure(status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """An error in the words of KServe: one key, ``error``."""
    import orjson

    return Response(status, orjson.dumps({"error": text}), JSON, headers)


def fields(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Field lines. Raises Malformed on a name or value that would end its line."""
    parts = []
    for key, value in headers:
        line = key + b": " + value
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise Malformed(f"the field {key[:40]!r} has a line break in it")
        parts.append(line + b"\r\n")
    return b"".join(parts)


_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _imf(now: int) -> str:
    """The date of RFC 9110, 5.6.7, whatever the locale."""
    at = time.gmtime(now)
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year} {clock} GMT"


_heads: dict[tuple[int, bytes | None], bytes] = {}
_date = (0, b"")


def head(status: int, content_type: bytes | None) -> bytes:
    """Status line, date and type."""
    global _date  # noqa: PLW0603 - the text of this second, the same for all connections
    now = int(time.time())
    if _date[0] != now:
        _date = (now, f"date: {_imf(now)}\r\n".encode())
    start = _heads.get((status, content_type))
    if start is None:
        start = b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, b"Unknown"))
        if content_type is not None:
            start += fields([(b"content-type", content_type)])
        if len(_heads) < 256:
            _heads[status, content_type] = start
    return start + _date[1]
