from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError

from jupyter_ext import pipelines
from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.magics import current_notebook


@pytest.fixture
def completions(shell):
    def offered(line: str) -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(line, len(line)))
        return [line[: item.start] + item.text for item in found]

    return offered


def test_loading_imports_nothing_heavy():
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "ip = InteractiveShell.instance(); before = set(sys.modules)\n"
        "ip.run_line_magic('load_ext', 'jupyter_ext')\n"
        "print(sorted(name for name in set(sys.modules) - before))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(eval(found.stdout.splitlines()[-1]))
    assert not {name.partition(".")[0] for name in loaded} & {
        "pandas",
        "numpy",
        "tornado",
        "ipywidgets",
        "sqlite3",
        "yaml",
    }
    ours = {name for name in loaded if name.startswith("jupyter_ext.")}
    assert ours <= {
        "jupyter_ext.display",
        "jupyter_ext.display.magic",
        "jupyter_ext.errors",
        "jupyter_ext.magics",
        "jupyter_ext.pipelines",
        "jupyter_ext.pipelines.magics",
        "jupyter_ext.registry",
        "jupyter_ext.registry.magics",
        "jupyter_ext.registry.options",
        "jupyter_ext.serving",
        "jupyter_ext.serving.magics",
        "jupyter_ext.serving.options",
        "jupyter_ext.spark",
        "jupyter_ext.spark.magics",
        "jupyter_ext.training",
        "jupyter_ext.training.magics",
        "jupyter_ext.training.options",
        "jupyter_ext.training.spec",
        "jupyter_ext.tuning",
        "jupyter_ext.tuning.magics",
        "jupyter_ext.tuning.options",
    }


def test_a_step_runs_its_cell_here(shell, capsys):
    shell.run_cell("%%step load --cpu 2\nx = 1\n!true\nprint('seen')\nx").raise_error()
    assert shell.user_ns["x"] == 1
    assert "seen" in capsys.readouterr().out
    done = shell.find_cell_magic("step").__self__.done["load"]
    assert (done.name, done.state) == ("load", "SUCCEEDED")


def test_if_for_and_collect_do_what_they_do_in_the_pipeline(shell):
    shell.run_cell("xs = [1, 2, 3]; log = []")
    shell.run_cell("%%step square --for 'x in xs' --collect y\ny = x * x\nlog.append(y)").raise_error()
    assert shell.user_ns["y"] == [1, 4, 9]
    assert shell.user_ns["log"] == [1, 4, 9]
    assert shell.user_ns["x"] == 3
    shell.run_cell("%%step never --if 'len(xs) > 5'\nxs.clear()").raise_error()
    assert shell.user_ns["xs"] == [1, 2, 3]
    assert shell.find_cell_magic("step").__self__.done["never"].state == "SKIPPED"


def test_the_same_notebook_in_a_kernel_and_as_a_pipeline(shell, tmp_path):
    cells = [
        "xs = [1, 2, 3]",
        "%%step square --for 'x in xs' --collect y\ny = x * x",
        "%%step maybe --if 'sum(y) > 100'\ny = None",
        "%%step total\ntotal = sum(y) + x",
    ]
    for cell in cells:
        shell.run_cell(cell).raise_error()
    (tmp_path / "same.py").write_text("\n".join(f"# %%\n{cell}" for cell in cells))
    run = pipelines.run(tmp_path / "same.py").wait(60)
    assert run.state == "SUCCEEDED", run.reason
    assert run.value("total") == shell.user_ns["total"] == 17
    assert run.value("y") == shell.user_ns["y"]


def test_a_notebook_that_runs_itself_as_a_pipeline_does_not_do_so_for_ever(shell, tmp_path):
    path = tmp_path / "self.py"
    path.write_text(
        "# %%\n%load_ext jupyter_ext\n# %%\n%%step one\nx = 1\n# %%\n%%step two\n%pipeline run self.py\n"
    )
    run = pipelines.run(path).wait(60)
    assert run.state == "SUCCEEDED", run.reason
    assert len(pipelines.runs()) == 1


def test_an_error_in_a_step_is_the_cells_error(shell, capsys):
    result = shell.run_cell("%%step bad\n1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert shell.find_cell_magic("step").__self__.done["bad"].state == "FAILED"
    said = capsys.readouterr()
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.out + said.err)
    assert text.count("ZeroDivisionError") <= 2, "head and last line of one traceback"
    assert "----> 2 1 / 0" in text
    assert "magics.py" not in text
    assert isinstance(shell.run_cell("%%step bad\nx = (").error_in_exec, SyntaxError)
    assert "showtraceback" not in vars(shell)
    shell.run_cell("xs = [0, 1]")
    result = shell.run_cell("%%step loop --for 'x in xs'\n1 / x")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert shell.run_cell("%%step odd --if 'nothing'\npass").error_in_exec


@pytest.mark.parametrize(
    "line",
    ["%%step\nx = 1", "%%step a --cpus 2\nx = 1", "%%step a --cpu many\nx = 1", "%%parameters x\nx = 1"],
)
def test_a_wrong_line_is_one_sentence_and_the_cell_does_not_run(shell, line):
    result = shell.run_cell(line)
    assert isinstance(result.error_in_exec, UsageError)
    assert "\n" not in str(result.error_in_exec)
    assert "x" not in shell.user_ns


def test_parameters_are_plain_names_here(shell):
    shell.run_cell("%%parameters\nlr = 0.1").raise_error()
    assert shell.user_ns["lr"] == 0.1


def test_the_notebook_of_a_kernel(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    assert current_notebook({}) == path
    monkeypatch.setenv("JPY_SESSION_NAME", f"RTC:{path}")
    assert current_notebook({}) == path
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1")
    with pytest.raises(Invalid):
        current_notebook({})
    assert current_notebook({"__vsc_ipynb_file__": str(path)}) == path
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "renamed.ipynb"))
    with pytest.raises(Invalid, match="Name it"):
        current_notebook({})


def test_the_pipeline_of_this_notebook(shell, small, tmp_path, monkeypatch):
    path = tmp_path / "small.ipynb"
    path.write_text(json.dumps(small))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    view = shell.run_cell("%pipeline").result
    assert [step.name for step in view.pipeline.steps][-2:] == ["load", "add"]
    assert "after load" in repr(view)
    run = shell.run_cell("%pipeline run -p n=5 --wait").result
    assert run.state == "SUCCEEDED"
    assert run.value("total") == 10
    assert [item.name for item in shell.run_cell("%runs --limit 1").result.runs] == [run.name]
    code = shell.run_cell("%pipeline code -p n=6 --no-cache").result
    assert "n=6, cache=False" in str(code)
    assert shell.run_cell("%pipeline compile -o out.yaml").result == Path("out.yaml")
    assert (tmp_path / "out.yaml").exists()
    assert "n" in shell.run_cell("%pipeline form").result.model.values


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%pipeline fly", "invalid choice"),
        ("%pipeline run", "Name it"),
        ("%pipeline run none.ipynb", "none.ipynb"),
        ("%pipeline run x.ipynb -p n", "NAME=VALUE"),
        ("%pipeline run 'x", "quotation"),
        ("%runs --limit 0", "--limit"),
        ("%runs --colour", "unrecognized"),
    ],
)
def test_wrong_usage_is_one_line(shell, line, words):
    error = shell.run_cell(line).error_in_exec
    assert isinstance(error, UsageError)
    assert words in str(error)
    assert "\n" not in str(error)


def test_options_are_completed(completions):
    assert completions("%pipeline ru") == ["%pipeline run"]
    assert completions("%pipeline run --n") == ["%pipeline run --no-cache"]
    assert completions("r = %pipeline run --fr") == ["r = %pipeline run --from"]
    assert completions("%%step train --gp") == ["%%step train --gpu"]
    assert set(completions("%%step train --cache o")) >= {
        "%%step train --cache on",
        "%%step train --cache off",
    }
    assert completions("%runs --s") == ["%runs --state"]
    assert "y = xyz --no-cache" not in completions("y = xyz --n")


def test_help_tells_what_may_be_said(shell):
    text = shell.find_line_magic("pipeline").__doc__
    assert "--no-cache" in text
    assert "--from" in text


@pytest.mark.slow
def test_in_a_kernel(tmp_path, small):
    """Loaded, run and shown live in a real kernel."""
    from jupyter_client.manager import start_new_kernel

    path = tmp_path / "small.ipynb"
    path.write_text(json.dumps(small))
    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        messages = []

        def execute(code):
            messages.clear()
            reply = client.execute_interactive(code, timeout=60, output_hook=messages.append)
            assert reply["content"]["status"] == "ok", reply["content"]

        def wait_for(text):
            """A busy machine may deliver what a cell printed after the end of the cell."""
            while not any(text in m["content"]["text"] for m in messages if m["msg_type"] == "stream"):
                messages.append(client.get_iopub_msg(timeout=20))

        execute("%load_ext jupyter_ext")
        assert messages[0]["msg_type"] in {"status", "execute_input"}
        execute("%%step one\nx = 20 + 1\nprint('in the step')")
        wait_for("in the step")
        execute("run = %pipeline run small.ipynb\nrun")
        shown = [m["content"] for m in messages if m["msg_type"] == "display_data"]
        assert len(shown) == 1
        data = shown[0]["data"]
        assert {"text/plain", "text/html"} <= set(data)
        assert shown[0]["transient"]["display_id"]
        execute("assert run.wait(60).state == 'SUCCEEDED'; x += run.value('total'); print('x is', x)")
        wait_for("x is 24")
        updates = [m for m in messages if m["msg_type"] == "update_display_data"]
        while not any("SUCCEEDED" in m["content"]["data"]["text/plain"] for m in updates):
            message = client.get_iopub_msg(timeout=20)
            if message["msg_type"] == "update_display_data":
                updates.append(message)
        assert "application/vnd.jupyter.widget-view+json" not in updates[-1]["content"]["data"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
