"""Between an API server's objects and ours, and the order in which lists are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from jupyter_ext.cluster.answers import ResourceList
from jupyter_ext.cluster.local.codec import decode, summary
from jupyter_ext.cluster.phases import told
from jupyter_ext.cluster.resource import TERMINAL, Resource
from jupyter_ext.errors import Gone, Invalid, Where

Json = dict[str, Any]

_LABEL: Final = 63
_NAME: Final = 253
_NOTHING: Final[Json] = {}
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")


def read(kind: str, thing: Mapping[str, Any], *, light: bool = False) -> Resource:
    """The resource that an object is, with the phase and the reason that its status tells."""
    resource = Resource.from_dict({"apiVersion": "", "kind": kind, **thing})
    said = told(
        kind,
        resource.status,
        annotations=resource.annotations,
        labels=resource.labels,
        deleted=resource.deleted,
    )
    resource = resource.with_(status={**resource.status, **_more(resource, said.phase), **said._asdict()})
    shortened = summary(kind, resource.spec, resource.status) if light else None
    return resource.with_(**decode(shortened)) if shortened else resource


def _more(resource: Resource, phase: str) -> Json:
    """What views ask of every status, from where upstream's controllers write it: progress, and when it ended."""
    status = resource.status
    found: Json = {}
    trained = status.get("trainerStatus")
    if isinstance(trained, Mapping) and "progress" not in status:
        percentage = trained.get("progressPercentage")
        found["progress"] = percentage / 100 if isinstance(percentage, int | float) else None
    if phase in TERMINAL and not status.get("completionTime"):
        rows = status.get("conditions")
        times = [
            str(row.get("lastTransitionTime") or "")
            for row in (rows if isinstance(rows, list) else ())
            if isinstance(row, Mapping) and row.get("status") == "True"
        ]
        if ended := max(times, default=""):
            found["completionTime"] = ended
    return found


def slip(resource: Resource) -> Resource:
    """What lists choose and order by, without the rest: thousands of them are held in memory."""
    shown = {"phase": resource.phase}
    title = {"displayName": resource.title} if resource.title != resource.name else _NOTHING
    return resource.with_(labels=_NOTHING, annotations=_NOTHING, spec=title, status=shown)


def is_name(name: str) -> bool:
    """Whether an object may have it: an RFC 1123 subdomain. Others than ours may have made it."""
    return (
        0 < len(name) <= _NAME
        and _LETTERS.issuperset(name)
        and all(part and part[0] != "-" and part[-1] != "-" for part in name.split("."))
    )


def selector(labels: Mapping[str, str] | None) -> str:
    """Labels as a query. Raises Invalid for what no label can be."""
    for key, value in (labels or {}).items():
        domain, _, name = key.rpartition("/")
        if not _is_value(name) or (domain and not is_name(domain)) or (value and not _is_value(value)):
            hint = "Letters, digits, '-', '_' and '.', 63 at most; a key may have a domain and '/' before it."
            raise Invalid(f"{key!r}: {value!r} cannot be a label", where=Where(field="labels"), hint=hint)
    return ",".join(f"{key}={value}" for key, value in (labels or {}).items())


def _is_value(text: str) -> bool:
    inner = text.replace("-", "a").replace("_", "a").replace(".", "a")
    return (
        0 < len(text) <= _LABEL
        and inner.isascii()
        and inner.isalnum()
        and text[0].isalnum()
        and text[-1].isalnum()
    )


def page(
    found: list[Resource],
    version: int,
    *,
    phase: str | Iterable[str] | None,
    text: str | None,
    owner: str | None,
    limit: int | None,
    before: str | int | None,
) -> ResourceList:
    """Those that are asked for, newest first. An API server orders by name, and knows neither phase nor text."""
    phases = None if phase is None else {phase} if isinstance(phase, str) else set(phase)
    wanted = (text or "").casefold()
    found.sort(key=_place, reverse=True)
    if before is not None:
        found = _after(found, str(before))
    chosen = [
        resource
        for resource in found
        if (phases is None or resource.phase in phases)
        and (owner is None or resource.owner == owner)
        and wanted in f"{resource.name}\n{resource.title}".casefold()
    ]
    more = limit is not None and len(chosen) > limit
    shown = chosen[:limit]
    return ResourceList(shown, version, more, " ".join(_place(shown[-1])) if more and shown else None)


def _place(resource: Resource) -> tuple[str, str]:
    return resource.created, resource.name


def _after(found: Sequence[Resource], before: str) -> list[Resource]:
    """What follows a list's ``next``, a creation time, or the name of a resource. Raises Gone."""
    created, space, name = before.partition(" ")
    if space or ":" in before:
        return [resource for resource in found if _place(resource) < (created, name)]
    for number, resource in enumerate(found):
        if resource.name == before:
            return list(found[number + 1 :])
    raise Gone(f"{before!r} is no longer in the list", hint="List again from the start.")
