"""Kubeflow's controllers do what their own clients would see: a job of two nodes completes, a service is ready."""

from __future__ import annotations

import urllib.request

import pytest

from tests.cluster.answers import Answer

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


def condition(cluster, path: str, name: str) -> dict | None:
    rows = cluster.call("GET", path).get("status", {}).get("conditions", ())
    return next((row for row in rows if row["type"] == name and row["status"] == "True"), None)


def test_a_train_job_of_two_nodes_completes(cluster, trainer, notebook_image):
    namespace = cluster.namespace()
    path = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs"
    script = "import os; print({key: value for key, value in os.environ.items() if key.startswith('PET_')})"
    train = {"image": notebook_image, "command": ["python", "-c", script], "numNodes": 2}
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": train}
    job = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": "two"},
        "spec": spec,
    }
    cluster.call("POST", path, job)
    cluster.until(lambda: condition(cluster, f"{path}/two", "Complete"), 120)
    pods = cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    logs = [
        cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log")
        for pod in pods
    ]
    assert len(logs) == 2
    assert all("'PET_NNODES': '2'" in log and "two-node-0-0.two" in log for log in logs)
    assert {log.partition("'PET_NODE_RANK': '")[2][0] for log in logs} == {"0", "1"}


def test_the_trainers_webhook_refuses_what_names_no_runtime(cluster, trainer):
    namespace = cluster.namespace()
    path = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs"
    job = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "none"}}
    with pytest.raises(Answer, match="admission webhook"):
        cluster.call("POST", path, job | {"spec": {"runtimeRef": {"name": "no-such"}}})


def test_an_inference_service_becomes_ready_and_answers(cluster, kserve, notebook_image):
    namespace = cluster.namespace()
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"
    command = ["python", "-m", "http.server", "8080", "--directory", "/opt/notebook"]
    container = {
        "name": "kserve-container",
        "image": notebook_image,
        "command": command,
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "1"}},
    }
    cluster.call(
        "POST",
        path,
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "files"},
            "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 1, "containers": [container]}},
        },
    )
    cluster.until(lambda: condition(cluster, f"{path}/files", "Ready"), 120)
    assert (
        cluster.call("GET", f"{path}/files")["status"]["modelStatus"]["states"]["activeModelState"]
        == "Loaded"
    )
    service = cluster.call("GET", f"/api/v1/namespaces/{namespace}/services/files-predictor")
    pod = cluster.call("GET", f"/api/v1/namespaces/{namespace}/endpoints/files-predictor")["subsets"][0][
        "addresses"
    ][0]["ip"]
    assert service["spec"]["selector"]
    with urllib.request.urlopen(f"http://{pod}:8080/pyvenv.cfg", timeout=10) as answer:
        assert answer.status == 200


def test_kserves_webhook_refuses_a_service_that_serves_nothing(cluster, kserve):
    namespace = cluster.namespace()
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "a"},
    }
    with pytest.raises(Answer, match="admission webhook"):
        cluster.call("POST", path, service | {"spec": {"predictor": {}}})


def spark_application(name: str, **driver) -> dict:
    return {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": name},
        "spec": {
            "type": "Python",
            "mode": "cluster",
            "image": "spark",
            "mainApplicationFile": "local:///app.py",
            "sparkVersion": "4.0.4",
            "driver": {"cores": 1, "memory": "512m"} | driver,
            "executor": {"cores": 1, "instances": 1, "memory": "512m"},
        },
    }


def test_the_spark_operator_takes_up_an_application(cluster, spark):
    namespace = cluster.namespace()
    path = f"/apis/sparkoperator.k8s.io/v1beta2/namespaces/{namespace}/sparkapplications"
    cluster.call("POST", path, spark_application("counts"))

    def submitted():
        return cluster.call("GET", f"{path}/counts").get("status", {}).get("driverInfo", {}).get("podName")

    pod = cluster.until(submitted, 240)
    made = cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}")
    assert made["metadata"]["labels"]["spark-role"] == "driver"


def test_the_spark_operators_webhook_refuses_what_this_spark_cannot(cluster, spark):
    """Upstream's manifests have it look at the namespace `default` only."""
    path = "/apis/sparkoperator.k8s.io/v1beta2/namespaces/default/sparkapplications"
    application = spark_application("old", template={"spec": {"containers": []}})
    application["spec"]["sparkVersion"] = "2.4.5"
    with pytest.raises(Answer, match="pod template feature requires Spark version"):
        cluster.call("POST", path, application)
