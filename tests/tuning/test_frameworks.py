"""Real libraries in forked trials: what was imported once works in every fork."""

from __future__ import annotations

import pytest

from jupyter_ext.tuning import double, int_


def test_torch(tune):
    import torch

    weights = torch.tensor([1.0, -2.0])

    def fit(lr, hidden):
        from jupyter_ext.training import report

        torch.manual_seed(0)
        x = torch.randn(64, 2)
        y = x @ weights
        model = torch.nn.Sequential(torch.nn.Linear(2, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for epoch in range(5):
            loss = torch.nn.functional.mse_loss(model(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            report(loss=loss, step=epoch)
        return {"loss": loss, "threads": torch.get_num_threads()}

    found = tune(
        fit, {"lr": double(1e-3, 0.1, log=True), "hidden": int_(2, 8)}, trials=4, parallel=2, additional=["threads"],
    ).wait(200)  # fmt: skip
    assert found.phase == "SUCCEEDED", found.reason
    assert {row["metrics"]["threads"] for row in found.trials()} == {1.0}, "one core was leased"
    assert len(found.curves()["series"]) == 4


def test_scikit_learn_with_data_from_the_notebook(tune):
    from sklearn.datasets import make_classification

    data, labels = make_classification(200, 8, random_state=0)

    def fit(depth):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import cross_val_score

        model = RandomForestClassifier(20, max_depth=depth, random_state=0)
        return cross_val_score(model, data, labels, cv=3).mean()

    found = tune(fit, {"depth": int_(1, 6)}, "accuracy:max", algorithm="grid", trials=6).wait(200)
    assert found.phase == "SUCCEEDED", found.reason
    assert found.best.value > 0.6


@pytest.mark.slow
def test_tensorflow(tune):
    def fit(lr):
        import numpy as np
        import tensorflow as tf

        tf.random.set_seed(0)
        model = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(1)])
        model.compile(optimizer=tf.keras.optimizers.SGD(lr), loss="mse")
        x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
        history = model.fit(x, x.sum(1), epochs=2, verbose=2)
        return history.history["loss"][-1]

    found = tune(fit, {"lr": double(0.01, 0.1)}, trials=3, parallel=1).wait(250)
    assert found.phase == "SUCCEEDED", found.reason


@pytest.mark.slow
def test_xgboost(tune):
    def fit(depth, eta):
        import numpy as np
        import xgboost as xgb

        x = np.random.default_rng(0).normal(size=(200, 4))
        matrix = xgb.DMatrix(x, label=x.sum(1))
        result: dict = {}
        xgb.train(
            {"max_depth": depth, "eta": eta, "nthread": 1}, matrix, 5, evals=[(matrix, "train")], evals_result=result,
        )  # fmt: skip
        return result["train"]["rmse"][-1]

    found = tune(fit, {"depth": int_(1, 4), "eta": double(0.1, 0.9)}, "rmse:min", trials=4, parallel=2).wait(
        200
    )
    assert found.phase == "SUCCEEDED", found.reason
