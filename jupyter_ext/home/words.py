"""The summary as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_ext.cluster.resource import say_memory

_SYMBOLS = {"available": "✓", "degraded": "!", "missing": "✗"}


def text(page: Mapping[str, Any]) -> str:
    """Give the page in lines."""
    profile = page["profile"]
    return "\n".join([f"Profile {profile['name']}: {profile['cluster']}", *_lines(page)])


def _lines(page: Mapping[str, Any]) -> Iterator[str]:
    for name, part in page.items():
        if isinstance(part, Mapping) and "error" in part:
            yield f"{name}: {part['error']['message']}"
        elif name in _WRITTEN:
            yield from _WRITTEN[name](part)


def _capacity(part: Any) -> Iterator[str]:
    cpu, memory = part["cpu"], part["memory"]
    yield f"CPU: {cpu['free'] / 1000:g} of {cpu['total'] / 1000:g} free"
    yield f"Memory: {say_memory(memory['free'])} of {say_memory(memory['total'])} free"
    for gpu in part["gpus"]:
        holder = gpu["holder"]
        whose = f"{holder['name']}{' (idle)' if gpu['state'] == 'idle' else ''}" if holder else "free"
        yield f"GPU {gpu['index']} ({gpu['name']}): {whose}"


def _quota(part: Any) -> Iterator[str]:
    for each in part:
        rows = (f"{row['resource']} {_amount(row, 'used')} of {_amount(row, 'hard')}" for row in each["rows"])
        yield f"Quota {each['name']}: {', '.join(rows)}"


def _amount(row: Mapping[str, Any], key: str) -> str:
    is_bytes = any(word in row["resource"] for word in ("memory", "storage"))
    return say_memory(int(row[key])) if is_bytes else f"{row[key]:g}"


def _use(part: Any) -> Iterator[str]:
    for each in part["people"]:
        yield f"{each['name'] or 'Nobody known'} uses {_share(each)}"


def _share(row: Mapping[str, Any]) -> str:
    gpus = f", {row['gpus']:g} GPUs" if row["gpus"] else ""
    return f"{row['cpu']:g} CPUs, {say_memory(int(row['memory']))}{gpus} in {row['pods']} pods"


def _contributors(part: Any) -> Iterator[str]:
    if part:
        yield "People: " + ", ".join(f"{each['name']} ({each['role']})" for each in part)


def _profiles(part: Any) -> Iterator[str]:
    if part["isAdmin"]:
        yield "Profiles:"
        for each in part["rows"]:
            owner = f" of {each['owner']}" if each["owner"] else ""
            yield f"  {each['name']}{owner}: {_share(each)}"


def _work(part: Any) -> Iterator[str]:
    for title, name in (("Running and waiting", "active"), ("Failed today", "failed"), ("Recent", "recent")):
        if part[name]:
            yield f"{title}:"
            yield from (_row(each) for each in part[name])


def _row(each: Mapping[str, Any]) -> str:
    reason = f": {each['reason']}" if each.get("reason") else ""
    return f"  {each['kind'].lower()}/{each['name']} {each['phase']}{reason}"


def _endpoints(part: Any) -> Iterator[str]:
    if part:
        yield "Endpoints:"
        yield from (_row(each) for each in part)


def _components(part: Any) -> Iterator[str]:
    yield "Components:"
    for each in part:
        remedy = f" {each['remedy']}" if each["remedy"] else ""
        yield f"  {_SYMBOLS[each['state']]} {each['name']}: {each['reason']}{remedy}"


def _storage(part: Any) -> Iterator[str]:
    yield f"Storage: {say_memory(part['total'])} used, {say_memory(part['free'])} free"


_WRITTEN = {
    "capacity": _capacity,
    "quota": _quota,
    "use": _use,
    "work": _work,
    "endpoints": _endpoints,
    "components": _components,
    "storage": _storage,
    "contributors": _contributors,
    "profiles": _profiles,
}
