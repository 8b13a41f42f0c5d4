"""From a change on a real Kubernetes to the pixel in the sidebar, with 5,000 resources in the namespace; and the memory it takes.

A controller's write to a job's status is the change. Beside it stands a bare watch of the API server, in the same turns:
what is above that is ours and the browser's.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.measure import Ratio, Report, Sample, main
from benchmarks.on_cluster import inside
from benchmarks.ui_latency import ARGUMENTS, ROOT, SEEN

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

JOBS: Final = 2000
_ROLE: Final = {"cores": 1, "memory": "512m"}
OTHERS: Final[dict[str, dict[str, Any]]] = {
    "serving.kserve.io/v1beta1/InferenceService": {
        "predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://team/flights/7"}}
    },
    "sparkoperator.k8s.io/v1beta2/SparkApplication": {
        "type": "Python", "mode": "cluster", "sparkVersion": "4.0.0", "image": "spark:4.0.0",
        "mainApplicationFile": "local:///app/rows.py", "driver": _ROLE, "executor": {**_ROLE, "instances": 2},
    },
    "sparkoperator.k8s.io/v1alpha1/SparkConnect": {
        "sparkVersion": "4.0.0", "image": "spark:4.0.0", "server": {}, "executor": {"instances": 2},
    },
}  # fmt: skip
"""A thousand of each."""
KIND: Final = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainjobs"


def measure(quick: bool) -> Report:
    """The browser and the server run in the cluster's network."""
    from tests.cluster import contracts
    from tests.cluster_both.conftest import definitions_of

    definitions = definitions_of("jobset", "trainer", "kserve", "spark")
    with inside("pixel") as (cluster, folder):
        for manifest in definitions:
            contracts.apply(cluster.call, manifest)
        contracts.await_established(cluster.call)
        namespace = cluster.namespace("pixel")
        newest = _filled(cluster, namespace)
        with _sidebar(cluster, namespace, folder) as (page, memory):
            return _turns(cluster, namespace, newest, page, 10 if quick else 60, memory)


def _turns(
    cluster: Cluster, namespace: str, job: str, page: Any, changes: int, memory: Callable[[], float]
) -> Report:
    pixels: list[float] = []
    events: list[float] = []
    heard = _Heard(cluster, namespace)
    for number in range(changes + 1):
        text = f"Waiting for part {number}."
        page.evaluate(f"window.seen = ({SEEN})({text!r}); null")
        time.sleep(0.3)
        begun = time.time()
        _write(cluster, namespace, job, text)
        pixel = float(page.evaluate("window.seen")) / 1000 - begun
        if number:
            pixels.append(pixel * 1000)
            events.append((heard.when(text) - begun) * 1000)
    heard.end()
    samples = [
        Sample("change on the cluster to its picture", tuple(pixels), "ms"),
        Sample("change to the event of a bare watch", tuple(events), "ms"),
        Sample("memory that the server took on for it", (memory(),), "MiB"),
    ]
    return Report(
        "A change on a cluster to the pixel",
        f"{JOBS:,} TrainJobs and a thousand each of {', '.join(kind.rpartition('/')[2] for kind in OTHERS)} on a real API server, the sidebar open in Chromium. A job's status is written; the clock stops at "
        "the frame after the one in which the panel shows it, and, for the bare watch, when a thread has read the event.",
        samples,
        [
            Ratio("change to pixel, ms", samples[0].median, 500, least=False, unit="ms"),
            Ratio("pixel / bare watch", samples[0].median / samples[1].median),
            Ratio("memory, MiB", samples[2].median, 150, least=False, unit="MiB"),
        ],
    )


class _Heard(threading.Thread):
    """A watch of the API server and nothing else."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(daemon=True)
        from jupyter_ext.cluster.kube.access import of_kubeconfig
        from jupyter_ext.cluster.kube.transport import Transport

        self._transport = Transport(of_kubeconfig(None, namespace, cluster.kubeconfig))
        listed = self._transport.ask("GET", KIND.format(namespace), query={"limit": "1"})
        query = {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}
        self._stream = self._transport.stream(KIND.format(namespace), query)
        self._times: dict[str, float] = {}
        self._told = threading.Condition()
        self.start()

    def run(self) -> None:
        """Note when each text came."""
        for line in self._stream.lines():
            thing = json.loads(line)["object"]
            conditions = (thing.get("status") or {}).get("conditions") or ()
            with self._told:
                self._times |= {each["message"]: time.time() for each in conditions[:1]}
                self._told.notify_all()

    def when(self, text: str) -> float:
        """The moment at which it was heard."""
        with self._told:
            assert self._told.wait_for(lambda: text in self._times, 30)
            return self._times[text]

    def end(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._transport.close()


def _filled(cluster: Cluster, namespace: str) -> str:
    """Makes the jobs; gives the newest one's name."""

    def make(name: str) -> str:
        body = {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": name},
            "spec": {"runtimeRef": {"name": "torch-distributed"}},
        }
        return str(cluster.call("POST", KIND.format(namespace), body)["metadata"]["name"])

    def other(kind: str, number: int) -> None:
        version, _, name = kind.rpartition("/")
        body = {
            "apiVersion": version,
            "kind": name,
            "metadata": {"name": f"night-{number:04}"},
            "spec": OTHERS[kind],
        }
        cluster.call("POST", f"/apis/{version}/namespaces/{namespace}/{name.lower()}s", body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, [f"night-{number:04}" for number in range(JOBS)]))
        for kind in OTHERS:
            list(pool.map(other, [kind] * 1000, range(1000)))
    time.sleep(1.1)  # creation has the resolution of a second
    return make("newest")


def _write(cluster: Cluster, namespace: str, job: str, text: str) -> None:
    condition = {
        "type": "Failed", "status": "True", "reason": "Changed", "message": text,
        "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip
    path = f"{KIND.format(namespace)}/{job}/status"
    cluster.call("PATCH", path, {"status": {"conditions": [condition]}}, patch="merge")


@contextmanager
def _sidebar(cluster: Cluster, namespace: str, base: Path) -> Iterator[tuple[Any, Callable[[], float]]]:
    """The page, and what asks how much memory the server has taken on since it was started."""
    import psutil
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import NAMES, Server, free_port, labextension
    from tests.ui.screen import Lab

    environment = {
        **os.environ,
        "JUPYTER_KUBEFLOW_HOME": str(base / "kubeflow"),
        "JUPYTER_PATH": str(base / "path"),
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "KUBECONFIG": str(cluster.kubeconfig),
        "JUPYTER_KUBEFLOW_CLUSTER": "test",
        "JUPYTER_KUBEFLOW_NAMESPACE": namespace,
    }
    (base / "root").mkdir()
    labextension(ROOT, base / "path")
    server = Server(
        base / "root", base / "kubeflow", environment, free_port(), secrets.token_hex(8), base / "log"
    )
    server.start()
    assert server.process
    process = psutil.Process(server.process.pid)
    alone = process.memory_info().rss
    try:
        with sync_playwright() as playwright:
            program = next(found for name in NAMES if (found := shutil.which(name)))
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            lab = Lab(page, server.url, server.token, server.root)
            lab.open()
            for section in ("Spark", "Endpoints", "Training"):
                lab.section(section).locator("[data-run]").first.wait_for(timeout=60_000)
            yield page, lambda: (process.memory_info().rss - alone) / 2**20
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main(measure)
