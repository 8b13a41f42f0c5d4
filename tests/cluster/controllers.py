"""Kubeflow's own controllers, as pods of the real node: upstream's manifests, the programs built from their modules."""

from __future__ import annotations

import base64
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster import build, certificates, contracts, images, lifecycle, network, spark_image
from tests.cluster.answers import Answer
from tests.cluster.cluster import Cluster
from tests.cluster.place import Place, Refused, cache

Manifests = list[dict[str, Any]]


@dataclass(frozen=True)
class Controller:
    """One controller: the module with its program and its manifests, and the Deployment that is waited for."""

    program: str
    module: str
    manifests: str
    namespace: str
    deployment: str
    without: tuple[str, ...] = ()
    """Lines of its kustomization that name what another controller brings, or what cannot be had."""
    path: str = "/manager"
    """Of the program in its image, where the manifests do not say."""
    change: Callable[[Place, Manifests], Manifests] = lambda _, manifests: manifests
    after: str = ""
    """Further manifests, for which it has to be ready."""
    below: Callable[[], Path] | None = None
    """A layer with what its program needs."""
    settings: Mapping[str, Any] = field(default_factory=lambda: {"User": "65532:65532"})
    """Of its image."""
    more: Callable[[], Sequence[images.Image]] = tuple
    """Further images, which its pods name."""
    kind: str = ""
    """What its webhooks are asked about, as "group/version/plural": a Deployment is available before they answer."""
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Images of pods that it makes: the program in each, and where."""


def _for_kserve(place: Place, manifests: Manifests) -> Manifests:
    """Without cert-manager, which makes its certificate upstream; and in Standard mode without an ingress."""
    host = "kserve-webhook-server-service.kserve.svc"
    pki = place.certificates
    certificates.signed(pki, "kserve", host, hosts=[host])
    kept = [manifest for manifest in manifests if not _left_out(manifest)]
    for manifest in kept:
        match manifest["kind"]:
            case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
                for webhook in manifest["webhooks"]:
                    webhook["clientConfig"]["caBundle"] = _encoded(pki / "ca.crt")
            case "CustomResourceDefinition" if "conversion" in manifest["spec"]:
                webhook = manifest["spec"]["conversion"].get("webhook", {})
                webhook.get("clientConfig", {})["caBundle"] = _encoded(pki / "ca.crt")
            case "Deployment":
                spec = manifest["spec"]["template"]["spec"]
                spec["containers"] = [one for one in spec["containers"] if one["name"] == "manager"]
                spec["containers"][0]["imagePullPolicy"] = "IfNotPresent"
            case "ConfigMap" if manifest["metadata"]["name"] == "inferenceservice-config":
                manifest["data"] |= _KSERVE
    names = {"tls.crt": pki / "kserve.crt", "tls.key": pki / "kserve.key"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "kserve-webhook-server-cert", "namespace": "kserve"},
        "type": "kubernetes.io/tls",
        "data": {name: _encoded(file) for name, file in names.items()},
    }
    return [*kept, secret]


def _for_spark(_: Place, manifests: Manifests) -> Manifests:
    """Room and rights for the Spark of its image, which is newer than that of upstream's.

    A JVM starts for each submission: half a core has it wait for minutes. And it makes a NetworkPolicy for each application.
    """
    policies = {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["*"]}
    for manifest in manifests:
        if manifest["kind"] == "ClusterRole" and manifest["metadata"]["name"] == "spark-operator-controller":
            manifest["rules"].append(policies)
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                container["resources"]["limits"] = {"memory": "1Gi"}
    return manifests


def _for_training(_: Place, manifests: Manifests) -> Manifests:
    """Three of its kinds only, and looked at often while it starts."""
    kept = [one for one in manifests if not _is_other_kind(one)]
    for manifest in kept:
        if manifest["kind"] == "Deployment":
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            container["args"] = [f"--enable-scheme={kind}" for kind in _TRAINED]
            container["imagePullPolicy"] = "IfNotPresent"
            container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
        elif manifest["kind"] == "ValidatingWebhookConfiguration":
            webhooks = manifest["webhooks"]
            manifest["webhooks"] = [one for one in webhooks if _rule(one) in _TRAINED]
    return kept


_TRAINED: Final = ("tfjob", "pytorchjob", "xgboostjob")


def _rule(webhook: Mapping[str, Any]) -> str:
    return str(webhook["rules"][0]["resources"][0]).removesuffix("s")


def _is_other_kind(manifest: Mapping[str, Any]) -> bool:
    if manifest["kind"] != "CustomResourceDefinition":
        return False
    return manifest["spec"]["names"]["singular"] not in _TRAINED


_KSERVE: Final = {
    "deploy": '{"defaultDeploymentMode": "Standard"}',
    "ingress": (
        '{"enableGatewayApi": false, "disableIstioVirtualHost": true, "disableIngressCreation": true,'
        ' "ingressGateway": "none/none", "ingressDomain": "example.com", "urlScheme": "http"}'
    ),
}


def _left_out(manifest: dict[str, Any]) -> bool:
    if manifest["kind"] in {"Certificate", "Issuer", "LLMInferenceServiceConfig", "DaemonSet"}:
        return True
    return any(word in manifest["metadata"]["name"] for word in ("llmisvc", "llminference", "localmodel"))


CONTROLLERS: Final = {
    "jobset": Controller(
        "jobset",
        "sigs.k8s.io/jobset",
        "config/default",
        "jobset-system",
        "jobset-controller-manager",
        kind="jobset.x-k8s.io/v1alpha2/jobsets",
    ),
    "trainer": Controller(
        "trainer",
        "github.com/kubeflow/trainer/v2",
        "manifests/overlays/manager",
        "kubeflow-system",
        "kubeflow-trainer-controller-manager",
        without=("third-party/jobset",),
        after="manifests/overlays/runtimes",
        kind="trainer.kubeflow.org/v1alpha1/trainjobs",
    ),
    "training": Controller(
        "training",
        "github.com/kubeflow/training-operator",
        "manifests/overlays/standalone",
        "kubeflow",
        "training-operator",
        change=_for_training,
        kind="kubeflow.org/v1/pytorchjobs",
    ),
    "kserve": Controller(
        "kserve",
        "github.com/kserve/kserve",
        "config/default",
        "kserve",
        "kserve-controller-manager",
        change=_for_kserve,
        kind="serving.kserve.io/v1beta1/inferenceservices",
        beside={"docker.io/kserve/router:latest": ("router", "/ko-app/router")},
    ),
    # It submits with a Spark of its own.
    "spark": Controller(
        "spark",
        "github.com/kubeflow/spark-operator/v2",
        "config/default",
        "spark-operator",
        "spark-operator-webhook",
        path="/usr/bin/spark-operator",
        change=_for_spark,
        below=spark_image.layer,
        settings=spark_image.SETTINGS,
        more=spark_image.images_of_pods,
        kind="sparkoperator.k8s.io/v1beta2/sparkapplications",
    ),
}


@functools.cache
def prepared(name: str) -> tuple[Path, list[Path]]:
    """The program, and the files with its manifests; built, and rendered, when they are not there yet."""
    controller = CONTROLLERS[name]
    program = build.built(build.PROGRAMS[controller.program])
    for beside, _ in controller.beside.values():
        build.built(build.PROGRAMS[beside])
    if controller.below:
        controller.below()
    folder = cache() / "manifests"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    rendered = []
    for number, source in enumerate(part for part in (controller.manifests, controller.after) if part):
        file = folder / f"{program.name}-{number}.yaml"
        if not file.exists():
            file.write_text(_render(controller, source))
        rendered.append(file)
    return program, rendered


def install(cluster: Cluster, name: str) -> None:
    """Install one controller, and return when it is ready. Raises Refused."""
    controller = CONTROLLERS[name]
    program, (first, *after) = prepared(name)
    manifests = _light(controller.change(cluster.place, contracts.manifests(first)))
    _bring_images(cluster, controller, program, manifests)
    definitions = [one for one in manifests if one["kind"] in {"CustomResourceDefinition", "Namespace"}]
    _apply(cluster, definitions)
    with network.entered(cluster.place):
        contracts.await_established(cluster.call)
    _apply(cluster, [one for one in manifests if one not in definitions])
    available = ["wait", "--for=condition=Available", "--timeout=240s", "--namespace", controller.namespace]
    _kubectl(cluster, [*available, f"deployment/{controller.deployment}"])
    with network.entered(cluster.place):
        cluster.until(lambda: _answers(cluster, controller.kind), 180)
    for file in after:
        _apply(cluster, contracts.manifests(file))


def _light(manifests: Manifests) -> Manifests:
    """Controllers that ask for no share of the node: on two cores the pods of tests would find no room."""
    for one in manifests:
        if one["kind"] == "Deployment":
            for container in one["spec"]["template"]["spec"]["containers"]:
                container.pop("resources", None)
    return manifests


def _bring_images(cluster: Cluster, controller: Controller, program: Path, manifests: Manifests) -> None:
    more = controller.more()
    named = {*_images(manifests, controller.path), *(image.name for image in more)}
    if more and named <= images.names(cluster.place):
        return  # a cluster that was kept has them; they are large
    with tempfile.TemporaryDirectory(dir=cluster.place.folder) as folder:
        file = Path(folder) / "images.tar"
        images.write(file, *_made(controller, program, manifests, Path(folder)), *more)
        cluster.import_image(file)


def _made(
    controller: Controller, program: Path, manifests: Manifests, folder: Path
) -> Iterable[images.Image]:
    """The images that the manifests name."""
    below = [controller.below()] if controller.below else []
    for number, (name, path) in enumerate(sorted(_images(manifests, controller.path).items())):
        layer = images.program_layer(folder / f"{number}.layer", program, path, is_all=not below)
        yield images.Image(name, [*below, layer], {**controller.settings, "Entrypoint": [path]})
    for name, (beside, path) in controller.beside.items():
        layer = images.program_layer(
            folder / f"{beside}.layer", build.built(build.PROGRAMS[beside]), path, is_all=True
        )
        yield images.Image(name, [layer], {"User": "65532:65532", "Entrypoint": [path]})


def _answers(cluster: Cluster, kind: str) -> bool:
    """Whether the webhooks are reached: they may well refuse."""
    group, version, plural = kind.split("/")
    path = f"/apis/{group}/{version}/namespaces/default/{plural}"
    kinds = cluster.call("GET", f"/apis/{group}/{version}")["resources"]
    named = next(one["kind"] for one in kinds if one["name"] == plural)
    asked = {
        "apiVersion": f"{group}/{version}",
        "kind": named,
        "metadata": {"name": "asked"},
        "spec": _ASKED[plural],
    }
    try:
        cluster.call("POST", path, asked, {"dryRun": "All"})
    except Answer as error:
        return error.status != 500
    return True


_ASKED: Final[dict[str, Any]] = {
    "jobsets": {"replicatedJobs": []},
    "trainjobs": {"runtimeRef": {"name": "none"}},
    "pytorchjobs": {"pytorchReplicaSpecs": {}},
    "inferenceservices": {"predictor": {}},
    "sparkapplications": {"type": "Python", "sparkVersion": "4.0.4", "driver": {}, "executor": {}},
}


def _render(controller: Controller, source: str) -> str:
    """What kustomize makes of the module's folder."""
    folder = build.module(controller.program, controller.module)
    root = source.partition("/")[0]
    with tempfile.TemporaryDirectory() as copied:
        shutil.copytree(folder / root, Path(copied) / root, copy_function=shutil.copyfile)
        kustomization = Path(copied) / source / "kustomization.yaml"
        kustomization.parent.chmod(0o700)
        lines = kustomization.read_text().splitlines()
        kept = [line for line in lines if not any(word in line for word in controller.without)]
        kustomization.write_text("\n".join(kept))
        kubectl = [
            str(build.built(build.PROGRAMS["kubernetes"])),
            "kubectl",
            "kustomize",
            f"{copied}/{source}",
        ]
        done = subprocess.run(kubectl, capture_output=True, text=True, check=False)
        for inner in Path(copied).rglob("*"):
            if inner.is_dir():
                inner.chmod(0o700)
    if done.returncode:
        raise Refused(f"the manifests of {controller.program}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _images(manifests: Manifests, usual: str) -> dict[str, str]:
    """The images of the Deployments, and where each has its program."""
    found = {}
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                found[container["image"]] = (container.get("command") or [usual])[0]
    return {_full(name): path for name, path in found.items()}


def _full(name: str) -> str:
    first, *_ = name.split("/")
    return name if "." in first else f"docker.io/{name}"


def _apply(cluster: Cluster, manifests: Iterable[dict[str, Any]]) -> None:
    text = yaml.safe_dump_all(manifests)
    _kubectl(cluster, ["apply", "--server-side", "--force-conflicts", "--filename=-"], text)


def _kubectl(cluster: Cluster, arguments: list[str], given: str | None = None) -> None:
    command = cluster.inside([*lifecycle.kubectl(cluster.place, build.programs("control")), *arguments])
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"kubectl {' '.join(arguments[:3])}: {done.stderr.strip()[-2000:]}")


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
