"""Train on a real Kubernetes with upstream's Trainer and follow it to the end: requests to the API server, and seconds.

Both train the same function on two nodes, wait for the end and read the log, in pods of the same image.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import environments
from benchmarks.measure import Ratio, Report, ask, main
from benchmarks.on_cluster import beside_sdk, inside

NODES: Final = 2
RUNTIME: Final = "xgboost-distributed"
"""Of upstream's runtimes one whose entry point is the image's own Python."""
PROGRAM: Final = "def fit():\n    print('trained', flush=True)\n"


def measure(quick: bool) -> Report:
    """Both on one cluster, in turns."""
    from tests.cluster import notebook

    sdk = environments.python("kubeflow-sdk")
    with inside("train", "jobset", "trainer", node=True) as (cluster, folder):
        (folder / "fit.py").write_text(PROGRAM, encoding="utf-8")
        return _turns(cluster.namespace("train"), sdk, notebook.NAME, 2 if quick else 5)


def _turns(namespace: str, sdk: Path, image: str, rounds: int) -> Report:
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for turn in range(1 + rounds):
        mine = _ours(namespace, image)
        peer = ask(sdk, "sdk_cluster_train.py", namespace, RUNTIME, image, str(NODES))
        if turn:
            ours.append(mine)
            theirs.append(peer)
    samples = beside_sdk(ours, theirs)
    return Report(
        "Training on a cluster",
        f"From the call of `train` on {NODES} nodes to its end and its log, on a real node with upstream's Trainer. "
        "The function prints one line, so the time is that of pods and of how their end is noticed.",
        samples,
        [
            Ratio("requests, SDK / ours", samples[1].median / samples[0].median, 1.0),
            Ratio("seconds, SDK / ours", samples[3].median / samples[2].median, 1.0),
        ],
        [
            "The SDK asks every two seconds, so its requests grow with the time that the job takes; ours follow a watch."
        ],
    )


def _ours(namespace: str, image: str) -> dict[str, float]:
    import jupyter_ext as kf
    from jupyter_ext.cluster.kube.work import IMAGE

    os.environ[IMAGE] = image
    cluster: Any = kf.cluster.use("test", namespace)
    before, start = cluster.transport.requests, time.perf_counter()
    job = kf.training.train("fit.py", function="fit", framework="plain", nodes=NODES)
    job.wait(600)
    assert any("trained" in line for line in job.logs()), job.reason
    found = {
        "seconds": time.perf_counter() - start,
        "requests": float(cluster.transport.requests - before),
    }
    job.delete()
    return found


if __name__ == "__main__":
    main(measure)
