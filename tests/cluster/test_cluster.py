"""The cluster itself: one is one, nothing is left of it, what is killed comes back, and it is a real API server."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys

import psutil
import pytest

from tests.cluster import lifecycle, network, nodes, processes
from tests.cluster.answers import Answer
from tests.cluster.cluster import Cluster
from tests.cluster.place import REPOSITORY, Place

pytestmark = pytest.mark.cluster
PARTS = {"holder", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}


def pod(name: str, **spec) -> dict:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "none", **spec.pop("container", {})}], **spec},
    }


def pids(cluster) -> dict[str, int]:
    return {name: part["pid"] for name, part in lifecycle.status(cluster.place)["parts"].items()}


def test_up_twice_is_one(cluster):
    before = pids(cluster)
    assert set(before) >= PARTS
    lifecycle.up(cluster.place)
    assert pids(cluster) == before


def test_what_was_killed_is_started_again_and_remembers(cluster):
    name = cluster.namespace("kept")
    before = pids(cluster)
    for part in ("kube-apiserver", "etcd", "kwok"):
        cluster.kill(part)
    assert not lifecycle.status(cluster.place)["up"]
    cluster.restore()
    after = pids(cluster)
    assert {part for part in PARTS if before[part] != after[part]} == {"kube-apiserver", "etcd", "kwok"}
    assert cluster.exists(f"/api/v1/namespaces/{name}")


def test_when_its_network_is_lost_it_is_started_anew_and_remembers(second):
    with network.entered(second.place):
        name = second.namespace("kept")
    before = pids(second)
    second.kill("holder")
    lifecycle.up(second.place)
    assert not set(before.values()) & set(pids(second).values())
    with network.entered(second.place):
        assert second.exists(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def second(cluster, tmp_path_factory):
    """Another cluster beside the one of the session."""
    made = Cluster(Place(tmp_path_factory.mktemp("second") / "cluster"))
    yield made
    lifecycle.down(made.place)


def test_two_clusters_never_meet(cluster, second):
    assert not set(pids(cluster).values()) & set(pids(second).values())
    name = cluster.namespace("mine")
    # The same address and port, and another authority: the one's administrator is a stranger to the other.
    with network.entered(second.place), pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        cluster.call("GET", "/api")
    with network.entered(second.place):
        assert not second.exists(f"/api/v1/namespaces/{name}")


def test_down_leaves_nothing(second):
    folder = second.place.folder
    running = [psutil.Process(pid) for pid in pids(second).values()]
    mounts = len(psutil.disk_partitions(all=True))
    lifecycle.down(second.place)
    lifecycle.down(second.place)
    assert not folder.exists()
    assert [process for process in running if process.is_running()] == []
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if str(folder) in command] == []
    assert len(psutil.disk_partitions(all=True)) == mounts


def test_nothing_listens_outside_its_network(cluster):
    """A process of its own looks, because what /proc tells of the network is of the first thread's."""
    ours = set(pids(cluster).values())
    assert ours & listening()
    with network.outside():
        assert not ours & listening()


def listening() -> set[int]:
    code = """
import json, psutil
print(json.dumps([c.pid for c in psutil.net_connections() if c.status == psutil.CONN_LISTEN and c.pid]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_keys_are_for_the_owner_only(cluster):
    cluster.kubeconfig_of("ann@example.org")
    files = [file for file in cluster.place.folder.rglob("*") if file.suffix in {".key", ".kubeconfig"}]
    assert len(files) > 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(cluster.place.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (nodes.A100, "nvidia.com/gpu"),
        (nodes.MIG, "nvidia.com/mig-1g.10gb"),
        (nodes.SHARED, "nvidia.com/gpu"),
        (nodes.TPU, "google.com/tpu"),
        (nodes.AMD, "amd.com/gpu"),
        (nodes.GAUDI, "habana.ai/gaudi"),
    ],
    ids=["a100", "mig", "shared", "tpu", "amd", "gaudi"],
)
def test_a_node_takes_a_pod_that_asks_for_what_it_has(cluster, kind, resource, request):
    (node,) = cluster.node(request.node.callspec.id, *kind.parts())
    namespace = cluster.namespace()
    path = f"/api/v1/namespaces/{namespace}/pods"
    asked = {"resources": {"limits": {resource: "1"}}}
    tolerations = [{"key": taint["key"], "operator": "Exists"} for taint in kind.taints]
    cluster.call("POST", path, pod("a", container=asked, tolerations=tolerations))
    found = cluster.until(lambda: running(cluster, f"{path}/a"))
    assert found["spec"]["nodeName"] == node
    assert found["status"]["podIP"].startswith("10.216.")


def running(cluster, path):
    found = cluster.call("GET", path)
    return found if found["status"]["phase"] == "Running" else None


def test_a_pod_that_fits_nowhere_stays_pending_with_the_schedulers_reason(cluster):
    cluster.node("small", capacity={"nvidia.com/gpu": 1}, count=2)
    namespace = cluster.namespace()
    path = f"/api/v1/namespaces/{namespace}/pods"
    cluster.call("POST", path, pod("a", container={"resources": {"limits": {"nvidia.com/gpu": "2"}}}))

    def refused():
        conditions = cluster.call("GET", f"{path}/a")["status"].get("conditions", ())
        return next((row["message"] for row in conditions if row["reason"] == "Unschedulable"), None)

    assert "2 Insufficient nvidia.com/gpu" in cluster.until(refused)


def test_what_a_test_makes_is_removed(cluster):
    with cluster.swept():
        (node,) = cluster.node("gone")
        name = cluster.namespace()
    cluster.until(lambda: not cluster.exists(f"/api/v1/nodes/{node}"))
    cluster.until(lambda: not cluster.exists(f"/api/v1/namespaces/{name}"))


def test_users_are_who_their_certificate_says(cluster):
    name = cluster.namespace()
    path = f"/api/v1/namespaces/{name}/pods"
    ann = cluster.caller("ann@example.org", ["team"])
    with pytest.raises(Answer, match=r'User \\"ann@example\.org\\" cannot list') as refused:
        ann("GET", path)
    assert refused.value.status == 403
    who = ann("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]["userInfo"]
    assert (who["username"], sorted(who["groups"])) == ("ann@example.org", ["system:authenticated", "team"])


def test_an_asynchronous_client_and_kubectl_work(cluster):
    from kubernetes_asyncio.client import CoreV1Api

    name = cluster.namespace()

    async def ask():
        async with cluster.api() as client:
            return await CoreV1Api(client).read_namespace(name)

    assert asyncio.run(ask()).metadata.name == name
    done = subprocess.run(
        cluster.kubectl("get", "namespace", name, "-o", "name"), capture_output=True, text=True, check=True
    )
    assert done.stdout == f"namespace/{name}\n"


def test_the_server_says_which_version_it_is(cluster):
    assert cluster.call("GET", "/version")["gitVersion"] == "v1.34.4"


def test_profiles_are_validated_where_the_definitions_are(cluster):
    profile = {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": "ann"}, "spec": {}}
    path = "/apis/kubeflow.org/v1/profiles"
    if cluster.left_out:
        assert "Profile" in cluster.left_out
        assert not cluster.exists(path)
        return
    cluster.gone_after(f"{path}/ann")
    profile["spec"] = {"owner": {"kind": "User", "name": "ann@example.org"}}
    assert cluster.call("POST", path, profile)["spec"]["owner"]["name"] == "ann@example.org"
    profile["metadata"]["name"] = "bob"
    profile["spec"]["owner"] = "bob"
    with pytest.raises(Answer, match=r"spec\.owner in body must be of type object"):
        cluster.call("POST", path, profile)


def test_without_the_definitions_it_says_what_is_left_out(monkeypatch, tmp_path):
    from tests.cluster import contracts

    monkeypatch.setenv(contracts.VARIABLE, str(tmp_path / "none"))
    assert "Profile" in contracts.install(None)


def test_the_command_line_says_what_runs(cluster):
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", "status", "--folder", str(cluster.place.folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["up"]
    assert set(said["parts"]) >= PARTS
    assert all(part["memory"] > 0 for part in said["parts"].values())


def test_processes_carry_nothing_of_the_tests_environment(cluster, monkeypatch):
    found = processes.find(cluster.place, "kube-apiserver")
    assert set(found.environ()) <= {"PATH", "HOME", "TMPDIR", "LANG"}
    assert os.environ["JUPYTER_KUBEFLOW_HOME"]
