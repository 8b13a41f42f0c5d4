"""Whatever is in the cells, an answer comes; and asking is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_ext.pipelines import graph, percent
from jupyter_ext.pipelines.model import Pipeline
from jupyter_ext.pipelines.notebook import read
from tests.pipelines.analysis.building import check, notebook

WORDS = """\
def class lambda x y f( ) [ ] { } : , = == := += . * ** @ return yield await async for in if else while try except
finally with as import from global nonlocal del pass break match case 1 'a' \"\"\" ''' # \\ ! % %% ? ; > ~ %%step
%%time %%bash %matplotlib !ls x? None True print exec globals() __file__ self
"""
PIECES = st.sampled_from([*WORDS.split(), "\n", "\n\n", "\t", "  "])
TEXT = st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=80)
TAG = st.sampled_from(
    [
        "step:a",
        "step:b",
        "prev:a",
        "prev:b",
        "prev:c",
        "imports",
        "skip",
        "for:x in y",
        "if:",
        "limit:a:b",
        "parameters",
    ]
)
CELL = st.tuples(TEXT, st.lists(TAG | st.text(max_size=8), max_size=3))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CELL, max_size=6))
@example([(";0\x1e", [])])
def test_any_text_gives_a_pipeline(cells: list[tuple[str, list[str]]]) -> None:
    pipeline = check(*cells)
    assert Pipeline.from_dict(pipeline.to_dict()) == pipeline
    position = {step.name: number for number, step in enumerate(pipeline.steps)}
    for edge in pipeline.edges:
        assert position[edge.source] < position[edge.target]
    for problem in pipeline.problems:
        assert str(problem)
        assert problem.remedy


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200) | st.lists(PIECES | st.just("# %%\n"), max_size=30).map("".join))
def test_any_percent_file_is_read(text: str) -> None:
    assert read(percent.parse(text)).cells is not None


DEEP = {
    "sum": "x = " + "+".join(["1"] * 20_000),
    "brackets": "x = " + "[" * 90 + "]" * 90,
    "too many brackets": "x = " + "(" * 5_000 + ")" * 5_000,
    "calls": "x = " + "f(" * 80 + ")" * 80,
    "chain": "x = a" + ".b()" * 3_000,
    "ifs": "\n".join(f"{'  ' * depth}if x:" for depth in range(90)) + "\n" + "  " * 90 + "pass",
    "functions": "\n".join(f"def f{n}(): return f{n + 1}()" for n in range(300)) + "\nf0()",
    "twice": "\n".join(f"def f{n}(): return f{n + 1}() + f{n + 1}()" for n in range(30))
    + "\ndef f30(): return 1\nf0()",
    "lists": "\n".join(
        f"def f{n}(a): f{n + 1}(a); return [f{n + 1}(a), f{n + 1}(a), lambda: a]" for n in range(22)
    )
    + "\ndef f22(a): a.append([]); return [a, []]\nf0([])",
    "closures": "\n".join(
        f"def f{n}():\n    u, v = f{n + 1}(), f{n + 1}()\n    return lambda: (u(), v())" for n in range(22)
    )
    + "\ndef f22():\n    n = []\n    return lambda: n.append(1)\nf0()()",
    "mutual": "\n".join(
        f"def m{n}(x, k=None):\n    return m{(n + 1) % 20}(x - 1, m{(n * 7 + 3) % 20}) + m{(n * 3 + 1) % 20}(x, k)"
        for n in range(20)
    )
    + "\nm0(3)",
    "numerals": "two = lambda f: lambda x: f(f(x))\nthree = lambda f: lambda x: f(f(f(x)))\n"
    "three(two)(three)(two)(lambda v: v + 1)(0)",
    "loops": "\n".join(f"{' ' * depth}for i{depth} in range(9):" for depth in range(18))
    + "\n"
    + " " * 18
    + "x = i0",
    "recursion": "def f(n, g=None): return g(f, f(n - 1, f)) if n else f\nf(3)(4)(5)",
    "variants": "def f(a, b): return a\n" + "\n".join(f"f({n}, 'x{n}')" for n in range(200)),
    "nul": "x = '\0'",
    "form feed": "\f\nx = 1",
    "tabs": "if 1:\n\tx = 1\n        y = 2",
    "surrogate": "x = '\ud800'",
}


@pytest.mark.parametrize("name", DEEP)
def test_extremes(name: str) -> None:
    pipeline = check("y = 1", DEEP[name], "z = y")
    assert [step.name for step in pipeline.steps] == ["cell-1", "cell-2", "cell-3"]
    assert pipeline.step("cell-3").reads == ("y",)


def test_effort_grows_with_the_notebook_and_no_faster() -> None:
    """Counted in calls of Python functions, which are the same on every machine."""

    def calls(count: int) -> int:
        cells = [
            f"d{n} = df.assign(x={n})\nout.append(d{n}.x.mean())\nfor c in d{n}.columns:\n    print(c)"
            for n in range(count)
        ]
        content = notebook("import pandas as pd\ndf = pd.DataFrame()\nout = []", *cells)
        seen = 0

        def count_call(*_: object) -> None:
            nonlocal seen
            seen += 1

        sys.setprofile(count_call)
        try:
            graph.check(content)
        finally:
            sys.setprofile(None)
        return seen

    calls(5)
    small, large = calls(40), calls(160)
    assert large < 4.5 * small


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\n"
        "from jupyter_ext.pipelines import graph, parameters\n"
        "content = {'nbformat': 4, 'metadata': {}, 'cells': [{'cell_type': 'code', 'metadata': {}, "
        "'source': '!ls\\n%matplotlib inline\\nimport pandas as pd\\nfrom math import *'}]}\n"
        "graph.check(content)\n"
        "heavy = {'IPython', 'nbformat', 'pandas', 'numpy', 'jupyter_core', 'traitlets', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stdout


def test_what_is_too_far_to_be_followed_may_do_anything_with_what_it_reaches() -> None:
    chain = "\n".join(f"def f{n}(x): return f{n + 1}(x)" for n in range(60))
    last = "def f60(x):\n    global count\n    count = x\n    seen.append(limit)\n    x.append(1)"
    pipeline = check(
        "seen, own, other, count, limit = [], [], [], 0, 9",
        f"{chain}\n{last}",
        "f0(own)",
        "print(count, seen)",
    )
    step = pipeline.step("cell-3")
    assert {"seen", "own", "limit"} <= set(step.reads)
    assert {"seen", "own", "count"} <= {*step.writes, *step.may_write}
    assert "other" not in step.reads
    assert "cell-3>cell-4" in {f"{edge.source}>{edge.target}" for edge in pipeline.edges}


@pytest.mark.parametrize("factory", ["make", "again", "thrice"])
def test_a_function_from_a_factory_of_factories_changes_what_it_closes_over(factory: str) -> None:
    pipeline = check(
        "def make():\n    n = []\n    def up(): n.append(1)\n    return up, n\n"
        "def again(): return make()\ndef thrice():\n    pair = again()\n    return pair\n"
        f"up, n = {factory}()",
        "up()",
        "print(n)",
    )
    assert "n" in {*pipeline.step("cell-2").writes, *pipeline.step("cell-2").may_write}
    assert "cell-2>cell-3" in {f"{edge.source}>{edge.target}" for edge in pipeline.edges}


def test_a_small_parser_is_followed_to_its_end() -> None:
    """What people write stays within the budget, so that nothing has to be guessed of it."""
    rule = "def {0}(t, d=0):\n    x = {1}(t, d)\n    while t and t[0] in {2!r}: x = [t.pop(0), x, {1}(t, d)]\n    return x\n"
    last = (
        "def factor(t, d):\n    if t[0] == '(':\n        t.pop(0); x = expr(t, d + 1); t.pop(0); return x\n"
    )
    last += "    if t[0] == '-': t.pop(0); return ['neg', factor(t, d)]\n    return t.pop(0)\n"
    source = rule.format("expr", "term", "+-") + rule.format("term", "factor", "*/") + last
    step = check("tokens = list('1+2*(3-4)')", f"{source}tree = expr(tokens)").step("cell-2")
    assert not step.effects
    assert "tokens" in step.writes
