"""How a contributor gets through a Kubeflow's gateway: a policy of Istio's beside the RoleBinding, under the same name.

Kubeflow's own page of contributors makes both, and removes both by that name (`kfam/bindings.go` of its access management). Its
policies let who may only look reach servers too, and a page of a server is a kernel: ours leave out the servers' port.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.kube.transport import APPLY
from jupyter_ext.errors import Forbidden, KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

Json = dict[str, Any]

GROUP: Final = "security.istio.io"
PLURAL: Final = "authorizationpolicies"
VERSIONS: Final = ("v1", "v1beta1")
_LONGEST: Final = 253
_HEADER: Final = re.compile(r"request\.headers\[(.+)\]")
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_HINT: Final = "Kubeflow's own page of contributors writes both, and so may an administrator."


class Passing(NamedTuple):
    """Whose requests are let through, and which header says of whom they are, with what before the name."""

    principals: tuple[str, ...]
    header: str
    prefix: str


class Gateway:
    """The policies of one namespace of a cluster that has Istio's."""

    def __init__(self, cluster: KubeCluster, version: str) -> None:
        self._cluster = cluster
        self._version = f"{GROUP}/{version}"
        self._path = f"/apis/{self._version}/namespaces/{cluster.namespace}/{PLURAL}"
        self.known: list[Json] = []
        """Those that are there."""

    def look(self) -> Gateway:
        """Read those that are there. Raises Forbidden for who may not."""
        self.known, _ = pages(self._cluster.transport, self._path)
        return self

    @property
    def names(self) -> set[str]:
        """The names of those that are there."""
        return {str(thing["metadata"]["name"]) for thing in self.known}

    def policy(self, name: str, user: str, role: str, owners: Collection[str]) -> Json:
        """The policy that lets a user in, beside the RoleBinding of this name."""
        from spawner.profiles.policy import SERVER_PORT

        passing = self._passing(owners)
        rule: Json = {
            "from": [{"source": {"principals": [*passing.principals]}}],
            "when": [{"key": f"request.headers[{passing.header}]", "values": [f"{passing.prefix}{user}"]}],
        }
        if role == "view":
            rule["to"] = [{"operation": {"notPorts": [str(SERVER_PORT)]}}]
        about = {
            "name": name,
            "namespace": self._cluster.namespace,
            "annotations": {"user": user, "role": role},
        }
        return {
            "apiVersion": self._version,
            "kind": "AuthorizationPolicy",
            "metadata": about,
            "spec": {"rules": [rule]},
        }

    def takes(self, policy: Json) -> bool:
        """Whether one may write it, asked without storing anything; False where one may not and nothing needs it.

        Raises Forbidden where the namespace may be in the mesh.
        """
        try:
            self.write(policy, dry_run=True)
        except Forbidden as error:
            if _is_outside(self._cluster):
                return False
            raise _explained(error, self._cluster) from error
        return True

    def write(self, policy: Json, *, dry_run: bool) -> None:
        """Make it, or make it this one again. Raises Forbidden for who may not."""
        query = {"fieldManager": self._cluster.manager, "force": "true", "fieldValidation": "Strict"}
        path = f"{self._path}/{quote(policy['metadata']['name'], safe='')}"
        self._cluster.transport.ask(
            "PATCH",
            path,
            policy,
            query=query | ({"dryRun": "All"} if dry_run else {}),
            content_type=APPLY,
            repeat=True,
        )

    def remove(self, names: Iterable[str], *, dry_run: bool) -> None:
        """Remove those of these names that are there. Raises Forbidden for who may not."""
        for thing in self.known:
            about = thing["metadata"]
            if about["name"] in names:
                body: Json = {"preconditions": {"uid": about["uid"]}}
                if dry_run:
                    body["dryRun"] = ["All"]
                self._cluster.transport.ask("DELETE", f"{self._path}/{quote(about['name'], safe='')}", body)

    def _passing(self, owners: Collection[str]) -> Passing:
        """As this process is told, by the names that Kubeflow has for it; else as the owner's own policy has it."""
        from spawner.profiles.policy import Platform

        usual = Platform()
        found = next(self._of_owner(owners), None) or Passing(
            (usual.gateway_principal, usual.pipelines_principal), usual.user_header, usual.user_prefix
        )
        told = [os.environ.get(name, "") for name in ("ISTIO_INGRESS_GATEWAY_PRINCIPAL", "KFP_UI_PRINCIPAL")]
        if any(told):
            default = (usual.gateway_principal, usual.pipelines_principal)
            found = found._replace(
                principals=tuple(own or other for own, other in zip(told, default, strict=True))
            )
        return found._replace(
            header=os.environ.get("USERID_HEADER") or found.header,
            prefix=os.environ.get("USERID_PREFIX", found.prefix),
        )

    def _of_owner(self, owners: Collection[str]) -> Iterator[Passing]:
        """What the Profile controller was set up with: it is in the policy that it writes for the owner."""
        from spawner.profiles.policy import OWNER_POLICY

        for thing in self.known:
            if thing["metadata"]["name"] != OWNER_POLICY:
                continue
            for rule in (thing.get("spec") or {}).get("rules") or ():
                principals = tuple(
                    str(principal)
                    for each in rule.get("from") or ()
                    for principal in (each.get("source") or {}).get("principals") or ()
                )
                for each in rule.get("when") or ():
                    header = _HEADER.fullmatch(str(each.get("key")))
                    for value in each.get("values") or ():
                        owner = next((name for name in owners if str(value).endswith(name)), None)
                        if header and principals and owner:
                            yield Passing(principals, header[1], str(value).removesuffix(owner))


def of(cluster: KubeCluster) -> Gateway | None:
    """None where the cluster has no such policies, or one may not see them and the namespace is outside of the mesh.

    Raises Forbidden where the namespace may be in it.
    """
    served = {each.version for each in cluster.kinds.versions(GROUP, PLURAL)}
    version = next((each for each in VERSIONS if each in served), None)
    if version is None:
        return None
    try:
        return Gateway(cluster, version).look()
    except Forbidden as error:
        if _is_outside(cluster):
            return None
        raise _explained(error, cluster) from error


def _explained(error: KubeflowError, cluster: KubeCluster) -> KubeflowError:
    """A right that lacks, with what it is needed for."""
    what = f"{error.what.rstrip('.')}: without its policy the gateway of {cluster.access.name} lets nobody in"
    return type(error)(what, where=error.where, hint=f"{_HINT} {error.hint or ''}".strip())


def _is_outside(cluster: KubeCluster) -> bool:
    """Whether the namespace is seen to be in no mesh: then nothing passes by these policies."""
    try:
        found = cluster.transport.ask("GET", f"/api/v1/namespaces/{cluster.namespace}")
    except KubeflowError:
        return False
    labels = (found.get("metadata") or {}).get("labels") or {}
    is_in = labels.get("istio-injection") == "enabled" or labels.get("istio.io/dataplane-mode") == "ambient"
    return not (is_in or "istio.io/rev" in labels)


def shared_name(user: str, role: str, taken: Collection[str]) -> str:
    """The name that Kubeflow's page looks for; where another user of like name has it, or it is too long, one of our own."""
    from spawner.names import binding_name

    name = _OTHER.sub("-", f"user-{user}-clusterrole-{role}".lower())
    return name if len(name) <= _LONGEST and name not in taken else binding_name("User", user, role)
