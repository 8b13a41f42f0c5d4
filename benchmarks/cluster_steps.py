"""What a pipeline's step costs on a real Kubernetes beside a bare Job: pods, and seconds from ready to running.

The run has two steps of a second, of which the second is measured: it is ready when the first has ended, and runs when the run's
record says so. (A step that ends before its kubelet has told that it began would measure the kubelet.) The bare Job has the same image and is made by one request; it runs when its pod does.
"""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measure import Ratio, Report, Sample, main
from benchmarks.on_cluster import inside

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

FIRST: Final = "import time\nfirst = 1\ntime.sleep(1)"
SECOND: Final = "import time\nsecond = first + 1\ntime.sleep(1)"


def measure(quick: bool) -> Report:
    """Both on one cluster, in turns."""
    from tests.cluster import notebook
    from tests.cluster_both.object_store import BUCKET, have_credentials, s3_server

    with inside("steps", node=True) as (cluster, folder), s3_server() as url:
        namespace = cluster.namespace("steps")
        have_credentials(cluster, namespace, url)
        os.environ |= {
            "JUPYTER_KUBEFLOW_JOB_IMAGE": notebook.NAME,
            "JUPYTER_KUBEFLOW_STORE": f"s3://{BUCKET}/{namespace}",
        }
        return _turns(cluster, namespace, notebook.NAME, folder, 2 if quick else 7)


def _turns(cluster: Cluster, namespace: str, image: str, folder: Path, rounds: int) -> Report:
    import jupyter_ext as kf

    kf.cluster.use("test", namespace)
    steps: list[float] = []
    bare: list[float] = []
    pods: list[float] = []
    for turn in range(1 + rounds):
        waited, made = _step(cluster, namespace, folder)
        alone = _bare(cluster, namespace, image, turn)
        if turn:
            steps.append(waited)
            pods.append(made)
            bare.append(alone)
    samples = [
        Sample("a step, from ready to running", tuple(steps)),
        Sample("a bare Job, from its request to running", tuple(bare)),
        Sample("pods for two steps", tuple(pods), ""),
    ]
    return Report(
        "A step on a cluster",
        "The second of two steps, from the end of the first to its state RUNNING, in pods of a real node; and a Job of the same image made by "
        "one request, to its pod's phase Running, which is asked for fifty times a second.",
        samples,
        [
            Ratio("step / bare Job", samples[0].median / samples[1].median, 1.5, least=False),
            Ratio("pods for two steps", samples[2].median, 2.0, least=False, unit=""),
        ],
        [
            "Kubeflow Pipelines, which cannot be had here, makes two pods a step (driver and launcher) and a root driver."
        ],
    )


def _step(cluster: Cluster, namespace: str, folder: Path) -> tuple[float, float]:
    """Seconds that the second step waited, and how many pods the run made."""
    import nbformat

    import jupyter_ext as kf

    cells = [nbformat.v4.new_code_cell(f"%%step {name} --no-cache\n{code}")
             for name, code in (("first", FIRST), ("second", SECOND))]  # fmt: skip
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "two.ipynb")
    before = _pods(cluster, namespace)
    run = kf.pipelines.run(folder / "two.ipynb").wait(300)
    assert run.state == "SUCCEEDED", run.reason
    ready = datetime.fromisoformat(run.step("first")["finishedAt"])
    running = datetime.fromisoformat(run.step("second")["startedAt"])
    return (running - ready).total_seconds(), float(len(_pods(cluster, namespace) - before))


def _bare(cluster: Cluster, namespace: str, image: str, turn: int) -> float:
    name = f"bare-{turn}"
    container = {"name": "main", "image": image, "command": ["sleep", "1"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    body = {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}
    begun = time.perf_counter()
    cluster.call("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body)
    pods = f"/api/v1/namespaces/{namespace}/pods?labelSelector=job-name={name}"

    def runs() -> bool:
        found = cluster.call("GET", pods)["items"]
        return bool(found) and found[0]["status"]["phase"] != "Pending"

    while not runs():
        assert time.perf_counter() < begun + 300
        time.sleep(0.02)
    return time.perf_counter() - begun


def _pods(cluster: Cluster, namespace: str) -> set[str]:
    found = cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    return {str(each["metadata"]["uid"]) for each in found}


if __name__ == "__main__":
    main(measure)
