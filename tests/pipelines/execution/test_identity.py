"""Any program, cut into steps anywhere, leaves the objects that it leaves when it is executed as one."""

from __future__ import annotations

import sys
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.pipelines.exchange import ALL, StepResult, ValueRef, advance, inputs_for
from jupyter_ext.pipelines.storing import Saving
from jupyter_ext.pipelines.values import Values

PROLOGUE = """
import numpy as np, pandas as pd
class Node:
    count = 0
    def __init__(self, *links):
        Node.count += 1
        self.links = list(links)
def holder(x):
    kept = [x]
    def put(y):
        kept.append(y)
    def get():
        return kept
    return put, get
"""
NAMES = "abcdef"


@st.composite
def statements(draw):
    """A statement that works on whatever the names hold."""
    x, y, z = (draw(st.sampled_from(NAMES)) for _ in range(3))
    n = draw(st.integers(0, 9))
    forms = [
        f"{x} = [{y}, {z}, {n}]",
        f"{x} = {{'k': {y}, {n}: {z}}}",
        f"{x} = ({y}, {z})",
        f"{x} = Node({y}, {z})",
        f"{x} = {y}",
        f"{x} = {n}",
        f"{x} = '{n}'",
        f"{x} = np.full(400, {n}.0)",
        f"{x} = np.arange({n + 1})",
        f"{x} = pd.DataFrame({{'p': np.arange(300), 'q': [{n}.5] * 300}})",
        f"{x}_put, {x}_get = holder({y})",
        f"type({x}) is list and {x}.append({y})",
        f"type({x}) is list and {x} and {x}.pop(0)",
        f"type({x}) is dict and {x}.update({{{n}: {y}}})",
        f"type({x}) is Node and {x}.links.append({y})",
        f"if type({x}) is Node: Node.count += {n}",
        f"if isinstance({x}, np.ndarray) and len({x}) > 3: {x}[2] = {n}",
        f"if isinstance({x}, np.ndarray) and len({x}) > 3: {y} = {x}[1:]",
        f"if isinstance({x}, pd.DataFrame): {x}['new{n}'] = {n}",
        f"if isinstance({x}, pd.DataFrame): {x}.loc[{n}, 'p'] = -1",
        f"if type({x}) is list and {x}: {y} = {x}[0]",
        f"if type({x}) is tuple: {y} = {x}[0]",
        f"if type({x}) is Node and {x}.links: {y} = {x}.links[-1]",
        f"if '{x}_put' in globals(): {x}_put({y})",
        f"if '{x}_get' in globals(): {y} = {x}_get()",
        f"globals().pop('{x}_get', None)",
    ]
    return draw(st.sampled_from(forms))


def shape(namespace):
    """The object graph from the names on, with each object numbered where it is met first."""
    import numpy as np
    import pandas as pd

    numbers, described = {}, []
    kept, arrays = [], []

    def visit(obj):
        if obj is None or isinstance(obj, int | str | float | np.generic):
            return obj if not isinstance(obj, np.generic) else (type(obj).__name__, obj.item())
        if type(obj) is tuple and all(isinstance(item, int | str | float) for item in obj):
            return obj  # whether equal tuples of numbers are one object tells nothing
        if id(obj) in numbers:
            return f"#{numbers[id(obj)]}"
        kept.append(obj)
        mine = numbers[id(obj)] = len(numbers)
        place = len(described)
        described.append(None)
        described[place] = (mine, type(obj).__name__, parts(obj))
        return f"#{mine}"

    def parts(obj):
        if isinstance(obj, list | tuple):
            return [visit(item) for item in obj]
        if isinstance(obj, dict):
            return [(visit(key), visit(value)) for key, value in obj.items()]
        if isinstance(obj, np.ndarray):
            arrays.append(obj)
            return obj.tolist()
        if isinstance(obj, pd.DataFrame):
            return obj.to_dict("list")
        if isinstance(obj, types.FunctionType):
            return [obj.__name__, *[visit(cell) for cell in obj.__closure__ or ()]]
        if isinstance(obj, types.CellType):
            return visit(obj.cell_contents)
        if isinstance(obj, type):
            return [getattr(obj, "count", None)]
        return [visit(type(obj)), visit(vars(obj))]

    names = [name for name in sorted(namespace) if not name.startswith("__") and name not in ("np", "pd")]
    found = [(name, visit(namespace[name])) for name in names]
    # Arrays that look at one memory, and where; an array that shares with nobody may lie anywhere.
    shared = [
        [
            other.__array_interface__["data"][0] - array.__array_interface__["data"][0]
            for other in arrays
            if np.shares_memory(array, other)
        ]
        for array in arrays
    ]
    return found, described, shared


class Play:
    """Steps without processes: each gets a fresh namespace and only what was stored."""

    def __init__(self, blobs):
        self.blobs, self.namespace, self.count = blobs, {}, 0

    def step(self, source, may_change=ALL, reads=ALL):
        module = types.ModuleType("__main__")
        before, sys.modules["__main__"] = sys.modules["__main__"], module
        try:
            self.count += 1
            values = Values(self.blobs, module.__dict__)
            given = inputs_for(self.namespace, reads, may_change)
            values.load(ValueRef.from_dict(ref.to_dict()) for ref in given)
            exec(source, module.__dict__)
            names = [name for name in module.__dict__ if not name.startswith("__")]
            saved = Saving(values, f"s{self.count}").save(names, ALL, may_change)
            assert not saved.live
            result = StepResult("SUCCEEDED", values=tuple(saved.values), deleted=tuple(saved.deleted))
            self.namespace = advance(self.namespace, result)
            return module.__dict__
        finally:
            sys.modules["__main__"] = before


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return Blobs(tmp_path_factory.mktemp("blobs"))


def plain(source):
    module = types.ModuleType("__main__")
    exec(source, module.__dict__)
    return module.__dict__


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(statements(), min_size=1, max_size=5), min_size=1, max_size=5))
def test_a_program_cut_into_steps(blobs, steps_of):
    start = PROLOGUE + "\n".join(f"{name} = [{place}]" for place, name in enumerate(NAMES))
    expected = plain("\n".join([start, *(line for step in steps_of for line in step)]))
    play = Play(blobs)
    play.step(start)
    for lines in steps_of:
        play.step("\n".join(lines))
    assert shape(play.step("pass")) == shape(expected)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(statements(), min_size=2, max_size=8), st.data())
def test_branches_that_only_look_meet_again(blobs, lines, data):
    """Two steps side by side each keep a part of what there was; where they join, it is one object again."""
    start = PROLOGUE + "\n".join([*(f"{name} = [{place}]" for place, name in enumerate(NAMES)), *lines])
    left, right = (data.draw(st.sampled_from(NAMES)) for _ in range(2))
    expected = plain(f"{start}\nleft = [{left}]\nright = {{'r': {right}}}")
    play = Play(blobs)
    play.step(start)
    before = dict(play.namespace)
    play.step(f"left = [{left}]", may_change=("left",))
    after_left = play.namespace
    play.namespace = before
    play.step(f"right = {{'r': {right}}}", may_change=("right",))
    play.namespace = {**after_left, "right": play.namespace["right"]}
    assert shape(play.step("pass")) == shape(expected)


def test_the_stored_form_does_not_depend_on_how_often_it_was_passed(blobs):
    play = Play(blobs)
    play.step(PROLOGUE + "a = Node([1], {'k': Node()})\nput, get = holder(a)\nput(a.links)")
    first = dict(play.namespace)
    for _ in range(3):
        play.step("x = 1" if "x" not in play.namespace else "pass")
    assert {name: play.namespace[name].digest for name in first} == {
        name: ref.digest for name, ref in first.items()
    }
