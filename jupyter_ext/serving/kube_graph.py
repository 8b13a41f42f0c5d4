"""InferenceGraphs on a Kubernetes cluster: KServe's router runs them, and the same handle asks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.kube import handle as shared
from jupyter_ext.serving import kube_asking
from jupyter_ext.serving.graph import DEFAULT_TIMEOUT, KIND, Graph

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster


class KubeGraph(shared.KubeHandle, Graph):
    """One graph of a Kubernetes cluster. Every property asks the API server."""

    _kind = KIND

    def __init__(self, name: str, cluster: KubeCluster, kind: str | None = None) -> None:
        shared.KubeHandle.__init__(self, name, cluster, kind)

    def _target(self) -> Any:
        resource = self.resource
        timeout = float(resource.spec.get("timeout") or DEFAULT_TIMEOUT) + 5
        return kube_asking.target(self._remote, resource, timeout)

    @property
    def url(self) -> str:
        """Where this process reaches it: its address inside the cluster, else its path through the API server."""
        return str(self._target().url)

    @property
    def token(self) -> str:
        """Empty: who may reach a Service inside the cluster is the network's matter."""
        return ""

    def predict(self, data: Any, *, raw: bool = False, headers: Mapping[str, str] | None = None) -> Any:
        """Send a request through the graph; KServe's router passes on JSON of V1."""
        return kube_asking.through_graph(data, self._target(), raw=raw, headers=headers)

    def wait(self, timeout: float | None = None) -> KubeGraph:
        """Wait until it is ready; raises TimeoutError after ``timeout`` seconds."""
        self._reached(timeout, lambda resource: resource.phase == "RUNNING")
        return self
