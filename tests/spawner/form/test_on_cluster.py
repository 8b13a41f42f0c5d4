"""What the form says, against what a real scheduler and a real API server then do."""

from __future__ import annotations

from typing import Any

import pytest

from spawner.form import quota, verdicts
from spawner.form.accelerators import discover
from spawner.form.capacity import Fleet
from spawner.form.devices import free_devices
from spawner.form.options import Options
from spawner.form.schema import Schema
from spawner.form.settings import configure
from spawner.form.verdicts import Situation
from tests.cluster import nodes as kinds
from tests.cluster.answers import Answer
from tests.cluster.cluster import Cluster
from tests.spawner.form import nodes

pytestmark = pytest.mark.cluster
SIZES = [{"key": "s", "cpu": "1", "memory": "2Gi"}, {"key": "l", "cpu": "20", "memory": "200Gi"}]


def fleet(cluster: Cluster) -> Fleet:
    return Fleet(*(cluster.call("GET", f"/api/v1/{plural}")["items"] for plural in ("nodes", "pods")))


def offered(cluster: Cluster, namespace: str, **more: Any) -> Schema:
    found = discover(cluster.call("GET", "/api/v1/nodes")["items"])
    return configure(sizes=SIZES, home=False, **more).extended(profiles=(namespace,), accelerators=found)


def pod(name: str, options: Options) -> dict[str, Any]:
    """The pod that these options mean, with nothing that is the spawner's own."""
    terms = [{"matchExpressions": options.node_affinity()}] if options.node_affinity() else []
    affinity = (
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
        if terms
        else {}
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "notebook", "image": "x", "resources": {"requests": options.requests(), "limits": options.limits()}}],
            "nodeSelector": dict(options.node_selector), "tolerations": [dict(each) for each in options.tolerations], "affinity": affinity,
        },
    }  # fmt: skip


def start(cluster: Cluster, namespace: str, body: dict[str, Any]) -> str:
    """The node that the scheduler chose; empty when it says that there is none."""
    path, name = f"/api/v1/namespaces/{namespace}/pods", body["metadata"]["name"]
    cluster.call("POST", path, body)
    cluster.gone_after(f"{path}/{name}")

    def decided() -> dict[str, Any] | None:
        found = cluster.call("GET", f"{path}/{name}")
        refused = any(
            each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable"
            for each in found.get("status", {}).get("conditions", ())
        )
        return found if found["spec"].get("nodeName") or refused else None

    found = cluster.until(decided)
    return str(found["spec"].get("nodeName", ""))


def test_every_accelerator_that_is_offered_is_scheduled_where_it_was_seen(cluster: Cluster) -> None:
    for name, kind in (
        ("a100", kinds.A100),
        ("mig", kinds.MIG),
        ("shared", kinds.SHARED),
        ("tpu", kinds.TPU),
        ("amd", kinds.AMD),
        ("gaudi", kinds.GAUDI),
    ):
        cluster.node(f"form-{name}", *kind.parts())
    for made in (
        nodes.gke_a100("form-whole", 2),
        nodes.gke_partitioned("form-slice"),
        nodes.aks("form-aks"),
        nodes.eks_karpenter("form-eks"),
    ):
        extra = {key: value for key, value in made["status"]["allocatable"].items() if "/" in key}
        cluster.node(made["metadata"]["name"], made["metadata"]["labels"], extra, made["spec"]["taints"])
    namespace = cluster.namespace("form")
    schema = offered(cluster, namespace)
    assert len(schema.accelerators) == 11
    for number, each in enumerate(schema.accelerators):
        options = schema.check({"accelerator": each.key})
        assert Situation(fleet(cluster)).judge(schema, options).level == "fits", each
        assert start(cluster, namespace, pod(f"p{number}", options)) in each.nodes, each


def test_the_form_and_the_scheduler_agree_until_the_last_one(cluster: Cluster) -> None:
    cluster.node("form-last", *kinds.nvidia("NVIDIA-L40S", 46068, 3).parts())
    cluster.node("form-next", *kinds.nvidia("NVIDIA-L40S", 46068, 2).parts())
    namespace, other = cluster.namespace("form"), cluster.namespace("other")
    schema = offered(cluster, namespace)
    assert [each.counts for each in schema.accelerators] == [(1, 2, 3)]
    key, own = schema.accelerators[0].key, 0
    for number, (who, count, size) in enumerate(
        [(namespace, 2, "s"), (namespace, 2, "l"), (other, 2, "s"), (other, 1, "l"), (namespace, 1, "s")]
    ):
        options = schema.check({"accelerator": key, "count": count, "size": size})
        said = Situation(fleet(cluster)).judge(schema, options)
        bound = start(cluster, who, pod(f"p{number}", options))
        assert (said.level == "fits") == bool(bound), (number, said)
        own += count if bound and who == namespace else 0
        if not bound:
            assert said.level == "busy"
            cluster.call("DELETE", f"/api/v1/namespaces/{who}/pods/p{number}")
    room = verdicts.accelerators(Situation(fleet(cluster)), schema, schema.check({}))[key]
    assert room.reason == f"2 nodes have this accelerator; all 5 are in use, {own} by your own profile."


def test_what_the_quota_refuses_is_what_the_api_server_refuses(cluster: Cluster) -> None:
    cluster.node("form-quota", *kinds.A100.parts())
    cluster.node("form-plain")
    namespace = cluster.namespace("form")
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    hard = {"requests.cpu": "5", "requests.nvidia.com/gpu": "2", "limits.memory": "300Gi", "pods": "3"}
    cluster.call(
        "POST",
        path,
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}},
    )
    schema = offered(cluster, namespace)
    key = schema.accelerators[0].key

    def left(pods: str) -> list[quota.Left]:
        """Once the controller has counted so many."""
        status = cluster.until(
            lambda: (
                (s := cluster.call("GET", f"{path}/q").get("status", {})).get("used", {}).get("pods") == pods
                and s
            )
        )
        return quota.lines([{"metadata": {"name": "q"}, "status": status}])

    started = 0
    for answer in (
        {"accelerator": key, "count": 4}, {"size": "l"}, {"accelerator": key, "count": 2}, {"accelerator": key}, {}, {}, {},
    ):  # fmt: skip
        options = schema.check(answer)
        said = Situation(fleet(cluster), left(str(started))).judge(schema, options)
        if said.level == "quota":
            with pytest.raises(Answer) as refused:
                start(cluster, namespace, pod(f"q{started}", options))
            assert refused.value.status == 403
        else:
            assert said.level == "fits", (answer, said)
            assert start(cluster, namespace, pod(f"q{started}", options))
            started += 1
    assert started == 3


def test_a_cordoned_or_lost_node_is_said(cluster: Cluster) -> None:
    cluster.node("form-cordoned", *kinds.T4.parts())
    namespace = cluster.namespace("form")
    schema = offered(cluster, namespace)
    options = schema.check({"accelerator": schema.accelerators[0].key})
    cluster.call("PATCH", "/api/v1/nodes/form-cordoned", {"spec": {"unschedulable": True}}, patch="merge")
    said = Situation(fleet(cluster)).judge(schema, options)
    assert (said.level, said.disabled) == ("never", True)
    assert said.reason == "The only node with this accelerator takes no servers: it is cordoned."
    assert start(cluster, namespace, pod("p", options)) == ""


def test_devices_of_dra_are_counted_as_the_scheduler_gives_them_out(cluster: Cluster) -> None:
    base = "/apis/resource.k8s.io/v1"
    node = cluster.node("form-dra")[0]
    driver = "gpu.form.example"
    selectors = [{"cel": {"expression": f"device.driver == '{driver}'"}}]
    device = {
        "attributes": {"productName": {"string": "NVIDIA H100 80GB HBM3"}},
        "capacity": {"memory": {"value": "80Gi"}},
    }
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {
        "driver": driver,
        "nodeName": node,
        "pool": pool,
        "devices": [{"name": f"gpu-{n}", **device} for n in range(2)],
    }
    for plural, body in (
        (
            "deviceclasses",
            {"kind": "DeviceClass", "metadata": {"name": "form-gpu"}, "spec": {"selectors": selectors}},
        ),
        ("resourceslices", {"kind": "ResourceSlice", "metadata": {"name": "form-gpu"}, "spec": spec}),
    ):
        cluster.call("POST", f"{base}/{plural}", {"apiVersion": "resource.k8s.io/v1", **body})
        cluster.gone_after(f"{base}/{plural}/form-gpu")
    namespace = cluster.namespace("form")

    def seen() -> tuple[list[Any], dict[str, int]]:
        classes, slices, claims = (
            cluster.call("GET", f"{base}/{each}")["items"]
            for each in ("deviceclasses", "resourceslices", "resourceclaims")
        )
        return discover([], classes, slices), free_devices(classes, slices, claims)

    found, free = seen()
    assert [(each.title, each.kind, each.nodes) for each in found] == [
        ("NVIDIA H100 80GB HBM3, 80 GiB", "dra", (node,))
    ]
    assert free == {"form-gpu": 2}
    schema = configure(sizes=SIZES, home=False).extended(profiles=(namespace,), accelerators=found)
    for number, fits in enumerate((True, True, False)):
        options = schema.check({"accelerator": found[0].key})
        assert options.claim == {"device_class": "form-gpu", "count": 1}
        said = Situation(fleet(cluster), free_devices=seen()[1]).judge(schema, options)
        assert (said.level == "fits") is fits, said
        request = {
            "name": "devices",
            "exactly": {"deviceClassName": options.claim["device_class"], "count": options.claim["count"]},
        }
        claim = {
            "kind": "ResourceClaim",
            "metadata": {"name": f"c{number}"},
            "spec": {"devices": {"requests": [request]}},
        }
        cluster.call(
            "POST",
            f"{base}/namespaces/{namespace}/resourceclaims",
            {"apiVersion": "resource.k8s.io/v1", **claim},
        )
        body = pod(f"p{number}", options)
        body["spec"]["resourceClaims"] = [{"name": "devices", "resourceClaimName": f"c{number}"}]
        body["spec"]["containers"][0]["resources"]["claims"] = [{"name": "devices"}]
        assert start(cluster, namespace, body) == (node if fits else "")
    assert said.reason == "0 devices of this class are free; 1 are asked for."
