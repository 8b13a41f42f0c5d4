"""Helm installs the chart on a node where pods run: a user signs in, and gets a server in their profile."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.answers import Answer
from tests.cluster.cluster import Cluster
from tests.spawner.chart.helm import CHART
from tests.spawner.profiles.controller import FakeProfileController, have_profiles

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]
USER = "ada@example.org"
PASSWORD = "only of this test"
PATIENCE = 300


@pytest.fixture
def volume(cluster, tmp_path):
    """Makes a volume of the node's disk, of a class of its own: `volume(name)`."""

    def make(name: str) -> str:
        folder: Path = tmp_path / name
        folder.mkdir()
        folder.chmod(0o777)  # the kubelet gives no host path to a group
        spec = {
            "storageClassName": name,
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder)},
        }
        cluster.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": spec})
        cluster.gone_after(f"/api/v1/persistentvolumes/{name}")
        return name

    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    return make


class Release:
    """What Helm installed, as a user and as an administrator see it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.session = requests.Session()

    def get(self, path: str) -> Any:
        """An object of the release's namespace."""
        return self.cluster.call("GET", f"/api/v1/namespaces/{self.namespace}/{path}")

    @property
    def url(self) -> str:
        """The proxy's, at the address of its Service."""
        return f"http://{self.get('services/hub-proxy')['spec']['clusterIP']}"

    def secret(self) -> dict[str, str]:
        """What the chart drew."""
        return {
            key: base64.b64decode(text).decode() for key, text in self.get("secrets/hub-hub")["data"].items()
        }

    def sign_in(self) -> None:
        """As in a browser."""
        page = self.session.get(f"{self.url}/hub/login", timeout=60)
        assert page.status_code == 200, page.text[:2000]
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert xsrf
        form = {"username": USER, "password": PASSWORD, "_xsrf": xsrf[1]}
        done = self.session.post(f"{self.url}/hub/login", data=form, timeout=60, allow_redirects=False)
        assert done.status_code == 302, done.text[:2000]

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """A page's own request to the Hub's API."""
        xsrf = next(
            each.value for each in self.session.cookies if each.name == "_xsrf" and each.path == "/hub/"
        )
        headers = {"X-XSRFToken": xsrf or "", "Referer": f"{self.url}/hub/home"}
        return self.session.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=60, **more)

    def server(self) -> dict[str, Any]:
        """The user's server, {} for none."""
        time.sleep(0.5)  # each question costs the Hub some of the time that a start takes
        found = self.ask("GET", f"/users/{USER}?include_stopped_servers")
        assert found.ok, found.text
        return dict(found.json()["servers"].get("", {}))

    def ready_server(self) -> bool:
        """Fails when the start did."""
        found = self.server()
        if not found.get("pending") and not found.get("ready"):
            raise AssertionError("the start failed")
        return bool(found.get("ready"))

    def idle(self, token: str) -> dict[str, Any]:
        """What the idle service thinks of the user's server, {} before it has looked."""
        found = requests.get(
            f"{self.url}/services/idle/servers", headers={"Authorization": f"token {token}"}, timeout=60
        )
        return dict(found.json()["servers"].get("", {})) if found.ok else {}

    def uids(self, part: str) -> set[str]:
        """Which pods a part has."""
        query = {"labelSelector": f"app.kubernetes.io/component={part}"}
        pods = self.cluster.call("GET", f"/api/v1/namespaces/{self.namespace}/pods", None, query)["items"]
        return {pod["metadata"]["uid"] for pod in pods}

    def log(self, part: str) -> str:
        """What the pods of one part have said, and how they are."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        pods = self.cluster.call("GET", path, None, {"labelSelector": f"app.kubernetes.io/component={part}"})
        said = []
        for pod in pods["items"]:
            said.append(str(pod["status"].get("containerStatuses")))
            with contextlib.suppress(Answer):
                said.append(self.cluster.call("GET", f"{path}/{pod['metadata']['name']}/log")[-6000:])
        return "\n".join(said)


@pytest.fixture
def release(cluster, helm):
    """In a namespace of its own; nothing of it is left, whatever becomes of the test."""
    made = Release(cluster, cluster.namespace("hub"))
    yield made
    print(made.log("hub"), made.log("proxy"), sep="\n")
    helm.run("uninstall", "hub", "--namespace", made.namespace, "--ignore-not-found", "--wait")


@pytest.fixture
def profile(cluster) -> str:
    """The user's, as the Profile controller makes it."""
    have_profiles(cluster)
    name = "ada-chart"
    FakeProfileController(cluster).make(name, USER)
    cluster.gone_after(f"/api/v1/namespaces/{name}")
    return name


def test_a_release_from_install_to_uninstall(cluster, helm, profile, volume, notebook_image, release):
    values = {
        "image": notebook_image,
        "authentication": {"class": "shared-password", "allowed": [USER]},
        "hub": {
            "secrets": [
                {"setting": "SharedPasswordAuthenticator.user_password", "name": "sign-in", "key": "password"}
            ],
            "database": {"storageClass": volume("chart-hub")},
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        },
        "idle": {"everySeconds": 2},
        "rbac": {"serverRole": f"{release.namespace}-server"},  # the usual one may be there from other tests
        "security": {"uid": 1000670000},  # as OpenShift chooses one: a number that no image knows
        "servers": {
            "sizes": [{"key": "small", "cpu": "100m", "memory": "1Gi"}],
            "http_timeout": PATIENCE,
            "home": {"size": "1Gi", "storage_class": volume("chart-home")},
        },
    }
    secret = {"metadata": {"name": "sign-in"}, "stringData": {"password": PASSWORD}}
    cluster.call("POST", f"/api/v1/namespaces/{release.namespace}/secrets", secret)
    in_place = ["--namespace", release.namespace, "--wait", f"--timeout={PATIENCE}s"]
    with_values = [str(CHART), "--values", helm.values(values)]
    helm.done("install", "hub", *with_values, *in_place)

    release.sign_in()
    started = release.ask("POST", f"/users/{USER}/server", json={})
    assert started.status_code in {201, 202}, started.text
    cluster.until(release.ready_server, PATIENCE)
    (pod,) = cluster.call("GET", f"/api/v1/namespaces/{profile}/pods")["items"]
    assert pod["spec"]["serviceAccountName"] == pod["metadata"]["name"]
    # By way of the Hub, which says who it is.
    lab = release.session.get(f"{release.url}/user/{USER}/lab", timeout=60)
    assert lab.status_code == 200
    assert "jupyter-config-data" in lab.text, lab.text[:2000]

    token = release.ask("POST", f"/users/{USER}/tokens", json={}).json()["token"]
    cluster.until(lambda: release.idle(token).get("action") == "keep", PATIENCE)

    before = release.secret()
    proxies = release.uids("proxy")
    helm.done("upgrade", "hub", *with_values, "--set", "hub.namedServers=2", *in_place)
    assert release.secret() == before
    assert release.uids("proxy") == proxies  # running servers were reached all the time
    # The sign-in of before still holds, and so does the server.
    cluster.until(lambda: release.server().get("ready"), PATIENCE)

    helm.done("uninstall", "hub", *in_place)
    claims = f"/api/v1/namespaces/{profile}/persistentvolumeclaims"
    assert [claim["status"]["phase"] for claim in cluster.call("GET", claims)["items"]] == ["Bound"]
    assert cluster.call("GET", f"/api/v1/namespaces/{profile}/pods")["items"]
    assert cluster.exists(f"/apis/kubeflow.org/v1/profiles/{profile}")

    # What was kept is found again.
    helm.done("install", "hub", *with_values, *in_place)
    assert release.secret() == before
    release.session.cookies.clear()  # its Service has another address now
    release.sign_in()
    cluster.until(lambda: release.server().get("ready"), PATIENCE)
