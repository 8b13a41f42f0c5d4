"""Who reaches a server: NetworkPolicies of profiles and of the Hub, against what Hub and proxy need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_ext.cluster.kube_doctor.findings import Finding, grouped
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of, namespace_of, selects
from jupyter_ext.cluster.kube_doctor.profiles import by_namespace, seen
from jupyter_ext.cluster.kube_doctor.reading import Json
from jupyter_ext.cluster.kube_doctor.rights import is_hub

CHECK: Final = "network"
SERVER: Final = {
    "app": "jupyterhub", "component": "singleuser-server", "app.kubernetes.io/name": "jupyterhub",
    "app.kubernetes.io/managed-by": "kubespawner", "app.kubernetes.io/component": "singleuser-server",
}  # fmt: skip
"""The labels that KubeSpawner gives the pod of each server."""
SERVER_PORT: Final = 8888
HUB_PORT: Final = 8081


@dataclass(frozen=True)
class Peer:
    """Somebody at the other end: a pod by the labels of its namespace and its own."""

    namespace: str
    namespace_labels: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    account: str = "default"
    is_hub: bool = True

    @property
    def principal(self) -> str:
        """Who it is in the mesh."""
        return f"cluster.local/ns/{self.namespace}/sa/{self.account}"


async def hubs(look: Look) -> list[Peer]:
    """The Hubs of the cluster and their proxies, by the labels of JupyterHub's charts; raises `Unseen`."""
    deployments = await look.deployments()
    homes = {namespace_of(each) for each in deployments if is_hub(each)}
    found = []
    for name in sorted(homes):
        labels = labels_of(await look.reader.get(f"/api/v1/namespaces/{name}") or {})
        labels.setdefault("kubernetes.io/metadata.name", name)
        for each in deployments:
            if namespace_of(each) == name and (is_hub(each) or "proxy" in name_of(each)):
                template = (each.get("spec") or {}).get("template") or {}
                account = str((template.get("spec") or {}).get("serviceAccountName") or "default")
                found.append(Peer(name, _pairs(labels), _pairs(labels_of(template)), account, is_hub(each)))
    return found


def _pairs(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


async def check(look: Look) -> list[Finding]:
    """In each profile: whether Hub and proxy come in, and servers reach the Hub and the names of services."""
    peers = await hubs(look)
    if not peers:
        return [Finding(CHECK, "ok", "There is no Hub in the cluster yet whose way to servers could be cut")]
    (places, _), policies = await asyncio.gather(
        seen(look), look.within("/apis/networking.k8s.io/v1", "networkpolicies")
    )
    of_places, findings = by_namespace(policies), list[Finding]()
    for place in places:
        findings += judge(place, of_places.get(name_of(place), []), peers)
    homes = {peer.namespace for peer in peers}
    of_hubs = {
        home: await look.reader.items(f"/apis/networking.k8s.io/v1/namespaces/{home}/networkpolicies")
        for home in sorted(homes)
    }
    for place in places[:1]:  # what the Hub's own policies say of servers is the same for all
        findings += judge_hub(place, of_hubs, peers)
    return grouped(findings) or [
        Finding(CHECK, "ok", "No NetworkPolicy of a profile cuts servers off from the Hub")
    ]


def judge(place: Json, policies: Sequence[Json], peers: Sequence[Peer]) -> list[Finding]:
    """The policies of one profile."""
    name, findings = name_of(place), []
    cut = [peer for peer in peers if not passes(policies, SERVER, "Ingress", peer, SERVER_PORT)]
    if cut:
        why = (
            f"Hub and proxy of {cut[0].namespace} cannot reach port {SERVER_PORT}: starts end with a timeout."
        )
        findings.append(
            Finding(
                CHECK,
                "problem",
                "A NetworkPolicy keeps the Hub out",
                name,
                why,
                _let_in(name, cut[0].namespace),
            )
        )
    hub = peers[0]
    if not passes(policies, SERVER, "Egress", hub, HUB_PORT):
        why = f"Servers cannot reach the Hub of {hub.namespace} at port {HUB_PORT}: they never say that they run."
        findings.append(
            Finding(
                CHECK,
                "problem",
                "A NetworkPolicy keeps servers from the Hub",
                name,
                why,
                _let_out(name, hub.namespace),
            )
        )
    dns = Peer("kube-system", (("kubernetes.io/metadata.name", "kube-system"),), (("k8s-app", "kube-dns"),))
    if not passes(policies, SERVER, "Egress", dns, 53, "UDP"):
        why = "Servers find no name, not even the Hub's."
        findings.append(
            Finding(
                CHECK,
                "problem",
                "A NetworkPolicy keeps servers from DNS",
                name,
                why,
                _let_out(name, "kube-system", 53),
            )
        )
    return findings


def judge_hub(place: Json, policies: Mapping[str, Sequence[Json]], peers: Sequence[Peer]) -> list[Finding]:
    """The policies of the Hub's own namespace, for servers in one profile."""
    name, findings = name_of(place), []
    labels = {"kubernetes.io/metadata.name": name, **labels_of(place)}
    # Z2JH's chart lets in whom this label marks, and its configuration gives it to servers.
    server = Peer(name, _pairs(labels), _pairs({**SERVER, "hub.jupyter.org/network-access-hub": "true"}))
    for peer in peers:
        own, pod = policies.get(peer.namespace, ()), dict(peer.labels)
        word = "Hub" if peer.is_hub else "proxy"
        if not passes(own, pod, "Egress", server, SERVER_PORT):
            why = f"The {word} reaches no server at port {SERVER_PORT}: starts end with a timeout, or pages with 503."
            fix = f"kubectl -n {peer.namespace} edit networkpolicies  # egress to pods with component=singleuser-server, port {SERVER_PORT}"
            what = f"A NetworkPolicy of the Hub's namespace keeps the {word} from servers"
            findings.append(Finding(CHECK, "problem", what, peer.namespace, why, fix))
        if peer.is_hub and not passes(own, pod, "Ingress", server, HUB_PORT):
            why = f"Servers cannot reach the Hub at port {HUB_PORT}: they never say that they run."
            fix = f"kubectl -n {peer.namespace} edit networkpolicies  # ingress from pods with component=singleuser-server, port {HUB_PORT}"
            what = "A NetworkPolicy of the Hub's namespace keeps servers out"
            findings.append(Finding(CHECK, "problem", what, peer.namespace, why, fix))
    return findings


def passes(
    policies: Iterable[Json], pod: dict[str, str], way: str, peer: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether these policies of the pod's namespace let it talk with a peer in another; ``way``: Ingress or Egress.

    Addresses of pods are not known, so that a block of addresses counts as let through.
    """
    about = [each for each in policies if _is_about(each, pod, way)]
    if not about:
        return True
    field, other = ("ingress", "from") if way == "Ingress" else ("egress", "to")
    rules = [rule for each in about for rule in (each.get("spec") or {}).get(field) or ()]
    return any(_has_port(rule, port, protocol) and _has_peer(rule.get(other), peer) for rule in rules)


def _is_about(policy: Json, pod: dict[str, str], way: str) -> bool:
    spec = policy.get("spec") or {}
    ways = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return way in ways and selects(spec.get("podSelector") or {}, pod)


def _has_port(rule: Json, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    if not ports:
        return True
    for each in ports:
        first = each.get("port")
        if each.get("protocol", "TCP") != protocol:
            continue
        if first is None or isinstance(first, str):  # a name: the container's, which is not known here
            return True
        if int(first) <= port <= int(each.get("endPort") or first):
            return True
    return False


def _has_peer(others: Sequence[Json] | None, peer: Peer) -> bool:
    if not others:
        return True
    for each in others:
        if each.get("ipBlock"):
            return True
        if each.get("namespaceSelector") is None:  # pods of the policy's own namespace
            continue
        pods = each.get("podSelector")
        if selects(each["namespaceSelector"], dict(peer.namespace_labels)) and (
            pods is None or selects(pods, dict(peer.labels))
        ):
            return True
    return False


def _policy(namespace: str, name: str, spec: Json) -> str:
    metadata = {"name": name, "namespace": namespace}
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    return f"kubectl apply -f - <<'EOF'\n{json.dumps(made)}\nEOF"


def _let_in(namespace: str, hub: str) -> str:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": hub}}}
    ingress = [{"from": [peer], "ports": [{"port": SERVER_PORT, "protocol": "TCP"}]}]
    pods = {"matchLabels": {"component": "singleuser-server"}}
    return _policy(
        namespace, "hub-to-servers", {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress}
    )


def _let_out(namespace: str, to: str, port: int = HUB_PORT) -> str:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": to}}}
    kinds = ["UDP", "TCP"] if port == 53 else ["TCP"]
    egress = [{"to": [peer], "ports": [{"port": port, "protocol": kind} for kind in kinds]}]
    pods = {"matchLabels": {"component": "singleuser-server"}}
    name = "servers-to-dns" if port == 53 else "servers-to-hub"
    return _policy(namespace, name, {"podSelector": pods, "policyTypes": ["Egress"], "egress": egress})
