"""The state of an experiment with a hundred trials on a cluster: requests to the API server, and seconds.

Katib cannot be had here: the tests' double has ended the trials, so that nothing changes while they are asked for. Each has the
TrainJob that the SDK looks for, without pods.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import environments
from benchmarks.measure import Ratio, Report, ask, main
from benchmarks.on_cluster import beside_sdk, inside

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

TRIALS: Final = 100
RUNTIME: Final = "torch-distributed"
PROGRAM: Final = "def fit(lr: float):\n    return {'loss': lr}\n"
_TRAINER: Final = "/apis/trainer.kubeflow.org/v1alpha1"


def measure(quick: bool) -> Report:
    """Both ask the same API server, in turns."""
    from tests.cluster import contracts
    from tests.cluster_both.conftest import definitions_of
    from tests.cluster_both.fake_katib import definitions

    sdk = environments.python("kubeflow-sdk")
    manifests = [*definitions_of("jobset", "trainer"), *definitions()]
    with inside("trials") as (cluster, folder):
        for manifest in manifests:
            contracts.apply(cluster.call, manifest)
        contracts.await_established(cluster.call)
        (folder / "fit.py").write_text(PROGRAM, encoding="utf-8")
        return _turns(cluster, sdk, 2 if quick else 7)


def _turns(cluster: Cluster, sdk: Path, rounds: int) -> Report:
    import jupyter_ext as kf
    from jupyter_ext.tuning.kube_experiment import INJECTION

    namespace = cluster.namespace("trials", labels={INJECTION: "enabled"})
    there: Any = kf.cluster.use("test", namespace)
    name = _experiment(cluster, namespace)
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for turn in range(1 + rounds):
        before, start = there.transport.requests, time.perf_counter()
        page = kf.tuning.get(name).page(limit=TRIALS)
        seconds = time.perf_counter() - start
        assert len(page["items"]) == TRIALS
        peer = ask(sdk, "sdk_cluster_trials.py", namespace, name)
        assert peer.pop("trials") == TRIALS
        if turn:
            ours.append({"requests": float(there.transport.requests - before), "seconds": seconds})
            theirs.append(peer)
    samples = beside_sdk(ours, theirs)
    return Report(
        "The state of a hundred trials on a cluster",
        f"An experiment by its name, and all of its {TRIALS} trials with state, parameters and value: one look, as a view or `wait` of the SDK takes it.",
        samples,
        [
            Ratio("requests, ours", samples[0].median, 3, least=False, unit=""),
            Ratio("requests, SDK / ours", samples[1].median / samples[0].median, 1.0),
            Ratio("seconds, SDK / ours", samples[3].median / samples[2].median, 1.0),
        ],
        ["One of ours finds the experiment by its name; the page itself takes two."],
    )


def _experiment(cluster: Cluster, namespace: str) -> str:
    """One that has ended; its name."""
    import jupyter_ext as kf
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.access import of_kubeconfig
    from tests.cluster_both.fake_katib import FakeKatib

    os.environ["JUPYTER_KUBEFLOW_JOB_IMAGE"] = "docker.io/library/none:1"
    katib = KubeCluster(of_kubeconfig(None, namespace, cluster.kubeconfig))
    with FakeKatib(katib, lambda values: float(values["lr"])):
        found: Any = kf.tuning.tune(
            Path("fit.py"), {"lr": "double(0.01,0.1)"}, "loss:min", function="fit", trials=TRIALS, parallel=50
        )
        found.wait(600)
        name = str(found.name)
    cluster.call("POST", f"{_TRAINER}/clustertrainingruntimes", _runtime())
    version = {"kubeflow_trainer_version": "2.3.0"}  # a client of the SDK asks for it first
    config = {"metadata": {"name": "kubeflow-trainer-public"}, "data": version}
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": "kubeflow-system"}})
    cluster.call("POST", "/api/v1/namespaces/kubeflow-system/configmaps", config)
    trials = cluster.call("GET", f"/apis/kubeflow.org/v1beta1/namespaces/{namespace}/trials")["items"]
    for trial in trials:
        cluster.call("POST", f"{_TRAINER}/namespaces/{namespace}/trainjobs", _job(trial["metadata"]["name"]))
    return name


def _job(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name},
        "spec": {"runtimeRef": {"name": RUNTIME}, "trainer": {"numNodes": 1}},
    }


def _runtime() -> dict[str, Any]:
    """As much of upstream's as the SDK reads."""
    pod = {"spec": {"containers": [{"name": "node", "image": "docker.io/library/none:1"}]}}
    node = {
        "name": "node",
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {"template": pod},
        },
    }
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": RUNTIME, "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {"mlPolicy": {"numNodes": 1, "torch": {}}, "template": {"spec": {"replicatedJobs": [node]}}},
    }


if __name__ == "__main__":
    main(measure)
