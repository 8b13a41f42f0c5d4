"""What the one who asks may do, and what the Hub's account may, against what they need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_ext.cluster.kube_doctor.definitions import served_kinds
from jupyter_ext.cluster.kube_doctor.findings import Finding
from jupyter_ext.cluster.kube_doctor.look import Look, name_of, namespace_of
from jupyter_ext.cluster.kube_doctor.reading import Json, Reader, Right, Unseen, subject_option

CHECK: Final = "rights"
HUB: Final = "hub rights"
_AUTHORIZATION: Final = "/apis/authorization.k8s.io/v1"
_BINDINGS: Final = "rolebindings.rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Wanted:
    """Something that has to be allowed, and what for. ``kind``: only where this kind is installed."""

    verbs: tuple[str, ...]
    resource: str
    group: str = ""
    need: str = ""
    kind: str = ""
    name: str = ""

    def __str__(self) -> str:
        plural = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{', '.join(self.verbs)} {plural}{f' ({self.name})' if self.name else ''}"


_WORK: Final = ("get", "list", "watch", "create", "patch", "delete")
_READ: Final = ("get", "list", "watch")

MINE: Final = (
    Wanted(_WORK, "trainjobs", "trainer.kubeflow.org", "training jobs", "trainjobs.trainer.kubeflow.org"),
    Wanted(_WORK, "experiments", "kubeflow.org", "tuning", "experiments.kubeflow.org"),
    Wanted(
        _WORK, "inferenceservices", "serving.kserve.io", "endpoints", "inferenceservices.serving.kserve.io"
    ),
    Wanted(
        _WORK, "sparkapplications", "sparkoperator.k8s.io", "Spark", "sparkapplications.sparkoperator.k8s.io"
    ),
    Wanted(_READ, "pods", need="what became of a job"),
    Wanted(("get",), "pods/log", need="logs"),
    Wanted(("list",), "events", need="why something waits"),
    Wanted(("list",), "resourcequotas", need="what is left of the quota"),
)
"""What somebody needs in a profile's namespace to work from a notebook."""

_RBAC: Final = "rbac.authorization.k8s.io"
_DRA: Final = "resource.k8s.io"
HUB_EVERYWHERE: Final = (
    Wanted(_READ, "pods", need="finding its servers, and what is free"),
    Wanted(_READ, "nodes", need="accelerators, and what is free"),
    Wanted(_READ, "namespaces", need="whose a profile is"),
    Wanted(_READ, "profiles", "kubeflow.org", "whose a profile is", "profiles.kubeflow.org"),
    Wanted(_READ, "rolebindings", _RBAC, "who contributes to a profile"),
    Wanted(("create",), "subjectaccessreviews", "authorization.k8s.io", "whether somebody may enter"),
    Wanted(("list",), "storageclasses", "storage.k8s.io", "which homes can grow"),
    Wanted(_READ, "deviceclasses", _DRA, "devices of DRA", _DRA),
    Wanted(_READ, "resourceslices", _DRA, "devices of DRA", _DRA),
    Wanted(("bind",), "clusterroles", _RBAC, "giving a server its rights", name="jupyter-kubeflow-server"),
)
_CHANGE: Final = ("get", "create", "delete")
HUB_IN_PROFILES: Final = (
    Wanted(_CHANGE, "pods", need="starting servers"),
    Wanted((*_CHANGE, "list", "patch"), "persistentvolumeclaims", need="homes, and making them larger"),
    Wanted(_CHANGE, "serviceaccounts", need="an account for each server"),
    Wanted(_CHANGE, "rolebindings", _RBAC, "an account for each server"),
    Wanted(("list", "watch"), "events", need="saying why a start waits"),
    Wanted(("list",), "resourcequotas", need="what is left of the quota"),
    Wanted(("list",), "limitranges", need="what a server may ask for"),
    Wanted(_CHANGE, "resourceclaimtemplates", _DRA, "devices of DRA", _DRA),
    Wanted(("list",), "poddefaults", "kubeflow.org", "PodDefaults in the form", "poddefaults.kubeflow.org"),
    Wanted(("list",), "localqueues", "kueue.x-k8s.io", "queues in the form", "localqueues.kueue.x-k8s.io"),
)
"""The table of docs/spawner.md."""


async def check(look: Look) -> list[Finding]:
    """What the one who asks may do where the work is done."""
    namespace = look.namespace or look.home
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    found, served = await asyncio.gather(
        look.reader.ask(f"{_AUTHORIZATION}/selfsubjectrulesreviews", body), served_kinds(look.reader)
    )
    status = found.get("status") or {}
    rules: Sequence[Json] = status.get("resourceRules") or ()
    wanted = [one for one in MINE if not one.kind or one.kind in served]
    missing = [short for one in wanted if (short := lacking(one, rules))]
    if status.get("incomplete"):  # a webhook decides as well: it has to be asked for each
        missing = await _asked_for_each(look.reader, missing, namespace, "")
    return judge(missing, wanted, namespace, look.who)


def judge(missing: Sequence[Wanted], wanted: Sequence[Wanted], namespace: str, who: str) -> list[Finding]:
    """One finding for all that may not be done in a namespace."""
    if not missing:
        return [
            Finding(
                CHECK,
                "ok",
                f"You may do in {namespace} all that this project does from a notebook ({len(wanted)} kinds of things)",
            )
        ]
    needs = ", ".join(dict.fromkeys(one.need for one in missing))
    fix = (
        "Ask the owner of the namespace for: kubectl create rolebinding edit-for-you --clusterrole=kubeflow-edit"
        f" {subject_option(who)} -n {namespace}  # --clusterrole=edit where Kubeflow's roles are not installed"
    )
    what = "You may not " + "; ".join(str(one) for one in missing[:8])
    return [
        Finding(CHECK, "warning", what, namespace, f"Without it these do not work for you: {needs}.", fix)
    ]


def lacking(wanted: Wanted, rules: Iterable[Json]) -> Wanted | None:
    """What of it no rule allows, or None; ``rules`` as a SelfSubjectRulesReview has them."""
    verbs = tuple(verb for verb in wanted.verbs if not any(allows(rule, verb, wanted) for rule in rules))
    return (
        Wanted(verbs, wanted.resource, wanted.group, wanted.need, wanted.kind, wanted.name) if verbs else None
    )


def allows(rule: Json, verb: str, wanted: Wanted) -> bool:
    """Whether one rule allows it, as RBAC reads rules."""
    names = rule.get("resourceNames") or ()
    resources = rule.get("resources") or ()
    sub = f"*/{wanted.resource.partition('/')[2]}" if "/" in wanted.resource else None
    return (
        ("*" in (rule.get("verbs") or ()) or verb in (rule.get("verbs") or ()))
        and ("*" in (rule.get("apiGroups") or ()) or wanted.group in (rule.get("apiGroups") or ()))
        and ("*" in resources or wanted.resource in resources or (sub is not None and sub in resources))
        and (not names or (bool(wanted.name) and wanted.name in names))
    )


async def hub(look: Look, account: str, profile: str) -> list[Finding]:
    """What the Hub's account (``namespace/name``) may do; ``profile`` is a namespace that stands for all, or empty."""
    namespace, _, name = account.partition("/")
    user = f"system:serviceaccount:{namespace}:{name}"
    served = {*await served_kinds(look.reader), *await look.groups_served()}
    asked_as = "" if look.who == user else user
    faults = []
    for wanted, place in ((HUB_EVERYWHERE, ""), (HUB_IN_PROFILES, profile)):
        if wanted is HUB_IN_PROFILES and not profile:
            continue
        here = [one for one in wanted if not one.kind or one.kind in served]
        missing = await _asked_for_each(look.reader, here, place, asked_as)
        if missing:
            faults.append(_hub_lacks(missing, account, place))
    role = await look.reader.get(f"/apis/{_RBAC}/v1/clusterroles/jupyter-kubeflow-server")
    if role is None:
        why = "Every start of a server fails: its account is bound to this role."
        fix = (
            "python -c 'import json; from spawner.starts.identity import cluster_role; print(json.dumps(cluster_role()))'"
            " | kubectl apply -f -"
        )
        faults.append(
            Finding(HUB, "problem", "The ClusterRole jupyter-kubeflow-server is missing", "", why, fix)
        )
    return faults or [Finding(HUB, "ok", "The Hub's account may do all that the Hub does", account)]


def _hub_lacks(missing: Sequence[Wanted], account: str, place: str) -> Finding:
    needs = ", ".join(dict.fromkeys(one.need for one in missing))
    what = "The Hub's account may not " + "; ".join(str(one) for one in missing)
    rules = "\n".join(
        f'- {{apiGroups: ["{one.group}"], resources: [{one.resource}], verbs: [{", ".join(one.verbs)}]'
        + (f", resourceNames: [{one.name}]" if one.name else "")
        + "}"
        for one in missing
    )
    where = f"{account}, in {place}" if place else f"{account}, in the cluster"
    return Finding(
        HUB, "problem", what, where, f"Needed for {needs}.", f"Add to the Hub's ClusterRole:\n{rules}"
    )


async def _asked_for_each(
    reader: Reader, wanted: Sequence[Wanted], namespace: str, user: str
) -> list[Wanted]:
    """What of it is not allowed, by asking for each verb; ``user`` empty: for oneself."""
    questions = [(one, verb) for one in wanted for verb in one.verbs]
    answers = await asyncio.gather(*(_may(reader, one, verb, namespace, user) for one, verb in questions))
    denied: dict[Wanted, list[str]] = {}
    for (one, verb), allowed in zip(questions, answers, strict=True):
        if not allowed:
            denied.setdefault(one, []).append(verb)
    return [
        Wanted(tuple(verbs), one.resource, one.group, one.need, one.kind, one.name)
        for one, verbs in denied.items()
    ]


async def _may(reader: Reader, wanted: Wanted, verb: str, namespace: str, user: str) -> bool:
    resource, _, sub = wanted.resource.partition("/")
    parts = {
        "verb": verb,
        "resource": resource,
        "subresource": sub,
        "group": wanted.group,
        "namespace": namespace,
        "name": wanted.name,
    }
    spec: dict[str, Any] = {"resourceAttributes": {key: value for key, value in parts.items() if value}}
    kind = "SelfSubjectAccessReview"
    if user:
        kind = "SubjectAccessReview"
        spec |= {"user": user, "groups": _groups_of_account(user)}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    try:
        found = await reader.ask(f"{_AUTHORIZATION}/{kind.lower()}s", body)
    except Unseen as unseen:
        if unseen.status == 403:
            raise Unseen(
                Right("create", "subjectaccessreviews", "authorization.k8s.io"), 403, unseen.words
            ) from unseen
        raise
    return (found.get("status") or {}).get("allowed") is True


def _groups_of_account(user: str) -> list[str]:
    """The groups that Kubernetes puts every service account into."""
    namespace = user.split(":")[2]
    return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]


def is_hub(deployment: Json) -> bool:
    """Whether a Deployment is a JupyterHub's, by the labels of its charts."""
    labels: Mapping[str, str] = (deployment.get("metadata") or {}).get("labels") or {}
    return "hub" in {labels.get("component"), labels.get("app.kubernetes.io/component")} and (
        name_of(deployment) == "hub" or name_of(deployment).endswith("-hub")
    )


def accounts_of(deployments: Iterable[Json]) -> list[str]:
    """The accounts of the Hubs among deployments, as ``namespace/name``."""
    found = set()
    for each in deployments:
        if is_hub(each):
            spec = ((each.get("spec") or {}).get("template") or {}).get("spec") or {}
            found.add(f"{namespace_of(each)}/{spec.get('serviceAccountName') or 'default'}")
    return sorted(found)
