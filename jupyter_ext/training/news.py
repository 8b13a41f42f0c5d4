"""What the ranks of one attempt say: their states, what they report, what they print."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.training.lines import Parser

_BLOCK: Final = 1 << 20
"""Bytes of one file read at a time; the rest is read a moment later."""


class Tail:
    """A file that grows, read from where the last reading, perhaps of an earlier process, ended."""

    def __init__(self, path: Path, position: int) -> None:
        self._path = path
        self._position = position
        self.mark = position
        """How far whole lines have been read."""

    def read(self) -> bytes:
        """What is new, at most 1 MiB."""
        try:
            if self._path.stat().st_size <= self._position:
                return b""
            with self._path.open("rb", buffering=0) as file:
                file.seek(self._position)
                block = file.read(_BLOCK) or b""
        except FileNotFoundError:
            return b""
        end = block.rfind(b"\n")
        if end >= 0:
            self.mark = self._position + end + 1
        self._position += len(block)
        return block


class News:
    """Everything that is new since the last question. ``marks``: how far an earlier controller has read."""

    def __init__(self, folder: Path, logs: Path, marks: Mapping[str, int]) -> None:
        self._folder, self._logs = folder, logs
        self._before = dict(marks)
        self._reports: dict[str, tuple[int, Tail, bytes]] = {}
        self._printed: dict[str, tuple[Tail, Parser]] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._reported: set[str] = set()
        self.ranks: dict[int, dict[str, Any]] = {}
        self.progress: float | None = None

    def look(self) -> bool:
        """Read the states of the ranks; True if one has changed."""
        changed = False
        for path in (self._folder / "ranks").glob("*.json"):
            try:
                facts = path.stat()
                mark = (facts.st_ino, facts.st_mtime_ns)
                if self._seen.get(path.name) == mark:
                    continue
                said = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            self._seen[path.name] = mark
            self.ranks[int(said["rank"])] = said
            changed = True
        return changed

    def points(self, *, final: bool = False) -> list[Point]:
        """New points: reported ones, and those that were printed under names that nobody reported."""
        found = [point for path in self._files("reports") for point in self._report(path)]
        self._reported.update(point.name for point in found)
        moment = time.time()
        for path in self._files("logs"):
            if path.name not in self._printed:
                rank = int(path.name.removeprefix("rank-").partition(".")[0])
                self._printed[path.name] = (self._tail(path), Parser(rank))
            tail, parser = self._printed[path.name]
            printed = parser.feed(tail.read(), moment)
            if final:
                printed += parser.close(moment)
            found += [point for point in printed if point.name not in self._reported]
        return found

    def marks(self) -> dict[str, int]:
        """How far each file has been read; to be kept together with the points."""
        tails = [(name, tail) for name, (_, tail, _) in self._reports.items()]
        tails += [(name, tail) for name, (tail, _) in self._printed.items()]
        now = {name: tail.mark for name, tail in tails}
        changed = {name: mark for name, mark in now.items() if self._before.get(name, 0) != mark}
        self._before |= changed
        return changed

    def _tail(self, path: Path) -> Tail:
        return Tail(path, self._before.get(path.name, 0))

    def _files(self, what: str) -> list[Path]:
        if what == "reports":
            return sorted((self._folder / "reports").glob("*.jsonl"))
        return sorted(self._logs.glob("rank-*.log"))

    def _report(self, path: Path) -> list[Point]:
        if path.name not in self._reports:
            self._reports[path.name] = (int(path.name.partition(".")[0]), self._tail(path), b"")
        rank, tail, rest = self._reports[path.name]
        *lines, rest = (rest + tail.read()).split(b"\n")
        self._reports[path.name] = (rank, tail, rest)
        found = []
        for line in lines:
            try:
                said: Mapping[str, Any] = json.loads(line)
                made = [
                    Point(str(name), float(value), said["s"], rank, float(said["t"]))
                    for name, value in said["m"].items()
                ]
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            found += made
            if said.get("p") is not None and (rank == 0 or self.progress is None):
                self.progress = float(said["p"])
        return found
