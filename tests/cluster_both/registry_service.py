"""A Service as upstream's manifests of the Model Registry have it, before a server outside of the cluster."""

from __future__ import annotations

from tests.cluster.cluster import Cluster
from tests.cluster.place import NODE_ADDRESS


def have_registry(cluster: Cluster, namespace: str, port: int, name: str = "model-registry-service") -> None:
    """Put it into a namespace, before a server at this port of the node's address."""
    root = f"/api/v1/namespaces/{namespace}"
    ports = [{"name": "http-api", "port": 8080, "targetPort": port, "protocol": "TCP", "appProtocol": "http"}]
    labels = {"app": name, "component": "model-registry"}
    about = {"name": name, "labels": labels, "annotations": {"displayName": "Kubeflow Model Registry"}}
    cluster.call("POST", f"{root}/services", {"metadata": about, "spec": {"ports": ports}})
    # The API server leads to pods only; this one is on paper, and has the address where the server listens.
    pod = {"containers": [{"name": "rest", "image": "server"}], "schedulerName": "nobody"}
    cluster.call("POST", f"{root}/pods", {"metadata": {"name": name}, "spec": pod})
    address = {"podIP": NODE_ADDRESS, "podIPs": [{"ip": NODE_ADDRESS}]}
    cluster.call("PATCH", f"{root}/pods/{name}/status", {"status": address}, patch="merge")
    behind = {"ip": NODE_ADDRESS, "targetRef": {"kind": "Pod", "name": name, "namespace": namespace}}
    cluster.call("POST", f"{root}/endpoints", {
        "metadata": {"name": name},
        "subsets": [{"addresses": [behind], "ports": [{"name": "http-api", "port": port}]}],
    })  # fmt: skip
