"""From the arrays of a request to what a library's model takes, and from what it gives back to arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jupyter_ext.errors import Unfit
from jupyter_ext.serving.server.expected import Arrays

Predict = Callable[[Arrays], Any]


def predictor(model: Any, form: str, example: dict[str, Any] | None, columns: bool) -> Predict:
    """The function for a model of this format. ``columns``: its inputs are those of a frame. Raises Unfit."""
    made = _BY_FORMAT.get(form)
    found = made(model) if made is not None else None
    if found is not None:
        return found
    call = getattr(model, "predict", None) or (model if callable(model) else None)
    if not callable(call):
        raise Unfit(f"a {type(model).__name__} has no predict and cannot be called, so it cannot be served")
    shown = (example or {}).get("form")
    if shown == "mapping":
        return lambda arrays: call(dict(arrays))
    if shown == "frame" or columns or _names(model) is not None:
        return lambda arrays: call(frame(arrays, _names(model)))
    return lambda arrays: call(array(arrays))


def _names(model: Any) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def array(arrays: Arrays) -> Any:
    """The only one, or columns side by side."""
    if len(arrays) == 1:
        (only,) = arrays.values()
        return only
    return np.stack([column if column.ndim == 1 else column.reshape(len(column), -1)[:, 0]
                     for column in arrays.values()], axis=1)  # fmt: skip


def frame(arrays: Arrays, names: list[str] | None = None) -> Any:
    """As pandas has it; a single matrix gets the names that the model knows."""
    import pandas as pd

    if len(arrays) == 1:
        (only,) = arrays.values()
        if only.ndim == 2:
            return pd.DataFrame(only, columns=names)
    return pd.DataFrame(arrays)


def _torch(model: Any) -> Predict:
    import torch

    if isinstance(model, dict):
        raise Unfit(
            "these are the weights of a model and not the model",
            hint="Register the model itself, or a class whose load() puts the weights into it.",
        )
    if hasattr(model, "eval"):
        model.eval()
    parameter = next(
        (each for each in getattr(model, "parameters", list)() if each.is_floating_point()), None
    )
    dtype = parameter.dtype if parameter is not None else None

    def tensor(one: Any) -> Any:
        made = torch.from_numpy(np.require(one, requirements=["C", "W"]))
        return made.to(dtype) if dtype is not None and made.is_floating_point() else made

    def call(arrays: Arrays) -> Any:
        with torch.inference_mode():
            made = [tensor(each) for each in arrays.values()]
            if len(made) > 1 and all(each.ndim == 1 for each in made):
                made = [torch.stack([each.to(dtype or torch.float32) for each in made], dim=1)]
            return model(*made)

    return call


def _xgboost(model: Any) -> Predict | None:
    if type(model).__name__ != "Booster":
        return None
    import xgboost

    names = model.feature_names

    def call(arrays: Arrays) -> Any:
        return model.predict(xgboost.DMatrix(array(arrays), feature_names=names))

    return call


def _lightgbm(model: Any) -> Predict:
    return lambda arrays: model.predict(array(arrays))


def _keras(model: Any) -> Predict:
    names = [getattr(each, "name", "") for each in getattr(model, "inputs", None) or []]

    def call(arrays: Arrays) -> Any:
        given: Any = array(arrays) if len(names) < 2 else [
            arrays[name] if name in arrays else list(arrays.values())[at] for at, name in enumerate(names)
        ]  # fmt: skip
        return model(given, training=False)

    return call


def _tensorflow(model: Any) -> Predict:
    import tensorflow as tf

    serve = getattr(model, "signatures", {}).get("serving_default")
    if serve is None:
        return lambda arrays: model(tf.constant(array(arrays)))
    specs = serve.structured_input_signature[1]

    def call(arrays: Arrays) -> Any:
        given = arrays if set(arrays) == set(specs) else dict(zip(specs, arrays.values(), strict=True))
        return serve(**{name: tf.cast(tf.constant(given[name]), spec.dtype) for name, spec in specs.items()})

    return call


def _onnx(session: Any) -> Predict:
    inputs = session.get_inputs()
    outputs = [each.name for each in session.get_outputs()]
    dtypes = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64,
              "tensor(int32)": np.int32, "tensor(float16)": np.float16, "tensor(bool)": np.bool_}  # fmt: skip

    def call(arrays: Arrays) -> Any:
        if len(inputs) == 1:
            given = {inputs[0].name: array(arrays)}
        elif set(arrays) == {each.name for each in inputs}:
            given = dict(arrays)
        else:
            given = dict(zip([each.name for each in inputs], arrays.values(), strict=True))
        fed = {each.name: given[each.name].astype(dtypes[each.type], copy=False) if each.type in dtypes
               else given[each.name] for each in inputs}  # fmt: skip
        return dict(zip(outputs, session.run(outputs, fed), strict=True))

    return call


def _transformers(model: Any) -> Predict:
    import torch

    from jupyter_ext.serving.server.texts import Texts, are_texts, tokenizer_of

    texts = Texts(model, tokenizer_of(model))
    if hasattr(model, "eval"):
        model.eval()

    def call(arrays: Arrays) -> Any:
        with torch.inference_mode():
            if are_texts(arrays):
                return texts(arrays)
            given = {
                name: torch.from_numpy(np.require(each, requirements=["C", "W"]))
                for name, each in arrays.items()
            }
            found = model(given["input-0"]) if set(given) == {"input-0"} else model(**given)
            return dict(found) if hasattr(found, "keys") else found

    return call


_BY_FORMAT: dict[str, Callable[[Any], Predict | None]] = {
    "pytorch": _torch,
    "pytorch-weights": _torch,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "keras": _keras,
    "tensorflow": _tensorflow,
    "onnx": _onnx,
    "huggingface": _transformers,
}


def outputs(result: Any, names: list[str]) -> Arrays:
    """What a model gave, as arrays by name; ``names`` are those of the signature."""
    if isinstance(result, dict):
        return {str(name): plain(value) for name, value in result.items() if value is not None}
    if hasattr(result, "columns") and hasattr(result, "dtypes"):
        return {str(name): plain(result[name]) for name in result.columns}
    if isinstance(result, tuple):
        chosen = names if len(names) == len(result) else [f"output-{at}" for at in range(len(result))]
        return {name: plain(value) for name, value in zip(chosen, result, strict=True)}
    return {names[0] if len(names) == 1 else "output-0": plain(result)}


def plain(value: Any) -> Any:
    """A numpy array of it; text as objects."""
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    elif hasattr(value, "numpy") and not isinstance(value, np.ndarray):
        value = value.numpy()
    if hasattr(value, "toarray"):
        value = value.toarray()
    found = np.asarray(value)
    if found.dtype.kind in "US":
        found = found.astype(object)
    elif found.dtype.kind not in "biufO":
        found = found.astype(str).astype(object)
    elif found.dtype.kind == "f" and found.dtype.itemsize > 8:
        found = found.astype(np.float64)
    return found
