from __future__ import annotations

import math
import os
import sqlite3
import stat
import threading
from dataclasses import replace

import pytest

from jupyter_ext.cluster.local import store as store_module
from jupyter_ext.cluster.local.store import Store
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Gone, Invalid, KubeflowError, NotFound, Unavailable


def run(name, spec=None, **fields):
    return Resource.new("Run", name, spec, **fields)


def test_files_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        store = Store(tmp_path / "deep" / "er" / "store.sqlite")
        store.create(run("a"))
        for folder in (tmp_path / "deep", tmp_path / "deep" / "er"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = list(store.path.parent.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_create_fills_in_and_get_returns_the_same(store):
    made = store.create(run("a", {"x": (1, 2), "nan": math.nan, "inf": [-math.inf]}, labels={"k": "v"}))
    assert made == store.get("Run", "a") == store.find("Run", "a") == store.by_uid(made.uid)
    assert made.spec == {"x": [1, 2], "nan": "NaN", "inf": ["-Infinity"]}
    assert (made.namespace, made.generation, made.resource_version) == ("default", 1, 1)
    with pytest.raises(Conflict, match="Run a exists already"):
        store.create(run("a"))
    assert store.resource_version() == 1
    with pytest.raises(NotFound):
        store.get("Run", "b")
    assert store.find("RecurringRun", "a") is None


@pytest.mark.parametrize("name", ["", "A", "a/b", "../a", "a" * 64])
def test_names_are_checked(store, name):
    with pytest.raises(Invalid):
        store.create(run(name))


def test_what_json_cannot_hold_is_named(store):
    looped: dict[str, object] = {}
    looped["self"] = looped
    for value, field in (
        ({"steps": [{"x": object()}]}, "spec.steps[0].x"),
        ({"a": {1, 2}}, "spec.a"),
        (looped, "spec.self"),
    ):
        with pytest.raises(Invalid) as error:
            store.create(run("a", value))
        assert error.value.where.field.startswith(field)
    assert store.find("Run", "a") is None


def test_text_that_is_not_unicode_is_kept(store):
    odd = os.fsdecode(b"caf\xe9")
    store.create(run("a", {"displayName": odd}))
    assert store.get("Run", "a").spec["displayName"] == odd


def test_update_sees_the_latest_and_bumps_once(store):
    store.create(run("a"))
    done = store.update("Run", "a", lambda now: now.with_(status={"phase": "RUNNING"}))
    assert (done.resource_version, done.generation, done.phase) == (2, 1, "RUNNING")
    changed = store.update("Run", "a", lambda now: now.with_(spec={"x": 1}))
    assert (changed.resource_version, changed.generation) == (3, 2)
    assert store.update("Run", "a", lambda _: None) == changed
    assert store.update("Run", "a", lambda now: now.with_(spec={"x": 1})) == changed
    assert store.resource_version() == 3
    with pytest.raises(NotFound):
        store.update("Run", "b", lambda now: now)
    with pytest.raises(Invalid, match="another name"):
        store.update("Run", "a", lambda now: now.with_(name="b"))


def test_a_failing_change_changes_nothing(store):
    store.create(run("a"))
    with pytest.raises(ZeroDivisionError):
        store.update("Run", "a", lambda now: now.with_(status={"x": 1 / 0}))

    def both() -> None:
        with store.transaction():
            store.create(run("b"))
            store.put("cache", "k", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        both()
    assert store.find("Run", "b") is None
    assert store.fetch("cache", "k") is None
    assert store.resource_version() == 1


def test_replace_refuses_what_is_stale(store):
    first = store.create(run("a"))
    second = store.replace(first.with_(status={"n": 1}))
    with pytest.raises(Conflict, match="changed meanwhile"):
        store.replace(first.with_(status={"n": 2}))
    assert store.replace(second.with_(status={"n": 3})).status == {"n": 3}
    store.delete("Run", "a")
    store.create(run("a"))
    with pytest.raises(Conflict):
        store.replace(replace(second, resource_version=store.resource_version()))


def test_list_filters_and_pages(store):
    for index in range(25):
        phase = "FAILED" if index % 5 == 0 else "SUCCEEDED"
        store.create(
            run(
                f"r{index}",
                {"displayName": f"Größe 100% {index}"},
                labels={"n": str(index % 2)},
                status={"phase": phase},
            )
        )
    names = [one.name for one in store.list("Run")]
    assert names == [f"r{index}" for index in reversed(range(25))]
    assert len(store.list("Run", phase="FAILED")) == 5
    assert len(store.list("Run", phase=["FAILED", "SUCCEEDED"])) == 25
    assert len(store.list("Run", labels={"n": "1"})) == 12
    assert [one.name for one in store.list("Run", text="GRÖSSE 100% 7")] == ["r7"]
    assert len(store.list("Run", text="r1")) == 11
    assert not store.list("Run", text="_").items
    assert not store.list("RecurringRun").items
    seen, page = [], store.list("Run", limit=10)
    while True:
        seen += [one.name for one in page]
        if not page.more:
            break
        page = store.list("Run", limit=10, before=page.next)
    assert seen == names
    last = store.list("Run", limit=3).items[-1]
    for before in (last.name, last.created):
        assert [one.name for one in store.list("Run", limit=2, before=before)] == ["r21", "r20"]
    with pytest.raises(Gone):
        store.list("Run", before="nobody")


def test_a_summary_leaves_out_what_is_heavy(store):
    spec = {"displayName": "x", "pipeline": {"name": "p", "graph": {"big": "x" * 1000}}}
    status = {
        "phase": "FAILED",
        "steps": [{"name": "s", "outputs": [1], "error": {"message": "m", "traceback": ["t"]}}],
    }
    store.create(run("a", spec, status=status))
    light = store.list("Run", summary=True).items[0]
    assert light.spec == {"displayName": "x", "pipeline": {"name": "p"}}
    assert light.status == {"phase": "FAILED", "steps": [{"name": "s", "error": {"message": "m"}}]}
    assert store.get("Run", "a").spec == spec
    assert next(store.watch(timeout=0, summary=True)).resource == light
    store.create(Resource.new("RecurringRun", "b", {"cron": "* * * * *"}))
    assert store.list("RecurringRun", summary=True).items == store.list("RecurringRun").items


def test_thousands_list_without_being_read(store):
    spec = {"pipeline": {"graph": {"x": "y" * 2000}}}
    with store.transaction():
        for index in range(4000):
            store.create(run(f"r{index}", spec, status={"phase": "SUCCEEDED" if index else "RUNNING"}))
    with store.reading() as connection:
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(count, 100)
        assert len(store.list("Run", limit=50, summary=True)) == 50
        assert len(store.list("Run", limit=50, phase="RUNNING")) == 1
        connection.set_progress_handler(None, 0)
    # In hundreds of SQLite's own instructions: a query that looks at all takes several times as many.
    assert steps < 100


def test_watch_tells_what_exists_and_then_each_change(store):
    store.create(run("a"))
    gone = store.create(run("b"))
    store.delete("Run", "b")
    first = list(store.watch(timeout=0))
    assert [(event.type, event.resource.name) for event in first] == [("ADDED", "a")]
    since = store.resource_version()
    store.update("Run", "a", lambda now: now.with_(status={"phase": "RUNNING"}))
    store.create(Resource.new("RecurringRun", "c"))
    store.delete("Run", "a")
    assert [(e.type, e.resource.name) for e in store.watch(since, timeout=0)] == [
        ("ADDED", "c"),
        ("DELETED", "a"),
    ]
    deleted = next(store.watch(since, ["Run"], timeout=0)).resource
    assert deleted.status == {"phase": "RUNNING"}
    assert deleted.deleted
    assert deleted.resource_version == store.resource_version()
    assert next(store.watch(gone.resource_version, timeout=0)).type == "DELETED"


def test_watch_wakes_for_changes_of_its_own_thread_and_ends_on_stop(store):
    stop = threading.Event()
    watch = store.watch(stop=stop)
    store.create(run("a"))
    assert next(watch).resource.name == "a"
    store.create(run("b"))
    assert next(watch).resource.name == "b"
    stop.set()
    assert list(watch) == []


def test_watch_refuses_what_it_cannot_catch_up_with(store, monkeypatch):
    monkeypatch.setattr(store_module, "TOMBSTONES", 3)
    store.create(run("keep"))
    for index in range(6):
        store.create(run(f"r{index}"))
        store.delete("Run", f"r{index}")
    with pytest.raises(Gone, match="no longer kept"):
        next(store.watch(1))
    with pytest.raises(Gone):
        next(store.watch(store.resource_version() + 1))
    assert [event.resource.name for event in store.watch(0, timeout=0)] == ["keep"]
    kept = store.resource_version() - 4
    assert [event.type for event in store.watch(kept, timeout=0)] == ["DELETED", "DELETED"]


def test_events_and_collections(store):
    for index in range(5):
        store.record("Run", "a", "Normal", "Began", str(index))
    assert [event.message for event in store.events("Run", "a", limit=3)] == ["2", "3", "4"]
    assert store.events("Run", "b") == []
    for key in ("a%", "a_1", "a", "b", "aé", "ab"):
        store.put("cache", key, {"key": key})
    store.put("other", "a", {})
    assert [key for key, _ in store.scan("cache", "a")] == ["a", "a%", "a_1", "ab", "aé"]
    assert store.scan("cache", "a%") == [("a%", {"key": "a%"})]
    assert len(store.scan("cache", limit=2)) == 2
    assert store.drop("cache", "a")
    assert not store.drop("cache", "a")
    assert store.fetch("cache", "a") is None
    assert store.fetch("other", "a") == {}


def test_every_thread_has_its_connection(store):
    store.create(run("a", status={"n": 0}))
    errors = []

    def add() -> None:
        try:
            for _ in range(25):
                store.update("Run", "a", lambda now: now.with_(status={"n": now.status["n"] + 1}))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert store.get("Run", "a").status == {"n": 150}


def test_a_store_of_a_newer_version_is_left_alone(store):
    with store.reading() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Unavailable, match="newer version"):
        Store(store.path)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is not a database, " * 100)
    with pytest.raises(KubeflowError, match="damaged") as error:
        Store(path)
    assert error.value.where.object == str(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KubeflowError, match="cannot be written") as error:
        Store(tmp_path / "file" / "store.sqlite")
    assert "JUPYTER_KUBEFLOW_HOME" in error.value.hint


def test_history_of_migrations_is_kept(store):
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT version FROM migrations").fetchall() == [(1,), (2,)]
    connection.close()
