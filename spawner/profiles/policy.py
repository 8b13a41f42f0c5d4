"""Who may talk to whom in a profile's namespace: NetworkPolicies, and Istio's policies where Istio is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from spawner.names import binding_name
from spawner.profiles.declared import Network, Wish

Json = dict[str, Any]

SERVER: Final = {"component": "singleuser-server"}
"""The label that KubeSpawner gives to every server's pod."""
SERVER_PORT: Final = 8888
ISTIO: Final = "security.istio.io/v1"
OWNER_POLICY: Final = "ns-owner-access-istio"
_METADATA: Final = (("0.0.0.0/0", ("169.254.169.254/32",)), ("::/0", ("fd00:ec2::254/128",)))


@dataclass(frozen=True)
class Platform:
    """What is around the profiles, and whose requests are let through.

    ``hub_namespace`` is where Hub and proxy run; ``hub_principals`` are their identities in the mesh, the other
    two those of the gateway and of the pipelines' page, as the Profile controller has them by default.
    """

    hub_namespace: str = "jupyterhub"
    has_istio: bool = False
    hub_principals: tuple[str, ...] = ()
    gateway_principal: str = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
    pipelines_principal: str = "cluster.local/ns/kubeflow/sa/ml-pipeline-ui"
    notebooks_principal: str = "cluster.local/ns/kubeflow/sa/notebook-controller-service-account"
    user_header: str = "kubeflow-userid"
    user_prefix: str = ""


def network_policies(network: Network, platform: Platform) -> list[Json]:
    """In: the own namespace (but not the port of a server), the Hub, and what is named. Out: all but metadata."""
    if not network.isolated:
        return []
    return [
        _network("profile-ingress", {}, ["Ingress"], ingress=_ways_in(network)),
        _network(
            "profile-servers",
            {"matchLabels": dict(SERVER)},
            ["Ingress"],
            ingress=[
                {
                    "from": [_namespace(platform.hub_namespace)],
                    "ports": [{"port": SERVER_PORT, "protocol": "TCP"}],
                }
            ],
        ),
        _network("profile-egress", {}, ["Egress"], egress=_ways_out(network)),
    ]


def _ways_in(network: Network) -> list[Json]:
    """Within the namespace every port but the servers' own: a step of a pipeline has no business at a notebook."""
    ports: list[Json] = [
        {"protocol": "TCP", "port": 1, "endPort": SERVER_PORT - 1},
        {"protocol": "TCP", "port": SERVER_PORT + 1, "endPort": 65535},
        {"protocol": "UDP", "port": 1, "endPort": 65535},
    ]
    ways: list[Json] = [{"from": [{"podSelector": {}}], "ports": ports}]
    if network.sources:
        ways.append({"from": [_namespace(name) for name in sorted(set(network.sources))], "ports": ports})
    return ways


def _ways_out(network: Network) -> list[Json]:
    if network.metadata:
        return [{}]
    blocks = [{"ipBlock": {"cidr": cidr, "except": list(but)}} for cidr, but in _METADATA]
    # Some networks do not count pods among the addresses of a block.
    return [{"to": [{"namespaceSelector": {}}, *blocks]}]


def _namespace(name: str) -> Json:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _network(name: str, pods: Json, kinds: list[str], **ways: list[Json]) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": pods, "policyTypes": kinds, **ways},
    }


def owner_policy(wish: Wish, platform: Platform) -> Json:
    """``ns-owner-access-istio``, rule for rule as the Profile controller writes it.

    The page's header names a user, never a group: the owner of a group's profile comes in by the Hub only.
    """
    rules: list[Json] = []
    if wish.owner.kind == "User":
        sources = [platform.gateway_principal, platform.pipelines_principal]
        rules.append(_by_header([wish.owner.name], sources, platform))
    rules += [
        {"when": [{"key": "source.namespace", "values": [wish.namespace]}]},
        {"to": [{"operation": {"paths": ["/healthz", "/metrics", "/wait-for-drain"]}}]},
        {
            "from": [{"source": {"principals": [platform.notebooks_principal]}}],
            "to": [{"operation": {"methods": ["GET"], "paths": ["*/api/kernels"]}}],
        },
    ]
    return _istio(OWNER_POLICY, rules)


def contributor_policies(wish: Wish, platform: Platform) -> list[Json]:
    """One for each user who may edit; who may only look gets none, for a page of a server is a kernel."""
    return [
        _istio(
            binding_name("User", one.name, one.role),
            [_by_header([one.name], [platform.gateway_principal], platform)],
        )
        for one in wish.contributors
        if one.kind == "User" and one.role == "edit"
    ]


def hub_policy(principals: Iterable[str]) -> Json:
    """Hub and proxy reach the servers' port; without it the mesh answers 403 for them."""
    return _istio(
        "jupyterhub-access",
        [
            {
                "from": [{"source": {"principals": sorted(principals)}}],
                "to": [{"operation": {"ports": [str(SERVER_PORT)]}}],
            }
        ],
    )


def _by_header(users: list[str], principals: list[str], platform: Platform) -> Json:
    values = [platform.user_prefix + user for user in users]
    return {
        "from": [{"source": {"principals": principals}}],
        "when": [{"key": f"request.headers[{platform.user_header}]", "values": values}],
    }


def _istio(name: str, rules: list[Json]) -> Json:
    return {
        "apiVersion": ISTIO,
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name},
        "spec": {"action": "ALLOW", "rules": rules},
    }
