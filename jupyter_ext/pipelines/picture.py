"""Runs and pipelines as text, HTML and SVG: what a notebook shows without any front end of ours.

Functions of values. Every text from a notebook is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.look import duration, failure, look, metrics, number

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.model import Pipeline

MOST_NODES = 60
"""A graph with more is not drawn here; the sidebar's view has zoom."""


def run_text(resource: Resource) -> str:
    """Give a run in plain text: a line for it and one per step."""
    status = resource.status
    lines = [f"Run {resource.name}: {resource.phase} {duration(status.get('seconds'))}".rstrip()]
    if resource.reason:
        lines.append(resource.reason)
    steps = status.get("steps") or []
    width = max((len(step["name"]) for step in steps), default=0)
    lines += [
        f"  {look(step['state'])[0]} {step['name'].ljust(width)}  {_word(step)} {duration(step.get('seconds'))}".rstrip()
        for step in steps
    ]
    lines += [f"  {name} = {number(value)}" for name, value in (status.get("metrics") or {}).items()]
    return "\n".join(lines)


def run_html(resource: Resource) -> str:
    """Give a run as one block of HTML: head, graph, steps, error, metrics."""
    status = resource.status
    steps: Sequence[Mapping[str, Any]] = status.get("steps") or []
    mark, word, colour = look(resource.phase)
    head = (
        f'<div><b style="color:{colour}">{mark} {escape(word)}</b> <b>{escape(resource.title)}</b> '
        f"<code>{escape(resource.name)}</code> {duration(status.get('seconds'))}</div>"
    )
    graph = resource.spec.get("pipeline", {}).get("graph") or {}
    states = {step["name"]: step["state"] for step in steps}
    names = [step["name"] for step in graph.get("steps", ())]
    edges = [(edge["source"], edge["target"]) for edge in graph.get("edges", ())]
    picture = graph_svg(names, edges, states)
    body = f'<div style="display:flex;gap:24px;align-items:flex-start;flex-wrap:wrap">{picture}{_steps(steps)}</div>'
    parts = (head, _error(resource), body, metrics(status.get("metrics") or {}))
    return f'<div style="font-size:13px;line-height:1.5">{"".join(parts)}</div>'


def _word(step: Mapping[str, Any]) -> str:
    return "cached" if step.get("cached") else look(step["state"])[1]


def _steps(steps: Iterable[Mapping[str, Any]]) -> str:
    rows = []
    for step in steps:
        mark, _, colour = look(step["state"])
        indent = "padding-left:20px;" if step.get("parent") else ""
        shown = step["state"] in {"PENDING", "SKIPPED"}
        note = escape(str(step.get("reason") or "").split("\n", 1)[0][:160]) if shown else ""
        rows.append(
            f'<tr><td style="text-align:left;{indent}"><span style="color:{colour}">{mark}</span> '
            f"{escape(step['name'])}</td>"
            f'<td style="text-align:left;color:{colour}">{escape(_word(step))}</td>'
            f'<td style="text-align:right">{duration(step.get("seconds"))}</td>'
            f'<td style="text-align:left">{note}</td></tr>'
        )
    return f'<table aria-label="Steps"><tbody>{"".join(rows)}</tbody></table>' if rows else ""


def _error(resource: Resource) -> str:
    """Give why it failed, with the traceback folded away."""
    error: Mapping[str, Any] = resource.status.get("error") or {}
    sentence = resource.reason or str(error.get("message") or error.get("what") or "")
    return failure(sentence, resource.phase, [str(line) for line in error.get("traceback") or ()])


def layers(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Give the rows of a graph from top to bottom; a step stands below everything it needs.

    Steps that are on a cycle (an invalid pipeline is drawn too) stand in one row at the end.
    """
    known = set(names)
    parents: dict[str, set[str]] = {name: set() for name in names}
    for source, target in edges:
        if source in known and target in known and source != target:
            parents[target].add(source)
    rows: list[list[str]] = []
    placed: set[str] = set()
    left = list(names)
    while left:
        row = [name for name in left if parents[name] <= placed] or left
        rows.append(row)
        placed |= set(row)
        left = [name for name in left if name not in placed]
    return rows


_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 132, 26, 14, 22
_LONGEST = 17
"""Characters of a name that fit into a box."""


def graph_svg(names: Sequence[str], edges: Sequence[tuple[str, str]], states: Mapping[str, str]) -> str:
    """Draw steps as boxes with lines between them; empty if there is nothing or too much to draw."""
    if not 1 < len(names) <= MOST_NODES:
        return ""
    rows = layers(names, edges)
    breadth = max(len(row) for row in rows)
    width = breadth * (_WIDTH + _GAP_X) - _GAP_X + 2
    height = len(rows) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2
    place: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        start = (width - len(row) * (_WIDTH + _GAP_X) + _GAP_X) / 2
        for position, name in enumerate(row):
            place[name] = (start + position * (_WIDTH + _GAP_X), 1 + level * (_HEIGHT + _GAP_Y))
    lines = [
        _line(place[source], place[target]) for source, target in edges if source in place and target in place
    ]
    boxes = [_box(name, place[name], states.get(name)) for name in names]
    return (
        f'<svg role="img" aria-label="Graph of {len(names)} steps" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" xmlns="http://www.w3.org/2000/svg" style="max-width:100%;height:auto">'
        f"{''.join(lines)}{''.join(boxes)}</svg>"
    )


def _line(source: tuple[float, float], target: tuple[float, float]) -> str:
    x1, y1 = source[0] + _WIDTH / 2, source[1] + _HEIGHT
    x2, y2 = target[0] + _WIDTH / 2, target[1]
    middle = (y1 + y2) / 2
    return (
        f'<path d="M{x1:.0f},{y1:.0f} C{x1:.0f},{middle:.0f} {x2:.0f},{middle:.0f} {x2:.0f},{y2:.0f}" '
        'fill="none" style="stroke:var(--jp-border-color1, #bdbdbd)"/>'
    )


def _box(name: str, place: tuple[float, float], state: str | None) -> str:
    x, y = place
    mark, word, colour = look(state) if state else ("", "", "var(--jp-border-color1, #bdbdbd)")
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    title = f"{name}: {word}" if word else name
    return (
        f"<g><title>{escape(title)}</title>"
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{_WIDTH}" height="{_HEIGHT}" rx="4" '
        f'style="fill:var(--jp-layout-color1, #fff);stroke:{colour};stroke-width:1.5"/>'
        f'<text x="{x + 8:.0f}" y="{y + 17:.0f}" style="font-size:12px;fill:var(--jp-ui-font-color1, #212121)">'
        f'<tspan style="fill:{colour}">{mark}</tspan> {escape(short)}</text></g>'
    )


def pipeline_text(pipeline: Pipeline) -> str:
    """Give a pipeline in plain text: its steps with what each comes after, and its problems."""
    lines = [f"Pipeline {pipeline.name}: {len(pipeline.steps)} steps"]
    width = max((len(step.name) for step in pipeline.steps), default=0)
    before = _before(pipeline)
    for step in pipeline.steps:
        after = ", ".join(before[step.name])
        lines.append(f"  {step.name.ljust(width)}  {f'after {after}' if after else ''}".rstrip())
    lines += [f"{problem.severity}: {problem}" for problem in pipeline.problems]
    return "\n".join(lines)


def pipeline_html(pipeline: Pipeline) -> str:
    """Give a pipeline as HTML: graph, steps with what they need, problems."""
    names = [step.name for step in pipeline.steps]
    before = _before(pipeline)
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td>'
        f'<td style="text-align:left">{escape(", ".join(before[name]))}</td></tr>'
        for name in names
    )
    head = f"<div><b>{escape(pipeline.title or pipeline.name)}</b> {len(names)} steps</div>"
    table = (
        '<table aria-label="Steps"><thead><tr><th style="text-align:left">Step</th>'
        f'<th style="text-align:left">After</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    picture = graph_svg(names, [(edge.source, edge.target) for edge in pipeline.edges], {})
    problems = "".join(
        f'<li style="color:{look("FAILED" if problem.severity == "error" else "CANCELED")[2]}">'
        f"{escape(problem.severity)}: {escape(str(problem))}</li>"
        for problem in pipeline.problems
    )
    found = f'<ul aria-label="Problems">{problems}</ul>' if problems else ""
    body = f'<div style="display:flex;gap:24px;align-items:flex-start;flex-wrap:wrap">{picture}{table}</div>'
    return f'<div style="font-size:13px;line-height:1.5">{head}{body}{found}</div>'


def _before(pipeline: Pipeline) -> dict[str, list[str]]:
    """Give the direct predecessors of each step, also of a pipeline whose edges are wrong."""
    found: dict[str, list[str]] = {step.name: [] for step in pipeline.steps}
    for edge in pipeline.edges:
        if edge.target in found and edge.source not in found[edge.target]:
            found[edge.target].append(edge.source)
    return found


def runs_html(resources: Iterable[Resource]) -> str:
    """Give runs as a table, in the order given."""
    rows = []
    for resource in resources:
        mark, word, colour = look(resource.phase)
        cells = (
            f'<td style="text-align:left"><code>{escape(resource.name)}</code></td>',
            f'<td style="text-align:left;color:{colour}">{mark} {word}</td>',
            f"<td>{escape(resource.created[:19].replace('T', ' '))}</td>",
            f'<td style="text-align:right">{duration(resource.status.get("seconds"))}</td>',
            f'<td style="text-align:left">{escape(resource.reason[:120])}</td>',
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(
        f'<th style="text-align:left">{name}</th>'
        for name in ("Run", "State", "Created (UTC)", "Took", "Reason")
    )
    return f'<table aria-label="Runs"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
