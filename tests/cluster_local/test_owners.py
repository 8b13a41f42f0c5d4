"""What belongs to something ends with it."""

from __future__ import annotations

import pytest

from jupyter_ext.cluster.local import workload
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Gone, NotFound

from .conftest import HERE, until

ENV = {"PYTHONPATH": str(HERE)}


@pytest.fixture
def family(cluster, runner):
    """A run, a job of it, and a job of that job, all running."""
    above = runner.submit("until_stopped", name="above")
    made = [above]
    for name in ("middle", "below"):
        resource = Resource.new("TrainJob", name, owner=made[-1].uid)
        made.append(workload.submit(cluster, resource, "controllers:until_stopped", env=ENV))
    for one in made:
        until(lambda one=one: cluster.store.get(one.kind, one.name).phase == "RUNNING")
    return made


def phases(cluster, family):
    return [cluster.store.get(one.kind, one.name).phase for one in family]


def test_stopping_the_owner_stops_what_it_owns(cluster, family):
    workload.stop(cluster, family[0].uid)
    assert phases(cluster, family) == ["CANCELED"] * 3
    assert not any(workload.alive(cluster, one.uid) for one in family)


def test_stopping_what_is_owned_leaves_the_owner(cluster, family):
    workload.stop(cluster, family[1].uid)
    assert phases(cluster, family) == ["RUNNING", "CANCELED", "CANCELED"]


def test_deleting_the_owner_deletes_what_it_owns(cluster, family):
    cluster.delete("Run", "above")
    for one in family:
        with pytest.raises(NotFound):
            cluster.store.get(one.kind, one.name)
        assert not workload.alive(cluster, one.uid)


def test_an_owner_that_failed_for_good_takes_them_with_it(cluster, runner):
    above = runner.submit("wait_then_fail", name="above")
    below = workload.submit(
        cluster, Resource.new("TrainJob", "below", owner=above.uid), "controllers:until_stopped", env=ENV
    )
    until(lambda: cluster.store.get("TrainJob", "below").phase == "RUNNING")
    (cluster.home / "go").touch()
    until(lambda: cluster.get("TrainJob", "below").phase == "CANCELED")
    until(lambda: not workload.alive(cluster, below.uid))


def test_an_owner_that_is_restarted_keeps_them(cluster, runner):
    above = runner.submit("die_once_told", name="above", restart="OnFailure")
    below = workload.submit(
        cluster, Resource.new("TrainJob", "below", owner=above.uid), "controllers:until_stopped", env=ENV
    )
    until(lambda: cluster.store.get("TrainJob", "below").phase == "RUNNING")
    (cluster.home / "go").touch()
    runner.finished("above")
    cluster.get("TrainJob", "below")
    assert cluster.store.get("TrainJob", "below").phase == "RUNNING"
    workload.stop(cluster, below.uid)


def test_an_owner_that_succeeded_keeps_them(cluster, runner):
    above = runner.submit("succeed", name="above")
    runner.finished("above")
    resource = Resource.new("TrainJob", "below", owner=above.uid)
    below = workload.submit(cluster, resource, "controllers:until_stopped", env=ENV)
    until(lambda: cluster.get("TrainJob", "below").phase == "RUNNING")
    workload.stop(cluster, below.uid)


def test_lists_of_what_is_owned(cluster, family):
    assert [one.name for one in cluster.list("TrainJob", owner=family[0].uid)] == ["middle"]
    assert [name for _, name, _ in cluster.store.owned(family[1].uid)] == ["below"]


def test_paused_has_no_process_and_is_no_end(cluster, runner):
    made = runner.submit("pause", restart="OnFailure")
    until(lambda: not workload.alive(cluster, made.uid) and cluster.get("Run", "a").phase == "PAUSED")
    assert not runner.get().finished
    workload.restart(cluster, made.uid)
    assert runner.finished().phase == "SUCCEEDED"


def test_thousands_that_are_owned_go_at_once(cluster):
    above = cluster.store.create(Resource.new("Experiment", "above"))
    with cluster.store.transaction():
        for number in range(1000):
            cluster.store.create(Resource.new("Trial", f"t-{number}", owner=above.uid))
    kept = cluster.store.create(Resource.new("Trial", "another"))
    since = cluster.store.resource_version()
    cluster.delete("Experiment", "above")
    assert [each.uid for each in cluster.list("Trial")] == [kept.uid]
    with pytest.raises(Gone):
        list(cluster.watch(since, timeout=0))


def test_a_few_that_are_owned_are_shown_as_they_go(cluster):
    above = cluster.store.create(Resource.new("Experiment", "above"))
    for number in range(3):
        cluster.store.create(Resource.new("Trial", f"t-{number}", owner=above.uid))
    since = cluster.store.resource_version()
    cluster.delete("Experiment", "above")
    events = list(cluster.watch(since, timeout=0))
    assert [(event.type, event.resource.name) for event in events] == [
        *(("DELETED", f"t-{number}") for number in (2, 1, 0)),
        ("DELETED", "above"),
    ]
