from __future__ import annotations

import pytest

from spawner.starts.identity import PIPELINES_VOLUME, pipelines_volume
from spawner.starts.rules import RULES, Own, denied

OWN = Own("jupyter-ada", (PIPELINES_VOLUME,))


def pod(spec=None, container=None, **about):
    main = {"name": "notebook", "image": "x", **(container or {})}
    return {
        "metadata": about,
        "spec": {"containers": [main], "serviceAccountName": "jupyter-ada", **(spec or {})},
    }


def mount(path: str, **more) -> dict[str, object]:
    return {"volumeMounts": [{"name": "v", "mountPath": path, **more}]}


TOKEN = {"name": "mine", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}]}}


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ("host-path", pod({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]})),
        ("volume-kind", pod({"volumes": [{"name": "v", "iscsi": {"targetPortal": "x"}}]})),
        ("foreign-token", pod({"volumes": [TOKEN]})),
        ("host-namespaces", pod({"hostNetwork": True})),
        ("host-namespaces", pod({"hostPID": True})),
        ("host-namespaces", pod({"hostIPC": True})),
        ("host-port", pod(container={"ports": [{"containerPort": 8888, "hostPort": 80}]})),
        ("privileged", pod(container={"securityContext": {"privileged": True}})),
        ("privileged", pod({"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]})),
        ("escalation", pod(container={"securityContext": {"allowPrivilegeEscalation": True}})),
        ("root", pod({"securityContext": {"runAsUser": 0}})),
        ("capabilities", pod(container={"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}})),
        ("capabilities", pod(container={"securityContext": {"capabilities": {"add": ["cap_sys_admin"]}}})),
        ("confinement", pod(container={"securityContext": {"seccompProfile": {"type": "Unconfined"}}})),
        ("confinement", pod(container={"securityContext": {"procMount": "Unmasked"}})),
        ("confinement", pod({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}})),
        ("service-account", pod({"serviceAccountName": "default-editor"})),
        ("node-name", pod({"nodeName": "gpu-1"})),
        ("priority", pod({"priorityClassName": "system-node-critical"})),
        ("priority", pod({"priority": 2000000000})),
        ("runtime", pod({"ephemeralContainers": [{"name": "e"}]})),
        ("labels", pod(labels={"hub.jupyter.org/network-access-hub": "true"})),
        ("labels", pod(labels={"sidecar.istio.io/inject": "false"})),
        ("labels", pod(annotations={"poddefault.admission.kubeflow.org/exclude": "true"})),
        ("labels", pod(ownerReferences=[{"kind": "StatefulSet"}])),
        ("mounts", pod(container=mount("/etc"))),
        ("mounts", pod(container=mount("/var/run/secrets/kubernetes.io/serviceaccount"))),
        ("mounts", pod(container=mount("/data/../etc"))),
        ("mounts", pod(container=mount("/data", subPath="../x"))),
        (
            "mounts",
            pod(
                container={
                    "volumeMounts": [{"name": n, "mountPath": p} for n, p in (("a", "/d"), ("b", "/d/"))]
                }
            ),
        ),
    ],
)
def test_each_rule_denies_for_one_reason(rule, bad):
    found = denied(bad, OWN)
    assert [each.rule for each in found] == [rule]
    assert found[0].message.endswith(".")
    assert denied(bad, OWN, waived=[rule]) == []


def test_an_ordinary_server_breaks_none():
    ordinary = pod(
        {
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": "claim-ada"}},
                {"name": "shm", "emptyDir": {"medium": "Memory"}},
                pipelines_volume(),
            ],
            "securityContext": {"fsGroup": 100, "seccompProfile": {"type": "RuntimeDefault"}},
        },
        {
            "ports": [{"name": "notebook-port", "containerPort": 8888}],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [
                {"name": "home", "mountPath": "/home/jovyan"},
                {"name": "shm", "mountPath": "/dev/shm"},
                {"name": PIPELINES_VOLUME, "mountPath": "/var/run/secrets/kubeflow/pipelines"},
            ],
        },
        labels={"component": "singleuser-server", "add-gcs": "true"},
    )
    assert denied(ordinary, OWN) == []


def test_every_rule_has_a_test():
    tested = {
        mark.args[1][i][0]
        for mark in test_each_rule_denies_for_one_reason.pytestmark
        for i in range(len(mark.args[1]))
    }
    assert tested == set(RULES)
