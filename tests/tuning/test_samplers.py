"""Every algorithm: what it asks for is in the space, it learns, and it goes on after a restart."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.tuning import catalogue
from jupyter_ext.tuning.objective import parse
from jupyter_ext.tuning.population import GENERATION, MEMBER
from jupyter_ext.tuning.sampling import Past
from jupyter_ext.tuning.space import categorical, discrete, double, int_
from jupyter_ext.tuning.stopping import Medians, MedianStop

SPACE = {
    "lr": double(1e-4, 1.0, log=True),
    "width": int_(1, 64, log=True),
    "drop": double(0, 1, distribution="normal"),
    "tenth": double(0, 1, step=0.1),
    "even": int_(2, 10, step=2),
    "odd": double(1, 100, step=1, distribution="logUniform"),
    "batch": discrete(16, 32, 64.5),
    "opt": categorical("sgd", True, None),
}
GRID = {"a": double(0, 1, step=0.25), "b": int_(1, 3), "c": categorical("x", "y")}
EPOCHS = {"x": double(0, 1), "epochs": int_(1, 27)}
SETTINGS = {
    "hyperband": {"resource_name": "epochs", "r_l": 27.0, "eta": 3.0},
    "pbt": {"n_population": 5, "truncation_threshold": 0.2},
}
SMALL = {"lr": SPACE["lr"], "width": SPACE["width"], "opt": SPACE["opt"]}
SPACES = {"grid": GRID, "hyperband": EPOCHS, "bayesianoptimization": SMALL}
FEW = {"bayesianoptimization": 3}
"""A Gaussian process takes its time: with fewer trials each test shows the same."""


def make(name, seed=1, goal="loss:min", **more):
    found = catalogue.find(name)
    given_settings = {**SETTINGS.get(name, {}), "random_state": seed, **more}
    if name in FEW:
        given_settings["n_initial_points"] = 4
    if name == "grid":
        given_settings = {}
    return catalogue.sampler(found, given_settings, SPACES.get(name, SPACE), parse(goal), seed)


def objective(values) -> float:
    if "lr" in values:
        return abs(math.log10(values["lr"]) + 2) + abs(values["width"] - 8) / 64
    if "epochs" in values:
        return values["x"] + 1 / values["epochs"]
    return values["a"] + values["b"]


def run(sampler, count, start=0, value=objective):
    """Ask and tell, one after the other."""
    past = []
    for number in range(start, start + count):
        suggestion = sampler.ask(number)
        if suggestion is None:
            break
        trial = Past(number, suggestion.values, "SUCCEEDED", value(suggestion.values), 1, suggestion.labels)
        sampler.tell(trial)
        past.append(trial)
    return past


@pytest.mark.parametrize("name", list(catalogue.CATALOGUE))
def test_what_is_asked_for_is_in_the_space(name):
    space = SPACES.get(name, SPACE)
    count = 30 // FEW.get(name, 1)
    past = run(make(name), count)
    assert len(past) == count
    for trial in past:
        assert trial.values.keys() == space.keys()
        for key, value in trial.values.items():
            parameter = space[key]
            assert parameter.read(parameter.text(value)) == value
            if parameter.kind == "int":
                assert type(value) is int
            if parameter.numeric and key != "epochs":
                assert parameter.low <= value <= parameter.high


@pytest.mark.parametrize(
    "name", ["random", "sobol", "tpe", "multivariate-tpe", "cmaes", "bayesianoptimization", "pbt"]
)
def test_the_same_seed_asks_for_the_same(name):
    count = 24 // FEW.get(name, 1)
    one, other = run(make(name, seed=4), count), run(make(name, seed=4), count)
    assert [trial.values for trial in one] == [trial.values for trial in other]
    if name != "sobol":
        assert [t.values for t in one] != [t.values for t in run(make(name, seed=5), count)]


@pytest.mark.parametrize("name", list(catalogue.CATALOGUE))
def test_it_goes_on_after_a_restart(name):
    whole = run(make(name), 24 // FEW.get(name, 1) + 6)
    again = make(name)
    first, pending, failed = whole[:10], whole[10], whole[11]
    waiting = Past(pending.number, pending.values, "RUNNING", None, 0, pending.labels)
    wrong = Past(failed.number, failed.values, "FAILED", None, 0, failed.labels)
    again.restore([*first, waiting, wrong])
    again.tell(pending)
    rest = run(again, len(whole) - 12, start=12)
    assert rest
    tried = [str(trial.values) for trial in (*first, pending, failed, *rest)]
    if name not in ("pbt", "hyperband"):
        assert len(set(tried)) == len(tried), "no point is tried twice"
    if name in ("random", "grid", "sobol"):
        assert [trial.values for trial in rest] == [trial.values for trial in whole[12:]]


@pytest.mark.parametrize("name", ["tpe", "multivariate-tpe", "cmaes", "bayesianoptimization"])
def test_a_model_beats_chance(name):
    space = {"x": double(-5, 5), "y": double(-5, 5)}

    def bowl(values):
        return (values["x"] - 1) ** 2 + (values["y"] + 2) ** 2

    def best(algorithm, seed):
        found = catalogue.find(algorithm)
        sampler = catalogue.sampler(found, {"random_state": seed}, space, parse("loss:min"), seed)
        return min(trial.value for trial in run(sampler, 60 // FEW.get(name, 1), value=bowl))

    seeds = range(2 if name in FEW else 3)
    assert sum(best(name, seed) for seed in seeds) < sum(best("random", seed) for seed in seeds)


def test_a_maximum_is_looked_for_upwards():
    sampler = catalogue.sampler(
        catalogue.find("tpe"), {"random_state": 1}, {"x": double(0, 1)}, parse("acc:max"), 1
    )
    past = run(sampler, 40, value=lambda values: values["x"])
    assert sum(trial.values["x"] for trial in past[-10:]) > sum(trial.values["x"] for trial in past[:10])


def test_a_grid_is_every_point_once():
    past = run(make("grid"), 1000)
    assert len(past) == make("grid").total == 30
    assert len({str(trial.values) for trial in past}) == 30
    assert past[0].values == {"a": 0.0, "b": 1, "c": "x"}
    assert past[1].values == {"a": 0.0, "b": 1, "c": "y"}


def test_hyperband_promotes_the_better_part():
    sampler = make("hyperband")
    past = run(sampler, 1000)
    assert len(past) == sampler.total
    budgets = [trial.values["epochs"] for trial in past]
    sizes = {budget: budgets.count(budget) for budget in sorted(set(budgets))}
    assert sizes == {1: 27, 3: 9 + 12, 9: 3 + 4 + 6, 27: 1 + 2 + 2 + 4}
    rung = "hyperband.suggestion.katib.kubeflow.org/rung"
    bracket = "hyperband.suggestion.katib.kubeflow.org/bracket"
    first = [trial for trial in past if trial.labels[bracket] == "3"]
    before = sorted((t for t in first if t.labels[rung] == "0"), key=lambda trial: trial.value)
    after = [trial for trial in first if trial.labels[rung] == "1"]
    assert {trial.values["x"] for trial in after} == {trial.values["x"] for trial in before[:9]}


def test_hyperband_waits_for_its_rung_and_shrinks_by_failures():
    sampler = make("hyperband")
    asked = {}
    while (suggestion := sampler.ask(len(asked))) is not None:
        asked[len(asked)] = suggestion
    first = sum(
        1 for one in asked.values() if one.labels["hyperband.suggestion.katib.kubeflow.org/rung"] == "0"
    )
    assert first == len(asked) == 27 + 12 + 6 + 4, "the first rung of every bracket, and no promotion yet"
    for number, suggestion in asked.items():
        state = "SUCCEEDED" if number == 0 else "FAILED"
        value = 1.0 if number == 0 else None
        sampler.tell(Past(number, suggestion.values, state, value, 1, suggestion.labels))
    rest = run(sampler, 100, start=len(asked))
    assert [trial.values["epochs"] for trial in rest] == [3, 9, 27], "one is left, and goes all the way"


def test_a_population_learns_from_its_best():
    space = {
        "lr": double(0, 1),
        "layers": int_(1, 100),
        "opt": categorical("a", "b"),
        "batch": discrete(1, 2, 4),
    }
    found = catalogue.find("pbt")
    sampler = catalogue.sampler(
        found,
        {"n_population": 10, "truncation_threshold": 0.2, "random_state": 1},
        space,
        parse("acc:max"),
        1,
    )
    first = [sampler.ask(number) for number in range(10)]
    assert sampler.ask(10) is None, "the next generation needs all of this one"
    for number, suggestion in enumerate(first):
        sampler.tell(Past(number, suggestion.values, "SUCCEEDED", float(number), 1, suggestion.labels))
    second = [sampler.ask(10 + number) for number in range(10)]
    assert {one.labels[GENERATION] for one in second} == {"1"}
    parents = {int(one.labels[MEMBER]): one.parent for one in second}
    assert all(parents[member] == member for member in range(2, 10)), (
        "the others go on from their own checkpoint"
    )
    assert {parents[0], parents[1]} <= {8, 9}, "the worst from that of one of the best"
    for member in (0, 1):
        source = first[parents[member]].values
        lr = second[member].values["lr"]
        assert lr in (pytest.approx(source["lr"] * 0.8), pytest.approx(min(source["lr"] * 1.2, 1.0)))
        assert second[member].values["opt"] != source["opt"]


@pytest.mark.parametrize("name", list(catalogue.CATALOGUE))
def test_the_catalogue_says_what_there_is(name):
    entry = next(item for item in catalogue.algorithms() if item["name"] == name)
    assert entry["available"]
    assert entry["reason"]
    assert all(setting["about"] for setting in entry["settings"])


# Stopping


def test_the_median_rule():
    rule = Medians(MedianStop(min_trials_required=2, start_step=2), 1)
    assert rule.verdict([100.0] * 5) is None, "nobody to compare with"
    rule.succeeded([4.0, 2.0, 0.0])
    rule.succeeded([8.0, 6.0, 1.0])
    assert rule.median(2) == 5.0, "running averages 3 and 7"
    assert rule.verdict([9.0]) is None, "too early"
    assert rule.verdict([9.0, 5.5]).startswith(
        "Stopped early at report 2: its best value 5.5 is worse than the median 5"
    )
    assert rule.verdict([9.0, 5.0]) is None
    assert rule.verdict([4.0, 50.0]) is None, "the best so far counts"
    higher = Medians(MedianStop(1, 1), -1)
    higher.succeeded([0.5])
    assert higher.verdict([0.4])
    assert higher.verdict([0.6]) is None


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=8), min_size=1, max_size=12),
    st.integers(1, 8),
)
def test_the_median_is_the_median(curves, reports):
    import statistics

    rule = Medians(MedianStop(1, 1), 1)
    for curve in curves:
        rule.succeeded(curve)
    deepest = max(map(len, curves))
    place = min(reports, deepest)
    averages = [sum(curve[:place]) / place for curve in curves if len(curve) >= place]
    assert rule.median(reports) == pytest.approx(statistics.median(averages), abs=1e-9)
