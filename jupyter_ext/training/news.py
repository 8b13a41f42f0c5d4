"""What the ranks of one attempt say: their states, what they report, what they print."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.local.metrics import Point
from jupyter_ext.training.lines import Parser

_BLOCK: Final = 1 << 20
"""Bytes of one file read at a time; the rest is read a moment later."""


class Tail:
    """A file that grows, read from where the last reading ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

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
        self._position += len(block)
        return block


class News:
    """Everything that is new since the last question."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder, self._logs = folder, logs
        self._reports: dict[str, tuple[int, Tail, bytes]] = {}
        self._printed: dict[str, tuple[Tail, Parser]] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._reported: set[str] = set()
        self._old = {path.name for path in logs.glob("rank-*.log")}
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
        found = [point for path in self._report_files() for point in self._report(path)]
        self._reported.update(point.name for point in found)
        moment = time.time()
        for path in self._log_files():
            if path.name not in self._printed:
                rank = int(path.name.removeprefix("rank-").partition(".")[0])
                self._printed[path.name] = (Tail(path), Parser(rank))
            tail, parser = self._printed[path.name]
            printed = parser.feed(tail.read(), moment)
            if final:
                printed += parser.close(moment)
            found += [point for point in printed if point.name not in self._reported]
        return found

    def _report_files(self) -> Iterable[Path]:
        return sorted((self._folder / "reports").glob("*.jsonl"))

    def _log_files(self) -> Iterable[Path]:
        return [path for path in sorted(self._logs.glob("rank-*.log")) if path.name not in self._old]

    def _report(self, path: Path) -> list[Point]:
        if path.name not in self._reports:
            self._reports[path.name] = (int(path.name.partition(".")[0]), Tail(path), b"")
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
