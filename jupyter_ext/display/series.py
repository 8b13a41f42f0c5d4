"""Curves as those who draw them take them: one list of points for each name and rank."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.metrics import Page, Point

SYSTEM = "system/"
"""What the names of measured values begin with; the others were reported."""


def series(points: Iterable[Point]) -> list[dict[str, Any]]:
    """Give ``[{"name", "rank", "points": [[step or None, time, value], …]}, …]``."""
    found: dict[tuple[str, int], list[list[float | None]]] = {}
    for point in points:
        found.setdefault((point.name, point.rank), []).append([point.step, point.time, point.value])
    return [{"name": name, "rank": rank, "points": items} for (name, rank), items in found.items()]


def page(found: Page) -> dict[str, Any]:
    """Give a page of curves as JSON; ``cursor`` is what the next read passes as ``since``."""
    return {"cursor": found.cursor, "series": series(found.points)}
