"""Schedules that the server keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext.errors import Conflict, Invalid, NotFound, Unfit
from jupyter_ext.pipelines.kfp import place
from tests.pipelines.kfp.fake import FakeKfp
from tests.pipelines.runs.notebooks import notebook


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "nightly.ipynb"
    path.write_text(json.dumps(notebook("%%parameters\nn = 2", "%%step one\nx = n")))
    return path


@pytest.mark.slow
def test_a_schedule_is_made_paused_run_and_removed(chosen: FakeKfp, book: Path) -> None:
    made = kf.pipelines.schedule(book, "0 6 * * 1-5", name="nightly", n=7)
    kept = chosen.recurring[made.uid]
    assert kept["trigger"] == {"cron_schedule": {"cron": "0 0 6 * * 1-5"}}
    assert (kept["max_concurrency"], kept["no_catchup"], kept["mode"]) == ("1", True, "ENABLE")
    assert (made.phase, made.spec["parameters"]) == ("RUNNING", {"n": 7})
    assert made.status["nextTime"].endswith("06:00:00+00:00")
    assert "nightly" in {one.name for one in kf.pipelines.schedules()}
    with pytest.raises(Conflict, match="already"):
        kf.pipelines.schedule(book, "0 6 * * *", name="nightly")
    assert kf.pipelines.schedule_set("nightly", enabled=False).phase == "PAUSED"
    assert kf.pipelines.schedule_set("nightly", enabled=True).phase == "RUNNING"
    run = kf.pipelines.schedule_run("nightly")
    assert run.wait(300).state == "SUCCEEDED"
    assert run.parameters == {"n": 7}
    kf.pipelines.schedule_delete("nightly")
    with pytest.raises(NotFound):
        kf.pipelines.schedule_delete("nightly")
    assert run.phase == "SUCCEEDED"


def test_what_the_server_would_not_keep_is_refused_first(chosen: FakeKfp, book: Path) -> None:
    before = len(chosen.requests)
    with pytest.raises(Unfit, match=r"UTC, and not in Europe/Berlin.*use\('local'\)"):
        kf.pipelines.schedule(book, "0 6 * * *", timezone="Europe/Berlin")
    with pytest.raises(Invalid):
        kf.pipelines.schedule(book, "61 * * * *")
    with pytest.raises(Invalid, match="From 1 to 10"):
        kf.pipelines.schedule(book, "0 6 * * *", max_concurrency=11)
    assert len(chosen.requests) == before


def test_one_of_this_machine_is_still_found(
    chosen: FakeKfp, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(place.URL, "none")
    kf.pipelines.schedule(book, "0 6 1 1 *", name="here")
    monkeypatch.setenv(place.URL, chosen.url)
    assert "here" in {one.name for one in kf.pipelines.schedules()}
    kf.pipelines.schedule_delete("here")
