"""What a model takes and gives: names, types and shapes in the words of the Open Inference Protocol.

``{"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}], "outputs": […]}``; -1 is the number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

Signature = dict[str, list[dict[str, Any]]]
ROWS: Final = 5
"""So many rows of an example are kept."""

_KINDS: Final = {"b": "BOOL", "i": "INT", "u": "UINT", "f": "FP"}


def of(model: Any, example: Any = None) -> Signature | None:
    """From an example, by asking the model; else from what the model says of itself; None: nothing is known.

    Raises Invalid when the model cannot predict the example.
    """
    if example is None:
        return _of_features(model)
    found: Signature = {"inputs": tensors(example, "input")}
    predict = getattr(model, "predict", None)
    if callable(predict):
        try:
            found["outputs"] = tensors(predict(example), "output")
        except Exception as error:
            raise Invalid(
                f"the model cannot predict its example ({type(error).__name__}: {error})"[:300],
                where=Where(field="example"),
                hint="Give an example of the shape and with the columns the model was trained on.",
            ) from error
    return found


def _of_features(model: Any) -> Signature | None:
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return {"inputs": [{"name": str(name), "datatype": "FP64", "shape": [-1]} for name in names]}
    count = getattr(model, "n_features_in_", None)
    if isinstance(count, int):
        return {"inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, count]}]}
    return None


def tensors(value: Any, word: str) -> list[dict[str, Any]]:
    """The description of a frame (by column), a mapping of arrays, an array, or what numpy makes one of."""
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        return [_tensor(str(name), value[name].to_numpy()) for name in value.columns]
    if isinstance(value, Mapping):
        return [_tensor(str(name), part) for name, part in value.items()]
    return [_tensor(f"{word}-0", value)]


def _tensor(name: str, value: Any) -> dict[str, Any]:
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu()
    array = np.asarray(value)
    size = array.dtype.itemsize * 8
    kind = _KINDS.get(array.dtype.kind)
    datatype = "BYTES" if kind is None else kind if kind == "BOOL" else f"{kind}{size}"
    return {"name": name, "datatype": datatype, "shape": [-1, *array.shape[1:]] if array.shape else []}


def example_json(example: Any) -> dict[str, Any]:
    """A few rows of an example as JSON, from which ``example_of`` makes the same again."""
    import numpy as np

    if hasattr(example, "columns") and hasattr(example, "iloc"):
        rows = example.iloc[:ROWS]
        types = {str(name): str(kind) for name, kind in rows.dtypes.items()}
        data = [[_plain(cell) for cell in row] for row in rows.itertuples(index=False)]
        return {
            "form": "frame",
            "columns": [str(name) for name in rows.columns],
            "types": types,
            "data": data,
        }
    if isinstance(example, Mapping):
        return {"form": "mapping", "data": {str(name): example_json(part) for name, part in example.items()}}
    if hasattr(example, "detach"):
        example = example.detach().cpu()
    array = np.asarray(example)
    rows = array[:ROWS] if array.shape else array
    return {"form": "array", "type": str(array.dtype), "data": _plain(rows.tolist())}


def example_of(value: Mapping[str, Any]) -> Any:
    """The example again: a frame, a mapping or an array."""
    if value["form"] == "frame":
        import pandas as pd

        frame = pd.DataFrame(value["data"], columns=value["columns"])
        return frame.astype({name: kind for name, kind in value["types"].items() if kind in _NUMBERS})
    if value["form"] == "mapping":
        return {name: example_of(part) for name, part in value["data"].items()}
    import numpy as np

    return np.asarray(value["data"], dtype=value["type"] if value["type"] in _NUMBERS else None)


_NUMBERS: Final = frozenset(
    [f"{kind}{size}" for kind in ("int", "uint") for size in (8, 16, 32, 64)]
    + ["float16", "float32", "float64", "bool"]
)


def _plain(value: Any) -> Any:
    """A cell as JSON has it: no NaN, no numpy."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
