"""What no pod of a user's server may have, each rule with its one reason.

They look at the pod as it is about to be sent, whatever put it together: choices, overrides of a profile list,
``extra_pod_config``, hooks. A rule that an administrator needs to break is waived by name
(``c.ProfileSpawner.waived_rules``). After the validating webhook of Open Data Hub's notebook controller and the
*baseline* level of the Pod Security Standards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""Those that the baseline level lets a container add."""
SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
    }
)
VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "nfs",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_RESERVED: Final = (
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/var/run/secrets",
    "/run/secrets",
)
_LABELS: Final = ("hub.jupyter.org/network-access-", "pod-security.kubernetes.io/")
_LABEL_KEYS: Final = frozenset({"statefulset", "notebook-name", "sidecar.istio.io/inject"})
_ANNOTATIONS: Final = (
    "poddefault.admission.kubeflow.org/exclude",
    "sidecar.istio.io/inject",
    "container.apparmor.security.beta.kubernetes.io/",
)


@dataclass(frozen=True)
class Denied:
    """One rule that a pod breaks."""

    rule: str
    message: str


@dataclass(frozen=True)
class Own:
    """What is the server's own: the account it runs as, the volumes with its tokens, labels it may have all the same."""

    service_account: str
    projected: Collection[str] = ()
    labels: Collection[str] = ()


def denied(pod: Json, own: Own, waived: Collection[str] = ()) -> list[Denied]:
    """Every rule that ``pod`` breaks and that is not waived."""
    found = []
    for name, rule in RULES.items():
        if name not in waived:
            found += [Denied(name, message) for message in rule(pod, own)]
    return found


def _host_path(pod: Json, _own: Own) -> Iterator[str]:
    for volume in _volumes(pod):
        if "hostPath" in volume:
            yield f"Volume {_name(volume)} is a path of the node's own disk: it reaches every other pod there."


def _volume_kind(pod: Json, _own: Own) -> Iterator[str]:
    for volume in _volumes(pod):
        kinds = {key for key, value in volume.items() if key != "name" and value is not None}
        strange = kinds - VOLUMES - {"hostPath"}
        if strange:
            yield f"Volume {_name(volume)} is of the kind {min(strange)}, which the baseline level does not have."


def _foreign_token(pod: Json, own: Own) -> Iterator[str]:
    for volume in _volumes(pod):
        sources = (volume.get("projected") or {}).get("sources") or []
        if any("serviceAccountToken" in each for each in sources) and volume.get("name") not in own.projected:
            yield f"Volume {_name(volume)} carries a token of the service account for an audience that is not ours."


def _host_namespaces(pod: Json, _own: Own) -> Iterator[str]:
    words = {"hostNetwork": "network", "hostPID": "processes", "hostIPC": "shared memory"}
    for key, word in words.items():
        if _spec(pod).get(key):
            yield f"{key}: the server would see the {word} of the node and of every pod on it."
    if _spec(pod).get("hostAliases"):
        yield "hostAliases: names of other hosts would lead elsewhere."


def _host_port(pod: Json, _own: Own) -> Iterator[str]:
    for container in _containers(pod):
        if any(port.get("hostPort") for port in container.get("ports") or []):
            yield f"Container {_name(container)} opens a port on the node's address, past every network policy."


def _privileged(pod: Json, _own: Own) -> Iterator[str]:
    for container in _containers(pod):
        context = container.get("securityContext") or {}
        if context.get("privileged"):
            yield f"Container {_name(container)} is privileged: it is root on the node."


def _escalation(pod: Json, _own: Own) -> Iterator[str]:
    for container in _containers(pod):
        context = container.get("securityContext") or {}
        if context.get("allowPrivilegeEscalation") is True:
            yield f"Container {_name(container)} may gain more rights than it starts with."


def _root(pod: Json, _own: Own) -> Iterator[str]:
    for what, context in _contexts(pod):
        if context.get("runAsUser") == 0:
            yield f"{what} runs as root."


def _capabilities(pod: Json, _own: Own) -> Iterator[str]:
    for container in _containers(pod):
        added = ((container.get("securityContext") or {}).get("capabilities") or {}).get("add") or []
        strange = sorted({str(each).upper().removeprefix("CAP_") for each in added} - CAPABILITIES)
        if strange:
            yield f"Container {_name(container)} adds the capability {strange[0]}, which reaches past the container."


def _confinement(pod: Json, _own: Own) -> Iterator[str]:
    for what, context in _contexts(pod):
        if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
            yield f"{what} switches the filter of system calls off."
        if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
            yield f"{what} switches AppArmor off."
        if context.get("procMount") not in {None, "Default"}:
            yield f"{what} unmasks /proc."
        if (context.get("seLinuxOptions") or {}).get("user") or (context.get("seLinuxOptions") or {}).get(
            "role"
        ):
            yield f"{what} sets an SELinux user or role."
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            yield f"{what} is a host process."
        for each in context.get("sysctls") or []:
            if each.get("name") not in SYSCTLS:
                yield f"{what} sets the kernel parameter {each.get('name')} of the node."


def _account(pod: Json, own: Own) -> Iterator[str]:
    spec = _spec(pod)
    for key in ("serviceAccountName", "serviceAccount"):
        found = spec.get(key)
        if found and found != own.service_account:
            yield f"It names the service account {found}; a server runs as its own ({own.service_account}) only."


def _placed(pod: Json, _own: Own) -> Iterator[str]:
    if _spec(pod).get("nodeName"):
        yield "nodeName puts it on a node past the scheduler, and past quota of nodes and taints."


def _priority(pod: Json, _own: Own) -> Iterator[str]:
    found = str(_spec(pod).get("priorityClassName") or "")
    if found.startswith("system-"):
        yield f"The priority class {found} would push the cluster's own pods out."
    if _spec(pod).get("priority") is not None:
        yield "priority is set by a priority class only."


def _runtime(pod: Json, _own: Own) -> Iterator[str]:
    if _spec(pod).get("ephemeralContainers"):
        yield "Ephemeral containers cannot be part of a start."


def _labels(pod: Json, own: Own) -> Iterator[str]:
    about = pod.get("metadata") or {}
    for key in sorted(about.get("labels") or {}):
        if key not in own.labels and (key in _LABEL_KEYS or key.startswith(_LABELS)):
            yield f"The label {key} opens a door of the network or poses as another controller's pod."
    for key in sorted(about.get("annotations") or {}):
        if key.startswith(_ANNOTATIONS):
            yield f"The annotation {key} switches a check of the cluster off."
    if about.get("ownerReferences") or about.get("finalizers"):
        yield "Owners and finalizers of a server's pod are the cluster's to set."


def _mounts(pod: Json, own: Own) -> Iterator[str]:
    for container in _containers(pod):
        paths: set[str] = set()
        for mount in container.get("volumeMounts") or []:
            path = "/" + str(mount.get("mountPath") or "").strip("/")
            parts = path.split("/") + str(mount.get("subPath") or mount.get("subPathExpr") or "").split("/")
            if ".." in parts:
                yield f"Container {_name(container)} mounts with “..” in a path."
            below = any(path == each or path.startswith(f"{each}/") for each in _RESERVED)
            reserved = path == "/" or (below and path != "/dev/shm")  # noqa: S108 — shared memory, by its one name
            if reserved and mount.get("name") not in own.projected:
                yield f"Container {_name(container)} mounts over {path}, which belongs to the system."
            if path in paths:
                yield f"Container {_name(container)} mounts two volumes at {path}."
            paths.add(path)


RULES: Final[dict[str, Callable[[Json, Own], Iterator[str]]]] = {
    "host-path": _host_path,
    "volume-kind": _volume_kind,
    "foreign-token": _foreign_token,
    "host-namespaces": _host_namespaces,
    "host-port": _host_port,
    "privileged": _privileged,
    "escalation": _escalation,
    "root": _root,
    "capabilities": _capabilities,
    "confinement": _confinement,
    "service-account": _account,
    "node-name": _placed,
    "priority": _priority,
    "runtime": _runtime,
    "labels": _labels,
    "mounts": _mounts,
}
"""By the name under which an administrator may waive it."""


def _spec(pod: Json) -> Json:
    return pod.get("spec") or {}


def _volumes(pod: Json) -> Iterator[Json]:
    yield from _spec(pod).get("volumes") or []


def _containers(pod: Json) -> Iterator[Json]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from _spec(pod).get(kind) or []


def _contexts(pod: Json) -> Iterator[tuple[str, Json]]:
    yield "The pod", _spec(pod).get("securityContext") or {}
    for container in _containers(pod):
        yield f"Container {_name(container)}", container.get("securityContext") or {}


def _name(of: Json) -> str:
    return f"“{str(of.get('name') or '?')[:63]}”"
