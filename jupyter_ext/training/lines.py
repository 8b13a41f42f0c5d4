"""Numbers in what a program prints: ``step=7 loss=0.31`` becomes points, as Katib's collector reads it.

Three forms are understood, each a line: ``name=value`` anywhere in it (Katib's StdOut collector), the evaluation
line of XGBoost (``[7]<tab>train-rmse:0.31``) and the last line of an epoch of Keras.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from jupyter_ext.cluster.local.metrics import Point

KATIB: Final = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""The default filter of Katib's metrics collector, to be given as ``filters`` where an Experiment says so."""
LINE: Final = 4096
"""Characters of a line that are read; the rest of a longer one is skipped."""
NAMES: Final = 256
"""Different names that one process may use, as in upstream's contract of progress."""
BURST: Final = 1000
"""Points of one name kept of one piece of output; of more, these many evenly spread."""

_NUMBER: Final = r"[+-]?(?>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan\b|inf(?:inity)?\b)"
# Nothing of an address, a version, a date or a time: host?id=3, v=1.2.3, day=2024-01-31, at=12:30.
_PAIR: Final = re.compile(
    rf"(?<![\w./?&#@|-])([A-Za-z_][\w|-]*(?:[./][\w|-]+)*)\s*=\s*({_NUMBER})(?!\w|\.\d|[:-]\d)", re.IGNORECASE
)
_XGBOOST: Final = re.compile(r"\[(\d+)\](?:\t[^\t:]+:[^\t]+)+\s*$")
_KERAS: Final = re.compile(r"\s*(\d+)/\1 .*? - ")
_EPOCH: Final = re.compile(r"\s*Epoch (\d+)/\d+\s*$")
_STEP_WORDS: Final = re.compile(
    r"\b(?:global[ _]step|step|iteration|iter|epoch|round)\s*[:#]?\s*\[?(\d+)\b", re.IGNORECASE
)
_STEPS: Final = ("step", "global_step", "iteration", "iter", "round", "epoch")
"""Names that say when, the first that is there; all others say what."""


class Parser:
    """Reads the output of one rank as it comes, in pieces that may end anywhere.

    ``filters`` are regular expressions with a group for the name and one for the number, instead of our own forms.
    """

    def __init__(self, rank: int, filters: Sequence[str] = ()) -> None:
        self._rank = rank
        self._filters = [re.compile(text) for text in filters]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._skipping = False
        self._epoch: float | None = None
        self._names: set[str] = set()

    def feed(self, data: bytes | str, time: float) -> list[Point]:
        """The points of the lines that are now complete. ``time`` in seconds since the epoch is that of all."""
        text = data if isinstance(data, str) else self._decoder.decode(data)
        points = [point for line in self._lines(text) for point in self._line(line, time)]
        return _thinned(points)

    def close(self, time: float) -> list[Point]:
        """The points of a last line without an end."""
        return self.feed(self._decoder.decode(b"", final=True) + "\n", time)

    def _lines(self, text: str) -> Iterator[str]:
        """Complete lines, each cut to what is read. A carriage return ends one too: progress bars use it."""
        *whole, rest = text.replace("\r", "\n").split("\n")
        for line in whole:
            if not self._skipping:
                yield (self._rest + line)[:LINE]
            self._rest, self._skipping = "", False
        if self._skipping or not rest:
            return
        self._rest += rest[: LINE - len(self._rest) + 1]
        if len(self._rest) > LINE:
            # It goes on for long, perhaps for ever: what is known of it counts, the rest does not.
            yield self._rest[:LINE].rpartition(" ")[0]
            self._rest, self._skipping = "", True

    def _line(self, line: str, time: float) -> Iterator[Point]:
        step: float | None = None
        if self._filters:
            pairs = [pair for one in self._filters for pair in _filtered(one, line)]
        elif "=" in line:
            pairs = _PAIR.findall(line)
        elif ":" in line:
            step, pairs = self._colons(line)
        else:
            self._remember(line)
            return
        if not pairs:
            return
        if step is None:
            step, pairs = _when(line, pairs)
        for name, text in pairs:
            if name not in self._names:
                if len(self._names) == NAMES or len(name) > 100:
                    continue
                self._names.add(name)
            value = _float(text)
            if value is not None:
                yield Point(name, value, step, self._rank, time)

    def _colons(self, line: str) -> tuple[float | None, list[tuple[str, str]]]:
        """The two forms of ``name: value`` that cannot be mistaken for a sentence."""
        if line.startswith("[") and (match := _XGBOOST.match(line)):
            parts = line.rstrip().split("\t")[1:]
            return float(match[1][:15]), [
                (name, text) for name, _, text in (part.rpartition(":") for part in parts)
            ]
        if " - " in line and _KERAS.match(line):
            parts = line.split(" - ")[1:]
            return self._epoch, [
                (name.strip(), text) for name, _, text in (part.partition(": ") for part in parts)
            ]
        return None, []

    def _remember(self, line: str) -> None:
        """Keras names the epoch on a line of its own."""
        if "Epoch" in line and (match := _EPOCH.match(line)) and len(match[1]) < 16:
            self._epoch = float(match[1])


def _when(line: str, pairs: list[tuple[str, str]]) -> tuple[float | None, list[tuple[str, str]]]:
    """The step that a line names, as one of its pairs or in words, and the pairs that are left."""
    if len(pairs) > 1:
        named = dict(pairs)
        for name in _STEPS:
            if name in named:
                return _float(named[name]), [pair for pair in pairs if pair[0] != name]
    words = _STEP_WORDS.search(line)
    return (float(words[1]) if words and len(words[1]) < 16 else None), pairs


def _filtered(pattern: re.Pattern[str], line: str) -> Iterator[tuple[str, str]]:
    if pattern.groups < 2:
        return
    for match in pattern.finditer(line):
        yield (match[1] or "").strip(), (match[2] or "").strip()


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _thinned(points: list[Point]) -> list[Point]:
    """At most ``BURST`` of each name, the last among them."""
    if len(points) <= BURST:
        return points
    by_name: dict[str, list[int]] = {}
    for index, point in enumerate(points):
        by_name.setdefault(point.name, []).append(index)
    kept: list[int] = []
    for places in by_name.values():
        stride = math.ceil(len(places) / BURST)
        kept += places[::-1][::stride]
    return [points[index] for index in sorted(kept)]
