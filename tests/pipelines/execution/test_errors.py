"""A failed cell is told with its cell, its line, and the variables, without secrets."""

from __future__ import annotations

import pytest

from jupyter_ext.pipelines.exchange import CellSource, StepRequest, inputs_for
from jupyter_ext.pipelines.failure import described
from jupyter_ext.pipelines.zygote import Zygote

PLACES = {
    "the line itself": (["x = 1", "y = 2\n\n1 / 0"], 2, 3, "ZeroDivisionError"),
    "in a function of the same step": (
        ["def f(a):\n    b = a\n    return b / 0", "f(1)"],
        1,
        3,
        "ZeroDivisionError",
    ),
    "below the line that names the step": (["%%step s --after t\nx = 1\n1 / 0"], 1, 3, "ZeroDivisionError"),
    "after blank lines": (["\n\nx = 1\n1 / 0"], 1, 4, "ZeroDivisionError"),
    "in the body of a cell magic": (["%%time\nx = 1\n1 / 0"], 1, 3, "ZeroDivisionError"),
    "in a cell magic below the step's line": (["%%step s\n%%time\nx = 1\n1 / 0"], 1, 4, "ZeroDivisionError"),
    "after a line magic": (["%matplotlib inline\n!true\nboom()"], 1, 3, "NameError"),
    "code that cannot be parsed": (["x = 1", "y = 1\nif True\n    pass"], 2, 2, "SyntaxError"),
    "indentation": (["if True:\nx = 1"], 1, 2, "IndentationError"),
    "in a library": (["import json\n\njson.loads('{')"], 1, 3, "JSONDecodeError"),
    "chained": (
        ["try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('v') from e"],
        1,
        4,
        "ValueError",
    ),
    "in a comprehension": (["a = [0]\nb = [1 / i for i in a]"], 1, 2, "ZeroDivisionError"),
    "in a coroutine": (["async def f():\n    1 / 0\nawait f()"], 1, 2, "ZeroDivisionError"),
    "exit": (["import sys\nsys.exit(2)"], 1, 2, "SystemExit"),
    "exit of the shell": (["x = 1\nexit()"], 1, 2, "SystemExit"),
    "input": (["x = 1\nname = input('Your name? ')"], 1, 2, "StdinNotImplementedError"),
    "unknown magic": (["%nosuchmagic"], 1, 1, "UsageError"),
    "failing command of a magic": (["%%bash\nexit 3"], 1, 1, "CalledProcessError"),
    "an exception whose text fails": (
        ["class E(Exception):\n    def __str__(self):\n        raise KeyError\nraise E"],
        1,
        4,
        "E",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_cell_and_line(steps, case):
    cells, cell, line, kind = PLACES[case]
    result = steps.run(*cells)
    assert result.state == "FAILED"
    assert (result.error.cell, result.error.line, result.error.type) == (cell, line, kind)
    assert result.error.cell_id == f"s1-{cell}"
    assert all("\x1b" not in text and "jupyter_ext" not in text for text in result.error.traceback)
    assert len(steps.outputs()) <= len(cells)
    assert steps.outputs()[-1]["error"]["line"] == line


def test_cells_after_the_failed_one_are_not_executed(steps):
    steps.run("print('a')", "1 / 0", "print('b')")
    assert len(steps.outputs()) == 2


def test_nothing_is_passed_on_by_a_failed_step(steps):
    assert steps.run("x = 1\n1 / 0").values == ()


def test_a_function_of_an_earlier_step(make_steps, tmp_path):
    """The error lies in the cell that defined the function, though another step called it."""
    cells = [
        CellSource(3, "def-cell", "\ndef f(a, password):\n    b = a + 1\n    return b / 0\n"),
        CellSource(8, "use-cell", "f(4, 'p')"),
    ]
    home = tmp_path / "home"
    home.mkdir()
    with Zygote(home, "default", cells=cells) as zygote:
        steps = make_steps(zygote, home)
        first = zygote.run(StepRequest("r", "one", cells=(cells[0],))).wait(60)
        steps.take(first)
        second = zygote.run(
            StepRequest("r", "two", cells=(cells[1],), inputs=inputs_for(steps.namespace))
        ).wait(60)
        assert (second.error.cell, second.error.cell_id, second.error.line) == (3, "def-cell", 4)
        assert second.error.locals == {"a": "int: 4", "password": "str: (not shown)", "b": "int: 5"}
        text = "\n".join(second.error.traceback)
        assert "Cell 8, line 1" in text
        assert "Cell 3, line 4, in f(a, password)" in text
        assert "return b / 0" in text
        third = zygote.run(
            StepRequest(
                "r",
                "three",
                cells=(CellSource(9, "x", "import inspect\nprint(inspect.getsource(f))"),),
                inputs=inputs_for(steps.namespace),
            )
        ).wait(60)
        assert third.state == "SUCCEEDED", third.error


def test_locals_of_the_cell_that_failed(steps):
    result = steps.run(
        "import pandas as pd\nunused = 1\ndf = pd.DataFrame({'a': [1, 2]})\napi_key = 'abc'\nconfig = {'user': 'me', 'password': 'hunter2'}",
        "url = 'https://me:hunter2@host/x'\ndf, api_key, config, url\nraise ValueError('no')",
    )
    assert result.error.locals == {
        "url": "str: 'https://me:(not shown)@host/x'",
        "df": "DataFrame: 2 rows \N{MULTIPLICATION SIGN} 1 columns",
        "api_key": "str: (not shown)",
        "config": "dict: {'password': '(not shown)', 'user': 'me'}",
    }


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("x", 3, "int: 3"),
        ("key", "s3cr3t", "str: (not shown)"),
        ("keys", ["a"], "list: (not shown)"),
        ("monkey", "banana", "str: 'banana'"),
        ("AWS_SECRET_ACCESS_KEY", "x", "str: (not shown)"),
        ("db_password", "x", "str: (not shown)"),
        ("token_count", 3, "int: (not shown)"),
        ("text", "password=hunter2, user=x", "str: 'password=(not shown), user=x'"),
        ("long", "x" * 10_000, None),
    ],
)
def test_a_variable_in_one_line(name, value, shown):
    text = described(name, value)
    assert len(text) < 300
    if shown is not None:
        assert text == shown


def test_a_repr_that_raises_does_not_hide_the_error(steps):
    result = steps.run(
        "class Bad:\n    def __repr__(self):\n        raise RuntimeError('r')\nb = Bad()\nb, 1 / 0"
    )
    assert result.error.type == "ZeroDivisionError"
    assert "its repr raised RuntimeError" in result.error.locals["b"]


def test_condition_false_skips(steps):
    steps.ok("n = 1")
    result = steps.run("print('no')", when="n > 1")
    assert result.state == "SKIPPED"
    assert steps.outputs() == []


def test_condition_that_fails_is_told(steps):
    result = steps.run("x = 1", when="undefined_name > 1")
    assert result.state == "FAILED"
    assert result.error.message == "name 'undefined_name' is not defined (in its condition)"
    assert result.error.cell == 1
