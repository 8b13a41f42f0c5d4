"""How states, durations and numbers look, in text and in HTML.

Colours are JupyterLab's theme variables, with values for front ends that have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

_LOOKS = {
    "PENDING": ("·", "waiting", "--jp-ui-font-color2", "#757575"),
    "RUNNING": ("▸", "running", "--jp-info-color1", "#1976d2"),
    "SUCCEEDED": ("✓", "done", "--jp-success-color1", "#388e3c"),
    "SKIPPED": ("\u2013", "skipped", "--jp-ui-font-color2", "#757575"),
    "FAILED": ("✗", "failed", "--jp-error-color1", "#d32f2f"),
    "CANCELING": ("▸", "stopping", "--jp-warn-color1", "#f57c00"),
    "CANCELED": ("■", "stopped", "--jp-warn-color1", "#f57c00"),
    "PAUSED": ("‖", "paused", "--jp-ui-font-color2", "#757575"),
}


def look(state: str) -> tuple[str, str, str]:
    """Give mark, word and CSS colour of a state."""
    mark, word, variable, colour = _LOOKS.get(state, _LOOKS["PENDING"])
    return mark, word, f"var({variable}, {colour})"


def duration(value: float | None) -> str:
    """Give seconds with their unit."""
    if value is None:
        return ""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 60 else f"{int(value) // 60} min {int(value) % 60} s"


def number(value: object) -> str:
    """Give a metric in a few digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(label: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table whose cells are HTML already; nothing where there is no row."""
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    if not body:
        return ""
    top = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in head)
    top = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f'<table aria-label="{escape(label)}" style="margin:0">{top}<tbody>{body}</tbody></table>'


def state(phase: str) -> str:
    """Give a state as mark and word in its colour."""
    mark, word, colour = look(phase)
    return f'<span style="color:{colour}">{mark} {word}</span>'


def failure(sentence: str, phase: str, traceback: Sequence[str] = ()) -> str:
    """Give the reason of a resource: an alert where it failed, with the traceback folded away."""
    if not sentence and not traceback:
        return ""
    if phase != "FAILED":
        return f"<div>{escape(sentence)}</div>"
    text = "\n".join(line.rstrip("\n") for line in traceback)
    details = f"<details><summary>Traceback</summary><pre>{escape(text)}</pre></details>" if text else ""
    return f'<div role="alert" style="color:{look("FAILED")[2]}">{escape(sentence)}</div>{details}'


def metrics(values: Mapping[str, object]) -> str:
    """Give metrics as a table of two columns."""
    rows = ((escape(name), escape(number(value))) for name, value in values.items())
    return table("Metrics", (), rows)


def bar(progress: float | None) -> str:
    """Give a progress bar; nothing where the progress is not known."""
    if progress is None:
        return ""
    share = min(max(progress, 0.0), 1.0)
    return (
        f'<div role="progressbar" aria-valuenow="{share * 100:.0f}" aria-valuemin="0" aria-valuemax="100" '
        'style="height:4px;max-width:480px;border-radius:2px;background:var(--jp-layout-color3, #e0e0e0)">'
        f'<div style="height:4px;border-radius:2px;width:{share * 100:.1f}%;background:{look("RUNNING")[2]}">'
        "</div></div>"
    )


def block(*parts: str) -> str:
    """Give parts under each other as one block."""
    return f'<div style="font-size:13px;line-height:1.5">{"".join(parts)}</div>'
