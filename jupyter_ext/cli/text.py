"""Values as lines for people, and as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def say(text: str = "") -> None:
    """Write one line to standard output."""
    sys.stdout.write(text + "\n")


def as_json(value: object) -> None:
    """Write one JSON value to standard output, NaN and infinity as strings, as everywhere."""
    from jupyter_ext.cluster.local.codec import decode, encode

    sys.stdout.write(json.dumps(decode(encode(value)), indent=2, ensure_ascii=False) + "\n")


def seconds(value: float | None) -> str:
    """Give a duration with its unit: 12 ms, 3.4 s, 5 min 10 s, 2 h 5 min."""
    if value is None:
        return ""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def ago(time: str | None) -> str:
    """Give a time as distance from now."""
    if not time:
        return ""
    passed = (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed // size:.0f} {unit} ago"
    return f"{max(passed, 0):.0f} s ago"


def number(value: object) -> str:
    """Give a metric in a few digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Give rows in aligned columns; the last column is as long as it is."""
    lines = [list(head)] * bool(head) + [list(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def one_line(text: str, width: int = 100) -> str:
    """Give the first line of a text, cut to a width."""
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first if len(first) <= width else first[: width - 1] + "…"
