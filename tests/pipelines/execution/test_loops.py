"""``for`` over a step: side by side, one after the other, and what is collected."""

from __future__ import annotations

from dataclasses import replace

from jupyter_ext.pipelines.exchange import Loop


def test_the_items_are_found_without_executing(steps):
    steps.ok("depths = [2, 4, 'a' * 100]")
    result = steps.run("print('no')", foreach=Loop("d", "depths", items=True))
    assert result.items == ("2", "4", "'" + "a" * 58 + "…")
    assert steps.outputs() == []


def test_one_iteration_has_its_item(steps):
    steps.ok("pairs = [(1, 'a'), (2, 'b')]")
    assert steps.ok("print(n, s)", foreach=Loop("n, s", "pairs", index=1)) == "2 b"
    assert steps.namespace["n"].inline == {"n": 2}


def test_in_sequence_with_collected_names(steps):
    result = steps.run("last = d * 2\nscores = [d]", foreach=Loop("d", "[1, 2, 3]"), collect=("last",))
    assert result.state == "SUCCEEDED", result.error
    assert steps.ok("print(last, scores, d)") == "[2, 4, 6] [3] 3"
    assert "_kubeflow_item" not in steps.namespace


def test_iterations_are_told_apart_in_the_outputs(steps):
    steps.run("print(d)", foreach=Loop("d", "'ab'"))
    assert [(cell["iteration"], cell["outputs"][0]["text"]) for cell in steps.outputs()] == [
        (0, "a\n"),
        (1, "b\n"),
    ]


def test_no_items(steps):
    result = steps.run("x = d", foreach=Loop("d", "[]"), collect=("x",))
    assert result.state == "SUCCEEDED"
    assert steps.ok("print(x)") == "[]"


def test_a_failing_iteration_names_the_line(steps):
    result = steps.run("y = 1\nx = 1 / d", foreach=Loop("d", "[1, 0]"))
    assert (result.error.cell, result.error.line) == (1, 2)
    assert result.error.locals["d"] == "int: 0"


def test_what_is_looped_over_may_fail(steps):
    result = steps.run("pass", foreach=Loop("d", "missing"))
    assert result.error.message == "name 'missing' is not defined (in what it loops over)"


def test_iterations_side_by_side_are_collected_without_copies(steps):
    steps.ok("import numpy as np\nshared = [0]")
    before = dict(steps.namespace)
    refs = []
    for index in range(3):
        steps.namespace = dict(before)
        steps.ok(
            "part = {'big': np.full(20_000, d), 'shared': shared}",
            foreach=Loop("d", "range(3)", index=index),
            step=f"loop[{index}]",
        )
        refs.append(replace(steps.namespace["part"], bind={"part": f"_part_{index}"}))
    inputs = (*before.values(), *refs)
    steps.namespace = dict(before)
    steps.ok(
        "parts = [_part_0, _part_1, _part_2]\ndel _part_0, _part_1, _part_2",
        inputs=inputs,
        step="loop[collect]",
    )
    assert steps.namespace["parts"].bytes < 1000
    steps.ok("assert [p['big'][0] for p in parts] == [0, 1, 2] and all(p['shared'] is shared for p in parts)")
