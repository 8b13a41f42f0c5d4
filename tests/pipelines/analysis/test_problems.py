"""Problems as people read them: one sentence with the place, and what to do."""

from __future__ import annotations

import pytest

from jupyter_ext.errors import Invalid
from tests.pipelines.analysis.building import Source, check, problem

CASES: list[tuple[str, list[Source], str, str]] = [
    (
        "a name that is not defined",
        ["train_df = 1", "print(trian_df)"],
        "undefined-name",
        "'trian_df' is not defined (step cell-2, cell 2, line 1). Did you mean 'train_df'?",
    ),
    (
        "a name like a built-in one",
        ["md:x", "x = 1\nprnt(x)"],
        "undefined-name",
        "'prnt' is not defined (step cell-2, cell 2, line 2). Did you mean 'print'?",
    ),
    (
        "a name like nothing",
        ["print(zzzyzx)"],
        "undefined-name",
        "'zzzyzx' is not defined (step cell-1, cell 1, line 1). Define it in a cell above, or import it.",
    ),
    (
        "a name in a function that is called",
        ["def f():\n    return missing_thing", "f()"],
        "undefined-name",
        (
            "'missing_thing' is not defined when cell 2 calls the code in cell 1 (step cell-2, cell 1, line 2). "
            "Define it in a cell above, or import it."
        ),
    ),
    (
        "a name in a branch",
        ["c = 1", "if c:\n    print(zzzyzx)"],
        "undefined-name",
        (
            "'zzzyzx' is not defined, which fails if this line is reached (step cell-2, cell 2, line 2). "
            "Define it in a cell above, or import it."
        ),
    ),
    (
        "a name that comes later",
        [("x = y", ["step:a"]), ("y = 1", ["step:b"])],
        "defined-later",
        (
            "'y' is defined only later, in step 'b' (cell 2) (step a, cell 1, line 1). "
            "Move cell 2 above, or what needs 'y' below it."
        ),
    ),
    (
        "an import that comes later",
        [("x = np.pi", ["step:a"]), ("import numpy as np", ["step:b"])],
        "defined-later",
        (
            "'np' is defined only later, in step 'b' (cell 2) (step a, cell 1, line 1). "
            "Move cell 2 above, or tag it 'imports' so that it runs first."
        ),
    ),
    (
        "a name used above its definition in the cell",
        ["x = y\ny = 1"],
        "defined-later",
        "'y' is used before the line that defines it (step cell-1, cell 1, line 1). Move the definition up.",
    ),
    (
        "a name that was deleted",
        ["x = 1", "del x", "print(x)"],
        "deleted-name",
        (
            "'x' was deleted in cell 2 (step cell-3, cell 3, line 1). "
            "Do not delete it there, or define it again before cell 3."
        ),
    ),
    (
        "a notebook has no file",
        ["print(__file__)"],
        "undefined-name",
        "a notebook has no __file__ (step cell-1, cell 1, line 1). Use Path.cwd(), or write the path out.",
    ),
    (
        "setup that needs a step",
        [("x = 1", ["step:a"]), ("y = x", ["functions"])],
        "setup-needs-step",
        (
            "'x' comes from step 'a' (cell 1), and this cell runs before all steps (step setup, cell 2, line 1). "
            "Remove the tag 'functions' from the cell, or do not use 'x' in it."
        ),
    ),
    (
        "code that does not parse",
        ["md:x", "x = 1\ny = (2"],
        "syntax-error",
        "the code is no Python: '(' was never closed (step cell-2, cell 2, line 2). Correct the line.",
    ),
    (
        "a return that returns from nothing",
        ["x = 1\nreturn x"],
        "syntax-error",
        "'return' outside of a function (step cell-1, cell 1, line 2). Remove it, or put the code into a function.",
    ),
    (
        "a circle that was declared",
        [("a = 1", ["step:a", "prev:c"]), ("b = 1", ["step:b", "prev:a"]), ("c = 1", ["step:c", "prev:b"])],
        "cycle",
        (
            "the declared order runs in a circle: a → b → c → a (step a, cell 1, line 1). "
            "Remove one prev: tag or --after of these."
        ),
    ),
    (
        "a step that waits for itself",
        [("a = 1", ["step:a", "prev:a"])],
        "unknown-step",
        "step 'a' waits for itself ('prev:a') (step a, cell 1, line 1). Remove it.",
    ),
    (
        "a predecessor that does not exist",
        [("a = 1", ["step:load"]), ("b = 1", ["step:b", "prev:laod"])],
        "unknown-step",
        (
            "step 'b' waits for 'laod' ('prev:laod'), and there is no such step (step b, cell 2, line 1). "
            "Did you mean 'load'?"
        ),
    ),
    (
        "a predecessor that nothing resembles",
        ["%%step load\na = 1", "%%step b --after x9\nb = 1"],
        "unknown-step",
        "step 'b' waits for 'x9' (--after), and there is no such step (step b, cell 2, line 1). Steps: load.",
    ),
    (
        "a star import",
        ["from somewhere import *", "y = anything"],
        "star-import",
        (
            "'from somewhere import *' defines names that cannot be seen here (step cell-1, cell 1, line 1). "
            "Import what is used by name, for example 'from somewhere import name'."
        ),
    ),
    (
        "exec",
        ["import os\nexec(os.sep)"],
        "dynamic-code",
        (
            "exec() runs code that is not in the notebook: what it reads and defines cannot be seen, so the step waits "
            "for all steps above and all below for it (step cell-1, cell 1, line 2). Write the code out."
        ),
    ),
    (
        "input",
        ["name = input('Who? ')"],
        "stdin",
        (
            "input() waits for somebody to type, and in a run nobody is there (step cell-1, cell 1, line 1). "
            "Make it a parameter of the notebook."
        ),
    ),
    (
        "the last output",
        ["1 + 1", "x = _ * 2"],
        "last-output",
        (
            "_ stands for the output of an earlier cell, which another step does not have (step cell-2, cell 2, line 1). "
            "Give the value a name."
        ),
    ),
    (
        "a value that cannot be passed",
        ["f = open('a')", "f.read()"],
        "unpassable",
        (
            "'f' is an open file, which may not pass from step 'cell-1' to this one (step cell-2, cell 2, line 1). "
            "Open it again here, or put both into one step ('cell-1')."
        ),
    ),
    (
        "a step without code",
        [("a = 1", ["step:a"]), ("# later", ["step:b"])],
        "empty-step",
        "step 'b' has no code (step b, cell 2, line 1). Add code, or remove the step.",
    ),
    (
        "a parameter without a type",
        [("x = None", ["parameters"]), "y = x"],
        "no-parameter",
        (
            "'x' is no parameter: its value is not a plain number, text, list or mapping (cell 1, line 1). "
            "Write a literal, and for None give the type (name: str | None = None), to be able to set it for a run."
        ),
    ),
]


@pytest.mark.parametrize(
    ("cells", "code", "sentence"),
    [pytest.param(cells, code, text, id=name) for name, cells, code, text in CASES],
)
def test_sentences(cells: list[Source], code: str, sentence: str) -> None:
    found = problem(check(*cells), code)
    assert str(found) == sentence
    assert found.cell_id


SEVERITIES = {
    "error": [
        "undefined-name",
        "defined-later",
        "deleted-name",
        "syntax-error",
        "cycle",
        "unknown-step",
        "setup-needs-step",
    ],
    "warning": ["star-import", "dynamic-code", "stdin", "last-output", "unpassable"],
    "info": ["empty-step", "no-parameter"],
}


@pytest.mark.parametrize(("name", "cells", "code", "_sentence"), CASES, ids=[name for name, *_ in CASES])
def test_severities(name: str, cells: list[Source], code: str, _sentence: str) -> None:
    found = problem(check(*cells), code)
    expected = (
        "warning"
        if name == "a name in a branch"
        else next(k for k, codes in SEVERITIES.items() if code in codes)
    )
    assert found.severity == expected


def test_fixes_can_be_applied_by_a_click() -> None:
    renamed = problem(check("train_df = 1", "x = 1\nprint(trian_df)"), "undefined-name")
    assert renamed.fix == {"action": "rename", "from": "trian_df", "to": "train_df"}
    assert (renamed.cell, renamed.line, renamed.column) == (2, 2, 7)
    later = check(("x = np.pi", ["step:a"]), ("import numpy as np", ["step:b"]))
    cell = later.step("b").cells[0]
    assert problem(later, "defined-later").fix == {"action": "add-tag", "tag": "imports", "cellId": cell.id}
    wrong = problem(check(("a = 1", ["step:load"]), ("b = 1", ["step:b", "prev:laod"])), "unknown-step")
    assert wrong.fix == {"action": "replace-tag", "tag": "prev:laod", "with": "prev:load"}


QUIET: list[tuple[str, list[Source]]] = [
    ("names of IPython", ["get_ipython(); display(1); In; exit; quit; __name__; open('f')"]),
    ("bare magics", ["pwd", "ls", "cd data", "who"]),
    ("a name asked for in try", ["try:\n    unicode\nexcept NameError:\n    unicode = str"]),
    (
        "an import that may fail",
        ["try:\n    import simplejson as json\nexcept ImportError:\n    import json", "json.dumps(1)"],
    ),
    ("functions that call later ones", ["def f(): return g()", "def g(): return 1", "f()"]),
    ("a function that nobody calls", ["def f(): return whatever"]),
    (
        "names in other scopes",
        ["[x for x in [1]]\nlambda q: q\ndef f(a, *b, c=1, **d): return a, b, c, d\nf(1)"],
    ),
    ("the class cell", ["class A:\n    def m(self): return __class__\nA().m()"]),
    ("a module's star", ["from math import *", "sqrt(pi)"]),
    ("an unknown star", ["from lib import *", "anything()"]),
    ("unknown magics may define names", ["%%cython\ndef fast(): pass", "fast()"]),
    (
        "type parameters and annotations",
        ["from __future__ import annotations\nx: int = 1\ndef f(a: int) -> str: return ''"],
    ),
    ("a name bound in every branch", ["c = 1", "if c: x = 1\nelif c > 2: x = 2\nelse: x = 3", "print(x)"]),
    ("a name bound in a loop", ["for i in range(9): x = i", "print(x, i)"]),
    ("walrus", ["if (n := 5) > 3: print(n)", "print(n)"]),
    ("matching", ["match 1:\n    case int(v): print(v)"]),
    ("deleting what is defined again", ["x = 1", "del x", "x = 2", "print(x)"]),
    ("an exception's name", ["try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print(e)"]),
    ("global in a function that is called first", ["def f():\n    global x\n    x = 1\nf()\nprint(x)"]),
    (
        "a conditional import",
        [
            "import sys\nif 'google.colab' in sys.modules:\n    from google.colab import drive\n    drive.mount('/d')"
        ],
    ),
    ("an underscore as a throw-away name", ["_, x = 1, 2", "for _ in range(3): print(x)"]),
    ("a shadowed built-in", ["list = [1]", "print(list)"]),
    (
        "decorated methods",
        [
            "class A:\n    @property\n    def p(self): return 1\n    @p.setter\n    def p(self, v): self._p = v\nA().p = 2"
        ],
    ),
    ("comprehension in a class", ["class A:\n    xs = [1]\n    ys = [x for x in xs]"]),
    ("nested functions", ["def f():\n    def g(): return h()\n    def h(): return 1\n    return g()\nf()"]),
    ("await", ["import asyncio\nasync def f(): return 1\nawait f()\nasync with asyncio.Lock(): pass"]),
]


@pytest.mark.parametrize("cells", [pytest.param(cells, id=name) for name, cells in QUIET])
def test_nothing_to_complain_about(cells: list[Source]) -> None:
    found = [
        item for item in check(*cells).problems if item.severity == "error" or item.code == "undefined-name"
    ]
    assert not found, [str(item) for item in found]


def test_one_broken_cell_does_not_drown_the_rest() -> None:
    pipeline = check("x = (", "print(y)", "z = 1", "print(zz)")
    assert [item.code for item in pipeline.errors] == ["syntax-error"]
    assert len(pipeline.steps) == 4


def test_each_finding_once_and_in_the_notebooks_order() -> None:
    pipeline = check("print(b1)\nprint(b1)\nprint(a1)", "print(b1)", ("x = 1", ["nonsense-tag"]))
    places = [(item.code, item.cell, item.line) for item in pipeline.problems]
    assert places == [
        ("undefined-name", 1, 1),
        ("undefined-name", 1, 3),
        ("undefined-name", 2, 1),
        ("unknown-tag", 3, 1),
    ]


def test_the_first_error_as_an_exception() -> None:
    check("x = 1").require_valid()
    with pytest.raises(Invalid, match="'y1' is not defined") as caught:
        check("x = 1", "y1").require_valid()
    assert caught.value.to_dict()["where"] == {
        "cell": 2,
        "cellId": caught.value.where.cell_id,
        "line": 1,
        "object": "step cell-2",
    }
