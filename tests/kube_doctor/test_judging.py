"""What follows from what was read: tables, and laws over what nobody thought of."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.kube_doctor import (
    components,
    controllers,
    definitions,
    istio,
    networks,
    nodes,
    server,
    storage,
)
from jupyter_ext.cluster.kube_doctor.findings import ORDER, ClusterReport, Finding, grouped, in_order
from jupyter_ext.cluster.kube_doctor.look import selects
from jupyter_ext.cluster.kube_doctor.profiles import collisions, judge_bindings, kfam_name
from jupyter_ext.cluster.kube_doctor.profiles import judge as judge_profiles
from jupyter_ext.cluster.kube_doctor.quotas import judge_quota, judge_range
from jupyter_ext.cluster.kube_doctor.rights import Wanted, lacking

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def second(number: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=number)


@pytest.mark.parametrize(
    ("text", "severity"),
    [("v1.34.4", "ok"), ("v1.28.0-gke.1", "ok"), ("v1.27.9", "warning"), ("", "unknown"), ("2", "unknown")],
)
def test_versions(text, severity):
    assert server.judge_version(text).severity == severity


@pytest.mark.parametrize(
    ("off", "words"),
    [(0, "same time"), (4, "same time"), (-4, "same time"), (90, "90 s ahead"), (-90, "89 s behind")],
)
def test_clocks(off, words):
    assert words in server.judge_clock(second(off), NOW, NOW).what


@given(st.floats(0, 30), st.floats(-3600, 3600))
def test_a_slow_answer_never_makes_a_clock_wrong(took, off):
    """The server's time is one between question and answer, cut to seconds."""
    stamped = second(took / 2 + off).replace(microsecond=0)
    found = server.judge_clock(stamped, NOW, second(took))
    assert found.severity == "ok" or abs(off) > server._SKEW - 1


def test_a_node_whose_clock_is_ahead():
    leases = [
        {"metadata": {"name": name}, "spec": {"renewTime": second(off).isoformat()}}
        for name, off in (("a", -20), ("b", 2), ("c", 3600))
    ]
    (found,) = server.judge_leases([*leases, {"metadata": {"name": "d"}, "spec": {}}], NOW)
    assert found.where == "c"


def node(name="n", ready="True", labels=None, taints=(), **allocatable):
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "allocatable": allocatable,
            "capacity": dict.fromkeys(allocatable, "8"),
            "nodeInfo": {"kubeletVersion": "v1.30.1"},
        },
    }


TAINT = {"key": "team", "value": "a", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("found", "version", "severity", "words", "fix"),
    [
        ([], "", "problem", "has no nodes", "Add a node"),
        ([node()], "", "ok", "1 of 1 nodes take", ""),
        ([node(taints=[TAINT])], "", "problem", "No node takes ordinary pods", "kubectl taint nodes n team-"),
        ([node(ready="Unknown")], "", "problem", "No node takes", "kubectl describe node n"),
        ([node()], "v1.34.0", "warning", "which this API server is not made for", "Upgrade the node"),
        ([node()], "v1.29.0", "warning", "which this API server is not made for", "Upgrade the node"),
        ([node()], "v1.33.9", "ok", "1 of 1", ""),
        (
            [node(labels={"kubernetes.io/arch": "amd64"}), node("m", labels={"kubernetes.io/arch": "arm64"})],
            "",
            "warning",
            "several architectures",
            "nodeSelector",
        ),
    ],
)
def test_nodes(found, version, severity, words, fix):
    first = in_order(nodes.judge(found, version))[0]
    assert first.severity == severity
    assert words in first.what
    assert fix in first.fix


def test_devices_that_are_ill_and_classes_without_devices():
    (found,) = nodes.judge_devices([node(**{"nvidia.com/gpu": "6"})])
    assert (found.what, found.why) == (
        "Some nvidia.com/gpu are not given out: the device plugin says they are ill",
        "6 of 8 can be had.",
    )
    classes = [{"metadata": {"name": "gpu.example.com"}}]
    assert "no devices" in nodes.judge_classes(classes, [])[0].what
    assert nodes.judge_classes(classes, [{}]) == []


def test_limits_of_the_own_node():
    assert [each.what for each in nodes.judge_machine(128, has_cgroup2=True)] == [
        "This node allows 128 inotify instances for each user"
    ]
    assert "version 1" in nodes.judge_machine(-1, has_cgroup2=False)[0].what
    assert nodes.judge_machine(1280, has_cgroup2=True) == []


def storage_class(name, *, default=True, mode="WaitForFirstConsumer", **more):
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "metadata": {"name": name, "annotations": notes},
        "provisioner": "csi",
        "volumeBindingMode": mode,
        "allowVolumeExpansion": True,
    } | more


@pytest.mark.parametrize(
    ("classes", "zones", "severity", "words"),
    [
        ([], (), "problem", "There is no StorageClass that makes disks"),
        ([storage_class("a", default=False)], (), "problem", "No StorageClass is the default"),
        ([storage_class("a")], ("x", "y"), "ok", "a, WaitForFirstConsumer"),
        ([storage_class("a", mode="Immediate")], ("x", "y"), "warning", "binds disks at once"),
        ([storage_class("a", mode="Immediate")], ("x",), "ok", "a, Immediate"),
        ([storage_class("a"), storage_class("b")], (), "warning", "Several StorageClasses"),
        ([storage_class("a", provisioner="kubernetes.io/no-provisioner")], (), "problem", "makes no disks"),
    ],
)
def test_storage(classes, zones, severity, words):
    first = in_order(storage.judge(classes, zones))[0]
    assert first.severity == severity
    assert words in first.what


def test_definitions_of_all_sorts():
    whole = {kind.name: frozenset({kind.version}) for each in definitions.COMPONENTS for kind in each.kinds}
    assert {each.severity for each in definitions.judge(whole, {})} == {"ok"}
    kueue = {name: frozenset({"v1beta1"}) for name in whole if "kueue" in name}
    assert {each.severity for each in definitions.judge(whole | kueue, {})} == {"ok"}
    nothing = definitions.judge({}, {})
    assert {each.severity for each in nothing} == {"ok", "warning"}
    assert all(each.fix for each in nothing if each.severity == "warning")
    old = {
        "spec": {
            "versions": [
                {"name": "v1", "served": True},
                {"name": "v1beta1", "served": True, "deprecated": True},
            ]
        },
        "status": {
            "storedVersions": ["v1beta1", "v1"],
            "conditions": [{"type": "Established", "status": "False", "message": "not yet"}],
        },
    }
    found = {each.what: each for each in definitions.judge(whole, {"profiles.kubeflow.org": old})}
    stored = found["Objects may be stored as v1beta1, which is served no longer or deprecated"]
    assert '{"status":{"storedVersions":["v1"]}}' in stored.fix
    assert found["A definition is not in use"].why == "not yet."


WAITING = [
    (
        {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "image": "x:1"},
        "The image x:1 cannot be pulled.",
    ),
    (
        {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": "OOMKilled"}},
        },
        "It was killed for want of memory.",
    ),
    (
        {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 3, "message": "no\nsecret"}},
        },
        "It crashes (exit status 3): no secret.",
    ),
    (
        {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "a" not found'}}},
        'Its container cannot be made: secret "a" not found.',
    ),
]


@pytest.mark.parametrize(("container", "words"), WAITING)
def test_why_a_controller_is_not_ready(container, words):
    pod = {
        "metadata": {"namespace": "kserve", "name": "p", "labels": {"app": "k"}},
        "status": {"containerStatuses": [{"name": "c", **container}]},
    }
    deployment = {
        "metadata": {"namespace": "kserve", "name": "kserve-controller-manager"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "k"}}},
    }
    found = controllers.not_ready(deployment, [pod])
    assert (found.severity, found.why) == ("problem", words)
    assert found.fix


def test_a_controller_that_was_scaled_to_zero():
    deployment = {"metadata": {"namespace": "k", "name": "katib-controller"}, "spec": {"replicas": 0}}
    found, ill = controllers.judge([deployment], {"experiments.kubeflow.org"})
    assert (found, ill) == ([], [deployment])
    assert (
        controllers.not_ready(deployment, []).fix
        == "kubectl -n k scale deployment katib-controller --replicas=1"
    )


def test_components():
    assert "no ClusterTrainingRuntimes" in components.judge_runtimes([])[0].what
    configuration = {
        "metadata": {"namespace": "kserve", "name": "c"},
        "data": {"ingress": '{"enableGatewayApi": true}'},
    }
    assert "not installed" in components.judge_serving(configuration, [{}], has_routes=False)[0].what
    assert components.judge_serving(configuration, [{}], has_routes=True) == []
    assert "is missing" in components.judge_serving(None, [{}], has_routes=True)[0].what
    queue = {
        "metadata": {"name": "q"},
        "status": {"conditions": [{"type": "Active", "status": "False", "message": "no flavor"}]},
    }
    assert components.judge_queues([queue])[0].why == "What is put there waits: no flavor."


def quota(**hard):
    metadata = {"namespace": "ann", "name": "kf-resource-quota", "ownerReferences": [{"kind": "Profile"}]}
    return {"metadata": metadata, "spec": {"hard": hard}, "status": {"used": {"cpu": "4"}}}


def test_quotas_of_profiles_are_mended_in_the_profile():
    found = {
        each.what: each.fix
        for each in judge_quota(quota(**{"memory": "0", "cpu": "4", "nvidia.com/gpu": "1"}), [])
    }
    assert found["A quota allows 0 memory"] == (
        """kubectl patch profile ann --type=merge -p '{"spec": {"resourceQuotaSpec": {"hard": {"memory": "32Gi"}}}}'"""
    )
    assert (
        "/spec/resourceQuotaSpec/hard/requests.nvidia.com~1gpu"
        in found["A quota's nvidia.com/gpu limits nothing"]
    )
    assert "A quota is used up: cpu" in found
    ranges = {"spec": {"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]}}
    assert judge_quota(quota(**{"limits.memory": "4Gi"}), [ranges]) == []


def test_ranges():
    row = {"type": "Container", "max": {"memory": "64Mi"}, "maxLimitRequestRatio": {"cpu": "1"}}
    found = judge_range({"metadata": {"namespace": "ann", "name": "r"}, "spec": {"limits": [row]}})
    assert [each.what for each in found] == [
        "A LimitRange allows a container 64Mi of memory at most",
        "A LimitRange bounds limit by request (cpu 1)",
    ]


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30), max_size=4))
def test_no_quota_breaks_the_doctor(hard):
    for found in judge_quota(quota(**hard) if all(hard) else {"spec": {"hard": hard}}, []):
        assert found.severity in ORDER


HUB = networks.Peer("hub", (("kubernetes.io/metadata.name", "hub"),), (("component", "hub"),), account="hub")
FROM_HUB = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "hub"}}}
SERVERS = {"matchLabels": {"component": "singleuser-server"}}


@pytest.mark.parametrize(
    ("spec", "comes_in"),
    [
        (None, True),
        ({"podSelector": {}}, False),
        ({"podSelector": {"matchLabels": {"app": "other"}}}, True),
        ({"podSelector": {}, "policyTypes": ["Egress"]}, True),
        ({"podSelector": SERVERS, "ingress": [{}]}, True),
        ({"podSelector": SERVERS, "ingress": [{"from": [{"podSelector": {}}]}]}, False),
        ({"podSelector": SERVERS, "ingress": [{"from": [FROM_HUB]}]}, True),
        ({"podSelector": SERVERS, "ingress": [{"from": [FROM_HUB], "ports": [{"port": 80}]}]}, False),
        ({"podSelector": SERVERS, "ingress": [{"from": [FROM_HUB], "ports": [{"port": 1, "endPort": 9000}]}]}, True),
        ({"podSelector": SERVERS, "ingress": [{"from": [FROM_HUB], "ports": [{"port": 8888, "protocol": "UDP"}]}]}, False),
        ({"podSelector": {}, "ingress": [{"from": [{**FROM_HUB, "podSelector": {"matchLabels": {"component": "proxy"}}}]}]}, False),
        ({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, True),
    ],
)  # fmt: skip
def test_who_comes_in_by_network_policies(spec, comes_in):
    policies = [] if spec is None else [{"spec": spec}]
    assert networks.passes(policies, networks.SERVER, "Ingress", HUB, 8888) is comes_in


def test_the_policies_that_our_own_profiles_get_let_the_hub_in():
    from spawner.profiles.declared import Network, Wish
    from spawner.profiles.policy import Platform, hub_policy, network_policies, owner_policy

    made = network_policies(Network(), Platform(hub_namespace="hub"))
    assert networks.judge({"metadata": {"name": "ann"}}, made, [HUB]) == []
    elsewhere = network_policies(Network(), Platform(hub_namespace="other"))
    assert [each.what for each in networks.judge({"metadata": {"name": "ann"}}, elsewhere, [HUB])] == [
        "A NetworkPolicy keeps the Hub out"
    ]

    wish = Wish(name="ann", owner={"kind": "User", "name": "ann"})
    owners = owner_policy(wish, Platform())
    (found,) = istio.judge_mesh("ann", [owners], [HUB])
    assert found.what == "An AuthorizationPolicy keeps the Hub out"
    assert "cluster.local/ns/hub/sa/hub" in found.fix
    assert istio.judge_mesh("ann", [owners, hub_policy([HUB.principal])], [HUB]) == []


def test_the_hubs_own_policies():
    place = {"metadata": {"name": "ann"}}
    server = {"namespaceSelector": {}, "podSelector": SERVERS}
    shut = [{"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}]
    words = [each.what for each in networks.judge_hub(place, {"hub": shut}, [HUB])]
    assert words == [
        "A NetworkPolicy of the Hub's namespace keeps the Hub from servers",
        "A NetworkPolicy of the Hub's namespace keeps servers out",
    ]
    ways = {
        "podSelector": {},
        "ingress": [{"from": [server], "ports": [{"port": 8081}]}],
        "egress": [{"to": [server], "ports": [{"port": 8888}]}],
    }
    assert networks.judge_hub(place, {"hub": [{"spec": ways}]}, [HUB]) == []
    assert networks.judge_hub(place, {}, [HUB]) == []


def test_sidecars():
    meshed = {
        "metadata": {
            "name": "ann",
            "labels": {"istio-injection": "enabled", "pod-security.kubernetes.io/enforce": "baseline"},
        }
    }
    assert istio.is_meshed(meshed)
    found = {each.what: each for each in istio.judge_injection([meshed], [], [])}
    assert "Profiles ask for Istio's sidecars, and nobody injects them" in found
    assert "NET_ADMIN" in found["Pods with a sidecar are refused by pod security"].why
    injector = {"metadata": {"name": "istio-sidecar-injector"}}
    assert istio.judge_injection([meshed], [injector], [{"metadata": {"name": "istio-cni-node"}}]) == []


RULE = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/log"]}


@pytest.mark.parametrize(
    ("wanted", "rule", "verbs"),
    [
        (Wanted(("get", "create"), "pods"), RULE, ("create",)),
        (Wanted(("get",), "pods/log"), RULE, None),
        (Wanted(("get",), "pods", "apps"), RULE, ("get",)),
        (Wanted(("get",), "pods"), RULE | {"resourceNames": ["a"]}, ("get",)),
        (Wanted(("get",), "pods", name="a"), RULE | {"resourceNames": ["a"]}, None),
        (Wanted(("bind",), "x", "y"), {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, None),
    ],
)
def test_what_rules_allow(wanted, rule, verbs):
    found = lacking(wanted, [rule])
    assert (found and found.verbs) == verbs


def test_profiles_that_cannot_be_entered():
    def profile(name, owner="a", kind="User"):
        return {"metadata": {"name": name}, "spec": {"owner": {"kind": kind, "name": owner}}}

    spaces = [{"metadata": {"name": "b", "annotations": {"owner": "other"}}}]
    named = [profile("a"), profile("b"), profile("kube-system"), profile("c", kind="Robot")]
    sample = profile("kubeflow-user-example-com", "user@example.com")
    words = [each.what for each in judge_profiles([*named, sample], spaces)]
    assert words == [
        "A Profile has no namespace",
        "A Profile and its namespace have different owners",
        "A Profile is called as the cluster's own namespace",
        "A Profile has no owner that can be read",
        "The sample user of Kubeflow's manifests is there",
        "A Profile has no namespace",
    ]


PEOPLE = st.lists(st.from_regex(r"[a-zA-Z0-9.+_-]{1,6}@[a-z]{1,2}", fullmatch=True), max_size=8)


@given(PEOPLE)
def test_people_of_one_binding_name_and_no_others(people):
    groups = collisions(people)
    inside = [person for group in groups for person in group]
    assert len(inside) == len(set(inside))
    assert all(len({kfam_name("User", person, "edit") for person in group}) == 1 for group in groups)
    alone = set(people) - set(inside)
    assert len({kfam_name("User", person, "edit") for person in alone}) == len(alone)


def test_bindings_of_groups_and_of_nobody_are_left_alone():
    binding = {"metadata": {"annotations": {"user": "a"}}, "subjects": [{"kind": "Group", "name": "g"}]}
    assert [each.severity for each in judge_bindings([binding, {}], [""])] == ["ok"]


SELECTORS = st.fixed_dictionaries(
    {
        "matchLabels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "matchExpressions": st.lists(
            st.builds(
                lambda key, operator, values: {"key": key, "operator": operator, "values": values},
                st.sampled_from("ab"),
                st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
                st.lists(st.sampled_from("xy"), min_size=1),
            ),
            max_size=3,
        ),
    }
)
LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))


@given(SELECTORS, LABELS)
def test_a_selector_selects_what_each_of_its_parts_does(selector, labels):
    parts = [{"matchLabels": {key: value}} for key, value in selector["matchLabels"].items()]
    parts += [{"matchExpressions": [row]} for row in selector["matchExpressions"]]
    assert selects(selector, labels) == all(selects(part, labels) for part in parts)
    assert selects({}, labels)
    assert not selects(None, labels)


FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from("ab"),
        st.sampled_from(ORDER),
        st.sampled_from("xy"),
        st.sampled_from(["p", "q", "r", "s", "t"]),
        fix=st.just("fix"),
    )
)


@given(FINDINGS)
def test_reports_begin_with_the_worst_and_lose_nothing(findings):
    ordered = in_order(findings)
    assert set(ordered) == set(findings)
    ranks = [ORDER.index(each.severity) for each in ordered]
    assert ranks == sorted(ranks)
    together = grouped(ordered)
    assert {(each.check, each.severity, each.what) for each in together} == {
        (each.check, each.severity, each.what) for each in findings
    }
    report = ClusterReport(ordered)
    assert report.ok == ("problem" not in {each.severity for each in findings})
    assert sum(report.to_dict()["counts"].values()) == len(ordered)
