"""What a form shows as code says what the form says: in Python, as a command, as a magic."""

from __future__ import annotations

import ast
import shlex

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cli.parser import parse
from jupyter_ext.registry.made import wanted
from jupyter_ext.training import options as training_options
from jupyter_ext.training import snippets as training_snippets
from jupyter_ext.training.spec import FRAMEWORKS
from jupyter_ext.tuning import options as tuning_options
from jupyter_ext.tuning import snippets as tuning_snippets

names = st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True)
texts = st.text("ab =:'\"$-ü{},\n", max_size=8)
values = (
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.integers())
)
amounts = st.sampled_from(["1", "500m", "4Gi"])
registered = st.sampled_from(["churn", "churn@next", "a=b"]) | st.fixed_dictionaries(
    {"model": st.sampled_from(["churn", "a=b", "{x"])},
    optional={"alias": st.just("next"), "value": st.just("clf"), "metrics": st.just({"auc": 0.5})},
)
JOB = {
    "framework": st.sampled_from(FRAMEWORKS),
    "nodes": st.integers(1, 9) | st.just("1:4"),
    "procs": st.integers(1, 9),
    "name": st.just("mnist"),
    "args": st.dictionaries(names, values, max_size=3),
    "env": st.dictionaries(st.just("A"), texts, max_size=1),
    "data": st.dictionaries(names, texts, max_size=2),
    "packages": st.lists(st.sampled_from(["numpy", "pandas>=2"]), max_size=2),
    "resources": st.dictionaries(st.sampled_from(["cpu", "memory", "gpu"]), amounts, max_size=3),
    "deadline": st.integers(1, 9999),
    "restarts": st.integers(0, 9),
    "checkpoint": st.booleans() | st.just("/kept"),
    "register": registered,
}
TUNING = {
    "algorithm": st.sampled_from(["random", "tpe"]),
    "settings": st.dictionaries(names, st.integers(), max_size=2),
    "trials": st.integers(1, 99),
    "parallel": st.integers(1, 9),
    "early_stopping": st.just("medianstop"),
    "max_failed": st.integers(1, 9),
    "additional": st.lists(names, max_size=2),
    "name": st.just("sweep"),
    "framework": st.sampled_from(FRAMEWORKS),
    "nodes": st.integers(1, 9),
    "procs": st.integers(1, 9),
    "resources": st.dictionaries(st.sampled_from(["cpu", "memory", "gpu"]), amounts, max_size=3),
    "resume": st.sampled_from(["Never", "LongRunning"]),
    "register": registered,
}
SPACE = st.dictionaries(
    names,
    st.sampled_from(["double(1e-4,1e-1,log)", "int(1,4)", "categorical('a b',c)"]),
    min_size=1,
    max_size=3,
)
paths = st.text("ab /'\"$-ü{}", min_size=1, max_size=12).map(lambda text: f"{text}.py")


def heard(found: dict) -> dict:
    """The keywords, what is registered read: a command has one word for it."""
    return {**found, "register": wanted(found["register"])} if "register" in found else found


def keywords(code: str) -> dict:
    call = ast.parse(code).body[-1].value
    return {word.arg: ast.literal_eval(word.value) for word in call.keywords}


@given(st.fixed_dictionaries({}, optional=JOB), paths)
def test_a_job(spec, path):
    spec = {**spec, "path": path, "function": "fit"}
    said = keywords(training_snippets.python(spec))
    assert said.pop("function") == "fit"
    meant = training_snippets.said(spec)
    assert said == meant
    words = shlex.split(training_snippets.cli(spec))
    args = parse(words[2:])
    assert args.file in {path, f"./{path}"}
    found = training_options.given(args, typed=True)
    assert heard(found) == heard(dict(meant))


@given(st.fixed_dictionaries({}, optional=TUNING), SPACE, paths)
def test_an_experiment(spec, space, path):
    spec = {**spec, "path": path, "space": space, "objective": "acc:max:0.9"}
    code = tuning_snippets.python(spec)
    meant = tuning_snippets.said(spec, tuning_snippets.KEYWORDS, tuning_snippets.DEFAULTS)
    assert keywords(code) == meant
    call = ast.parse(code).body[-1].value
    assert [ast.literal_eval(item) for item in call.args[1:]] == [space, "acc:max:0.9"]
    args = parse(shlex.split(tuning_snippets.cli(spec))[2:])
    assert tuning_options.space(args) == space
    found = {"algorithm": "random", **meant, "objective": "acc:max:0.9"}
    assert heard(tuning_options.given(args)) == heard(found)


@given(st.text("ab\n\\\"' =", max_size=30))
def test_the_source_of_a_cell_comes_back(source):
    module = ast.parse(training_snippets.python({"source": source}))
    assert ast.literal_eval(module.body[1].value) == source.removeprefix("\n")
    assert training_snippets.magic({"source": source}).partition("\n")[2] == source.removeprefix("\n")


def test_a_function_of_the_notebook():
    spec = {"function": "fit", "args": {"lr": 0.1}, "nodes": 2}
    assert training_snippets.python(spec).endswith("job = kf.training.train(fit, nodes=2, args={'lr': 0.1})")
    assert training_snippets.magic(spec) == "%%train --nodes=2\nfit(lr=0.1)"
    tuned = {"function": "fit", "space": {"lr": "double(0,1)"}}
    assert tuning_snippets.magic(tuned).endswith("\nfit(lr=lr)")
