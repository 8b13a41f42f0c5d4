"""What a server counts, in the text form that Prometheus reads."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path
from typing import Final

SECONDS: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
ROWS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
_HELP: Final = {
    "request_predict_seconds": ("histogram", "Time from a request's arrival to its answer."),
    "model_requests_total": ("counter", "Requests answered, by protocol and status."),
    "model_batch_rows": ("histogram", "Rows predicted together."),
    "model_ready": ("gauge", "1 when the model answers."),
    "http_connections": ("gauge", "Open connections."),
    "process_cpu_seconds_total": ("counter", "Processor time of this process."),
    "process_resident_memory_bytes": ("gauge", "Memory of this process."),
    "process_start_time_seconds": ("gauge", "When this process started."),
}
_STARTED: Final = time.time()


class Histogram:
    """Counts up to each of some bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """Of one process."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, str, int], int] = defaultdict(int)
        self.seconds: dict[tuple[str, str], Histogram] = {}
        self.rows: dict[tuple[str, str], Histogram] = {}

    def answered(self, model: tuple[str, str], protocol: str, status: int, seconds: float) -> None:
        """A prediction was answered."""
        self.requests[(*model, protocol, status)] += 1
        histogram = self.seconds.get(model)
        if histogram is None:
            histogram = self.seconds[model] = Histogram(SECONDS)
        histogram.add(seconds)

    def batch(self, model: tuple[str, str], rows: int) -> None:
        """So many rows went together."""
        self.rows.setdefault(model, Histogram(ROWS)).add(rows)

    def text(self, ready: dict[tuple[str, str], bool], connections: int) -> bytes:
        """All of it."""
        lines: list[str] = []
        _head(lines, "model_requests_total")
        for (name, version, protocol, status), count in sorted(self.requests.items()):
            labels = _labels(model_name=name, model_version=version, protocol=protocol, code=str(status))
            lines.append(f"model_requests_total{labels} {count}")
        for word, histograms in (("request_predict_seconds", self.seconds), ("model_batch_rows", self.rows)):
            _head(lines, word)
            for (name, version), histogram in sorted(histograms.items()):
                _histogram(lines, word, {"model_name": name, "model_version": version}, histogram)
        _head(lines, "model_ready")
        for (name, version), is_ready in sorted(ready.items()):
            lines.append(f"model_ready{_labels(model_name=name, model_version=version)} {int(is_ready)}")
        times = os.times()
        for word, value in (
            ("http_connections", connections),
            ("process_cpu_seconds_total", times.user + times.system),
            ("process_resident_memory_bytes", _resident()),
            ("process_start_time_seconds", _STARTED),
        ):
            _head(lines, word)
            lines.append(f"{word} {value}")
        return ("\n".join(lines) + "\n").encode()


def _head(lines: list[str], word: str) -> None:
    kind, text = _HELP[word]
    lines += [f"# HELP {word} {text}", f"# TYPE {word} {kind}"]


def _labels(**values: str) -> str:
    parts = []
    for key, value in values.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        parts.append(f'{key}="{escaped}"')
    return "{" + ",".join(parts) + "}"


def _histogram(lines: list[str], word: str, labels: dict[str, str], histogram: Histogram) -> None:
    total = 0
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        total += count
        label = "+Inf" if bound is None else f"{bound:g}"
        lines.append(f"{word}_bucket{_labels(**labels, le=label)} {total}")
    lines.append(f"{word}_sum{_labels(**labels)} {histogram.total:.9g}")
    lines.append(f"{word}_count{_labels(**labels)} {total}")


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
