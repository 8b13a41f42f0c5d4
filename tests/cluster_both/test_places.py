"""One notebook, byte for byte, in three places: on this machine, from outside by a kubeconfig, in a spawned server.

On the cluster each step is a pod, and what a step starts is real work of the upstream controllers, made with the
rights of the run's service account: TrainJobs of Trainer, an InferenceService of KServe.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube.work import IMAGE
from spawner.starts.identity import cluster_role
from tests.cluster.cluster import Cluster
from tests.cluster.hub import Hub, have_profile, running_hub
from tests.cluster_both.object_store import BUCKET, KEYS, have_credentials, s3_server
from tests.cluster_both.registry_service import have_registry
from tests.registry.upstream import upstream
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

NOTEBOOK = Path(__file__).parent / "places.ipynb"
VALUES = ("flights", "late", "inputs", "rate", "found", "answers", "right")
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def s3(cluster):
    with s3_server() as url:
        yield url


@pytest.fixture
def registry(cluster, tmp_path):
    """Upstream's double, at an address that pods reach."""
    from tests.cluster.place import NODE_ADDRESS

    with upstream(tmp_path / "registry", NODE_ADDRESS) as found:
        yield found


def prepared(cluster: Cluster, namespace: str, s3: str, port: int) -> dict[str, str]:
    """What a profile has: an account for work, credentials of a store, a registry. The variables that say where."""
    have_credentials(cluster, namespace, s3)
    have_registry(cluster, namespace, port)
    role = cluster_role()["metadata"]["name"]
    account = "default-editor"
    cluster.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
    cluster.call(
        "POST",
        f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings",
        {
            "metadata": {"name": account},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    )
    return {
        "JUPYTER_KUBEFLOW_STORE": f"s3://{BUCKET}/{namespace}",
        "JUPYTER_KUBEFLOW_CLUSTER": "auto",
        "JUPYTER_KUBEFLOW_TUNING": "trainjobs",  # Katib's kinds are there, its controller is not
    }


def digests(steps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Of the values that are compared, as the last step that made each left them."""
    found = {
        name: out["digest"] for step in steps for out in step.get("outputs") or () for name in out["names"]
    }
    return {name: found[name] for name in VALUES}


def made(cluster: Cluster, namespace: str) -> dict[str, int]:
    """How many resources of the upstream controllers there are."""
    trainer = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs"
    kserve = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"
    return {path.rpartition("/")[2]: len(cluster.call("GET", path)["items"]) for path in (trainer, kserve)}


def on_this_machine(folder: Path) -> dict[str, str]:
    kf.cluster.use("local")
    run = kf.pipelines.run(folder / NOTEBOOK.name).wait(600)
    assert run.state == "SUCCEEDED", run.reason
    kf.serving.get("late").delete()
    return digests(run.steps)


def from_outside(cluster: Cluster, namespace: str, folder: Path) -> dict[str, str]:
    kf.cluster.use("test", namespace)
    run = kf.pipelines.run(folder / NOTEBOOK.name).wait(1200)
    assert run.state == "SUCCEEDED", (run.reason, run.logs())
    assert made(cluster, namespace) == {"trainjobs": 4, "inferenceservices": 1}
    assert kf.serving.get("late").phase == "RUNNING"
    kf.serving.get("late").delete()
    kf.cluster.use()
    return digests(run.steps)


def in_a_server(cluster: Cluster, hub: Hub, profile: str) -> dict[str, str]:
    inside = hub.started(profile)
    content = {"type": "notebook", "format": "json", "content": json.loads(NOTEBOOK.read_text())}
    assert hub.ask("PUT", f"{inside}api/contents/{NOTEBOOK.name}", content).status_code == 201
    answer = hub.ask("POST", f"{inside}kubeflow/v1/runs", {"path": NOTEBOOK.name})
    assert answer.status_code == 201, answer.text
    name = answer.json()["metadata"]["name"]
    run: dict[str, Any] = {}

    def ended() -> bool:
        run.update(hub.ask("GET", f"{inside}kubeflow/v1/runs/{name}").json())
        return run["status"]["phase"] in {"SUCCEEDED", "FAILED", "CANCELED"}

    until(ended, 1200)
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert all(step.get("pod") for step in run["status"]["steps"])
    assert made(cluster, profile) == {"trainjobs": 4, "inferenceservices": 1}
    return digests(run["status"]["steps"])


def test_one_notebook_leaves_the_same_in_three_places(
    cluster, trainer, model_server, notebook_image, s3, registry, monkeypatch, tmp_path
):
    shutil.copy(NOTEBOOK, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    for name in [*KEYS, "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name, raising=False)
    here = on_this_machine(tmp_path)

    namespace, profile = cluster.namespace(), have_profile(cluster)
    (tmp_path / "hub").mkdir()
    with running_hub(
        cluster, notebook_image, tmp_path / "hub", **prepared(cluster, profile, s3, registry.port)
    ) as hub:
        told = prepared(cluster, namespace, s3, registry.port)
        for name in ("JUPYTER_KUBEFLOW_STORE", "JUPYTER_KUBEFLOW_TUNING"):
            monkeypatch.setenv(name, told[name])
        monkeypatch.setenv(IMAGE, notebook_image)
        outside = from_outside(cluster, namespace, tmp_path)
        assert outside == here
        assert in_a_server(cluster, hub, profile) == here
