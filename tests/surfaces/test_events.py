"""Changes of resources arrive on the server's event bus, whoever makes them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time

import pytest

from jupyter_ext.server.watch import SCHEMA, Watcher

TIMEOUT = 20


@pytest.fixture
def bus(jp_ws_fetch, api, jp_serverapp):
    """A browser's subscription: gives the events of ours as they come."""

    async def subscribe():
        socket = await jp_ws_fetch("api", "events", "subscribe")
        await api("runs")
        watcher = jp_serverapp.web_app.settings["jupyter_kubeflow"]._watchers[0]
        await asyncio.get_running_loop().run_in_executor(None, watcher.ready.wait, TIMEOUT)

        async def read():
            while True:
                event = json.loads(await asyncio.wait_for(socket.read_message(), TIMEOUT))
                if event["schema_id"] == SCHEMA:
                    return event

        return socket, read

    return subscribe


async def test_a_run_is_told_from_its_beginning_to_its_end(bus, put_run, cluster):
    socket, read = await bus()
    made = put_run("one", phase="RUNNING", progress=0.5)
    event = await read()
    assert (event["type"], event["kind"], event["name"], event["uid"]) == ("ADDED", "Run", "one", made.uid)
    assert event["steps"] == {"load": "SUCCEEDED", "train": "RUNNING"}
    assert event["progress"] == 0.5
    cluster.store.update(
        "Run", "one", lambda run: run.with_(status={**run.status, "phase": "FAILED", "reason": "Why."})
    )
    event = await read()
    assert (event["type"], event["phase"], event["reason"]) == ("MODIFIED", "FAILED", "Why.")
    cluster.store.delete("Run", "one")
    event = await read()
    assert (event["type"], event["name"]) == ("DELETED", "one")
    socket.close()


async def test_a_thousand_changes_become_few_events_and_the_last_state(bus, put_run, cluster):
    put_run("one", phase="RUNNING")
    socket, read = await bus()

    def change_often():
        for number in range(1000):
            cluster.store.update(
                "Run", "one", lambda run, n=number: run.with_(status={**run.status, "progress": n / 1000})
            )

    begun = time.monotonic()
    changing = asyncio.get_running_loop().run_in_executor(None, change_often)
    count = 0
    while True:
        event = await read()
        count += 1
        if event["progress"] == 0.999:
            break
    await changing
    # Never more than one in 50 ms, however fast they come.
    assert count <= (time.monotonic() - begun) / 0.05 + 2
    socket.close()


async def test_another_process_is_seen_too(bus, put_run, cluster, kubeflow_home):
    socket, read = await bus()
    code = (
        "from jupyter_ext.cluster.local import LocalCluster; from jupyter_ext.cluster.resource import Resource;"
        "LocalCluster().store.create(Resource.new('Run', 'theirs', {}, status={'phase': 'SUCCEEDED'}))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0
    assert (await read())["name"] == "theirs"
    socket.close()


class Bench:
    """A watcher with a loop of its own and a list for a bus."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.events = []
        self.lines = []
        self.watcher = Watcher(self.loop, self.events.append, self)
        self.watcher.start()

    def log(self, level, text, **_):
        self.lines.append((level, text))

    def exception(self, text, *_):
        self.lines.append((40, text))

    def until(self, done):
        deadline = time.monotonic() + TIMEOUT
        while not done() and time.monotonic() < deadline:
            self.loop.run_until_complete(asyncio.sleep(0.01))
        assert done()

    def close(self):
        self.watcher.stop()
        assert not self.watcher._thread.is_alive()
        self.loop.close()


@pytest.fixture
def bench(cluster):
    made = Bench()
    assert made.watcher.ready.wait(TIMEOUT)
    yield made
    made.close()


def test_history_that_is_gone_is_caught_up_with(bench, cluster, put_run):
    """A watcher that slept through more deletions than are kept tells the present state."""
    put_run("one", phase="RUNNING")
    bench.until(lambda: bench.events)
    connection = sqlite3.connect(cluster.store.path)
    bench.watcher._since = 0
    assert connection.execute("SELECT count(*) FROM resources").fetchone() == (1,)
    connection.close()
    bench.events.clear()
    bench.watcher._catch_up()
    bench.until(lambda: bench.events)
    assert [(event["name"], event["type"]) for event in bench.events] == [("one", "MODIFIED")]


def test_a_bus_that_refuses_an_event_does_not_end_it(bench, put_run):
    told = bench.events.append

    def refuse(event):
        if event["name"] == "bad":
            raise ValueError("no")
        told(event)

    bench.watcher._emit = refuse
    put_run("bad")
    put_run("good")
    bench.until(lambda: [event["name"] for event in bench.events] == ["good"])
    assert bench.lines


def test_a_locked_store_is_waited_for(bench, cluster, put_run):
    script = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); time.sleep(1); c.execute('ROLLBACK')"
    )
    command = [sys.executable, "-c", script, str(cluster.store.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        put_run("after")
    bench.until(lambda: [event["name"] for event in bench.events] == ["after"])
