from __future__ import annotations

import os
import signal
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.local import LocalCluster, devices, locks, machine, processes
from jupyter_ext.cluster.local.devices import Lease, Leases, Request, Waiting
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, Unfit, Where

WHOLE = machine.limits_now()[0]


@pytest.fixture
def leases(cluster):
    return cluster.leases


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine whose nvidia-smi lists two GPUs."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n[ \"$1\" = -L ] || printf 'GPU-a, 0, A100, 40960\\nGPU-b, 1, A100, 40960\\n'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for cached in (machine.gpus, machine.may_have_gpus):
        cached.cache_clear()
    yield
    for cached in (machine.gpus, machine.may_have_gpus):
        cached.cache_clear()


def test_what_fits_is_granted_once_and_given_back(leases):
    lease = leases.acquire("u", "flights", "train", Request(cpu_milli=WHOLE))
    assert isinstance(lease, Lease)
    assert leases.acquire("u", "flights", "train", Request(cpu_milli=WHOLE)) == lease
    assert leases.held() == [("flights", "train", Request(cpu_milli=WHOLE))]
    leases.release(lease)
    leases.release(lease)
    assert leases.held() == []
    assert isinstance(leases.acquire("v", "other", "train", Request(cpu_milli=WHOLE)), Lease)


def test_who_waits_is_told_for_what_and_for_whom(leases, two_gpus):
    for uid, name in (("u", "resnet-sweep"), ("v", "bert")):
        assert isinstance(leases.acquire(uid, name, "train", Request(WHOLE // 2, 0, 1)), Lease)

    def reason(uid, unit, request):
        answer = leases.acquire(uid, f"run-{uid}", unit, request)
        leases.withdraw(uid, unit)
        return answer.reason

    assert reason("w", "x", Request(gpus=1)) == "Waiting for 1 GPU. It is held by resnet-sweep and bert."
    assert reason("u", "x", Request(gpus=1)) == "Waiting for 1 GPU. It is held by its own train and bert."
    both = reason("w", "x", Request(WHOLE, 0, 2))
    assert both == f"Waiting for {WHOLE / 1000:g} CPUs and 2 GPUs. They are held by resnet-sweep and bert."
    leases.withdraw("v", "train")
    assert reason("w", "x", Request(WHOLE)).endswith("held by resnet-sweep.")


def test_the_child_sees_only_its_devices(leases, two_gpus):
    first, second = (leases.acquire("u", "u", unit, Request(gpus=1)) for unit in "ab")
    none = leases.acquire("u", "u", "c", Request())
    assert {first.gpus, second.gpus} == {("GPU-a",), ("GPU-b",)}
    assert first.env() == {"CUDA_VISIBLE_DEVICES": "GPU-a"}
    assert none.env() == {"CUDA_VISIBLE_DEVICES": ""}
    leases.release(first)
    assert leases.acquire("v", "v", "d", Request(gpus=1)).gpus == ("GPU-a",)


def test_without_gpus_nothing_is_set(leases, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for cached in (machine.gpus, machine.may_have_gpus):
        cached.cache_clear()
    assert leases.acquire("u", "u", "a", Request()).env() == {}
    with pytest.raises(Unfit, match="1 GPU cannot be had on this machine, which has no GPU"):
        leases.check(Request(gpus=1))
    for cached in (machine.gpus, machine.may_have_gpus):
        cached.cache_clear()


def test_the_impossible_is_refused_with_what_there_is(leases):
    with pytest.raises(Unfit) as error:
        leases.acquire("u", "u", "a", Request(cpu_milli=WHOLE + 1000, memory=1 << 60))
    assert f"{WHOLE / 1000 + 1:g} CPUs and 1Ei of memory cannot be had" in str(error.value)
    assert f"has {WHOLE / 1000:g} CPU" in str(error.value)
    with pytest.raises(Unfit) as error:
        leases.check(Request(memory=1 << 60), Where(object="step train"))
    assert error.value.where.object == "step train"
    with pytest.raises(Invalid):
        leases.check(Request(cpu_milli=-1))
    assert leases.held() == []


def test_first_come_first_served_but_nobody_waits_for_nothing(leases, two_gpus):
    first = leases.acquire("u", "first", "a", Request(WHOLE // 2))
    leases.acquire("u", "first", "g", Request(gpus=2))
    assert isinstance(leases.acquire("v", "big", "a", Request(WHOLE)), Waiting)
    behind = leases.acquire("w", "small", "a", Request(WHOLE // 2))
    assert behind == Waiting("Waiting behind big, which asked first.")
    # Memory is nothing that the big one waits for.
    assert isinstance(leases.acquire("w", "small", "m", Request(memory=1 << 20)), Lease)
    leases.release(first)
    assert isinstance(leases.acquire("w", "small", "a", Request(WHOLE // 2)), Waiting)
    big = leases.acquire("v", "big", "a", Request(WHOLE))
    assert isinstance(big, Lease)
    leases.release(big)
    assert isinstance(leases.acquire("w", "small", "a", Request(WHOLE // 2)), Lease)


def test_who_stops_asking_loses_the_place(leases, monkeypatch):
    held = leases.acquire("u", "first", "a", Request(WHOLE))
    leases.acquire("v", "gone", "a", Request(WHOLE))
    assert isinstance(leases.acquire("w", "third", "a", Request(WHOLE)), Waiting)
    leases.release(held)
    later = time.time() + devices.FORGET_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert isinstance(leases.acquire("x", "fourth", "a", Request(WHOLE)), Lease)


def test_endpoints_do_not_keep_a_job_of_all_cpus_waiting(leases):
    """They hold their small part of a CPU for ever; among themselves, and for memory, they count."""
    for name in ("late-flights", "churn"):
        assert isinstance(leases.acquire(name, name, "v1", Request(100, 1 << 20)), Lease)
    job = leases.acquire("job", "job", "train", Request(WHOLE))
    assert isinstance(job, Lease)
    third = leases.acquire("third", "third", "v1", Request(100))
    assert isinstance(third, Waiting)
    assert third.reason == "Waiting for 0.1 CPU. It is held by late-flights, churn and job."
    memory = leases.acquire("big", "big", "a", Request(0, machine.limits_now()[1]))
    assert isinstance(memory, Waiting)
    assert memory.reason.endswith("held by late-flights and churn.")
    other = leases.acquire("other", "other", "train", Request(WHOLE))
    assert isinstance(other, Waiting)
    assert other.reason.endswith("held by job.")


def test_a_changed_wish_keeps_its_place(leases):
    held = leases.acquire("u", "u", "a", Request(WHOLE))
    leases.acquire("v", "v", "a", Request(WHOLE))
    leases.acquire("w", "w", "a", Request(WHOLE))
    leases.acquire("v", "v", "a", Request(WHOLE // 2))
    leases.release(held)
    assert isinstance(leases.acquire("w", "w", "a", Request(WHOLE)), Waiting)
    assert leases.acquire("v", "v", "a", Request(WHOLE // 2)).request == Request(WHOLE // 2)


SIZES = st.sampled_from([0, WHOLE // 3, WHOLE // 2, WHOLE])
STEPS = st.lists(st.tuples(st.sampled_from("uvwx"), st.sampled_from("ab"), SIZES, st.booleans()), max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
def test_never_too_much_and_the_first_in_the_queue_is_next(leases, steps):
    with leases._cluster.store.transaction() as connection:
        connection.execute("DELETE FROM leases")
    granted: dict[tuple[str, str], Lease] = {}
    queue: dict[tuple[str, str], Request] = {}
    for holder, unit, cpu, give_back in steps:
        key = (holder, unit)
        if give_back and key in granted:
            leases.release(granted.pop(key))
        elif key not in granted:
            request = queue.get(key, Request(cpu))
            answer = leases.acquire(holder, holder, unit, request)
            if isinstance(answer, Lease):
                granted[key] = answer
                queue.pop(key, None)
            else:
                queue[key] = request
        used = sum(lease.request.cpu_milli for lease in granted.values())
        assert used <= WHOLE
        if queue:
            first, request = next(iter(queue.items()))
            answer = leases.acquire(first[0], first[0], first[1], request)
            assert isinstance(answer, Lease) == (used + request.cpu_milli <= WHOLE)
            if isinstance(answer, Lease):
                granted[first] = answer
                del queue[first]


def take_turns(home, uid, guard, rounds):
    """Hold everything in turn; a second one inside at the same time would fail to make the file."""
    leases = Leases(LocalCluster(home))
    for _ in range(rounds):
        while isinstance(lease := leases.acquire(uid, uid, "a", Request(WHOLE)), Waiting):
            time.sleep(0.001)
        os.close(os.open(guard, os.O_CREAT | os.O_EXCL))
        time.sleep(0.001)
        guard.unlink()
        leases.release(lease)


def test_racing_processes_are_never_both_inside(home, forked, tmp_path):
    LocalCluster(home)
    children = [forked(take_turns, home, f"u{number}", tmp_path / "inside", 30) for number in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]


def keep(home, uid, request, told):
    answer = Leases(LocalCluster(home)).acquire(uid, f"run-{uid}", "a", request)
    os.write(told, b"1" if isinstance(answer, Lease) else b"0")
    time.sleep(600)


def test_what_the_dead_held_and_waited_for_is_reclaimed(home, cluster, leases, forked):
    reading, writing = os.pipe()
    holder = forked(keep, home, "dead", Request(WHOLE), writing)
    assert os.read(reading, 1) == b"1"
    waiter = forked(keep, home, "waiting", Request(WHOLE), writing)
    assert os.read(reading, 1) == b"0"
    assert isinstance(leases.acquire("u", "u", "a", Request(WHOLE)), Waiting)
    os.kill(waiter, signal.SIGKILL)
    os.waitpid(waiter, 0)
    answer = leases.acquire("u", "u", "a", Request(WHOLE))
    assert "held by run-dead" in answer.reason
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert isinstance(leases.acquire("u", "u", "a", Request(WHOLE)), Lease)
    assert len(leases.held()) == 1
    os.close(reading)
    os.close(writing)


def test_releasing_does_not_end_the_life_of_the_holder(cluster, leases):
    path = cluster.lock_path("u")
    assert locks.take(path)
    leases.release(leases.acquire("u", "u", "a", Request()))
    assert locks.holder(path) == os.getpid()
    locks.free(path)
    assert locks.holder(path) is None


def test_a_workload_that_ends_gives_everything_back(cluster, runner, leases):
    runner.submit("hold_everything")
    runner.running()
    answer = leases.acquire("u", "u", "a", Request(WHOLE))
    assert answer == Waiting(f"Waiting for {WHOLE / 1000:g} CPUs. They are held by a.")
    cluster.delete("Run", "a")
    assert isinstance(leases.acquire("u", "u", "a", Request(WHOLE)), Lease)


def test_a_killed_holder_no_longer_uses_what_is_reclaimed(cluster, runner, leases):
    made = runner.submit("hold_everything", spec={"child": True})
    status = runner.running().status
    child = processes.identity(status["child"])
    assert processes.is_running(child)
    os.kill(status["pid"], signal.SIGKILL)
    while isinstance(leases.acquire("u", "u", "a", Request(WHOLE)), Waiting):
        time.sleep(0.001)
    assert not processes.is_running(child)
    assert cluster.get("Run", "a").phase == "FAILED"
    assert made.uid
    assert cluster.store.create(Resource.new("Run", "b"))


def test_a_job_may_use_what_its_step_holds(leases):
    step = leases.acquire("run", "flights", "train", Request(cpu_milli=WHOLE, memory=1 << 20))
    assert isinstance(step, Lease)
    assert isinstance(leases.acquire("other", "other", "job", Request(cpu_milli=1)), Waiting)
    job = leases.acquire("job", "job", "job", Request(WHOLE - 500), inside=("run", "train"))
    assert isinstance(job, Lease)
    second = leases.acquire("job2", "job2", "job", Request(1000), inside=("run", "train"))
    assert isinstance(second, Waiting)
    assert "job" in second.reason
    leases.withdraw("job2", "job")
    assert isinstance(leases.acquire("job2", "job2", "job", Request(500), inside=("run", "train")), Lease)


def test_a_job_may_take_more_than_its_step_where_there_is_more(leases):
    assert isinstance(leases.acquire("run", "flights", "train", Request(cpu_milli=500)), Lease)
    job = leases.acquire("job", "job", "job", Request(WHOLE), inside=("run", "train"))
    assert isinstance(job, Lease)
    assert isinstance(leases.acquire("other", "other", "job", Request(1)), Waiting)
    leases.release(job)
    assert isinstance(leases.acquire("other", "other", "job", Request(WHOLE - 500)), Lease)


def test_jobs_nest_to_any_depth(leases):
    assert isinstance(leases.acquire("a", "a", "x", Request(WHOLE)), Lease)
    assert isinstance(leases.acquire("b", "b", "y", Request(WHOLE), inside=("a", "x")), Lease)
    assert isinstance(leases.acquire("c", "c", "z", Request(WHOLE), inside=("b", "y")), Lease)
    assert isinstance(leases.acquire("d", "d", "z", Request(1), inside=("b", "y")), Waiting)


def test_what_waits_before_it_does_not_keep_a_step_from_its_own_job(leases):
    assert isinstance(leases.acquire("run", "flights", "train", Request(WHOLE)), Lease)
    assert isinstance(leases.acquire("other", "other", "job", Request(WHOLE)), Waiting)
    assert isinstance(leases.acquire("job", "job", "job", Request(WHOLE), inside=("run", "train")), Lease)


def test_a_job_gets_the_gpus_of_its_step(leases, two_gpus):
    step = leases.acquire("run", "flights", "train", Request(gpus=1))
    job = leases.acquire("job", "job", "job", Request(gpus=1), inside=("run", "train"))
    assert job.gpus == step.gpus
    both = leases.acquire("job2", "job2", "job", Request(gpus=1), inside=("run", "train"))
    assert both.gpus != step.gpus
    assert isinstance(leases.acquire("other", "other", "job", Request(gpus=1)), Waiting)


def test_a_lease_inside_one_that_is_gone_stands_for_itself(leases):
    step = leases.acquire("run", "flights", "train", Request(WHOLE))
    assert isinstance(leases.acquire("job", "job", "job", Request(WHOLE), inside=("run", "train")), Lease)
    leases.release(step)
    assert isinstance(leases.acquire("other", "other", "job", Request(1)), Waiting)
