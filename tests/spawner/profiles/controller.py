"""What stands in for Kubeflow's Profile controller, which cannot be built here, and how tests ask the real API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from spawner.api import Api
from spawner.profiles.directory import Directory
from tests.cluster.answers import Answer
from tests.cluster.cluster import Cluster

T = TypeVar("T")

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION = f"{DEFINITIONS}/profiles.kubeflow.org"
PROFILES = "/apis/kubeflow.org/v1/profiles"
RBAC = "rbac.authorization.k8s.io"

PLAIN_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "profiles.kubeflow.org"},
    "spec": {
        "group": "kubeflow.org",
        "scope": "Cluster",
        "names": {"kind": "Profile", "listKind": "ProfileList", "plural": "profiles", "singular": "profile"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            part: {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                            for part in ("spec", "status")
                        },
                    }
                },
            }
        ],
    },
}
"""For where upstream's definition is not at hand: the same kind, with any fields."""


def have_profiles(cluster: Any) -> None:
    """Put the Profile kind there, if it is not."""
    if not cluster.exists(DEFINITION):
        cluster.call("POST", DEFINITIONS, PLAIN_DEFINITION)
    cluster.until(lambda: are_listed(cluster))


def are_listed(cluster: Any) -> bool:
    """Just after the kind came, the API server answers 404 and 429: its storage is being set up."""
    try:
        return "items" in cluster.call("GET", PROFILES)
    except Answer:
        return False


def asked(cluster: Cluster, work: Callable[[Api], Awaitable[T]], user: str | None = None) -> T:
    """Run it with an API of its own, as the administrator or as a user."""

    async def run() -> T:
        api = Api(cluster.api(user))
        try:
            return await work(api)
        finally:
            await Directory.of(api).stop()
            await api.close()

    return asyncio.run(run())


class FakeProfileController:
    """Makes of a Profile what upstream's controller makes, when it is told to; read from its documented behaviour.

    Its own writes go through the real API server, which checks Profiles against upstream's schema.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        has = cluster.exists(f"/apis/{RBAC}/v1/clusterroles/kubeflow-edit")
        self.roles = {role: f"kubeflow-{role}" if has else role for role in ("admin", "edit", "view")}

    def make(self, name: str, owner: str, kind: str = "User", **quota: str) -> dict[str, Any]:
        """A Profile as kfam writes it, reconciled; gone after the test."""
        spec: dict[str, Any] = {"owner": {"apiGroup": RBAC, "kind": kind, "name": owner}}
        if quota:
            spec["resourceQuotaSpec"] = {"hard": quota}
        body = {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": name}, "spec": spec}
        made = self.cluster.call("POST", PROFILES, body)
        self.cluster.gone_after(f"{PROFILES}/{name}")
        self.reconcile(name)
        return dict(made)

    def reconcile(self, name: str) -> None:
        """One turn of it."""
        profile = self.cluster.call("GET", f"{PROFILES}/{name}")
        owner = profile["spec"]["owner"]
        reference = {
            "apiVersion": "kubeflow.org/v1",
            "kind": "Profile",
            "name": name,
            "uid": profile["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        if not self._enters(name, owner["name"], reference):
            return
        place = f"namespaces/{name}"
        for account in ("default-editor", "default-viewer"):
            self._put(f"/api/v1/{place}/serviceaccounts", {"metadata": {"name": account}}, reference)
        for binding, role in (("default-editor", "edit"), ("default-viewer", "view")):
            subject = {"kind": "ServiceAccount", "name": binding, "namespace": name}
            self._bind(place, binding, role, subject, {}, reference)
        notes = {"user": owner["name"], "role": "admin"}
        self._bind(place, "namespaceAdmin", "admin", {**owner, "apiGroup": RBAC}, notes, reference)
        hard = (profile["spec"].get("resourceQuotaSpec") or {}).get("hard")
        if hard:
            quota = {"metadata": {"name": "kf-resource-quota"}, "spec": {"hard": hard}}
            self._put(f"/api/v1/{place}/resourcequotas", quota, reference)

    def share(self, name: str, user: str, role: str = "edit", kind: str = "User") -> str:
        """A contributor as kfam adds one; gives the path of the binding."""
        binding = (
            f"{kind.lower()}-{''.join(c if c.isalnum() else '-' for c in user.lower())}-clusterrole-{role}"
        )
        subject = {"kind": kind, "name": user, "apiGroup": RBAC}
        self._bind(f"namespaces/{name}", binding, role, subject, {"user": user, "role": role}, None)
        return f"/apis/{RBAC}/v1/namespaces/{name}/rolebindings/{binding}"

    def _enters(self, name: str, owner: str, reference: dict[str, Any]) -> bool:
        """Make the namespace, or refuse one that is not its owner's."""
        path = f"/api/v1/namespaces/{name}"
        if self.cluster.exists(path):
            notes = self.cluster.call("GET", path)["metadata"].get("annotations") or {}
            return notes.get("owner") == owner
        labels = {
            "istio-injection": "enabled",
            "app.kubernetes.io/part-of": "kubeflow-profile",
            "katib.kubeflow.org/metrics-collector-injection": "enabled",
            "pipelines.kubeflow.org/enabled": "true",
            "serving.kubeflow.org/inferenceservice": "enabled",
        }
        metadata = {
            "name": name,
            "labels": labels,
            "annotations": {"owner": owner},
            "ownerReferences": [reference],
        }
        self.cluster.call("POST", "/api/v1/namespaces", {"metadata": metadata})
        self.cluster.gone_after(path)
        return True

    def _bind(self, place, name, role, subject, notes, reference) -> None:
        body = {
            "metadata": {"name": name, "annotations": notes},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": self.roles[role]},
            "subjects": [subject],
        }
        self._put(f"/apis/{RBAC}/v1/{place}/rolebindings", body, reference)

    def _put(self, path: str, body: dict[str, Any], reference: dict[str, Any] | None) -> None:
        """Create it, or make what is there the same."""
        if reference:
            body["metadata"]["ownerReferences"] = [reference]
        try:
            self.cluster.call("POST", path, body)
        except Answer as error:
            if error.status != 409:
                raise
            self.cluster.call("PATCH", f"{path}/{body['metadata']['name']}", body)
