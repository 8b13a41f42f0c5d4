from __future__ import annotations

import json

import pytest

from jupyter_ext import pipelines
from jupyter_ext.pipelines.forms import ALL_STEPS, FormModel, form

SOURCE = """# %% tags=["pipeline-parameters"]
n = 3
rate = 0.5
name = "a b"
fast = True
sizes = [1, 2]
# %% tags=["step:load", "limit:cpu:2", "limit:memory:1Gi"]
numbers = list(range(n))
# %% tags=["step:add", "prev:load"]
total = sum(numbers) * rate if fast else len(name) + len(sizes)
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "small.py"
    file.write_text(SOURCE)
    return file


@pytest.fixture
def model(path):
    return FormModel(pipelines.check(str(path)), str(path))


def test_it_begins_with_the_notebooks_own_values(model):
    assert model.values == {"n": "3", "rate": "0.5", "name": "a b", "fast": True, "sizes": "[1, 2]"}
    assert model.problems() == {}
    assert model.to_spec() == {"path": model.path, "parameters": {}, "options": {}}
    assert set(model.steps) >= {"load", "add"}
    assert model.resources["load"] == {"cpu": "2", "memory": "1Gi", "gpu": ""}


def test_what_is_typed_becomes_values_of_their_types(model):
    model.values |= {"n": "7", "rate": "1e-3", "name": "7", "fast": False, "sizes": "[3]"}
    model.start, model.cache = "add", False
    model.resources["load"]["memory"] = "512Mi"
    assert model.to_spec() == {
        "path": model.path,
        "parameters": {"n": 7, "rate": 0.001, "name": "7", "fast": False, "sizes": [3]},
        "options": {"from": "add", "cache": False, "resources": {"load": {"memory": "512Mi"}}},
    }
    assert (
        "n=7, rate=0.001, name='7', fast=False, sizes=[3], from_='add', cache=False, resources={'load': {'memory': '512Mi'}})"
        in model.code()
    )


def test_a_problem_stands_under_its_field(model):
    model.values |= {"n": "seven", "sizes": "[1"}
    found = model.problems()
    assert set(found) == {"n", "sizes"}
    assert "n" in found["n"]
    model.values |= {"n": "7", "sizes": "[1]"}
    assert model.problems() == {}
    model.start = model.only = "load"
    assert set(model.problems()) == {"only"}
    model.only = "nowhere"
    assert "only" in model.problems()


def test_resources_that_cannot_be_had_are_refused_at_their_field(model):
    model.resources["load"] |= {"cpu": "many", "memory": "900000Gi"}
    found = model.problems()
    assert set(found) == {"load.cpu", "load.memory"}
    assert "many" in found["load.cpu"]
    assert "memory" in found["load.memory"].lower()


def test_a_notebook_with_an_error_cannot_be_run_from_the_form(tmp_path):
    (tmp_path / "bad.py").write_text("# %%\nprint(nothing_like_it)\n")
    model = FormModel(pipelines.check(str(tmp_path / "bad.py")), "bad.py")
    assert "nothing_like_it" in model.problems()[""]


def test_to_spec_and_from_spec_are_inverse(model):
    spec = {
        "path": model.path,
        "parameters": {"n": 9, "sizes": [4], "fast": False, "name": "x"},
        "options": {"only": "add", "resources": {"add": {"cpu": "500m"}}},
    }
    assert FormModel.from_spec(model.pipeline, spec).to_spec() == spec
    assert json.loads(json.dumps(spec)) == spec


def test_the_form_on_the_screen_follows_what_is_typed(path):
    made = form(path, n=5)
    assert made._fields["n"].value == "5"
    assert "n=5" in made._code.value
    made._fields["n"].value = "five"
    assert "role" in made._notes["n"].value
    assert made._button.disabled
    made._fields["n"].value = "6"
    made._start.value = "add"
    made._fields["fast"].value = False
    assert not made._button.disabled
    assert made._notes["n"].value == ""
    assert made.model.to_spec()["parameters"] == {"n": 6, "fast": False}
    assert made.model.to_spec()["options"] == {"from": "add"}
    assert "from_=&#x27;add&#x27;" in made._code.value
    assert made._start.options[0] == ALL_STEPS
    assert all(field.description for field in made._fields.values()), "every control has a label"


def test_it_is_displayed_with_something_for_those_without_widgets(path):
    bundle = form(path)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}


def test_its_button_starts_the_run(path):
    made = form(path, n=2)
    made._button.click()
    assert made.run.wait(30).state == "SUCCEEDED"
    assert made.run.parameters["n"] == 2
