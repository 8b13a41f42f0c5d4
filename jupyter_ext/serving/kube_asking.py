"""The way of a request to an endpoint of a Kubernetes cluster: by its address inside, else through the API server.

Inside the cluster's network its Service is asked. From elsewhere the API server passes requests on to the Service
(`services/proxy`), with the rights of who asks; nothing is forwarded, and no port is opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from jupyter_ext.errors import Forbidden, Unavailable
from jupyter_ext.serving import predicting, tensors

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.resource import Resource

_PROXY_FAILED: Final = frozenset({502, 503, 504})
_UNSENT: Final = b"Failed to process request"
"""The words of KServe's router where it reached no pod behind a step; what a model answers it passes on."""
_PATIENCE: Final = 20.0
_PAUSE: Final = 0.3


def address(resource: Resource, namespace: str) -> str:
    """Where it answers inside the cluster, as KServe says it. Raises Unavailable while it has none."""
    found = (resource.status.get("address") or {}).get("url") or ""
    if not found and resource.kind == "InferenceGraph":
        found = f"http://{resource.name}.{namespace}.svc.cluster.local"
    if not found:
        raise Unavailable(f"{resource.name} has no address yet", hint="Wait for it: endpoint.wait().")
    return plain(str(found).rstrip("/"))


def plain(url: str) -> str:
    """The address of a Service, which speaks HTTP: before 0.20 KServe gives it the scheme of its addresses outside."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.port is None and ".svc" in (parts.hostname or ""):
        return parts._replace(scheme="http").geturl()
    return url


def is_inside(remote: KubeCluster) -> bool:
    """Whether this process is in a pod of that cluster, and so in its network."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    return bool(host) and urlsplit(remote.access.server).hostname in {host, "kubernetes.default.svc"}


def proxy_path(url: str, namespace: str) -> str:
    """The API server's path to the Service of an address inside."""
    parts = urlsplit(url)
    service = (parts.hostname or "").partition(".")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"/api/v1/namespaces/{quote(namespace)}/services/{parts.scheme}:{quote(service)}:{port}/proxy"


def target(
    remote: KubeCluster,
    resource: Resource,
    timeout: float,
    *,
    model: str = "",
    variant: str | None = None,
    patience: float = _PATIENCE,
) -> predicting.Target:
    """Where requests go, and how. ``model``: what it is called there, if not as the resource."""
    url = address(resource, remote.namespace)
    model = model or resource.name
    if is_inside(remote):
        return predicting.Target(url, None, model, variant, timeout)
    path = proxy_path(url, remote.namespace)
    send = _Through(remote, path, patience).send
    return predicting.Target(f"{remote.access.server}{path}", None, model, variant, timeout, send)


class _Said(NamedTuple):
    status: int
    headers: Mapping[str, str]


class _Through:
    """Requests through the API server."""

    def __init__(self, remote: KubeCluster, path: str, patience: float) -> None:
        self._remote, self._path, self._patience = remote, path, patience

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> tuple[Any, bytes]:
        """As ``predicting``'s own way. Raises Forbidden where one may not."""
        late = time.monotonic() + min(timeout, self._patience)
        while True:
            answer = self._remote.transport.forward(method, f"{self._path}{path}", body, headers, timeout)
            of_server = b'"kind":"Status"' in answer.data[:200]
            # It knows of pods a little later than they are ready or gone; a prediction may be asked for again.
            undelivered = of_server and answer.status in _PROXY_FAILED
            unsent = answer.status == 500 and _UNSENT in answer.data[:500]
            if not (undelivered or unsent) or time.monotonic() > late:
                break
            time.sleep(_PAUSE)
        if answer.status == 403 and of_server:
            raise Forbidden(
                f"You may not send requests through {self._remote.access.name}'s API server",
                hint="It takes create on services/proxy. Inside the cluster the endpoint's own address needs no right.",
            )
        if answer.status in _PROXY_FAILED and of_server:
            raise Unavailable("No pod of the endpoint answers", hint="See endpoint.why().")
        return _Said(answer.status, answer.headers), answer.data


def through_graph(data: Any, at: predicting.Target, *, raw: bool, headers: Mapping[str, str] | None) -> Any:
    """As ``predicting.predict``, through KServe's router: it passes on V1's JSON, and knows no path."""
    body = tensors.instances(data)
    answer = predicting.ask(at, "/", body, predicting.checked(headers))
    found = answer.body.get("predictions") if isinstance(answer.body, dict) else None
    value = answer.body if found is None else like(data, found)
    return value if not raw else predicting.valued(answer, value)


def like(data: Any, predictions: Any) -> Any:
    """V1's predictions in the kind of what was asked: an array for an array, a column for a frame."""
    if isinstance(data, list | tuple) or (isinstance(data, Mapping) and "instances" in data):
        return predictions
    if not isinstance(predictions, list) or any(isinstance(each, dict) for each in predictions):
        return predictions
    import numpy as np

    (output,) = tensors.inputs_of(np.asarray(predictions))
    return tensors.request(data).result({"outputs": [{**output, "name": "output-0"}]})
