"""What cells print and show is stored as a notebook stores it, and in the log as it happens."""

from __future__ import annotations

import time

import pytest

from jupyter_ext.pipelines.outputs import CELL_LIMIT, CellOutputs, terminal_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n", "plain\n"),
        ("10%\r20%\r100%\n", "100%\n"),
        ("abcdef\rxy", "xycdef"),
        ("done\r\nnext", "done\nnext"),
        ("ab\b\bcd", "cd"),
        ("a\rb\nc\rd", "b\nd"),
        ("\b\bx", "x"),
    ],
)
def test_text_is_stored_as_a_terminal_shows_it(text, shown):
    assert terminal_text(text) == shown


def test_a_cell_keeps_a_bounded_amount_of_text():
    cell = CellOutputs()
    for _ in range(CELL_LIMIT // 1000 + 100):
        cell.stream("stdout", "x" * 1000)
    (stored,) = cell.finished()
    assert len(stored["text"]) < CELL_LIMIT + 2000
    assert "only in the step's log" in stored["text"]


def test_both_streams_python_c_and_subprocesses_in_order(steps):
    steps.ok(
        "import sys, os, subprocess, ctypes\nprint('one')\nos.system('echo two')\nsubprocess.run(['sh', '-c', 'echo three'])\n"
        "ctypes.CDLL(None).puts(b'four')\nctypes.CDLL(None).fflush(None)\nos.write(1, b'five\\n')\nprint('six', file=sys.__stdout__)\n"
        "sys.stdout.buffer.write(b'seven\\n')\nprint('eight')",
        "import sys\nprint('err', file=sys.stderr)\nos.system('echo err2 >&2')\n!echo shell",
    )
    first, second = steps.outputs()
    assert [item["name"] for item in first["outputs"]] == ["stdout"]
    assert first["outputs"][0]["text"] == "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
    assert [(item["name"], item["text"]) for item in second["outputs"]] == [
        ("stderr", "err\nerr2\n"),
        ("stdout", "shell\n"),
    ]
    assert steps.log("s1").splitlines() == [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "err",
        "err2",
        "shell",
    ]


def test_forks_of_the_step_print_into_its_cell(steps):
    source = (
        "import multiprocessing as mp\ndef work(i):\n    print('in', i, flush=True)\n"
        "ps = [mp.get_context('fork').Process(target=work, args=(i,)) for i in range(2)]\n[p.start() for p in ps]\n[p.join() for p in ps];"
    )
    assert sorted(steps.ok(source).split("\n")) == ["in 0", "in 1"]


def test_the_log_follows_while_the_cell_is_busy(steps):
    handle = steps.start("import time, os\nprint('started')\nos.system('echo child')\ntime.sleep(3)")
    deadline = time.monotonic() + 30
    while "child" not in steps.log("s1"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert handle.poll() is None, "the log came only with the result"
    assert handle.cell == 1
    assert handle.wait(30).state == "SUCCEEDED"


def test_results_displays_and_updates(steps):
    steps.ok(
        "from IPython.display import display, HTML, clear_output\n1 + 1",
        "h = display('first', display_id='d')\nprint('between')\ndisplay(HTML('<b>x</b>'))",
        "h.update('second')\n_ + 1",
        "print('gone')\nclear_output()\nprint('kept')",
        "print('replaced')\nclear_output(wait=True)\nprint('new')",
        "None",
        "_, Out[3], In[1], ___",
    )
    one, two, three, four, five, six, seven = [cell["outputs"] for cell in steps.outputs()]
    assert one[0]["data"]["text/plain"] == "2"
    assert one[0]["execution_count"] == 1
    assert [item["output_type"] for item in two] == ["display_data", "stream", "display_data"]
    assert two[0]["data"]["text/plain"] == "'second'"
    assert two[2]["data"]["text/html"] == "<b>x</b>"
    assert "display_id" not in two[0]
    assert three[0]["data"]["text/plain"] == "3"
    assert four == [{"output_type": "stream", "name": "stdout", "text": "kept\n"}]
    assert five[0]["text"] == "new\n"
    assert six == []
    assert seven[0]["data"]["text/plain"].startswith("(3, 3, ")


def test_outputs_are_valid_notebook_cells(steps):
    import nbformat

    steps.run("import numpy as np\nprint('x')\n{'a': float('nan')}", "1 / 0")
    cells = [
        nbformat.v4.new_code_cell(
            outputs=[nbformat.from_dict(o) for o in cell["outputs"]], execution_count=cell["execution_count"]
        )
        for cell in steps.outputs()
    ]
    nbformat.validate(nbformat.v4.new_notebook(cells=cells))


def test_magics_of_a_notebook_work(steps):
    steps.ok(
        "%%step train --after prepare\n\nx = 1\n!echo {x}",
        "%%time\ny = 2",
        "%%capture out\nprint('hidden')",
        "%env KF_T=5\n%time z = 3\n%matplotlib inline",
        "files = !echo a b\nfiles.s",
        "%%bash\necho from bash",
        "%%writefile kf-file.txt\nhello",
        "pwd = %pwd",
        "out.stdout, y, z, x",
    )
    shown = [cell["outputs"] for cell in steps.outputs()]
    assert shown[0][0]["text"] == "1\n"
    assert shown[2] == []
    assert shown[4][0]["data"]["text/plain"] == "'a b'"
    assert shown[5][0]["text"] == "from bash\n"
    assert shown[8][0]["data"]["text/plain"] == "('hidden\\n', 2, 3, 1)"


def test_asynchronous_cells_and_tasks(steps):
    steps.ok(
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 5\nx = await f()\nt = asyncio.create_task(f())",
        "y = await t\nasync with asyncio.timeout(5):\n    pass",
        "asyncio.get_running_loop()\nx, y",
        "del t",
    )
    assert steps.outputs()[2]["outputs"][0]["data"]["text/plain"] == "(5, 5)"


def test_figures_show_at_the_end_of_their_cell(steps):
    steps.ok("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('x')", "plt.get_fignums()")
    first, second = [cell["outputs"] for cell in steps.outputs()]
    kinds = [item["output_type"] for item in first]
    assert kinds.count("display_data") == 1
    assert first[-1]["data"]["image/png"].startswith("iVBOR")
    assert second[0]["data"]["text/plain"] == "[]"


def test_progress_bars_leave_their_last_line(steps):
    source = "import sys, time\nfor i in range(5):\n    print(f'\\r{i * 25}%', end='', file=sys.stderr)\nprint(file=sys.stderr)"
    assert steps.ok(source).strip() == "100%"


def test_libraries_find_a_notebook(steps):
    steps.ok(
        "import pandas as pd\nip = get_ipython()\nassert hasattr(ip, 'kernel') and type(ip).__name__ == 'ZMQInteractiveShell'"
    )
    steps.ok("pd.DataFrame({'a': [1]})")
    (cell,) = steps.outputs()
    assert "text/html" in cell["outputs"][0]["data"]


def test_execution_counts_go_on(steps):
    result = steps.run("1", "", "# only a comment", "2", execution_count=7)
    assert [cell["execution_count"] for cell in steps.outputs()] == [7, None, 8, 9]
    assert result.execution_count == 10


def test_metrics_and_artifacts_are_collected(steps):
    import json

    result = steps.run(
        "from jupyter_ext.pipelines.display import metrics, artifact, confusion_matrix, roc\nimport numpy as np, pandas as pd\n"
        "metrics(accuracy=np.float32(0.5), n=3)",
        "artifact('table', pd.DataFrame({'a': [1, None]}))\nartifact('note', 'text')\nartifact('page', '<p>hi</p>')\nartifact('data', {'k': [1]})",
        "confusion_matrix(['a', 'b'], np.array([[3, 1], [0, 4]]))\nroc([0, 0.2, 1], [0, 0.8, 1], [np.inf, 0.5, 0.1])",
    )
    assert result.state == "SUCCEEDED", result.error
    assert result.metrics == {"accuracy": 0.5, "n": 3}
    found = {item.name: item for item in result.artifacts}
    assert {name: (item.type, item.mime, item.cell) for name, item in found.items()} == {
        "table": ("table", "application/json", 2),
        "note": ("text", "text/plain", 2),
        "page": ("html", "text/html", 2),
        "data": ("json", "application/json", 2),
        "confusion matrix": ("confusion_matrix", "application/vnd.kubeflow.v1+json", 3),
        "ROC curve": ("roc", "application/vnd.kubeflow.v1+json", 3),
    }
    assert json.loads(steps.blobs.read(found["table"].digest))["rows"] == [[1.0], [None]]
    curve = json.loads(steps.blobs.read(found["ROC curve"].digest))
    assert curve["thresholds"] == [None, 0.5, 0.1]
    assert curve["auc"] == pytest.approx(0.8)
