"""The controller with real processes: it starts, switches, keeps warm, restarts, sleeps and ends what it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from jupyter_ext import serving
from jupyter_ext.cluster.local import locks
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unavailable, Unfit
from jupyter_ext.serving import watching
from jupyter_ext.serving.places import sockets
from tests.waiting import PATIENCE, processes_of, until

from .conftest import answers, ask, pids, predictor, routing, service, split, told


def made(cluster, *canaries, **fields):
    """An endpoint ``iris`` whose stable variant says "one"."""
    return serving.submit(service("iris", predictor("v1", "one", **fields), *canaries)).wait(PATIENCE)


def applied(cluster, name, stable, *canaries, **annotations):
    """The endpoint given another spec."""
    serving.update(service(name, stable, *canaries, **annotations))
    return serving.get(name)


def test_one_variant_is_served_and_everything_is_gone_after_delete(cluster):
    endpoint = made(cluster)
    assert endpoint.phase == "RUNNING", told(endpoint)
    assert endpoint.reason == ""
    assert answers(endpoint, "v1") == {"one"}
    assert split(endpoint) == {"v1": 100}
    uid = endpoint.resource.uid
    endpoint.delete()
    assert not processes_of(uid)
    assert cluster.store.find("InferenceService", "iris") is None
    assert not [each for each in cluster.leases.held() if each[0] == "iris"]
    assert not list(sockets(cluster).glob(f"{uid[:8]}-*"))


def test_a_new_version_takes_over_when_it_is_ready_and_the_old_one_stays_warm(cluster):
    endpoint = made(cluster)
    old = pids(endpoint, "v1")
    applied(cluster, "iris", predictor("v2", "two")).wait(PATIENCE)
    assert split(endpoint) == {"v2": 100}
    assert answers(endpoint, "v2") == {"two"}
    until(lambda: [each.name for each in endpoint.retired] == ["v1"])
    assert [(each.name, each.state) for each in endpoint.variants] == [("v2", "ready")]
    assert pids(endpoint, "v1") == old


def test_rolling_back_and_promoting_start_no_process(cluster):
    endpoint = made(cluster, (10, predictor("v2", "two")))
    one, two = pids(endpoint, "v1"), pids(endpoint, "v2")
    endpoint.promote()
    assert split(endpoint) == {"v2": 100}
    assert pids(endpoint, "v2") == two
    assert answers(endpoint, "v2") == {"two"}
    endpoint.rollback()
    assert split(endpoint) == {"v1": 90, "v2": 10}
    assert (pids(endpoint, "v1"), pids(endpoint, "v2")) == (one, two)
    endpoint.rollback(2)
    assert split(endpoint) == {"v2": 100}
    assert pids(endpoint, "v2") == two
    assert [each.what for each in endpoint.revisions()] == [
        "Roll back to revision 2", "Roll back to revision 1", "Promote v2", "Created",
    ]  # fmt: skip


def test_a_version_that_does_not_start_leaves_the_old_one_serving(cluster):
    endpoint = made(cluster)
    before = pids(endpoint, "v1")
    applied(cluster, "iris", predictor("v2", "two", fail="always"))
    with pytest.raises(Unavailable, match="v2"):
        endpoint.wait(PATIENCE)
    assert endpoint.phase == "RUNNING"
    assert split(endpoint) == {"v1": 100}
    assert answers(endpoint, "v1") == {"one"}
    assert pids(endpoint, "v1") == before
    assert "v2" in endpoint.reason
    assert "v1 goes on serving" in endpoint.reason
    status = endpoint.resource.status
    assert status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
    assert status["modelStatus"]["lastFailureInfo"]["exitCode"] == 1
    assert "this one never serves" in "".join(endpoint.logs("v2"))
    endpoint.rollback()
    endpoint.wait(PATIENCE)
    assert endpoint.reason == ""
    assert pids(endpoint, "v1") == before


def test_a_first_version_that_does_not_start_fails_the_endpoint_and_another_one_mends_it(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one", fail="always")))
    with pytest.raises(Unavailable, match="v1 does not stay up"):
        endpoint.wait(PATIENCE)
    assert endpoint.phase == "FAILED"
    until(lambda: not processes_of(endpoint.resource.uid))
    applied(cluster, "iris", predictor("v2", "two")).wait(PATIENCE)
    assert answers(endpoint, "v2") == {"two"}


def test_a_canary_that_does_not_start_gets_nothing(cluster):
    endpoint = serving.submit(
        service("iris", predictor("v1", "one"), (30, predictor("v2", "two", fail="always")))
    )
    until(lambda: split(endpoint) == {"v1": 100} and answers(endpoint, "v1") == {"one"})
    until(lambda: "v2 does not stay up" in endpoint.reason)
    assert endpoint.phase == "RUNNING"


def test_a_replica_that_is_killed_is_started_again(cluster):
    endpoint = made(cluster, minReplicas=2)
    one, other = pids(endpoint, "v1")
    os.kill(one, signal.SIGKILL)
    until(
        lambda: one not in pids(endpoint, "v1") and len(answers(endpoint, "v1") and pids(endpoint, "v1")) == 2
    )
    until(lambda: len(routing(endpoint)["variants"][0]["replicas"]) == 2)
    assert other in pids(endpoint, "v1")
    assert endpoint.variant("v1").restarts == 1
    assert any("SIGKILL" in each.message for each in cluster.events("InferenceService", "iris"))


def test_a_controller_that_is_killed_comes_back_with_its_servers(cluster):
    endpoint = made(cluster, (20, predictor("v2", "two")))
    uid = endpoint.resource.uid
    holder = locks.holder(cluster.lock_path(uid))
    before = {*pids(endpoint, "v1"), *pids(endpoint, "v2")}
    os.kill(holder, signal.SIGKILL)
    until(lambda: locks.holder(cluster.lock_path(uid)) not in (None, holder) or not endpoint.resource)
    until(lambda: {*pids(endpoint, "v1"), *pids(endpoint, "v2")}.isdisjoint(before))
    until(lambda: all(each["ready"] for each in routing(endpoint)["variants"]))
    assert answers(endpoint, "v1") == {"one"}
    assert answers(endpoint, "v2") == {"two"}
    assert split(endpoint) == {"v1": 80, "v2": 20}
    assert len(processes_of(uid)) == 3
    assert len(endpoint.revisions()) == 1


def test_a_controller_that_is_killed_in_a_switch_goes_on_with_it(cluster, tmp_path):
    endpoint = made(cluster)
    applied(cluster, "iris", predictor("v2", "two", delay=3))
    until(lambda: any(each.name == "v2" and each.pids for each in endpoint.variants))
    uid = endpoint.resource.uid
    os.kill(locks.holder(cluster.lock_path(uid)), signal.SIGKILL)
    until(lambda: split(endpoint) == {"v1": 100} and routing(endpoint)["variants"][0]["ready"])
    assert answers(endpoint, "v1") == {"one"}, "what served before goes on serving"
    endpoint.wait(PATIENCE)
    assert split(endpoint) == {"v2": 100}


def test_an_endpoint_is_deleted_while_a_server_starts(cluster):
    endpoint = serving.submit(service("iris", predictor("v1", "one", delay=60)))
    until(lambda: any(each.pids for each in endpoint.variants))
    uid = endpoint.resource.uid
    endpoint.delete()
    assert not processes_of(uid)
    assert not [each for each in cluster.leases.held() if each[0] == "iris"]


def test_stop_and_start(cluster):
    endpoint = made(cluster)
    uid = endpoint.resource.uid
    endpoint.stop(wait=True)
    assert endpoint.phase == "PAUSED"
    until(lambda: not processes_of(uid))
    assert not any(each["ready"] for each in routing(endpoint)["variants"])
    with pytest.raises(Conflict, match="stopped"):
        endpoint.wait(10)
    endpoint.start(wait=True)
    assert endpoint.phase == "RUNNING"
    assert answers(endpoint, "v1") == {"one"}


def test_with_no_least_replica_it_starts_on_the_first_request_and_sleeps_again(cluster, tmp_path):
    mark = tmp_path / "started"
    asked = service("iris", predictor("v1", "one", minReplicas=0, mark=mark), idle="1")
    endpoint = serving.submit(asked).wait(PATIENCE)
    assert endpoint.phase == "RUNNING"
    assert routing(endpoint)["asleep"]
    assert not mark.exists(), "nobody has asked for anything"
    watching.traffic(cluster).want(endpoint.resource.uid, "v1")
    until(lambda: routing(endpoint)["variants"][0]["ready"])
    assert answers(endpoint, "v1") == {"one"}
    assert not routing(endpoint)["asleep"]
    until(lambda: routing(endpoint)["asleep"] and not pids(endpoint, "v1"))
    assert "Asleep" in endpoint.reason


def test_a_lease_that_does_not_fit_is_refused_and_one_that_waits_says_for_what(cluster):
    big = {"name": "v1", **predictor("v1", "one")}
    big["containers"][0]["resources"] = {"requests": {"cpu": "4000"}}
    with pytest.raises(Unfit, match="4000 CPUs"):
        serving.submit(service("iris", big))
    machine = cluster.leases.machine()
    cluster.lock_path("somebody").touch()
    from jupyter_ext.cluster.local.devices import Request

    lease = cluster.leases.acquire("somebody", "training", "job", Request(machine.cpu_milli, 0, 0))
    endpoint = serving.submit(service("iris", predictor("v1", "one")))
    until(lambda: "training" in endpoint.reason)
    assert endpoint.phase == "PENDING"
    cluster.leases.release(lease)
    endpoint.wait(PATIENCE)
    locks.free(cluster.lock_path("somebody"))


def test_two_processes_change_the_traffic_at_once_and_nothing_is_lost(cluster):
    endpoint = made(cluster, (10, predictor("v2", "two")))
    program = (
        "import sys; from jupyter_ext import serving\n"
        "e = serving.get('iris')\n"
        "for n in range(15): e.traffic({'v1': 100 - n - int(sys.argv[1]), 'v2': n + int(sys.argv[1])}, wait=False)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, offset]) for offset in ("20", "50")]
    assert [each.wait(PATIENCE) for each in running] == [0, 0]
    found = endpoint.revisions()
    numbers = [each.number for each in found]
    assert numbers[:20] == list(range(31, 11, -1))
    assert len(numbers) <= 21  # one more where the one that served at the end was older than these
    last = found[0].traffic
    until(lambda: split(endpoint) == last)
    assert endpoint.resource.status["servingRevision"] == 31


def test_warm_variants_give_way_to_who_waits_for_room(cluster):
    endpoint = made(cluster, cpu="300m")
    applied(cluster, "iris", predictor("v2", "two", cpu="300m")).wait(PATIENCE)
    until(lambda: [each.name for each in endpoint.retired] == ["v1"])
    from jupyter_ext.cluster.local.devices import Request, Waiting

    asked = Request(cluster.leases.machine().cpu_milli - 300)  # all but what the one that serves holds
    assert isinstance(cluster.leases.acquire("somebody", "training", "job", asked), Waiting)
    cluster.lock_path("somebody").touch()
    until(lambda: not isinstance(cluster.leases.acquire("somebody", "training", "job", asked), Waiting))
    until(lambda: not endpoint.retired)
    locks.free(cluster.lock_path("somebody"))


def test_what_cannot_be_is_refused_by_name(cluster):
    endpoint = made(cluster, (10, predictor("v2", "two")))
    with pytest.raises(Invalid, match="add up to 110"):
        endpoint.traffic({"v1": 90, "v2": 20})
    with pytest.raises(NotFound, match="Did you mean v2"):
        endpoint.traffic({"v1": 90, "v22": 10})
    with pytest.raises(Conflict, match="stable"):
        endpoint.remove("v1")
    with pytest.raises(NotFound, match="Kept are 1"):
        endpoint.rollback(7)
    with pytest.raises(Conflict, match="no earlier"):
        endpoint.rollback()
    with pytest.raises(NotFound, match="iris"):
        serving.get("irris")
    assert len(endpoint.revisions()) == 1
    endpoint.traffic({"v1": 90, "v2": 10})
    assert len(endpoint.revisions()) == 1, "the same again is no change"


def test_a_spec_that_was_changed_past_the_verbs_becomes_a_revision(cluster):
    endpoint = made(cluster, (10, predictor("v2", "two")))
    changed = service("iris", predictor("v1", "one"), (40, predictor("v2", "two")))
    cluster.apply(changed)
    until(lambda: split(endpoint) == {"v1": 60, "v2": 40})
    until(lambda: [each.number for each in endpoint.revisions()] == [2, 1])
    assert ask(routing(endpoint)["variants"][1]["replicas"][0]["socket"]) == "two"


def test_applying_again_keeps_what_it_does_not_name(cluster):
    endpoint = made(cluster)
    endpoint.rules("roll back if errors > 20 % over 1 minute")
    endpoint.log({"sample": 0.5})
    before = pids(endpoint, "v1")
    serving.update(service("iris", predictor("v1", "one", timeout=60, maxReplicas=2)))
    endpoint.wait(PATIENCE)
    assert len(endpoint.rules()) == 1
    until(lambda: routing(endpoint)["log"]["sample"] == 0.5)
    assert endpoint.resource.spec["predictor"]["maxReplicas"] == 2
    assert before


def test_an_earlier_mode_of_kserve_is_said_as_a_canary(cluster):
    endpoint = made(cluster)
    asked = service("iris", predictor("v2", "two", canaryTrafficPercent=20))
    serving.update(asked)
    endpoint.wait(PATIENCE)
    assert split(endpoint) == {"v1": 80, "v2": 20}
    del asked.spec["predictor"]["canaryTrafficPercent"]
    two = pids(endpoint, "v2")
    serving.update(asked)
    endpoint.wait(PATIENCE)
    assert split(endpoint) == {"v2": 100}
    assert pids(endpoint, "v2") == two


def test_starting_again_waits_for_every_variant(cluster):
    endpoint = made(cluster, (50, predictor("v2", "two", delay=1)))
    endpoint.stop(wait=True)
    endpoint.start(wait=True)
    assert answers(endpoint, "v2") == {"two"}
