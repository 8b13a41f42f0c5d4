"""The store under several real processes, kills, forks and full disks."""

from __future__ import annotations

import os
import random
import resource as limits
import signal
import threading
import time
from functools import partial

import pytest

from jupyter_ext.cluster.local.store import Store
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, KubeflowError, Unavailable

KILLS = 110


def add(path, times):
    store = Store(path)
    for _ in range(times):
        store.update("Run", "a", lambda now: now.with_(status={"n": now.status["n"] + 1}))


def test_writers_of_several_processes_lose_nothing_and_a_watch_misses_nothing(store, forked):
    store.create(Resource.new("Run", "a", status={"n": 0}))
    since, done, seen = store.resource_version(), threading.Event(), []

    def watch() -> None:
        for event in store.watch(since, stop=done):
            seen.append(event.resource)
            if event.resource.status["n"] == 400:
                return

    children = [forked(add, store.path, 100) for _ in range(4)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    watcher.join(timeout=60)
    done.set()
    assert store.get("Run", "a").status == {"n": 400}
    assert store.resource_version() == since + 400
    versions = [one.resource_version for one in seen]
    assert versions == sorted(set(versions))
    assert seen[-1] == store.get("Run", "a")


def make_and_delete(path, seed):
    store, dice = Store(path), random.Random(seed)
    for _ in range(80):
        name = dice.choice("abcdefgh")
        try:
            if dice.random() < 0.3:
                store.delete("Run", name)
            else:
                store.update("Run", name, lambda now: now.with_(status={"by": seed, "x": dice.random()}))
        except KubeflowError:
            try:
                store.create(Resource.new("Run", name))
            except Conflict:
                continue


def test_a_watch_that_goes_on_ends_with_what_is_there(store, forked):
    children = [forked(make_and_delete, store.path, seed) for seed in range(3)]
    mirror, since = {}, 0

    def follow() -> None:
        nonlocal since
        for event in store.watch(since, timeout=0):
            since = event.resource.resource_version
            if event.type == "DELETED":
                mirror.pop(event.resource.uid, None)
            else:
                mirror[event.resource.uid] = event.resource

    while any(os.waitpid(child, os.WNOHANG)[0] == 0 for child in children[-1:]):
        follow()
    for child in children[:-1]:
        os.waitpid(child, 0)
    follow()
    assert mirror == {one.uid: one for one in store.list("Run")}


def test_one_of_many_replaces_wins(store, forked):
    first = store.create(Resource.new("Run", "a", status={"n": 0}))

    def swap() -> None:
        other = Store(store.path)
        try:
            other.replace(first.with_(status={"n": os.getpid()}))
        except Conflict:
            os._exit(3)

    children = [forked(swap) for _ in range(6)]
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert codes == [0, 3, 3, 3, 3, 3]


def write_pairs(path, acknowledge):
    """Change two resources and a collection together, forever, and tell of each change that is done."""
    store = Store(path)
    number = store.get("Run", "a").status["n"]
    while True:
        number += 1
        status = {"n": number, "also": number, "x": "x" * (number % 7000)}
        with store.transaction():
            for name in "ab":
                store.update("Run", name, partial(Resource.with_, status=status))
            store.put("cache", "n", {"n": number})
            if number % 5 == 0:
                store.create(Resource.new("Run", f"r{number}"))
            if number % 10 == 0:
                store.delete("Run", f"r{number}")
        os.write(acknowledge, b"%d\n" % number)


def test_a_killed_writer_leaves_everything_it_said_and_nothing_half(store, forked):
    for name in "ab":
        store.create(Resource.new("Run", name, status={"n": 0}))
    dice, last = random.Random(7), 0
    for turn in range(KILLS):
        reading, writing = os.pipe()
        child = forked(write_pairs, store.path, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = [int(pipe.readline()) for _ in range(dice.randrange(4))]
            time.sleep(dice.random() * 0.005)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said += [int(line) for line in pipe.read().split(b"\n")[:-1]]
        first, second = store.get("Run", "a").status, store.get("Run", "b").status
        assert first == second
        assert first["n"] == first.get("also", 0) == (store.fetch("cache", "n") or {"n": 0})["n"]
        assert max(said, default=last) <= first["n"] <= max(said, default=last) + 1
        last = first["n"]
        if turn % 30 == 0:
            fresh = Store(store.path)
            with fresh.reading() as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                top = connection.execute("SELECT max(resource_version) FROM resources").fetchone()[0]
            assert fresh.resource_version() >= top
            assert sum(1 for _ in fresh.watch(timeout=0)) == len(fresh.list("Run"))
    assert last > KILLS


def test_a_forked_child_uses_the_store_of_its_parent(store, forked):
    store.create(Resource.new("Run", "a", status={"n": 0}))
    watch = store.watch()
    next(watch)

    def child() -> None:
        for _ in range(20):
            store.update("Run", "a", lambda now: now.with_(status={"n": now.status["n"] + 1}))
        store.close()

    pids = [forked(child) for _ in range(3)]
    for _ in range(20):
        store.update("Run", "a", lambda now: now.with_(status={"n": now.status["n"] + 1}))
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)
    assert store.get("Run", "a").status == {"n": 80}
    last = next(event for event in watch if event.resource.status["n"] == 80)
    assert last.resource == store.get("Run", "a")


def test_forks_while_other_threads_write(store, forked):
    store.create(Resource.new("Run", "a", status={"n": 0}))
    done = threading.Event()
    count = 0

    def write() -> None:
        nonlocal count
        while not done.is_set():
            store.update("Run", "a", lambda now: now.with_(status={"n": now.status["n"] + 1}))
            count += 1

    thread = threading.Thread(target=write)
    thread.start()
    pids = [forked(add, store.path, 5) for _ in range(20)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    done.set()
    thread.join()
    assert codes == [0] * 20
    assert store.get("Run", "a").status == {"n": count + 100}


def test_a_fork_amid_a_transaction_is_refused_and_harmless(store, forked):
    store.create(Resource.new("Run", "a", status={"n": 0}))

    def child() -> None:
        with pytest.raises(Unavailable, match="forked"):
            store.get("Run", "a")

    with store.transaction():
        store.update("Run", "a", lambda now: now.with_(status={"n": 1}))
        pid = forked(child)
        assert os.waitpid(pid, 0)[1] == 0
        store.put("cache", "k", {})
    assert store.get("Run", "a").status == {"n": 1}
    assert store.fetch("cache", "k") == {}


def _write_until_full(store):
    for index in range(10_000):
        store.create(Resource.new("Run", f"r{index}", {"x": "y" * 10_000}))


def test_a_full_disk_refuses_in_words_and_keeps_what_was_there(tiny_disk):
    store = Store(tiny_disk / "store.sqlite")
    with pytest.raises(KubeflowError, match=r"disk is full|disk failed") as error:
        _write_until_full(store)
    assert error.value.hint
    kept = len(store.list("Run", summary=True))
    assert kept > 50
    with store.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [one.name for one in store.list("Run", limit=1)] == [f"r{kept - 1}"]


def test_a_limit_on_file_sizes_is_like_a_full_disk(store, forked):
    store.create(Resource.new("Run", "a"))

    def child() -> None:
        limits.setrlimit(limits.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        with pytest.raises(KubeflowError, match=r"disk is full|disk failed"):
            _write_until_full(store)

    assert os.waitpid(forked(child), 0)[1] == 0
    made = store.create(Resource.new("Run", "b"))
    assert store.get("Run", "b") == made
    with store.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
