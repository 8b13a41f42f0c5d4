"""One resource as text for people, whatever its kind: what it is, how it fares, what was asked for, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.display.look import duration, number

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import Event
    from jupyter_ext.cluster.resource import Resource

_LONGEST = 400
"""Characters of one text of a spec: the code of an exported job is longer than anybody reads."""
_MOST = 30
"""Items of one list."""
_TOLD = {"phase", "reason", "startTime", "completionTime", "seconds", "progress", "metrics", "error"}


def describe(resource: Resource, events: Iterable[Event] = ()) -> str:
    """Give the whole description."""
    status = resource.status
    progress = status.get("progress")
    head = {
        "Name": resource.name,
        "Kind": f"{resource.kind} ({resource.api_version})",
        "State": resource.phase,
        "Reason": resource.reason,
        "Progress": f"{progress:.0%}" if isinstance(progress, int | float) and not resource.finished else "",
        "Created": resource.created,
        "Started": status.get("startTime") or "",
        "Ended": status.get("completionTime") or "",
        "Took": duration(status.get("seconds")),
        "Labels": ", ".join(f"{key}={value}" for key, value in resource.labels.items()),
    }
    lines = [f"{key + ':':<10}{value}" for key, value in head.items() if value not in {"", None}]
    metrics = status.get("metrics")
    if isinstance(metrics, Mapping) and metrics:
        lines += ["Metrics:", *(f"  {name} = {number(value)}" for name, value in metrics.items())]
    lines += _part("Annotations", resource.annotations)
    lines += _part("Spec", resource.spec)
    lines += _part("Status", {key: value for key, value in status.items() if key not in _TOLD})
    error = status.get("error")
    if isinstance(error, Mapping):
        lines += ["Error:", *(str(line).rstrip("\n") for line in error.get("traceback") or ())]
    told = [f"  {event.time[:19]}  {event.type:<8} {event.reason}: {event.message}" for event in events]
    lines += ["Events:", *told] if told else []
    return "\n".join(lines)


def _part(name: str, value: Mapping[str, Any]) -> list[str]:
    if not value:
        return []
    import yaml

    text = yaml.safe_dump(_short(value), sort_keys=False, allow_unicode=True, width=110)
    return [f"{name}:", *(f"  {line}" for line in text.rstrip("\n").split("\n"))]


def _short(value: Any) -> Any:
    """Cut what is too long to be read."""
    if isinstance(value, Mapping):
        return {str(key): _short(item) for key, item in value.items()}
    if isinstance(value, str):
        cut = len(value) > _LONGEST
        return f"{value[:_LONGEST]}… ({len(value)} characters)" if cut else value
    if isinstance(value, list | tuple):
        shown = [_short(item) for item in value[:_MOST]]
        return [*shown, f"… ({len(value)} in all)"] if len(value) > _MOST else shown
    return value if isinstance(value, int | float | bool) or value is None else str(value)
