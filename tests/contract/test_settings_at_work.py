"""Parameters, conditions, loops, metrics, files and the stand-in for jupyter_ext, run by kfp.local."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_ext import pipelines
from tests.contract.conftest import notebook, with_kfp

pytestmark = pytest.mark.contract

PARAMETERS = [
    (
        ["pipeline-parameters"],
        "lr = 0.1\nn = 3  # a comment\nname = 'é'\nflag = True\nxs = [1, 2.5]\nd = {'a': 1}",
    ),
    (["step:use"], "print('RESULT', repr((lr, n, name, flag, xs, d, type(lr).__name__, type(n).__name__)))"),
]
LOOPS = [
    (["imports"], "import json"),
    (["step:start"], "rates = [('a', 1), ('b', 2)]\nnone = []\ntotal = 0\nlog = []"),
    (["step:each", "for:key, rate in rates", "collect:score", "prev:start"], "score = {key: rate * 10}"),
    (["step:empty", "for:x in none", "collect:y", "prev:start"], "y = x"),
    (["step:add", "for:s in score", "prev:each"], "total += sum(s.values())\nlog.append(total)"),
    (["step:no", "if:total > 1000", "prev:add"], "total = -1"),
    (["step:leaf", "if:total == 30", "prev:no"], "print('LEAF')"),
    (["step:never", "if:total == 31", "prev:no"], "print('NEVER')"),
    (["step:end", "prev:no", "prev:empty"], "print('RESULT', json.dumps([score, total, log, y]))"),
]
METRICS = [
    (
        ["step:a"],
        "import jupyter_ext as kf\nkf.pipelines.metrics(loss=0.25)\nkf.pipelines.confusion_matrix(['x', 'y'], [[1, 0], [2, 3]])",
    ),
    (["step:b", "prev:a"], "accuracy = 0.75"),
    (["pipeline-metrics"], "print(accuracy)"),
]
FAILS = [(["step:bad"], "x = 1\n\nraise ValueError('because')"), (["step:after", "prev:bad"], "x")]
LIVE = [(["step:make"], "gen = (n for n in range(3))\nnext(gen)"), (["step:take", "prev:make"], "list(gen)")]


def run(tmp_path: Path, *jobs: tuple[dict[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    items = []
    for number, (content, arguments) in enumerate(jobs):
        folder = tmp_path / str(number)
        folder.mkdir()
        items.append({"yaml": pipelines.compile(content), "arguments": arguments, "folder": str(folder)})
    return with_kfp("kfp", items)


def result(answer: dict[str, Any]) -> str:
    assert not answer["error"], answer["log"] + answer["error"]
    (line,) = [line for line in answer["log"].splitlines() if "RESULT " in line]
    return line.partition("RESULT ")[2]


def test_parameters_keep_their_types(tmp_path):
    given = {"lr": 2.0, "n": 7, "name": "it's", "flag": False, "xs": [3, 4], "d": {"b": [1]}}
    default, changed = run(tmp_path, (notebook(PARAMETERS), {}), (notebook(PARAMETERS), given))
    assert result(default) == repr((0.1, 3, "é", True, [1, 2.5], {"a": 1}, "float", "int"))
    assert result(changed) == repr((2.0, 7, "it's", False, [3, 4], {"b": [1]}, "float", "int"))


def test_conditions_and_loops(tmp_path):
    (answer,) = run(tmp_path, (notebook(LOOPS), {}))
    assert result(answer) == '[[{"a": 10}, {"b": 20}], 30, [10, 30], []]'
    assert "LEAF" in answer["log"]
    assert "NEVER" not in answer["log"]


def test_metrics_are_what_kfp_shows(tmp_path):
    (answer,) = run(tmp_path, (notebook(METRICS), {}))
    assert not answer["error"], answer["log"] + answer["error"]
    found = answer["metadata"]
    assert found["a"]["metrics"] == {"loss": 0.25}
    assert found["b"]["metrics"] == {"accuracy": 0.75}
    assert found["a"]["plots"]["confusionMatrix"]["rows"] == [{"row": [1.0, 0.0]}, {"row": [2.0, 3.0]}]


def test_a_failed_cell_is_named_in_the_log(tmp_path):
    (answer,) = run(tmp_path, (notebook(FAILS), {}))
    assert "Step bad failed: cell 1, line 3: ValueError: because" in answer["log"]
    assert "raise ValueError('because')" in answer["log"]


def test_a_value_that_cannot_be_passed_is_named_in_the_log(tmp_path):
    if pipelines.check(notebook(LIVE)).errors:
        pytest.skip("the analysis refuses it already")
    (answer,) = run(tmp_path, (notebook(LIVE), {}))
    assert "'gen' (generator) of step make cannot be passed to another container" in answer["log"]
