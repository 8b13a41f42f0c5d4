"""The runs of a (double of a) server, kept up to date for lists: how often it is asked, and what is told."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.pipelines.compiled import reading
from jupyter_ext.pipelines.kfp import following
from jupyter_ext.pipelines.kfp.following import Following
from tests.pipelines.kfp.fake import FakeKfp
from tests.waiting import until

LINEAR = reading.load(Path(__file__).parents[2] / "data" / "compiled" / "linear.yaml")
NEVER = 3600.0


def put(kfp: FakeKfp, count: int = 1, state: str = "SUCCEEDED", **more: Any) -> list[str]:
    """Runs that the double keeps and nothing runs; gives their identities, the oldest first."""
    made = []
    for number in range(count):
        identity = str(uuid.uuid4())
        when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=len(kfp.runs))
        kfp.runs[identity] = {
            "run_id": identity, "display_name": f"Nightly {number}", "storage_state": "AVAILABLE", "state": state,
            "created_at": f"{when.isoformat()[:19]}Z", "pipeline_spec": copy.deepcopy(dict(LINEAR.pipeline)), **more,
        }  # fmt: skip
        made.append(identity)
    return made


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKfp]:
    """A double of this test's own, which is looked at only when the test says so."""
    for name in ("BUSY_SECONDS", "QUIET_SECONDS"):
        monkeypatch.setattr(following, name, NEVER)
    made = FakeKfp(tmp_path / "kfp")
    monkeypatch.setenv("JUPYTER_KUBEFLOW_PIPELINES", made.url)
    yield made
    made.close()


class Heard:
    """What was told, in order."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []
        self.turns = 0
        self.versions: list[int] = []

    def changed(self, change: str, run: Any) -> None:
        self.changes.append((change, run.name, run.phase))
        self.versions.append(run.resource_version)

    def turned(self) -> None:
        self.turns += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def follow(own: FakeKfp, heard: Heard) -> Iterator[Following]:
    made = Following(heard.changed, heard.turned, lambda: 41)
    yield made
    made.stop(60)


def lists(kfp: FakeKfp) -> int:
    """How often it was asked for a page of runs."""
    return sum(one.startswith("GET /apis/v2beta1/runs?") for one in kfp.requests)


def test_a_look_is_one_request_whatever_there_is(own: FakeKfp, follow: Following, heard: Heard) -> None:
    made = put(own, 20)
    for state in ("FAILED", "RUNNING", "PENDING"):
        made += put(own, state=state)
    assert follow.start().shows()
    assert [run.name for run in follow.newest()] == made[::-1]
    for _ in range(50):
        assert follow.shows()
        assert len(list(follow.newest())) == 23
    assert [one for one in own.requests if "healthz" not in one] == [own.requests[-1]]
    assert heard.changes == []
    newest = next(follow.newest())
    assert (newest.title, newest.phase) == ("Nightly 0", "PENDING")
    assert newest.reason == "Kubeflow Pipelines has not begun it yet."
    assert "graph" not in newest.spec["pipeline"]
    assert [step["name"] for step in newest.status["steps"]]


def test_what_changes_comes_and_goes_is_told_once(own: FakeKfp, follow: Following, heard: Heard) -> None:
    going, gone = put(own, 2, state="RUNNING")
    assert follow.start().shows()
    before = follow.version
    assert before > 41
    own.runs[going]["state"] = "FAILED"
    del own.runs[gone]
    (new,) = put(own)
    follow.soon()
    until(lambda: len(heard.changes) == 3)
    assert set(heard.changes) == {
        ("MODIFIED", going, "FAILED"), ("DELETED", gone, "RUNNING"), ("ADDED", new, "SUCCEEDED"),
    }  # fmt: skip
    assert heard.versions == sorted(set(heard.versions))
    assert heard.versions[0] > before
    follow.soon()
    until(lambda: lists(own) == 3)
    follow.stop(60)
    assert len(heard.changes) == 3


def test_older_ones_are_fetched_when_a_list_goes_that_far(
    own: FakeKfp, follow: Following, heard: Heard
) -> None:
    made = put(own, 130)
    assert follow.start().shows()
    newest = follow.newest()
    assert [next(newest).name for _ in range(following.POLLED)] == made[: -following.POLLED - 1 : -1]
    assert lists(own) == 1
    assert [run.name for run in newest] == made[: -following.POLLED][::-1]
    assert lists(own) == 3
    # They stay known while only the newest are looked at, except one that still goes on.
    own.runs[made[0]]["state"] = "RUNNING"
    follow.stop(60)
    again = Following(heard.changed, heard.turned).start()
    assert again.shows()
    assert len(list(again.newest())) == 130
    own.runs[made[0]]["state"] = "SUCCEEDED"
    again.soon()
    until(lambda: ("MODIFIED", made[0], "SUCCEEDED") in heard.changes)
    assert heard.changes == [("MODIFIED", made[0], "SUCCEEDED")]
    again.stop(60)


def test_so_many_at_once_that_it_loses_sight(own: FakeKfp, follow: Following) -> None:
    put(own, 3)
    assert follow.start().shows()
    put(own, 40)
    follow.soon()
    until(lambda: lists(own) == 2)
    until(lambda: len(list(follow.newest())) == 43)


def test_one_that_is_away_is_told_in_a_sentence_and_comes_back(
    own: FakeKfp, follow: Following, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.1)
    (made,) = put(own)
    assert follow.start().shows()
    own.broken.append(lambda _method, _path: 503)
    follow.soon()
    until(lambda: heard.turns == 1)
    assert "the weather" in follow.notice
    assert follow.shows()
    assert [run.name for run in follow.newest()] == [made]
    own.broken.clear()
    until(lambda: heard.turns == 2)
    assert follow.notice == ""
    assert heard.changes == []


def test_nobody_who_looks_costs_nothing(
    own: FakeKfp, follow: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(own)
    assert follow.start().shows()
    asked = lists(own)
    monkeypatch.setattr(following, "LEASE_SECONDS", -1.0)
    put(own)
    for _ in range(2):  # when it is awake a second time, the first is over
        follow.soon()
        until(lambda: not follow._wake.is_set())
    assert lists(own) == asked
    monkeypatch.setattr(following, "LEASE_SECONDS", NEVER)
    follow.soon()
    until(lambda: len(list(follow.newest())) == 2)


def test_a_pipeline_that_is_named_is_asked_for_once(own: FakeKfp, follow: Following) -> None:
    from jupyter_ext.pipelines.kfp import place

    server = place.server()
    assert server is not None
    text = (Path(__file__).parents[2] / "data" / "compiled" / "linear.yaml").read_text()
    version = server.upload(text, "linear")
    named = {key: version[key] for key in ("pipeline_id", "pipeline_version_id")}
    for _ in range(5):
        put(own, state="RUNNING", pipeline_version_reference=named, pipeline_spec=None)
    for run in own.runs.values():
        del run["pipeline_spec"]
    before = len(own.requests)
    assert follow.start().shows()
    assert all(run.status["steps"] for run in follow.newest())
    assert sum("/versions" in one for one in own.requests[before:]) == 1


def test_one_that_nobody_can_read_is_listed_without_its_steps(own: FakeKfp, follow: Following) -> None:
    broken, whole = put(own, 2)
    own.runs[broken] |= {"pipeline_spec": {"root": {"dag": {"tasks": 7}}}, "error": {"message": "No room."}}
    own.runs[broken]["state"] = "FAILED"
    assert follow.start().shows()
    found = {run.name: run for run in follow.newest()}
    assert found[whole].status["steps"]
    assert (found[broken].phase, found[broken].reason, found[broken].status["steps"]) == (
        "FAILED",
        "No room.",
        [],
    )
    assert follow.notice == ""


def failed(kfp: FakeKfp, log: str, **task: Any) -> str:
    """A run whose step failed, and what its pod printed."""
    row = {"display_name": "add", "state": "FAILED", "start_time": "2026-01-01T00:00:01Z",
           "child_tasks": [{"pod_name": "linear-add"}], **task}  # fmt: skip
    (made,) = put(kfp, state="FAILED", run_details={"task_details": [row]})
    kfp.kept[made, "linear-add"] = log
    return made


def test_why_a_run_failed_is_found_out_once_and_told(own: FakeKfp, follow: Following, heard: Heard) -> None:
    made = failed(own, "Traceback\nValueError: the door is shut\n")
    silent = failed(own, "")
    assert follow.start().shows()
    until(lambda: heard.changes == [("MODIFIED", made, "FAILED")])
    run = follow.get(made)
    assert run is not None
    assert run.reason == "Step add failed: ValueError: the door is shut"
    assert run.status["error"] == {"type": "ValueError", "message": "the door is shut", "step": "add"}
    assert follow.version_of(made) == run.resource_version == heard.versions[-1]
    until(lambda: len([one for one in own.requests if one.endswith("/log")]) == 2)
    # What stays as it was is asked no more; one that goes on and fails again is.
    follow.soon()
    until(lambda: lists(own) == 2)
    own.kept[made, "linear-add"] = "OSError: the door is gone\n"
    own.runs[made]["run_details"]["task_details"][0]["start_time"] = "2026-01-01T00:00:09Z"
    follow.soon()
    until(lambda: (now := follow.get(made)) is not None and "the door is gone" in now.reason)
    assert sum(f"/{silent}/" in one for one in own.requests) == 1
    assert sum(f"/{made}/" in one for one in own.requests) == 2


def test_what_the_server_says_itself_is_enough(own: FakeKfp, follow: Following) -> None:
    told = failed(own, "ValueError: another\n", error={"code": 2, "message": "OOMKilled\n(exit code 137)"})
    history = [{"state": "FAILED", "error": {"message": "the quota is full"}}]
    (whole,) = put(own, state="FAILED", state_history=history)
    own.broken.append(lambda _method, path: 404 if path.endswith("/log") else None)
    assert follow.start().shows()
    found = {run.name: run for run in follow.newest()}
    assert found[told].reason == "Step add failed: OOMKilled (exit code 137)"
    assert found[told].status["error"]["step"] == "add"
    assert found[whole].reason == "the quota is full"
    assert not [one for one in own.requests if one.endswith("/log")]


def test_many_that_failed_are_asked_a_few_at_a_time(
    own: FakeKfp, follow: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BUSY_SECONDS", 0.01)
    made = [failed(own, f"ValueError: {number}\n") for number in range(12)]
    assert follow.start().shows()
    until(lambda: all("ValueError" in run.reason for run in follow.newest()))
    assert lists(own) >= 3
    assert sum(one.endswith("/log") for one in own.requests) == len(made)
