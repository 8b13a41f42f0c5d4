"""The two clusters that the same tests are run against."""

from __future__ import annotations

import contextlib

import pytest
import yaml

import jupyter_ext as kf
from jupyter_ext.cluster.kube import KubeCluster
from tests.cluster import contracts, controllers
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import *  # noqa: F403
from tests.spawner.chart.helm import LEAST, Helm
from tests.spawner.crash.weather import Weather

DEFINITIONS = {
    "jobset": ("jobsets.jobset.x-k8s.io",),
    "trainer": ("trainjobs.trainer.kubeflow.org", "clustertrainingruntimes.trainer.kubeflow.org"),
    "kserve": ("inferenceservices.serving.kserve.io", "clusterservingruntimes.serving.kserve.io"),
    "spark": ("sparkapplications.sparkoperator.k8s.io", "sparkconnects.sparkoperator.k8s.io"),
}


@pytest.fixture(autouse=True)
def _no_other_cluster(monkeypatch):
    for name in ("JUPYTER_KUBEFLOW_PROFILE", "JUPYTER_KUBEFLOW_CLUSTER", "JUPYTER_KUBEFLOW_WORKLOAD"):
        monkeypatch.delenv(name, raising=False)


def definitions_of(*programs: str) -> list[dict]:
    """Those of DEFINITIONS; nothing else of the manifests is read, for they have megabytes."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for program in programs:
        for text in controllers.prepared(program)[1][0].read_text().split("\n---\n"):
            if any(f"\n  name: {name}\n" in text for name in DEFINITIONS[program]):
                manifest = yaml.load(text, loader)
                if manifest["kind"] == "CustomResourceDefinition":
                    manifest["spec"].pop("conversion", None)  # by a webhook that is not there
                    found.append(manifest)
    assert len(found) == sum(len(DEFINITIONS[program]) for program in programs)
    return found


@pytest.fixture(scope="session")
def definitions(cluster):
    """Upstream's definitions, without the controllers: nothing but the API server checks and changes anything."""
    for manifest in definitions_of(*DEFINITIONS):
        contracts.apply(cluster.call, manifest)
    contracts.await_established(cluster.call)


@pytest.fixture
def connected(cluster):
    """Makes clients: of the administrator, of a user, through another kubeconfig; they are closed after."""
    with contextlib.ExitStack() as made:

        def connect(namespace: str, *, kubeconfig=None, user=None, **options) -> KubeCluster:
            from jupyter_ext.cluster.kube.access import of_kubeconfig

            file = kubeconfig or (cluster.kubeconfig_of(user) if user else cluster.kubeconfig)
            found = KubeCluster(of_kubeconfig(None, namespace, file), **options)
            made.callback(found.close)
            return found

        yield connect


@pytest.fixture
def kube(cluster, definitions, connected):
    """A namespace of its own, as the administrator."""
    return connected(cluster.namespace())


@pytest.fixture
def weather(cluster, definitions, tmp_path):
    with Weather(cluster, tmp_path).blowing() as found:
        yield found


@pytest.fixture(scope="session")
def model_server(cluster: Cluster, kserve, notebook_image, helm_program, tmp_path_factory) -> str:
    """The chart's runtime, as Helm makes it; KServe's own definition takes every field of it."""
    helm = Helm(helm_program, tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    values = {**LEAST, "image": notebook_image, "serving": {"enabled": True}}
    (runtime,) = helm.template(values, "--show-only", "templates/serving.yaml")
    name = str(runtime["metadata"]["name"])
    path = f"/apis/serving.kserve.io/v1alpha1/clusterservingruntimes/{name}"
    query = {"fieldManager": "test", "fieldValidation": "Strict"}
    cluster.call("PATCH", path, runtime, query, patch="apply")
    return name


@pytest.fixture
def serving_there(cluster, model_server, monkeypatch, tmp_path):
    """The test's namespace is where endpoints go; the registry is this machine's, of this test."""
    namespace = cluster.namespace()
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_KUBEFLOW_REGISTRY", "local")
    monkeypatch.chdir(tmp_path)
    yield kf.cluster.use("test", namespace)
    kf.cluster.use()


@pytest.fixture
def register_times(tmp_path):
    """Makes a version of the model `times`: a class in a file."""

    def make(text: str, **more):
        file = tmp_path / "times.py"
        file.write_text(text)
        return kf.registry.register(file, "times", format="python", **more)

    return make
