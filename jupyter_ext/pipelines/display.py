"""What a cell shows on purpose: metrics, artifacts, confusion matrices, ROC curves.

In a notebook these display themselves; in a pipeline run the step's outputs are searched for their mime type,
so what was shown is what the run keeps. The pictures are drawn in ``drawing``.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.errors import Invalid, Where
from jupyter_ext.pipelines import drawing
from jupyter_ext.pipelines.exchange import Artifact

MIME = "application/vnd.kubeflow.v1+json"
POINTS = 300
"""A curve keeps about this many points."""
_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "text/html")


def metrics(**values: float) -> None:
    """Record numbers that tell how good a run is: ``metrics(accuracy=0.93, loss=0.2)``.

    Raises Invalid for something that is not a finite number.
    """
    if not values:
        raise Invalid("metrics() needs at least one number", hint="For example metrics(accuracy=0.93).")
    numbers = {name: _number(value, f"metric {name}") for name, value in values.items()}
    text = "\n".join(f"{name} = {value:g}" for name, value in numbers.items())
    _show({"type": "metrics", "values": numbers}, drawing.metrics(numbers), text)


def artifact(name: str, obj: Any) -> None:
    """Keep something to look at under a name: a figure, an image, a frame, HTML, text, or plain data.

    ``obj`` may also be the path of an image file. Raises Invalid for what cannot be shown.
    """
    _named(name)
    kind, mime, content = _representation(obj)
    about = {"type": "artifact", "name": name, "artifact": kind, "mime": mime}
    if kind == "table":
        about["table"] = content
        _show(about, drawing.table(name, content), f"{name}: table")
    elif kind == "json":
        about["value"] = content
        _show(about, None, f"{name}: {json.dumps(content, indent=1, default=str)[:4000]}")
    else:
        _show(about, None, f"{name}: {kind}", {mime: content})


def confusion_matrix(labels: Sequence[Any], matrix: Any, name: str = "confusion matrix") -> None:
    """Show counts of true (rows) against predicted (columns) labels, as scikit-learn computes them.

    Raises Invalid where the matrix is not square or does not match the labels.
    """
    names = [str(label) for label in labels]
    rows = [[_number(value, "confusion matrix") for value in row] for row in _nested(matrix)]
    if len(rows) != len(names) or any(len(row) != len(names) for row in rows):
        shape = f"{len(rows)} rows of {sorted({len(row) for row in rows})} numbers"
        raise Invalid(
            f"The confusion matrix has {shape} for {len(names)} labels",
            where=Where(field="matrix"),
            hint="It needs one row and one column per label.",
        )
    if any(value < 0 for row in rows for value in row):
        raise Invalid("A confusion matrix has no negative counts", where=Where(field="matrix"))
    about = {"type": "confusion_matrix", "name": name, "labels": names, "matrix": rows}
    text = "\n".join(
        f"{label}: {' '.join(f'{v:g}' for v in row)}" for label, row in zip(names, rows, strict=True)
    )
    _show(about, drawing.confusion_matrix(names, rows), text)


def roc(fpr: Sequence[float], tpr: Sequence[float], thresholds: Any = None, name: str = "ROC curve") -> None:
    """Show a ROC curve from false and true positive rates, as ``sklearn.metrics.roc_curve`` returns them.

    Raises Invalid for rates outside 0…1 or of different lengths.
    """
    x = [_number(value, "fpr") for value in _nested(fpr)]
    y = [_number(value, "tpr") for value in _nested(tpr)]
    z = None if thresholds is None else [_finite_or_none(value) for value in _nested(thresholds)]
    if len(x) != len(y) or len(x) < 2 or (z is not None and len(z) != len(x)):
        lengths = ", ".join(str(len(values)) for values in (x, y, z) if values is not None)
        raise Invalid(f"A ROC curve needs equally many rates, two at least; got {lengths}")
    if any(not 0 <= value <= 1 for value in (*x, *y)):
        raise Invalid("The rates of a ROC curve lie between 0 and 1", hint="Give fpr first, then tpr.")
    area = abs(sum((x[i + 1] - x[i]) * (y[i + 1] + y[i]) / 2 for i in range(len(x) - 1)))
    kept = _thinned(x, y)
    x, y = [x[i] for i in kept], [y[i] for i in kept]
    about: dict[str, Any] = {"type": "roc", "name": name, "fpr": x, "tpr": y, "auc": area}
    if z is not None:
        about["thresholds"] = [z[i] for i in kept]
    _show(about, drawing.roc(x, y, area), f"ROC curve, area {area:.4f}")


def collected(data: Mapping[str, Any], blobs: Blobs, cell: int) -> tuple[dict[str, float], Artifact | None]:
    """What a displayed bundle adds to the step: metrics, or an artifact whose content is now a blob."""
    about = data[MIME]
    kind = about.get("type")
    if kind == "metrics":
        return {name: value for name, value in about["values"].items() if value is not None}, None
    if kind in ("confusion_matrix", "roc"):
        digest = blobs.put_bytes(json.dumps(about).encode())
        return {}, Artifact(about.get("name") or kind, kind, MIME, digest, cell)
    if kind != "artifact":
        return {}, None
    form, mime = about["artifact"], about["mime"]
    if form in ("table", "json"):
        content = json.dumps(about["table" if form == "table" else "value"]).encode()
    elif mime.startswith("image/") and mime != "image/svg+xml":
        content = base64.b64decode(data[mime])
    else:
        content = data[mime].encode(errors="replace")
    return {}, Artifact(about["name"], form, mime, blobs.put_bytes(content), cell)


def _show(about: dict[str, Any], html: str | None, text: str, more: Mapping[str, Any] | None = None) -> None:
    bundle: dict[str, Any] = {MIME: about, "text/plain": text, **(more or {})}
    if html is not None:
        bundle["text/html"] = html
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        import sys

        sys.stdout.write(text + "\n")
        return
    display(bundle, raw=True)


def _representation(obj: Any) -> tuple[str, str, Any]:
    """Kind, mime type and content of an artifact."""
    from jupyter_ext.pipelines.preview import preview

    if isinstance(obj, Path) or (isinstance(obj, str) and "\n" not in obj and Path(obj).suffix in _IMAGES):
        return _file(Path(obj))
    if isinstance(obj, bytes):
        if obj.startswith(b"\x89PNG"):
            return "image", "image/png", obj
        raise Invalid("Bytes can be an artifact only as a PNG image")
    if isinstance(obj, str):
        html = obj.lstrip().startswith("<")
        return ("html", "text/html", obj) if html else ("text", "text/plain", obj)
    seen = preview(obj)
    if seen["kind"] == "table":
        return "table", "application/json", seen["data"]
    if seen["kind"] == "image":
        return "image", "image/png", _picture_of(obj) or base64.b64decode(seen["data"]["base64"])
    if isinstance(obj, dict | list | tuple | int | float):
        return "json", "application/json", _jsonable(obj)
    picture = _bundle(obj)
    if picture is not None:
        return picture
    raise Invalid(
        f"A {type(obj).__name__} cannot be shown as an artifact",
        hint="Give a figure, an image, a frame, HTML, text, or plain data.",
    )


def _file(path: Path) -> tuple[str, str, Any]:
    mime = _IMAGES.get(path.suffix.lower())
    if mime is None or not path.is_file():
        raise Invalid(f"{path} is not an image file", hint="PNG, JPEG and SVG files can be shown.")
    content = path.read_bytes()
    return "image", mime, content.decode(errors="replace") if mime.endswith("xml") else content


def _picture_of(obj: Any) -> bytes | None:
    """A figure or image at its own size."""
    import io

    file = io.BytesIO()
    if hasattr(obj, "savefig"):
        obj.savefig(file, format="png", bbox_inches="tight")
    elif hasattr(obj, "save"):
        obj.save(file, "png")
    return file.getvalue() or None


def _bundle(obj: Any) -> tuple[str, str, Any] | None:
    """The object's own rich representation."""
    for mime in _PICTURES:
        method = getattr(obj, f"_repr_{mime.split('/')[1].removesuffix('+xml')}_", None)
        found = method() if callable(method) else None
        if isinstance(found, str | bytes):
            return ("html" if mime == "text/html" else "image"), mime, found
    whole = getattr(obj, "_repr_mimebundle_", None)
    data = whole() if callable(whole) else None
    data = data[0] if isinstance(data, tuple) else data
    for mime in _PICTURES:
        if isinstance(data, Mapping) and isinstance(data.get(mime), str | bytes):
            return ("html" if mime == "text/html" else "image"), mime, data[mime]
    return None


def _named(name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise Invalid("An artifact needs a name", where=Where(field="name"))


def _number(value: Any, what: str) -> float:
    try:
        plain = value.item() if hasattr(value, "item") else value
        number = int(plain) if isinstance(plain, bool | int) else float(plain)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{what} is a {type(value).__name__}, not a number") from error
    if not math.isfinite(number):
        raise Invalid(f"{what} is {number}", hint="Only finite numbers can be compared between runs.")
    return number


def _finite_or_none(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _nested(values: Any) -> list[Any]:
    plain = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(plain, str | bytes) or not hasattr(plain, "__iter__"):
        raise Invalid(f"Expected a list of numbers, got a {type(values).__name__}")
    return list(plain)


def _jsonable(obj: Any) -> Any:
    return json.loads(
        json.dumps(obj, default=str), parse_constant=lambda word: None if word == "NaN" else word
    )


def _thinned(x: Sequence[float], y: Sequence[float]) -> list[int]:
    """Indices of points at about equal distances along the curve, its ends included."""
    if len(x) <= POINTS:
        return list(range(len(x)))
    lengths = [math.hypot(x[i + 1] - x[i], y[i + 1] - y[i]) for i in range(len(x) - 1)]
    step = sum(lengths) / (POINTS - 1)
    kept, walked, due = [0], 0.0, step
    for place, length in enumerate(lengths, start=1):
        walked += length
        if walked >= due:
            kept.append(place)
            due = walked + step
    return kept if kept[-1] == len(x) - 1 else [*kept, len(x) - 1]
