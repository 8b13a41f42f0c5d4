"""A job holds what it asks for; one that a step or a job starts shares with that."""

from __future__ import annotations

import jupyter_ext as kf
from jupyter_ext.cluster.local.devices import Request
from jupyter_ext.training import get, jobs, train

from .conftest import processes_of, running, until

NAP = "import time; time.sleep(600)"


def test_without_resources_a_core_for_each_process_as_far_as_there_are(cluster, folder):
    job = train(NAP, framework="plain", namespace={}, procs=1, name="one")
    until(lambda: job.phase == "RUNNING")
    assert cluster.leases.held() == [("one", "job", Request(1000))]
    job.stop(wait=True)
    assert cluster.leases.held() == []


def test_resources_are_those_of_each_node(cluster, folder):
    job = train(NAP, framework="plain", namespace={}, nodes=2, resources={"cpu": "250m", "memory": "1Mi"})
    until(lambda: job.phase == "RUNNING")
    assert cluster.leases.held() == [(job.name, "job", Request(500, 2 << 20))]
    job.stop(wait=True)


def test_a_job_in_a_job_shares_its_lease_and_ends_with_it(cluster, folder):
    whole = cluster.leases.machine().cpu_milli / 1000

    def outer():
        inner = kf.training.train(
            "import time; print('inner runs', flush=True); time.sleep(600)",
            framework="plain", namespace={}, resources={"cpu": whole}, name="inner",
        )  # fmt: skip
        inner.wait()

    job = train(outer, framework="plain", resources={"cpu": whole}, name="outer")
    until(lambda: [each.name for each in jobs()] == ["inner", "outer"])
    inner = get("inner")
    until(lambda: "inner runs" in "".join(inner.logs()))
    resource = inner.resource
    assert resource.owner == job.resource.uid
    assert resource.annotations["jupyter-kubeflow.org/owner"] == "TrainJob/outer"
    job.stop(wait=True)
    assert (job.phase, inner.phase) == ("CANCELED", "CANCELED")
    until(lambda: not processes_of(resource.uid))
    assert cluster.leases.held() == []


def test_a_job_whose_starter_was_killed_is_found_again(cluster, folder):
    def outer():
        inner = kf.training.train(
            "import time\nfor i in range(40): time.sleep(0.05)\n5",
            framework="plain",
            namespace={},
            checkpoint=True,
        )
        return inner.name, inner.result()

    job = train(outer, framework="plain", name="outer", checkpoint=True)
    until(lambda: len(jobs()) == 2)
    inner = jobs()[0]
    until(lambda: inner.phase == "RUNNING")
    (controller,) = running(job.resource.uid, "shim.py")
    controller.kill()
    assert job.result(90) == (inner.name, 5)
    assert len(jobs()) == 2


def test_a_step_of_a_pipeline_trains_on_the_cores_that_it_holds(cluster, folder):
    whole = cluster.leases.machine().cpu_milli / 1000
    (folder / "book.py").write_text(
        f"# %% tags=['step:train', 'limit:cpu:{whole:g}']\n"
        "import jupyter_ext as kf\n"
        "def fit(x):\n    return x * 2\n"
        f"job = kf.training.train(fit, framework='plain', args={{'x': 21}}, resources={{'cpu': {whole:g}}})\n"
        "answer = job.result(60)\n"
    )
    run = kf.pipelines.run(folder / "book.py")
    assert run.wait(120).state == "SUCCEEDED", run.reason
    assert run.value("answer") == 42
    (job,) = jobs()
    assert job.resource.annotations["jupyter-kubeflow.org/owner"] == f"Run/{run.name}"
