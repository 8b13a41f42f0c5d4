"""The forms for training and tuning, without a screen and on one."""

from __future__ import annotations

import ast

import pytest

from jupyter_ext import training, tuning
from jupyter_ext.training import forms as train_forms
from jupyter_ext.tuning import forms as tune_forms


def fit(lr: float = 0.1, depth: int = 3, name: str = "7", *, fast: bool = False):
    return (lr, depth, name, fast)


def needs(data, lr=0.1):
    return data


@pytest.fixture
def model():
    return train_forms.FormModel(fit, None, {"framework": "plain"})


def test_it_asks_for_the_functions_arguments_with_their_defaults(model):
    assert {name: text for name, text in model.values.items() if name.startswith("args.")} == {
        "args.lr": "0.1",
        "args.depth": "3",
        "args.name": "7",
        "args.fast": "false",
    }
    assert model.problems() == {}
    assert model.to_spec() == {"function": "fit", "framework": "plain", "nodes": 1, "procs": 1}


def test_what_is_typed_becomes_values_and_code(model):
    model.values |= {"args.lr": "0.5", "args.name": "8", "args.fast": "true", "nodes": "1:2", "cpu": "1"}
    model.values |= {"deadline": "2m", "packages": "numpy, pandas", "checkpoint": True}
    spec = model.to_spec()
    assert spec["args"] == {"lr": 0.5, "name": "8", "fast": True}
    assert (spec["nodes"], spec["deadline"], spec["packages"]) == ("1:2", 120, ["numpy", "pandas"])
    call = ast.parse(model.code()).body[-1].value
    said = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert said == {
        "framework": "plain",
        "nodes": "1:2",
        "resources": {"cpu": "1"},
        "packages": ["numpy", "pandas"],
        "args": {"lr": 0.5, "name": "8", "fast": True},
        "checkpoint": True,
        "deadline": 120,
    }
    assert train_forms.FormModel.from_spec(spec, fit).to_spec() == spec


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("nodes", "many"),
        ("procs", "0"),
        ("deadline", "soon"),
        ("restarts", "-1"),
        ("name", "A B"),
        ("cpu", "lots"),
        ("memory", "4Gx"),
        ("gpu", "99"),
    ],
)
def test_a_problem_stands_under_its_field(model, field, text):
    model.values[field] = text
    assert list(model.problems()) == [field]
    assert model.problems()[field]


def test_an_argument_without_a_default_is_asked_for():
    model = train_forms.FormModel(needs, None, {"framework": "plain"})
    assert list(model.problems()) == ["args.data"]
    model.values["args.data"] = "[1, 2]"
    assert model.problems() == {}
    assert model.to_spec()["args"] == {"data": [1, 2]}


def test_the_screen_follows_what_is_typed_and_starts_it():
    made = training.form(fit, framework="plain", lr=0.2)
    assert made._fields["args.lr"].value == "0.2"
    assert "0.2" in made._code.value
    made._fields["nodes"].value = "none"
    assert made._button.disabled
    assert "role" in made._notes["nodes"].value
    made._fields["nodes"].value = "1"
    assert not made._button.disabled
    made._button.click()
    assert made.started.result(60) == (0.2, 3, "7", False)
    assert set(made._repr_mimebundle_()) >= {"text/plain", "text/html"}


def test_a_file_has_a_form_too(tmp_path):
    (tmp_path / "fit.py").write_text("def fit(lr: float = 0.1):\n    return lr\n")
    made = training.form(tmp_path / "fit.py", "fit", framework="plain", lr=0.5)
    assert made.model.problems() == {}
    assert "function='fit'" in made.model.code()
    assert made.model.run().result(60) == 0.5


def tuned(lr: float = 0.01, depth: int = 4, opt: str = "sgd", *, fast: bool = False):
    return lr * depth + fast


def test_the_space_comes_from_the_signature():
    model = tune_forms.FormModel(tuned)
    space = model.space()
    assert space["lr"].startswith("double(")
    assert space["depth"].startswith("int(")
    assert space["fast"].startswith("categorical(")
    assert "opt" not in space, "nothing is known of a text"
    assert model.values["opt.type"] == tune_forms.FIXED
    assert model.problems() == {}


def test_a_space_is_edited_and_comes_back():
    model = tune_forms.FormModel(tuned)
    model.values |= {"lr.type": "double", "lr.range": "1e-4, 1e-1", "lr.scale": "log"}
    model.values |= {"depth.type": "discrete", "depth.range": "2, 4, 8", "fast.type": "fixed"}
    model.values |= {"opt.type": "categorical", "opt.range": "sgd, adam", "trials": "7", "algorithm": "tpe"}
    spec = model.to_spec()
    assert spec["space"] == {
        "lr": "double(1e-4,1e-1,log)",
        "depth": "discrete(2,4,8)",
        "opt": "categorical(sgd,adam)",
    }
    assert (spec["trials"], spec["algorithm"], spec["objective"]) == (7, "tpe", "loss:min")
    assert tune_forms.FormModel.from_spec(spec, tuned).to_spec() == spec
    assert "kf.tuning.tune(tuned, {'lr': 'double(1e-4,1e-1,log)'" in model.code()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"lr.type": "double", "lr.range": "1, 0"}, "lr.type"),
        ({"lr.range": ""}, "lr.range"),
        ({"trials": "none"}, "trials"),
        ({"objective": "loss:up"}, "objective"),
        ({"name": "A B"}, "name"),
        ({"lr.type": "fixed", "depth.type": "fixed", "fast.type": "fixed"}, ""),
    ],
)
def test_a_problem_of_a_space_stands_at_its_parameter(typed, field):
    model = tune_forms.FormModel(tuned)
    model.values |= typed
    assert list(model.problems()) == [field]


def test_the_tuning_screen_starts_an_experiment():
    made = tuning.form(tuned, lr="double(0,1)", depth="int(1,2)", trials="3")
    assert made.model.problems() == {}
    made._button.click()
    assert made.started.wait(120).phase == "SUCCEEDED"
    assert len(made.started.trials()) == 3


def test_every_field_has_a_word(model):
    for form in (training.form(fit), tuning.form(tuned)):
        for entry in form.model.entries:
            assert entry.label or entry.line
            assert form._fields[entry.name].tooltip or entry.kind == "tick"
