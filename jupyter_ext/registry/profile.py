"""What training data looked like, in a few kilobytes: enough to see later that what a model is asked has moved.

``{"version": 1, "rows": 900, "features": [Feature, …], "outputs": [Feature, …], "more": 0}``. A feature has ``name``, ``kind``
and ``missing`` (a share), and by its kind

- ``number`` (and ``time``, in seconds since the epoch): ``min``, ``max``, ``mean``, ``median``, ``edges`` between bins of equal
  numbers and the ``shares`` of the bins, one more than edges; a value on an edge belongs below it;
- ``category``: ``values``, each with its share, those that at least five rows have, and the share of the ``other``;
- ``text``, ``hidden``, ``empty``: nothing of the values. Hidden is what by its name is a secret or personal.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jupyter_ext.registry.lineage import without_secrets

VERSION: Final = 1
MAX_BYTES: Final = 32 * 1024
MOST_FEATURES: Final = 100
MOST_ROWS: Final = 20_000
"""So many rows, evenly spread, tell what millions do."""
MOST_VALUES: Final = 20
MOST_DISTINCT: Final = 50
FEWEST: Final = 5
"""A value that fewer rows have might tell who they are."""
BINS: Final = 10
PREDICTED: Final = 2_000

_PERSONAL: Final = re.compile(
    r"(^|[^a-z])(ssn|iban|phone|mobile|e?mail|passport|card_?(no|number))($|[^a-z])", re.IGNORECASE
)

Feature = dict[str, Any]
Profile = dict[str, Any]
_Column = tuple[str, Callable[[], Any]]


def of(data: Any, predict: Callable[[Any], Any] | None = None, names: Sequence[str] | None = None) -> Profile:
    """Of a frame, an array (rows first), a sparse matrix, a mapping of arrays or a list.

    ``predict``, if it can, gives the profile of what the model answers to a part of the rows. Columns of an array without
    names are called x0, x1, …
    """
    rows, columns, more = _columns(data, "x", names)
    found: Profile = {"version": VERSION, "rows": rows, "features": _features(columns), "more": more}
    if predict is not None:
        answers = _answers(data, predict)
        if answers is not None:
            found["outputs"] = outputs(answers)
    return _bounded(found)


def outputs(answers: Any) -> list[Feature]:
    """The features of what a model answers: y0, y1, … for an array."""
    return _features(_columns(answers, "y", None)[1])


def feature(name: str, values: Iterable[Any]) -> Feature:
    """The profile of one column, of plain values."""
    import numpy as np

    return _feature(name, np.asarray(list(values), dtype=object))


def number(value: Any) -> float | None:
    """A value as a number; None for what is none (and for what is missing)."""
    if isinstance(value, (bool, int, float)):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return None


def _answers(data: Any, predict: Callable[[Any], Any]) -> Any:
    try:
        step = max(_length(data) // PREDICTED, 1)
        return predict(data.iloc[::step] if hasattr(data, "iloc") else data[::step])
    except Exception:
        return None  # the data has other columns than the model takes, such as the target's


def _columns(data: Any, word: str, names: Sequence[str] | None) -> tuple[int, Iterator[_Column], int]:
    """How many rows, the columns, and how many there are more."""
    import numpy as np

    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        named = [(str(name), _taker(data, name)) for name in data.columns]
        return _length(data), iter(named[:MOST_FEATURES]), max(len(named) - MOST_FEATURES, 0)
    if isinstance(data, Mapping):
        parts = [_columns(part, f"{name}.", [str(name)])[1] for name, part in data.items()]
        every = [column for part in parts for column in part]
        rows = max((_length(part) for part in data.values()), default=0)
        return rows, iter(every[:MOST_FEATURES]), max(len(every) - MOST_FEATURES, 0)
    if hasattr(data, "tocsc"):
        return _sparse(data, word, names)
    if hasattr(data, "detach"):
        data = data.detach().cpu().numpy()
    named_one = getattr(data, "name", None)
    array = np.asarray(data)
    if array.ndim <= 1:
        name = names[0] if names and len(names) == 1 else str(named_one) if named_one else f"{word}0"
        return array.size, iter([(name, lambda: array.reshape(-1))]), 0
    if array.ndim > 2:
        return len(array), iter([("values", lambda: array.reshape(-1))]), 0
    width = array.shape[1]
    chosen = range(min(width, MOST_FEATURES))
    columns = iter([(_name(word, at, width, names), _at(array, at)) for at in chosen])
    return len(array), columns, width - len(chosen)


def _taker(data: Any, name: Any) -> Callable[[], Any]:
    return lambda: data[name].to_numpy()  # noqa: PLW0108 - a column is taken when its turn comes


def _at(array: Any, at: int) -> Callable[[], Any]:
    return lambda: array[:, at]


def _name(word: str, at: int, width: int, names: Sequence[str] | None) -> str:
    return str(names[at]) if names is not None and len(names) == width else f"{word}{at}"


def _sparse(data: Any, word: str, names: Sequence[str] | None) -> tuple[int, Iterator[_Column], int]:
    """The columns with most entries, one at a time as a plain array."""
    import numpy as np

    rows, width = data.shape
    matrix = data.tocsr()[:: max(rows // MOST_ROWS, 1)].tocsc()
    filled = np.diff(matrix.indptr)
    chosen = np.sort(np.argsort(-filled, kind="stable")[:MOST_FEATURES])

    def dense(at: int) -> Callable[[], Any]:
        return lambda: matrix[:, [at]].toarray().reshape(-1)

    columns = iter([(_name(word, int(at), width, names), dense(int(at))) for at in chosen])
    return int(rows), columns, int(width - len(chosen))


def _length(data: Any) -> int:
    shape = getattr(data, "shape", None)
    return int(shape[0]) if shape else len(data) if hasattr(data, "__len__") else 1


def _features(columns: Iterable[_Column]) -> list[Feature]:
    return [_feature(name, take()) for name, take in columns]


def _feature(name: str, values: Any) -> Feature:
    import numpy as np

    values = np.asarray(values)
    values = values[:: max(len(values) // MOST_ROWS, 1)]
    if _hidden(name):
        return {"name": name[:100], "kind": "hidden", "missing": 0.0}
    kind = values.dtype.kind
    if kind in "mM":
        known = ~np.isnat(values)
        seconds = (
            values[known].astype("datetime64[us]" if kind == "M" else "timedelta64[us]").astype("int64") / 1e6
        )
        return _number(
            name, seconds, 1 - known.mean() if len(values) else 0.0, "time" if kind == "M" else "number"
        )
    if kind in "biuf":
        wide = values.astype("float64")
        finite = np.isfinite(wide)
        return _number(name, wide[finite], 1 - finite.mean() if len(values) else 0.0)
    return _objects(name, values.tolist())


def _hidden(name: str) -> bool:
    return without_secrets({name: None})[name] is not None or bool(_PERSONAL.search(name))


def _objects(name: str, values: list[Any]) -> Feature:
    import numpy as np

    known = [value for value in values if not _missing(value)]
    missing = 1 - len(known) / len(values) if values else 0.0
    numbers = [number(value) for value in known]
    if known and None not in numbers:
        return _number(name, np.asarray(numbers, dtype="float64"), missing)
    counts = Counter(str(value)[:200] for value in known)
    about: Feature = {"name": name[:100], "missing": _short(missing)}
    if not known:
        return {**about, "kind": "empty"}
    if len(counts) > MOST_DISTINCT or 2 * len(counts) > len(known):
        return {**about, "kind": "text"}
    kept = {v[:64]: n for v, n in counts.most_common(MOST_VALUES) if n >= FEWEST}
    shares = {value: _short(count / len(known)) for value, count in kept.items()}
    other = 1 - sum(kept.values()) / len(known)
    return {**about, "kind": "category", "values": shares, "other": _short(other), "count": len(known)}


def _missing(value: Any) -> bool:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return True
    return type(value).__name__ in {"NAType", "NaTType"}


def _number(name: str, values: Any, missing: float, kind: str = "number") -> Feature:
    import numpy as np

    about: Feature = {"name": name[:100], "missing": _short(float(missing))}
    if not len(values):
        return {**about, "kind": "empty"}
    levels = np.arange(1, BINS) / BINS
    edges = sorted({_short(float(edge)) for edge in np.quantile(values, levels, method="inverted_cdf")})
    places = np.searchsorted(np.asarray(edges), values, side="left")
    shares = np.bincount(places, minlength=len(edges) + 1) / len(values)
    return {
        **about,
        "kind": kind,
        "count": len(values),
        "min": _short(float(values.min())),
        "max": _short(float(values.max())),
        # Parts are added, not the values: the sum of those may be more than a float holds.
        "mean": _short(float((values / len(values)).sum())),
        "median": _short(float(np.quantile(values, 0.5, method="inverted_cdf"))),
        "edges": edges,
        "shares": [_short(float(share)) for share in shares],
    }


def _short(value: float) -> float:
    """In seven digits: shorter as JSON."""
    return float(f"{value:.7g}")


def _bounded(found: Profile) -> Profile:
    """Leave out the last features until it fits."""
    while len(json.dumps(found)) > MAX_BYTES and (found["features"] or found.get("outputs")):
        if found["features"]:
            cut = max(len(found["features"]) // 10, 1)
            found["features"] = found["features"][:-cut]
            found["more"] += cut
        else:
            del found["outputs"]
    return found
