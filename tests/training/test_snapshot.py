"""What travels with a function: closures, notebook classes, workspace modules; and what does not."""

from __future__ import annotations

import ast
import functools
import io
import json
import subprocess
import sys
import threading
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid, NotFound
from jupyter_ext.training import snapshot
from jupyter_ext.training.capture import needed
from jupyter_ext.training.loading import Snapshot
from jupyter_ext.training.workspace import Workspace, secret

ELSEWHERE = """
import json, sys
from pathlib import Path
from jupyter_ext.training.loading import Snapshot
print(json.dumps(Snapshot(Path(sys.argv[1])).call(json.loads(sys.argv[2]), {})))
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Call a snapshot in a new interpreter, in a folder that has nothing."""

    def call(code, args=None, folders=()):
        content = snapshot.pack(code, list(folders))
        place = tmp_path / f"unpacked-{len(list(tmp_path.iterdir()))}"
        snapshot.unpack(content, place)
        nowhere = tmp_path / "nowhere"
        nowhere.mkdir(exist_ok=True)
        command = [sys.executable, "-P", "-c", ELSEWHERE, str(place), json.dumps(args or {})]
        done = subprocess.run(command, cwd=nowhere, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def entries(content: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return set(archive.namelist())


@pytest.fixture
def package(folder, monkeypatch):
    """A package of the user's with relative imports, data, secrets, and a module that nobody imports."""
    files = {
        "kitchen/__init__.py": "from .stove import heat\n",
        "kitchen/stove.py": "from . import gas\nimport pans\ndef heat(x):\n    return gas.burn(x) + pans.SIZE\n",
        "kitchen/gas.py": "from pathlib import Path\nimport json\n"
        "def burn(x):\n    return x * json.loads((Path(__file__).parent / 'flame.json').read_text())\n",
        "kitchen/flame.json": "10",
        "kitchen/.env": "SECRET=1",
        "kitchen/server.pem": "KEY",
        "kitchen/credentials.json": "{}",
        "kitchen/unused.py": "raise RuntimeError('nobody asked')\n",
        "pans.py": "SIZE = 1\n",
        "other.py": "raise RuntimeError('nobody asked')\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in {"kitchen", "pans"}]:
        del sys.modules[name]


def test_a_function_with_what_it_closes_over(elsewhere):
    factor, offset = 3, [1]

    def inner(x):
        return x * factor + offset[0]

    def outer(x):
        return inner(x) + 1

    assert elsewhere(snapshot.of_function(outer, {}), {"x": 2}) == 8


def test_lambdas_methods_partials_and_decorated_functions(elsewhere):
    class Model:
        def __init__(self, weight):
            self.weight = weight

        def fit(self, x):
            return self.weight * x

        def __call__(self, x):
            return -x

    def loud(function):
        @functools.wraps(function)
        def wrapper(**words):
            return function(**words) * 100

        return wrapper

    @loud
    def plain(x):
        return x + 1

    made = Model(5)
    for function, expected in [
        (lambda x: x + 1, 3),
        (made.fit, 10),
        (made, -2),
        (functools.partial(lambda x, y: x * y, y=7), 14),
        (plain, 300),
    ]:
        assert elsewhere(snapshot.of_function(function, {}), {"x": 2}) == expected


def test_modules_of_the_workspace_travel_with_all_that_they_import(elsewhere, package):
    def fit(x):
        from kitchen.stove import heat

        return heat(x)

    code = snapshot.of_function(fit, {})
    names = entries(snapshot.pack(code, [package]))
    modules = {name.removeprefix("modules/") for name in names if name.startswith("modules/")}
    assert modules == {
        *("kitchen/__init__.py", "kitchen/stove.py", "kitchen/gas.py", "kitchen/flame.json", "pans.py")
    }
    assert elsewhere(code, {"x": 4}, [package]) == 41


def test_a_function_of_a_module_travels_as_its_module(elsewhere, package):
    from kitchen.stove import heat

    assert elsewhere(snapshot.of_function(heat, {}), {"x": 1}, [package]) == 11


def test_values_of_workspace_classes_bring_their_modules(elsewhere, package):
    (package / "shapes.py").write_text("class Circle:\n    def __init__(self, r):\n        self.r = r\n")
    import shapes

    circle = shapes.Circle(3)
    assert elsewhere(snapshot.of_function(lambda: circle.r, {}), {}, [package]) == 3
    del sys.modules["shapes"]


def test_the_same_code_is_the_same_snapshot(package):
    def fit(x):
        import kitchen

        return kitchen.heat(x)

    first = snapshot.pack(snapshot.of_function(fit, {}), [package])
    assert snapshot.pack(snapshot.of_function(fit, {}), [package]) == first
    (package / "pans.py").write_text("SIZE = 2\n")
    assert snapshot.pack(snapshot.of_function(fit, {}), [package]) != first


@pytest.mark.parametrize(
    "name",
    [".env", ".netrc", "id_rsa", "server.pem", "tls.key", "credentials", "credentials.json", "secrets.yaml",
     "service-account.json", "kubeconfig", "token.txt"],
)  # fmt: skip
def test_secrets_stay_at_home(name):
    assert secret(name)


@pytest.mark.parametrize("name", ["model.json", "keys_of_rows.csv", "tokenizer.json", "config.yaml"])
def test_data_is_no_secret(name):
    assert not secret(name)


def test_too_large_names_the_largest(folder):
    rows = bytes(3 << 20)
    with pytest.raises(Invalid, match=r"3 MB; at most 2 MB travel") as caught:
        snapshot.pack(snapshot.of_function(lambda: rows, {}), [], limit=2 << 20)
    assert "`rows` 3.0 MB" in str(caught.value)
    assert "data=" in str(caught.value)


def test_what_cannot_be_pickled_is_named():
    lock = threading.Lock()

    def fit():
        return lock

    with pytest.raises(Invalid, match="fit uses `lock`, a lock, which cannot travel"):
        snapshot.pack(snapshot.of_function(fit, {}), [])
    stream = {"rows": [1, (item for item in ())]}
    with pytest.raises(Invalid, match=r"argument `data`.*\['rows'\]\[1\] is a generator"):
        snapshot.pack(snapshot.of_function(lambda data: data, {"data": stream}), [])
    with pytest.raises(Invalid, match="`lock`, a lock, which the cell reads"):
        snapshot.pack(snapshot.of_source("print(lock)", {"lock": lock}, {}, None), [])


def test_a_cell_takes_only_what_it_reads(elsewhere):
    namespace = {"a": 1, "b": 2, "lock": threading.Lock(), "json": json}
    source = "lock = 5\ndef double():\n    return lock * 2\njson.dumps(a)\na + double()"
    assert elsewhere(snapshot.of_source(source, namespace, {}, 3)) == 11


def test_a_cell_without_a_last_expression_has_no_value(elsewhere):
    assert elsewhere(snapshot.of_source("x = 5", {}, {}, None)) is None


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("x = 1\ny = (", 2, "never closed"),
        ("x = 1\n%time y", 2, "magic"),
        ("!pip install x", 1, "shell command"),
        ("return 5", 1, "outside function"),
    ],
)
def test_a_cell_that_is_no_python_is_refused_with_its_line(source, line, what):
    with pytest.raises(Invalid, match=what) as caught:
        snapshot.of_source(source, {}, {}, 7)
    assert (caught.value.where.cell, caught.value.where.line) == (7, line)


def test_files_and_their_functions(elsewhere, folder):
    (folder / "near.py").write_text("K = 2\n")
    (folder / "train.py").write_text(
        "import near\nimport sys\ndef fit(lr: float = 0.1, steps: int = 1, deep: bool = False, name=None):\n"
        "    return [lr, steps, deep, name, near.K]\n"
        "if __name__ == '__main__':\n    print(sys.argv[1:], __file__)\n"
    )
    texts = {"lr": "0.5", "steps": "3", "deep": "true", "name": "[1, 2]"}
    assert elsewhere(snapshot.of_file(folder / "train.py", "fit"), texts) == [0.5, 3, True, [1, 2], 2]
    with pytest.raises(NotFound, match="no function 'fti'") as caught:
        snapshot.of_file(folder / "train.py", "fti")
    assert "fit" in str(caught.value)
    with pytest.raises(NotFound, match="no file"):
        snapshot.of_file(folder / "trian.py", None)
    (folder / "broken.py").write_text("def f(:\n")
    with pytest.raises(Invalid, match="not valid Python") as caught:
        snapshot.of_file(folder / "broken.py", "f")
    assert caught.value.where.line == 1


def test_another_python_is_told(tmp_path):
    place = tmp_path / "unpacked"
    snapshot.unpack(snapshot.pack(snapshot.of_function(lambda: 1, {}), []), place)
    facts = json.loads((place / "snapshot.json").read_text())
    (place / "snapshot.json").write_text(json.dumps({**facts, "python": [3, 5]}))
    with pytest.raises(RuntimeError, match=r"Python 3\.5"):
        Snapshot(place)._unpickled()


CASES = [
    ("x = a", {"a"}),
    ("a = 1\nx = a", set()),
    ("a += 1", {"a"}),
    ("a = a + 1", {"a"}),
    ("if c:\n    a = 1\nprint(a)", {"a", "c"}),
    ("for a in b:\n    print(a)", {"b"}),
    ("for i in b:\n    a = i\nprint(a)", {"a", "b"}),
    ("with b as a:\n    print(a)", {"b"}),
    ("def f(a):\n    return a + b", {"b"}),
    ("def f():\n    return a\na = 1", set()),
    ("def f():\n    global a\n    a = 1\n    return b", {"b"}),
    ("def f():\n    a = 1\n    def g():\n        return a + b\n    return g", {"b"}),
    ("x = [a for a in b if a > c]", {"b", "c"}),
    ("a = [a for a in a]", {"a"}),
    ("f = lambda a, b=c: a + b", {"c"}),
    ("class A(b):\n    x = a\n    def m(self):\n        return c", {"a", "b", "c"}),
    ("import a\nprint(a, b)", {"b"}),
    ("try:\n    a = 1\nexcept b as c:\n    print(c)", {"b"}),
    ("del a", {"a"}),
    ("@a\ndef f(x: b = c) -> d: pass", {"a", "b", "c", "d"}),
    ("match a:\n    case [b, *c]:\n        print(b, c)\n    case {'k': d, **e}:\n        print(d, e)", {"a"}),
    ("(b := a)\nprint(b)", {"a"}),
    ("a.b = 1", {"a"}),
    ("a[b] = c", {"a", "b", "c"}),
    ("print(f'{a!r:{b}}')", {"a", "b"}),
]


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_names_that_a_cell_needs(source, expected):
    assert set(needed(ast.parse(source), {"a", "b", "c", "d", "e"}).must) == expected


def test_what_a_function_reads_and_the_cell_binds_comes_along_if_it_can(elsewhere):
    source = "def f():\n    return a\nx = f()\na = 1\nx"
    assert needed(ast.parse(source), {"a"}) == ([], ["a"])
    assert elsewhere(snapshot.of_source(source, {"a": 5}, {}, None)) == 5
    later = "def f():\n    return a\na = 1\nf()"
    assert elsewhere(snapshot.of_source(later, {"a": threading.Lock()}, {}, None)) == 1


STATEMENTS = st.sampled_from([
    "a = 1", "b = a", "c = a + b", "a += 1", "for a in range(2):\n    b = a", "if a:\n    c = 1",
    "def f():\n    return a + b", "x = f()", "x = [c for c in range(b)]", "with nothing() as c:\n    a = c", "del c",
    "try:\n    b = c\nexcept NameError:\n    b = 2", "while b > 5:\n    b -= 1", "x = (lambda: a)()",
])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=6))
def test_with_the_names_it_needs_a_cell_does_what_it_does_with_all(statements):
    """The plain run with the whole notebook's names against one with the captured names only."""
    import contextlib

    source = "\n".join(statements)
    known = {"a": 3, "b": 7, "c": 2, "f": lambda: 1, "nothing": contextlib.nullcontext}

    def run(namespace):
        try:
            exec(source, namespace)
        except (NameError, TypeError) as error:
            return type(error), str(error)
        return {name: namespace.get(name) for name in "abcx"}

    everything = run(dict(known))
    needs = needed(ast.parse(source), known)
    some = run({name: known[name] for name in (*needs.must, *needs.may)})
    if isinstance(everything, dict) and isinstance(some, dict):
        assert {name: value for name, value in some.items() if value is not None} == {
            name: value for name, value in everything.items() if name in some and some[name] is not None
        }
    else:
        assert some == everything


def test_the_standard_library_and_installed_packages_stay(folder):
    space = Workspace([folder])
    (folder / "random.py").write_text("")
    assert space.find("random") is None
    assert space.find("numpy") is None
    assert space.find("jupyter_ext.training") is None
    assert space.find("../x") is None
