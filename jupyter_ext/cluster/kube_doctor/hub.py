"""The Hub's own rights: of the account that was named, that asks, or of the Hubs that are found."""

from __future__ import annotations

from jupyter_ext.cluster.kube_doctor import rights
from jupyter_ext.cluster.kube_doctor.findings import Finding
from jupyter_ext.cluster.kube_doctor.look import Look, name_of
from jupyter_ext.cluster.kube_doctor.profiles import seen
from jupyter_ext.cluster.kube_doctor.reading import Unseen


async def check(look: Look) -> list[Finding]:
    """One finding for each Hub; none where there is no Hub."""
    accounts = [look.hub] if look.hub else await _accounts(look)
    if not accounts:
        return []
    try:
        places, _ = await seen(look)
    except Unseen:
        places = []
    profile = look.namespace or min((name_of(each) for each in places), default="")
    return [each for account in accounts for each in await rights.hub(look, account, profile)]


async def _accounts(look: Look) -> list[str]:
    parts = look.who.split(":")
    own = [f"{parts[2]}/{parts[3]}"] if len(parts) == 4 and look.who.endswith(":hub") else []
    try:
        return sorted({*own, *rights.accounts_of(await look.deployments())})
    except Unseen:
        return own
