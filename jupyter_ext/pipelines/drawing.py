"""Small self-contained HTML and SVG for ``display``, in the colours of the reader's Jupyter theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_TEXT = "var(--jp-ui-font-color1, currentColor)"
_FAINT = "var(--jp-border-color2, #bbb)"
_ACCENT = "var(--jp-brand-color1, #1976d2)"
_CELL = "padding:2px 8px;text-align:right"


def metrics(values: Mapping[str, float]) -> str:
    """A table of names and numbers."""
    rows = "".join(
        f'<tr><th style="{_CELL};text-align:left;font-weight:normal">{escape(name)}</th>'
        f'<td style="{_CELL};font-weight:600">{value:g}</td></tr>'
        for name, value in values.items()
    )
    return f'<table style="color:{_TEXT}" aria-label="Metrics">{rows}</table>'


def table(name: str, data: Mapping[str, Any]) -> str:
    """The first rows of a frame, from its preview."""
    head = "".join(
        f'<th scope="col" style="{_CELL}">{escape(column["name"])}</th>' for column in data["columns"]
    )
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(_shown(value))}</td>' for value in row) + "</tr>"
        for row in data["rows"]
    )
    size = " by ".join(f"{size:,}" for size in data["shape"])
    caption = f'<caption style="color:{_TEXT}">{escape(name)} ({size})</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def confusion_matrix(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> str:
    """Rows are true labels, columns predicted ones; each row is shaded by its shares."""
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(label)}</th>' for label in labels)
    rows = []
    for label, counts in zip(labels, matrix, strict=True):
        total = sum(counts) or 1
        cells = "".join(
            f'<td style="{_CELL};color:{_TEXT};background:color-mix(in srgb,{_ACCENT} {60 * count / total:.0f}%,'
            f'transparent)">{count:g}</td>'
            for count in counts
        )
        rows.append(f'<tr><th scope="row" style="{_CELL}">{escape(label)}</th>{cells}</tr>')
    caption = f'<caption style="color:{_TEXT}">rows: true, columns: predicted</caption>'
    return (
        f'<table aria-label="Confusion matrix">{caption}<thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def roc(fpr: Sequence[float], tpr: Sequence[float], area: float) -> str:
    """The curve, and the diagonal of guessing."""
    size, left, top = 240, 40, 10

    def place(x: float, y: float) -> str:
        return f"{left + x * size:.1f},{top + (1 - y) * size:.1f}"

    points = " ".join(place(x, y) for x, y in zip(fpr, tpr, strict=True))
    bottom, right = top + size, left + size
    ticks = "".join(
        f'<text x="{left + value * size}" y="{bottom + 14}" text-anchor="middle">{value:g}</text>'
        f'<text x="{left - 5}" y="{top + (1 - value) * size + 4}" text-anchor="end">{value:g}</text>'
        for value in (0, 0.5, 1)
    )
    return (
        f'<svg role="img" aria-label="ROC curve, area {area:.4f}" width="{right + 10}" height="{bottom + 34}" '
        f'style="color:{_TEXT};font-size:11px" fill="currentColor">'
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="none" stroke="{_FAINT}"/>'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{top}" stroke="{_FAINT}" stroke-dasharray="4"/>'
        f'<polyline points="{points}" fill="none" stroke="{_ACCENT}" stroke-width="2"/>{ticks}'
        f'<text x="{left + size / 2}" y="{bottom + 28}" text-anchor="middle">false positive rate, area {area:.4f}</text>'
        "</svg>"
    )
