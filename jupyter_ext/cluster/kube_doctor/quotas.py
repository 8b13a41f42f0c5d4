"""Quotas and LimitRanges that make any start fail, or limit nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from jupyter_ext.cluster.kube_doctor.findings import Finding, grouped
from jupyter_ext.cluster.kube_doctor.look import Look, name_of, namespace_of, place_of
from jupyter_ext.cluster.kube_doctor.profiles import by_namespace, seen
from jupyter_ext.cluster.kube_doctor.reading import Json

CHECK: Final = "quotas"
_PROFILES_OWN: Final = "kf-resource-quota"
_EVERY_SERVER: Final = {
    "pods": "10", "count/pods": "10", "cpu": "8", "requests.cpu": "8", "limits.cpu": "16", "memory": "32Gi",
    "requests.memory": "32Gi", "limits.memory": "64Gi", "persistentvolumeclaims": "10",
    "count/persistentvolumeclaims": "10", "requests.storage": "200Gi", "count/serviceaccounts": "50",
    "count/rolebindings.rbac.authorization.k8s.io": "50",
}  # fmt: skip
"""What every server uses, with an amount to propose."""
_LEAST: Final = {"cpu": Decimal("0.1"), "memory": Decimal(256 * 2**20)}
"""Below this JupyterLab does not start."""
_DEFAULTS: Final = """kubectl -n {namespace} apply -f - <<'EOF'
apiVersion: v1
kind: LimitRange
metadata: {{name: defaults}}
spec: {{limits: [{{type: Container, default: {{cpu: "1", memory: 2Gi}}, defaultRequest: {{cpu: 100m, memory: 256Mi}}}}]}}
EOF"""


async def check(look: Look) -> list[Finding]:
    """Those of profile namespaces; with one namespace named, of that."""
    (places, _), quotas, ranges = await asyncio.gather(
        seen(look), look.within("/api/v1", "resourcequotas"), look.within("/api/v1", "limitranges")
    )
    meant = {look.namespace} if look.namespace else {name_of(each) for each in places}
    of_quotas, of_ranges = by_namespace(quotas), by_namespace(ranges)
    findings: list[Finding] = []
    for name in sorted(meant):
        for quota in of_quotas.get(name, ()):
            findings += judge_quota(quota, of_ranges.get(name, ()))
        for one in of_ranges.get(name, ()):
            findings += judge_range(one)
    if findings:
        return grouped(findings)
    return [Finding(CHECK, "ok", "No quota or LimitRange of a profile keeps every server from starting")]


def judge_quota(quota: Json, ranges: Iterable[Json]) -> list[Finding]:
    """What is zero, used up, misspelt, or asks for what pods do not say."""
    from spawner.profiles.declared import quota_fault
    from spawner.quantities import stored

    spec, used = quota.get("spec") or {}, (quota.get("status") or {}).get("used") or {}
    findings = []
    for key, text in (spec.get("hard") or {}).items():
        try:
            hard, taken = stored(str(text)), stored(str(used.get(key, "0")))
            fault = quota_fault(key, str(text))
        except ValueError:
            continue
        if "would limit nothing" in fault:
            what, why = (
                f"A quota's {key} limits nothing",
                f"Kubernetes counts devices by requests.{key} only.",
            )
            findings.append(Finding(CHECK, "warning", what, place_of(quota), why, _moved(quota, key)))
        if key not in _EVERY_SERVER or _is_scoped(spec):
            continue
        if hard <= 0:
            what, why = f"A quota allows {text} {key}", "Every server and job there is refused."
            findings.append(
                Finding(CHECK, "problem", what, place_of(quota), why, _raised(quota, key, _EVERY_SERVER[key]))
            )
        elif taken >= hard:
            what, why = (
                f"A quota is used up: {key}",
                "The next server or job there is refused or waits; stop one, or raise it.",
            )
            findings.append(
                Finding(CHECK, "warning", what, place_of(quota), why, _raised(quota, key, "MORE"))
            )
    return [*findings, *_unsaid(quota, ranges)]


def _is_scoped(spec: Json) -> bool:
    return bool(spec.get("scopes") or spec.get("scopeSelector"))


def _patch(quota: Json, patch: Any, kind: str) -> str:
    """Kubeflow's Profile controller writes its quota back: then the Profile has to be changed."""
    what = (
        f"profile {namespace_of(quota)}"
        if _is_profiles(quota)
        else f"-n {namespace_of(quota)} resourcequota {name_of(quota)}"
    )
    return f"kubectl patch {what} --type={kind} -p '{json.dumps(patch)}'"


def _raised(quota: Json, key: str, amount: str) -> str:
    hard = {"hard": {key: amount}}
    return _patch(quota, {"spec": {"resourceQuotaSpec": hard} if _is_profiles(quota) else hard}, "merge")


def _moved(quota: Json, key: str) -> str:
    base = "/spec/resourceQuotaSpec/hard/" if _is_profiles(quota) else "/spec/hard/"
    escaped = key.replace("~", "~0").replace("/", "~1")
    patch = [{"op": "move", "from": base + escaped, "path": f"{base}requests.{escaped}"}]
    return _patch(quota, patch, "json")


def _is_profiles(quota: Json) -> bool:
    owners = (quota.get("metadata") or {}).get("ownerReferences") or ()
    return name_of(quota) == _PROFILES_OWN and any(each.get("kind") == "Profile" for each in owners)


def _unsaid(quota: Json, ranges: Iterable[Json]) -> list[Finding]:
    """A quota of limits refuses pods that state none, as many steps and helpers do."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    kinds = [kind for kind in ("cpu", "memory") if f"limits.{kind}" in hard]
    given = {
        key
        for one in ranges
        for row in (one.get("spec") or {}).get("limits") or ()
        if row.get("type") == "Container"
        for key in {**(row.get("max") or {}), **(row.get("default") or {})}
    }
    missing = [kind for kind in kinds if kind not in given]
    if not missing:
        return []
    what = f"A quota counts limits of {' and '.join(missing)}, and no LimitRange gives a default"
    why = "Pods that state none, as steps of pipelines, are refused: “must specify limits”."
    return [
        Finding(CHECK, "warning", what, place_of(quota), why, _DEFAULTS.format(namespace=namespace_of(quota)))
    ]


def judge_range(limits: Json) -> list[Finding]:
    """A most that is too little for JupyterLab, a least that is more than small servers ask for, a ratio."""
    findings: list[Finding] = []
    for row in (limits.get("spec") or {}).get("limits") or ():
        if row.get("type") not in {"Container", "Pod"}:
            continue
        findings += _too_small(limits, row)
        if row.get("maxLimitRequestRatio"):
            said = ", ".join(f"{key} {value}" for key, value in row["maxLimitRequestRatio"].items())
            why = "A size whose guarantee is smaller than its limit by more than this is refused."
            what = f"A LimitRange bounds limit by request ({said})"
            fix = "In the Hub's sizes: guarantees within this ratio of the limits."
            findings.append(Finding(CHECK, "warning", what, place_of(limits), why, fix))
    return findings


def _too_small(limits: Json, row: Json) -> Sequence[Finding]:
    from spawner.quantities import stored

    findings: list[Finding] = []
    for key, least in _LEAST.items():
        text = (row.get("max") or {}).get(key)
        try:
            is_small = text is not None and stored(str(text)) < least
        except ValueError:
            continue
        if is_small:
            what = f"A LimitRange allows a {str(row['type']).lower()} {text} of {key} at most"
            why = "JupyterLab does not start with so little: every server is refused or killed."
            fix = f"kubectl -n {namespace_of(limits)} edit limitrange {name_of(limits)}  # max.{key}"
            findings.append(Finding(CHECK, "problem", what, place_of(limits), why, fix))
    return findings
