"""Bounded pictures of values for people: one line, and a small JSON description.

Nothing here fails or takes long because of a value: a ``repr`` that raises, never ends or is a gigabyte is
replaced by the name of the type.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import reprlib
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

from jupyter_ext.pipelines.functions import global_names

LIMIT = 64 << 10
"""Bytes of one preview's JSON at most."""
ROWS = 20
COLUMNS = 50
_TEXT = 4000
_LINE = 200
_CELL = 120
_CORNER = 8
_SAMPLE = 1 << 20
"""Elements of an array that are looked at for its range."""
_SLOW = 10**6
_TIMES = " \N{MULTIPLICATION SIGN} "


def type_name(obj: Any) -> str:
    """The type as one would import it; builtins by their bare name."""
    kind = type(obj)
    return (
        kind.__qualname__
        if kind.__module__ in ("builtins", "__main__")
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def summary(obj: Any) -> str:
    """One line about a value."""
    try:
        text = _summary(obj)
    except Exception:
        text = f"a {type(obj).__name__}"
    line = " ".join(text.split())
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def _summary(obj: Any) -> str:
    shape: Any = getattr(obj, "shape", None)
    kind = type(obj)
    if isinstance(obj, types.ModuleType):
        version = getattr(obj, "__version__", "")
        return f"module {obj.__name__} {version if isinstance(version, str) else ''}"
    if isinstance(obj, type):
        return f"class {obj.__name__}"
    if isinstance(obj, types.FunctionType):
        import inspect

        return f"function {obj.__name__}{inspect.signature(obj)}"
    if _is_frame(obj):
        return (
            f"{shape[0]:,} rows{_TIMES}{shape[1]} columns"
            if len(shape) == 2
            else f"{shape[0]:,} values of {obj.dtype}"
        )
    if isinstance(shape, tuple) and hasattr(obj, "dtype") and shape:
        return f"{kind.__name__} {_TIMES.join(f'{size:,}' for size in shape)} of {obj.dtype}"
    if (
        isinstance(obj, Sized)
        and not isinstance(obj, str | bytes)
        and kind.__module__ in ("builtins", "collections")
    ):
        return f"{short_repr(obj)} ({len(obj):,} items)" if len(obj) > 6 else short_repr(obj)
    return short_repr(obj)


def short_repr(obj: Any, limit: int = _LINE) -> str:
    """``repr`` within bounds of length and time, whatever the object does."""
    kind = type(obj)
    try:
        if isinstance(obj, str | bytes) and len(obj) > limit:
            text = f"{obj[:limit]!r}… ({len(obj):,} characters)"
        elif kind.__module__ == "builtins":
            text = _bounded.repr(obj)
        elif isinstance(obj, Sized) and not _is_frame(obj) and len(obj) > _SLOW:
            text = f"a {kind.__name__} of {len(obj):,}"
        else:
            text = repr(obj)
    except Exception as error:
        text = f"a {kind.__name__} (its repr raised {type(error).__name__})"
    return text if len(text) <= limit else text[: limit - 1] + "…"


_bounded = reprlib.Repr()
_bounded.maxlist = _bounded.maxtuple = _bounded.maxset = _bounded.maxfrozenset = _bounded.maxdict = 6
_bounded.maxstring = _bounded.maxother = 100
_bounded.maxlong = 60


def preview(obj: Any) -> dict[str, Any]:
    """``{type, summary, kind, bytes, data}`` for the user interface; kinds are table, array, text, json, image."""
    base = {"type": type_name(obj), "summary": summary(obj), "bytes": _safely(size_of, obj, 0)}
    for make in (_table, _array, _image, _json, _text):
        found = _safely(make, obj, None)
        if found is not None:
            result = {**base, **found}
            if len(json.dumps(result)) <= LIMIT:
                return result
    return {**base, "kind": "text", "data": {"text": base["summary"]}}


def encode(previews: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Previews by name, as they are stored."""
    return json.dumps(previews, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _safely(function: Any, obj: Any, otherwise: Any) -> Any:
    try:
        return function(obj)
    except Exception:
        return otherwise


def _is_frame(obj: Any) -> bool:
    return (
        type(obj).__module__.partition(".")[0] in ("pandas", "polars")
        and hasattr(obj, "head")
        and hasattr(obj, "shape")
    )


def _cell(value: Any) -> Any:
    """A table's cell as JSON; None for missing."""
    if value is None or value is getattr(sys.modules.get("pandas"), "NaT", value) is not value:
        return None
    if isinstance(value, bool | int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        plain = item()
        return _cell(plain) if isinstance(plain, bool | int | float) else str(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    text = (
        value
        if isinstance(value, str)
        else short_repr(value, _CELL)
        if not hasattr(value, "isoformat")
        else str(value)
    )
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _table(obj: Any) -> dict[str, Any] | None:
    if not _is_frame(obj):
        return None
    frame = obj if len(obj.shape) == 2 else obj.to_frame()
    if type(obj).__module__.partition(".")[0] == "polars":
        head = frame.head(ROWS)
        columns = [
            {"name": name, "type": str(kind)}
            for name, kind in list(zip(head.columns, head.dtypes, strict=True))[:COLUMNS]
        ]
        rows = [[_cell(value) for value in row[:COLUMNS]] for row in head.rows()]
        return {"kind": "table", "data": {"columns": columns, "rows": rows, "shape": list(frame.shape)}}
    head = frame.iloc[:ROWS, :COLUMNS]
    columns = [
        {"name": _label(name), "type": str(kind)}
        for name, kind in zip(head.columns, head.dtypes, strict=True)
    ]
    rows = [[_cell(value) for value in row] for row in head.itertuples(index=False, name=None)]
    index = {"name": _label(head.index.name), "values": [_cell(value) for value in head.index]}
    data = {"columns": columns, "index": index, "rows": rows, "shape": list(frame.shape)}
    return {"kind": "table", "data": data}


def _label(name: Any) -> str:
    return "" if name is None else name if isinstance(name, str) else short_repr(name, _CELL)


def _array(obj: Any) -> dict[str, Any] | None:
    numpy = sys.modules.get("numpy")
    torch = sys.modules.get("torch")
    if numpy is None:
        return None
    array = obj
    if torch is not None and isinstance(obj, torch.Tensor):
        array = obj.detach().cpu().numpy()
    if not isinstance(array, numpy.ndarray) or array.dtype.hasobject or array.dtype.fields:
        return None
    data: dict[str, Any] = {"dtype": str(obj.dtype), "shape": list(array.shape)}
    corner = array[tuple(slice(0, _CORNER) for _ in array.shape[:2])]
    while corner.ndim > 2:
        corner = corner[..., 0]
    data["values"] = _nested(corner.tolist())
    if array.dtype.kind in "iufb" and array.size:
        data |= _range(numpy, array)
    return {"kind": "array", "data": data}


def _range(numpy: Any, array: Any) -> dict[str, Any]:
    flat = array.reshape(-1) if array.flags.c_contiguous else array.ravel()
    sample = flat[:: max(1, flat.size // _SAMPLE)].astype("f8")
    sample = sample[numpy.isfinite(sample)]
    if not sample.size:
        return {}
    counts, edges = numpy.histogram(sample, bins=20)
    about = {"min": sample.min(), "max": sample.max(), "mean": sample.mean()}
    histogram = {"edges": [_cell(float(edge)) for edge in edges], "counts": counts.tolist()}
    return {**{key: _cell(float(value)) for key, value in about.items()}, "histogram": histogram}


def _nested(values: Any) -> Any:
    return [_nested(value) for value in values] if isinstance(values, list) else _cell(values)


def _image(obj: Any) -> dict[str, Any] | None:
    root = type(obj).__module__.partition(".")[0]
    if root == "PIL" and hasattr(obj, "thumbnail"):
        small = obj.copy()
        small.thumbnail((256, 256))
        return _png(lambda file: small.save(file, "png"))
    if type(obj).__module__ == "matplotlib.figure":
        return _png(lambda file: obj.savefig(file, format="png", dpi=50))
    return None


def _png(save: Any) -> dict[str, Any]:
    import base64

    file = io.BytesIO()
    save(file)
    return {
        "kind": "image",
        "data": {"mime": "image/png", "base64": base64.b64encode(file.getvalue()).decode()},
    }


def _json(obj: Any) -> dict[str, Any] | None:
    if type(obj) not in (dict, list) or len(obj) > 1000:
        return None
    text = json.dumps(obj, allow_nan=False)
    return {"kind": "json", "data": obj} if len(text) < LIMIT // 2 else None


def _text(obj: Any) -> dict[str, Any]:
    if isinstance(obj, str):
        return {"kind": "text", "data": {"text": obj[:_TEXT] + ("…" if len(obj) > _TEXT else "")}}
    parameters = getattr(obj, "get_params", None)
    if callable(parameters) and not isinstance(obj, type):
        lines = [
            f"{key} = {short_repr(value, _CELL)}" for key, value in sorted(parameters(deep=False).items())
        ]
        return {"kind": "text", "data": {"text": "\n".join([type_name(obj), *lines])[:_TEXT]}}
    return {"kind": "text", "data": {"text": short_repr(obj, _TEXT)}}


def size_of(obj: Any) -> int:
    """Roughly how many bytes the value takes; cheap, and never less than the object itself."""
    for name in ("nbytes", "estimated_size"):
        size = getattr(obj, name, None)
        if size is not None and not isinstance(obj, type):
            return int(size() if callable(size) else size)
    if type(obj).__module__.partition(".")[0] == "pandas" and hasattr(obj, "memory_usage"):
        usage = obj.memory_usage(deep=False)
        return int(usage.sum() if hasattr(usage, "sum") else usage)
    return sys.getsizeof(obj, 0)


def global_names_of(obj: Any, namespace: Mapping[str, Any]) -> Iterable[str]:
    """Global names that a function or the methods of a class of the notebook refer to."""
    found: set[str] = set()
    for function in _functions(obj):
        if getattr(function, "__globals__", None) is namespace:
            found |= global_names(function.__code__)
    return found


def _functions(obj: Any) -> Iterator[Any]:
    if isinstance(obj, types.FunctionType):
        yield obj
    elif isinstance(obj, type) and obj.__module__ == "__main__":
        for value in vars(obj).values():
            inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
            if isinstance(inner, types.FunctionType):
                yield inner
    else:
        with contextlib.suppress(Exception):
            wrapped = getattr(obj, "__wrapped__", None) or getattr(obj, "func", None)
            if isinstance(wrapped, types.FunctionType):
                yield wrapped
