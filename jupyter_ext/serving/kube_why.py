"""Why an endpoint of a Kubernetes cluster is as it is: KServe's conditions, its pods, events and last lines, joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError
from jupyter_ext.serving.places import KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.kube_view import View

_EVENTS: Final = 8
_LINES: Final = 6


def why(view: View, remote: KubeCluster) -> str:
    """In words, the most telling first."""
    resource = view.resource()
    lines = [f"{resource.name} is {resource.phase}. {resource.reason}".rstrip()]
    for row in resource.status.get("variants") or ():
        share = f"{row['percent']} %" if row.get("percent") else "no requests"
        lines.append(f"  {row['name']}: {row['state']}, {share}. {row.get('reason', '')}".rstrip())
    parts = {**view.services, **({view.gateway.name: view.gateway} if view.gateway else {})}
    for name, service in parts.items():
        told = list(_of_kserve(service))
        is_ready = service.phase == "RUNNING"
        if not is_ready:
            told += _of_pods(remote, service)
        lines += [f"  {name}: {line}" for line in told]
    happened = [] if resource.phase == "RUNNING" and not resource.reason else _events(remote, resource.name)
    if happened:
        lines += ["Lately:", *happened]
    return "\n".join(dict.fromkeys(lines))


def _of_kserve(service: Resource) -> Iterator[str]:
    """Conditions that do not hold, and what KServe knows of the model."""
    for row in service.status.get("conditions") or ():
        if row.get("status") == "False" and row.get("type") != "Stopped":
            words = str(row.get("message") or row.get("reason") or "no reason is given")
            yield f"{row['type']} does not hold: {words}"
    model: dict[str, Any] = service.status.get("modelStatus") or {}
    failure = model.get("lastFailureInfo") or {}
    if failure:
        words = " ".join(str(failure.get("message") or "").split()[-60:])
        yield f"{failure.get('reason', 'ModelLoadFailed')}: {words}".rstrip(": ")


def _of_pods(remote: KubeCluster, service: Resource) -> list[str]:
    try:
        found = [said] if (said := remote.why(service)) else []
        lines = list(remote.logs(KIND, service.name, tail=_LINES))
    except KubeflowError as error:
        return [str(error)]
    return [*found, *(f"| {line.rstrip()}" for line in lines[-_LINES:])]


def _events(remote: KubeCluster, name: str) -> list[str]:
    try:
        happened = remote.events(KIND, name)[-_EVENTS:]
    except KubeflowError:
        return []
    return [f"  {each.time[:19].replace('T', ' ')}  {each.reason}: {each.message}" for each in happened]
