"""Numpy arrays as ``.npy`` files that are used where they are mapped."""

from __future__ import annotations

import io
import sys
from typing import IO, Any, Literal

from jupyter_ext.pipelines.mapped import Mapping, layout

_CHUNK = 1 << 24
"""Bytes of an array without contiguous memory that are copied at a time."""


def fits(obj: Any) -> bool:
    """Whether the ``.npy`` format gives exactly the same array back."""
    numpy = sys.modules.get("numpy")
    return (
        numpy is not None
        and type(obj) is numpy.ndarray
        and obj.dtype.kind in "biufcmMSU"
        and obj.dtype.metadata is None
        and bool(obj.flags.writeable)
    )


def write(array: Any, file: IO[bytes]) -> None:
    """Write header and elements without a copy of the whole."""
    import numpy as np

    header = np.lib.format.header_data_from_array_1_0(array)
    # One format for all: version 2 differs from 1 only in how long the header may be.
    np.lib.format.write_array_header_2_0(file, header)
    flat = array.T if header["fortran_order"] else array
    if flat.flags.c_contiguous:
        if flat.size:
            file.write(memoryview(flat.reshape(-1).view("u1")))
        return
    rows = max(1, _CHUNK // max(1, flat[:1].nbytes))
    for start in range(0, flat.shape[0], rows):
        file.write(np.ascontiguousarray(flat[start : start + rows]).tobytes())


def read(mapping: Mapping) -> Any:
    """The array, writable, over the mapping's memory."""
    import numpy as np

    head = io.BytesIO(memoryview(mapping.memory)[: 1 << 16])
    np.lib.format.read_magic(head)
    shape, fortran, dtype = np.lib.format.read_array_header_2_0(head, max_header_size=1 << 16)
    order: Literal["C", "F"] = "F" if fortran else "C"
    if 0 in shape:
        return np.empty(shape, dtype, order)
    return np.ndarray(shape, dtype, buffer=mapping.memory, offset=head.tell(), order=order)


def fingerprint(array: Any) -> Any:
    """Equal as long as the array still is what was read, apart from its elements."""
    return layout(array)
