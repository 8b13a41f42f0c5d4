"""Kueue's objects as administrators write them, with the status that its controller gives them."""

from __future__ import annotations

from typing import Any

GPU = "nvidia.com/gpu"


def cluster_queue(
    name: str,
    flavors: dict[str, dict[str, tuple[str, str]]],
    cohort: str = "",
    limits: dict[tuple[str, str], dict[str, str]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """``flavors``: for each, and each resource, what is owned and what is reserved."""
    limits = limits or {}
    covered = list(dict.fromkeys(key for resources in flavors.values() for key in resources))
    group = {
        "coveredResources": covered,
        "flavors": [
            {
                "name": flavor,
                "resources": [
                    {"name": key, "nominalQuota": hard, **limits.get((flavor, key), {})}
                    for key, (hard, _) in resources.items()
                ],
            }
            for flavor, resources in flavors.items()
        ],
    }
    reserved = [
        {
            "name": flavor,
            "resources": [{"name": key, "total": used, "borrowed": "0"} for key, (_, used) in rows.items()],
        }
        for flavor, rows in flavors.items()
    ]
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ClusterQueue",
        "metadata": {"name": name},
        "spec": {
            "resourceGroups": [group],
            "namespaceSelector": {},
            **({"cohortName": cohort} if cohort else {}),
            **spec,
        },
        "status": {"flavorsReservation": reserved, "flavorsUsage": reserved},
    }


def flavor(name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ResourceFlavor",
        "metadata": {"name": name},
        "spec": {"nodeLabels": labels or {}, **spec},
    }


def cohort(name: str, parent: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Cohort",
        "metadata": {"name": name},
        "spec": {"parentName": parent} if parent else {},
    }


def local_queue(name: str, behind: str, waiting: int = 0) -> dict[str, Any]:
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "LocalQueue",
        "metadata": {"name": name},
        "spec": {"clusterQueue": behind},
        "status": {"pendingWorkloads": waiting, "admittedWorkloads": 1, "reservingWorkloads": 1},
    }
