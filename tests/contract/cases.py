"""Notebooks whose last cell prints RESULT and what it has found: the same plain, as a run, and exported."""

from __future__ import annotations

from typing import Any

RESULT = "print('RESULT', {})"

PLAIN: dict[str, list[Any]] = {
    "in place": [
        "train, test = [1, 2], [3]",
        "data = [train, test]\nfor d in data:\n    d.append(0)",
        "train.append(9)",
        RESULT.format("train, test, data, data[0] is train"),
    ],
    "diamond": [
        "# A",
        "items = [1]",
        "# B",
        "left = items + [2]",
        "# C",
        "right = items + [3]",
        "# D",
        RESULT.format("left + right"),
    ],
    "functions": [
        "count = 0\nscale = 2\ndef bump(by=1):\n    global count\n    count += by\n    return count * scale",
        "bump()\nbump(2)",
        "scale = 10",
        RESULT.format("bump(), count"),
    ],
    "classes": [
        "from dataclasses import dataclass\nfrom enum import Enum\nclass Colour(Enum):\n    RED = 1\n@dataclass\nclass Point:\n    x: int\n    colour: Colour = Colour.RED\n    def moved(self):\n        return Point(self.x + step)\nstep = 5",
        "p = Point(1)\npoints = {'a': p}",
        "p.x = 7",
        RESULT.format("points['a'] is p, p, p.moved(), isinstance(p, Point), p.colour is Colour.RED"),
    ],
    "comprehensions": [
        "x = 'outer'\nsquares = [x * x for x in range(3)]",
        "y = {k: v for k, v in enumerate(x)}",
        RESULT.format("x, squares, y"),
    ],
    "random": [
        "import random\nrandom.seed(4)",
        "a = random.random()",
        "b = [random.random() for _ in range(3)]",
        "random.shuffle(b)",
        RESULT.format("a, b, random.random()"),
    ],
    "environment": [
        "import os\nos.environ['KFP_CASE'] = 'x'\nos.makedirs('deeper', exist_ok=True)",
        "os.chdir('deeper')",
        "!echo hello > word.txt",
        "del os.environ['KFP_CASE']",
        RESULT.format("open('word.txt').read(), os.path.basename(os.getcwd()), os.environ.get('KFP_CASE')"),
    ],
    "files": [
        "with open('numbers.txt', 'w') as f:\n    f.write('1 2 3')",
        "with open('numbers.txt', 'a') as f:\n    f.write(' 4')",
        "numbers = [int(n) for n in open('numbers.txt').read().split()]",
        RESULT.format("numbers"),
    ],
    "text": [
        'braces = \'{{workflow.name}} {{$}} python3\'\nquote = "it\'s \\"x\\" \\\\ \\t é 漢 🙂"',
        "lines = '''\n  first\n\n    second  \n'''",
        RESULT.format("braces, quote, lines"),
    ],
    "deleted": [
        "keep, gone = 1, 2",
        "del gone",
        RESULT.format("keep, 'gone' in globals()"),
    ],
    "exotic": [
        "import decimal, datetime, collections, functools\nd = decimal.Decimal('1.10')\nq = collections.deque([1, 2], maxlen=2)\n@functools.lru_cache\ndef f(n):\n    return n * 2\nbig = 2 ** 80\nnan = float('nan')",
        "q.append(3)\nwhen = datetime.datetime(2024, 2, 29)\ns = {3, 1, 2}\nc = complex(1, 2)",
        RESULT.format("d, q, f(4), big, nan, when, sorted(s), c, type(q).__name__"),
    ],
    "awaiting": [
        "import asyncio\nasync def later(x):\n    await asyncio.sleep(0)\n    return x",
        "value = await later(3)",
        RESULT.format("value"),
    ],
}
"""Standard library only."""

SCIENCE: dict[str, list[Any]] = {
    "arrays": [
        "import numpy as np\nnp.random.seed(0)\na = np.arange(12.0).reshape(3, 4)\nrow = a[1]\nscalar = np.float64(3)\nobjects = np.array([{'a': 1}, None], dtype=object)",
        "row *= 10\nnoise = np.random.rand(2)",
        "a[0, 0] = -1",
        RESULT.format(
            "a.tolist(), row.tolist(), noise.tolist(), np.random.rand(), type(scalar).__name__, objects[0], np.shares_memory(a, row)"
        ),
    ],
    "frames": [
        "import pandas as pd\npd.set_option('display.max_rows', 7)\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')})\ntrain, test = df[:2].copy(), df[2:].copy()",
        "for part in [train, test]:\n    part['c'] = part['a'] * 2",
        "df['b'] = df['b'].astype('category')\nseries = df['a']",
        RESULT.format(
            "train.to_dict('list'), test.to_dict('list'), str(df.dtypes.tolist()), series.sum(), pd.get_option('display.max_rows')"
        ),
    ],
    "model": [
        "from sklearn.datasets import load_iris\nfrom sklearn.linear_model import LogisticRegression\nX, y = load_iris(return_X_y=True, as_frame=True)",
        "model = LogisticRegression(max_iter=200).fit(X, y)",
        RESULT.format("round(model.score(X, y), 6), list(model.feature_names_in_)"),
    ],
}
"""With the libraries of the tour."""

SHARED_CELLS: dict[str, list[Any]] = {
    "closures": [
        "def make():\n    total = 0\n    def add(n):\n        nonlocal total\n        total += n\n        return total\n    def get():\n        return total\n    return add, get\nadd, get = make()",
        "add(3)",
        "add(4)",
        RESULT.format("get(), [f(2) for f in [lambda x: x + get()]]"),
    ],
}
"""Two functions that share a variable of the function that made them: calling one changes the other."""
