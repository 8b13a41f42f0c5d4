"""What an endpoint was: its last twenty revisions, kept in its status, each of which can be returned to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import now
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Where
from jupyter_ext.serving import spec as names

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Service

KEPT: Final = 20
RETURNED: Final = (names.VARIANTS, names.STICKY, names.MIRROR, names.IDLE, names.TRANSFORMER)
"""Annotations that are returned to with a revision. Rules and the log stay as they are: they are no deployment."""
_LABELS: Final = (names.MODEL_ID, names.VERSION_ID)
_LONGEST: Final = 500

Entry = dict[str, Any]


@dataclass(frozen=True)
class Revision:
    """One state of an endpoint. ``traffic``: percent of each variant; ``why``: of a rollback by itself."""

    number: int
    time: str
    what: str
    by: str
    traffic: dict[str, int]
    why: str = ""
    current: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "number": self.number,
            "time": self.time,
            "what": self.what,
            "by": self.by,
            "traffic": self.traffic,
            "why": self.why,
            "current": self.current,
        }


def entries(resource: Resource) -> list[Entry]:
    """Those that are kept, oldest first."""
    return list(resource.status.get("revisions") or [])


def listed(resource: Resource) -> list[Revision]:
    """Those that are kept, newest first."""
    found = entries(resource)
    last = found[-1]["number"] if found else 0
    return [
        Revision(
            int(entry["number"]),
            str(entry["time"]),
            str(entry["what"]),
            str(entry["by"]),
            dict(entry["traffic"]),
            str(entry.get("why") or ""),
            entry["number"] == last,
        )
        for entry in reversed(found)
    ]


def number_of(resource: Resource) -> int:
    """The number of the newest; 0 before the first."""
    found = entries(resource)
    return int(found[-1]["number"]) if found else 0


def _unnamed(canary: Any) -> Any:
    """Without the name of the model's container, which says nothing."""
    try:
        predictor = canary["predictor"]
        model = {key: value for key, value in predictor["model"].items() if key != "name"}
    except (KeyError, TypeError, AttributeError):
        return canary
    return {**canary, "predictor": {**predictor, "model": model}}


def content(spec: Mapping[str, Any], annotations: Mapping[str, str]) -> str:
    """What makes two revisions the same."""
    canaries = spec.get("canary")
    if isinstance(canaries, list):
        spec = {**spec, "canary": [_unnamed(each) for each in canaries]}
    ours = {name: annotations[name] for name in RETURNED if annotations.get(name)}
    return json.dumps([spec, ours], sort_keys=True, separators=(",", ":"))


def serving(resource: Resource) -> Service:
    """What serves now: of the revision that does, which is not the newest while that is not ready."""
    number = resource.status.get("servingRevision")
    for entry in entries(resource)[:-1]:
        if entry["number"] == number:
            with suppress(KubeflowError):
                return asked(resource, entry)
    return names.read(resource)


def settings(resource: Resource) -> str:
    """Digest of what the gateway goes by besides the variants: it tells whether a change of these is in force."""
    ours = [resource.annotations.get(name) for name in names.ROUTED]
    return hashlib.sha256(json.dumps(ours).encode()).hexdigest()[:12]


def asked(resource: Resource, entry: Entry) -> names.Service:
    """What a revision asks for. What is returned to is the revision's own: a mirror of today may be of a later variant."""
    return names.parse(entry["spec"], _annotations(resource, entry))


def _annotations(resource: Resource, entry: Entry) -> dict[str, str]:
    kept = {name: text for name, text in resource.annotations.items() if name not in RETURNED}
    return {**kept, **entry["annotations"]}


def is_noted(resource: Resource) -> bool:
    """Whether the newest revision is what the resource asks for."""
    found = entries(resource)
    return bool(found) and content(found[-1]["spec"], found[-1]["annotations"]) == content(
        resource.spec, resource.annotations
    )


def appended(
    resource: Resource, what: str, *, by: str | None = None, why: str = "", of: int | None = None
) -> list[Entry]:
    """The revisions with what the resource asks for now as the newest. ``of``: the one that was returned to.

    The one that serves is kept however old it is.
    """
    found = entries(resource)
    serving = resource.status.get("servingRevision")
    entry: Entry = {
        "number": number_of(resource) + 1,
        "time": now(),
        "what": what[:_LONGEST],
        "by": by or user(),
        "why": why[:_LONGEST],
        "traffic": traffic_of(resource),
        "spec": resource.spec,
        "annotations": {
            name: resource.annotations[name] for name in RETURNED if name in resource.annotations
        },
        "labels": {name: resource.labels[name] for name in _LABELS if name in resource.labels},
        **({"of": of} if of is not None else {}),
    }
    kept = [*found, entry]
    return [each for each in kept[:-KEPT] if each["number"] == serving] + kept[-KEPT:]


def returned(resource: Resource, entry: Entry) -> Resource:
    """The resource with the deployment of an earlier revision."""
    labels = {name: text for name, text in resource.labels.items() if name not in _LABELS}
    return resource.with_(
        spec=entry["spec"],
        annotations=_annotations(resource, entry),
        labels={**labels, **entry.get("labels", {})},
    )


def chosen(resource: Resource, number: int | None) -> Entry:
    """The revision to return to: by its number, else the one before what there is now.

    One rollback after the other goes back further. Raises NotFound, naming what is kept, and Conflict where there is
    nothing before.
    """
    found = entries(resource)
    if number is not None:
        for entry in found:
            if entry["number"] == number:
                return entry
        raise NotFound(
            f"{resource.name} has no revision {number}",
            where=Where(field="revision"),
            hint=f"Kept are {', '.join(str(entry['number']) for entry in found)}." if found else None,
        )
    here = content(resource.spec, resource.annotations)
    for entry in before(found):
        if content(entry["spec"], entry["annotations"]) != here:
            return entry
    raise Conflict(f"{resource.name} has no earlier revision to return to")


def before(found: Sequence[Entry]) -> list[Entry]:
    """Those older than what there is now, the newest first; what was returned to counts as the original."""
    if not found:
        return []
    place = int(found[-1].get("of") or found[-1]["number"])
    return [entry for entry in reversed(found) if int(entry.get("of") or entry["number"]) < place]


def without(resource: Resource, variant: str, digest: str) -> Entry | None:
    """The newest earlier revision in which this variant, as it is now, had no share of the traffic."""
    for entry in before(entries(resource)):
        service = names.parse(entry["spec"], entry["annotations"])
        there = service.variant(variant)
        if there is None or there.percent == 0 or there.digest != digest:
            return entry
    return None


def traffic_of(resource: Resource) -> dict[str, int]:
    """Percent of each variant."""
    return {each.name: each.percent for each in names.read(resource).variants}


def user() -> str:
    """Who this is, as the machine knows it."""
    import getpass

    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
