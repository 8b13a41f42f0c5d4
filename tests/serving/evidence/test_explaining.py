from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.serving.explaining import explain


def added_up(found):
    """Base and attributions of each row and output add up to the prediction."""
    for values, prediction in zip(found.values, found.predictions, strict=True):
        total = np.asarray(found.base) + np.asarray(values).sum(axis=0)
        assert total == pytest.approx(np.asarray(prediction), abs=1e-9)


def test_a_linear_model_is_explained_by_its_weights():
    rng = np.random.default_rng(1)
    background, rows = rng.normal(size=(20, 4)), rng.normal(size=(3, 4))
    weights = np.array([1.0, -2.0, 0.0, 5.0])
    found = explain(lambda x: x @ weights, rows, background, ["a", "b", "c", "d"])
    expected = weights * (rows - background.mean(axis=0))
    assert np.asarray(found.values)[:, :, 0] == pytest.approx(expected)
    assert found.exact
    added_up(found)
    body = found.to_dict()
    assert set(body["explanations"][0]) == {"base", "prediction", "attributions"}
    assert isinstance(body["explanations"][0]["attributions"]["a"], float)
    json.dumps(body, allow_nan=False)
    assert found.attributions()["c"] == pytest.approx(0)


def test_exact_values_are_the_mean_over_all_orders():
    def predict(x):
        return x[:, 0] * x[:, 1] + np.maximum(x[:, 2], x[:, 3]) ** 2

    rng = np.random.default_rng(2)
    background, row = rng.normal(size=(5, 4)), rng.normal(size=(1, 4))
    totals = np.zeros(4)
    for order in itertools.permutations(range(4)):
        mixed = background.copy()
        before = predict(mixed).mean()
        for feature in order:
            mixed[:, feature] = row[0, feature]
            after = predict(mixed).mean()
            totals[feature] += after - before
            before = after
    found = explain(predict, row, background)
    assert np.asarray(found.values)[0, :, 0] == pytest.approx(totals / math.factorial(4))


def test_many_features_are_sampled_add_up_and_are_the_same_each_time():
    rng = np.random.default_rng(3)
    background, rows = rng.normal(size=(50, 25)), rng.normal(size=(2, 25))

    def predict(x):
        return np.stack([x[:, 0] * 3 + x[:, 1] * x[:, 2], x.sum(axis=1)], axis=1)

    found = explain(predict, rows, background)
    assert not found.exact
    added_up(found)
    assert explain(predict, rows, background) == found
    values = np.asarray(found.values)
    assert values[:, :, 1] == pytest.approx(rows - background_used(background), abs=1e-9)
    assert np.abs(values[:, 3:, 0]).max() < 1e-9
    assert isinstance(found.to_dict()["explanations"][0]["attributions"]["x0"], list)


def background_used(background):
    from jupyter_ext.serving.explaining import BACKGROUND

    chosen = np.sort(np.random.default_rng(0).choice(len(background), BACKGROUND, replace=False))
    return background[chosen].mean(axis=0)


def test_a_frame_stays_a_frame_of_the_same_types():
    rng = np.random.default_rng(4)
    background = pd.DataFrame(
        {
            "age": rng.integers(20, 60, 40),
            "city": rng.choice(["Rome", "Oslo"], 40),
            "tall": rng.random(40) < 0.5,
        }
    )

    def predict(rows):
        assert list(rows.columns) == ["age", "city", "tall"]
        assert rows["age"].dtype.kind == "i"
        return (rows["age"] * (rows["city"] == "Rome") + 10 * rows["tall"]).to_numpy()

    found = explain(predict, background.iloc[:2], background)
    added_up(found)
    assert set(found.attributions()) == {"age", "city", "tall"}


def test_a_model_of_sklearn_is_explained():
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    x, y = load_iris(return_X_y=True)
    model = RandomForestClassifier(5, random_state=0).fit(x, y)
    found = explain(model.predict_proba, x[:1], x[::5])
    added_up(found)
    assert len(found.base) == 3
    assert next(iter(found.attributions())) in {"x2", "x3"}  # the petals tell


@pytest.mark.parametrize(
    ("rows", "background", "predict", "said"),
    [
        ([[1, 2]], [[1]], lambda x: x[:, 0], "2 features, the background 1"),
        ([1, 2], [[1, 2]], lambda x: x, "must be a table"),
        ([[1.0]], [[1.0]], lambda x: ["a"] * len(x), "not with numbers"),
        ([[1.0]], [[1.0]], lambda x: np.full(len(x), np.inf), "cannot be explained"),
        ([[1.0]], [[1.0]], lambda _: 3.0, "one prediction for each row"),
        ([[1.0]] * 101, [[1.0]], lambda x: x[:, 0], "101 rows"),
        ([[1.0]], np.zeros((0, 1)), lambda x: x[:, 0], "background of 0"),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), lambda x: x["a"], "has no a"),
    ],
)
def test_what_cannot_be_explained_is_refused(rows, background, predict, said):
    with pytest.raises(Invalid, match=said):
        explain(predict, rows, background)
