"""Reading objects of the API as rows, and what a profile is for a user: tables, no cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.profiles.membership import (
    ManyProfiles,
    NoProfile,
    OneProfile,
    Place,
    Profile,
    Title,
    binding_of,
    chosen,
    judged,
    names_of,
    place_of,
    title_of,
    title_of_place,
)

ANNS = Title("team", "User", "ann")
TEAM = Place("team", "u-1", "ann", "User", is_ours=False, is_going=False)


@pytest.mark.parametrize(
    ("title", "place", "role", "reason"),
    [
        (ANNS, TEAM, "owner", ""),
        (ANNS, TEAM, "edit", ""),
        (ANNS, TEAM, "view", "look into it, not start"),
        (ANNS, None, "owner", "not there yet"),
        (ANNS, Place("team", "u", "", "User", is_ours=False, is_going=False), "owner", "not marked as its owner's"),
        (ANNS, Place("team", "u", "bob", "User", is_ours=False, is_going=False), "owner", "not marked as its owner's"),
        (ANNS, Place("team", "u", "Ann", "User", is_ours=False, is_going=False), "owner", "not marked as its owner's"),
        (ANNS, Place("team", "u", "ann", "User", is_ours=False, is_going=True), "owner", "being deleted"),
        (Title("team", "User", "ann", is_going=True), TEAM, "owner", "being deleted"),
        (Title("kube-system", "User", "ann"), Place("kube-system", "u", "ann", "User", False, False), "owner", "cluster's own"),
    ],
)  # fmt: skip
def test_whether_it_is_entered(title, place, role, reason):
    found = judged(title, place, role)
    assert found.is_ready == (reason == "")
    assert reason in found.reason
    assert found.may_start == found.is_ready
    assert found.uid == (place.uid if place else "")


def test_a_user_is_not_the_group_of_the_same_name():
    group = Title("team", "Group", "vision")
    assert not group.is_of("vision", ())
    assert group.is_of("ann", ("vision",))
    assert not Title("team", "User", "vision").is_of("ann", ("vision",))
    assert not Title("team", "Group", "system:authenticated").is_of("ann", ("system:authenticated",))
    assert names_of("ann", ["vision", "", "system:masters"]) == ("User:ann", "Group:vision")


def ready(name, role="owner"):
    return Profile(name, name, "ann", role)


def test_none_one_and_many():
    waiting = judged(ANNS, None, "owner")
    assert isinstance(chosen([]), NoProfile)
    assert chosen([]).hint.startswith("Ask an administrator")
    none = chosen([waiting])
    assert isinstance(none, NoProfile)
    assert "team" in none.message
    assert "not there yet" in none.message
    one = chosen([waiting, ready("b")])
    assert isinstance(one, OneProfile)
    assert one.profile.name == "b"
    assert one.others == [waiting]
    many = chosen([ready("a"), waiting, ready("b", "edit")])
    assert isinstance(many, ManyProfiles)
    assert [profile.name for profile in many.choices] == ["a", "b"]
    assert len(many.profiles) == 3


def test_namespaces_without_the_provisioners_marks_are_nobodys():
    marks = {
        "metadata": {
            "name": "team",
            "uid": "u",
            "labels": {"app.kubernetes.io/managed-by": "jupyter-kubeflow"},
            "annotations": {"owner": "ann", "jupyter-kubeflow.org/owner-kind": "User"},
        }
    }
    assert title_of_place(place_of(marks)) == Title("team", "User", "ann", False, marks["metadata"]["labels"])
    for part, key in (
        ("labels", "app.kubernetes.io/managed-by"),
        ("annotations", "owner"),
        ("annotations", "jupyter-kubeflow.org/owner-kind"),
    ):
        rest = {name: value for name, value in marks["metadata"][part].items() if name != key}
        assert title_of_place(place_of({"metadata": {**marks["metadata"], part: rest}})) is None


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "owner", "kind", "name", "subjects", "labels", "annotations", "status"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "subjects", "status", "roleRef"]), json))
def test_any_object_is_read(thing):
    """What is stored was written by others: a strange object is no reason to lose the whole list."""
    title_of(thing)
    title_of_place(place_of(thing))
    binding_of(thing)
