"""``%%train``, ``%%tune`` and ``%kf``: in a shell, in a real kernel, and inside a step of a run."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError

from jupyter_ext import pipelines, training, tuning

TRAIN = """%%train first --framework plain --procs 2 --arg lr=0.5 -o loss
import jupyter_ext as kf
for step in range(2):
    print("step", step, scale)
    kf.report(loss=lr * scale / (step + 1), step=step)
lr * scale
"""


def test_a_cell_is_trained_with_the_notebooks_names(shell, capsys):
    shell.run_cell("scale = 4; step = 'mine'").raise_error()
    shell.run_cell(TRAIN).raise_error()
    assert shell.user_ns["loss"] == 2.0
    assert shell.user_ns["step"] == "mine", "what the cell sets stays in its own processes"
    job = training.get("first")
    assert job.phase == "SUCCEEDED"
    assert len(job.ranks) == 2
    assert "TrainJob first" in capsys.readouterr().out


def test_an_error_names_rank_and_line_and_is_the_cells_error(shell):
    result = shell.run_cell("%%train --framework plain\nx = 1\nx / 0\n")
    assert isinstance(result.error_in_exec, UsageError)
    assert "ZeroDivisionError" in str(result.error_in_exec)
    assert "line 3" in str(result.error_in_exec), "as one sees it, the magic's own line counted"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%train --framework cobol\nx", "invalid choice"),
        ("%%train --nodes 0\nx", "whole number"),
        ("%%train --arg x\npass", "NAME=VALUE"),
        ("%%train -o 3x\npass", "not the name of a variable"),
        ("%%train --framework plain\nx = (", "line 2"),
        ("%%train --framework plain --gpu 99\npass", "GPU"),
        ("%%train 'first\npass", "quotation"),
        ("%%tune\nx", "space"),
        ("%%tune --param x=double(2,1)\nx", "greater"),
        ("%%tune --param x=double(0,1) --algorithm magic\nx", "magic"),
        ("%kf", "required"),
        ("%kf fly", "invalid choice"),
        ("%kf train none.py", "none.py"),
        ("%kf best none", "none"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(shell, cell, words):
    error = shell.run_cell(cell).error_in_exec
    assert isinstance(error, UsageError), error
    assert words in str(error)
    assert training.jobs() == []


def test_what_cannot_be_sent_along_is_named(shell):
    shell.run_cell("import threading; lock = threading.Lock()").raise_error()
    error = shell.run_cell("%%train --framework plain\nlock.acquire()").error_in_exec
    assert isinstance(error, UsageError)
    assert "lock" in str(error)


def test_a_job_that_is_not_waited_for(shell):
    shell.run_cell("%%train --framework plain --no-wait -o job\n6 * 7").raise_error()
    job = shell.user_ns["job"]
    assert job.result(60) == 42


def test_a_cell_is_tuned(shell):
    shell.run_cell("target = 0.25").raise_error()
    shell.run_cell(
        "%%tune sweep --param x=double(0,1) --param kind=categorical(a,b) --trials 4 -o best\n"
        "{'loss': (x - target) ** 2 + (kind == 'b')}"
    ).raise_error()
    best = shell.user_ns["best"]
    assert set(best) == {"x", "kind"}
    experiment = tuning.get("sweep")
    assert experiment.best.value == min(row["value"] for row in experiment.trials())
    shell.run_cell("%kf best sweep").raise_error()
    assert f"x = {best['x']!r}" in shell.rl_next_input


def test_looking_after_what_there_is(shell, tmp_path):
    (tmp_path / "fit.py").write_text("def fit(lr: float = 1.0):\n    return lr\n")
    job = shell.run_cell("%kf train fit.py --function fit --framework plain --arg lr=2 --wait").result
    assert job.result() == 2.0
    assert [item.name for item in shell.run_cell("%kf jobs").result] == [job.name]
    assert shell.run_cell("%kf experiments").result[:0] == ()
    assert job.name in repr(shell.run_cell("%kf get").result)
    assert "<table" in shell.run_cell("%kf get jobs").result._repr_html_()
    assert "SUCCEEDED" in str(shell.run_cell(f"%kf describe {job.name}").result)
    assert shell.run_cell(f"%kf wait trainjob/{job.name}").result.name == job.name
    shell.run_cell(f"%kf delete {job.name}").raise_error()
    assert training.jobs() == []


def test_options_are_completed(shell):
    def offered(line: str) -> set[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(line, len(line)))
        return {line[: item.start] + item.text for item in found}

    assert offered("%%train --fr") == {"%%train --framework"}
    assert offered("%%train --framework te") == {"%%train --framework tensorflow"}
    assert "%%tune --trials" in offered("%%tune --t")
    assert offered("%%tune --algorithm tp") == {"%%tune --algorithm tpe"}
    assert offered("%kf exp") == {"%kf experiments"}
    assert offered("job = %kf train --no") >= {"job = %kf train --nodes"}


def test_in_a_step_of_a_run(tmp_path):
    """The step waits for what it starts, shows what it prints, and passes on what it gives."""
    (tmp_path / "book.py").write_text(
        "# %%\n%load_ext jupyter_ext\nscale = 3\n"
        "# %%\n%%step train\n"
        "# %%\n%%train --framework plain --procs 2 --no-wait -o value\nprint('inside', scale)\nscale * 2\n"
        "# %%\n%%step tune\n"
        "# %%\n%%tune --param x=double(0,1) --trials 3 -o best\n{'loss': x * value}\n"
        "# %%\n%%step use\ntotal = value + len(best)\n"
    )
    checked = pipelines.check(str(tmp_path / "book.py"))
    assert not checked.errors, checked.problems
    run = pipelines.run(tmp_path / "book.py").wait(120)
    assert run.state == "SUCCEEDED", run.reason
    assert run.value("total") == 7
    assert "inside 3" in run.logs("train")
    [job] = training.jobs()
    assert job.resource.owner == run.resource.uid


@pytest.mark.slow
def test_in_a_kernel(tmp_path):
    """Shown live under the cell while it runs, a plain picture at the end; interrupting stops the job."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        messages = []

        def execute(code, status="ok"):
            messages.clear()
            reply = client.execute_interactive(code, timeout=120, output_hook=messages.append)
            assert reply["content"]["status"] == status, reply["content"]

        execute("%load_ext jupyter_ext\nscale = 4")
        execute(TRAIN)
        shown = [m["content"] for m in messages if m["msg_type"] == "display_data"]
        assert "application/vnd.jupyter.widget-view+json" in shown[0]["data"]
        updates = [m["content"]["data"] for m in messages if m["msg_type"] == "update_display_data"]
        assert "SUCCEEDED" in updates[-1]["text/plain"]
        assert "application/vnd.jupyter.widget-view+json" not in updates[-1]
        execute("assert loss == 2.0")
        assert not [m for m in messages if m["msg_type"] == "error"]

        # Else the kernel drops, for a moment, what comes after an error.
        msg = client.execute(
            "%%train slow --framework plain\nimport time\ntime.sleep(120)", stop_on_error=False
        )
        while True:
            message = client.get_iopub_msg(timeout=60)
            text = str(message["content"].get("data", {}).get("text/plain", ""))
            if "RUNNING" in text or message["msg_type"] == "comm_msg":
                break
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != msg:
            pass
        assert reply["content"]["status"] == "error"
        execute("import jupyter_ext as kf\nassert kf.training.get('slow').wait(30).phase == 'CANCELED'")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
