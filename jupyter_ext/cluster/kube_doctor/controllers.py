"""Controllers: whether there is one for each kind, and why one is not ready."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from jupyter_ext.cluster.kube_doctor.definitions import served_kinds
from jupyter_ext.cluster.kube_doctor.findings import Finding
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of, namespace_of, place_of, selects
from jupyter_ext.cluster.kube_doctor.reading import Json, Unseen
from jupyter_ext.cluster.kube_doctor.server import condition

CHECK: Final = "controllers"


class Controller(NamedTuple):
    """What acts on a kind; found by its name or its image, since every chart calls it something else."""

    title: str
    pattern: str
    kind: str = ""
    is_needed: bool = True


CONTROLLERS: Final = (
    Controller("Kubeflow Trainer", r"trainer-controller", "trainjobs.trainer.kubeflow.org"),
    Controller("JobSet", r"jobset-controller|/jobset/jobset", "jobsets.jobset.x-k8s.io"),
    Controller("Katib", r"katib-controller", "experiments.kubeflow.org"),
    Controller("the Spark operator", r"spark-operator", "sparkapplications.sparkoperator.k8s.io"),
    Controller("KServe", r"kserve-controller", "inferenceservices.serving.kserve.io"),
    Controller("Profiles", r"profiles-deployment|profile-controller", "profiles.kubeflow.org"),
    Controller("Notebooks", r"notebook-controller", "notebooks.kubeflow.org", is_needed=False),
    Controller(
        "PodDefaults", r"admission-webhook|poddefaults?-webhook", "poddefaults.kubeflow.org", is_needed=False
    ),
    Controller("Kueue", r"kueue-controller", "localqueues.kueue.x-k8s.io"),
    Controller("Istio", r"istiod|istio-?pilot|/pilot:"),
    Controller("cert-manager", r"cert-manager"),
    Controller("Kubeflow Pipelines", r"ml-pipeline|pipelines-api-server"),
    Controller("the Hub", r"(^|[-/ ])(k8s-)?hub([: ]|$)|jupyterhub"),
)


async def check(look: Look) -> list[Finding]:
    """All controllers that we know, and whatever else lives beside them."""
    deployments, served = await asyncio.gather(look.deployments(), served_kinds(look.reader))
    findings, ill = judge(deployments, served)
    for deployment in ill:
        try:
            pods = await look.reader.items(f"/api/v1/namespaces/{namespace_of(deployment)}/pods")
        except Unseen:
            pods = []
        findings.append(not_ready(deployment, pods))
    return findings


def judge(deployments: Sequence[Json], served: Collection[str]) -> tuple[list[Finding], list[Json]]:
    """Kinds that nobody acts on, and the Deployments that are not ready."""
    findings, homes = [], set()
    for controller in CONTROLLERS:
        mine = [each for each in deployments if re.search(controller.pattern, _text(each))]
        homes |= {namespace_of(each) for each in mine}
        if controller.kind and controller.kind in served and not mine:
            why = "What is made of it is stored, and nothing happens."
            fix = f"Install {controller.title}: its controller, beside its definitions."
            severity: Any = "problem" if controller.is_needed else "warning"
            what = f"Nothing acts on {controller.kind}: there is no controller of {controller.title}"
            findings.append(Finding(CHECK, severity, what, "", why, fix))
        elif mine and all(is_ready(each) for each in mine):
            where = ", ".join(sorted({namespace_of(each) for each in mine}))
            findings.append(Finding(CHECK, "ok", f"{controller.title} runs", where))
    return findings, [each for each in deployments if namespace_of(each) in homes and not is_ready(each)]


def _text(deployment: Json) -> str:
    spec = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    images = " ".join(str(each.get("image")) for each in spec.get("containers") or ())
    return f"{name_of(deployment)} {images}".lower()


def is_ready(deployment: Json) -> bool:
    """Whether as many pods are ready as are wanted, and any are."""
    wanted = (deployment.get("spec") or {}).get("replicas", 1)
    return 0 < int(wanted) <= int((deployment.get("status") or {}).get("readyReplicas") or 0)


def not_ready(deployment: Json, pods: Iterable[Json]) -> Finding:
    """Why: of its pods the first that says something, else the Deployment itself."""
    namespace, name = namespace_of(deployment), name_of(deployment)
    status = deployment.get("status") or {}
    what = f"A controller is not ready: {status.get('readyReplicas') or 0} of {(deployment.get('spec') or {}).get('replicas', 1)} pods"
    severity: Any = "warning" if status.get("readyReplicas") else "problem"
    if (deployment.get("spec") or {}).get("replicas") == 0:
        fix = f"kubectl -n {namespace} scale deployment {name} --replicas=1"
        return Finding(
            CHECK, "problem", "A controller is scaled to zero", place_of(deployment), "Nothing is done.", fix
        )
    selector = (deployment.get("spec") or {}).get("selector") or {}
    mine = [pod for pod in pods if selects(selector, labels_of(pod))]
    for pod in mine:
        reason = why_not(pod)
        if reason:
            return Finding(CHECK, severity, what, place_of(deployment), *reason)
    failed = condition(deployment, "ReplicaFailure")
    if failed and failed.get("status") == "True":
        fix = f"kubectl -n {namespace} describe replicasets"
        return Finding(
            CHECK,
            severity,
            what,
            place_of(deployment),
            f"Its pods are refused: {_clip(failed.get('message'))}.",
            fix,
        )
    fix = f"kubectl -n {namespace} describe deployment {name}"
    return Finding(CHECK, severity, what, place_of(deployment), "Its pods do not say why.", fix)


def why_not(pod: Json) -> tuple[str, str] | None:
    """Why a pod is not ready, and what to do; None where nothing can be said."""
    namespace, name = namespace_of(pod), name_of(pod)
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for each in statuses:
        waiting = (each.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason in {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}:
            image = str(each.get("image") or "")
            said = f" ({_clip(waiting.get('message'))})" if waiting.get("message") else ""
            return (
                f"The image {image} cannot be pulled{said}.",
                f"kubectl -n {namespace} describe pod {name}  # does the image exist, is there an imagePullSecret?",
            )
        ended = (each.get("lastState") or {}).get("terminated") or {}
        if reason == "CrashLoopBackOff" or ended:
            return _crash(ended, f"kubectl -n {namespace} logs {name} -c {each.get('name')} --previous")
        if reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
            return (
                f"Its container cannot be made: {_clip(waiting.get('message')) or reason}.",
                f"kubectl -n {namespace} describe pod {name}",
            )
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        said = _clip(scheduled.get("message")) or str(scheduled.get("reason"))
        return f"No node takes it: {said}.", f"kubectl -n {namespace} describe pod {name}"
    if status.get("phase") == "Running":
        return "It runs, and its readiness probe fails.", f"kubectl -n {namespace} logs {name}"
    return None


def _crash(ended: Json, fix: str) -> tuple[str, str]:
    if ended.get("reason") == "OOMKilled":
        return (
            "It was killed for want of memory.",
            "resources: {limits: {memory: 1Gi}}  # more than it has now",
        )
    code = ended.get("exitCode")
    said = _clip(ended.get("message"))
    return (
        f"It crashes{f' (exit status {code})' if code is not None else ''}{f': {said}' if said else ''}.",
        fix,
    )


def _clip(text: object) -> str:
    return " ".join(str(text or "").split())[:300].rstrip(".")
