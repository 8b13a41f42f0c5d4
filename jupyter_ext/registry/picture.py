"""Lineage as SVG: what a notebook shows without any front end of ours. Functions of values; every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

MOST_NODES: Final = 60
WIDTH, HEIGHT, GAP, RISE = 132, 34, 36, 12
"""Pixels: size of a node, and the room between columns and between rows."""
_LETTERS: Final = 19
_COLOURS: Final = {
    "Version": ("--jp-brand-color1", "#1976d2"),
    "InferenceService": ("--jp-success-color1", "#388e3c"),
    "Data": ("--jp-warn-color1", "#f57c00"),
}


def columns(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The column of each node: one to the right of whatever leads to it. A circle ends at its second visit."""
    before: dict[str, list[str]] = {node["id"]: [] for node in nodes}
    for edge in edges:
        if edge["source"] in before and edge["target"] in before:
            before[edge["target"]].append(edge["source"])
    found: dict[str, int] = {}

    def place(name: str, above: frozenset[str]) -> int:
        if name not in found:
            parents = [one for one in before[name] if one not in above]
            found[name] = max((place(one, above | {name}) + 1 for one in parents), default=0)
        return found[name]

    for node in nodes:
        place(node["id"], frozenset({node["id"]}))
    return found


def lineage_svg(graph: Mapping[str, Any]) -> str:
    """The graph as one picture; too large a one as a sentence."""
    nodes, edges = graph["nodes"], graph["edges"]
    if not nodes or len(nodes) > MOST_NODES:
        return f"<div>{len(nodes)} things belong to its lineage.</div>"
    column = columns(nodes, edges)
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for node in nodes:
        at = column[node["id"]]
        row = rows.get(at, 0)
        rows[at] = row + 1
        places[node["id"]] = (8 + at * (WIDTH + GAP), 8 + row * (HEIGHT + RISE))
    width = 16 + (max(column.values()) + 1) * (WIDTH + GAP) - GAP
    height = 16 + max(rows.values()) * (HEIGHT + RISE) - RISE
    drawn = [_line(places[edge["source"]], places[edge["target"]], edge) for edge in edges]
    drawn += [_node(node, places[node["id"]]) for node in nodes]
    words = ", ".join(f"{node['kind']} {node['title']}" for node in nodes)
    return (
        f'<svg role="img" aria-label="Lineage: {escape(words, quote=True)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;font-size:11px">{"".join(drawn)}</svg>'
    )


def _line(start: tuple[int, int], end: tuple[int, int], edge: Mapping[str, Any]) -> str:
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT // 2, end[0], end[1] + HEIGHT // 2
    middle = (x1 + x2) // 2
    title = f"<title>{escape(str(edge['label']))}</title>" if edge.get("label") else ""
    return (
        f'<path d="M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}" fill="none" '
        f'stroke="var(--jp-border-color1, #bdbdbd)">{title}</path>'
    )


def _node(node: Mapping[str, Any], place: tuple[int, int]) -> str:
    x, y = place
    variable, colour = _COLOURS.get(str(node["kind"]), ("--jp-border-color1", "#bdbdbd"))
    about = "\n".join(str(node[name]) for name in ("title", "note", "state") if node.get(name))
    return (
        f"<g><title>{escape(about)}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="var(--jp-layout-color1, #fff)" '
        f'stroke="var({variable}, {colour})"/>'
        f'<text x="{x + 6}" y="{y + 13}" fill="var(--jp-ui-font-color2, #757575)">{escape(str(node["kind"]))}</text>'
        f'<text x="{x + 6}" y="{y + 27}" fill="var(--jp-ui-font-color1, #212121)">{escape(_cut(node["title"]))}</text></g>'
    )


def _cut(text: object) -> str:
    found = str(text)
    return found if len(found) <= _LETTERS else found[: _LETTERS - 1] + "…"
