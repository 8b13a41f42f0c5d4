"""Kubeflow Pipelines behind its Service: found by its name, and asked through the API server.

Its server cannot be had here; behind the Service is the double that upstream's own description judges.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster import discover
from jupyter_ext.errors import NotFound
from jupyter_ext.pipelines.kfp import place, pods
from jupyter_ext.pipelines.kfp.handle import KfpRun
from tests.cluster.place import NODE_ADDRESS
from tests.cluster_both.jupyter import JupyterServer
from tests.pipelines.kfp.fake import FakeKfp
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

FOLDER = Path(__file__).parents[1] / "data" / "compiled"


@pytest.fixture(autouse=True)
def _undone(monkeypatch):
    for name in (place.URL, place.ENDPOINT, place.TOKEN_FILE, *place.INSIDE):
        monkeypatch.delenv(name, raising=False)
    place.forget()
    yield
    discover.use()
    place.forget()


@pytest.fixture
def fake(tmp_path):
    made = FakeKfp(tmp_path / "kfp", host=NODE_ADDRESS)
    yield made
    made.close()


def _put(cluster, namespace: str, port: int) -> None:
    """The Service as upstream's manifests have it, before a server at this port."""
    root = f"/api/v1/namespaces/{namespace}"
    ports = [
        {"name": "http", "port": 8888, "targetPort": port},
        {"name": "grpc", "port": 8887, "targetPort": 8887},
    ]
    cluster.call("POST", f"{root}/services", {"metadata": {"name": place.SERVICE}, "spec": {"ports": ports}})
    # The API server leads to pods only; this one is on paper, and has the address where the server listens.
    pod = {"containers": [{"name": "server", "image": "server"}], "schedulerName": "nobody"}
    cluster.call("POST", f"{root}/pods", {"metadata": {"name": place.SERVICE}, "spec": pod})
    address = {"podIP": NODE_ADDRESS, "podIPs": [{"ip": NODE_ADDRESS}]}
    cluster.call("PATCH", f"{root}/pods/{place.SERVICE}/status", {"status": address}, patch="merge")
    behind = {"ip": NODE_ADDRESS, "targetRef": {"kind": "Pod", "name": place.SERVICE, "namespace": namespace}}
    cluster.call("POST", f"{root}/endpoints", {
        "metadata": {"name": place.SERVICE},
        "subsets": [{"addresses": [behind], "ports": [{"name": "http", "port": port}]}],
    })  # fmt: skip


def _waiting_pod(cluster, namespace: str, run: str) -> None:
    """A pod of Argo's whose image cannot be had."""
    root = f"/api/v1/namespaces/{namespace}/pods"
    about = {
        "name": "naps-x-system-container-impl-1",
        "labels": {"pipeline/runid": run},
        "annotations": {"workflows.argoproj.io/node-name": "naps-x.root.nap.executor"},
    }
    spec = {"containers": [{"name": "main", "image": "no-such:1"}], "schedulerName": "nobody"}
    cluster.call("POST", root, {"metadata": about, "spec": spec})
    waiting = {"name": "main", "image": "no-such:1", "imageID": "", "ready": False, "restartCount": 0,
               "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not there"}}}  # fmt: skip
    status = {"phase": "Pending", "containerStatuses": [waiting]}
    cluster.call("PATCH", f"{root}/{about['name']}/status", {"status": status}, patch="merge")


def _dead_pod(cluster, namespace: str, run: str, path: str, **ended: object) -> None:
    """A pod of Argo's whose container has ended so."""
    root, name = f"/api/v1/namespaces/{namespace}/pods", path.replace(".", "-")
    about = {
        "name": name,
        "labels": {"pipeline/runid": run},
        "annotations": {"workflows.argoproj.io/node-name": path},
    }
    spec = {"containers": [{"name": "main", "image": "no-such:1"}], "schedulerName": "nobody"}
    cluster.call("POST", root, {"metadata": about, "spec": spec})
    row = {"name": "main", "image": "no-such:1", "imageID": "", "ready": False, "restartCount": 0,
           "state": {"terminated": ended}}  # fmt: skip
    status = {"phase": "Failed", "containerStatuses": [row]}
    cluster.call("PATCH", f"{root}/{name}/status", {"status": status}, patch="merge")


def test_what_kubernetes_says_of_a_pod_that_failed(cluster, connected):
    kube = connected(cluster.namespace())
    put = partial(_dead_pod, cluster, kube.namespace, "a-run")
    put("x.root.train.executor", exitCode=137, reason="OOMKilled")
    put("x.root.score.executor", exitCode=3, reason="Error", message="no file")
    put("x.root.load-driver", exitCode=1, reason="Error")
    assert pods.ended(kube, "a-run", "train") == {
        "type": "OOMKilled", "message": "it needed more memory than it may have. Ask for more.",
    }  # fmt: skip
    assert pods.ended(kube, "a-run", "score") == {
        "type": "Error",
        "message": "it ended with exit code 3: no file.",
    }
    assert "exit code 1" in pods.ended(kube, "a-run", "load")["message"]
    assert pods.ended(kube, "a-run", "anything") == {}
    assert pods.ended(kube, "another", "train") == {}
    assert pods.ended(kube, "a-run")["message"].split(": ")[0] in {"train", "score", "load-driver"}


def _in_the_sidebar(cluster, kube, fake, tmp_path, known: str) -> None:
    """A Jupyter server for which the cluster is chosen lists what is there, and nothing of it once it is left."""
    with JupyterServer(tmp_path / "jupyter", cluster.kubeconfig) as server:
        assert server.names("runs") == set()
        chosen = {"context": kube.access.name, "namespace": kube.namespace}
        assert server.ask("cluster", "POST", chosen)[0] == 200
        assert server.names("runs") == set(fake.runs)
        assert server.ask(f"runs/{known}")[1]["status"]["phase"] == "SUCCEEDED"
        assert "adding 3 and 1" in server.ask(f"runs/{known}/logs:tail?step=add")[1]["text"]
        assert server.ask("cluster", "POST", {"context": "local"})[0] == 200
        assert server.names("runs") == set()


def test_the_clusters_own_server_is_used_unasked(cluster, fake, connected, monkeypatch, tmp_path):
    kube = connected(cluster.namespace())
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    kf.cluster.use(kube.access.name, kube.namespace)
    assert place.server() is None
    _put(cluster, kube.namespace, fake.port)

    def found():
        place.forget()
        return place.server()

    server = until(found)  # the API server has to hear of the endpoints first
    assert server.address.endswith(f"/namespaces/{kube.namespace}/services/{place.SERVICE}:8888/proxy")
    run = kf.pipelines.run(FOLDER / "linear.yaml", start=3)
    assert isinstance(run, KfpRun)
    assert run.wait(300).state == "SUCCEEDED", (run.reason, run.logs())
    assert "adding 3 and 1" in run.logs("add")
    with pytest.raises(NotFound, match="has no runs/nothing"):
        server.run("nothing")
    # Its pods say what it waits for.
    long = kf.pipelines.run(FOLDER / "naps.yaml", seconds=1000.0)
    _waiting_pod(cluster, kube.namespace, long.id)
    assert "nap: its image no-such:1 cannot be had (not there)" in long.reason
    assert [long.name, run.name] == [each.name for each in kf.pipelines.runs()]
    long.stop()
    assert long.wait(300).state == "CANCELED"
    _in_the_sidebar(cluster, kube, fake, tmp_path, run.id)
    # Who may not look there is not led there.
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig_of("stranger")))
    kf.cluster.use(None)
    kf.cluster.use(connected(kube.namespace, user="stranger").access.name, kube.namespace)
    place.forget()
    assert place.server() is None
