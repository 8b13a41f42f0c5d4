"""Models as the registry writes them, of each library that is here, behind a real server."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from jupyter_ext.registry import formats, signature
from tests.serving.server.conftest import running

pytestmark = pytest.mark.slow
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def entry(model, folder, example):
    """As the controller tells a server."""
    form = formats.of_object(model)
    form.save(model, folder)
    told = {
        "path": str(folder),
        "format": form.name,
        "signature": signature.of(model, example) if hasattr(model, "predict") else None,
        "example": signature.example_json(example),
    }
    return json.loads(json.dumps(told))


def tensor(rows, datatype="FP64"):
    data = np.asarray(rows)
    return {"name": "input-0", "shape": list(data.shape), "datatype": datatype, "data": data.ravel().tolist()}


def test_scikit_learn_of_arrays_and_of_frames(tmp_path):
    pd = pytest.importorskip("pandas")
    linear_model = pytest.importorskip("sklearn.linear_model")
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(town=["Ulm", "Bonn"] * 30)
    plain = linear_model.LogisticRegression().fit(X, Y)
    named = linear_model.LogisticRegression().fit(frame[["a", "b", "c"]], Y)
    encoder = ColumnTransformer([("t", OneHotEncoder(), ["town"])], remainder="passthrough")
    mixed = make_pipeline(encoder, linear_model.LogisticRegression()).fit(frame, Y)
    models = {}
    for name, model, example in [
        ("plain", plain, X), ("named", named, frame[["a", "b", "c"]]), ("mixed", mixed, frame),
    ]:  # fmt: skip
        (tmp_path / name).mkdir()
        models[name] = {"name": name, **entry(model, tmp_path / name, example)}
    bare = {**models["named"], "name": "bare", "signature": None, "example": None}
    with running(*models.values(), bare) as server:
        expected = plain.predict(X[:5]).tolist()
        assert server.predict(X[:5].tolist(), "plain").json()["predictions"] == expected
        assert server.infer([tensor(X[:5])], "plain").json()["outputs"][0]["data"] == expected
        rows = frame[["c", "a", "b"]][:5].to_dict("records")
        assert (
            server.predict(rows, "named").json()["predictions"]
            == named.predict(frame[["a", "b", "c"]][:5]).tolist()
        )
        assert server.predict(rows, "bare").json() == server.predict(rows, "named").json()
        assert "misses c" in server.predict([{"a": 1, "b": 2}], "bare").json()["error"]
        gap = server.predict([{**rows[0], "b": None}], "named")
        assert (gap.status, "b[0] is no number" in gap.json()["error"]) == (400, True)
        nothing = {**tensor(X[:0])}
        assert (server.infer([nothing], "plain").status, server.predict([], "plain").status) == (400, 400)
        whole = frame[:5].to_dict("records")
        assert server.predict(whole, "mixed").json()["predictions"] == mixed.predict(frame[:5]).tolist()
        assert "town[0] is 5" in server.predict([{**whole[0], "town": 5}], "mixed").json()["error"]
        for name, asked in (("plain", X[:2].tolist()), ("named", rows[:2])):
            answer = server.ask(f"/v1/models/{name}:explain", {"instances": asked})
            assert answer.status == 200, answer.body
            first = answer.json()["explanations"][0]
            assert len(first["attributions"]) == 3
        assert server.ask("/v1/models/bare:explain", {"instances": rows}).status == 422


def test_xgboost(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=3).fit(X, Y)
    with running(entry(model, tmp_path, X)) as server:
        assert server.predict(X[:5].tolist()).json()["predictions"] == model.predict(X[:5]).tolist()
    booster = model.get_booster()
    (tmp_path / "b").mkdir()
    booster.save_model(tmp_path / "b" / "model.ubj")
    told = {"path": str(tmp_path / "b"), "format": "xgboost", "trusted": False}
    with running(told) as server:
        assert len(server.predict(X[:5].tolist()).json()["predictions"]) == 5


def test_torch(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    (tmp_path / "w").mkdir()
    told = entry(model, tmp_path, X.astype(np.float32))
    weights = entry(model.state_dict(), tmp_path / "w", X)
    with running(told) as server:
        expected = model(torch.tensor(X[:4], dtype=torch.float32)).tolist()
        assert np.allclose(server.predict(X[:4].tolist()).json()["predictions"], expected)
        output = server.infer([tensor(X[:4], "FP32")]).json()["outputs"][0]
        assert (output["datatype"], output["shape"]) == ("FP32", [4, 2])
    with running(weights, wait=("failed",)) as server:
        assert "weights" in server.state["reason"]
    (tmp_path / "s").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still how models come
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3)), tmp_path / "s" / "model.torchscript")
    with running({"path": str(tmp_path / "s"), "format": "pytorch"}) as server:
        assert np.allclose(server.predict(X[:4].tolist()).json()["predictions"], expected)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_keras(tmp_path):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with running(entry(model, tmp_path, X.astype(np.float32))) as server:
        expected = keras.ops.convert_to_numpy(model(X[:4].astype(np.float32)))
        assert np.allclose(server.predict(X[:4].tolist()).json()["predictions"], expected, atol=1e-5)


def test_lightgbm(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=2, min_child_samples=1).fit(X, Y)
    with running(entry(model, tmp_path, X)) as server:
        assert np.allclose(server.predict(X[:4].tolist()).json()["predictions"], model.predict(X[:4]))


def test_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    Path(tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    assert onnx
    with running({"path": str(tmp_path), "format": "onnx", "trusted": False}) as server:
        assert server.predict([[1, 2, 3]]).json()["predictions"] == [[-1, -2, -3]]
