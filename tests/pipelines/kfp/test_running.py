"""Notebooks and compiled pipelines on a (double of a) Kubeflow Pipelines server, from the call to their end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import jupyter_ext as kf
from jupyter_ext.errors import Conflict, NotFound
from jupyter_ext.pipelines.kfp.handle import KfpRun
from tests.pipelines.kfp.fake import FakeKfp
from tests.pipelines.runs.notebooks import notebook
from tests.waiting import until

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "data" / "compiled"
SECONDS = 400


def _write(folder: Path, *cells: str, name: str = "book") -> Path:
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(notebook(*cells)))
    return path


def _states(run: kf.pipelines.Run) -> dict[str, str]:
    return {each["name"]: each["state"] for each in run.steps}


def test_a_notebook_from_the_call_to_its_values(chosen: FakeKfp, tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "%%parameters\nn = 2\nword = 'a'",
        "%%step one\nimport math\nx = [n + 1, word]\nprint('x is', x)",
        "%%step two --after one --for 'k in [1, 2]' --collect y\ny = x[0] * k\nprint('y is', y)",
        "%%step three --after two --if 'x[0] < 0'\nz = 1",
        "%%step four --after two\nimport jupyter_ext as kf\nw = sum(y)\nkf.pipelines.metrics(total=w)",
    )
    before = len(chosen.requests)
    run = kf.pipelines.run(path, n=20)
    assert isinstance(run, KfpRun)
    assert run.name in {each.name for each in kf.pipelines.runs()}
    run.wait(SECONDS)
    print(f"{len(chosen.requests) - before} requests from the call to the end")
    assert run.state == "SUCCEEDED", (run.reason, run.logs())
    assert run.parameters == {"n": 20}
    states = _states(run)
    assert list(dict.fromkeys(name.partition("[")[0] for name in states)) == [
        "setup",
        "one",
        "two",
        "three",
        "four",
    ]
    assert states.pop("three") == "SKIPPED"
    assert {"two[0]", "two[1]"} < states.keys()
    assert set(states.values()) == {"SUCCEEDED"}
    assert "x is [21, 'a']\n" in run.logs("one")
    assert "y is 42\n" in run.logs("two")
    with pytest.raises(NotFound, match="no step 'seven'"):
        run.logs("seven")
    # From object storage.
    assert run.value("x") == [21, "a"]
    assert run.value("y") == [21, 42]
    assert run.metrics == {"total": 63.0}
    inputs: dict = {}
    assert "y" in run.open("four", inputs)
    assert inputs["y"] == [21, 42]
    with pytest.raises(NotFound, match="no value 'nothing'"):
        run.value("nothing")
    # What it ran.
    assert "import math" in run.code("one")["cells"][0]["source"]
    assert any("w = sum(y)" in cell["source"] for cell in run.notebook()["cells"])
    assert run.yaml().count("kf_step") > 1
    graph = run.resource.spec["pipeline"]["graph"]
    assert {(edge["source"], edge["target"]) for edge in graph["edges"]} >= {("one", "two"), ("two", "four")}
    with pytest.raises(Conflict, match="nothing to resume"):
        run.resume()
    assert kf.pipelines.get(run.name).phase == kf.pipelines.get(run.id).phase == "SUCCEEDED"
    # Once its pods are gone there is what the server archived; here nothing.
    chosen.executions[run.id].nodes.clear()
    again = run.rerun(cache=False)
    assert [run.parameters, again.name == run.name] == [again.parameters, False]
    again.delete()
    with pytest.raises(NotFound):
        kf.pipelines.get(again.name)


def test_what_fails_says_why_and_goes_on_from_there(chosen: FakeKfp, tmp_path: Path) -> None:
    there = tmp_path / "there"
    path = _write(
        tmp_path,
        "%%step one\nx = 1\nprint('one ran')",
        f"%%step two --after one\nimport os\nif not os.path.exists({str(there)!r}):\n    raise ValueError('no such ärea')\ny = x + 1",
        "%%step three --after two\nprint('y is', y)",
        name="broken",
    )
    run = kf.pipelines.run(path).wait(SECONDS)
    assert (run.state, _states(run)) == ("FAILED", {"one": "SUCCEEDED", "two": "FAILED", "three": "SKIPPED"})
    assert run.reason == "Step two failed at cell 2, line 4: ValueError: no such ärea"
    assert run.resource.status["error"] == {
        "type": "ValueError", "message": "no such ärea", "cell": 2, "line": 4, "step": "two",
    }  # fmt: skip
    inputs: dict = {}
    run.open(namespace=inputs)
    assert inputs == {"x": 1}
    there.touch()
    assert run.resume().wait(SECONDS).state == "SUCCEEDED"
    assert "y is 2\n" in run.logs("three")
    assert chosen.executions[run.id].run.step("one")["attempt"] == 1


def test_a_compiled_pipeline_and_its_end_by_hand(chosen: FakeKfp) -> None:
    run = kf.pipelines.run(FOLDER / "branches.yaml").wait(SECONDS)
    assert run.state == "SUCCEEDED", (run.reason, run.logs())
    assert "SKIPPED" in _states(run).values()
    assert run.compiled
    with pytest.raises(Conflict, match="no notebook"):
        run.notebook()
    long = kf.pipelines.run(FOLDER / "naps.yaml", parameters={"seconds": 1000})
    until(lambda: "RUNNING" in _states(long).values())
    with pytest.raises(TimeoutError, match="is still RUNNING"):
        long.wait(0.5)
    long.stop()
    assert long.wait(SECONDS).state == "CANCELED"
    kf.pipelines.delete(long.name)
    comparison = kf.pipelines.compare(
        [run.name, kf.pipelines.run(FOLDER / "branches.yaml").wait(SECONDS).name]
    )
    assert comparison.to_dict()


def test_a_log_is_followed_through_a_server_that_is_away_for_a_while(chosen: FakeKfp, tmp_path: Path) -> None:
    path = _write(
        tmp_path, "%%step one\nprint('first')", "%%step two --after one\nprint('last')", name="told"
    )
    run = kf.pipelines.run(path)
    weather = iter([503, 0, -1, 0, 502])
    chosen.broken.append(lambda *_: next(weather, 0))
    text = "".join(run.logs(follow=True))
    assert [line for line in text.splitlines() if line in {"first", "last"}] == ["first", "last"]
    assert run.wait(SECONDS).state == "SUCCEEDED"
