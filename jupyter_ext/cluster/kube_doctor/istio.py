"""Istio: who puts sidecars in, whether pods with them are let, and whether its policies let the Hub in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from jupyter_ext.cluster.kube_doctor.findings import Finding, grouped
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of, selects
from jupyter_ext.cluster.kube_doctor.networks import SERVER, SERVER_PORT, Peer, hubs
from jupyter_ext.cluster.kube_doctor.profiles import by_namespace, seen
from jupyter_ext.cluster.kube_doctor.reading import Json, Unseen

CHECK: Final = "Istio"
_POLICIES: Final = "/apis/security.istio.io/v1"
_ENFORCED: Final = frozenset({"baseline", "restricted"})


async def check(look: Look) -> list[Finding]:
    """Sidecars in profiles: whether somebody injects them, whether they are let, and whether the Hub is."""
    if "security.istio.io" not in await look.groups_served():
        return []
    places, _ = await seen(look)
    meshed = [each for each in places if is_meshed(each)]
    if not meshed:
        return [Finding(CHECK, "ok", "Istio is there; no profile asks for its sidecars")]
    policies, injectors, daemons = await asyncio.gather(
        look.within(_POLICIES, "authorizationpolicies"),
        look.reader.items("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
        look.reader.items("/apis/apps/v1/daemonsets"),
    )
    findings = judge_injection(meshed, injectors, daemons)
    try:
        peers = await hubs(look)
    except Unseen:
        peers = []
    of_places = by_namespace(policies)
    for place in meshed:
        findings += judge_mesh(name_of(place), of_places.get(name_of(place), []), peers)
    return grouped(findings) or [
        Finding(CHECK, "ok", f"Sidecars and their policies in {len(meshed):,} profiles let the Hub in")
    ]


def is_meshed(namespace: Json) -> bool:
    """Whether pods of a namespace get a sidecar."""
    labels = labels_of(namespace)
    return labels.get("istio-injection") == "enabled" or "istio.io/rev" in labels


def judge_injection(
    meshed: Sequence[Json], injectors: Iterable[Json], daemons: Iterable[Json]
) -> list[Finding]:
    """Somebody has to put the sidecar in, and its set-up container needs what baseline forbids, unless CNI does it."""
    findings = []
    names = sorted(name_of(each) for each in meshed)
    if not any("istio" in name_of(each) and "inject" in name_of(each) for each in injectors):
        why = "Pods there get none, and the mesh answers them as strangers."
        fix = "kubectl -n istio-system get deployment istiod  # its webhook istio-sidecar-injector is missing"
        findings += [
            Finding(
                CHECK, "warning", "Profiles ask for Istio's sidecars, and nobody injects them", name, why, fix
            )
            for name in names
        ]
    has_cni = any("istio-cni" in name_of(each) for each in daemons)
    if not has_cni:
        for place in meshed:
            level = labels_of(place).get("pod-security.kubernetes.io/enforce")
            if level in _ENFORCED:
                why = f"The sidecar's set-up needs NET_ADMIN, which the level {level} forbids: every pod is refused."
                fix = (
                    "istioctl install --set components.cni.enabled=true  # or, for this namespace:\n"
                    f"kubectl label namespace {name_of(place)} pod-security.kubernetes.io/enforce=privileged --overwrite"
                )
                findings.append(
                    Finding(
                        CHECK,
                        "problem",
                        "Pods with a sidecar are refused by pod security",
                        name_of(place),
                        why,
                        fix,
                    )
                )
    return findings


def judge_mesh(namespace: str, policies: Sequence[Json], peers: Sequence[Peer]) -> list[Finding]:
    """Where something is allowed explicitly, all else is refused: the Hub has to be named."""
    about = [each for each in policies if _selects_servers(each)]
    allowing = [each for each in about if (each.get("spec") or {}).get("action", "ALLOW") == "ALLOW"]
    cut = [peer for peer in peers if allowing and not any(_admits(each, peer) for each in allowing)]
    if not cut:
        return []
    from spawner.profiles.policy import hub_policy

    made = hub_policy(peer.principal for peer in peers)
    made["metadata"]["namespace"] = namespace
    why = "The mesh answers Hub and proxy with 403 “RBAC: access denied”: no server there ever becomes ready."
    fix = f"kubectl apply -f - <<'EOF'\n{json.dumps(made)}\nEOF"
    return [Finding(CHECK, "problem", "An AuthorizationPolicy keeps the Hub out", namespace, why, fix)]


def _selects_servers(policy: Json) -> bool:
    selector = (policy.get("spec") or {}).get("selector")
    return selector is None or selects(selector, SERVER)


def _admits(policy: Json, peer: Peer) -> bool:
    return any(_rule_admits(rule, peer) for rule in (policy.get("spec") or {}).get("rules") or ())


def _rule_admits(rule: Json, peer: Peer) -> bool:
    if rule.get("when") or not _operation_admits(rule.get("to")):
        return False
    sources = [each.get("source") or {} for each in rule.get("from") or ()]
    return not sources or any(_source_admits(source, peer) for source in sources)


def _operation_admits(operations: Sequence[Json] | None) -> bool:
    """Whether every path is let through, at the servers' port."""
    if not operations:
        return True
    for each in operations:
        operation: dict[str, Any] = each.get("operation") or {}
        ports = operation.get("ports")
        if set(operation) <= {"ports"} and (not ports or str(SERVER_PORT) in ports):
            return True
    return False


def _source_admits(source: Json, peer: Peer) -> bool:
    if set(source) - {"principals", "namespaces"}:
        return False
    principals, namespaces = source.get("principals"), source.get("namespaces")
    return (not principals or any(fnmatchcase(peer.principal, each) for each in principals)) and (
        not namespaces or any(fnmatchcase(peer.namespace, each) for each in namespaces)
    )
