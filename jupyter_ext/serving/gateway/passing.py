"""Requests and answers that only pass through: their fields are copied with as little work as is safe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from jupyter_ext.serving.http.client import Pool
from jupyter_ext.serving.http.message import OURS, Headers, Malformed, forwardable

ASKED: Final = OURS | {
    *(
        b"authorization",
        b"x-gateway-token",
        b"x-request-id",
        b"x-variant",
        b"x-replay",
        b"x-mirrored",
        b"host",
    ),
}
"""Fields of a request that the model servers do not get to see, or get from us."""
ANSWERED: Final = OURS | {b"x-request-id", b"x-variant", b"server"}
_USUAL: Final = frozenset([b"keep-alive", b"close", b"Keep-Alive", b"Close"])


def passed(headers: Headers, left_out: frozenset[bytes], connection: bytes | None) -> Headers:
    """The fields that go on. ``connection`` is the field of that name, which may name others that do not."""
    if connection is not None and connection not in _USUAL:
        headers = forwardable(headers)
    return [field for field in headers if field[0] not in left_out]


class PassingPool(Pool):
    """A pool for fields that a parser has taken apart already, and that ``passed`` has sorted out."""

    def _message(
        self, method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> bytes:
        """Raises Malformed when a field or the target would end its line: the lines are counted."""
        lines = [key + b": " + value for key, value in headers]
        first = method + b" " + target + b" HTTP/1.1\r\nhost: localhost"
        if body or method not in {b"GET", b"HEAD"}:
            first += b"\r\ncontent-length: %d" % len(body)
            breaks = 2 + len(lines)
        else:
            breaks = 1 + len(lines)
        head = b"\r\n".join([first, *lines])
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head or b" " in target:
            raise Malformed("a field has a line break in it")
        return head + b"\r\n\r\n" + body
