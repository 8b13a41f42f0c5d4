"""Services that say by a label what they are: found where one may look, and reached from a pod or through the API server.

`Service proxy`: https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/. The API server takes
the credentials off before it passes a request on, so what is behind the Service never sees them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from jupyter_ext.cluster.answers import Capability
from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.kube.objects import selector
from jupyter_ext.errors import Conflict, Forbidden, KubeflowError, NotFound

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.cluster import KubeCluster

KUBEFLOW: Final = "kubeflow"
"""Where upstream's manifests put what all profiles share."""
FOUND_SECONDS: Final = 300.0
NONE_SECONDS: Final = 30.0
"""For so long an answer is given again; what was missing may have come meanwhile."""
REGISTRY: Final = {"component": "model-registry"}
"""On the Service of every Kubeflow Model Registry; upstream's own programs find it by this label."""
REGISTRY_PORTS: Final = ("http-api", "https-api")


@dataclass(frozen=True)
class Service:
    """One port of a Service. ``notes`` are its annotations."""

    namespace: str
    name: str
    port: int
    is_encrypted: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.namespace}/{self.name}"

    @property
    def url(self) -> str:
        """Its address for pods of the cluster."""
        return f"http{'s' * self.is_encrypted}://{self.name}.{self.namespace}.svc:{self.port}"

    @property
    def proxy(self) -> str:
        """The path below the API server that leads there."""
        scheme = "https:" if self.is_encrypted else ""
        return f"/api/v1/namespaces/{self.namespace}/services/{scheme}{self.name}:{self.port}/proxy"


@dataclass(frozen=True)
class Services:
    """What was found, the own namespace's first; ``unseen`` are namespaces into which one may not look."""

    found: Sequence[Service]
    unseen: Sequence[str] = ()


_known: Final[WeakKeyDictionary[KubeCluster, dict[tuple[str, ...], tuple[float, Services]]]] = (
    WeakKeyDictionary()
)


def labelled(cluster: KubeCluster, labels: Mapping[str, str], ports: Sequence[str] = ()) -> Services:
    """The Services with these labels and a port of one of these names (none named: their first port).

    All of the cluster's where one may list them, else the own namespace's and those of ``kubeflow``. What was found
    lately is given again. Raises Unavailable where the API server does not answer.
    """
    words = selector(labels)
    key = (cluster.namespace, words, *ports)
    answers = _known.setdefault(cluster, {})
    when, known = answers.get(key, (0.0, None))
    holds = FOUND_SECONDS if known and known.found else NONE_SECONDS
    if known is None or time.monotonic() - when > holds:
        known = _look(cluster, words, ports)
        answers[key] = (time.monotonic(), known)
    return known


def chosen(cluster: KubeCluster, labels: Mapping[str, str], ports: Sequence[str] = ()) -> Service | None:
    """The one to use unasked: the namespace's own, else that of ``kubeflow``; None for neither.

    Those of other people's namespaces are never used unasked. Raises Conflict where a namespace has several.
    """
    there = labelled(cluster, labels, ports).found
    for namespace in dict.fromkeys((cluster.namespace, KUBEFLOW)):
        of_it = [one for one in there if one.namespace == namespace]
        if len(of_it) > 1:
            names = ", ".join(one.name for one in of_it)
            raise Conflict(
                f"namespace {namespace} has {len(of_it)} of {selector(labels)}: {names}", hint="Name one."
            )
        if of_it:
            return of_it[0]
    return None


def registry(cluster: KubeCluster) -> Capability:
    """Where models are registered when this cluster is used."""
    try:
        one = chosen(cluster, REGISTRY, REGISTRY_PORTS)
    except KubeflowError as error:
        return Capability(True, str(error), degraded=True)
    if one is not None:
        return Capability(True, f"Models are registered in {one.title} of {cluster.access.name}.")
    unseen = labelled(cluster, REGISTRY, REGISTRY_PORTS).unseen
    looked = f", and you may not look into {' and '.join(unseen)}" if unseen else ""
    return Capability(
        True, f"No Model Registry was found{looked}: models are registered in this container.", degraded=True
    )


def named(cluster: KubeCluster, namespace: str, name: str, ports: Sequence[str] = ()) -> Service:
    """One Service. Raises NotFound, also for one that has no such port, and Forbidden."""
    thing = cluster.transport.ask("GET", f"/api/v1/namespaces/{namespace}/services/{name}")
    found = _read(thing, ports)
    if found is None:
        asked = f"a port {' or '.join(ports)}" if ports else "a port"
        raise NotFound(f"the Service {namespace}/{name} has no address, or not {asked}")
    return found


def forget(cluster: KubeCluster) -> None:
    """Look anew next time."""
    _known.pop(cluster, None)


def _look(cluster: KubeCluster, words: str, ports: Sequence[str]) -> Services:
    unseen: list[str] = []
    try:
        things, _ = pages(cluster.transport, "/api/v1/services", labels=words)
    except Forbidden:
        things = []
        for namespace in dict.fromkeys((cluster.namespace, KUBEFLOW)):
            path = f"/api/v1/namespaces/{namespace}/services"
            try:
                things += pages(cluster.transport, path, labels=words)[0]
            except Forbidden:
                unseen.append(namespace)
            except NotFound:
                continue
    found = [one for thing in things if (one := _read(thing, ports)) is not None]
    found.sort(key=lambda one: (one.namespace != cluster.namespace, one.namespace, one.name))
    return Services(found, unseen)


def _read(thing: Mapping[str, Any], ports: Sequence[str]) -> Service | None:
    """None for one without an address in the cluster, or without such a port."""
    about, spec = thing.get("metadata") or {}, thing.get("spec") or {}
    rows = [row for row in spec.get("ports") or () if not ports or row.get("name") in ports]
    if not rows or not spec.get("clusterIP"):
        return None
    row = rows[0]
    protocol = str(row.get("appProtocol") or row.get("name") or "")
    is_encrypted = protocol.startswith("https") or int(row["port"]) == 443
    notes = {str(key): str(value) for key, value in (about.get("annotations") or {}).items()}
    return Service(str(about["namespace"]), str(about["name"]), int(row["port"]), is_encrypted, notes)
