"""Which kinds the cluster has, in which versions, against those that this project speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_ext.cluster.kube_doctor.findings import Finding
from jupyter_ext.cluster.kube_doctor.reading import Json, Reader, Unseen
from jupyter_ext.cluster.kube_doctor.server import condition

CHECK: Final = "definitions"
DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Kind:
    """A custom resource, and the version in which we write and read it; ``older`` ones will do."""

    plural: str
    group: str
    version: str
    is_needed: bool = True
    older: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its definition."""
        return f"{self.plural}.{self.group}"

    def spoken(self, served: frozenset[str]) -> str:
        """The version to speak with a cluster that serves these; empty if there is none."""
        return next((each for each in (self.version, *self.older) if each in served), "")


@dataclass(frozen=True)
class Component:
    """What is installed together, what it is for here, and how it is installed.

    Without an ``optional`` one nothing of ours is missed; ``instead`` says what happens then.
    """

    title: str
    kinds: tuple[Kind, ...]
    need: str
    install: str
    instead: str = ""

    @property
    def is_optional(self) -> bool:
        """Whether there is another way."""
        return bool(self.instead)


COMPONENTS: Final = (
    Component(
        "Kubeflow Profiles",
        (Kind("profiles", "kubeflow.org", "v1"),),
        "profiles",
        "",
        "jupyter kf profiles makes the namespaces itself",
    ),
    Component(
        "Kubeflow Notebooks",
        (Kind("notebooks", "kubeflow.org", "v1"),),
        "notebooks made in the Kubeflow dashboard",
        "",
        "servers are the Hub's",
    ),
    Component(
        "PodDefaults",
        (Kind("poddefaults", "kubeflow.org", "v1alpha1"),),
        "PodDefaults in the start form",
        "",
        "the form shows none",
    ),
    Component(
        "Kubeflow Trainer",
        (
            Kind("trainjobs", "trainer.kubeflow.org", "v1alpha1"),
            Kind("clustertrainingruntimes", "trainer.kubeflow.org", "v1alpha1"),
            Kind("trainingruntimes", "trainer.kubeflow.org", "v1alpha1"),
            Kind("jobsets", "jobset.x-k8s.io", "v1alpha2"),
        ),
        "training jobs",
        "kubectl apply --server-side -k 'https://github.com/kubeflow/trainer.git/manifests/overlays/manager?ref=v2.3.0'",
    ),
    Component(
        "Katib",
        (
            Kind("experiments", "kubeflow.org", "v1beta1"),
            Kind("trials", "kubeflow.org", "v1beta1"),
            Kind("suggestions", "kubeflow.org", "v1beta1"),
        ),
        "tuning",
        "kubectl apply -k 'github.com/kubeflow/katib.git/manifests/v1beta1/installs/katib-standalone?ref=v0.19.0'",
    ),
    Component(
        "Spark operator",
        (Kind("sparkapplications", "sparkoperator.k8s.io", "v1beta2"),),
        "Spark applications",
        "helm install spark-operator --repo https://kubeflow.github.io/spark-operator spark-operator"
        " -n spark-operator --create-namespace --set-json 'spark.jobNamespaces=[\"\"]'",
    ),
    Component(
        "KServe",
        (
            Kind("inferenceservices", "serving.kserve.io", "v1beta1"),
            Kind("servingruntimes", "serving.kserve.io", "v1alpha1"),
            Kind("clusterservingruntimes", "serving.kserve.io", "v1alpha1"),
            Kind("inferencegraphs", "serving.kserve.io", "v1alpha1", is_needed=False),
        ),
        "serving models",
        "kubectl apply --server-side -f https://github.com/kserve/kserve/releases/download/v0.16.0/kserve.yaml"
        " -f https://github.com/kserve/kserve/releases/download/v0.16.0/kserve-cluster-resources.yaml",
    ),
    Component(
        "Kueue",
        (
            Kind("localqueues", "kueue.x-k8s.io", "v1beta2", older=("v1beta1",)),
            Kind("clusterqueues", "kueue.x-k8s.io", "v1beta2", older=("v1beta1",)),
        ),
        "queues in the start form",
        "",
        "starts do not queue",
    ),
    Component(
        "Gateway API",
        (
            Kind("gateways", "gateway.networking.k8s.io", "v1"),
            Kind("httproutes", "gateway.networking.k8s.io", "v1"),
        ),
        "splitting traffic of endpoints in KServe's Standard mode",
        "",
        "traffic is split by Knative, or not at all",
    ),
)


async def check(reader: Reader) -> list[Finding]:
    """Every component: there or not, whole or in part, in a version that we speak."""
    served = await served_kinds(reader)
    there = [kind for each in COMPONENTS for kind in each.kinds if served.get(kind.name)]
    looked = await asyncio.gather(*(_definition(reader, kind) for kind in there))
    definitions = {kind.name: found for kind, found in zip(there, looked, strict=True) if found is not None}
    findings = judge(served, definitions)
    hidden = next((found for found in looked if isinstance(found, Unseen)), None)
    return findings if hidden is None else [*findings, hidden.finding(CHECK)]


async def served_kinds(reader: Reader) -> dict[str, frozenset[str]]:
    """The versions in which each of our kinds is served: anybody may ask that; raises `Unseen`."""
    found = await reader.get("/apis")
    offered = {
        str(group["name"]): [str(each["version"]) for each in group.get("versions") or ()]
        for group in (found or {}).get("groups") or ()
    }
    wanted = {kind.group for each in COMPONENTS for kind in each.kinds}
    pairs = [(group, version) for group in sorted(wanted) for version in offered.get(group, ())]
    lists = await asyncio.gather(*(reader.get(f"/apis/{group}/{version}") for group, version in pairs))
    served: dict[str, set[str]] = {}
    for (group, version), kinds in zip(pairs, lists, strict=True):
        for one in (kinds or {}).get("resources") or ():
            served.setdefault(f"{one['name']}.{group}", set()).add(version)
    return {name: frozenset(versions) for name, versions in served.items()}


async def _definition(reader: Reader, kind: Kind) -> Json | Unseen | None:
    try:
        return await reader.get(f"{DEFINITIONS}/{kind.name}")
    except Unseen as unseen:
        return unseen


def judge(served: Mapping[str, frozenset[str]], definitions: Mapping[str, Any]) -> list[Finding]:
    """What is served, then what the definitions say of themselves."""
    findings: list[Finding] = []
    for component in COMPONENTS:
        missing = [kind for kind in component.kinds if kind.is_needed and not served.get(kind.name)]
        present = [kind for kind in component.kinds if served.get(kind.name)]
        if not present:
            findings.append(_absent(component))
            continue
        faults = [_half(component, missing)] if missing else []
        for kind in present:
            faults += _versions(component, kind, served[kind.name])
            found = definitions.get(kind.name)
            if isinstance(found, dict):
                faults += _definition_faults(kind, found)
        if not faults:
            spoken = ", ".join(sorted({kind.spoken(served[kind.name]) for kind in present}))
            faults = [Finding(CHECK, "ok", f"{component.title} is there ({spoken})")]
        findings += faults
    return findings


def _absent(component: Component) -> Finding:
    if component.is_optional:
        return Finding(
            CHECK,
            "ok",
            f"{component.title}: not installed, not needed",
            why=f"Without it {component.instead}.",
        )
    return Finding(
        CHECK, "warning", f"{component.title} is not installed", why=f"This cluster cannot do what needs it: {component.need}.",
        fix=component.install,
    )  # fmt: skip


def _half(component: Component, missing: Sequence[Kind]) -> Finding:
    names = ", ".join(kind.name for kind in missing)
    why = f"Without it {component.need} cannot work, or only in part."
    install = component.install or f"Install {component.title} again, with its definitions."
    return Finding(
        CHECK,
        "problem",
        f"{component.title} is installed in part: a definition is missing",
        names,
        why,
        install,
    )


def _versions(component: Component, kind: Kind, versions: frozenset[str]) -> list[Finding]:
    if kind.spoken(versions):
        return []
    what = f"{kind.plural} are not served as {kind.version}"
    why = f"This cluster serves {', '.join(sorted(versions))}; {component.need} here are written as {kind.version}."
    fix = component.install or f"Install a version of {component.title} that serves {kind.version}."
    return [Finding(CHECK, "problem", what, kind.name, why, fix)]


def _definition_faults(kind: Kind, definition: Json) -> list[Finding]:
    """What the API server says of the definition, and which versions old objects are stored in."""
    findings = []
    if (definition.get("metadata") or {}).get("deletionTimestamp"):
        why = "All objects of this kind are being deleted with it."
        fix = f"kubectl get {kind.name} -A  # what its deletion waits for"
        findings.append(Finding(CHECK, "problem", "A definition is being deleted", kind.name, why, fix))
    for name, wanted in (("Established", "True"), ("NamesAccepted", "True")):
        row = condition(definition, name)
        if row and row.get("status") != wanted:
            why = f"{row.get('message') or row.get('reason') or 'The API server gives no reason'}."
            fix = f"kubectl describe crd {kind.name}"
            findings.append(Finding(CHECK, "problem", "A definition is not in use", kind.name, why, fix))
    served = {
        str(each.get("name"))
        for each in (definition.get("spec") or {}).get("versions") or ()
        if each.get("served") and not each.get("deprecated")
    }
    stored = [str(each) for each in (definition.get("status") or {}).get("storedVersions") or ()]
    old = [each for each in stored if each not in served]
    if old:
        what = f"Objects may be stored as {', '.join(old)}, which is served no longer or deprecated"
        why = "The next upgrade that drops this version makes them unreadable."
        newest = next((each for each in stored if each in served), kind.version)
        fix = (
            f"kubectl get {kind.name} -A -o yaml | kubectl replace -f -  # stores them anew, then:\n"
            f'kubectl patch crd {kind.name} --subresource=status --type=merge -p \'{{"status":{{"storedVersions":["{newest}"]}}}}\''
        )
        findings.append(Finding(CHECK, "warning", what, kind.name, why, fix))
    return findings
