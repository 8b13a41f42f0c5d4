"""Nodes, devices, storage, kinds, controllers, networks and rights of a real cluster, one thing broken at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.cluster import nodes
from tests.kube_doctor.conftest import about

pytestmark = pytest.mark.cluster
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def test_labels_that_promise_a_gpu_which_nobody_gives(cluster, doctor):
    lying = nodes.Kind(nodes.T4.labels, {"nvidia.com/gpu": "0"})
    (broken,), (well,) = cluster.node("liar", *lying.parts()), cluster.node("honest", *nodes.T4.parts())
    report = doctor()
    (found,) = [each for each in about(report, broken) if each.check == "accelerators"]
    assert found.severity == "problem"
    assert found.what == "Labels promise a GPU, but no nvidia.com device can be had"
    assert "NVIDIA device plugin does not run there" in found.why
    assert f"spec.nodeName={broken}" in found.fix
    assert not about(report, well)


def test_a_node_under_pressure(cluster, doctor):
    (name,) = cluster.node("pressed")
    row = {"type": "MemoryPressure", "status": "True", "reason": "Test", "message": "memory.available<100Mi"}

    def finding():
        path = f"/api/v1/nodes/{name}"
        cluster.call("PATCH", f"{path}/status", {"status": {"conditions": [row]}}, patch="strategic")
        return [each for each in about(doctor(), name) if "Pressure" in each.what]

    (found,) = cluster.until(finding)  # KWOK may write its own once more
    assert (found.check, found.severity) == ("nodes", "warning")
    assert found.what == "A node is short of memory (MemoryPressure)"
    assert "memory.available<100Mi" in found.why


def test_a_default_class_that_makes_no_disks(cluster, doctor, mended, tmp_path):
    path = "/apis/storage.k8s.io/v1/storageclasses"
    cluster.gone_after(f"{path}/doctor-none")
    notes = {"storageclass.kubernetes.io/is-default-class": "true"}
    made = {
        "metadata": {"name": "doctor-none", "annotations": notes},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    cluster.call("POST", path, made)
    found = {each.what: each for each in about(doctor(), "doctor-none")}
    none = found["The default StorageClass makes no disks itself"]
    assert none.severity == "problem"
    assert found["The default StorageClass cannot grow disks"].severity == "warning"
    mended(none.fix.partition("  #")[0], tmp_path)
    assert not [each for each in about(doctor(), "doctor-none") if "default StorageClass" in each.what]


def test_a_component_in_part_and_in_another_version(cluster, doctor):
    name = "localqueues.kueue.x-k8s.io"
    names = {"plural": "localqueues", "singular": "localqueue", "kind": "LocalQueue"}
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1alpha9", "served": True, "storage": True, "schema": anything}
    spec = {"group": "kueue.x-k8s.io", "names": names, "scope": "Namespaced", "versions": [version]}
    cluster.gone_after(f"{DEFINITIONS}/{name}")
    notes = {"api-approved.kubernetes.io": "unapproved, a test"}
    cluster.call("POST", DEFINITIONS, {"metadata": {"name": name, "annotations": notes}, "spec": spec})
    cluster.until(lambda: cluster.exists("/apis/kueue.x-k8s.io/v1alpha9"))
    found = {each.what: each for each in about(doctor(), "ueue", "problem")}
    part = found["Kueue is installed in part: a definition is missing"]
    assert part.where == "clusterqueues.kueue.x-k8s.io"
    other = found["localqueues are not served as v1beta2"]
    assert "This cluster serves v1alpha9" in other.why
    assert f"Nothing acts on {name}: there is no controller of Kueue" in found


def test_a_controller_that_no_node_takes_and_one_that_is_refused(cluster, doctor):
    cluster.node("room")
    namespace = cluster.namespace("ctl")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    for name, selector in (("katib-controller", {"no": "such"}), ("beside", None)):
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"nodeSelector": selector, "containers": [{"name": "main", "image": "none"}]},
        }
        spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
        if name == "beside":
            template["spec"]["serviceAccountName"] = "gone"
        cluster.call("POST", path, {"metadata": {"name": name}, "spec": spec})

    def both():
        found = {each.where: each for each in about(doctor(), f"{namespace}/")}
        pending = found.get(f"{namespace}/katib-controller")
        refused = found.get(f"{namespace}/beside")
        said = pending and refused and "No node takes it" in pending.why and "refused" in refused.why
        return (pending, refused) if said else None

    pending, refused = cluster.until(both)
    assert pending.severity == refused.severity == "problem"
    assert pending.what == "A controller is not ready: 0 of 1 pods"
    assert "nodes are available" in pending.why
    assert pending.fix.startswith(f"kubectl -n {namespace} describe pod katib-controller-")
    assert 'serviceaccount "gone" not found' in refused.why


@pytest.fixture
def hub(cluster):
    """What is left of a Hub when nobody looks inside: Deployments with its labels, and an account."""
    namespace = cluster.namespace("hub")
    cluster.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "hub"}})
    for name in ("hub", "proxy"):
        labels = {"app": "jupyterhub", "component": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": "hub", "containers": [{"name": "main", "image": "none"}]},
        }
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        cluster.call("POST", path, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    return namespace


def test_network_policies_that_cut_servers_off(cluster, doctor, mended, hub, profile, tmp_path):
    name = profile("cut")
    path = f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies"
    shut = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    cluster.call("POST", path, {"metadata": {"name": "shut"}, "spec": shut})
    found = {each.what: each for each in about(doctor(name), name) if each.check == "network"}
    assert {each.severity for each in found.values()} == {"problem"}
    assert list(found) == [
        "A NetworkPolicy keeps the Hub out",
        "A NetworkPolicy keeps servers from the Hub",
        "A NetworkPolicy keeps servers from DNS",
    ]
    for each in found.values():
        mended(each.fix, tmp_path)
    assert not [each for each in about(doctor(name), name) if each.check == "network" and each.where]


def test_the_rights_of_the_hubs_account(cluster, doctor, mended, hub, profile):
    name, account = profile("ruled"), f"{hub}/hub"
    found = [each for each in doctor(name, hub=account).of("problem") if each.check == "hub rights"]
    found = [each for each in found if "may not" in each.what]
    assert {each.where for each in found} == {f"{account}, in the cluster", f"{account}, in {name}"}
    words = " ".join(each.what for each in found)
    assert "get, list, watch nodes" in words
    assert "bind clusterroles.rbac.authorization.k8s.io (jupyter-kubeflow-server)" in words
    assert "get, create, delete, list, patch persistentvolumeclaims" in words
    rules = [rule for each in found for rule in yaml.safe_load(each.fix.partition("\n")[2])]
    for kind, body in (
        ("clusterroles", {"rules": rules}),
        (
            "clusterrolebindings",
            {
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": hub},
                "subjects": [{"kind": "ServiceAccount", "name": "hub", "namespace": hub}],
            },
        ),
    ):
        cluster.gone_after(f"{RBAC}/{kind}/{hub}")
        cluster.call("POST", f"{RBAC}/{kind}", {"metadata": {"name": hub}, **body})

    def is_well():
        report = doctor(name, hub=account)
        found = [each.what for each in report.checks if each.check == "hub rights" and each.severity != "ok"]
        return found == ["The ClusterRole jupyter-kubeflow-server is missing"] or not found

    cluster.until(is_well)  # the API server learns of roles a moment later


def test_somebody_with_few_rights_is_told_what_to_ask_for(cluster, doctor, mended, profile, tmp_path):
    cluster.node("unseen")
    user, name = f"eve-{os.getpid()}@example.com", profile("few")
    report = doctor(name, user=user)
    unknown = {each.check: each for each in report.of("unknown")}
    nodes_ = unknown["nodes"]
    assert nodes_.what == "The nodes could not be looked at"
    assert nodes_.why == "You may not list nodes."
    assert nodes_.fix.endswith(f"clusterrolebinding read-nodes --clusterrole=read-nodes --user={user}")
    (rights,) = [each for each in report.checks if each.check == "rights"]
    assert rights.severity == "warning"
    assert f"--user={user} -n {name}" in rights.fix
    for kind in ("clusterroles", "clusterrolebindings"):
        cluster.gone_after(f"{RBAC}/{kind}/read-nodes")
    mended(nodes_.fix.partition(": ")[2], tmp_path)
    cluster.until(lambda: "nodes" not in {each.check for each in doctor(name, user=user).of("unknown")})


def test_who_may_only_read_sees_all_of_it(cluster, doctor):
    """So that nothing is written: whatever else it did, this user would be refused, and it would say so."""
    user = f"reader-{os.getpid()}"
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    for kind, body in (
        ("clusterroles", {"rules": rules}),
        ("clusterrolebindings", {"roleRef": role, "subjects": [subject]}),
    ):
        cluster.gone_after(f"{RBAC}/{kind}/{user}")
        cluster.call("POST", f"{RBAC}/{kind}", {"metadata": {"name": user}, **body})
    cluster.until(lambda: not doctor(user=user).of("unknown"))


def test_the_command(cluster):
    command = [sys.executable, "-m", "jupyter_ext.cli", "doctor", "--cluster", "--json"]
    done = subprocess.run(
        [*command, "--kubeconfig", str(cluster.kubeconfig)], capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1), done.stderr
    assert found["cluster"] == {"server": cluster.server, "version": "v1.34.4", "user": "test-admin"}
    assert found["requests"] < 200
    assert all(
        {"name", "ok", "required", "detail", "severity", "fix"} <= set(each) for each in found["checks"]
    )
    assert all(each["fix"] for each in found["checks"] if each["severity"] == "problem")


def test_a_server_that_does_not_answer(cluster, doctor, tmp_path):
    away = json.loads(cluster.kubeconfig.read_text())
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(json.dumps(away))
    report = doctor(kubeconfig=tmp_path / "config")
    (found,) = report.checks
    assert (found.severity, found.what) == ("problem", "The API server does not answer")
    assert not report.ok
