"""The truth for any notebook is the plain run from top to bottom: tried with generated ones and real ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient

from tests.pipelines.runs.notebooks import finished, notebook, printed

START = """\
import os
import random
import numpy as np
random.seed(1)
np.random.seed(1)
a = [1]
b = {'k': a}
c = [a, a]
d = 'text'
e = np.arange(6)
v = e[1:4]
n = 0
h = (i for i in range(50))
class K:
    total = 0
    def __init__(self):
        self.n = 0
    def up(self, by=1):
        self.n += by
        K.total += by
        return self
k = K()
def f(x, q=2):
    a.append(x)
    return len(a) + n + q
def bump():
    global n
    n += 1
lam = lambda z, w=a: w.append(z) or len(w)
"""
STATEMENTS = [
    "a.append({i})", "b['k'].append({i})", "c = a", "c = [list(a), b]", "for x in c: x.append({i}) if isinstance(x, list) else None",
    "n += {i}", "def f(x, q={i}):\n    b['f'] = x\n    return q + n", "n = f({i})", "random.seed({i})", "n = random.randint(0, 99)",
    "os.environ['KF_T'] = str(n)", "n = int(os.environ.get('KF_T', '0'))", "k = k.up({i})", "K.total += {i}", "k = K().up()",
    "v[0] = {i}", "e = e + 1", "e[{i} % 6] = 0", "v = e[2:5]", "n = next(h, -1)", "bump()", "n = lam({i})", "lam = lambda z: n + z",
    "a, b = [n], {{'k': a}}", "s = [n for n in range({i})]; d = str(s)", "np.random.seed({i})", "n = int(np.random.randint(99))",
    "if n % 2:\n    a = [0]", "del c; c = [a]", "b = dict(b, **{{'n': n}})", "c = [k, K]", "v += 1",
    "try:\n    a.remove({i})\nexcept ValueError as x:\n    d = str(x)", "b.update(z=c)", "d = f'{{n}} {{len(a)}}'",
    "with open('state', 'w') as out:\n    out.write(str(n))", "d = open('state').read() if os.path.exists('state') else d",
]  # fmt: skip
SHOWN = {
    "a": "a", "b": "sorted(b)", "n": "n", "d": "d", "e": "e.tolist()", "v": "v.tolist(), np.shares_memory(v, e)",
    "K": "K.total, k.n, isinstance(k, K)", "c": "len(c), c[0] is a", "x": "b.get('k')",
}  # fmt: skip

statement = st.tuples(st.sampled_from(STATEMENTS), st.integers(0, 9)).map(
    lambda pair: pair[0].format(i=pair[1])
)
step = st.tuples(
    st.lists(statement, min_size=1, max_size=3),
    st.lists(st.sampled_from(sorted(SHOWN)), max_size=2, unique=True),
)


def _source(body: tuple[list[str], list[str]]) -> str:
    statements, shown = body
    return "\n".join([*statements, *(f"print({key!r}, {SHOWN[key]})" for key in shown)])


PLAIN = """\
import json, sys
namespace = {"__name__": "__main__"}
for cell in json.load(sys.stdin):
    exec(compile(cell, "cell", "exec"), namespace)
"""


def _plainly(cells: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@settings(
    max_examples=25, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
@given(st.lists(step, min_size=2, max_size=6))
def test_generated_notebooks(tmp_path_factory: pytest.TempPathFactory, bodies: Any) -> None:
    folder, other = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("plain")
    everything = "\n".join(f"print({key!r}, {shown})" for key, shown in SHOWN.items())
    cells = [START, *(_source(body) for body in bodies), everything]
    path = folder / "nb.ipynb"
    headed = [part for number, cell in enumerate(cells) for part in (f"# Step {number}", cell)]
    path.write_text(json.dumps(notebook(*headed)))
    made = finished(path, cache=False)
    assert made.state == "SUCCEEDED", f"{made.reason}\n" + "\n---\n".join(cells)
    assert printed(made) == _plainly(cells, other), "\n---\n".join(cells)


NOTEBOOKS = Path(__file__).parents[2] / "data" / "notebooks"


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_real_notebooks(name: str, tmp_path: Path) -> None:
    book = nbformat.read(NOTEBOOKS / name, as_version=4)
    plain = nbformat.from_dict(book)
    kept = [number for number, cell in enumerate(plain.cells) if "skip" not in cell.metadata.get("tags", ())]
    plain.cells = [plain.cells[number] for number in kept]
    left, right = tmp_path / "plain", tmp_path / "run"
    left.mkdir()
    right.mkdir()
    NotebookClient(plain, timeout=120, resources={"metadata": {"path": str(left)}}).execute()
    path = right / name
    path.write_text((NOTEBOOKS / name).read_text())
    made = finished(path, cache=False)
    assert made.state == "SUCCEEDED", made.reason
    cells = made.executed()["cells"]
    for number, cell in zip(kept, plain.cells, strict=True):
        if cell.cell_type == "code":
            assert _shown(cells[number], right) == _shown(cell, left), f"cell {number + 1}: {cell.source}"
    written = {p.relative_to(left) for p in left.rglob("*") if p.is_file()}
    assert {p.relative_to(right) for p in right.rglob("*") if p.is_file()} - {Path(name)} == written


def _shown(cell: Any, folder: Path) -> list[tuple[str, str]]:
    """What the cell shows: streams joined, text of results, types of pictures.

    Addresses, folders and the line ends of a kernel's pseudo-terminal are levelled.
    """
    shown: list[tuple[str, str]] = []
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            kind, text = output["name"], "".join(output["text"])
            if shown and shown[-1][0] == kind:
                text = shown.pop()[1] + text
        elif output["output_type"] == "error":
            kind, text = "error", output["ename"]
        else:
            data = output["data"]
            pictures = sorted(mime for mime in data if mime.startswith("image/"))
            kind, text = output["output_type"], "".join(data.get("text/plain", "")) + " ".join(pictures)
        text = re.sub(r"0x[0-9a-f]+", "0x", text).replace(str(folder), "FOLDER").replace("\r\n", "\n")
        shown.append((kind, text))
    return sorted(shown, key=lambda item: item[0])
