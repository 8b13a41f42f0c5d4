"""A V2 request as a custom class sees it: the attributes of KServe's InferRequest, and the words of a V1 payload."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from jupyter_ext.serving.server import tensors


class InferInput:
    """One tensor."""

    def __init__(
        self, name: str, array: Any, datatype: str, parameters: dict[str, Any] | None = None
    ) -> None:
        self.name = name
        self.datatype = datatype
        self.shape = list(array.shape)
        self.parameters = parameters or {}
        self._array = array

    @property
    def data(self) -> Any:
        """Flat, as JSON has it."""
        found = tensors.to_values(self._array, self.datatype)
        return found.tolist() if isinstance(found, np.ndarray) else found

    def as_numpy(self) -> Any:
        """The array."""
        return self._array

    def set_data_from_numpy(self, input_tensor: Any, binary_data: bool = True) -> None:
        """Another array in its place; datatype and shape become the array's. Bytes or JSON: that is decided later."""
        del binary_data
        self._array = np.asarray(input_tensor)
        self.datatype = tensors.datatype_of(self._array)
        self.shape = list(self._array.shape)

    def as_string(self) -> list[str]:
        """The texts of a BYTES tensor."""
        return [tensors.as_bytes(value).decode() for value in self._array.ravel()]


class InferRequest:
    """A V2 request. ``request["instances"]`` are its rows, for a class that was written for V1."""

    def __init__(
        self, model_name: str, inputs: list[InferInput], request_id: str, parameters: dict[str, Any]
    ) -> None:
        self.model_name = model_name
        self.inputs = inputs
        self.id = request_id
        self.parameters = parameters
        self.from_grpc = False

    def get_input_by_name(self, name: str) -> InferInput | None:
        """The tensor of this name."""
        return next((each for each in self.inputs if each.name == name), None)

    def as_dataframe(self) -> Any:
        """A frame, one column for each tensor of one dimension."""
        import pandas as pd

        return pd.DataFrame({each.name: each.as_numpy().reshape(-1) for each in self.inputs})

    def __contains__(self, key: object) -> bool:
        return key in {"instances", "inputs", "id", "parameters"}

    def __getitem__(self, key: str) -> Any:
        if key == "instances":
            return self._rows()
        if key == "inputs":
            return [
                {"name": each.name, "shape": each.shape, "datatype": each.datatype, "data": each.data}
                for each in self.inputs
            ]
        if key in {"id", "parameters"}:
            return getattr(self, key)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict's."""
        try:
            return self[key]
        except KeyError:
            return default

    def _rows(self) -> list[Any]:
        if len(self.inputs) == 1:
            return list(self.inputs[0].as_numpy().tolist())
        lists = {each.name: each.as_numpy().tolist() for each in self.inputs}
        return [dict(zip(lists, row, strict=False)) for row in zip(*lists.values(), strict=False)]


def result_arrays(result: Any, names: Iterable[str]) -> dict[str, Any]:
    """What a custom class gave, as arrays by name: predictions, outputs, objects with outputs, or plain values."""
    from jupyter_ext.serving.server.adapters import outputs, plain

    if hasattr(result, "outputs") and not isinstance(result, dict):
        return {each.name: each.as_numpy() for each in result.outputs}
    if isinstance(result, dict) and isinstance(result.get("outputs"), list):
        found = {}
        for entry in result["outputs"]:
            name, datatype = str(entry["name"]), str(entry["datatype"])
            dtype = tensors.dtype_of(datatype, name)
            found[name] = tensors.from_flat(
                list(entry["data"]), tensors.shape_of(entry["shape"], name), dtype, name
            )
        return found
    if isinstance(result, dict) and "predictions" in result:
        return {"output-0": plain(result["predictions"])}
    return outputs(result, list(names))
