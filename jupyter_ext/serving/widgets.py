"""An endpoint in a notebook's output: live while it is looked at, a plain picture for later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.display import chart, live, look
from jupyter_ext.display.live import Picture
from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving import presenting

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.display.follower import Follower
    from jupyter_ext.serving import Endpoint

EVERY: Final = 1.0
"""Seconds between two pictures: rates are counted by the second."""
MOST_REVISIONS: Final = 8
_STATES: Final = {
    "ready": "SUCCEEDED", "loading": "PENDING", "failed": "FAILED", "asleep": "PAUSED", "retired": "SKIPPED",
}  # fmt: skip
_SHOWN: Final = (("rate", "Requests a second"), ("errors", "Errors a second"), ("p95", "p95 in seconds"))
_LETTER: Final = "█"


def _recent(resource: Resource) -> Mapping[str, Mapping[str, float | None]]:
    try:
        return presenting.recent(resource)
    except (KubeflowError, ImportError):
        return {}


def _model(item: Mapping[str, Any]) -> str:
    return ":".join(str(item[name]) for name in ("model", "version") if item.get(name))


def _percent(value: float | None) -> str:
    """Give a share as people write it."""
    return "" if value is None else f"{value * 100:.2g} %"


def _numbers(seen: Mapping[str, float | None]) -> tuple[str, str, str]:
    """Give rate, errors and p95 with their units."""
    rate = seen.get("rate")
    return (
        f"{rate:.3g} /s" if rate else "no requests",
        _percent(seen.get("errors")) + " errors" if rate else "",
        f"p95 {look.duration(seen['p95'])}" if rate and seen.get("p95") is not None else "",
    )


def word(resource: Resource) -> str:
    """Give the state of an endpoint in a word: what runs here serves."""
    return "serving" if resource.phase == "RUNNING" else look.look(resource.phase)[1]


def endpoint_text(resource: Resource) -> str:
    """Give an endpoint in plain text: a line for it, one for each variant, the reason."""
    url = presenting.addresses(resource).get("url", "")
    lines = [f"Endpoint {resource.name}: {word(resource)}  {url}".rstrip()]
    recent = _recent(resource)
    found = presenting.variants(resource)
    names = max((len(str(item["name"])) for item in found), default=0)
    models = max((len(_model(item)) for item in found), default=0)
    for item in found:
        share = float(item.get("percent") or 0)
        told = "  ".join(part for part in _numbers(recent.get(str(item["name"]), {})) if part)
        bar = (_LETTER * round(share / 10)).ljust(10)
        state = str(item.get("state") or "")
        mirror = f"  mirror {item['mirror']:g} %" if item.get("mirror") else ""
        lines.append(
            f"  {item['name']:<{names}}  {share:>3g} %  {bar}  {_model(item):<{models}}  {state:<8}{mirror}  {told}".rstrip()
        )
        if item.get("reason") and state == "failed":
            lines.append(f"  {'':<{names}}  {str(item['reason']).splitlines()[0][:300]}")
    if resource.reason:
        lines.append(resource.reason)
    return "\n".join(lines)


def endpoint_html(resource: Resource) -> str:
    """Give an endpoint as one block of HTML: head, reason, traffic, variants, curves, revisions."""
    mark, _, colour = look.look(resource.phase)
    told = presenting.addresses(resource)
    url = escape(told.get("url", ""))
    head = (
        f'<div><b style="color:{colour}">{mark} {escape(word(resource))}</b> <b>{escape(resource.name)}</b> '
        f"<code>{url}</code></div>"
    )
    found = presenting.variants(resource)
    return look.block(
        head,
        look.failure(resource.reason, _reason_phase(resource, found)),
        traffic_bar(found),
        _table(found, _recent(resource)),
        _curves(resource, [str(item["name"]) for item in found]),
        _rules(resource.status.get("rules") or ()),
        _revisions(resource),
    )


def _reason_phase(resource: Resource, variants: Sequence[Mapping[str, Any]]) -> str:
    """What serves although a variant failed has an alert too."""
    failed = any(item.get("state") == "failed" for item in variants)
    return "FAILED" if failed else resource.phase


def traffic_bar(variants: Sequence[Mapping[str, Any]]) -> str:
    """Give the shares as one bar; nothing where there is a single variant."""
    parts = [(str(item["name"]), float(item.get("percent") or 0)) for item in variants]
    if len(parts) < 2:
        return ""
    label = ", ".join(f"{name} {share:g} %" for name, share in parts)
    cells = []
    for position, (name, share) in enumerate(parts):
        variable, colour = chart.COLOURS[position % len(chart.COLOURS)]
        if share:
            cells.append(
                f'<div title="{escape(name)} {share:g} %" style="width:{share:g}%;background:var({variable}, {colour});'
                f'color:#fff;overflow:hidden;white-space:nowrap;padding:0 4px;box-sizing:border-box">{escape(name)}</div>'
            )
    return (
        f'<div role="img" aria-label="Traffic: {escape(label)}" style="display:flex;max-width:480px;border-radius:3px;'
        f'overflow:hidden;font-size:11px;line-height:18px;margin:4px 0">{"".join(cells)}</div>'
    )


def _table(variants: Sequence[Mapping[str, Any]], recent: Mapping[str, Mapping[str, float | None]]) -> str:
    rows = []
    for item in variants:
        rate, errors, p95 = _numbers(recent.get(str(item["name"]), {}))
        state = str(item.get("state") or "loading")
        mark, _, colour = look.look(_STATES.get(state, "PENDING"))
        note = str(item.get("reason") or "").split("\n", 1)[0][:300]
        share = f"{item.get('percent') or 0:g} %"
        rows.append(
            (
                f"<b>{escape(str(item['name']))}</b>",
                share + (f" + {item['mirror']:g} % mirrored" if item.get("mirror") else ""),
                f"<code>{escape(_model(item))}</code>",
                f'<span style="color:{colour}">{mark} {escape(state)}</span>',
                escape(rate),
                escape(errors.removesuffix(" errors")),
                escape(p95.removeprefix("p95 ")),
                escape(note),
            )
        )
    head = ("Variant", "Traffic", "Model", "State", "Rate", "Errors", "p95", "")
    return look.table("Variants", head, rows)


def _curves(resource: Resource, variants: Sequence[str]) -> str:
    """Give rate, errors and latency of the variants over one another."""
    from jupyter_ext.cluster.discover import current

    names = [f"{variant}/{part}" for variant in variants for part, _ in _SHOWN]
    page = current().metrics.read(resource.uid, names=names, limit=chart.MOST)
    points: dict[str, list[chart.Point]] = {}
    for point in page.points:
        points.setdefault(point.name, []).append((point.time, point.value))
    cells = []
    for part, label in _SHOWN:
        lines = [(variant, points.get(f"{variant}/{part}", [])) for variant in variants]
        if any(len(found) > 1 for _, found in lines):
            cells.append((escape(label), chart.curves_svg(label, lines)))
    if not cells:
        return ""
    return look.table("Traffic over time", [name for name, _ in cells], [[drawn for _, drawn in cells]])


def _rules(rules: Iterable[Mapping[str, Any]]) -> str:
    rows = [[escape(str(item.get(name) or "")) for name in ("text", "state", "value")] for item in rules]
    return look.table("Rules", ("Rule", "State", "Now"), rows)


def _revisions(resource: Resource) -> str:
    found = list(resource.status.get("revisions") or ())
    if len(found) < 2:
        return ""
    newest = sorted(found, key=lambda item: item.get("number") or 0, reverse=True)[:MOST_REVISIONS]
    rows = [
        (
            str(item.get("number") or ""),
            escape(str(item.get("time") or "")[:19].replace("T", " ")),
            escape(" ".join(f"{name}={share:g}" for name, share in (item.get("traffic") or {}).items())),
            escape(str(item.get("what") or "")),
            escape(str(item.get("why") or "")),
        )
        for item in newest
    ]
    table = look.table("Revisions", ("", "Since (UTC)", "Traffic", "What", "Why"), rows)
    return f"<details><summary>{len(found)} revisions</summary>{table}</details>"


def actions(resource: Resource) -> list[tuple[str, str]]:
    """What can be done with an endpoint in its state, as (verb, words on the button)."""
    if resource.phase == "PAUSED":
        return [("start", "Start")]
    if resource.phase not in {"PENDING", "RUNNING"}:
        return []
    ready = [item for item in presenting.variants(resource)[1:] if item.get("state") == "ready"]
    found = [("promote", f"Promote {ready[0]['name']}")] if len(ready) == 1 else []
    if len(resource.status.get("revisions") or ()) > 1:
        found.append(("rollback", "Roll back"))
    return [*found, ("stop", "Stop")]


def _act(endpoint: Endpoint, verb: str) -> None:
    if verb in {"promote", "rollback", "stop", "start"}:
        getattr(endpoint, verb)()


PICTURE: Final = Picture(endpoint_text, endpoint_html, actions, _act, every=EVERY)


def mimebundle(endpoint: Endpoint) -> dict[str, str]:
    """Give the endpoint as it is now, without life: text and HTML."""
    return PICTURE.static(endpoint.resource)


def show(endpoint: Endpoint) -> Follower | None:
    """Display the endpoint in the running cell; goes on showing it as long as it is there."""
    return live.show(endpoint, PICTURE)


class EndpointsView:
    """A list of endpoints as a notebook shows it; indexing gives the handles."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)

    def __len__(self) -> int:
        return len(self.endpoints)

    def __getitem__(self, position: int) -> Endpoint:
        return self.endpoints[position]

    def __repr__(self) -> str:
        found = [endpoint.resource for endpoint in self.endpoints]
        return "\n".join(endpoint_text(item).split("\n", 1)[0] for item in found) or "No endpoints."

    def _repr_html_(self) -> str:
        rows = []
        for endpoint in self.endpoints:
            item = endpoint.resource
            mark, _, colour = look.look(item.phase)
            variants = presenting.variants(item)
            rows.append(
                (
                    f"<code>{escape(item.name)}</code>",
                    f'<span style="color:{colour}">{mark} {escape(word(item))}</span>',
                    escape(", ".join(f"{one['name']} {one.get('percent') or 0:g} %" for one in variants)),
                    f"<code>{escape(presenting.addresses(item).get('url', ''))}</code>",
                    escape(item.reason[:120]),
                )
            )
        return (
            look.table("Endpoints", ("Endpoint", "State", "Traffic", "Address", "Reason"), rows)
            or "<div>No endpoints.</div>"
        )
