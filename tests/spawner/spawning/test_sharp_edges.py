"""What KubeSpawner 7.1.0 does with hostile or unlucky input, and that ours does not: each edge on both."""

from __future__ import annotations

import asyncio

import pytest
from traitlets import TraitError

from spawner.refused import Refused
from spawner.starts.events import PodEvents
from tests.spawner.spawning.harness import connected, detached, ours, plain, profile

LISTED = [
    {
        "slug": "free",
        "display_name": "Free <img src=x onerror=alert(1)>",
        "default": True,
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {"lab": {"display_name": "Lab", "kubespawner_override": {"image": "lab:1"}}},
                "unlisted_choice": {
                    "enabled": True,
                    "display_name": "Other",
                    "validation_regex": "jupyter/",
                    "kubespawner_override": {"image": "{value}", "environment": {"ASKED": "{value}"}},
                },
            }
        },
    },
    {
        "slug": "system",
        "display_name": "System",
        "kubespawner_override": {"namespace": "kube-system", "service_account": "admin"},
    },
    {
        "slug": "sticky",
        "display_name": "Sticky",
        "profile_options": {
            "gpu": {
                "display_name": "GPU",
                "choices": {
                    "one": {
                        "display_name": "One",
                        "kubespawner_override": {"extra_resource_limits": {"nvidia.com/gpu": "1"}},
                    },
                    "none": {"display_name": "None", "kubespawner_override": {}},
                },
            }
        },
    },
]


def run(work):
    return asyncio.run(asyncio.wait_for(work, 120))


def loaded(make, monkeypatch, options, look=lambda _: None):
    """What ``look`` sees of a spawner that loaded ``options``."""

    async def story():
        async with detached(monkeypatch):
            server = make("ada", options, profile_list=LISTED)
            await server.load_user_options()
            return look(server)

    return run(story())


@pytest.mark.cluster
def test_a_namespace_is_entered_because_its_name_matches(cluster, monkeypatch):
    async def story():
        async with connected(cluster, monkeypatch):
            theirs = plain("kube-system", enable_user_namespaces=True, user_namespace_template="{username}")
            assert theirs.namespace == "kube-system"
            await theirs._ensure_namespace()  # it is there already: taken over without a word
            with pytest.raises(TraitError):
                ours("kube-system", enable_user_namespaces=True)
            server = ours("kube-system", {"namespace": "kube-system"})
            with pytest.raises(Exception, match="no profile called kube-system") as caught:
                await server.start()
            assert caught.value.status_code == 403

    run(story())


@pytest.mark.cluster
def test_events_of_a_pod_of_the_same_name_elsewhere(cluster, monkeypatch):
    mine, other = profile(cluster, "ada"), cluster.namespace("other")
    pod = {
        "metadata": {"name": "jupyter-ada", "labels": {"component": "singleuser-server"}},
        "spec": {
            "containers": [{"name": "notebook", "image": "x"}],
            "schedulingGates": [{"name": "x.org/never"}],
        },
    }
    uids = {
        namespace: cluster.call("POST", f"/api/v1/namespaces/{namespace}/pods", pod)["metadata"]["uid"]
        for namespace in (mine, other)
    }
    for namespace, words in ((other, "a secret of others"), (mine, "one of mine")):
        cluster.call(
            "POST", f"/api/v1/namespaces/{namespace}/events", _event(namespace, uids[namespace], words)
        )

    async def story():
        async with connected(cluster, monkeypatch) as api:
            theirs = plain("ada", enable_user_namespaces=True, user_namespace_template=mine)
            await theirs._start_watching_events()
            assert "a secret of others" in {each["message"] for each in theirs.events}
            told = asyncio.Event()
            events = PodEvents(api, mine, uids[mine], changed=told.set)
            events.start()
            await told.wait()
            await events.stop()
            assert [each["message"] for each in events.all()] == ["one of mine"]

    run(story())


def _event(namespace, uid, words):
    return {
        "metadata": {"generateName": "e-", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "jupyter-ada", "uid": uid},
        "reason": "Told",
        "message": words,
        "type": "Normal",
        "firstTimestamp": "2026-11-22T10:00:00Z",
        "lastTimestamp": "2026-11-22T10:00:00Z",
    }


HOSTILE = {"profile": "free", "image--unlisted-choice": "jupyter/{userid.__class__.__mro__}"}


def test_a_free_text_is_formatted_a_second_time(monkeypatch):
    expanded = loaded(
        plain, monkeypatch, HOSTILE, lambda server: server._expand_env(server.environment)["ASKED"]
    )
    assert "<class 'int'>" in expanded
    with pytest.raises(Refused) as caught:
        loaded(ours, monkeypatch, HOSTILE)
    assert caught.value.status == 400


LOOSE = {"profile": "free", "image--unlisted-choice": "jupyter/../../evil:latest\n x"}


def test_a_pattern_matches_only_the_beginning(monkeypatch):
    assert loaded(plain, monkeypatch, LOOSE, lambda server: server.image) == "jupyter/../../evil:latest\n x"
    with pytest.raises(Refused) as caught:
        loaded(ours, monkeypatch, LOOSE)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("choice", "error"), [("nosuch", KeyError), (["lab"], TypeError), ({"lab": 1}, TypeError)]
)
def test_a_choice_that_is_none_falls_through(monkeypatch, choice, error):
    options = {"profile": "free", "image": choice}
    with pytest.raises(error):
        loaded(plain, monkeypatch, options)
    with pytest.raises(Refused) as caught:
        loaded(ours, monkeypatch, options)
    assert (caught.value.status, caught.value.field) == (400, "image")


def page(server):
    return server._render_options_form(LISTED)


def test_options_that_are_not_valid_are_still_on_the_page(monkeypatch):
    async def story(make):
        async with detached(monkeypatch):
            return page(make("ada", {"profile": "nosuch", "image": "left over"}, profile_list=LISTED))

    assert "left over" in run(story(plain))
    assert "left over" not in run(story(ours))


def test_texts_of_the_list_are_raw_html(monkeypatch):
    async def story(make):
        async with detached(monkeypatch):
            return page(make("ada", {}, profile_list=LISTED))

    assert "<img src=x" in run(story(plain))
    assert "<img src=x" not in run(story(ours))
    assert "Free &lt;img" in run(story(ours))


def test_a_choice_sets_the_namespace(monkeypatch):
    options = {"profile": "system"}
    assert loaded(plain, monkeypatch, options, lambda server: server.namespace) == "kube-system"
    with pytest.raises(Refused) as caught:
        loaded(ours, monkeypatch, options)
    assert caught.value.status == 500


def test_an_earlier_choice_sticks(monkeypatch):
    async def story(make):
        async with detached(monkeypatch):
            server = make("ada", {"profile": "sticky", "gpu": "one"}, profile_list=LISTED)
            await server.load_user_options()
            server.user_options = {"profile": "sticky", "gpu": "none"}
            await server.load_user_options()
            return server.extra_resource_limits

    assert run(story(plain)) == {"nvidia.com/gpu": "1"}
    assert run(story(ours)) == {}
