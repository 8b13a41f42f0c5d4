"""What the plain notebook gives is what steps in separate processes give: values, identity, definitions."""

from __future__ import annotations

import pytest

# Each entry: the cells of one step after the other. The last one asserts.
NOTEBOOKS = {
    "in-place change through a list": [
        "import pandas as pd\ntrain = pd.DataFrame({'a': [1, 2]})\ntest = pd.DataFrame({'a': [3]})\ndata = [train, test]",
        "for d in data:\n    d['x'] = d['a'] * 2",
        "assert list(train.columns) == ['a', 'x'] and list(test['x']) == [6]\nassert data[0] is train and data[1] is test",
    ],
    "alias made later": [
        "xs = [1]",
        "ys = xs",
        "ys.append(2)",
        "assert xs == [1, 2] and xs is ys",
    ],
    "alias cut": [
        "xs = [1]\nys = xs",
        "ys = [1]",
        "ys.append(2)",
        "assert xs == [1] and ys == [1, 2]",
    ],
    "swap": ["a, b = [1], [2]", "a, b = b, a", "a.append(3)", "assert a == [2, 3] and b == [1]"],
    "rows of one list": [
        "grid = [[0] * 3] * 3",
        "grid[0][0] = 1",
        "assert grid == [[1, 0, 0]] * 3 and grid[0] is grid[2]",
    ],
    "part of an unchanged value": [
        "data = {'inner': [1, {'k': []}]}",
        "part = data['inner'][1]['k']",
        "part.append('x')",
        "assert data['inner'][1]['k'] == ['x'] and data['inner'][1]['k'] is part",
    ],
    "cycle": [
        "a = []\na.append(a)\nb = {'a': a}",
        "b['b'] = b",
        "assert a[0] is a and b['b'] is b and b['a'] is a",
    ],
    "array views": [
        "import numpy as np\nbig = np.zeros(10_000)\nview = big[10:20]\nback = big[::-1]",
        "view[0] = 7",
        "assert big[10] == 7 and back[-11] == 7 and view.base is big",
    ],
    "view made later": [
        "import numpy as np\nbig = np.zeros((100, 100))",
        "column = big[:, 3]",
        "column[:] = 1",
        "assert big.sum() == 100",
    ],
    "numpy scalars keep their type": [
        "import numpy as np\nx = np.float64(3)\ny = np.int8(4)\nz = np.bool_(True)",
        "assert type(x) is np.float64 and type(y) is np.int8 and type(z) is np.bool_",
    ],
    "object arrays": [
        "import numpy as np\no = np.array([1, 'a', None, [2]], dtype=object)\ninner = o[3]",
        "o[3].append(4)",
        "assert inner == [2, 4] and o.dtype == object and o[2] is None",
    ],
    "lambda over a global": [
        "k = 5\nf = lambda x: x + k",
        "k = 7",
        "assert f(1) == 8",
    ],
    "global counter": [
        "counter = 0\ndef count():\n    global counter\n    counter += 1\n    return counter",
        "count(); count()",
        "assert counter == 2 and count() == 3",
    ],
    "functions sharing a closure variable": [
        "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n    def get():\n        return n\n    return up, get",
        "up, get = make()",
        "up(); up()",
        "assert get() == 2",
    ],
    "recursion and closures over earlier functions": [
        "def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)",
        "def twice(f):\n    def g(x):\n        return f(f(x))\n    return g\nff = twice(fact)",
        "assert ff(3) == 720",
    ],
    "redefined function is seen by its users": [
        "def base():\n    return 1\ndef user():\n    return base()",
        "def base():\n    return 2",
        "assert user() == 2",
    ],
    "decorator with state": [
        "calls = []\ndef traced(f):\n    def g(*a):\n        calls.append(f.__name__)\n        return f(*a)\n    return g\n@traced\ndef add(a, b):\n    return a + b",
        "add(1, 2)",
        "add(3, 4)\nassert calls == ['add', 'add']",
    ],
    "class with a counter": [
        "class C:\n    made = 0\n    def __init__(self):\n        C.made += 1",
        "a = C()",
        "b = C()",
        "assert C.made == 2 and type(a) is type(b) is C and isinstance(a, C)",
    ],
    "inheritance and super": [
        "class A:\n    def f(self):\n        return 'A'",
        "class B(A):\n    def f(self):\n        return super().f() + 'B'",
        "x = B()",
        "assert x.f() == 'AB' and isinstance(x, A) and B.__mro__[1] is A",
    ],
    "dataclass, enum, namedtuple, abc, generic, property": [
        (
            "from dataclasses import dataclass, field, fields\nfrom enum import Enum, IntEnum\nfrom collections import namedtuple\nfrom abc import ABC, abstractmethod\nfrom typing import Generic, TypeVar\n"
            "T = TypeVar('T')\n@dataclass\nclass P:\n    x: int\n    ys: list = field(default_factory=list)\n"
            "class Color(Enum):\n    R = 1\n    G = 2\nQ = namedtuple('Q', 'a b')\n"
            "class Shape(ABC):\n    @abstractmethod\n    def area(self): ...\n"
            "class Box(Generic[T]):\n    __slots__ = ('v',)\n    def __init__(self, v):\n        self.v = v\n    @property\n    def twice(self):\n        return self.v * 2\n"
        ),
        "class Square(Shape):\n    def area(self):\n        return 4\np, c, q, b, s = P(1), Color.R, Q(1, [2]), Box[int](3), Square()",
        (
            "assert p == P(1) and len(fields(P)) == 2 and c is Color.R and Color(2) is Color.G\n"
            "assert q == Q(1, [2]) and b.twice == 6 and isinstance(s, Shape) and s.area() == 4\n"
            "try:\n    Shape()\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError"
        ),
    ],
    "partial, cache, methods, properties": [
        (
            "import functools\nruns = []\ndef power(a, b):\n    return a ** b\nsquare = functools.partial(power, b=2)\n"
            "@functools.cache\ndef slow(x):\n    runs.append(x)\n    return x\nslow(1)"
        ),
        "add = runs.append\nslow(1); slow(2)",
        "add(9)\nassert square(3) == 9 and runs == [1, 2, 9]",
    ],
    "iterators keep their place": [
        "it = iter([1, 2, 3])\nnext(it)",
        "second = next(it)",
        "assert second == 2 and list(it) == [3]",
    ],
    "live views of a dict": ["d = {'a': 1}\nks = d.keys()", "d['b'] = 2", "assert list(ks) == ['a', 'b']"],
    "submodule imported later": [
        "import xml",
        "import xml.dom.minidom",
        "assert xml.dom.minidom.parseString('<a/>').documentElement.tagName == 'a'",
    ],
    "module alias": [
        "import os.path as p, collections as c",
        "assert p.join('a', 'b') == 'a/b' and c.Counter('aa')['a'] == 2",
    ],
    "from import of a function": ["from os.path import join", "assert join('a', 'b') == 'a/b'"],
    "deleted names": ["a = b = 1", "del a", "assert 'a' not in globals() and b == 1"],
    "comprehension scope": [
        "x = 10\nsquares = [x * x for x in range(3)]",
        "assert x == 10 and squares == [0, 1, 4]",
    ],
    "globals() is the notebook": ["g = globals()\nx = 1", "g['x'] = 2", "assert x == 2 and g is globals()"],
    "shell variable": ["files = !printf 'a\\nb\\n'", "assert list(files) == ['a', 'b']"],
    "sets and frozen sets of mutables": [
        "class N:\n    pass\nn = N()\ns = {n}\nt = (n, [n])",
        "n.x = 1",
        "assert next(iter(s)) is n and t[0] is t[1][0] is n and t[0].x == 1",
    ],
    "bound method of a value": ["xs = []\npush = xs.append", "push(1)", "assert xs == [1]"],
    "exceptions": [
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    kept = e",
        "assert isinstance(kept, ZeroDivisionError)",
    ],
    "random generator objects": [
        "import random, numpy as np\nr, g = random.Random(1), np.random.default_rng(1)\nfirst = r.random(), g.random()",
        "second = r.random(), g.random()",
        "r2, g2 = random.Random(1), np.random.default_rng(1)\nassert first == (r2.random(), g2.random())\nassert second == (r2.random(), g2.random())",
    ],
    "nan, inf, big and odd plain data": [
        "a = [float('nan'), float('inf'), -0.0, 10 ** 700, '\\ud800', {1: 2}, (1,), {'t': True}]",
        (
            "import math\nassert math.isnan(a[0]) and a[1] == math.inf and math.copysign(1, a[2]) == -1 and a[3] == 10 ** 700\n"
            "assert a[4] == '\\ud800' and a[5] == {1: 2} and type(a[6]) is tuple and a[7]['t'] is True"
        ),
    ],
    "class redefined while instances live": [
        "class C:\n    def f(self):\n        return 1\nold = C()",
        "class C:\n    def f(self):\n        return 2\nnew = C()",
        "assert old.f() == 1 and new.f() == 2 and type(old) is not C and type(new) is C",
    ],
    "default argument shared with a global": [
        "seen = []\ndef note(x, into=seen):\n    into.append(x)",
        "note(1)",
        "assert seen == [1] and note.__defaults__[0] is seen",
    ],
    "function attributes": ["def f():\n    f.n += 1\nf.n = 0", "f(); f()", "assert f.n == 2"],
    "pickle and processes of classes from cells": [
        "import pickle, multiprocessing\nclass C:\n    def __init__(self, x):\n        self.x = x\ndef work(c):\n    return c.x + 1",
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n    got = pool.map(work, [C(1)])",
        "assert got == [2] and pickle.loads(pickle.dumps(C(5))).x == 5",
    ],
    "source of earlier functions": ["def f(x):\n    return x + 1  # here", "f2 = f", "assert f2(1) == 2"],
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_separate_processes_give_what_the_plain_notebook_gives(steps, name):
    for source in NOTEBOOKS[name]:
        steps.ok(source)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebooks_hold_in_one_process(steps, name):
    steps.ok(*NOTEBOOKS[name])


def test_a_diamond_keeps_one_object_one(steps):
    steps.ok("base = [[1], [2]]\nclass C:\n    pass")
    before = dict(steps.namespace)
    steps.ok("left = [base]\na = C()", may_change=("left", "a"))
    left = steps.namespace
    steps.namespace = before
    steps.ok("right = {'b': base[1]}\nc = C()", may_change=("right", "c"))
    made = {name: ref for name, ref in steps.namespace.items() if before.get(name) is not ref}
    steps.namespace = {**left, **made}
    steps.ok("assert left[0] is base and right['b'] is base[1] and type(a) is type(c) is C")
    steps.ok("right['b'].append(3)\nassert base == [[1], [2, 3]]")
    steps.ok("assert left[0][1] == [2, 3]")


def test_a_list_of_frames_repeats_no_frame(steps):
    steps.ok(
        "import numpy as np, pandas as pd\ndf = pd.DataFrame({'a': np.arange(200_000)})\nboth = [df, df]"
    )
    assert steps.namespace["df"].serializer == "arrow"
    assert steps.namespace["both"].bytes < 1000
    steps.ok("assert both[0] is both[1] is df")


def test_what_only_was_read_gets_no_new_version(steps):
    steps.ok(
        "import numpy as np, pandas as pd\ndf = pd.DataFrame({'a': np.arange(100_000), 's': ['x'] * 100_000})\n"
        "arr = np.zeros(100_000)\nxs = [[i] for i in range(100)]\nclass C:\n    n = 1\nc = C()\nf = lambda: xs\nn = 3"
    )
    before = dict(steps.namespace)
    steps.ok("(df.describe(), df['a'].sum(), df.groupby('s').mean(), arr.sum(), len(xs), c.n, f(), n)\nn = 3")
    assert steps.result.values == ()
    assert steps.namespace == before


def test_equal_values_have_equal_digests_in_other_processes(steps):
    source = (
        "import numpy as np, pandas as pd\nclass C:\n    '''doc'''\n    def f(self, x=(1, 2)):\n        return {'a', 'b', x}\n"
        "def g(x):\n    return x in {'p', 'q', 'r'}\nc = [C(), {'k': [1.5, None]}]\ndf = pd.DataFrame({'s': ['x', None], 'v': [1, 2]})\n"
        "names = {'one', 'two', 'three'}"
    )
    digests = []
    for _ in range(2):
        steps.namespace = {}
        steps.ok(source, step="same")
        digests.append({name: ref.digest for name, ref in steps.namespace.items()})
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("v = (i for i in range(3))", "it is a generator"),
        ("v = open('/dev/null')", "it is an open file"),
        ("import threading\nv = threading.Lock()", "it is a lock"),
        ("import socket\nv = socket.socket()", "it is a network connection"),
        ("import sqlite3\nv = sqlite3.connect(':memory:')", "it is a database connection"),
        ("v = {'a': [1, (i for i in range(3))]}", "its part ['a'][1] is a generator"),
        ("v = memoryview(bytearray(3))", "it is a view of memory"),
    ],
)
def test_what_cannot_be_stored_stays_alive_and_the_step_succeeds(steps, source, reason):
    result = steps.run("x = 1", source)
    assert result.state == "SUCCEEDED"
    assert result.live["v"].reason == reason
    assert result.live["v"].cell == 2
    assert "x" in steps.namespace
    assert steps.handle.holds


def test_what_cannot_be_stored_and_is_not_wanted_is_dropped(steps):
    result = steps.run("x = 1\ng = (i for i in range(3))", wanted=("x",))
    assert result.live == {}
    assert not steps.handle.holds


def test_a_later_step_runs_inside_the_process_that_holds_a_generator(steps):
    steps.ok("xs = [1, 2]\ndef gen():\n    for x in xs:\n        yield x\ng = gen()\nfirst = next(g)")
    holder = steps.handle
    steps.ok("xs.append(3)", reads=("xs",))  # elsewhere
    assert (
        steps.ok("print(list(g), xs, 'first' in dir())", inside=holder, reads=("xs",))
        == "[2] [1, 2, 3] False"
    )


def test_a_generator_and_the_list_it_reads_stay_together_in_their_process(steps):
    steps.ok("xs = [1, 2]\ng = (x for x in xs)\nnext(g)")
    holder = steps.handle
    assert steps.ok("xs.append(5)\nprint(list(g))", inside=holder) == "[2, 5]"
    steps.ok("assert xs == [1, 2, 5]", reads=("xs",))


def test_a_dead_holder_is_named(steps):
    from jupyter_ext.errors import Unavailable

    steps.ok("g = (i for i in range(3))")
    holder = steps.handle
    holder.kill()
    while holder.holds:
        pass
    with pytest.raises(Unavailable, match="`g`"):
        steps.start("next(g)", inside=holder)


def test_what_a_function_needs_comes_with_it(steps):
    steps.ok("scale = 3\ndef f(x):\n    return g(x) * scale\ndef g(x):\n    return x + 1\nother = 9")
    assert set(steps.namespace["f"].needs["f"]) >= {"g", "scale"}
    assert steps.ok("print(f(1), 'other' in globals())", reads=("f",), may_change=()) == "6 False"


def test_wanted_brings_what_wanted_functions_need(steps):
    result = steps.run("k = 2\ndef f():\n    return k\nrest = object()", wanted=("f",), spare_bytes=0)
    assert {name for ref in result.values for name in ref.names} == {"k", "f"}


def test_values_nobody_asked_for_are_kept_while_they_are_small(steps):
    result = steps.run(
        "import numpy as np\nasked = 1\nsmall = [1, 2]\nlarge = np.zeros(10_000)\nbad = (i for i in range(2))",
        wanted=("asked",),
        spare_bytes=20_000,
    )
    assert {name for ref in result.values for name in ref.names} == {"asked", "small", "np"}
    assert result.live == {}


def test_inputs_can_be_bound_to_other_names(steps):
    from dataclasses import replace

    steps.ok("part = [1]", step="loop[0]")
    first = replace(steps.namespace["part"], bind={"part": "part_0"})
    steps.namespace = {}
    steps.ok("part = [1]", step="loop[1]")
    second = replace(steps.namespace["part"], bind={"part": "part_1"})
    steps.namespace = {}
    steps.ok(
        "parts = [part_0, part_1]\nassert part_0 is not part_1\ndel part_0, part_1", inputs=(first, second)
    )
    steps.ok("assert parts == [[1], [1]] and parts[0] is not parts[1]")


def test_a_value_that_needs_a_missing_module_says_so(steps, tmp_path, monkeypatch):
    (tmp_path / "mymodule.py").write_text("class Thing:\n    pass\n")
    steps.ok(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport mymodule\nthing = mymodule.Thing()")
    steps.ok("assert type(thing) is mymodule.Thing")
    steps.hidden.pop("sys.path")
    result = steps.run("thing", reads=("thing",), may_change=())
    assert result.state == "FAILED"
    assert (
        "`thing` could not be loaded (ModuleNotFoundError: No module named 'mymodule')"
        in result.error.message
    )
