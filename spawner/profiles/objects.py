"""What a profile is made of: the objects that the Profile controller makes, and ours beside them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from spawner.names import binding_name
from spawner.profiles.declared import Contributor, Limits, Wish
from spawner.profiles.membership import MANAGED_BY, MANAGER, OWNER, OWNER_KIND, POD_SECURITY
from spawner.profiles.policy import Platform, contributor_policies, hub_policy, network_policies, owner_policy

Json = dict[str, Any]

PART: Final = "jupyter-kubeflow.org/part"
"""The label that says what one of our objects is for; of the contributors' ones, what is no longer declared goes."""
CONTRIBUTOR: Final = "contributor"
QUOTA: Final = "kf-resource-quota"
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Kind:
    """Where objects of a kind lie: ``/api/v1`` or ``/apis/…``, then the plural."""

    root: str
    plural: str

    @property
    def everywhere(self) -> str:
        """The path of all of them in the cluster."""
        return f"{self.root}/{self.plural}"

    def within(self, namespace: str) -> str:
        """The path of those of one namespace."""
        return f"{self.root}/namespaces/{namespace}/{self.plural}"


KINDS: Final[dict[str, Kind]] = {
    "ServiceAccount": Kind("/api/v1", "serviceaccounts"),
    "RoleBinding": Kind(f"/apis/{_RBAC}/v1", "rolebindings"),
    "ResourceQuota": Kind("/api/v1", "resourcequotas"),
    "LimitRange": Kind("/api/v1", "limitranges"),
    "NetworkPolicy": Kind("/apis/networking.k8s.io/v1", "networkpolicies"),
    "AuthorizationPolicy": Kind("/apis/security.istio.io/v1", "authorizationpolicies"),
}


@dataclass(frozen=True)
class Roles:
    """The ClusterRoles of a profile: Kubeflow's where they are, else those of Kubernetes itself."""

    admin: str = "kubeflow-admin"
    edit: str = "kubeflow-edit"
    view: str = "kubeflow-view"


KUBEFLOW_ROLES: Final = Roles()
PLAIN_ROLES: Final = Roles("admin", "edit", "view")


def desired(wish: Wish, platform: Platform | None = None, roles: Roles = KUBEFLOW_ROLES) -> list[Json]:
    """All of a profile, the namespace first, as if there were no Profile controller."""
    platform = platform or Platform()
    made = [
        _account("default-editor"),
        _account("default-viewer"),
        _binding("default-editor", roles.edit, _of_account("default-editor", wish)),
        _binding("default-viewer", roles.view, _of_account("default-viewer", wish)),
        _binding(
            "namespaceAdmin",
            roles.admin,
            _of(wish.owner.kind, wish.owner.name),
            _notes(wish.owner.name, "admin"),
        ),
    ]
    if wish.quota:
        made.append(_thing("v1", "ResourceQuota", QUOTA, spec={"hard": dict(sorted(wish.quota.items()))}))
    if platform.has_istio:
        made.append(owner_policy(wish, platform))
    return [
        namespace(wish, platform),
        *(_placed(thing, wish) for thing in made),
        *additions(wish, platform, roles),
    ]


def additions(wish: Wish, platform: Platform, roles: Roles = KUBEFLOW_ROLES) -> list[Json]:
    """What the Profile controller does not make: contributors, limits, networks and the Hub's way in."""
    shared = [_limits(wish.limits), *network_policies(wish.network, platform)]
    if platform.has_istio and platform.hub_principals:
        shared.append(hub_policy(platform.hub_principals))
    people = [_contributor(one, roles) for one in wish.contributors]
    if platform.has_istio:
        people += contributor_policies(wish, platform)
    return [_placed(thing, wish) for thing in shared] + [
        _placed(thing, wish, CONTRIBUTOR) for thing in people
    ]


def namespace(wish: Wish, platform: Platform) -> Json:
    """The namespace with what Kubeflow's controllers and webhooks look for on it."""
    labels = {
        **wish.labels,
        MANAGED_BY: MANAGER,
        "app.kubernetes.io/part-of": "kubeflow-profile",
        "katib.kubeflow.org/metrics-collector-injection": "enabled",
        "pipelines.kubeflow.org/enabled": "true",
        "serving.kubeflow.org/inferenceservice": "enabled",
        POD_SECURITY: wish.pod_security,
    }
    if platform.has_istio:
        labels["istio-injection"] = "enabled"
    notes = {OWNER: wish.owner.name, OWNER_KIND: wish.owner.kind}
    metadata = {"name": wish.namespace, "labels": labels, "annotations": notes}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def profile(wish: Wish) -> Json:
    """The Profile, where its controller makes the rest."""
    owner = {"apiGroup": _RBAC, "kind": wish.owner.kind, "name": wish.owner.name}
    spec: Json = {"owner": owner}
    if wish.quota:
        spec["resourceQuotaSpec"] = {"hard": dict(sorted(wish.quota.items()))}
    metadata = {"name": wish.namespace, "labels": {**wish.labels, MANAGED_BY: MANAGER}}
    return {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": metadata, "spec": spec}


def _placed(thing: Json, wish: Wish, part: str = "profile") -> Json:
    labels = {MANAGED_BY: MANAGER, PART: part}
    return {**thing, "metadata": {**thing["metadata"], "namespace": wish.namespace, "labels": labels}}


def _thing(version: str, kind: str, name: str, **fields: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


def _account(name: str) -> Json:
    return _thing("v1", "ServiceAccount", name)


def _binding(name: str, role: str, subject: Json, notes: dict[str, str] | None = None) -> Json:
    found = _thing(
        f"{_RBAC}/v1",
        "RoleBinding",
        name,
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        subjects=[subject],
    )
    if notes:
        found["metadata"]["annotations"] = notes
    return found


def _contributor(one: Contributor, roles: Roles) -> Json:
    role = roles.edit if one.role == "edit" else roles.view
    # kfam reads these two to show people; it knows users only.
    notes = _notes(one.name, one.role) if one.kind == "User" else None
    return _binding(binding_name(one.kind, one.name, one.role), role, _of(one.kind, one.name), notes)


def _notes(user: str, role: str) -> dict[str, str]:
    return {"user": user, "role": role}


def _of(kind: str, name: str) -> Json:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}


def _of_account(name: str, wish: Wish) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": wish.namespace}


def _limits(limits: Limits) -> Json:
    """As the API server would complete it: what has a most has a limit, what has a limit has a request."""
    most = limits.most
    default = {**most, **limits.limits}
    entry: Json = {"type": "Container"}
    for field, values in (
        ("default", default),
        ("defaultRequest", {**default, **limits.requests}),
        ("max", most),
    ):
        if values:
            entry[field] = dict(sorted(values.items()))
    return _thing("v1", "LimitRange", "profile-limits", spec={"limits": [entry]})
