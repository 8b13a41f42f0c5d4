"""The API server: whether it answers, as which version, how it feels, and whose clock is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from jupyter_ext.cluster.kube_doctor.findings import Finding, grouped
from jupyter_ext.cluster.kube_doctor.reading import Json, Reader, Unseen

CHECK: Final = "API server"
CLOCK: Final = "clock"
OLDEST: Final = (1, 28)
"""The oldest minor version that our own requests and the Kubeflow releases we speak to are written for."""
LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_WHO: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_SKEW: Final = 5.0
"""Seconds that a clock may be wrong: tokens and certificates have a leeway, times in status have not."""
_STALE: Final = 60.0
"""Seconds after which a node's sign of life, due each ten, has not come."""


async def version(reader: Reader) -> tuple[Finding, str]:
    """Whether the API server answers, and its version; an empty one if it does not."""
    try:
        found = await reader.get("/version")
    except Unseen as unseen:
        return unreachable(unseen), ""
    text = str((found or {}).get("gitVersion") or "")
    return judge_version(text), text or "unknown"


def unreachable(unseen: Unseen) -> Finding:
    """Why there is no answer, as far as it can be told."""
    if unseen.status in {401, 403}:
        why = f"It does not accept these credentials: {unseen.words.rstrip('.') or 'no reason given'}."
        return Finding(CHECK, "problem", "The API server refuses you", "", why, "kubectl auth whoami")
    why = f"{unseen.words.rstrip('.')}."
    fix = "kubectl version  # the same address; is it right, is a VPN or a proxy needed?"
    if "Certificate" in unseen.words:
        why += " Its certificate is not signed by the authority in the kubeconfig."
        fix = "kubectl config view --minify  # certificate-authority-data must be this cluster's"
    return Finding(CHECK, "problem", "The API server does not answer", "", why, fix)


def judge_version(text: str) -> Finding:
    """Whether this project speaks to a server of this version."""
    match = re.match(r"v?([0-9]{1,4})\.([0-9]{1,4})", text)
    if match is None:
        return Finding(
            CHECK, "unknown", "The API server does not say its version", text[:60], "", "kubectl version"
        )
    if (int(match[1]), int(match[2])) < OLDEST:
        why = f"{'.'.join(map(str, OLDEST))} is the oldest that this is written for."
        return Finding(
            CHECK,
            "warning",
            f"Kubernetes {text} is old",
            "",
            why,
            "Upgrade the cluster, one minor version at a time.",
        )
    return Finding(CHECK, "ok", f"It answers: Kubernetes {text}")


async def feeling(reader: Reader) -> list[Finding]:
    """Services that answer for the API server, and are away."""
    found = await reader.items("/apis/apiregistration.k8s.io/v1/apiservices")
    return judge_services(found)


def judge_services(services: Iterable[Json]) -> list[Finding]:
    """An aggregated API that is away makes every deletion of a namespace hang."""
    findings = []
    for service in services:
        name = str(service["metadata"]["name"])
        away = condition(service, "Available")
        if away and away.get("status") == "False":
            backend = (service.get("spec") or {}).get("service") or {}
            why = f"Deleting any namespace waits for it ({away.get('message') or away.get('reason') or 'no reason'})."
            fix = f"kubectl -n {backend.get('namespace')} get endpointslices -l kubernetes.io/service-name={backend.get('name')}"
            findings.append(Finding(CHECK, "problem", "An aggregated API is away", name, why, fix))
    return findings


async def who(reader: Reader) -> tuple[str, list[str], datetime | None]:
    """The user that asks, its groups, and the server's time; raises `Unseen`."""
    found = await reader.ask(_WHO, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    info = (found.get("status") or {}).get("userInfo") or {}
    return (
        str(info.get("username") or ""),
        [str(group) for group in info.get("groups") or ()],
        instant((found.get("metadata") or {}).get("creationTimestamp")),
    )


def judge_clock(server: datetime | None, asked: datetime, answered: datetime) -> Finding:
    """This machine's clock against the server's, which says whole seconds; the answer took a while."""
    if server is None:
        return Finding(
            CLOCK,
            "unknown",
            "The API server does not say what time it is",
            fix="date -u; kubectl get --raw /version -v=8 2>&1 | grep Date:  # both times",
        )
    early, late = (server - answered).total_seconds(), (server - asked).total_seconds() + 1
    off = early if early > 0 else late if late < 0 else 0.0
    if abs(off) <= _SKEW:
        return Finding(CLOCK, "ok", "This machine and the API server have the same time")
    word = "ahead of" if off > 0 else "behind"
    what = f"The API server's clock is {abs(off):.0f} s {word} this machine's"
    why = "Tokens and certificates are refused as too new or too old, and ages are wrong."
    return Finding(
        CLOCK, "warning", what, "", why, "timedatectl set-ntp true  # on the machine that is wrong"
    )


async def node_clocks(reader: Reader, server: datetime | None) -> list[Finding]:
    """The nodes' own clocks, which their leases carry."""
    if server is None:
        return []
    return judge_leases(await reader.items(LEASES), server)


def judge_leases(leases: Sequence[Json], server: datetime) -> list[Finding]:
    """A kubelet writes its own time each ten seconds: one that is in the future has a wrong clock."""
    findings = []
    for lease in leases:
        renewed = instant((lease.get("spec") or {}).get("renewTime"))
        name = str(lease["metadata"]["name"])
        if renewed is not None and (renewed - server).total_seconds() > _SKEW + _STALE:
            why = "Pods there refuse tokens and certificates, and their times are in the future."
            fix = f"timedatectl set-ntp true  # on the node {name}"
            findings.append(
                Finding(CLOCK, "warning", "A node's clock is ahead of the API server's", name, why, fix)
            )
    return grouped(findings)


def instant(text: object) -> datetime | None:
    """A time as the API writes it, with or without fractions."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def condition(thing: Json, kind: str) -> dict[str, Any] | None:
    """The condition of this type, if the object has it."""
    rows = (thing.get("status") or {}).get("conditions") or ()
    return next((row for row in rows if isinstance(row, dict) and row.get("type") == kind), None)
