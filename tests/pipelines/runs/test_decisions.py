"""The pure parts of a run: versions of names, staleness, cache keys, states, comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines import cache
from jupyter_ext.pipelines.comparison import compare
from jupyter_ext.pipelines.exchange import ValueRef
from jupyter_ext.pipelines.model import Cell, Parameter, Pipeline, Step
from jupyter_ext.pipelines.observe import Observer
from jupyter_ext.pipelines.status import critical_path, error_sentence, progress, run_reason
from jupyter_ext.pipelines.versions import rests_on, select, stale_because, visible


def _ref(*names: str, digest: str = "b3:1", needs: dict[str, tuple[str, ...]] | None = None) -> ValueRef:
    return ValueRef(names, digest, "json", origin=f"{names}", needs=needs or {})


def _left(name: str, *refs: ValueRef, **more: Any) -> tuple[dict[str, Any], tuple[ValueRef, ...]]:
    return {"name": name, "state": "SUCCEEDED", **more}, refs


def test_later_versions_win_and_deleted_names_are_gone() -> None:
    first, second = _ref("x", digest="b3:1"), _ref("x", digest="b3:2")
    seen = visible([_left("a", first, _ref("y")), _left("b", second, deleted=["y"])])
    assert seen.refs == {"x": second}
    assert seen.made_by["x"] == "b"


def test_a_value_that_only_lives_in_a_process_hides_the_stored_one_and_back() -> None:
    seen = visible([_left("a", _ref("g")), _left("b", live={"g": {}})])
    assert (seen.live, seen.refs) == ({"g": "b"}, {})
    seen = visible([_left("b", live={"g": {}}), _left("c", _ref("g"))])
    assert seen.live == {}


def test_a_function_brings_what_it_refers_to() -> None:
    seen = visible([_left("a", _ref("f", needs={"f": ("n",)}), _ref("n", digest="b3:n"), _ref("other"))])
    assert select(Step("s", reads=("f",)), seen).names == {"f", "n"}
    assert select(Step("s", reads=("*",)), seen).names == {"f", "n", "other"}


@pytest.mark.parametrize(
    ("changed", "later", "hidden_counts", "expected"),
    [
        ({"outputs": [{"names": ["x"]}]}, {"used": {"x": "start"}}, True, "`x`"),
        ({"outputs": [{"names": ["x"]}]}, {"used": {"x": "between"}}, True, None),
        ({"outputs": [{"names": ["y"]}]}, {"used": {"x": "start"}}, True, None),
        ({"deleted": ["x"]}, {"used": {"x": "start"}}, True, "`x`"),
        ({"outputs": [{"names": ["late"]}]}, {"used": {}}, True, "`late`"),
        ({"hidden": {"env": "b3:"}}, {"used": {}}, True, "the env state"),
        ({"hidden": {"env": "b3:"}}, {"used": {}}, False, None),
        ({"hidden": {"random": "b3:"}}, {"used": {}, "state": "SUCCEEDED"}, True, None),
        ({"hidden": {"random": "b3:"}}, {"used": {}, "hidden": {"random": "b3:2"}}, True, "the random state"),
        ({"hidden": {"env": "b3:"}}, {"used": {}, "usedHidden": {"env": "between"}}, True, None),
        ({"hidden": {"warnings": "b3:"}}, {"used": {}}, True, None),
    ],
)
def test_what_makes_a_step_stale(
    changed: dict[str, Any], later: dict[str, Any], hidden_counts: bool, expected: str | None
) -> None:
    position = {"start": 0, "changed": 1, "between": 2, "later": 3}
    found = stale_because(
        {"name": "changed", **changed},
        {"name": "later", **later},
        position,
        ("late",),
        hidden_counts=hidden_counts,
    )
    assert found == expected


def _step(source: str) -> Step:
    return Step("s", cells=(Cell(1, "a", source),))


@pytest.mark.parametrize(
    ("later", "counts", "rests"),
    [
        ({"used": {"x": "a"}}, False, True),
        ({"used": {"x": "b"}}, True, False),
        ({"used": {}, "usedHidden": {"cwd": "a"}}, True, True),
        ({"used": {}, "usedHidden": {"cwd": "a"}}, False, False),
        ({"used": {}, "usedHidden": {"random": "a"}, "state": "SUCCEEDED"}, True, False),
        ({"used": {}, "usedHidden": {"random": "a"}, "hidden": {"random": "d"}}, True, True),
    ],
)
def test_what_a_step_was_given_by_one_that_is_run_again(
    later: dict[str, Any], counts: bool, rests: bool
) -> None:
    assert rests_on(later, "a", hidden_counts=counts) is rests


def test_comments_and_layout_do_not_change_the_code() -> None:
    assert cache.code_digest(_step("x = 1  # one\n\n\ny=2")) == cache.code_digest(_step("x=1\ny = 2"))
    assert cache.code_digest(_step("x = 1")) != cache.code_digest(_step("x = 2"))
    assert cache.code_digest(_step("!ls")) != cache.code_digest(_step("!ls -l"))


def _parts(**changes: Any) -> cache.Parts:
    plain = Pipeline("p", steps=(_step("lr = 1"),), parameters=(Parameter("lr", "int", 1, 1, 1),))
    values = {"parameters": {}, "inputs": {"x": "b3:1"}, "hidden": {}, **changes}
    return cache.parts_of(plain.step("s"), plain, values["parameters"], values["inputs"], values["hidden"])


def test_a_miss_names_every_part_that_differs(cluster: LocalCluster) -> None:
    store, blobs = cluster.store, cluster.blobs
    kept = blobs.put_bytes(b"value")
    result = {"outputs": [{"digest": kept, "names": ["y"]}]}
    cache.remember(store, "nb", "s", _parts(), "run-1", result, {}, "")
    hit = cache.look_up(store, blobs, "nb", "s", _parts())
    assert isinstance(hit, cache.Hit)
    assert (hit.run, hit.result) == ("run-1", result)
    for changes, word in [
        ({"parameters": {"lr": 2}}, "parameter lr"),
        ({"inputs": {"x": "b3:2"}}, "input x"),
        ({"hidden": {"random": "b3:9"}}, "random state"),
    ]:
        miss = cache.look_up(store, blobs, "nb", "s", _parts(**changes))
        assert isinstance(miss, cache.Miss)
        assert miss.differs == (word,)
        assert word in miss.text


def test_an_entry_without_its_blobs_or_with_effects_is_no_hit(cluster: LocalCluster) -> None:
    store, blobs = cluster.store, cluster.blobs
    gone = "b3:" + "0" * 64
    cache.remember(store, "nb", "s", _parts(), "run-1", {"outputs": [{"digest": gone}]}, {}, "")
    assert isinstance(cache.look_up(store, blobs, "nb", "s", _parts()), cache.Miss)
    cache.remember(store, "nb", "s", _parts(), "run-2", {}, {}, "runs a command")
    miss = cache.look_up(store, blobs, "nb", "s", _parts())
    assert isinstance(miss, cache.Miss)
    assert "runs a command" in miss.text
    assert isinstance(cache.look_up(store, blobs, "nb", "s", _parts(), lenient=True), cache.Hit)


def test_the_observer_sees_reads_writes_and_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "in").write_text("x")
    observer = Observer()
    observer.start()
    (tmp_path / "in").read_text()
    assert observer.finish()["why"] == ""
    second = Observer()
    second.start()
    (tmp_path / "out").write_text("y")
    seen = second.finish()
    assert str(tmp_path / "out") in seen["why"]
    third = Observer()
    third.start()
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert third.finish()["why"] == "runs a command"
    assert str(tmp_path / "in") in observer.finish()["files"]


def _status(name: str, state: str, start: int = 0, end: int = 0, **more: Any) -> dict[str, Any]:
    times = {"startedAt": f"2026-01-01T00:00:{start:02}Z", "finishedAt": f"2026-01-01T00:00:{end:02}Z"}
    return {"name": name, "state": state, "reason": "", **times, **more}


def test_the_critical_path_follows_the_latest_parent() -> None:
    steps = [_status("a", "SUCCEEDED", 0, 1), _status("b", "SUCCEEDED", 1, 9), _status("c", "SUCCEEDED", 1, 2),
             _status("d", "SUCCEEDED", 9, 10)]  # fmt: skip
    assert critical_path(steps, {"b": ["a"], "c": ["a"], "d": ["b", "c"]}) == ["a", "b", "d"]
    assert critical_path([], {}) == []


def test_reasons_and_progress() -> None:
    steps = [_status("a", "SUCCEEDED"), _status("b", "RUNNING"), _status("c", "PENDING", parent="b")]
    assert progress(steps) == 0.5
    assert run_reason("RUNNING", steps) == "1 of 2 steps done; running b."
    assert (
        run_reason("SUCCEEDED", [_status("a", "SUCCEEDED", cached=True)])
        == "All 1 steps done (1 from the cache)."
    )
    error = {"type": "ValueError", "message": "bad\nmore", "cell": 4, "line": 2}
    assert error_sentence("train", error) == "Step train failed at cell 4, line 2: ValueError: bad"


def test_comparing_takes_two_to_ten() -> None:
    with pytest.raises(Invalid, match="two to 10"):
        compare([{}], [{}])
