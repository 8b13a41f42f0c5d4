"""What the choices of the form and the server's identity add to the pod that KubeSpawner puts together.

Everything is written into the pod, never into the spawner: a second start with other choices begins afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spawner.starts import identity

if TYPE_CHECKING:
    from spawner.form.options import Options

Json = dict[str, Any]

MAIN: Final = "notebook"
HOME: Final = "home"
CLAIM: Final = "accelerator"


@dataclass(frozen=True)
class Additions:
    """What is the same for whatever was chosen."""

    account: str
    labels: Mapping[str, str] = field(default_factory=dict)
    api_token: bool = True
    pipelines_token: bool = True
    audience: str = identity.PIPELINES_AUDIENCE
    token_seconds: int = 7200
    home_claim: str = ""
    is_restricted: bool = False
    """The namespace wants pods that say they are not root. Elsewhere it is not said: the kubelet then refuses images
    whose user is a name and not a number."""

    @property
    def projected(self) -> tuple[str, ...]:
        """The volumes that may carry a token."""
        return (identity.PIPELINES_VOLUME,) if self.pipelines_token else ()


def dressed(pod: Json, additions: Additions, options: Options | None = None) -> Json:
    """``pod`` (as JSON; changed in place and returned) with choices, identity and safe defaults."""
    spec = pod["spec"]
    main = next((each for each in spec["containers"] if each.get("name") == MAIN), spec["containers"][0])
    if options is not None:
        _choices(pod, main, options, additions.home_claim)
    spec["serviceAccountName"] = additions.account
    spec.pop("serviceAccount", None)
    spec["automountServiceAccountToken"] = additions.api_token
    spec.setdefault("enableServiceLinks", False)
    if additions.pipelines_token:
        _volume(spec, identity.pipelines_volume(additions.audience, additions.token_seconds))
        mount = {"name": identity.PIPELINES_VOLUME, "mountPath": identity.PIPELINES_PATH, "readOnly": True}
        _mount(main, mount)
        _variable(main, identity.PIPELINES_VARIABLE, f"{identity.PIPELINES_PATH}/token")
    pod["metadata"].setdefault("labels", {}).update(additions.labels)
    _confine(spec, main)
    if additions.is_restricted:
        spec["securityContext"].setdefault("runAsNonRoot", True)
    return pod


def _choices(pod: Json, main: Json, options: Options, home_claim: str) -> None:
    spec = pod["spec"]
    main["image"] = options.image.reference
    for name in ("JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"):
        _variable(main, name, options.image.reference)
    resources = main.setdefault("resources", {})
    resources.setdefault("requests", {}).update(options.requests())
    resources.setdefault("limits", {}).update(options.limits())
    if options.node_selector:
        spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **options.node_selector}
    if options.node_affinity():
        _require(spec, options.node_affinity())
    if options.tolerations:
        own = spec.get("tolerations") or []
        had = [{key: each[key] for key in each.keys() - {"tolerationSeconds"}} for each in own]
        spec["tolerations"] = [*own, *(new for each in options.tolerations if (new := dict(each)) not in had)]
    pod["metadata"].setdefault("labels", {}).update(options.labels())
    if options.home is not None and home_claim:
        _volume(spec, {"name": HOME, "persistentVolumeClaim": {"claimName": home_claim}})
        _mount(main, {"name": HOME, "mountPath": options.home.mount})
    for number, data in enumerate(options.data):
        name = f"data-{number}"
        claim = {"claimName": data.claim, "readOnly": data.read_only}
        _volume(spec, {"name": name, "persistentVolumeClaim": claim})
        _mount(main, {"name": name, "mountPath": data.mount, "readOnly": data.read_only})
    if options.claim:
        spec["resourceClaims"] = [
            *(spec.get("resourceClaims") or []),
            {"name": CLAIM, "resourceClaimTemplateName": pod["metadata"]["name"]},
        ]
        resources.setdefault("claims", []).append({"name": CLAIM})


def _require(spec: Json, expressions: list[Json]) -> None:
    """Every alternative that is there already must hold these as well."""
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity = spec["affinity"] = dict(spec.get("affinity") or {})
    of_nodes = affinity["nodeAffinity"] = dict(affinity.get("nodeAffinity") or {})
    terms = (of_nodes.get(key) or {}).get("nodeSelectorTerms") or [{}]
    of_nodes[key] = {
        "nodeSelectorTerms": [
            {**term, "matchExpressions": [*(term.get("matchExpressions") or []), *expressions]}
            for term in terms
        ]
    }


def claim_template(name: str, namespace: str, claim: Mapping[str, Any]) -> Json:
    """The ResourceClaimTemplate for a device of a DRA class, of which the pod gets a claim of its own."""
    exactly = {
        "deviceClassName": str(claim["device_class"]),
        "allocationMode": "ExactCount",
        "count": int(claim["count"]),
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"spec": {"devices": {"requests": [{"name": CLAIM, "exactly": exactly}]}}},
    }


def home_claim(
    name: str, options: Options, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Json | None:
    """The claim of the home volume, if one was chosen."""
    if options.home is None:
        return None
    spec: Json = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": options.home.size}},
    }
    if options.home.storage_class:
        spec["storageClassName"] = options.home.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": dict(labels), "annotations": dict(annotations)},
        "spec": spec,
    }


def _confine(spec: Json, main: Json) -> None:
    """What Kubernetes' *restricted* level asks for and no server needs to do without; set values stay."""
    context = spec["securityContext"] = dict(spec.get("securityContext") or {})
    context.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    context.setdefault("fsGroup", 100)
    context.setdefault("fsGroupChangePolicy", "OnRootMismatch")
    own = main["securityContext"] = dict(main.get("securityContext") or {})
    own.setdefault("allowPrivilegeEscalation", False)
    own.setdefault("capabilities", {"drop": ["ALL"]})


def _volume(spec: Json, volume: Json) -> None:
    spec["volumes"] = [each for each in spec.get("volumes") or [] if each.get("name") != volume["name"]] + [
        volume
    ]


def _mount(container: Json, mount: Json) -> None:
    kept = [each for each in container.get("volumeMounts") or [] if each.get("name") != mount["name"]]
    container["volumeMounts"] = [*kept, mount]


def _variable(container: Json, name: str, value: str) -> None:
    kept = [each for each in container.get("env") or [] if each.get("name") != name]
    container["env"] = [*kept, {"name": name, "value": value}]
