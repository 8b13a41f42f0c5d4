"""Pods, nodes and events as a real API server gives them, cut to what is read of them."""

from __future__ import annotations

from typing import Any

GPU = "nvidia.com/gpu"


def pod(
    name="jupyter-ada",
    namespace="ada",
    *,
    phase="Pending",
    node=None,
    wants=None,
    conditions=(),
    waiting=None,
    terminated=None,
    last=None,
    ready=False,
    status=None,
    selector=None,
    tolerations=(),
    labels=None,
    meta=None,
    restarts=0,
) -> dict[str, Any]:
    state: dict[str, Any] = {}
    if waiting:
        state = {"waiting": waiting}
    elif terminated:
        state = {"terminated": terminated}
    elif phase == "Running":
        state = {"running": {"startedAt": "2026-11-22T10:00:09Z"}}
    found: dict[str, Any] = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "labels": labels or {},
            "creationTimestamp": "2026-11-22T10:00:00Z",
            **(meta or {}),
        },
        "spec": {
            "containers": [
                {
                    "name": "notebook",
                    "image": "ghcr.io/x/lab:1",
                    "resources": {"requests": wants or {"cpu": "1"}, "limits": {"memory": "2Gi"}},
                }
            ],
            "nodeSelector": selector or {},
            "tolerations": list(tolerations),
        },
        "status": {"phase": phase, "conditions": list(conditions), **(status or {})},
    }
    if node:
        found["spec"]["nodeName"] = node
    if state or last:
        found["status"]["containerStatuses"] = [
            {
                "name": "notebook",
                "image": "ghcr.io/x/lab:1",
                "ready": ready,
                "restartCount": restarts,
                "state": state,
                "lastState": {"terminated": last} if last else {},
            }
        ]
    if ready:
        found["status"]["podIP"] = "10.0.0.7"
    return found


def unschedulable(message: str) -> dict[str, Any]:
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}


def condition(kind: str, at: str) -> dict[str, Any]:
    return {"type": kind, "status": "True", "lastTransitionTime": at}


def node(name: str, has=None, *, labels=None, taints=(), cordoned=False) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": list(taints), **({"unschedulable": True} if cordoned else {})},
        "status": {"allocatable": {"cpu": "32", "memory": "128Gi", "pods": "110", **(has or {})}},
    }


def event(reason: str, message: str = "", at: str = "2026-11-22T10:00:05Z", kind: str = "Normal", **more):
    return {
        "metadata": {"name": f"e.{reason}", "uid": f"{reason}-{at}", "namespace": "ada"},
        "involvedObject": {"kind": "Pod", "uid": "uid-jupyter-ada", "name": "jupyter-ada"},
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "eventTime": None,
        **more,
    }
