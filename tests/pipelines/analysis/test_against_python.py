"""Generated notebooks: what Python really reads and changes, the analysis must have seen.

Each cell is a step. The cells run one after the other in plain Python, in a namespace that notes reads; changes
are found by comparing every name before and after. Then:
- a name that a cell reads from outside is among its step's reads;
- a name whose binding or content changed is among what the step writes, may write or deletes;
- whoever last changed what a cell reads is an ancestor of the cell's step;
- where nothing failed, the analysis reports no error, and where a name was missing, it says so.
"""

from __future__ import annotations

import builtins
import re
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyter_ext.pipelines import graph
from tests.pipelines.analysis.building import notebook

NUMBERS = ["n1", "n2", "n3"]
LISTS = ["l1", "l2", "l3"]
DICTS = ["d1", "d2"]
FUNCTIONS = ["f1", "f2", "f3"]
OBJECTS = ["o1", "o2"]
START = """
n1, n2, n3 = 1, 2, 3
l1, l2, l3 = [1, 2], [3], [[4], [5]]
d1, d2 = {'k': 1}, {'k': [1]}
def f1(x): return x
def f2(x): return [x]
def f3(x): return n1
class C:
    shared = []
    def __init__(self, v):
        self.v = v
        self.items = [v]
    def add(self, x):
        self.items.append(x)
        return self
    def read(self):
        return n2
    def share(self, x):
        self.shared.append(x)
    def __repr__(self):
        return f'C({self.v!r}, {self.items!r}, {self.shared!r})'
o1, o2 = C(1), C([2])
"""


class Namespace(dict[str, Any]):
    """Globals that note which names are read before the cell itself has bound them."""

    def __init__(self) -> None:
        super().__init__()
        self.read: set[str] = set()
        self.bound: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if name not in self.bound:
            self.read.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self.bound.add(name)
        super().__setitem__(name, value)


def shown(value: Any, depth: int = 0) -> str:
    """The content of a value, functions by their code and what they hold."""
    if depth > 6:
        return "…"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(item, depth + 1) for item in value[:60])}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(item, depth + 1)}' for key, item in value.items())}}}"
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, type):
        kept = {key: item for key, item in vars(value).items() if isinstance(item, list) and key[:2] != "__"}
        return shown(kept, depth + 1)
    if callable(value) and hasattr(value, "__code__"):
        cells = [shown(cell.cell_contents, depth + 1) for cell in value.__closure__ or () if _filled(cell)]
        return f"<{value.__code__.co_code.hex()[:60]} {shown(value.__defaults__, depth + 1)} {cells}>"
    if hasattr(value, "__dict__"):
        return f"<{type(value).__name__} {shown(vars(value), depth + 1)} {shown(type(value), depth + 1)}>"
    return repr(value)[:200]


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


number = st.sampled_from(NUMBERS)
a_list = st.sampled_from(LISTS)
a_dict = st.sampled_from(DICTS)
function = st.sampled_from(FUNCTIONS)
an_object = st.sampled_from(OBJECTS)
container = st.sampled_from([*LISTS, *DICTS])
anything = st.sampled_from([*NUMBERS, *LISTS, *DICTS, *OBJECTS])


def fill(template: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries(parts).map(lambda found: template.format(**found))


VALUES = st.one_of(
    number,
    anything,
    fill("{n} + {m}", n=number, m=number),
    fill("len({c})", c=container),
    fill("{f}({x})", f=function, x=anything),
    fill(
        "[{f}({v}) for {v} in [{x}, {n}]]",
        f=function,
        v=st.sampled_from(["v", *NUMBERS]),
        x=anything,
        n=number,
    ),
    fill("(lambda q: {n})(0)", n=number),
    fill("sum([{n}, {m}])", n=number, m=number),
    fill("{n} if {m} > 2 else {x}", n=number, m=number, x=anything),
    fill("sorted({l}, key=str)", l=a_list),
    fill("{o}.read()", o=an_object),
    fill("list(map({f}, [{n}]))", f=function, n=number),
    fill("(y := {n})", n=number),
)
LIST_VALUES = st.one_of(
    a_list,
    fill("[{x}]", x=anything),
    fill("[{x}, {y}]", x=anything, y=a_list),
    fill("list({l})", l=a_list),
    fill("{l}[:]", l=a_list),
    fill("{l} + [{x}]", l=a_list, x=anything),
    fill("[v for v in {l}]", l=a_list),
    fill("f2({x})", x=anything),
    fill("(C.shared)"),
    fill("{o}.items", o=an_object),
    fill("[{f} for {f} in [{n}]]", f=st.sampled_from(["w", "n1"]), n=number),
)
SIMPLE = st.one_of(
    fill("{n} = {v}", n=number, v=number),
    fill("{n} = {v}", n=number, v=fill("{n} * 2", n=number)),
    fill("r = {v}", v=VALUES),
    fill("{l} = {v}", l=a_list, v=LIST_VALUES),
    fill("{d} = {{'k': {x}}}", d=a_dict, x=anything),
    fill("{l}.append({x})", l=a_list, x=VALUES),
    fill("{l}.extend({m})", l=a_list, m=a_list),
    fill("{l} += [{x}]", l=a_list, x=number),
    fill("{n} += 1", n=number),
    fill("{d}['z'] = {x}", d=a_dict, x=VALUES),
    fill("{d}.setdefault('s', []).append({n})", d=a_dict, n=number),
    fill("{d}.update(q={x})", d=a_dict, x=VALUES),
    fill("{o}.add({x})", o=an_object, x=anything),
    fill("{o}.v = {x}", o=an_object, x=anything),
    fill("{o}.share({n})", o=an_object, n=number),
    fill("{o} = C({x})", o=an_object, x=anything),
    fill("t = {l}\nt.append(0)", l=a_list),
    fill("t = {o}.items\nt.append(0)", o=an_object),
    fill("for v in {l}:\n    if isinstance(v, list): v.append({n})", l=a_list, n=number),
    fill("for v in [{x}, {y}]:\n    v.append(7)", x=a_list, y=a_list),
    fill("for i, v in enumerate([{x}, {y}]):\n    v.append(i)", x=a_list, y=a_list),
    fill("for k, v in {d}.items():\n    if isinstance(v, list): v.append(8)", d=a_dict),
    fill("def {f}(x): return {n}", f=function, n=number),
    fill("def {f}(x):\n    {l}.append(1)\n    return {n}", f=function, l=a_list, n=number),
    fill("def {f}(x):\n    global {n}\n    {n} = {n} + 1\n    return {n}", f=function, n=number),
    fill("def {f}(x, acc=[]):\n    acc.append(1)\n    return len(acc) + {n}", f=function, n=number),
    fill(
        "def {f}(x):\n    if isinstance(x, list): x.append(9)\n    return x",
        f=function,
    ),
    fill("def {f}(x):\n    return {g}(x) if {n} > 100 else {m}", f=function, g=function, n=number, m=number),
    fill(
        "def make():\n    kept = {l}\n    def inner(x):\n        kept.append(x)\n        return {n}\n    return inner\n{f} = make()",
        f=function,
        l=st.sampled_from(["[]", *LISTS]),
        n=number,
    ),
    fill("{f} = lambda x: {n}", f=function, n=number),
    fill("{f} = {o}.add", f=function, o=an_object),
    fill("{f}({x})", f=function, x=anything),
    fill("if {n} > 2:\n    {m} = 5\nelse:\n    {l} = [{m}]", n=number, m=number, l=a_list),
    fill("if {n} > 2:\n    {m} = 5", n=number, m=number),
    fill("if {n} > 2:\n    {l}.append({m})", n=number, m=number, l=a_list),
    fill("for {n} in {l}:\n    r = {n}", n=st.sampled_from(["n3", "i"]), l=a_list),
    fill("while len({l}) < 3:\n    {l}.append({n})", l=a_list, n=number),
    fill("try:\n    {n} = {l}[5]\nexcept IndexError as e:\n    r = {m}", n=number, l=a_list, m=number),
    fill("try:\n    missing_name\nexcept NameError:\n    {n} = 4", n=number),
    fill("del {n}\n{n} = 8", n=number),
    fill("del {d}['z']", d=a_dict),
    fill("{l}, {m} = {m}, {l}", l=a_list, m=a_list),
    fill("{l}[0], *rest = [{n}, 2, 3]", l=a_list, n=number),
    fill("with open('/dev/null') as h:\n    r = {n}", n=number),
    fill(
        "match {n}:\n    case 1:\n        r = {m}\n    case _:\n        {l} = [1]",
        n=number,
        m=number,
        l=a_list,
    ),
    fill("{l} = [q for q in {m} if q != {n}]", l=a_list, m=a_list, n=number),
    fill(
        "class D(C):\n    def add(self, x):\n        self.items.append({n})\n        return super().add(x)\n{o} = D({m})",
        n=number,
        m=number,
        o=an_object,
    ),
    fill("assert {n} is not None, {m}", n=number, m=number),
    fill("from functools import partial\n{f} = partial({g}, {x})", f=function, g=function, x=anything).filter(
        lambda t: "f1 = partial(f1" not in t
    ),
    fill("exec('{n} = {m} + 1')", n=number, m=number),
    fill("r = eval('{n} + 1')", n=number),
    fill("del {n}", n=number),
    fill("C.shared.append({n})", n=number),
    fill("import copy\n{l} = copy.deepcopy({m})\n{l}.append(1)", l=a_list, m=a_list),
    fill("import copy\n{l} = copy.copy({m})\n{l}.append(1)", l=a_list, m=a_list),
)
HARDER = st.one_of(
    fill(
        "def {f}(x):\n    def go(y):\n        {l}.append(y)\n        return {n}\n    return go(1)",
        f=function,
        l=a_list,
        n=number,
    ),
    fill(
        "def {f}(x):\n    total = {n}\n    def up():\n        nonlocal total\n        total += {m}\n        return total\n    return up()",
        f=function,
        n=number,
        m=number,
    ),
    fill(
        "def {f}(x):\n    yield {n}\n    yield x\nr = list({f}({y}))\n{f} = len if False else f2",
        f=function,
        n=number,
        y=anything,
    ),
    fill(
        "def {f}(*args, **kw):\n    for a in args:\n        if isinstance(a, list): a.append({n})\n    return {m}\n{f}({x}, {y})",
        f=function,
        n=number,
        m=number,
        x=anything,
        y=anything,
    ),
    fill(
        "def {f}(x, *, into=None):\n    into = {l} if into is None else into\n    into.append(1)\n    return into\n{f}(1, into={m})",
        f=function,
        l=a_list,
        m=a_list,
    ),
    fill(
        "def wrap(g):\n    def inner(x):\n        {l}.append(1)\n        return g(x)\n    return inner\n@wrap\ndef {f}(x):\n    return {n}",
        f=function,
        l=a_list,
        n=number,
    ),
    fill("hs = [{f}, {g}]\nr = [h({x}) for h in hs]", f=function, g=function, x=number),
    fill("hs = {{'a': {f}}}", f=function),
    fill("try:\n    r = hs[0]({x})\nexcept (NameError, KeyError):\n    r = 0", x=anything),
    fill("{l}.sort(key=lambda q: str({n}))", l=a_list, n=number),
    fill("{l} = sorted({l}, key=lambda q: str(q), reverse={n} > 1)", l=a_list, n=number),
    fill("r = {l}.pop()\nif isinstance(r, list): r.append({n})\n{l}.append(1)", l=a_list, n=number),
    fill("del {l}[0]\n{l}.insert(0, {x})", l=a_list, x=anything),
    fill("r = {d}.get('k')\nif isinstance(r, list): r.append({n})", d=a_dict, n=number),
    fill(
        "for a, b in zip({l}, [{x}, {y}]):\n    if isinstance(b, list): b.append(1)",
        l=a_list,
        x=anything,
        y=anything,
    ),
    fill("pair = ({x}, {l})\npair[1].append({n})", x=anything, l=a_list, n=number),
    fill("def two(): return {l}, {m}\na, b = two()\na.append(1)", l=a_list, m=a_list),
    fill("{l} = {m} if {n} > 1 else {l}\n{l}.append(2)", l=a_list, m=a_list, n=number),
    fill("{d} = {{k: v for k, v in {d}.items()}}\n{d}['c'] = {x}", d=a_dict, x=anything),
    fill("{d} = {{**{d}, 'e': {l}}}\n{d}['e'].append(1)", d=a_dict, l=a_list),
    fill("t = [*{l}, {m}]\nt[-1].append(3)", l=a_list, m=a_list),
    fill("{o}.items += [{n}]", o=an_object, n=number),
    fill("{o}.items[0] = {x}", o=an_object, x=anything),
    fill("{o}.v, {n} = {n}, 2", o=an_object, n=number),
    fill("{o}.hook = {f}\nr = {o}.hook({n})", o=an_object, f=function, n=number),
    fill("setattr({o}, 'extra', {l})\ngetattr({o}, 'extra').append(1)", o=an_object, l=a_list),
    fill(
        "class E(C):\n    def __init__(self, v):\n        super().__init__(v)\n        self.items.extend({l})\n    @property\n    def first(self):\n        {m}.append(1)\n        return {n}\n    @staticmethod\n    def tell(): return {n}\n    @classmethod\n    def build(cls): return cls({n})\n{o} = E(1)\nr = {o}.first\nr = E.tell()\n{o} = E.build()",
        l=a_list,
        m=a_list,
        n=number,
        o=an_object,
    ),
    fill(
        "class Box:\n    def __init__(self, inside): self.inside = inside\n    def __call__(self, x): self.inside.append({n})\n    def __iter__(self): return iter(self.inside)\n    def __enter__(self): self.inside.append(0); return self.inside\n    def __exit__(self, *e): pass\nbox = Box({l})\nbox(1)\nwith box as w:\n    w.append(1)\nfor i in box:\n    if isinstance(i, list): i.append(2)",
        n=number,
        l=a_list,
    ),
    fill(
        "from dataclasses import dataclass, field\n@dataclass\nclass P:\n    a: list\n    b: int = 0\np = P({l}, {n})\np.a.append(p.b)",
        l=a_list,
        n=number,
    ),
    fill(
        "from collections import defaultdict, Counter, deque\ndd = defaultdict(list)\ndd['a'].append({x})\nq = deque([{l}])\nq[0].append(1)\nq.popleft().append(2)",
        x=anything,
        l=a_list,
    ),
    fill("import itertools\nfor v in itertools.chain([{l}], [{m}]):\n    v.append(4)", l=a_list, m=a_list),
    fill("import functools\nr = functools.reduce(lambda a, b: a + {n}, [1, 2])", n=number),
    fill(
        "i = 0\nwhile True:\n    i += 1\n    {l}.append(i)\n    if i > {n}: break\nelse:\n    {m} = []",
        l=a_list,
        n=number,
        m=a_list,
    ),
    fill("try:\n    {l}.append({n})\nfinally:\n    {m}.append(1)", l=a_list, m=a_list, n=number),
    fill(
        "try:\n    raise ValueError({n})\nexcept ValueError as {e}:\n    r = {m}",
        n=number,
        m=number,
        e=st.sampled_from(["e", "err"]),
    ),
    fill("r = [z := {n}, z + 1]", n=number),
    fill("r = [w for v in [{l}] for w in v if (last := w)]", l=a_list),
    fill("def {f}(x):\n    return {f}.__name__ and {n}", f=function, n=number),
    fill(
        "def {f}(x):\n    if isinstance(x, int) and x > 0:\n        {l}.append(x)\n        return {f}(x - 1)\n    return {n}\n{f}(2)",
        f=function,
        l=a_list,
        n=number,
    ),
    fill(
        "def ping(x): return pong(x - 1) if x else {n}\ndef pong(x): return ping(x - 1) if x else {m}\nr = ping(3)",
        n=number,
        m=number,
    ),
    fill("for {f} in [{f}, {g}]:\n    r = {f}({n})", f=function, g=function, n=number),
    fill(
        "acts = []\nfor i in range(2):\n    acts.append(lambda x, i=i: {l}.append(i + {n}))\nfor act in acts: act(0)",
        l=a_list,
        n=number,
    ),
    fill("next(iter([{l}])).append({n})", l=a_list, n=number),
    fill("max([{l}, {m}], key=len).append(1)", l=a_list, m=a_list),
    fill("{l}[0:1] = [{x}]", l=a_list, x=anything),
    fill("{l}[:1] += [{x}]", l=a_list, x=number),
    fill("a = b = {l}\nb.append({n})", l=a_list, n=number),
    fill("({l} or {m}).append({n})", l=a_list, m=a_list, n=number),
    fill("[{l}, {m}][{n} > 1].append(5)", l=a_list, m=a_list, n=number),
    fill("(lambda q: q.append({n}))({l})", l=a_list, n=number),
    fill("list(map(lambda q: q.append({n}), [{l}, {m}]))", l=a_list, m=a_list, n=number),
    fill("apply = lambda g, x: g(x)\nr = apply({f}, {x})", f=function, x=anything),
    fill("def outer():\n    global made\n    made = [{l}]\nouter()\nmade[0].append(1)", l=a_list),
    fill("globals_like = dict(a={l}, b={n})\nglobals_like['a'].append(1)", l=a_list, n=number),
    fill("f1, f2 = f2, f1"),
    fill("{o}, {l} = C({l}), [{o}]", o=an_object, l=a_list),
    fill("{l}.append({l2}[:])\n{l}[-1].append(1)", l=a_list, l2=a_list),
    fill("{o}.items = {l}\n{l}.append(1)", o=an_object, l=a_list),
    fill("s = {{1, 2}}\ns.add({n})\ns |= {{5}}", n=number),
    fill(
        "match {l}:\n    case [first, *others]:\n        {n} = 3\n    case []:\n        {m} = []",
        l=a_list,
        n=number,
        m=a_list,
    ),
    fill(
        "import contextlib\n@contextlib.contextmanager\ndef ctx():\n    {l}.append(1)\n    yield {l}\n    {m}.append(2)\nwith ctx() as held:\n    held.append(3)",
        l=a_list,
        m=a_list,
    ),
    fill("import functools\n@functools.lru_cache\ndef {f}(x): return {n}\nr = {f}(1)", f=function, n=number),
    fill("if False:\n    {n} = missing_one", n=number),
    fill("del {n}, {m}\n{n} = {m} = 1", n=st.just("n1"), m=st.just("n2")),
)
CELL = st.lists(st.one_of(SIMPLE, HARDER), min_size=1, max_size=3).map("\n".join)


def run(sources: list[str], observe: Callable[[int, Namespace, dict[str, str], dict[str, int]], None]) -> str:
    """Run the cells; give the name of the exception that ended it, or empty."""
    space = Namespace()
    dict.__setitem__(space, "__builtins__", builtins)
    dict.__setitem__(space, "__name__", "__main__")
    for index, source in enumerate(sources, 1):
        content = {name: shown(value) for name, value in space.items() if not name.startswith("__")}
        identity = {name: id(value) for name, value in space.items() if not name.startswith("__")}
        keep = list(space.values())
        space.read, space.bound = set(), set()
        failure = ""
        try:
            exec(compile(source, f"cell {index}", "exec"), space)
        except RecursionError:
            return "RecursionError"
        except Exception as error:
            failure = type(error).__name__
            if isinstance(error, NameError):
                failure = f"NameError {error.name}"
        observe(index, space, content, identity)
        del keep
        if failure:
            return f"{failure} in cell {index}"
    return ""


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CELL, min_size=2, max_size=6))
def test_nothing_that_python_does_is_missed(cells: list[str]) -> None:
    sources = [START.strip(), *cells]
    pipeline = graph.check(notebook(*sources))
    steps = {step.cells[0].index: step for step in pipeline.steps}
    changed_by: dict[str, int] = {}
    program = "\n# ---\n".join(sources[1:])

    def observe(index: int, space: Namespace, content: dict[str, str], identity: dict[str, int]) -> None:
        step = steps[index]
        names = {name for name in space if not name.startswith("__")}
        written = {*step.writes, *step.may_write, *step.deletes}
        anyhow = "*" in step.may_write
        # A name declared global in a function of the cell is bound past the namespace's own methods.
        unseen = set(re.findall(r"global (\w+)", sources[index - 1]))
        for name in (space.read & set(content)) - unseen:
            assert name in step.reads or "*" in step.reads, f"cell {index} reads {name}\n{program}"
            last = changed_by.get(name)
            if last is not None and last != index:
                ancestors = pipeline.ancestors(step.name)
                assert steps[last].name in ancestors, f"cell {index} reads {name} of {last}\n{program}"
        for name in names:
            before = content.get(name)
            if (
                name in space.bound
                or before != shown(space.get(name))
                or identity[name] != id(space.get(name))
            ):
                assert name in written or anyhow, f"cell {index} changes {name}\n{program}"
                changed_by[name] = index
        changed_by.update(dict.fromkeys(unseen & set(step.writes), index))
        for name in set(content) - names:
            assert name in step.deletes or name in written or anyhow, (
                f"cell {index} deletes {name}\n{program}"
            )

    failure = run(sources, observe)
    assume("RecursionError" not in failure)
    errors = [problem for problem in pipeline.problems if problem.severity == "error"]
    if not failure:
        assert not errors, f"{errors[0]}\n{program}"
    elif failure.startswith("NameError") and not re.search(
        rf"^ .*\b{failure.split()[1]}\b", program, re.MULTILINE
    ):
        # Where it is bound in a branch, nobody can say before.
        assert pipeline.problems, f"{failure}\n{program}"


def test_the_property_fails_for_a_wrong_analysis() -> None:
    """The observer sees what it should: a read, a rebinding, a change in place, a deletion."""
    seen = {}

    def observe(index: int, space: Namespace, content: dict[str, str], identity: dict[str, int]) -> None:
        names = {name for name in space if not name.startswith("__")}
        changed = {name for name in names if content.get(name) != shown(space.get(name))}
        seen[index] = (sorted(space.read & set(content)), sorted(changed), sorted(set(content) - names))

    source = textwrap.dedent("""
        def f():
            global n
            n = k
    """)
    assert not run([f"k, n, l = 1, 0, []\n{source}", "l.append(1)\nf()", "del k"], observe)
    assert seen[2] == (["f", "k", "l"], ["l", "n"], [])
    assert seen[3] == ([], [], ["k"])
