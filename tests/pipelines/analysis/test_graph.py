"""Steps and edges of whole notebooks, among them the shapes of Kale's examples and the defects known of Kale."""

from __future__ import annotations

import json

import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines import graph
from jupyter_ext.pipelines.model import Edge, Pipeline
from tests.pipelines.analysis.building import check, edges, notebook, problem

CANDIES = (
    "md:## Base example",
    ("import random", ["imports"]),
    ("CANDIES = 20", ["pipeline-parameters"]),
    (
        "def handful(left):\n    if left == 0:\n        return 0\n    return random.randint(1, left)",
        ["functions"],
    ),
    ("print(CANDIES)", ["step:sack"]),
    ("kid1 = handful(CANDIES)", ["prev:sack", "step:kid1"]),
    ("kid2 = handful(CANDIES - kid1)", ["prev:kid1", "step:kid2"]),
    ("kid3 = handful(CANDIES - kid1 - kid2)", ["prev:kid2", "step:kid3"]),
)
TITANIC = (
    (
        "import numpy as np\nimport pandas as pd\nfrom sklearn.svm import SVC\nfrom sklearn.tree import DecisionTreeClassifier\nfrom sklearn.linear_model import LogisticRegression",
        ["imports"],
    ),
    (
        "path = 'data/'\nLABEL = 'Survived'\ntest_df = pd.read_csv(path + 'test.csv')\ntrain_df = pd.read_csv(path + 'train.csv')",
        ["block:loaddata"],
    ),
    ("train_df.info()", ["skip"]),
    (
        "train_df = train_df.drop(['PassengerId'], axis=1)\ndata = [train_df, test_df]\nfor dataset in data:\n    dataset['relatives'] = dataset['SibSp'] + dataset['Parch']",
        ["block:preprocess", "prev:loaddata"],
    ),
    (
        "data = [train_df, test_df]\nfor dataset in data:\n    dataset['Age_Class'] = dataset['Age'] * dataset['Pclass']",
        ["block:features", "prev:preprocess"],
    ),
    ("train_labels = train_df[LABEL]\ntrain_df = train_df.drop(LABEL, axis=1)", []),
    (
        "forest = DecisionTreeClassifier(random_state=1)\nforest.fit(train_df, train_labels)\nacc_forest = forest.score(train_df, train_labels)",
        ["block:forest", "prev:features"],
    ),
    (
        "logreg = LogisticRegression()\nlogreg.fit(train_df, train_labels)\nacc_log = logreg.score(train_df, train_labels)",
        ["block:logreg", "prev:features"],
    ),
    (
        "svc = SVC()\nsvc.fit(train_df, train_labels)\nacc_svc = svc.score(train_df, train_labels)",
        ["block:svm", "prev:features"],
    ),
    (
        "results = pd.DataFrame({'m': ['f', 'l', 's'], 's': [acc_forest, acc_log, acc_svc]})\nprint(results.sort_values('s'))",
        ["block:results", "prev:forest", "prev:logreg", "prev:svm"],
    ),
)


def test_candies() -> None:
    pipeline = check(
        *CANDIES, kubeflow_notebook={"docker_image": "", "pipeline_name": "candies-sharing", "volumes": []}
    )
    assert not pipeline.problems
    assert (pipeline.name, pipeline.title, pipeline.grammar, pipeline.order) == (
        "candies-sharing",
        "notebook",
        "tags",
        "declared",
    )
    assert edges(pipeline) == {
        "setup>sack",
        "setup>kid1",
        "sack>kid1",
        "setup>kid2",
        "kid1>kid2",
        "setup>kid3",
        "kid1>kid3",
        "kid2>kid3",
    }
    assert pipeline.step("kid1").reads == ("CANDIES", "handful", "random")
    assert edges(pipeline, "declared") == {"sack>kid1"}
    assert pipeline.preload == ("random",)


def test_titanic() -> None:
    pipeline = check(*TITANIC)
    assert not pipeline.errors
    branches = {"forest", "logreg", "svm"}
    for name in branches:
        assert set(pipeline.ancestors(name)) == {"setup", "loaddata", "preprocess", "features"}
    assert set(pipeline.parents("results")) == {"setup", *branches}
    assert set(pipeline.step("preprocess").writes) >= {"train_df", "test_df", "data", "dataset"}
    assert set(pipeline.step("preprocess").mutates) == {"train_df", "test_df", "data", "dataset"}
    assert set(pipeline.step("features").reads) >= {"train_df", "test_df", "LABEL"}
    assert pipeline.step("forest").effects == ()


def test_taxi_with_functions_that_run_code() -> None:
    pipeline = check(
        ("import os, shutil", ["imports"]),
        ("DATA_DIR = 'data/'\nTRAIN = os.path.join(DATA_DIR, 'train.csv')", ["functions"]),
        ("EPOCHS = 1\nLAYERS = '1500'\nRATE = 0.1", ["pipeline-parameters"]),
        ("os.makedirs('out', exist_ok=True)", ["functions"]),
        ("stats = open(TRAIN).read()", ["block:validate"]),
        ("model = (stats, EPOCHS, LAYERS, RATE)", ["block:train", "prev:validate"]),
    )
    assert not pipeline.problems
    assert [step.name for step in pipeline.steps] == ["setup", "validate", "train"]
    assert [(item.name, item.type, item.cell, item.line) for item in pipeline.parameters] == [
        ("EPOCHS", "int", 3, 1),
        ("LAYERS", "str", 3, 2),
        ("RATE", "float", 3, 3),
    ]


# The defects of Kale 2.3, each as a notebook that it gets wrong.


def test_a_diamond_joins_after_both_sides() -> None:
    pipeline = check(
        ("s = 1", ["step:start"]),
        ("x = s", ["step:a", "prev:start"]),
        ("print('no data')", ["step:b", "prev:start"]),
        ("y = x", ["step:join", "prev:a", "prev:b"]),
    )
    assert edges(pipeline) == {"start>a", "start>b", "a>join", "b>join"}


def test_a_fan_out_without_data_is_no_chain() -> None:
    pipeline = check(("1", ["step:s0"]), *((f"print({n})", [f"step:s{n}", "prev:s0"]) for n in range(1, 5)))
    assert edges(pipeline) == {"s0>s1", "s0>s2", "s0>s3", "s0>s4"}


def test_cpu_and_memory_are_kept() -> None:
    step = check(("1", ["step:a", "limit:cpu:2", "limit:memory:4Gi"])).step("a")
    assert step.resources == {"cpu": "2", "memory": "4Gi"}


def test_a_cell_may_start_with_a_shell_line() -> None:
    assert not check(("!echo hi\nx = 1", ["step:a"]), ("y = x", ["step:b", "prev:a"])).problems


def test_global_and_exec_are_seen() -> None:
    pipeline = check(
        ("def f():\n    global g\n    g = 1", ["functions"]),
        ("f()", ["step:a"]),
        ("exec('q = 1')", ["step:b"]),
        ("print(g, q)", ["step:c"]),
    )
    assert not pipeline.errors
    assert edges(pipeline) >= {"a>c", "b>c"}


def test_old_metadata_is_no_error() -> None:
    assert not check(("1", ["block:a"]), kubeflow_notebook={"docker_image": "img:1", "volumes": []}).problems


# Order


def test_the_notebooks_own_order_where_nothing_is_declared() -> None:
    pipeline = check("md:# A", "a = 1", "md:# B", "b = 2", "md:# C", "c = a + b", "md:# D", "a = 3")
    assert pipeline.order == "notebook"
    assert edges(pipeline) == {"a>c", "b>c"}
    assert pipeline.descendants("a") == ("c",)
    assert pipeline.children("b") == ("c",)


def test_a_declared_order_adds_no_edges_for_effects() -> None:
    cells = [("import random\nopen('f', 'w')", ["step:a"]), ("random.random()\nopen('f')", ["step:b"])]
    assert edges(check(*cells), "order") == {"a>b"} - edges(check(*cells), "data")
    declared = check(*cells, ("1", ["step:c", "prev:b"]))
    assert edges(declared, "order") == set()


def test_what_may_be_changed_makes_an_edge_in_notebook_order_alone() -> None:
    cells = [("import lib\nd = {}", ["step:a"]), ("lib.go(d)", ["step:b"]), ("print(d)", ["step:c"])]
    assert edges(check(*cells), "data") == {"a>b", "b>c"}
    declared = check(*cells, ("1", ["step:d", "prev:c"]))
    assert edges(declared, "data") == {"a>b", "a>c"}
    assert declared.step("b").may_write == ("d",)


def test_setup_comes_before_all() -> None:
    pipeline = check("import os", "md:# A", "a = 1", "md:# B", "b = a", "md:# C", "c = os")
    assert edges(pipeline) == {"setup>a", "a>b", "setup>c"}
    assert edges(pipeline, "order") == {"setup>a"}
    for name in ("a", "b", "c"):
        assert "setup" in pipeline.ancestors(name)


def test_cells_marked_as_imports_run_first_wherever_they_stand() -> None:
    pipeline = check(("x = math.pi", ["step:a"]), ("import math", ["imports"]))
    assert not pipeline.problems
    assert edges(pipeline) == {"setup>a"}


def test_a_later_step_may_be_declared_to_come_first() -> None:
    pipeline = check(("a = b", ["step:a", "prev:b"]), ("b = 1", ["step:b"]))
    assert not pipeline.errors
    assert [step.name for step in pipeline.steps] == ["b", "a"]
    assert edges(pipeline) == {"b>a"}


def test_names_pass_through_steps_that_may_bind_them() -> None:
    pipeline = check("x = 1\nc = True", "if c:\n    x = 2", "y = x", "z = 1")
    assert "x" in pipeline.step("cell-2").reads
    assert edges(pipeline) == {"cell-1>cell-2", "cell-2>cell-3"}
    unused = check("x = 1\nc = True", "if c:\n    x = 2", "z = 1")
    assert "x" not in unused.step("cell-2").reads


def test_loop_variables_do_not_chain_steps() -> None:
    pipeline = check("xs = [1]", "for x in xs: print(x)", "for x in xs: print(x)", "[x for x in xs]")
    assert edges(pipeline) == {"cell-1>cell-2", "cell-1>cell-3", "cell-1>cell-4"}


def test_a_conditional_step_passes_names_through() -> None:
    pipeline = check(
        "%%step a\nx = 1\nn = 2",
        '%%step b --if "n > 1"\nx = 2',
        "%%step c\ny = x",
    )
    assert set(pipeline.step("b").reads) == {"n", "x"}
    assert edges(pipeline) == {"a>b", "b>c"}


LOOPS: list[tuple[str, str, bool]] = [
    ("values of its own", "m = v * k", True),
    ("a list of before grows", "out.append(v)", False),
    ("a sum of before grows", "total += v", False),
    ("a name that is only sometimes left", "if v > 1:\n    last = v", False),
    ("a name that is only sometimes left, and unused", "if v > 1:\n    unused = v", True),
    ("random numbers", "import random\nm = random.random()", False),
    ("a file", "open('f', 'w').write(str(v))", False),
    ("reading a file", "m = open('f').read()", True),
    ("unknown code", "import lib\nm = lib.go(v)", False),
    ("printing", "print(v)", True),
]


@pytest.mark.parametrize(
    ("body", "parallel"), [pytest.param(body, flag, id=name) for name, body, flag in LOOPS]
)
def test_iterations_may_run_side_by_side(body: str, parallel: bool) -> None:
    pipeline = check(
        "%%step a\nk = 1\nout = []\ntotal = 0\nlast = m = 0",
        f'%%step b --for "v in [1, 2]"\n{body}',
        "%%step c\nprint(out, total, last, m)",
    )
    foreach = pipeline.step("b").foreach
    assert foreach is not None
    assert foreach.parallel is parallel
    assert "v" not in pipeline.step("b").reads


def test_a_loop_reads_its_expression() -> None:
    pipeline = check(
        "%%step a\nrates = [1]\nscale = 2", '%%step b --for "r in [x * scale for x in rates]"\ny = r'
    )
    assert pipeline.step("b").reads == ("rates", "scale")


def test_a_step_in_two_parts() -> None:
    fine = check(("a = 1", ["step:a"]), ("b = 2", ["step:b"]), ("c = b", ["step:a"]))
    assert not fine.problems
    assert edges(fine) == {"b>a"}
    assert [step.name for step in fine.steps] == ["b", "a"]
    circle = check(("a = 1", ["step:a"]), ("b = a", ["step:b"]), ("c = b", ["step:a"]))
    assert problem(circle, "cycle").message == (
        "the steps wait for each other: a → b → a ('b' needs a of 'a'; 'a' needs b of 'b')"
    )
    changed = check(("a = 1", ["step:a"]), ("b = a", ["step:b"]), ("a = 2", ["step:a"]))
    assert problem(changed, "split-step").cell == 3


def test_edges_are_unique_and_in_running_order() -> None:
    pipeline = check(*TITANIC)
    pairs = [(edge.source, edge.target) for edge in pipeline.edges]
    assert len(pairs) == len(set(pairs))
    position = {step.name: number for number, step in enumerate(pipeline.steps)}
    assert all(position[source] < position[target] for source, target in pairs)


def test_reasons() -> None:
    pipeline = check(
        "a, b, c, d, e, f = range(6)", "print(a)", "print(a, b, c, d, e, f)", "import lib\nlib.x(lib)"
    )
    reasons = {edge.target: edge.reason for edge in pipeline.edges}
    assert reasons == {"cell-2": "uses a", "cell-3": "uses a, b, c, d and 2 more"}
    declared = check(("a = 1", ["step:a"]), ("1", ["step:b", "prev:a"]), "%%step c --after b\n1")
    assert [edge.reason for edge in declared.edges] == [
        "declared by the tag prev:a at cell 2",
        "declared by --after b at cell 3",
    ]


def test_the_same_notebook_gives_the_same_pipeline() -> None:
    content = notebook(*TITANIC)
    first = json.dumps(graph.check(content).to_dict())
    assert all(json.dumps(graph.check(content).to_dict()) == first for _ in range(5))


def test_the_json_form_is_complete() -> None:
    pipeline = check(*TITANIC, ("r = v", ["step:loop", "for:v in [1]", "collect:r", "if:True", "oops:1"]))
    assert Pipeline.from_dict(json.loads(json.dumps(pipeline.to_dict()))) == pipeline
    assert not any(
        cell["source"] for step in pipeline.to_dict(sources=False)["steps"] for cell in step["cells"]
    )


def test_asking_for_steps() -> None:
    pipeline = check("a = 1", "b = a")
    assert pipeline.ancestors("cell-2") == ("cell-1",)
    with pytest.raises(Invalid, match=r"there is no step 'cell-3'\. Steps: cell-\d"):
        pipeline.step("cell-3")
    with pytest.raises(Invalid):
        pipeline.ancestors("nothing")
    assert pipeline.edges == (Edge("cell-1", "cell-2", ("a",), "data", "uses a"),)


# What may be imported early


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["import json, os.path\nimport numpy as np"], ("json", "numpy")),
        (
            ["from sklearn.svm import SVC\nfrom matplotlib import pyplot as plt"],
            ("sklearn.svm", "matplotlib.pyplot", "matplotlib"),
        ),
        (["import no_such_module_anywhere"], ()),
        (
            [
                "def f():\n    import json\nif f:\n    import csv\ntry:\n    import zlib\nexcept ImportError: pass"
            ],
            (),
        ),
        (["import json\nimport os\nos.environ['A'] = '1'\nimport csv", "import zlib"], ("json", "os")),
        (["import sys\nsys.path.append('lib')", "import csv"], ("sys",)),
        (["%cd /tmp\nimport csv"], ()),
        (["!pip install numpy", "import numpy, json"], ("json",)),
        (["import antigravity, this"], ()),
        (["x = (", "import json"], ("json",)),
    ],
)
def test_preload(cells: list[str], expected: tuple[str, ...]) -> None:
    assert check(*cells).preload == expected


def test_a_module_beside_the_notebook_is_not_imported_early(tmp_path) -> None:
    (tmp_path / "numpy.py").write_text("")
    (tmp_path / "json").mkdir()
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook("import numpy, json, csv")))
    assert graph.check(path).preload == ("csv",)
