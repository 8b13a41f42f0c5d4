"""What a step touches beside its values, and the order that this asks for."""

from __future__ import annotations

import pytest

from jupyter_ext.pipelines.model import Effect
from tests.pipelines.analysis.building import check, edges, effects

IMPORTS = (
    "import os, random, shutil, sqlite3, json, pickle, warnings, locale, subprocess, glob, sys, logging\n"
    "import numpy as np, pandas as pd, matplotlib.pyplot as plt, seaborn as sns, requests, joblib, torch\n"
    "import urllib.request\n"
    "from pathlib import Path\n"
    "from sklearn.ensemble import RandomForestClassifier\n"
    "from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier\n"
    "from sklearn.model_selection import train_test_split, KFold, ShuffleSplit, cross_val_score, GridSearchCV\n"
    "from sklearn.pipeline import make_pipeline\n"
    "from sklearn.datasets import make_classification, fetch_openml, load_iris\n"
    "df = pd.DataFrame()\nX = np.zeros((3, 3))\nSEED = 3\nOUT = 'out/'\nfig = plt.figure()"
)
R, W = "rng:r:numpy", "rng:w:numpy"
CASES: list[tuple[str, set[str]]] = [
    # Files
    ("open('a.txt')", {"file:r:a.txt"}),
    ("open('a.txt', 'w')", {"file:w:a.txt"}),
    ("open('./b/../a.txt', mode='wb')", {"file:w:a.txt"}),
    ("open('a.txt', 'a')", {"file:r:a.txt", "file:w:a.txt"}),
    ("open('a.txt', 'r+')", {"file:r:a.txt", "file:w:a.txt"}),
    ("open(name())", {"file:r:*", "unknown:w:name()"}),
    ("with open(OUT + 'a.txt', 'w') as f: f.write('x')", {"file:w:out/a.txt"}),
    ("open(f'{OUT}{SEED}.txt')", {"file:r:out/3.txt"}),
    ("open(os.path.join('a', 'b'))", {"file:r:a/b"}),
    ("open('%s.txt' % 'a')", {"file:r:a.txt"}),
    ("open('{}.txt'.format('a'))", {"file:r:a.txt"}),
    ("for i in range(3): open(f'{i}.txt', 'w')", {"file:w:*"}),
    ("pd.read_csv('a.csv')", {"file:r:a.csv"}),
    ("pd.read_csv('https://x.org/a.csv')", {"network:r:x.org"}),
    ("pd.read_parquet(path='a')", {"file:r:a"}),
    ("df.to_csv('a.csv', index=False)", {"file:w:a.csv"}),
    ("df.to_csv()", set()),
    ("df.to_csv(None)", set()),
    ("df.to_parquet(Path('o') / 'a')", {"file:w:o/a"}),
    ("np.save('a.npy', X)", {"file:w:a.npy"}),
    ("np.load('a.npy')", {"file:r:a.npy"}),
    ("joblib.dump(df, 'm.pkl')", {"file:w:m.pkl"}),
    ("joblib.load('m.pkl')", {"file:r:m.pkl"}),
    ("pickle.dump(df, open('m.pkl', 'wb'))", {"file:w:m.pkl"}),
    ("json.load(open('m.json'))", {"file:r:m.json"}),
    ("torch.save(1, 'm.pt')", {"file:w:m.pt"}),
    ("Path('a').read_text()", {"file:r:a"}),
    ("(Path('a') / 'b').write_text('x')", {"file:w:a/b"}),
    ("Path('a', 'b').open('w')", {"file:w:a/b"}),
    ("Path('a').mkdir(parents=True)", {"file:w:a"}),
    ("Path('a').exists()", {"file:r:a"}),
    ("Path('a').with_suffix('.b').name", set()),
    ("os.remove('a')", {"file:w:a"}),
    ("os.makedirs('a/b', exist_ok=True)", {"file:w:a/b"}),
    ("os.listdir('a')", {"file:r:a"}),
    ("os.path.exists('a')", {"file:r:a"}),
    ("os.path.join('a', 'b')", set()),
    ("os.rename('a', 'b')", {"file:w:a", "file:w:b"}),
    ("shutil.copy('a', 'b')", {"file:r:a", "file:w:b"}),
    ("shutil.rmtree('a')", {"file:w:a"}),
    ("glob.glob('data/*.csv')", {"file:r:data"}),
    ("plt.savefig('a.png')", {"file:w:a.png"}),
    ("fig.savefig('a.png')", {"file:w:a.png"}),
    ("sqlite3.connect('a.db')", {"file:w:a.db"}),
    ("sqlite3.connect(':memory:')", set()),
    ("c = sqlite3.connect('a.db')\nc.execute('select 1')", {"file:w:a.db", "file:w:*"}),
    ("import helpers", {"file:r:helpers.py"}),
    ("%%writefile helpers.py\nx = 1", {"file:w:helpers.py"}),
    ("def save(d, to): d.to_csv(to)\nsave(df, 'a.csv')\nsave(df, 'b.csv')", {"file:w:a.csv", "file:w:b.csv"}),
    # Shell, network, environment, directory
    ("!ls -la", {"shell:r:ls -la"}),
    ("!echo hi > a", {"shell:w:echo hi > a"}),
    ("!pip install x", {"shell:w:packages"}),
    ("%pip install x", {"shell:w:packages"}),
    ("%%bash\nmake", {"shell:w:*"}),
    ("%%bash\nls\ncat a", {"shell:r:*"}),
    ("os.system('ls')", {"shell:w:*"}),
    ("subprocess.run(['ls'])", {"shell:w:*"}),
    ("requests.get('https://x.org/a')", {"network:r:x.org"}),
    ("urllib.request.urlretrieve('https://x.org/a', 'a')", {"file:w:a", "network:r:x.org"}),
    ("fetch_openml('mnist')", {"network:r:*"}),
    ("import jupyter_ext as kf\nkf.registry.register(1, 'm')", {"network:w:*"}),
    ("import jupyter_ext as kf\ne = kf.serving.get('m')\ne.promote('v2')", {"network:w:*"}),
    ("import jupyter_ext as kf\nkf.report(loss=1)", set()),
    ("load_iris()", set()),
    ("sns.load_dataset('tips')", {"network:r:*"}),
    ("os.environ['A'] = '1'", {"env:w:A"}),
    ("os.environ['A']", {"env:r:A"}),
    ("os.environ.get('A')", {"env:r:A"}),
    ("os.environ.setdefault('A', '1')", {"env:w:A"}),
    ("del os.environ['A']", {"env:w:A"}),
    ("os.getenv('A')", {"env:r:A"}),
    ("%env A=1", {"env:w:A"}),
    ("%env A", {"env:r:A"}),
    ("os.chdir('a')", {"cwd:w:*"}),
    ("%cd a", {"cwd:w:*"}),
    ("cd a", {"cwd:w:*"}),
    ("os.getcwd()", {"cwd:r:*"}),
    # Settings
    ("pd.set_option('display.max_rows', 5)", {"settings:w:pandas"}),
    ("pd.options.display.max_rows = 5", {"settings:w:pandas"}),
    ("plt.rcParams['figure.figsize'] = (1, 2)", {"settings:w:matplotlib"}),
    ("plt.rcParams.update({'a': 1})", {"settings:w:matplotlib"}),
    ("plt.style.use('ggplot')", {"settings:w:matplotlib"}),
    ("sns.set_theme()", {"settings:w:matplotlib"}),
    ("warnings.filterwarnings('ignore')", {"settings:w:warnings"}),
    ("np.seterr(all='ignore')", {"settings:w:numpy"}),
    ("np.set_printoptions(precision=2)", {"settings:w:numpy"}),
    ("locale.setlocale(locale.LC_ALL, 'C')", {"settings:w:locale"}),
    ("logging.basicConfig()", {"settings:w:logging"}),
    ("logging.getLogger('a').setLevel(10)", {"settings:w:logging"}),
    ("sys.path.append('lib')", {"settings:w:sys.path"}),
    ("pd.DataFrame.twice = lambda self: self", {"settings:w:pandas.DataFrame.twice"}),
    ("%load_ext autoreload", {"settings:w:ipython"}),
    ("%matplotlib inline", set()),
    ("%matplotlib widget", {"settings:w:matplotlib"}),
    # Random numbers
    ("np.random.rand(3)", {R, W}),
    ("np.random.seed(0)", {W}),
    ("np.random.seed(0)\nnp.random.rand(3)", {W}),
    ("np.random.rand(3)\nnp.random.seed(0)", {R, W}),
    ("if SEED: np.random.seed(0)\nnp.random.rand(3)", {R, W}),
    ("np.random.default_rng(0).normal()", set()),
    ("rng = np.random.RandomState(0)\nrng.rand()", set()),
    ("random.random()", {"rng:r:random", "rng:w:random"}),
    ("random.seed(1)", {"rng:w:random"}),
    ("random.Random(1).random()", set()),
    ("torch.manual_seed(0)\ntorch.randn(3)", {"rng:w:torch"}),
    ("torch.randn(3)", {"rng:r:torch", "rng:w:torch"}),
    ("torch.zeros(3)", set()),
    ("train_test_split(X)", {R, W}),
    ("train_test_split(X, random_state=0)", set()),
    ("train_test_split(X, random_state=SEED)", set()),
    ("train_test_split(X, random_state=None)", {R, W}),
    ("train_test_split(X, shuffle=False)", set()),
    ("RandomForestClassifier()", set()),
    ("RandomForestClassifier().fit(X, X)", {R, W}),
    ("RandomForestClassifier(random_state=0).fit(X, X)", set()),
    ("LogisticRegression().fit(X, X)", set()),
    ("LogisticRegression(solver='saga').fit(X, X)", {R, W}),
    ("make_pipeline(RandomForestClassifier()).fit(X, X)", {R, W}),
    ("GridSearchCV(RandomForestClassifier(random_state=1), {}).fit(X, X)", set()),
    ("GridSearchCV(RandomForestClassifier(), {}).fit(X, X)", {R, W}),
    ("cross_val_score(Ridge(), X, X, cv=5)", set()),
    ("cross_val_score(RandomForestClassifier(), X, X)", {R, W}),
    ("cross_val_score(Ridge(), X, X, cv=KFold(5))", set()),
    ("cross_val_score(Ridge(), X, X, cv=KFold(5, shuffle=True))", {R, W}),
    ("for a, b in ShuffleSplit(3).split(X): pass", {R, W}),
    ("make_classification(random_state=1)", set()),
    ("make_classification()", {R, W}),
    ("df.sample(3)", {R, W}),
    ("df.sample(3, random_state=1)", set()),
    ("def f(m): m.fit(X, X)\nf(RandomForestClassifier())", {R, W}),
    ("def f(m): m.fit(X, X)\nf(RandomForestClassifier(random_state=1))", set()),
    ("def f(seed): return RandomForestClassifier(random_state=seed).fit(X, X)\nf(3)", set()),
    # Others
    ("name = input('?')", {"stdin:r:input()"}),
    ("print(1)", set()),
    ("import time\ntime.sleep(1)", set()),
    ("import mylib\nmylib.go()", {"file:r:mylib.py", "unknown:w:mylib.go()"}),
    ("name()", {"unknown:w:name()"}),
    ("%frobnicate", {"unknown:w:%frobnicate"}),
    ("%%frobnicate\nx", {"unknown:w:%%frobnicate"}),
    ("def f(): open('a')\n", set()),
    ("def f(): open('a')\nf()", {"file:r:a"}),
    ("[1].append(2)\n'a'.upper()\nlen([1])\ndf.head()\nplt.plot([1])\nplt.show()", set()),
]


@pytest.mark.parametrize(("source", "expected"), CASES, ids=[source[:50] for source, _ in CASES])
def test_what_a_step_touches(source: str, expected: set[str]) -> None:
    assert effects(check(IMPORTS, source), "cell-2") == expected


ORDERED: list[tuple[str, list[str], str]] = [
    ("a written file is read", ["open('a', 'w')", "open('a')"], "1>2"),
    ("a read file is written", ["open('a')", "open('a', 'w')"], "1>2"),
    ("two readers", ["open('a')", "open('a')"], ""),
    ("two files", ["open('a', 'w')", "open('b', 'w')"], ""),
    ("a file in a folder", ["import os\nos.makedirs('d')", "open('d/a', 'w')"], "1>2"),
    ("a folder of a file", ["open('d/a', 'w')", "import os\nos.listdir('d')"], "1>2"),
    ("any file", ["open('a', 'w')", "open(name)"], "1>2"),
    ("readers before a writer", ["open('a')", "open('a')", "open('a', 'w')", "open('a')"], "1>3 2>3 3>4"),
    ("a shell command may touch files", ["open('a', 'w')", "!make", "open('b')"], "1>2 2>3"),
    ("a shell command that only looks", ["!ls", "open('a')", "!cat a"], ""),
    ("draws keep their order", ["import random\nrandom.random()", "random.random()"], "1>2"),
    ("generators are apart", ["import random, torch\nrandom.random()", "torch.rand(1)"], "1>2"),
    (
        "a seed needs nothing before",
        ["import random", "random.random()", "random.seed(0)\nrandom.random()"],
        "1>2 1>3",
    ),
    (
        "what draws after it does",
        ["import random", "random.seed(0)", "random.seed(1)", "random.random()"],
        "1>2 1>3 1>4 3>4",
    ),
    (
        "a setting concerns all that follow",
        ["x = 1", "import warnings\nwarnings.simplefilter('ignore')", "y = 2", "z = 3"],
        "2>3 2>4",
    ),
    ("the environment too", ["import os\nos.environ['A'] = '1'", "x = 1"], "1>2"),
    ("the directory too", ["%cd /tmp", "x = 1"], "1>2"),
    (
        "unknown code keeps its order with effects",
        ["import mylib\nmylib.a()", "mylib.b()", "x = 1", "open('a')"],
        "1>2 2>4",
    ),
    (
        "two downloads",
        ["import pandas as pd\npd.read_csv('https://a.b/c')", "x = 1", "pd.read_csv('https://a.b/d')"],
        "1>3",
    ),
    ("nothing in common", ["x = 1", "y = 2", "print(3)"], ""),
    (
        "no edge where a path is",
        ["x = 1\nopen('a', 'w')", "y = x\nopen('a')", "z = y\nopen('a', 'w')"],
        "1>2 2>3",
    ),
]


@pytest.mark.parametrize(("cells", "expected"), [pytest.param(c, e, id=name) for name, c, e in ORDERED])
def test_effects_ask_for_order(cells: list[str], expected: str) -> None:
    found = edges(check(*cells))
    assert {edge.replace("cell-", "") for edge in found} == set(expected.split())


def test_a_generator_object_is_a_value_that_each_draw_changes() -> None:
    pipeline = check(
        "import numpy as np", "rng = np.random.default_rng(0)", "a = rng.normal()", "b = rng.normal()"
    )
    assert pipeline.step("cell-3").mutates == ("rng",)
    assert "cell-3>cell-4" in edges(pipeline, "data")
    assert not pipeline.step("cell-4").effects


def test_a_generator_given_to_a_model_is_changed_with_it() -> None:
    pipeline = check(
        "import numpy as np\nfrom sklearn.ensemble import RandomForestClassifier as RF\nX = [[1]]",
        "rng = np.random.RandomState(0)",
        "m = RF(random_state=rng).fit(X, X)",
    )
    assert "rng" in pipeline.step("cell-3").mutates


def test_reasons_are_sentences_about_the_earlier_step() -> None:
    pipeline = check("import random", "random.random()", "random.random()", "open('a', 'w')", "open('a')")
    reasons = {f"{edge.source}>{edge.target}": edge.reason for edge in pipeline.edges if edge.kind == "order"}
    assert reasons == {
        "cell-2>cell-3": "draws random numbers (random) after it",
        "cell-4>cell-5": "reads a, which it writes",
    }


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("file", "w", "a"), ("file", "r", "a"), True),
        (("file", "r", "a"), ("file", "r", "a"), False),
        (("file", "w", "a"), ("file", "w", "ab"), False),
        (("file", "w", "a"), ("file", "r", "a/b"), True),
        (("file", "w", "*"), ("file", "r", "a"), True),
        (("shell", "w", "x"), ("file", "r", "a"), True),
        (("rng", "w", "numpy"), ("rng", "w", "torch"), False),
        (("rng", "w", "numpy"), ("rng", "w", "numpy"), True),
        (("cwd", "w", "*"), ("file", "r", "a"), True),
        (("settings", "w", "pandas"), ("settings", "w", "matplotlib"), False),
        (("unknown", "w", "*"), ("rng", "r", "numpy"), True),
    ],
)
def test_conflicts(one: tuple[str, str, str], other: tuple[str, str, str], expected: bool) -> None:
    assert Effect(*one).conflicts(Effect(*other)) is expected
    assert Effect(*other).conflicts(Effect(*one)) is expected
