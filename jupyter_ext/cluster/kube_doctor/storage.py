"""Where the homes of servers lie: the default StorageClass, and when it makes a disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from jupyter_ext.cluster.kube_doctor.findings import Finding
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of, notes_of
from jupyter_ext.cluster.kube_doctor.reading import Json, Unseen

CHECK: Final = "storage"
CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
_OLD_DEFAULT: Final = "storageclass.beta.kubernetes.io/is-default-class"
_ZONE: Final = "topology.kubernetes.io/zone"
_NOBODY: Final = "kubernetes.io/no-provisioner"


async def check(look: Look) -> list[Finding]:
    """The classes; zones are only asked for where they matter."""
    from jupyter_ext.cluster.kube_doctor.nodes import listed

    classes = await look.reader.items(CLASSES)
    try:
        nodes = await listed(look.reader)
    except Unseen:
        nodes = []
    return judge(classes, {zone for node in nodes if (zone := labels_of(node).get(_ZONE))})


def judge(classes: Sequence[Json], zones: Iterable[str] = ()) -> list[Finding]:
    """Whether a claim that names no class gets a disk, and where its pod can run then."""
    defaults = [each for each in classes if _is_default(each)]
    if not defaults:
        return [_without_default(classes)]
    findings = []
    if len(defaults) > 1:
        names = ", ".join(name_of(each) for each in defaults)
        why = "The API server takes the newest; the others only look like it."
        fix = _marked(name_of(defaults[-1]), is_default=False)
        findings.append(Finding(CHECK, "warning", "Several StorageClasses are the default", names, why, fix))
    for each in defaults:
        findings += _of_default(each, sorted(set(zones)))
    names = ", ".join(f"{name_of(each)}, {each.get('volumeBindingMode') or 'Immediate'}" for each in defaults)
    return findings or [Finding(CHECK, "ok", f"Homes get a disk of the default StorageClass ({names})")]


def _is_default(storage: Json) -> bool:
    return any(notes_of(storage).get(key) == "true" for key in (_DEFAULT, _OLD_DEFAULT))


def _without_default(classes: Sequence[Json]) -> Finding:
    why = "A home or data volume that names no class stays without a disk, and its server is never scheduled."
    usable = [name_of(each) for each in classes if each.get("provisioner") != _NOBODY]
    if usable:
        return Finding(
            CHECK, "problem", "No StorageClass is the default", ", ".join(usable[:3]), why, _marked(usable[0])
        )
    fix = (
        "Install what makes disks here; for a try on one machine:"
        " kubectl apply -f https://raw.githubusercontent.com/rancher/local-path-provisioner/v0.0.32/deploy/local-path-storage.yaml"
    )
    return Finding(CHECK, "problem", "There is no StorageClass that makes disks", "", why, fix)


def _marked(name: str, *, is_default: bool = True) -> str:
    word = "true" if is_default else "false"
    return f"kubectl annotate storageclass {name} {_DEFAULT}={word} --overwrite"


def _of_default(storage: Json, zones: Sequence[str]) -> list[Finding]:
    name, findings = name_of(storage), []
    if storage.get("provisioner") == _NOBODY:
        why = "Each home waits until somebody makes a disk for it by hand."
        fix = _marked(name, is_default=False) + "  # and mark one that makes disks"
        findings.append(
            Finding(CHECK, "problem", "The default StorageClass makes no disks itself", name, why, fix)
        )
    is_immediate = storage.get("volumeBindingMode", "Immediate") == "Immediate"
    if is_immediate and len(zones) > 1:
        why = f"A disk is made before the pod has a node; there are {len(zones)} zones, and no pod can follow it to another."
        fix = f"In a new class, for the field cannot be changed:\nvolumeBindingMode: WaitForFirstConsumer  # as {name} otherwise"
        findings.append(
            Finding(CHECK, "warning", "The default StorageClass binds disks at once", name, why, fix)
        )
    if storage.get("allowVolumeExpansion") is not True:
        why = "A home that is full cannot be made larger."
        fix = (
            f"kubectl patch storageclass {name} -p '{{\"allowVolumeExpansion\": true}}'  # if its driver can"
        )
        findings.append(
            Finding(CHECK, "warning", "The default StorageClass cannot grow disks", name, why, fix)
        )
    return findings
