"""A run gives what the plain notebook gives from top to bottom."""

from __future__ import annotations

import pytest

from tests.pipelines.runs.notebooks import Write, finished, printed, states


def test_in_place_changes_are_seen_through_other_names(write: Write) -> None:
    path = write(
        "# Load",
        "import pandas as pd\ntrain = pd.DataFrame({'a': [1, 2]})\ntest = pd.DataFrame({'a': [3]})\n"
        "data = [train, test]",
        "# Prepare",
        "for d in data:\n    d['x'] = d['a'] * 10",
        "# Use",
        "print(train['x'].tolist(), test['x'].tolist(), data[0] is train)",
    )
    made = finished(path)
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made) == "[10, 20] [30] True\n"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("g = (i * i for i in range(4))\na = next(g)", "print(list(g))", "[1, 4, 9]"),
        ("import numpy as np\nx = np.float64(3)", "print(type(x).__name__, x)", "float64 3.0"),
        ("import numpy as np\nx = np.array([{'a': 1}, None], dtype=object)", "x[0]['a'] += 1; print(x)",
         "[{'a': 2} None]"),
        ("k = 3\nf = lambda v: v + k", "k = 10\nprint(f(1))", "11"),
        ("class C:\n    n = 0\n    def up(self):\n        C.n += 1\n        return self\nc = C().up()",
         "c.up(); print(C.n, isinstance(c, C))", "2 True"),
        ("counter = 0\ndef bump():\n    global counter\n    counter += 1\nbump()", "bump(); print(counter)", "2"),
        ("def base(v):\n    return v + 1\ndef outer(v):\n    return base(v) * 2", "print(outer(2))", "6"),
        ("rows = [[i] for i in range(3)]\ni = 'kept'", "print(i, [i for [i] in rows])", "kept [0, 1, 2]"),
        ("files = !echo one two", "print(files)", "['one two']"),
        ("import random\nrandom.seed(7)\na = random.random()", "random.seed(7); print(a == random.random())", "True"),
        ("import os\nos.environ['KUBEFLOW_TRUTH'] = 'set'", "!echo $KUBEFLOW_TRUTH", "set"),
        ("import pandas as pd\npd.set_option('display.max_rows', 7)", "print(pd.get_option('display.max_rows'))", "7"),
        ("def make():\n    n = [0]\n    def up():\n        n[0] += 1\n        return n[0]\n    return up\nup = make()\na = up()",
         "print(up(), up())", "2 3"),
    ],
)  # fmt: skip
def test_values_pass_as_in_one_kernel(write: Write, first: str, second: str, said: str) -> None:
    made = finished(write("# First", first, "# Second", second))
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made).strip().splitlines()[-1] == said


def test_random_state_goes_on_from_step_to_step(write: Write) -> None:
    import random

    made = finished(
        write("# Seed", "import random\nrandom.seed(3)\nprint(random.random())", "# Draw", "print(random.random())",
              "# Again", "print(random.random())")
    )  # fmt: skip
    expected = random.Random(3)
    assert printed(made).split() == [str(expected.random()) for _ in range(3)]


def test_working_directory_is_the_notebooks_and_travels(write: Write) -> None:
    path = write("# Go", "import os\nos.mkdir('deep')\nos.chdir('deep')\nprint('x', file=open('f','w'))", "# Look",
                 "print(os.listdir('.'), os.path.basename(os.getcwd()))")  # fmt: skip
    made = finished(path)
    assert printed(made).splitlines()[-1] == "['f'] deep", made.reason
    assert (path.parent / "deep" / "f").exists()


def test_a_diamond_joins_after_both_sides(write: Write) -> None:
    made = finished(
        write(
            ("import time\nx = 1", "step:start"),
            ("time.sleep(0.5)\na = x + 1", "step:left", "prev:start"),
            ("b = x + 2", "step:right", "prev:start"),
            ("print(a * b)", "step:join", "prev:left", "prev:right"),
        )
    )
    assert printed(made) == "6\n"
    steps = {status["name"]: status for status in made.steps}
    assert steps["join"]["startedAt"] >= max(steps["left"]["finishedAt"], steps["right"]["finishedAt"])


def test_declared_branches_overlap(write: Write) -> None:
    branches = [(f"import time\ntime.sleep(1)\ny{i} = {i}", f"step:b{i}", "prev:start") for i in range(2)]
    made = finished(
        write(("x = 1", "step:start"), *branches, ("print(y0 + y1)", "step:end", "prev:b0", "prev:b1"))
    )
    steps = {status["name"]: status for status in made.steps}
    assert made.state == "SUCCEEDED", made.reason
    assert steps["b1"]["startedAt"] < steps["b0"]["finishedAt"]


def test_a_change_that_the_analysis_could_not_see_is_passed_on(write: Write) -> None:
    """The branch that read too early runs again: order is declared, so no edge says that b reads a's change."""
    path = write(
        ("import time\nbox = {'n': 1}\ndef touch(f):\n    f()", "step:start"),
        (
            "def change():\n    globals()['box']['n'] = 2\ntouch(change)\ntime.sleep(0.3)",
            "step:a",
            "prev:start",
        ),
        ("print(box['n'])", "step:b", "prev:start"),
    )
    made = finished(path, cache=False)
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made).strip() in {"1", "2"}
    if printed(made).strip() == "2":
        assert states(made) == {"start": "SUCCEEDED", "a": "SUCCEEDED", "b": "SUCCEEDED"}


def test_functions_that_share_a_variable_see_each_others_changes(write: Write) -> None:
    """No line of the code shows the change: the run notices it, and runs again what had read too early."""
    made = finished(
        write(
            "def make():\n    total = 0\n    def add(n):\n        nonlocal total\n        total += n\n"
            "    def get():\n        return total\n    return add, get\nadd, get = make()",
            "add(3)",
            "add(4)",
            "print(get())",
        ),
        cache=False,
    )
    assert printed(made) == "7\n", made.reason


UNSEEN = "import time\ndef make():\n    total = 0\n    return lambda: total\nget = make()"
"""The analysis does not know that who changes what a function closes over changes the function."""


def add(number: int) -> str:
    """A line that changes what ``get`` gives."""
    return f"get.__closure__[0].cell_contents += {number}"


def test_who_read_what_a_step_left_that_is_run_again_is_run_again_too(write: Write) -> None:
    """The third step ends first, the fourth reads what it left, and only then the second one ends."""
    made = finished(
        write(UNSEEN, f"time.sleep(2)\n{add(3)}", add(4), "print(get())", "print(get() + 1)"), cache=False
    )
    assert printed(made) == "7\n8\n", made.reason
    steps = {status["name"]: status for status in made.steps}
    assert "cell-3" in steps["cell-4"]["edgesAdded"]


def test_a_condition_that_read_too_early_is_asked_again(write: Write) -> None:
    made = finished(
        write(
            (UNSEEN, "step:start"),
            (f"time.sleep(2)\n{add(3)}", "step:change"),
            ("print('reached')\nlate = True", "step:late", "if:get() == 3"),
            ("print(late)", "step:after"),
        ),
        cache=False,
    )
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made) == "reached\nTrue\n"


def test_a_step_that_failed_on_what_it_read_too_early_blocks_nobody(write: Write) -> None:
    made = finished(
        write(UNSEEN, f"time.sleep(2)\n{add(3)}", "assert get() == 3", "print('after')"), cache=False
    )
    assert made.state == "SUCCEEDED", made.reason
    assert printed(made) == "after\n"
