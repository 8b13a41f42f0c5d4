"""What a component needs beside its controller: runtimes, a configuration, queues that take work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jupyter_ext.cluster.kube_doctor.definitions import served_kinds
from jupyter_ext.cluster.kube_doctor.findings import Finding
from jupyter_ext.cluster.kube_doctor.look import Look, name_of, place_of
from jupyter_ext.cluster.kube_doctor.reading import Json, Unseen
from jupyter_ext.cluster.kube_doctor.server import condition

CHECK: Final = "components"
Served = Mapping[str, frozenset[str]]
_CONFIGURATION: Final = "/api/v1/namespaces/kserve/configmaps/inferenceservice-config"


async def check(look: Look) -> list[Finding]:
    """Only of what is installed."""
    served = await served_kinds(look.reader)
    parts = {
        "clustertrainingruntimes.trainer.kubeflow.org": _training,
        "inferenceservices.serving.kserve.io": _serving,
        "clusterqueues.kueue.x-k8s.io": _queues,
    }
    wanted = [part for kind, part in parts.items() if kind in served]
    found = await asyncio.gather(*(_looked(part, look, served) for part in wanted))
    return [each for part in found for each in part]


async def _looked(part: object, look: Look, served: Served) -> list[Finding]:
    try:
        findings: list[Finding] = await part(look, served)  # type: ignore[operator]
    except Unseen as unseen:
        return [unseen.finding(CHECK, look.who)]
    return findings


async def _training(look: Look, _served: Served) -> list[Finding]:
    return judge_runtimes(
        await look.reader.items("/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes")
    )


def judge_runtimes(runtimes: Sequence[Json]) -> list[Finding]:
    """A TrainJob names a runtime."""
    if runtimes:
        names = ", ".join(sorted(name_of(each) for each in runtimes)[:6])
        return [Finding(CHECK, "ok", f"Training jobs have runtimes ({names})")]
    fix = "kubectl apply --server-side -k 'https://github.com/kubeflow/trainer.git/manifests/overlays/runtimes?ref=v2.3.0'"
    why = "Every TrainJob is refused: it names a runtime that is not there."
    return [Finding(CHECK, "problem", "There are no ClusterTrainingRuntimes", "", why, fix)]


async def _serving(look: Look, served: Served) -> list[Finding]:
    configuration, runtimes = await asyncio.gather(
        look.reader.get(_CONFIGURATION),
        look.reader.items("/apis/serving.kserve.io/v1alpha1/clusterservingruntimes"),
    )
    return judge_serving(configuration, runtimes, has_routes="httproutes.gateway.networking.k8s.io" in served)


def judge_serving(configuration: Json | None, runtimes: Sequence[Json], *, has_routes: bool) -> list[Finding]:
    """KServe ends at its start without its ConfigMap, and makes routes of a kind that has to be there."""
    findings = []
    if configuration is None:
        why = "KServe's controller ends at its start without it."
        fix = "kubectl apply --server-side -f https://github.com/kserve/kserve/releases/download/v0.16.0/kserve.yaml"
        findings.append(
            Finding(
                CHECK,
                "problem",
                "KServe's configuration is missing",
                "kserve/inferenceservice-config",
                why,
                fix,
            )
        )
    elif _wants_routes(configuration) and not has_routes:
        why = "Endpoints never get an address: HTTPRoutes cannot be made."
        fix = "kubectl apply --server-side -f https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.2.1/standard-install.yaml"
        findings.append(
            Finding(CHECK, "problem", "KServe is to use the Gateway API, which is not installed", place_of(configuration), why, fix)
        )  # fmt: skip
    if not runtimes:
        why = "Models are served only with a runtime of the own namespace or a container of one's own."
        fix = "kubectl apply --server-side -f https://github.com/kserve/kserve/releases/download/v0.16.0/kserve-cluster-resources.yaml"
        findings.append(Finding(CHECK, "warning", "There are no ClusterServingRuntimes", "", why, fix))
    return findings


def _wants_routes(configuration: Json) -> bool:
    try:
        ingress = json.loads((configuration.get("data") or {}).get("ingress") or "{}")
    except ValueError:
        return False
    return isinstance(ingress, dict) and ingress.get("enableGatewayApi") is True


async def _queues(look: Look, served: Served) -> list[Finding]:
    spoken = "v1beta2" if "v1beta2" in served["clusterqueues.kueue.x-k8s.io"] else "v1beta1"
    version = f"/apis/kueue.x-k8s.io/{spoken}"
    queues = await look.reader.items(f"{version}/clusterqueues")
    return judge_queues([*queues, *await look.within(version, "localqueues")])


def judge_queues(queues: Iterable[Json]) -> list[Finding]:
    """A queue that is not active takes no work."""
    findings = []
    for queue in queues:
        active = condition(queue, "Active")
        if active and active.get("status") == "False":
            said = str(active.get("message") or active.get("reason") or "it does not say why").rstrip(".")
            kind = "localqueue" if "/" in place_of(queue) else "clusterqueue"
            fix = f"kubectl describe {kind} {name_of(queue)}"
            findings.append(
                Finding(
                    CHECK,
                    "problem",
                    f"A {kind} takes no work",
                    place_of(queue),
                    f"What is put there waits: {said}.",
                    fix,
                )
            )
    return findings
