"""Killed anywhere, at any moment: no process goes on, and no half-written output is left."""

from __future__ import annotations

import os
import signal

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import locks
from jupyter_ext.spark import launch
from tests.waiting import processes_of, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LONG = 600
SMALL = {"memory": "512m", "driver_memory": "512m"}


def saving(folder):
    """Save an RDD whose second part never ends; the first is written."""
    import pathlib
    import time

    from pyspark.sql import SparkSession

    def slow(part, rows):
        yield from rows
        if part:
            pathlib.Path(folder, "writing").touch()
            time.sleep(3600)

    spark = SparkSession.builder.getOrCreate()
    spark.sparkContext.parallelize(range(4), 2).mapPartitionsWithIndex(slow).saveAsTextFile(folder + "/half")


def controller(cluster, uid: str) -> int:
    return until(lambda: locks.holder(cluster.lock_path(uid)), LONG)


def java(uid: str):
    return [one for one in processes_of(uid) if launch.SUBMIT in one.cmdline()]


def gone(uid: str) -> None:
    until(lambda: not processes_of(uid), LONG)


def test_a_driver_killed_while_it_saves_an_rdd(cluster, folder):
    app = kf.spark.submit(saving, args={"folder": str(folder)}, cores=2, **SMALL)
    until(lambda: (folder / "writing").exists() or app.finished, LONG)
    assert app.phase == "RUNNING", app.reason
    assert (folder / "half" / "_temporary").exists()
    java(app.resource.uid)[0].kill()
    assert app.wait(LONG).phase == "FAILED"
    gone(app.resource.uid)
    assert not (folder / "half").exists()
    told = [
        event for event in cluster.events("SparkApplication", app.name) if event.reason == "OutputRemoved"
    ]
    assert str(folder / "half") in told[0].message


@pytest.mark.parametrize("moment", ["begun", "starting", "running"])
def test_a_controller_killed_before_anything_is_written(cluster, folder, moment):
    app = kf.spark.submit(saving, args={"folder": str(folder)}, cores=1, **SMALL)
    uid = app.resource.uid
    pid = controller(cluster, uid)
    until(lambda: app.resource.status.get("attempt"), LONG)
    if moment != "begun":
        until(lambda: java(uid) or app.finished, LONG)
    if moment == "running":
        until(lambda: app.phase == "RUNNING" or app.finished, LONG)
    os.kill(pid, signal.SIGKILL)
    assert app.wait(LONG).phase == "FAILED"
    gone(uid)
    assert not (folder / "half" / "_temporary").exists()
    work = cluster.work_folder(uid)
    assert not [name for name in ("spark.conf", launch.CONNECTION, launch.WRITING) if (work / name).exists()]


def test_a_session_that_nobody_uses_ends_and_one_that_is_killed_leaves_nothing(cluster, folder):
    server = kf.spark.start("lazy", cores=1, idle="2s", **SMALL)
    found = server.wait(LONG).resource
    assert found.phase == "SUCCEEDED", found.reason
    assert "Nobody used it for 2s" in found.reason
    gone(found.uid)
    again = kf.spark.start("lazy", cores=1, idle=0, **SMALL)
    until(lambda: java(again.resource.uid), LONG)
    uid = again.resource.uid
    os.kill(controller(cluster, uid), signal.SIGKILL)
    assert again.wait(LONG).phase == "FAILED"
    gone(uid)
