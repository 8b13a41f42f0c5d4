"""Each format is written, recognised and read by its own library; what could run code says so."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from jupyter_ext import registry as kf
from jupyter_ext.errors import Unavailable, Unfit
from jupyter_ext.registry import formats, signature

ROWS = np.arange(40, dtype="float32").reshape(10, 4)
CLASSES = np.arange(10) % 2


def roundtrip(model, name: str, *, danger: bool):
    """Register the object and, from its file, once more; gives what is read of the second."""
    first = kf.register(model, "by-object")
    assert first.format == name
    path = first.path()
    again = kf.register(path, "by-path")
    assert again.format == name
    assert again.digest == first.digest
    assert bool(formats.FORMATS[name].danger(formats.the_file(path))) is danger
    return kf.get("by-path:1").load()


def test_sklearn_with_a_class_of_the_notebook():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = make_pipeline(FunctionTransformer(lambda rows: rows * 2), LogisticRegression()).fit(ROWS, CLASSES)
    found = roundtrip(model, "sklearn", danger=True)
    assert (found.predict(ROWS) == model.predict(ROWS)).all()


def test_joblib_files(tmp_path):
    import joblib
    from sklearn.linear_model import LogisticRegression

    joblib.dump(LogisticRegression().fit(ROWS, CLASSES), tmp_path / "model.joblib")
    version = kf.register(str(tmp_path), "m")
    assert version.format == "sklearn"
    assert version.load().predict(ROWS).shape == (10,)


def test_xgboost():
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=3).fit(ROWS, CLASSES)
    found = roundtrip(model, "xgboost", danger=False)
    assert isinstance(found, xgboost.XGBClassifier)
    assert (found.predict(ROWS) == model.predict(ROWS)).all()
    booster = roundtrip_booster(model)
    assert isinstance(booster, xgboost.Booster)


def roundtrip_booster(model):
    import xgboost

    booster = xgboost.train({}, xgboost.DMatrix(ROWS, CLASSES), 2)
    version = kf.register(booster, "booster")
    assert version.format == "xgboost"
    return version.load()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pytorch():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, rows):
            return self.layer(rows)

    model = Net()
    rows = torch.from_numpy(ROWS)
    found = roundtrip(model, "pytorch", danger=True)
    assert torch.equal(found(rows), model(rows))
    weights = kf.register(model.state_dict(), "weights")
    assert weights.format == "pytorch-weights"
    assert formats.FORMATS["pytorch-weights"].danger(weights.path()) is None
    assert torch.equal(weights.load()["layer.bias"], model.layer.bias)
    script = kf.register(torch.jit.trace(model, rows), "script")
    assert torch.equal(script.load()(rows), model(rows))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_keras_and_tensorflow():
    tensorflow = pytest.importorskip("tensorflow")
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    found = roundtrip(model, "keras", danger=False)
    np.testing.assert_allclose(found.predict(ROWS, verbose=0), model.predict(ROWS, verbose=0))

    class Double(tensorflow.Module):
        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None], tensorflow.float32)])
        def __call__(self, rows):
            return rows * 2

    version = kf.register(Double(), "double")
    assert version.format == "tensorflow"
    assert formats.FORMATS["tensorflow"].danger(version.path())
    assert version.load()(tensorflow.constant([1.0])).numpy().tolist() == [2.0]


class Custom:
    """What KServe's Model has."""

    def load(self):
        self.ready = True

    def predict(self, payload, headers=None):
        del headers
        return [len(row) for row in payload["instances"]]


def test_a_class_of_ones_own():
    found = roundtrip(Custom(), "python", danger=True)
    assert found.predict({"instances": [[1, 2]]}) == [2]


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"model.onnx": b"\x08\x01"}, "onnx"),
        ({"model.bst": b"x"}, "xgboost"),
        ({"model.json": b'{"learner": {}}'}, "xgboost"),
        ({"model.txt": b"tree\nversion=v4\n"}, "lightgbm"),
        ({"notes.txt": b"hello"}, None),
        ({"model.json": b"{}"}, None),
        ({"saved_model.pb": b"", "variables/x": b""}, "tensorflow"),
        ({"config.json": b'{"model_type": "bert"}', "model.safetensors": b""}, "huggingface"),
        ({"model.onnx": b"x", "README.md": b"x"}, "onnx"),
        ({"model.onnx": b"x", "model.bst": b"x"}, None),
        ({"model.pkl": pickle.dumps({"a": 1})}, "python"),
        ({"model.pkl": b"not a pickle"}, "python"),
    ],
)
def test_recognised_by_what_is_there(tmp_path, files, name):
    for file, content in files.items():
        path = tmp_path / "model" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = formats.of_path(tmp_path / "model")
    assert (found.name if found else None) == name


def test_reading_a_pickles_library_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cposix\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    assert formats.of_path(path).name == "python"
    assert not mark.exists()


def test_transformers_with_code_of_their_own_are_marked(tmp_path):
    danger = formats.FORMATS["huggingface"].danger
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert danger(tmp_path) is None
    (tmp_path / "modeling.py").write_text("print()")
    assert "modeling.py" in danger(tmp_path)
    (tmp_path / "modeling.py").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert "pickled" in danger(tmp_path)


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"x")
    kf.register(tmp_path / "model.onnx", "onnx")
    with pytest.raises(Unavailable, match=r"onnxruntime is needed|does not load"):
        kf.get("onnx:1").load()
    kf.register(tmp_path / "model.onnx", "poem", format="poem")
    with pytest.raises(Unfit, match="'poem' is no format"):
        kf.get("poem:1").load()


def test_examples_come_back_as_they_were():
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, float("nan")], "c": ["x", "y"]})
    found = signature.example_of(json.loads(json.dumps(signature.example_json(frame))))
    pd.testing.assert_frame_equal(found, frame, check_dtype=False)
    found = signature.example_of(signature.example_json({"x": ROWS, "y": [1, 2]}))
    assert (found["x"] == ROWS[:5]).all()
    assert found["x"].dtype == ROWS.dtype
    assert signature.tensors({"x": ROWS, "s": ["a"], "b": np.array([True])}, "input") == [
        {"name": "x", "datatype": "FP32", "shape": [-1, 4]},
        {"name": "s", "datatype": "BYTES", "shape": [-1]},
        {"name": "b", "datatype": "BOOL", "shape": [-1]},
    ]
