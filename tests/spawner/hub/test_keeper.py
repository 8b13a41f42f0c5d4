"""The keeper of one server, without a Hub: its lease, its limits, its end, and the tie to who started it."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.resource import new_uid
from spawner.hub.keeping import limits
from spawner.hub.keeping.keeper import KEEP
from spawner.hub.keeping.records import MARK, Records, State, folder_name, last_lines, marked
from tests.spawner.hub.running import until

LISTEN = """
import os, re, socket, sys, time
port = int(re.search(r":(\\d+)/", os.environ["JUPYTERHUB_SERVICE_URL"])[1])
server = socket.create_server(("127.0.0.1", port))
"""
STAY = LISTEN + "time.sleep(1000)\n"
GREEDY = """
import subprocess
hungry = subprocess.Popen([sys.executable, "-c", "x = bytearray(300 << 20); import time; time.sleep(1000)"])
print("child ended with", hungry.wait(), flush=True)
time.sleep(1000)
"""
Started = tuple[str, subprocess.Popen[bytes]]


class Machine:
    """A folder of records, and keepers that the test starts as the Hub does."""

    def __init__(self, folder: Path) -> None:
        self.records = Records(folder)
        self.started: list[Started] = []

    def start(self, code: str, keep: bool = True, **more: Any) -> Started:
        """Start a keeper whose server is a Python program."""
        uid = new_uid()
        order = {
            "uid": uid, "folder": str(self.records.folder), "user": "ana", "server": "", "holder": "ana",
            "lease_cpu_milli": 100, "cpu_milli": 0, "memory": 0, "gpus": 0, "wait_seconds": 60, "idle_minutes": None,
            "control_groups": False, "argv": [sys.executable, "-c", code], "cwd": str(self.records.folder), "run_as": None,
            "env": {**os.environ, MARK: uid, "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0/user/ana/"}, **more,
        }  # fmt: skip
        self.records.write(State(uid, "ana", "", "new"))
        with self.records.log(uid).open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-P", str(Path(limits.__file__).with_name("keeper.py"))],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert keeper.stdin
        keeper.stdin.write(json.dumps(order).encode() + b"\n" + (KEEP if keep else b""))
        keeper.stdin.flush()
        self.started.append((uid, keeper))
        return uid, keeper

    def state(self, uid: str) -> State:
        """What it says."""
        found = self.records.read(uid)
        assert found
        return found

    def reaches(self, uid: str, phase: str) -> State:
        """Wait for a phase."""
        until(
            lambda: self.state(uid).phase == phase,
            f"{phase}; it is {self.state(uid)}, {last_lines(self.records.log(uid))}",
        )
        return self.state(uid)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Keepers of the test end with it."""
    made = Machine(tmp_path / "hub")
    yield made
    for uid, keeper in made.started:
        assert keeper.stdin
        keeper.stdin.close()
        keeper.terminate()
        keeper.wait(30)
        until(lambda uid=uid: not marked(uid), "nothing of it is left")


def test_a_server_runs_and_ends_with_its_keeper(machine: Machine) -> None:
    """It holds a lease while it lives, without who started it; SIGTERM ends both, and the words say so."""
    uid, keeper = machine.start(STAY)
    assert keeper.stdin
    keeper.stdin.close()
    state = machine.reaches(uid, "running")
    assert machine.records.lives(uid)
    assert [held[0] for held in machine.records.cluster.leases.held()] == ["ana"]
    assert state.port
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(60) != 0
    assert machine.state(uid).words == "It was stopped."
    assert not machine.records.lives(uid)
    assert machine.records.cluster.leases.held() == []


def test_without_keep_it_ends_with_who_started_it(machine: Machine) -> None:
    """The end of the pipe is the end of the Hub."""
    uid, keeper = machine.start(STAY, keep=False)
    machine.reaches(uid, "running")
    assert keeper.stdin
    keeper.stdin.close()
    keeper.wait(60)
    assert machine.state(uid).words == "The Hub ended while it started."
    assert not marked(uid)


def test_a_program_that_ends_is_told(machine: Machine) -> None:
    """With its status, and what it printed."""
    uid, _ = machine.start("import sys; print('no such licence'); sys.exit(3)")
    state = machine.reaches(uid, "ended")
    assert (state.exit, state.words) == (3, "It ended with status 3.")
    assert "no such licence" in last_lines(machine.records.log(uid))


def test_a_port_that_somebody_else_has_is_not_the_servers(machine: Machine) -> None:
    """A program that does not listen is never called running."""
    uid, _ = machine.start("import time; time.sleep(3)")
    assert machine.reaches(uid, "ended").words == "It ended."


def test_what_ignores_signals_and_leaves_the_session_ends_too(machine: Machine) -> None:
    """By its mark."""
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    code = (
        LISTEN
        + f"import subprocess; subprocess.Popen([sys.executable, '-c', {stubborn!r}], start_new_session=True)\n"
        + "time.sleep(1000)\n"
    )
    uid, keeper = machine.start(code)
    machine.reaches(uid, "running")
    until(lambda: len(marked(uid)) == 2, "both are there")
    keeper.terminate()
    keeper.wait(60)
    assert not marked(uid)


def test_more_than_the_machine_has_is_told(machine: Machine) -> None:
    """At once, not after waiting."""
    uid, _ = machine.start(STAY, memory=1 << 60)
    assert machine.reaches(uid, "ended").words.startswith("1Ei of memory cannot be had on this machine")


def test_patience_ends(machine: Machine) -> None:
    """Who holds what is missing is named, and the queue is left."""
    whole = machine.records.cluster.leases.machine().cpu_milli
    first, _ = machine.start(STAY, lease_cpu_milli=whole, holder="ben")
    machine.reaches(first, "running")
    second, _ = machine.start(STAY, wait_seconds=0)
    assert machine.reaches(second, "ended").words == "Waiting for 0.1 CPU. It is held by ben."


@pytest.mark.parametrize("grouped", [False, True], ids=["watched", "control group"])
def test_memory_is_kept(machine: Machine, grouped: bool) -> None:
    """The greatest process is ended, the server goes on, and its user is told; by the kernel where that may be asked."""
    uid, _ = machine.start(LISTEN + GREEDY, memory=200 << 20, control_groups=grouped)
    state = until(lambda: (s := machine.state(uid)).words and s, "it is told")
    assert "memory" in state.words
    assert state.phase == "running"
    until(lambda: "child ended with -9" in last_lines(machine.records.log(uid)), "the child was ended")


def test_processors_are_kept(machine: Machine) -> None:
    """By affinity, on those that the fewest others have."""
    uid, _ = machine.start(STAY, cpu_milli=1000)
    machine.reaches(uid, "running")
    (server,) = marked(uid)
    assert len(os.sched_getaffinity(server.pid)) == 1


def test_another_system_user(machine: Machine) -> None:
    """As root the server is that user, with that user's groups and no other; who is not root is told."""
    person = pwd.getpwnam("nobody")
    who = {"uid": person.pw_uid, "gid": person.pw_gid, "groups": [person.pw_gid]}
    uid, _ = machine.start(STAY, run_as=who, argv=["/usr/bin/python3", "-c", STAY], cwd="/")
    if os.geteuid() != 0:
        assert "could not be started" in machine.reaches(uid, "ended").words
        return
    machine.reaches(uid, "running")
    (server,) = marked(uid)
    status = Path(f"/proc/{server.pid}/status").read_text()
    lines = {line.partition(":")[0]: line.split()[1:] for line in status.splitlines()}
    assert set(lines["Uid"]) == {str(person.pw_uid)}
    assert set(lines["Gid"]) == {str(person.pw_gid)}
    assert lines["Groups"] == [str(person.pw_gid)]


def test_a_program_that_is_not_there(machine: Machine) -> None:
    """Named, in one sentence."""
    uid, _ = machine.start("", argv=["/nowhere/python"])
    assert (
        machine.reaches(uid, "ended").words
        == "/nowhere/python could not be started: No such file or directory."
    )


def test_a_control_group_is_made_whole_or_not_at_all() -> None:
    """And leaves no folder behind."""
    cage = limits.Cage.make("test-" + new_uid(), 1500, 64 << 20)
    if cage is None:
        return  # not on this machine: the watch of the tests above is what is used here
    assert all(folder.is_dir() for folder in cage.folders)
    text = " ".join(
        (folder / name).read_text()
        for folder in cage.folders
        for name in ("cpu.max", "cpu.cfs_quota_us")
        if (folder / name).exists()
    )
    assert "150000" in text
    cage.remove()
    assert not any(folder.exists() for folder in cage.folders)


def test_a_killed_keeper_leaves_nothing_for_long(machine: Machine) -> None:
    """Who looks next ends its server, removes its control group, and writes down what happened."""
    uid, keeper = machine.start(STAY, memory=200 << 20, control_groups=True)
    machine.reaches(uid, "running")
    keeper.kill()
    keeper.wait()
    assert marked(uid)
    assert machine.records.reap() == 1
    assert not marked(uid)
    assert machine.state(uid).words == "Its keeper was killed, and the server with it."
    assert not any(folder.exists() for folder in limits.Cage.of(uid).folders)
    assert machine.records.reap() == 0


def test_no_group_where_the_machine_has_none(tmp_path: Path) -> None:
    """A folder that cannot be written is an answer, not a fault."""
    assert limits.Cage.make("x", 1000, 1 << 30, tmp_path / "none" / "at" / "all") is None


@pytest.mark.parametrize(
    ("milli", "taken", "number"),
    [(0, [], None), (1, [], 1), (1000, [{0}], 1), (1001, [], 2), (10**9, [], None)],
)
def test_processors(milli: int, taken: list[set[int]], number: int | None) -> None:
    """As many as were asked for, all for no limit; free ones first."""
    usable = os.sched_getaffinity(0)
    found = limits.processors(milli, taken)
    assert len(found) == min(number or len(usable), len(usable))
    if taken and len(usable) > 1:
        assert found.isdisjoint(taken[0]) or min(usable) != 0


NAMES = st.text(min_size=1, max_size=80)


@given(NAMES, NAMES)
def test_folders_of_users_are_apart(first: str, second: str) -> None:
    """A DNS label that leads nowhere else, and another one for each user."""
    from jupyter_ext.cluster.resource import is_name

    found = folder_name(first)
    assert is_name(found)
    assert "/" not in found
    assert (found == folder_name(second)) == (first == second)


@pytest.mark.parametrize(
    "name", ["a.b@x", "a-b@x", "A", "a", "..", "--", "-a", "kube-system", "a" * 300, "ä", "a--b", "a\n"]
)
def test_awkward_names(name: str) -> None:
    """The known ones."""
    assert folder_name(name) == name or "--" in folder_name(name)
    assert len(folder_name(name)) <= 40


def test_records_read_what_is_theirs(tmp_path: Path) -> None:
    """A state that is none is no state; modes are private."""
    records = Records(tmp_path / "hub")
    uid = new_uid()
    records.write(State(uid, "ana", "", "running", devices=("GPU-1",)))
    assert records.read(uid) == State(uid, "ana", "", "running", devices=("GPU-1",))
    path = records.of(uid) / "state.json"
    assert path.stat().st_mode & 0o777 == 0o600
    for text in ("", "[]", "{", '{"uid": 1}', "null"):
        path.write_text(text)
        assert records.read(uid) is None
    with pytest.raises(Exception, match="UID"):
        records.of("../x")
