"""Curves small enough for a line of a table: SVG for a notebook, letters for a terminal. Functions of values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

Point = tuple[float, float]
"""Place along the axis (step, or time where there is none) and value."""

WIDTH, HEIGHT = 220, 44
_PAD = 3
_LEVELS = "▁▂▃▄▅▆▇█"
MOST = 240
"""Points drawn of one curve; more cannot be told apart."""
COLOURS = (
    ("--jp-info-color1", "#1976d2"),
    ("--jp-warn-color1", "#f57c00"),
    ("--jp-success-color1", "#388e3c"),
    ("--jp-error-color1", "#d32f2f"),
    ("--jp-ui-font-color2", "#757575"),
)


def finite(points: Sequence[Point]) -> list[Point]:
    """Leave out what has no place in a picture, and thin what is too dense; first and last stay."""
    kept = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
    if len(kept) <= MOST:
        return kept
    stride = (len(kept) - 1) / (MOST - 1)
    return [kept[round(position * stride)] for position in range(MOST)]


def share(value: float, low: float, high: float) -> float:
    """Give the place of a value between two others, from 0 to 1; the range may be all that a float can hold."""
    width = high / 2 - low / 2
    return min(max((value / 2 - low / 2) / width, 0.0), 1.0) if width > 0 else 0.0


def curves_svg(label: str, series: Sequence[tuple[str, Sequence[Point]]]) -> str:
    """Draw some curves over one another on common axes; empty where there is nothing to draw."""
    drawn = [(name, finite(points)) for name, points in series]
    every = [point for _, points in drawn for point in points]
    if not every:
        return ""
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)
    lines = []
    for position, (name, points) in enumerate(drawn):
        variable, colour = COLOURS[position % len(COLOURS)]
        place = " ".join(
            f"{_PAD + share(x, left, right) * (WIDTH - 2 * _PAD):.1f},"
            f"{HEIGHT - _PAD - share(y, low, high) * (HEIGHT - 2 * _PAD):.1f}"
            for x, y in points
        )
        style = f"stroke:var({variable}, {colour})"
        if len(points) == 1:
            x, _, y = place.partition(",")
            lines.append(
                f'<circle cx="{x}" cy="{y}" r="2" style="fill:var({variable}, {colour})"><title>{escape(name)}</title></circle>'
            )
        elif points:
            lines.append(
                f'<polyline points="{place}" fill="none" style="{style}"><title>{escape(name)}</title></polyline>'
            )
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg">{"".join(lines)}</svg>'
    )


def letters(values: Sequence[float], width: int = 24) -> str:
    """Draw a curve as a row of letters."""
    kept = [value for value in values if math.isfinite(value)]
    if not kept:
        return ""
    if len(kept) > width:
        stride = (len(kept) - 1) / (width - 1)
        kept = [kept[round(position * stride)] for position in range(width)]
    low, high = min(kept), max(kept)
    return "".join(_LEVELS[round(share(value, low, high) * (len(_LEVELS) - 1))] for value in kept)
