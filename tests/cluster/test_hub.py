"""The whole: a real Hub spawns a real notebook server, our extension inside, as a pod in its user's profile."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.cluster.place import NODE_ADDRESS
from tests.spawner.profiles.controller import have_profiles

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
CONFIGURATION = Path(__file__).parent / "hub_config.py"
USER = "ada@example.org"


@pytest.fixture
def profile(cluster) -> str:
    """As the Profile controller makes it."""
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
    rbac = "rbac.authorization.k8s.io"
    cluster.call(
        "POST",
        f"/apis/{rbac}/v1/namespaces/{name}/rolebindings",
        {
            "metadata": {"name": "namespaceAdmin", "annotations": {"user": USER, "role": "admin"}},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": USER}],
        },
    )
    return name


@pytest.fixture
def hub(cluster, notebook_image, tmp_path):
    """Asks the Hub's REST API: `hub(method, path, body)`."""
    from spawner.starts.identity import cluster_role

    role = cluster_role()
    cluster.apply(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role['metadata']['name']}", role)
    token = secrets.token_hex(16)
    settings = {
        "folder": str(tmp_path),
        "address": NODE_ADDRESS,
        "port": 8080,
        "spawner": "spawner.spawner.ProfileSpawner",
        "image": notebook_image,
        "token": token,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KUBECONFIG": str(cluster.kubeconfig),
        "TEST_HUB": json.dumps(settings),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIGURATION)],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
        )

    def ask(method: str, url: str, body=None) -> requests.Response:
        if url.startswith("/"):
            url = f"http://{NODE_ADDRESS}:8081/hub/api{url}"
        headers = {"Authorization": f"token {token}"}
        return requests.request(method, url, json=body, headers=headers, timeout=60)

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()[-4000:]
        try:
            return ask("GET", "/").ok
        except requests.ConnectionError:
            return False

    try:
        cluster.until(answers, 120)
        yield ask
        print((tmp_path / "log").read_text()[-6000:])
    finally:
        process.terminate()
        process.wait(30)


def test_a_notebook_server_with_our_extension_runs_in_the_users_profile(cluster, hub, profile, real_node):
    assert hub("POST", f"/users/{USER}").status_code == 201
    started = hub("POST", f"/users/{USER}/server", {"namespace": profile})
    assert started.status_code in {201, 202}, started.text

    def server() -> dict:
        time.sleep(0.2)  # each question costs the Hub some of the time that the start takes
        found = hub("GET", f"/users/{USER}?include_stopped_servers").json()["servers"].get("", {})
        assert found.get("pending") or found.get("ready"), "the start failed"
        return found

    cluster.until(lambda: server()["ready"], 120)
    (pod,) = cluster.call("GET", f"/api/v1/namespaces/{profile}/pods")["items"]
    assert pod["spec"]["nodeName"] == real_node
    inside = f"http://{pod['status']['podIP']}:8888{server()['url']}"
    # The server asks the Hub who this is, and finds that it may.
    assert hub("GET", f"{inside}api/status").json()["kernels"] == 0
    told = hub("GET", f"{inside}kubeflow/v1/status")
    assert told.status_code == 200, told.text
    assert requests.get(f"{inside}api/status", timeout=30).status_code == 403
    assert hub("DELETE", f"/users/{USER}/server").status_code in {202, 204}
    cluster.until(lambda: not cluster.call("GET", f"/api/v1/namespaces/{profile}/pods")["items"])
