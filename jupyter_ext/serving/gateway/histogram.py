"""How long requests took, in buckets whose widths grow with the time.

Any quantile is off by at most ``ERROR`` of itself, however many requests there were and however often such counts
were added up.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Final, Self

STEPS: Final = 16
"""Buckets for each doubling of the time."""
ERROR: Final = 2 ** (1 / STEPS) - 1
"""The relative width of a bucket: what a quantile may be off by."""
LEAST: Final = 1e-6
"""Seconds; what is shorter counts as this."""
BUCKETS: Final = 40 * STEPS
"""The last one begins above twelve days."""

_HEAD: Final = struct.Struct("<Bddd")
_FORMAT: Final = 1
_log2: Final = math.log2


class Histogram:
    """Times in seconds. ``count`` and ``total`` are exact, and so are ``least`` and ``most``."""

    __slots__ = ("count", "counts", "least", "most", "total")

    def __init__(self, times: Iterable[float] = ()) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.most = 0.0
        for seconds in times:
            self.add(seconds)

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a time."""
        place = int(_log2(seconds / LEAST) * STEPS) if seconds > LEAST else 0
        place = min(place, BUCKETS - 1)
        self.counts[place] = self.counts.get(place, 0) + times
        self.count += times
        self.total += seconds * times
        if seconds < self.least:  # noqa: PLR1730 - twice as fast, and called for each request
            self.least = seconds
        if seconds > self.most:  # noqa: PLR1730
            self.most = seconds

    def merge(self, other: Histogram) -> Self:
        """Add what another one has counted; returns itself."""
        mine = self.counts
        for place, count in other.counts.items():
            mine[place] = mine.get(place, 0) + count
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        return self

    def quantile(self, q: float) -> float:
        """The time within which the share ``q`` of the requests was done, in seconds; NaN when there were none."""
        if not self.count:
            return math.nan
        rank = min(max(math.ceil(q * self.count), 1), self.count)
        if rank == self.count:
            return self.most
        seen = 0
        for place in sorted(self.counts):
            here = self.counts[place]
            if seen + here >= rank:
                share = (rank - seen - 0.5) / here
                return min(max(LEAST * 2 ** ((place + share) / STEPS), self.least), self.most)
            seen += here
        return self.most

    @property
    def mean(self) -> float:
        """The mean time in seconds; NaN when there were none."""
        return self.total / self.count if self.count else math.nan

    def above(self, seconds: float) -> int:
        """How many took longer; those of the bucket that this time lies in are divided evenly."""
        place = _log2(seconds / LEAST) * STEPS if seconds > LEAST else 0.0
        whole = int(place)
        more = sum(count for at, count in self.counts.items() if at > whole)
        return more + round(self.counts.get(whole, 0) * (1 - (place - whole)))

    def cumulated(self, bounds: Iterable[float]) -> list[int]:
        """How many took at most each of these times (Prometheus' ``le``)."""
        return [self.count - self.above(bound) for bound in bounds]

    def to_bytes(self) -> bytes:
        """A compact form: the totals, then for each bucket its distance from the one before and its count."""
        least = 0.0 if math.isinf(self.least) else self.least
        found = bytearray(_HEAD.pack(_FORMAT, self.total, least, self.most))
        before = 0
        for place in sorted(self.counts):
            _put(found, place - before)
            _put(found, self.counts[place])
            before = place
        return bytes(found)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError for what ``to_bytes`` did not write."""
        made = cls()
        if not data:
            return made
        if len(data) < _HEAD.size or data[0] != _FORMAT:
            raise ValueError("these bytes are no histogram")
        _, made.total, least, made.most = _HEAD.unpack_from(data)
        numbers = _numbers(data, _HEAD.size)
        if len(numbers) % 2:
            raise ValueError("these bytes are no whole histogram")
        place = 0
        for step, count in zip(numbers[::2], numbers[1::2], strict=True):
            place += step
            made.counts[place] = count
            made.count += count
        made.least = least if made.count else math.inf
        return made

    def to_dict(self) -> dict[str, float]:
        """The usual figures, in seconds."""
        if not self.count:
            return {"count": 0}
        quantiles = {f"p{percent}": self.quantile(percent / 100) for percent in (50, 95, 99)}
        return {"count": self.count, "mean": self.mean, **quantiles, "max": self.most}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.counts == other.counts and math.isclose(self.total, other.total, abs_tol=1e-12)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value:.4g}" for name, value in self.to_dict().items())
        return f"Histogram({said})"


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of several."""
    made = Histogram()
    for each in histograms:
        made.merge(each)
    return made


def _put(found: bytearray, number: int) -> None:
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)


def _numbers(data: bytes, start: int) -> list[int]:
    found, number, shift = [], 0, 0
    for byte in data[start:]:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        found.append(number)
        number = shift = 0
    if shift:
        raise ValueError("these bytes are no whole histogram")
    return found
