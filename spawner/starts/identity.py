"""Each server's own service account: what it may do, and the tokens it is given.

Kubeflow runs every notebook of a profile as ``default-editor``, so that any of them can do what all can. Here a
server has an account of its own, bound to one ClusterRole that lets it work with pipelines, jobs, experiments and
endpoints of its profile, and read how its pods are doing: no Secrets, no making of pods, no exec, no rights.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from spawner.api import ApiError, Json
from spawner.names import is_label
from spawner.refused import Refused

FIELDS: Final = "jupyter-kubeflow-hub"
"""The field manager under which the Hub writes."""
MARK: Final = "jupyter-kubeflow.org/server"
CLUSTER_ROLE: Final = "jupyter-kubeflow-server"
PIPELINES_AUDIENCE: Final = "pipelines.kubeflow.org"
PIPELINES_VOLUME: Final = "kubeflow-pipelines-token"
PIPELINES_PATH: Final = "/var/run/secrets/kubeflow/pipelines"
PIPELINES_VARIABLE: Final = "KF_PIPELINES_SA_TOKEN_PATH"
"""Where the SDK of Kubeflow Pipelines looks (``kfp.client.set_volume_credentials``)."""
_seen: Final[set[str]] = set()
"""Paths of accounts and bindings that were there at an earlier start: only what is asked first depends on it."""
_MOST_SEEN: Final = 20_000

_WORK: Final = ["get", "list", "watch", "create", "update", "patch", "delete"]
_READ: Final = ["get", "list", "watch"]


class Asking(Protocol):
    """What is needed of the API."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Read."""

    async def post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None) -> Json:
        """Create."""

    async def delete(
        self, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Json:
        """Delete."""


@dataclass(frozen=True)
class Identity:
    """The account of one server: of the user ``owner``, in the profile's ``namespace``."""

    name: str
    namespace: str
    owner: str
    server: str = ""
    role: str = CLUSTER_ROLE

    def account(self) -> Json:
        """The ServiceAccount. Its token is mounted by the pod, if at all, never by default."""
        return {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": self._metadata(),
            "automountServiceAccountToken": False,
        }

    def binding(self) -> Json:
        """What it may do in its namespace."""
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": self._metadata(),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.role},
            "subjects": [{"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}],
        }

    def _metadata(self) -> Json:
        return {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "jupyter-kubeflow", MARK: "true"},
            "annotations": {
                "hub.jupyter.org/username": self.owner,
                "hub.jupyter.org/servername": self.server,
            },
        }

    @property
    def account_path(self) -> str:
        """In the API."""
        return f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.name}"

    @property
    def binding_path(self) -> str:
        """In the API."""
        return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/rolebindings/{self.name}"


async def ensure(api: Asking, identity: Identity) -> None:
    """Make the account and its binding where they are not there; raises Refused and ApiError.

    An account of that name which somebody else made is left alone, and refused: it may have more rights.
    """
    if not is_label(identity.name):
        raise Refused(500, f"“{identity.name}” cannot be the name of a service account")
    await asyncio.gather(_account(api, identity), _binding(api, identity))


async def _account(api: Asking, identity: Identity) -> None:
    wanted = identity.account()
    found = await _made(api, identity.account_path, wanted)
    if found is None:
        return
    about = found.get("metadata") or {}
    notes, labels = about.get("annotations") or {}, about.get("labels") or {}
    mine = wanted["metadata"]["annotations"]
    if labels.get(MARK) != "true" or any(notes.get(key) != value for key, value in mine.items()):
        raise _foreign(identity, "service account")


async def _binding(api: Asking, identity: Identity) -> None:
    wanted = identity.binding()
    found = await _made(api, identity.binding_path, wanted)
    if found is None:
        return
    subjects = [
        {key: each.get(key) for key in ("kind", "name", "namespace")} for each in found.get("subjects") or []
    ]
    if (found.get("roleRef") or {}).get("name") != identity.role or subjects != wanted["subjects"]:
        if ((found.get("metadata") or {}).get("labels") or {}).get(MARK) != "true":
            raise _foreign(identity, "role binding")
        await api.delete(identity.binding_path)
        await api.post(identity.binding_path.rpartition("/")[0], wanted, {"fieldManager": FIELDS})


async def _made(api: Asking, path: str, wanted: Json) -> Json | None:
    """None if it was made now, else what is there; what was seen once is most likely still there."""
    if path in _seen:
        try:
            return await api.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
    if len(_seen) > _MOST_SEEN:
        _seen.clear()
    try:
        await api.post(path.rpartition("/")[0], wanted, {"fieldManager": FIELDS})
    except ApiError as error:
        if error.status != 409 or error.reason != "AlreadyExists":
            raise
        _seen.add(path)
        return await api.get(path)
    _seen.add(path)
    return None


def _foreign(identity: Identity, what: str) -> Refused:
    return Refused(
        409,
        f"The {what} {identity.name} of this profile is not this server's",
        hint="Somebody else made or changed it: have it deleted, then start again.",
    )


async def remove(api: Asking, identity: Identity) -> None:
    """Delete both; what is not there is fine."""
    for path in (identity.binding_path, identity.account_path):
        try:
            await api.delete(path)
        except ApiError as error:
            if error.status != 404:
                raise


def pipelines_volume(audience: str = PIPELINES_AUDIENCE, seconds: int = 7200) -> Json:
    """The volume with the token that Kubeflow Pipelines accepts; the kubelet renews it."""
    token = {"audience": audience, "expirationSeconds": seconds, "path": "token"}
    return {"name": PIPELINES_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}


def cluster_role(name: str = CLUSTER_ROLE) -> Json:
    """The ClusterRole to install once; the Hub itself needs ``bind`` on it, and none of these rights."""

    def rule(groups: list[str], resources: list[str], verbs: list[str]) -> Json:
        return {"apiGroups": groups, "resources": resources, "verbs": verbs}

    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "jupyter-kubeflow"}},
        "rules": [
            rule(
                ["pipelines.kubeflow.org"],
                ["*"],
                [*_WORK, "archive", "unarchive", "terminate", "retry", "report"],
            ),
            rule(["trainer.kubeflow.org"], ["trainjobs"], _WORK),
            # A runtime's copy whose pods start once is made beside the jobs.
            rule(["trainer.kubeflow.org"], ["trainingruntimes"], _WORK),
            rule(["trainer.kubeflow.org"], ["clustertrainingruntimes"], _READ),
            rule(["kubeflow.org"], ["pytorchjobs", "tfjobs", "xgboostjobs"], _WORK),
            rule(["kubeflow.org"], ["experiments"], _WORK),
            rule(["kubeflow.org"], ["trials", "suggestions"], _READ),
            rule(
                ["sparkoperator.k8s.io"],
                ["sparkapplications", "scheduledsparkapplications", "sparkconnects"],
                _WORK,
            ),
            rule(["serving.kserve.io"], ["inferenceservices", "inferencegraphs"], _WORK),
            rule(["serving.kserve.io"], ["servingruntimes", "clusterservingruntimes"], _READ),
            rule(
                [""],
                [
                    "pods",
                    "pods/log",
                    "events",
                    "services",
                    "serviceaccounts",
                    "resourcequotas",
                    "persistentvolumeclaims",
                ],
                _READ,
            ),
            # A pipeline's steps are Jobs, and code travels to pods in ConfigMaps.
            rule(["batch"], ["jobs"], _WORK),
            rule([""], ["configmaps"], _WORK),
            # Of Secrets only the one that has the credentials of the profile's object storage.
            {**rule([""], ["secrets"], ["get"]), "resourceNames": ["artifact-store"]},
            rule(["jobset.x-k8s.io"], ["jobsets"], _READ),
            rule(["kueue.x-k8s.io"], ["localqueues", "workloads"], _READ),
        ],
    }
