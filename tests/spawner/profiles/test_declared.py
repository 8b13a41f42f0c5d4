"""The file of profiles: what it may say, and the field and the reason where it may not."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spawner.profiles.declared import check, quota_fault, read, schema
from spawner.refused import Refused

FILE = """
defaults:
  quota: {cpu: 8, memory: 32Gi, requests.nvidia.com/gpu: 1}
  podSecurity: restricted
profiles:
  - owner: ada@example.com
  - name: team-vision
    owner: {kind: Group, name: vision}
    contributors:
      - {user: bob@example.com, role: edit}
      - {group: guests, role: view}
    quota: {cpu: 64, requests.nvidia.com/gpu: 8}
    network: {from: [knative-serving]}
"""


def test_a_file():
    ada, team = read(FILE).profiles
    assert ada.namespace.startswith("user-ada-example-com---")
    assert (ada.owner.kind, ada.owner.name, ada.pod_security) == ("User", "ada@example.com", "restricted")
    assert ada.quota == {"cpu": "8", "memory": "32Gi", "requests.nvidia.com/gpu": "1"}
    assert team.namespace == "team-vision"
    assert team.quota == {"cpu": "64", "requests.nvidia.com/gpu": "8"}, (
        "a field of its own replaces the default's"
    )
    assert team.network.sources == ("knative-serving",)
    assert [(one.kind, one.name, one.role) for one in team.contributors] == [
        ("User", "bob@example.com", "edit"),
        ("Group", "guests", "view"),
    ]


def test_the_schema_takes_what_is_read():
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(yaml.safe_load(FILE), schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"profiles": [{"owner": "ann", "quotas": {}}]}, schema())


@pytest.mark.parametrize(
    ("profile", "field", "reason"),
    [
        ({}, "profiles[0].owner", "is needed"),
        ({"owner": "ann", "quotas": {}}, "profiles[0].quotas", "no such field"),
        ({"owner": "system:masters"}, "profiles[0].owner.name", "Kubernetes' own"),
        ({"owner": "*"}, "profiles[0].owner.name", "anybody"),
        ({"owner": {"kind": "ServiceAccount", "name": "x"}}, "profiles[0].owner.kind", "'User' or 'Group'"),
        ({"owner": {"kind": "Group", "name": "x"}}, "profiles[0]", "a profile of a group needs one"),
        ({"owner": "ann", "name": "Ann"}, "profiles[0]", "not a DNS label"),
        ({"owner": "ann", "name": "a/../b"}, "profiles[0]", "not a DNS label"),
        (
            {"owner": "ann", "name": "kube-system"},
            "",
            "kube-system is a namespace of the cluster",
        ),
        ({"owner": "ann", "name": "kubeflow"}, "", "namespace of the cluster itself"),
        ({"owner": "ann", "quota": {"nvidia.com/gpu": 1}}, "profiles[0]", "write requests.nvidia.com/gpu"),
        (
            {"owner": "ann", "quota": {"limits.nvidia.com/gpu": 1}},
            "profiles[0]",
            "write requests.nvidia.com/gpu",
        ),
        ({"owner": "ann", "quota": {"requests.nvidia.com/gpu": "0.5"}}, "profiles[0]", "not a whole number"),
        ({"owner": "ann", "quota": {"pods": "1.5"}}, "profiles[0]", "not a whole number"),
        ({"owner": "ann", "quota": {"cpus": 1}}, "profiles[0]", "not a resource that a quota knows"),
        ({"owner": "ann", "quota": {"cpu": -1}}, "profiles[0].quota.cpu", "quantity|between 0"),
        ({"owner": "ann", "quota": {"cpu": "NaN"}}, "profiles[0].quota.cpu", "quantity"),
        ({"owner": "ann", "quota": {"cpu": 1.5}}, "profiles[0].quota.cpu", "quantity"),
        ({"owner": "ann", "quota": {"cpu": True}}, "profiles[0].quota.cpu", "quantity"),
        (
            {"owner": "ann", "limits": {"limits": {"cpu": "4"}, "most": {"cpu": "2"}}},
            "profiles[0].limits",
            "4 is more",
        ),
        (
            {"owner": "ann", "network": {"from": ["a b"]}},
            "profiles[0].network",
            "not the name of a namespace",
        ),
        ({"owner": "ann", "podSecurity": "none"}, "profiles[0].podSecurity", "privileged"),
        (
            {"owner": "ann", "labels": {"istio-injection": "disabled"}},
            "profiles[0]",
            "set by the provisioner",
        ),
        ({"owner": "ann", "labels": {"a": "b c"}}, "profiles[0]", "not a label"),
        (
            {"owner": "ann", "contributors": [{"role": "edit"}]},
            "profiles[0].contributors[0]",
            "either user or group",
        ),
        (
            {"owner": "ann", "contributors": [{"user": "b", "role": "admin"}]},
            "profiles[0].contributors[0].role",
            "edit",
        ),
    ],
)
def test_refused_with_field_and_reason(profile, field, reason):
    with pytest.raises(Refused, match=reason) as refused:
        check({"profiles": [profile]})
    assert refused.value.status == 400
    assert refused.value.field == field
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("profiles: [", "line 1|line 2"),
        ("- a", "no fields"),
        ("profiles:\n- owner: ann\n  owner: bob\n", "line 3: 'owner' is there twice"),
        ("profiles: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("profiles: 7", "profiles"),
        ("profiles: [7]", r"profiles\[0\]"),
        ("profiles:\n- {owner: ann}\n- {owner: ann}\n", "is called user-ann too"),
        ("x" * (4 * 2**20 + 1), "4 MiB"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_files_that_are_none(text, reason):
    with pytest.raises(Refused, match=reason) as refused:
        read(text)
    assert refused.value.status == 400


def test_an_empty_file_declares_nothing():
    assert read("").profiles == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["profiles", "owner", "quota"]), inner)
        ),
        max_leaves=20,
    )
)
def test_any_value_is_read_or_refused(value):
    try:
        check(value)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017 — anything else would fail the test


@pytest.mark.parametrize(
    "key",
    ["cpu", "requests.memory", "limits.ephemeral-storage", "pods", "count/jobs.batch", "requests.amd.com/gpu",
     "requests.nvidia.com/mig-1g.5gb", "gold.storageclass.storage.k8s.io/requests.storage",
     "gpu.nvidia.com.deviceclass.resource.k8s.io/devices", "requests.hugepages-2Mi"],
)  # fmt: skip
def test_what_a_quota_may_name(key):
    assert not quota_fault(key, "4")
