"""The live display without a browser: what is sent to it, and what comes back."""

from __future__ import annotations

import pytest

from jupyter_ext import pipelines
from jupyter_ext.display.follower import Follower
from jupyter_ext.display.live import act, live_widget
from jupyter_ext.pipelines.widgets import PICTURE, RunsView, actions, mimebundle


@pytest.fixture
def running(put_run):
    put_run("one", phase="RUNNING")
    return pipelines.get("one")


def change(cluster, **status):
    cluster.store.update("Run", "one", lambda run: run.with_(status={**run.status, **status}))


def test_a_follower_tells_every_state_up_to_the_last(running, cluster):
    seen = []
    follower = Follower(running, seen.append, 0.01).start()
    change(cluster, progress=0.5)
    change(cluster, phase="SUCCEEDED")
    follower.join(10)
    assert seen[-1].phase == "SUCCEEDED"
    versions = [resource.resource_version for resource in seen]
    assert versions == sorted(set(versions))


def test_a_follower_ends_with_its_run(running, cluster):
    follower = Follower(running, lambda _: None, 0.01).start()
    cluster.store.delete("Run", "one")
    follower.join(10)
    assert not follower._thread.is_alive()


def test_a_follower_can_be_stopped(running):
    follower = Follower(running, lambda _: None, 60).start()
    follower.stop()
    follower.join(10)
    assert not follower._thread.is_alive()


def test_without_a_front_end_there_is_text_and_html(running):
    bundle = mimebundle(running)
    assert "Run one: RUNNING" in bundle["text/plain"]
    assert bundle["text/html"].startswith("<div")


def test_the_widget_carries_the_picture_and_what_can_be_done(running):
    widget = live_widget(running, running.resource, PICTURE)
    assert "train" in widget.html
    assert widget.actions == [("stop", "Stop")]
    assert widget.label == "Run one"
    assert "export default" in widget._esm


def test_a_finished_run_offers_nothing(put_run):
    assert actions(put_run("done")) == []


def test_an_unknown_button_does_nothing(running):
    for message in (None, [], {}, {"action": "__init__"}, {"action": ["stop"]}):
        act(running, message, PICTURE)
    assert running.state == "RUNNING"


def test_runs_as_a_list(put_run):
    for name in ("a", "b"):
        put_run(name)
    view = RunsView(pipelines.runs())
    assert [run.name for run in view] == ["b", "a"]
    assert "b  SUCCEEDED" in repr(view)
    assert "<table" in view._repr_html_()
    assert repr(RunsView([])) == "No runs."
