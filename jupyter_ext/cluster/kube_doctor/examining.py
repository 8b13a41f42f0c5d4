"""All checks of a cluster at once, against one budget of time; one that fails leaves the others alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube_doctor import (
    components,
    controllers,
    definitions,
    hub,
    istio,
    networks,
    nodes,
    profiles,
    quotas,
    rights,
    server,
    storage,
    webhooks,
)
from jupyter_ext.cluster.kube_doctor.findings import ClusterReport, Finding, grouped, in_order
from jupyter_ext.cluster.kube_doctor.look import Look
from jupyter_ext.cluster.kube_doctor.reading import Reader, Unseen
from jupyter_ext.cluster.kubeconfig import connect
from jupyter_ext.errors import Invalid, Where

if TYPE_CHECKING:
    from spawner.api import Asking

Check = Callable[[Look], Awaitable[list[Finding]]]

PATIENCE: Final = 60.0
"""Seconds for all of it: a cluster that is slower is told so, with what was found until then."""


def examine(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str = "",
    hub: str = "",
    patience: float = PATIENCE,
) -> ClusterReport:
    """Look at a cluster; nothing is written. Works in a notebook too, whose loop is busy.

    ``namespace``: look into this one only. ``hub``: the Hub's service account as ``namespace/name``, whose rights
    are then looked at. Raises Invalid for a wrong argument, Unavailable where no cluster is configured.
    """
    _check_names(namespace, hub)

    async def work() -> ClusterReport:
        connection = await connect(kubeconfig, context, min(15.0, patience))
        try:
            return await examined(
                connection.api, connection.server, connection.namespace, namespace, hub, patience
            )
        finally:
            await connection.api.close()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="kubeflow-doctor") as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


async def examined(
    api: Asking,
    address: str,
    home: str = "default",
    namespace: str = "",
    hub: str = "",
    patience: float = PATIENCE,
) -> ClusterReport:
    """The same with a client that is there already."""
    began = time.monotonic()
    reader = Reader(api)
    about = {"server": address}

    def report(findings: list[Finding]) -> ClusterReport:
        return ClusterReport(in_order(findings), about, reader.requests, time.monotonic() - began)

    try:
        async with asyncio.timeout(patience):
            found, version = await server.version(reader)
            if not version:
                return report([found])
            about["version"] = version
            findings, look = await _asked_who(reader, home, namespace, hub)
        about["user"] = look.who
        left = max(1.0, patience - (time.monotonic() - began))
        parts = await asyncio.gather(*(_checked(name, check, look, left) for name, check in CHECKS.items()))
        return report([found, *findings, *(each for part in parts for each in part)])
    except TimeoutError:
        why = f"The first questions took more than {patience:.0f} s."
        fix = "kubectl get --raw='/readyz?verbose'  # what is not well"
        return report(
            [Finding(server.CHECK, "problem", "The API server is too slow to be looked at", "", why, fix)]
        )
    finally:
        await reader.close()


async def _asked_who(reader: Reader, home: str, namespace: str, hub: str) -> tuple[list[Finding], Look]:
    """Who asks; only that much has to be known before all else."""
    asked = datetime.now(UTC)
    try:
        who, groups, stamp = await server.who(reader)
    except Unseen as unseen:
        if unseen.status == 401:
            return [server.unreachable(unseen)], Look(reader, namespace=namespace, home=home, hub=hub)
        return [unseen.finding("identity")], Look(reader, namespace=namespace, home=home, hub=hub)
    clock = server.judge_clock(stamp, asked, datetime.now(UTC))
    of = f" (groups: {', '.join(groups)})" if groups else ""
    identity = Finding("identity", "ok", f"You are {who}{of}")
    if who == "system:anonymous":
        why = "The kubeconfig has no credentials, or they are not sent."
        identity = Finding(
            "identity", "problem", "You are nobody to this cluster", "", why, "kubectl auth whoami"
        )
    return [identity, clock], Look(reader, who, groups, namespace, home, hub, stamp)


async def _checked(name: str, check: Check, look: Look, seconds: float) -> list[Finding]:
    """One check's findings; that it may not look, breaks or takes too long is one as well."""
    try:
        async with asyncio.timeout(seconds):
            return grouped(await check(look))
    except Unseen as unseen:
        return [unseen.finding(name, look.who)]
    except TimeoutError:
        fix = "jupyter kf doctor --cluster --namespace NAME  # looks at less"
        return [
            Finding(
                name,
                "unknown",
                "This was not looked at to its end",
                why=f"It took more than {seconds:.0f} s.",
                fix=fix,
            )
        ]
    except Exception as error:
        what = f"This check broke on what it found: {type(error).__name__}: {str(error)[:200]}"
        return [Finding(name, "unknown", what, fix="Report this as a defect.")]


async def _api(look: Look) -> list[Finding]:
    return await server.feeling(look.reader)


async def _clocks(look: Look) -> list[Finding]:
    return await server.node_clocks(look.reader, look.time)


async def _definitions(look: Look) -> list[Finding]:
    return await definitions.check(look.reader)


CHECKS: Final[Mapping[str, Check]] = {
    server.CHECK: _api,
    server.CLOCK: _clocks,
    definitions.CHECK: _definitions,
    rights.CHECK: rights.check,
    storage.CHECK: storage.check,
    nodes.CHECK: nodes.check,
    nodes.DEVICES: nodes.devices,
    "this node": nodes.own_machine,
    controllers.CHECK: controllers.check,
    webhooks.CHECK: webhooks.check,
    components.CHECK: components.check,
    profiles.CHECK: profiles.check,
    profiles.BINDINGS: profiles.contributors,
    quotas.CHECK: quotas.check,
    networks.CHECK: networks.check,
    istio.CHECK: istio.check,
    rights.HUB: hub.check,
}


def _check_names(namespace: str, hub: str) -> None:
    from spawner.names import is_label

    if namespace and not is_label(namespace):
        raise Invalid(
            f"{namespace[:63]!r} cannot be the name of a namespace",
            where=Where(field="namespace"),
            hint="See: kubectl get namespaces",
        )
    place, _, account = hub.partition("/")
    if hub and not (is_label(place) and is_label(account)):
        raise Invalid(
            f"{hub[:127]!r} is not the name of a service account",
            where=Where(field="hub"),
            hint="Write NAMESPACE/NAME, as jupyterhub/hub.",
        )
