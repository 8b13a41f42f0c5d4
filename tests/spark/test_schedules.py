"""Schedules of batches: read, applied, changed, run by the clock, kept over the end of their process."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
import yaml

import jupyter_ext as kf
from jupyter_ext import resources
from jupyter_ext.cluster.local import locks, workload
from jupyter_ext.cluster.local import schedule as clockwork
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound
from jupyter_ext.spark import scheduling
from tests.waiting import until

LONG = 240
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NIGHTLY = """
apiVersion: sparkoperator.k8s.io/v1beta2
kind: ScheduledSparkApplication
metadata: {{name: nightly}}
spec:
  schedule: {cron}
  timeZone: Europe/Berlin
  concurrencyPolicy: {policy}
  suspend: {suspend}
  successfulRunHistoryLimit: 2
  template:
    type: Python
    mode: cluster
    sparkVersion: 4.0.0
    mainApplicationFile: {file}
    restartPolicy: {{type: Never}}
    driver: {{cores: 1, memory: {memory}}}
    executor: {{instances: 1, cores: 1, memory: 512m}}
"""


@pytest.fixture
def manifest(folder):
    (folder / "etl.py").write_text("print('done')\n")

    def text(**changes: object) -> str:
        given = {"cron": '"0 6 * * *"', "policy": "Forbid", "suspend": "false", "memory": "512m"}
        return NIGHTLY.format(**{**given, "file": f"local://{folder}/etl.py", **changes})

    return text


@pytest.fixture
def nightly(cluster, manifest):
    [applied] = resources.apply(manifest())
    assert applied.outcome == "created"
    yield kf.spark.schedule_of("nightly")
    resources.delete("scheduledsparkapp/nightly")


def holder(cluster, uid: str, other: int = 0) -> int:
    """The schedule's process; whoever looks sees to it that there is one."""

    def found() -> int | None:
        workload.sweep(cluster)
        pid = locks.holder(cluster.lock_path(uid))
        return pid if pid != other else None

    return until(found, LONG)


def test_it_is_applied_changed_suspended_and_resumed(cluster, manifest, nightly):
    assert until(lambda: nightly.next_run, LONG) > datetime.now(UTC)
    assert nightly.resource.status["scheduleState"] == "Scheduled"
    assert [each.outcome for each in resources.apply(manifest())] == ["unchanged"]
    before = nightly.resource.status["nextRun"]
    [changed] = resources.apply(manifest(cron='"30 7 * * *"'))
    assert changed.outcome == "configured"
    until(lambda: nightly.resource.status.get("nextRun") not in {None, before}, LONG)
    nightly.suspend()
    until(lambda: nightly.phase == "PAUSED", LONG)
    assert nightly.next_run is None
    nightly.resume()
    until(lambda: nightly.phase == "RUNNING", LONG)
    assert nightly.next_run is not None
    assert yaml.safe_load(nightly.export())["spec"]["schedule"] == "30 7 * * *"
    with pytest.raises(Conflict):
        kf.spark.submit_schedule(Resource.new(nightly.kind, "nightly", nightly.resource.spec))


def test_it_outlives_its_process_also_while_it_is_suspended(cluster, nightly):
    uid = nightly.resource.uid
    first = holder(cluster, uid)
    os.kill(first, signal.SIGKILL)
    assert holder(cluster, uid, other=first)
    nightly.suspend()
    until(lambda: nightly.phase == "PAUSED", LONG)
    second = holder(cluster, uid)
    os.kill(second, signal.SIGKILL)
    until(lambda: locks.holder(cluster.lock_path(uid)) is None, LONG)
    _ = nightly.phase
    nightly.resume()
    assert holder(cluster, uid, other=second) != second
    until(lambda: nightly.phase == "RUNNING", LONG)


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"cron": "often"}, "spec.schedule", "five fields"),
        ({"cron": '"@every 2"'}, "spec.schedule", "no time between"),
        ({"policy": "Queue"}, "spec.concurrencyPolicy", "no policy"),
        ({"memory": "100m"}, "spec.template.driver.memory", "too little memory"),
        ({"file": "s3a://bucket/etl.py"}, "spec.template.mainApplicationFile", "not on this machine"),
        ({"file": "local:///nowhere/etl.py"}, "spec.template.mainApplicationFile", "no file"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(cluster, manifest, changes, field, word):
    with pytest.raises(KubeflowError, match=word) as caught:
        resources.apply(manifest(**changes))
    assert caught.value.where is not None
    assert caught.value.where.field == field
    assert caught.value.where.line


def test_options_are_said_in_the_words_of_the_call(cluster, folder):
    (folder / "etl.py").touch()
    for options, field in (
        ({"cron": "often"}, "cron"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"concurrency": "Queue"}, "concurrency"),
        ({"keep": -1}, "keep"),
        ({"memory": "100m"}, "memory"),
    ):
        with pytest.raises(Invalid) as caught:
            kf.spark.schedule("etl.py", **{"cron": "@daily", **options})
        assert caught.value.where is not None
        assert caught.value.where.field == field
    with pytest.raises(TypeError):
        kf.spark.schedule("etl.py", "@daily", color="red")
    assert not cluster.list(scheduling.KIND)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 6 * * *", ("0 6 * * *", "Europe/Berlin")),
        ("CRON_TZ=Asia/Tokyo 0 6 * * *", ("0 6 * * *", "Asia/Tokyo")),
        ("TZ=UTC @daily", ("@daily", "UTC")),
    ],
)
def test_the_zone_may_stand_in_front(text, expected):
    resource = Resource.new(scheduling.KIND, "x", {"schedule": text, "timeZone": "Europe/Berlin"})
    terms = scheduling.terms_of(resource)
    assert (terms.expression, terms.timezone) == expected


def put(cluster, name: str, phase: str) -> None:
    labels = {scheduling.LABEL: "kept"}
    cluster.store.create(Resource.new("SparkApplication", name, {}, labels=labels, status={"phase": phase}))


def test_of_those_that_have_ended_so_many_are_kept(cluster):
    spec = {"schedule": "@daily", "successfulRunHistoryLimit": 2, "failedRunHistoryLimit": 0, "suspend": True}
    found = cluster.store.create(Resource.new(scheduling.KIND, "kept", spec))
    for number in range(4):
        put(cluster, f"good-{number}", "SUCCEEDED")
    put(cluster, "bad", "FAILED")
    put(cluster, "going", "PENDING")
    clockwork.look(scheduling.Batches(), cluster, found, NOON)
    status = kf.spark.schedule_of("kept").resource.status
    assert status["pastSuccessfulRunNames"] == ["good-3", "good-2"]
    assert status["pastFailedRunNames"] == []
    assert {each.name for each in kf.spark.schedule_of("kept").runs} == {"good-3", "good-2", "going"}
    assert scheduling.Batches().active(cluster, found)[0].name == "going"
    for each in kf.spark.schedule_of("kept").runs:
        cluster.store.delete("SparkApplication", each.name)
    cluster.store.delete(scheduling.KIND, "kept")


@pytest.mark.slow
def test_a_function_runs_by_the_clock_and_now(cluster, folder):
    def mark(path):
        import pathlib

        with pathlib.Path(path).open("a") as file:
            file.write("x")
        return 7

    made = kf.spark.schedule(
        mark,
        "@every 1s",
        name="often",
        concurrency="Forbid",
        args={"path": str(folder / "marks")},
        memory="512m",
        driver_memory="512m",
    )
    status = until(lambda: (found := made.resource.status).get("lastRunName") and found, LONG)
    assert status["lastRun"]
    first = kf.spark.get(status["lastRunName"])
    assert first.result(LONG) == 7
    assert first.resource.labels[scheduling.LABEL] == "often"
    assert first.resource.owner is None
    made.suspend()
    until(lambda: made.phase == "PAUSED", LONG)
    for each in made.runs:
        each.wait(LONG)
    again = made.run()
    assert again.result(LONG) == 7
    until(lambda: made.resource.status.get("pastSuccessfulRunNames") == [again.name], LONG)
    with pytest.raises(NotFound):
        kf.spark.get(first.name)
    made.delete()
    assert kf.spark.get(again.name).phase == "SUCCEEDED"
    assert len((folder / "marks").read_text()) >= 2
    assert timedelta(seconds=1) == clockwork.every("@every 1s")
