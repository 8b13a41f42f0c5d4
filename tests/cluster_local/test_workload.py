from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time

import psutil
import pytest

from jupyter_ext.cluster.local import LocalCluster, locks, processes, record, workload
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, NotFound, Unavailable

from .conftest import HERE, until

ENV = {"PYTHONPATH": str(HERE)}


def attempts(path) -> int:
    return len(path.read_text().split()) if path.exists() else 0


def descendants() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]


def test_submit_runs_the_controller_in_a_session_of_its_own(cluster, runner, tmp_path):
    made = runner.submit("say", cwd=tmp_path, env={"FLAVOUR": "vanilla"})
    status = runner.finished().status
    assert (status["phase"], status["cwd"], status["env"]) == ("SUCCEEDED", str(tmp_path), "vanilla")
    assert status["sid"] != os.getsid(0)
    until(lambda: not workload.alive(cluster, made.uid))
    assert list(cluster.logs("Run", "a")) == ["hello from a\nand to stderr\n"]


def test_files_beside_the_notebook_do_not_replace_the_standard_library(runner, tmp_path):
    for name in ("random", "json", "signal", "sqlite3", "dataclasses"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')")
    runner.submit("say", cwd=tmp_path)
    assert runner.finished().phase == "SUCCEEDED"


def test_spawn_starts_what_exists_already_and_only_once(cluster, runner):
    made = cluster.store.create(Resource.new("Run", "a"))
    workload.spawn(cluster, made, "controllers:until_stopped", env=ENV)
    runner.running()
    with pytest.raises(Conflict, match="still running"):
        workload.spawn(cluster, made, "controllers:until_stopped", env=ENV)
    workload.stop(cluster, made.uid)
    assert runner.get().reason == "The controller was asked to stop."


def test_a_workload_outlives_the_process_that_submitted_it(home, cluster, runner, forked):
    def submit() -> None:
        resource = Resource.new("Run", "a")
        workload.submit(LocalCluster(home), resource, "controllers:until_stopped", env=ENV)

    pid = forked(submit)
    assert os.waitpid(pid, 0)[1] == 0
    made = runner.running()
    assert workload.alive(cluster, made.uid)


def test_a_submitter_that_dies_before_the_start_is_made_good_by_a_reader(home, cluster, runner, forked):
    def submit() -> None:
        workload._launch = lambda *_: os._exit(0)
        workload.submit(LocalCluster(home), Resource.new("Run", "a"), "controllers:succeed", env=ENV)

    os.waitpid(forked(submit), 0)
    assert runner.get().phase == "PENDING"
    cluster.list("Run")
    assert runner.finished().phase == "SUCCEEDED"


def test_submitters_killed_at_any_moment_leave_all_or_nothing(home, cluster, runner, forked):
    dice, tried, made, delay = random.Random(11), 0, 0, 0.01
    reading, writing = os.pipe()

    def submit(name: str) -> None:
        other = LocalCluster(home)
        os.write(writing, b".")
        workload.submit(other, Resource.new("Run", name), "controllers:succeed", env=ENV)
        time.sleep(60)

    while made < 10:
        name = f"r{tried}"
        pid = forked(submit, name)
        os.read(reading, 1)
        time.sleep(dice.random() * delay)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        tried += 1
        delay *= 1.2  # until the submission is hit, however busy the machine is
        if cluster.store.find("Run", name):
            made += 1
            delay *= 0.6
            ended = runner.finished(name)
            assert ended.phase == "SUCCEEDED", ended.reason
    with cluster.store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM workloads").fetchone()[0] == made
    os.close(reading)
    os.close(writing)


def test_killed_and_never_to_be_restarted_is_failed_with_the_reason(cluster, runner):
    runner.submit("until_stopped")
    os.kill(runner.running().status["pid"], signal.SIGKILL)
    until(lambda: cluster.get("Run", "a").finished)
    found = cluster.get("Run", "a")
    assert found.phase == "FAILED"
    assert found.reason == (
        "Its process was killed (signal 9, likely out of memory). Resume it to go on from there."
    )
    assert found.status["completionTime"]
    assert [event.reason for event in cluster.events("Run", "a")] == ["Failed"]


def test_restarted_on_failure_it_finds_its_resource_as_it_was(cluster, runner, tmp_path):
    spec = {"file": str(tmp_path / "attempts"), "waits": 1}
    runner.submit("count_attempts", spec=spec, status={"mine": [1]}, restart="OnFailure")
    first = runner.running().status
    os.kill(first["pid"], signal.SIGKILL)
    last = runner.finished().status
    assert (last["phase"], last["attempts"], last["mine"], last["pid"] != first["pid"]) == (
        "SUCCEEDED",
        2,
        [1],
        True,
    )
    assert "reason" not in last
    events = cluster.events("Run", "a")
    assert [event.reason for event in events] == ["Restarted"]
    assert events[0].message.endswith("It was restarted (1 of 3).")


def test_restarts_are_bounded(cluster, runner):
    runner.submit("die", restart="OnFailure", max_restarts=2)
    found = runner.finished()
    assert (found.phase, found.status["attempts"]) == ("FAILED", 3)
    assert "It was restarted 2 times already." in found.reason


def test_long_lived_attempts_are_not_counted(cluster, runner, monkeypatch):
    runner.submit("die", restart="OnFailure", max_restarts=1)
    with monkeypatch.context() as patch:
        patch.setattr(record, "STEADY_SECONDS", -1)
        until(lambda: workload.sweep(cluster) is not None and runner.get().status.get("attempts", 0) > 3)
    assert runner.finished().phase == "FAILED"


def test_racing_readers_restart_once(home, cluster, runner, forked, tmp_path):
    spec = {"file": str(tmp_path / "attempts"), "waits": 9}
    runner.submit("count_attempts", spec=spec, restart="OnFailure")
    for turn in range(1, 4):
        until(lambda turn=turn: runner.get().status.get("attempts") == turn)
        os.kill(runner.get().status["pid"], signal.SIGKILL)

        def read() -> None:
            other = LocalCluster(home)
            for _ in range(20):
                workload.sweep(other)

        readers = [forked(read) for _ in range(4)]
        assert [os.waitpid(reader, 0)[1] for reader in readers] == [0] * 4
        until(lambda turn=turn: runner.get().status.get("attempts") == turn + 1)
    time.sleep(0.2)
    assert attempts(tmp_path / "attempts") == 4
    assert [event.reason for event in cluster.events("Run", "a")] == ["Restarted"] * 3


@pytest.mark.parametrize(
    ("controller", "spec", "reason"),
    [
        ("die", {"signal": signal.SIGSEGV}, "Its process crashed (Segmentation fault)."),
        ("die", {"signal": signal.SIGUSR1}, "Its process was ended by signal 10 (SIGUSR1)."),
        ("raise_error", {}, "Its process failed with ValueError: the moon is full."),
        ("return_early", {}, "Its process ended before it was done."),
        (
            "nowhere",
            {},
            "Its process failed with KubeflowError: The controller controllers:nowhere cannot be loaded",
        ),
    ],
)
def test_the_reason_says_how_it_ended(runner, controller, spec, reason):
    runner.submit(controller, spec=spec)
    found = runner.finished()
    assert found.phase == "FAILED"
    assert found.reason.startswith(reason)


def test_an_exception_is_in_the_log(cluster, runner):
    runner.submit("raise_error")
    runner.finished()
    assert 'raise ValueError("the moon is full")' in "".join(cluster.logs("Run", "a"))


def test_a_process_that_cannot_start_fails_at_once(cluster, runner, tmp_path):
    with pytest.raises(Unavailable, match="could not be started") as error:
        runner.submit("succeed", cwd=tmp_path / "gone")
    assert "gone" in error.value.hint
    assert runner.get().phase == "FAILED"
    assert "could not be started" in runner.get().reason


def test_an_interpreter_that_breaks_is_told_by_its_last_words(cluster, runner, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    python.chmod(0o755)
    made = cluster.store.create(Resource.new("Run", "a"))
    with cluster.store.transaction():
        row = record.enlist(cluster, made, "controllers:succeed", "Never", None, ENV, 3, None, str(python))
    workload._launch(cluster, row)
    assert runner.finished().reason.startswith("Its process did not start (no such library).")


def test_stop_ends_everything_it_started(cluster, runner):
    before = descendants()
    made = runner.submit("family")
    status = runner.running().status
    until(lambda: len(processes.members(made.uid, None)) == 6)
    family = processes.members(made.uid, None)
    workload.stop(cluster, made.uid)
    assert runner.get().phase == "CANCELED"
    assert not any(processes.is_running(one.identity) for one in family)
    assert not workload.alive(cluster, made.uid)
    assert status["pid"] in {one.pid for one in family}
    assert descendants() == before


def test_what_a_killed_workload_left_is_killed_and_keeps_no_lock(cluster, runner):
    made = runner.submit("family")
    status = runner.running().status
    until(lambda: len(processes.members(made.uid, None)) == 6)
    family = processes.members(made.uid, None)
    os.kill(status["pid"], signal.SIGKILL)
    until(lambda: not workload.alive(cluster, made.uid))
    assert sum(processes.is_running(one.identity) for one in family) == 5
    assert cluster.get("Run", "a").phase == "FAILED"
    assert not any(processes.is_running(one.identity) for one in family)


def test_reap_spares_the_living(cluster, runner):
    made = runner.submit("family")
    assert workload.reap(cluster, made.uid) == 0
    status = runner.running().status
    until(lambda: len(processes.members(made.uid, None)) == 6)
    assert workload.reap(cluster, made.uid) == 0
    os.kill(status["pid"], signal.SIGKILL)
    until(lambda: not workload.alive(cluster, made.uid))
    assert workload.reap(cluster, made.uid) == 5


def test_a_stubborn_one_is_killed_when_the_grace_is_over(cluster, runner):
    made = runner.submit("stubborn")
    runner.running()
    workload.stop(cluster, made.uid, grace=0.1)
    assert (runner.get().phase, runner.get().reason) == ("CANCELED", "It was stopped.")
    assert not workload.alive(cluster, made.uid)


def test_without_waiting_readers_see_to_the_end(cluster, runner):
    made = runner.submit("stubborn")
    runner.running()
    workload.stop(cluster, made.uid, grace=0.1, wait=False)
    assert runner.get().phase == "CANCELING"
    assert workload.alive(cluster, made.uid)
    until(lambda: cluster.get("Run", "a").phase == "CANCELED")


def test_stopping_what_has_not_begun_and_what_is_over(cluster, runner):
    made = runner.submit("until_stopped")
    workload.stop(cluster, made.uid)
    ended = runner.get()
    assert ended.phase == "CANCELED"
    workload.stop(cluster, made.uid)
    workload.stop(cluster, "unknown")
    assert runner.get() == ended


def test_stops_from_two_tabs_at_once(cluster, runner):
    made = runner.submit("until_stopped")
    runner.running()
    tabs = [threading.Thread(target=workload.stop, args=(cluster, made.uid)) for _ in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert runner.get().phase == "CANCELED"


def test_ended_by_the_system_it_is_restarted_later(cluster, runner, tmp_path):
    spec = {"file": str(tmp_path / "attempts"), "waits": 1}
    made = runner.submit("count_attempts", spec=spec, restart="OnFailure")
    os.kill(runner.running().status["pid"], signal.SIGTERM)
    until(lambda: not workload.alive(cluster, made.uid))
    assert not workload.stop_requested(cluster, made.uid)
    assert runner.get().phase == "RUNNING"
    assert runner.finished().status["attempts"] == 2
    assert cluster.events("Run", "a")[0].message.startswith("It was asked to end (signal 15).")


def test_resumed_it_runs_again(cluster, runner, tmp_path):
    spec = {"file": str(tmp_path / "attempts"), "waits": 1}
    made = runner.submit("count_attempts", spec=spec, status={"steps": [1]})
    with pytest.raises(Conflict):
        workload.restart(cluster, made.uid)
    os.kill(runner.running().status["pid"], signal.SIGKILL)
    assert runner.finished().phase == "FAILED"
    workload.restart(cluster, made.uid)
    found = runner.finished()
    assert (found.phase, found.status["attempts"], found.status["steps"]) == ("SUCCEEDED", 2, [1])
    assert "completionTime" not in found.status
    with pytest.raises(NotFound):
        workload.restart(cluster, "unknown")


def test_resumed_the_moment_it_is_finished(cluster, runner):
    """The resource is finished before the process is; and the process may be killed in between."""
    for controller in ("succeed", "succeed_and_die"):
        made = runner.submit(controller, name=controller.replace("_", "-"))
        for _ in range(3):
            until(lambda name=made.name: runner.get(name).finished)
            workload.restart(cluster, made.uid, ENV)
        assert runner.finished(made.name).phase == "SUCCEEDED"


def test_the_parts_of_a_lost_resource_are_told_by_their_own_function(runner):
    steps = [{"name": "a", "state": "SUCCEEDED"}, {"name": "b", "state": "RUNNING"}]
    sys.path.insert(0, str(HERE))
    try:
        runner.submit("die", status={"steps": steps}, lost="controllers:lose_steps")
        assert [step["state"] for step in runner.finished().status["steps"]] == ["SUCCEEDED", "FAILED"]
        runner.submit("die", "b", status={"steps": steps}, lost="controllers:no_such_function")
        assert runner.finished("b").phase == "FAILED"
    finally:
        sys.path.remove(str(HERE))


def test_delete_stops_and_leaves_nothing(cluster, runner):
    made = runner.submit("family")
    runner.running()
    cluster.work_folder(made.uid)
    cluster.delete("Run", "a")
    assert processes.members(made.uid, None) == []
    assert not list(cluster.home.glob(f"*/{made.uid}*"))
    assert cluster.list("Run").items == []
    assert workload.sweep(cluster) == []


def test_a_resource_deleted_under_its_workload_ends_it(cluster, runner):
    made = runner.submit("family")
    runner.running()
    leader = processes.identity(runner.get().status["pid"])
    cluster.store.delete("Run", "a")
    os.kill(int(leader.partition(":")[0]), signal.SIGTERM)
    until(lambda: not processes.is_running(leader))
    assert processes.members(made.uid, leader) == []


def test_secrets_of_the_environment_are_forgotten_after_success(cluster, runner):
    for name, controller, kept in (("a", "succeed", False), ("b", "die", True)):
        made = runner.submit(controller, name, env={"TOKEN": "s3cret"})
        runner.finished(name)
        workload.stop(cluster, made.uid)
        assert ("s3cret" in str(record.read(cluster, made.uid).environment)) == kept


def test_logs_are_followed_while_it_runs(cluster, runner):
    made = runner.submit("print_forever")
    follower = cluster.logs("Run", "a", follow=True, stop=lambda: runner.get().finished)
    text = next(follower)
    assert text.startswith("line 1\n")
    workload.stop(cluster, made.uid)
    assert "".join(follower).endswith("the end\n")


def test_watchers_see_a_death(cluster, runner):
    runner.submit("until_stopped")
    pid = runner.running().status["pid"]
    phases = []
    for event in cluster.watch(kinds=["Run"], timeout=30):
        phases.append(event.resource.phase)
        if event.resource.phase == "RUNNING":
            os.kill(pid, signal.SIGKILL)
        if event.resource.finished:
            break
    assert phases == ["RUNNING", "FAILED"]


def test_runs_killed_at_random_moments_all_finish(cluster, runner, tmp_path):
    """The workload is killed over and over; every reader only reads; nothing is lost and nothing runs twice."""
    dice = random.Random(3)
    names = [f"r{number}" for number in range(4)]
    for name in names:
        spec = {"file": str(tmp_path / name), "waits": 0}
        runner.submit("count_attempts", name, spec=spec, restart="OnFailure", max_restarts=1000)
    for _ in range(60):
        time.sleep(dice.random() * 0.03)
        with cluster.store.reading() as connection:
            rows = connection.execute("SELECT process FROM workloads WHERE ended IS NULL").fetchall()
        for (process,) in rows:
            if processes.is_running(process) and dice.random() < 0.5:
                os.kill(int(process.partition(":")[0]), signal.SIGKILL)
        workload.sweep(cluster)
    for name in names:
        assert runner.finished(name).phase == "SUCCEEDED"


def test_a_lock_belongs_to_one_process_and_not_to_its_children(tmp_path, forked):
    path = tmp_path / "a.lock"
    reading, writing = os.pipe()

    def hold() -> None:
        assert locks.take(path)
        assert locks.take(path)
        locks.free(path)
        assert locks.holder(path) == os.getpid()  # asking does not lose it
        child = os.fork()
        if child == 0:
            time.sleep(600)
        os.write(writing, b"%d\n" % child)
        time.sleep(600)

    assert locks.holder(path) is None
    holder = forked(hold)
    child = int(os.read(reading, 20))
    try:
        assert locks.holder(path) == holder
        assert not locks.take(path)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        assert locks.holder(path) is None
        assert locks.take(path)
        locks.free(path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(reading)
        os.close(writing)


def test_a_reused_number_is_never_taken_for_a_member(forked):
    def lead() -> None:
        os.setsid()
        time.sleep(600)

    pid = forked(lead)
    until(lambda: os.getsid(pid) == pid)
    identity = processes.identity(pid)
    start = int(identity.partition(":")[2])
    assert [one.pid for one in processes.members("uid", identity)] == [pid]
    assert processes.members("uid", f"{pid}:{start - 1}") == []
    assert processes.members("uid", f"{pid}:{start + 1}") == []
    assert not processes.is_running(f"{pid}:{start - 1}")
    assert processes.is_running(identity)
    assert processes.members("uid", None) == []


def test_the_process_table_without_proc_says_the_same():
    mine = next(one for one in processes._listed() if one.pid == os.getpid())
    assert mine.session == os.getpgid(0)
    assert abs(mine.start - psutil.Process().create_time()) < 3


def test_a_child_dies_with_its_parent(forked):
    reading, writing = os.pipe()

    def parent() -> None:
        child = os.fork()
        if child == 0:
            processes.die_with_parent()
            os.write(writing, f"{processes.identity(os.getpid())}\n".encode())
            time.sleep(600)
        time.sleep(600)

    pid = forked(parent)
    child = os.read(reading, 100).decode().strip()
    assert processes.is_running(child)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not processes.is_running(child))
    os.close(reading)
    os.close(writing)
