"""A run of a compiled pipeline is a run: stopped, killed, resumed, compared and run again as any other."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from jupyter_ext.cluster.local import LocalCluster, locks
from jupyter_ext.errors import Conflict
from jupyter_ext.pipelines.handle import Run, compare, get, run
from tests.pipelines.compiled.conftest import FOLDER, SECONDS, Start, outputs, states, succeeded
from tests.waiting import processes_of, until


def _killable(folder: Path) -> Run:
    given = {"before": str(folder / "before"), "marker": str(folder / "marker"), "go": str(folder / "go")}
    return run(FOLDER / "killed.yaml", parameters=given)


def _length(path: Path) -> int:
    return len(path.read_text()) if path.exists() else 0


def test_killed_it_goes_on_with_what_had_succeeded(cluster: LocalCluster, tmp_path: Path) -> None:
    started = _killable(tmp_path)
    uid = started.resource.uid
    for kill in (1, 2):
        until(lambda kill=kill: _length(tmp_path / "marker") >= kill)
        holder = until(lambda: locks.holder(cluster.lock_path(uid)))
        os.kill(holder, signal.SIGKILL)
        until(
            lambda holder=holder: (
                get(started.name) and locks.holder(cluster.lock_path(uid)) not in (None, holder)
            )
        )
    until(lambda: _length(tmp_path / "marker") >= 3)
    (tmp_path / "go").touch()
    done = succeeded(started.wait(SECONDS))
    # What had ended before the kills was not done again, what had not was.
    assert (tmp_path / "before").read_text() == ".."
    assert set(states(done).values()) == {"SUCCEEDED"}
    assert until(lambda: not processes_of(uid))


def test_stopped_nothing_is_left(cluster: LocalCluster, tmp_path: Path) -> None:
    started = _killable(tmp_path)
    until(lambda: _length(tmp_path / "marker"))
    started.stop()
    done = started.wait(SECONDS)
    assert done.state == "CANCELED"
    assert states(done)["flaky[0]"] == "SUCCEEDED"
    assert states(done)["sleepy[0]"] == "CANCELED"
    # The second iteration never began, so the loop is not done.
    assert states(done)["flaky[1]"] == states(done)["flaky"] == "CANCELED"
    assert until(lambda: not processes_of(done.resource.uid))
    assert not cluster.leases.held()


def test_resumed_only_what_failed_is_done_again(ran: Start, tmp_path: Path) -> None:
    counter = tmp_path / "n"
    done = ran("retries", counter=str(counter), until=5)
    assert (done.state, counter.read_text()) == ("FAILED", "...")
    again = done.resume().wait(SECONDS)
    assert again.name == done.name
    assert outputs(succeeded(again), "flaky") == {"Output": 5}


def test_an_exit_task_runs_again_when_what_it_guards_does(ran: Start, tmp_path: Path) -> None:
    marker = tmp_path / "told"
    done = ran("exits", marker=str(marker), message="no")
    marker.unlink()
    again = done.resume().wait(SECONDS)
    assert again.state == "FAILED"
    assert marker.exists()
    assert again.step("add")["attempt"] == 1


def test_rerun_compare_reproduce_and_code(ran: Start, tmp_path: Path) -> None:
    shutil.copy(FOLDER / "linear.yaml", tmp_path / "linear.yaml")
    first = succeeded(run(tmp_path / "linear.yaml", parameters={"start": 1}).wait(SECONDS))
    second = succeeded(first.rerun(cache=False).wait(SECONDS))
    assert second.parameters == first.parameters
    assert not any(status["cached"] for status in second.steps)
    assert first.reproduce(SECONDS).identical
    third = succeeded(ran("linear", start=9))
    assert "start" in str(compare([first.name, third.name]))
    assert "def add(" in first.code("add")["cells"][0]["source"]
    with pytest.raises(Conflict, match="has no notebook"):
        first.executed()


def test_the_record_exports_as_one_file(ran: Start, tmp_path: Path) -> None:
    import zipfile

    place = succeeded(ran("linear")).export(tmp_path / "run.zip")
    assert {"run.json", "pipeline.json", "logs/add.1.log"} <= set(zipfile.ZipFile(place).namelist())
