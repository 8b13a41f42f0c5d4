"""What each step reads, writes, changes in place, may change and deletes."""

from __future__ import annotations

import pytest

from tests.pipelines.analysis.building import check

Row = tuple[str, list[str], str]


def flow(*cells: str) -> str:
    """The last cell's step as ``reads | writes | ~changed in place | ?may write | -deletes``."""
    pipeline = check(*cells)
    assert not pipeline.errors, pipeline.errors[0]
    step = pipeline.step(f"cell-{len(cells)}")
    parts = [" ".join(step.reads), " ".join(name for name in step.writes if name not in step.mutates)]
    parts += ["~" + " ~".join(step.mutates) if step.mutates else ""]
    parts += ["?" + " ?".join(step.may_write) if step.may_write else ""]
    parts += ["-" + " -".join(step.deletes) if step.deletes else ""]
    return " | ".join([*parts[:2], *(part for part in parts[2:] if part)]).strip()


SCOPES: list[Row] = [
    ("a comprehension's variable is its own", ["x = 1\nxs = [1]", "[x for x in xs]"], "xs |"),
    ("its first source is evaluated outside", ["x = [[1]]", "[y for x in x for y in x]"], "x |"),
    ("nested comprehensions", ["m = [[1]]\nk = 2", "[[v * k for v in row] for row in m]"], "k m |"),
    ("a condition in a comprehension", ["xs = [1]\nlow = 0", "r = {x for x in xs if x > low}"], "low xs | r"),
    ("a walrus in one binds outside", ["xs = [1]", "r = [last := x for x in xs]"], "xs | last r"),
    ("dictionary comprehension", ["ks = 'a'\nf = str", "d = {k: f(k) for k in ks}"], "f ks | d"),
    ("a generator expression", ["xs = [1]", "t = sum(x for x in xs)"], "xs | t"),
    ("a lambda's parameters are its own", ["x = 1\ny = 2", "f = lambda x: x + y"], "| f"),
    ("a lambda called at once", ["y = 2", "r = (lambda x: x + y)(1)"], "y | r"),
    ("a default is evaluated where it stands", ["y = 2", "def f(a=y): return a"], "y | f"),
    ("an annotation too", ["T = int", "def f(a: T) -> T: return a"], "T | f"),
    ("a decorator too", ["def d(f): return f", "@d\ndef g(): pass"], "d | g"),
    ("a class body is executed at once", ["n = 1", "class A:\n    x = n\n    y = x"], "n | A"),
    (
        "its methods do not see its names",
        ["x = 1", "class A:\n    x = 2\n    def m(self): return x\nA().m()"],
        "x | A",
    ),
    (
        "bases and keywords",
        ["class M(type): pass\nclass B: pass", "class A(B, metaclass=M): pass"],
        "B M | A",
    ),
    ("locals of a function are its own", ["x = 1", "def f():\n    x = 2\n    return x\nf()"], "| f"),
    ("unless declared global", ["x = 1", "def f():\n    global x\n    x = 2\nf()"], "| f x"),
    (
        "a nonlocal stays inside",
        [
            "n = 1",
            "def f():\n    n = 2\n    def g():\n        nonlocal n\n        n += 1\n    g()\n    return n\nf()",
        ],
        "| f",
    ),
    (
        "an exception's name is gone after its block",
        ["e = 1", "try:\n    pass\nexcept ValueError as e:\n    print(e)\nprint(e)"],
        "e |",
    ),
    ("with binds", ["p = 'x'", "with open(p) as f:\n    t = f.read()"], "p | t | ~f"),
    (
        "match binds",
        [
            "v = [1, 2]",
            "match v:\n    case [a, *rest]:\n        b = a\n    case {'k': w, **more}:\n        b = w\n    case _:\n        b = 0",
        ],
        "v | a b more rest w",
    ),
    (
        "match against a class and a constant",
        [
            "class P: pass\nimport enum\nclass E(enum.Enum):\n    A = 1\nv = 1",
            "match v:\n    case P(): r = 1\n    case E.A: r = 2",
        ],
        "E P v | r",
    ),
    ("a loop binds its variable", ["xs = [1]", "for x in xs: y = x"], "xs | x y"),
    ("a loop over pairs", ["d = {}", "for k, (a, *b) in d.items(): pass"], "d | a b k"),
    (
        "import binds",
        [" ", "import os.path\nimport numpy.linalg as la\nfrom json import dumps as d"],
        "| d la os",
    ),
    ("star assignment", ["xs = [1, 2]", "a, *b = xs"], "xs | a b"),
    ("attributes are no names", ["a = 1", "import types\nn = types.SimpleNamespace(a=2)\nn.a"], "| n types"),
    ("keyword names are no reads", ["a = 1", "dict(a=2)"], "|"),
    ("f-strings", ["a = 1\nw = 3", "s = f'{a:{w}} {a!r}'"], "a w | s"),
    ("top-level await", ["async def f(): return n\nn = 1", "r = await f()"], "f n | r"),
    (
        "async for and with",
        ["class A:\n    def __aiter__(self): return self\na = A()", "async for x in a: pass"],
        "a | x",
    ),
    ("type annotations bind nothing alone", ["x = 1", "y: int\nx: float = 2"], "| x"),
    ("print of a builtin", ["x = 1", "print(len('a'), max(1, 2), __name__)"], "|"),
    ("IPython's own names", ["x = 1", "display(1)\nget_ipython()\nIn"], "|"),
]
ORDER: list[Row] = [
    ("read before written", ["x = 1", "y = x\nx = 2"], "x | x y"),
    ("written before read", ["x = 1", "x = 2\ny = x"], "| x y"),
    ("augmented assignment reads", ["x = 1", "x += 1"], "x | x"),
    ("swap", ["a = 1\nb = 2", "a, b = b, a"], "a b | a b"),
    (
        "in both branches: nothing of before is left",
        ["x = 1\nc = True", "if c:\n    x = 2\nelse:\n    x = 3\ny = x"],
        "c | x y",
    ),
    (
        "in one branch: what was before may still hold",
        ["x = 1\nc = True", "if c:\n    x = 2\ny = x"],
        "c x | x y",
    ),
    (
        "in one branch that ends in raise",
        ["x = 1\nc = True", "if not c:\n    raise ValueError\nelse:\n    x = 2\ny = x"],
        "c | x y",
    ),
    ("in a loop over a literal: surely", ["x = 1", "for i in [1, 2]:\n    x = i\ny = x"], "| i x y"),
    (
        "in a loop over anything: perhaps",
        ["x = 1\nxs = [1]", "for i in xs:\n    x = i\ny = x"],
        "x xs | i x y",
    ),
    (
        "in try and except: surely",
        ["x = 1", "try:\n    x = int('2')\nexcept ValueError:\n    x = 3\ny = x"],
        "| x y",
    ),
    (
        "in try alone: perhaps",
        ["x = 1", "try:\n    x = int('2')\nexcept ValueError:\n    pass\ny = x"],
        "x | x y",
    ),
    ("in finally: surely", ["x = 1", "try:\n    pass\nfinally:\n    x = 2\ny = x"], "| x y"),
    ("while True", ["x = 1", "while True:\n    x = 2\n    break\ny = x"], "| x y"),
    ("if __name__ is main", ["x = 1", "if __name__ == '__main__':\n    x = 2\ny = x"], "| x y"),
    ("delete", ["x = 1\ny = 2", "del x"], "x |  | -x"),
    ("delete and define again", ["x = 1", "del x\nx = 2"], "x | x"),
    ("delete several", ["x = 1\ny = 2", "del x, y"], "x y |  | -x -y"),
    ("short circuit", ["a = 1\nb = 2", "a and b"], "a b |"),
    ("a name that is only passed through needs no edge", ["x = 1\nc = 1", "if c: x = 2"], "c | x"),
]
CHANGES: list[Row] = [
    ("item", ["d = {}", "d['k'] = 1"], "d |  | ~d"),
    ("attribute", ["class A: pass\na = A()", "a.x = 1"], "a |  | ~a"),
    ("augmented item", ["d = {'k': 1}", "d['k'] += 1"], "d |  | ~d"),
    ("augmented list", ["xs = []", "xs += [1]"], "xs |  | ~xs"),
    ("augmented number changes no object", ["n = m = 1", "n += 1"], "n | n"),
    ("delete an item", ["d = {'k': 1}", "del d['k']"], "d |  | ~d"),
    ("delete an attribute", ["class A: pass\na = A()", "del a.x"], "a |  | ~a"),
    ("append", ["xs = []", "xs.append(1)"], "xs |  | ~xs"),
    ("sort", ["xs = []", "xs.sort()"], "xs |  | ~xs"),
    (
        "set and dict methods",
        ["s = set()\nd = {}", "s.add(1)\nd.update(a=1)\nd.setdefault('k', 2)"],
        "d s |  | ~d ~s",
    ),
    ("pop", ["xs = [1]", "x = xs.pop()"], "xs | x | ~xs"),
    (
        "reading changes nothing",
        ["xs = [1]\nd = {}", "xs[0], xs.index(1), d.get('k'), list(d.items()), xs.copy()"],
        "d xs |",
    ),
    ("a text changes nothing", ["s = 'a'", "s.upper(), s.split(), s.strip()"], "s |"),
    ("nested", ["d = {'k': []}", "d['k'].append(1)"], "d |  | ~d"),
    ("an alias", ["a = []", "b = a\nb.append(1)"], "a |  | ~a ~b"),
    ("an alias of another step", ["a = []", "b = a", "b.append(1)"], "b |  | ~a ~b"),
    ("an alias that was rebound", ["a = []", "b = a\nb = []\nb.append(1)"], "a |  | ~b"),
    ("an element", ["rows = [[1]]", "r = rows[0]\nr.append(2)"], "rows |  | ~r ~rows"),
    (
        "a loop over elements",
        ["train = {}\ntest = {}", "data = [train, test]\nfor d in data:\n    d['x'] = 1"],
        "test train |  | ~d ~data ~test ~train",
    ),
    (
        "a loop over pairs of elements",
        ["train = {}\ntest = {}", "for n, d in [('a', train), ('b', test)]:\n    d['x'] = n"],
        "test train | n | ~d ~test ~train",
    ),
    ("a loop over values", ["d = {'a': []}", "for v in d.values():\n    v.append(1)"], "d |  | ~d ~v"),
    ("a loop over items", ["d = {'a': []}", "for k, v in d.items():\n    v.append(1)"], "d | k | ~d ~v"),
    (
        "enumerate and zip",
        ["a = [[1]]\nb = [[2]]", "for i, (x, y) in enumerate(zip(a, b)):\n    x.append(y)"],
        "a b | i y | ~a ~x",
    ),
    (
        "a container holds what was put in",
        ["a = []\nbox = {}", "box['a'] = a\nbox['a'].append(1)"],
        "a box |  | ~a ~box",
    ),
    (
        "a copy is another object",
        ["a = [1]", "b = list(a)\nb.append(1)\nc = a[:]\nc.append(2)\nd = a.copy()\nd.append(3)"],
        "a |  | ~b ~c ~d",
    ),
    ("a shallow copy shares its elements", ["a = [[1]]", "b = list(a)\nb[0].append(1)"], "a |  | ~a ~b"),
    (
        "a deep copy does not",
        ["import copy\na = [[1]]", "b = copy.deepcopy(a)\nb[0].append(1)"],
        "a copy |  | ~b",
    ),
    ("either of two", ["a = []\nb = []\nc = 1", "(a if c else b).append(1)"], "a b c |  | ~a ~b"),
    (
        "slices of arrays show the array",
        ["import numpy as np\na = np.zeros(3)", "v = a[1:]\nv[0] = 1"],
        "a |  | ~a ~v",
    ),
    (
        "chosen elements of arrays are a copy",
        ["import numpy as np\na = np.zeros(3)", "v = a[a > 0]\nv[0] = 1"],
        "a |  | ~v",
    ),
    (
        "a transposed array shows the array",
        ["import numpy as np\na = np.zeros(3)", "a.T[0] = 1"],
        "a |  | ~a",
    ),
    (
        "in-place methods of arrays",
        ["import numpy as np\na = np.zeros(3)", "a.fill(1)\na.sort()"],
        "a |  | ~a",
    ),
    (
        "functions that change an argument",
        ["import numpy as np\na = np.zeros((3, 3))", "np.fill_diagonal(a, 1)"],
        "a np |  | ~a",
    ),
    ("out=", ["import numpy as np\na = np.zeros(3)\nb = a + 1", "np.add(a, 1, out=b)"], "a b np |  | ~b"),
    ("shuffle", ["import random\nxs = [1, 2]", "random.shuffle(xs)"], "random xs |  | ~xs"),
    ("heapq", ["import heapq\nh = []", "heapq.heappush(h, 1)"], "h heapq |  | ~h"),
]
FRAMES: list[Row] = [
    ("a column is set", ["import pandas as pd\ndf = pd.DataFrame()", "df['x'] = 1"], "df |  | ~df"),
    ("loc", ["import pandas as pd\ndf = pd.DataFrame()", "df.loc[df.a > 1, 'x'] = 1"], "df |  | ~df"),
    (
        "iloc and at",
        ["import pandas as pd\ndf = pd.DataFrame()", "df.iloc[0] = 1\ndf.at[0, 'x'] = 2"],
        "df |  | ~df",
    ),
    (
        "columns are renamed",
        ["import pandas as pd\ndf = pd.DataFrame()", "df.columns = ['a']"],
        "df |  | ~df",
    ),
    (
        "inplace=True",
        ["import pandas as pd\ndf = pd.DataFrame()", "df.drop(columns='a', inplace=True)"],
        "df |  | ~df",
    ),
    (
        "inplace=False",
        ["import pandas as pd\ndf = pd.DataFrame()", "df.drop(columns='a', inplace=False)"],
        "df |",
    ),
    (
        "methods of a frame give new ones",
        [
            "import pandas as pd\ndf = pd.read_csv('a')",
            "e = df.dropna().assign(z=1).sort_values('z')\ne['y'] = 2",
        ],
        "df |  | ~e",
    ),
    (
        "insert, pop and update",
        ["import pandas as pd\ndf = pd.DataFrame()", "df.insert(0, 'a', 1)\ndf.pop('a')"],
        "df |  | ~df",
    ),
    ("a copy", ["import pandas as pd\ndf = pd.DataFrame()", "e = df.copy()\ne['x'] = 1"], "df |  | ~e"),
    (
        "chosen rows",
        ["import pandas as pd\ndf = pd.DataFrame()", "e = df[df.a > 1]\ne['x'] = 1"],
        "df |  | ~e",
    ),
    (
        "apply with a function of the notebook",
        ["import pandas as pd\ndf = pd.DataFrame()\nk = 2\ndef f(v): return v * k", "s = df.a.apply(f)"],
        "df f k | s",
    ),
    (
        "query reads names",
        ["import pandas as pd\ndf = pd.DataFrame()\nlow = 1", "e = df.query('a > @low')"],
        "df low | e",
    ),
    (
        "plotting changes no frame",
        [
            "import pandas as pd\nimport matplotlib.pyplot as plt\ndf = pd.DataFrame()",
            "df.plot(x='a')\nplt.hist(df.a)\nplt.show()",
        ],
        "df plt |",
    ),
    (
        "a loop over columns",
        ["import pandas as pd\ndf = pd.DataFrame()", "for c in df.columns:\n    df[c] = df[c].fillna(0)"],
        "df | c | ~df",
    ),
    (
        "a loop over groups",
        ["import pandas as pd\ndf = pd.DataFrame()", "for k, g in df.groupby('a'):\n    print(k, g.mean())"],
        "df | g k",
    ),
]
MODELS: list[Row] = [
    (
        "fit changes the model alone",
        ["from sklearn.svm import SVC\nm = SVC()\nX = [[1]]\ny = [1]", "m.fit(X, y)"],
        "X m y |  | ~m",
    ),
    (
        "predict changes nothing",
        ["from sklearn.svm import SVC\nm = SVC()\nX = [[1]]", "p = m.predict(X)\ns = m.score(X, p)"],
        "X m | p s",
    ),
    (
        "fit returns the model",
        ["from sklearn.svm import SVC\nX = [[1]]\ny = [1]", "m = SVC().fit(X, y)\nm.set_params(C=2)"],
        "SVC X y |  | ~m",
    ),
    (
        "a pipeline's parts learn with it",
        [
            "from sklearn.pipeline import make_pipeline\nfrom sklearn.svm import SVC\nm = SVC()\nX = [[1]]",
            "p = make_pipeline(m)\np.fit(X, X)",
        ],
        "X m make_pipeline |  | ~m ~p",
    ),
    (
        "a scaler",
        [
            "from sklearn.preprocessing import StandardScaler\nsc = StandardScaler()\nX = [[1]]",
            "Z = sc.fit_transform(X)",
        ],
        "X sc | Z | ~sc",
    ),
    (
        "a split gives new values",
        [
            "from sklearn.model_selection import train_test_split\nX = [[1]]",
            "a, b = train_test_split(X, random_state=0)\na[0] = 1",
        ],
        "X train_test_split |  | ~a ~b",
    ),
    (
        "models in a loop",
        [
            "from sklearn.svm import SVC, LinearSVC\na = SVC()\nb = LinearSVC()\nX = [[1]]",
            "for m in (a, b):\n    m.fit(X, X)",
        ],
        "X a b |  | ~a ~b ~m",
    ),
    (
        "an optimizer changes the parameters it was given",
        [
            "import torch\nmodel = torch.nn.Linear(1, 1)\nopt = torch.optim.SGD(model.parameters())",
            "opt.step()",
        ],
        "opt |  | ~model ~opt",
    ),
    ("torch's underscore", ["import torch\nt = torch.zeros(1)", "t.add_(1)"], "t |  | ~t"),
]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(cells, expected, id=name)
        for name, cells, expected in (*SCOPES, *ORDER, *CHANGES, *FRAMES, *MODELS)
    ],
)
def test_what_a_cell_does_to_names(cells: list[str], expected: str) -> None:
    assert flow(*cells) == expected.strip()


CALLS: list[Row] = [
    ("a function's free names", ["def f(): return rate", "rate = 1", "f()"], "f rate |"),
    (
        "through another function",
        ["def f(): return rate\ndef g(): return f()", "rate = 1", "g()"],
        "f g rate |",
    ),
    ("as they are when it is called", ["rate = 1\ndef f(): return rate", "rate = 2", "f()"], "f rate |"),
    ("a redefined function", ["a = b = 1\ndef f(): return a", "def f(): return b", "f()"], "b f |"),
    ("recursion", ["n = 1\ndef f(k): return n if k < 1 else f(k - 1)", "f(3)"], "f n |"),
    (
        "mutual recursion",
        ["n = 1\ndef f(k): return g(k)\ndef g(k): return f(k) if k else n", "f(3)"],
        "f g n |",
    ),
    (
        "a function passed to a function",
        ["k = 1\ndef f(x): return x * k\ndef g(h): return h(2)", "g(f)"],
        "f g k |",
    ),
    ("a function passed to a library", ["k = 1\ndef f(x): return x * k", "sorted([1], key=f)"], "f k |"),
    ("a function put into a container", ["k = 1\ndef f(): return k", "hs = [f]", "hs[0]()"], "hs k |"),
    ("a function under another name", ["k = 1\ndef f(): return k", "g = f", "g()"], "g k |"),
    (
        "a closure",
        [
            "def make(n):\n    def inner(x): return x + n + base\n    return inner\nbase = 1",
            "add = make(2)",
            "add(1)",
        ],
        "add base |",
    ),
    (
        "partial",
        ["from functools import partial\nk = 1\ndef f(a, b): return a + b + k", "g = partial(f, 1)", "g(2)"],
        "g k |",
    ),
    (
        "a decorator of the notebook",
        [
            "log = []\ndef d(f):\n    def w(*a):\n        log.append(1)\n        return f(*a)\n    return w\nk = 1\n@d\ndef f(): return k",
            "f()",
        ],
        "f k log |  | ~log",
    ),
    ("lru_cache", ["from functools import lru_cache\nk = 1\n@lru_cache\ndef f(): return k", "f()"], "f k |"),
    ("a method", ["k = 1\nclass A:\n    def m(self): return k", "a = A()", "a.m()"], "a k |"),
    (
        "an inherited method",
        ["k = 1\nclass A:\n    def m(self): return k\nclass B(A): pass", "B().m()"],
        "B k |",
    ),
    (
        "super",
        [
            "k = 1\nclass A:\n    def m(self): return k\nclass B(A):\n    def m(self): return super().m()",
            "B().m()",
        ],
        "B k |",
    ),
    ("the initialiser", ["k = 1\nclass A:\n    def __init__(self): self.x = k", "A()"], "A k |"),
    ("a property", ["k = 1\nclass A:\n    @property\n    def p(self): return k", "a = A()", "a.p"], "a k |"),
    (
        "static and class methods",
        [
            "k = j = 1\nclass A:\n    @staticmethod\n    def s(): return k\n    @classmethod\n    def c(cls): return j",
            "A.s()\nA.c()",
        ],
        "A j k |",
    ),
    ("a callable object", ["k = 1\nclass A:\n    def __call__(self): return k", "a = A()", "a()"], "a k |"),
    (
        "a context manager",
        [
            "k = 1\nclass A:\n    def __enter__(self): return k\n    def __exit__(self, *e): pass",
            "with A() as v: pass",
        ],
        "A k | v",
    ),
    ("a generator function", ["k = 1\ndef f():\n    yield k", "list(f())"], "f k |"),
    ("global names written", ["n = 0\ndef f():\n    global n\n    n += 1", "f()"], "f n | n"),
    (
        "written by a method",
        ["n = 0\nclass A:\n    def m(self):\n        global n\n        n = 1", "A().m()"],
        "A | n",
    ),
    (
        "a function that is merely passed may write",
        ["n = 0\ndef f(x):\n    global n\n    n = x", "list(filter(f, [1]))\nsorted([1], key=f)"],
        "f | n",
    ),
    ("a parameter changed in place", ["def f(x): x['k'] = 1\nd = {}", "f(d)"], "d f |  | ~d"),
    (
        "through another function",
        ["def f(x): x.append(1)\ndef g(y): f(y)\nxs = []", "g(xs)"],
        "f g xs |  | ~xs",
    ),
    ("elements of a parameter", ["def f(xs):\n    for x in xs: x['k'] = 1\na = {}", "f([a])"], "a f |  | ~a"),
    ("a keyword argument", ["def f(*, into): into.append(1)\nxs = []", "f(into=xs)"], "f xs |  | ~xs"),
    (
        "star arguments",
        ["def f(*xs, **kw):\n    xs[0].append(1)\n    kw['k'].append(2)\na = []\nb = []", "f(a, k=b)"],
        "a b f |  | ~a ~b",
    ),
    ("a global changed in place", ["log = []\ndef f(): log.append(1)", "f()"], "f log |  | ~log"),
    ("a changed default belongs to the function", ["def f(x, acc=[]): acc.append(x)", "f(1)"], "f |  | ~f"),
    (
        "a copy of a parameter",
        [
            "def f(df):\n    df = df.copy()\n    df['x'] = 1\n    return df\nimport pandas as pd\nd = pd.DataFrame()",
            "e = f(d)",
        ],
        "d f | e",
    ),
    (
        "a returned parameter is the argument",
        ["def f(x): return x\na = []", "b = f(a)\nb.append(1)"],
        "a f |  | ~a ~b",
    ),
    (
        "a returned global is the global",
        ["log = []\ndef f(): return log", "f().append(1)"],
        "f log |  | ~log",
    ),
    (
        "self",
        [
            "class A:\n    def __init__(self): self.xs = []\n    def add(self, x): self.xs.append(x)\na = A()",
            "a.add(1)",
        ],
        "a |  | ~a",
    ),
    (
        "what an object was given",
        [
            "class A:\n    def __init__(self, xs): self.xs = xs\n    def add(self): self.xs.append(1)\nxs = []\na = A(xs)",
            "a.add()",
        ],
        "a |  | ~a ~xs",
    ),
    (
        "but not what else it was given",
        [
            "from sklearn.svm import SVC\nclass T:\n    def __init__(self, X):\n        self.X = X\n        self.m = SVC()\n    def go(self): self.m.fit(self.X, self.X)\nX = [[1]]\nt = T(X)",
            "t.go()",
        ],
        "t |  | ~t",
    ),
    (
        "a list of the class",
        ["class A:\n    shared = []\n    def add(self): self.shared.append(1)\na = A()\nb = A()", "a.add()"],
        "a |  | ~A ~a ~b",
    ),
    (
        "an unknown function may change what it is given",
        ["import mylib\nd = {}\nn = 1", "mylib.go(d, n, 'x')"],
        "d mylib n |  | ?d",
    ),
    (
        "and what it gives back may be that",
        ["import mylib\nd = {}", "e = mylib.go(d)\ne['x'] = 1"],
        "d mylib |  | ~e | ?d",
    ),
    (
        "an unknown method may change its object",
        ["import mylib\no = mylib.make()", "o.frobnicate()"],
        "o |  | ?o",
    ),
    (
        "known methods of unknown objects do not",
        ["import mylib\no = mylib.make()", "o.head()\no.predict([1])\no.keys()"],
        "o |",
    ),
    (
        "known libraries leave their arguments alone",
        [
            "import json, math, collections, itertools, re\nimport scipy.stats as st\nxs = [1]",
            "json.dumps(xs), collections.Counter(xs), st.ttest_1samp(xs, 0), list(itertools.chain(xs))",
        ],
        "collections itertools json st xs |",
    ),
    (
        "threads run what they are given",
        ["import threading\nout = []\ndef f(): out.append(1)", "t = threading.Thread(target=f)\nt.start()"],
        "f out threading | t | ?out",
    ),
]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(cells, expected, id=f"{name} {number}")
        for number, (name, cells, expected) in enumerate(CALLS)
    ],
)
def test_what_a_call_does_to_names(cells: list[str], expected: str) -> None:
    assert flow(*cells) == expected.strip()


IPYTHON: list[Row] = [
    ("shell line", ["x = 1", "!echo hi\ny = x"], "x | y"),
    ("shell line into a name", ["x = 1", "files = !ls -la\nprint(files)"], "| files"),
    (
        "a shell line reads what it names",
        ["name = 'a'\nn = 1", "!echo {name} $n {n + 1} $HOME {unknown}"],
        "n name |",
    ),
    ("a shell line with a backslash", ["x = 1", "!echo a \\\n    b\ny = x"], "x | y"),
    ("a line magic", ["x = 1", "%matplotlib inline\n%time y = x"], "x | y"),
    ("timeit binds nothing", ["x = 1", "%%timeit\nz = x\nz += 1"], "x |"),
    ("a cell magic with code", ["x = 1", "%%time\ny = x"], "x | y"),
    ("capture binds its name", ["x = 1", "%%capture out --no-stderr\nprint(x)"], "x | out"),
    ("a cell magic with a script", ["x = 'a'", '%%bash -s "$x"\necho $1 > $OTHER'], "x |"),
    ("help", ["x = 1", "x?\n?x\nx.real??"], "|"),
    ("a magic into a name", ["x = 1", "here = %pwd"], "| here"),
    (
        "a percent sign that is no magic",
        ["a = 5\nb = 3", "c = (a\n% b)\nd = '''\n!ls\n%cd\n'''"],
        "a b | c d",
    ),
    ("magics in blocks", ["x = 1", "if x:\n    !ls\n    y = 2\nelse:\n    %time y = 3"], "x | y"),
    ("automagic", ["x = 1", "ls"], "|"),
    ("automagic with arguments", ["x = 1", "cd data"], "|"),
    ("automagic that parses as Python", ["x = 1", "ls -la"], "|"),
    ("not if the name is defined", ["ls = 1", "ls"], "ls |"),
    ("prompts", ["x = 1", ">>> y = x\n... "], "x | y"),
    ("exec of a literal", ["m = 1", "exec('q = m')"], "m | q"),
    ("eval of a literal", ["m = 1", "r = eval('m + 1')"], "m | r"),
    ("a standard module's star", ["x = 1", "from math import *\ny = sqrt(x)"], None),
]


@pytest.mark.parametrize(
    ("cells", "expected"), [pytest.param(c, e, id=name) for name, c, e in IPYTHON if e is not None]
)
def test_what_ipython_syntax_does_to_names(cells: list[str], expected: str) -> None:
    assert flow(*cells) == expected.strip()


def test_names_of_a_standard_star_import_are_known() -> None:
    pipeline = check("from math import *", "r = sqrt(2) + pi", "print(tan(1), sqroot(4))")
    assert set(pipeline.step("cell-2").reads) == {"pi", "sqrt"}
    assert [problem.message for problem in pipeline.errors] == ["'sqroot' is not defined"]


@pytest.mark.parametrize(
    "source",
    [
        "exec(code)",
        "eval(code)",
        "globals()['x'] = 1",
        "locals()",
        "vars()",
        "get_ipython().run_cell(code)",
        "%run other.py",
    ],
)
def test_what_cannot_be_seen_reads_and_writes_everything(source: str) -> None:
    pipeline = check("code = open('f').read()\na = 1", "b = 2", source, "print(y)", "c = a")
    step = pipeline.step("cell-3")
    assert "*" in step.reads
    assert "*" in step.may_write
    assert any(effect.kind == "unknown" for effect in step.effects)
    assert set(pipeline.parents("cell-3")) == {"cell-1", "cell-2"}
    assert "cell-3" in pipeline.parents("cell-4")
    assert "cell-3" in pipeline.parents("cell-5")
    assert not pipeline.errors
    assert [problem.cell for problem in pipeline.problems] in ([3], [])


def test_functions_in_which_code_is_hidden_hide_it_where_they_are_called() -> None:
    pipeline = check("def f(s): exec(s)\ndef g(s): return eval(s)", "x = 1", "g(open('a').read())", "y = 2")
    assert pipeline.step("cell-1").may_write == ()
    assert "*" in pipeline.step("cell-3").reads
    assert pipeline.step("cell-4").reads == ()


def test_the_last_output_is_not_passed_on() -> None:
    problem = check("1 + 1", "x = _")
    assert [item.code for item in problem.problems] == ["last-output"]
