"""How what answers requests fares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.home.work import listed, row
from jupyter_ext.kinds import ROWS
from jupyter_ext.resources import is_part

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

MOST: Final = 50
ASKED: Final = 20
"""Endpoints of which the last requests are counted; each is a question to the log."""


def of(cluster: Any) -> list[dict[str, Any]]:
    """Every endpoint: phase, reason, its variants with their shares, requests and errors of the last minutes."""
    kinds = [each.kind for each in ROWS if each.serves]
    found = [item for kind in kinds for item in listed(cluster, kind, limit=MOST) if not is_part(item)]
    return [_endpoint(item, counted=number < ASKED) for number, item in enumerate(found)]


def _endpoint(resource: Resource, *, counted: bool) -> dict[str, Any]:
    told = ("name", "percent", "model", "version", "state", "reason")
    variants = [
        {name: each.get(name) for name in told if each.get(name) is not None}
        for each in resource.status.get("variants") or ()
        if each.get("state") != "retired"
    ]
    return row(resource) | {"variants": variants} | (_traffic(resource) if counted else {})


def _traffic(resource: Resource) -> dict[str, Any]:
    """Requests a second and the share of errors, over all variants; nothing where nobody asked."""
    if resource.phase != "RUNNING" or resource.kind != "InferenceService":
        return {}
    from jupyter_ext.serving import presenting

    try:
        found = presenting.recent(resource).values()
    except (KubeflowError, OSError):
        return {}
    rate = sum(each["rate"] or 0.0 for each in found)
    failed = sum((each["rate"] or 0.0) * (each["errors"] or 0.0) for each in found)
    return {"rate": rate, "errors": failed / rate} if rate else {}
