"""Which variant gets a request: by chance, or by who sends it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl

from jupyter_ext.errors import Invalid, Where

WHERE: Final = ("header", "query", "body")
KEY_LIMIT: Final = 1024
"""Bytes of a key that count."""
_WHOLE: Final = 1 << 64


class Split:
    """Weights by name; those with none get nothing."""

    __slots__ = ("_bounds", "_names", "_seeds", "_total", "_weights")

    def __init__(self, weights: Mapping[str, float]) -> None:
        some = {name: weight for name, weight in weights.items() if weight > 0}
        self._names = list(some)
        self._weights = list(some.values())
        self._bounds: list[float] = []
        total = 0.0
        for weight in self._weights:
            total += weight
            self._bounds.append(total)
        self._total = total
        self._seeds = [_seed(name) for name in self._names]

    def __len__(self) -> int:
        return len(self._names)

    def at(self, share: float) -> str:
        """The one at this place, from 0 up to 1. Raises LookupError when nobody gets anything."""
        if not self._names:
            raise LookupError("no variant gets any traffic")
        place = bisect_right(self._bounds, share * self._total)
        return self._names[min(place, len(self._names) - 1)]

    def of(self, unit: int) -> str:
        """The one that this sender always gets, as long as the weights stay.

        Weighted rendezvous hashing (Wang & Ravishankar; Mosko): each gives the sender a score that depends on its own
        name and weight alone, and the highest wins. So a change of weights moves those only who have to move.
        """
        best, chosen = -1.0, ""
        for name, weight, seed in zip(self._names, self._weights, self._seeds, strict=True):
            score = -weight / math.log((_mix(unit ^ seed) + 0.5) / _WHOLE)
            if score > best:
                best, chosen = score, name
        if not chosen:
            raise LookupError("no variant gets any traffic")
        return chosen


def _seed(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _mix(number: int) -> int:
    """Sixty-four bits that look like chance (the finalizer of SplitMix64)."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return number ^ (number >> 31)


class Sticky:
    """What of a request says who sends it: ``header:x-user``, ``query:user`` or ``body:user.id``."""

    __slots__ = ("_header", "_path", "_place", "text")

    def __init__(self, text: str) -> None:
        place, _, name = text.partition(":")
        good = name.replace("-", "").replace("_", "").replace(".", "").isalnum() and len(name) <= 128
        if place not in WHERE or not good or not name.isascii():
            raise Invalid(
                f"{text[:80]!r} does not say what keeps a sender with a variant",
                where=Where(field="sticky"),
                hint="Write header:NAME, query:NAME or body:NAME, for example header:x-user or body:user.id.",
            )
        self.text = text
        self._place = place
        self._path = name.split(".") if place == "body" else [name]
        self._header = name.lower().encode()

    def key(self, headers: Mapping[bytes, bytes], query: str, body: bytes) -> bytes | None:
        """The sender, or None if the request does not say."""
        if self._place == "header":
            return headers.get(self._header) or None
        if self._place == "query":
            wanted = self._path[0]
            return next(
                (value.encode() for name, value in parse_qsl(query) if name == wanted and value), None
            )
        return self._in_body(headers, body)

    def _in_body(self, headers: Mapping[bytes, bytes], body: bytes) -> bytes | None:
        import orjson

        length = headers.get(b"inference-header-content-length", b"")
        if length.isdigit() and len(length) < 12:
            body = body[: int(length)]
        try:
            found = orjson.loads(body)
        except ValueError:
            return None
        for name in self._path:
            if isinstance(found, dict):
                found = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        if isinstance(found, str):
            return found.encode("utf-8", "replace") or None
        return str(found).encode() if isinstance(found, int | float) else None


def unit_of(key: bytes, salt: bytes) -> str:
    """A sender as sixteen letters that do not tell who it is to those who have not the salt."""
    return blake2b(key[:KEY_LIMIT], digest_size=8, key=salt).hexdigest()
