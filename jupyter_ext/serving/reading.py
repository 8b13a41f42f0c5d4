"""What a file holds as what a model can predict, and predictions as lines of text."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.serving import Endpoint

LARGEST: Final = 1 << 30
"""Bytes of a file; what a server takes at once is less, and its own to say."""
FORMS: Final = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".npy")
_WHERE: Final = Where(field="--data")


def read(file: str | Path) -> Any:
    """Read CSV, JSON (rows, columns, a body of V1 or V2), JSON lines, Parquet or npy; ``-`` is JSON on standard input.

    A CSV whose first line is numbers only has no head. Raises NotFound and Invalid.
    """
    if str(file) == "-":
        return _json(sys.stdin.read(), "standard input")
    path = Path(file).expanduser()
    suffix = path.suffix.lower()
    if not path.is_file():
        raise NotFound(f"there is no file {file}", where=_WHERE)
    if suffix not in FORMS:
        raise Invalid(
            f"{file} is of no form that can be read", where=_WHERE, hint=f"There is {', '.join(FORMS)}."
        )
    if path.stat().st_size > LARGEST:
        raise Invalid(f"{file} has more than {LARGEST >> 30} GB", where=_WHERE)
    try:
        return _READERS[suffix](path)
    except KubeflowError:
        raise
    except ImportError as error:
        raise Unavailable(
            f"{error.name} is needed to read {suffix}", hint=f"pip install {error.name}"
        ) from None
    except Exception as error:
        raise Invalid(f"{file} cannot be read: {type(error).__name__}: {error}"[:400], where=_WHERE) from None


def _json(text: str, name: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON: {error}", where=_WHERE) from None
    if not isinstance(found, list | dict):
        raise Invalid(f"{name} is neither a list of rows nor an object", where=_WHERE)
    return found


def _lines(path: Path) -> list[Any]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise Invalid(f"line {number} of {path.name} is not JSON: {error}", where=_WHERE) from None
    return found


def _table(path: Path, separator: str) -> Any:
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    if not first.strip():
        raise Invalid(f"{path.name} is empty", where=_WHERE)
    headless = all(_is_number(cell.strip().strip('"')) for cell in first.split(separator))
    frame = pd.read_csv(path, sep=separator, header=None if headless else "infer", encoding="utf-8-sig")
    return frame.to_numpy() if headless else frame


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(path: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(path)


def _array(path: Path) -> Any:
    import numpy as np

    return np.load(path, allow_pickle=False)


_READERS: Final = {
    ".csv": lambda path: _table(path, ","),
    ".tsv": lambda path: _table(path, "\t"),
    ".json": lambda path: _json(path.read_text(encoding="utf-8-sig"), path.name),
    ".jsonl": _lines,
    ".parquet": _parquet,
    ".npy": _array,
}


def example(endpoint: Endpoint) -> Any:
    """Give the example that was recorded with the model; raises NotFound."""
    found = endpoint.example()
    if found is None:
        what = f"no example was recorded with the model of {endpoint.name}"
        raise NotFound(what, where=_WHERE, hint="Give data, or register the model with example=.")
    return found


def plain(value: Any) -> Any:
    """Give predictions as JSON has them: arrays and columns as lists, a frame as a list of rows by name."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict("records")
    for name in ("tolist", "to_list"):
        if hasattr(value, name):
            return getattr(value, name)()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def lines(value: Any) -> Iterator[str]:
    """Give predictions one to a line: a number or text as it is, the rest as JSON."""
    for item in value if isinstance(value, list) else [value]:
        yield item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, default=str)
