"""Why a resource is as it is, whatever its kind: what its status, its events and its log say, in one value.

from jupyter_ext.why import why
why("trainjob/mnist")
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext import resources
from jupyter_ext.cluster import discover
from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

EVENTS: Final = 20
_STEP: Final = ("name", "state", "reason", "attempt", "error")
_QUIET: Final = frozenset({"SUCCEEDED", "SKIPPED"})


def why(reference: str, *, tail: int = 40) -> dict[str, Any]:
    """Give phase, reason, parts that did not simply succeed, conditions, last events, and ``tail`` lines of its log.

    ``reference`` is ``kind/name`` or a name alone. Raises NotFound and Invalid.
    """
    resource = resources.find(reference)
    status = resource.status
    found: dict[str, Any] = {
        "name": f"{resource.kind.lower()}/{resource.name}",
        "phase": resource.phase,
        "reason": resource.reason or None,
        "explanation": _own_words(resource),
        "error": _error(status.get("error")),
        "conditions": status.get("conditions"),
        "steps": _parts(status.get("steps")),
        "ranks": _parts(status.get("ranks")),
        "variants": status.get("variants"),
    }
    happened = list(discover.current().events(resource.kind, resource.name))
    found["events"] = [event.to_dict() for event in happened[-EVENTS:]]
    found["log"] = _log(resource, tail)
    return {name: value for name, value in found.items() if value not in (None, [], {}, "")}


def _own_words(resource: Resource) -> str | None:
    """What the kind itself can say beyond its reason."""
    explain = getattr(resources.handle(resource), "why", None)
    try:
        return str(explain()) if callable(explain) else None
    except KubeflowError as error:
        return str(error)


def _error(error: object) -> object:
    return (
        {key: value for key, value in error.items() if key != "locals"}
        if isinstance(error, Mapping)
        else error
    )


def _parts(parts: object) -> list[dict[str, Any]]:
    """Those that did not simply succeed."""
    if not isinstance(parts, list):
        return []
    noisy = (part for part in parts if isinstance(part, Mapping) and part.get("state") not in _QUIET)
    return [
        {key: _error(part[key]) for key in (*_STEP, "rank", "part") if part.get(key) not in (None, "")}
        for part in islice(noisy, 50)
    ]


def _log(resource: Resource, tail: int) -> str | None:
    try:
        return "".join(resources.logs(f"{resource.kind}/{resource.name}", tail=tail))[-20_000:]
    except KubeflowError:
        return None
