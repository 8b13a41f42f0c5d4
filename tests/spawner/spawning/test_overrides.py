from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.refused import Refused
from spawner.starts.overrides import Layer, chosen, merged, shown

PROFILES = [
    {
        "slug": "cpu",
        "display_name": "CPU",
        "default": True,
        "profile_options": {
            "image": {
                "choices": {
                    "base": {"kubespawner_override": {"image": "base:1"}},
                    "lab": {"default": True, "kubespawner_override": {"image": "lab:1"}},
                },
                "unlisted_choice": {
                    "enabled": True,
                    "validation_regex": r"jupyter/[a-z-]+:[a-z0-9.]+",
                    "kubespawner_override": {"image": "{value}", "environment": {"ASKED": "{value}"}},
                },
            }
        },
    },
    {
        "slug": "gpu",
        "display_name": "GPU",
        "kubespawner_override": {"extra_resource_limits": {"nvidia.com/gpu": "1"}},
    },
]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [{}, {"image": "lab:1"}]),
        ({"profile": "cpu", "image": "base"}, [{}, {"image": "base:1"}]),
        ({"profile": "gpu"}, [{"extra_resource_limits": {"nvidia.com/gpu": "1"}}]),
        (
            {"image--unlisted-choice": "jupyter/base:1.2"},
            [{}, {"image": "jupyter/base:1.2", "environment": {"ASKED": "jupyter/base:1.2"}}],
        ),
        ({"garbage": {"anything": 1}, "image": ""}, [{}, {"image": "lab:1"}]),
    ],
)
def test_choices_become_overrides(options, found):
    assert chosen(PROFILES, options) == found


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "nosuch"},
        {"profile": ["cpu"]},
        {"profile": {"a": 1}},
        {"image": "nosuch"},
        {"image": ["lab"]},
        {"image": {"lab": 1}},
        {"image": 7},
        {"image--unlisted-choice": "jupyter/../../evil:latest\n x"},
        {"image--unlisted-choice": "jupyter/base:1 "},
        {"image--unlisted-choice": "{userid.__class__.__mro__}"},
        {"image--unlisted-choice": "x" * 600},
        [],
        "cpu",
        None,
    ],
)
def test_anything_else_is_the_users_fault(options):
    with pytest.raises(Refused) as caught:
        chosen(PROFILES, options)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "key", ["namespace", "service_account", "privileged", "container_security_context", "_pvc_exists"]
)
def test_no_choice_sets_where_and_as_whom(key):
    with pytest.raises(Refused) as caught:
        chosen([{"slug": "x", "kubespawner_override": {key: "kube-system"}}], {})
    assert (caught.value.status, key in caught.value.message) == (500, True)


def test_a_layer_comes_off_again_and_leaves_what_others_set():
    target = SimpleNamespace(limits={"cpu": "1"}, image="a", hooked="x")
    layer = Layer(target)
    layer.put({"limits": {"gpu": "1"}, "image": "b"}, lambda *_: None)
    layer.put({"limits": {"tpu": "1"}, "hooked": lambda _: "y"}, lambda *_: None)
    assert (target.limits, target.image, target.hooked) == ({"cpu": "1", "gpu": "1", "tpu": "1"}, "b", "y")
    target.hooked = "set by a hook since"
    layer.take_off()
    assert (target.limits, target.image, target.hooked) == ({"cpu": "1"}, "a", "set by a hook since")


plain = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
dicts = st.dictionaries(st.text(max_size=3), plain, max_size=4)


@given(dicts, dicts)
def test_merging_is_kubespawners_without_touching_the_old(now, more):
    import copy

    from kubespawner.utils import recursive_update

    before, theirs = copy.deepcopy(now), copy.deepcopy(now)
    found = merged(now, more)
    assert now == before
    try:
        recursive_update(theirs, more)
    except (AttributeError, TypeError):  # theirs falls over a dict that meets a text
        return
    assert found == theirs


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["profile", "image", "image--unlisted-choice", "x"]), json))
def test_any_json_is_taken_or_refused_with_400(options):
    status = 400
    try:
        chosen(PROFILES, options)
    except Refused as refused:
        status = refused.status
    assert status == 400


def test_texts_are_escaped_for_the_page():
    page = list(
        shown(
            [
                {
                    "display_name": "<b>x",
                    "description": "<script>",
                    "kubespawner_override": {"a": 1},
                    "slug": "x",
                }
            ]
        )
    )
    assert page == [{"display_name": "&lt;b&gt;x", "description": "&lt;script&gt;", "slug": "x"}]
