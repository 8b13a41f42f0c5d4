"""What trials say while they run: their reports and what they print, followed as it comes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.local.metrics import Point

if TYPE_CHECKING:
    from jupyter_ext.tuning.folder import Folder
    from jupyter_ext.tuning.ledger import Entry


class Follower:
    """Follows one trial: its file of reports, its output, and where a template says so its file of metrics."""

    def __init__(
        self, folder: Folder, entry: Entry, *, filters: tuple[str, ...] = (), metrics: str = ""
    ) -> None:
        from jupyter_ext.training.lines import Parser

        self._reports = _Tail(folder.reports(entry))
        self._output = _Tail(folder.log(entry))
        self._metrics = _Tail(folder.metrics(entry)) if metrics else None
        self._format = metrics
        self._parser = Parser(0, filters)

    def read(self, *, last: bool = False) -> list[Point]:
        """The points since the last look; with ``last`` also those of a line without an end."""
        points = [point for line in self._reports.lines(last=last) for point in _reported(line)]
        moment = time.time()
        if self._metrics is None:
            points += self._parser.feed(self._output.block(), moment)
        elif self._format == "JSON":
            for line in self._metrics.lines(last=last):
                points += _json(line, moment)
        else:
            points += self._parser.feed(self._metrics.block(), moment)
        if last:
            points += self._parser.close(moment)
        return points


class _Tail:
    def __init__(self, path: str) -> None:
        self._path = path
        self._position = 0
        self._rest = b""

    def block(self) -> bytes:
        try:
            with open(self._path, "rb", buffering=0) as file:  # noqa: PTH123 - at every look, for every trial
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return b""
        self._position += len(data)
        return data

    def lines(self, *, last: bool) -> Iterator[bytes]:
        data = self.block()
        if not data and not (last and self._rest):
            return
        *whole, self._rest = (self._rest + data).split(b"\n")
        yield from whole
        if last and self._rest:
            yield self._rest
            self._rest = b""


def _reported(line: bytes) -> Iterator[Point]:
    """One line of ``training.report``."""
    try:
        found: Any = json.loads(line)
        for name, value in found["m"].items():
            yield Point(str(name), float(value), found["s"], 0, float(found["t"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return  # cut off by the end of its process


def _json(line: bytes, moment: float) -> list[Point]:
    """One line of a metrics file in Katib's JSON format: values are text."""
    try:
        found: Any = json.loads(line)
        items = found.items() if isinstance(found, Mapping) else ()
    except ValueError:
        return []
    points = []
    for name, value in items:
        try:
            if name != "timestamp":
                points.append(Point(str(name), float(value), None, 0, moment))
        except (TypeError, ValueError):
            continue
    return points
