"""Which requests of an endpoint say something about which variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Conflict, Where
from jupyter_ext.serving import revisions, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.watching import seconds

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.asking import Asking


def compared(resource: Resource, against: str | None) -> list[str]:
    """The variants to compare, first the one that the others are held against."""
    found = [each.name for each in names.read(resource).variants]
    if against is not None:
        first = verbs.variant_of(resource, against)
        found = [first, *(name for name in found if name != first)]
    return found


def since(resource: Resource) -> float | None:
    """When the split, or a model in it, was changed last; None where nothing is known."""
    found = revisions.entries(resource)
    if not found:
        return None
    begin = found[-1]
    for entry in reversed(found):
        if _mix(entry) != _mix(found[-1]):
            break
        begin = entry
    return seconds(str(begin["time"]))


def _mix(entry: revisions.Entry) -> list[tuple[str, int, str]]:
    service = names.parse(entry["spec"], entry["annotations"])
    return [(each.name, each.percent, each.digest) for each in service.variants]


def drift(endpoint: Asking, variant: str | None, limit: int) -> Any:
    """The drift of what was asked, against the profile of the model's data. Raises Conflict where there is none."""
    chosen = verbs.variant_of(endpoint.resource, variant) if variant else None
    found = _measured(endpoint, variant, endpoint.requests(limit, variant=chosen))
    if found is None:
        raise Conflict(
            f"Nothing is known of the data that the model of {endpoint.name} was trained on",
            where=Where(object=endpoint.name),
            hint='Register it with data={"train": frame} or example=.',
        )
    return found


def drift_or_none(endpoint: Asking, limit: int, since: float) -> Any:
    """As ``drift``, of what was asked after ``since``; None where there is no profile."""
    logged = [each for each in endpoint.requests(limit) if each.time >= since]
    return _measured(endpoint, None, logged)


def _measured(endpoint: Asking, variant: str | None, logged: list[Any]) -> Any:
    from jupyter_ext.serving import drift as measuring

    version = endpoint.version(variant)
    profile = getattr(version, "profile", None) if version is not None else None
    if not profile:
        return None
    signature = version.signature or {}
    columns = [str(each.get("name")) for each in signature.get("inputs") or [] if each.get("name")]
    return measuring.measure(profile, logged, names=columns or None)
