"""Nodes: whether anything can run, and whether the devices that labels promise are there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from jupyter_ext.cluster.kube_doctor.findings import Finding, grouped
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of
from jupyter_ext.cluster.kube_doctor.reading import Json, Reader, slimmed
from jupyter_ext.cluster.kube_doctor.server import condition

CHECK: Final = "nodes"
DEVICES: Final = "accelerators"
NODES: Final = "/api/v1/nodes"
_DRA: Final = "/apis/resource.k8s.io"
_PRESSURES: Final = {
    "MemoryPressure": ("is short of memory", "kubectl top pods -A --sort-by=memory  # what uses it"),
    "DiskPressure": ("is short of disk", "crictl rmi --prune  # on the node; or give it a larger disk"),
    "PIDPressure": ("is short of process ids", "Raise podPidsLimit's sum or kernel.pid_max on the node."),
    "NetworkUnavailable": (
        "has no network for pods",
        "kubectl -n kube-system get pods -o wide  # the network plugin's pod there",
    ),
}
_OWN_TAINTS: Final = "node.kubernetes.io/"
_PROMISES: Final[Sequence[tuple[str, str | None, str, str]]] = (
    ("nvidia.com/gpu.present", "true", "nvidia.com/", "the NVIDIA device plugin"),
    ("nvidia.com/gpu.product", None, "nvidia.com/", "the NVIDIA device plugin"),
    ("cloud.google.com/gke-accelerator", None, "nvidia.com/", "GKE's GPU driver installer"),
    ("k8s.amazonaws.com/accelerator", None, "nvidia.com/", "the NVIDIA device plugin"),
    ("kubernetes.azure.com/accelerator", "nvidia", "nvidia.com/", "the NVIDIA device plugin"),
    ("amd.com/gpu.product-name", None, "amd.com/", "the AMD device plugin"),
    ("habana.ai/device", None, "habana.ai/", "the Gaudi device plugin"),
    ("cloud.google.com/gke-tpu-accelerator", None, "google.com/tpu", "GKE's TPU device plugin"),
)
"""Label, its value (None: any), the prefix of the resources that it promises, and who offers these."""
_INOTIFY: Final = Path("/proc/sys/fs/inotify/max_user_instances")
_CGROUP: Final = Path("/sys/fs/cgroup/cgroup.controllers")
_INSTANCES: Final = 512


async def listed(reader: Reader) -> list[Json]:
    """All nodes, without the images they hold; raises `Unseen`."""
    return await reader.items(NODES, _slim)


def _slim(node: Json) -> Json:
    (node.get("status") or {}).pop("images", None)
    return slimmed(node)


async def check(look: Look) -> list[Finding]:
    """Nodes and, where we are in a pod, the limits of the one that we are on."""
    found = await listed(look.reader)
    version = str((await look.reader.get("/version") or {}).get("gitVersion") or "")
    return judge(found, version)


def judge(nodes: Sequence[Json], version: str = "") -> list[Finding]:
    """Each node that is not well, and whether an ordinary pod has anywhere to run."""
    if not nodes:
        why = "Every server and job waits for a node."
        return [Finding(CHECK, "problem", "The cluster has no nodes", "", why, "Add a node or a node pool.")]
    findings: list[Finding] = []
    for node in nodes:
        findings += _of_node(node)
        findings += _version_faults(node, version)
    open_ = [node for node in nodes if not closed(node)]
    if not open_:
        reasons = "; ".join(f"{name_of(node)}: {closed(node)}" for node in nodes[:3])
        why = f"An ordinary server or job fits on none of {len(nodes)} ({reasons})."
        fix = _opening(nodes)
        findings.insert(0, Finding(CHECK, "problem", "No node takes ordinary pods", "", why, fix))
    machines = {labels_of(node).get("kubernetes.io/arch") for node in open_} - {None}
    if len(machines) > 1:
        why = "An image of one architecture only fails on the others with “exec format error”."
        fix = "nodeSelector: {kubernetes.io/arch: amd64}  # or images for all of them"
        where = ", ".join(sorted(str(each) for each in machines))
        findings.append(Finding(CHECK, "warning", "Nodes have several architectures", where, why, fix))
    if findings:
        return findings
    return [Finding(CHECK, "ok", f"{len(open_):,} of {len(nodes):,} nodes take ordinary pods")]


def closed(node: Json) -> str:
    """Why an ordinary pod, which tolerates nothing, does not come here; empty if it does."""
    if (node.get("spec") or {}).get("unschedulable"):
        return "cordoned"
    ready = condition(node, "Ready")
    if not ready or ready.get("status") != "True":
        return "not ready"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") in {"NoSchedule", "NoExecute"}:
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"taint {taint.get('key')}{value}"
    return ""


def _opening(nodes: Sequence[Json]) -> str:
    for node in nodes:
        reason = closed(node)
        if reason == "cordoned":
            return f"kubectl uncordon {name_of(node)}"
        key = reason.removeprefix("taint ").partition("=")[0]
        if reason.startswith("taint ") and not key.startswith(_OWN_TAINTS):
            return f"kubectl taint nodes {name_of(node)} {key}-  # or tolerate it in the Hub's configuration"
    return f"kubectl describe node {name_of(nodes[0])}"


def _of_node(node: Json) -> list[Finding]:
    name, findings = name_of(node), []
    ready = condition(node, "Ready")
    if not ready or ready.get("status") != "True":
        said = (ready or {}).get("message") or (ready or {}).get("reason") or "its kubelet says nothing"
        fix = f"kubectl describe node {name}; journalctl -u kubelet  # on the node"
        why = f"Nothing starts there, and what ran there is lost after five minutes: {str(said).rstrip('.')}."
        findings.append(Finding(CHECK, "warning", "A node is not ready", name, why, fix))
        return findings
    for kind, (words, fix) in _PRESSURES.items():
        row = condition(node, kind)
        if row and row.get("status") == "True":
            said = str(row.get("message") or row.get("reason") or "").rstrip(".")
            why = "Nothing new starts there, and pods are evicted" + (f": {said}." if said else ".")
            findings.append(Finding(CHECK, "warning", f"A node {words} ({kind})", name, why, fix))
    return findings


def _version_faults(node: Json, server: str) -> list[Finding]:
    """A kubelet may be three minor versions older than the API server, and never newer."""
    kubelet = str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or "")
    ours, theirs = minor(kubelet), minor(server)
    if ours is None or theirs is None or theirs - 3 <= ours <= theirs:
        return []
    why = f"The API server is {server}: a kubelet may be up to three minor versions older, never newer."
    what = f"A kubelet is {kubelet}, which this API server is not made for"
    return [
        Finding(CHECK, "warning", what, name_of(node), why, "Upgrade the node to the API server's version.")
    ]


def minor(version: str) -> int | None:
    """The minor version of ``v1.34.4``; None for what is none, as KWOK's."""
    match = re.fullmatch(r"v?1\.([0-9]{1,3})\..*", version)
    return int(match[1]) if match else None


async def devices(look: Look) -> list[Finding]:
    """What labels and DRA's classes promise, against what can be had."""
    nodes = await listed(look.reader)
    findings = judge_devices(nodes)
    group = await look.reader.get(_DRA)
    version = ((group or {}).get("preferredVersion") or {}).get("version")
    if version:
        classes = await look.reader.items(f"{_DRA}/{version}/deviceclasses")
        slices = await look.reader.items(f"{_DRA}/{version}/resourceslices") if classes else []
        findings += judge_classes(classes, slices)
    if findings:
        return findings
    from spawner.form.accelerators import discover

    titles = ", ".join(each.title for each in discover(nodes))
    return [
        Finding(
            DEVICES,
            "ok",
            f"To be had: {titles}" if titles else "No node has accelerators, and none promises any",
        )
    ]


def judge_devices(nodes: Iterable[Json]) -> list[Finding]:
    """A label that promises a device which no pod can get; devices that the plugin says are ill."""
    findings = []
    for node in nodes:
        status = node.get("status") or {}
        allocatable, capacity = status.get("allocatable") or {}, status.get("capacity") or {}
        findings += _broken_promise(node, allocatable)
        for key, amount in capacity.items():
            has = _whole(allocatable.get(key))
            if "/" in key and not key.startswith("hugepages-") and 0 < has < _whole(amount):
                what = f"Some {key} are not given out: the device plugin says they are ill"
                why = f"{has} of {_whole(amount)} can be had."
                fix = "nvidia-smi -q  # on the node: XID errors, ECC; then restart the device plugin's pod there"
                findings.append(Finding(DEVICES, "warning", what, name_of(node), why, fix))
    return grouped(findings)


def _broken_promise(node: Json, allocatable: Mapping[str, object]) -> list[Finding]:
    labels, seen = labels_of(node), set()
    for key, value, prefix, offerer in _PROMISES:
        said = labels.get(key)
        if said is None or (value is not None and said != value) or prefix in seen:
            continue
        seen.add(prefix)
        if any(name.startswith(prefix) and _whole(amount) > 0 for name, amount in allocatable.items()):
            continue
        why = f"{offerer[0].upper()}{offerer[1:]} does not run there, or found no device: no pod gets one."
        fix = _plugin_fix(prefix, name_of(node))
        return [
            Finding(
                DEVICES,
                "problem",
                f"Labels promise {said if said != 'true' else 'a GPU'}, but no {prefix.rstrip('/')} device can be had",
                name_of(node),
                why,
                fix,
            )
        ]
    return []


def _plugin_fix(prefix: str, node: str) -> str:
    look = (
        f"kubectl get pods -A -o wide --field-selector spec.nodeName={node} | grep -E 'device-plugin|driver'"
    )
    if prefix == "nvidia.com/":
        return f"{look}\nhelm install gpu-operator --repo https://helm.ngc.nvidia.com/nvidia gpu-operator -n gpu-operator --create-namespace  # where there is none"
    return look


def judge_classes(classes: Sequence[Json], slices: Sequence[Json]) -> list[Finding]:
    """DRA classes without any driver that offers devices."""
    if not classes or slices:
        return []
    names = ", ".join(name_of(each) for each in classes[:3])
    why = "Claims of these classes wait for ever: no driver has published a ResourceSlice."
    fix = "kubectl get resourceslices; kubectl get pods -A | grep -i dra  # the driver's pods on the nodes"
    return [Finding(DEVICES, "warning", "DRA has classes of devices, but no devices", names, why, fix)]


def _whole(amount: object) -> int:
    from spawner.quantities import stored

    try:
        return int(stored(str(amount)))
    except ValueError:
        return 0


async def own_machine(_look: Look) -> list[Finding]:
    """The limits of the node that we are on; from outside of a cluster they cannot be seen."""
    from jupyter_ext.cluster.discover import SERVICE_ACCOUNT

    if not SERVICE_ACCOUNT.exists():
        return []
    try:
        instances = int(_INOTIFY.read_text())
    except (OSError, ValueError):
        instances = -1
    return judge_machine(instances, has_cgroup2=_CGROUP.exists())


def judge_machine(instances: int, *, has_cgroup2: bool) -> list[Finding]:
    """Of inotify and control groups; ``instances`` is -1 where it cannot be read."""
    findings = []
    if 0 <= instances < _INSTANCES:
        why = "Kubeflow's many controllers and JupyterLab's file watching fail with “too many open files”."
        fix = (
            "sysctl -w fs.inotify.max_user_instances=1280 fs.inotify.max_user_watches=655360  # on each node"
        )
        what = f"This node allows {instances} inotify instances for each user"
        findings.append(Finding(CHECK, "warning", what, "", why, fix))
    if not has_cgroup2:
        why = "Kubernetes 1.35 does not start there, and memory of a server is not shared out fairly before."
        findings.append(
            Finding(
                CHECK,
                "warning",
                "This node has control groups of version 1",
                "",
                why,
                "Boot it with systemd.unified_cgroup_hierarchy=1, or use a newer system.",
            )
        )
    return findings
