"""A training job in a queue of Kueue: named, refused where there is none, and what it waits for.

Kueue itself cannot be had here: the test suspends the job and writes its Workload as Kueue's manager does.
"""

from __future__ import annotations

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.kube.work import IMAGE
from jupyter_ext.errors import Invalid, NotFound, Unfit
from jupyter_ext.training import train
from tests.spawner.form.queues import local_queue
from tests.spawner.spawning.test_queues import BASE, have_kinds, put
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

KINDS = {
    "localqueues": ("LocalQueue", "Namespaced"),
    "workloads": ("Workload", "Namespaced"),
    "workloadpriorityclasses": ("WorkloadPriorityClass", "Cluster"),
}


@pytest.fixture
def kueue(cluster):
    have_kinds(cluster, KINDS)


@pytest.fixture
def namespace(cluster, trainer, notebook_image, kueue, monkeypatch, tmp_path):
    made = cluster.namespace()
    put(cluster, f"{BASE}/namespaces/{made}/localqueues", local_queue("team", "all"))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv(IMAGE, notebook_image)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.py").write_text("import time\n\ndef fit():\n    time.sleep(3)\n    return 42\n")
    kf.cluster.use("test", made)
    yield made
    kf.cluster.use()


def test_a_job_waits_in_its_queue_and_says_what_for(cluster, namespace):
    def fit(name: str, **queued: str):
        return train("fit.py", function="fit", framework="plain", name=name, **queued)

    with pytest.raises(NotFound, match="There is no queue teem") as error:
        fit("near", queue="teem")
    assert "team" in error.value.hint
    with pytest.raises(NotFound, match="There is no priority high"):
        fit("high", queue="team", priority="high")
    with pytest.raises(Unfit, match="no queue is named"):
        fit("none", priority="high")
    with pytest.raises(Invalid, match="queue"):
        fit("bad", queue="Not A Name")
    assert not kf.training.jobs()

    job = fit("waits", queue="team")
    path = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/waits"
    made = cluster.call("PATCH", path, {"spec": {"suspend": True}}, patch="merge")
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    until(lambda: job.phase == "PENDING" and "waits for its turn in the queue team" in job.resource.reason)
    message = "couldn't assign flavors to pod set node: insufficient quota for cpu in flavor default"
    workload = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {"name": "trainjob-waits", "labels": {"kueue.x-k8s.io/job-uid": job.resource.uid}},
        "spec": {"queueName": "team"},
        "status": {"conditions": [{"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": message}]},
    }  # fmt: skip
    put(cluster, f"{BASE}/namespaces/{namespace}/workloads", workload)
    until(lambda: job.reason == f"It waits in the queue team: {message}")
    with pytest.raises(TimeoutError, match="insufficient quota"):
        job.wait(1)
    cluster.call("PATCH", path, {"spec": {"suspend": False}}, patch="merge")
    assert job.wait(300).result() == 42

    kf.cluster.use("local")
    with pytest.raises(Unfit, match="queue is for jobs on a cluster"):
        fit("here", queue="team")
