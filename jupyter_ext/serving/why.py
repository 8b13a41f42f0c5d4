"""Everything that explains the state of an endpoint, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

_EVENTS = 8


def why(cluster: LocalCluster, resource: Resource) -> str:
    """Phase and reason, each variant, what is asked for and not served, the rules, and what happened lately."""
    status = resource.status
    lines = [f"{resource.name} is {resource.phase}. {resource.reason}".rstrip()]
    for row in status.get("variants") or []:
        share = f"{row['percent']} %" if row.get("percent") else "no requests"
        lines.append(f"  {row['name']}: {row['state']}, {share}. {row.get('reason', '')}".rstrip())
        error = row.get("error") or {}
        if error.get("traceback"):
            lines += [f"    {line}" for line in str(error["traceback"]).rstrip().splitlines()[-6:]]
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message"):
            lines.append(f"  {condition['type']}: {condition['message']}")
    for rule in status.get("rules") or []:
        lines.append(f"  Rule {rule.get('text')}: {rule.get('state')}. {rule.get('value', '')}".rstrip())
    happened = cluster.events(resource.kind, resource.name)[-_EVENTS:]
    if happened:
        lines.append("Lately:")
        lines += [f"  {each.time[:19].replace('T', ' ')}  {each.reason}: {each.message}" for each in happened]
    return "\n".join(dict.fromkeys(lines))
