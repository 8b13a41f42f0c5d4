"""The tour, byte for byte, in three places: on this machine, from outside by a kubeconfig, in a spawned server.

On the cluster each step is a pod, and what a step starts is real work of the upstream controllers, made with the
rights of the run's service account: a SparkConnect, TrainJobs of Trainer, an InferenceService of KServe.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube.work import IMAGE, PROFILES_ACCOUNT
from jupyter_ext.spark.kube_manifest import IMAGE as SPARK_IMAGE
from spawner.starts.identity import cluster_role
from tests.cluster import spark_image
from tests.cluster.cluster import Cluster
from tests.cluster.hub import Hub, have_account, have_profile, running_hub
from tests.cluster_both.object_store import BUCKET, KEYS, have_credentials, s3_server
from tests.cluster_both.registry_service import have_registry
from tests.registry.upstream import upstream
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

NOTEBOOK = Path(__file__).parents[2] / "examples/tour.ipynb"
SMALLER = {"trials": 2, "trees": 4, "test_share": 0.9}
"""Fewer flights to learn from: the data is the same, and all of it is joined and judged."""
VALUES = (
    *("flights", "weather", "arrived", "flown", "late", "features", "X_train", "X_test", "y_train", "y_test"),
    *("logistic_scores", "boosting_scores", "forest_scores", "train_inputs", "train_labels"),
    *("few", "best", "reasons", "planes"),
)
"""What comes from the data and the seeds, and not from the order in which processes were done, or from traffic."""
SPARK_RIGHTS = ("pods", "configmaps", "persistentvolumeclaims", "services")
LAST = "a-bad-version-and-a-rule"
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def s3(cluster):
    with s3_server() as url:
        yield url


@pytest.fixture
def registries(cluster, tmp_path):
    """Upstream's doubles, at addresses that pods reach: versions are counted in each, and the tour names its second."""
    from tests.cluster.place import NODE_ADDRESS

    with (
        upstream(tmp_path / "registry-outside", NODE_ADDRESS) as outside,
        upstream(tmp_path / "registry-inside", NODE_ADDRESS) as inside,
    ):
        yield outside.port, inside.port


def prepared(cluster: Cluster, namespace: str, s3: str, port: int) -> dict[str, str]:
    """What a profile has: an account for work, credentials of a store, a registry. The variables that say where."""
    have_credentials(cluster, namespace, s3)
    have_registry(cluster, namespace, port)
    role = cluster_role()["metadata"]["name"]
    have_account(cluster, namespace, role)
    for_sessions(cluster, namespace, PROFILES_ACCOUNT)
    return {
        "JUPYTER_KUBEFLOW_STORE": f"s3://{BUCKET}/{namespace}",
        "JUPYTER_KUBEFLOW_CLUSTER": "auto",
        SPARK_IMAGE: spark_image.name(),
        "JUPYTER_KUBEFLOW_TUNING": "trainjobs",  # Katib's kinds are there, its controller is not
    }


def for_sessions(cluster: Cluster, namespace: str, account: str) -> None:
    """What an administrator gives the account for sessions of Spark: pods of executors, as upstream does, and a token."""
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    path = f"/apis/{RBAC}/v1/namespaces/{namespace}"
    rules = [
        {"apiGroups": [""], "resources": [*SPARK_RIGHTS], "verbs": verbs},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch"]},
    ]
    cluster.call("POST", f"{path}/roles", {"metadata": {"name": "spark"}, "rules": rules})
    cluster.call("POST", f"{path}/rolebindings", {
        "metadata": {"name": "spark"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "spark"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    })  # fmt: skip


def digests(steps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Of the values that are compared, as the last step that made each left them."""
    found = {
        name: out["digest"] for step in steps for out in step.get("outputs") or () for name in out["names"]
    }
    return {name: found[name] for name in VALUES}


def names(cluster: Cluster, path: str, namespace: str) -> set[str]:
    """Those of the objects that there are of a kind."""
    group, plural = path.rsplit("/", 1)
    found = cluster.call("GET", f"{group}/namespaces/{namespace}/{plural}")["items"]
    return {str(each["metadata"]["name"]) for each in found}


def require_made(cluster: Cluster, namespace: str) -> None:
    """What a run has left of the upstream controllers' resources, and which pods there were."""
    assert len(names(cluster, "/apis/trainer.kubeflow.org/v1alpha1/trainjobs", namespace)) == 3
    assert "late-flights" in names(cluster, "/apis/serving.kserve.io/v1beta1/inferenceservices", namespace)
    assert not names(cluster, "/apis/sparkoperator.k8s.io/v1alpha1/sparkconnects", namespace)
    events = cluster.call("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
    started = {each["involvedObject"]["name"] for each in events if each["reason"] == "Started"}
    spark = [name for name in started if name.startswith("spark-tour-")]
    assert {name.rpartition("-prepare-")[2].partition("-")[2] for name in spark} == {"server", "exec-1"}, (
        spark
    )


def require_told(printed: str) -> None:
    """The last step's: the bad version was seen, and taken out by the rule."""
    assert re.search(
        r"Rolled back after \d+ requests, \d+ of which failed\. Why: v3: [\d.]+ % of ", printed
    ), printed
    assert "{'v2': 100}" in printed


def on_this_machine(folder: Path) -> dict[str, str]:
    kf.cluster.use("local")
    run = kf.pipelines.run(folder / NOTEBOOK.name, parameters=SMALLER).wait(900)
    assert run.state == "SUCCEEDED", run.reason
    require_told(run.logs(LAST))
    kf.serving.get("late-flights").delete()
    return digests(run.steps)


def from_outside(cluster: Cluster, namespace: str, folder: Path) -> dict[str, str]:
    kf.cluster.use("test", namespace)
    run = kf.pipelines.run(folder / NOTEBOOK.name, parameters=SMALLER).wait(1200)
    assert run.state == "SUCCEEDED", (run.reason, run.logs())
    require_told(run.logs(LAST))
    require_made(cluster, namespace)
    assert kf.serving.get("late-flights").phase == "RUNNING"
    kf.serving.get("late-flights").delete()
    kf.cluster.use()
    return digests(run.steps)


def in_a_server(cluster: Cluster, hub: Hub, profile: str) -> dict[str, str]:
    inside = hub.started(profile)
    content = {"type": "notebook", "format": "json", "content": json.loads(NOTEBOOK.read_text())}
    assert hub.ask("PUT", f"{inside}api/contents/{NOTEBOOK.name}", content).status_code == 201
    asked = {"path": NOTEBOOK.name, "parameters": SMALLER}
    answer = hub.ask("POST", f"{inside}kubeflow/v1/runs", asked)
    assert answer.status_code == 201, answer.text
    name = answer.json()["metadata"]["name"]
    run: dict[str, Any] = {}

    def ended() -> bool:
        run.update(hub.ask("GET", f"{inside}kubeflow/v1/runs/{name}").json())
        return run["status"]["phase"] in {"SUCCEEDED", "FAILED", "CANCELED"}

    until(ended, 1200)
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert all(step.get("pod") for step in run["status"]["steps"])
    log = hub.ask("GET", f"{inside}kubeflow/v1/runs/{name}/logs:tail?step={LAST}&lines=20")
    require_told(log.json()["text"])
    require_made(cluster, profile)
    return digests(run["status"]["steps"])


def test_the_tour_leaves_the_same_in_three_places(
    cluster, trainer, spark, model_server, notebook_image, s3, registries, monkeypatch, tmp_path
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
        cluster, notebook_image, tmp_path / "hub", **prepared(cluster, profile, s3, registries[1])
    ) as hub:
        told = prepared(cluster, namespace, s3, registries[0])
        for name in ("JUPYTER_KUBEFLOW_STORE", "JUPYTER_KUBEFLOW_TUNING", SPARK_IMAGE):
            monkeypatch.setenv(name, told[name])
        monkeypatch.setenv(IMAGE, notebook_image)
        outside = from_outside(cluster, namespace, tmp_path)
        assert outside == here
        assert in_a_server(cluster, hub, profile) == here
