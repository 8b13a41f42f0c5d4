"""Parameters, conditions, loops, retries, timeouts, partial runs, cache."""

from __future__ import annotations

import pytest

from jupyter_ext.errors import Invalid, KubeflowError
from jupyter_ext.pipelines.handle import run, runs
from tests.pipelines.runs.notebooks import Write, finished, printed, states


def test_parameters_replace_the_cell_and_keep_their_type(write: Write) -> None:
    path = write(("lr = 0.1\nepochs = 3", "pipeline-parameters"), ("print(lr * epochs)", "step:train"))
    made = finished(path, lr=0.5, parameters={"epochs": "4"})
    assert printed(made) == "2.0\n"
    assert made.parameters == {"lr": 0.5, "epochs": 4}
    with pytest.raises(Invalid, match="epochs"):
        run(path, epochs="many")
    with pytest.raises(Invalid, match="epoch"):
        run(path, epoch=3)


def test_a_false_condition_skips_the_step_and_what_needs_it(write: Write) -> None:
    made = finished(
        write(
            "%%step measure\nscore = 0.4",
            "%%step deploy --if 'score > 0.5'\nurl = 'http://'",
            "%%step tell\nprint('score', score)",
            "%%step visit\nprint(url)",
        )
    )
    assert states(made) == {
        "measure": "SUCCEEDED",
        "deploy": "SKIPPED",
        "tell": "SUCCEEDED",
        "visit": "SKIPPED",
    }
    assert "deploy" in made.step("visit")["reason"]
    assert made.state == "SUCCEEDED"


def test_a_loop_runs_its_iterations_and_collects(write: Write) -> None:
    made = finished(
        write(
            "%%step start\ndepths = [1, 2, 3]",
            "%%step train --for 'depth in depths' --collect score\nscore = depth * 10",
            "%%step best\nprint(score, depth)",
        )
    )
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made) == "[10, 20, 30] 3\n"
    children = [status for status in made.steps if status.get("parent") == "train"]
    assert [child["state"] for child in children] == ["SUCCEEDED"] * 3


def test_a_loop_that_carries_state_runs_in_order(write: Write) -> None:
    made = finished(
        write(
            "%%step start\ntotal = 0",
            "%%step add --for 'i in range(4)'\ntotal += i",
            "%%step end\nprint(total)",
        )
    )
    assert printed(made) == "6\n", made.reason


def test_retry_and_its_attempts(write: Write) -> None:
    made = finished(
        write(
            "%%step flaky --retry 2\nimport pathlib\nfile = pathlib.Path('count')\n"
            "n = int(file.read_text()) if file.exists() else 0\nfile.write_text(str(n + 1))\n"
            "assert n >= 1, 'not yet'\nprint('attempt', n)"
        )
    )
    assert made.state == "SUCCEEDED", made.reason
    assert made.step("flaky")["attempt"] == 2


def test_a_timeout_ends_the_step_with_a_reason(write: Write) -> None:
    made = finished(write("%%step slow --timeout 1\nimport time\ntime.sleep(60)"))
    assert made.state == "FAILED"
    assert "timeout of 1 s" in made.reason


def test_failure_names_cell_and_line_and_stops_what_follows(write: Write) -> None:
    made = finished(
        write("# One", "secret_token = 'abc'\nx = 1", "# Two", "y = x\ny / 0", "# Three", "print('never', y)")
    )
    assert made.state == "FAILED"
    assert states(made)["three"] == "SKIPPED"
    error = made.resource.status["error"]
    assert (error["cell"], error["line"], error["type"]) == (4, 2, "ZeroDivisionError")
    assert "cell 4" in made.reason
    assert "abc" not in str(error)
    outputs = made.executed()["cells"][3]["outputs"]
    assert outputs[-1]["output_type"] == "error"


def test_resume_goes_on_from_the_failed_step(write: Write) -> None:
    path = write("# One", "print('one ran')\nx = 1", "# Two", "import pathlib\nassert pathlib.Path('ok').exists()",
                 "# Three", "print(x + 1)")  # fmt: skip
    made = finished(path)
    assert made.state == "FAILED"
    before = made.step("one")["startedAt"]
    (path.parent / "ok").touch()
    again = made.resume().wait(60)
    assert again.name == made.name
    assert again.state == "SUCCEEDED", again.reason
    assert made.step("one")["startedAt"] == before
    assert printed(again).endswith("2\n")


def test_resume_after_an_edit_reuses_what_was_done(write: Write) -> None:
    path = write("# One", "x = 1\nopen('effect', 'a').write('!')", "# Two", "x / 0")
    made = finished(path)
    write("# One", "x = 1\nopen('effect', 'a').write('!')", "# Two", "print(x / 2)")
    again = made.resume().wait(60)
    assert again.name != made.name
    assert printed(again).endswith("0.5\n")
    assert again.step("one")["cached"]
    assert (path.parent / "effect").read_text() == "!"


def test_cache_hits_and_says_from_where_and_misses_say_why(write: Write) -> None:
    cells = ("# Parameters", "n = 2", "# Square", "m = n * n", "# Show", "print(m)")
    first = finished(write(*cells))
    second = finished(write(*cells))
    assert all(status["cached"] for status in second.steps)
    assert first.name in second.step("square")["cache"]["text"]
    assert printed(second) == "4\n"
    third = finished(write(*cells), n=3)
    assert third.step("square")["cache"]["differs"] == ["input n"]
    fourth = finished(write(*cells[:-1], "print(m, '!')"))
    assert fourth.step("square")["cached"]
    assert "code" in fourth.step("show")["cache"]["differs"]


def test_the_cache_sees_files_that_were_read_and_written(write: Write) -> None:
    path = write("# Read", "text = open('in.txt').read()", "# Write", "open('out.txt', 'w').write(text)")
    (path.parent / "in.txt").write_text("a")
    finished(path)
    (path.parent / "out.txt").unlink()
    second = finished(path)
    assert second.step("read")["cached"]
    assert not second.step("write")["cached"]
    assert (path.parent / "out.txt").exists()
    (path.parent / "in.txt").write_text("bb")
    third = finished(path)
    assert not third.step("read")["cached"]
    assert "in.txt" in third.step("read")["cache"]["text"]


def test_only_and_from(write: Write) -> None:
    path = write("# A", "a = 1", "# B", "b = a + 1", "# C", "print(b)")
    finished(path)
    only = finished(path, only="b")
    assert states(only) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    assert only.step("a")["cached"]
    assert not only.step("b")["cached"]
    onward = finished(path, from_="b")
    assert [status["cached"] for status in onward.steps] == [True, False, False]
    with pytest.raises(KubeflowError, match="no step"):
        run(path, only="zzz")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["# A", "x = 1", "# B", "print(xx)"], r"xx.*cell 4"),
        (["# A", "x = = 1"], r"cell 2, line 1"),
        ([("x = 1", "step:a", "prev:b"), ("y = 1", "step:b", "prev:a")], r"cycle|circle"),
        ([("x = 1", "step:load"), ("y = 1", "step:b", "prev:laod")], r"laod.*load"),
        ([("x = 1", "step:a", "limit:memory:4Gx")], r"4Gx"),
        ([("x = 1", "step:a", "limit:memory:90000Gi")], r"step a"),
        ([("x = 1", "step:a", "limit:nvidia.com/gpu:64")], r"GPU"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_runs(write: Write, cells: list[object], said: str) -> None:
    from jupyter_ext.pipelines.handle import runs

    with pytest.raises(KubeflowError, match=f"(?s){said}") as caught:
        run(write(*cells))
    assert caught.value.status in (400, 422)
    assert runs() == []


def test_metrics_reach_the_run(write: Write) -> None:
    path = write(
        ("acc = 0.5 + 0.25", "step:train"),
        ("import jupyter_ext as kf\nkf.pipelines.metrics(loss=0.1)", "step:more"),
        ("print(acc)", "pipeline-metrics"),
    )
    made = finished(path)
    assert made.metrics == {"acc": 0.75, "loss": 0.1}, made.reason


def test_values_can_be_looked_at_afterwards(write: Write) -> None:
    made = finished(write("# A", "import pandas as pd\nframe = pd.DataFrame({'a': range(50)})\nn = 7"))
    assert made.value("n") == 7
    assert len(made.value("frame")) == 50
    assert made.preview("a", "frame")["kind"] == "table"
    result = made.to_json()
    assert result["steps"][0]["outputs"]["n"] == 7
    with pytest.raises(KubeflowError, match="frame"):
        made.value("fram")


def test_open_here_gives_the_failed_steps_inputs(write: Write) -> None:
    made = finished(write("# A", "rows = [1, 2]\ndef total():\n    return sum(rows)", "# B", "total() / 0"))
    namespace: dict[str, object] = {}
    made.open(namespace=namespace)
    assert namespace["total"]() == 3  # type: ignore[operator]
    debug = made.debug()
    assert debug["step"] == "b"
    assert debug["cell"] == {"index": 4, "id": "cell-4"}
    assert made.name in debug["notebook"]["cells"][1]["source"]


def test_compare_puts_differences_first(write: Write) -> None:
    path = write(("lr = 0.1", "pipeline-parameters"),
                 ("import jupyter_ext as kf\nkf.pipelines.metrics(acc=lr * 2)", "step:train"))  # fmt: skip
    from jupyter_ext.pipelines.handle import compare

    one, two = finished(path), finished(path, lr=0.4)
    table = {(row.section, row.name): row for row in compare([one.name, two.name]).rows}
    assert table["parameters", "lr"].values == (0.1, 0.4)
    assert table["metrics", "acc"].differs


def test_reproduce_says_what_is_identical(write: Write) -> None:
    path = write("# A", "import time\nstamp = time.time()\nx = 41 + 1", "# B", "y = x + 1")
    made = finished(path)
    report = made.reproduce(60)
    verdicts = {(item.step, item.name): item.identical for item in report.outputs}
    assert verdicts["a", "x"]
    assert verdicts["b", "y"]
    assert not verdicts["a", "stamp"]
    assert not report.identical


def test_a_notebook_does_not_run_itself(write: Write) -> None:
    asking = (
        "try:\n    kf.pipelines.run({!r}).wait(30)\nexcept kf.errors.Conflict as error:\n    print(error)"
    )
    made = finished(write("import jupyter_ext as kf\nimport jupyter_ext.errors", asking.format("nb.ipynb")))
    assert made.state == "SUCCEEDED", made.reason
    assert "cannot start another run of the same notebook" in printed(made)
    assert [run.name for run in runs()] == [made.name]


def test_nor_through_another_one(write: Write) -> None:
    write("import jupyter_ext as kf", "kf.pipelines.run('nb.ipynb')", name="other")
    made = finished(
        write(
            "import jupyter_ext as kf",
            "inner = kf.pipelines.run('other.ipynb').wait(30)\nprint(inner.reason)",
        )
    )
    assert made.state == "SUCCEEDED", made.reason
    assert "cannot start another run of the same notebook" in printed(made)
    assert len(runs()) == 2
