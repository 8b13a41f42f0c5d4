"""A real Hub on the test cluster, driven by its REST API, and a profile for its user."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from jupyter_ext.cluster.kube.work import PROFILES_ACCOUNT
from tests.cluster.cluster import Cluster
from tests.cluster.place import NODE_ADDRESS
from tests.spawner.profiles.controller import have_profiles

CONFIGURATION = Path(__file__).parent / "hub_config.py"
USER = "ada@example.org"
_RBAC = "rbac.authorization.k8s.io"


def have_profile(cluster: Cluster) -> str:
    """A profile of ``USER`` as the Profile controller makes it; its namespace."""
    have_profiles(cluster)
    name = cluster.namespace("ada", {"app.kubernetes.io/part-of": "kubeflow-profile"}, owner=USER)
    path = "/apis/kubeflow.org/v1/profiles"
    spec = {"owner": {"kind": "User", "name": USER}}
    cluster.call(
        "POST",
        path,
        {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": name}, "spec": spec},
    )
    cluster.gone_after(f"{path}/{name}")
    cluster.call(
        "POST",
        f"/apis/{_RBAC}/v1/namespaces/{name}/rolebindings",
        {
            "metadata": {"name": "namespaceAdmin", "annotations": {"user": USER, "role": "admin"}},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": USER}],
        },
    )
    return name


def have_account(cluster: Cluster, namespace: str, role: str) -> None:
    """An account for work, as Kubeflow's profiles have it, with the rights of this ClusterRole in the namespace."""
    about = {"metadata": {"name": PROFILES_ACCOUNT}}
    cluster.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", about)
    binding = {
        **about,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": PROFILES_ACCOUNT, "namespace": namespace}],
    }
    cluster.call("POST", f"/apis/{_RBAC}/v1/namespaces/{namespace}/rolebindings", binding)


class Hub:
    """Asks the Hub as a service that may administer its users."""

    def __init__(self, cluster: Cluster, token: str) -> None:
        self._cluster = cluster
        self._token = token

    def ask(self, method: str, url: str, body: Any = None) -> requests.Response:
        """One request: below the Hub's API where ``url`` is a path, else of a server."""
        if url.startswith("/"):
            url = f"http://{NODE_ADDRESS}:8081/hub/api{url}"
        headers = {"Authorization": f"token {self._token}"}
        return requests.request(method, url, json=body, headers=headers, timeout=60)

    def started(self, profile: str) -> str:
        """Start the user's server in a profile; its URL at the pod's own address when it is ready."""
        assert self.ask("POST", f"/users/{USER}").status_code == 201
        started = self.ask("POST", f"/users/{USER}/server", {"namespace": profile})
        assert started.status_code in {201, 202}, started.text
        self._cluster.until(lambda: self._server()["ready"], 120)
        path = f"/api/v1/namespaces/{profile}/pods?labelSelector=component=singleuser-server"
        (pod,) = self._cluster.call("GET", path)["items"]
        return f"http://{pod['status']['podIP']}:8888{self._server()['url']}"

    def _server(self) -> dict[str, Any]:
        time.sleep(0.2)  # each question costs the Hub some of the time that the start takes
        found = self.ask("GET", f"/users/{USER}?include_stopped_servers").json()["servers"].get("", {})
        assert found.get("pending") or found.get("ready"), "the start failed"
        return dict(found)


@contextmanager
def running_hub(cluster: Cluster, image: str, folder: Path, **environment: str) -> Iterator[Hub]:
    """A Hub that spawns servers of an image, with these variables in them; its log is printed after."""
    from spawner.starts.identity import cluster_role

    role = cluster_role()
    cluster.apply(f"/apis/{_RBAC}/v1/clusterroles/{role['metadata']['name']}", role)
    token = secrets.token_hex(16)
    settings = {
        "folder": str(folder),
        "address": NODE_ADDRESS,
        "port": 8080,
        "spawner": "spawner.spawner.ProfileSpawner",
        "image": image,
        "token": token,
        "environment": environment,
    }
    variables = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KUBECONFIG": str(cluster.kubeconfig),
        "TEST_HUB": json.dumps(settings),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIGURATION)],
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=log,
        )
    hub = Hub(cluster, token)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()[-4000:]
        try:
            return hub.ask("GET", "/").ok
        except requests.ConnectionError:
            return False

    try:
        cluster.until(answers, 120)
        yield hub
        print((folder / "log").read_text()[-6000:])
    finally:
        process.terminate()
        process.wait(30)
