"""Names of namespaces and bindings: valid, distinct, never the cluster's own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spawner.names import binding_name, check_subject, is_label, is_reserved, is_system, namespace_name
from spawner.refused import Refused

PEOPLE = [
    "ann", "Ann", "a.b@x", "a-b@x", "a_b@x", "a b@x", "ann@one.org", "ann@two.org", "x" * 255, "x" * 254, "ß", "ss", "é",
    "e\u0301", "李", "李李", "-", "--", "a--b", "a---b", "-a", "a-", "user-ann", "ann-", "kube-system", "default", "kubeflow",
    "svc", "ann.svc", "1", "01", "🐙", "../../etc", "{username}", "%2e%2e",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["user-", "", "p-"])
def test_distinct_people_get_distinct_namespaces(prefix):
    names = [namespace_name(user, prefix) for user in PEOPLE]
    assert len(set(names)) == len(PEOPLE)
    assert all(is_label(name) and not is_reserved(name) for name in names)


@pytest.mark.parametrize(
    ("user", "prefix", "name"),
    [
        ("ann", "user-", "user-ann"),
        ("ann", "", "ann"),
        ("a.b@x", "user-", "user-a-b-x---hbwwwzegxyzz"),
        ("kube-system", "", "x-kube-system---"),
        ("default", "", "default---"),
        ("a--b", "user-", "user-a-b---"),
    ],
)
def test_a_name_that_is_fit_stays_and_others_stay_readable(user, prefix, name):
    assert namespace_name(user, prefix).startswith(name.rpartition("---")[0] or name)


@given(
    st.text(min_size=1, max_size=255),
    st.text(min_size=1, max_size=255),
    st.sampled_from(["user-", "", "kube-"]),
)
@example("a.b@x", "a-b@x", "user-")
@example("A", "a", "")
def test_any_name_is_valid_and_two_never_meet(one, other, prefix):
    first, second = namespace_name(one, prefix), namespace_name(other, prefix)
    assert is_label(first)
    assert not is_system(first)
    assert (first == second) == (one == other)
    assert namespace_name(one, prefix) == first, "and it is always the same"


@given(st.text(min_size=1), st.text(min_size=1))
def test_bindings_of_two_people_never_share_a_name(one, other):
    """kfam's do: its names keep only letters and digits, so removing one removed the other."""
    names = {
        binding_name(kind, name, role)
        for kind in ("User", "Group")
        for name in {one, other}
        for role in ("edit", "view")
    }
    assert len(names) == 4 * len({one, other})
    assert all(is_label(name) for name in names)


@pytest.mark.parametrize(
    "name",
    ["", None, 7, " ann", "ann ", "a\nb", "a\x00b", "a\u202eb", "\ud800", "x" * 256, "*", "*@x.org", "ann*",
     "system:masters", "system:serviceaccount:kube-system:default"],
)  # fmt: skip
def test_names_that_would_be_somebody_else(name):
    with pytest.raises(Refused) as refused:
        check_subject(name)
    assert refused.value.status == 400
    assert str(refused.value).count(".") >= 1


@pytest.mark.parametrize("name", ["ann", "a.b@x.org", "李", "x" * 255, "O'Brien, Pat", "ann/dev"])
def test_ordinary_names(name):
    assert check_subject(name) == name


@pytest.mark.parametrize(
    "name", ["kube-system", "kube-public", "kube-x", "default", "kubeflow", "openshift-etcd"]
)
def test_the_clusters_own(name):
    assert is_system(name)
    assert is_reserved(name)


def test_labels():
    assert not any(is_label(text) for text in ["", "-a", "a-", "A", "a.b", "a\n", "x" * 64, None, 3, "ä"])
    assert all(is_label(text) for text in ["a", "1", "a-b", "x" * 63])
